// rustc: E0308

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Order {
        pub total: u32,
    }

    // By reference it would pass: `&Box<u32>` becomes `&u32` by itself.
    #[event]
    #[set(order.total = total)]
    pub struct Changed {
        pub order: Order,
        pub total: Box<u32>,
    }
}

fn main() {}

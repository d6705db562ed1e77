// says: `number` is the key of `Order`, and a key never changes

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Order {
        #[key]
        pub year: u32,
        #[key]
        pub number: u64,
    }

    #[event]
    #[set(order.number = number)]
    pub struct Changed {
        pub order: Order,
        pub number: u64,
    }
}

fn main() {}

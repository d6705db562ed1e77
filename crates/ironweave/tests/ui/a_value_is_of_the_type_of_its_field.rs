// rustc: E0308

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Order {
        pub note: String,
    }
    #[states(Order)]
    pub enum OrderState {
        #[initial]
        #[to(Paid)]
        Open,
        #[terminal]
        Paid { by: String },
    }

    #[event]
    #[set(order.note = note)]
    pub struct Changed {
        pub order: Order,
        pub note: u32,
    }
}

fn main() {}

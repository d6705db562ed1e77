// says: `#[moves]` belongs on a struct that is an `#[event]` or `#[immediate]`, not on `Payment`, a struct without `#[event]` or `#[entity]`

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

    #[moves(order: Open -> Paid { by })]
    pub struct Payment {
        pub order: Order,
        pub by: String,
    }
}

fn main() {}

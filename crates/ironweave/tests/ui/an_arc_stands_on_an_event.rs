// says: `#[moves]` needs `#[entity]`, `#[states(..)]`, `#[event]` or `#[immediate]` on `Payment`

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

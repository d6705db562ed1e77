// says: `order` is a `Order<Paid>`, which is not a source of this move, so it would always reject

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
    #[moves(order: Open -> Paid { by })]
    pub struct Changed {
        pub order: Order<Paid>,
        pub by: String,
    }
}

fn main() {}

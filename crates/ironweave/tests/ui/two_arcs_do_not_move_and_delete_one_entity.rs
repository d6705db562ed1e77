// says: `order` is moved and deleted by `Changed`: remove one of the two

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
    #[delete(order)]
    pub struct Changed {
        pub order: Order,
        pub by: String,
    }
}

fn main() {}

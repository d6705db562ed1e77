// says: `Payed` is not a state of `Order`: did you mean `Paid`?

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
    #[moves(order: Open -> Payed { by })]
    pub struct Changed {
        pub order: Order,
        pub by: String,
    }
}

fn main() {}

// says: `Many` is for edges: write `Vec<Order>` in an event

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

    pub struct Changed {
        pub orders: Many<Order>,
    }
}

fn main() {}

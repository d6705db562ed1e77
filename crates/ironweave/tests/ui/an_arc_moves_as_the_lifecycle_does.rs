// says: `Order: Paid -> Paid` is not in the lifecycle of `Order`: add `#[to(Paid)]` to `Paid`

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
    #[moves(order: Open | Paid -> Paid { by })]
    pub struct Changed {
        pub order: Order,
        pub by: String,
    }
}

fn main() {}

// says: `Order: Paid -> Open` is not in the lifecycle of `Order`: add `#[to(Open)]` to `Paid`

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
    #[may(Order: Paid -> Open)]
    pub struct Changed {
        pub order: Order,
    }
}

fn main() {}

// says: an event must be `pub`: write `pub` before it, and restrict the visibility of the module

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
    #[delete(order)]
    struct Dropped {
        pub order: Order,
    }
}

fn main() {}

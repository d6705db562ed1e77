// says: there is no attribute `evnt`: did you mean `#[event]`?

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

    #[evnt]
    #[delete(order)]
    pub struct Dropped {
        pub order: Order,
    }
}

fn main() {}

// says: there is no attribute `deletes`: did you mean `#[delete]`?

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
    #[deletes(order)]
    pub struct Dropped {
        pub order: Order,
    }
}

fn main() {}

// says: `Opn` is not a state of `Order`: did you mean `Open`?

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
        pub order: Order<Opn>,
    }
}

fn main() {}

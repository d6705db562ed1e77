// says: `Changed` has no field `noot`: did you mean `note`?

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
    #[set(order.note = noot)]
    pub struct Changed {
        pub order: Order,
        pub note: String,
    }
}

fn main() {}

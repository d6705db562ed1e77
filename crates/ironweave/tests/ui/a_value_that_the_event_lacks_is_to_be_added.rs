// says: `Changed` has no field `words`: add `pub words: String` to it, or write `note = value`

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
    #[set(order.note = words)]
    pub struct Changed {
        pub order: Order,
    }
}

fn main() {}

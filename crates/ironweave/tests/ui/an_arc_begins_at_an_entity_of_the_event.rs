// says: `ordr` is neither an entity field of `Changed` nor created by it: did you mean `order`?

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
    #[set(ordr.note = note)]
    pub struct Changed {
        pub order: Order,
        pub note: String,
    }
}

fn main() {}

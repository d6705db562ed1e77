// says: `Ordr` is not an entity of this model: did you mean `Order`?

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
    #[create(order: Ordr { note })]
    pub struct Changed {
        pub note: String,
    }
}

fn main() {}

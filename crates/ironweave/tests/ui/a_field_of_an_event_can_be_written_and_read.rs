// says: `Note` cannot be stored in a model
// says: a value is `#[derive(Clone, serde::Serialize, serde::Deserialize)]`, `Send` and `Sync`, and owns what is in it

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Order {
        pub price: u64,
    }

    #[states(Order)]
    pub enum OrderState {
        #[initial]
        #[terminal]
        Open,
    }

    #[event]
    #[create(order: Order { price })]
    pub struct OrderMade {
        pub price: u64,
        pub why: crate::Note,
    }
}

pub struct Note(pub String);

fn main() {}

// says: `Money` cannot be stored in a model
// says: a value is `#[derive(Clone, serde::Serialize, serde::Deserialize)]`, `Send` and `Sync`, and owns what is in it

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Order {
        pub price: crate::Money,
    }
}

pub struct Money(pub u64);

fn main() {}

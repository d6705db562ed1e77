// says: `#[serde(skip)]` is not supported on `size`: a field of an event takes `default`, `default = "path"`, `rename = "name"` and `alias = "name"`. The type of a value determines how it is serialized

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Order {}

    #[event]
    #[create(order: Order)]
    pub struct Ordered {
        #[serde(skip)]
        pub size: u64,
    }
}

fn main() {}

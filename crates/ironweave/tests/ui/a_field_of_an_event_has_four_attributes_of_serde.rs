// says: `#[serde(skip)]` is not there for `size`: a field of an event has `default`, `default = "path"`, `rename = "name"` and `alias = "name"`. How a value is written is told by its type

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

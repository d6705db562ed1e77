// says: `HashMap` cannot be stored: use `BTreeMap` (field types must serialize in a fixed order)

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Order {
        pub tags: std::collections::HashMap<String, String>,
    }
}

fn main() {}

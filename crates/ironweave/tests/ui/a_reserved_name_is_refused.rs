// says: `state` is reserved, because every handle has that method: choose another name for this field

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Order {
        pub state: String,
    }
}

fn main() {}

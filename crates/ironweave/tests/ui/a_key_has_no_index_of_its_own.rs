// says: a key is indexed already: remove the `#[index]`

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Order {
        #[key]
        #[index]
        pub number: u64,
    }
}

fn main() {}

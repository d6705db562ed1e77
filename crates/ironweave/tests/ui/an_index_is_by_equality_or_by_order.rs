// says: an index is `#[index]` (equal values) or `#[index(ordered)]` (ranges too)

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Order {
        #[index(sorted)]
        pub number: u64,
    }
}

fn main() {}

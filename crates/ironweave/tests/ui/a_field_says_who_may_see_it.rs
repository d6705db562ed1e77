// says: `note` is private to the model: write `pub note: String`, or `pub(self)` if that is intended
// says: `size` is private to the model: write `pub size: u64`, or `pub(self)` if that is intended

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Order {
        pub(self) secret: String,
        note: String,
    }

    #[event]
    #[create(order: Order { secret = "x", note = "y" })]
    pub struct Ordered {
        size: u64,
    }
}

fn main() {}

// says: `Order` becomes a handle, which has Copy, Debug, Eq, Ord, Hash and serde already: remove the derive

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    #[derive(Debug)]
    pub struct Order {}
}

fn main() {}

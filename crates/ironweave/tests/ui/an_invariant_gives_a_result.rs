// says: this function is not an invariant of `
// says: an invariant is written `fn name(entity:

use ironweave::prelude::*;

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Order {}

    #[event]
    #[create(order: Order)]
    pub struct Placed {}

    #[event]
    #[delete(order)]
    pub struct Dropped {
        pub order: Order,
    }
    #[invariant(Order, crate::rule)]
    pub struct Sound;
}

fn rule(_: shop::Order, _: &impl Db) -> bool {
    true
}

fn main() {}

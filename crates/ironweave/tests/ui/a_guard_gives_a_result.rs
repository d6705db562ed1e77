// says: this function is not a guard of `
// says: a guard is written `fn name(event: &

use ironweave::prelude::*;

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Order {}

    #[event]
    #[create(order: Order)]
    #[guard(crate::rule)]
    pub struct Placed {}

    #[event]
    #[delete(order)]
    pub struct Dropped {
        pub order: Order,
    }
}

fn rule(_: &shop::Placed, _: &impl Db) -> bool {
    true
}

fn main() {}

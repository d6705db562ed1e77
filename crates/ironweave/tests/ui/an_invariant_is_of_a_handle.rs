// rustc: E0631
// says: write `fn name(entity: T, db: &impl Db) -> Result<(), Reject>`

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

fn rule(_: &shop::Order, _: &impl Db) -> Result<(), Reject> {
    Ok(())
}

fn main() {}

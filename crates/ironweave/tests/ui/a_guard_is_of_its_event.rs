// rustc: E0631
// says: write `fn name(event: &E, db: &impl Db) -> Result<(), Reject>`

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

fn rule(_: &shop::Dropped, _: &impl Db) -> Result<(), Reject> {
    Ok(())
}

fn main() {}

// rustc: E0308
// says: types differ in mutability

use ironweave::Guarded;
use ironweave::prelude::*;
use shop::Dropped;

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Order {}

    #[event]
    #[create(order: Order)]
    pub struct Placed {}

    #[event]
    #[guard(crate::drops_it)]
    #[may(delete Order)]
    pub struct Dropped {
        pub order: Order,
    }
}

fn drops_it(event: &Dropped, db: &Guarded<'_, Dropped>) -> Result<(), Reject> {
    db.named().order.delete(db)
}

impl Apply for Dropped {
    fn apply(&self, bound: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        bound.order.delete(tx)
    }
}

fn main() {}

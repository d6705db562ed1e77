// says: does not declare the arc `delete Order`
// says: add `#[may(delete Order)]` to the event

use ironweave::prelude::*;
use shop::*;

include!("support/shop.rs");

impl Apply for Handled {
    fn apply(&self, bound: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        bound.order.delete(tx)
    }
}

fn main() {}

// says: does not declare the arc `set Order.note`
// says: add `#[may(set Order.note)]` to the event

use ironweave::prelude::*;
use shop::*;

include!("support/shop.rs");

impl Apply for Handled {
    fn apply(&self, bound: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        bound.order.set_note(tx, "late")
    }
}

fn main() {}

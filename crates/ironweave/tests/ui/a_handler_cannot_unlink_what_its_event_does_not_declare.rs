// says: does not declare the arc `unlink Order.tags`
// says: add `#[may(unlink Order.tags)]` to the event

use ironweave::prelude::*;
use shop::*;

include!("support/shop.rs");

impl Apply for Handled {
    fn apply(&self, bound: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        for tag in bound.order.tags(tx) {
            tag.unlink_orders(tx, &bound.order)?;
        }
        Ok(())
    }
}

fn main() {}

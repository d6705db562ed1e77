// says: does not declare the arc `set Order.lines`
// says: add `#[may(set Order.lines)]` to the event

use ironweave::prelude::*;
use shop::*;

include!("support/shop.rs");

impl Apply for Handled {
    fn apply(&self, bound: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        for line in bound.order.lines(tx) {
            bound.order.set_lines_data(tx, &line, 2)?;
        }
        Ok(())
    }
}

fn main() {}

// says: does not declare the arc `create Line`
// says: add `#[may(create Line)]` to the event

use ironweave::prelude::*;
use shop::*;

include!("support/shop.rs");

impl Apply for Handled {
    fn apply(&self, bound: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        tx.create(NewLine {
            sku: "screw".into(),
            order: bound.order.any(),
            order_data: 1,
        })?;
        Ok(())
    }
}

fn main() {}

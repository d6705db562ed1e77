// says: does not declare the arc `set Order.Paid.by`
// says: add `#[may(set Order.Paid.by)]` to the event

use ironweave::prelude::*;
use shop::{state::*, *};

include!("support/shop.rs");

impl Apply for Handled {
    fn apply(&self, bound: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        if let Some(paid) = bound.order.in_state::<Paid>(tx) {
            paid.set_by(tx, "card")?;
        }
        Ok(())
    }
}

fn main() {}

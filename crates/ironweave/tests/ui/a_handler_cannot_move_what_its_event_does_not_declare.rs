// says: does not declare the arc `Order: Open -> Paid`
// says: add `#[may(Order: Open -> Paid)]` to the event

use ironweave::prelude::*;
use shop::{state::*, *};

include!("support/shop.rs");

impl Apply for Handled {
    fn apply(&self, bound: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        let open: Order<Open> = bound.order;
        open.to_paid(tx, "cash")?;
        Ok(())
    }
}

fn main() {}

// says: does not declare the arc `ensure Tag`
// says: add `#[may(ensure Tag)]` to the event

use ironweave::prelude::*;
use shop::*;

include!("support/shop.rs");

impl Apply for Handled {
    fn apply(&self, bound: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        tx.ensure::<Tag>("red")?;
        let _ = bound;
        Ok(())
    }
}

fn main() {}

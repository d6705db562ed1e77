// says: has no `#[may(..)]`, so there is nothing for a handler to do
// says: remove this `impl Apply`, or add `#[may(..)]` with what the handler does to the event

use ironweave::prelude::*;
use shop::*;

include!("support/shop.rs");

impl Apply for Handled {
    fn apply(&self, bound: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        let _ = (bound, tx);
        Ok(())
    }
}

impl Apply for Dropped {
    fn apply(&self, _: Bound<Self>, _: &mut Tx<'_, Self>) -> Result<(), Reject> {
        Ok(())
    }
}

fn main() {}

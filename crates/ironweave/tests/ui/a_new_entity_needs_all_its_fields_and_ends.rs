// rustc: E0063

use ironweave::prelude::*;
use shop::*;

include!("support/shop.rs");

impl Apply for Handled {
    fn apply(&self, bound: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        let _ = tx;
        let _ = NewLine {
            sku: "screw".into(),
            order: bound.order.any(),
        };
        Ok(())
    }
}

fn main() {}

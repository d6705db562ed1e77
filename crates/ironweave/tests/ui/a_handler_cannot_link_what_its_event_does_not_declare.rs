// says: does not declare the arc `link Order.tags`
// says: add `#[may(link Order.tags)]` to the event

use ironweave::prelude::*;
use shop::*;

include!("support/shop.rs");

impl Apply for Handled {
    fn apply(&self, bound: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        let tag = tx.find::<Tag>("red").ok_or(Reject::new("no tag"))?;
        bound.order.link_tags(tx, &tag)
    }
}

fn main() {}

// rustc: E0277
// says: the trait `FromStr` is implemented for `shop::Order`

use ironweave::prelude::*;
use shop::{state::*, *};

include!("support/shop.rs");

impl Apply for Handled {
    fn apply(&self, _: Bound<Self>, _: &mut Tx<'_, Self>) -> Result<(), Reject> {
        Ok(())
    }
}

fn read(text: &str) -> Option<Order<Open>> {
    text.parse().ok()
}

fn main() {}

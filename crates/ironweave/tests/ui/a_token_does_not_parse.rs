// rustc: E0277
// says: the trait bound `Order<Open>: FromStr` is not satisfied

use ironweave::prelude::*;
use shop::{state::*, *};

include!("support/shop.rs");

fn read(text: &str) -> Option<Order<Open>> {
    text.parse().ok()
}

fn main() {}

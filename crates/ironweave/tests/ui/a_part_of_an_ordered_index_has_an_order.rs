// rustc: E0277

use serde::{Deserialize, Serialize};

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Symbol(String);

#[ironweave::model]
pub mod exchange {
    use super::Symbol;
    use ironweave::prelude::*;

    #[entity]
    #[index(ordered, fields = [price, symbol])]
    pub struct Order {
        pub symbol: Symbol,
        pub price: u64,
    }
}

fn main() {}

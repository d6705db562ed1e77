// rustc: E0271

use exchange::*;
use ironweave::prelude::*;

#[ironweave::model]
pub mod exchange {
    use ironweave::prelude::*;

    #[entity]
    #[index(ordered, fields = [symbol, price])]
    pub struct Order {
        pub symbol: String,
        pub price: u64,
    }
}

fn first(store: &Store<exchange::Model>) -> Option<Order> {
    Order::by_symbol_price().equal(&7u64).first(store)
}

fn main() {}

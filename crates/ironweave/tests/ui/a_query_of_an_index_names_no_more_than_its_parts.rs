// rustc: E0599

use exchange::*;
use ironweave::prelude::*;

#[ironweave::model]
pub mod exchange {
    use ironweave::prelude::*;

    #[entity]
    #[index(ordered, fields = [symbol, price])]
    #[index(fields = [price, symbol])]
    pub struct Order {
        pub symbol: String,
        pub price: u64,
    }
}

fn third(store: &Store<exchange::Model>) -> Option<Order> {
    Order::by_symbol_price().equal("ABC").range(7..).equal(&7).first(store)
}

fn incomplete(store: &Store<exchange::Model>) -> Option<Order> {
    Order::by_price_symbol().equal(&7).first(store)
}

fn main() {}

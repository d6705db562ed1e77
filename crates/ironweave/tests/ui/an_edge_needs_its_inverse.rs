// says: the edge `Order::lines` has no inverse: add to `Line` the line `#[inverse(Order::lines)] pub orders: Many<Order>,` (`Option<Order>` for at most one, `Order` for exactly one)

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Order {
        pub lines: Many<Line>,
    }

    #[entity]
    pub struct Line {
        pub sku: String,
    }
}

fn main() {}

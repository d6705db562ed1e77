// says: `Order::line` and `Line::order` are exactly one at both ends, so neither entity could be created before the other: make one end optional, as in `#[inverse(Order::line)] pub order: Option<Order>,`

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Order {
        pub line: Line,
    }

    #[entity]
    pub struct Line {
        #[inverse(Order::line)]
        pub order: Order,
    }
}

fn main() {}

// says: `Order::lines` has an inverse already, `order`: an edge has exactly one inverse, so remove one of the two

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Order {
        pub lines: Many<Line>,
    }

    #[entity]
    pub struct Line {
        #[inverse(Order::lines)]
        pub order: Option<Order>,
        #[inverse(Order::lines)]
        pub orders: Many<Order>,
    }
}

fn main() {}

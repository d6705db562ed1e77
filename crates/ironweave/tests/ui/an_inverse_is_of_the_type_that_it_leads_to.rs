// says: `order` leads to `Line`, but its inverse `Order::lines` is of `Order`: make it `Order`, `Option<Order>` or `Many<Order>`

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
        pub order: Option<Line>,
    }
}

fn main() {}

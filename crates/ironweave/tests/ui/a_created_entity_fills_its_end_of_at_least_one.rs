// says: `order` needs at least 1 `Line` in `lines`, and no arc links one: add `#[link(order.lines += ..)]`

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Order {
        pub note: String,
        #[edge(min = 1)]
        pub lines: Many<Line>,
    }
    #[states(Order)]
    pub enum OrderState {
        #[initial]
        #[to(Paid)]
        Open,
        #[terminal]
        Paid { by: String },
    }

    #[entity]
    pub struct Line {
        pub sku: String,
        #[inverse(Order::lines)]
        pub order: Option<Order>,
    }

    #[event]
    #[create(order: Order { note })]
    pub struct Added {
        pub note: String,
    }
}

fn main() {}

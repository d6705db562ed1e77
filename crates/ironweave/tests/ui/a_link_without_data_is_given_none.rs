// says: links of `lines` have no data: add `#[edge(data = T)]` to it

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Order {
        pub note: String,
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
    #[link(order.lines += line { data = 3 })]
    pub struct Changed {
        pub order: Order,
        pub line: Line,
    }
}

fn main() {}

// says: `Order.lines` leads to `Line`, but `other` is a `Order`

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
    #[link(order.lines += other)]
    pub struct Changed {
        pub order: Order,
        pub other: Order,
    }
}

fn main() {}

// says: `size` is a `u64`, not an `Option`: declare it as `Option<u64>`, or write a `u64`

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Order {
        pub note: Option<String>,
        pub size: u64,
        pub lines: Many<Line>,
    }
    #[states(Order)]
    pub enum OrderState {
        #[initial]
        #[to(Paid, Refused)]
        Open,
        #[terminal]
        Paid,
        #[terminal]
        Refused,
    }

    #[entity]
    pub struct Line {
        #[inverse(Order::lines)]
        pub order: Option<Order>,
    }
    #[states(Line)]
    pub enum LineState {
        #[initial]
        #[to(Packed)]
        Wanted,
        #[terminal]
        Packed,
    }

    #[event]
    #[set(order.note = None)]
    #[set(order.size = None)]
    pub struct Cleared {
        pub order: Order,
    }
}

fn main() {}

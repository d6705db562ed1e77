// says: `Line.order` holds at most one, but `orders` can be many: bind one, as `pub orders: Order` or `Option<Order>`, or make the edge `pub order: Many<Order>`

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
    #[relink(line.order += orders)]
    pub struct Moved {
        pub line: Line,
        pub orders: Vec<Order>,
    }
}

fn main() {}

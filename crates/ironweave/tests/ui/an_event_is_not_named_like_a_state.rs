// says: `Refused` is an event and a state of `Order`, so it would be ambiguous after `use shop::{state::*, *}`: rename the event, for example to `OrderRefused`

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
    #[moves(order: Open -> Refused)]
    pub struct Refused {
        pub order: Order<Open>,
    }
}

fn main() {}

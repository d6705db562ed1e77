// says: `one` is neither `each` nor `those`: write `each order.lines` (all of them must be in the source state) or `those order.lines` (move the ones that are); to move one of many, bind it in a field of the event

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
    #[moves(one order.lines: Wanted -> Packed)]
    pub struct Packing {
        pub order: Order,
    }
}

fn main() {}

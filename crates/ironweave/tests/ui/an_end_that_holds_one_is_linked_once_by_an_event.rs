// says: `line.order` holds at most one and is linked twice by `Moved`: remove one of the two

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
    #[relink(line.order += order)]
    #[relink(other.lines += line)]
    pub struct Moved {
        pub line: Line,
        pub order: Order,
        pub other: Order,
    }
}

fn main() {}

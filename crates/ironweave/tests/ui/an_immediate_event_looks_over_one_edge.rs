// says: `when` of an immediate event follows one edge, but `line.order.lines` follows 2: let another immediate event move the entity in between, and test its state

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
        Paid,
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

    #[immediate]
    #[when(all line.order.lines in Packed)]
    #[moves(line: Wanted -> Packed)]
    pub struct Ready {
        pub line: Line,
    }
}

fn main() {}

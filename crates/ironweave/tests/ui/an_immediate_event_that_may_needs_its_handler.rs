// says: event `shop::Ready` declares `#[may(..)]` and has no handler

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
    #[may(delete Line)]
    #[when(all order.lines in Packed)]
    #[moves(order: Open -> Paid)]
    pub struct Ready {
        pub order: Order,
    }
}

fn main() {}

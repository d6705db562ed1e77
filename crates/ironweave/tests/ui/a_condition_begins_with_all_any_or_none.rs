// says: `every` is not one of `all`, `any`, `none` and `count`: write `when(all order.lines in Packed)`, or `when(count order.lines in Packed >= 1)`

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

    #[immediate]
    #[when(every order.lines in Packed)]
    #[moves(order: Open -> Paid)]
    pub struct Complete {
        pub order: Order,
    }
}

fn main() {}

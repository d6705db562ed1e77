// says: an immediate event does not wait for a time, since nothing changes when it is reached: write an `#[event]` with `#[due(name.State.field)]`, which fires at the time in that field

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Order {
        pub until: Timestamp,
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
    #[when(order.until <= meta.time)]
    #[moves(order: Open -> Paid)]
    pub struct Ready {
        pub order: Order,
    }
}

fn main() {}

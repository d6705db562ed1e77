// says: a value is a field of the event, `meta.time`, `name.field` of a bound entity, a literal, or a sum or difference of these: for any other, add a field with the result to the event, or compute it in a handler (`#[may(set Entity.field)]`)

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
    #[set(order.size = order.size * 2)]
    pub struct Grown {
        pub order: Order,
    }
}

fn main() {}

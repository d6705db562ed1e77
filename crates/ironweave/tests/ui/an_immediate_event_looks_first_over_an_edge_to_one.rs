// says: `when` of an immediate event follows two edges only if the first leads to at most one entity, but `order.lines` can be many: let another immediate event move the entity in between, and test its state

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
    #[when(any order.lines.order in Open)]
    #[moves(order: Open -> Paid)]
    pub struct Ready {
        pub order: Order,
    }
}

fn main() {}

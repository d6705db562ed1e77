// says: a link of `lines` has data (`u32`): write `link(.. { data = value })`, or `{ data }` for a field of the event of that name

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Order {
        #[edge(data = u32)]
        pub lines: Many<Line>,
    }

    #[entity]
    pub struct Line {
        #[inverse(Order::lines)]
        pub order: Option<Order>,
    }

    #[event]
    #[link(order.lines += line)]
    pub struct Changed {
        pub order: Order,
        pub line: Line,
    }
}

fn main() {}

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Order {
        #[key]
        pub number: u64,
        #[key]
        pub year: u32,
        #[index(ordered)]
        pub total: u64,
        #[edge(acyclic)]
        pub follows: Many<Order>,
        #[inverse(Order::follows)]
        pub followed_by: Many<Order>,
        #[edge(data = u32, counted)]
        pub lines: Many<Line>,
    }
    #[states(Order)]
    pub enum OrderState {
        #[initial]
        #[terminal]
        Open,
    }

    #[entity]
    pub struct Line {
        #[inverse(Order::lines)]
        #[edge(on_delete = cascade)]
        pub order: Option<Order>,
    }
    #[states(Line)]
    pub enum LineState {
        #[initial]
        #[terminal]
        Here,
    }

    #[event]
    #[delete(order)]
    pub struct Dropped {
        pub order: Order,
    }

    #[event]
    #[may(create Line, delete Line, ensure Order)]
    pub struct Changed {
        pub order: Order,
    }
}

fn main() {}

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Order {
        pub lines: Many<Line>,
        pub tags: std::collections::HashMap<String, String>,
    }
    #[states(Order)]
    pub enum OrderState {
        #[initial]
        #[to(Shiped)]
        Open,
        #[terminal]
        Shipped,
    }

    #[entity]
    pub struct Line {
        pub name: String,
    }
    #[states(Line)]
    pub enum LineState {
        #[initial]
        #[terminal]
        Here,
    }

    #[event]
    #[moves(order: Open -> Shipped)]
    #[moves(oder: Open -> Shipped)]
    pub struct Shipped {
        pub order: Order,
    }
}

fn main() {}

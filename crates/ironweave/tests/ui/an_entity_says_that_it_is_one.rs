// says: the model uses `Line` as an entity: add `#[entity]` to it

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Order {
        pub lines: Many<Line>,
    }

    pub struct Line {
        #[inverse(Order::lines)]
        pub order: Option<Order>,
    }
}

fn main() {}

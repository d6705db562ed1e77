// says: the model takes `Line` for an entity: write `#[entity]` before it

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

// says: `min` and `max` are for `Many`: `T` is exactly one, `Option<T>` at most one

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Order {
        pub lines: Many<Line>,
    }

    #[entity]
    pub struct Line {
        #[inverse(Order::lines)]
        #[edge(min = 1)]
        pub order: Option<Order>,
    }
}

fn main() {}

// says: `counted` is for `Many`: remove it from an end that holds at most one

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
        #[edge(counted)]
        pub order: Option<Order>,
    }
}

fn main() {}

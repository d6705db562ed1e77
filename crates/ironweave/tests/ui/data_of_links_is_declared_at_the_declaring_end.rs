// says: `data` belongs to the whole edge: write it at the end without `#[inverse]`

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
        #[edge(data = u32)]
        pub order: Option<Order>,
    }
}

fn main() {}

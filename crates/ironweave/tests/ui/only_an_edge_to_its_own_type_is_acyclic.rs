// says: only an edge from an entity type to itself can have a cycle: remove `acyclic`

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Order {
        #[edge(acyclic)]
        pub lines: Many<Line>,
    }

    #[entity]
    pub struct Line {
        #[inverse(Order::lines)]
        pub order: Option<Order>,
    }
}

fn main() {}

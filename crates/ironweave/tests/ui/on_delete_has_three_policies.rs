// says: `cascading` is not a policy of `on_delete`: did you mean `cascade`?

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Order {
        #[edge(on_delete = cascading)]
        pub lines: Many<Line>,
    }

    #[entity]
    pub struct Line {
        #[inverse(Order::lines)]
        pub order: Option<Order>,
    }
}

fn main() {}

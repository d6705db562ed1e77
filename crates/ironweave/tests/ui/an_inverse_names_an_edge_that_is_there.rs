// says: `Order` has no edge `line`: did you mean `lines`?

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Order {
        pub lines: Many<Line>,
    }

    #[entity]
    pub struct Line {
        #[inverse(Order::line)]
        pub order: Option<Order>,
    }
}

fn main() {}

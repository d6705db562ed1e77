// says: `line` needs exactly one `Order` in `order`, and no arc links one: add `#[link(line.order += ..)]`

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Order {
        pub note: String,
        pub lines: Many<Line>,
    }
    #[states(Order)]
    pub enum OrderState {
        #[initial]
        #[to(Paid)]
        Open,
        #[terminal]
        Paid { by: String },
    }

    #[entity]
    pub struct Line {
        pub sku: String,
        #[inverse(Order::lines)]
        pub order: Order,
    }

    #[event]
    #[create(line: Line { sku })]
    pub struct Added {
        pub order: Order,
        pub sku: String,
    }
}

fn main() {}

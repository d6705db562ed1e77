// says: `Order` has no edge `line`: did you mean `lines`?

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
        pub order: Option<Order>,
    }

    #[event]
    #[link(order.line += added)]
    pub struct Changed {
        pub order: Order,
        pub added: Vec<Line>,
    }
}

fn main() {}

// says: `lines` is an edge of `Order`: it changes by `link`, `unlink` and `relink`

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
    #[set(order.lines = added)]
    pub struct Changed {
        pub order: Order,
        pub added: Vec<Line>,
    }
}

fn main() {}

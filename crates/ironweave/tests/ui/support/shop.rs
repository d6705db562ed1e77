// Orders, their lines and their tags; `Handled` may archive orders, and nothing else.
#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Order {
        pub note: String,
        #[edge(data = u32)]
        pub lines: Many<Line>,
        pub tags: Many<Tag>,
    }
    #[states(Order)]
    pub enum OrderState {
        #[initial]
        #[to(Paid)]
        Open,
        #[to(Archived)]
        Paid { by: String },
        #[terminal]
        Archived,
    }

    #[entity]
    pub struct Line {
        pub sku: String,
        #[inverse(Order::lines)]
        pub order: Order,
    }

    #[entity]
    pub struct Tag {
        #[key]
        pub word: String,
        #[inverse(Order::tags)]
        pub orders: Many<Order>,
    }

    #[event]
    #[may(Order: Paid -> Archived)]
    pub struct Handled {
        pub order: Order<Open>,
    }

    #[event]
    #[may(set Order.Paid.by)]
    pub struct Corrected {
        pub order: Order<Paid>,
    }

    #[event]
    #[delete(order)]
    pub struct Dropped {
        pub order: Order,
    }
}

impl Apply for shop::Corrected {
    fn apply(&self, bound: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        bound.order.set_by(tx, "card")
    }
}

// says: `order.note` is set twice by `Changed`: remove one `#[set(..)]`

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Order {
        pub note: String,
    }
    #[states(Order)]
    pub enum OrderState {
        #[initial]
        #[to(Paid)]
        Open,
        #[terminal]
        Paid { by: String },
    }

    #[event]
    #[set(order.note = note)]
    #[set(order.note = "late")]
    pub struct Changed {
        pub order: Order,
        pub note: String,
    }
}

fn main() {}

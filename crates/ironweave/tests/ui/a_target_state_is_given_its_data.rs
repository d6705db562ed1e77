// says: the state `Paid` needs `by`: write `{ by }` for fields of the event, or `by = value`

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
    #[moves(order: Open -> Paid)]
    pub struct Changed {
        pub order: Order,
    }
}

fn main() {}

// says: `Order` needs `note`: write `{ note }` for fields of the event, or `note = value`

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
    #[create(order: Order)]
    pub struct Changed {
        pub note: String,
    }
}

fn main() {}

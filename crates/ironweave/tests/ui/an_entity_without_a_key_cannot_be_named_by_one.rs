// says: `Order` has no key: put `#[key]` on one of its fields

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

    pub struct Changed {
        pub order: Key<Order>,
    }
}

fn main() {}

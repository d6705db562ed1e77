// says: expected `:`: write `#[moves(path: State | State -> State { data, data = value })]`

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
    #[moves(order = Open -> Paid { by })]
    pub struct Changed {
        pub order: Order,
        pub by: String,
    }
}

fn main() {}

// says: `order` is moved twice by `Changed`: an event moves an entity only once, so remove one `#[moves(..)]`

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
    #[moves(order: Open -> Paid { by })]
    #[moves(order: Open -> Paid { by = "cash" })]
    pub struct Changed {
        pub order: Order<Open>,
        pub by: String,
    }
}

fn main() {}

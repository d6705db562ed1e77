// says: `#[cfg]` cannot stand on an event: the model is the same in every build (put the whole module under it)

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

    #[cfg(unix)]
    #[event]
    #[delete(order)]
    pub struct Dropped {
        pub order: Order,
    }
}

fn main() {}

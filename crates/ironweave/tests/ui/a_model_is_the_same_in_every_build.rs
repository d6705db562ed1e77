// says: `#[cfg]` is not allowed on an event: a model is the same in every build (put the attribute on the whole module)

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

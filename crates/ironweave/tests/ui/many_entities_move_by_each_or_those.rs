// says: `orders` can be many: write `each orders` (all of them must be in the source state) or `those orders` (move the ones that are)

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
    #[moves(orders: Open -> Paid { by })]
    pub struct Changed {
        pub orders: Vec<Order>,
        pub by: String,
    }
}

fn main() {}

// says: `OrderState` has no initial state: put `#[initial]` on the state that a new `Order` is in

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Order {}
    #[states(Order)]
    pub enum OrderState {
        #[to(Paid)]
        Open,
        #[terminal]
        Paid,
    }
}

fn main() {}

// says: `OrderState` has an initial state already, `Open`: remove one `#[initial]`

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Order {}
    #[states(Order)]
    pub enum OrderState {
        #[initial]
        #[to(Paid)]
        Open,
        #[initial]
        #[terminal]
        Paid,
    }
}

fn main() {}

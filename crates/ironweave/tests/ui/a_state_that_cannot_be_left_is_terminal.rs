// says: `Paid` has no moves: mark it `#[terminal]`, or add `#[to(..)]`

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
        Paid,
    }
}

fn main() {}

// says: `#[key]` does not belong on a state; there, ironweave knows `#[initial]`, `#[terminal]` and `#[to]`

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Order {}
    #[states(Order)]
    pub enum OrderState {
        #[initial]
        #[terminal]
        #[key]
        Open,
    }
}

fn main() {}

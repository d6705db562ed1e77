// says: `#[key]` does not belong on a state, which takes `#[initial]`, `#[terminal]`, `#[to]` and `#[renamed]`

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

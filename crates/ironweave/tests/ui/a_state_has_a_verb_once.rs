// says: `Open` has the verb `close` already: give this move another

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Order {}
    #[states(Order)]
    pub enum OrderState {
        #[initial]
        #[to(close -> Paid, close -> Canceled)]
        Open,
        #[terminal]
        Paid,
        #[terminal]
        Canceled,
    }
}

fn main() {}

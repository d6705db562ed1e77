// says: `Paid` is terminal but has `#[to(..)]`: remove one of them

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
        #[terminal]
        #[to(Open)]
        Paid,
    }
}

fn main() {}

// says: there is no attribute `intial`: did you mean `#[initial]`?

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Order {}
    #[states(Order)]
    pub enum OrderState {
        #[intial]
        #[to(Paid)]
        Open,
        #[terminal]
        Paid,
    }
}

fn main() {}

// says: there is no state `Payed`: did you mean `Paid`?

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Order {}
    #[states(Order)]
    pub enum OrderState {
        #[initial]
        #[to(Payed)]
        Open,
        #[terminal]
        Paid,
    }
}

fn main() {}

// says: no `Order` is ever `Paid`: add `#[to(Paid)]` to the state it comes from, create it `in Paid`, or keep it for later with `#[allow(unreached)]`

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Order {}
    #[states(Order)]
    pub enum OrderState {
        #[initial]
        #[terminal]
        Open,
        #[terminal]
        Paid,
    }
}

fn main() {}

// says: no `Order` can reach `Paid`: add `#[to(Paid)]` to another state, create it `in Paid`, or permit this with `#[allow(unreached)]`

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

// says: `Order` has no edge `line`: did you mean `lines`?

use ironweave::prelude::*;

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Order {
        pub note: String,
        pub lines: Many<Line>,
    }
    #[states(Order)]
    pub enum OrderState {
        #[initial]
        #[to(Paid)]
        Open,
        #[terminal]
        Paid { by: String },
    }

    #[entity]
    pub struct Line {
        pub sku: String,
        #[inverse(Order::lines)]
        pub order: Option<Order>,
    }

    #[invariant(Order, via = [line], crate::sound)]
    pub struct Sound;
}

fn sound(_: shop::Order, _: &impl Db) -> Result<(), Reject> {
    Ok(())
}

fn main() {}

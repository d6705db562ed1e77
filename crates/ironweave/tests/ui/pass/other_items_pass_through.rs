use shop::*;

#[ironweave::model]
pub mod shop {
    //! What is sold.
    use ironweave::prelude::*;
    use serde_like::Cents;

    /// Not of the model, and beside it.
    pub const LIMIT: u32 = 100;

    pub mod serde_like {
        pub type Cents = u32;
    }

    #[derive(Debug, Clone, Copy, PartialEq)]
    #[must_use]
    pub struct Price(pub Cents);

    #[derive(Default)]
    pub enum Kind {
        #[default]
        Small,
        Large,
    }

    pub fn price(order: Order, db: &impl Db) -> Price {
        Price(LIMIT.min(*order.cents(db)))
    }

    impl Placed {
        pub fn of(kind: Kind) -> Self {
            let cents = match kind {
                Kind::Small => 5,
                Kind::Large => 500,
            };
            Self { cents }
        }
    }

    #[entity]
    pub struct Order {
        pub cents: Cents,
    }

    #[event]
    #[create(order: Order { cents })]
    #[derive(Debug, Clone)]
    pub struct Placed {
        pub cents: Cents,
    }
}

fn main() {
    let mut store = ironweave::Store::<shop::Model>::memory();
    for (kind, cents) in [(Kind::default(), 5), (Kind::Large, LIMIT)] {
        let order = store.step(Placed::of(kind).clone()).created.order;
        assert_eq!(price(order, &store), Price(cents));
    }
}

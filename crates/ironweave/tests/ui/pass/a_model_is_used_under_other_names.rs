use ironweave::{Db as _, Store as Database};
use ironweave::prelude::{Apply as Handler, Bound as Given, Reject as No, Tx as Change};
use shop::state::{Closed as Shut, Open};
use shop::{Closing as Close, Model as Shop, Opened, Order as Purchase};

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::{Timestamp as Time, *};

    #[entity]
    pub struct Order {}
    #[states(Order)]
    pub enum OrderState {
        #[initial]
        #[to(close -> Closed)]
        Open,
        #[terminal]
        Closed { at: Time },
    }

    #[event]
    #[create(order: Order)]
    pub struct Opened {}

    #[event]
    #[may(Order: Open -> Closed)]
    pub struct Closing {
        pub order: Order<Open>,
    }
}

impl Handler for Close {
    fn apply(&self, bound: Given<Self>, tx: &mut Change<'_, Self>) -> Result<(), No> {
        let at = tx.time();
        let _: Purchase<Shut> = bound.order.close(tx, at)?;
        Ok(())
    }
}

fn main() {
    let mut store = Database::<Shop>::memory();
    let order: Purchase<Open> = store.step(Opened).bound.order;
    store.step(Close { order });
    assert_eq!(store.place::<Purchase, Shut>().count(), 1);
}

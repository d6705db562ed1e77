use ironweave::prelude::*;
use shop::{state::*, *};

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Order {
        pub total: u32,
    }
    #[states(Order)]
    pub enum OrderState {
        #[initial]
        #[to(Paid)]
        Open,
        #[terminal]
        Paid,
    }

    #[event]
    #[guard(crate::there_is_room)]
    #[create(order: Order { total })]
    pub struct Placed {
        pub total: u32,
    }
}

fn open_total(db: &impl Db) -> u32 {
    db.place::<Order, Open>().map(|order| order.total(db)).sum()
}

fn there_is_room(_: &Placed, db: &impl Db) -> Result<(), Reject> {
    // `&D` reads as `D` does. What the event creates is there already.
    if open_total(&db) > 10 {
        return Err(Reject::new("too much is open"));
    }
    Ok(())
}

fn main() {
    let mut store = Store::<shop::Model>::memory();
    store.step(Placed { total: 7 });
    assert!(store.try_step(Placed { total: 4 }).is_err());
    let mut transaction = store.begin();
    transaction.apply(Placed { total: 3 }).expect("it fits");
    assert_eq!(open_total(&transaction), 10);
    drop(transaction);
    assert_eq!(open_total(&store), 7);
}

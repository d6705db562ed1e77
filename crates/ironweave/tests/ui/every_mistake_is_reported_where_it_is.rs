// says: there is no state `Shiped`: did you mean `Shipped`?
// says: `HashMap` cannot be stored: use `BTreeMap` (field types must serialize in a fixed order)
// says: the edge `Order::lines` has no inverse: add to `Line` the line `#[inverse(Order::lines)] pub orders: Many<Order>,` (`Option<Order>` for at most one, `Order` for exactly one)
// says: `oder` is neither an entity field of `Sent` nor created by it: did you mean `order`?
// says: `state` is reserved, because every handle has that method: choose another name for this field

use ironweave::prelude::*;
use shop::{state::*, *};

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Order {
        pub lines: Many<Line>,
        pub tags: std::collections::HashMap<String, String>,
    }
    #[states(Order)]
    pub enum OrderState {
        #[initial]
        #[to(Shiped)]
        Open,
        #[terminal]
        Shipped,
    }

    #[entity]
    pub struct Line {
        pub name: String,
        pub state: String,
    }

    #[event]
    #[moves(order: Open -> Shipped)]
    pub struct Shipment {
        pub order: Order<Open>,
    }

    #[event]
    #[moves(oder: Open -> Shipped)]
    #[may(delete Line)]
    pub struct Sent {
        pub order: Order,
    }
}

// What uses the model is not reported too.
impl Apply for Sent {
    fn apply(&self, bound: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        for line in bound.order.lines(tx) {
            line.delete(tx)?;
        }
        Ok(())
    }
}

fn main() {
    let mut store = Store::<shop::Model>::memory();
    let orders: Vec<Order<Open>> = store.place::<Order, Open>().collect();
    for order in orders {
        println!("{:?} {:?}", order.tags(&store), order.lines_count(&store));
        let shipped: Order<Shipped> = store.step(Shipment { order }).bound.order;
        store.step(Sent {
            order: shipped.any(),
        });
    }
}

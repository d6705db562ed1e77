use shop::{state::*, *};

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
        Paid,
        #[to(Open)]
        Imported { source: String },
    }

    #[event]
    #[create(order: Order in Imported { source })]
    pub struct OrderImported {
        pub source: String,
    }
}

fn main() {
    let mut store = ironweave::Store::<shop::Model>::memory();
    let event = OrderImported {
        source: "paper".to_owned(),
    };
    let order: Order<Imported> = store.step(event).bound.order;
    assert_eq!(order.source(&store), "paper");
}

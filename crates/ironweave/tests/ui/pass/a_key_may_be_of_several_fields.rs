use ironweave::prelude::*;
use shop::*;

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Order {
        #[key]
        pub region: String,
        #[key]
        pub number: u64,
        #[default("new")]
        pub note: String,
    }

    #[event]
    pub struct Seen {
        pub order: Ensure<Order>,
    }
}

fn main() {
    let mut store = Store::<shop::Model>::memory();
    let order = store
        .step(Seen {
            order: ("north", 7).into(),
        })
        .bound
        .order;
    assert_eq!(store.find::<Order>(&("north".to_owned(), 7)), Some(order));
    assert_eq!(order.note(&store), "new");
}

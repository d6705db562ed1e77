//! Indexes on entities cost what is taken of them, and a change that they do not depend on costs nothing more.

use super::*;
use crate::db::Db;
use crate::db::by_index::ByIndex;
use crate::snapshot::Snapshot;

/// The same model with these indexes on an order.
macro_rules! exchange {
    ($name:ident, $(#[$index:meta])*) => {
        #[crate::model]
        #[allow(dead_code, missing_docs)]
        mod $name {
            use crate::prelude::*;

            #[entity]
            pub struct Book {
                #[key]
                pub symbol: u64,
                pub orders: Many<Order>,
            }

            #[entity]
            $(#[$index])*
            pub struct Order {
                #[inverse(Book::orders)]
                #[edge(on_delete = unlink)]
                pub book: Option<Book>,
                pub price: u64,
                pub owner: u64,
                #[default]
                pub note: u64,
            }
            #[states(Order)]
            pub enum OrderState {
                #[initial]
                #[to(hold -> Held, fill -> Filled)]
                Open,
                #[to(release -> Open)]
                Held { until: u64 },
                #[terminal]
                Filled,
            }

            #[event]
            #[create(order: Order { price, owner })]
            #[link(order.book += book)]
            pub struct Placed {
                pub book: Ensure<Book>,
                pub price: u64,
                pub owner: u64,
            }
            #[event]
            #[set(order.note = note)]
            pub struct Noted {
                pub order: Order,
                pub note: u64,
            }
            #[event]
            #[set(order.price = price)]
            pub struct Priced {
                pub order: Order,
                pub price: u64,
            }
            #[event]
            #[moves(order: Open -> Held { until })]
            pub struct Stopped {
                pub order: Order,
                pub until: u64,
            }
            #[event]
            #[moves(order: Held -> Open)]
            pub struct Released {
                pub order: Order,
            }
            #[event]
            #[moves(order: Open -> Filled)]
            pub struct Executed {
                pub order: Order,
            }
            #[event]
            #[relink(order.book += book)]
            pub struct Transferred {
                pub order: Order,
                pub book: Book,
            }
            #[event]
            #[delete(order)]
            pub struct Cancelled {
                pub order: Order,
            }
        }
    };
}

exchange!(
    exchange,
    #[index(ordered, fields = [book, price], while = Open)]
    #[index(ordered, fields = [Held.until])]
    #[index(fields = [owner, book])]
);
exchange!(plain,);

/// A book of many orders with few prices, and another one.
macro_rules! filled {
    ($model:ident, $orders:expr) => {{
        let mut store = Store::<$model::Model>::memory();
        for i in 0..$orders {
            let (price, owner) = (i * 7 % 100, i);
            let book = u64::from(i % 10 == 0).into();
            store.step($model::Placed { book, price, owner });
        }
        store
    }};
}

use exchange::{Book, Order};

/// Returns for each query the rows that it touches.
fn asked(db: &impl Db) -> Vec<(&'static str, usize)> {
    let book = db.find::<Book>(&0).expect("it exists");
    let open = Order::by_book_price().equal(&book);
    let (first, last) = (open.first(db), open.last(db));
    let (first, last) = (first.expect("it has some"), last.expect("it has some"));
    let owner = Order::by_owner_book().equal(&1).equal(&book);
    let mut costs = Vec::new();
    let mut note = |what, ask: &dyn Fn() -> bool| {
        let (rows, found) = rows(ask);
        assert!(found, "{what}");
        costs.push((what, rows));
    };
    note("the first", &|| open.first(db) == Some(first));
    note("the last", &|| open.last(db) == Some(last));
    note("the greatest", &|| open.greatest(db).is_some());
    note("the next", &|| open.after(db, &first).is_some());
    note("the previous", &|| open.before(db, &last).is_some());
    note("the previous of all", &|| {
        Order::by_book_price().before(db, &first).is_some()
    });
    note("from a price on", &|| {
        open.clone().range(50..).first(db).is_some()
    });
    note("below a price", &|| {
        open.clone().range(..50).last(db).is_some()
    });
    note("ten", &|| open.iter(db).take(10).count() == 10);
    note("ten of the greatest", &|| {
        open.descending(db).take(10).count() == 10
    });
    note("whether it has one", &|| open.contains(db, &first));
    note("by equality", &|| owner.first(db).is_some());
    note("whether it equals", &|| {
        !owner.contains(db, &last) || first == last
    });
    costs
}

#[test]
fn an_index_touches_what_is_taken_of_it() {
    let small = filled!(exchange, 1_000);
    let (of_store, of_snapshot) = (asked(&small), asked(&small.snapshot()));
    assert!(of_store.iter().all(|(_, rows)| *rows > 0));
    let store = filled!(exchange, 60_000);
    let snapshot: Snapshot<exchange::Model> = store.snapshot();
    for (large, small) in [(asked(&store), of_store), (asked(&snapshot), of_snapshot)] {
        for ((what, rows), (_, most)) in large.iter().zip(small) {
            assert!(*rows <= most, "{what}: {rows}, {most}");
        }
    }
}

/// Returns for each event the rows that it touches.
macro_rules! changed {
    ($model:ident, $orders:expr) => {{
        use $model::{Book, Order};
        let mut store = filled!($model, $orders);
        let all: Vec<Order> = store.place::<Order, crate::Any>().collect();
        let order = all[$orders as usize / 2 + 1];
        let book = store.find::<Book>(&1).expect("it exists");
        // The cells of the data of a state are made up to the last entity that had it.
        let last = all[all.len() - 1];
        store.step($model::Stopped {
            order: last,
            until: 5,
        });
        let mut costs = Vec::new();
        macro_rules! cost {
            ($what:literal, $event:expr) => {
                costs.push(($what, rows(|| store.step($event)).0));
            };
        }
        cost!("noted", $model::Noted { order, note: 5 });
        cost!(
            "placed",
            $model::Placed {
                book: 1.into(),
                price: 5,
                owner: 3
            }
        );
        cost!("priced", $model::Priced { order, price: 5 });
        cost!("stopped", $model::Stopped { order, until: 5 });
        cost!("released", $model::Released { order });
        cost!("transferred", $model::Transferred { order, book });
        cost!("executed", $model::Executed { order });
        cost!("cancelled", $model::Cancelled { order });
        costs
    }};
}

#[test]
fn a_change_of_an_indexed_entity_touches_as_much_in_a_larger_graph() {
    let (small, large) = (changed!(exchange, 1_000), changed!(exchange, 60_000));
    assert_eq!(small, large);
    // Each event changes an index but the first, and no event that changes none costs more.
    let plain = changed!(plain, 1_000);
    for ((what, indexed), (_, plain)) in small.iter().zip(&plain) {
        assert_eq!(
            indexed > plain,
            *what != "noted",
            "{what}: {indexed}, {plain}"
        );
    }
    assert_eq!(small[0], plain[0]);
}

/// The query of all orders can be kept and asked again.
#[test]
fn a_query_is_a_value() {
    let store = filled!(exchange, 20);
    let all: ByIndex<Order, _, _> = Order::by_book_price();
    assert_eq!(all.iter(&store).count(), all.clone().iter(&store).count());
    assert_eq!(format!("{all:?}"), "ByIndex { parts_given: 0, .. }");
}

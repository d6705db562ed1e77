//! Indexes on entities: of several parts, of data of states, of linked entities, and of the entities in some states.

use ironweave::prelude::*;

use super::harness::{assert_sound, rejected, reopened, temp_dir};

#[ironweave::model]
pub mod exchange {
    use ironweave::prelude::*;

    #[entity]
    pub struct Book {
        #[key]
        pub symbol: String,
        pub orders: Many<Order>,
    }

    #[entity]
    #[index(ordered, fields = [book, price], while = Open | PartlyFilled)]
    #[index(ordered, fields = [Held.until])]
    #[index(fields = [owner, book])]
    #[index(ordered, name = rank, fields = [price, Held.until])]
    pub struct Order {
        #[inverse(Book::orders)]
        #[edge(on_delete = unlink)]
        pub book: Option<Book>,
        pub owner: String,
        pub price: u64,
    }
    #[states(Order)]
    pub enum OrderState {
        #[initial]
        #[to(PartlyFilled, Filled, Held)]
        Open,
        #[to(Filled)]
        PartlyFilled,
        #[to(Open)]
        Held {
            #[index(ordered)]
            since: Timestamp,
            until: u64,
            #[index]
            why: String,
        },
        #[terminal]
        Filled,
    }

    #[event]
    #[create(order: Order { owner, price })]
    #[link(order.book += book)]
    pub struct Placed {
        pub book: Ensure<Book>,
        pub owner: String,
        pub price: u64,
    }
    #[event]
    #[moves(order: Open -> PartlyFilled)]
    pub struct Matched {
        pub order: Order,
    }
    #[event]
    #[moves(order: Open | PartlyFilled -> Filled)]
    pub struct Executed {
        pub order: Order,
    }
    #[event]
    #[moves(order: Open -> Held { since = meta.time, until, why })]
    pub struct Stopped {
        pub order: Order,
        pub until: u64,
        pub why: String,
    }
    #[event]
    #[moves(order: Held -> Open)]
    pub struct Released {
        pub order: Order,
    }
    #[event]
    #[set(order.price = price)]
    pub struct Priced {
        pub order: Order,
        pub price: u64,
    }
    #[event]
    #[relink(order.book += book)]
    pub struct Transferred {
        pub order: Order,
        pub book: Ensure<Book>,
    }
    #[event]
    #[delete(order)]
    pub struct Cancelled {
        pub order: Order,
    }
    #[event]
    #[delete(book)]
    pub struct Closed {
        pub book: Book,
    }
    #[event]
    #[may(set Order.price)]
    pub struct Undercut {
        pub book: Book,
    }
}
use exchange::*;
use std::ops::Bound::{Excluded, Included, Unbounded};

impl Apply for Undercut {
    /// Sets the worst price in the book below the best one, as long as the index says so.
    fn apply(&self, bound: ironweave::Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        let open = Order::by_book_price().equal(&bound.book);
        let (Some(best), Some(worst)) = (open.first(tx), open.last(tx)) else {
            return Err(Reject::new("no order is open"));
        };
        let price = best.price(tx).saturating_sub(1);
        worst.set_price(tx, price)?;
        // It is the first one at once, and the others follow.
        if open.first(tx) != Some(worst)
            || open.after(tx, &worst) != (best != worst).then_some(best)
        {
            return Err(Reject::new("the index is not what was set"));
        }
        Ok(())
    }
}

fn placed(store: &mut Store<exchange::Model>, book: &str, owner: &str, price: u64) -> Order {
    let event = Placed {
        book: book.into(),
        owner: owner.into(),
        price,
    };
    store.step(event).created.order
}

fn prices(db: &impl Db, book: Book) -> Vec<u64> {
    let open = Order::by_book_price().equal(&book).iter(db);
    open.map(|order| order.price(db)).collect()
}

#[test]
fn a_partial_index_has_the_entities_in_its_states_by_link_and_value() {
    let dir = temp_dir();
    let mut store = Store::<exchange::Model>::open(dir.path()).expect("it opens");
    let [a, b, c] = [30, 10, 20].map(|price| placed(&mut store, "ABC", "ann", price));
    let x = placed(&mut store, "XYZ", "bob", 15);
    let [abc, xyz] = ["ABC", "XYZ"].map(|symbol| store.find::<Book>(symbol).expect("it exists"));
    assert_eq!(prices(&store, abc), [10, 20, 30]);

    let open = Order::by_book_price().equal(&abc);
    assert_eq!((open.first(&store), open.last(&store)), (Some(b), Some(a)));
    assert_eq!(
        (open.after(&store, &b), open.before(&store, &b)),
        (Some(c), None)
    );
    // Of the other book: the orders of this one are before it.
    assert_eq!(
        (open.after(&store, &x), open.before(&store, &x)),
        (None, Some(a))
    );
    assert_eq!(Order::by_book_price().after(&store, &a), Some(x));
    let of = |range: (std::ops::Bound<u64>, std::ops::Bound<u64>)| -> Vec<Order> {
        open.clone().range(range).iter(&store).collect()
    };
    assert_eq!(of((Excluded(10), Included(30))), [c, a]);
    assert_eq!(of((Included(31), Unbounded)), []);
    assert_eq!(of((Included(20), Included(10))), []);
    assert_eq!(open.clone().range(..30).last(&store), Some(c));
    assert_eq!(open.clone().equal(&20).first(&store), Some(c));
    assert!(open.contains(&store, &b) && !open.contains(&store, &x));

    // States, values and links.
    let before = store.snapshot();
    store.step(Matched { order: c });
    store.step(Executed { order: b });
    assert_eq!(prices(&store, abc), [20, 30]);
    assert!(!open.contains(&store, &b));
    assert_eq!(open.after(&store, &b), None);
    store.step(Priced { order: a, price: 1 });
    store.step(Transferred {
        order: c,
        book: "XYZ".into(),
    });
    assert_eq!(
        (prices(&store, abc), prices(&store, xyz)),
        (vec![1], vec![15, 20])
    );
    store.step(Cancelled { order: x });
    store.step(Undercut { book: xyz });
    assert_eq!(prices(&store, xyz), [19]);
    assert_sound(&store);

    // The past, and the store that opens its log again.
    assert_eq!(prices(&before, abc), [10, 20, 30]);
    let past = store
        .as_of(before.position().expect("it has one").seq())
        .expect("it is kept");
    assert_eq!(prices(&past, abc), [10, 20, 30]);
    let asked = store.what_if(|t| -> Result<_, StepError> {
        t.apply(Executed { order: c })?;
        Ok(prices(t, xyz))
    });
    assert_eq!(asked.expect("it fires"), [0; 0]);
    store.checkpoint().expect("it is written");
    let store = reopened(dir.path(), store);
    assert_eq!(
        (prices(&store, abc), prices(&store, xyz)),
        (vec![1], vec![19])
    );
    assert_eq!(prices(&store.snapshot(), abc), [1]);
}

#[test]
fn an_entity_that_was_deleted_selects_nothing() {
    let mut store = Store::<exchange::Model>::memory();
    let order = placed(&mut store, "ABC", "ann", 5);
    let abc = store.find::<Book>("ABC").expect("it exists");
    let of_abc = Order::by_book_price().equal(&abc);
    let of_ann = Order::by_owner_book().equal("ann").equal(&abc);
    assert_eq!(of_ann.iter(&store).collect::<Vec<_>>(), [order]);
    assert!(of_ann.contains(&store, &order));
    store.step(Cancelled { order });
    store.step(Closed { book: abc });
    // The next book has the slot of the deleted one.
    let other = placed(&mut store, "XYZ", "ann", 5);
    let xyz = store.find::<Book>("XYZ").expect("it exists");
    assert_eq!(
        (xyz.id().slot(), other.id().slot()),
        (abc.id().slot(), order.id().slot())
    );
    assert_eq!((of_abc.first(&store), of_ann.first(&store)), (None, None));
    assert!(!of_abc.contains(&store, &other) && !of_ann.contains(&store, &other));
    assert_eq!(of_abc.iter(&store).count() + of_ann.iter(&store).count(), 0);
    let all = Order::by_book_price();
    assert_eq!(
        (all.first(&store), all.after(&store, &order)),
        (Some(other), None)
    );
    assert!(!all.contains(&store, &order));
    assert_sound(&store);
}

#[test]
fn data_of_a_state_is_in_an_index_as_long_as_the_entity_is_in_the_state() {
    let mut store = Store::<exchange::Model>::memory();
    let [a, b] = [30, 10].map(|price| placed(&mut store, "ABC", "ann", price));
    let until = |order, until| Stopped {
        order,
        until,
        why: format!("until {until}"),
    };
    store.step(until(a, 7));
    store.step(until(b, 3));
    assert_eq!(Order::by_until().iter(&store).collect::<Vec<_>>(), [b, a]);
    assert_eq!(Order::by_until().range(4..).first(&store), Some(a));
    assert_eq!(Order::by_rank().iter(&store).collect::<Vec<_>>(), [b, a]);
    assert_eq!(
        Order::by_why(&store, &"until 7".to_owned()).collect::<Vec<_>>(),
        [a]
    );
    assert_eq!(Order::by_since_range(&store, ..).count(), 2);
    let since = a
        .in_state::<state::Held>(&store)
        .expect("it is held")
        .since(&store);
    assert_eq!(Order::by_since(&store, &since).next(), Some(a));
    store.step(Released { order: b });
    assert_eq!(Order::by_until().iter(&store).collect::<Vec<_>>(), [a]);
    assert_eq!(Order::by_rank().last(&store), Some(a));
    assert_eq!(Order::by_since_range(&store, ..).collect::<Vec<_>>(), [a]);
    assert_eq!(Order::by_why(&store, &"until 3".to_owned()).count(), 0);
    store.step(until(b, 9));
    // It is one of the index, and after a rejection it is still.
    rejected(&mut store, until(b, 1));
    assert_eq!(Order::by_until().iter(&store).collect::<Vec<_>>(), [a, b]);
    assert_sound(&store);
}

#[test]
fn the_greatest_values_come_first_and_equal_ones_in_order_of_ids() {
    let mut store = Store::<exchange::Model>::memory();
    let placed = [5, 9, 5, 9, 7].map(|price| placed(&mut store, "ABC", "ann", price));
    let abc = store.find::<Book>("ABC").expect("it exists");
    let open = Order::by_book_price().equal(&abc);
    let order = [1, 3, 4, 0, 2].map(|i: usize| placed[i]);
    assert_eq!(open.descending(&store).collect::<Vec<_>>(), order);
    assert_eq!(open.greatest(&store), Some(placed[1]));
    let below = open.range(..9);
    assert_eq!(below.descending(&store).collect::<Vec<_>>(), order[2..]);
    assert_eq!(below.iter(&store).next_back(), Some(placed[4]));
}

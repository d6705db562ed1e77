//! Indexes on entities beside lists that are sorted each time: after random events, rejections, rollbacks, checkpoints and
//! openings, in snapshots, and in the past.

use std::cmp::Reverse;

use ironweave::Seq;
use ironweave::prelude::*;

use super::harness::{assert_sound, reopened, temp_dir, unsynced};
use super::indexes_on_entities_have_an_order::exchange::state::{Filled, Held, Open, PartlyFilled};
use super::indexes_on_entities_have_an_order::exchange::{self, *};

struct Random(u32);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 10) as usize % n.max(1)
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> Option<T> {
        all.get(self.below(all.len())).copied()
    }
}

/// What a program can know of an order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Seen {
    order: Order,
    book: Option<Book>,
    owner: String,
    price: u64,
    is_open: bool,
    held: Option<(u64, String)>,
}

fn seen(db: &impl Db) -> Vec<Seen> {
    let all = db.place::<Order, Any>().collect::<Vec<_>>();
    let see = |order: Order| {
        let held = order.in_state::<Held>(db);
        Seen {
            order,
            book: order.book(db),
            owner: order.owner(db).to_owned(),
            price: order.price(db),
            is_open: order.is::<Open>(db) || order.is::<PartlyFilled>(db),
            held: held.map(|held| (held.until(db), held.why(db).to_owned())),
        }
    };
    all.into_iter().map(see).collect()
}

/// Compares the indexes with lists that are made of the orders.
fn compare(db: &impl Db) {
    let all = seen(db);
    let sorted = |mut list: Vec<(Vec<u64>, Order)>| -> Vec<Order> {
        list.sort();
        list.into_iter().map(|(_, order)| order).collect()
    };
    let by_book = |s: &Seen| {
        let key = s
            .book
            .map(|book| vec![u64::from(book.id().slot()), s.price]);
        Some((key.filter(|_| s.is_open)?, s.order))
    };
    let open = sorted(all.iter().filter_map(by_book).collect());
    assert_eq!(Order::by_book_price().iter(db).collect::<Vec<_>>(), open);
    let until = |s: &Seen| Some((vec![s.held.as_ref()?.0], s.order));
    let until = sorted(all.iter().filter_map(until).collect());
    assert_eq!(Order::by_until().iter(db).collect::<Vec<_>>(), until);
    let rank = |s: &Seen| Some((vec![s.price, s.held.as_ref()?.0], s.order));
    let rank = sorted(all.iter().filter_map(rank).collect());
    assert_eq!(Order::by_rank().iter(db).collect::<Vec<_>>(), rank);
    assert_eq!(Order::by_since_range(db, ..).count(), until.len());
    for why in ["a", "b"].map(String::from) {
        let is_why = |s: &&Seen| s.held.as_ref().is_some_and(|held| held.1 == why);
        let expected: Vec<Order> = all.iter().filter(is_why).map(|s| s.order).collect();
        assert_eq!(Order::by_why(db, &why).collect::<Vec<_>>(), expected);
    }
    for book in db.place::<Book, Any>().collect::<Vec<_>>() {
        let of_book = |s: &&Seen| s.book == Some(book);
        for owner in ["ann", "bob"] {
            let is_it = |s: &&Seen| of_book(s) && s.owner == owner;
            let expected: Vec<Order> = all.iter().filter(is_it).map(|s| s.order).collect();
            let found = Order::by_owner_book().equal(owner).equal(&book);
            assert_eq!(found.iter(db).collect::<Vec<_>>(), expected);
        }
        let mut best: Vec<&Seen> = all.iter().filter(of_book).filter(|s| s.is_open).collect();
        best.sort_by_key(|s| (Reverse(s.price), s.order));
        let best: Vec<Order> = best.into_iter().map(|s| s.order).collect();
        let open = Order::by_book_price().equal(&book);
        assert_eq!(open.greatest(db), best.first().copied());
        assert_eq!(open.descending(db).collect::<Vec<_>>(), best);
    }
    // A walk over the index meets each order once, in both directions.
    let (mut next, mut walked) = (Order::by_book_price().first(db), Vec::new());
    while let Some(order) = next {
        walked.push(order);
        next = Order::by_book_price().after(db, &order);
        let back = next.and_then(|next| Order::by_book_price().before(db, &next));
        assert_eq!(back, next.map(|_| order));
    }
    assert_eq!(walked, open);
    let filled = db.place::<Order, Filled>().map(|order| order.any());
    for order in filled.collect::<Vec<_>>() {
        assert_eq!(Order::by_book_price().after(db, &order), None);
        assert!(!Order::by_book_price().contains(db, &order));
    }
}

/// A random event, which is often rejected.
fn event(db: &impl Db, random: &mut Random) -> Option<AnyEvent> {
    let orders: Vec<Order> = db.place::<Order, Any>().collect();
    let books: Vec<Book> = db.place::<Book, Any>().collect();
    let order = random.of(&orders);
    let price = random.below(6) as u64;
    let symbol = ["ABC", "DEF", "XYZ"][random.below(3)];
    let owner = ["ann", "bob"][random.below(2)].to_owned();
    Some(match random.below(12) {
        0..3 => Placed {
            book: symbol.into(),
            owner,
            price,
        }
        .into(),
        3 => Matched { order: order? }.into(),
        4 => Executed { order: order? }.into(),
        5 | 6 => Stopped {
            order: order?,
            until: price,
            why: ["a", "b"][random.below(2)].to_owned(),
        }
        .into(),
        7 => Released { order: order? }.into(),
        8 => Priced {
            order: order?,
            price,
        }
        .into(),
        9 => Transferred {
            order: order?,
            book: symbol.into(),
        }
        .into(),
        10 if random.below(2) == 0 => Cancelled { order: order? }.into(),
        10 if random.below(6) == 0 => Closed {
            book: random.of(&books)?,
        }
        .into(),
        _ => Undercut {
            book: random.of(&books)?,
        }
        .into(),
    })
}

#[test]
fn indexes_on_entities_are_what_lists_are() {
    let (mut rejected, mut rolled_back, mut asked_the_past) = (0, 0, 0);
    for seed in 0..6 {
        let mut random = Random(seed);
        let dir = temp_dir();
        let open = || {
            unsynced::<exchange::Model>()
                .open(dir.path())
                .expect("it opens")
        };
        let mut store = open();
        let mut kept: Vec<(Snapshot<exchange::Model>, Vec<Seen>)> = Vec::new();
        let mut past: Vec<(Seq, Vec<Seen>)> = Vec::new();
        for _ in 0..120 {
            if random.below(5) > 0 {
                if let Some(event) = event(&store, &mut random) {
                    rejected += usize::from(store.try_step_any(&event).is_err());
                }
            } else {
                let mut transaction = store.begin();
                let savepoint = transaction.savepoint();
                for _ in 0..random.below(6) {
                    if let Some(event) = event(&transaction, &mut random) {
                        rejected += usize::from(transaction.apply_any(&event).is_err());
                    }
                    compare(&transaction.reader());
                    if random.below(6) == 0 {
                        let back = transaction.rollback_to(savepoint);
                        back.expect("the savepoint is of this transaction");
                        compare(&transaction.reader());
                    }
                }
                if random.below(2) == 0 {
                    transaction.commit().expect("no invariant is broken");
                } else {
                    transaction.rollback();
                    rolled_back += 1;
                }
            }
            compare(&store);
            if random.below(8) == 0 {
                kept.push((store.snapshot(), seen(&store)));
            }
            if let Some(seq) = store.seq().filter(|_| random.below(6) == 0) {
                past.push((seq, seen(&store)));
            }
            if random.below(30) == 0 {
                store.checkpoint().expect("it is written");
            }
            if random.below(30) == 0 {
                store = reopened(dir.path(), store);
                compare(&store);
            }
        }
        for (snapshot, then) in &kept {
            assert_eq!(&seen(snapshot), then);
            compare(snapshot);
            let order = Order::by_book_price().first(snapshot);
            // A speculative step changes the indexes of its own snapshot only.
            if let Some(order) = order {
                let tried = snapshot.with(Priced { order, price: 9 }).expect("it fires");
                compare(&tried.snapshot);
                compare(snapshot);
            }
        }
        for (seq, then) in &past {
            let snapshot = store.as_of(*seq).expect("the log has it");
            assert_eq!(&seen(&snapshot), then);
            compare(&snapshot);
            asked_the_past += 1;
        }
        assert_sound(&store);
    }
    assert!(rejected > 50 && rolled_back > 20 && asked_the_past > 50);
}

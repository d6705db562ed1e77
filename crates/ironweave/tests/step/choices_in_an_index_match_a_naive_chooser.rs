//! Two models that differ only in their indexes of several parts choose alike, and as a naive chooser that looks at all entities: in
//! a store, in a snapshot, after what was undone, and in a log that is opened again.

mod models;

use std::cmp::Reverse;

use ironweave::prelude::*;

use crate::harness::random::Random;
use crate::harness::{assert_sound, reopened_with, scratch_dir, unsynced};
use models::{Change, Kind, Question, indexed, plain};

/// How many events choose.
const QUESTIONS: usize = 17;
const BOOKS: usize = 3;

/// What the naive chooser knows of an entity.
#[derive(Clone, Default)]
struct Row {
    state: &'static str,
    symbol: u64,
    price: u64,
    since: u64,
    size: u64,
    until: u64,
    book: Option<usize>,
}

/// The entities by slot.
#[derive(Clone, Default)]
struct Naive {
    bids: Vec<Row>,
    asks: Vec<Option<Row>>,
}

impl Naive {
    /// The slots of the asks that fit, in the order of a key and then of slots.
    fn sorted<K: Ord>(&self, fits: impl Fn(&Row) -> bool, key: impl Fn(&Row) -> K) -> Vec<usize> {
        let rows = self.asks.iter().enumerate();
        let mut all: Vec<(K, usize)> = rows
            .filter_map(|(slot, row)| Some((slot, row.as_ref().filter(|row| fits(row))?)))
            .map(|(slot, row)| (key(row), slot))
            .collect();
        all.sort();
        all.into_iter().map(|(_, slot)| slot).collect()
    }

    fn ask(&mut self, slot: usize) -> &mut Row {
        self.asks[slot].as_mut().expect("it exists")
    }

    /// Changes what an event changes, which creates an ask at a slot if it does; `false` if it is rejected.
    fn change(&mut self, c: Change, slot: usize) -> bool {
        let row = Row {
            symbol: c.symbol,
            price: c.price,
            since: c.since,
            size: c.size,
            ..Row::default()
        };
        let moved = |row: &mut Row, from: &[&str], to: &'static str| {
            let may = from.contains(&row.state);
            row.state = if may { to } else { row.state };
            may
        };
        match c.kind {
            Kind::Bid => self.bids.push(Row {
                state: "Open",
                ..row
            }),
            Kind::Ask => {
                let row = Some(Row {
                    state: "Resting",
                    ..row
                });
                self.asks.resize(self.asks.len().max(slot + 1), None);
                self.asks[slot] = row;
            }
            Kind::GiveBid => self.bids[c.bid].book = Some(c.book),
            Kind::GiveAsk => self.ask(c.ask).book = Some(c.book),
            Kind::TakeAsk => self.ask(c.ask).book = None,
            Kind::PriceBid => {
                let bid = &mut self.bids[c.bid];
                (bid.symbol, bid.price) = (c.symbol, c.price);
            }
            Kind::PriceAsk => {
                let ask = self.ask(c.ask);
                (ask.symbol, ask.price, ask.size) = (c.symbol, c.price, c.size);
            }
            Kind::ParkBid => return moved(&mut self.bids[c.bid], &["Open", "Bought"], "Parked"),
            Kind::OpenBid => return moved(&mut self.bids[c.bid], &["Parked", "Bought"], "Open"),
            Kind::HoldAsk => {
                let ask = self.ask(c.ask);
                if !moved(ask, &["Resting"], "Held") {
                    return false;
                }
                ask.until = c.since;
            }
            Kind::RestAsk => return moved(self.ask(c.ask), &["Held", "Sold"], "Resting"),
            Kind::DropAsk => self.asks[c.ask] = None,
        }
        true
    }

    fn states(&self) -> [Vec<(usize, String)>; 2] {
        let bids = self.bids.iter().enumerate();
        let asks =
            (self.asks.iter().enumerate()).filter_map(|(slot, ask)| Some((slot, ask.as_ref()?)));
        let state = |(slot, row): (usize, &Row)| (slot, row.state.to_owned());
        [bids.map(state).collect(), asks.map(state).collect()]
    }

    /// Fires one immediate event, if one is enabled.
    fn fire_one(&mut self) -> bool {
        let mut bids: Vec<(Reverse<u64>, usize)> = Vec::new();
        bids.extend(
            self.bids
                .iter()
                .enumerate()
                .map(|(slot, bid)| (Reverse(bid.price), slot)),
        );
        bids.sort();
        for (_, slot) in bids {
            let bid = self.bids[slot].clone();
            let fits = |a: &Row| {
                a.state == "Resting"
                    && a.book.is_some()
                    && a.book == bid.book
                    && a.price <= bid.price
            };
            let asks = self.sorted(fits, |a| (a.price, a.since));
            if let ("Open", [ask, ..]) = (bid.state, &*asks) {
                self.bids[slot].state = "Bought";
                self.ask(*ask).state = "Sold";
                return true;
            }
        }
        for slot in 0..self.bids.len() {
            let bid = self.bids[slot].clone();
            let fits =
                |a: &Row| a.state == "Held" && a.symbol == bid.symbol && a.price <= bid.price;
            let asks = self.sorted(fits, |a| Reverse(a.price));
            if let ("Parked", [ask, ..]) = (bid.state, &*asks) {
                self.bids[slot].state = "Bought";
                self.ask(*ask).state = "Sold";
                return true;
            }
        }
        false
    }

    /// What an event chooses, by its number.
    fn chosen(&self, number: usize, q: &Question) -> Option<Vec<usize>> {
        let (s, a, b) = (q.s, q.a, q.b);
        let rests = |r: &Row| r.state == "Resting";
        let stays = |r: &Row| r.state == "Resting" || r.state == "Held";
        let within = |r: &Row| r.book == Some(q.book);
        let mut n = q.n as usize;
        let all = match number {
            0 => {
                n = 1;
                self.sorted(|r| within(r) && rests(r), |r| (r.price, r.since))
            }
            1 => self.sorted(|r| within(r) && rests(r), |r| (Reverse(r.price), r.since)),
            2 => {
                let fits = |r: &Row| within(r) && rests(r) && r.price >= a;
                self.sorted(fits, |r| (Reverse(r.price), Reverse(r.since)))
            }
            3 => {
                let fits = |r: &Row| stays(r) && r.symbol == s && r.price < a;
                self.sorted(fits, |r| (r.price, r.size))
            }
            4 => {
                let fits = |r: &Row| r.state == "Held" && r.until <= a;
                self.sorted(fits, |r| (r.until, Reverse(r.price)))
            }
            5 => self.sorted(|r| rests(r) && r.symbol == s && r.size == q.z, |_| ()),
            6 => self.sorted(|r| r.state == "Held" && r.until >= a, |_| ()),
            7 => {
                let within = |r: &Row| r.book.is_some_and(|book| q.books.contains(&book));
                let fits = |r: &Row| within(r) && rests(r) && r.price != a;
                self.sorted(fits, |r| (r.price, r.since))
            }
            8 => {
                let fits = |r: &Row| within(r) && stays(r) && r.symbol == s;
                self.sorted(fits, |r| Reverse(r.size))
            }
            9 => self.sorted(rests, |r| (Reverse(r.price), r.size)),
            10 => {
                let fits = |r: &Row| rests(r) && r.symbol == s && r.price == a;
                self.sorted(fits, |r| Reverse(r.since))
            }
            11 => {
                let book = self.bids[q.bid].book;
                let within = |r: &Row| r.book.is_some() && r.book == book;
                let fits =
                    |r: &Row| within(r) && rests(r) && r.price > a && r.price <= b && r.price >= 2;
                self.sorted(fits, |r| Reverse(r.price))
            }
            13 => self.sorted(|r| within(r) && r.state == "Held", |r| r.until),
            // Those without the value come last.
            14 => {
                let until = |r: &Row| (r.state != "Held", (r.state == "Held").then_some(r.until));
                self.sorted(|r| stays(r) && r.symbol == s, |r| (until(r), r.price))
            }
            15 => {
                let until = |r: &Row| {
                    (
                        r.state != "Held",
                        (r.state == "Held").then_some(Reverse(r.until)),
                    )
                };
                self.sorted(|_| true, until)
            }
            16 => self.sorted(|r| r.state != "Held", |r| r.size),
            _ => {
                let open = self.bids.iter().enumerate();
                let open = open.filter(|(_, bid)| bid.state == "Open" && bid.price < b);
                let (_, bid) =
                    open.min_by_key(|(slot, bid)| (Reverse(bid.price), bid.symbol, *slot))?;
                let fits = |r: &Row| r.symbol == bid.symbol && r.price >= bid.price;
                let all = self.sorted(fits, |_| ());
                return (all.len() >= n).then(|| all[..n].to_vec());
            }
        };
        Some(all[..all.len().min(n)].to_vec())
    }
}

fn random_change(naive: &Naive, random: &mut Random) -> Option<Change> {
    let kinds = [
        (Kind::Bid, 2),
        (Kind::Ask, 5),
        (Kind::GiveBid, 6),
        (Kind::GiveAsk, 8),
        (Kind::TakeAsk, 1),
        (Kind::PriceBid, 2),
        (Kind::PriceAsk, 4),
        (Kind::ParkBid, 3),
        (Kind::OpenBid, 4),
        (Kind::HoldAsk, 5),
        (Kind::RestAsk, 6),
        (Kind::DropAsk, 1),
    ];
    let all: Vec<Kind> = (kinds.iter())
        .flat_map(|(kind, times)| vec![*kind; *times])
        .collect();
    let kind = all[random.below(all.len())];
    let living: Vec<usize> = (0..naive.asks.len())
        .filter(|ask| naive.asks[*ask].is_some())
        .collect();
    let of_ask = !matches!(
        kind,
        Kind::Bid | Kind::Ask | Kind::GiveBid | Kind::PriceBid | Kind::ParkBid | Kind::OpenBid
    );
    let of_bid = matches!(
        kind,
        Kind::GiveBid | Kind::PriceBid | Kind::ParkBid | Kind::OpenBid
    );
    if of_ask && living.is_empty() || of_bid && naive.bids.is_empty() {
        return None;
    }
    let ask = if living.is_empty() {
        0
    } else {
        living[random.below(living.len())]
    };
    let bid = random.below(naive.bids.len());
    let mut number = |n: usize| random.below(n) as u64;
    let (book, symbol, size, since) = (number(BOOKS) as usize, number(3), number(3), number(4));
    // Some bids are too low for all asks.
    let price = match kind {
        Kind::Bid | Kind::PriceBid => number(7),
        _ => number(9),
    };
    Some(Change {
        kind,
        ask,
        bid,
        book,
        symbol,
        price,
        size,
        since,
    })
}

#[test]
fn models_with_and_without_indexes_choose_as_a_naive_chooser_does() {
    let (mut fired, mut found) = (0, [0; QUESTIONS]);
    for seed in 0..16 {
        let mut random = Random(seed);
        let dir = scratch_dir();
        let mut plain = Store::<plain::market::Model>::memory();
        let mut indexed = match seed % 4 {
            0 => Store::<indexed::market::Model>::options()
                .paranoid()
                .memory(),
            1 => unsynced().open(dir.path()).expect("it opens"),
            _ => Store::memory(),
        };
        let mut naive = Naive::default();
        for name in 0..BOOKS as u64 {
            plain::open(&mut plain, name);
            indexed::open(&mut indexed, name);
        }
        for round in 0..120 {
            let Some(change) = random_change(&naive, &mut random) else {
                continue;
            };
            let before = indexed.fingerprint();
            let undone: Result<(), _> = indexed.what_if(|t| {
                t.apply(indexed::market::AskPlaced {
                    symbol: 1,
                    price: 0,
                    since: 0,
                    size: 1,
                })?;
                t.apply(indexed::market::BidPlaced {
                    symbol: 1,
                    price: 8,
                })
                .map(|_| ())
            });
            undone.expect("it fires");
            assert_eq!(indexed.fingerprint(), before);
            let created = indexed::change(&mut indexed, change);
            assert_eq!(plain::change(&mut plain, change), created, "{change:?}");
            let is_ok = naive.change(change, created.unwrap_or(0));
            assert_eq!(created.is_some(), is_ok, "{change:?}");
            while is_ok && naive.fire_one() {
                fired += 1;
            }
            let states = naive.states();
            assert_eq!(plain::states(&plain), states, "{change:?}");
            assert_eq!(indexed::states(&indexed), states, "{change:?}");
            if seed % 4 == 1 && round % 40 == 39 {
                indexed = reopened_with(unsynced(), dir.path(), indexed);
            }
            if naive.bids.is_empty() {
                continue;
            }
            for _ in 0..6 {
                let number = random.below(QUESTIONS);
                let mut below = |n: usize| random.below(n) as u64;
                let mut q = Question {
                    book: below(BOOKS) as usize,
                    books: Vec::new(),
                    bid: below(naive.bids.len()) as usize,
                    n: below(4),
                    s: below(3),
                    a: below(9),
                    b: below(9),
                    z: below(3),
                };
                q.books = (0..BOOKS).filter(|_| below(2) == 0).collect();
                let expected = naive.chosen(number, &q);
                found[number] += expected.as_ref().map_or(0, Vec::len);
                assert_eq!(
                    indexed::chosen(&mut indexed, number, &q),
                    expected,
                    "{number} {q:?}"
                );
                assert_eq!(
                    plain::chosen(&mut plain, number, &q),
                    expected,
                    "{number} {q:?}"
                );
            }
        }
        assert_eq!(plain.fingerprint(), indexed.fingerprint());
        assert_sound(&plain);
        assert_sound(&indexed);
    }
    assert!(fired > 50, "only {fired} immediate events fired");
    assert!(found.iter().all(|found| *found > 10), "{found:?}");
}

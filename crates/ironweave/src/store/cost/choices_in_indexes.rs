//! What choosing costs with indexes of several parts: rows that do not depend on the other entities in them, on how many are linked
//! with the one that is chosen from, or on those that are in other states.

use super::rows;
use crate::store::Store;

#[crate::model]
#[allow(dead_code, missing_docs)]
mod exchange {
    use crate::prelude::*;

    #[entity]
    pub struct Book {
        pub bids: Many<Bid>,
        pub asks: Many<Ask>,
    }

    #[entity]
    #[index(ordered, fields = [book, price], while = Open)]
    #[index(ordered, fields = [symbol, price], while = Parked)]
    pub struct Bid {
        pub symbol: u64,
        pub price: u64,
        #[inverse(Book::bids)]
        pub book: Book,
    }
    #[states(Bid)]
    pub enum BidState {
        #[initial]
        #[to(Parked, Filled)]
        Open,
        #[to(Filled)]
        Parked,
        #[terminal]
        Filled,
    }

    #[entity]
    #[index(ordered, fields = [book, price, since], while = Open)]
    #[index(ordered, fields = [symbol, price], while = Parked)]
    #[index(fields = [symbol, since])]
    #[index(ordered, fields = [price, since], while = Open)]
    pub struct Ask {
        pub symbol: u64,
        pub price: u64,
        pub since: u64,
        #[inverse(Book::asks)]
        pub book: Book,
    }
    #[states(Ask)]
    pub enum AskState {
        #[initial]
        #[to(Parked, Filled)]
        Open,
        #[to(Filled)]
        Parked,
        #[terminal]
        Filled,
    }

    /// From the asks of the book of the bid.
    #[immediate(by = bid.price desc)]
    #[choose(ask: bid.book.asks in Open where price <= bid.price by price, since)]
    #[moves(bid: Open -> Filled)]
    #[moves(ask: Open -> Filled)]
    pub struct Traded {
        pub bid: Bid,
    }
    /// From all asks that are parked.
    #[immediate]
    #[choose(ask: Ask in Parked where symbol == bid.symbol, price <= bid.price by price desc)]
    #[moves(bid: Parked -> Filled)]
    #[moves(ask: Parked -> Filled)]
    pub struct Paired {
        pub bid: Bid,
    }

    #[event]
    #[create(book: Book)]
    pub struct BookOpened {}
    #[event]
    #[create(bid: Bid { symbol, price })]
    #[link(bid.book += book)]
    pub struct BidPlaced {
        pub book: Book,
        pub symbol: u64,
        pub price: u64,
    }
    #[event]
    #[create(ask: Ask { symbol, price, since })]
    #[link(ask.book += book)]
    pub struct AskPlaced {
        pub book: Book,
        pub symbol: u64,
        pub price: u64,
        pub since: u64,
    }
    #[event]
    #[moves(bid: Open -> Parked)]
    pub struct BidParked {
        pub bid: Bid,
    }
    #[event]
    #[moves(ask: Open -> Parked)]
    pub struct AskParked {
        pub ask: Ask,
    }
    #[event]
    #[moves(ask: Open -> Filled)]
    pub struct AskFilled {
        pub ask: Ask,
    }

    #[event]
    #[choose(ask: book.asks in Open by price)]
    pub struct FirstOfBook {
        pub book: Book,
    }
    #[event]
    #[choose(ask: book.asks in Open by price desc, since)]
    pub struct LastOfBook {
        pub book: Book,
    }
    #[event]
    #[choose(asks: 3 of book.asks in Open where price >= least by price, since)]
    pub struct ThreeOfBook {
        pub book: Book,
        pub least: u64,
    }
    #[event]
    #[choose(ask: Ask in Open by price desc, since)]
    pub struct Dearest {}
    #[event]
    #[choose(ask: Ask in Open where symbol == symbol, since == since)]
    pub struct Since {
        pub symbol: u64,
        pub since: u64,
    }
}

use exchange::*;

/// A book of open bids below all asks, each with another price, and as many that are parked; and asks that are filled already, which
/// were cheaper.
fn book(bids: u64, asks: u64, filled: u64) -> (Store<exchange::Model>, Book) {
    let mut store = Store::<exchange::Model>::memory();
    let book = store.step(BookOpened {}).created.book.any();
    let symbol = 1;
    for i in 0..bids {
        let price = 1_000 + i;
        store.step(BidPlaced {
            book,
            symbol,
            price,
        });
        let placed = store.step(BidPlaced {
            book,
            symbol,
            price,
        });
        let bid = placed.created.bid.any();
        store.step(BidParked { bid });
    }
    let mut place = |price, since| {
        let placed = AskPlaced {
            book,
            symbol,
            price,
            since,
        };
        store.step(placed).created.ask.any()
    };
    let early: Vec<Ask> = (0..filled)
        .map(|i| place(50_000 + i, 1_000_000 + i))
        .collect();
    for i in 0..asks {
        place(100_000 + i, i);
    }
    early.into_iter().for_each(|ask| {
        store.step(AskFilled { ask });
    });
    (store, book)
}

/// The rows that each way to choose touches.
fn costs(bids: u64, asks: u64, filled: u64) -> Vec<(&'static str, usize)> {
    let (mut store, book) = book(bids, asks, filled);
    let (symbol, since, least) = (1, asks - 1, 100_000 + asks / 2);
    let ask = |price| AskPlaced {
        book,
        symbol,
        price,
        since,
    };
    let bid = |price| BidPlaced {
        book,
        symbol,
        price,
    };
    let mut costs = vec![
        (
            "first of a book",
            rows(|| store.step(FirstOfBook { book })).0,
        ),
        ("last of a book", rows(|| store.step(LastOfBook { book })).0),
        (
            "three of a book",
            rows(|| store.step(ThreeOfBook { book, least })).0,
        ),
        ("dearest", rows(|| store.step(Dearest {})).0),
        ("since", rows(|| store.step(Since { symbol, since })).0),
        // Neither crosses the book, so that no other is tried.
        ("resting bid", rows(|| store.step(bid(3))).0),
        ("resting ask", rows(|| store.step(ask(200_000))).0),
        ("bid", rows(|| store.step(bid(100_000))).0),
        ("ask", rows(|| store.step(ask(1_000 + bids - 1))).0),
    ];
    let resting = store.step(ask(300_000)).created.ask.any();
    costs.push((
        "parked ask",
        rows(|| store.step(AskParked { ask: resting })).0,
    ));
    costs
}

#[test]
fn a_choice_in_an_index_costs_the_same_whatever_else_there_is() {
    // At any size, the last entity shares its 64-bit word with the same number of others.
    let small = costs(64, 64, 64);
    assert_eq!(costs(64, 64, 3_200), small);
    assert_eq!(costs(64, 3_200, 64), small);
    assert_eq!(costs(3_200, 64, 64), small);
}

#[test]
fn an_ask_tries_only_the_bids_that_it_crosses() {
    let cost = |crossed: u64| {
        let (mut store, book) = book(640, 1, 0);
        let price = 1_000 + 640 - crossed;
        rows(|| {
            store.step(AskPlaced {
                book,
                symbol: 1,
                price,
                since: 1,
            })
        })
        .0
    };
    let [one, three] = [cost(1), cost(3)];
    let each = (three - one) / 2;
    assert!(
        each > 0 && cost(101) < one + 110 * each,
        "{one} and {three}"
    );
}

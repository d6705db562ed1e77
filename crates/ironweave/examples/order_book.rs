//! An order book: bids and asks are matched by price and then by time, by one immediate event. Run it with
//! `cargo run --example order_book`.
//!
//! No index, counter or queue is kept by hand. The two indexes of the orders that rest make a match, and an order that matches nothing,
//! cost O(log n), however many orders the book has.
#![allow(missing_docs)]

use std::{error::Error, io};

use book::{state::*, *};
use ironweave::prelude::*;

#[rustfmt::skip] // one line for a small event: the model reads like a table
#[ironweave::model]
pub mod book {
    use ironweave::prelude::*;

    #[entity]
    pub struct Book {
        #[key]
        pub symbol: String,
        pub bids: Many<Bid>,
        pub asks: Many<Ask>,
    }

    #[entity]
    #[index(ordered, fields = [book, price], while = Resting)]
    pub struct Bid {
        pub price: u64,
        pub open: u64,                                  // what is still to be bought
        #[inverse(Book::bids)]
        pub book: Book,
        #[inverse(Trade::bid)]
        pub trades: Many<Trade>,
    }
    #[states(Bid)]
    pub enum BidState {
        #[initial] #[to(Resting, Filled, Canceled)] Resting,
        #[terminal] Filled,
        #[terminal] Canceled,
    }

    #[entity]
    #[index(ordered, fields = [book, price, since], while = Resting)]
    pub struct Ask {
        pub price: u64,
        pub open: u64,
        pub since: Timestamp,
        #[inverse(Book::asks)]
        pub book: Book,
        #[inverse(Trade::ask)]
        pub trades: Many<Trade>,
    }
    #[states(Ask)]
    pub enum AskState {
        #[initial] #[to(Filled, Canceled)] Resting,
        #[terminal] Filled,
        #[terminal] Canceled,
    }

    #[entity]
    pub struct Trade {
        #[default]
        pub price: u64,
        #[default]
        pub quantity: u64,
        pub bid: Bid,
        pub ask: Ask,
    }

    #[event]
    #[create(book: Book { symbol })]
    pub struct BookOpened { pub symbol: String }

    #[event]
    #[create(bid: Bid { price, open })]
    #[link(bid.book += book)]
    pub struct BidPlaced { pub book: Key<Book>, pub price: u64, pub open: u64 }

    #[event]
    #[create(ask: Ask { price, open, since = meta.time })]
    #[link(ask.book += book)]
    pub struct AskPlaced { pub book: Key<Book>, pub price: u64, pub open: u64 }

    #[event]
    #[moves(bid: Resting -> Canceled)]
    pub struct BidCanceled { pub bid: Bid<Resting> }

    /// The highest bid takes the lowest ask that it can pay; of equal ones the oldest. Both are taken for what they have in common.
    #[immediate(by = bid.price desc)]
    #[choose(ask: bid.book.asks in Resting where price <= bid.price by price, since)]
    #[create(trade: Trade)]
    #[set(trade.price = ask.price)]
    #[link(trade.bid += bid)]
    #[link(trade.ask += ask)]
    #[moves(bid: Resting -> Resting)]
    #[may(set Trade.quantity, set Bid.open, set Ask.open, Bid: Resting -> Filled, Ask: Resting -> Filled)]
    pub struct Matched { pub bid: Bid }
}

impl Apply for Matched {
    fn apply(&self, bound: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        let (bid, ask) = (bound.bid, bound.ask);
        let quantity = bid.open(tx).min(ask.open(tx));
        bound.trade.set_quantity(tx, quantity)?;
        bid.set_open(tx, bid.open(tx) - quantity)?;
        ask.set_open(tx, ask.open(tx) - quantity)?;
        if ask.open(tx) == 0 {
            ask.to_filled(tx)?;
        }
        if bid.open(tx) == 0 {
            bid.to_filled(tx)?;
        }
        Ok(())
    }
}

pub fn run(out: &mut dyn io::Write) -> Result<(), Box<dyn Error>> {
    let mut store = Store::<book::Model>::memory();
    let book = store
        .try_step(BookOpened {
            symbol: "IRON".into(),
        })?
        .created
        .book;
    let show = |store: &Store<book::Model>, out: &mut dyn io::Write| -> io::Result<()> {
        let bids = book.bids(store).filter(|bid| bid.is::<Resting>(store));
        let bids: Vec<String> = bids
            .map(|bid| format!("{} at {}", bid.open(store), bid.price(store)))
            .collect();
        let asks = book.asks(store).filter(|ask| ask.is::<Resting>(store));
        let asks: Vec<String> = asks
            .map(|ask| format!("{} at {}", ask.open(store), ask.price(store)))
            .collect();
        writeln!(
            out,
            "  bids: {}; asks: {}",
            bids.join(", "),
            asks.join(", ")
        )
    };
    for (price, open) in [(101, 5), (100, 3), (102, 9), (100, 4)] {
        store.try_step(AskPlaced {
            book: "IRON".into(),
            price,
            open,
        })?;
    }
    writeln!(out, "four asks rest")?;
    show(&store, out)?;
    writeln!(
        out,
        "a bid for 10 at 101 takes the cheapest first, and of those the oldest"
    )?;
    store.try_step(BidPlaced {
        book: "IRON".into(),
        price: 101,
        open: 10,
    })?;
    for trade in store.place::<Trade, Any>() {
        writeln!(
            out,
            "  {} at {}",
            trade.quantity(&store),
            trade.price(&store)
        )?;
    }
    show(&store, out)?;
    writeln!(out, "two bids rest, and an ask meets the higher one first")?;
    for (price, open) in [(98, 5), (99, 2)] {
        store.try_step(BidPlaced {
            book: "IRON".into(),
            price,
            open,
        })?;
    }
    store.try_step(AskPlaced {
        book: "IRON".into(),
        price: 90,
        open: 3,
    })?;
    for trade in store.place::<Trade, Any>().skip(3) {
        writeln!(
            out,
            "  {} at {}",
            trade.quantity(&store),
            trade.price(&store)
        )?;
    }
    show(&store, out)?;
    Ok(())
}

#[allow(dead_code)] // the test that compares the output has its own `main`
fn main() -> Result<(), Box<dyn Error>> {
    run(&mut io::stdout())
}

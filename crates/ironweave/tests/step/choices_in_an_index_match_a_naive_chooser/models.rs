//! A market with and without indexes of several parts.
// `macro_rules` gives the verbs of the lifecycle, such as `to_parked`, the place of this file, so that clippy looks at them.
#![allow(clippy::wrong_self_convention)]

use ironweave::prelude::*;

#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Bid,
    Ask,
    GiveBid,
    GiveAsk,
    TakeAsk,
    PriceBid,
    PriceAsk,
    ParkBid,
    OpenBid,
    HoldAsk,
    RestAsk,
    DropAsk,
}

/// A change: entities by slot, and values.
#[derive(Clone, Copy, Debug)]
pub struct Change {
    pub kind: Kind,
    pub ask: usize,
    pub bid: usize,
    pub book: usize,
    pub symbol: u64,
    pub price: u64,
    pub size: u64,
    pub since: u64,
}

/// What an event that chooses is given.
#[derive(Debug)]
pub struct Question {
    pub book: usize,
    pub books: Vec<usize>,
    pub bid: usize,
    pub n: u64,
    pub s: u64,
    pub a: u64,
    pub b: u64,
    pub z: u64,
}

/// A market, and a store of it that is driven by slots and numbers.
macro_rules! market {
    ($name:ident, { $($bid:tt)* }, { $($ask:tt)* }) => {
        pub mod $name {
            use super::*;
            use market::*;

            #[ironweave::model]
            pub mod market {
                use ironweave::prelude::*;

                #[entity]
                pub struct Book {
                    #[key]
                    pub name: u64,
                    pub bids: Many<Bid>,
                    pub asks: Many<Ask>,
                }

                #[entity]
                $($bid)*
                pub struct Bid {
                    pub symbol: u64,
                    pub price: u64,
                    #[inverse(Book::bids)]
                    #[edge(on_delete = unlink)]
                    pub book: Option<Book>,
                }
                #[states(Bid)]
                pub enum BidState {
                    #[initial] #[to(Parked, Bought)] Open,
                    #[to(Open, Bought)] Parked,
                    #[to(Open, Parked)] Bought,
                }

                #[entity]
                $($ask)*
                pub struct Ask {
                    pub symbol: u64,
                    pub price: u64,
                    pub since: u64,
                    pub size: u64,
                    #[inverse(Book::asks)]
                    #[edge(on_delete = unlink)]
                    pub book: Option<Book>,
                }
                #[states(Ask)]
                pub enum AskState {
                    #[initial] #[to(Held, Sold)] Resting,
                    #[to(Resting, Sold)] Held { until: u64 },
                    #[to(Resting)] Sold,
                }

                #[immediate(by = bid.price desc)]
                #[choose(ask: bid.book.asks in Resting where price <= bid.price by price, since)]
                #[moves(bid: Open -> Bought)]
                #[moves(ask: Resting -> Sold)]
                pub struct Traded { pub bid: Bid }
                #[immediate]
                #[choose(ask: Ask in Held where symbol == bid.symbol, price <= bid.price by price desc)]
                #[moves(bid: Parked -> Bought)]
                #[moves(ask: Held -> Sold)]
                pub struct Paired { pub bid: Bid }

                #[event]
                #[create(book: Book { name })]
                pub struct BookOpened { pub name: u64 }
                #[event]
                #[create(bid: Bid { symbol, price })]
                pub struct BidPlaced { pub symbol: u64, pub price: u64 }
                #[event]
                #[create(ask: Ask { symbol, price, since, size })]
                pub struct AskPlaced { pub symbol: u64, pub price: u64, pub since: u64, pub size: u64 }
                #[event]
                #[relink(bid.book += book)]
                pub struct BidGiven { pub bid: Bid, pub book: Book }
                #[event]
                #[relink(ask.book += book)]
                pub struct AskGiven { pub ask: Ask, pub book: Book }
                #[event]
                #[unlink(ask.book -= ask.book)]
                pub struct AskTaken { pub ask: Ask }
                #[event]
                #[set(bid.price = price)]
                #[set(bid.symbol = symbol)]
                pub struct BidPriced { pub bid: Bid, pub symbol: u64, pub price: u64 }
                #[event]
                #[set(ask.price = price)]
                #[set(ask.symbol = symbol)]
                #[set(ask.size = size)]
                pub struct AskPriced { pub ask: Ask, pub symbol: u64, pub price: u64, pub size: u64 }
                #[event]
                #[moves(bid: Open | Bought -> Parked)]
                pub struct BidParked { pub bid: Bid }
                #[event]
                #[moves(bid: Parked | Bought -> Open)]
                pub struct BidOpened { pub bid: Bid }
                #[event]
                #[moves(ask: Resting -> Held { until })]
                pub struct AskHeld { pub ask: Ask, pub until: u64 }
                #[event]
                #[moves(ask: Held | Sold -> Resting)]
                pub struct AskRested { pub ask: Ask }
                #[event]
                #[delete(ask)]
                pub struct AskDropped { pub ask: Ask }

                #[event]
                #[choose(asks: up to 1 of book.asks in Resting by price, since)]
                pub struct Found0 { pub book: Book }
                #[event]
                #[choose(asks: up to n of book.asks in Resting by price desc, since)]
                pub struct Found1 { pub book: Book, pub n: u64 }
                #[event]
                #[choose(asks: up to n of book.asks in Resting where price >= a by price desc, since desc)]
                pub struct Found2 { pub book: Book, pub n: u64, pub a: u64 }
                #[event]
                #[choose(asks: up to n of Ask in Resting | Held where symbol == s, price < a by price, size)]
                pub struct Found3 { pub n: u64, pub s: u64, pub a: u64 }
                #[event]
                #[choose(asks: up to n of Ask in Held where until <= a by until, price desc)]
                pub struct Found4 { pub n: u64, pub a: u64 }
                #[event]
                #[choose(asks: up to n of Ask in Resting where symbol == s, size == z)]
                pub struct Found5 { pub n: u64, pub s: u64, pub z: u64 }
                #[event]
                #[choose(asks: up to n of Ask in Resting | Held where Held.until >= a)]
                pub struct Found6 { pub n: u64, pub a: u64 }
                #[event]
                #[choose(asks: up to n of books.asks in Resting where price != a by price, since)]
                pub struct Found7 { pub books: Vec<Book>, pub n: u64, pub a: u64 }
                #[event]
                #[choose(asks: up to n of book.asks in Resting | Held where symbol == s by size desc)]
                pub struct Found8 { pub book: Book, pub n: u64, pub s: u64 }
                #[event]
                #[choose(asks: up to n of Ask in Resting by price desc, size)]
                pub struct Found9 { pub n: u64 }
                #[event]
                #[choose(asks: up to n of Ask in Resting where symbol == s, price == a by symbol desc, since desc)]
                pub struct Found10 { pub n: u64, pub s: u64, pub a: u64 }
                #[event]
                #[choose(asks: up to n of bid.book.asks in Resting where price > a, price <= b, price >= 2 by price desc)]
                pub struct Found11 { pub bid: Bid, pub n: u64, pub a: u64, pub b: u64 }
                #[event]
                #[choose(bid: Bid in Open where price < b by price desc, symbol)]
                #[choose(asks: n of Ask in Resting | Held | Sold where symbol == bid.symbol, price >= bid.price)]
                pub struct Found12 { pub n: u64, pub b: u64 }
                #[event]
                #[choose(asks: up to n of book.asks in Held by until)]
                pub struct Found13 { pub book: Book, pub n: u64 }
                #[event]
                #[choose(asks: up to n of Ask in Resting | Held where symbol == s by Held.until, price)]
                pub struct Found14 { pub n: u64, pub s: u64 }
                #[event]
                #[choose(asks: up to n of Ask in Resting | Held | Sold by Held.until desc)]
                pub struct Found15 { pub n: u64 }
                #[event]
                #[choose(asks: up to n of Ask in Resting | Sold by size)]
                pub struct Found16 { pub n: u64 }
            }

            fn of<T: Entity<Model = Model> + Copy>(store: &Store<Model>, slot: usize) -> T {
                let mut all = store.place::<T, Any>();
                all.find(|handle| handle.id().slot() as usize == slot).expect("it exists")
            }

            /// Fires an event. Returns the slot of the ask that it creates, or 0; `None` if it is rejected.
            pub fn change(store: &mut Store<Model>, change: Change) -> Option<usize> {
                let Change { kind, ask, bid, book, symbol, price, size, since } = change;
                let fired = match kind {
                    Kind::Bid => store.try_step(BidPlaced { symbol, price }).is_ok(),
                    Kind::Ask => {
                        let placed = AskPlaced { symbol, price, since, size };
                        let placed = store.try_step(placed).ok()?;
                        return Some(placed.created.ask.id().slot() as usize);
                    }
                    Kind::GiveBid => {
                        let (bid, book) = (of(store, bid), of(store, book));
                        store.try_step(BidGiven { bid, book }).is_ok()
                    }
                    Kind::GiveAsk => {
                        let (ask, book) = (of(store, ask), of(store, book));
                        store.try_step(AskGiven { ask, book }).is_ok()
                    }
                    Kind::TakeAsk => store.try_step(AskTaken { ask: of(store, ask) }).is_ok(),
                    Kind::PriceBid => {
                        let bid = of(store, bid);
                        store.try_step(BidPriced { bid, symbol, price }).is_ok()
                    }
                    Kind::PriceAsk => {
                        let ask = of(store, ask);
                        store.try_step(AskPriced { ask, symbol, price, size }).is_ok()
                    }
                    Kind::ParkBid => store.try_step(BidParked { bid: of(store, bid) }).is_ok(),
                    Kind::OpenBid => store.try_step(BidOpened { bid: of(store, bid) }).is_ok(),
                    Kind::HoldAsk => {
                        let ask = of(store, ask);
                        store.try_step(AskHeld { ask, until: since }).is_ok()
                    }
                    Kind::RestAsk => store.try_step(AskRested { ask: of(store, ask) }).is_ok(),
                    Kind::DropAsk => store.try_step(AskDropped { ask: of(store, ask) }).is_ok(),
                };
                fired.then_some(0)
            }

            /// The slots that an event chooses in a snapshot and in the store.
            pub fn chosen(store: &mut Store<Model>, number: usize, q: &Question) -> Option<Vec<usize>> {
                let &Question { book, bid, n, s, a, b, z, .. } = q;
                macro_rules! fire {
                    ($event:expr) => {{
                        macro_rules! slots {
                            ($asks:expr) => {
                                $asks.iter().map(|ask| ask.id().slot() as usize).collect::<Vec<_>>()
                            };
                        }
                        let tried = store.snapshot().with($event).ok();
                        let tried = tried.map(|tried| slots!(tried.applied.bound.asks));
                        let fired = store.try_step($event).ok();
                        let fired = fired.map(|receipt| slots!(receipt.bound.asks));
                        assert_eq!(tried, fired);
                        fired
                    }};
                }
                match number {
                    0 => fire!(Found0 { book: of(store, book) }),
                    1 => fire!(Found1 { book: of(store, book), n }),
                    2 => fire!(Found2 { book: of(store, book), n, a }),
                    3 => fire!(Found3 { n, s, a }),
                    4 => fire!(Found4 { n, a }),
                    5 => fire!(Found5 { n, s, z }),
                    6 => fire!(Found6 { n, a }),
                    7 => {
                        let books: Vec<Book> = q.books.iter().map(|book| of(store, *book)).collect();
                        fire!(Found7 { books: books.clone(), n, a })
                    }
                    8 => fire!(Found8 { book: of(store, book), n, s }),
                    9 => fire!(Found9 { n }),
                    10 => fire!(Found10 { n, s, a }),
                    11 => fire!(Found11 { bid: of(store, bid), n, a, b }),
                    12 => fire!(Found12 { n, b }),
                    13 => fire!(Found13 { book: of(store, book), n }),
                    14 => fire!(Found14 { n, s }),
                    15 => fire!(Found15 { n }),
                    _ => fire!(Found16 { n }),
                }
            }

            pub fn open(store: &mut Store<Model>, name: u64) {
                store.step(BookOpened { name });
            }

            /// The states of the entities, by slot.
            pub fn states(store: &Store<Model>) -> [Vec<(usize, String)>; 2] {
                macro_rules! all {
                    ($entity:ty) => {
                        store.place::<$entity, Any>().map(|handle| {
                            let state = format!("{:?}", handle.state(store));
                            let name = state.split('(').next().unwrap_or_default();
                            (handle.id().slot() as usize, name.to_owned())
                        })
                    };
                }
                [all!(Bid).collect(), all!(Ask).collect()]
            }
        }
    };
}

market!(plain, {}, {});
market!(
    indexed,
    {
        #[index(ordered, fields = [book, price], while = Open)]
        #[index(ordered, fields = [symbol, price])]
        #[index(ordered, fields = [price, symbol], while = Open)]
    },
    {
        #[index(ordered, fields = [book, price, since], while = Resting)]
        #[index(ordered, fields = [symbol, price], while = Resting | Held)]
        #[index(ordered, fields = [symbol, price, since], while = Resting, name = priced)]
        #[index(fields = [symbol, size], while = Resting)]
        #[index(fields = [book, symbol])]
        #[index(ordered, fields = [Held.until, price])]
        #[index(ordered, fields = [price, size], while = Resting)]
        #[index(ordered, fields = [size, book])]
    }
);

//! Immediate events choose entities, wait until there is something to choose, and fire in an order that they declare.

use ironweave::prelude::*;

use super::{assert_sound, reopened, temp_dir};

#[ironweave::model]
pub mod exchange {
    use ironweave::prelude::*;

    #[entity]
    pub struct Bid {
        #[index]
        pub symbol: String,
        #[index(ordered)]
        pub price: u64,
        pub ask: Option<Ask>,
    }
    #[states(Bid)]
    pub enum BidState {
        #[initial]
        #[to(Filled, Canceled)]
        Open,
        #[terminal]
        Filled,
        #[terminal]
        Canceled,
    }

    #[entity]
    pub struct Ask {
        #[index]
        pub symbol: String,
        #[index(ordered)]
        pub price: u64,
        #[inverse(Bid::ask)]
        pub bid: Option<Bid>,
    }
    #[states(Ask)]
    pub enum AskState {
        #[initial]
        #[to(Filled, Canceled)]
        Open,
        #[terminal]
        Filled,
        #[terminal]
        Canceled,
    }

    /// The best bid gets the best ask; of equal prices the first that came.
    #[immediate(by = bid.price desc)]
    #[choose(ask: Ask in Open where symbol == bid.symbol, price <= bid.price by price)]
    #[moves(bid: Open -> Filled)]
    #[moves(ask: Open -> Filled)]
    #[link(bid.ask += ask)]
    pub struct Traded {
        pub bid: Bid,
    }

    #[event]
    #[create(bid: Bid { symbol, price })]
    pub struct BidPlaced {
        pub symbol: String,
        pub price: u64,
    }
    #[event]
    #[create(ask: Ask { symbol, price })]
    pub struct AskPlaced {
        pub symbol: String,
        pub price: u64,
    }
    #[event]
    #[moves(ask: Open -> Canceled)]
    pub struct AskCanceled {
        pub ask: Ask,
    }
    #[event]
    #[set(bid.price = price)]
    pub struct BidRaised {
        pub bid: Bid,
        pub price: u64,
    }
    #[event]
    #[set(ask.price = price)]
    pub struct AskLowered {
        pub ask: Ask,
        pub price: u64,
    }
}

use exchange::*;

type Exchange = Store<exchange::Model>;

fn bid(store: &mut Exchange, price: u64) -> Bid {
    let symbol = "ore".into();
    store.step(BidPlaced { symbol, price }).created.bid
}

fn ask(store: &mut Exchange, symbol: &str, price: u64) -> Ask {
    let symbol = symbol.into();
    store.step(AskPlaced { symbol, price }).created.ask
}

#[test]
fn bids_and_asks_are_matched_by_price_and_then_by_time() {
    let dir = temp_dir();
    let mut store = Exchange::open(dir.path()).expect("a store");
    let dear = ask(&mut store, "ore", 12);
    let [first, second] = [10, 10].map(|price| ask(&mut store, "ore", price));
    ask(&mut store, "tin", 1);
    // A bid takes the cheapest ask, and of equal ones the first.
    let low = bid(&mut store, 9);
    assert_eq!(low.ask(&store), None);
    for expected in [first, second] {
        let bid = bid(&mut store, 11);
        assert_eq!(bid.ask(&store), Some(expected));
    }
    let [late, best, also_best] = [10, 11, 11].map(|price| bid(&mut store, price));
    assert_eq!(best.ask(&store), None);
    // An ask goes to the best bid, and of equal ones to the first.
    for expected in [best, also_best, late, low] {
        let ask = ask(&mut store, "ore", 9);
        assert_eq!(ask.bid(&store), Some(expected));
    }
    let record = store
        .frames(0)
        .expect("a log")
        .last()
        .expect("a frame")
        .expect("readable");
    let traded = record.firings().nth(1).expect("the trade").to_string();
    assert!(
        traded.starts_with("Traded { bid: Bid/0.1 } choosing ask: Ask/7.1 => "),
        "{traded}"
    );
    assert_eq!(dear.bid(&store), None);
    assert_sound(&store);
    let store = reopened(dir.path(), store);
    assert_eq!(store.count::<Bid, state::Filled>(), 6);
}

#[test]
fn a_change_of_what_is_compared_wakes_those_that_wait() {
    let mut store = Store::<exchange::Model>::options().paranoid().memory();
    let resting = bid(&mut store, 5);
    let [cheap, dear] = [7, 9].map(|price| ask(&mut store, "ore", price));
    assert_eq!(resting.ask(&store), None);
    let raised = BidRaised {
        bid: resting,
        price: 7,
    };
    // Undone, also what was pending.
    store
        .what_if(|t| t.apply(raised).map(|_| ()))
        .expect("it fires");
    assert_eq!(resting.ask(&store), None);
    store.step(AskLowered {
        ask: dear,
        price: 6,
    });
    assert_eq!(resting.ask(&store), None);
    let raised = BidRaised {
        bid: resting,
        price: 7,
    };
    store.step(raised);
    assert_eq!((resting.ask(&store), cheap.bid(&store)), (Some(dear), None));
    let next = bid(&mut store, 3);
    store.step(AskLowered {
        ask: cheap,
        price: 3,
    });
    assert_eq!(next.ask(&store), Some(cheap));
    assert_sound(&store);
}

#[test]
fn candidates_of_a_rejected_step_are_not_chosen_later() {
    let mut store = Store::<exchange::Model>::memory();
    let resting = bid(&mut store, 5);
    let mut transaction = store.begin();
    let before = transaction.savepoint();
    let symbol = "ore".to_owned();
    transaction
        .apply(AskPlaced { symbol, price: 5 })
        .expect("it fires");
    assert!(resting.is::<state::Filled>(&transaction));
    transaction.rollback_to(before).expect("a savepoint");
    assert!(resting.is::<state::Open>(&transaction));
    let symbol = "tin".to_owned();
    transaction
        .apply(AskPlaced { symbol, price: 5 })
        .expect("it fires");
    transaction.commit().expect("it commits");
    assert!(resting.is::<state::Open>(&store));
    let ask = ask(&mut store, "ore", 4);
    assert_eq!(resting.ask(&store), Some(ask));
    assert_sound(&store);
}

#[ironweave::model]
pub mod alarm {
    use ironweave::prelude::*;

    #[entity]
    pub struct Gauge {
        #[default]
        pub count: u8,
    }
    #[states(Gauge)]
    pub enum GaugeState {
        #[initial]
        #[to(High)]
        Low,
        #[terminal]
        High,
    }

    #[entity]
    pub struct Siren {}
    #[states(Siren)]
    pub enum SirenState {
        #[initial]
        #[to(Loud)]
        Silent,
        #[terminal]
        Loud,
    }

    #[immediate]
    #[choose(siren: Siren in Silent)]
    #[when(gauge.count + gauge.count > 100)]
    #[moves(gauge: Low -> High)]
    #[moves(siren: Silent -> Loud)]
    pub struct Alarmed {
        pub gauge: Gauge,
    }

    #[event]
    #[create(gauge: Gauge {})]
    pub struct Installed {}
    #[event]
    #[create(siren: Siren {})]
    pub struct Bought {}
    #[event]
    #[set(gauge.count = count)]
    pub struct Measured {
        pub gauge: Gauge,
        pub count: u8,
    }
}

/// A choice that finds nothing is a condition that does not hold, so that nothing depends on a sum that overflows.
#[test]
fn a_condition_that_overflows_rejects_the_step_only_if_there_is_something_to_choose() {
    use alarm::{Bought, Installed, Measured, Model, state::High};
    let mut store = Store::<Model>::paranoid();
    let gauge = store.step(Installed {}).created.gauge;
    store.step(Measured { gauge, count: 200 });
    let error = store.try_step(Bought {}).expect_err("200 + 200 overflows");
    let text = error.to_string();
    assert!(text.contains("gauge.count + gauge.count > 100"), "{text}");
    store.step(Measured { gauge, count: 100 });
    assert!(!gauge.is::<High>(&store));
    store.step(Bought {});
    assert!(gauge.is::<High>(&store));
    assert_sound(&store);
}

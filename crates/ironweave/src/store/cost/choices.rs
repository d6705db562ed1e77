//! What choosing costs: rows that do not depend on entities that the plan of a choice does not visit.

use super::rows;
use crate::store::Store;

#[crate::model]
#[allow(dead_code, missing_docs)]
mod exchange {
    use crate::prelude::*;

    #[entity]
    pub struct Bid {
        #[index(ordered)]
        pub price: u64,
        pub least: u64,
    }
    #[states(Bid)]
    pub enum BidState {
        #[initial]
        #[to(Filled)]
        Open,
        #[terminal]
        Filled,
    }

    #[entity]
    pub struct Ask {
        #[index(ordered)]
        pub price: u64,
        pub size: u64,
    }
    #[states(Ask)]
    pub enum AskState {
        #[initial]
        #[to(Open, Filled)]
        Open,
        #[terminal]
        Filled,
    }

    #[immediate(by = bid.price desc)]
    #[choose(ask: Ask in Open where price <= bid.price by price)]
    #[moves(bid: Open -> Filled)]
    #[moves(ask: Open -> Filled)]
    pub struct Traded {
        pub bid: Bid,
    }

    #[event]
    #[create(bid: Bid { price, least = 0 })]
    pub struct BidPlaced {
        pub price: u64,
    }
    #[event]
    #[create(ask: Ask { price, size = 1 })]
    pub struct AskPlaced {
        pub price: u64,
    }

    #[event]
    #[choose(ask: Ask in Open)]
    pub struct AnyFound {}
    #[event]
    #[choose(ask: Ask in Open by price)]
    pub struct CheapestFound {}
    #[event]
    #[choose(ask: Ask in Open by price desc)]
    pub struct DearestFound {}
    #[event]
    #[choose(ask: Ask in Open where price >= least)]
    pub struct DearFound {
        pub least: u64,
    }
    #[event]
    #[choose(ask: Ask in Open where price == price)]
    pub struct PricedFound {
        pub price: u64,
    }
    #[event]
    #[choose(ask: Ask in Open by size)]
    pub struct SmallestFound {}
}

use exchange::*;

/// A book of bids below all asks, each with another price.
fn book(bids: u64, asks: u64) -> Store<exchange::Model> {
    let mut store = Store::<exchange::Model>::memory();
    for i in 0..bids {
        store.step(BidPlaced { price: 1_000 + i });
    }
    for i in 0..asks {
        store.step(AskPlaced { price: 100_000 + i });
    }
    // The first one is not the one with the smallest slot.
    store.step(AskPlaced { price: 99_999 });
    store
}

/// The rows that each way to choose touches.
fn costs(bids: u64, asks: u64) -> Vec<(&'static str, usize)> {
    let mut store = book(bids, asks);
    let last = 100_000 + asks - 1;
    vec![
        ("any", rows(|| store.step(AnyFound {})).0),
        ("cheapest", rows(|| store.step(CheapestFound {})).0),
        ("dearest", rows(|| store.step(DearestFound {})).0),
        ("range", rows(|| store.step(DearFound { least: last })).0),
        ("equal", rows(|| store.step(PricedFound { price: last })).0),
        // Neither crosses the book, so that no other is tried.
        ("resting bid", rows(|| store.step(BidPlaced { price: 3 })).0),
        (
            "resting ask",
            rows(|| store.step(AskPlaced { price: 200_000 })).0,
        ),
        // It crosses the book, and is filled with the best of the other side.
        ("bid", rows(|| store.step(BidPlaced { price: 99_999 })).0),
        (
            "ask",
            rows(|| {
                store.step(AskPlaced {
                    price: 1_000 + bids - 1,
                })
            })
            .0,
        ),
    ]
}

#[test]
fn a_choice_costs_the_same_however_many_candidates_there_are() {
    // At any size, the last entity shares its 64-bit word with the same number of others.
    let small = costs(64, 64);
    assert_eq!(costs(64, 6_400), small);
    assert_eq!(costs(6_400, 64), small);
}

#[test]
fn a_choice_by_a_field_without_an_index_visits_each_candidate() {
    let [small, large] = [64, 640].map(|asks| {
        let mut store = book(0, asks);
        rows(|| store.step(SmallestFound {})).0
    });
    assert!(large > small + 576, "{small} and {large}");
    assert!(large < small + 576 * 4, "{small} and {large}");
}

#[test]
fn an_ask_that_crosses_several_bids_tries_each_of_them() {
    let cost = |crossed: u64| {
        let mut store = book(640, 1);
        rows(|| {
            store.step(AskPlaced {
                price: 1_000 + 640 - crossed,
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

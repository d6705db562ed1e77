//! Immediate events with handlers take part in histories: what a handler changes or rejects, and when it panics.

use std::cell::Cell;

use ironweave::check::{Coverage, histories};
use ironweave::prelude::*;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

use bells::bells::{state::*, *};

use crate::{cases, events, tree};

mod bells {
    #[ironweave::model]
    pub mod bells {
        use ironweave::prelude::*;

        #[entity]
        pub struct Bell {
            pub weight: u8,
            #[default]
            pub rung: u8,
        }
        #[states(Bell)]
        pub enum BellState {
            #[initial]
            #[to(Ringing)]
            Still,
            #[to(Still)]
            Ringing,
        }

        /// It counts, and rejects the fourth time. A bell that is too heavy breaks.
        #[immediate]
        #[moves(bell: Ringing -> Still)]
        #[may(set Bell.rung)]
        pub struct Faded {
            pub bell: Bell,
        }
        #[event]
        #[create(bell: Bell { weight })]
        pub struct Hung {
            pub weight: u8,
        }
        #[event]
        #[moves(each bells: Still -> Ringing)]
        pub struct Rang {
            pub bells: Vec<Bell<Still>>,
        }
    }
}

const HEAVY: u8 = 200;

impl Apply for Faded {
    fn apply(&self, bound: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        let bell = bound.bell;
        assert!(bell.weight(tx) < HEAVY, "the bell breaks");
        match bell.rung(tx) {
            3 => Err(Reject::new("it may ring three times")),
            rung => bell.set_rung(tx, rung + 1),
        }
    }
}

#[test]
fn what_they_change_and_reject_is_replayed() {
    let (rung, coverage) = (Cell::new(0), Coverage::new());
    let strategy = histories::<bells::bells::Model>(1..40)
        .entities::<Bell>(4)
        .values::<Hung, _>("weight", [1u8])
        .rejected(0.2)
        .coverage(&coverage);
    proptest!(cases(60), |(history in strategy)| {
        // How often each bell has rung, by hand.
        let mut by_hand = std::collections::BTreeMap::new();
        for mut store in [Store::memory(), Store::paranoid()] {
            by_hand.clear();
            history.replay(&mut store, |store, step| {
                if let (AnyEvent::Rang(event), false) = (step.event(), step.is_rejected()) {
                    for bell in &event.bells {
                        *by_hand.entry(bell.any().id()).or_insert(0u8) += 1;
                    }
                }
                prop_assert_eq!(store.count::<Bell, Ringing>(), 0);
                for bell in store.place::<Bell, Any>() {
                    let expected = by_hand.get(&bell.id()).copied().unwrap_or(0);
                    prop_assert_eq!(bell.rung(store), expected, "after {}", step);
                    prop_assert!(expected <= 3);
                }
                Ok(())
            })?;
        }
        rung.set(rung.get() + by_hand.values().map(|n| u32::from(*n)).sum::<u32>());
    });
    assert!(rung.get() > 200, "{coverage}");
    coverage.assert_all();
    let text = coverage.to_string();
    assert!(text.contains("Faded (immediate): fired"), "{text}");
}

#[test]
fn a_panic_of_one_is_the_end_of_a_history() {
    let strategy = histories::<bells::bells::Model>(5..30)
        .entities::<Bell>(3)
        .values::<Hung, _>("weight", [1, HEAVY]);
    let mut panics = 0;
    for seed in 0..20 {
        let history = tree(&strategy, seed).current();
        let all = events(&history);
        panics += all
            .iter()
            .filter(|event| event.ends_with("(panics)"))
            .count();
        let before = all.iter().rev().skip(1);
        assert!(
            before.clone().all(|event| !event.ends_with("(panics)")),
            "{all:?}"
        );
    }
    assert!(panics > 10, "{panics}");
}

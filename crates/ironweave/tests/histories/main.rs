//! Strategies of `proptest` for histories of events. One file is one behaviour.
#![cfg(feature = "proptest")]
#![allow(missing_docs)]

#[path = "../check/build.rs"]
mod build;
mod by_hand;
mod library;
#[path = "../check/machine.rs"]
mod machine;
#[path = "../check/ward.rs"]
mod ward;

mod coverage_counts_what_is_drawn;
mod due_events_fire_in_their_turn;
mod events_are_drawn_by_their_weights;
mod every_history_is_valid;
mod failures_are_shrunk;
mod immediate_events_have_handlers;
mod misuse_is_reported;

use ironweave::Model;
use ironweave::check::{Histories, History, HistoryTree, histories};
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::{Config, RngAlgorithm, RngSeed, TestRng, TestRunner};

use ward::ward::{Bed, Doctor, Patient};

/// A configuration that writes no file when a test fails, and draws the same histories in each run.
pub fn cases(cases: u32) -> Config {
    Config {
        cases,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(15),
        ..Config::default()
    }
}

/// A runner whose random numbers follow from a seed.
pub fn runner(seed: u8) -> TestRunner {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
    TestRunner::new_with_rng(cases(1), rng)
}

/// A history that a strategy draws, with what can be shrunk.
pub fn tree<M: Model>(strategy: &Histories<M>, seed: u8) -> HistoryTree<M> {
    (strategy.new_tree(&mut runner(seed))).unwrap_or_else(|reason| panic!("{reason}"))
}

/// The message of a strategy that cannot draw a history.
pub fn refused<M: Model>(strategy: &Histories<M>) -> String {
    match strategy.new_tree(&mut runner(0)) {
        Ok(tree) => panic!("it draws {:?}", tree.current()),
        Err(reason) => reason.to_string(),
    }
}

/// The events of a history as text.
pub fn events<M: Model>(history: &History<M>) -> Vec<String> {
    history.steps().iter().map(ToString::to_string).collect()
}

/// Histories of the ward.
pub fn of_the_ward(
    len: impl Into<proptest::collection::SizeRange>,
) -> Histories<ward::ward::Model> {
    histories(len)
        .entities::<Bed>(6)
        .entities::<Patient>(12)
        .entities::<Doctor>(3)
}

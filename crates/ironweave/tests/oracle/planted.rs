//! Planted bugs: the oracle is made wrong in one way, and the random models must show it.
//!
//! The driver compares two executions and does not know which of them is right, so a bug that is found in the oracle would be
//! found in the store too.

use std::cell::Cell;

use crate::driver::{quiet_panics, run};
use crate::history::Case;

/// A bug that can be planted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bug {
    /// A choice takes the candidate with the smallest slot, whatever its `by` says.
    ChoiceIgnoresBy,
    /// Of candidates with equal values, a choice takes the one that its path reaches first.
    ChoiceTiesByList,
    /// Of several events that are enabled, the one that was declared last fires first.
    LastDeclaredFires,
    /// An immediate event fires on the entity with the smallest slot, whatever its `by` says.
    FiringIgnoresBy,
    /// What a transaction that was dropped has made due stays in the list of what is due.
    DueIndexNotUndone,
    /// The number of entities that an immediate event watches does not change when a link is removed.
    CounterMissedOnUnlink,
}

thread_local! {
    static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
}

impl Bug {
    pub fn is_planted(self) -> bool {
        PLANTED.with(|planted| planted.get() == Some(self))
    }
}

/// After how many models a bug must be found.
const MODELS_MAX: u64 = 300;

/// Plants a bug and returns the first model that shows it, and what it shows.
fn found(bug: Bug) -> Option<(u64, String)> {
    quiet_panics();
    PLANTED.with(|planted| planted.set(Some(bug)));
    let found = (0..MODELS_MAX).find_map(|seed| {
        let failure = run(&Case::draw(seed)).err()?;
        Some((seed, format!("{}: {}", failure.kind, failure.text)))
    });
    PLANTED.with(|planted| planted.set(None));
    found
}

#[test]
fn a_choice_that_ignores_its_order_is_found() {
    let found = found(Bug::ChoiceIgnoresBy);
    assert!(found.is_some());
}

#[test]
fn a_choice_that_depends_on_the_order_of_a_list_is_found() {
    let found = found(Bug::ChoiceTiesByList);
    assert!(found.is_some());
}

#[test]
fn a_wrong_order_of_immediate_events_is_found() {
    let found = found(Bug::LastDeclaredFires);
    assert!(found.is_some());
}

#[test]
fn an_immediate_event_that_ignores_its_order_is_found() {
    let found = found(Bug::FiringIgnoresBy);
    assert!(found.is_some());
}

#[test]
fn a_due_index_that_is_not_undone_is_found() {
    let found = found(Bug::DueIndexNotUndone);
    let shows = |(_, text): (u64, String)| text.starts_with("due: ");
    assert!(found.clone().is_some_and(shows), "{found:?}");
}

#[test]
fn a_counter_that_misses_an_unlink_is_found() {
    let found = found(Bug::CounterMissedOnUnlink);
    assert!(found.is_some());
}

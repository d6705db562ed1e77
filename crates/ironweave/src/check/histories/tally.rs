//! Counts of what a history does, and of what several do.

use std::collections::BTreeMap;

use crate::base::error::StepError;
use crate::check::trial::{Change, Effects};
use crate::schema::{EntityIx, EventIx, StateIx};

/// Counts of an event.
#[derive(Clone, Debug, Default)]
pub(super) struct EventTally {
    pub fired: u64,
    pub panicked: u64,
    /// By reason.
    pub rejected: BTreeMap<String, u64>,
}

/// A transition: the entity type, its states before and after, and the event.
pub(super) type Transition = (EntityIx, StateIx, StateIx, EventIx);

/// Counts of events and transitions.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub events: BTreeMap<EventIx, EventTally>,
    pub transitions: BTreeMap<Transition, u64>,
    /// Whether no event was enabled where the history ended.
    pub ended_early: bool,
}

impl Tally {
    /// Counts an event that fired.
    pub(super) fn fired(&mut self, event: EventIx, effects: &Effects) {
        for fired in [event].iter().chain(&effects.immediates) {
            self.events.entry(*fired).or_default().fired += 1;
        }
        for (by, entity, change) in &effects.changes {
            if let Change::Moved { from, to } = *change
                && from != to
            {
                *self
                    .transitions
                    .entry((*entity, from, to, *by))
                    .or_default() += 1;
            }
        }
    }

    /// Counts an event that was rejected.
    pub(super) fn rejected(&mut self, event: EventIx, error: &StepError) {
        let rejected = &mut self.events.entry(event).or_default().rejected;
        *rejected.entry(reason(error)).or_default() += 1;
    }

    /// Counts an event that panicked.
    pub(super) fn panicked(&mut self, event: EventIx) {
        self.events.entry(event).or_default().panicked += 1;
    }

    /// Adds the counts of a history.
    pub(super) fn add(&mut self, history: &Self) {
        for (event, of) in &history.events {
            let sum = self.events.entry(*event).or_default();
            sum.fired += of.fired;
            sum.panicked += of.panicked;
            for (reason, times) in &of.rejected {
                *sum.rejected.entry(reason.clone()).or_default() += times;
            }
        }
        for (transition, times) in &history.transitions {
            *self.transitions.entry(*transition).or_default() += times;
        }
    }
}

/// What rejected an event, in a few words.
fn reason(error: &StepError) -> String {
    match error {
        StepError::NotInPlace { .. } => "the state of an entity".to_owned(),
        StepError::StaleHandle { .. } => "an entity that was deleted".to_owned(),
        StepError::UnknownKey { .. } => "a key that no entity has".to_owned(),
        StepError::Duplicate { .. } => "a key that an entity has".to_owned(),
        StepError::When { condition, .. } => format!("when {condition}"),
        StepError::NothingToChoose { candidates, .. } => format!("{candidates} finds too little"),
        StepError::Overflow { calculation, .. } => format!("{calculation} overflows"),
        StepError::Guard { guard, .. } => format!("guard {guard}"),
        StepError::Rejected { .. } => "the handler".to_owned(),
        StepError::TwoArcs { .. } => "two arcs on one entity".to_owned(),
        StepError::Repeated { .. } => "an entity that occurs twice".to_owned(),
        StepError::Cardinality { edge, .. } => format!("the number of links of {edge}"),
        StepError::AlreadyLinked { edge, .. } => format!("a link of {edge} that exists"),
        StepError::NotLinked { edge, .. } => format!("a link of {edge} that does not exist"),
        StepError::Restricted { edge, .. } => format!("a link of {edge} that restricts a deletion"),
        StepError::Cycle { edge, .. } => format!("a cycle of {edge}"),
        StepError::Invariant { invariant, .. } => format!("invariant {invariant}"),
        StepError::Loop { .. } => "a loop of immediate events".to_owned(),
        StepError::Unwritable { what, .. } => format!("a value of {what} that cannot be written"),
        other => other.to_string(),
    }
}

//! The past: the graph as it was, the transactions since a frame, and the history of an entity.
//!
//! The log has all of it and is read through a [`LogView`](crate::store::view::LogView). Keyframes in memory make reads of
//! the recent past cheap, and checkpoints beside the log those of the far past. An [`indexed_log`] finds the transactions of an
//! entity by indexes: a sealed segment has its index in a file beside it, and the index of the last segment is in memory.
//! [`retention`] archives and drops the first segments. `store.rs` has the methods that this layer adds to the store.

mod as_of;
mod indexed_log;
mod recent;
mod retention;
mod store;
mod walk;

use std::fmt;
use std::sync::Arc;

pub use as_of::{AsOf, ParseAsOfError};
pub use retention::{Retained, Retention, RetentionPlan};

use crate::base::meta::Meta;
use crate::base::position::Seq;
use crate::base::time::Timestamp;
use crate::step::model::Model;
use crate::store::record::{DecodedTransaction, Fact, Firing, Record};

/// A logged fact, with the event and the transaction that caused it.
pub struct HistoryEntry<M: Model> {
    record: Record<M>,
    /// The index of the fact in the facts of the record.
    fact: usize,
}

impl<M: Model> Clone for HistoryEntry<M> {
    fn clone(&self) -> Self {
        Self {
            record: self.record.clone(),
            fact: self.fact,
        }
    }
}

impl<M: Model> HistoryEntry<M> {
    /// Returns the record of the transaction. The entries of one transaction share it.
    #[must_use]
    pub fn record(&self) -> &Record<M> {
        &self.record
    }

    /// Returns the fact, with its value.
    #[must_use]
    pub fn fact(&self) -> Fact<'_> {
        self.record.facts().at(self.fact)
    }

    /// Returns the firing that caused the fact, or `None` if it is of a [migration](Record::is_migration).
    #[must_use]
    pub fn firing(&self) -> Option<Firing<'_, M>> {
        // Firings are in the order of their facts.
        let firings = &self.record.transaction().decoded.firings;
        let index = firings.partition_point(|firing| firing.facts_end as usize <= self.fact);
        self.record.firings().nth(index)
    }

    /// Returns the name of the event that caused the fact, or `migration` if it is of a [migration](Record::is_migration).
    #[must_use]
    pub fn event(&self) -> &str {
        match self.firing() {
            Some(firing) => firing.name(),
            None if self.record.is_migration() => "migration",
            None => "",
        }
    }

    /// Returns the sequence of the transaction.
    #[must_use]
    pub fn seq(&self) -> Seq {
        self.record.seq()
    }

    /// Returns the time of the transaction.
    #[must_use]
    pub fn time(&self) -> Timestamp {
        self.record.time()
    }

    /// Returns the metadata of the transaction.
    #[must_use]
    pub fn meta(&self) -> &Meta {
        self.record.meta()
    }
}

/// Renders the sequence and the time of the transaction, the event and the fact.
impl<M: Model> fmt::Display for HistoryEntry<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seq, time) = (self.seq(), self.time());
        write!(f, "{seq} ({time}) {}: {}", self.event(), self.fact())
    }
}

impl<M: Model> fmt::Debug for HistoryEntry<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The facts of a history: their transactions, and their indexes in the facts of these.
type FoundFacts = Vec<(Arc<DecodedTransaction>, usize)>;

fn entries<M: Model>(found: FoundFacts) -> Vec<HistoryEntry<M>> {
    let entry = |(transaction, fact)| HistoryEntry {
        record: Record::new(transaction),
        fact,
    };
    found.into_iter().map(entry).collect()
}

//! The past: the graph as it was, the transactions since a frame, and the history of an entity.
//!
//! All of it comes from the log, read through a [`LogView`](crate::store::view::LogView). Keyframes in memory make the
//! recent past cheap; an [`archive`] finds the transactions of an entity: in a sealed segment by an index beside it, in
//! the last segment by an index in memory. `store.rs` is what this layer adds to the store.

mod archive;
mod as_of;
mod index;
mod store;
mod walk;

use std::fmt;
use std::sync::Arc;

pub use as_of::AsOf;

use crate::base::meta::Meta;
use crate::base::position::Seq;
use crate::base::time::Timestamp;
use crate::step::model::Model;
use crate::store::record::{Fact, Firing, Logged, Record};

/// A logged fact, with the event and the transaction that caused it.
pub struct HistoryEntry<M: Model> {
    record: Record<M>,
    /// By index in the facts of the record.
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
    /// The record of the transaction. The entries of one transaction share it.
    #[must_use]
    pub fn record(&self) -> &Record<M> {
        &self.record
    }

    /// The fact, with its value.
    #[must_use]
    pub fn fact(&self) -> Fact<'_> {
        self.record.facts().at(self.fact)
    }

    /// The firing that the fact is of, if it is of one.
    #[must_use]
    pub fn firing(&self) -> Option<Firing<'_, M>> {
        // They are in order, and so are their facts.
        let firings = &self.record.logged().decoded.firings;
        let index = firings.partition_point(|firing| firing.facts_end as usize <= self.fact);
        self.record.firings().nth(index)
    }

    /// The name of the event that led to the fact.
    #[must_use]
    pub fn event(&self) -> &str {
        self.firing().map_or("", |firing| firing.name())
    }

    /// The sequence of the transaction.
    #[must_use]
    pub fn seq(&self) -> Seq {
        self.record.seq()
    }

    /// The time of the transaction.
    #[must_use]
    pub fn time(&self) -> Timestamp {
        self.record.time()
    }

    /// The metadata of the transaction.
    #[must_use]
    pub fn meta(&self) -> &Meta {
        self.record.meta()
    }
}

/// The sequence and the time of the transaction, the event and the fact.
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

/// What a history was found in: the records of its transactions, and which of their facts.
type Found = Vec<(Arc<Logged>, usize)>;

fn entries<M: Model>(found: Found) -> Vec<HistoryEntry<M>> {
    let entry = |(logged, fact)| HistoryEntry {
        record: Record::new(logged),
        fact,
    };
    found.into_iter().map(entry).collect()
}

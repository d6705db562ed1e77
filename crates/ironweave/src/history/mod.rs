//! The past: the graph as of then, what happened since, and what became of an entity.
//!
//! All of it comes from the log. [`keyframes`] in memory keep near values near; an [`index`] in memory, made when
//! history is first asked for, tells which transactions are about whom.

mod as_of;
mod index;
mod keyframes;
mod report;

use std::fmt;
use std::sync::{Arc, Mutex};

pub use as_of::When;
pub(crate) use keyframes::{Keyframes, SPACING};
pub(crate) use report::Logged;
pub use report::{Report, Reports};

use crate::entity::{Entity, KeyQuery, Keyed, Model};
use crate::error::Name;
use crate::fact::Fact;
use crate::history::index::{Index, about};
use crate::id::Id;
use crate::log::{Seq, StorageError};
use crate::schema::EntityIx;
use crate::store::Store;
use crate::{Meta, Timestamp};

/// What a store remembers of the past, beside its log.
#[derive(Default)]
pub(crate) struct History {
    pub keyframes: Arc<Keyframes>,
    index: Mutex<Index>,
}

/// One fact of the past, with why it is one.
#[derive(Clone, Debug)]
pub struct Past {
    /// Its transaction.
    pub seq: Seq,
    /// When that was.
    pub time: Timestamp,
    /// What else that said of itself.
    pub meta: Arc<Meta>,
    /// The event that it came of.
    pub event: Name,
    /// The fact; its numbers are indexes of the schema. What a `Set` or `SetLink` says of bytes means nothing here.
    pub fact: Fact,
    /// The value that it speaks of, in CBOR.
    pub value: Option<Vec<u8>>,
    /// All of it in words.
    pub words: String,
}

impl fmt::Display for Past {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            seq,
            time,
            event,
            words,
            ..
        } = self;
        write!(f, "{seq} ({time}) {event}: {words}")
    }
}

impl<M: Model> Store<M> {
    /// The transactions of the log whose sequences are in a range, one after the other.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub fn tx_range(
        &self,
        range: impl std::ops::RangeBounds<Seq>,
    ) -> Result<Reports<'_, M>, StorageError> {
        Reports::new(
            self,
            (range.start_bound().cloned(), range.end_bound().cloned()),
        )
    }

    /// The transactions after one.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub fn since(&self, seq: Seq) -> Result<Reports<'_, M>, StorageError> {
        self.tx_range(seq.saturating_add(1)..)
    }

    /// All that ever happened to an entity, whether it still exists or not: each fact with its event and its
    /// transaction.
    ///
    /// The first call reads the whole log, and notes in memory which transaction is about whom (a number for each entity
    /// that it touches). A later one reads what was written since, and the transactions about this entity.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub fn history<T: Entity<Model = M>>(&self, entity: T) -> Result<Vec<Past>, StorageError> {
        self.history_of(&[(T::INDEX, entity.id())])
    }

    /// All that ever happened to the links between two entities, over whatever edges; as [`history`](Store::history).
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub fn history_between<A: Entity<Model = M>, B: Entity<Model = M>>(
        &self,
        a: A,
        b: B,
    ) -> Result<Vec<Past>, StorageError> {
        self.history_of(&[(A::INDEX, a.id()), (B::INDEX, b.id())])
    }

    /// All entities that ever had a key, in order of their creation, each with its [`history`](Store::history).
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub fn history_of_key<T: Keyed<Model = M>>(
        &self,
        key: &(impl KeyQuery<T::Key> + ?Sized),
    ) -> Result<Vec<(T, Vec<Past>)>, StorageError> {
        let had = self.indexed(|index| index.had_key(T::INDEX, T::KEY.len(), &key.bytes()))?;
        had.into_iter()
            .map(|id| Ok((T::from_id(id), self.history_of(&[(T::INDEX, id)])?)))
            .collect()
    }

    /// Asks the index, once it is up to date.
    fn indexed<R>(&self, ask: impl FnOnce(&Index) -> R) -> Result<R, StorageError> {
        // It is changed one frame at a time, and says how far it is.
        let index = self.history.index.lock();
        let mut index = index.unwrap_or_else(std::sync::PoisonError::into_inner);
        let base = self.base.as_ref().map(|base| &base.graph);
        for report in self.tx_range(index.next()..)? {
            index.add(&report?.logged, &self.plan.layout, base);
        }
        Ok(ask(&index))
    }

    /// The facts that are about all of some entities.
    fn history_of(&self, all: &[(EntityIx, Id)]) -> Result<Vec<Past>, StorageError> {
        let mut history = Vec::new();
        for seq in self.indexed(|index| index.transactions(all))? {
            let Some(report) = self.tx_range(seq..=seq)?.next() else {
                continue;
            };
            let logged = report?.logged;
            let Logged {
                seq,
                decoded,
                changes,
                ..
            } = &*logged;
            let meta = Arc::new(decoded.meta.clone());
            for i in about(changes.facts(), &self.plan.layout, all) {
                let fact = changes.facts()[i];
                let firing = decoded.firings.iter().find(|f| f.facts.contains(&i));
                let event = firing.map_or(0, |f| usize::from(f.event));
                history.push(Past {
                    seq: *seq,
                    time: decoded.time,
                    meta: Arc::clone(&meta),
                    event: Arc::clone(&self.plan.events[event].name),
                    fact,
                    value: changes.value(fact).map(<[u8]>::to_vec),
                    words: changes.words(fact),
                });
            }
        }
        Ok(history)
    }
}

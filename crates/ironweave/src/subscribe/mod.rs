//! Subscriptions: the records of a store's transactions in order, first those in the log and then new ones as they commit.
//!
//! A [`Subscription`] is an iterator that works on any thread. The writer adds each transaction to the [`feed`], which keeps
//! the last ones. A subscription that is further behind reads the log on its own thread until it has caught up. So a slow
//! subscription never blocks the writer, and each transaction is delivered once. `store.rs` has the methods that this layer
//! adds to the store.

mod filter;
mod store;
#[cfg(feature = "async")]
pub(crate) mod stream;

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use crate::base::error::ReadError;
use crate::base::notifier::Wait;
use crate::base::position::Seq;
use crate::base::position::{FrameRef, Position};
use crate::base::storage_error::StorageError;
use crate::db::entity::{Entity, Place};
use crate::schema::EntityIx;
use crate::snapshot::Snapshot;
use crate::step::Core;
use crate::step::event::Event;
use crate::step::model::Model;
use crate::store::bad_frame;
use crate::store::feed::FeedReader;
use crate::store::record::{DecodedTransaction, GraphContext, Record};
use crate::store::version::{At, Version};
use crate::subscribe::filter::Filter;

/// The transactions of a store from a sequence on, in order, each once. A subscription can be sent to another thread.
///
/// A subscription is an iterator over [records](Record). It blocks until the next transaction is committed, and ends when the
/// store was dropped and all transactions were delivered. A transaction is delivered once it is durable in the sense of the store's
/// [`Durability`](crate::Durability). After an error, the next call tries the same transaction again.
///
/// ```
/// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
/// use ironweave::prelude::*;
/// use lamps::Lit;
///
/// let mut store = Store::<lamps::Model>::memory();
/// store.step(Lit { lamp: "hall".into() });
/// let all = store.subscribe(0)?.event::<Lit>();
/// let seqs = std::thread::spawn(move || {
///     all.map(|record| record.map(|r| r.seq())).collect::<Result<Vec<_>, _>>()
/// });
/// store.step(Lit { lamp: "kitchen".into() });
/// drop(store);
/// assert_eq!(seqs.join().expect("no panic")?, [1, 2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Subscription<M: Model> {
    reader: FeedReader,
    filter: Filter,
    /// The graph after the last transaction, if records are delivered with the graphs before and after them.
    graph: Option<Arc<Version>>,
    /// The name of its cursor, by which it is resumed.
    name: Option<String>,
    model: PhantomData<fn() -> M>,
}

impl<M: Model> Subscription<M> {
    /// Restricts the subscription to transactions that are about an entity, or that match another of its filters.
    #[must_use]
    pub fn entity<T: Entity<Model = M>>(mut self, entity: T) -> Self {
        self.filter.entity(T::INDEX, entity.id());
        self
    }

    /// Restricts the subscription to transactions in which an entity entered a place or left it, or that match
    /// another of its filters.
    #[must_use]
    pub fn place<T: Entity<Model = M>, S: Place<T>>(mut self) -> Self {
        self.filter.place(T::INDEX, S::STATES);
        self
    }

    /// Restricts the subscription to transactions that changed links of an edge, or that match another of its
    /// filters. `field` is the field at either end of the edge.
    ///
    /// # Errors
    /// `UnknownEdge` if the entity has no such edge.
    pub fn edge<T: Entity<Model = M>>(mut self, field: &str) -> Result<Self, ReadError> {
        let hop = self.reader.plan().layout.hop(T::INDEX, field);
        let hop = hop.ok_or_else(|| ReadError::UnknownEdge {
            entity: T::NAME.into(),
            edge: field.into(),
        })?;
        self.filter.edge(hop.edge);
        Ok(self)
    }

    /// Restricts the subscription to transactions in which an event of type `E` fired, or that match another of
    /// its filters.
    #[must_use]
    pub fn event<E: Event<Model = M>>(mut self) -> Self {
        self.filter.event(E::INDEX);
        self
    }

    /// Returns the number of frames that the subscription has not read yet.
    #[must_use]
    pub fn lag(&self) -> u64 {
        self.reader.lag()
    }

    /// Returns the sequence of the frame that the subscription reads next, from which
    /// [`Store::subscribe`](crate::Store::subscribe) can continue.
    #[must_use]
    pub fn next_seq(&self) -> Seq {
        self.reader.next()
    }

    /// Returns the position of the last frame that the subscription has read, delivered or filtered out, after which
    /// [`Store::subscribe_since`](crate::Store::subscribe_since) can continue. Returns `None` before the first frame of a log.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        self.reader.position()
    }

    /// Makes the log durable up to a frame, in every durability mode. Call it before data that is derived from that frame is
    /// made durable.
    pub(crate) fn sync_to(&self, seq: Seq) -> Result<(), StorageError> {
        self.reader.sync_to(seq)
    }

    /// Moves back to a frame that was delivered before, to deliver it again.
    #[cfg(feature = "sqlite")]
    pub(crate) fn go_back(&mut self, to: Seq) {
        self.reader.go_back(to);
    }

    /// Adds the file and the offset of the frame to an error that has only a sequence number.
    #[cfg(feature = "sqlite")]
    pub(crate) fn located(&mut self, error: StorageError) -> StorageError {
        self.reader.place(error)
    }

    /// Acknowledges all transactions up to a frame: the next [`Store::subscribe_as`](crate::Store::subscribe_as) of this name continues
    /// after it. When this returns, the cursor and the log up to that frame are durable in every durability mode, so that a
    /// power failure leaves no cursor ahead of its log. This takes up to two syncs, so acknowledge batches rather than single
    /// records.
    ///
    /// # Errors
    /// - `is_ahead` and `is_other_history` if the log has no such frame, as [`Store::locate`](crate::Store::locate).
    /// - `Unnamed` if the subscription has no name.
    /// - If the cursor cannot be written, or the log cannot be synced.
    pub fn acknowledge(&self, frame: impl Into<FrameRef>) -> Result<(), ReadError> {
        match &self.name {
            Some(name) => self.reader.acknowledge(name, frame.into()),
            None => Err(ReadError::Unnamed),
        }
    }

    /// Returns the next record, or `None` if no further transaction is committed and durable. Never blocks.
    ///
    /// # Errors
    /// A failure to read the log. The next call tries the same transaction again.
    pub fn try_next(&mut self) -> Result<Option<Record<M>>, StorageError> {
        self.record(Wait::Never)
    }

    /// Waits for the next record and returns it. Returns `None` after `timeout`, or if the store was dropped and all records were
    /// delivered. [`Duration::MAX`] waits without a limit.
    ///
    /// # Errors
    /// A failure to read the log. The next call tries the same transaction again.
    pub fn next_within(&mut self, timeout: Duration) -> Result<Option<Record<M>>, StorageError> {
        self.record(Wait::within(timeout))
    }

    fn record(&mut self, wait: Wait) -> Result<Option<Record<M>>, StorageError> {
        loop {
            let Some(transaction) = self.reader.peek(wait)? else {
                return Ok(None);
            };
            if let Some(record) = self.deliver(transaction)? {
                return Ok(Some(record));
            }
        }
    }

    /// Moves past the transaction that was peeked. Returns its record unless it was filtered out.
    fn deliver(
        &mut self,
        transaction: Arc<DecodedTransaction>,
    ) -> Result<Option<Record<M>>, StorageError> {
        let graphs = match &self.graph {
            Some(before) => {
                let before = before.entered(&self.reader.epochs(), transaction.seq);
                let before = before.map_err(|e| self.reader.place(e))?;
                let after = before
                    .after(&transaction)
                    .map_err(|e| self.reader.place(e))?;
                Some((before, after))
            }
            None => None,
        };
        self.reader.advance();
        if let Some((_, after)) = &graphs {
            self.graph = Some(Arc::clone(after));
        }
        if !(self.filter).accepts(&transaction, &transaction.plan.layout) {
            return Ok(None);
        }
        let graphs = graphs
            .map(|(before, after)| -> Arc<dyn GraphContext> { Arc::new(Graphs { before, after }) });
        let record = Record::new(transaction).delivered(self.reader.lag());
        Ok(Some(record.with_context(graphs)))
    }
}

/// The graphs before and after a transaction.
struct Graphs {
    before: Arc<Version>,
    after: Arc<Version>,
}

impl GraphContext for Graphs {
    fn generation(&self, entity: EntityIx, slot: u32) -> Option<u32> {
        self.after.generation(entity, slot)
    }
}

impl<M: Model> Record<M> {
    fn graphs(&self) -> Option<&Graphs> {
        let context: &dyn Any = self.context()?;
        context.downcast_ref()
    }

    /// Returns the graph before the transaction if a subscription of [`Store::subscribe_after`](crate::Store::subscribe_after) delivered the
    /// record.
    #[must_use]
    pub fn before(&self) -> Option<Snapshot<M>> {
        self.graphs()
            .map(|graphs| Snapshot::of(Arc::clone(&graphs.before)))
    }

    /// Returns the graph after the transaction if a subscription of [`Store::subscribe_after`](crate::Store::subscribe_after) delivered the
    /// record.
    #[must_use]
    pub fn after(&self) -> Option<Snapshot<M>> {
        self.graphs()
            .map(|graphs| Snapshot::of(Arc::clone(&graphs.after)))
    }
}

impl Version {
    /// Returns whether another version is of a frame of the same sequence and has the same fingerprint.
    fn is(&self, other: &Self) -> bool {
        (self.at.seq, self.graph.fingerprint) == (other.at.seq, other.graph.fingerprint)
    }

    /// Returns the version after a transaction.
    fn after(&self, transaction: &DecodedTransaction) -> Result<Arc<Self>, StorageError> {
        let mut core = Core::new(self.graph.fork());
        let (facts, fingerprint) = (&transaction.decoded.facts, transaction.fingerprint);
        let replayed = match transaction.is_migration {
            true => core.replay_part(facts, Some(fingerprint)),
            false => core.replay(facts, fingerprint),
        };
        replayed.map_err(|e| bad_frame(transaction.seq, e))?;
        let at = At {
            seq: Some(transaction.seq),
            time: transaction.decoded.time,
            position: transaction.position,
        };
        Ok(self.with_graph(core.graph, at))
    }
}

impl<M: Model> Iterator for Subscription<M> {
    type Item = Result<Record<M>, StorageError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.record(Wait::Unlimited).transpose()
    }
}

impl<M: Model> fmt::Debug for Subscription<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("next_seq", &self.next_seq())
            .field("position", &self.position())
            .field("lag", &self.lag())
            .field("name", &self.name)
            .finish()
    }
}

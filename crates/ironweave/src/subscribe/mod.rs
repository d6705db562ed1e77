//! Subscriptions: the records of a store's transactions in order, first those in the log and then new ones as they commit.
//!
//! A [`Subscription`] is an iterator on any thread. The writer hands each transaction to the [`feed`], which keeps
//! the last ones. A subscription that is further behind reads the log on its own thread until it has caught up. So a slow
//! subscription never blocks the writer, and it gets every transaction once. `store.rs` is what this layer adds to the
//! store.

pub(crate) mod feed;
mod filter;
mod store;
#[cfg(feature = "stream")]
pub(crate) mod stream;

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use crate::base::error::ReadError;
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
use crate::store::record::{DecodedTransaction, GraphContext, Record};
use crate::store::version::{At, Version};
use crate::subscribe::feed::{FeedReader, Wait};
use crate::subscribe::filter::Filter;

/// The transactions of a store from a sequence on, in order, each once. It can be sent to another thread.
///
/// As an iterator it waits for transactions to come, and ends when the store is dropped and all were delivered. A
/// transaction is delivered once it is as durable as the store promises. After an error it tries again from the same
/// place.
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
    /// The graph after the last transaction, where records are delivered with the graphs around them.
    graph: Option<Arc<Version>>,
    /// The name under which it can be resumed.
    name: Option<String>,
    model: PhantomData<fn() -> M>,
}

impl<M: Model> Subscription<M> {
    /// Restricts it to transactions that are about an entity, or that match another of its filters.
    #[must_use]
    pub fn entity<T: Entity<Model = M>>(mut self, entity: T) -> Self {
        self.filter.entity(T::INDEX, entity.id());
        self
    }

    /// Restricts it to transactions in which an entity entered a place or left it, or that match another of its filters.
    #[must_use]
    pub fn place<T: Entity<Model = M>, S: Place<T>>(mut self) -> Self {
        self.filter.place(T::INDEX, S::STATES);
        self
    }

    /// Restricts it to transactions that changed links of an edge, or that match another of its filters. The edge is named by the
    /// field at either of its ends.
    ///
    /// # Errors
    /// `UnknownEdge` where the entity has no such edge.
    pub fn edge<T: Entity<Model = M>>(mut self, field: &str) -> Result<Self, ReadError> {
        let layout = &self.reader.plan().layout;
        let mut ends = layout.entities[usize::from(T::INDEX)].ends.iter();
        let named = |hop: &&crate::schema::Hop| {
            let edge = &layout.edges[usize::from(hop.edge)];
            &*edge.near(hop.forward).name == field
        };
        let hop = ends.find(named).ok_or_else(|| ReadError::UnknownEdge {
            entity: T::NAME.into(),
            edge: field.into(),
        })?;
        self.filter.edge(hop.edge);
        Ok(self)
    }

    /// Restricts it to transactions in which an event fired, or that match another of its filters.
    #[must_use]
    pub fn event<E: Event<Model = M>>(mut self) -> Self {
        self.filter.event(E::INDEX);
        self
    }

    /// How many frames of the log it has not looked at.
    #[must_use]
    pub fn lag(&self) -> u64 {
        self.reader.lag()
    }

    /// The frame that it looks at next: where a [`Store::subscribe`](crate::Store::subscribe) goes on.
    #[must_use]
    pub fn next_seq(&self) -> Seq {
        self.reader.next()
    }

    /// The position of the last frame that it has looked at, whether its filters took it or not: where a
    /// [`Store::subscribe_since`](crate::Store::subscribe_since) goes on. `None` before the first frame of a log.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        self.reader.position()
    }

    /// Makes the log durable up to a frame, whatever its mode: before what is made from that frame is durable.
    pub(crate) fn sync_to(&self, seq: Seq) -> Result<(), StorageError> {
        self.reader.sync_to(seq)
    }

    /// From now on, keeps what it has delivered until it is released.
    #[cfg(feature = "sqlite")]
    pub(crate) fn hold(mut self) -> Self {
        self.reader.hold();
        self
    }

    /// Releases what it has delivered.
    #[cfg(feature = "sqlite")]
    pub(crate) fn release(&self) {
        self.reader.release();
    }

    /// Goes back to a frame that it holds, to deliver it again.
    #[cfg(feature = "sqlite")]
    pub(crate) fn go_back(&mut self, to: Seq) {
        self.reader.go_back(to);
    }

    /// Acknowledges all transactions up to a frame, for the next [`Store::subscribe_as`](crate::Store::subscribe_as) of this name. Durable when it
    /// returns, whatever the durability of the store, and so are the frames up to that one: a power cut leaves no cursor
    /// ahead of its log. That takes a sync or two, so it need not be done for each record.
    ///
    /// # Errors
    /// Where the disk refuses. `is_ahead` and `is_other_history` where the log has no such frame, as
    /// [`Store::locate`](crate::Store::locate). `Unnamed` where the subscription has no name.
    pub fn acknowledge(&self, frame: impl Into<FrameRef>) -> Result<(), ReadError> {
        match &self.name {
            Some(name) => self.reader.acknowledge(name, frame.into()),
            None => Err(ReadError::Unnamed),
        }
    }

    /// The next record, if it is there already.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub fn try_next(&mut self) -> Result<Option<Record<M>>, StorageError> {
        self.record(Wait::Never)
    }

    /// The next record, if it comes in time; [`Duration::MAX`] is as long as it takes.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub fn next_within(&mut self, timeout: Duration) -> Result<Option<Record<M>>, StorageError> {
        self.record(Wait::within(timeout))
    }

    fn record(&mut self, wait: Wait) -> Result<Option<Record<M>>, StorageError> {
        loop {
            let Some(transaction) = self.reader.peek(wait)? else {
                return Ok(None);
            };
            let graphs = match &self.graph {
                Some(before) => Some((Arc::clone(before), before.after(&transaction)?)),
                None => None,
            };
            self.reader.advance();
            if let Some((_, after)) = &graphs {
                self.graph = Some(Arc::clone(after));
            }
            if self.filter.takes(&transaction, &self.reader.plan().layout) {
                let graphs = graphs.map(|(before, after)| -> Arc<dyn GraphContext> {
                    Arc::new(Graphs { before, after })
                });
                let record = Record::new(transaction).delivered(self.reader.lag());
                return Ok(Some(record.with_context(graphs)));
            }
        }
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

    /// The graph before it, where its subscription is of [`Store::subscribe_after`](crate::Store::subscribe_after).
    #[must_use]
    pub fn before(&self) -> Option<Snapshot<M>> {
        self.graphs()
            .map(|graphs| Snapshot::of(Arc::clone(&graphs.before)))
    }

    /// The graph after it, where its subscription is of [`Store::subscribe_after`](crate::Store::subscribe_after).
    #[must_use]
    pub fn after(&self) -> Option<Snapshot<M>> {
        self.graphs()
            .map(|graphs| Snapshot::of(Arc::clone(&graphs.after)))
    }
}

impl Version {
    /// Whether it has the graph of another one after a frame of the same sequence.
    fn is(&self, other: &Self) -> bool {
        (self.at.seq, self.graph.fingerprint) == (other.at.seq, other.graph.fingerprint)
    }

    /// The state that a transaction leads to.
    fn after(&self, transaction: &DecodedTransaction) -> Result<Arc<Self>, StorageError> {
        let mut core = Core::new(self.graph.fork());
        core.replay(&transaction.decoded.facts, transaction.fingerprint)
            .map_err(|e| bad_frame(transaction.seq, e))?;
        Ok(Arc::new(Self {
            plan: Arc::clone(&self.plan),
            graph: core.graph,
            at: At {
                seq: Some(transaction.seq),
                time: transaction.decoded.time,
                position: transaction.position,
            },
            paranoid: self.paranoid,
            lineage: self.lineage,
        }))
    }
}

impl<M: Model> Iterator for Subscription<M> {
    type Item = Result<Record<M>, StorageError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.record(Wait::Long).transpose()
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

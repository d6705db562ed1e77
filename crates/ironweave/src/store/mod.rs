//! The store: a graph and the log from which it is replayed. All changes of either go through it.
//!
//! This file has steps and reads, `open.rs` has opening and closing, and `append.rs` writes a transaction. [`commit`] decides
//! when a transaction is durable and passes commits to the layers above. [`view`](mod@view) reads the past from the log.

mod any_receipt;
mod append;
pub(crate) mod backend;
mod batch;
pub(crate) mod checkpoint;
pub(crate) mod commit;
#[cfg(test)]
mod cost;
pub(crate) mod due;
pub(crate) mod entity_index;
pub(crate) mod epoch;
mod epochs;
pub(crate) mod feed;
pub(crate) mod frame;
pub(crate) mod keys;
mod locate;
mod migrate;
mod observe;
mod open;
mod options;
pub(crate) mod raw;
pub(crate) mod record;
pub(crate) mod records;
mod repeat;
mod shadow;
pub(crate) mod share;
mod step;
pub(crate) mod tags;
mod transaction;
pub(crate) mod verify;
pub(crate) mod version;
pub(crate) mod view;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

pub use any_receipt::{AnyApplied, AnyReceipt};
pub(crate) use backend::Backend;
pub use checkpoint::policy::CheckpointPolicy;
pub use checkpoint::{Checkpoint, IgnoredCheckpoint, OpenedFrom};
pub use commit::Durability;
pub use due::driver::{DueDriver, DueNotice};
pub use due::{DueReport, FiredDue, RejectedDue};
pub(crate) use epochs::{Epochs, bad_frame, lost_frame, no_schema};
pub use keys::KeyRetention;
pub use migrate::{Dropped, DroppedKind, MigrationReport, ReportedDifference};
pub use options::Options;
pub use record::{
    Changes, Fact, FactEntity, FactIter, FactKind, Facts, Field, Firing, Occupant, Record,
    RecordedEvent,
};
pub use records::Records;
pub use share::SharedStore;
pub use share::tickets::Ticket;
pub use transaction::{Committed, Savepoint, Transaction};
pub use verify::{Difference, NotFired, Verified, VerifyError};

use crate::base::error::{Inconsistency, ReadError, StepError};
use crate::base::hash::FastMap;
use crate::base::meta::Meta;
#[cfg(feature = "tracing")]
use crate::base::meter::Meter;
use crate::base::position::{FrameRef, Position, Seq};
use crate::base::storage_error::StorageError;
use crate::db::Db;
use crate::graph::GraphRef;
use crate::log::TornTail;
use crate::schema::Schema;
use crate::step::event::{Event, Receipt};
use crate::step::fire::By;
use crate::step::model::Model;
use crate::step::plan::Plan;
use crate::step::{Core, flat};
use crate::store::checkpoint::background::Checkpoints;
use crate::store::commit::Followers;
use crate::store::frame::PayloadBuffer;
use crate::store::keys::{KeyStatus, Keys};
use crate::store::shadow::Shadow;
use crate::store::version::{At, Version};

/// A graph of the entities of model `M`, and its log.
///
/// ```
/// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
/// use ironweave::prelude::*;
/// use lamps::{Lamp, Lit, state::On};
///
/// let mut store = Store::<lamps::Model>::memory();
/// let lamp = store.try_step(Lit { lamp: "hall".into() })?.bound.lamp;
/// assert_eq!(lamp.room(&store), "hall");
/// assert!(store.try_step(Lit { lamp: "hall".into() }).is_err());
/// assert_eq!(store.count::<Lamp, On>(), 1);
/// # Ok::<(), StepError>(())
/// ```
pub struct Store<M: Model> {
    pub(crate) core: Core,
    pub(crate) plan: Arc<Plan>,
    pub(crate) log: Backend,
    pub(crate) epochs: Arc<Epochs>,
    keys: Box<Keys>,
    /// The sequence number of the next frame.
    next: Seq,
    bounds: epochs::Bounds,
    /// The encoded transaction. Reused.
    payload: PayloadBuffer,
    unwritten: batch::Unwritten,
    /// The graph that a replay of the log would produce. Only a paranoid store has it.
    shadow: Option<Box<Shadow>>,
    /// The version that the store begins at, if it begins at a snapshot.
    pub(crate) base: Option<Arc<Version>>,
    /// The state of the layers above: snapshots, history, subscriptions.
    pub(crate) followers: Followers,
    /// State of the layers above that does not follow commits, which handles on other threads use too.
    pub(crate) shared: Arc<Followers>,
    /// The graph of the last epoch of the log, if it has another shape than the model and is only read. `core` has what is carried
    /// over from it.
    replayed: Option<Box<epoch::Replay>>,
    checkpoints: Arc<Checkpoints>,
    #[cfg(feature = "tracing")]
    pub(crate) meter: Meter,
    model: PhantomData<fn() -> M>,
}

impl<M: Model> fmt::Debug for Store<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("model", &M::NAME)
            .field("seq", &self.seq())
            .finish_non_exhaustive()
    }
}

impl<M: Model> Store<M> {
    /// Fires an event in a transaction of its own and commits it. Returns the entities that the event bound and created. On
    /// an error, the graph is unchanged.
    ///
    /// # Errors
    /// Any [rejection](StepError::is_rejection) of the event, and failures of the log.
    pub fn try_step<E: Event<Model = M>>(&mut self, event: E) -> Result<Receipt<E>, StepError> {
        let mut by = By::Compiled;
        if self.core.open.is_usual_and_closed() && !observe::traces_steps() {
            if let Some((seq, names)) = self.step_compiled(&event)? {
                return Ok(Receipt {
                    seq,
                    repeated: false,
                    created: E::created(names.names()),
                    bound: E::bound(names.names()),
                });
            }
            by = By::Interpreter;
        }
        self.step_any_way(&event, by)
    }

    /// As [`Store::try_step`], for an event that is not expected to fail.
    ///
    /// # Panics
    /// If the event is rejected or the log fails.
    #[track_caller]
    pub fn step<E: Event<Model = M>>(&mut self, event: E) -> Receipt<E> {
        match self.try_step(event) {
            Ok(receipt) => receipt,
            Err(e) => panic!("{e}"),
        }
    }

    /// As [`Store::try_step`], for an event whose type is known only at runtime. See [`crate::AnyEvent`].
    ///
    /// # Errors
    /// As [`Store::try_step`].
    pub fn try_step_any(&mut self, event: &M::Event) -> Result<AnyReceipt, StepError> {
        let mut transaction = self.begin();
        let receipt = transaction.any_receipt(event)?;
        transaction.end()?;
        Ok(receipt)
    }

    /// As [`Store::try_step_any`], with metadata.
    ///
    /// # Errors
    /// As [`Store::try_step`] and [`Store::begin_with`].
    pub fn try_step_any_with(
        &mut self,
        meta: Meta,
        event: &M::Event,
    ) -> Result<AnyReceipt, StepError> {
        let mut transaction = self.begin_with(meta)?;
        let receipt = transaction.any_receipt(event)?;
        transaction.end()?;
        Ok(receipt)
    }

    /// As [`Store::try_step`], with metadata.
    ///
    /// # Errors
    /// As [`Store::try_step`] and [`Store::begin_with`].
    pub fn try_step_with<E: Event<Model = M>>(
        &mut self,
        meta: Meta,
        event: E,
    ) -> Result<Receipt<E>, StepError> {
        let mut transaction = self.begin_with(meta)?;
        let receipt = transaction.receipt(event)?;
        transaction.end()?;
        Ok(receipt)
    }

    /// Calls a closure that creates metadata and an event from the current graph, and fires the event. Returns its receipt. If
    /// the event conflicts with another transaction ([`Meta::expect`]), the closure is called again, at most `tries` times in
    /// total.
    ///
    /// The error can be any type that implements `From<StepError>`.
    ///
    /// # Errors
    /// The error of the closure; the last conflict, or any other rejection of the event.
    pub fn retry<E: Event<Model = M>, X: From<StepError>>(
        &mut self,
        tries: u32,
        mut event: impl FnMut(&Self) -> Result<(Meta, E), X>,
    ) -> Result<Receipt<E>, X> {
        retry(tries, || {
            let (meta, made) = event(self)?;
            Ok(self.try_step_with(meta, made))
        })
    }

    /// Begins a transaction, whose events are committed atomically. Its time is that of the [clock](Options::clock) when the time is
    /// first read, at the latest at the commit. [`Store::transaction`] takes a closure instead.
    pub fn begin(&mut self) -> Transaction<'_, M> {
        Transaction::new(self)
    }

    /// As [`Store::begin`], with metadata. O(frames since then) if the metadata has an [`expect`](Meta::expect).
    ///
    /// # Errors
    /// `TimeGoesBack` if the explicit time is before that of the last transaction; `Metadata` if the metadata refers to a frame
    /// that the log does not have; `KeyExpired` for an idempotency key that is [no longer kept](Options::keep_keys); a failure to
    /// read the log, which is read for a known idempotency key and for [`Meta::expect`].
    pub fn begin_with(&mut self, mut meta: Meta) -> Result<Transaction<'_, M>, StepError> {
        self.core.close();
        if !self.core.logged && (meta.key.is_some() || meta.expect.is_some()) {
            return Err(ReadError::Unlogged.into());
        }
        locate::admit_meta(self, &mut meta)?;
        // A repetition has the time of the transaction that it repeats.
        if let Some(key) = &meta.key {
            match (self.keys).status(key, (self.seq(), self.core.open.last_time())) {
                KeyStatus::Unused => {}
                KeyStatus::Expired => return Err(StepError::KeyExpired { key: key.clone() }),
                KeyStatus::Of(seq) => {
                    let view = self.view()?;
                    let (repeat, time) = repeat::repeat(&view, key, seq)?;
                    let transaction = Transaction::new(self);
                    return Ok(transaction.with(
                        Some(time),
                        meta,
                        Some(repeat),
                        FastMap::default(),
                    ));
                }
            }
        }
        let time = meta.take_time(self.core.open.clock.last())?;
        let changed = match meta.expect {
            Some(seq) => repeat::changed_since(&self.view()?, seq).map_err(StepError::Storage)?,
            None => FastMap::default(),
        };
        Ok(Transaction::new(self).with(time, meta, None, changed))
    }

    /// Runs a closure in a transaction and commits it. Returns the result of the closure and the position of the transaction.
    /// If the closure returns an error or panics, the transaction is rolled back.
    ///
    /// The error can be any type that implements `From<StepError>`.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
    /// use ironweave::prelude::*;
    /// use lamps::{Bought, Lamp};
    ///
    /// let mut store = Store::<lamps::Model>::memory();
    /// let (lamps, committed) = store.transaction(|t| {
    ///     let first = t.apply(Bought { room: "hall".into() })?.created.lamp;
    ///     let second = t.apply(Bought { room: "attic".into() })?.created.lamp;
    ///     Ok::<_, StepError>([first, second])
    /// })?;
    /// assert!(lamps[1].alive(&store));
    /// assert_eq!(committed.seq(), store.seq());
    /// # Ok::<(), StepError>(())
    /// ```
    ///
    /// # Errors
    /// The error of the closure, or that of [`Transaction::commit`].
    pub fn transaction<R, E: From<StepError>>(
        &mut self,
        work: impl FnOnce(&mut Transaction<'_, M>) -> Result<R, E>,
    ) -> Result<(R, Committed), E> {
        self.begin().run(work)
    }

    /// As [`Store::transaction`], with metadata.
    ///
    /// # Errors
    /// As [`Store::transaction`] and [`Store::begin_with`].
    pub fn transaction_with<R, E: From<StepError>>(
        &mut self,
        meta: Meta,
        work: impl FnOnce(&mut Transaction<'_, M>) -> Result<R, E>,
    ) -> Result<(R, Committed), E> {
        self.begin_with(meta)?.run(work)
    }

    /// Runs a closure in a speculative transaction, checks it as a commit does, and rolls it back. Returns the result of the
    /// closure. Handles of entities that were created in the closure are stale afterwards, or refer to other entities.
    ///
    /// An event with a value that could not be written is rejected ([`StepError::Unwritable`]), as in a step. The transaction
    /// is not encoded for the log, so its size is not checked.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
    /// use ironweave::prelude::*;
    /// use lamps::{Lamp, Lit, state::On};
    ///
    /// let mut store = Store::<lamps::Model>::memory();
    /// let burning = store.what_if(|t| -> Result<_, StepError> {
    ///     t.apply(Lit { lamp: "hall".into() })?;
    ///     t.apply(Lit { lamp: "attic".into() })?;
    ///     Ok(t.count::<Lamp, On>())
    /// })?;
    /// assert_eq!((burning, store.count::<Lamp, On>()), (2, 0));
    /// # Ok::<(), StepError>(())
    /// ```
    ///
    /// The error can be any type that implements `From<StepError>`.
    ///
    /// # Errors
    /// The error of the closure, or of the checks.
    pub fn what_if<R, E: From<StepError>>(
        &mut self,
        ask: impl FnOnce(&mut Transaction<'_, M>) -> Result<R, E>,
    ) -> Result<R, E> {
        let mut transaction = self.begin().speculative();
        let answer = ask(&mut transaction)?;
        transaction.check()?;
        Ok(answer)
    }

    /// Returns the last frame of the log, or `None` if the log has no frame. The first frame of a new store is its schema, so
    /// this does not show whether a transaction was committed.
    #[must_use]
    pub fn seq(&self) -> Option<Seq> {
        self.next.checked_sub(1)
    }

    /// Returns the position of the last frame of the log, or `None` if the store has no log. Keep it with data that is derived
    /// from the current state of the store. O(1).
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        // The position of the last frame is in memory, so no file is read.
        self.log.known_position(self.seq()?)
    }

    /// Returns the position of a frame of this log, which is looked up by its sequence number or compared with the given
    /// [`Position`]. O(1) for recent frames. For others, the frame is read.
    ///
    /// # Errors
    /// `is_ahead` if the frame is past the end of the log; `is_other_history` if the position is of another store, or of
    /// another history of this store; `is_before_beginning` if the frame is before the snapshot that the store began at;
    /// `is_unlogged` if the store has no log; a failure to read the log.
    pub fn locate(&self, frame: impl Into<FrameRef>) -> Result<Position, ReadError> {
        self.view()?.locate(frame.into())
    }

    /// Returns the last frame that is known to be durable.
    #[must_use]
    pub fn durable(&self) -> Option<Seq> {
        self.log.durable()
    }

    /// Makes all committed transactions durable, independently of the store's [`Durability`].
    ///
    /// # Errors
    /// A failure of the disk, which stops the store.
    pub fn sync(&mut self) -> Result<(), StorageError> {
        self.log.sync()
    }

    /// Returns a digest of the whole graph. It is equal for equal graphs and does not depend on the order of links. O(1), since
    /// each step updates it. A store without a log computes it, in O(size of the graph).
    #[must_use]
    pub fn fingerprint(&self) -> u128 {
        if self.core.logged {
            (self.core.graph).fingerprint_with(&self.core.open.journal)
        } else {
            self.core.graph.recomputed_fingerprint()
        }
    }

    /// Returns the torn tail that the open moved to a file, if there was one.
    #[must_use]
    pub fn recovered(&self) -> Option<&TornTail> {
        self.log.recovered()
    }

    /// Returns whether the store was opened from a checkpoint or from the first frame of its log, and which checkpoints were
    /// ignored and why.
    #[must_use]
    pub fn opened_from(&self) -> &OpenedFrom {
        self.checkpoints.opened_from()
    }

    /// Returns the schema, which is the model as plain data.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.plan.layout.schema
    }

    /// Recomputes all derived state (both directions of every edge, keys, counters, places, bounds, invariants, the
    /// fingerprint) and returns every inconsistency; an empty list means that the store is consistent. O(size of the
    /// graph).
    #[must_use]
    pub fn check(&self) -> Vec<Inconsistency> {
        flat::differences(&self.core, &self.plan)
    }

    /// Fires all events of the log again with the current guards, arcs and handlers, on a separate graph, and compares the facts
    /// and the fingerprint of each frame. Returns the number of transactions, all of which agree. Logged events
    /// that upcasters read are fired as these read them. The facts of transactions with an event that the model does not have any more, of
    /// epochs of another shape and of migrations are replayed and not counted; see [`Store::verify_all`].
    ///
    /// A store of a [`Dynamic`](crate::dynamic::Dynamic) model, which has no code, decodes all events, applies the facts again
    /// and compares the fingerprints.
    ///
    /// # Errors
    /// [`VerifyError::Differs`] with the first difference; a failure to read the log.
    pub fn verify(&self) -> Result<u64, VerifyError> {
        verify::verify_view::<M>(self.view()).map(|found| found.agreed)
    }

    /// As [`Store::verify`], with the events that could not be fired again, whose facts are replayed: those that the model does not have
    /// any more, others of the same transactions, and those of epochs of another shape.
    ///
    /// # Errors
    /// As [`Store::verify`].
    pub fn verify_all(&self) -> Result<Verified, VerifyError> {
        verify::verify_view::<M>(self.view())
    }

    /// Returns the last frame and transaction of the store.
    pub(crate) fn at(&self) -> At {
        At {
            seq: self.seq(),
            time: self.core.open.last_time(),
            position: self.position(),
        }
    }
}

/// Repeats a step that conflicts with another transaction, at most `tries` times in total. The outer result of `attempt` has
/// an error that ends the attempts.
fn retry<R, X: From<StepError>>(
    tries: u32,
    mut attempt: impl FnMut() -> Result<Result<R, StepError>, X>,
) -> Result<R, X> {
    let mut left = tries.max(1);
    loop {
        left -= 1;
        match attempt()? {
            Err(e) if e.is_retryable() && left > 0 => {}
            result => return result.map_err(X::from),
        }
    }
}

impl<M: Model> Db for Store<M> {
    type List<'a, I: Iterator + 'a>
        = I
    where
        Self: 'a;

    fn list<'a, I: Iterator + 'a>(&'a self, items: I) -> I {
        items
    }

    #[inline]
    fn graph(&self) -> GraphRef<'_> {
        GraphRef::Flat(&self.core.graph)
    }
}

//! The store: a graph, the log that it is made from, and the only way to change both.
//!
//! This file steps and reads; `open.rs` opens and closes. [`commit`] decides when a transaction is durable and
//! passes commits to the layers above; [`view`](mod@view) reads the past from the log.

pub(crate) mod backend;
pub(crate) mod commit;
#[cfg(test)]
mod cost;
mod epochs;
pub(crate) mod frame;
mod locate;
mod open;
mod options;
pub(crate) mod record;
mod records;
mod repeat;
mod shadow;
mod share;
pub(crate) mod tags;
mod transaction;
mod verify;
pub(crate) mod version;
pub(crate) mod view;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

pub(crate) use backend::Backend;
pub use commit::Durability;
pub(crate) use epochs::{Epochs, bad_frame};
pub use options::Options;
pub use record::{
    Changes, Fact, FactEntity, FactIter, FactKind, Facts, Field, Firing, Occupant, Record,
    RecordedEvent,
};
pub use records::Records;
pub use share::SharedStore;
pub use transaction::{AnyReceipt, Committed, Savepoint, Transaction};
pub use verify::{Difference, VerifyError};

use crate::base::cbor::CborWriter;
use crate::base::error::{Inconsistency, ReadError, StepError};
use crate::base::hash::FastMap;
use crate::base::meta::Meta;
use crate::base::position::{FrameRef, Position, Seq};
use crate::base::storage_error::{AppendError, StorageError};
use crate::db::Db;
use crate::graph::GraphRef;
use crate::log::{FrameHeader, FrameKind, TornTail};
use crate::schema::Schema;
use crate::step::event::{Event, Receipt};
use crate::step::model::Model;
use crate::step::plan::Plan;
use crate::step::{Core, flat};
use crate::store::commit::{Commit, CommitFrame, Followers};
use crate::store::repeat::Keys;
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
    keys: Keys,
    /// The sequence of the next frame.
    next: Seq,
    bounds: epochs::Bounds,
    /// The encoded transaction; reused.
    payload: CborWriter,
    /// The graph that a replay of the log gives, kept by a paranoid store.
    shadow: Option<Box<Shadow>>,
    /// The version that the store begins at, if it is not empty.
    pub(crate) base: Option<Arc<Version>>,
    /// State of the layers above: snapshots, history, subscriptions.
    pub(crate) followers: Followers,
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
    /// Fires an event in a transaction of its own. Nothing changes on an error.
    ///
    /// # Errors
    /// Any rejection of the event, and failures of the log.
    pub fn try_step<E: Event<Model = M>>(&mut self, event: E) -> Result<Receipt<E>, StepError> {
        let mut transaction = self.begin();
        let receipt = transaction.apply_here(event)?;
        transaction.end()?;
        Ok(receipt)
    }

    /// As [`Store::try_step`], for an event that cannot fail.
    ///
    /// # Panics
    /// If it fails.
    #[track_caller]
    pub fn step<E: Event<Model = M>>(&mut self, event: E) -> Receipt<E> {
        match self.try_step(event) {
            Ok(receipt) => receipt,
            Err(e) => panic!("{e}"),
        }
    }

    /// Fires an event that came from outside, see [`crate::AnyEvent`].
    ///
    /// # Errors
    /// As [`Store::try_step`].
    pub fn try_step_any(&mut self, event: &M::Event) -> Result<AnyReceipt, StepError> {
        let mut transaction = self.begin();
        let receipt = transaction.apply_any(event)?;
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
        let receipt = transaction.apply_any(event)?;
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
        let receipt = transaction.apply(event)?;
        transaction.end()?;
        Ok(receipt)
    }

    /// Makes an event from the present graph and fires it. If that conflicts with another transaction
    /// ([`Meta::expect`]), it tries again, `tries` times at most.
    ///
    /// # Errors
    /// The last conflict, or any other rejection of the event.
    pub fn retry<E: Event<Model = M>>(
        &mut self,
        tries: u32,
        mut event: impl FnMut(&Self) -> (Meta, E),
    ) -> Result<Receipt<E>, StepError> {
        let mut left = tries.max(1);
        loop {
            let (meta, made) = event(self);
            left -= 1;
            match self.try_step_with(meta, made) {
                Err(e) if e.is_retryable() && left > 0 => {}
                result => return result,
            }
        }
    }

    /// Begins a transaction: several events that happen together or not at all. Its time is the clock's when the time is
    /// first asked for, at the latest when it commits. [`Store::transaction`] takes a closure instead.
    pub fn begin(&mut self) -> Transaction<'_, M> {
        Transaction::new(self)
    }

    /// Begins a transaction with metadata.
    ///
    /// # Errors
    /// `TimeGoesBack` where the last transaction has a later time than the explicit one; a failure to read the log
    /// for an idempotency key that it has, or for what has changed; `Metadata` for a frame that the metadata names and the
    /// log does not have.
    pub fn begin_with(&mut self, mut meta: Meta) -> Result<Transaction<'_, M>, StepError> {
        self.core.close();
        if !self.core.logged && (meta.key.is_some() || meta.expect.is_some()) {
            return Err(ReadError::Unlogged.into());
        }
        locate::admit_meta(self, &mut meta)?;
        // A repetition has the time of the transaction that it repeats.
        if let Some(key) = &meta.key
            && let Some(seq) = self.keys.get(key)
        {
            let view = self.view()?;
            let (repeat, time) = repeat::repeat(&view, key, seq)?;
            return Ok(Transaction::new(self).with(
                Some(time),
                meta,
                Some(repeat),
                FastMap::default(),
            ));
        }
        let time = meta.take_time(self.core.open.clock.last())?;
        let changed = match meta.expect {
            Some(seq) => repeat::changed_since(&self.view()?, seq).map_err(StepError::Storage)?,
            None => FastMap::default(),
        };
        Ok(Transaction::new(self).with(time, meta, None, changed))
    }

    /// Runs a closure in a transaction and commits it, or takes it back if the closure fails or panics. Returns what the
    /// closure returned, and the place of the transaction in the log.
    ///
    /// The error is the closure's own type: any that is made from a [`StepError`].
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
    /// The error of the closure; else as [`Transaction::commit`].
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

    /// Asks what would happen: applies the events that the closure applies, checks what a commit would check, and takes
    /// all of it back. Handles that were made inside are stale afterwards, or name other entities. Nothing is encoded for
    /// the log, so that only a step reports a field of an event that cannot be written.
    ///
    /// The error is the closure's own type, as of [`Store::transaction`].
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

    /// The last frame of the log. That of a new store is its schema, so that this does not tell whether any transaction
    /// was committed; `None` only if the log has no frame.
    #[must_use]
    pub fn seq(&self) -> Option<Seq> {
        self.next.checked_sub(1)
    }

    /// The position of the last frame of the log: keep it beside whatever is made from the store as it is now. `None` if
    /// no log is kept. O(1).
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        // The last frame is at hand, so that nothing is read that could fail.
        self.log.known_position(self.seq()?)
    }

    /// The position of a frame of this log: looks up a sequence, or compares a [`Position`] with the frame there. O(1) for
    /// the last frames; further back, the frame is read.
    ///
    /// # Errors
    /// `is_ahead` past the end of the log; `is_other_history` if the position is of another store, or another frame has
    /// its sequence, because this log or the other one continued from an earlier point; `is_before_beginning` before the
    /// snapshot that the store began at; `is_unlogged` if no log is kept; a failure to read the log.
    pub fn locate(&self, frame: impl Into<FrameRef>) -> Result<Position, ReadError> {
        self.view()?.locate(frame.into())
    }

    /// The last frame that is known to be durable.
    #[must_use]
    pub fn durable(&self) -> Option<Seq> {
        self.log.durable()
    }

    /// Makes all committed transactions durable, whatever the store's [`Durability`].
    ///
    /// # Errors
    /// A failure of the disk; the store is stopped then.
    pub fn sync(&mut self) -> Result<(), StorageError> {
        self.log.sync()
    }

    /// A digest of the whole graph, maintained by each step: equal for equal graphs, whatever the order of their lists.
    /// O(1); O(size of the graph) of a store without a log, which does not maintain it.
    #[must_use]
    pub fn fingerprint(&self) -> u128 {
        if self.core.logged {
            self.core.graph.fingerprint
        } else {
            self.core.graph.recomputed_fingerprint()
        }
    }

    /// The torn tail that was cut when the store was opened, if there was one.
    #[must_use]
    pub fn recovered(&self) -> Option<&TornTail> {
        self.log.recovered()
    }

    /// The model as plain data.
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

    /// Fires every event of the log again through today's guards, arcs and handlers, on a graph of its own, and compares
    /// the facts and the fingerprint of each frame. Returns the number of transactions, all of which agreed.
    ///
    /// # Errors
    /// The first difference, or a failure to read the log.
    pub fn verify(&self) -> Result<u64, VerifyError> {
        let binding = M::binding();
        let view = self.view().map_err(|_| VerifyError::Unlogged)?;
        verify::verify(&view, (&binding.columns, &binding.data))
    }

    /// Where the store stands.
    pub(crate) fn at(&self) -> At {
        At {
            seq: self.seq(),
            time: self.core.open.last_time(),
            position: self.position(),
        }
    }

    /// Commits the open transaction: writes it to the log, if there is one, and tells the followers of the store. Once it
    /// is written it has happened, so that no later panic takes it back.
    #[inline]
    fn append(&mut self) -> Result<(), StepError> {
        if self.core.logged {
            self.write()?;
        } else {
            self.next += 1;
            self.core.written();
        }
        if self.followers.listen() {
            self.tell_followers();
        }
        Ok(())
    }

    fn write(&mut self) -> Result<(), StepError> {
        let seq = self.next;
        self.core.check_ends()?;
        frame::encode(&self.core, &mut self.payload);
        let bytes = self.payload.written().len();
        (self.bounds.check(FrameKind::Transaction, self.next, bytes))
            .map_err(StepError::Storage)?;
        if let Some(shadow) = &mut self.shadow {
            shadow.follow(
                &self.core,
                &self.plan,
                self.payload.written(),
                self.epochs.at(seq),
            );
        }
        let header = self.header(seq);
        (self.log.append(header, self.payload.written())).map_err(|e| match e {
            // The lock excludes every other writer.
            AppendError::Conflict { .. } => {
                StepError::Storage(StorageError::stopped(&e.to_string()))
            }
            AppendError::Refused(e) => e.into(),
            AppendError::Indeterminate(e) => StepError::Indeterminate(e),
        })?;
        self.core.written();
        self.next += 1;
        if let Some(shadow) = &mut self.shadow {
            shadow.keep();
        }
        if let Some(key) = &self.core.open.meta.key {
            self.keys.insert(key, seq);
        }
        Ok(())
    }

    /// The header of a transaction that leads to the present graph.
    fn header(&self, seq: Seq) -> FrameHeader {
        let fingerprint = self.core.graph.fingerprint;
        FrameHeader::new(
            seq,
            self.epochs.current(),
            FrameKind::Transaction,
            fingerprint,
        )
    }

    /// Tells the followers of the store of the transaction that has just been written.
    #[inline(never)]
    fn tell_followers(&mut self) {
        let at = self.at();
        let header = at.seq.map(|seq| self.header(seq));
        let Self {
            core,
            epochs,
            payload,
            followers,
            ..
        } = self;
        let core = &*core;
        let frame = header.and_then(|header| {
            Some(CommitFrame {
                header,
                payload: payload.written(),
                position: at.position?,
                tags: epochs.at(header.seq)?,
            })
        });
        let graph = &core.graph;
        followers.committed(&Commit {
            at,
            fingerprint: graph.fingerprinting.then_some(graph.fingerprint),
            facts: &core.open.journal.facts,
            frame,
            core,
            copy: &|| {
                let binding = M::binding();
                flat::paged(core, (&binding.columns, &binding.data))
            },
        });
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

//! The store: a graph, the log that it is made of, and the one who may write to both.

#[cfg(test)]
mod cost;
mod epochs;
pub(crate) mod frame;
mod frames;
mod locate;
mod open;
mod place;
mod repeat;
mod shadow;
mod share;
pub(crate) mod tags;
mod transaction;
mod verify;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

pub use frames::{FiringView, FrameView, FrameViews};
pub use open::Options;
pub(crate) use open::bad_frame;
pub use share::SharedStore;
pub use transaction::{AnyReceipt, Savepoint, Transaction};
pub use verify::{Difference, VerifyError};

use crate::base::cbor::Pen;
use crate::base::error::{Inconsistency, OpenError, ReadError, StepError};
use crate::base::hash::FastMap;
use crate::base::meta::Meta;
use crate::base::position::Seq;
use crate::base::storage_error::{AppendError, StorageError, StorageFailure};
use crate::db::Db;
use crate::graph::GraphRef;
use crate::history::History;
use crate::log::{Frames, Log, ReadOnlyLog, TornTail};
use crate::schema::Schema;
use crate::snapshot::State;
use crate::snapshot::replica::Slot;
use crate::step::event::{Event, Receipt};
use crate::step::model::Model;
use crate::step::plan::Plan;
use crate::step::{Core, flat};
use crate::store::frame::Tags;
use crate::store::repeat::Keys;
use crate::store::shadow::Shadow;
use crate::subscribe::feed;
use std::marker::PhantomData;

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
    pub(crate) epochs: Epochs,
    keys: Keys,
    /// The sequence of the next frame.
    next: Seq,
    bounds: epochs::Bounds,
    payload: Pen,
    /// What replay would make of the log, kept under `paranoid`.
    shadow: Option<Box<Shadow>>,
    /// Where it begins, if that is not at nothing.
    pub(crate) base: Option<Arc<State>>,
    pub(crate) replica: Slot,
    pub(crate) history: History,
    pub(crate) feed: feed::Slot,
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

/// What lies under a store.
pub(crate) enum Backend {
    Writable(Box<dyn Log>),
    ReadOnly(ReadOnlyLog),
    /// No log is kept.
    Unlogged,
}

/// The schemas of a log: from which frame on each holds, and how its numbers are to be read.
#[derive(Default)]
pub(crate) struct Epochs {
    list: Vec<(Seq, Schema, Arc<Tags>)>,
}

impl Epochs {
    /// From which frame on how numbers are to be read.
    pub(crate) fn tags(&self) -> Vec<(Seq, Arc<Tags>)> {
        (self.list.iter())
            .map(|(from, _, tags)| (*from, Arc::clone(tags)))
            .collect()
    }

    /// From which frame on each of so many types of this program has which name in the log.
    pub(crate) fn names(
        &self,
        entities: usize,
    ) -> impl ExactSizeIterator<Item = (Seq, Vec<Option<&str>>)> {
        self.list.iter().map(move |(from, logged, tags)| {
            let name = |entity| Some(&*logged.entities.get(tags.logged_entity(entity)?)?.name);
            (*from, (0..entities).map(name).collect())
        })
    }

    pub(crate) fn at(&self, seq: Seq) -> Option<&Arc<Tags>> {
        self.list
            .iter()
            .rev()
            .find(|(from, ..)| *from <= seq)
            .map(|(.., tags)| tags)
    }
}

impl<M: Model> Store<M> {
    /// An empty store in memory: for tests, and to try things out.
    #[must_use]
    pub fn memory() -> Self {
        // The memory log has nothing that could fail.
        Self::options().memory()
    }

    /// An empty store in memory that keeps no log: for simulations, searches and other graphs of which only the present
    /// matters. A step costs a third of one of [`Store::memory`]. Nothing can be read back: no frames, no `verify`, no
    /// idempotency keys and no `expect`.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
    /// use ironweave::prelude::*;
    /// use lamps::{Bought, Lamp};
    ///
    /// let mut store = Store::<lamps::Model>::unlogged();
    /// store.try_step(Bought { room: "hall".into() })?;
    /// assert_eq!(store.count::<Lamp, Any>(), 1);
    /// assert!(store.frames(0).is_err());
    /// # Ok::<(), StepError>(())
    /// ```
    #[must_use]
    pub fn unlogged() -> Self {
        Self::options().unlogged()
    }

    /// An empty store in memory that distrusts handlers, guards and invariants; see [`Options::paranoid`].
    #[must_use]
    pub fn paranoid() -> Self {
        Self::options().paranoid().memory()
    }

    /// Opens the store in a directory, which is made if it is not there; every step is on disk before its
    /// receipt ([`crate::Durability::Always`]).
    ///
    /// What the log says is checked while it is replayed, and nothing in it is believed because its checksums fit: see
    /// `docs/log-format.md`, *What is refused*. Refused, the error has the file, the frame and the offset.
    ///
    /// One process writes. Fork it before the store is opened, not after: a fork has no threads but one, and the locks of
    /// the others may be held in it for ever. If it steps or syncs all the same, it gets an error and writes nothing.
    ///
    /// # Errors
    /// Where it is locked by another process, damaged, of another model, or the disk refuses.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::options().open(dir)
    }

    /// Opens the store in a directory to read it, beside its writer or without one. Nothing is written and
    /// nothing locked. [`Store::refresh`] takes in what was written since.
    ///
    /// # Errors
    /// Where there is none, or it is damaged or of another model.
    pub fn open_read_only(dir: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::options().open_read_only(dir)
    }

    /// How to open one.
    #[must_use]
    pub fn options() -> Options<M> {
        Options::default()
    }

    /// Fires an event in a transaction of its own. Nothing changes on an error.
    ///
    /// # Errors
    /// Whatever the event is rejected for, and failures of the log.
    pub fn try_step<E: Event<Model = M>>(&mut self, event: E) -> Result<Receipt<E>, StepError> {
        let mut transaction = self.begin();
        let receipt = transaction.apply_here(event)?;
        transaction.commit()?;
        Ok(receipt)
    }

    /// As [`Store::try_step`], for an event that cannot fail.
    ///
    /// # Panics
    /// Where it does.
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
        transaction.commit()?;
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
        transaction.commit()?;
        Ok(receipt)
    }

    /// Makes an event from what there is and fires it; where somebody else was faster, again, `tries` times at
    /// most.
    ///
    /// # Errors
    /// The last conflict, or whatever else the event is rejected for.
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

    /// Begins a transaction: several events that happen together or not at all. Its time is that of the clock when it
    /// is first asked for, at the latest when it commits.
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
        self.admit_meta(&mut meta)?;
        // One that happened has the time that it had then, whatever happened since.
        if let Some(key) = &meta.key
            && let Some((repeat, time)) = self.repeat(key)?
        {
            return Ok(Transaction::new(self).with(
                Some(time),
                meta,
                Some(repeat),
                FastMap::default(),
            ));
        }
        let time = meta.take_time(self.core.open.clock.last())?;
        let changed = match meta.expect {
            Some(seq) => self.changed_since(seq).map_err(StepError::Storage)?,
            None => FastMap::default(),
        };
        Ok(Transaction::new(self).with(time, meta, None, changed))
    }

    /// Asks what would happen: applies what the closure applies, checks what a commit would check, and takes
    /// it all back. Handles made inside name nothing afterwards, or something else. Nothing is encoded for the log, so
    /// that a field of an event which cannot be written is found out only by a step.
    ///
    /// The closure's error is the program's own type, or [`StepError`] itself:
    ///
    /// ```
    /// # use ironweave::prelude::*;
    /// # fn ask<M: ironweave::Model>(store: &mut Store<M>) -> Result<(), StepError> {
    /// store.what_if(|t| -> Result<(), StepError> {
    ///     // t.apply(..)?;
    ///     Ok(())
    /// })
    /// # }
    /// ```
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

    /// The last frame of the log. That of a new store is its schema, so that this is no way to ask whether anything
    /// happened; `None` only of a log without any frame.
    #[must_use]
    pub fn seq(&self) -> Option<Seq> {
        self.next.checked_sub(1)
    }

    /// The last frame that is known to be durable.
    #[must_use]
    pub fn durable(&self) -> Option<Seq> {
        match &self.log {
            Backend::Writable(log) => log.durable(),
            Backend::ReadOnly(log) => log.durable(),
            Backend::Unlogged => None,
        }
    }

    /// Makes everything durable that happened, whatever the store's durability.
    ///
    /// # Errors
    /// Where the disk refuses; the store is stopped then.
    pub fn sync(&mut self) -> Result<(), StorageError> {
        match &mut self.log {
            Backend::Writable(log) => log.sync(),
            Backend::ReadOnly(_) | Backend::Unlogged => Ok(()),
        }
    }

    /// A digest of the whole graph, kept step by step: equal for equal graphs, whatever their order of lists. O(1); of
    /// a store without a log O(size of the graph), since it is not kept there.
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
        match &self.log {
            Backend::Writable(log) => log.recovered(),
            Backend::ReadOnly(_) | Backend::Unlogged => None,
        }
    }

    /// The model as plain data.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.plan.layout.schema
    }

    /// Recomputes all derived state (both directions of every edge, keys, counters, indexes of states, bounds, invariants,
    /// the fingerprint) and returns every inconsistency; an empty list means the store is consistent.
    /// O(size of the graph).
    #[must_use]
    pub fn check(&self) -> Vec<Inconsistency> {
        flat::differences(&self.core, &self.plan)
    }

    pub(crate) fn read(&self, from: Seq) -> Result<Frames<'_>, StorageError> {
        match &self.log {
            Backend::Writable(log) => log.read(from),
            Backend::ReadOnly(log) => log.read(from),
            Backend::Unlogged => Err(no_log()),
        }
    }

    /// Tells the subscriptions, if there are any, of the frame that has just been written.
    #[inline]
    fn announce(&mut self, seq: Seq) {
        if let Some((feed, tags)) = self.feed.get().zip(self.epochs.at(seq)) {
            let kind = crate::log::FrameKind::Transaction;
            let fingerprint = self.core.graph.fingerprint;
            let epoch = self.epochs.current();
            let header = crate::log::FrameHeader::new(seq, epoch, kind, fingerprint);
            let position = match &self.log {
                Backend::Writable(log) => log.position_of(seq).ok().flatten(),
                Backend::ReadOnly(_) | Backend::Unlogged => None,
            };
            if let Some(position) = position {
                feed.publish(header, self.payload.written(), position, tags);
            }
        }
    }

    /// Writes the open transaction to the log, where there is one. From then on it has happened, so that nothing that
    /// panics later takes it back.
    #[inline]
    fn append(&mut self) -> Result<(), StepError> {
        if self.core.logged {
            return self.write();
        }
        self.next += 1;
        self.core.written();
        Ok(())
    }

    fn write(&mut self) -> Result<(), StepError> {
        let seq = self.next;
        self.core.check_ends()?;
        frame::encode(&self.core, &mut self.payload);
        let bytes = self.payload.written().len();
        (self
            .bounds
            .check(crate::log::FrameKind::Transaction, self.next, bytes))
        .map_err(StepError::Storage)?;
        let fingerprint = self.core.graph.fingerprint;
        if let Some(shadow) = &mut self.shadow {
            shadow.follow(
                &self.core,
                &self.plan,
                self.payload.written(),
                self.epochs.at(seq),
            );
        }
        open::append(
            &mut self.log,
            seq,
            self.epochs.current(),
            crate::log::FrameKind::Transaction,
            fingerprint,
            self.payload.written(),
        )
        .map_err(|e| match e {
            // The lock keeps every other writer away.
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
        self.announce(seq);
        Ok(())
    }
}

/// A log that is not kept was used, though each public method that uses one refuses that first: see [`Store::id`].
#[cold]
pub(crate) fn no_log() -> StorageError {
    StorageError::new(StorageFailure::Internal, "this store keeps no log")
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

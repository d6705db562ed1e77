//! Transactions: several events that are committed atomically.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::base::error::StepError;
use crate::base::hash::FastMap;
use crate::base::meta::Meta;
use crate::base::position::{Position, Seq};
use crate::base::time::Timestamp;
use crate::db::{Db, Reader};
use crate::graph::GraphRef;
use crate::schema::EntityIx;
use crate::step::any_event::AnyEvent as _;
use crate::step::bindings::{Bindings, CompiledNames};
use crate::step::event::{Applied, DynEvent, Event, Receipt};
use crate::step::fire::By;
use crate::step::flat;
use crate::step::model::Model;
use crate::step::repeat::{Keyed, Repeat};
use crate::store::observe::traces_steps;
use crate::store::{AnyApplied, AnyReceipt, Facts, Store};

/// An open transaction. If it is dropped without a commit, also by a panic, it is rolled back.
///
/// A transaction that is leaked (`std::mem::forget`) is rolled back when the next transaction begins. Until then, reads through
/// the store see its changes. It is never written, and no snapshot contains its changes.
///
/// A transaction stays on its thread (it is not `Send`), so that a spawned async task cannot hold it across an `.await`. It would
/// keep the store from all others until the task continues. See `AsyncStore::transaction` (feature `async`).
#[must_use = "a transaction that is dropped is rolled back; call `commit`"]
pub struct Transaction<'a, M: Model> {
    pub(super) store: &'a mut Store<M>,
    /// Makes it not `Send`.
    of_one_thread: PhantomData<*const ()>,
}

impl<M: Model> fmt::Debug for Transaction<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Transaction");
        debug.field("store", self.store).finish_non_exhaustive()
    }
}

/// The result of a commit: the position of the transaction in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    seq: Option<Seq>,
    position: Option<Position>,
    repeated: bool,
}

impl Committed {
    /// Returns the sequence number of the transaction, or `None` if no event fired in it, so that nothing was written.
    #[must_use]
    pub fn seq(&self) -> Option<Seq> {
        self.seq
    }

    /// Returns the position of the transaction, after which a consumer can continue. `None` if nothing was written or the store
    /// has no log.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        self.position
    }

    /// Returns whether the transaction was committed earlier under the same idempotency key, so that this commit changed
    /// nothing.
    #[must_use]
    pub fn is_repeated(&self) -> bool {
        self.repeated
    }
}

/// The end of a transaction.
enum End {
    Written,
    /// The transaction was committed earlier, with this sequence number.
    Repeated(Seq),
    /// No event fired in the transaction.
    Idle,
}

/// A point in a transaction to which it can be rolled back; see [`Transaction::savepoint`].
///
/// [`Transaction::rollback_to`] rejects a savepoint of another transaction, and one that a rollback to an earlier savepoint
/// has removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Savepoint(u64);

impl<'a, M: Model> Transaction<'a, M> {
    /// Begins a transaction without metadata.
    #[inline]
    pub(super) fn new(store: &'a mut Store<M>) -> Self {
        store.core.begin();
        Self {
            store,
            of_one_thread: PhantomData,
        }
    }

    /// Begins a transaction without metadata, on a store on which none is open.
    #[inline(always)]
    pub(super) fn first(store: &'a mut Store<M>) -> Self {
        store.core.begin_first();
        Self {
            store,
            of_one_thread: PhantomData,
        }
    }

    pub(super) fn with(
        self,
        time: Option<Timestamp>,
        meta: Meta,
        repeat: Option<Repeat>,
        changed: FastMap<(EntityIx, u32), Seq>,
    ) -> Self {
        let keyed = (meta.key.is_some()).then(|| Box::new(Keyed::new(repeat)));
        (self.store.core.open).set_meta(time, meta, keyed, changed);
        self
    }

    /// Marks the transaction as one that is never committed, so that it is not encoded for the log.
    pub(super) fn speculative(self) -> Self {
        self.store.core.speculate();
        self
    }

    /// Fires an event and returns the entities that it bound and created. The event sees the changes of earlier events of the
    /// transaction. On an error, the event is rolled back and the transaction can continue.
    ///
    /// # Errors
    /// Any [rejection](StepError::is_rejection) of the event.
    pub fn apply<E: Event<Model = M>>(&mut self, event: E) -> Result<Applied<E>, StepError> {
        if let Some(names) = self.fire_compiled(&event)? {
            return Ok(Applied {
                repeated: false,
                created: E::created(names.names()),
                bound: E::bound(names.names()),
            });
        }
        // Built from its parts: a conversion of the whole result would move the error too.
        let (_, repeated, names) = self.fire(&event, self.arcs_by())?;
        let names = names.names();
        Ok(Applied {
            repeated,
            created: E::created(names),
            bound: E::bound(names),
        })
    }

    /// As [`Transaction::apply`]: the receipt, which is valid once the transaction is committed.
    pub(super) fn receipt<E: Event<Model = M>>(
        &mut self,
        event: E,
    ) -> Result<Receipt<E>, StepError> {
        match self.fire_compiled(&event)? {
            Some(names) => Ok(Receipt {
                seq: self.store.next,
                repeated: false,
                created: E::created(names.names()),
                bound: E::bound(names.names()),
            }),
            None => self.receipt_by(&event, self.arcs_by()),
        }
    }

    /// The receipt of an event that is not fired by its compiled arcs alone.
    #[inline(never)]
    pub(super) fn receipt_by<E: Event<Model = M>>(
        &mut self,
        event: &E,
        by: By,
    ) -> Result<Receipt<E>, StepError> {
        let (seq, repeated, names) = self.fire(event, by)?;
        let names = names.names();
        Ok(Receipt {
            seq,
            repeated,
            created: E::created(names),
            bound: E::bound(names),
        })
    }

    /// Fires an event by its compiled arcs. Returns the entities that it bound and created, or `None` if nothing has changed
    /// and the event must be fired by [`Transaction::fire`].
    #[inline(always)]
    fn fire_compiled<E: Event<Model = M>>(
        &mut self,
        event: &E,
    ) -> Result<Option<CompiledNames>, StepError> {
        let Store { core, plan, .. } = &mut *self.store;
        if !core.open.fires_compiled() || traces_steps() {
            return Ok(None);
        }
        let Some(mut names) = core.check_compiled(event) else {
            return Ok(None);
        };
        match core.fire_compiled(plan, event, &mut names) {
            Ok(()) => Ok(Some(names)),
            Err(e) => Err(self.store.observe_error(e)),
        }
    }

    /// What executes the arcs of an event that [`Transaction::fire_compiled`] has not fired.
    fn arcs_by(&self) -> By {
        if self.store.core.open.fires_compiled() && !traces_steps() {
            // A check of its compiled arcs has failed.
            By::Interpreter
        } else {
            By::Compiled
        }
    }

    /// As [`Transaction::apply`], for an event whose type is known only at runtime. See [`crate::AnyEvent`].
    ///
    /// # Errors
    /// As [`Transaction::apply`].
    pub fn apply_any(&mut self, event: &M::Event) -> Result<AnyApplied, StepError> {
        self.any_receipt(event).map(AnyApplied::from)
    }

    /// As [`Transaction::apply_any`]: the receipt, which is valid once the transaction is committed.
    pub(super) fn any_receipt(&mut self, event: &M::Event) -> Result<AnyReceipt, StepError> {
        let (event, plan) = (event.as_dyn(), Arc::clone(&self.store.plan));
        let (seq, repeated, names) = self.fire(event, By::Compiled)?;
        Ok(AnyReceipt::new((seq, repeated), event, names, &plan))
    }

    /// Fires an event. Returns the sequence number that the transaction has or will have, whether it is a repetition, and the
    /// entities that the event bound and created.
    fn fire(&mut self, event: &dyn DynEvent, by: By) -> Result<(Seq, bool, &Bindings), StepError> {
        #[cfg(feature = "tracing")]
        let _entered = self.event_span(event);
        match self.fire_unobserved(event, by) {
            Ok((seq, repeated)) => Ok((seq, repeated, &self.store.core.bindings)),
            Err(e) => Err(self.store.observe_error(e)),
        }
    }

    fn fire_unobserved(&mut self, event: &dyn DynEvent, by: By) -> Result<(Seq, bool), StepError> {
        let Store {
            core, plan, next, ..
        } = &mut *self.store;
        if core.open.is_unusual() {
            core.open.check_whole()?;
            if core.open.keyed().is_some() {
                let first = core.fire_keyed(plan, event)?;
                return Ok((first.unwrap_or(*next), first.is_some()));
            }
        }
        core.fire(plan, event, by)?;
        Ok((*next, false))
    }

    /// Returns the facts of the events that were applied so far.
    #[must_use]
    #[inline]
    pub fn facts(&self) -> Facts<'_, M> {
        let Store { core, plan, .. } = &*self.store;
        Facts::of_open(&core.open.journal, &core.graph, &plan.layout)
    }

    /// Returns a savepoint of the current state of the transaction, for [`rollback_to`](Transaction::rollback_to). O(1).
    pub fn savepoint(&mut self) -> Savepoint {
        Savepoint(self.store.core.savepoint())
    }

    /// Rolls back the events that were applied since a savepoint. O(changes that are rolled back).
    ///
    /// Savepoints nest. A rollback removes the savepoints that were created after the given one. The given one can be used
    /// again.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
    /// use ironweave::prelude::*;
    /// use lamps::{Bought, Lamp};
    ///
    /// let mut store = Store::<lamps::Model>::memory();
    /// let mut t = store.begin();
    /// let first = t.savepoint();
    /// t.apply(Bought { room: "hall".into() })?;
    /// let second = t.savepoint();
    /// t.apply(Bought { room: "attic".into() })?;
    /// t.rollback_to(first)?;
    /// // The rollback has removed the second savepoint.
    /// assert!(matches!(t.rollback_to(second), Err(StepError::StaleSavepoint)));
    /// t.apply(Bought { room: "cellar".into() })?;
    /// t.commit()?;
    /// assert_eq!(store.count::<Lamp, Any>(), 1);
    /// # Ok::<(), StepError>(())
    /// ```
    ///
    /// # Errors
    /// `StaleSavepoint` for a savepoint of another transaction, or one that an earlier rollback has removed. The transaction
    /// is unchanged and can continue.
    pub fn rollback_to(&mut self, savepoint: Savepoint) -> Result<(), StepError> {
        self.store.core.rollback_to(savepoint.0)
    }

    /// Checks the invariants, as a commit does. O(entities that the invariants concern and that were touched).
    ///
    /// # Errors
    /// `Invariant`, for the first invariant that does not hold.
    pub fn check(&self) -> Result<(), StepError> {
        self.store.core.open.check_whole()?;
        flat::check_invariants(&self.store.core, &self.store.plan)
    }

    /// Returns the time of the transaction: the explicit one, or that of the [clock](crate::Options::clock) when the time was first read.
    #[must_use]
    pub fn time(&self) -> Timestamp {
        self.store.core.open.clock.now()
    }

    /// Returns the transaction that was committed earlier under the same idempotency key, or `None` if there is none. If there
    /// is one, no event fires: [`apply`](Self::apply) returns the result that the event had in the earlier transaction, and
    /// rejects an event that the earlier transaction did not try (`KeyReused`). A repetition that applies no event can be
    /// committed. O(1).
    ///
    /// Call this before the transaction chooses its events by the state of the graph, since that state may have changed since
    /// the earlier transaction:
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
    /// use ironweave::prelude::*;
    /// use lamps::{Bought, Lamp};
    ///
    /// # let mut store = Store::<lamps::Model>::memory();
    /// let mut buy = || {
    ///     let mut t = store.begin_with(Meta::new().with_idempotency_key("request-17"))?;
    ///     if t.repeats().is_none() {
    ///         let room = format!("room {}", t.count::<Lamp, Any>() + 1);
    ///         t.apply(Bought { room })?;
    ///     }
    ///     t.commit()
    /// };
    /// let (first, second) = (buy()?, buy()?);
    /// assert_eq!(first.seq(), second.seq());
    /// assert!(second.is_repeated());
    /// # Ok::<(), StepError>(())
    /// ```
    #[must_use]
    pub fn repeats(&self) -> Option<Seq> {
        let keyed = self.store.core.open.keyed.as_deref()?;
        keyed.repeat.as_ref().map(|repeat| repeat.seq)
    }

    /// Checks the invariants and writes the transaction to the log. Returns its position. A transaction in which no event fired
    /// writes nothing.
    ///
    /// # Errors
    /// `Invariant` for the first invariant that does not hold; `Full` if the transaction is too large; `KeyReused` if the
    /// transaction repeats an earlier one with other events; a failure of the log. The transaction is then rolled back.
    #[inline(always)]
    pub fn commit(mut self) -> Result<Committed, StepError> {
        let open = &self.store.core.open;
        if open.is_idle() || open.is_unusual() || traces_steps() {
            return self.commit_unusual();
        }
        if let Err(e) = self.keep_usual() {
            return Err(self.fail(e));
        }
        let committed = self.committed(self.store.seq(), false);
        // The transaction has ended, so its drop has nothing to do.
        std::mem::forget(self);
        Ok(committed)
    }

    /// Rolls the transaction back, and returns the error that is the reason.
    #[cold]
    pub(super) fn fail(self, e: StepError) -> StepError {
        self.store.observe_error(e)
    }

    #[inline(never)]
    fn commit_unusual(mut self) -> Result<Committed, StepError> {
        Ok(match self.finish_unusual()? {
            End::Written => self.committed(self.store.seq(), false),
            End::Repeated(seq) => self.committed(Some(seq), true),
            End::Idle => self.committed(None, false),
        })
    }

    #[inline]
    fn committed(&self, seq: Option<Seq>, repeated: bool) -> Committed {
        let store = &*self.store;
        Committed {
            seq,
            position: if store.core.logged {
                seq.and_then(|seq| store.log.known_position(seq))
            } else {
                None
            },
            repeated,
        }
    }

    /// As [`Transaction::commit`], for callers that do not need the position.
    #[inline]
    pub(super) fn end(mut self) -> Result<(), StepError> {
        let open = &self.store.core.open;
        if open.is_idle() || open.is_unusual() || traces_steps() {
            return self.finish_unusual().map(|_| ());
        }
        self.end_usual()
    }

    /// As [`Transaction::end`], for a transaction in which an event fired, without metadata and savepoints.
    #[inline(always)]
    pub(super) fn end_usual(mut self) -> Result<(), StepError> {
        if let Err(e) = self.keep_usual() {
            return Err(self.fail(e));
        }
        // The transaction has ended, so that its drop must not roll it back.
        std::mem::forget(self);
        Ok(())
    }

    /// As [`Transaction::end_usual`], for a transaction of one event, which was not recorded.
    #[inline(always)]
    pub(super) fn end_unrecorded<E: Event<Model = M>>(
        mut self,
        event: &E,
    ) -> Result<(), StepError> {
        if let Err(e) = self.keep_unrecorded(event) {
            return Err(self.fail(e));
        }
        // Nothing is left to do.
        std::mem::forget(self);
        Ok(())
    }

    #[inline(always)]
    fn keep_unrecorded<E: Event<Model = M>>(&mut self, event: &E) -> Result<(), StepError> {
        let Store { core, plan, .. } = &mut *self.store;
        if flat::check_invariants(core, plan).is_err() {
            // The error names the event.
            core.record_only(plan, event)?;
            return self.keep_usual();
        }
        self.store.append_unrecorded(event)?;
        self.store.core.end_usual();
        Ok(())
    }

    /// Runs a closure in the transaction and commits it. If the closure fails or panics, the drop rolls it back.
    pub(super) fn run<R, E: From<StepError>>(
        mut self,
        work: impl FnOnce(&mut Self) -> Result<R, E>,
    ) -> Result<(R, Committed), E> {
        let result = work(&mut self)?;
        Ok((result, self.commit()?))
    }

    /// Commits a transaction that has metadata or savepoints, in which no event fired, or that is traced.
    #[inline(never)]
    fn finish_unusual(&mut self) -> Result<End, StepError> {
        #[cfg(feature = "tracing")]
        let _entered = self.commit_span();
        let ended = self.finish_unobserved();
        ended.map_err(|e| self.store.observe_error(e))
    }

    fn finish_unobserved(&mut self) -> Result<End, StepError> {
        let open = &mut self.store.core.open;
        open.check_whole()?;
        if let Some(repeat) = open.keyed().and_then(|keyed| keyed.repeat.as_ref()) {
            let seq = repeat.seq;
            return repeat.finish().map(|()| End::Repeated(seq));
        }
        if open.is_idle() {
            return Ok(End::Idle);
        }
        self.keep().map(|()| End::Written)
    }

    /// Checks the transaction, writes it and ends it, if it has no metadata and no savepoints.
    #[inline(always)]
    fn keep_usual(&mut self) -> Result<(), StepError> {
        flat::check_invariants(&self.store.core, &self.store.plan)?;
        self.store.append()?;
        self.store.core.end_usual();
        Ok(())
    }

    /// Checks the transaction, writes it and ends it.
    fn keep(&mut self) -> Result<(), StepError> {
        self.check()?;
        self.store.append()?;
        self.store.core.keep();
        Ok(())
    }

    /// Makes this a transaction of a batch, whose transactions all have the same time.
    pub(super) fn begin_unwritten(&mut self, time: Timestamp, first: bool) {
        if first {
            self.store.begin_unwritten();
        }
        self.store.core.open.clock.set(time);
    }

    /// As [`Transaction::end`], but the transaction is written later, with the others of its batch. It has no metadata.
    pub(super) fn end_unwritten(self) -> Result<(), StepError> {
        if !self.store.core.logged {
            return self.end();
        }
        let kept = self.check().and_then(|()| self.store.keep_unwritten());
        kept.map_err(|e| self.store.observe_error(e))?;
        // The transaction has ended, so that its drop must not roll it back.
        std::mem::forget(self);
        Ok(())
    }

    /// Rolls the transaction back, as a drop does.
    pub fn rollback(self) {}
}

impl<M: Model> Transaction<'_, M> {
    /// Returns a reader of the same graph whose lists borrow from it, so that a read costs only what it takes of a list.
    /// Lists of the transaction itself are copies, and cost all that is in the list.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
    /// use ironweave::prelude::*;
    /// use lamps::{Lamp, Lit, state::{Off, On}};
    ///
    /// let mut store = Store::<lamps::Model>::memory();
    /// let mut transaction = store.begin();
    /// transaction.apply(Lit { lamp: "hall".into() })?;
    /// let first = transaction.reader().place::<Lamp, (Off, On)>().next();
    /// assert_eq!(first, transaction.find("hall"));
    /// # Ok::<(), StepError>(())
    /// ```
    #[must_use]
    pub fn reader(&self) -> Reader<'_> {
        Reader::of(self.graph())
    }
}

impl<M: Model> Drop for Transaction<'_, M> {
    #[inline]
    fn drop(&mut self) {
        flat::close(&mut self.store.core);
    }
}

impl<M: Model> Db for Transaction<'_, M> {
    // A copy, so that the loop over it may change the graph.
    type List<'a, I: Iterator + 'a>
        = std::vec::IntoIter<I::Item>
    where
        Self: 'a;

    fn list<'a, I: Iterator + 'a>(&'a self, items: I) -> Self::List<'a, I> {
        items.collect::<Vec<_>>().into_iter()
    }

    #[inline]
    fn graph(&self) -> GraphRef<'_> {
        GraphRef::Flat(&self.store.core.graph)
    }
}

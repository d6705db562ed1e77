//! Transactions: several events that happen together or not at all.

use std::fmt;
use std::sync::Arc;

use crate::base::error::{EntityRef, Name, StepError};
use crate::base::hash::FastMap;
use crate::base::meta::Meta;
use crate::base::position::{Position, Seq};
use crate::base::time::Timestamp;
use crate::db::Db;
use crate::graph::GraphRef;
use crate::schema::{EntityIx, NameIx};
use crate::step::any_event::AnyEvent as _;
use crate::step::bindings::Bindings;
use crate::step::event::{DynEvent, Event, Receipt};
use crate::step::flat;
use crate::step::model::Model;
use crate::step::plan::{NamePlan, Plan};
use crate::step::repeat::{Keyed, Repeat};
use crate::store::{Facts, Store};

/// An open transaction. Dropped without a commit, or by a panic, it takes back everything that it did.
///
/// A transaction that is leaked (`std::mem::forget`) takes nothing back by itself. Reads through the store see its changes
/// until the next transaction begins, which first takes them back; nothing of it is ever written, and no snapshot shows it.
#[must_use = "a transaction that is dropped takes back what it did: call `commit`"]
pub struct Transaction<'a, M: Model> {
    store: &'a mut Store<M>,
}

impl<M: Model> fmt::Debug for Transaction<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Transaction");
        shown.field("store", self.store).finish_non_exhaustive()
    }
}

/// A committed transaction, and its place in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    seq: Option<Seq>,
    position: Option<Position>,
    repeated: bool,
}

impl Committed {
    /// The sequence of the transaction; `None` if nothing fired in it, and so nothing was written.
    #[must_use]
    pub fn seq(&self) -> Option<Seq> {
        self.seq
    }

    /// The position of the transaction: what a consumer waits for or continues after. `None` if nothing was written, or
    /// no log is kept.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        self.position
    }

    /// Whether the transaction had been committed before under the same idempotency key; nothing was done this time.
    #[must_use]
    pub fn is_repeated(&self) -> bool {
        self.repeated
    }
}

/// How a transaction ended.
enum End {
    Written,
    /// It was committed before, at this sequence.
    Repeated(Seq),
    /// Nothing fired in it.
    Idle,
}

/// The result of an [`AnyEvent`](crate::AnyEvent): what it bound and created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnyReceipt {
    /// The sequence of its transaction in the log.
    pub seq: Seq,
    /// Whether the transaction had been committed before under the same idempotency key: nothing was done this time.
    pub repeated: bool,
    /// The entities of each name of the event: of its entity fields, then of those that it created.
    pub names: Vec<(Name, Vec<EntityRef>)>,
}

impl AnyReceipt {
    pub(crate) fn new(
        (seq, repeated): (Seq, bool),
        event: &dyn DynEvent,
        names: &Bindings,
        plan: &Plan,
    ) -> Self {
        let def = &plan.events[usize::from(event.index())];
        let entities = |(ix, name): (NameIx, &NamePlan)| {
            let entity = &plan.layout.entities[usize::from(name.entity)];
            let refs = names.ids(ix).iter().map(|id| EntityRef {
                entity: Arc::clone(&entity.name),
                id: *id,
                key: None,
            });
            (Arc::clone(&name.name), refs.collect())
        };
        Self {
            seq,
            repeated,
            names: (NameIx::all(def.names.len()).zip(&def.names))
                .map(entities)
                .collect(),
        }
    }
}

/// A point in a transaction to go back to; see [`Transaction::savepoint`].
///
/// It belongs to the transaction that made it. [`Transaction::rollback_to`] refuses one of any other transaction, and one
/// that a rollback to an earlier savepoint has undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Savepoint(u64);

impl<'a, M: Model> Transaction<'a, M> {
    /// At the time of the clock, without metadata.
    #[inline]
    pub(super) fn new(store: &'a mut Store<M>) -> Self {
        store.core.begin();
        Self { store }
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

    /// Marks it as never to be committed, so that nothing needs to be encoded for the log.
    pub(super) fn speculative(self) -> Self {
        self.store.core.speculate();
        self
    }

    /// Fires an event, which sees the changes of the earlier ones. On an error the transaction is as before the event,
    /// and can continue.
    ///
    /// # Errors
    /// Any rejection of the event.
    pub fn apply<E: Event<Model = M>>(&mut self, event: E) -> Result<Receipt<E>, StepError> {
        self.apply_here(event)
    }

    /// As [`Transaction::apply`], compiled where it is called.
    #[inline(always)]
    pub(super) fn apply_here<E: Event<Model = M>>(
        &mut self,
        event: E,
    ) -> Result<Receipt<E>, StepError> {
        let (seq, repeated, names) = self.fire(&event)?;
        Ok(Receipt {
            seq,
            repeated,
            created: E::created(names),
            bound: E::bound(names),
        })
    }

    /// Fires an event that came from outside, see [`crate::AnyEvent`].
    ///
    /// # Errors
    /// As [`Transaction::apply`].
    pub fn apply_any(&mut self, event: &M::Event) -> Result<AnyReceipt, StepError> {
        let (event, plan) = (event.as_dyn(), Arc::clone(&self.store.plan));
        let (seq, repeated, names) = self.fire(event)?;
        Ok(AnyReceipt::new((seq, repeated), event, names, &plan))
    }

    /// Fires an event. Returns the sequence that the transaction has or will have, whether it is a repetition, and what
    /// the event bound and created.
    #[inline(always)]
    fn fire<E: DynEvent + ?Sized>(
        &mut self,
        event: &E,
    ) -> Result<(Seq, bool, &Bindings), StepError> {
        let Store {
            core, plan, next, ..
        } = &mut *self.store;
        if core.open.is_unusual() {
            core.open.check_whole()?;
            if core.open.keyed().is_some() {
                let first = core.fire_keyed(plan, event.erased())?;
                return Ok((first.unwrap_or(*next), first.is_some(), &core.bindings));
            }
        }
        core.fire(plan, event)?;
        Ok((*next, false, &core.bindings))
    }

    /// The facts of the events that were applied so far.
    #[must_use]
    #[inline]
    pub fn facts(&self) -> Facts<'_, M> {
        let Store { core, plan, .. } = &*self.store;
        Facts::new(&core.open.journal.facts, &plan.layout)
    }

    /// Marks this point of the transaction, for [`rollback_to`](Transaction::rollback_to). O(1).
    pub fn savepoint(&mut self) -> Savepoint {
        Savepoint(self.store.core.savepoint())
    }

    /// Takes back what was applied since a savepoint of this transaction; O(what is taken back).
    ///
    /// Savepoints nest: a rollback undoes the savepoints made after the one that it returns to, and they are stale then.
    /// The one that it returns to can be used again.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
    /// use ironweave::prelude::*;
    /// use lamps::{Bought, Lamp};
    ///
    /// let mut store = Store::<lamps::Model>::memory();
    /// let mut t = store.begin();
    /// let nothing = t.savepoint();
    /// t.apply(Bought { room: "hall".into() })?;
    /// let one = t.savepoint();
    /// t.apply(Bought { room: "attic".into() })?;
    /// t.rollback_to(nothing)?;
    /// // The rollback has undone it.
    /// assert!(matches!(t.rollback_to(one), Err(StepError::StaleSavepoint)));
    /// t.apply(Bought { room: "cellar".into() })?;
    /// t.commit()?;
    /// assert_eq!(store.count::<Lamp, Any>(), 1);
    /// # Ok::<(), StepError>(())
    /// ```
    ///
    /// # Errors
    /// `StaleSavepoint` for a savepoint of another transaction, or one that an earlier rollback has undone. Nothing is
    /// taken back then, and the transaction can continue.
    pub fn rollback_to(&mut self, savepoint: Savepoint) -> Result<(), StepError> {
        self.store.core.rollback_to(savepoint.0)
    }

    /// Checks now what a commit would check.
    ///
    /// # Errors
    /// `Invariant`, for the first invariant that does not hold.
    pub fn check(&self) -> Result<(), StepError> {
        self.store.core.open.check_whole()?;
        flat::check_invariants(&self.store.core, &self.store.plan)
    }

    /// The time of the transaction: the clock's when the time was first asked for.
    #[must_use]
    pub fn time(&self) -> Timestamp {
        self.store.core.open.clock.now()
    }

    /// The transaction that was committed before under the same idempotency key, if there is one. Nothing fires then: each
    /// event gets the outcome that it had, and an event that the first transaction did not try is rejected (`KeyReused`). A
    /// repetition that applies no event can be committed.
    ///
    /// Ask for it before the transaction chooses its events by what it reads, because it reads the graph of today:
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

    /// Checks the invariants and writes the transaction to the log. A transaction in which nothing fired
    /// writes nothing.
    ///
    /// # Errors
    /// `Invariant`, or a failure of the log; the transaction is taken back then.
    #[inline]
    pub fn commit(mut self) -> Result<Committed, StepError> {
        let open = &self.store.core.open;
        if open.is_idle() || open.is_unusual() {
            return self.commit_unusual();
        }
        self.keep()?;
        let committed = self.committed(self.store.seq(), false);
        // Nothing is left to do.
        std::mem::forget(self);
        Ok(committed)
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
        Committed {
            seq,
            position: seq.and_then(|seq| self.store.log.known_position(seq)),
            repeated,
        }
    }

    /// As [`Transaction::commit`], for callers that do not ask for the position.
    #[inline]
    pub(super) fn end(mut self) -> Result<(), StepError> {
        let open = &self.store.core.open;
        if open.is_idle() || open.is_unusual() {
            return self.finish_unusual().map(|_| ());
        }
        self.keep()?;
        // Nothing is left to do.
        std::mem::forget(self);
        Ok(())
    }

    /// Runs a closure in the transaction, and commits it; dropped, if the closure fails or panics, it is taken back.
    pub(super) fn run<R, E: From<StepError>>(
        mut self,
        work: impl FnOnce(&mut Self) -> Result<R, E>,
    ) -> Result<(R, Committed), E> {
        let result = work(&mut self)?;
        Ok((result, self.commit()?))
    }

    /// Commits a transaction with metadata or savepoints, or in which nothing happened.
    #[inline(never)]
    fn finish_unusual(&mut self) -> Result<End, StepError> {
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

    /// Checks the transaction and writes it.
    #[inline]
    fn keep(&mut self) -> Result<(), StepError> {
        self.check()?;
        self.store.append()?;
        self.store.core.end();
        Ok(())
    }

    /// Takes back everything that the transaction did, as a drop does.
    pub fn rollback(self) {}
}

impl<M: Model> Drop for Transaction<'_, M> {
    #[inline]
    fn drop(&mut self) {
        self.store.core.close();
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

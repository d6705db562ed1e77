//! Transactions: several events that happen together or not at all.

use std::sync::Arc;

use crate::db::Db;
use crate::entity::{AnyEvent as _, Model};
use crate::error::{EntityRef, Name, StepError};
use crate::fact::Facts;
use crate::graph::GraphRef;
use crate::hash::FastMap;
use crate::log::Seq;
use crate::schema::EntityIx;
use crate::step::bind::Names;
use crate::step::event::{DynEvent, Event, Receipt};
use crate::step::plan::Plan;
use crate::step::{CoreMark, flat};
use crate::store::Store;
use crate::store::repeat::Repeat;
use crate::{Meta, Timestamp};

/// An open transaction. Dropped without a commit, or by a panic, it takes back all that it did.
#[must_use = "a transaction that is dropped takes back what it did: call `commit`"]
pub struct Transaction<'a, M: Model> {
    store: &'a mut Store<M>,
    open: bool,
}

/// What came of an event that came from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnyReceipt {
    /// The sequence of its transaction in the log.
    pub seq: Seq,
    /// What each name of the event stands for: its entity fields, then what it created.
    pub names: Vec<(Name, Vec<EntityRef>)>,
}

impl AnyReceipt {
    pub(crate) fn new(seq: Seq, event: &dyn DynEvent, names: &Names, plan: &Plan) -> Self {
        let def = &plan.events[usize::from(event.index())];
        let entities = |name: usize| -> Vec<EntityRef> {
            let entity = &plan.layout.entities[usize::from(def.names[name].entity)];
            let ids = names.ids(name as u16).iter();
            ids.map(|id| EntityRef {
                entity: Arc::clone(&entity.name),
                id: *id,
            })
            .collect()
        };
        Self {
            seq,
            names: (def.names.iter().enumerate())
                .map(|(i, name)| (Arc::clone(&name.name), entities(i)))
                .collect(),
        }
    }
}

/// A point in a transaction to go back to.
#[derive(Clone, Copy, Debug)]
pub struct Savepoint(CoreMark);

impl<'a, M: Model> Transaction<'a, M> {
    /// At the time of the clock, saying nothing of itself.
    #[inline]
    pub(super) fn new(store: &'a mut Store<M>) -> Self {
        Self { store, open: true }
    }

    pub(super) fn with(
        self,
        time: Option<Timestamp>,
        meta: Meta,
        repeat: Option<Repeat>,
        changed: FastMap<(EntityIx, u32), Seq>,
    ) -> Self {
        let core = &mut self.store.core;
        if let Some(time) = time {
            core.clock.set(time);
        }
        core.meta = meta;
        core.told = true;
        core.changed = changed;
        self.store.repeat = repeat;
        self
    }

    /// Makes it one that is never committed, so that nothing needs to be encoded for the log.
    pub(super) fn speculative(self) -> Self {
        let core = &mut self.store.core;
        core.recording = false;
        // Under `paranoid` fingerprints are compared.
        core.graph.fingerprinting = core.paranoid;
        self
    }

    /// Fires an event, which sees what the former ones did. On an error the transaction is as before it,
    /// and can go on.
    ///
    /// # Errors
    /// Whatever the event is rejected for.
    pub fn apply<E: Event<Model = M>>(&mut self, event: E) -> Result<Receipt<E>, StepError> {
        self.apply_here(event)
    }

    /// As [`Transaction::apply`], compiled where it is called.
    #[inline(always)]
    pub(super) fn apply_here<E: Event<Model = M>>(
        &mut self,
        event: E,
    ) -> Result<Receipt<E>, StepError> {
        let (seq, names) = self.fire(&event)?;
        Ok(Receipt {
            seq,
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
        let (seq, names) = self.fire(event)?;
        Ok(AnyReceipt::new(seq, event, names, &plan))
    }

    /// Fires an event; the sequence that it has or will have, and what it bound and created.
    #[inline(always)]
    fn fire<E: DynEvent + ?Sized>(&mut self, event: &E) -> Result<(Seq, &Names), StepError> {
        let Store {
            core,
            plan,
            next,
            repeat,
            ..
        } = &mut *self.store;
        if let Some(repeat) = repeat {
            core.names = repeat.next(plan, event.erased())?;
            return Ok((repeat.seq, &core.names));
        }
        flat::attempt(core, plan, event)?;
        Ok((*next, &core.names))
    }

    /// What has happened in it so far.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        &self.store.core.graph.journal.facts
    }

    /// A point to go back to.
    pub fn savepoint(&self) -> Savepoint {
        Savepoint(self.store.core.mark())
    }

    /// Takes back what was applied since a savepoint of this transaction.
    ///
    /// Savepoints nest: going back to one makes those after it meaningless.
    pub fn rollback_to(&mut self, savepoint: Savepoint) {
        flat::rollback(&mut self.store.core, savepoint.0);
    }

    /// Checks now what a commit would check.
    ///
    /// # Errors
    /// `Invariant`, with the first that does not hold.
    pub fn check(&self) -> Result<(), StepError> {
        flat::check_invariants(&self.store.core, &self.store.plan)
    }

    /// The time of the transaction: that of the clock when it was first asked for.
    pub fn time(&self) -> Timestamp {
        self.store.core.clock.now()
    }

    /// Checks the invariants and writes the transaction to the log. A transaction in which nothing fired
    /// writes nothing.
    ///
    /// # Errors
    /// `Invariant`, or a failure of the log; the transaction is taken back then.
    #[inline]
    pub fn commit(mut self) -> Result<(), StepError> {
        if self.store.core.is_idle() || self.store.core.told {
            return self.commit_told();
        }
        self.keep()?;
        // Nothing is left to do for it that says nothing of itself.
        std::mem::forget(self);
        Ok(())
    }

    /// Commits a transaction that says something of itself, or in which nothing happened.
    #[inline(never)]
    fn commit_told(mut self) -> Result<(), StepError> {
        if let Some(repeat) = &self.store.repeat {
            return repeat.finish();
        }
        if self.store.core.is_idle() {
            return Ok(());
        }
        self.keep()
    }

    /// Checks and writes what happened: then it stays.
    #[inline]
    fn keep(&mut self) -> Result<(), StepError> {
        self.check()?;
        self.store.append()?;
        self.store.core.clock.end(true);
        self.store.replicate();
        flat::settle(&mut self.store.core);
        self.open = false;
        Ok(())
    }

    /// Takes back all that the transaction did, as dropping it does.
    pub fn rollback(self) {}
}

impl<M: Model> Drop for Transaction<'_, M> {
    #[inline]
    fn drop(&mut self) {
        let Store {
            core,
            logged,
            repeat,
            ..
        } = &mut *self.store;
        if self.open {
            flat::rollback_all(core);
        }
        core.recording = *logged;
        core.graph.fingerprinting = *logged;
        if core.told {
            core.forget_meta();
            *repeat = None;
        }
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

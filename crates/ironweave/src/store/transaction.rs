//! Transactions: several events that happen together or not at all.

use std::sync::Arc;

use crate::db::Db;
use crate::entity::{AnyEvent as _, Model};
use crate::error::{EntityRef, Name, StepError};
use crate::fact::Facts;
use crate::graph::Graph;
use crate::graph::storage::Flat;
use crate::hash::FastMap;
use crate::id::Id;
use crate::log::Seq;
use crate::schema::EntityIx;
use crate::step::CoreMark;
use crate::step::bind::Names;
use crate::step::event::{DynEvent, Event, Receipt};
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
        mut meta: Meta,
        repeat: Option<Repeat>,
        changed: FastMap<(EntityIx, u32), Seq>,
    ) -> Self {
        let core = &mut self.store.core;
        if let Some(time) = meta.time.take() {
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
        let event = event.as_dyn();
        let index = usize::from(event.index());
        let (seq, names) = self.fire(event)?;
        // Not through `names`: they are taken out of the store, which has the words for them.
        let ids: Vec<Vec<Id>> = (0..names.len())
            .map(|name| names.many(name as u16).collect())
            .collect();
        let plan = &self.store.plan;
        let def = &plan.events[index];
        let named = (def.names.iter().zip(ids)).map(|(name, ids)| {
            let entity = &plan.layout.entities[usize::from(name.entity)].name;
            let entities = ids.into_iter().map(|id| EntityRef {
                entity: Arc::clone(entity),
                id,
            });
            (Arc::clone(&name.name), entities.collect())
        });
        Ok(AnyReceipt {
            seq,
            names: named.collect(),
        })
    }

    /// Fires an event; the sequence that it has or will have, and what it bound and created.
    #[inline]
    fn fire(&mut self, event: &dyn DynEvent) -> Result<(Seq, &Names), StepError> {
        let Store {
            core,
            plan,
            next,
            repeat,
            ..
        } = &mut *self.store;
        if let Some(repeat) = repeat {
            core.names = repeat.next(plan, event)?;
            return Ok((repeat.seq, &core.names));
        }
        core.attempt(plan, event)?;
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
        self.store.core.rollback(savepoint.0);
    }

    /// Checks now what a commit would check.
    ///
    /// # Errors
    /// `Invariant`, with the first that does not hold.
    pub fn check(&self) -> Result<(), StepError> {
        if self.store.plan.checks.is_empty() {
            return Ok(());
        }
        self.store.core.check_invariants(&self.store.plan)
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
    pub fn commit(mut self) -> Result<(), StepError> {
        if let Some(repeat) = &self.store.repeat {
            return repeat.finish();
        }
        if self.store.core.is_idle() {
            return Ok(());
        }
        self.check()?;
        self.store.append()?;
        self.store.core.clock.end(true);
        self.store.core.settle();
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
            core.rollback_all();
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

    fn graph(&self) -> &Graph<Flat> {
        &self.store.core.graph
    }
}

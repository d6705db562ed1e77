//! Transactions: several events that happen together or not at all.

use std::sync::Arc;

use crate::db::Db;
use crate::entity::{AnyEvent as _, Model};
use crate::error::{EntityRef, Name, StepError};
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
    begin: CoreMark,
    open: bool,
    /// The one that had its idempotency key before, if there was one.
    repeat: Option<Repeat>,
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
    pub(super) fn new(store: &'a mut Store<M>, time: Timestamp, meta: Meta) -> Self {
        store.core.now = time;
        store.core.meta = meta;
        let begin = store.core.mark();
        Self {
            store,
            begin,
            open: true,
            repeat: None,
        }
    }

    /// Makes it the repetition of an earlier one, or one that expects that nothing of this has changed.
    pub(super) fn repeated(
        &mut self,
        repeat: Option<Repeat>,
        changed: FastMap<(EntityIx, u32), Seq>,
    ) {
        self.repeat = repeat;
        self.store.core.changed = changed;
    }

    /// Fires an event, which sees what the former ones did. On an error the transaction is as before it,
    /// and can go on.
    ///
    /// # Errors
    /// Whatever the event is rejected for.
    pub fn apply<E: Event<Model = M>>(&mut self, event: E) -> Result<Receipt<E>, StepError> {
        self.fire(&event, |seq, names, _| Receipt {
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
        self.fire(event, |seq, names, plan| {
            AnyReceipt::new(seq, event, names, plan)
        })
    }

    fn fire<R>(
        &mut self,
        event: &dyn DynEvent,
        receipt: impl FnOnce(Seq, &Names, &Plan) -> R,
    ) -> Result<R, StepError> {
        if let Some(repeat) = &mut self.repeat {
            let names = repeat.next(&self.store.plan, event)?;
            return Ok(receipt(repeat.seq, &names, &self.store.plan));
        }
        let Store {
            core, plan, next, ..
        } = &mut *self.store;
        let mut attempt = Attempt {
            mark: core.mark(),
            core,
            kept: false,
        };
        let names = flat::step(attempt.core, plan, event)?;
        attempt.kept = true;
        let receipt = receipt(*next, &names, plan);
        attempt.core.give_back(names);
        Ok(receipt)
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

    /// The time of the transaction.
    pub fn time(&self) -> Timestamp {
        self.store.core.now
    }

    /// Checks the invariants and writes the transaction to the log. A transaction in which nothing fired
    /// writes nothing.
    ///
    /// # Errors
    /// `Invariant`, or a failure of the log; the transaction is taken back then.
    pub fn commit(mut self) -> Result<(), StepError> {
        if let Some(repeat) = &self.repeat {
            return repeat.finish();
        }
        if self.store.core.is_idle() {
            return Ok(());
        }
        self.check()?;
        self.store.append()?;
        self.store.replicate();
        flat::settle(&mut self.store.core);
        self.open = false;
        Ok(())
    }

    /// Takes back all that the transaction did, as dropping it does.
    pub fn rollback(self) {}
}

impl<M: Model> Drop for Transaction<'_, M> {
    fn drop(&mut self) {
        if self.open {
            flat::rollback(&mut self.store.core, self.begin);
            flat::settle(&mut self.store.core);
        }
        self.store.core.changed.clear();
    }
}

/// An event that is being applied: taken back where it is rejected, and where user code panics.
struct Attempt<'c> {
    core: &'c mut crate::step::Core,
    mark: CoreMark,
    kept: bool,
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if !self.kept {
            flat::rollback(self.core, self.mark);
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

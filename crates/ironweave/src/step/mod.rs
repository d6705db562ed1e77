//! The step: how an event becomes facts.
//!
//! The order is that of the arcs' grammar: bindings with `Ensure`, then `create`; then the source states,
//! the paths and the conditions are evaluated on the graph as it then is; then the guards; then unlink,
//! relink, link, set, moves, delete; then the handler; then cardinalities and circles; then immediate
//! events until none is enabled. Anything wrong undoes all of it. Invariants are checked at commit.

mod act;
pub(crate) mod any_event;
pub(crate) mod bind;
pub(crate) mod clock;
mod crowded;
pub(crate) mod event;
pub(crate) mod fields;
pub(crate) mod flat;
pub(crate) mod functions;
pub(crate) mod immediates;
pub(crate) mod model;
pub(crate) mod open;
pub(crate) mod plan;
pub(crate) mod repeat;
mod settle;
mod straight;
mod targets;
pub(crate) mod tx;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

pub use tx::{Ensured, New, Tx};

use crate::base::cbor::{MAP, head};
use crate::base::error::{Chain, Reject, StepError};
use crate::base::meta::Meta;
use crate::base::time::Timestamp;
use crate::graph::fact::Facts;
use crate::graph::paged::Paged;
use crate::graph::storage::{Flat, Storage};
use crate::graph::{Graph, GraphMut, GraphRef, Mark};
use crate::step::act::Acting;
use crate::step::bind::{Binder, Names};
use crate::step::event::{DynEvent, FieldWriter, Gives};
use crate::step::open::{Firing, OpenTransaction};
use crate::step::plan::{EventPlan, Plan};
use crate::step::targets::Targets;

/// The graph and the open transaction on it.
pub struct Core<S: Storage = Flat> {
    pub(crate) graph: Graph<S>,
    pub(crate) open: OpenTransaction,
    /// Whether there is a log.
    pub(crate) logged: bool,
    /// Everything is done twice and compared; see [`crate::Options::paranoid`].
    pub(crate) paranoid: bool,
    /// What the event that fired last bound and created.
    pub(crate) names: Names,
    /// The same of an immediate event.
    own: Names,
    targets: Targets,
}

/// The graph and the open transaction on it, in either storage.
pub enum CoreMut<'c> {
    /// Of a store.
    Flat(&'c mut Core),
    /// Of a snapshot.
    Paged(&'c mut Core<Paged>),
}

impl CoreMut<'_> {
    #[inline]
    fn graph(&self) -> GraphRef<'_> {
        match self {
            Self::Flat(core) => GraphRef::Flat(&core.graph),
            Self::Paged(core) => GraphRef::Paged(&core.graph),
        }
    }

    #[inline]
    fn graph_mut(&mut self) -> GraphMut<'_> {
        match self {
            Self::Flat(core) => GraphMut::Flat(&mut core.graph, &mut core.open.journal),
            Self::Paged(core) => GraphMut::Paged(&mut core.graph, &mut core.open.journal),
        }
    }

    /// Executes the declared arcs of an event of the program, as [`Acting::act`] does.
    fn act(self, def: &EventPlan, event: &dyn DynEvent) -> Result<(), StepError> {
        match self {
            Self::Flat(core) => core.acting(def, event).act(),
            Self::Paged(core) => core.acting(def, event).act(),
        }
    }

    /// A point in the journal to go back to.
    fn mark(&self) -> Mark {
        match self {
            Self::Flat(core) => core.graph.mark(&core.open.journal),
            Self::Paged(core) => core.graph.mark(&core.open.journal),
        }
    }

    /// Takes back what a call of a handler did since a mark.
    fn take_back_call(&mut self, mark: Mark) {
        match self {
            Self::Flat(core) => core.undo(|core| core.graph.rollback(&mut core.open.journal, mark)),
            Self::Paged(core) => {
                // There user code runs in the middle of any change: a page that others share is cloned first.
                let broken = core.open.is_broken() || std::thread::panicking();
                core.undo(|core| core.graph.rollback(&mut core.open.journal, mark));
                core.open.set_broken(broken || core.open.is_broken());
            }
        }
    }

    /// An error where the graph is not what its facts say.
    fn check_whole(&self) -> Result<(), StepError> {
        match self {
            Self::Flat(core) => core.open.check_whole(),
            Self::Paged(core) => core.open.check_whole(),
        }
    }

    /// When the open transaction is.
    fn now(&self) -> Timestamp {
        match self {
            Self::Flat(core) => core.open.clock.now(),
            Self::Paged(core) => core.open.clock.now(),
        }
    }

    /// What else the open transaction says of itself.
    fn meta(&self) -> &Meta {
        match self {
            Self::Flat(core) => &core.open.meta,
            Self::Paged(core) => &core.open.meta,
        }
    }
}

/// A point in the open transaction to go back to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CoreMark {
    graph: Mark,
    firings: usize,
    event_bytes: usize,
    events: u32,
    attempts: usize,
}

impl<S: Storage> Core<S> {
    pub(crate) fn new(graph: Graph<S>) -> Self {
        Self {
            graph,
            open: OpenTransaction::recording(),
            logged: true,
            paranoid: false,
            names: Names::default(),
            own: Names::default(),
            targets: Targets::default(),
        }
    }

    fn mark(&self) -> CoreMark {
        let open = &self.open;
        CoreMark {
            graph: self.graph.mark(&self.open.journal),
            firings: open.firings.len(),
            event_bytes: open.event_bytes.len(),
            events: open.events,
            attempts: open.keyed.as_ref().map_or(0, |keyed| keyed.attempts.len()),
        }
    }

    fn rollback(&mut self, mark: CoreMark) {
        self.graph.rollback(&mut self.open.journal, mark.graph);
        self.graph.pending.clear();
        let open = &mut self.open;
        open.firings.truncate(mark.firings);
        open.event_bytes.truncate(mark.event_bytes);
        open.events = mark.events;
        if let Some(keyed) = &mut open.keyed {
            keyed.take_back(mark.attempts);
        }
    }

    /// Takes back what an event did that was rejected, or what the transaction did: all since a mark, or all there is.
    fn take_back(&mut self, mark: Option<CoreMark>) {
        if mark.is_none() && self.is_untouched() && !std::thread::panicking() {
            return;
        }
        self.undo(|core| match mark {
            Some(mark) => core.rollback(mark),
            None => {
                core.graph.rollback_all(&mut core.open.journal);
                core.graph.settle(&mut core.open.journal);
                core.open.firings.clear();
                core.open.event_bytes.clear();
            }
        });
    }

    /// Undoes something. Where the graph is not whole, or user code panics again while it does so for a panic, what is left
    /// stays as it is, and the graph is broken: the panic of an undo must not abort the process.
    fn undo(&mut self, undo: impl FnOnce(&mut Self)) {
        let broken = self.open.is_broken();
        self.open.set_broken(true);
        if !broken && !std::thread::panicking() {
            undo(self);
            self.open.set_broken(false);
            return;
        }
        let undone = catch_unwind(AssertUnwindSafe(|| undo(self)));
        // Only a panic leaves an index behind that is not whole.
        let whole = !broken && undone.is_ok() && !self.graph.is_broken();
        self.open.set_broken(!whole);
    }

    /// Fires an event as [`Core::fire`] does; takes back what it did where it is rejected, and where user code panics.
    #[inline(always)]
    pub(crate) fn attempt<E: DynEvent + ?Sized>(
        &mut self,
        plan: &Plan,
        event: &E,
    ) -> Result<(), StepError> {
        let attempt = Attempt {
            // Nothing has been done before the first.
            mark: (self.open.events > 0).then(|| self.mark()),
            core: self,
        };
        attempt.core.step(plan, event)?;
        std::mem::forget(attempt);
        Ok(())
    }

    /// Fires an event and what follows from it by itself, twice where nobody is trusted; what it bound and created is
    /// in `names` then. On an error the caller rolls back.
    #[inline(always)]
    pub(crate) fn step<E: DynEvent + ?Sized>(
        &mut self,
        plan: &Plan,
        event: &E,
    ) -> Result<(), StepError> {
        let fired = if self.paranoid {
            self.fire_twice(plan, event.erased())
        } else {
            self.fire(plan, event)
        };
        fired.map_err(|e| {
            let name = &plan.events[usize::from(event.index())].name;
            e.led_by(|| vec![Arc::clone(name)])
        })
    }

    /// Fires an event and what follows from it by itself. On an error the caller rolls back.
    #[inline(always)]
    pub(crate) fn fire<E: DynEvent + ?Sized>(
        &mut self,
        plan: &Plan,
        event: &E,
    ) -> Result<(), StepError> {
        let start = self.open.journal.facts.list.len();
        let def = &plan.events[usize::from(event.index())];
        self.names.clear();
        event
            .bind(&mut Binder {
                graph: S::graph_mut(&mut self.graph, &mut self.open.journal),
                names: &mut self.names,
                event: def,
            })
            .map_err(|e| rejected(def, e))?;
        if self.open.has_metadata() && self.open.meta.expect.is_some() {
            self.expect_unchanged(def)?;
        }
        if def.straight {
            self.acting(def, event).go_straight()?;
        } else {
            S::core_mut(self).act(def, event.erased())?;
        }
        if def.handler {
            self.handle(plan, def, event.erased())?;
        }
        if self.open.recording {
            self.note_event(plan, def, event)?;
        } else {
            if !event.is_faithful() {
                check_fields(plan, event)?;
            }
            if plan.traced {
                self.note_firing(event.index(), Firing::NOTHING)?;
            }
        }
        if def.bounded {
            self.check_bounds(start)?;
        }
        if !self.graph.pending.is_empty() {
            self.fire_immediates(plan)?;
        }
        self.open.events += 1;
        Ok(())
    }

    /// An event of the program that fires, with what it acts on.
    #[inline(always)]
    fn acting<'c, G: Gives>(&'c mut self, def: &'c EventPlan, given: G) -> Acting<'c, S, G> {
        Acting {
            graph: &mut self.graph,
            journal: &mut self.open.journal,
            names: &mut self.names,
            targets: &mut self.targets,
            now: if def.timed {
                self.open.clock.now()
            } else {
                Timestamp::default()
            },
            meta: &self.open.meta,
            def,
            given,
        }
    }

    fn handle(
        &mut self,
        plan: &Plan,
        def: &EventPlan,
        event: &dyn DynEvent,
    ) -> Result<(), StepError> {
        // A handler changes all of it but these.
        let names = std::mem::take(&mut self.names);
        let handled = event.handle(&names, S::core_mut(self), plan);
        self.names = names;
        handled.map_err(|e| rejected(def, e))?;
        // It may have caught the panic that left the graph as it is.
        self.open.check_whole()
    }

    /// Fires an event, undoes it and fires it again.
    ///
    /// # Panics
    /// Where the graph was not the same in between, or not the same came of it: a handler or a guard that is not
    /// deterministic.
    pub(crate) fn fire_twice(
        &mut self,
        plan: &Plan,
        event: &dyn DynEvent,
    ) -> Result<(), StepError> {
        let name = &plan.events[usize::from(event.index())].name;
        let (mark, print) = (self.mark(), self.graph.fingerprint);
        let start = self.open.journal.facts.list.len();
        let first = match self.fire(plan, event) {
            Err(e) => Err(e.to_string()),
            Ok(()) => Ok((self.open.journal.facts.clone(), self.graph.fingerprint)),
        };
        self.rollback(mark);
        assert_eq!(
            self.graph.fingerprint, print,
            "{name}: the graph is not what it was after the event was undone"
        );
        let second = self.fire(plan, event);
        match (&first, &second) {
            (Err(first), Err(second)) => {
                let second = second.to_string();
                assert_eq!(*first, second, "{name} is not deterministic");
            }
            (Ok((facts, print)), Ok(_)) => {
                let again = &self.open.journal.facts;
                let same = facts.list.len() == again.list.len()
                    && (start..facts.list.len())
                        .all(|i| facts.same(facts.list[i], again, again.list[i]));
                let words = |facts: &crate::graph::fact::Facts| -> Vec<String> {
                    let list = facts.list[start..].iter();
                    list.map(|f| facts.render(*f, &self.graph.layout)).collect()
                };
                if !same || *print != self.graph.fingerprint {
                    panic!(
                        "{name} is not deterministic: first {:?}, then {:?}",
                        words(facts),
                        words(again)
                    );
                }
            }
            (first, second) => panic!(
                "{name} is not deterministic: it {} and then {}",
                if first.is_ok() {
                    "fired"
                } else {
                    "was rejected"
                },
                if second.is_ok() {
                    "fired"
                } else {
                    "was rejected"
                },
            ),
        }
        second
    }

    /// Rejects an event that binds what has changed since the transaction that the caller knows of.
    fn expect_unchanged(&self, def: &EventPlan) -> Result<(), StepError> {
        let names = &self.names;
        let Some(expected) = self
            .open
            .meta
            .expect
            .filter(|_| !self.open.changed.is_empty())
        else {
            return Ok(());
        };
        for (name, plan) in def.names.iter().enumerate().take(names.len()) {
            for id in names.ids(name as u16).iter().copied() {
                if let Some(found) = self.open.changed.get(&(plan.entity, id.slot)) {
                    return Err(StepError::Changed {
                        event: Arc::clone(&def.name),
                        entity: self.graph.who(plan.entity, id),
                        expected,
                        found: *found,
                        chain: Chain::default(),
                    });
                }
            }
        }
        Ok(())
    }

    /// Applies the facts of a logged transaction, after which the graph has the fingerprint. On an error it is as before.
    pub(crate) fn replay(&mut self, facts: &Facts, fingerprint: u128) -> Result<(), String> {
        let replayed = self
            .apply_all(facts)
            .and_then(|()| self.must_be(fingerprint));
        if replayed.is_err() {
            self.graph.rollback_all(&mut self.open.journal);
        }
        self.graph.settle(&mut self.open.journal);
        replayed
    }

    fn apply_all(&mut self, facts: &Facts) -> Result<(), String> {
        for fact in &facts.list {
            if let Err(e) = self.graph.apply(&mut self.open.journal, *fact, facts) {
                return Err(format!("{}: {e}", facts.render(*fact, &self.graph.layout)));
            }
        }
        self.graph.must_be_complete(facts)
    }

    /// The graph has the fingerprint that the log says.
    pub(crate) fn must_be(&self, logged: u128) -> Result<(), String> {
        let found = self.graph.fingerprint;
        if found == logged {
            return Ok(());
        }
        Err(format!(
            "replayed, the graph has the fingerprint {found:032x}, and the log says {logged:032x}"
        ))
    }

    /// Records that an event of the program fired.
    #[inline(never)]
    fn note_event<E: DynEvent + ?Sized>(
        &mut self,
        plan: &Plan,
        def: &EventPlan,
        event: &E,
    ) -> Result<(), StepError> {
        if def.fields < 24 {
            self.open.event_bytes.push(MAP | def.fields as u8);
        } else {
            head(&mut self.open.event_bytes, MAP, def.fields.into());
        }
        write_fields(plan, event, &mut self.open.event_bytes)?;
        self.note_firing(event.index(), Firing::NOTHING)
    }

    #[inline]
    fn note_firing(&mut self, event: u16, cause: u32) -> Result<(), StepError> {
        let (binding_end, facts_end) = (
            self.open.event_bytes.len(),
            self.open.journal.facts.list.len(),
        );
        let most = binding_end.max(facts_end).max(self.open.firings.len());
        if most >= u32::MAX as usize {
            return Err(StepError::Full {
                what: "the events of one transaction".into(),
                chain: Chain::default(),
            });
        }
        self.open.firings.push(Firing {
            event,
            binding_end: binding_end as u32,
            facts_end: facts_end as u32,
            cause,
        });
        Ok(())
    }
}

/// Writes the fields of an event.
#[inline(always)]
fn write_fields<E: DynEvent + ?Sized>(
    plan: &Plan,
    event: &E,
    bytes: &mut Vec<u8>,
) -> Result<(), StepError> {
    let mut writer = FieldWriter::new(bytes);
    event.encode(&mut writer);
    let Some((field, e)) = writer.failed else {
        return Ok(());
    };
    let def = &plan.layout.schema.events[usize::from(event.index())];
    let what = format!("{}.{}", def.name, def.fields[usize::from(field)].name);
    Err(StepError::Unwritable {
        what: what.into(),
        reason: e.to_string(),
        chain: Chain::default(),
    })
}

/// Rejects where a field would be rejected for what it is if the event were written to a log.
#[inline(never)]
fn check_fields<E: DynEvent + ?Sized>(plan: &Plan, event: &E) -> Result<(), StepError> {
    write_fields(plan, event, &mut Vec::new())
}

/// An event that is being applied: dropped, it takes back what was done.
struct Attempt<'c, S: Storage> {
    core: &'c mut Core<S>,
    mark: Option<CoreMark>,
}

impl<S: Storage> Drop for Attempt<'_, S> {
    #[cold]
    fn drop(&mut self) {
        self.core.take_back(self.mark);
    }
}

/// What a handler or a binding rejected for.
#[cold]
fn rejected(def: &EventPlan, e: Reject) -> StepError {
    e.into_step(|reason| StepError::Rejected {
        event: Arc::clone(&def.name),
        reason,
        chain: Chain::default(),
    })
}

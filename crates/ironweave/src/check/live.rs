//! The live graph of an exploration. It is in one state at a time, which it reaches by firing the events on the way from the first
//! state, each with a point to go back to. Going from one state to the next undoes the events up to the last state that both ways
//! have in common. The states that are explored one after the other have most of their way in common.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use xxhash_rust::xxh3::xxh3_128;

use crate::base::clock::ManualClock;
use crate::base::error::{Reject, StepError};
use crate::base::time::Timestamp;
use crate::check::canonical::Canonizer;
use crate::check::given::Domains;
use crate::check::interned::Events;
use crate::check::resample::Outcome;
use crate::check::states::{FIRST, States};
use crate::check::structure::may_delete;
use crate::graph::GraphMut;
use crate::graph::coloured::Renamed;
use crate::graph::entry::Entry;
use crate::schema::{EntityIx, EventIx};
use crate::step::any_event::AnyEvent as _;
use crate::step::bind::Binder;
use crate::step::bindings::{Bindings, BoundNames};
use crate::step::event::DynEvent;
use crate::step::field_codec::FieldWriter;
use crate::step::fire::By;
use crate::step::guarded::GuardContext;
use crate::step::model::Model;
use crate::step::open::OpenTransaction;
use crate::step::plan::Plan;
use crate::step::tx::Workspace;
use crate::step::undo::CoreMark;
use crate::store::Store;
use crate::value::calculate::ValueFunction;

/// How often code of the program was called.
#[derive(Default)]
pub(crate) struct Calls {
    pub guards: Cell<u64>,
    pub handlers: Cell<u64>,
}

/// The result of an event that was tried.
pub(crate) enum Tried {
    /// It fired, and is not undone yet.
    Fired,
    /// It was rejected.
    Rejected(#[cfg_attr(not(feature = "proptest"), allow(dead_code))] StepError),
    /// It fired and was undone, since there would be too many entities. `progress` is whether it moved or deleted an entity that
    /// exists.
    Cut { progress: bool },
    /// Code of the program panicked.
    Panicked(String),
}

/// A point before an event.
#[derive(Clone, Copy)]
pub(super) struct Before {
    pub mark: CoreMark,
    /// The number of entries of the journal.
    position: usize,
}

/// A store in one of the states.
pub(crate) struct Live<M: Model> {
    pub store: Store<M>,
    /// The state in which the store is.
    pub at: u32,
    /// The states on the way to it, after the first one, each with the point before it.
    way: Vec<(u32, CoreMark)>,
    bounds: Vec<usize>,
    has_ordered_lists: bool,
    /// Whether the fingerprint that the graph keeps distinguishes the states that are to be distinguished.
    has_kept_fingerprint: bool,
    /// Computes fingerprints if entities are renamed.
    canonizer: Option<Canonizer>,
    /// The content of the graph. Reused.
    content: Vec<u8>,
    pub calls: Calls,
}

impl<M: Model> Live<M> {
    /// Begins at the first state.
    pub(super) fn new(domains: &Domains<M>, bounds: Vec<usize>) -> Self {
        let time = domains.first_time();
        let clock = ManualClock::starting_at(time);
        let mut store = Store::<M>::options().clock(clock).unlogged();
        domains.begin(&mut store);
        Self::over(store, time, bounds)
    }

    /// Begins at the state of a store.
    pub(super) fn over(mut store: Store<M>, time: Timestamp, bounds: Vec<usize>) -> Self {
        store.core.begin();
        store.core.open.stop_recording();
        store.core.open.clock.set(time);
        Self {
            store,
            at: FIRST,
            way: Vec::new(),
            bounds,
            has_ordered_lists: true,
            has_kept_fingerprint: false,
            canonizer: None,
            content: Vec::new(),
            calls: Calls::default(),
        }
    }

    /// Distinguishes states by the order of links from now on, or not.
    pub(super) fn order_lists(&mut self, has_ordered_lists: bool) {
        self.has_ordered_lists = has_ordered_lists;
        // The fingerprint of a graph contains neither the order of links nor free slots, and contains generations. If no entity is
        // deleted, there are no free slots, and all generations are the first.
        let schema = &self.store.plan.layout.schema;
        self.has_kept_fingerprint = !has_ordered_lists && !schema.events.iter().any(may_delete);
        self.store.core.graph.fingerprinting = self.has_kept_fingerprint;
    }

    /// Does not distinguish states from now on that differ only by a renaming.
    pub(super) fn rename(&mut self, renamed: Renamed) {
        self.canonizer = Some(Canonizer::new(renamed));
    }

    /// The fingerprint of the state.
    pub(super) fn fingerprint(&mut self) -> u128 {
        self.fingerprint_of(self.has_ordered_lists)
    }

    fn fingerprint_of(&mut self, has_ordered_lists: bool) -> u128 {
        let graph = &self.store.core.graph;
        if let Some(canonizer) = &mut self.canonizer {
            return canonizer.fingerprint(graph, has_ordered_lists);
        }
        if self.has_kept_fingerprint {
            return self.store.core.fingerprint();
        }
        self.content.clear();
        graph.append_canonical(has_ordered_lists, &mut self.content);
        xxh3_128(&self.content)
    }

    /// What an event did that was just tried.
    pub(super) fn outcome(&mut self, tried: &Tried) -> Outcome {
        match tried {
            Tried::Rejected(_) => Outcome::Rejected,
            Tried::Cut { .. } => Outcome::Cut,
            Tried::Panicked(_) => Outcome::Panicked,
            Tried::Fired => {
                let exact = self.fingerprint();
                let unordered = match self.has_ordered_lists {
                    true => self.fingerprint_of(false),
                    false => exact,
                };
                Outcome::Fired { exact, unordered }
            }
        }
    }

    /// A point to go back to.
    pub(super) fn mark(&mut self) -> CoreMark {
        self.store.core.mark()
    }

    /// Goes back to a point.
    pub(super) fn undo(&mut self, mark: CoreMark) {
        self.store.core.rollback(mark);
    }

    /// A point before an event.
    pub(super) fn before(&mut self) -> Before {
        Before {
            position: self.store.core.open.journal.position(),
            mark: self.mark(),
        }
    }

    /// How often handlers were called, also those of immediate events.
    pub(super) fn handler_calls(&self) -> u64 {
        self.calls.handlers.get() + self.store.core.handler_calls
    }

    /// Fires an event as a transaction of its own.
    pub(crate) fn fire(&mut self, event: &M::Event) -> Tried {
        let before = self.before();
        match self.fire_unchecked(event, before) {
            Tried::Fired => self.check_invariants(before),
            tried => tried,
        }
    }

    /// As [`Live::fire`]. If the event fires, its invariants were not checked.
    pub(super) fn fire_unchecked(&mut self, event: &M::Event, before: Before) -> Tried {
        let Store { core, plan, .. } = &mut self.store;
        let event = Counted {
            event: event.as_dyn(),
            calls: &self.calls,
            guards: plan.events[usize::from(event.as_dyn().index())]
                .guards
                .len(),
        };
        let fired = catch_unwind(AssertUnwindSafe(|| {
            core.fire(plan, &event, By::Compiled)?;
            let is_within = (EntityIx::all(self.bounds.len()).zip(&self.bounds))
                .all(|(entity, bound)| core.graph.alive(entity) <= *bound);
            if !is_within {
                // An event that an invariant rejects is not cut.
                core.check_after(plan, before.position)?;
            }
            Ok::<_, StepError>(is_within)
        }));
        let tried = match fired {
            Ok(Ok(true)) => return Tried::Fired,
            Ok(Ok(false)) => Tried::Cut {
                progress: has_progress(&core.open.journal.entries()[before.position..]),
            },
            Ok(Err(e)) => Tried::Rejected(e),
            Err(panic) => Tried::Panicked(message(&*panic)),
        };
        self.undo(before.mark);
        tried
    }

    /// Checks the invariants of what was touched since a point, and goes back to it unless they hold.
    pub(super) fn check_invariants(&mut self, before: Before) -> Tried {
        let Store { core, plan, .. } = &self.store;
        let checked = catch_unwind(AssertUnwindSafe(|| core.check_after(plan, before.position)));
        let tried = match checked {
            Ok(Ok(())) => return Tried::Fired,
            Ok(Err(e)) => Tried::Rejected(e),
            Err(panic) => Tried::Panicked(message(&*panic)),
        };
        self.undo(before.mark);
        tried
    }

    /// Goes to a state. The error says that an event on the way did not do what it did before.
    pub(super) fn go_to(
        &mut self,
        state: u32,
        states: &States,
        events: &Events<M::Event>,
    ) -> Result<(), String> {
        // A state has a greater number than the ones before it. So the greater of two numbers is not on the way to the other.
        let mut ahead = Vec::new();
        let mut target = state;
        while target != self.at {
            if target > self.at {
                ahead.push(target);
                target = states.origin(target).parent;
            } else if let Some((_, mark)) = self.way.pop() {
                self.undo(mark);
                self.at = self.way.last().map_or(FIRST, |(state, _)| *state);
            } else {
                return Err("the state is not known".to_owned());
            }
        }
        for next in ahead.into_iter().rev() {
            let before = self.before();
            let event = events.get(states.origin(next).event);
            // The invariants were checked when the state was found.
            let fired = matches!(self.fire_unchecked(event, before), Tried::Fired);
            self.way.push((next, before.mark));
            self.at = next;
            if !fired || self.fingerprint() != states.fingerprint(next) {
                return Err(format!("{} does not do the same each time", event.name()));
            }
        }
        Ok(())
    }
}

/// The text of a panic.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default()
}

/// Whether some changes move or delete an entity that they have not created.
fn has_progress(entries: &[Entry]) -> bool {
    let mut created = Vec::new();
    entries.iter().any(|entry| match *entry {
        Entry::Create { entity, id, .. } => {
            created.push((entity, id.slot));
            false
        }
        Entry::Move { entity, slot, .. } => !created.contains(&(entity, slot)),
        Entry::Delete { entity, id, .. } => !created.contains(&(entity, id.slot)),
        _ => false,
    })
}

/// An event whose calls of guards and handlers are counted.
struct Counted<'e> {
    event: &'e dyn DynEvent,
    calls: &'e Calls,
    /// How many guards it has.
    guards: usize,
}

fn add(count: &Cell<u64>, n: usize) {
    count.set(count.get() + n as u64);
}

impl DynEvent for Counted<'_> {
    fn index(&self) -> EventIx {
        self.event.index()
    }

    fn bind(&self, binder: &mut Binder<'_>) -> Result<(), Reject> {
        self.event.bind(binder)
    }

    fn value(&self, index: u16) -> &dyn Any {
        self.event.value(index)
    }

    fn function(&self, index: u16) -> ValueFunction {
        self.event.function(index)
    }

    fn guard(&self, index: u16, context: &GuardContext<'_>) -> Result<(), Reject> {
        add(&self.calls.guards, 1);
        self.event.guard(index, context)
    }

    fn run_compiled(
        &self,
        plan: &Plan,
        graph: GraphMut<'_>,
        open: &mut OpenTransaction,
        bindings: &mut Bindings,
    ) -> Result<bool, StepError> {
        let ran = self.event.run_compiled(plan, graph, open, bindings);
        // Compiled arcs call the guards of the event itself.
        match &ran {
            Ok(true) => add(&self.calls.guards, self.guards),
            Err(StepError::Guard { guard, .. }) => {
                let guards = &plan.events[usize::from(self.index())].guards;
                let rejected = guards.iter().position(|name| name == guard);
                add(
                    &self.calls.guards,
                    rejected.map_or(self.guards, |at| at + 1),
                );
            }
            _ => {}
        }
        ran
    }

    fn handle(&self, names: BoundNames<'_>, workspace: Workspace<'_>) -> Result<(), Reject> {
        add(&self.calls.handlers, 1);
        self.event.handle(names, workspace)
    }

    fn encode(&self, writer: &mut FieldWriter<'_>) {
        self.event.encode(writer);
    }

    fn is_faithful(&self) -> bool {
        self.event.is_faithful()
    }

    fn erased(&self) -> &dyn DynEvent {
        self
    }
}

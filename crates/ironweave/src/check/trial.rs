//! A store on which the events of a model are tried one at a time, and kept or undone: what draws events has one. The bindings of an
//! event in the present state are listed, or drawn.

use crate::base::time::Timestamp;
use crate::check::bindings::Enumeration;
use crate::check::bindings::pools::{Breadth, Pools};
use crate::check::domain::{EventChoices, MissingDomains, Resolved, resolve};
use crate::check::given::Domains;
use crate::check::live::{Live, Tried};
use crate::step::model::Model;
use crate::step::undo::CoreMark;
use crate::store::Store;

/// A store of a model, and what is tried on it. An event is named by its index among [`Trial::events`].
///
/// 1. [`Trial::see`] finds out about the present state, once after each change.
/// 2. [`Trial::bindings`] lists the bindings of an event; [`Trial::pools`] is for those of events that have too many.
/// 3. [`Trial::fire`] fires one. What fired stays until [`Trial::undo`].
pub(crate) struct Trial<M: Model> {
    domains: Domains<M>,
    resolved: Resolved,
    enumeration: Enumeration,
    live: Live<M>,
}

impl<M: Model> Trial<M> {
    /// A store in the first state. `of` is what tries the events, for the error.
    pub(crate) fn new(domains: Domains<M>, of: &'static str) -> Result<Self, MissingDomains> {
        let mut resolved = resolve(&domains, of)?;
        Ok(Self {
            enumeration: Enumeration::new(&mut resolved),
            live: Live::new(&domains, resolved.entities.clone()),
            resolved,
            domains,
        })
    }

    /// The events that a program can fire, in the order of the schema, with what is tried for their fields.
    pub(crate) fn events(&self) -> &[EventChoices] {
        &self.resolved.events
    }

    pub(crate) fn store(&self) -> &Store<M> {
        &self.live.store
    }

    /// Sets the time of the events that follow.
    pub(crate) fn set_time(&mut self, time: Timestamp) {
        self.live.store.core.open.clock.set(time);
    }

    /// Finds out about the state in which the store is. To be called before bindings are asked for. O(entities with a key).
    pub(crate) fn see(&mut self) {
        self.enumeration.find_keys(&self.live.store.core.graph);
    }

    /// Whether an event would only create more entities than there may be.
    pub(crate) fn is_full(&self, of: usize) -> bool {
        let graph = &self.live.store.core.graph;
        let is_full = |entity| graph.alive(entity) >= self.resolved.entities[usize::from(entity)];
        self.resolved.events[of].creates.iter().any(|e| is_full(*e))
    }

    /// The bindings of an event that a function of the user gives; `None` if there is no such function.
    pub(crate) fn given(&self, of: usize) -> Option<Vec<M::Event>> {
        let binder = self.resolved.events[of].binder?;
        let (_, bindings) = self.domains.bindings.get(binder)?;
        Some(bindings(&self.live.store))
    }

    /// What the fields of an event can be in this state, if no function gives its bindings.
    pub(crate) fn pools(&mut self, of: usize, breadth: Breadth<'_>) -> Pools {
        let graph = &self.live.store.core.graph;
        (self.enumeration).pools(graph, &self.resolved.events[of], breadth)
    }

    /// Makes an event from a binding of its pools. A field among `values` has that value instead, in CBOR.
    pub(crate) fn event(
        &self,
        of: usize,
        choices: &[Vec<u64>],
        values: &[(usize, Vec<u8>)],
    ) -> Result<M::Event, String> {
        let event = &self.resolved.events[of];
        let made = self.enumeration.event_of(event, choices, values);
        made.map_err(|e| format!("a binding of {} cannot be decoded: {e}", event.name))
    }

    /// The bindings of an event in this state, at most so many. Not all of them can fire: conditions and guards are not evaluated.
    pub(crate) fn bindings(&mut self, of: usize, max: usize) -> Result<Vec<M::Event>, String> {
        if let Some(mut given) = self.given(of) {
            given.truncate(max);
            return Ok(given);
        }
        let pools = self.pools(of, Breadth::Possible);
        let numbers = 0..pools.len().min(max as u64);
        let event = |i| self.event(of, &pools.nth(i), &[]);
        numbers.map(event).collect()
    }

    /// A point to go back to.
    pub(crate) fn mark(&mut self) -> CoreMark {
        self.live.mark()
    }

    /// Goes back to a point after the last [`keep`](Self::keep).
    pub(crate) fn undo(&mut self, mark: CoreMark) {
        self.live.undo(mark);
    }

    /// Fires an event with all that follows from it. Unless it fired, the store is as before.
    pub(crate) fn fire(&mut self, event: &M::Event) -> Tried {
        self.live.fire(event)
    }

    /// Keeps for good what fired, so that the memory for undoing it is free. The next events have a time of their own.
    pub(crate) fn keep(&mut self, next: Timestamp) {
        let core = &mut self.live.store.core;
        core.keep();
        core.begin();
        core.open.clock.set(next);
    }
}

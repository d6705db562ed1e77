//! A store on which the events of a model are tried one at a time. The bindings of an event in the present state are drawn, or all
//! tried.

use crate::base::id::Id;
use crate::base::time::Timestamp;
use crate::check::bindings::Enumeration;
use crate::check::bindings::pools::{Breadth, Pools};
use crate::check::domain::{EventChoices, MissingDomains, Resolved, resolve};
use crate::check::given::Domains;
use crate::check::live::{Live, Tried};
use crate::graph::entry::Entry;
use crate::schema::{EntityIx, EventIx, StateIx};
use crate::step::model::Model;
use crate::step::undo::CoreMark;
use crate::store::Store;

/// A store of a model, and what is tried on it. An event is named by its index among [`Trial::events`].
///
/// 1. [`Trial::see`] finds out about the present state, once after each change.
/// 2. [`Trial::given`] or [`Trial::pools`] has the bindings of an event.
/// 3. [`Trial::fire`] fires one. What fired stays until [`Trial::undo`].
pub(crate) struct Trial<M: Model> {
    domains: Domains<M>,
    resolved: Resolved,
    enumeration: Enumeration,
    live: Live<M>,
    /// How many entries, facts and firings there were before the last event.
    before: (usize, usize, usize),
}

/// A change of an entity.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change {
    Created(Id),
    Deleted(Id),
    Moved { from: StateIx, to: StateIx },
}

/// What an event that fired has changed.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// Each with the event that made it, which may be an immediate one, and the type of the entity, in order.
    pub changes: Vec<(EventIx, EntityIx, Change)>,
    /// The immediate events that fired.
    pub immediates: Vec<EventIx>,
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
            before: (0, 0, 0),
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

    /// A point to go back to.
    pub(crate) fn mark(&mut self) -> CoreMark {
        self.live.mark()
    }

    /// Goes back to a point.
    pub(crate) fn undo(&mut self, mark: CoreMark) {
        self.live.undo(mark);
    }

    /// Fires an event with all that follows from it. Unless it fired, the store is as before.
    pub(crate) fn fire(&mut self, event: &M::Event) -> Tried {
        let open = &self.live.store.core.open;
        let journal = &open.journal;
        self.before = (journal.position(), journal.facts_len(), open.firings.len());
        self.live.fire(event)
    }

    /// What the last event has changed, which fired and was not undone.
    pub(crate) fn effects(&self, event: EventIx) -> Effects {
        let (entries, mut facts, firings) = self.before;
        let open = &self.live.store.core.open;
        // Without immediate events, firings may not be recorded.
        let firings = open.firings.get(firings..).unwrap_or_default();
        let mut effects = Effects::default();
        effects
            .immediates
            .extend(firings.iter().skip(1).map(|firing| firing.event));
        let mut ends = firings.iter().peekable();
        for entry in open.journal.entries().get(entries..).unwrap_or_default() {
            let len = entry.facts_len();
            // A removed value is no fact, and belongs to the fact before it.
            while ends
                .next_if(|f| len > 0 && f.facts_end as usize <= facts)
                .is_some()
            {}
            facts += len;
            let by = ends.peek().map_or(event, |firing| firing.event);
            let (entity, change) = match *entry {
                Entry::Create { entity, id, .. } => (entity, Change::Created(id)),
                Entry::Delete { entity, id, .. } => (entity, Change::Deleted(id)),
                Entry::Move {
                    entity, from, to, ..
                } => (entity, Change::Moved { from, to }),
                _ => continue,
            };
            effects.changes.push((by, entity, change));
        }
        effects
    }
}

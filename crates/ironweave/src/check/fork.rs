//! A store in memory of which the bindings are found and fired one after the other, in time that is set: what a simulation needs.

use minicbor::Decoder;

use crate::base::clock::{Clock, ManualClock};
use crate::base::id::Id;
use crate::base::time::Timestamp;
use crate::check::MissingDomains;
use crate::check::bindings::{Candidate, Enumeration};
use crate::check::domain::{Purpose, Resolved, resolve_for};
use crate::check::given::Domains;
use crate::check::interned::Events;
use crate::check::live::{Live, Tried};
use crate::graph::GraphRef;
use crate::graph::key::parts;
use crate::schema::BindBy;
use crate::snapshot::Snapshot;
use crate::step::any_event::AnyEvent as _;
use crate::step::clock::TransactionTime;
use crate::step::field_codec::{FieldReader, encode_items};
use crate::step::model::Model;
use crate::step::undo::CoreMark;
use crate::store::Store;

/// After how many events those that are remembered are forgotten. Most of them do not occur again.
const EVENTS_REMEMBERED: usize = 1 << 16;

/// An event with all of its fields.
#[derive(Clone, Copy)]
pub(crate) struct Binding {
    /// Its number. It is the same in all states of a run, also if the event creates an entity with the next key, or has the time as a
    /// field.
    pub number: u32,
    /// The index of its event in [`Fork::names`].
    pub of: usize,
    /// The number of the interned event, until events are forgotten.
    event: u32,
}

/// A store in memory that begins at the same state again and again.
pub(crate) struct Fork<'d, M: Model> {
    domains: &'d Domains<M>,
    resolved: Resolved,
    enumeration: Enumeration,
    events: Events<M::Event>,
    live: Live<M>,
    first: CoreMark,
    first_time: Timestamp,
    /// Reused.
    candidates: Vec<Candidate>,
}

impl<'d, M: Model> Fork<'d, M> {
    /// Begins at an empty store or a snapshot, on which the start of the domains is called. Events that are `without` do not occur.
    pub(crate) fn new(
        domains: &'d Domains<M>,
        without: &[&'static str],
        base: Option<&Snapshot<M>>,
    ) -> Result<Self, MissingDomains> {
        let purpose = Purpose {
            of: "the simulation",
            is_bounded: false,
            has_time: true,
            without,
        };
        let mut resolved = resolve_for(domains, purpose)?;
        let mut store = match base {
            Some(base) => base.clone().into_store(),
            None => Store::<M>::options().unlogged(),
        };
        let last = store.core.open.last_time();
        let clock = ManualClock::starting_at(last.max(domains.first_time()));
        store.core.open.clock = TransactionTime::after(last, &Clock::Manual(clock.clone()));
        domains.begin(&mut store);
        // The start may have stepped with times of its own.
        let first_time = clock.now().max(store.core.open.last_time());
        let mut live = Live::over(store, first_time, resolved.entities.clone());
        let mut enumeration = Enumeration::new(&mut resolved);
        enumeration.identify();
        Ok(Self {
            domains,
            enumeration,
            events: Events::new(),
            first: live.mark(),
            first_time,
            live,
            candidates: Vec::new(),
            resolved,
        })
    }

    /// The names of the events that can occur, in the order of their declaration.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.resolved.events.iter().map(|event| &*event.name)
    }

    /// The store.
    pub(crate) fn store(&self) -> &Store<M> {
        &self.live.store
    }

    /// The time at which it begins.
    pub(crate) fn first_time(&self) -> Timestamp {
        self.first_time
    }

    /// Goes back to where it began. Bindings have other numbers then.
    pub(crate) fn restart(&mut self) {
        self.live.undo(self.first);
        self.set_time(self.first_time);
        self.events = Events::new();
        self.enumeration.identify();
    }

    /// Sets the time of the next events.
    pub(crate) fn set_time(&mut self, time: Timestamp) {
        self.live.store.core.open.clock.set(time);
    }

    /// Forgets the events of all bindings if there are many. Those that are needed are to be found again.
    pub(crate) fn forget(&mut self) {
        if self.events.len() > EVENTS_REMEMBERED {
            self.events = Events::new();
        }
    }

    /// Finds the bindings in the present state, of which not all may be enabled. The error says which binding cannot be made.
    pub(crate) fn bindings(&mut self, out: &mut Vec<Binding>) -> Result<(), String> {
        self.candidates.clear();
        self.enumeration.collect(
            (&self.resolved, self.domains),
            &self.live.store,
            &mut self.events,
            &mut self.candidates,
        )?;
        out.clear();
        out.extend(self.candidates.iter().map(|candidate| Binding {
            number: candidate.binding,
            of: candidate.of as usize,
            event: candidate.number,
        }));
        Ok(())
    }

    /// The event of a binding.
    pub(crate) fn event(&self, binding: Binding) -> &M::Event {
        self.events.get(binding.event)
    }

    /// The time at which the event of a binding is due; `None` if it has no due time, or is not due for its entity. O(1).
    pub(crate) fn due_time(&self, binding: Binding) -> Option<Timestamp> {
        let graph = &self.live.store.core.graph;
        let due = self.resolved.events[binding.of].due?;
        let due = &graph.layout.dues[usize::from(due)];
        let bytes = encode_items(self.event(binding).as_dyn(), 1).ok()?;
        let reader = FieldReader::new(&bytes, &[0]).ok()?;
        let named = reader.raw(0)?;
        let id = match due.by {
            BindBy::Key => match graph.layout.entities[usize::from(due.entity)].key.len() {
                1 => graph.with_key(due.entity, &[named]),
                _ => graph.with_key(due.entity, &parts(named)),
            },
            _ => Decoder::new(named).u64().ok().and_then(Id::from_bits),
        };
        let id = id.filter(|id| graph.exists(due.entity, *id))?;
        GraphRef::Flat(graph).due_time(due, id.slot)
    }

    /// Returns whether the event of a binding would fire. The error is the message of a panic.
    pub(crate) fn is_enabled(&mut self, binding: Binding) -> Result<bool, String> {
        let mark = self.live.mark();
        let fired = self.fire(binding)?;
        if fired {
            self.live.undo(mark);
        }
        Ok(fired)
    }

    /// Fires the event of a binding, and returns whether it fired. The error is the message of a panic.
    pub(crate) fn fire(&mut self, binding: Binding) -> Result<bool, String> {
        match self.live.fire(self.events.get(binding.event)) {
            Tried::Fired => Ok(true),
            Tried::Rejected(_) | Tried::Cut { .. } => Ok(false),
            Tried::Panicked(message) => Err(message),
        }
    }
}

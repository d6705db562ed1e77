//! What a store knows of due events that is not in its graph: which were rejected and when they are tried again, and which
//! drivers wait for the next one.
//!
//! It follows commits only while there is something to know: while a rejected event waits, a driver waits or due events fire.
//! A commit then looks up each entity that its facts touch: O(facts).

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use crate::base::alarm::Alarm;
use crate::base::id::Id;
use crate::base::time::Timestamp;
use crate::graph::GraphRef;
use crate::graph::due::Deadline;
use crate::schema::EntityIx;
use crate::store::commit::{Commit, Follower};

/// The backoff after the first rejection. It doubles with each further one.
const BACKOFF: Duration = Duration::from_secs(1);

/// After this number of rejections, the backoff does not double any more: it is 256 s.
const DOUBLINGS_MAX: u32 = 8;

/// Of how many entities that are linked with its own at one end a rejected event is tried again when one changes.
const LINKS_MAX: usize = 64;

/// An event, as an index of [`Layout::dues`](crate::graph::layout::Layout::dues), and the entity that it is due for.
pub(crate) type Binding = (u16, Id);

/// An entity: its type and slot.
type Place = (EntityIx, u32);

/// What a store knows of due events.
#[derive(Default)]
pub(crate) struct DueMemory {
    /// Whether there is anything that a commit may change.
    follows: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The events that wait until they are tried again.
    waiting: HashMap<Binding, Waiting>,
    /// Which of them read an entity.
    readers: HashMap<Place, Vec<Binding>>,
    /// The entities that were changed since the last look, while due events fire.
    touched: Option<Vec<Place>>,
    drivers: Vec<Driver>,
}

struct Waiting {
    until: Timestamp,
    rejections: u32,
    /// The entities that it reads.
    reads: Vec<Place>,
}

/// A driver that waits.
struct Driver {
    alarm: Weak<Alarm>,
    /// When it looks again by itself.
    until: Timestamp,
}

impl DueMemory {
    // What is inserted and removed under this lock is consistent after each method of `State`.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.lock();
        let result = change(&mut state);
        let follows =
            !state.waiting.is_empty() || state.touched.is_some() || !state.drivers.is_empty();
        self.follows.store(follows, Ordering::Relaxed);
        result
    }

    /// Collects the entities that commits change, until the returned value is dropped.
    pub(super) fn begin_call(self: &Arc<Self>) -> Call {
        self.change(|state| state.touched = Some(Vec::new()));
        Call(Arc::clone(self))
    }

    /// The entities that were changed since the last call.
    pub(super) fn take_touched(&self) -> Vec<Place> {
        let mut state = self.lock();
        state
            .touched
            .as_mut()
            .map(std::mem::take)
            .unwrap_or_default()
    }

    /// Whether a rejected event is not tried again yet.
    pub(super) fn waits(&self, binding: Binding, now: Timestamp) -> bool {
        let state = self.lock();
        (state.waiting.get(&binding)).is_some_and(|waiting| now < waiting.until)
    }

    /// Returns the first so many events that are due and not waiting.
    pub(super) fn first_due(
        &self,
        graph: GraphRef<'_>,
        now: Timestamp,
        max: usize,
    ) -> BinaryHeap<Reverse<Deadline>> {
        let state = self.lock();
        let ready = graph.deadlines(now).filter(|deadline| {
            let waiting = state.waiting.get(&binding(graph, deadline));
            waiting.is_none_or(|waiting| waiting.until <= now)
        });
        ready.take(max).map(Reverse).collect()
    }

    /// See [`Store::next_due`](crate::Store::next_due).
    pub(super) fn next_due(&self, graph: GraphRef<'_>) -> Option<Timestamp> {
        let state = self.lock();
        let mut next = None;
        for deadline in graph.deadlines(Timestamp::from_micros(i64::MAX)) {
            let waiting = state.waiting.get(&binding(graph, &deadline));
            let at = waiting.map_or(deadline.0, |waiting| waiting.until.max(deadline.0));
            if next.is_none_or(|next| at < next) {
                next = Some(at);
            }
            // The others are not due before this one.
            if waiting.is_none() {
                break;
            }
        }
        next
    }

    /// Leaves an event out until something that it reads has changed or its backoff has ended, which is returned.
    pub(super) fn postpone(
        &self,
        binding: Binding,
        entity: EntityIx,
        graph: GraphRef<'_>,
        now: Timestamp,
    ) -> Timestamp {
        let slot = binding.1.slot;
        let layout = graph.layout();
        let mut reads = vec![(entity, slot)];
        for hop in &layout.entities[usize::from(entity)].ends {
            let far = layout.edges[usize::from(hop.edge)].far(hop.forward).entity;
            let links = graph.links(*hop, slot);
            reads.extend(links.iter().take(LINKS_MAX).map(|slot| (far, *slot)));
        }
        self.change(|state| state.postpone(binding, reads, now))
    }

    /// Forgets that an event was rejected, since it has fired.
    pub(super) fn forget(&self, binding: Binding) {
        self.change(|state| state.forget(binding));
    }

    /// Begins to fire an event. If user code panics, the event is postponed.
    pub(super) fn attempt(
        &self,
        binding: Binding,
        entity: EntityIx,
        now: Timestamp,
    ) -> Attempt<'_> {
        Attempt {
            memory: self,
            binding,
            entity,
            now,
            panics: true,
        }
    }

    /// Lets a driver be woken when an event is due before `until`, because of a commit.
    pub(super) fn arm(&self, alarm: &Arc<Alarm>, until: Timestamp) {
        self.change(|state| {
            let drivers = &mut state.drivers;
            drivers.retain(|driver| driver.alarm.strong_count() > 0);
            let alarm = Arc::downgrade(alarm);
            drivers.retain(|driver| !driver.alarm.ptr_eq(&alarm));
            drivers.push(Driver { alarm, until });
        });
    }

    fn committed(&self, commit: &Commit<'_>) {
        let graph = GraphRef::Flat(&commit.core.graph);
        let layout = graph.layout();
        let touched = commit.facts.list.iter();
        let touched = touched.flat_map(|fact| fact.touches(layout).into_iter().flatten());
        let woken = self.change(|state| {
            let mut changed: Vec<(u16, u32)> = Vec::new();
            for (entity, slot) in touched {
                let forgotten = state.forget_readers((entity, slot));
                changed.extend(forgotten.map(|(due, id)| (due, id.slot)));
                let dues = &layout.entities[usize::from(entity)].dues;
                changed.extend(dues.iter().map(|due| (*due, slot)));
                if let Some(touched) = state.touched.as_mut().filter(|_| !dues.is_empty()) {
                    touched.push((entity, slot));
                }
            }
            let time = |(due, slot)| graph.due_time(&layout.dues[usize::from(due)], slot);
            match state.drivers.is_empty() {
                true => Vec::new(),
                false => state.woken_by(changed.into_iter().filter_map(time).min()),
            }
        });
        woken.iter().for_each(|alarm| alarm.ring());
    }
}

/// The event and the entity of a deadline.
fn binding(graph: GraphRef<'_>, (_, due, slot): &Deadline) -> Binding {
    let entity = graph.layout().dues[usize::from(*due)].entity;
    (*due, graph.id(entity, *slot))
}

impl State {
    fn postpone(&mut self, binding: Binding, reads: Vec<Place>, now: Timestamp) -> Timestamp {
        let rejections = self.forget(binding).map_or(0, |waiting| waiting.rejections);
        let until = now + BACKOFF * (1 << rejections.min(DOUBLINGS_MAX));
        for place in &reads {
            self.readers.entry(*place).or_default().push(binding);
        }
        let waiting = Waiting {
            until,
            rejections: rejections + 1,
            reads,
        };
        self.waiting.insert(binding, waiting);
        until
    }

    fn forget(&mut self, binding: Binding) -> Option<Waiting> {
        let waiting = self.waiting.remove(&binding)?;
        for place in &waiting.reads {
            if let Some(readers) = self.readers.get_mut(place) {
                readers.retain(|reader| *reader != binding);
                if readers.is_empty() {
                    self.readers.remove(place);
                }
            }
        }
        Some(waiting)
    }

    /// Forgets the events that read an entity, which has changed, and returns them.
    fn forget_readers(&mut self, place: Place) -> impl Iterator<Item = Binding> {
        let readers = self.readers.remove(&place).unwrap_or_default();
        for binding in &readers {
            self.forget(*binding);
        }
        readers.into_iter()
    }

    /// Returns the alarms of the drivers that wait for a later time than the first one of some events.
    fn woken_by(&mut self, first: Option<Timestamp>) -> Vec<Arc<Alarm>> {
        self.drivers
            .retain(|driver| driver.alarm.strong_count() > 0);
        let Some(first) = first else {
            return Vec::new();
        };
        let early = self
            .drivers
            .iter_mut()
            .filter(|driver| first < driver.until);
        early
            .filter_map(|driver| {
                driver.until = first;
                driver.alarm.upgrade()
            })
            .collect()
    }
}

/// A call that fires due events. While it exists, commits note the entities that they change.
pub(super) struct Call(Arc<DueMemory>);

impl Drop for Call {
    fn drop(&mut self) {
        self.0.change(|state| state.touched = None);
    }
}

/// An event that is being fired.
pub(super) struct Attempt<'m> {
    memory: &'m DueMemory,
    binding: Binding,
    entity: EntityIx,
    now: Timestamp,
    panics: bool,
}

impl Attempt<'_> {
    /// Ends the attempt: no user code has panicked.
    pub(super) fn end(mut self) {
        self.panics = false;
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if self.panics {
            let reads = vec![(self.entity, self.binding.1.slot)];
            (self.memory).change(|state| state.postpone(self.binding, reads, self.now));
        }
    }
}

/// The memory in a store, whose commits it follows.
#[derive(Default)]
pub(crate) struct DueFollower(pub Arc<DueMemory>);

impl Follower for DueFollower {
    fn listens(&self) -> bool {
        self.0.follows.load(Ordering::Relaxed)
    }

    fn committed(&mut self, commit: &Commit<'_>) {
        self.0.committed(commit);
    }
}

impl Drop for DueFollower {
    fn drop(&mut self) {
        // The store is closed. A driver that does not exist any more has no alarm.
        let drivers = std::mem::take(&mut self.0.lock().drivers);
        let alarms = drivers.iter().filter_map(|driver| driver.alarm.upgrade());
        alarms.for_each(|alarm| alarm.end());
    }
}

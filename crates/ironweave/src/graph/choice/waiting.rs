//! Immediate events that choose: whether there is something to choose, and what wakes those that wait for it.
//!
//! | a change | wakes | cost |
//! |---|---|---|
//! | a candidate over an edge of its own enters a state, or a link | the entities at the other end | O(links on the edge) |
//! | a value of such a candidate that the choice compares | the same | the same |
//! | a candidate of a place, or such a value of it | the entities that wait and that an index finds by what the choice compares, if there is one; otherwise all that wait | O(log n + those) |
//! | what a name depends on that is chosen from an earlier one | all that wait | O(entities that wait) |
//!
//! An entity waits if it is in the states in which the event fires. Whether there is something to choose is searched only for
//! entities that were woken.

use std::any::Any;
use std::cmp::{Ordering, Reverse};
use std::sync::Arc;

use crate::graph::choice::{ChoiceContext, NoChoice};
use crate::graph::layout::{Immediate, Layout, Matching, Wait, Waiting};
use crate::graph::slots::Cursor;
use crate::graph::storage::Storage;
use crate::graph::{Graph, Pending};
use crate::schema::{EntityIx, FunctionIx, Hop, NameIx, Source, StateIx};
use crate::value::calculate::{ImmediateCode, Operands, ValueFunction};

/// A change that may enable an immediate event on entities that wait: the number of the wait, the slot of the entity that
/// has changed, and which event of the step made the change.
pub(crate) type Entered = (u16, u32, Reverse<u32>);

/// What an immediate event chooses: the slots of each name, in the order of the names.
pub(crate) type Chosen = Vec<(NameIx, Vec<u32>)>;

/// The entity of an immediate event, and what it has chosen so far.
struct Choosing<'g, S: Storage> {
    graph: &'g Graph<S>,
    code: &'g ImmediateCode,
    slot: u32,
    chosen: Chosen,
}

impl<S: Storage> Choosing<'_, S> {
    /// The entities of a name. What the event creates does not exist yet, and the macro refuses to choose by it.
    fn bound(&self, name: NameIx) -> &[u32] {
        if name == NameIx::new(0) {
            return std::slice::from_ref(&self.slot);
        }
        let chosen = self.chosen.iter().find(|(of, _)| *of == name);
        chosen.map_or(&[], |(_, slots)| slots)
    }
}

impl<S: Storage> Operands for Choosing<'_, S> {
    fn given(&self, source: &Source) -> Option<&dyn Any> {
        match source {
            Source::Entity { name, column } => {
                let slot = self.bound(*name).first()?;
                self.graph.column(*column).value(*slot)
            }
            Source::Literal { index, .. } => Some(self.code.literal(index.get())),
            _ => unreachable!("the macro refuses other values in choices of immediate events"),
        }
    }

    fn function(&self, index: FunctionIx) -> ValueFunction {
        self.code.function(index.get())
    }
}

impl<S: Storage> ChoiceContext for Choosing<'_, S> {
    fn append_bound(&self, name: NameIx, out: &mut Vec<u32>) {
        out.extend_from_slice(self.bound(name));
    }
}

impl<S: Storage> Graph<S> {
    /// What an immediate event chooses; `None` if it does not find an entity for each name. The error is the index of the arc with
    /// a calculation that overflows.
    pub(in crate::graph) fn chosen(
        &self,
        immediate: &Immediate,
        slot: u32,
    ) -> Result<Option<Chosen>, usize> {
        let mut choosing = Choosing {
            graph: self,
            code: &immediate.code,
            slot,
            chosen: Vec::with_capacity(immediate.choices.len()),
        };
        for (arc, plan) in &immediate.choices {
            let mut slots = Vec::new();
            match self.choose(plan, &choosing, &mut slots) {
                Ok(()) => choosing.chosen.push((plan.name, slots)),
                Err(NoChoice::TooFew { .. }) => return Ok(None),
                Err(NoChoice::Overflow) => return Err(*arc),
            }
        }
        Ok(Some(choosing.chosen))
    }

    /// Notes a change that may enable an immediate event on entities that wait. Which these are is decided before the next
    /// immediate event fires, since the values of a new entity are not set yet.
    pub(in crate::graph) fn enter(&mut self, wait: usize, slot: u32) {
        // So that something is pending. There is no entity at the slot.
        if self.entered.is_empty() {
            self.pending
                .push(Reverse((0, u32::MAX, Reverse(self.firing))));
        }
        let wait = wait as u16;
        self.entered.push((wait, slot, Reverse(self.firing)));
    }

    /// Takes the next immediate event to fire out of the pending ones: the one that was declared first, and of its entities
    /// the first in the order of the event. With an order, all pending entities of the event are compared. If it is known that it
    /// is enabled, what it chooses is returned too.
    pub(crate) fn pop_pending(&mut self) -> Option<(Pending, Option<Chosen>)> {
        loop {
            if !self.entered.is_empty() {
                self.wake_waiting();
            }
            let Reverse(first) = self.pending.pop()?;
            let layout = Arc::clone(&self.layout);
            let immediate = &layout.immediates[usize::from(first.0)];
            if immediate.order.is_none() {
                return Some((first, None));
            }
            if let Some(found) = self.pop_ordered(immediate, first) {
                return Some(found);
            }
        }
    }

    /// The first entity on which an event is enabled that fires in an order, of all that are pending. Those on which it is not
    /// enabled are no longer pending.
    fn pop_ordered(
        &mut self,
        immediate: &Immediate,
        first: Pending,
    ) -> Option<(Pending, Option<Chosen>)> {
        let mut all = vec![first];
        while let Some(Reverse(next)) = self.pending.peek()
            && next.0 == first.0
        {
            all.extend(self.pending.pop().map(|Reverse(next)| next));
        }
        all.retain(|(_, slot, _)| *slot < self.slots(immediate.entity));
        all.sort_by(|a, b| self.compare_pending(immediate, *a, *b));
        let (at, chosen) = (all.iter().enumerate()).find_map(|(at, (ix, slot, _))| {
            match self.enabled_choosing(*ix, *slot) {
                Ok(None) => None,
                Ok(chosen) => Some((at, chosen)),
                Err(_) => Some((at, None)),
            }
        })?;
        let rest = all.split_off(at + 1);
        self.pending.extend(rest.into_iter().map(Reverse));
        all.pop().map(|found| (found, chosen))
    }

    fn compare_pending(&self, immediate: &Immediate, a: Pending, b: Pending) -> Ordering {
        let by_slot = (a.1, a.2).cmp(&(b.1, b.2));
        let Some(order) = immediate.order else {
            return by_slot;
        };
        let column = self.column(order.column);
        let by_value = match (column.value(a.1), column.value(b.1)) {
            (Some(a), Some(b)) => {
                let ordering = immediate.code.function(order.function.get()).compare(a, b);
                if order.descending {
                    ordering.reverse()
                } else {
                    ordering
                }
            }
            (a, b) => b.is_some().cmp(&a.is_some()),
        };
        by_value.then(by_slot)
    }

    /// Makes pending what the noted changes may have enabled.
    #[inline(never)]
    fn wake_waiting(&mut self) {
        let mut entered = std::mem::take(&mut self.entered);
        entered.sort_unstable();
        // Of several changes of one entity the last is the cause.
        entered.dedup_by_key(|(wait, slot, _)| (*wait, *slot));
        let (layout, firing) = (Arc::clone(&self.layout), self.firing);
        for (wait, slot, cause) in entered {
            self.firing = cause.0;
            self.wake_by_wait(&layout, &layout.waits[usize::from(wait)], slot);
        }
        self.firing = firing;
    }

    fn wake_by_wait(&mut self, layout: &Layout, wait: &Wait, slot: u32) {
        let immediate = &layout.immediates[usize::from(wait.immediate)];
        let mut waiting = Vec::new();
        match &wait.waiting {
            Waiting::Linked { candidate, back } => {
                if self.is_at(*candidate, slot) {
                    waiting.push(slot);
                    self.follow(back, &mut waiting, 0);
                }
            }
            Waiting::Matching {
                candidate,
                states,
                over,
                matching,
            } => {
                let is_candidate = self.is_at(*candidate, slot)
                    && states.contains(self.state_of(*candidate, slot));
                if is_candidate && !self.append_matching(matching, (*over, slot), &mut waiting) {
                    self.append_waiting(layout, immediate, &mut waiting);
                }
            }
            Waiting::All => self.append_waiting(layout, immediate, &mut waiting),
        }
        for slot in waiting {
            self.wake_if_enabled(wait.immediate, slot);
        }
    }

    /// Whether there is an entity at a slot.
    fn is_at(&self, entity: EntityIx, slot: u32) -> bool {
        slot < self.slots(entity) && self.is_alive(entity, slot)
    }

    /// Appends all entities that wait.
    fn append_waiting(&self, layout: &Layout, immediate: &Immediate, out: &mut Vec<u32>) {
        let states = layout.entities[usize::from(immediate.entity)].states.len();
        for state in StateIx::all(states).filter(|state| immediate.from.contains(*state)) {
            let mut set = self.in_state(immediate.entity, state);
            let mut cursor = Cursor::new(set.groups());
            let next = || cursor.next(&mut set, |set, i| set.group(i), |set, i| set.word(i));
            out.extend(std::iter::from_fn(next));
        }
    }

    /// Appends the entities that an index finds by the values and the link of a candidate, among others perhaps. Returns `false` if
    /// no index can be used.
    fn append_matching(
        &self,
        matching: &Matching,
        (over, slot): (Option<Hop>, u32),
        out: &mut Vec<u32>,
    ) -> bool {
        let values = matching.values.iter();
        let values: Option<Vec<&dyn Any>> = values.map(|c| self.column(*c).value(slot)).collect();
        let Some(values) = values else {
            // A comparison does not hold.
            return true;
        };
        let find = |search, near| self.find(search, near, &matching.limits, &values);
        let Some(over) = over else {
            let found = matching
                .searches
                .iter()
                .find_map(|search| find(search, None));
            return found.map(|found| out.extend(found)).is_some();
        };
        let nears = self.links(over, slot);
        matching.searches.iter().any(|search| {
            nears.iter().all(|near| {
                let found = find(search, Some(near));
                found.map(|found| out.extend(found)).is_some()
            })
        })
    }
}

//! Immediate events: those that an event enabled fire until none is enabled, and every step ends.
//!
//! # Why every step ends
//!
//! Each entity has a *creation depth* within the step. It is 0 of an entity that existed before the step or that the
//! event of the program created, and one more than that of the entity on which the immediate event fired that created
//! it. There are three limits:
//!
//! 1. One immediate event fires at most [`FIRINGS_MAX`] times on one entity. An entity is its slot and generation:
//!    another one in a slot that became free counts for itself.
//! 2. No entity is created at a depth beyond [`Limits::creation_depth`].
//! 3. Immediate events fire at most [`Limits::created_firings`] times on entities of a depth above 0.
//!
//! The entities of depth 0 are finitely many, and each creates finitely many by the first limit, as an event creates as
//! many entities as it has `create` arcs. So by induction those of each depth are finitely many, and by the second limit
//! there are finitely many depths. That alone would be 64 to the power of 64: hence the third limit, which counts what
//! grows with nothing that existed before. Firings on entities that did exist are limited by their number, so that
//! consequences of any depth among these are legal.

use std::cmp::Reverse;
use std::sync::Arc;

use crate::base::cbor::{UINT, head};
use crate::base::error::{Chain, LoopLimit, Name, StepError};
use crate::base::hash::FastMap;
use crate::base::id::Id;
use crate::graph::Pending;
use crate::graph::layout::Immediate;
use crate::graph::storage::Storage;
use crate::schema::EntityIx;
use crate::step::Core;
use crate::step::plan::Plan;

/// How often one immediate event may fire on one entity in one step.
const FIRINGS_MAX: u32 = 64;

/// What the immediate events of one step may do; see the module.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// [`Options::creation_depth_max`](crate::Options::creation_depth_max)
    pub creation_depth: u32,
    /// [`Options::created_firings_max`](crate::Options::created_firings_max)
    pub created_firings: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            creation_depth: 64,
            created_firings: 1_000_000,
        }
    }
}

/// What the immediate events of one step have done.
#[derive(Default)]
struct Done {
    /// By event and entity, how often it has fired.
    fired: FastMap<(u16, Id), u32>,
    /// The depth of those that immediate events created.
    depths: FastMap<(EntityIx, Id), u32>,
    /// How often immediate events have fired on those.
    on_created: u64,
}

impl Done {
    /// Counts a firing; the depth of its entity, or the limit that it would pass.
    fn count(
        &mut self,
        limits: Limits,
        immediate: (u16, &Immediate),
        id: Id,
        creates: bool,
    ) -> Result<u32, LoopLimit> {
        let (ix, immediate) = immediate;
        let times = self.fired.entry((ix, id)).or_default();
        if *times == FIRINGS_MAX {
            return Err(LoopLimit::Firings(FIRINGS_MAX));
        }
        *times += 1;
        // Nearly no immediate event creates anything.
        if self.depths.is_empty() && !creates {
            return Ok(0);
        }
        let depth = self.depths.get(&(immediate.entity, id)).copied();
        let depth = depth.unwrap_or_default();
        if depth > 0 {
            if self.on_created >= limits.created_firings.into() {
                return Err(LoopLimit::CreatedFirings(limits.created_firings));
            }
            self.on_created += 1;
        }
        if creates && depth >= limits.creation_depth {
            return Err(LoopLimit::CreationDepth(limits.creation_depth));
        }
        Ok(depth)
    }
}

impl<S: Storage> Core<S> {
    /// Fires immediate events until none is enabled: always the one that was declared first, on the entity with the
    /// smallest slot. The event of the program that enabled them was noted last.
    pub(super) fn fire_immediates(&mut self, plan: &Plan) -> Result<(), StepError> {
        let base = self.open.firings.len().saturating_sub(1);
        let fired = self.fire_enabled(plan, base);
        self.graph.firing = 0;
        fired
    }

    fn fire_enabled(&mut self, plan: &Plan, base: usize) -> Result<(), StepError> {
        let mut done = Done::default();
        let limits = self.limits(plan);
        while let Some(Reverse((ix, slot, cause))) = self.graph.pending.pop() {
            let layout = Arc::clone(&self.graph.layout);
            let immediate = &layout.immediates[usize::from(ix)];
            // The slot may have been given back, by a call of a handler that failed.
            if slot >= self.graph.slots(immediate.entity) || !self.graph.enabled(ix, slot) {
                continue;
            }
            let event = usize::from(immediate.event);
            let cause = base as u32 + cause.0;
            let id = self.graph.id(immediate.entity, slot);
            let creates = &plan.events[event].creates;
            let depth = done
                .count(limits, (ix, immediate), id, !creates.is_empty())
                .map_err(|limit| self.endless(plan, cause, immediate, slot, limit))?;
            self.graph.firing = (self.open.firings.len() - base) as u32;
            self.fire_immediate(plan, event, id, cause).map_err(|e| {
                e.led_by(|| Chain::new(self.chain(plan, cause, Some(immediate.event))))
            })?;
            let created = (1..).zip(creates);
            done.depths.extend(created.map(|(name, create)| {
                (
                    (create.entity, self.immediate_bindings.ids(name)[0]),
                    depth + 1,
                )
            }));
        }
        Ok(())
    }

    /// Fires one on an entity; what it bound and created is in `immediate_bindings` then.
    fn fire_immediate(
        &mut self,
        plan: &Plan,
        event: usize,
        id: Id,
        cause: u32,
    ) -> Result<(), StepError> {
        let start = self.open.journal.facts.list.len();
        self.immediate_bindings.clear();
        self.immediate_bindings.push_one(id);
        // What the event of the program bound is for its receipt.
        std::mem::swap(&mut self.immediate_bindings, &mut self.bindings);
        let acted = self
            .arcs(&plan.events[event], plan.types[event].literals)
            .run();
        std::mem::swap(&mut self.immediate_bindings, &mut self.bindings);
        acted?;
        if self.open.recording {
            head(&mut self.open.event_bytes, UINT, id.to_bits());
        }
        self.record_firing(event as u16, cause)?;
        if plan.events[event].bounded {
            self.check_bounds(start)?;
        }
        Ok(())
    }

    /// The limits of the open transaction: those of the store, and what the log has of a transaction that is fired again.
    fn limits(&self, plan: &Plan) -> Limits {
        Limits {
            creation_depth: plan.limits.creation_depth.max(self.open.logged_firings),
            created_firings: plan.limits.created_firings.max(self.open.logged_firings),
        }
    }

    /// The events that led to a firing of the open transaction, with it, and the immediate event that came after it.
    #[cold]
    pub(super) fn chain(&self, plan: &Plan, cause: u32, then: Option<u16>) -> Vec<Name> {
        let mut chain: Vec<u16> = then.into_iter().collect();
        let mut next = Some(cause);
        while let Some(at) = next {
            let Some(firing) = self.open.firings.get(at as usize) else {
                break;
            };
            chain.push(firing.event);
            // A cause comes before what it enabled.
            next = firing.cause().filter(|cause| *cause < at);
        }
        let name = |event: &u16| Arc::clone(&plan.events[usize::from(*event)].name);
        chain.iter().rev().map(name).collect()
    }

    /// Says how a step came to go on for ever. The cycle is what led from the last firing of the event to this one.
    #[cold]
    fn endless(
        &self,
        plan: &Plan,
        cause: u32,
        immediate: &Immediate,
        slot: u32,
        limit: LoopLimit,
    ) -> StepError {
        let mut chain = self.chain(plan, cause, None);
        let event = &plan.events[usize::from(immediate.event)].name;
        let cycle = match chain.iter().rposition(|name| name == event) {
            Some(last) => chain.split_off(last),
            // Others enable it as often as there are such others: no cycle.
            None => Vec::new(),
        };
        match chain.iter().position(|name| name == event) {
            Some(first) => chain.truncate(first),
            None if cycle.is_empty() => chain.push(Arc::clone(event)),
            None => {}
        }
        StepError::Loop {
            entity: self.graph.named(immediate.entity, slot),
            cycle,
            limit,
            chain: Chain::new(chain),
        }
    }
}

// What is noted for each change that may enable an event.
const _: () = assert!(size_of::<Pending>() <= 12);

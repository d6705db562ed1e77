//! Immediate events: the ones that an event enabled fire until none is enabled. Every step ends.
//!
//! # Why every step ends
//!
//! Each entity has a *creation depth* within the step. It is 0 for an entity that existed before the step or that the
//! event of the program created. An entity that an immediate event created is one deeper than the entity on which that
//! event fired. There are three limits:
//!
//! 1. One immediate event fires at most [`Limits::firings`] times on one entity. An entity is its slot and generation, so that
//!    a later entity in the same slot has a count of its own.
//! 2. No entity is created at a depth beyond [`Limits::creation_depth`].
//! 3. Immediate events fire at most [`Limits::created_firings`] times on entities of a depth above 0.
//!
//! The entities of depth 0 are finitely many, and by the first limit each leads to finitely many new ones, since a firing
//! creates as many entities as the event has `create` arcs, and those that its handler has created when it returns. (A
//! handler that does not return is like any other loop of the program.) So by induction the entities of each depth are finitely many, and by
//! the second limit there are finitely many depths. That bound alone is, with the default limits, as large as 64 to the power of 64, hence the third
//! limit. Firings on entities that existed before are limited by their number, so that chains of any length among these
//! are legal.

use std::convert::Infallible;
use std::sync::Arc;

use crate::base::error::{Chain, LoopLimit, StepError};
use crate::base::hash::FastMap;
use crate::base::id::Id;
use crate::graph::Pending;
use crate::graph::choice::waiting::Chosen;
use crate::graph::fact::Fact;
use crate::graph::layout::Immediate;
use crate::graph::storage::Storage;
use crate::schema::{EntityIx, EventIx, NameIx};
use crate::step::Core;
use crate::step::arcs::overflows;
use crate::step::field_codec::write_immediate;
use crate::step::plan::{Plan, condition_text};
use crate::step::record::write_chosen;
use crate::step::tx::run_immediate_handler;

/// The limits on the immediate events of one step, see the module.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// [`Options::firings_max`](crate::Options::firings_max)
    pub firings: u32,
    /// [`Options::creation_depth_max`](crate::Options::creation_depth_max)
    pub creation_depth: u32,
    /// [`Options::created_firings_max`](crate::Options::created_firings_max)
    pub created_firings: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            firings: 64,
            creation_depth: 64,
            created_firings: 1_000_000,
        }
    }
}

/// Counts of the immediate events of one step.
#[derive(Default)]
struct Counts {
    /// How often an event has fired on an entity.
    fired: FastMap<(u16, Id), u32>,
    /// The depth of the entities that immediate events created.
    depths: FastMap<(EntityIx, Id), u32>,
    /// How often immediate events have fired on those entities.
    on_created: u64,
}

impl Counts {
    /// Counts a firing and returns the depth of its entity. The error is the limit that the firing would exceed.
    fn count(
        &mut self,
        limits: Limits,
        immediate: (u16, &Immediate),
        id: Id,
        creates: bool,
    ) -> Result<u32, LoopLimit> {
        let (ix, immediate) = immediate;
        let times = self.fired.entry((ix, id)).or_default();
        if *times >= limits.firings {
            return Err(LoopLimit::Firings(limits.firings));
        }
        *times += 1;
        // Few immediate events create anything.
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
    /// smallest slot. The event of the program that enabled them was recorded last.
    pub(super) fn fire_immediates(&mut self, plan: &Plan) -> Result<(), StepError> {
        let fired = self.fire_pending(plan);
        self.graph.firing = 0;
        fired
    }

    /// Fires all immediate events that are enabled, on whichever entity, until none is. No event of the program has enabled
    /// them. Nothing must have fired in the open transaction.
    pub(super) fn fire_all_enabled(&mut self, plan: &Plan) -> Result<(), StepError> {
        self.graph.wake_all();
        self.fire_immediates(plan)
    }

    fn fire_pending(&mut self, plan: &Plan) -> Result<(), StepError> {
        // The number of the last firing. If there is none, the cause of the first immediate events is `Firing::NOTHING`.
        let base = (self.open.firings.len() as u32).wrapping_sub(1);
        let mut counts = Counts::default();
        let limits = self.limits(plan);
        while let Some(((ix, slot, cause), chosen)) = self.graph.pop_pending() {
            let layout = Arc::clone(&self.graph.layout);
            let immediate = &layout.immediates[usize::from(ix)];
            // A failed call of a handler may have freed the slot.
            if slot >= self.graph.slots(immediate.entity) {
                continue;
            }
            let event = immediate.event;
            let cause = base.wrapping_add(cause.0);
            let chosen = match chosen
                .map_or_else(|| self.graph.enabled_choosing(ix, slot), |c| Ok(Some(c)))
            {
                Ok(Some(chosen)) => chosen,
                Ok(None) => continue,
                Err(arc) => return Err(self.condition_overflows(plan, (event, arc), cause)),
            };
            let id = self.graph.id(immediate.entity, slot);
            let creates = &plan.events[usize::from(event)].creates;
            let depth = counts
                .count(limits, (ix, immediate), id, !creates.is_empty())
                .map_err(|limit| self.limit_exceeded(plan, cause, immediate, slot, limit))?;
            self.graph.firing = (self.open.firings.len() as u32).wrapping_sub(base);
            let start = self.open.journal.position();
            self.fire_immediate(plan, event, (id, &chosen), cause)
                .map_err(|e| {
                    e.with_chain(|| Chain::new(self.chain(plan, cause, Some(immediate.event))))
                })?;
            let created = NameIx::all(creates.len() + 1).skip(1).zip(creates);
            counts.depths.extend(created.map(|(name, create)| {
                (
                    (create.entity, self.immediate_bindings.ids(name)[0]),
                    depth + 1,
                )
            }));
            if plan.events[usize::from(event)].handler {
                let handled = self.created_after(start);
                if !handled.is_empty() && depth >= limits.creation_depth {
                    let limit = LoopLimit::CreationDepth(limits.creation_depth);
                    return Err(self.limit_exceeded(plan, cause, immediate, slot, limit));
                }
                let handled = handled.into_iter().map(|created| (created, depth + 1));
                counts.depths.extend(handled);
            }
        }
        Ok(())
    }

    /// The entities that were created since a position in the journal; O(facts since then).
    fn created_after(&self, start: usize) -> Vec<(EntityIx, Id)> {
        let mut created = Vec::new();
        let seen = self.open.journal.try_each_fact_after(start, |fact| {
            if let Fact::Create {
                entity,
                slot,
                generation,
                ..
            } = fact
            {
                created.push((entity, Id { slot, generation }));
            }
            Ok::<(), Infallible>(())
        });
        match seen {
            Ok(()) => created,
        }
    }

    /// Fires an event on an entity with what it chooses. What it bound and created is in `immediate_bindings` then.
    fn fire_immediate(
        &mut self,
        plan: &Plan,
        event: EventIx,
        (id, chosen): (Id, &Chosen),
        cause: u32,
    ) -> Result<(), StepError> {
        let start = self.open.journal.position();
        let (def, of) = (
            &plan.events[usize::from(event)],
            &plan.types[usize::from(event)],
        );
        self.immediate_bindings.clear();
        self.immediate_bindings.push_one(id);
        // `bindings` has what the event of the program bound, for its receipt.
        std::mem::swap(&mut self.immediate_bindings, &mut self.bindings);
        let arcs = self.arcs(def, &of.immediate);
        let acted = match def.chooses.is_empty() {
            true => arcs.run(),
            false => arcs.run_chosen(chosen),
        };
        std::mem::swap(&mut self.immediate_bindings, &mut self.bindings);
        acted?;
        if let Some(handle) = of.handle {
            self.handler_calls += 1;
            let (graph, names) = (
                S::graph_mut(&mut self.graph),
                self.immediate_bindings.names(),
            );
            run_immediate_handler(graph, &mut self.open, def, names, handle)?;
        }
        if self.open.recording {
            write_immediate(&mut self.open.event_bytes, self.open.binding_form, id);
        }
        if def.chooses.is_empty() || !self.open.recording {
            self.record_firing(event, cause)?;
        } else {
            write_chosen(&mut self.open, def, &self.immediate_bindings);
            self.record_firing(event, cause)?;
            self.mark_chosen();
        }
        if def.bounded {
            self.check_bounds(start)?;
        }
        Ok(())
    }

    /// The limits of the open transaction: those of the store, or what the log has of a transaction that is fired again.
    fn limits(&self, plan: &Plan) -> Limits {
        Limits {
            firings: plan.limits.firings.max(self.open.logged_firings),
            creation_depth: plan.limits.creation_depth.max(self.open.logged_firings),
            created_firings: plan.limits.created_firings.max(self.open.logged_firings),
        }
    }

    /// The error for a condition of an immediate event that cannot be calculated.
    #[cold]
    fn condition_overflows(
        &self,
        plan: &Plan,
        (event, arc): (EventIx, usize),
        cause: u32,
    ) -> StepError {
        let def = &plan.layout.schema[event];
        let text = condition_text(&plan.layout, def, &def.arcs[arc]);
        let error = overflows(&plan.events[usize::from(event)], &text);
        error.with_chain(|| Chain::new(self.chain(plan, cause, Some(event))))
    }

    /// The error for a step that exceeds a limit. Its cycle is the chain from the last firing of the event to this one.
    #[cold]
    fn limit_exceeded(
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
            // Many different events enable it, so there is no cycle.
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

// One is pushed for each change that may enable an event.
const _: () = assert!(size_of::<Pending>() <= 12);

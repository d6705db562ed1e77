//! Immediate events: the ones that an event enabled fire until none is enabled.
//!
//! Before a step none is enabled, so only those are looked at whose entity, neighbours or links have changed since. Of several that are
//! enabled, the one that is declared first fires first, on the smallest slot.

use std::collections::{BTreeMap, BTreeSet};

use ironweave_schema::{BindBy, EdgeIx, EntityIx, Hop};

use super::fire::Step;
use super::known::Stop;
use super::model::{Condition, Watched, is_condition, is_far};
use super::states::States;
use crate::net::{Inscription, Tokens, Transition};

/// How often one immediate event may fire on one entity in a step, in the runtime too.
const FIRINGS_MAX: u32 = 64;
/// How deep an entity may be that an immediate event creates, in the runtime too.
const CREATION_DEPTH_MAX: u32 = 64;
/// How many immediate events a step may fire. The runtime has no such limit on entities that existed before.
const STEP_MAX: u32 = 10_000;

/// Immediate events that may be enabled, by priority and slot, with the reason.
pub(super) type Pending = BTreeMap<(usize, u32), Reason>;

/// Why an immediate event may be enabled.
pub(super) enum Reason {
    /// Its entity or the links of it have changed.
    Itself,
    /// One of these neighbours has changed, if it is linked with it.
    Neighbours(BTreeSet<(EdgeIx, bool, u32)>),
}

impl Step<'_> {
    /// The state of an entity has changed.
    pub(super) fn wake(&mut self, entity: EntityIx, slot: u32) {
        for (ix, immediate) in self.known.model.immediates.iter().enumerate() {
            if immediate.entity == entity {
                self.pending.insert((ix, slot), Reason::Itself);
            }
        }
        self.wake_watching(|watched| watched.entities.contains(&entity));
    }

    /// Something has changed that choices, or conditions over several edges, can depend on.
    fn wake_watching(&mut self, depends: impl Fn(&Watched) -> bool) {
        let model = self.known.model;
        for (ix, immediate) in model.immediates.iter().enumerate() {
            if immediate.watched.as_ref().is_some_and(&depends) {
                for slot in 0..model.slots(immediate.entity) {
                    self.pending.insert((ix, slot), Reason::Itself);
                }
            }
        }
    }

    /// An entity was deleted.
    pub(super) fn wake_without(&mut self, entity: EntityIx) {
        self.wake_watching(|watched| watched.entities.contains(&entity));
    }

    /// The links of two entities have changed.
    pub(super) fn wake_ends(&mut self, edge: EdgeIx, from: u32, to: u32) {
        for (ix, immediate) in self.known.model.immediates.iter().enumerate() {
            for condition in immediate.conditions.iter().filter(|c| c.hop.edge == edge) {
                let slot = if condition.hop.forward { from } else { to };
                self.pending.insert((ix, slot), Reason::Itself);
            }
        }
        self.wake_watching(|watched| watched.edges.contains(&edge));
    }

    /// An entity that neighbours may see has changed its state.
    pub(super) fn wake_neighbours(&mut self, entity: EntityIx, slot: u32, from: u8, to: u8) {
        let model = self.known.model;
        for (ix, immediate) in model.immediates.iter().enumerate() {
            for Condition { hop, states, .. } in &immediate.conditions {
                if model.far(*hop) != entity || states.has(from) == states.has(to) {
                    continue;
                }
                for watcher in 0..model.slots(immediate.entity) {
                    let none = || Reason::Neighbours(BTreeSet::new());
                    let reason = self.pending.entry((ix, watcher)).or_insert_with(none);
                    if let Reason::Neighbours(all) = reason {
                        all.insert((hop.edge, hop.forward, slot));
                    }
                }
            }
        }
    }

    /// Fires immediate events until none is enabled.
    pub(super) fn fire_immediates(&mut self) -> Result<(), Stop> {
        let mut fired: BTreeMap<(usize, u32, u32), u32> = BTreeMap::new();
        // Of the entities that immediate events have created.
        let mut depths: BTreeMap<(EntityIx, u32, u32), u32> = BTreeMap::new();
        let mut total = 0;
        let model = self.known.model;
        while let Some(((ix, slot), reason)) = self.pending.pop_first() {
            if !self.is_enabled(ix, slot, &reason)? {
                continue;
            }
            let immediate = &model.immediates[ix];
            let generation = self.known.slots[immediate.entity.index()][slot as usize].generation;
            let times = fired.entry((ix, slot, generation)).or_default();
            *times += 1;
            total += 1;
            if total > STEP_MAX {
                return Err(Stop::Endless);
            }
            let of = (immediate.entity, slot, generation);
            let depth = depths.get(&of).copied().unwrap_or_default();
            if *times > FIRINGS_MAX || immediate.creates && depth >= CREATION_DEPTH_MAX {
                return Err(Stop::Rejected);
            }
            let transition = &model.net.transitions[immediate.transition];
            for (entity, slot) in self.fire(transition, vec![vec![slot]])? {
                let generation = self.known.slots[entity.index()][slot as usize].generation;
                depths.insert((entity, slot, generation), depth + 1);
            }
        }
        Ok(())
    }

    fn is_enabled(&mut self, ix: usize, slot: u32, reason: &Reason) -> Result<bool, Stop> {
        let model = self.known.model;
        let immediate = &model.immediates[ix];
        if !self.known.is_in(immediate.entity, slot, immediate.from)? {
            return Ok(false);
        }
        if let Reason::Neighbours(all) = reason {
            let mut any = false;
            for &(edge, forward, far) in all {
                let (from, to) = super::known::pair(Hop { edge, forward }, slot, far);
                any = any || self.known.linked(edge, from, to)?;
            }
            if !any {
                return Ok(false);
            }
        }
        for condition in &immediate.conditions {
            if !self.holds(slot, condition)? {
                return Ok(false);
            }
        }
        self.can_choose(&model.net.transitions[immediate.transition], slot)
    }

    /// Whether there are the candidates that an immediate event needs, and its conditions on what it chooses and over several edges
    /// hold.
    fn can_choose(&mut self, transition: &Transition, slot: u32) -> Result<bool, Stop> {
        let created = transition.variables.iter();
        let created = created.filter(|variable| variable.by == BindBy::Created);
        let mut bound = vec![vec![slot]];
        bound.extend(created.map(|_| Vec::new()));
        for choice in &transition.choices {
            match self.choose(transition, choice, &bound)? {
                Some(slots) => bound.push(slots),
                None => return Ok(false),
            }
        }
        for read in transition
            .reads
            .iter()
            .filter(|r| is_condition(r.inscription))
        {
            let Tokens::Entities(path) = &read.tokens else {
                continue;
            };
            let is_known = transition[path.root].by == BindBy::Chosen || is_far(read);
            if is_known
                && transition[path.root].by != BindBy::Created
                && !self.is_met(transition, read, path, &bound)?
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether a condition holds of an entity.
    fn holds(&mut self, slot: u32, condition: &Condition) -> Result<bool, Stop> {
        let hop = condition.hop;
        let far = self.known.model.far(hop);
        if let Some((by, with)) = condition.count {
            let slots = 0..self.known.model.slots(far);
            return self.counts(slots.len(), (by, with), |step, at| {
                let other = at as u32;
                let (from, to) = super::known::pair(hop, slot, other);
                let may_be = step.known.possible(far, other).and(condition.states) != States::NONE;
                Ok(may_be
                    && step.known.linked(hop.edge, from, to)?
                    && step.known.is_in(far, other, condition.states)?)
            });
        }
        // The states of a neighbour that decide the condition, and what it is then.
        let (deciding, then) = match condition.quantifier {
            Inscription::All => (self.known.model.alive(far).without(condition.states), false),
            Inscription::Any => (condition.states, true),
            _ => (condition.states, false),
        };
        let all: Vec<u32> = (0..self.known.model.slots(far)).collect();
        // What is known needs no choice.
        let decides = |other: &u32| {
            self.known.is_known_linked(hop, slot, *other) == Some(true)
                && self.known.possible(far, *other).is_within(deciding)
        };
        if all.iter().any(decides) {
            return Ok(then);
        }
        for other in all {
            if self.known.possible(far, other).and(deciding) == States::NONE {
                continue;
            }
            let (from, to) = super::known::pair(hop, slot, other);
            if self.known.linked(hop.edge, from, to)? && self.known.is_in(far, other, deciding)? {
                return Ok(then);
            }
        }
        Ok(!then)
    }
}

//! What an execution knows of the marking before it, and what it has changed.
//!
//! The marking has the state of each slot, or that it is free, whether each pair of slots is linked, and the order in which free slots are
//! used. Nothing is known at the beginning. A question about what is not known is a choice, and each answer is a condition of the transition.

use std::collections::BTreeMap;

use ironweave_schema::{EdgeIx, EntityIx, Hop};

use super::choices::Choices;
use super::free::Free;
use super::model::Model;
use super::states::{FREE, States};

/// Why an execution gives no transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The event is rejected, or no marking is as was chosen.
    Rejected,
    /// There would be more entities of the type than the scope has.
    Full(EntityIx),
    /// Immediate events fire without an end in sight.
    Endless,
}

/// A slot of an entity type.
#[derive(Clone, Copy)]
pub(super) struct Slot {
    /// The states in one of which it is before the execution.
    pub before: States,
    /// The state after a change; [`FREE`] after a deletion.
    pub now: Option<u8>,
    /// How many entities were created in it.
    pub generation: u32,
}

impl Slot {
    fn restrict(&mut self, states: States) -> Result<(), Stop> {
        self.before = self.before.and(states);
        match self.before == States::NONE {
            true => Err(Stop::Rejected),
            false => Ok(()),
        }
    }
}

/// Whether a pair of slots is linked.
#[derive(Clone, Copy)]
pub(super) struct Link {
    pub before: bool,
    pub now: bool,
}

pub(super) struct Known<'m> {
    pub model: &'m Model<'m>,
    pub choices: &'m mut Choices,
    /// By entity type and slot.
    pub slots: Vec<Vec<Slot>>,
    /// By edge, the pairs of which something is known: declaring end, inverse end.
    pub links: Vec<BTreeMap<(u32, u32), Link>>,
    /// By entity type.
    pub free: Vec<Free>,
}

impl<'m> Known<'m> {
    pub(super) fn new(model: &'m Model<'m>, choices: &'m mut Choices) -> Self {
        let slots = |entity: EntityIx| {
            let slot = Slot {
                before: model.any_state(entity),
                now: None,
                generation: 0,
            };
            vec![slot; model.slots(entity) as usize]
        };
        let entities = || EntityIx::all(model.net.entities.len());
        Self {
            slots: entities().map(slots).collect(),
            links: vec![BTreeMap::new(); model.net.edges.len()],
            free: entities().map(|_| Free::default()).collect(),
            model,
            choices,
        }
    }

    fn slot(&self, entity: EntityIx, slot: u32) -> &Slot {
        &self.slots[entity.index()][slot as usize]
    }

    /// The states in one of which a slot is now.
    pub(super) fn possible(&self, entity: EntityIx, slot: u32) -> States {
        let slot = self.slot(entity, slot);
        slot.now.map_or(slot.before, States::one)
    }

    /// Excludes all states but these before the execution.
    pub(super) fn narrow(
        &mut self,
        entity: EntityIx,
        slot: u32,
        states: States,
    ) -> Result<(), Stop> {
        let slots = &mut self.slots[entity.index()];
        let at = slot as usize;
        if slots[at].before.is_within(states) {
            return Ok(());
        }
        slots[at].restrict(states)?;
        if self.model.is_deleted(entity) {
            return Ok(());
        }
        // The slots of entities that are not deleted are used in their order.
        let free = States::one(FREE);
        if slots[at].before == free {
            slots[at + 1..]
                .iter_mut()
                .try_for_each(|later| later.restrict(free))?;
        } else if !slots[at].before.has(FREE) {
            let alive = self.model.alive(entity);
            slots[..at]
                .iter_mut()
                .try_for_each(|former| former.restrict(alive))?;
        }
        Ok(())
    }

    /// Whether a slot is in one of some states.
    pub(super) fn is_in(
        &mut self,
        entity: EntityIx,
        slot: u32,
        states: States,
    ) -> Result<bool, Stop> {
        let possible = self.possible(entity, slot);
        let (inside, outside) = (possible.and(states), possible.without(states));
        if inside == States::NONE || outside == States::NONE {
            return Ok(outside == States::NONE);
        }
        let is_in = self.choices.choose(2) == 0;
        self.narrow(entity, slot, if is_in { inside } else { outside })?;
        Ok(is_in)
    }

    /// Requires that a slot is in one of some states.
    pub(super) fn require(
        &mut self,
        entity: EntityIx,
        slot: u32,
        states: States,
    ) -> Result<(), Stop> {
        let possible = self.possible(entity, slot);
        if possible.and(states) == States::NONE {
            return Err(Stop::Rejected);
        }
        if possible.is_within(states) {
            return Ok(());
        }
        self.narrow(entity, slot, states)
    }

    /// The state of a slot now.
    pub(super) fn exact(&mut self, entity: EntityIx, slot: u32) -> Result<u8, Stop> {
        let possible = self.possible(entity, slot);
        let chosen = self.choices.choose(possible.iter().count());
        let exact = possible.iter().nth(chosen).unwrap_or(FREE);
        self.narrow_now(entity, slot, exact)?;
        Ok(exact)
    }

    fn narrow_now(&mut self, entity: EntityIx, slot: u32, state: u8) -> Result<(), Stop> {
        match self.slot(entity, slot).now {
            Some(_) => Ok(()),
            None => self.narrow(entity, slot, States::one(state)),
        }
    }

    /// Sets the state of a slot, and returns the state before.
    pub(super) fn set_state(&mut self, entity: EntityIx, slot: u32, state: u8) -> Result<u8, Stop> {
        let before = self.exact(entity, slot)?;
        self.slots[entity.index()][slot as usize].now = Some(state);
        Ok(before)
    }

    /// Whether two slots are linked now.
    pub(super) fn linked(&mut self, edge: EdgeIx, from: u32, to: u32) -> Result<bool, Stop> {
        if let Some(link) = self.links[edge.index()].get(&(from, to)) {
            return Ok(link.now);
        }
        let linked = match (
            self.may_be_linked(edge, from, to),
            self.must_be_linked(edge, from, to),
        ) {
            (false, true) => return Err(Stop::Rejected),
            (true, false) => self.choices.choose(2) == 1,
            (true, true) => true,
            (false, false) => false,
        };
        self.learn(edge, from, to, linked)?;
        Ok(linked)
    }

    /// Requires that two slots are linked now, or that they are not.
    pub(super) fn require_link(
        &mut self,
        edge: EdgeIx,
        (from, to): (u32, u32),
        linked: bool,
    ) -> Result<(), Stop> {
        let is_linked = match self.links[edge.index()].get(&(from, to)) {
            Some(link) => link.now,
            None if linked && !self.may_be_linked(edge, from, to) => false,
            None if !linked && self.must_be_linked(edge, from, to) => true,
            None => {
                self.learn(edge, from, to, linked)?;
                linked
            }
        };
        match is_linked == linked {
            true => Ok(()),
            false => Err(Stop::Rejected),
        }
    }

    /// Links or unlinks two slots of which it is known whether they are linked.
    pub(super) fn set_link(&mut self, edge: EdgeIx, from: u32, to: u32, linked: bool) {
        if let Some(link) = self.links[edge.index()].get_mut(&(from, to)) {
            link.now = linked;
        }
    }

    fn learn(&mut self, edge: EdgeIx, from: u32, to: u32, before: bool) -> Result<(), Stop> {
        let link = Link {
            before,
            now: before,
        };
        self.links[edge.index()].insert((from, to), link);
        if before {
            let edge = &self.model.net[edge];
            for (entity, slot) in [(edge.from.entity, from), (edge.to.entity, to)] {
                self.narrow(entity, slot, self.model.alive(entity))?;
            }
        }
        Ok(())
    }

    fn is_free_before(&self, entity: EntityIx, slot: u32) -> bool {
        self.slot(entity, slot).before == States::one(FREE)
    }

    /// Whether a pair of which nothing is known can have been linked before the execution.
    fn may_be_linked(&self, ix: EdgeIx, from: u32, to: u32) -> bool {
        let edge = &self.model.net[ix];
        let ends = [(&edge.from, true, from), (&edge.to, false, to)];
        ends.into_iter().all(|(end, forward, near)| {
            let hop = Hop { edge: ix, forward };
            let is_full = |max: u32| self.linked_before(hop, near).count() >= max as usize;
            !self.is_free_before(end.entity, near) && !end.max.is_some_and(is_full)
        })
    }

    /// Whether a pair of which nothing is known must have been linked before the execution, since too few others can have been.
    fn must_be_linked(&self, ix: EdgeIx, from: u32, to: u32) -> bool {
        let edge = &self.model.net[ix];
        let ends = [(&edge.from, true, from), (&edge.to, false, to)];
        ends.into_iter().any(|(end, forward, near)| {
            let this = if forward { to } else { from };
            if end.min == 0 || self.slot(end.entity, near).before.has(FREE) {
                return false;
            }
            let hop = Hop { edge: ix, forward };
            let far = edge.far(hop).entity;
            let others = (0..self.model.slots(far)).filter(|other| *other != this);
            let may_be = others.filter(|other| {
                let known = self.links[ix.index()].get(&pair(hop, near, *other));
                known.map_or(!self.is_free_before(far, *other), |link| link.before)
            });
            may_be.count() < end.min as usize
        })
    }

    /// The slots that are known to have been linked with one before the execution.
    fn linked_before(&self, hop: Hop, near: u32) -> impl Iterator<Item = (u32, u32)> + '_ {
        let known = self.links[hop.edge.index()].iter();
        known.filter_map(move |(&pair, link)| {
            let this = if hop.forward { pair.0 } else { pair.1 };
            (link.before && this == near).then_some(pair)
        })
    }

    /// The slots that are linked with one now, in order.
    pub(super) fn far(&mut self, hop: Hop, near: u32) -> Result<Vec<u32>, Stop> {
        let mut linked = Vec::new();
        for far in 0..self.model.slots(self.model.far(hop)) {
            let (from, to) = pair(hop, near, far);
            if self.linked(hop.edge, from, to)? {
                linked.push(far);
            }
        }
        Ok(linked)
    }

    /// A slot that one is known to be linked with now, or that is not excluded if nothing is known.
    pub(super) fn is_known_linked(&self, hop: Hop, near: u32, far: u32) -> Option<bool> {
        let link = self.links[hop.edge.index()].get(&pair(hop, near, far));
        link.map(|link| link.now)
    }
}

/// A pair as declaring end and inverse end.
pub(super) fn pair(hop: Hop, near: u32, far: u32) -> (u32, u32) {
    if hop.forward {
        (near, far)
    } else {
        (far, near)
    }
}

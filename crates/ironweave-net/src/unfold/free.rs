//! The order in which free slots are used.
//!
//! The runtime gives a new entity the slot that became free last, and else the first slot that was never used. So the free slots are a
//! stack, on which the slots that were never used lie at the bottom in descending order.

use std::collections::BTreeMap;

use ironweave_schema::EntityIx;

use super::known::{Known, Stop};
use super::states::{FREE, States};

/// A slot on the stack, or `None` below the last one.
pub(super) type Node = Option<u32>;

/// What an execution knows of the stack, and what it has changed.
#[derive(Default)]
pub(super) struct Free {
    /// The slot on top before the execution, if it is known.
    pub top: Option<Node>,
    /// The slots that the execution took from the stack as it was before, each with the one below it.
    pub taken: BTreeMap<u32, Node>,
    /// The slots that the execution has put on what is left.
    pub put: Vec<u32>,
    /// What is on top of the slots that were there before and are still there, if it is known.
    pub rest: Option<Node>,
}

impl Free {
    /// The slot on top now, if it is known.
    pub(super) fn top_now(&self) -> Option<Node> {
        self.put.last().map(|slot| Some(*slot)).or(self.rest)
    }
}

impl Known<'_> {
    /// Takes the slot for a new entity.
    pub(super) fn take_slot(&mut self, entity: EntityIx) -> Result<u32, Stop> {
        if let Some(slot) = self.free[entity.index()].put.pop() {
            return Ok(slot);
        }
        let Some(slot) = self.rest(entity)? else {
            return Err(Stop::Full(entity));
        };
        let below = self.below(entity, slot)?;
        let free = &mut self.free[entity.index()];
        free.taken.insert(slot, below);
        free.rest = Some(below);
        Ok(slot)
    }

    /// Gives back the slot of a deleted entity.
    pub(super) fn put_slot(&mut self, entity: EntityIx, slot: u32) -> Result<(), Stop> {
        self.rest(entity)?;
        self.free[entity.index()].put.push(slot);
        Ok(())
    }

    /// The slot on top of those that were free before the execution and still are.
    fn rest(&mut self, entity: EntityIx) -> Result<Node, Stop> {
        if let Some(rest) = self.free[entity.index()].rest {
            return Ok(rest);
        }
        let top = self.choose_node(entity)?;
        self.free[entity.index()].top = Some(top);
        self.free[entity.index()].rest = Some(top);
        match top {
            Some(slot) => self.narrow(entity, slot, States::one(FREE))?,
            None => self.exclude_others(entity)?,
        }
        if let (false, Some(slot @ 1..)) = (self.model.is_deleted(entity), top) {
            self.narrow(entity, slot - 1, self.model.alive(entity))?;
        }
        Ok(top)
    }

    /// The slot below one on the stack as it was before the execution.
    fn below(&mut self, entity: EntityIx, slot: u32) -> Result<Node, Stop> {
        if !self.model.is_deleted(entity) {
            return Ok(Some(slot + 1).filter(|next| *next < self.model.slots(entity)));
        }
        self.free[entity.index()].taken.insert(slot, None);
        let below = self.choose_node(entity)?;
        match below {
            Some(slot) => self.narrow(entity, slot, States::one(FREE))?,
            None => self.exclude_others(entity)?,
        }
        Ok(below)
    }

    /// Chooses a slot that was free before the execution and was not taken, or none.
    fn choose_node(&mut self, entity: EntityIx) -> Result<Node, Stop> {
        let taken = &self.free[entity.index()].taken;
        let others = (0..self.model.slots(entity)).filter(|slot| !taken.contains_key(slot));
        let before = |slot: &u32| self.slots[entity.index()][*slot as usize].before;
        let mut nodes: Vec<Node> = (others.clone())
            .filter(|slot| before(slot).has(FREE))
            .map(Some)
            .collect();
        if others
            .clone()
            .all(|slot| before(&slot) != States::one(FREE))
        {
            nodes.push(None);
        }
        match nodes.is_empty() {
            true => Err(Stop::Rejected),
            false => Ok(nodes[self.choices.choose(nodes.len())]),
        }
    }

    /// The slots that were not taken have entities.
    fn exclude_others(&mut self, entity: EntityIx) -> Result<(), Stop> {
        for slot in 0..self.model.slots(entity) {
            if !self.free[entity.index()].taken.contains_key(&slot) {
                self.narrow(entity, slot, self.model.alive(entity))?;
            }
        }
        Ok(())
    }
}

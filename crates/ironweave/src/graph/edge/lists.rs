//! The lists of an end that holds many links, one for each entity.
//!
//! Most entities have no links over most edges. So the table ends with the last list that was ever changed, and all entities behind it share one
//! empty list. Creating such an entity, or reading it from a checkpoint, writes nothing to the table.

use crate::graph::list::List;
use crate::graph::storage::{Storage, Table as _};

/// A list of links for each slot.
pub(super) struct Lists<S: Storage> {
    /// The lists up to the last one that was ever changed.
    used: S::Table<S::List>,
    /// How many slots there are.
    slots: usize,
    /// The list of every slot behind those in `used`.
    empty: S::List,
}

impl<S: Storage> Default for Lists<S> {
    fn default() -> Self {
        Self {
            used: S::Table::default(),
            slots: 0,
            empty: S::List::default(),
        }
    }
}

impl<S: Storage> Clone for Lists<S> {
    fn clone(&self) -> Self {
        Self {
            used: self.used.clone(),
            slots: self.slots,
            empty: S::List::default(),
        }
    }
}

impl<S: Storage> Lists<S> {
    /// How many slots there are.
    pub(super) fn len(&self) -> usize {
        self.slots
    }

    /// Adds a slot, whose list is empty.
    pub(super) fn push(&mut self) {
        self.slots += 1;
    }

    /// Adds so many slots to lists that have none.
    pub(super) fn make_room(&mut self, slots: usize) {
        self.used.reserve(slots);
        self.slots = slots;
    }

    /// Removes the last slot, whose list is empty.
    pub(super) fn pop(&mut self) {
        self.slots = self.slots.saturating_sub(1);
        if self.used.len() > self.slots {
            self.used.pop();
        }
    }

    /// The list of a slot.
    #[inline(always)]
    pub(super) fn at(&self, slot: usize) -> &S::List {
        debug_assert!(slot < self.slots, "the caller has a slot of the end");
        if slot < self.used.len() {
            self.used.at(slot)
        } else {
            &self.empty
        }
    }

    /// The list of a slot, to change it. O(1) amortized over the slots.
    #[inline(always)]
    pub(super) fn at_mut(&mut self, slot: usize) -> &mut S::List {
        debug_assert!(slot < self.slots, "the caller has a slot of the end");
        if slot >= self.used.len() {
            self.reach(slot);
        }
        self.used.at_mut(slot)
    }

    #[cold]
    #[inline(never)]
    fn reach(&mut self, slot: usize) {
        while self.used.len() <= slot {
            self.used.push(S::List::default());
        }
    }

    /// A copy in another storage.
    pub(super) fn copy<B: Storage>(&self) -> Lists<B> {
        let mut used = B::Table::default();
        (0..self.used.len()).for_each(|slot| used.push(self.used.at(slot).copy()));
        Lists {
            used,
            slots: self.slots,
            empty: B::List::default(),
        }
    }

    /// The number of slots with a list of their own, which may have members.
    pub(super) fn used(&self) -> usize {
        self.used.len()
    }

    /// Calls `see` with the slots whose lists may differ.
    pub(super) fn differing(&self, other: &Self, see: &mut dyn FnMut(usize)) {
        self.used.differing(&other.used, see);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::paged::Paged;
    use crate::graph::storage::Flat;

    /// Random changes have the result that they have on vectors, and a copy differs in the lists that were changed since.
    fn are_as_vectors<S: Storage>() {
        let (mut lists, mut vectors) = (Lists::<S>::default(), Vec::<Vec<u32>>::new());
        let mut seed = 3u32;
        let mut next = |below: usize| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) as usize % below
        };
        for round in 0..40 {
            let (before, old) = (lists.clone(), vectors.clone());
            for _ in 0..next(40) {
                match next(4) {
                    0 | 1 => {
                        lists.push();
                        vectors.push(Vec::new());
                    }
                    2 if vectors.last().is_some_and(Vec::is_empty) => {
                        lists.pop();
                        vectors.pop();
                    }
                    _ if vectors.is_empty() => {}
                    _ => {
                        let slot = next(vectors.len());
                        lists.at_mut(slot).add(round);
                        vectors[slot].push(round);
                    }
                }
            }
            let seen = |lists: &Lists<S>| -> Vec<Vec<u32>> {
                let all = (0..lists.len()).map(|slot| lists.at(slot).slots().to_vec());
                all.collect()
            };
            assert_eq!(seen(&lists), vectors);
            assert_eq!(seen(&before), old, "a copy shares no changes");
            let mut differing = Vec::new();
            lists.differing(&before, &mut |slot| differing.push(slot));
            for slot in 0..vectors.len().min(old.len()) {
                assert!(vectors[slot] == old[slot] || differing.contains(&slot));
            }
        }
        assert!(lists.used() > 10 && vectors.len() > 10);
        let copy = lists.copy::<Flat>();
        let copied: Vec<Vec<u32>> = (0..copy.len())
            .map(|slot| copy.at(slot).slots().to_vec())
            .collect();
        assert_eq!(copied, vectors);
    }

    #[test]
    fn lists_are_as_vectors() {
        are_as_vectors::<Flat>();
        are_as_vectors::<Paged>();
    }

    #[test]
    fn a_slot_without_links_takes_no_memory() {
        let mut lists = Lists::<Flat>::default();
        lists.make_room(1000);
        lists.push();
        assert_eq!((lists.len(), lists.used()), (1001, 0));
        assert!(lists.at(1000).slots().is_empty());
        lists.at_mut(10).add(3);
        assert_eq!(lists.used(), 11);
    }
}

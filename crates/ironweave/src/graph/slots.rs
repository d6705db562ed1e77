//! Sets of slots, as a bitset with a summary level: which entities of a type are in a state.

use crate::graph::storage::{Storage, Table};

/// A set of slots. Insert and remove are O(1); iteration is in order and skips 4,096 empty slots at a time.
pub(crate) struct SlotSet<S: Storage> {
    words: S::Table<u64>,
    summary: S::Table<u64>,
    len: usize,
}

impl<S: Storage> Default for SlotSet<S> {
    fn default() -> Self {
        Self {
            words: S::Table::default(),
            summary: S::Table::default(),
            len: 0,
        }
    }
}

impl<S: Storage> Clone for SlotSet<S> {
    fn clone(&self) -> Self {
        Self {
            words: self.words.clone(),
            summary: self.summary.clone(),
            len: self.len,
        }
    }
}

impl<S: Storage> SlotSet<S> {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// A bit for each of the 64 slots from `64 * i` on.
    pub(crate) fn word(&self, i: usize) -> u64 {
        if i < self.words.len() {
            *self.words.at(i)
        } else {
            0
        }
    }

    /// A bit for each of the 64 words from `64 * i` on that is not empty.
    pub(crate) fn group(&self, i: usize) -> u64 {
        if i < self.summary.len() {
            *self.summary.at(i)
        } else {
            0
        }
    }

    /// How many groups there are.
    pub(crate) fn groups(&self) -> usize {
        self.summary.len()
    }

    /// The same in another storage.
    pub(super) fn copy<B: Storage>(&self) -> SlotSet<B> {
        SlotSet {
            words: self.words.copy(),
            summary: self.summary.copy(),
            len: self.len,
        }
    }

    pub(crate) fn contains(&self, slot: u32) -> bool {
        let word = slot as usize / 64;
        word < self.words.len() && *self.words.at(word) >> (slot % 64) & 1 == 1
    }

    /// Adds a slot that is not in it.
    #[inline]
    pub(crate) fn insert(&mut self, slot: u32) {
        self.reach(slot);
        let word = slot as usize / 64;
        let bits = self.words.at_mut(word);
        if *bits == 0 {
            *self.summary.at_mut(word / 64) |= 1 << (word % 64);
        }
        *bits |= 1 << (slot % 64);
        self.len += 1;
    }

    /// Makes room for a slot, so that an event that is tried on a snapshot need not do so each time.
    #[inline]
    pub(crate) fn reach(&mut self, slot: u32) {
        let word = slot as usize / 64;
        if self.words.len() <= word {
            self.grow(word);
        }
    }

    /// Makes room for a word.
    #[cold]
    fn grow(&mut self, word: usize) {
        while self.words.len() <= word {
            self.words.push(0);
        }
        while self.summary.len() <= word / 64 {
            self.summary.push(0);
        }
    }

    /// Removes a slot that is in it.
    #[inline]
    pub(crate) fn remove(&mut self, slot: u32) {
        let word = slot as usize / 64;
        let bits = self.words.at_mut(word);
        *bits &= !(1 << (slot % 64));
        if *bits == 0 {
            *self.summary.at_mut(word / 64) &= !(1 << (word % 64));
        }
        self.len -= 1;
    }

    /// The first member that is not before `start`.
    pub(crate) fn next_from(&self, start: u32) -> Option<u32> {
        let word = start as usize / 64;
        if word >= self.words.len() {
            return None;
        }
        let here = *self.words.at(word) & (!0 << (start % 64));
        if here != 0 {
            return Some(word as u32 * 64 + here.trailing_zeros());
        }
        let next = word + 1;
        let mut group = next / 64;
        let mut mask = !0 << (next % 64);
        while group < self.summary.len() {
            let words = *self.summary.at(group) & mask;
            if words != 0 {
                let word = group * 64 + words.trailing_zeros() as usize;
                return Some(word as u32 * 64 + self.words.at(word).trailing_zeros());
            }
            group += 1;
            mask = !0;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::storage::Flat;

    #[test]
    fn iterates_in_order_over_gaps_of_every_size() {
        let members = [0, 1, 63, 64, 4_095, 4_096, 4_097, 300_000];
        let mut set = SlotSet::<Flat>::default();
        for slot in members {
            set.insert(slot);
        }
        set.insert(70);
        set.remove(70);
        let mut found = vec![];
        let mut at = 0;
        while let Some(slot) = set.next_from(at) {
            found.push(slot);
            at = slot + 1;
        }
        assert_eq!(found, members);
        assert_eq!(set.len(), members.len());
        assert!(set.contains(4_096) && !set.contains(70) && !set.contains(5_000_000));
    }
}

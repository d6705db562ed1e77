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
}

/// A position in a set of slots that is iterated in order: a bit for each slot in words, and above them groups of 64 words.
/// The bit of a group may be set for an empty word, and is never clear for another.
#[derive(Clone, Debug)]
pub(crate) struct Cursor {
    /// The groups that are still to be visited.
    groups: std::ops::Range<usize>,
    /// The group of the words, which is before these.
    group: usize,
    /// The words of the group that are still to be visited.
    words: u64,
    /// The word of the slots.
    word: usize,
    /// The slots of the word that are still to be visited.
    slots: u64,
}

impl Cursor {
    /// A cursor before the first slot of a set with this number of groups.
    pub(crate) fn new(groups: usize) -> Self {
        Self {
            groups: 0..groups,
            group: 0,
            words: 0,
            word: 0,
            slots: 0,
        }
    }

    /// The next slot of the set that has these groups and words.
    #[inline]
    pub(crate) fn next<X>(
        &mut self,
        set: &mut X,
        group: impl Fn(&X, usize) -> u64,
        word: impl Fn(&mut X, usize) -> u64,
    ) -> Option<u32> {
        while self.slots == 0 {
            while self.words == 0 {
                self.group = self.groups.next()?;
                self.words = group(set, self.group);
            }
            self.word = self.group * 64 + self.words.trailing_zeros() as usize;
            self.words &= self.words - 1;
            self.slots = word(set, self.word);
        }
        let slot = self.word as u32 * 64 + self.slots.trailing_zeros();
        self.slots &= self.slots - 1;
        Some(slot)
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
        let mut cursor = Cursor::new(set.groups());
        while let Some(slot) = cursor.next(&mut set, SlotSet::group, |set, i| set.word(i)) {
            found.push(slot);
        }
        assert_eq!(found, members);
        assert_eq!(set.len(), members.len());
        assert!(set.contains(4_096) && !set.contains(70) && !set.contains(5_000_000));
    }
}

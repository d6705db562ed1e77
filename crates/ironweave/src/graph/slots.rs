//! Which entities of a type are in which state: a bitset with a summary level for each state.
//!
//! The words of all states for the same 64 slots are side by side, so that a move changes two words that are close to each
//! other.

use crate::graph::storage::{Storage, Table, touched};
use crate::schema::StateIx;

/// The number of slots in a group of a [`Cursor`].
pub(crate) const GROUP_SLOTS: usize = 64 * 64;

/// The slots of the entities of a type, by state. Each change is O(1).
pub(crate) struct SlotsByState<S: Storage> {
    /// For each 64 slots, a word of each state.
    words: S::Table<u64>,
    /// For each 64 words of a state, a word with a bit for each that is not empty; also of all states side by side.
    summary: S::Table<u64>,
    /// By state, the number of entities.
    lens: Vec<u32>,
}

impl<S: Storage> Clone for SlotsByState<S> {
    fn clone(&self) -> Self {
        Self {
            words: self.words.clone(),
            summary: self.summary.clone(),
            lens: self.lens.clone(),
        }
    }
}

impl<S: Storage> SlotsByState<S> {
    /// No slots, in a number of states.
    pub(super) fn new(states: usize) -> Self {
        Self {
            words: S::Table::default(),
            summary: S::Table::default(),
            lens: vec![0; states],
        }
    }

    /// The same in another storage.
    pub(super) fn copy<B: Storage>(&self) -> SlotsByState<B> {
        SlotsByState {
            words: self.words.copy(),
            summary: self.summary.copy(),
            lens: self.lens.clone(),
        }
    }

    /// The slots of the entities in a state.
    pub(crate) fn of(&self, state: StateIx) -> SlotsInState<'_, S> {
        SlotsInState { all: self, state }
    }

    /// The position of a word of a state.
    #[inline(always)]
    fn at(&self, word: usize, state: StateIx) -> usize {
        word * self.lens.len() + usize::from(state)
    }

    /// Makes room for a slot.
    pub(super) fn reach(&mut self, slot: u32) {
        let (word, states) = (slot as usize / 64, self.lens.len());
        while self.words.len() < (word + 1) * states {
            self.words.push(0);
        }
        while self.summary.len() < (word / 64 + 1) * states {
            self.summary.push(0);
        }
    }

    /// Adds a slot that is in no state, and for which there is room.
    #[inline]
    pub(super) fn insert(&mut self, state: StateIx, slot: u32) {
        if self.set(self.first_of(slot), state, slot) {
            self.summarize(slot, None, Some(state));
        }
    }

    /// Removes a slot that is in a state.
    #[inline]
    pub(super) fn remove(&mut self, state: StateIx, slot: u32) {
        if self.unset(self.first_of(slot), state, slot) {
            self.summarize(slot, Some(state), None);
        }
    }

    /// Moves a slot from one state to another.
    #[inline(always)]
    pub(super) fn change(&mut self, slot: u32, from: StateIx, to: StateIx) {
        let first = self.first_of(slot);
        let emptied;
        let filled;
        if let Some(words) = self.words.as_mut_slice() {
            // As below, but the compiler knows that the two writes leave the table where it is.
            touched(2);
            let lens = &mut *self.lens;
            let bit = 1 << (slot % 64);
            let word = &mut words[first + usize::from(from)];
            *word &= !bit;
            emptied = *word == 0;
            lens[usize::from(from)] -= 1;
            let word = &mut words[first + usize::from(to)];
            filled = *word == 0;
            *word |= bit;
            lens[usize::from(to)] += 1;
        } else {
            emptied = self.unset(first, from, slot);
            filled = self.set(first, to, slot);
        }
        if emptied | filled {
            self.summarize(slot, emptied.then_some(from), filled.then_some(to));
        }
    }

    /// The index of the word of a slot in the first state; those in the other states are behind it.
    #[inline(always)]
    fn first_of(&self, slot: u32) -> usize {
        self.at(slot as usize / 64, StateIx::new(0))
    }

    /// Sets the bit of a slot, and returns whether its word was empty.
    #[inline(always)]
    fn set(&mut self, first: usize, state: StateIx, slot: u32) -> bool {
        let word = self.words.at_mut(first + usize::from(state));
        let was_empty = *word == 0;
        *word |= 1 << (slot % 64);
        self.lens[usize::from(state)] += 1;
        was_empty
    }

    /// Clears the bit of a slot, and returns whether its word is empty now.
    #[inline(always)]
    fn unset(&mut self, first: usize, state: StateIx, slot: u32) -> bool {
        let word = self.words.at_mut(first + usize::from(state));
        *word &= !(1 << (slot % 64));
        self.lens[usize::from(state)] -= 1;
        *word == 0
    }

    /// Records in the summary that the word of a slot became empty in one state, or is no longer empty in another.
    #[inline(never)]
    fn summarize(&mut self, slot: u32, emptied: Option<StateIx>, filled: Option<StateIx>) {
        let word = slot as usize / 64;
        let bit = 1u64 << (word % 64);
        if let Some(state) = emptied {
            let at = self.at(word / 64, state);
            *self.summary.at_mut(at) &= !bit;
        }
        if let Some(state) = filled {
            let at = self.at(word / 64, state);
            *self.summary.at_mut(at) |= bit;
        }
    }
}

/// The slots of the entities in one state.
pub(crate) struct SlotsInState<'g, S: Storage> {
    all: &'g SlotsByState<S>,
    state: StateIx,
}

impl<S: Storage> Clone for SlotsInState<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S: Storage> Copy for SlotsInState<'_, S> {}

impl<S: Storage> SlotsInState<'_, S> {
    pub(crate) fn len(self) -> usize {
        self.all.lens[usize::from(self.state)] as usize
    }

    /// A bit for each of the 64 slots from `64 * i` on.
    pub(crate) fn word(self, i: usize) -> u64 {
        let at = self.all.at(i, self.state);
        if at < self.all.words.len() {
            *self.all.words.at(at)
        } else {
            0
        }
    }

    /// A bit for each of the 64 words from `64 * i` on that is not empty.
    pub(crate) fn group(self, i: usize) -> u64 {
        let at = self.all.at(i, self.state);
        if at < self.all.summary.len() {
            *self.all.summary.at(at)
        } else {
            0
        }
    }

    /// How many groups there are.
    pub(crate) fn groups(self) -> usize {
        self.all.summary.len() / self.all.lens.len()
    }

    pub(crate) fn contains(self, slot: u32) -> bool {
        self.word(slot as usize / 64) >> (slot % 64) & 1 == 1
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
        Self::between(0, groups)
    }

    /// A cursor before the first slot of a group of a set with this number of groups.
    pub(crate) fn between(first: usize, groups: usize) -> Self {
        Self {
            groups: first..groups,
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

    /// The number of slots that are still to be visited, of the set that has these groups and words.
    pub(crate) fn count<X>(
        &mut self,
        set: &mut X,
        group: impl Fn(&X, usize) -> u64,
        word: impl Fn(&mut X, usize) -> u64,
    ) -> usize {
        let mut count = 0;
        // Each turn finds the first slot of a word, and counts the others at once.
        while self.next(set, &group, &word).is_some() {
            count += 1 + self.slots.count_ones() as usize;
            self.slots = 0;
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::storage::Flat;

    /// The slots of a state in order.
    fn slots(all: &SlotsByState<Flat>, state: StateIx) -> Vec<u32> {
        let mut set = all.of(state);
        let mut cursor = Cursor::new(set.groups());
        let next = || cursor.next(&mut set, |set, i| set.group(i), |set, i| set.word(i));
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn iterates_in_order_over_gaps_of_every_size() {
        let members = [0, 1, 63, 64, 4_095, 4_096, 4_097, 300_000];
        let [one, two] = [0, 1].map(StateIx::new);
        let mut all = SlotsByState::new(2);
        all.reach(300_000);
        for slot in members {
            all.insert(one, slot);
        }
        all.insert(one, 70);
        all.remove(one, 70);
        assert_eq!(slots(&all, one), members);
        assert_eq!(all.of(one).len(), members.len());
        assert!(all.of(one).contains(4_096) && !all.of(one).contains(70));
        assert!(!all.of(one).contains(5_000_000) && slots(&all, two).is_empty());
    }

    #[test]
    fn a_slot_is_in_the_state_that_it_was_moved_to_last() {
        const SLOTS: u32 = 9_000;
        let mut all = SlotsByState::new(3);
        let states: Vec<StateIx> = StateIx::all(3).collect();
        let mut expected = vec![states[0]; SLOTS as usize];
        for slot in 0..SLOTS {
            all.reach(slot);
            all.insert(states[0], slot);
        }
        let mut seed = 5u32;
        for round in 0..60_000u32 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            // Long runs in one state empty whole words, and also moves from a state to itself are made.
            let (slot, to) = (
                seed >> 8,
                states[((seed >> 4 & 15) == 0) as usize + round as usize / 30_000],
            );
            let slot = if round % 3 == 0 {
                slot % SLOTS
            } else {
                round % SLOTS
            };
            all.change(slot, expected[slot as usize], to);
            expected[slot as usize] = to;
        }
        for state in states {
            let there = (0..SLOTS).filter(|slot| expected[*slot as usize] == state);
            let there: Vec<u32> = there.collect();
            assert_eq!(all.of(state).len(), there.len());
            assert_eq!(slots(&all, state), there);
        }
    }
}

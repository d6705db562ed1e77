//! Markings of several words as one number each, by which they can be found again.
//!
//! Each word of a marking is numbered in a dictionary of the words that occur at its position. Two numbers beside each other are a word
//! again, which is numbered in the same way, until one word is left: the root.
//!
//! ```text
//! marking    word 0   word 1   word 2   word 3
//!               \       /         \       /          a number of 31 bits for each word
//!                 word              word
//!                     \            /                 a number of 31 bits for each word
//!                          root
//! ```
//!
//! Many markings share their words, so that a marking takes little more than its root: 8 bytes. This is the tree compression of A. Laarman,
//! J. van de Pol and M. Weber, "Parallel Recursive State Compression for Free" (2011).

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::kernel::Marking;
use super::table::mix;

/// How many bits a number in a dictionary has.
const NUMBER_BITS: u32 = 31;
/// How many slots the first tier of a dictionary has. Each other has twice as many as the one before.
const FIRST_TIER: usize = 64;
/// How many tiers a dictionary has at most, so that its numbers have `NUMBER_BITS`.
const TIERS: usize = 25;
/// How many slots of a tier a word may be in.
const WINDOW: usize = 16;

/// The dictionaries of all positions, shared by threads.
pub(super) struct Tree<const W: usize> {
    /// The dictionaries of the words of markings, then those of the words that have two of their numbers, and so on, until there are two.
    /// Empty if a marking has one word, which is its root.
    levels: Vec<Vec<Dictionary>>,
}

impl<const W: usize> Tree<W> {
    pub fn new() -> Self {
        let mut levels = Vec::new();
        let mut len = W;
        while len > 1 {
            levels.push((0..len).map(|_| Dictionary::default()).collect());
            len = len.div_ceil(2);
        }
        Self { levels }
    }

    /// Returns the root of a marking, or `None` if a dictionary is full. Its highest bit is not set. Words that are also in another marking,
    /// such as the one before a firing, are not looked up.
    #[inline]
    pub fn root(&self, marking: &Marking<W>, other: &Numbered<W>) -> Option<u64> {
        let mut words = *marking;
        for (level, other) in self.levels.iter().zip(&other.levels) {
            for (at, dictionary) in level.iter().enumerate() {
                words[at] = if words[at] == other.words[at] {
                    other.numbers[at]
                } else {
                    dictionary.number(words[at])?.into()
                };
            }
            for at in 0..level.len().div_ceil(2) {
                let second = if 2 * at + 1 < level.len() {
                    words[2 * at + 1]
                } else {
                    0
                };
                words[at] = words[2 * at] | second << NUMBER_BITS;
            }
        }
        Some(words[0])
    }

    /// Returns the marking that has a root, and writes all numbers that lead to it. O(words).
    #[inline]
    pub fn marking(&self, root: u64, numbered: &mut Numbered<W>) -> Marking<W> {
        let mut words = [0; W];
        words[0] = root;
        for (level, numbered) in self.levels.iter().zip(&mut numbered.levels).rev() {
            for at in (0..level.len().div_ceil(2)).rev() {
                let pair = words[at];
                words[2 * at] = pair & ((1 << NUMBER_BITS) - 1);
                if 2 * at + 1 < level.len() {
                    words[2 * at + 1] = pair >> NUMBER_BITS;
                }
            }
            numbered.numbers = words;
            for (word, dictionary) in words.iter_mut().zip(level) {
                *word = dictionary.word(*word as u32);
            }
            numbered.words = words;
        }
        words
    }

    pub fn bytes(&self) -> usize {
        self.levels.iter().flatten().map(Dictionary::bytes).sum()
    }
}

/// The words of a marking at each level of the tree, with their numbers. The default is the marking of zeros, whose numbers are zero.
pub(super) struct Numbered<const W: usize> {
    levels: Vec<Level<W>>,
}

#[derive(Clone)]
struct Level<const W: usize> {
    words: [u64; W],
    numbers: [u64; W],
}

impl<const W: usize> Default for Numbered<W> {
    fn default() -> Self {
        let level = Level {
            words: [0; W],
            numbers: [0; W],
        };
        Self {
            levels: vec![level; W.next_power_of_two().ilog2() as usize],
        }
    }
}

/// A set of words, which have numbers that do not change. It grows without moving words: a word for which there is no room in a tier is put
/// into the next. The word 0, which also means a free slot, has the number 0, and others have the position of their slot, plus one.
struct Dictionary<const T: usize = TIERS> {
    tiers: [OnceLock<Vec<AtomicU64>>; T],
    /// How many tiers there are.
    used: AtomicUsize,
}

impl<const T: usize> Default for Dictionary<T> {
    fn default() -> Self {
        Self {
            tiers: std::array::from_fn(|_| OnceLock::new()),
            used: AtomicUsize::new(0),
        }
    }
}

impl<const T: usize> Dictionary<T> {
    /// Returns the number of a word, or `None` if there is no room for it.
    #[inline]
    fn number(&self, word: u64) -> Option<u32> {
        if word == 0 {
            return Some(0);
        }
        let hash = mix(word);
        // The last tiers have the most words.
        for tier in (0..self.used.load(Ordering::Relaxed)).rev() {
            let slots = self.tiers[tier].get().map_or(&[][..], Vec::as_slice);
            for at in window(tier, hash) {
                match slots[at].load(Ordering::Relaxed) {
                    0 => break,
                    there if there == word => return Some(number_of(tier, at)),
                    _ => {}
                }
            }
        }
        self.insert(word, hash)
    }

    /// Puts a word into the first tier with room for it, unless it is found there or before. All threads look at the same slots in the same
    /// order, and a slot that is taken stays so, so a word is in one slot.
    #[cold]
    fn insert(&self, word: u64, hash: u64) -> Option<u32> {
        for (tier, slots) in self.tiers.iter().enumerate() {
            let slots = slots.get_or_init(|| {
                let slots = 0..FIRST_TIER << tier;
                slots.map(|_| AtomicU64::new(0)).collect()
            });
            self.used.fetch_max(tier + 1, Ordering::Relaxed);
            for at in window(tier, hash) {
                let slot = &slots[at];
                let taken = slot.compare_exchange(0, word, Ordering::Relaxed, Ordering::Relaxed);
                if taken.is_ok() || taken == Err(word) {
                    return Some(number_of(tier, at));
                }
            }
        }
        None
    }

    /// Returns the word that has a number.
    #[inline]
    fn word(&self, number: u32) -> u64 {
        let Some(position) = (number as usize).checked_sub(1) else {
            return 0;
        };
        let tier = (position / FIRST_TIER + 1).ilog2() as usize;
        let at = position - FIRST_TIER * ((1 << tier) - 1);
        let slot = self.tiers[tier].get().and_then(|slots| slots.get(at));
        slot.map_or(0, |slot| slot.load(Ordering::Relaxed))
    }

    fn bytes(&self) -> usize {
        let tiers = self.tiers.iter().filter_map(OnceLock::get);
        tiers.map(|slots| 8 * slots.len()).sum::<usize>() + size_of::<Self>()
    }
}

/// Returns the slots of a tier that a word may be in, in the order in which they are tried.
#[inline]
fn window(tier: usize, hash: u64) -> impl Iterator<Item = usize> {
    // Other bits for each tier, so that words that did not fit into one are not together in the next.
    let first = hash.rotate_left(5 * tier as u32) as usize % (FIRST_TIER << tier);
    let begin = first - first % WINDOW;
    (first..first + WINDOW).map(move |at| begin + at % WINDOW)
}

/// Returns the number of the word in a slot.
#[inline]
fn number_of(tier: usize, at: usize) -> u32 {
    (FIRST_TIER * ((1 << tier) - 1) + at + 1) as u32
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    /// Threads take roots of the same markings, in different orders. Each marking must have one root, and be read back from it.
    fn contended<const W: usize>(threads: usize) {
        let marking = |n: u64| -> Marking<W> {
            let mut words = std::array::from_fn(|at| n / 7u64.pow(at as u32) % 50 * 0x0101_0001);
            // One word takes many values, up to the largest.
            words[W - 1] = (n / 3).wrapping_sub(1);
            if W == 1 {
                words[0] &= u64::MAX >> 1;
            }
            words
        };
        let markings = 30_000;
        let tree = Tree::<W>::new();
        let roots: Vec<Vec<u64>> = std::thread::scope(|scope| {
            let tree = &tree;
            let work = |thread: u64| {
                let mut roots = vec![0; markings as usize];
                let mut numbered = Numbered::default();
                for n in 0..markings {
                    let n = (n * 7_919 + thread * markings / 3) % markings;
                    let root = tree.root(&marking(n), &numbered).unwrap();
                    assert_eq!(tree.marking(root, &mut numbered), marking(n));
                    assert_eq!(tree.root(&marking(n), &numbered), Some(root));
                    roots[n as usize] = root;
                }
                roots
            };
            let handles: Vec<_> = (0..threads as u64)
                .map(|thread| scope.spawn(move || work(thread)))
                .collect();
            let join = |handle: std::thread::ScopedJoinHandle<'_, _>| handle.join().unwrap();
            handles.into_iter().map(join).collect()
        });
        let mut by_root: HashMap<u64, Marking<W>> = HashMap::new();
        assert!(roots.iter().all(|of_thread| *of_thread == roots[0]));
        for (root, n) in roots[0].iter().zip(0..) {
            assert_eq!(root >> 63, 0);
            let of_root = by_root.entry(*root).or_insert_with(|| marking(n));
            assert_eq!(*of_root, marking(n));
        }
    }

    #[test]
    fn threads_give_a_marking_one_root() {
        for threads in [1, 2, 7] {
            contended::<1>(threads);
            contended::<2>(threads);
            contended::<3>(threads);
            contended::<6>(threads);
        }
    }

    #[test]
    fn a_full_dictionary_refuses_words_and_keeps_those_that_it_has() {
        let dictionary = Dictionary::<2>::default();
        let numbers: Vec<Option<u32>> = (0..1_000).map(|word| dictionary.number(word)).collect();
        let known = numbers.iter().flatten().count();
        // The word 0 takes no slot, and no window of the tiers has a free slot.
        assert_eq!(known, 1 + FIRST_TIER + 2 * FIRST_TIER);
        for (number, word) in numbers.iter().zip(0..) {
            assert_eq!(dictionary.number(word), *number);
            assert!(number.is_none_or(|number| dictionary.word(number) == word));
        }
    }

    #[test]
    fn numbers_have_31_bits() {
        assert_eq!(number_of(0, 0), 1);
        let last = number_of(TIERS - 1, (FIRST_TIER << (TIERS - 1)) - 1);
        assert!(last < 1 << NUMBER_BITS);
    }
}

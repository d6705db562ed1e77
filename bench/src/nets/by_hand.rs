//! An explorer as one writes it by hand for nets of one kind: markings packed into a word, a hash set of them, and a queue.
//!
//! It takes from its author that the markings fit: that no place ever has more than one token, or more than seven.

use std::collections::VecDeque;
use std::hash::{BuildHasher, Hash};
use std::ops::{BitAnd, BitOr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use ironweave_net::plain::{Net, PlaceIx};
use rustc_hash::{FxBuildHasher, FxHashSet};

use super::families::Counts;

/// A packed marking.
pub trait Word:
    Copy + Eq + Hash + Send + Sync + BitAnd<Output = Self> + BitOr<Output = Self>
{
    const BITS: usize;
    const ZERO: Self;
    fn one(at: usize) -> Self;
    fn plus(self, other: Self) -> Self;
    fn minus(self, other: Self) -> Self;
}

macro_rules! word {
    ($($word:ty),*) => {$(
        impl Word for $word {
            const BITS: usize = <$word>::BITS as usize;
            const ZERO: Self = 0;
            fn one(at: usize) -> Self { 1 << at }
            fn plus(self, other: Self) -> Self { self.wrapping_add(other) }
            fn minus(self, other: Self) -> Self { self.wrapping_sub(other) }
        }
    )*};
}
word!(u64, u128);

/// A net on markings whose places have so many bits each. The highest bit of several is never set in a marking.
pub struct Packed<W, const BITS: usize> {
    initial: W,
    /// What each transition takes, and what a firing adds to a marking.
    transitions: Vec<(W, W)>,
    guards: W,
}

impl<W: Word, const BITS: usize> Packed<W, BITS> {
    /// Packs a net.
    ///
    /// # Panics
    /// If it has too many places.
    pub fn new(net: &Net) -> Self {
        assert!(net.places.len() * BITS <= W::BITS, "too many places");
        let sum = |places: &mut dyn Iterator<Item = (PlaceIx, u64)>| {
            let one =
                |(place, n): (PlaceIx, u64)| (0..n).map(move |_| W::one(place.0 as usize * BITS));
            places.flat_map(one).fold(W::ZERO, W::plus)
        };
        let tokens = |(place, at): (&ironweave_net::plain::Place, u32)| (PlaceIx(at), place.tokens);
        let transitions = net.transitions.iter().map(|t| {
            let taken = sum(&mut t.inputs.iter().copied());
            (taken, sum(&mut t.outputs.iter().copied()).minus(taken))
        });
        let guards = (0..net.places.len()).map(|at| W::one(at * BITS + BITS - 1));
        Self {
            initial: sum(&mut net.places.iter().zip(0..).map(tokens)),
            transitions: transitions.collect(),
            guards: guards.fold(W::ZERO, W::plus),
        }
    }

    /// Returns the first marking.
    #[cfg(feature = "stateright")]
    pub fn initial(&self) -> W {
        self.initial
    }

    /// Returns the positions of the transitions that are enabled in a marking.
    #[cfg(feature = "stateright")]
    pub fn enabled(&self, marking: W) -> impl Iterator<Item = u32> {
        let transitions = (0..).zip(&self.transitions);
        let enabled = transitions.filter(move |(_, (taken, _))| self.is_enabled(marking, *taken));
        enabled.map(|(at, _)| at)
    }

    /// Returns the marking after a transition.
    #[cfg(feature = "stateright")]
    pub fn fired(&self, marking: W, transition: u32) -> W {
        marking.plus(self.transitions[transition as usize].1)
    }

    #[inline]
    fn is_enabled(&self, marking: W, taken: W) -> bool {
        match BITS {
            1 => marking & taken == taken,
            _ => (marking | self.guards).minus(taken) & self.guards == self.guards,
        }
    }

    /// Visits all markings.
    pub fn explore(&self, threads: usize) -> Counts {
        match threads {
            1 => self.explore_alone(),
            _ => self.explore_together(threads),
        }
    }

    fn explore_alone(&self) -> Counts {
        let mut seen = FxHashSet::from_iter([self.initial]);
        let mut queue = VecDeque::from([self.initial]);
        let (mut edges, mut deadlocks) = (0, 0);
        while let Some(marking) = queue.pop_front() {
            let before = edges;
            for &(taken, change) in &self.transitions {
                if self.is_enabled(marking, taken) {
                    edges += 1;
                    let next = marking.plus(change);
                    if seen.insert(next) {
                        queue.push_back(next);
                    }
                }
            }
            deadlocks += u64::from(edges == before);
        }
        let states = seen.len() as u64;
        Counts {
            states,
            edges,
            deadlocks,
        }
    }

    /// Visits the markings level by level. The threads share 64 sets, each of which is locked for many markings.
    fn explore_together(&self, threads: usize) -> Counts {
        let shards: [Mutex<FxHashSet<W>>; SHARDS] = std::array::from_fn(|_| Mutex::default());
        let shard = |marking: W| (FxBuildHasher.hash_one(marking) >> 40) as usize % SHARDS;
        let insert = |into: usize, from: &mut Vec<W>, next: &mut Vec<W>| {
            let mut seen = shards[into].lock().expect("no thread panicked");
            next.extend(from.drain(..).filter(|marking| seen.insert(*marking)));
        };
        let mut level = Vec::new();
        insert(shard(self.initial), &mut vec![self.initial], &mut level);
        let (mut edges, mut deadlocks, mut states) = (0, 0, 0);
        while !level.is_empty() {
            states += level.len() as u64;
            let at = AtomicUsize::new(0);
            let work = || {
                let mut out: [Vec<W>; SHARDS] = std::array::from_fn(|_| Vec::with_capacity(BATCH));
                let (mut next, mut edges, mut deadlocks) = (Vec::new(), 0, 0);
                while let Some(chunk) = level.chunks(CHUNK).nth(at.fetch_add(1, Ordering::Relaxed))
                {
                    for &marking in chunk {
                        let before = edges;
                        for &(taken, change) in &self.transitions {
                            if self.is_enabled(marking, taken) {
                                edges += 1;
                                let to = marking.plus(change);
                                let into = shard(to);
                                out[into].push(to);
                                if out[into].len() == BATCH {
                                    insert(into, &mut out[into], &mut next);
                                }
                            }
                        }
                        deadlocks += u64::from(edges == before);
                    }
                }
                for (into, from) in out.iter_mut().enumerate() {
                    insert(into, from, &mut next);
                }
                (next, edges, deadlocks)
            };
            let found: Vec<_> = thread::scope(|scope| {
                let spawned: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
                spawned
                    .into_iter()
                    .map(|t| t.join().expect("it did not panic"))
                    .collect()
            });
            level = Vec::new();
            for (next, some_edges, some_deadlocks) in found {
                level.extend(next);
                edges += some_edges;
                deadlocks += some_deadlocks;
            }
        }
        Counts {
            states,
            edges,
            deadlocks,
        }
    }
}

/// The number of sets that threads share.
const SHARDS: usize = 64;
/// How many markings are looked up together in one of them.
const BATCH: usize = 128;
/// How many markings a thread takes from a level.
const CHUNK: usize = 1_024;

//! A set of packed markings that threads share: open addressing in flat arrays, without locks.
//!
//! The set has parts, which grow one by one while no thread inserts, so that growing needs little memory. The first word of a free
//! slot is 0, that of a slot which is being written is 1, and that of a marking has its highest bit set.

use std::sync::atomic::{AtomicU64, Ordering};

use super::kernel::Marking;

/// The bit that tells a marking from a free slot. It is free in the first word of each marking.
const TAKEN: u64 = 1 << 63;
/// The first word of a slot whose other words are being written. A marking has the bit above.
const BUSY: u64 = 1;
/// How many parts there are.
const PARTS: usize = 64;

pub(super) struct Table<const W: usize> {
    parts: [Vec<AtomicU64>; PARTS],
    /// How many markings each part has.
    lens: [usize; PARTS],
}

/// How many markings a thread may insert into each part before parts must grow. A thread counts for itself, because a counter that
/// threads share would be written by both all the time.
pub(super) struct Budget([usize; PARTS]);

/// What an insertion did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inserted {
    New,
    Known,
    /// Nothing was inserted, because the part must grow first.
    Full,
}

/// A position at which the search for a marking begins.
#[derive(Clone, Copy)]
pub(super) struct Probe {
    part: u32,
    slot: u32,
}

#[inline]
fn hash<const W: usize>(marking: &Marking<W>) -> u64 {
    // The finalizer of MurmurHash3 for each word.
    let mut hash = 0u64;
    for word in marking {
        hash = (hash ^ word).wrapping_mul(0xff51_afd7_ed55_8ccd);
        hash ^= hash >> 32;
        hash = hash.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        hash ^= hash >> 29;
    }
    hash
}

/// Returns how many markings a part may have: 85 of 100 slots are taken at most.
fn most<const W: usize>(slots: &[AtomicU64]) -> usize {
    slots.len() / W / 20 * 17
}

impl<const W: usize> Table<W> {
    pub fn new(capacity: usize) -> Self {
        let each = (capacity / PARTS).max(64);
        Self {
            parts: std::array::from_fn(|_| empty(each * W)),
            lens: [0; PARTS],
        }
    }

    pub fn len(&self) -> usize {
        self.lens.iter().sum()
    }

    pub fn bytes(&self) -> usize {
        self.parts.iter().map(|slots| slots.len() * 8).sum()
    }

    /// Returns what each of several threads may insert.
    pub fn budget(&self, threads: usize) -> Budget {
        let left = |at: usize| most::<W>(&self.parts[at]).saturating_sub(self.lens[at]);
        Budget(std::array::from_fn(|at| left(at) / threads))
    }

    /// Notes what a thread has inserted, of its budget.
    pub fn settle(&mut self, given: &Budget, left: &Budget) {
        for ((len, given), left) in self.lens.iter_mut().zip(given.0).zip(left.0) {
            *len += given - left;
        }
    }

    /// Returns where a marking is looked for.
    #[inline]
    pub fn probe(&self, marking: &Marking<W>) -> Probe {
        let hash = hash(marking);
        let part = (hash >> 58) as u32;
        let slots = (self.parts[part as usize].len() / W) as u64;
        let slot = slot_of(hash, slots) as u32;
        Probe { part, slot }
    }

    /// Reads the first word at a position, so that it is in the cache. Reads at several positions wait for the memory together.
    #[inline]
    pub fn touch(&self, probe: Probe) -> u64 {
        let slots = &self.parts[probe.part as usize];
        slots[probe.slot as usize * W].load(Ordering::Relaxed)
    }

    /// Inserts a marking that is not in the set.
    #[inline]
    pub fn insert(&self, probe: Probe, marking: &Marking<W>, budget: &mut Budget) -> Inserted {
        let slots = &*self.parts[probe.part as usize];
        let budget = &mut budget.0[probe.part as usize];
        insert_into(slots, probe.slot as usize, marking, budget)
    }

    /// Grows each part that is nearly full, or has no budget for each of several threads. They share the work.
    pub fn grow(&mut self, threads: usize) {
        let parts = self.parts.iter_mut().zip(&self.lens);
        let full = parts.filter(|(slots, len)| {
            let most = most::<W>(slots);
            **len * 20 >= most * 19 || **len + 4 * threads > most
        });
        let mut full: Vec<&mut Vec<AtomicU64>> = full.map(|(slots, _)| slots).collect();
        let large = full.iter().any(|slots| slots.len() > 1 << 14);
        if threads == 1 || !large {
            full.into_iter().for_each(grow_part::<W>);
            return;
        }
        let each = full.len().div_ceil(threads).max(1);
        std::thread::scope(|scope| {
            while !full.is_empty() {
                let rest = full.split_off(each.min(full.len()));
                let some = std::mem::replace(&mut full, rest);
                scope.spawn(|| some.into_iter().for_each(grow_part::<W>));
            }
        });
    }
}

/// Where in a part the search for a marking begins.
#[inline]
fn slot_of(hash: u64, slots: u64) -> usize {
    (((hash & 0xffff_ffff) * slots) >> 32) as usize
}

#[inline]
fn insert_into<const W: usize>(
    slots: &[AtomicU64],
    from: usize,
    marking: &Marking<W>,
    budget: &mut usize,
) -> Inserted {
    let wanted = marking[0] | TAKEN;
    let order = if W == 1 {
        Ordering::Relaxed
    } else {
        Ordering::Acquire
    };
    let capacity = slots.len() / W;
    let mut slot = from;
    for _ in 0..capacity {
        let words = &slots[slot * W..(slot + 1) * W];
        let mut first = words[0].load(order);
        if first == 0 {
            if *budget == 0 {
                return Inserted::Full;
            }
            // A marking of one word is written at once. Of others, the first word is written last.
            let begun = if W == 1 { wanted } else { BUSY };
            match words[0].compare_exchange(0, begun, order, order) {
                Ok(_) => {
                    if W > 1 {
                        for (word, value) in words.iter().zip(marking).skip(1) {
                            word.store(*value, Ordering::Relaxed);
                        }
                        words[0].store(wanted, Ordering::Release);
                    }
                    *budget -= 1;
                    return Inserted::New;
                }
                Err(other) => first = other,
            }
        }
        while W > 1 && first == BUSY {
            std::hint::spin_loop();
            first = words[0].load(order);
        }
        let mut others = words.iter().zip(marking).skip(1);
        if first == wanted && others.all(|(word, value)| word.load(Ordering::Relaxed) == *value) {
            return Inserted::Known;
        }
        slot += 1;
        if slot == capacity {
            slot = 0;
        }
    }
    Inserted::Full
}

fn grow_part<const W: usize>(slots: &mut Vec<AtomicU64>) {
    // Small parts are doubled. Larger ones grow less, so that few slots are free.
    let capacity = slots.len() / W;
    let more = match W {
        _ if capacity < 4_096 => capacity,
        1 => capacity / 2,
        _ => capacity / 4,
    };
    let old = std::mem::replace(slots, empty((capacity + more) * W));
    let mut budget = usize::MAX;
    for words in old.chunks_exact(W) {
        let mut marking = [0; W];
        for (to, from) in marking.iter_mut().zip(words) {
            *to = from.load(Ordering::Relaxed);
        }
        if marking[0] != 0 {
            marking[0] &= !TAKEN;
            let from = slot_of(hash(&marking), (capacity + more) as u64);
            insert_into(slots, from, &marking, &mut budget);
        }
    }
}

fn empty(len: usize) -> Vec<AtomicU64> {
    (0..len).map(|_| AtomicU64::new(0)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::atomic::AtomicBool;

    use super::*;

    /// Many threads insert overlapping sets into small parts, which grow between rounds, as the search does it. Each marking must be new
    /// exactly once.
    fn contended<const W: usize>(threads: usize, markings: u64) {
        let marking = |n: u64| -> Marking<W> {
            // Markings that differ in their last word only, or in their first only.
            let mut words = [0; W];
            words[if n.is_multiple_of(2) { 0 } else { W - 1 }] = n / 2 + 1;
            words[0] &= !TAKEN;
            words
        };
        let distinct: HashSet<Marking<W>> = (0..markings).map(marking).collect();
        let mut table = Table::<W>::new(0);
        let mut open: Vec<Vec<u64>> = vec![(0..markings).collect(); threads];
        let (mut new, mut rounds) = (0, 0);
        while open.iter().any(|open| !open.is_empty()) {
            rounds += 1;
            let done: Vec<_> = std::thread::scope(|scope| {
                let table = &table;
                let work = |(thread, open): (usize, Vec<u64>)| {
                    let (given, mut left) = (table.budget(threads), table.budget(threads));
                    let (mut new, mut postponed) = (0, Vec::new());
                    let from = thread * open.len() / threads;
                    let (after, before) = (&open[from..], &open[..from]);
                    for n in after.iter().chain(before) {
                        let marking = marking(*n);
                        match table.insert(table.probe(&marking), &marking, &mut left) {
                            Inserted::New => new += 1,
                            Inserted::Known => {}
                            Inserted::Full => postponed.push(*n),
                        }
                    }
                    (given, left, new, postponed)
                };
                let spawn = |part| scope.spawn(move || work(part));
                let open = std::mem::take(&mut open).into_iter().enumerate();
                let handles: Vec<_> = open.map(spawn).collect();
                handles
                    .into_iter()
                    .map(|handle| handle.join().unwrap())
                    .collect()
            });
            for (given, left, inserted, postponed) in done {
                table.settle(&given, &left);
                new += inserted;
                open.push(postponed);
            }
            table.grow(threads);
        }
        assert!(rounds > 2, "the table is too large for the test");
        assert_eq!((new, table.len()), (distinct.len(), distinct.len()));
        for marking in &distinct {
            let mut left = table.budget(1);
            let again = table.insert(table.probe(marking), marking, &mut left);
            assert_eq!(again, Inserted::Known);
        }
    }

    #[test]
    fn an_insertion_waits_until_another_thread_has_written_the_slot() {
        // The first word of the slot is busy and the second is not written yet. The other thread writes the same marking.
        let marking = [5, 7];
        for _ in 0..50 {
            let slots = [AtomicU64::new(BUSY), AtomicU64::new(0)];
            let begun = AtomicBool::new(false);
            let inserted = std::thread::scope(|scope| {
                let other = scope.spawn(|| {
                    begun.store(true, Ordering::Release);
                    insert_into(&slots, 0, &marking, &mut 1)
                });
                while !begun.load(Ordering::Acquire) {
                    std::thread::yield_now();
                }
                // An insertion that does not wait ends in this time. One that waits does not depend on it.
                (0..100).for_each(|_| std::thread::yield_now());
                slots[1].store(marking[1], Ordering::Relaxed);
                slots[0].store(marking[0] | TAKEN, Ordering::Release);
                other.join().unwrap()
            });
            assert_eq!(inserted, Inserted::Known);
        }
    }

    #[test]
    fn threads_insert_each_marking_once() {
        for threads in [1, 2, 7, 40] {
            contended::<1>(threads, 20_001);
            contended::<2>(threads, 20_001);
            contended::<6>(threads, 20_001);
        }
    }
}

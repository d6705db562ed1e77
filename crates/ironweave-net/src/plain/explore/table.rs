//! A set of numbers below 2^63 that threads share: open addressing in flat arrays, without locks.
//!
//! The set has parts, which grow one by one while no thread inserts, so that growing needs little memory. They have different sizes, so
//! that they grow at different times, and the set as a whole always has about the same share of free slots. A free slot is 0, and that of
//! a number has its highest bit set.

use std::sync::atomic::{AtomicU64, Ordering};

/// The bit that tells a number from a free slot.
const TAKEN: u64 = 1 << 63;
/// How many parts there are.
const PARTS: usize = 64;
/// How many slots the smallest part has at the beginning. The largest has half as many more.
const PART_MIN: usize = 4;

pub(super) struct Table {
    parts: [Vec<AtomicU64>; PARTS],
    /// How many numbers each part has.
    lens: [usize; PARTS],
}

/// How many numbers a thread may insert into each part before parts must grow. A thread counts for itself, because a counter that
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

/// A position at which the search for a number begins.
#[derive(Clone, Copy)]
pub(super) struct Probe {
    part: u32,
    slot: u32,
}

/// Returns a number whose bits depend on all bits of another.
#[inline]
pub(super) fn mix(number: u64) -> u64 {
    // The finalizer of MurmurHash3.
    let mut hash = number.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^= hash >> 32;
    hash = hash.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ hash >> 29
}

/// Returns how many numbers a part with so many slots may have: 85 of 100 slots are taken at most.
fn most(slots: usize) -> usize {
    slots * 17 / 20
}

impl Table {
    pub fn new() -> Self {
        let slots = |part: usize| PART_MIN + PART_MIN * part / (2 * PARTS);
        Self {
            parts: std::array::from_fn(|part| empty(slots(part))),
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
        let left = |at: usize| most(self.parts[at].len()).saturating_sub(self.lens[at]);
        Budget(std::array::from_fn(|at| left(at) / threads))
    }

    /// Notes what a thread has inserted, of its budget.
    pub fn settle(&mut self, given: &Budget, left: &Budget) {
        for ((len, given), left) in self.lens.iter_mut().zip(given.0).zip(left.0) {
            *len += given - left;
        }
    }

    /// Returns where a number is looked for.
    #[inline]
    pub fn probe(&self, number: u64) -> Probe {
        let hash = mix(number);
        let part = (hash >> 58) as u32;
        let slot = slot_of(hash, self.parts[part as usize].len()) as u32;
        Probe { part, slot }
    }

    /// Reads the slot at a position, so that it is in the cache. Reads at several positions wait for the memory together.
    #[inline]
    pub fn touch(&self, probe: Probe) -> u64 {
        self.parts[probe.part as usize][probe.slot as usize].load(Ordering::Relaxed)
    }

    /// Inserts a number that is not in the set.
    #[inline]
    pub fn insert(&self, probe: Probe, number: u64, budget: &mut Budget) -> Inserted {
        let slots = &*self.parts[probe.part as usize];
        let budget = &mut budget.0[probe.part as usize];
        insert_into(slots, probe.slot as usize, number, budget)
    }

    /// Grows each part that is nearly full, or has no budget for each of several threads. They share the work.
    pub fn grow(&mut self, threads: usize) {
        let parts = self.parts.iter_mut().zip(&self.lens);
        let full = parts.filter(|(slots, len)| {
            let most = most(slots.len());
            **len * 20 >= most * 19 || **len + threads > most
        });
        let mut full: Vec<&mut Vec<AtomicU64>> = full.map(|(slots, _)| slots).collect();
        let large = full.iter().any(|slots| slots.len() > 1 << 14);
        if threads == 1 || !large {
            full.into_iter().for_each(grow_part);
            return;
        }
        let each = full.len().div_ceil(threads).max(1);
        std::thread::scope(|scope| {
            while !full.is_empty() {
                let rest = full.split_off(each.min(full.len()));
                let some = std::mem::replace(&mut full, rest);
                scope.spawn(|| some.into_iter().for_each(grow_part));
            }
        });
    }
}

/// Where in a part the search for a number begins.
#[inline]
fn slot_of(hash: u64, slots: usize) -> usize {
    (((hash & 0xffff_ffff) * slots as u64) >> 32) as usize
}

#[inline]
fn insert_into(slots: &[AtomicU64], from: usize, number: u64, budget: &mut usize) -> Inserted {
    let wanted = number | TAKEN;
    let (before, after) = slots.split_at(from);
    for slot in after.iter().chain(before) {
        let mut there = slot.load(Ordering::Relaxed);
        if there == 0 {
            if *budget == 0 {
                return Inserted::Full;
            }
            match slot.compare_exchange(0, wanted, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => {
                    *budget -= 1;
                    return Inserted::New;
                }
                Err(other) => there = other,
            }
        }
        if there == wanted {
            return Inserted::Known;
        }
    }
    Inserted::Full
}

fn grow_part(slots: &mut Vec<AtomicU64>) {
    // Small parts are doubled. Larger ones grow less, so that few slots are free.
    let more = if slots.len() < 4_096 {
        slots.len()
    } else {
        slots.len() / 2
    };
    let len = slots.len() + more;
    let old = std::mem::replace(slots, empty(len));
    let mut budget = usize::MAX;
    for slot in old {
        let number = slot.into_inner();
        if number != 0 {
            let number = number & !TAKEN;
            insert_into(slots, slot_of(mix(number), len), number, &mut budget);
        }
    }
}

fn empty(len: usize) -> Vec<AtomicU64> {
    (0..len).map(|_| AtomicU64::new(0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Many threads insert the same numbers into small parts, which grow between rounds, as the search does it. Each number must be new
    /// exactly once.
    fn contended(threads: usize, numbers: u64) {
        let mut table = Table::new();
        let mut open: Vec<Vec<u64>> = vec![(0..numbers).collect(); threads];
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
                    for number in after.iter().chain(before) {
                        match table.insert(table.probe(*number), *number, &mut left) {
                            Inserted::New => new += 1,
                            Inserted::Known => {}
                            Inserted::Full => postponed.push(*number),
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
        assert_eq!((new, table.len() as u64), (numbers, numbers));
        for number in 0..numbers {
            let mut left = table.budget(1);
            let again = table.insert(table.probe(number), number, &mut left);
            assert_eq!(again, Inserted::Known);
        }
    }

    #[test]
    fn threads_insert_each_number_once() {
        for threads in [1, 2, 7, 40] {
            contended(threads, 20_001);
        }
    }

    #[test]
    fn few_slots_are_free() {
        let mut table = Table::new();
        for number in 0..500_000 {
            let mut budget = table.budget(1);
            let given = table.budget(1);
            let inserted = table.insert(table.probe(number), number, &mut budget);
            assert_eq!(inserted, Inserted::New);
            table.settle(&given, &budget);
            table.grow(1);
            // Parts are doubled until they have 4,096 slots.
            let most = if number < 250_000 { 20 } else { 15 };
            let bytes = table.bytes() as u64;
            assert!(number < 500 || bytes < most * number, "{bytes} {number}");
        }
    }
}

//! A set of packed markings that threads share: open addressing in flat arrays, without locks.
//!
//! The set has parts, which grow one by one while no thread inserts, so that growing needs little memory. The first word of a free
//! slot is 0, that of a slot which is being written is 1, and that of a marking has its highest bit set.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::kernel::Marking;

/// The bit that tells a marking from a free slot. It is free in the first word of each marking.
const TAKEN: u64 = 1 << 63;
/// The first word of a slot whose other words are being written. A marking has the bit above.
const BUSY: u64 = 1;
const PARTS: usize = 64;

struct Part {
    slots: Vec<AtomicU64>,
    len: AtomicUsize,
}

pub(super) struct Table<const W: usize> {
    parts: Vec<Part>,
}

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

impl Part {
    fn capacity<const W: usize>(&self) -> usize {
        self.slots.len() / W
    }

    fn most<const W: usize>(&self) -> usize {
        // At most 85 of 100 slots are taken.
        self.capacity::<W>() / 20 * 17
    }
}

impl<const W: usize> Table<W> {
    pub fn new(capacity: usize) -> Self {
        let each = (capacity / PARTS).max(64);
        let part = || Part {
            slots: empty(each * W),
            len: AtomicUsize::new(0),
        };
        Self {
            parts: (0..PARTS).map(|_| part()).collect(),
        }
    }

    pub fn len(&self) -> usize {
        let lens = self
            .parts
            .iter()
            .map(|part| part.len.load(Ordering::Relaxed));
        lens.sum()
    }

    pub fn bytes(&self) -> usize {
        self.parts.iter().map(|part| part.slots.len() * 8).sum()
    }

    /// Returns where a marking is looked for.
    #[inline]
    pub fn probe(&self, marking: &Marking<W>) -> Probe {
        let hash = hash(marking);
        let part = (hash >> 58) as u32;
        let slots = self.parts[part as usize].capacity::<W>() as u64;
        let slot = (((hash & 0xffff_ffff) * slots) >> 32) as u32;
        Probe { part, slot }
    }

    /// Reads the first word at a position, so that it is in the cache. Reads at several positions wait for the memory together.
    #[inline]
    pub fn touch(&self, probe: Probe) -> u64 {
        let slots = &self.parts[probe.part as usize].slots;
        slots[probe.slot as usize * W].load(Ordering::Relaxed)
    }

    /// Inserts a marking that is not in the set.
    #[inline]
    pub fn insert(&self, probe: Probe, marking: &Marking<W>) -> Inserted {
        let part = &self.parts[probe.part as usize];
        let wanted = marking[0] | TAKEN;
        let capacity = part.capacity::<W>();
        let mut slot = probe.slot as usize;
        for _ in 0..capacity {
            let words = &part.slots[slot * W..(slot + 1) * W];
            let mut first = words[0].load(if W == 1 {
                Ordering::Relaxed
            } else {
                Ordering::Acquire
            });
            if first == 0 {
                if part.len.load(Ordering::Relaxed) >= part.most::<W>() {
                    return Inserted::Full;
                }
                // A marking of one word is inserted at once, others are announced by the bit alone.
                let announced = if W == 1 { wanted } else { BUSY };
                match words[0].compare_exchange(0, announced, Ordering::AcqRel, Ordering::Acquire) {
                    Ok(_) => {
                        if W > 1 {
                            for (word, value) in words.iter().zip(marking).skip(1) {
                                word.store(*value, Ordering::Relaxed);
                            }
                            words[0].store(wanted, Ordering::Release);
                        }
                        part.len.fetch_add(1, Ordering::Relaxed);
                        return Inserted::New;
                    }
                    Err(other) => first = other,
                }
            }
            while W > 1 && first == BUSY {
                std::hint::spin_loop();
                first = words[0].load(Ordering::Acquire);
            }
            if first == wanted
                && (words.iter().zip(marking).skip(1))
                    .all(|(word, value)| word.load(Ordering::Relaxed) == *value)
            {
                return Inserted::Known;
            }
            slot += 1;
            if slot == capacity {
                slot = 0;
            }
        }
        Inserted::Full
    }

    /// Grows each part that is nearly full.
    pub fn grow(&mut self) {
        for at in 0..PARTS {
            let part = &mut self.parts[at];
            if *part.len.get_mut() * 100 < part.most::<W>() * 98 {
                continue;
            }
            let slots = part.capacity::<W>();
            // Small parts are doubled. A large one gets a quarter more, so that at least two thirds of its slots are taken.
            let more = if slots < 4_096 { slots } else { slots / 4 };
            let old = std::mem::replace(&mut part.slots, empty((slots + more) * W));
            *part.len.get_mut() = 0;
            for words in old.chunks_exact(W) {
                let mut marking = [0; W];
                for (to, from) in marking.iter_mut().zip(words) {
                    *to = from.load(Ordering::Relaxed);
                }
                if marking[0] != 0 {
                    marking[0] &= !TAKEN;
                    let probe = self.probe(&marking);
                    self.insert(probe, &marking);
                }
            }
        }
    }
}

fn empty(len: usize) -> Vec<AtomicU64> {
    (0..len).map(|_| AtomicU64::new(0)).collect()
}

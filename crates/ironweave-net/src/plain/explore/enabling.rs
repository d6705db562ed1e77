//! Which transitions are enabled on a marking, by tables.
//!
//! The words of a marking are cut into chunks of a few bits. For each value of a chunk, a table has the set of the transitions whose
//! conditions on the bits of the chunk hold. The enabled transitions are those in the sets of all chunks, so they are found by one `and` of
//! sets for each chunk, whatever the number of their arcs. A set covers only the words of transitions that have a condition on the chunk.

use super::kernel::{Firing, Marking};

/// How many bits a chunk has at most.
const CHUNK_BITS: u32 = 6;
/// How many words all tables may have together.
pub(super) const TABLES_WORDS_MAX: usize = 1 << 22;

/// Some bits of a word with a table of their values.
struct Chunk {
    word: usize,
    shift: u32,
    /// The largest value.
    max: u64,
    /// The first word of sets of transitions that the table covers, and how many it covers.
    first: usize,
    len: usize,
    /// A set of `len` words for each value.
    sets: Vec<u64>,
}

/// The tables of a net.
pub(super) struct Enabling {
    chunks: Vec<Chunk>,
    /// The set of all transitions.
    all: Vec<u64>,
    /// The transitions with a condition that is in no table.
    others: Vec<u32>,
}

impl Enabling {
    pub fn new<const W: usize>(firings: &[Firing<W>], words_max: usize) -> Self {
        let mut all = vec![0; firings.len().div_ceil(64).max(1)];
        for t in 0..firings.len() {
            all[t / 64] |= 1 << (t % 64);
        }
        let mut chunks = Vec::new();
        let is_wide = |firing: &Firing<W>| {
            let mut fields = firing.at_least.iter();
            fields.any(|(field, _)| field.bits > CHUNK_BITS)
        };
        let mut others: Vec<u32> = (0..)
            .zip(firings)
            .filter(|(_, firing)| is_wide(firing))
            .map(|(t, _)| t)
            .collect();
        let mut words_left = words_max;
        for word in 0..W {
            // The bits that must be together with the bit below.
            let mut joined = 0u64;
            for (field, _) in firings.iter().flat_map(|firing| &firing.at_least) {
                if field.word == word && field.bits <= CHUNK_BITS {
                    joined |= field.mask() & (field.mask() << 1);
                }
            }
            let mut shift = 0;
            while shift < 64 {
                let mut end = (shift + CHUNK_BITS).min(64);
                while end < 64 && joined >> end & 1 == 1 {
                    end -= 1;
                }
                let mask = (u64::MAX >> (64 - (end - shift))) << shift;
                let readers: Vec<u32> = (0..)
                    .zip(firings)
                    .filter(|(_, firing)| firing.reads(word, mask))
                    .map(|(t, _)| t)
                    .collect();
                if let (Some(first), Some(last)) = (readers.first(), readers.last()) {
                    let (first, last) = (*first as usize / 64, *last as usize / 64);
                    let mut chunk = Chunk {
                        word,
                        shift,
                        max: mask >> shift,
                        first,
                        len: last - first + 1,
                        sets: Vec::new(),
                    };
                    let words = chunk.len << (end - shift);
                    if words <= words_left {
                        words_left -= words;
                        chunk.fill(firings, &readers, mask);
                        chunks.push(chunk);
                    } else {
                        others.extend(readers);
                    }
                }
                shift = end;
            }
        }
        others.sort_unstable();
        others.dedup();
        Self {
            chunks,
            all,
            others,
        }
    }

    /// Writes the set of the transitions that are enabled. `is_enabled` checks those whose conditions are not all in tables.
    #[inline]
    pub fn enabled<const W: usize>(
        &self,
        marking: &Marking<W>,
        set: &mut [u64],
        is_enabled: impl Fn(usize) -> bool,
    ) {
        set.copy_from_slice(&self.all);
        for chunk in &self.chunks {
            let value = (marking[chunk.word] >> chunk.shift & chunk.max) as usize;
            let of_value = &chunk.sets[value * chunk.len..][..chunk.len];
            for (word, of_value) in set[chunk.first..].iter_mut().zip(of_value) {
                *word &= of_value;
            }
        }
        for &t in &self.others {
            let t = t as usize;
            if set[t / 64] >> (t % 64) & 1 == 1 && !is_enabled(t) {
                set[t / 64] &= !(1 << (t % 64));
            }
        }
    }
}

impl Chunk {
    /// Makes the table from the transitions that have conditions on the bits of the mask.
    fn fill<const W: usize>(&mut self, firings: &[Firing<W>], readers: &[u32], mask: u64) {
        self.sets = vec![u64::MAX; self.len << self.max.count_ones()];
        let mut marking = [0; W];
        for (set, value) in self.sets.chunks_exact_mut(self.len).zip(0u64..) {
            marking[self.word] = value << self.shift;
            for &t in readers {
                let at = t as usize;
                if !firings[at].holds_on(self.word, mask, &marking) {
                    set[at / 64 - self.first] &= !(1 << (t % 64));
                }
            }
        }
    }
}

impl<const W: usize> Firing<W> {
    /// Whether it has a condition on bits of a word.
    fn reads(&self, word: usize, mask: u64) -> bool {
        self.mask[word] & mask != 0 || self.fields_in(word, mask).next().is_some()
    }

    /// Whether the conditions on bits of a word hold.
    fn holds_on(&self, word: usize, mask: u64, marking: &Marking<W>) -> bool {
        let differs = (marking[word] & self.mask[word]) ^ self.value[word];
        let mut fields = self.fields_in(word, mask);
        differs & mask == 0 && fields.all(|(field, least)| field.get(marking) >= *least)
    }

    /// Returns the fields in bits of a word that must have a number of tokens.
    fn fields_in(
        &self,
        word: usize,
        mask: u64,
    ) -> impl Iterator<Item = &(super::layout::Field, u64)> {
        let fields = self.at_least.iter();
        fields.filter(move |(field, _)| field.word == word && field.mask() & !mask == 0)
    }
}

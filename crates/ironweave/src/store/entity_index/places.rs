//! The places of frames by hash.

/// The index of a segment while it is made, or of a log in memory.
///
/// A segment has millions of hashes, and a question asks for a few of them. So a hash is only appended, to the bucket of its
/// first bits, and a bucket is sorted once a question needs it. A table of all hashes would be read at a random place for each
/// of them.
#[derive(Default)]
pub(crate) struct GrowingIndex(Box<Buckets>);

struct Buckets([Bucket; BUCKETS]);

/// As many as there are values of the first byte of a hash. Their ends fit in the fastest cache of common processors.
const BUCKETS: usize = 256;

impl Default for Buckets {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Bucket::default()))
    }
}

/// Pairs of hash and place.
#[derive(Default)]
struct Bucket {
    entries: Vec<(u64, u64)>,
    /// How many of the entries, from the first on, are in order and different.
    sorted: usize,
}

/// The number of entries behind the sorted ones up to which a bucket is not sorted again, and the part of these for which that
/// holds too. So an entry costs O(log of all) amortized, and a look-up reads few entries that are not in order.
const UNSORTED: (usize, usize) = (64, 16);

impl Bucket {
    fn sort(&mut self) {
        if self.sorted < self.entries.len() {
            // The entries up to `sorted` are one run, which this sort only merges.
            self.entries.sort();
            self.entries.dedup();
            self.sorted = self.entries.len();
        }
    }
}

impl GrowingIndex {
    /// Adds the place of a frame, which must be that of the last call or greater.
    #[inline]
    pub(crate) fn put(&mut self, hash: u64, place: u64) {
        let entries = &mut self.bucket(hash).entries;
        // A frame has most hashes several times, one after the other.
        if entries.last() != Some(&(hash, place)) {
            entries.push((hash, place));
        }
    }

    #[inline]
    fn bucket(&mut self, hash: u64) -> &mut Bucket {
        let [first, ..] = hash.to_be_bytes();
        &mut self.0.0[usize::from(first)]
    }

    /// Returns the first places of a hash, at most `most`.
    pub(crate) fn places(&mut self, hash: u64, most: usize) -> Vec<u64> {
        let bucket = self.bucket(hash);
        let (least, part) = UNSORTED;
        if bucket.entries.len() - bucket.sorted > least.max(bucket.sorted / part) {
            bucket.sort();
        }
        let (sorted, rest) = bucket.entries.split_at(bucket.sorted);
        let is_of = |(other, _): &&(u64, u64)| *other == hash;
        let from = sorted.partition_point(|(other, _)| *other < hash);
        let all = sorted[from..].iter().take_while(is_of);
        let mut places = Vec::new();
        for (_, place) in all.chain(rest.iter().filter(is_of)) {
            if places.len() == most {
                break;
            }
            if places.last() != Some(place) {
                places.push(*place);
            }
        }
        places
    }

    /// Returns the index of the segment once it is complete.
    pub(crate) fn into_sorted(self) -> SortedIndex {
        let Buckets(mut buckets) = *self.0;
        buckets.iter_mut().for_each(Bucket::sort);
        let mut all = Vec::with_capacity(buckets.iter().map(|bucket| bucket.sorted).sum());
        for bucket in buckets {
            all.extend(bucket.entries);
        }
        SortedIndex(all)
    }
}

/// The index of a complete segment.
#[derive(Default)]
pub(crate) struct SortedIndex(Vec<(u64, u64)>);

impl SortedIndex {
    pub(crate) fn entries(&self) -> &[(u64, u64)] {
        &self.0
    }

    /// Returns the first places of a hash, at most `most`.
    pub(crate) fn places(&self, hash: u64, most: usize) -> Vec<u64> {
        let from = self.0.partition_point(|(h, _)| *h < hash);
        let all = self.0[from..].iter().take_while(|(h, _)| *h == hash);
        all.map(|(_, place)| *place).take(most).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    /// A few hashes, most of them in two buckets, one of which has one hash nearly always.
    fn hash(random: u64) -> u64 {
        match random % 8 {
            0 => 7 << 56,
            1 => random.rotate_left(17),
            _ => 7 << 56 | random >> 8 & 0xff,
        }
    }

    #[test]
    fn an_index_has_the_places_of_each_hash_in_order_whenever_it_is_asked() {
        for seed in 1..20u64 {
            let mut random = seed;
            let mut next = move || {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                random
            };
            let mut index = GrowingIndex::default();
            let mut expected = BTreeMap::<u64, BTreeSet<u64>>::new();
            let mut place = 64;
            for _ in 0..3_000 {
                place += 8 * (next() % 3);
                for _ in 0..next() % 5 {
                    let hash = hash(next());
                    index.put(hash, place);
                    expected.entry(hash).or_default().insert(place);
                }
                if next() % 10 == 0 {
                    let (hash, most) = (hash(next()), [0, 1, 3, usize::MAX][next() as usize % 4]);
                    let all = expected.get(&hash).into_iter().flatten().copied();
                    let all: Vec<u64> = all.take(most).collect();
                    assert_eq!(index.places(hash, most), all, "{seed}: {hash:x}");
                }
            }
            let sorted = index.into_sorted();
            let all = expected.iter().flat_map(|(hash, places)| {
                let hash = *hash;
                places.iter().map(move |place| (hash, *place))
            });
            assert_eq!(sorted.entries(), all.collect::<Vec<_>>());
            for (hash, places) in &expected {
                let all: Vec<u64> = places.iter().copied().collect();
                assert_eq!(sorted.places(*hash, usize::MAX), all);
            }
        }
    }
}

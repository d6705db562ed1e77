//! The places of frames by hash.

use std::collections::hash_map::Entry;

use crate::base::hash::FastMap;

/// The index of a segment that is not sealed, or of a log in memory.
#[derive(Default)]
pub(crate) struct GrowingIndex(FastMap<u64, Places>);

/// The places of one hash. Most hashes have one.
enum Places {
    One(u64),
    Many(Vec<u64>),
}

impl Places {
    fn as_slice(&self) -> &[u64] {
        match self {
            Self::One(place) => std::slice::from_ref(place),
            Self::Many(places) => places,
        }
    }
}

impl GrowingIndex {
    /// Adds the place of a frame, which must be that of the last call or greater.
    pub(crate) fn put(&mut self, hash: u64, place: u64) {
        match self.0.entry(hash) {
            Entry::Vacant(entry) => {
                entry.insert(Places::One(place));
            }
            Entry::Occupied(mut entry) => match entry.get_mut() {
                Places::One(first) if *first == place => {}
                Places::One(first) => {
                    let places = vec![*first, place];
                    entry.insert(Places::Many(places));
                }
                Places::Many(places) => {
                    if places.last() != Some(&place) {
                        places.push(place);
                    }
                }
            },
        }
    }

    /// Returns the first places of a hash, at most `most`.
    pub(crate) fn places(&self, hash: u64, most: usize) -> Vec<u64> {
        let places = self.0.get(&hash).map(Places::as_slice);
        let places = places.unwrap_or_default();
        places[..places.len().min(most)].to_vec()
    }

    /// Returns the index of the segment once it is complete.
    pub(crate) fn into_sorted(self) -> SortedIndex {
        let all = |(hash, places): (&u64, &Places)| {
            let hash = *hash;
            let places = places.as_slice().to_vec();
            places.into_iter().map(move |place| (hash, place))
        };
        SortedIndex::new(self.0.iter().flat_map(all).collect())
    }
}

/// The index of a complete segment.
pub(crate) struct SortedIndex(Vec<(u64, u64)>);

impl SortedIndex {
    pub(crate) fn new(mut entries: Vec<(u64, u64)>) -> Self {
        entries.sort_unstable();
        entries.dedup();
        entries.shrink_to_fit();
        Self(entries)
    }

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

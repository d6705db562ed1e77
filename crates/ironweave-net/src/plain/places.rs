//! Sets of places, one bit for each place of a net.

use crate::plain::PlaceIx;

/// A set of the places of a net.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Places(Vec<u64>);

impl Places {
    /// Returns an empty set for a net with so many places.
    pub(super) fn none(places: usize) -> Self {
        Self(vec![0; places.div_ceil(64)])
    }

    /// Returns the number of words that an operation on the set reads.
    pub(super) fn words(&self) -> usize {
        self.0.len()
    }

    pub(super) fn insert(&mut self, place: PlaceIx) {
        self.0[place.0 as usize / 64] |= 1 << (place.0 % 64);
    }

    pub(super) fn contains(&self, place: PlaceIx) -> bool {
        self.0[place.0 as usize / 64] >> (place.0 % 64) & 1 == 1
    }

    pub(super) fn is_subset(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(a, b)| a & !b == 0)
    }

    /// Returns the places in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = PlaceIx> {
        (0u32..).zip(&self.0).flat_map(|(at, word)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                let bit = left.trailing_zeros();
                // Removes the lowest bit.
                left &= left.checked_sub(1)?;
                Some(PlaceIx(64 * at + bit))
            })
        })
    }
}

//! Sets of the states that a slot can be in.

use ironweave_schema::StateIx;

/// The state of a slot without an entity. A type has at most 250 states.
pub(super) const FREE: u8 = 255;

/// A set of states, by their indexes, perhaps with [`FREE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct States([u64; 4]);

impl States {
    pub(super) const NONE: Self = Self([0; 4]);

    pub(super) fn one(state: u8) -> Self {
        let mut set = Self::NONE;
        set.0[usize::from(state / 64)] |= 1 << (state % 64);
        set
    }

    pub(super) fn of(states: impl IntoIterator<Item = u8>) -> Self {
        states
            .into_iter()
            .fold(Self::NONE, |set, state| set.or(Self::one(state)))
    }

    /// All states of a type, without [`FREE`].
    pub(super) fn all(states: usize) -> Self {
        Self::of(StateIx::all(states).map(StateIx::get))
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] & other.0[i]))
    }

    pub(super) fn or(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] | other.0[i]))
    }

    pub(super) fn without(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] & !other.0[i]))
    }

    pub(super) fn has(self, state: u8) -> bool {
        self.0[usize::from(state / 64)] >> (state % 64) & 1 == 1
    }

    pub(super) fn is_within(self, other: Self) -> bool {
        self.without(other) == Self::NONE
    }

    pub(super) fn iter(self) -> impl Iterator<Item = u8> {
        (0..=FREE).filter(move |state| self.has(*state))
    }

    /// The only state of the set.
    pub(super) fn only(self) -> Option<u8> {
        let count: u32 = self.0.iter().map(|word| word.count_ones()).sum();
        if count != 1 {
            return None;
        }
        let word = self.0.iter().position(|word| *word != 0)?;
        Some(word as u8 * 64 + self.0[word].trailing_zeros() as u8)
    }
}

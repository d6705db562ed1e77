//! Indexes beside a column: by key (unique), by equal values, by order.
//!
//! Every change of the column updates its index, and so does undo, so that the two cannot disagree. A lookup returns slots
//! in their order, whatever the history was.

use std::any::Any;
use std::ops::Bound;

use crate::graph::keys::Unique;
use crate::graph::storage::{Set, Storage};
use crate::value::Value;

/// The index of a column.
pub(super) enum ColumnIndex<T: Value, S: Storage> {
    /// Of unique values.
    Unique(Unique<T, S>),
    /// Any other.
    Other(Box<dyn Index<T>>),
}

impl<T: Value, S: Storage> Clone for ColumnIndex<T, S> {
    fn clone(&self) -> Self {
        match self {
            Self::Unique(index) => Self::Unique(index.clone()),
            Self::Other(index) => Self::Other(index.fork()),
        }
    }
}

impl<T: Value, S: Storage> ColumnIndex<T, S> {
    /// The slot that has a value already, if values are unique; `cell` gives the value at a slot.
    #[inline]
    pub(super) fn holder<'c>(&self, value: &T, cell: impl Fn(u32) -> Option<&'c T>) -> Option<u32> {
        match self {
            Self::Unique(index) => index.holder(value, cell),
            Self::Other(_) => None,
        }
    }

    /// See [`Index::insert`].
    pub(super) fn insert(&mut self, value: &T, hash: u64, slot: u32) {
        match self {
            Self::Unique(index) => index.insert(value, slot),
            Self::Other(index) => index.insert(value, hash, slot),
        }
    }

    /// See [`Index::remove`].
    pub(super) fn remove(&mut self, value: &T, hash: u64, slot: u32) {
        match self {
            Self::Unique(index) => index.remove(value, slot),
            Self::Other(index) => index.remove(value, hash, slot),
        }
    }

    /// See [`Index::has`].
    pub(super) fn has(&self, value: &T, hash: u64, slot: u32) -> bool {
        match self {
            Self::Unique(index) => index.has(value, slot),
            Self::Other(index) => index.has(value, hash, slot),
        }
    }

    /// See [`Index::len`].
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Unique(index) => index.len(),
            Self::Other(index) => index.len(),
        }
    }
}

/// Slots that an index finds, in its order. Each is looked up when it is taken.
pub type Slots<'i> = Box<dyn DoubleEndedIterator<Item = u32> + Send + Sync + 'i>;

/// An index of a column of `T` whose values are not unique, without the bounds on `T` that its kind requires.
pub trait Index<T>: Any + Send + Sync {
    /// Adds a cell; `hash` is the hash of its stored bytes.
    fn insert(&mut self, value: &T, hash: u64, slot: u32);
    /// Removes a cell.
    fn remove(&mut self, value: &T, hash: u64, slot: u32);
    /// Whether a cell is in the index at its slot.
    fn has(&self, value: &T, hash: u64, slot: u32) -> bool;
    /// How many cells there are.
    fn len(&self) -> usize;
    /// In an index by equality, the slots whose values may equal one with this hash, in order.
    fn equal(&self, _hash: u64) -> Slots<'_> {
        Box::new(std::iter::empty())
    }
    /// In an index by order, the slots whose values are in a range, by value and then by slot.
    fn range(&self, _range: (Bound<T>, Bound<T>)) -> Slots<'_> {
        Box::new(std::iter::empty())
    }
    /// A copy.
    fn fork(&self) -> Box<dyn Index<T>>;
}

/// A hash and the slot that has it.
type Entry = (u64, u32);

/// The range of the entries with a hash.
fn with_hash(hash: u64) -> (Bound<Entry>, Bound<Entry>) {
    (
        Bound::Included((hash, 0)),
        Bound::Included((hash, u32::MAX)),
    )
}

/// Hashes of stored bytes with the slots that have them: values are compared when they are looked up.
pub(super) struct Equal<S: Storage>(S::Set<(u64, u32)>);

impl<S: Storage> Default for Equal<S> {
    fn default() -> Self {
        Self(S::Set::default())
    }
}

impl<S: Storage, T: Value> Index<T> for Equal<S> {
    fn insert(&mut self, _: &T, hash: u64, slot: u32) {
        self.0.add((hash, slot));
    }

    fn remove(&mut self, _: &T, hash: u64, slot: u32) {
        self.0.take(&(hash, slot));
    }

    fn has(&self, _: &T, hash: u64, slot: u32) -> bool {
        self.0.has(&(hash, slot))
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn equal(&self, hash: u64) -> Slots<'_> {
        Box::new(self.0.range(with_hash(hash)).map(|(_, slot)| *slot))
    }

    fn fork(&self) -> Box<dyn Index<T>> {
        Box::new(Self(self.0.clone()))
    }
}

/// Values in order, with the slots that have them.
pub(super) struct Ordered<T: Value + Ord, S: Storage>(S::Set<(T, u32)>);

impl<T: Value + Ord, S: Storage> Default for Ordered<T, S> {
    fn default() -> Self {
        Self(S::Set::default())
    }
}

impl<T: Value + Ord, S: Storage> Index<T> for Ordered<T, S> {
    fn insert(&mut self, value: &T, _: u64, slot: u32) {
        self.0.add((value.clone(), slot));
    }

    fn remove(&mut self, value: &T, _: u64, slot: u32) {
        self.0.take(&(value.clone(), slot));
    }

    fn has(&self, value: &T, _: u64, slot: u32) -> bool {
        self.0.has(&(value.clone(), slot))
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn range(&self, (from, to): (Bound<T>, Bound<T>)) -> Slots<'_> {
        // No entity has the greatest slot.
        let from = match from {
            Bound::Included(from) => Bound::Included((from, 0)),
            Bound::Excluded(from) => Bound::Excluded((from, u32::MAX)),
            Bound::Unbounded => Bound::Unbounded,
        };
        let to = match to {
            Bound::Included(to) => Bound::Included((to, u32::MAX)),
            Bound::Excluded(to) => Bound::Excluded((to, 0)),
            Bound::Unbounded => Bound::Unbounded,
        };
        Box::new(self.0.range((from, to)).map(|(_, slot)| *slot))
    }

    fn fork(&self) -> Box<dyn Index<T>> {
        Box::new(Self(self.0.clone()))
    }
}

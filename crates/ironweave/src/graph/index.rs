//! Indexes beside a column: by key (unique), by equal values, by order.
//!
//! Each is kept at every change of the column, and by undo, so that it cannot drift. Which slots a lookup gives
//! is in order of the slots, whatever the history was.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hash;
use std::ops::RangeBounds;

use crate::hash::FastMap;
use crate::value::Value;

/// An index of a column of `T`, without the bounds on `T` that its kind needs.
pub(super) trait Index<T>: Send + Sync {
    /// The slot that has a value already, where values are unique.
    fn holder(&self, value: &T) -> Option<u32>;
    /// Adds a cell; `hash` is that of its stored bytes.
    fn insert(&mut self, value: &T, hash: u64, slot: u32);
    /// Removes a cell.
    fn remove(&mut self, value: &T, hash: u64, slot: u32);
    /// Whether a cell is there, at its slot.
    fn has(&self, value: &T, hash: u64, slot: u32) -> bool;
    /// How many cells there are.
    fn len(&self) -> usize;
    /// The index with its type.
    fn as_any(&self) -> &dyn Any;
}

/// Unique values and the slots that have them.
pub(super) type Unique<T> = FastMap<T, u32>;

impl<T: Value + Hash + Eq> Index<T> for Unique<T> {
    fn holder(&self, value: &T) -> Option<u32> {
        self.get(value).copied()
    }

    fn insert(&mut self, value: &T, _: u64, slot: u32) {
        FastMap::insert(self, value.clone(), slot);
    }

    fn remove(&mut self, value: &T, _: u64, _: u32) {
        FastMap::remove(self, value);
    }

    fn has(&self, value: &T, _: u64, slot: u32) -> bool {
        self.get(value) == Some(&slot)
    }

    fn len(&self) -> usize {
        FastMap::len(self)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Hashes of stored bytes with the slots that have them: values are compared when they are looked up.
#[derive(Default)]
pub(super) struct Equal(BTreeSet<(u64, u32)>);

impl Equal {
    /// Slots whose values have a hash, in order.
    pub(super) fn slots(&self, hash: u64) -> impl Iterator<Item = u32> {
        self.0
            .range((hash, 0)..=(hash, u32::MAX))
            .map(|(_, slot)| *slot)
    }
}

impl<T: Value> Index<T> for Equal {
    fn holder(&self, _: &T) -> Option<u32> {
        None
    }

    fn insert(&mut self, _: &T, hash: u64, slot: u32) {
        self.0.insert((hash, slot));
    }

    fn remove(&mut self, _: &T, hash: u64, slot: u32) {
        self.0.remove(&(hash, slot));
    }

    fn has(&self, _: &T, hash: u64, slot: u32) -> bool {
        self.0.contains(&(hash, slot))
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Values in order, with the slots that have them.
pub(super) struct Ordered<T> {
    slots: BTreeMap<T, BTreeSet<u32>>,
    len: usize,
}

impl<T> Default for Ordered<T> {
    fn default() -> Self {
        Self {
            slots: BTreeMap::new(),
            len: 0,
        }
    }
}

impl<T: Ord> Ordered<T> {
    /// Slots with their values in a range, by value and then by slot.
    pub(super) fn range(&self, range: impl RangeBounds<T>) -> impl DoubleEndedIterator<Item = u32> {
        self.slots
            .range(range)
            .flat_map(|(_, slots)| slots.iter().copied())
    }
}

impl<T: Value + Ord> Index<T> for Ordered<T> {
    fn holder(&self, _: &T) -> Option<u32> {
        None
    }

    fn insert(&mut self, value: &T, _: u64, slot: u32) {
        if let Some(slots) = self.slots.get_mut(value) {
            slots.insert(slot);
        } else {
            self.slots.insert(value.clone(), BTreeSet::from([slot]));
        }
        self.len += 1;
    }

    fn remove(&mut self, value: &T, _: u64, slot: u32) {
        if let Some(slots) = self.slots.get_mut(value) {
            slots.remove(&slot);
            self.len -= 1;
            if slots.is_empty() {
                self.slots.remove(value);
            }
        }
    }

    fn has(&self, value: &T, _: u64, slot: u32) -> bool {
        self.slots
            .get(value)
            .is_some_and(|slots| slots.contains(&slot))
    }

    fn len(&self) -> usize {
        self.len
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

//! Indexes beside a column: by key (unique), by equal values, by order.
//!
//! Every change of the column updates its index, and so does undo, so that the two cannot disagree. A lookup returns slots
//! in their order, whatever the history was.

pub(crate) mod composite;
pub(crate) mod parts;

use std::any::Any;
use std::hash::Hash;
use std::ops::Bound;

use crate::base::split_map::SplitMap;
use crate::graph::paged::key_hash;
use crate::graph::storage::{Set, Storage};
use crate::graph::tree::Tree;
use crate::value::Value;

/// Slots that an index finds, in its order. Each is looked up when it is taken.
pub type Slots<'i> = Box<dyn DoubleEndedIterator<Item = u32> + Send + Sync + 'i>;

/// A range of positions in an index by order: values, each with a slot.
pub type Positions<T> = (Bound<(T, u32)>, Bound<(T, u32)>);

/// An index of a column of `T`, without the bounds on `T` that its kind requires.
pub trait Index<T>: Any + Send + Sync {
    /// The slot that has a value already, if values are unique; `cell` gives the value at a slot.
    fn holder<'c>(&self, value: &T, cell: &dyn Fn(u32) -> Option<&'c T>) -> Option<u32>;
    /// Makes room for so many more cells, where that saves time.
    fn reserve(&mut self, _cells: usize) {}
    /// Adds a cell; `hash` is the hash of its stored bytes.
    fn insert(&mut self, value: &T, hash: u64, slot: u32);
    /// Adds a cell to which nothing else refers. Returns the slot that has its value already, if values are unique.
    fn insert_new<'c>(
        &mut self,
        value: &T,
        hash: u64,
        slot: u32,
        cell: &dyn Fn(u32) -> Option<&'c T>,
    ) -> Option<u32> {
        let holder = self.holder(value, cell);
        if holder.is_none() {
            self.insert(value, hash, slot);
        }
        holder
    }
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
        self.between((from, to))
    }
    /// In an index by order, the slots between two positions in the order of values and then of slots.
    fn between(&self, _range: Positions<T>) -> Slots<'_> {
        Box::new(std::iter::empty())
    }
    /// A copy.
    fn fork(&self) -> Box<dyn Index<T>>;
}

/// Unique values and the slots that have them.
pub(super) type Unique<T> = SplitMap<T, u32>;

impl<T: Value + Hash + Eq> Index<T> for Unique<T> {
    fn holder<'c>(&self, value: &T, _: &dyn Fn(u32) -> Option<&'c T>) -> Option<u32> {
        self.get(value).copied()
    }

    fn reserve(&mut self, cells: usize) {
        SplitMap::reserve(self, cells);
    }

    fn insert_new<'c>(
        &mut self,
        value: &T,
        _: u64,
        slot: u32,
        _: &dyn Fn(u32) -> Option<&'c T>,
    ) -> Option<u32> {
        SplitMap::insert_new(self, value.clone(), slot)
    }

    fn insert(&mut self, value: &T, _: u64, slot: u32) {
        SplitMap::insert(self, value.clone(), slot);
    }

    fn remove(&mut self, value: &T, _: u64, _: u32) {
        SplitMap::remove(self, value);
    }

    fn has(&self, value: &T, _: u64, slot: u32) -> bool {
        self.get(value) == Some(&slot)
    }

    fn len(&self) -> usize {
        SplitMap::len(self)
    }

    fn fork(&self) -> Box<dyn Index<T>> {
        Box::new(self.clone())
    }
}

/// A hash and the slot that has it.
type HashedSlot = (u64, u32);

/// The range of the entries with a hash.
fn with_hash(hash: u64) -> (Bound<HashedSlot>, Bound<HashedSlot>) {
    (
        Bound::Included((hash, 0)),
        Bound::Included((hash, u32::MAX)),
    )
}

/// Unique values by hash, so that they need no order to be in a tree. The values themselves are in the column.
#[derive(Clone, Default)]
pub(super) struct Hashed(Tree<(u64, u32), ()>);

impl Hashed {
    /// The slot with a hash for which `is` holds.
    pub(super) fn find(&self, hash: u64, is: impl Fn(u32) -> bool) -> Option<u32> {
        let mut slots = Tree::range(&self.0, with_hash(hash)).map(|((_, slot), ())| *slot);
        slots.find(|slot| is(*slot))
    }
}

impl<T: Value + Hash + Eq> Index<T> for Hashed {
    fn holder<'c>(&self, value: &T, cell: &dyn Fn(u32) -> Option<&'c T>) -> Option<u32> {
        self.find(key_hash(value), |slot| cell(slot) == Some(value))
    }

    fn insert(&mut self, value: &T, _: u64, slot: u32) {
        self.0.insert((key_hash(value), slot), ());
    }

    fn remove(&mut self, value: &T, _: u64, slot: u32) {
        self.0.remove(&(key_hash(value), slot));
    }

    fn has(&self, value: &T, _: u64, slot: u32) -> bool {
        self.0.get(&(key_hash(value), slot)).is_some()
    }

    fn len(&self) -> usize {
        Tree::len(&self.0)
    }

    fn fork(&self) -> Box<dyn Index<T>> {
        Box::new(self.clone())
    }
}

/// Hashes of stored bytes with the slots that have them: values are compared when they are looked up.
pub(super) struct Equal<S: Storage>(S::Set<(u64, u32)>);

impl<S: Storage> Default for Equal<S> {
    fn default() -> Self {
        Self(S::Set::default())
    }
}

impl<S: Storage, T: Value> Index<T> for Equal<S> {
    fn holder<'c>(&self, _: &T, _: &dyn Fn(u32) -> Option<&'c T>) -> Option<u32> {
        None
    }

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
    fn holder<'c>(&self, _: &T, _: &dyn Fn(u32) -> Option<&'c T>) -> Option<u32> {
        None
    }

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

    fn between(&self, range: Positions<T>) -> Slots<'_> {
        Box::new(self.0.range(range).map(|(_, slot)| *slot))
    }

    fn fork(&self) -> Box<dyn Index<T>> {
        Box::new(Self(self.0.clone()))
    }
}

//! The slots of unique values.

use std::borrow::Borrow;
use std::hash::{BuildHasher, BuildHasherDefault, Hash};
use std::ops::Bound;

use crate::base::hash::{FastMap, FxHasher};
use crate::graph::storage::Storage;
use crate::graph::tree::Tree;
use crate::value::Value;

/// Unique values with their slots.
pub trait Slots<T>: Default + Clone + Send + Sync + 'static {
    /// Returns the slot of a value. `is` says whether the value is that of the cell at a slot.
    fn find<Q: Hash + Eq + ?Sized>(&self, value: &Q, is: impl Fn(u32) -> bool) -> Option<u32>
    where
        T: Borrow<Q> + Hash + Eq;
    /// Adds a slot.
    fn add(&mut self, value: &T, slot: u32)
    where
        T: Hash + Eq;
    /// Removes a slot.
    fn take(&mut self, value: &T, slot: u32)
    where
        T: Hash + Eq;
    /// Returns how many slots there are.
    fn len(&self) -> usize;
}

impl<T: Value> Slots<T> for FastMap<T, u32> {
    #[inline(always)]
    fn find<Q: Hash + Eq + ?Sized>(&self, value: &Q, _: impl Fn(u32) -> bool) -> Option<u32>
    where
        T: Borrow<Q> + Hash + Eq,
    {
        self.get(value).copied()
    }

    fn add(&mut self, value: &T, slot: u32)
    where
        T: Hash + Eq,
    {
        self.insert(value.clone(), slot);
    }

    fn take(&mut self, value: &T, _: u32)
    where
        T: Hash + Eq,
    {
        self.remove(value);
    }

    fn len(&self) -> usize {
        FastMap::len(self)
    }
}

/// The slots by the hashes of their values, so that the values need no order to be in a tree. The values themselves are only
/// in the cells.
#[derive(Clone, Default)]
pub struct HashTree(Tree<(u64, u32), ()>);

impl<T: Value> Slots<T> for HashTree {
    #[inline]
    fn find<Q: Hash + Eq + ?Sized>(&self, value: &Q, is: impl Fn(u32) -> bool) -> Option<u32>
    where
        T: Borrow<Q> + Hash + Eq,
    {
        let hash = key_hash(value);
        let with_hash = (
            Bound::Included((hash, 0)),
            Bound::Included((hash, u32::MAX)),
        );
        let mut slots = Tree::range(&self.0, with_hash).map(|((_, slot), ())| *slot);
        slots.find(|slot| is(*slot))
    }

    fn add(&mut self, value: &T, slot: u32)
    where
        T: Hash + Eq,
    {
        self.0.insert((key_hash(value), slot), ());
    }

    fn take(&mut self, value: &T, slot: u32)
    where
        T: Hash + Eq,
    {
        self.0.remove(&(key_hash(value), slot));
    }

    fn len(&self) -> usize {
        Tree::len(&self.0)
    }
}

fn key_hash(key: &(impl Hash + ?Sized)) -> u64 {
    BuildHasherDefault::<FxHasher>::default().hash_one(key)
}

/// The index of a column of unique values.
///
/// Code that knows only that `T` is a [`Value`] calls it through functions. Code that knows that it is a key finds slots
/// without them.
pub struct Unique<T: Value, S: Storage> {
    slots: S::Slots<T>,
    functions: &'static Functions<T, S>,
}

/// The functions that require more of `T` than that it is a value.
struct Functions<T: Value, S: Storage> {
    find: Find<T, S::Slots<T>>,
    equal: fn(&T, &T) -> bool,
    add: Change<T, S::Slots<T>>,
    take: Change<T, S::Slots<T>>,
}

type Find<T, S> = fn(&S, &T, &dyn Fn(u32) -> bool) -> Option<u32>;
type Change<T, S> = fn(&mut S, &T, u32);

impl<T: Value, S: Storage> Clone for Unique<T, S> {
    fn clone(&self) -> Self {
        Self {
            slots: self.slots.clone(),
            functions: self.functions,
        }
    }
}

impl<T: Value, S: Storage> Unique<T, S> {
    pub(super) fn new() -> Self
    where
        T: Hash + Eq,
    {
        Self {
            slots: S::Slots::default(),
            functions: &Functions {
                find: |slots, value, is| slots.find(value, is),
                equal: |a, b| a == b,
                add: |slots, value, slot| slots.add(value, slot),
                take: |slots, value, slot| slots.take(value, slot),
            },
        }
    }

    /// Returns the slot of a key; `cell` gives the value at a slot.
    #[inline(always)]
    pub(super) fn find<'c, Q: Hash + Eq + ?Sized>(
        &self,
        key: &Q,
        cell: impl Fn(u32) -> Option<&'c T>,
    ) -> Option<u32>
    where
        T: Borrow<Q> + Hash + Eq,
    {
        let is = |slot| cell(slot).is_some_and(|value| value.borrow() == key);
        self.slots.find(key, is)
    }

    /// As [`Unique::find`], of a value that is not known to be a key.
    pub(super) fn holder<'c>(&self, value: &T, cell: impl Fn(u32) -> Option<&'c T>) -> Option<u32> {
        let is = |slot| cell(slot).is_some_and(|other| (self.functions.equal)(other, value));
        (self.functions.find)(&self.slots, value, &is)
    }

    /// Adds a value.
    pub(super) fn insert(&mut self, value: &T, slot: u32) {
        (self.functions.add)(&mut self.slots, value, slot);
    }

    /// Removes a value.
    pub(super) fn remove(&mut self, value: &T, slot: u32) {
        (self.functions.take)(&mut self.slots, value, slot);
    }

    /// Returns whether a value is in the index at its slot.
    pub(super) fn has(&self, value: &T, slot: u32) -> bool {
        (self.functions.find)(&self.slots, value, &|found| found == slot) == Some(slot)
    }

    /// Returns how many values there are.
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::hash::Hasher;

    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::graph::paged::Paged;
    use crate::graph::storage::Flat;

    /// A key of which two have the same hash.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    struct Key(u64);

    impl Hash for Key {
        fn hash<H: Hasher>(&self, state: &mut H) {
            (self.0 / 2).hash(state);
        }
    }

    /// Applies random changes to an index and to a map, and compares all lookups of both kinds.
    fn check<S: Storage>(seed: u64, keys: u64) {
        let mut random = seed;
        let mut below = |n: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            (random >> 11) % n
        };
        let (mut index, mut expected) = (Unique::<Key, S>::new(), HashMap::<u64, u32>::new());
        let mut cells: Vec<Option<Key>> = Vec::new();
        for slot in 0..300 {
            let key = Key(below(keys));
            cells.push(None);
            match expected.remove(&key.0) {
                Some(old) => {
                    index.remove(&key, old);
                    cells[old as usize] = None;
                }
                None => {
                    index.insert(&key, slot);
                    expected.insert(key.0, slot);
                    cells[slot as usize] = Some(key);
                }
            }
            assert_eq!(index.len(), expected.len());
            for key in (0..=keys).map(Key) {
                let slot = expected.get(&key.0).copied();
                let cell = |slot: u32| cells[slot as usize].as_ref();
                assert_eq!(index.find(&key, cell), slot, "{key:?}, seed {seed}");
                assert_eq!(index.holder(&key, cell), slot, "{key:?}, seed {seed}");
                for at in slot.into_iter().chain([u32::MAX]) {
                    assert_eq!(index.has(&key, at), slot == Some(at), "{key:?} at {at}");
                }
            }
        }
    }

    #[test]
    fn unique_values_are_found_in_either_storage_although_hashes_collide() {
        for seed in 1..=10 {
            check::<Flat>(seed, 3 * seed);
            check::<Paged>(seed, 3 * seed);
        }
    }
}

//! A hash map in parts. No insertion moves more than [`PART`] entries, however large the map is.
//!
//! A map of the standard library moves all of its entries when it grows, so one of a million insertions takes 100 ms. This map
//! is one such map while it is small. Then bits of the hash of a key choose one of several, and a part that is full is split in
//! two by one more bit (extendible hashing).

use std::borrow::Borrow;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher, BuildHasherDefault, Hash};
use std::mem::take;

use crate::base::hash::{FastMap, FxHasher};

/// The number of entries at which a part is split. A map of the standard library with so many entries is full.
const PART: usize = if cfg!(test) { 56 } else { 14_336 };
/// The bits of a hash that a part uses itself: it has at most so many buckets, unless most hashes are equal.
const PART_BITS: u32 = 14;

/// A hash map in parts.
#[derive(Clone)]
pub struct SplitMap<K, V> {
    /// All entries, while there are no parts.
    only: FastMap<K, V>,
    parts: Vec<Part<K, V>>,
    /// The index of the part of each hash, by its bits from [`PART_BITS`] on. The length is a power of two.
    directory: Vec<u32>,
    /// The number of entries of all parts.
    in_parts: usize,
}

#[derive(Clone)]
struct Part<K, V> {
    map: FastMap<K, V>,
    /// How many bits the hashes of its keys have in common.
    bits: u32,
}

impl<K, V> Default for SplitMap<K, V> {
    fn default() -> Self {
        Self {
            only: FastMap::default(),
            parts: Vec::new(),
            directory: Vec::new(),
            in_parts: 0,
        }
    }
}

/// Returns the bits of the hash of a key that choose its part.
fn chooser<Q: Hash + ?Sized>(key: &Q) -> usize {
    let hash = BuildHasherDefault::<FxHasher>::default().hash_one(key);
    (hash >> PART_BITS) as usize
}

fn with_capacity<K, V>(entries: usize) -> FastMap<K, V> {
    FastMap::with_capacity_and_hasher(entries, BuildHasherDefault::default())
}

impl<K: Hash + Eq, V> SplitMap<K, V> {
    /// Returns the number of entries.
    pub(crate) fn len(&self) -> usize {
        self.only.len() + self.in_parts
    }

    /// Returns the index of the part that a key belongs to. There must be parts.
    #[inline]
    fn part_of<Q: Hash + ?Sized>(&self, key: &Q) -> usize {
        self.directory[chooser(key) & (self.directory.len() - 1)] as usize
    }

    /// Returns the value of a key.
    #[inline]
    pub(crate) fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        if self.parts.is_empty() {
            return self.only.get(key);
        }
        self.parts[self.part_of(key)].map.get(key)
    }

    /// Returns the value of a key, to change it.
    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        if self.parts.is_empty() {
            return self.only.get_mut(key);
        }
        let part = self.part_of(key);
        self.parts[part].map.get_mut(key)
    }

    /// Sets the value of a key. Returns the value that it replaced.
    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        if self.parts.is_empty() && self.only.len() < PART {
            return self.only.insert(key, value);
        }
        let old = self.part_with_room(&key).insert(key, value);
        self.in_parts += usize::from(old.is_none());
        old
    }

    /// Sets the value of a key that has none. Returns the value that it has, if it has one.
    pub(crate) fn insert_new(&mut self, key: K, value: V) -> Option<V>
    where
        V: Copy,
    {
        let is_only = self.parts.is_empty() && self.only.len() < PART;
        let map = if is_only {
            &mut self.only
        } else {
            self.part_with_room(&key)
        };
        // One look into the table, which is large.
        match map.entry(key) {
            Entry::Occupied(there) => Some(*there.get()),
            Entry::Vacant(free) => {
                free.insert(value);
                self.in_parts += usize::from(!is_only);
                None
            }
        }
    }

    /// Removes a key. Returns its value.
    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        if self.parts.is_empty() {
            return self.only.remove(key);
        }
        let part = self.part_of(key);
        let removed = self.parts[part].map.remove(key);
        self.in_parts -= usize::from(removed.is_some());
        removed
    }

    /// Removes the entries for which a function returns `false`. O(entries).
    pub(crate) fn retain(&mut self, mut keeps: impl FnMut(&K, &mut V) -> bool) {
        self.only.retain(&mut keeps);
        for part in &mut self.parts {
            part.map.retain(&mut keeps);
        }
        self.in_parts = self.parts.iter().map(|part| part.map.len()).sum();
    }

    /// Returns all entries, in no particular order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        let in_parts = self.parts.iter().flat_map(|part| &part.map);
        self.only.iter().chain(in_parts)
    }

    /// Makes room for so many more entries.
    pub(crate) fn reserve(&mut self, entries: usize) {
        if self.parts.is_empty() && self.only.len() + entries <= PART {
            self.only.reserve(entries);
        } else if self.len() == 0 {
            let parts = entries.div_ceil(PART).next_power_of_two();
            // Hashes are not distributed evenly.
            let each = entries / parts;
            let room = PART.min(each + each / 16);
            let bits = parts.ilog2();
            let part = |_| Part {
                map: with_capacity(room),
                bits,
            };
            self.parts = (0..parts).map(part).collect();
            self.directory = (0..parts as u32).collect();
        }
    }

    /// Returns the part that a key belongs to, after it was split if it was full.
    #[inline(never)]
    fn part_with_room(&mut self, key: &K) -> &mut FastMap<K, V> {
        if self.parts.is_empty() {
            self.in_parts = self.only.len();
            self.directory = vec![0];
            self.parts.push(Part {
                map: take(&mut self.only),
                bits: 0,
            });
        }
        let mut part = self.part_of(key);
        let Part { map, bits } = &self.parts[part];
        // If most hashes are equal, more bits do not help.
        let is_useful = 1 << *bits <= 8 * (self.in_parts / PART + 1);
        if map.len() >= PART && is_useful {
            self.split(part);
            part = self.part_of(key);
        }
        &mut self.parts[part].map
    }

    /// Splits a part by one more bit of the hashes.
    fn split(&mut self, part: usize) {
        let bits = self.parts[part].bits;
        if self.directory.len() == 1 << bits {
            self.directory.extend_from_within(..);
        }
        let [mut low, mut high] = [with_capacity(PART), with_capacity(PART)];
        for (key, value) in take(&mut self.parts[part].map) {
            let is_high = chooser(&key) >> bits & 1 == 1;
            let half = if is_high { &mut high } else { &mut low };
            half.insert(key, value);
        }
        let added = self.parts.len() as u32;
        let bits = bits + 1;
        self.parts[part] = Part { map: low, bits };
        self.parts.push(Part { map: high, bits });
        for (i, of) in self.directory.iter_mut().enumerate() {
            if *of == part as u32 && i >> (bits - 1) & 1 == 1 {
                *of = added;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::collections::HashMap;
    use std::hash::Hasher;

    use super::*;

    thread_local! {
        static HASHED: Cell<usize> = const { Cell::new(0) };
    }

    /// A key that counts how often it is hashed. Keys of the second kind have equal hashes.
    #[derive(Clone, Debug, PartialEq, Eq)]
    struct Key(bool, u64);

    impl Hash for Key {
        fn hash<H: Hasher>(&self, to: &mut H) {
            HASHED.set(HASHED.get() + 1);
            to.write_u64(if self.0 { 7 } else { self.1 });
        }
    }

    #[test]
    fn an_insertion_hashes_no_more_keys_in_a_larger_map() {
        let mut map = SplitMap::default();
        for i in 0..100 * PART as u64 {
            let before = HASHED.get();
            map.insert(Key(false, i), i);
            let hashed = HASHED.get() - before;
            assert!(hashed <= 3 * PART + 3, "{hashed} at {i}");
        }
        assert!(map.parts.len() > 50 && map.parts.len() < 400);
        assert!((0..100 * PART as u64).all(|i| map.get(&Key(false, i)) == Some(&i)));
    }

    #[test]
    fn it_is_a_map() {
        for (reserved, equal) in [(0, false), (10, false), (30 * PART, false), (0, true)] {
            let (mut map, mut expected) = (SplitMap::default(), HashMap::new());
            map.reserve(reserved);
            let mut random = 0x9e37_79b9_7f4a_7c15u64;
            for i in 0..60 * PART as u64 {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                // It grows, and later shrinks.
                let grows = i < 40 * PART as u64;
                let key = Key(equal && random.is_multiple_of(3), random >> 8 & 0x7ff);
                match (random >> 40) % 4 {
                    0..3 if !grows => assert_eq!(map.remove(&key), expected.remove(&key)),
                    0 => assert_eq!(map.get_mut(&key), expected.get_mut(&key)),
                    1 => {
                        let there = map.insert_new(key.clone(), i);
                        assert_eq!(there, expected.get(&key).copied());
                        expected.entry(key.clone()).or_insert(i);
                    }
                    _ => assert_eq!(map.insert(key.clone(), i), expected.insert(key.clone(), i)),
                }
                assert_eq!(map.get(&key), expected.get(&key));
                assert_eq!(map.len(), expected.len());
            }
            assert!(map.iter().all(|(key, value)| expected[key] == *value));
            assert_eq!(map.iter().count(), expected.len());
            let copy = map.clone();
            assert!(
                expected
                    .iter()
                    .all(|(key, value)| copy.get(key) == Some(value))
            );
            map.retain(|_, value| value.is_multiple_of(2));
            expected.retain(|_, value| value.is_multiple_of(2));
            assert_eq!(map.len(), expected.len());
            assert!(map.iter().all(|(key, value)| expected[key] == *value));
            assert!(expected.keys().all(|key| map.get(key).is_some()));
        }
    }
}

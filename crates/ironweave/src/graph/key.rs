//! Keys: how they are looked up, and the index of those of several fields.
//!
//! A key of one field is indexed by its column. A key of several fields is indexed here, by the hashes of the stored
//! bytes of its parts, as soon as a new entity has all of them.

use std::borrow::Borrow;
use std::hash::Hash;

use minicbor::Decoder;
use serde::Serialize;

use crate::base::cbor::{ARRAY, head};
use crate::base::error::{Chain, Name, StepError};
use crate::base::hash::hash_bytes;
use crate::base::id::Id;
use crate::graph::column::Column;
use crate::graph::storage::{Map, Storage};
use crate::graph::{Graph, Journal};
use crate::schema::{ColumnIx, EntityIx};
use crate::value::item::{display, display_into, raw_item};
use crate::value::{Value, encode};

/// A type by which [`Db::find`](crate::Db::find) can look up keys of type `K`: `K` itself, or a type that `K` borrows as, such
/// as `str` for `String`. It is implemented for all such types.
pub trait KeyQuery<K>: Hash + Eq {
    /// The slot whose cell in the key column is this key; O(1).
    #[doc(hidden)]
    fn find_in<S: Storage>(&self, column: &Column<K, S>) -> Option<u32>
    where
        K: Value;

    /// The slot of the entity whose key of several fields is this one; O(1).
    #[doc(hidden)]
    fn find_parts<S: Storage>(&self, graph: &Graph<S>, entity: EntityIx) -> Option<u32>;

    /// The key in CBOR.
    #[doc(hidden)]
    fn bytes(&self) -> Vec<u8>;
}

impl<K: Borrow<Q> + Hash + Eq, Q: Hash + Eq + Serialize + ?Sized> KeyQuery<K> for Q {
    fn find_in<S: Storage>(&self, column: &Column<K, S>) -> Option<u32>
    where
        K: Value,
    {
        column.find(self)
    }

    fn find_parts<S: Storage>(&self, graph: &Graph<S>, entity: EntityIx) -> Option<u32> {
        graph.find_parts(entity, &parts(&key_bytes(self)))
    }

    fn bytes(&self) -> Vec<u8> {
        key_bytes(self)
    }
}

/// A key in CBOR. A key that cannot be encoded has no bytes, and belongs to no entity.
fn key_bytes(key: &(impl Serialize + ?Sized)) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = encode(key, &mut bytes);
    bytes
}

/// The parts of a key of several fields, each in CBOR.
pub(crate) fn parts(bytes: &[u8]) -> Vec<&[u8]> {
    let mut d = Decoder::new(bytes);
    let n = d.array().ok().flatten().unwrap_or(0);
    (0..n).map_while(|_| raw_item(&mut d).ok()).collect()
}

/// The slots by the hash of the key; several only if hashes collide.
pub(super) struct KeyIndex<S: Storage> {
    slots: S::Map<Vec<u32>>,
    len: usize,
}

impl<S: Storage> Default for KeyIndex<S> {
    fn default() -> Self {
        Self {
            slots: S::Map::default(),
            len: 0,
        }
    }
}

impl<S: Storage> Clone for KeyIndex<S> {
    fn clone(&self) -> Self {
        Self {
            slots: self.slots.clone(),
            len: self.len,
        }
    }
}

impl<S: Storage> KeyIndex<S> {
    pub(super) fn insert(&mut self, hash: u64, slot: u32) {
        match self.slots.at_mut(hash) {
            Some(slots) => slots.push(slot),
            None => self.slots.put(hash, vec![slot]),
        }
        self.len += 1;
    }

    /// Removes a slot, if it is there: an entity that was refused for its key has none.
    pub(super) fn remove(&mut self, hash: u64, slot: u32) {
        if let Some(slots) = self.slots.at_mut(hash)
            && let Some(at) = slots.iter().position(|s| *s == slot)
        {
            slots.swap_remove(at);
            self.len -= 1;
            if slots.is_empty() {
                self.slots.take(hash);
            }
        }
    }

    /// A copy in another storage.
    pub(super) fn copy<B: Storage>(&self) -> KeyIndex<B> {
        KeyIndex {
            slots: self.slots.copy(),
            len: self.len,
        }
    }

    pub(super) fn has(&self, hash: u64, slot: u32) -> bool {
        self.slots(hash).contains(&slot)
    }

    fn slots(&self, hash: u64) -> &[u32] {
        self.slots.at(hash).map_or(&[], Vec::as_slice)
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }
}

/// The hash of several values, from the hashes of the stored bytes of its parts.
pub(super) fn combined(parts: impl Iterator<Item = u64>) -> u64 {
    let bytes: Vec<u8> = parts.flat_map(u64::to_le_bytes).collect();
    hash_bytes(&bytes)
}

/// The parts of a key, each in CBOR, as text.
pub(crate) fn text<'p>(parts: impl Iterator<Item = &'p [u8]>) -> String {
    let parts: Vec<String> = parts.map(display).collect();
    parts.join(", ")
}

impl<S: Storage> Graph<S> {
    /// The key of an entity in CBOR: of several parts, an array.
    pub(crate) fn encoded_key(&self, entity: EntityIx, slot: u32) -> Vec<u8> {
        let columns = &self.layout.entities[usize::from(entity)].key;
        let mut bytes = Vec::new();
        if columns.len() != 1 {
            head(&mut bytes, ARRAY, columns.len() as u64);
        }
        for column in columns {
            bytes.extend(self.column(*column).encoded(slot).unwrap_or_default());
        }
        bytes
    }

    /// Returns the entity that has a key of one or more parts, in CBOR; O(1).
    pub(crate) fn with_key(&self, entity: EntityIx, key: &[&[u8]]) -> Option<Id> {
        let columns = &*self.layout.entities[usize::from(entity)].key;
        let slot = match (columns, key) {
            ([column], [key]) => self.column(*column).holder(key)?,
            _ => self.find_parts(entity, key)?,
        };
        Some(self.id(entity, slot))
    }

    /// The entity whose key has these parts, in CBOR; O(1).
    pub(crate) fn find_parts(&self, entity: EntityIx, parts: &[&[u8]]) -> Option<u32> {
        let hash = combined(parts.iter().map(|part| hash_bytes(part)));
        let columns = &self.layout.entities[usize::from(entity)].key;
        let same = |slot: u32| {
            let stored = columns.iter().map(|c| self.column(*c).encoded(slot));
            stored.zip(parts).all(|(a, b)| a.as_deref() == Some(*b))
        };
        let slots = self.entities[usize::from(entity)].key.slots(hash).iter();
        slots.copied().find(|slot| same(*slot))
    }

    /// The entities whose key of several parts may be that of these parts, by the combined hash of their stored forms; O(1).
    pub(super) fn keyed(&self, entity: EntityIx, hash: u64) -> &[u32] {
        self.entities[usize::from(entity)].key.slots(hash)
    }

    /// The hash of an entity's key; `None` until it has all parts.
    pub(super) fn key_hash(&self, entity: EntityIx, slot: u32) -> Option<u64> {
        let columns = &self.layout.entities[usize::from(entity)].key;
        let hashes: Option<Vec<u64>> = columns.iter().map(|c| self.column(*c).hash(slot)).collect();
        Some(combined(hashes?.into_iter()))
    }

    /// The key of an entity as text, with its parts in the form that the log has. `None` if the entity is being created
    /// and its key is not complete.
    pub(super) fn key_text(&self, entity: EntityIx, slot: u32) -> Option<Name> {
        let columns = &self.layout.entities[usize::from(entity)].key;
        if columns.is_empty() {
            return None;
        }
        let mut text = String::with_capacity(32);
        for (i, column) in columns.iter().enumerate() {
            if i > 0 {
                text += ", ";
            }
            display_into(&self.column(*column).encoded(slot)?, &mut text);
        }
        Some(text.into())
    }

    /// Indexes the keys of several fields of all entities, none of which is indexed. `failed` makes the error of a key that
    /// another entity has.
    pub(super) fn index_keys<E>(
        &mut self,
        failed: impl Fn(&Self, (EntityIx, u32), StepError) -> E,
    ) -> Result<(), E> {
        for entity in EntityIx::all(self.entities.len()) {
            if self.layout.entities[usize::from(entity)].key.len() < 2 {
                continue;
            }
            for slot in 0..self.slots(entity) {
                if self.is_alive(entity, slot)
                    && let Err(e) = self.index_key(entity, slot)
                {
                    return Err(failed(self, (entity, slot), e));
                }
            }
        }
        Ok(())
    }

    /// Indexes the key of a new entity once it is complete.
    pub(super) fn index_key(&mut self, entity: EntityIx, slot: u32) -> Result<(), StepError> {
        let Some(hash) = self.key_hash(entity, slot) else {
            return Ok(());
        };
        let columns = &self.layout.entities[usize::from(entity)].key;
        let parts = |slot: u32| -> Vec<Option<Vec<u8>>> {
            columns
                .iter()
                .map(|c| self.column(*c).encoded(slot))
                .collect()
        };
        let mine = parts(slot);
        let slots = self.entities[usize::from(entity)].key.slots(hash);
        if let Some(holder) = slots.iter().copied().find(|s| parts(*s) == mine) {
            return Err(StepError::Duplicate {
                entity: self.named(entity, holder),
                key: text(mine.iter().flatten().map(Vec::as_slice)),
                chain: Chain::default(),
            });
        }
        self.entities[usize::from(entity)].key.insert(hash, slot);
        Ok(())
    }

    /// As [`Graph::set_encoded`], of a column that may be a part of the key of an entity and have a value. Only a migration
    /// changes keys. The new key must be free already at each part that is changed.
    pub(crate) fn change_key_encoded(
        &mut self,
        journal: &mut Journal,
        column: ColumnIx,
        slot: u32,
        encoded: &[u8],
    ) -> Result<(), StepError> {
        let layout = &self.layout.columns[usize::from(column)];
        if !layout.composite {
            return self.set_encoded(journal, column, slot, encoded);
        }
        let (entity, entries) = (layout.entity, journal.position());
        self.unindex_key(entity, slot);
        let set = self.set_encoded(journal, column, slot, encoded);
        if set.is_err() && journal.position() == entries {
            self.reindex_key(entity, slot);
        }
        set
    }

    /// Indexes the key that an entity had before, after a change of one of its parts was undone.
    pub(super) fn reindex_key(&mut self, entity: EntityIx, slot: u32) {
        if let Some(hash) = self.key_hash(entity, slot) {
            self.entities[usize::from(entity)].key.insert(hash, slot);
        }
    }

    /// Removes the key of an entity from the index, before the entity is deleted.
    pub(super) fn unindex_key(&mut self, entity: EntityIx, slot: u32) {
        if let Some(hash) = self.key_hash(entity, slot) {
            self.entities[usize::from(entity)].key.remove(hash, slot);
        }
    }
}

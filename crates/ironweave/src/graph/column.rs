//! Columns: one typed array per field and per piece of state data, with the key index where there is one.
//!
//! The graph knows its columns by [`AnyColumn`]; generated code knows the type and downcasts.

use std::any::Any;
use std::borrow::Borrow;
use std::hash::Hash;

use crate::graph::storage::{Flat, Storage, Table};
use crate::hash::{FastMap, hash_bytes};
use crate::value::{DecodeError, Value, decode, encode};

/// The type of a column, as code that makes an empty one.
pub struct ColumnType {
    pub(crate) flat: fn() -> Box<dyn AnyColumn>,
}

impl ColumnType {
    /// A column of `T`.
    #[must_use]
    pub fn of<T: Value>() -> Self {
        Self {
            flat: || Box::new(Column::<T, Flat>::new(None)),
        }
    }

    /// The key column of an entity type.
    #[must_use]
    pub fn key<T: Value + Hash + Eq>() -> Self {
        Self {
            flat: || Box::new(Column::<T, Flat>::new(Some(Box::<KeyIndex<T>>::default()))),
        }
    }
}

/// What a write replaced and what it wrote, by the hashes of the stored bytes.
pub struct Written {
    /// The hash of the old value, if there was one.
    pub old: Option<u64>,
    /// The hash of the new value.
    pub new: u64,
}

/// Why a column refused a value.
pub enum ColumnError {
    /// The entity at this slot has the key already.
    Duplicate(u32),
    /// `Serialize` refused.
    Unwritable(String),
    /// The stored bytes are of another type.
    Unreadable(DecodeError),
}

/// A column without its type. Each change remembers what it replaced, in order, until `settle`.
pub trait AnyColumn: Send + Sync + 'static {
    /// Adds an empty cell.
    fn grow(&mut self);
    /// Removes the last cell, which is empty.
    fn shrink(&mut self);
    /// Writes a value of the column's type, and appends its encoding to `bytes`.
    fn set(
        &mut self,
        slot: u32,
        value: &dyn Any,
        bytes: &mut Vec<u8>,
    ) -> Result<Written, ColumnError>;
    /// Writes a value from its encoding.
    fn set_encoded(&mut self, slot: u32, bytes: &[u8]) -> Result<Written, ColumnError>;
    /// Empties a cell; the hash of what was there.
    fn clear(&mut self, slot: u32) -> Option<u64>;
    /// Takes the last change back.
    fn undo(&mut self);
    /// Forgets what was replaced.
    fn settle(&mut self);
    /// The hash of a cell, computed anew from its value; an error says what is wrong with the cell or its index.
    fn recheck(&self, slot: u32) -> Result<Option<u64>, String>;
    /// The value of a cell in CBOR.
    fn encoded(&self, slot: u32) -> Option<Vec<u8>>;
    /// How many entries the key index has, if there is one.
    fn indexed(&self) -> Option<usize>;
    /// The column with its type.
    fn as_any(&self) -> &dyn Any;
}

#[derive(Clone)]
struct Cell<T> {
    value: T,
    /// Of the stored bytes, so that the fingerprint can be kept without encoding the old value again.
    hash: u64,
}

type KeyIndex<T> = FastMap<T, u32>;

/// A key index without the bounds that only keys have.
trait Keys<T>: Send + Sync {
    fn slot_of(&self, key: &T) -> Option<u32>;
    fn insert(&mut self, key: &T, slot: u32);
    fn remove(&mut self, key: &T);
    fn len(&self) -> usize;
    fn as_any(&self) -> &dyn Any;
}

impl<T: Value + Hash + Eq> Keys<T> for KeyIndex<T> {
    fn slot_of(&self, key: &T) -> Option<u32> {
        self.get(key).copied()
    }

    fn insert(&mut self, key: &T, slot: u32) {
        FastMap::insert(self, key.clone(), slot);
    }

    fn remove(&mut self, key: &T) {
        FastMap::remove(self, key);
    }

    fn len(&self) -> usize {
        FastMap::len(self)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A column of `T`.
pub struct Column<T: Value, S: Storage> {
    cells: S::Table<Option<Cell<T>>>,
    replaced: Vec<(u32, Option<Cell<T>>)>,
    keys: Option<Box<dyn Keys<T>>>,
}

impl<T: Value, S: Storage> Column<T, S> {
    fn new(keys: Option<Box<dyn Keys<T>>>) -> Self {
        Self {
            cells: S::Table::default(),
            replaced: Vec::new(),
            keys,
        }
    }

    /// The value at a slot.
    #[must_use]
    pub fn get(&self, slot: u32) -> Option<&T> {
        self.cells
            .at(slot as usize)
            .as_ref()
            .map(|cell| &cell.value)
    }

    /// The slot that has a key; O(1).
    #[must_use]
    pub fn find<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<u32>
    where
        T: Hash + Eq + Borrow<Q>,
    {
        self.keys
            .as_ref()?
            .as_any()
            .downcast_ref::<KeyIndex<T>>()?
            .get(key)
            .copied()
    }

    fn write(&mut self, slot: u32, value: T, hash: u64) -> Result<Written, ColumnError> {
        if let Some(keys) = &mut self.keys {
            if let Some(holder) = keys.slot_of(&value) {
                return Err(ColumnError::Duplicate(holder));
            }
            keys.insert(&value, slot);
        }
        let old = self
            .cells
            .at_mut(slot as usize)
            .replace(Cell { value, hash });
        self.unindex(old.as_ref());
        let written = Written {
            old: old.as_ref().map(|cell| cell.hash),
            new: hash,
        };
        self.replaced.push((slot, old));
        Ok(written)
    }

    fn unindex(&mut self, cell: Option<&Cell<T>>) {
        if let (Some(keys), Some(cell)) = (&mut self.keys, cell) {
            keys.remove(&cell.value);
        }
    }
}

impl<T: Value, S: Storage> AnyColumn for Column<T, S> {
    fn grow(&mut self) {
        self.cells.push(None);
    }

    fn shrink(&mut self) {
        self.cells.pop();
    }

    fn set(
        &mut self,
        slot: u32,
        value: &dyn Any,
        bytes: &mut Vec<u8>,
    ) -> Result<Written, ColumnError> {
        // Generated code is type-checked against the column, so this is a bug of the caller, not of input.
        let value = value
            .downcast_ref::<T>()
            .expect("a value of the column's type");
        let start = bytes.len();
        encode(value, bytes).map_err(|e| ColumnError::Unwritable(e.to_string()))?;
        let hash = hash_bytes(&bytes[start..]);
        self.write(slot, value.clone(), hash)
            .inspect_err(|_| bytes.truncate(start))
    }

    fn set_encoded(&mut self, slot: u32, bytes: &[u8]) -> Result<Written, ColumnError> {
        let value = decode(bytes).map_err(ColumnError::Unreadable)?;
        self.write(slot, value, hash_bytes(bytes))
    }

    fn clear(&mut self, slot: u32) -> Option<u64> {
        let old = self.cells.at_mut(slot as usize).take();
        self.unindex(old.as_ref());
        let hash = old.as_ref().map(|cell| cell.hash);
        self.replaced.push((slot, old));
        hash
    }

    fn undo(&mut self) {
        if let Some((slot, old)) = self.replaced.pop() {
            let now = std::mem::replace(self.cells.at_mut(slot as usize), old.clone());
            self.unindex(now.as_ref());
            if let (Some(keys), Some(cell)) = (&mut self.keys, &old) {
                keys.insert(&cell.value, slot);
            }
        }
    }

    fn settle(&mut self) {
        self.replaced.clear();
    }

    fn recheck(&self, slot: u32) -> Result<Option<u64>, String> {
        let Some(cell) = self.cells.at(slot as usize) else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        encode(&cell.value, &mut bytes).map_err(|e| e.to_string())?;
        let hash = hash_bytes(&bytes);
        if hash != cell.hash {
            return Err("its hash is not that of its value".to_owned());
        }
        match &self.keys {
            Some(keys) if keys.slot_of(&cell.value) != Some(slot) => Err(format!(
                "the key index gives {:?}",
                keys.slot_of(&cell.value)
            )),
            _ => Ok(Some(hash)),
        }
    }

    fn encoded(&self, slot: u32) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        encode(self.get(slot)?, &mut bytes).ok()?;
        Some(bytes)
    }

    fn indexed(&self) -> Option<usize> {
        self.keys.as_ref().map(|keys| keys.len())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

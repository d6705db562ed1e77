//! Columns: one typed array per field, piece of state data or link data, with its index where there is one.
//!
//! The graph knows its columns by [`AnyColumn`]; generated code knows the type and downcasts.

use std::any::Any;
use std::borrow::Borrow;
use std::hash::Hash;
use std::ops::Bound;
use std::sync::Arc;

use crate::entity::Keyed;
use crate::error::{Name, StepError};
use crate::graph::index::{Equal, Hashed, Index, Ordered, Unique};
use crate::graph::paged::{Paged, key_hash};
use crate::graph::storage::{Flat, Storage, Table};
use crate::hash::hash_bytes;
use crate::value::{DecodeError, Value, decode, encode, encode_value};

/// The type of a column, as code that makes an empty one in either storage, and its default value.
pub struct ColumnType {
    pub(crate) flat: fn() -> Box<dyn AnyColumn>,
    pub(crate) paged: fn() -> Box<dyn AnyColumn>,
    pub(crate) default: Option<fn() -> Box<dyn Any>>,
}

fn plain<T: Value, S: Storage>() -> Box<dyn AnyColumn> {
    Box::new(Column::<T, S>::new(None))
}

fn key<T: Value + Hash + Eq, S: Storage>() -> Box<dyn AnyColumn> {
    Box::new(Column::<T, S>::new(Some(S::unique())))
}

fn indexed<T: Value, S: Storage>() -> Box<dyn AnyColumn> {
    Box::new(Column::<T, S>::new(Some(Box::<Equal<S>>::default())))
}

fn ordered<T: Value + Ord, S: Storage>() -> Box<dyn AnyColumn> {
    Box::new(Column::<T, S>::new(Some(Box::<Ordered<T, S>>::default())))
}

impl ColumnType {
    /// A column of `T`.
    #[must_use]
    pub fn of<T: Value>() -> Self {
        Self::made(plain::<T, Flat>, plain::<T, Paged>)
    }

    /// The only key column of an entity type, which says that its type can be a key.
    #[must_use]
    pub fn key<E: Keyed>() -> Self {
        Self::made(key::<E::Key, Flat>, key::<E::Key, Paged>)
    }

    /// A column that is indexed by equal values.
    #[must_use]
    pub fn indexed<T: Value + Eq>() -> Self {
        Self::made(indexed::<T, Flat>, indexed::<T, Paged>)
    }

    /// A column that is indexed by order.
    #[must_use]
    pub fn ordered<T: Value + Ord>() -> Self {
        Self::made(ordered::<T, Flat>, ordered::<T, Paged>)
    }

    /// What a new entity has in this column where nothing is given: a value of the column's type.
    #[must_use]
    pub fn or(mut self, default: fn() -> Box<dyn Any>) -> Self {
        self.default = Some(default);
        self
    }

    fn made(flat: fn() -> Box<dyn AnyColumn>, paged: fn() -> Box<dyn AnyColumn>) -> Self {
        Self {
            flat,
            paged,
            default: None,
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

impl ColumnError {
    /// As an error of a step, where the value was to be written to `what`.
    pub(crate) fn into_step(self, what: &Name) -> StepError {
        let reason = match self {
            Self::Duplicate(slot) => format!("slot {slot} has it"),
            Self::Unwritable(reason) => reason,
            Self::Unreadable(e) => e.to_string(),
        };
        StepError::Unwritable {
            what: Arc::clone(what),
            reason,
        }
    }
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
    /// The hash of a cell.
    fn hash(&self, slot: u32) -> Option<u64>;
    /// How many entries the index has, if there is one.
    fn indexed(&self) -> Option<usize>;
    /// The value of a cell.
    fn value(&self, slot: u32) -> Option<&dyn Any>;
    /// Where it is indexed by equality, the slots whose values may equal one with this hash, in order.
    fn equal(&self, hash: u64) -> Vec<u32>;
    /// Where it is indexed by order, the slots whose values are in a range, by value and then by slot; the bounds
    /// are of the column's type.
    fn range(&self, range: (Bound<&dyn Any>, Bound<&dyn Any>)) -> Vec<u32>;
    /// How many cells there are.
    fn len(&self) -> usize;
    /// Takes over all cells of a column of the same type, whatever its storage.
    fn copy(&mut self, from: &dyn AnyColumn);
    /// Shows where it may differ from a column of the same type and storage.
    fn differing(&self, other: &dyn AnyColumn, see: &mut dyn FnMut(usize));
    /// A copy, with nothing to undo.
    fn fork(&self) -> Box<dyn AnyColumn>;
    /// The column with its type.
    fn as_any(&self) -> &dyn Any;
}

#[derive(Clone)]
struct Cell<T> {
    value: T,
    /// Of the stored bytes, so that the fingerprint can be kept without encoding the old value again.
    hash: u64,
}

/// A column of `T`.
pub struct Column<T: Value, S: Storage> {
    cells: S::Table<Option<Cell<T>>>,
    replaced: Vec<(u32, Option<Cell<T>>)>,
    index: Option<Box<dyn Index<T>>>,
}

impl<T: Value, S: Storage> Column<T, S> {
    fn new(index: Option<Box<dyn Index<T>>>) -> Self {
        Self {
            cells: S::Table::default(),
            replaced: Vec::new(),
            index,
        }
    }

    fn index<I: 'static>(&self) -> Option<&I> {
        self.index.as_ref()?.as_any().downcast_ref()
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
        if let Some(unique) = self.index::<Unique<T>>() {
            return unique.get(key).copied();
        }
        let same = |slot| self.get(slot).is_some_and(|value| value.borrow() == key);
        self.index::<Hashed>()?.find(key_hash(key), same)
    }

    fn write(&mut self, slot: u32, value: T, hash: u64) -> Result<Written, ColumnError> {
        let index = self.index.as_ref();
        let holder = index.and_then(|index| index.holder(&value, &|slot| self.get(slot)));
        if let Some(holder) = holder {
            return Err(ColumnError::Duplicate(holder));
        }
        let old = self.exchange(slot, Some(Cell { value, hash }));
        let written = Written {
            old: old.as_ref().map(|cell| cell.hash),
            new: hash,
        };
        self.replaced.push((slot, old));
        Ok(written)
    }

    /// Puts a cell in place of another, in the index too.
    fn exchange(&mut self, slot: u32, new: Option<Cell<T>>) -> Option<Cell<T>> {
        let old = std::mem::replace(self.cells.at_mut(slot as usize), new);
        if let Some(index) = &mut self.index {
            if let Some(cell) = &old {
                index.remove(&cell.value, cell.hash, slot);
            }
            if let Some(cell) = self.cells.at(slot as usize) {
                index.insert(&cell.value, cell.hash, slot);
            }
        }
        old
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
        encode_value(value, bytes).map_err(|e| ColumnError::Unwritable(e.to_string()))?;
        let hash = hash_bytes(&bytes[start..]);
        self.write(slot, value.clone(), hash)
            .inspect_err(|_| bytes.truncate(start))
    }

    fn set_encoded(&mut self, slot: u32, bytes: &[u8]) -> Result<Written, ColumnError> {
        let value = decode(bytes).map_err(ColumnError::Unreadable)?;
        self.write(slot, value, hash_bytes(bytes))
    }

    fn clear(&mut self, slot: u32) -> Option<u64> {
        let old = self.exchange(slot, None);
        let hash = old.as_ref().map(|cell| cell.hash);
        self.replaced.push((slot, old));
        hash
    }

    fn undo(&mut self) {
        if let Some((slot, old)) = self.replaced.pop() {
            self.exchange(slot, old);
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
        match &self.index {
            Some(index) if !index.has(&cell.value, hash, slot) => {
                Err("it is not in its index".to_owned())
            }
            _ => Ok(Some(hash)),
        }
    }

    fn hash(&self, slot: u32) -> Option<u64> {
        self.cells.at(slot as usize).as_ref().map(|cell| cell.hash)
    }

    fn encoded(&self, slot: u32) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        encode(self.get(slot)?, &mut bytes).ok()?;
        Some(bytes)
    }

    fn indexed(&self) -> Option<usize> {
        self.index.as_ref().map(|index| index.len())
    }

    fn value(&self, slot: u32) -> Option<&dyn Any> {
        self.get(slot).map(|value| value as &dyn Any)
    }

    fn equal(&self, hash: u64) -> Vec<u32> {
        (self.index.as_ref()).map_or_else(Vec::new, |index| index.equal(hash))
    }

    fn range(&self, (from, to): (Bound<&dyn Any>, Bound<&dyn Any>)) -> Vec<u32> {
        // As with `set`, another type is a bug of the caller.
        let typed = |bound: Bound<&'_ dyn Any>| -> Bound<T> {
            bound.map(|value| {
                let value = value.downcast_ref::<T>();
                value.expect("a bound of the column's type").clone()
            })
        };
        let (from, to) = (typed(from), typed(to));
        let range = (from.as_ref(), to.as_ref());
        (self.index.as_ref()).map_or_else(Vec::new, |index| index.range(range))
    }

    fn len(&self) -> usize {
        self.cells.len()
    }

    fn copy(&mut self, from: &dyn AnyColumn) {
        for slot in 0..from.len() as u32 {
            self.cells.push(None);
            let value = from.value(slot).and_then(|value| value.downcast_ref());
            if let Some((value, hash)) = value.cloned().zip(from.hash(slot)) {
                self.exchange(slot, Some(Cell { value, hash }));
            }
        }
    }

    fn differing(&self, other: &dyn AnyColumn, see: &mut dyn FnMut(usize)) {
        if let Some(other) = other.as_any().downcast_ref::<Self>() {
            self.cells.differing(&other.cells, see);
        }
    }

    fn fork(&self) -> Box<dyn AnyColumn> {
        Box::new(Self {
            cells: self.cells.clone(),
            replaced: Vec::new(),
            index: self.index.as_ref().map(|index| index.fork()),
        })
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

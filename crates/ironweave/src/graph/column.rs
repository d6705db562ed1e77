//! Columns: one typed array per field, piece of state data or link data, with its index where there is one.
//!
//! The graph knows its columns by [`AnyColumn`]; generated code knows the type and downcasts.

use std::any::{Any, TypeId};
use std::borrow::Borrow;
use std::hash::Hash;
use std::ops::Bound;
use std::sync::Arc;

use crate::base::error::{Chain, Name, StepError};
use crate::base::hash::hash_bytes;
use crate::graph::cells::Cells;
use crate::graph::index::{self, Hashed, Index, Ordered, Unique};
use crate::graph::paged::{Paged, key_hash};
use crate::graph::storage::{Flat, Storage, Table};
use crate::value::{
    DecodeError, Equal, Value, decode, encode, encode_faithful, equal, is_plain, plain_bytes,
};

/// The type of a column, as code that makes an empty one in either storage, and its default value.
pub struct ColumnType {
    pub(crate) flat: Make,
    pub(crate) paged: Make,
    /// Of its values.
    #[cfg_attr(
        not(feature = "sqlite"),
        expect(dead_code, reason = "read by projections into SQLite")
    )]
    pub(crate) type_id: TypeId,
    pub(crate) default: Option<fn() -> Box<dyn Any>>,
    pub(crate) equal: Option<Equal>,
}

/// Makes an empty column, whose values are compared like this.
type Make = fn(Option<Equal>) -> Box<dyn AnyColumn>;

fn plain<T: Value, S: Storage>(equal: Option<Equal>) -> Box<dyn AnyColumn> {
    Box::new(Column::<T, S>::new(None, equal))
}

fn unique<T: Value + Hash + Eq, S: Storage>(equal: Option<Equal>) -> Box<dyn AnyColumn> {
    Box::new(Column::<T, S>::new(Some(S::unique()), equal))
}

fn indexed<T: Value, S: Storage>(equal: Option<Equal>) -> Box<dyn AnyColumn> {
    let index = Box::<index::Equal<S>>::default();
    Box::new(Column::<T, S>::new(Some(index), equal))
}

fn ordered<T: Value + Ord, S: Storage>(equal: Option<Equal>) -> Box<dyn AnyColumn> {
    let index = Box::<Ordered<T, S>>::default();
    Box::new(Column::<T, S>::new(Some(index), equal))
}

impl ColumnType {
    /// A column of `T`.
    #[must_use]
    pub fn of<T: Value>() -> Self {
        Self::made::<T>(plain::<T, Flat>, plain::<T, Paged>, None)
    }

    /// A column whose values are unique: the only key column of an entity type.
    #[must_use]
    pub(crate) fn unique<T: Value + Hash + Eq>() -> Self {
        let equal = Some(equal::<T> as Equal);
        Self::made::<T>(unique::<T, Flat>, unique::<T, Paged>, equal)
    }

    /// A column that is indexed by equal values.
    #[must_use]
    pub fn indexed<T: Value + Eq>() -> Self {
        let equal = Some(equal::<T> as Equal);
        Self::made::<T>(indexed::<T, Flat>, indexed::<T, Paged>, equal)
    }

    /// A column that is indexed by order.
    #[must_use]
    pub fn ordered<T: Value + Ord>() -> Self {
        let equal = Some(equal::<T> as Equal);
        Self::made::<T>(ordered::<T, Flat>, ordered::<T, Paged>, equal)
    }

    /// What a new entity has in this column where nothing is given: a value of the column's type.
    #[must_use]
    pub fn or(mut self, default: fn() -> Box<dyn Any>) -> Self {
        self.default = Some(default);
        self
    }

    /// How its values are compared with what is read back of them, beside what they serialize.
    #[must_use]
    pub fn compared(mut self, equal: Option<Equal>) -> Self {
        self.equal = equal;
        self
    }

    fn made<T: 'static>(flat: Make, paged: Make, equal: Option<Equal>) -> Self {
        Self {
            flat,
            paged,
            type_id: TypeId::of::<T>(),
            default: None,
            equal,
        }
    }
}

/// What a write replaced and what it wrote, by the hashes of the stored bytes.
#[derive(Default)]
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
    /// `Serialize` refused, or it would be read back as another.
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
            chain: Chain::default(),
        }
    }
}

/// A column without its type. Each change remembers what it replaced, in order, until `forget_replaced`.
pub trait AnyColumn: Send + Sync + 'static {
    /// Adds an empty cell.
    fn grow(&mut self);
    /// Removes the last cell, which is empty.
    fn shrink(&mut self);
    /// Whether a cell has a value.
    fn has(&self, slot: u32) -> bool;
    /// Writes a value of the column's type, and appends its encoding to `bytes`.
    fn set(&mut self, slot: u32, value: &dyn Any, bytes: &mut Vec<u8>) -> Result<(), ColumnError>;
    /// As `set`, and says for the fingerprint what it replaced.
    fn set_hashed(
        &mut self,
        slot: u32,
        value: &dyn Any,
        bytes: &mut Vec<u8>,
        written: &mut Written,
    ) -> Result<(), ColumnError>;
    /// Writes a value from its encoding.
    fn set_encoded(
        &mut self,
        slot: u32,
        bytes: &[u8],
        written: &mut Written,
    ) -> Result<(), ColumnError>;
    /// Empties a cell; the hash of what was there, right where it was to be `hashing`.
    fn clear(&mut self, slot: u32, hashing: bool) -> Option<u64>;
    /// Takes the last change back.
    fn undo(&mut self);
    /// Forgets what was replaced.
    fn forget_replaced(&mut self);
    /// Reads a cell, so that it is in the cache when it is written.
    fn fetch(&self, slot: u32);
    /// The hash of a cell, computed anew from its value; an error says what is wrong with the cell or its index.
    fn recheck(&self, slot: u32) -> Result<Option<u64>, String>;
    /// The value of a cell in CBOR.
    fn encoded(&self, slot: u32) -> Option<Vec<u8>>;
    /// The same, to be written to another cell; an error says why it would be read back as another. It came from a
    /// log that an earlier version wrote, which did not look.
    fn copied(&self, slot: u32) -> Result<Option<Vec<u8>>, String>;
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
    /// Whether user code has panicked while the index was being changed.
    fn is_broken(&self) -> bool;
    /// What each change replaced, in order: a `Vec<Replaced<T>>` of the column's type.
    fn replaced(&self) -> &dyn Any;
    /// Takes over from a column of the same type, whatever its storage, what each change replaced.
    fn copy_undo(&mut self, from: &dyn AnyColumn);
    /// Shows where it may differ from a column of the same type and storage.
    fn differing(&self, other: &dyn AnyColumn, see: &mut dyn FnMut(usize));
    /// A copy, with nothing to undo.
    fn fork(&self) -> Box<dyn AnyColumn>;
    /// As [`fork`](AnyColumn::fork), to be shared.
    fn share(&self) -> Arc<dyn AnyColumn>;
    /// The column with its type.
    fn as_any(&self) -> &dyn Any;
}

/// A slot, and the value and its hash that a change has replaced there.
type Replaced<T> = (u32, Option<T>, u64);

/// A column of `T`.
pub struct Column<T: Value, S: Storage> {
    cells: Cells<T, S>,
    /// What was there before, in order.
    replaced: Vec<Replaced<T>>,
    index: Option<Box<dyn Index<T>>>,
    /// The index is being changed, or user code has panicked when it was.
    changing: bool,
    /// How a value is compared with what is read back of it, beside what it serializes.
    equal: Option<Equal>,
}

impl<T: Value, S: Storage> Column<T, S> {
    fn new(index: Option<Box<dyn Index<T>>>, equal: Option<Equal>) -> Self {
        Self {
            cells: Cells::new(),
            replaced: Vec::new(),
            index,
            changing: false,
            equal,
        }
    }

    /// A copy, with nothing to undo.
    fn forked(&self) -> Self {
        Self {
            cells: self.cells.clone(),
            replaced: Vec::new(),
            index: self.index.as_ref().map(|index| index.fork()),
            changing: self.changing,
            equal: self.equal,
        }
    }

    fn index<I: 'static>(&self) -> Option<&I> {
        self.index.as_ref()?.as_any().downcast_ref()
    }

    /// The value at a slot.
    #[must_use]
    pub fn get(&self, slot: u32) -> Option<&T> {
        self.cells.get(slot)
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

    /// Writes a value, and its encoding behind the bytes.
    #[inline(always)]
    fn append(
        &mut self,
        slot: u32,
        value: &dyn Any,
        bytes: &mut Vec<u8>,
        written: Option<&mut Written>,
    ) -> Result<(), ColumnError> {
        // Generated code is type-checked against the column, so this is a bug of the caller, not of input.
        let value = value
            .downcast_ref::<T>()
            .expect("a value of the column's type");
        let start = bytes.len();
        encode_faithful(value, bytes, || self.equal)
            .map_err(|e| ColumnError::Unwritable(e.to_string()))?;
        self.write(slot, value.clone(), &bytes[start..], written)
            .inspect_err(|_| bytes.truncate(start))
    }

    /// Writes a value whose stored bytes are these.
    #[inline(always)]
    fn write(
        &mut self,
        slot: u32,
        value: T,
        bytes: &[u8],
        written: Option<&mut Written>,
    ) -> Result<(), ColumnError> {
        let index = self.index.as_ref();
        let holder = index.and_then(|index| index.holder(&value, &|slot| self.get(slot)));
        if let Some(holder) = holder {
            return Err(ColumnError::Duplicate(holder));
        }
        let new = if written.is_some() || !is_plain::<T>() {
            hash_bytes(bytes)
        } else {
            0
        };
        let (old, hash) = self.exchange(slot, Some(value), new);
        if let Some(written) = written {
            let old = old.as_ref().map(|old| hash_of(old, hash));
            *written = Written { old, new };
        }
        self.replaced.push((slot, old, hash));
        Ok(())
    }

    /// Puts a cell and its hash in place of another, in the index too.
    #[inline(always)]
    fn exchange(&mut self, slot: u32, new: Option<T>, hash: u64) -> (Option<T>, u64) {
        let (old, old_hash) = self.cells.exchange(slot, new, hash);
        if self.index.is_some() {
            self.reindex(slot, old.as_ref().map(|old| (old, old_hash)), hash);
        }
        (old, old_hash)
    }

    #[inline(never)]
    fn reindex(&mut self, slot: u32, old: Option<(&T, u64)>, hash: u64) {
        let Some(index) = &mut self.index else {
            return;
        };
        // The `Hash`, `Eq` and `Ord` of the value may panic.
        let whole = !std::mem::replace(&mut self.changing, true);
        if let Some((old, hash)) = old {
            index.remove(old, hash_of(old, hash), slot);
        }
        if let Some(new) = self.cells.get(slot) {
            index.insert(new, hash_of(new, hash), slot);
        }
        self.changing = !whole;
    }
}

/// The hash of a value: the one that is kept, or of a plain value computed.
fn hash_of<T: Value>(value: &T, kept: u64) -> u64 {
    match plain_bytes(value) {
        Some(word) => word.hash(),
        None => kept,
    }
}

impl<T: Value, S: Storage> AnyColumn for Column<T, S> {
    fn grow(&mut self) {
        self.cells.grow();
    }

    fn shrink(&mut self) {
        self.cells.shrink();
    }

    fn has(&self, slot: u32) -> bool {
        self.get(slot).is_some()
    }

    fn set(&mut self, slot: u32, value: &dyn Any, bytes: &mut Vec<u8>) -> Result<(), ColumnError> {
        self.append(slot, value, bytes, None)
    }

    fn set_hashed(
        &mut self,
        slot: u32,
        value: &dyn Any,
        bytes: &mut Vec<u8>,
        written: &mut Written,
    ) -> Result<(), ColumnError> {
        self.append(slot, value, bytes, Some(written))
    }

    fn set_encoded(
        &mut self,
        slot: u32,
        bytes: &[u8],
        written: &mut Written,
    ) -> Result<(), ColumnError> {
        let value = decode(bytes).map_err(ColumnError::Unreadable)?;
        self.write(slot, value, bytes, Some(written))
    }

    fn clear(&mut self, slot: u32, hashing: bool) -> Option<u64> {
        let (old, kept) = self.exchange(slot, None, 0);
        let hash = (old.as_ref()).map(|old| if hashing { hash_of(old, kept) } else { 0 });
        self.replaced.push((slot, old, kept));
        hash
    }

    fn undo(&mut self) {
        if let Some((slot, old, hash)) = self.replaced.pop() {
            self.exchange(slot, old, hash);
        }
    }

    fn forget_replaced(&mut self) {
        self.replaced.clear();
    }

    fn fetch(&self, slot: u32) {
        let at = slot as usize;
        match &self.cells {
            Cells::Plain { values, .. } => {
                if at < values.len() {
                    std::hint::black_box(values.at(at).clone());
                }
            }
            Cells::Hashed { values, hashes } => {
                std::hint::black_box((values.at(at).is_some(), *hashes.at(at)));
            }
        }
    }

    fn recheck(&self, slot: u32) -> Result<Option<u64>, String> {
        let Some(value) = self.get(slot) else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        encode(value, &mut bytes).map_err(|e| e.to_string())?;
        let hash = hash_bytes(&bytes);
        if self.hash(slot) != Some(hash) {
            return Err("its hash is not that of its value".to_owned());
        }
        match &self.index {
            Some(index) if !index.has(value, hash, slot) => {
                Err("it is not in its index".to_owned())
            }
            _ => Ok(Some(hash)),
        }
    }

    fn hash(&self, slot: u32) -> Option<u64> {
        self.get(slot)
            .map(|value| hash_of(value, self.cells.hash(slot)))
    }

    fn encoded(&self, slot: u32) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        encode(self.get(slot)?, &mut bytes).ok()?;
        Some(bytes)
    }

    fn copied(&self, slot: u32) -> Result<Option<Vec<u8>>, String> {
        let Some(value) = self.get(slot) else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        encode_faithful(value, &mut bytes, || self.equal).map_err(|e| e.to_string())?;
        Ok(Some(bytes))
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
            self.cells.grow();
            let value = from.value(slot).and_then(|value| value.downcast_ref());
            if let Some((value, hash)) = value.cloned().zip(from.hash(slot)) {
                self.exchange(slot, Some(value), hash);
            }
        }
    }

    fn is_broken(&self) -> bool {
        self.changing
    }

    fn replaced(&self) -> &dyn Any {
        &self.replaced
    }

    fn copy_undo(&mut self, from: &dyn AnyColumn) {
        if let Some(replaced) = from.replaced().downcast_ref::<Vec<Replaced<T>>>() {
            self.replaced.clone_from(replaced);
        }
    }

    fn differing(&self, other: &dyn AnyColumn, see: &mut dyn FnMut(usize)) {
        if let Some(other) = other.as_any().downcast_ref::<Self>() {
            self.cells.differing(&other.cells, see);
        }
    }

    fn fork(&self) -> Box<dyn AnyColumn> {
        Box::new(self.forked())
    }

    fn share(&self) -> Arc<dyn AnyColumn> {
        Arc::new(self.forked())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

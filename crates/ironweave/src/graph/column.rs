//! Columns: one array for each field, piece of state data and data of an edge, with its index if it has one.
//!
//! The graph knows its columns by [`AnyColumn`]; [`Column`] is a column of a type, to which generated code downcasts.

mod logged;
mod raw;
mod shared;
mod typed;

use std::any::{Any, TypeId};
use std::hash::Hash;
use std::ops::Bound;
use std::sync::Arc;

pub(crate) use logged::ColumnTypes;
pub use raw::FlatColumn;
pub use shared::SharedColumn;
pub use typed::Column;

use crate::base::error::{Chain, Name, StepError};
use crate::base::image::{ImageError, ImageSink, ImageSource};
use crate::graph::entry::{NewValue, OldValue};
use crate::graph::index::{self, Ordered, Slots};
use crate::graph::paged::Paged;
use crate::graph::storage::{Flat, Storage};
use crate::value::{DecodeError, Equal, Value, equal, is_plain, plain_form};

/// The type of a column, as functions that make an empty one in either storage and its default value.
pub struct ColumnType {
    pub(crate) flat: Make,
    pub(crate) paged: Make,
    /// Makes a column in which each entity has a value. Only for plain values that are not indexed.
    pub(crate) mandatory: Option<Mandatory>,
    /// The type of its values.
    pub(crate) type_id: TypeId,
    pub(crate) default: Option<fn() -> Box<dyn Any>>,
    pub(crate) equal: Option<Equal>,
}

/// Makes an empty column, whose values are compared with this function.
type Make = fn(Option<Equal>) -> Box<dyn AnyColumn>;

/// Makes an empty column of plain values in which each entity has a value, in either storage.
#[derive(Clone, Copy)]
pub(crate) struct Mandatory {
    pub flat: fn() -> Option<FlatColumn>,
    pub paged: fn() -> SharedColumn,
    /// The hash of the value that an entity has until one is set.
    pub default_hash: fn() -> u64,
}

impl Mandatory {
    fn of<T: Value>() -> Option<Self> {
        is_plain::<T>().then_some(Self {
            flat: FlatColumn::raw::<T>,
            paged: SharedColumn::mandatory::<T>,
            default_hash: || plain_form::<T>().map_or(0, |form| form.cbor(0).hash()),
        })
    }
}

fn unindexed<T: Value, S: Storage>(equal: Option<Equal>) -> Box<dyn AnyColumn> {
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
        Self {
            mandatory: Mandatory::of::<T>(),
            ..Self::made::<T>(unindexed::<T, Flat>, unindexed::<T, Paged>, None)
        }
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

    /// Sets the default, which a new entity has in this column if none is given: a value of the column's type.
    #[must_use]
    pub fn or(mut self, default: fn() -> Box<dyn Any>) -> Self {
        self.default = Some(default);
        self
    }

    /// Returns the default in CBOR, if the column has one.
    ///
    /// # Errors
    /// Why the default cannot be written, or would be read back as another value.
    #[must_use]
    pub fn encoded_default(&self) -> Option<Result<Vec<u8>, ColumnError>> {
        let value = self.default?();
        let mut column = (self.flat)(self.equal);
        column.grow();
        let encoded = match column.set(0, &*value, &mut Vec::new()) {
            Ok(_) => Ok(column.encoded(0)?),
            Err(e) => Err(e),
        };
        Some(encoded)
    }

    /// Sets how a value is compared with what is read back of it, in addition to what it serializes.
    #[must_use]
    pub fn compared(mut self, equal: Option<Equal>) -> Self {
        self.equal = equal;
        self
    }

    fn made<T: 'static>(flat: Make, paged: Make, equal: Option<Equal>) -> Self {
        Self {
            flat,
            paged,
            mandatory: None,
            type_id: TypeId::of::<T>(),
            default: None,
            equal,
        }
    }
}

/// What a write wrote and what it replaced.
#[derive(Clone, Copy)]
pub struct Written {
    /// The value that the cell has now.
    pub new: NewValue,
    /// The value that it had, if it had one.
    pub old: Option<OldValue>,
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
    /// The error of a step that was to write the value to `what`.
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

/// A column without its type. If its values are not plain, it keeps what each change replaced, in order, until
/// `forget_replaced`.
pub trait AnyColumn: Any + Send + Sync {
    /// Adds an empty cell.
    fn grow(&mut self);
    /// Adds so many cells to a column that has none, as [`grow`](AnyColumn::grow) does.
    fn make_room(&mut self, cells: u32) {
        (0..cells).for_each(|_| self.grow());
    }
    /// Removes the last cell, which is empty.
    fn shrink(&mut self);
    /// Whether each cell always has a value: the default of the type until another is set.
    fn is_mandatory(&self) -> bool {
        false
    }
    /// Whether a cell has a value.
    fn has(&self, slot: u32) -> bool;
    /// Writes a value of the column's type. If it is not plain, its encoding is appended to `bytes`.
    fn set(
        &mut self,
        slot: u32,
        value: &dyn Any,
        bytes: &mut Vec<u8>,
    ) -> Result<Written, ColumnError>;
    /// Writes a value from its encoding, which is appended to `bytes` if the value is not plain.
    fn set_encoded(
        &mut self,
        slot: u32,
        encoded: &[u8],
        bytes: &mut Vec<u8>,
    ) -> Result<Written, ColumnError>;
    /// Empties a cell and returns its value, if it had one.
    fn clear(&mut self, slot: u32) -> Option<OldValue>;
    /// Undoes the last change of a value that is not plain.
    fn undo(&mut self);
    /// Undoes a change of a plain value: the cell has a word again, or no value.
    fn put_back(&mut self, slot: u32, word: Option<u64>);
    /// Forgets what was replaced.
    fn forget_replaced(&mut self);
    /// The hash of a cell, computed from its value; an error says what is wrong with the cell or its index.
    fn recheck(&self, slot: u32) -> Result<Option<u64>, String>;
    /// The encoding of the value that the column reads from an encoding, which may be of another type that serializes alike.
    fn recoded(&self, encoded: &[u8]) -> Result<Vec<u8>, ColumnError>;
    /// The value of a cell in CBOR.
    fn encoded(&self, slot: u32) -> Option<Vec<u8>>;
    /// The same, to be written to another cell. An error says why it would be read back as another value: earlier versions
    /// wrote logs without checking that.
    fn copied(&self, slot: u32) -> Result<Option<Vec<u8>>, String>;
    /// The hash of a cell.
    fn hash(&self, slot: u32) -> Option<u64>;
    /// How many entries the index has, if there is one.
    fn indexed(&self) -> Option<usize>;
    /// The value of a cell.
    fn value(&self, slot: u32) -> Option<&dyn Any>;
    /// In a column that is indexed by equality, the slots whose values may equal one with this hash, in order.
    fn equal(&self, hash: u64) -> Slots<'_>;
    /// In a column that is indexed by order, the slots whose values are in a range, by value and then by slot. The bounds
    /// are of the column's type.
    fn range(&self, range: (Bound<&dyn Any>, Bound<&dyn Any>)) -> Slots<'_>;
    /// Whether a value is of the column's type.
    fn is_of_type(&self, value: &dyn Any) -> bool;
    /// The hash of the stored form of a value of the column's type; `None` if it cannot be stored, or is of another type.
    fn hash_of(&self, value: &dyn Any) -> Option<u64>;
    /// Whether two values of the column's type are equal if and only if they are stored alike.
    fn is_equal_as_stored(&self) -> bool;
    /// In an indexed column, the slots whose values equal one, in order, and in an index by equality perhaps a few others. `None`
    /// if the column has no index, or if the value is of another type.
    fn equal_to(&self, value: &dyn Any) -> Option<Slots<'_>>;
    /// In a column of unique values, the slot whose value has this encoding; O(1).
    fn holder(&self, encoded: &[u8]) -> Option<u32>;
    /// How many cells there are.
    fn len(&self) -> usize;
    /// Copies all cells of a column of the same type in any storage.
    fn copy(&mut self, from: &dyn AnyColumn);
    /// Whether user code has panicked while the index was being changed.
    fn is_broken(&self) -> bool;
    /// What each change replaced that is not plain, in order: a `Vec<Replaced<T>>` of the column's type.
    fn replaced(&self) -> &dyn Any;
    /// Copies what each change replaced from a column of the same type in any storage.
    fn copy_undo(&mut self, from: &dyn AnyColumn);
    /// Calls `see` with the cells that may differ from those of a column of the same type and storage.
    fn differing(&self, other: &dyn AnyColumn, see: &mut dyn FnMut(usize));
    /// Writes the values of these cells, each of which has one, to an image.
    fn write_cells(
        &self,
        slots: &mut dyn Iterator<Item = u32>,
        to: &mut dyn ImageSink,
    ) -> Result<(), ImageError>;
    /// Reads the values of these cells, which have none, from an image. Calls `see` with each cell and the hash of its value.
    fn read_cells(
        &mut self,
        slots: &mut dyn Iterator<Item = u32>,
        from: &mut dyn ImageSource,
        see: &mut dyn FnMut(u32, u64),
    ) -> Result<(), ImageError>;
    /// A copy, with nothing to undo.
    fn fork(&self) -> Box<dyn AnyColumn>;
    /// As [`fork`](AnyColumn::fork), to be shared.
    fn share(&self) -> Arc<dyn AnyColumn>;
}

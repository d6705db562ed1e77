//! A column of one type: its cells, its index, and what its changes have replaced.

use std::any::Any;
use std::borrow::Borrow;
use std::hash::Hash;
use std::ops::Bound;
use std::sync::Arc;

use crate::base::hash::hash_bytes;
use crate::base::image::{ImageError, ImageSink, ImageSource};
use crate::graph::cells::Cells;
use crate::graph::column::{AnyColumn, ColumnError, Written};
use crate::graph::entry::{NewValue, OldValue};
use crate::graph::image::cells::CellForm;
use crate::graph::index::{Hashed, Index, Positions, Slots, Unique};
use crate::graph::paged::key_hash;
use crate::graph::storage::Storage;
use crate::value::{
    Equal, Value, decode_value, encode_faithful, encode_value, is_equal_as_stored, is_plain,
    plain_bytes, plain_form, plain_value, plain_word,
};

/// A slot, with the value that a change replaced there and its hash. The value is not plain.
type Replaced<T> = (u32, Option<T>, u64);

/// A column of `T`.
pub struct Column<T: Value, S: Storage> {
    cells: Cells<T, S>,
    /// What changes replaced, in order, if values are not plain.
    replaced: Vec<Replaced<T>>,
    index: Option<Box<dyn Index<T>>>,
    /// Whether the index is being changed, or user code panicked while it was.
    changing: bool,
    /// How a value is compared with what is read back of it, in addition to what it serializes.
    equal: Option<Equal>,
}

impl<T: Value, S: Storage> Column<T, S> {
    pub(super) fn new(index: Option<Box<dyn Index<T>>>, equal: Option<Equal>) -> Self {
        Self {
            cells: Cells::new(),
            replaced: Vec::new(),
            index,
            changing: false,
            equal,
        }
    }

    /// A column of plain values in which each cell has a value.
    pub(super) fn mandatory() -> Self {
        Self {
            cells: Cells::mandatory(),
            ..Self::new(None, None)
        }
    }

    /// A copy, with nothing to undo.
    pub(super) fn forked(&self) -> Self {
        Self {
            cells: self.cells.clone(),
            replaced: Vec::new(),
            index: self.index.as_ref().map(|index| index.fork()),
            changing: self.changing,
            equal: self.equal,
        }
    }

    fn index<I: 'static>(&self) -> Option<&I> {
        (&**self.index.as_ref()? as &dyn Any).downcast_ref()
    }

    /// The value at a slot.
    #[must_use]
    #[inline]
    pub fn get(&self, slot: u32) -> Option<&T> {
        self.cells.get(slot)
    }

    /// The slots between two positions of an index by order, in its order; none if the column has no such index.
    #[must_use]
    pub fn between(&self, range: Positions<T>) -> Slots<'_> {
        match &self.index {
            Some(index) => index.between(range),
            None => Box::new(std::iter::empty()),
        }
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

    /// Writes a value. If it is not plain, its encoding is the end of `bytes` from `at` on, and is removed on an error.
    #[inline(always)]
    fn write(
        &mut self,
        slot: u32,
        value: T,
        bytes: &mut Vec<u8>,
        at: usize,
    ) -> Result<Written, ColumnError> {
        if let Some(index) = &self.index
            && let Some(holder) = index.holder(&value, &|slot| self.get(slot))
        {
            bytes.truncate(at);
            return Err(ColumnError::Duplicate(holder));
        }
        if let Some((form, word)) = plain_form::<T>().zip(plain_word(&value)) {
            let (old, _) = self.exchange(slot, Some(value), 0);
            let old = old.and_then(|old| plain_word(&old));
            return Ok(Written {
                new: NewValue::Plain(form, word),
                old: old.map(|old| OldValue::Plain(form, old)),
            });
        }
        let hash = hash_bytes(&bytes[at..]);
        let (old, old_hash) = self.exchange(slot, Some(value), hash);
        let written = Written {
            // The caller checks that all positions fit.
            new: NewValue::Encoded {
                at: at as u32,
                len: (bytes.len() - at) as u32,
            },
            old: old.is_some().then_some(OldValue::Hashed(old_hash)),
        };
        self.replaced.push((slot, old, old_hash));
        Ok(written)
    }

    /// Replaces a value and its hash, in the index too, and returns the old ones.
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

/// The hash of the stored form of a value; `None` if it cannot be stored.
fn stored_hash<T: Value>(value: &T) -> Option<u64> {
    let mut bytes = Vec::new();
    encode_value(value, &mut bytes).ok()?;
    Some(hash_bytes(&bytes))
}

/// The hash of a value: the one that is kept, or for a plain value one that is computed.
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

    fn make_room(&mut self, cells: u32) {
        self.cells.make_room(cells);
    }

    fn shrink(&mut self) {
        self.cells.shrink();
    }

    fn is_mandatory(&self) -> bool {
        matches!(self.cells, Cells::Mandatory { .. })
    }

    fn has(&self, slot: u32) -> bool {
        self.get(slot).is_some()
    }

    fn set(
        &mut self,
        slot: u32,
        value: &dyn Any,
        bytes: &mut Vec<u8>,
    ) -> Result<Written, ColumnError> {
        // Generated code is type-checked against the column: another type is a bug of the caller, never input.
        let value = value
            .downcast_ref::<T>()
            .expect("a value of the column's type");
        let at = bytes.len();
        if !is_plain::<T>() {
            encode_faithful(value, bytes, || self.equal)
                .map_err(|e| ColumnError::Unwritable(e.to_string()))?;
        }
        self.write(slot, value.clone(), bytes, at)
    }

    fn set_encoded(
        &mut self,
        slot: u32,
        encoded: &[u8],
        bytes: &mut Vec<u8>,
    ) -> Result<Written, ColumnError> {
        let value = decode_value(encoded).map_err(ColumnError::Unreadable)?;
        let at = bytes.len();
        if !is_plain::<T>() {
            bytes.extend_from_slice(encoded);
        }
        self.write(slot, value, bytes, at)
    }

    fn clear(&mut self, slot: u32) -> Option<OldValue> {
        // An empty cell stays as it is, so that no page is copied for it.
        self.get(slot)?;
        let (old, hash) = self.exchange(slot, None, 0);
        if let Some(form) = plain_form::<T>() {
            let word = old.and_then(|old| plain_word(&old))?;
            return Some(OldValue::Plain(form, word));
        }
        self.replaced.push((slot, old, hash));
        Some(OldValue::Hashed(hash))
    }

    fn undo(&mut self) {
        if let Some((slot, old, hash)) = self.replaced.pop() {
            self.exchange(slot, old, hash);
        }
    }

    fn put_back(&mut self, slot: u32, word: Option<u64>) {
        self.exchange(slot, word.and_then(plain_value), 0);
    }

    fn forget_replaced(&mut self) {
        self.replaced.clear();
    }

    fn recheck(&self, slot: u32) -> Result<Option<u64>, String> {
        let Some(value) = self.get(slot) else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        encode_value(value, &mut bytes).map_err(|e| e.to_string())?;
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

    fn recoded(&self, encoded: &[u8]) -> Result<Vec<u8>, ColumnError> {
        let value: T = decode_value(encoded).map_err(ColumnError::Unreadable)?;
        let mut bytes = Vec::new();
        encode_faithful(&value, &mut bytes, || self.equal)
            .map_err(|e| ColumnError::Unwritable(e.to_string()))?;
        Ok(bytes)
    }

    fn encoded(&self, slot: u32) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        encode_value(self.get(slot)?, &mut bytes).ok()?;
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

    fn equal(&self, hash: u64) -> Slots<'_> {
        match &self.index {
            Some(index) => index.equal(hash),
            None => Box::new(std::iter::empty()),
        }
    }

    fn range(&self, (from, to): (Bound<&dyn Any>, Bound<&dyn Any>)) -> Slots<'_> {
        // As in `append`, another type is a bug of the caller.
        let typed = |bound: Bound<&'_ dyn Any>| -> Bound<T> {
            bound.map(|value| {
                let value = value.downcast_ref::<T>();
                value.expect("a bound of the column's type").clone()
            })
        };
        match &self.index {
            Some(index) => index.range((typed(from), typed(to))),
            None => Box::new(std::iter::empty()),
        }
    }

    fn is_of_type(&self, value: &dyn Any) -> bool {
        value.is::<T>()
    }

    fn hash_of(&self, value: &dyn Any) -> Option<u64> {
        stored_hash(value.downcast_ref::<T>()?)
    }

    fn is_equal_as_stored(&self) -> bool {
        is_equal_as_stored::<T>()
    }

    fn equal_to(&self, value: &dyn Any) -> Option<Slots<'_>> {
        let (index, value) = (self.index.as_ref()?, value.downcast_ref::<T>()?);
        if let Some(slot) = index.holder(value, &|slot| self.get(slot)) {
            return Some(Box::new(std::iter::once(slot)));
        }
        let hash = stored_hash(value)?;
        // An index has one of the two.
        let equal = index.equal(hash);
        let range = (
            Bound::Included(value.clone()),
            Bound::Included(value.clone()),
        );
        Some(Box::new(equal.chain(index.range(range))))
    }

    fn holder(&self, encoded: &[u8]) -> Option<u32> {
        let value = decode_value(encoded).ok()?;
        self.index.as_ref()?.holder(&value, &|slot| self.get(slot))
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
        if let Some(other) = (other as &dyn Any).downcast_ref::<Self>() {
            self.cells.differing(&other.cells, see);
        }
    }

    fn write_cells(
        &self,
        slots: &mut dyn Iterator<Item = u32>,
        to: &mut dyn ImageSink,
    ) -> Result<(), ImageError> {
        let form = CellForm::of::<T>();
        form.write(to)?;
        let mut buffer = Vec::new();
        for slot in slots {
            let Some(value) = self.get(slot) else {
                return Err(ImageError::content(format_args!(
                    "slot {slot} has no value"
                )));
            };
            form.write_value(value, self.cells.hash(slot), &mut buffer, to)?;
        }
        Ok(())
    }

    fn read_cells(
        &mut self,
        slots: &mut dyn Iterator<Item = u32>,
        from: &mut dyn ImageSource,
        see: &mut dyn FnMut(u32, u64),
    ) -> Result<(), ImageError> {
        let form = CellForm::read(from)?;
        if let Some(index) = &mut self.index {
            // There are at most as many as the type has slots, which the image has given.
            index.reserve(slots.size_hint().1.unwrap_or(0));
        }
        for slot in slots {
            let (value, hash) = form.read_value(from)?;
            self.cells.exchange(slot, Some(value), hash);
            if let Some((index, value)) = self.index.as_mut().zip(self.cells.get(slot)) {
                // The `Hash`, `Eq` and `Ord` of the value may panic, and then nothing uses the column.
                let cells = &self.cells;
                let holder = index.insert_new(value, hash, slot, &|slot| cells.get(slot));
                if let Some(holder) = holder {
                    let what = format_args!("slots {holder} and {slot} have the same key");
                    return Err(ImageError::content(what));
                }
            }
            see(slot, hash);
        }
        Ok(())
    }

    fn fork(&self) -> Box<dyn AnyColumn> {
        Box::new(self.forked())
    }

    fn share(&self) -> Arc<dyn AnyColumn> {
        Arc::new(self.forked())
    }
}

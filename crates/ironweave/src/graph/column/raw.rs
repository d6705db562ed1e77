//! Columns of plain values that every entity has, in the live store: an array of values and nothing else.
//!
//! A field always has a value, so that no bit says whether it is present: from its creation until it is set, and after its
//! deletion, an entity has the default of the type in it, which is the word 0. Where the type of the values is known,
//! [`FlatColumn::values`] gives the array without `dyn`.

use std::any::{Any, TypeId};
use std::ops::{Bound, Deref, DerefMut};
use std::sync::Arc;

use crate::base::image::{ImageError, ImageSink, ImageSource};
use crate::graph::column::{AnyColumn, ColumnError, Written};
use crate::graph::entry::{NewValue, OldValue};
use crate::graph::image::cells::CellForm;
use crate::graph::index::Slots;
use crate::graph::storage::{Table as _, touched};
use crate::value::{
    PlainForm, Value, decode, is_equal_as_stored, plain_bytes, plain_form, plain_value, plain_word,
};

/// An array of plain values.
#[derive(Clone)]
pub struct RawColumn<T> {
    values: Vec<T>,
}

impl<T: Value + Default> RawColumn<T> {
    const FORM: fn() -> PlainForm = || plain_form::<T>().unwrap_or(PlainForm::Unsigned);

    /// Replaces a value.
    #[inline]
    fn replace(&mut self, slot: u32, value: T) -> OldValue {
        touched(1);
        let old = std::mem::replace(&mut self.values[slot as usize], value);
        OldValue::Plain(Self::FORM(), plain_word(&old).unwrap_or_default())
    }

    /// Writes a value.
    #[inline]
    fn write(&mut self, slot: u32, value: T) -> Written {
        let word = plain_word(&value).unwrap_or_default();
        Written {
            new: NewValue::Plain(Self::FORM(), word),
            old: Some(self.replace(slot, value)),
        }
    }
}

impl<T: Value + Default> AnyColumn for RawColumn<T> {
    fn grow(&mut self) {
        touched(1);
        self.values.push(T::default());
    }

    fn make_room(&mut self, cells: u32) {
        self.values.fill(cells as usize, T::default());
    }

    fn shrink(&mut self) {
        touched(1);
        self.values.pop();
    }

    fn is_mandatory(&self) -> bool {
        true
    }

    fn has(&self, slot: u32) -> bool {
        (slot as usize) < self.values.len()
    }

    fn set(&mut self, slot: u32, value: &dyn Any, _: &mut Vec<u8>) -> Result<Written, ColumnError> {
        // Generated code is type-checked against the column: another type is a bug of the caller, never input.
        let value = value
            .downcast_ref::<T>()
            .expect("a value of the column's type");
        Ok(self.write(slot, value.clone()))
    }

    fn set_encoded(
        &mut self,
        slot: u32,
        encoded: &[u8],
        _: &mut Vec<u8>,
    ) -> Result<Written, ColumnError> {
        let value = decode(encoded).map_err(ColumnError::Unreadable)?;
        Ok(self.write(slot, value))
    }

    fn clear(&mut self, slot: u32) -> Option<OldValue> {
        Some(self.replace(slot, T::default()))
    }

    /// Plain values are undone from their journal entries, so the column keeps no stack of replaced values.
    fn undo(&mut self) {}

    fn put_back(&mut self, slot: u32, word: Option<u64>) {
        self.replace(slot, word.and_then(plain_value).unwrap_or_default());
    }

    fn forget_replaced(&mut self) {}

    fn recheck(&self, slot: u32) -> Result<Option<u64>, String> {
        Ok(self.hash(slot))
    }

    fn recoded(&self, encoded: &[u8]) -> Result<Vec<u8>, ColumnError> {
        let value: T = decode(encoded).map_err(ColumnError::Unreadable)?;
        let mut bytes = Vec::new();
        if let Some(word) = plain_bytes(&value) {
            word.write(&mut bytes);
        }
        Ok(bytes)
    }

    fn encoded(&self, slot: u32) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        plain_bytes(self.values.get(slot as usize)?)?.write(&mut bytes);
        Some(bytes)
    }

    fn copied(&self, slot: u32) -> Result<Option<Vec<u8>>, String> {
        Ok(self.encoded(slot))
    }

    fn hash(&self, slot: u32) -> Option<u64> {
        Some(plain_bytes(self.values.get(slot as usize)?)?.hash())
    }

    fn indexed(&self) -> Option<usize> {
        None
    }

    fn value(&self, slot: u32) -> Option<&dyn Any> {
        touched(1);
        self.values
            .get(slot as usize)
            .map(|value| value as &dyn Any)
    }

    fn equal(&self, _: u64) -> Slots<'_> {
        Box::new(std::iter::empty())
    }

    fn range(&self, _: (Bound<&dyn Any>, Bound<&dyn Any>)) -> Slots<'_> {
        Box::new(std::iter::empty())
    }

    fn is_of_type(&self, value: &dyn Any) -> bool {
        value.is::<T>()
    }

    fn hash_of(&self, value: &dyn Any) -> Option<u64> {
        Some(plain_bytes(value.downcast_ref::<T>()?)?.hash())
    }

    fn is_equal_as_stored(&self) -> bool {
        is_equal_as_stored::<T>()
    }

    fn equal_to(&self, _: &dyn Any) -> Option<Slots<'_>> {
        None
    }

    fn holder(&self, _: &[u8]) -> Option<u32> {
        None
    }

    fn len(&self) -> usize {
        self.values.len()
    }

    fn copy(&mut self, from: &dyn AnyColumn) {
        let values = (0..from.len() as u32).map(|slot| {
            let value = from.value(slot).and_then(|value| value.downcast_ref());
            value.cloned().unwrap_or_default()
        });
        self.values = values.collect();
    }

    fn is_broken(&self) -> bool {
        false
    }

    fn replaced(&self) -> &dyn Any {
        &()
    }

    fn copy_undo(&mut self, _: &dyn AnyColumn) {}

    fn differing(&self, other: &dyn AnyColumn, see: &mut dyn FnMut(usize)) {
        (0..self.len().max(other.len())).for_each(see);
    }

    fn write_cells(
        &self,
        slots: &mut dyn Iterator<Item = u32>,
        to: &mut dyn ImageSink,
    ) -> Result<(), ImageError> {
        let form = CellForm::of::<T>();
        form.write(to)?;
        for slot in slots {
            form.write_value(&self.values[slot as usize], 0, &mut Vec::new(), to)?;
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
        for slot in slots {
            let (value, hash) = form.read_value(from)?;
            self.values[slot as usize] = value;
            see(slot, hash);
        }
        Ok(())
    }

    fn fork(&self) -> Box<dyn AnyColumn> {
        Box::new(self.clone())
    }

    fn share(&self) -> Arc<dyn AnyColumn> {
        Arc::new(self.clone())
    }
}

/// Calls a macro with the types of plain values that columns keep without `dyn`, each with the name of its variant.
macro_rules! each_plain_type {
    ($then:ident) => {
        $then! {
            U64: u64,
            Usize: usize,
            U32: u32,
            U16: u16,
            U8: u8,
            I64: i64,
            Isize: isize,
            I32: i32,
            I16: i16,
            I8: i8,
            Bool: bool,
            Time: $crate::base::time::Timestamp,
        }
    };
}

pub(super) use each_plain_type;

macro_rules! flat_column {
    ($($variant:ident: $ty:ty,)*) => {
        /// A column of the live store.
        #[derive(Clone)]
        pub enum FlatColumn {
            $(
                /// An array of plain values.
                $variant(RawColumn<$ty>),
            )*
            /// Any other column.
            Typed(Box<dyn AnyColumn>),
        }

        impl FlatColumn {
            /// An empty array of values of a plain type; `None` for another type.
            pub(super) fn raw<T: 'static>() -> Option<Self> {
                let ty = TypeId::of::<T>();
                $(if ty == TypeId::of::<$ty>() {
                    return Some(Self::$variant(RawColumn { values: Vec::new() }));
                })*
                None
            }

            // For a given `T`, the compiler evaluates the comparisons of types, so that one comparison of variants is left.

            /// The values, if they are in an array of this type.
            #[inline(always)]
            pub(in crate::graph) fn values<T: 'static>(&self) -> Option<&Vec<T>> {
                let ty = TypeId::of::<T>();
                $(if ty == TypeId::of::<$ty>() {
                    return match self {
                        Self::$variant(RawColumn { values }) => (values as &dyn Any).downcast_ref(),
                        _ => None,
                    };
                })*
                None
            }

            /// The values, to change them, if they are in an array of this type.
            #[inline(always)]
            pub(in crate::graph) fn values_mut<T: 'static>(&mut self) -> Option<&mut Vec<T>> {
                let ty = TypeId::of::<T>();
                $(if ty == TypeId::of::<$ty>() {
                    return match self {
                        Self::$variant(RawColumn { values }) => (values as &mut dyn Any).downcast_mut(),
                        _ => None,
                    };
                })*
                None
            }

            /// As [`AnyColumn::put_back`], if the values are in an array. Returns whether they are.
            #[inline(always)]
            pub(in crate::graph) fn put_back_raw(&mut self, slot: u32, word: u64) -> bool {
                match self {
                    $(Self::$variant(column) => column.put_back(slot, Some(word)),)*
                    Self::Typed(_) => return false,
                }
                true
            }

            /// See [`AnyColumn::put_back`].
            #[inline]
            pub(in crate::graph) fn put_back(&mut self, slot: u32, word: Option<u64>) {
                match self {
                    $(Self::$variant(column) => column.put_back(slot, word),)*
                    Self::Typed(column) => column.put_back(slot, word),
                }
            }
        }

        impl Deref for FlatColumn {
            type Target = dyn AnyColumn;

            #[inline]
            fn deref(&self) -> &Self::Target {
                match self {
                    $(Self::$variant(column) => column,)*
                    Self::Typed(column) => &**column,
                }
            }
        }

        impl DerefMut for FlatColumn {
            #[inline]
            fn deref_mut(&mut self) -> &mut Self::Target {
                match self {
                    $(Self::$variant(column) => column,)*
                    Self::Typed(column) => &mut **column,
                }
            }
        }

        #[cfg(test)]
        mod tests {
            use super::*;
            use crate::graph::column::ColumnType;
            use crate::graph::storage::{Flat, Storage as _};

            #[test]
            fn each_plain_type_has_its_array_and_the_word_0_is_its_default() {
                $(
                    let mut column = Flat::column(&ColumnType::of::<$ty>(), true);
                    assert!(matches!(column, FlatColumn::$variant(_)));
                    column.grow();
                    assert_eq!(column.values::<$ty>(), Some(&vec![<$ty>::default()]));
                    assert_eq!(plain_word(&<$ty>::default()), Some(0));
                    let one: $ty = plain_value(1).expect("a value");
                    let written = column.set(0, &one, &mut Vec::new()).ok().expect("set");
                    assert!(matches!(written.new, NewValue::Plain(_, 1)));
                    assert!(matches!(written.old, Some(OldValue::Plain(_, 0))));
                    column.put_back(0, written.old.and_then(OldValue::plain));
                    assert_eq!(column.values::<$ty>(), Some(&vec![<$ty>::default()]));
                )*
                let text = Flat::column(&ColumnType::of::<String>(), true);
                assert!(matches!(text, FlatColumn::Typed(_)) && text.values::<u64>().is_none());
            }
        }
    };
}

each_plain_type!(flat_column);

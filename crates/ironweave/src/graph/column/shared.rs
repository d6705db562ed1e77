//! Columns of snapshots, which clones share until one of them changes the column.
//!
//! A column of plain values that every entity has is a variant with its type, so that a read calls no function through a table.

use std::any::{Any, TypeId};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use crate::graph::column::raw::each_plain_type;
use crate::graph::column::{AnyColumn, Column};
use crate::graph::paged::Paged;
use crate::value::Value;

/// A column of plain values to change, which is copied first if it is shared.
fn own<T: Value>(column: &mut Arc<Column<T, Paged>>) -> &mut dyn AnyColumn {
    if Arc::get_mut(column).is_none() {
        *column = Arc::new(column.forked());
    }
    Arc::get_mut(column).expect("the new one is not shared")
}

macro_rules! shared_column {
    ($($variant:ident: $ty:ty,)*) => {
        /// A column that clones share until one of them changes it.
        #[derive(Clone)]
        pub enum SharedColumn {
            $(
                /// Plain values, one in each cell.
                $variant(Arc<Column<$ty, Paged>>),
            )*
            /// Any other column.
            Typed(Arc<dyn AnyColumn>),
        }

        impl SharedColumn {
            /// An empty column of plain values, each cell of which has a value.
            pub(super) fn mandatory<T: Value>() -> Self {
                let ty = TypeId::of::<T>();
                $(if ty == TypeId::of::<$ty>() {
                    return Self::$variant(Arc::new(Column::mandatory()));
                })*
                Self::Typed(Arc::new(Column::<T, Paged>::mandatory()))
            }

            /// The value of a cell, if the column has a variant for values of this type.
            // For a given `T`, the compiler evaluates the comparisons of types, so that one comparison of variants is left.
            #[allow(clippy::option_option)]
            #[inline(always)]
            pub(in crate::graph) fn cell<T: 'static>(&self, slot: u32) -> Option<Option<&T>> {
                let ty = TypeId::of::<T>();
                $(if ty == TypeId::of::<$ty>() {
                    return match self {
                        Self::$variant(column) => Some(column.get(slot).and_then(|value| {
                            (value as &dyn Any).downcast_ref()
                        })),
                        _ => None,
                    };
                })*
                None
            }
        }

        impl Deref for SharedColumn {
            type Target = dyn AnyColumn;

            #[inline]
            fn deref(&self) -> &Self::Target {
                match self {
                    $(Self::$variant(column) => &**column,)*
                    Self::Typed(column) => &**column,
                }
            }
        }

        impl DerefMut for SharedColumn {
            fn deref_mut(&mut self) -> &mut Self::Target {
                match self {
                    $(Self::$variant(column) => own(column),)*
                    Self::Typed(column) => {
                        if Arc::get_mut(column).is_none() {
                            *column = column.share();
                        }
                        Arc::get_mut(column).expect("the new one is not shared")
                    }
                }
            }
        }
    };
}

each_plain_type!(shared_column);

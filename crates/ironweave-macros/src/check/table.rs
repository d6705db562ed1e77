//! Lists with typed indexes.

use std::marker::PhantomData;
use std::ops::{Index, IndexMut};

use ironweave_schema::{ColumnIx, EdgeIx, EntityIx, EventIx, FieldIx, FunctionIx, NameIx, StateIx};

/// An index into a schema.
pub trait Ix: Copy + Into<usize> {
    /// The index of a position. A position beyond the maximum gives the last index; too many items are reported elsewhere.
    fn at(position: usize) -> Self;
}

macro_rules! indexes {
    ($($name:ident)*) => {$(
        impl Ix for $name {
            fn at(position: usize) -> Self {
                Self::try_from(position).unwrap_or(Self::MAX)
            }
        }
    )*};
}

indexes! { EntityIx StateIx ColumnIx EdgeIx EventIx FieldIx NameIx FunctionIx }

/// A side table for a list of the schema, in the same order.
pub struct Table<I, T> {
    items: Vec<T>,
    ix: PhantomData<I>,
}

impl<I, T> Default for Table<I, T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            ix: PhantomData,
        }
    }
}

impl<I: Ix, T> Table<I, T> {
    /// Appends an item, and returns its index.
    pub fn push(&mut self, item: T) -> I {
        self.items.push(item);
        I::at(self.items.len() - 1)
    }

    /// The number of items.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Returns whether there are no items.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The items, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, T> {
        self.items.iter()
    }

    /// The items with their indexes.
    pub fn entries(&self) -> impl Iterator<Item = (I, &T)> {
        (self.items.iter().enumerate()).map(|(at, item)| (I::at(at), item))
    }

    /// The indexes, in order.
    pub fn indexes(&self) -> impl Iterator<Item = I> + use<I, T> {
        (0..self.items.len()).map(I::at)
    }

    /// The index of the first item that satisfies a condition.
    pub fn position(&self, is: impl FnMut(&T) -> bool) -> Option<I> {
        self.items.iter().position(is).map(I::at)
    }
}

impl<I, T> From<Vec<T>> for Table<I, T> {
    fn from(items: Vec<T>) -> Self {
        Self {
            items,
            ix: PhantomData,
        }
    }
}

impl<'t, I: Ix, T> IntoIterator for &'t Table<I, T> {
    type Item = &'t T;
    type IntoIter = std::slice::Iter<'t, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<I: Ix, T> Index<I> for Table<I, T> {
    type Output = T;

    fn index(&self, ix: I) -> &T {
        &self.items[ix.into()]
    }
}

impl<I: Ix, T> IndexMut<I> for Table<I, T> {
    fn index_mut(&mut self, ix: I) -> &mut T {
        &mut self.items[ix.into()]
    }
}

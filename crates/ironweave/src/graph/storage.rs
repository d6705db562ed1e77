//! What tables are made of. All logic of the graph is written once, over [`Storage`].

use crate::graph::column::{AnyColumn, ColumnType};

/// A way to keep tables.
pub trait Storage: Sized + 'static {
    /// A growing array.
    type Table<T: Clone + Send + Sync + 'static>: Table<T>;

    /// An empty column of a type, in this storage.
    fn column(column: &ColumnType) -> Box<dyn AnyColumn>;
}

/// A growing array. Access is O(1); an index out of range panics, as slices do.
pub trait Table<T>: Default + Send + Sync + 'static {
    /// How many entries there are.
    fn len(&self) -> usize;
    /// Entry `i`.
    fn at(&self, i: usize) -> &T;
    /// Entry `i`, to change it.
    fn at_mut(&mut self, i: usize) -> &mut T;
    /// Appends an entry.
    fn push(&mut self, value: T);
    /// Removes the last entry.
    fn pop(&mut self);
}

/// Tables as plain vectors: the live store.
pub struct Flat;

impl Storage for Flat {
    type Table<T: Clone + Send + Sync + 'static> = Vec<T>;

    fn column(column: &ColumnType) -> Box<dyn AnyColumn> {
        (column.flat)()
    }
}

impl<T: Clone + Send + Sync + 'static> Table<T> for Vec<T> {
    #[inline]
    fn len(&self) -> usize {
        Vec::len(self)
    }

    #[inline]
    fn at(&self, i: usize) -> &T {
        &self[i]
    }

    #[inline]
    fn at_mut(&mut self, i: usize) -> &mut T {
        &mut self[i]
    }

    fn push(&mut self, value: T) {
        Vec::push(self, value);
    }

    fn pop(&mut self) {
        Vec::pop(self);
    }
}

//! The tables that a graph is made of. All logic of the graph is written once, over [`Storage`].
//!
//! | | [`Flat`] | [`Paged`](super::paged::Paged) |
//! |---|---|---|
//! | for | the live store | snapshots, and events that are tried on them |
//! | `clone` | O(size of the graph) | O(tables) |
//! | a change | in place | the first few beside the shared pages, then copies pages |

use std::collections::BTreeSet;
use std::hash::Hash;
use std::ops::{Bound, Deref, DerefMut};
use std::sync::Arc;

use crate::base::split_map::SplitMap;
use crate::graph::column::{AnyColumn, ColumnType, FlatColumn};
use crate::graph::index::composite::{CompositeIndex, IndexType};
use crate::graph::index::{Index, Unique};
use crate::graph::list::List;
use crate::graph::list::line::LineList;
use crate::graph::{Graph, GraphMut, GraphRef};
use crate::value::Value;

/// A way to keep tables.
pub trait Storage: Sized + 'static {
    /// A growing array.
    type Table<T: Clone + Send + Sync + 'static>: Table<T>;
    /// A growing array of values that may own memory.
    type Values<T: Clone + Send + Sync + 'static>: Table<T>;
    /// A list of links.
    type List: List;
    /// A map with integer keys.
    type Map<T: Clone + Send + Sync + 'static>: Map<T>;
    /// An ordered set.
    type Set<T: Ord + Clone + Send + Sync + 'static>: Set<T>;
    /// A part of a graph, which is cloned with it.
    type Part<T: Clone + Send + Sync + 'static>: DerefMut<Target = T>
        + From<T>
        + Clone
        + Send
        + Sync;
    /// A column without its type.
    type Column: DerefMut<Target = dyn AnyColumn> + Clone + Send + Sync;

    /// Whether `acyclic` edges keep their entities in a topological order.
    const SORTS: bool;
    /// Whether the positions of links that are read from an image are computed later, so that a store that is only read does not wait for them.
    const PLACES_LATER: bool;

    /// An empty column of a type. If it is `mandatory`, each entity has a value in it.
    fn column(column: &ColumnType, mandatory: bool) -> Self::Column;
    /// The value of a cell of a column that keeps values of this type without `dyn`; `None` if the column does not.
    #[allow(clippy::option_option)]
    fn cell<T: 'static>(column: &Self::Column, slot: u32) -> Option<Option<&T>>;
    /// The values of a column that keeps values of this type in one array, to change them.
    fn values_mut<T: 'static>(column: &mut Self::Column) -> Option<&mut Vec<T>>;
    /// See [`AnyColumn::put_back`].
    fn put_back(column: &mut Self::Column, slot: u32, word: Option<u64>);
    /// The same of a value that replaced the one of this word, if the values are in an array. Returns whether they are.
    fn put_back_raw(column: &mut Self::Column, slot: u32, word: u64) -> bool;
    /// An empty index of unique values.
    fn unique<T: Value + Hash + Eq>() -> Box<dyn Index<T>>;
    /// An empty index of several parts.
    fn composite(index: IndexType) -> Box<dyn CompositeIndex>;
    /// A graph in this storage, for code that reads one in either.
    fn graph(graph: &Graph<Self>) -> GraphRef<'_>;
    /// A graph in this storage, for code that changes one in either.
    fn graph_mut(graph: &mut Graph<Self>) -> GraphMut<'_>;
}

/// A growing array. Access is O(1); an index out of range panics, as slices do.
pub trait Table<T>: Default + Clone + Send + Sync + 'static {
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

    /// Makes room for so many entries and a few more, where that saves time. Room that is not used takes no memory.
    fn reserve(&mut self, _entries: usize) {}

    /// Appends an entry so many times to a table that is empty.
    fn fill(&mut self, entries: usize, value: T)
    where
        T: Clone,
    {
        (0..entries).for_each(|_| self.push(value.clone()));
    }

    /// All entries, if they are side by side.
    fn as_mut_slice(&mut self) -> Option<&mut [T]> {
        None
    }

    /// Calls `see` with the entries that may differ. The default is all entries of either table.
    fn differing(&self, other: &Self, see: &mut dyn FnMut(usize)) {
        (0..self.len().max(other.len())).for_each(see);
    }

    /// A copy in another storage.
    fn copy<B: Table<T>>(&self) -> B
    where
        T: Clone,
    {
        let mut copy = B::default();
        for i in 0..self.len() {
            copy.push(self.at(i).clone());
        }
        copy
    }
}

/// A map with integer keys.
pub trait Map<T>: Default + Clone + Send + Sync + 'static {
    /// How many entries there are.
    fn len(&self) -> usize;
    /// The value of a key.
    fn at(&self, key: u64) -> Option<&T>;
    /// The value of a key, to change it.
    fn at_mut(&mut self, key: u64) -> Option<&mut T>;
    /// Makes room for so many more entries, where that saves time.
    fn reserve(&mut self, _entries: usize) {}
    /// Sets the value of a key.
    fn put(&mut self, key: u64, value: T);
    /// Removes a key and returns its value.
    fn take(&mut self, key: u64) -> Option<T>;
    /// Calls `see` with all entries, in no particular order.
    fn each(&self, see: &mut dyn FnMut(u64, &T));

    /// A copy in another storage.
    fn copy<B: Map<T>>(&self) -> B
    where
        T: Clone,
    {
        let mut copy = B::default();
        self.each(&mut |key, value| copy.put(key, value.clone()));
        copy
    }
}

/// An ordered set.
pub trait Set<T: 'static>: Default + Clone + Send + Sync + 'static {
    /// How many members there are.
    fn len(&self) -> usize;
    /// Adds a member.
    fn add(&mut self, value: T);
    /// Removes a member.
    fn take(&mut self, value: &T);
    /// Whether it is a member.
    fn has(&self, value: &T) -> bool;
    /// The members between two bounds, in order; none if the second is before the first. O(log n), and O(1) for each member
    /// that is taken.
    fn range(
        &self,
        range: (Bound<T>, Bound<T>),
    ) -> impl DoubleEndedIterator<Item = &T> + Send + Sync;
}

/// Vectors and the maps of the standard library, for the live store.
#[derive(Debug)]
pub struct Flat;

/// A part that is stored in place.
#[derive(Clone)]
pub struct Inline<T>(T);

impl<T> From<T> for Inline<T> {
    fn from(part: T) -> Self {
        Self(part)
    }
}

impl<T> Deref for Inline<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Inline<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl Storage for Flat {
    type Table<T: Clone + Send + Sync + 'static> = Vec<T>;
    type Values<T: Clone + Send + Sync + 'static> = Vec<T>;
    type List = LineList;
    type Map<T: Clone + Send + Sync + 'static> = SplitMap<u64, T>;
    type Set<T: Ord + Clone + Send + Sync + 'static> = BTreeSet<T>;
    type Part<T: Clone + Send + Sync + 'static> = Inline<T>;
    type Column = FlatColumn;

    const SORTS: bool = true;
    const PLACES_LATER: bool = true;

    fn column(column: &ColumnType, mandatory: bool) -> Self::Column {
        (column.mandatory)
            .filter(|_| mandatory)
            .and_then(|mandatory| (mandatory.flat)())
            .unwrap_or_else(|| FlatColumn::Typed((column.flat)(column.equal)))
    }

    #[inline(always)]
    fn cell<T: 'static>(column: &Self::Column, slot: u32) -> Option<Option<&T>> {
        let values = column.values()?;
        touched(1);
        Some(values.get(slot as usize))
    }

    #[inline(always)]
    fn values_mut<T: 'static>(column: &mut Self::Column) -> Option<&mut Vec<T>> {
        column.values_mut()
    }

    #[inline]
    fn put_back(column: &mut Self::Column, slot: u32, word: Option<u64>) {
        column.put_back(slot, word);
    }

    #[inline(always)]
    fn put_back_raw(column: &mut Self::Column, slot: u32, word: u64) -> bool {
        column.put_back_raw(slot, word)
    }

    fn unique<T: Value + Hash + Eq>() -> Box<dyn Index<T>> {
        Box::<Unique<T>>::default()
    }

    fn composite(index: IndexType) -> Box<dyn CompositeIndex> {
        (index.flat)()
    }

    #[inline]
    fn graph(graph: &Graph<Self>) -> GraphRef<'_> {
        GraphRef::Flat(graph)
    }

    #[inline]
    fn graph_mut(graph: &mut Graph<Self>) -> GraphMut<'_> {
        GraphMut::Flat(graph)
    }
}

impl Clone for Box<dyn AnyColumn> {
    fn clone(&self) -> Self {
        self.fork()
    }
}

impl<T: Clone + Send + Sync + 'static> Table<T> for Vec<T> {
    #[inline]
    fn len(&self) -> usize {
        Vec::len(self)
    }

    #[inline]
    fn at(&self, i: usize) -> &T {
        touched(1);
        &self[i]
    }

    #[inline]
    fn at_mut(&mut self, i: usize) -> &mut T {
        touched(1);
        &mut self[i]
    }

    #[inline(always)]
    fn as_mut_slice(&mut self) -> Option<&mut [T]> {
        Some(self)
    }

    fn push(&mut self, value: T) {
        touched(1);
        Vec::push(self, value);
    }

    fn fill(&mut self, entries: usize, value: T) {
        touched(entries);
        Table::reserve(self, entries);
        self.resize(entries, value);
    }

    fn reserve(&mut self, entries: usize) {
        // One allocation, whose pages are not moved. What is added later has some room.
        self.reserve_exact(entries + entries / 16);
    }

    fn pop(&mut self) {
        touched(1);
        Vec::pop(self);
    }
}

impl<T: Clone + Send + Sync + 'static> Map<T> for SplitMap<u64, T> {
    fn len(&self) -> usize {
        SplitMap::len(self)
    }

    fn at(&self, key: u64) -> Option<&T> {
        touched(1);
        self.get(&key)
    }

    fn at_mut(&mut self, key: u64) -> Option<&mut T> {
        touched(1);
        self.get_mut(&key)
    }

    fn reserve(&mut self, entries: usize) {
        SplitMap::reserve(self, entries);
    }

    fn put(&mut self, key: u64, value: T) {
        touched(1);
        self.insert(key, value);
    }

    fn take(&mut self, key: u64) -> Option<T> {
        touched(1);
        self.remove(&key)
    }

    fn each(&self, see: &mut dyn FnMut(u64, &T)) {
        self.iter().for_each(|(key, value)| see(*key, value));
    }
}

impl<T: Ord + Clone + Send + Sync + 'static> Set<T> for BTreeSet<T> {
    fn len(&self) -> usize {
        BTreeSet::len(self)
    }

    fn add(&mut self, value: T) {
        touched(1);
        self.insert(value);
    }

    fn take(&mut self, value: &T) {
        touched(1);
        self.remove(value);
    }

    fn has(&self, value: &T) -> bool {
        touched(1);
        self.contains(value)
    }

    fn range(
        &self,
        range: (Bound<T>, Bound<T>),
    ) -> impl DoubleEndedIterator<Item = &T> + Send + Sync {
        // `BTreeSet::range` panics on a range that ends before it begins.
        let empty = match (range.0.as_ref(), range.1.as_ref()) {
            (Bound::Included(a), Bound::Included(b)) => a > b,
            (Bound::Included(a) | Bound::Excluded(a), Bound::Included(b) | Bound::Excluded(b)) => {
                a >= b
            }
            _ => false,
        };
        let members = (!empty).then(|| BTreeSet::range::<T, _>(self, range));
        members.into_iter().flatten().inspect(|_| touched(1))
    }
}

/// Counts rows that are read or changed, and facts that are searched; only in tests (`store/cost.rs`).
#[inline(always)]
pub(crate) fn touched(rows: usize) {
    #[cfg(test)]
    TOUCHED.set(TOUCHED.get() + rows);
    let _ = rows;
}

/// A page to change, which is copied first if it is shared.
#[inline]
pub(super) fn own<T: Clone>(page: &mut Arc<T>) -> &mut T {
    #[cfg(test)]
    if Arc::strong_count(page) > 1 {
        COPIED.set(COPIED.get() + 1);
    }
    Arc::make_mut(page)
}

/// The same for a page of entries.
#[inline]
pub(super) fn own_all<T: Clone>(page: &mut Arc<[T]>) -> &mut [T] {
    #[cfg(test)]
    if Arc::strong_count(page) > 1 {
        COPIED.set(COPIED.get() + 1);
    }
    Arc::make_mut(page)
}

#[cfg(test)]
thread_local! {
    /// How many pages this thread has copied.
    pub(crate) static COPIED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
    /// How many rows this thread has touched.
    pub(crate) static TOUCHED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

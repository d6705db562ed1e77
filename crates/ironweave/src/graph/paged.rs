//! Persistent tables: a clone is O(1), and pages are copied one by one as clones diverge.
//!
//! An array is a tree of pages ([`page`](super::page)), whose depth grows with it. A clone shares all of them. The first few
//! entries that are written while the pages are shared are kept beside them, so that an event that is tried once copies no
//! page. When there are too many, the older half is written to the pages, which are copied for it. So a clone increments
//! two reference counts, a change copies at most a few pages per level, and nothing is copied that was not changed.

use std::hash::{BuildHasher, BuildHasherDefault, Hash};
use std::iter::repeat_n;
use std::ops::{Bound, Deref, DerefMut};
use std::slice;
use std::sync::Arc;

use crate::base::hash::FxHasher;
use crate::graph::column::{ColumnType, SharedColumn};
use crate::graph::index::composite::{CompositeIndex, IndexType};
use crate::graph::index::{Hashed, Index};
use crate::graph::list::PageList;
use crate::graph::page::{BITS, BRANCH, Marks, Page, beside_max, differing, leaf_bits};
use crate::graph::storage::{Map, Set, Storage, Table, own, own_all, touched};
use crate::graph::tree::Tree;
use crate::graph::{Graph, GraphMut, GraphRef};
use crate::value::Value;

/// Pages that clones share, for snapshots.
#[derive(Debug)]
pub struct Paged;

impl Storage for Paged {
    type Table<T: Clone + Send + Sync + 'static> = Pages<T>;
    type Values<T: Clone + Send + Sync + 'static> = Values<T>;
    type List = PageList;
    type Map<T: Clone + Send + Sync + 'static> = Tree<u64, T>;
    type Set<T: Ord + Clone + Send + Sync + 'static> = Tree<T, ()>;
    type Part<T: Clone + Send + Sync + 'static> = Shared<T>;
    type Column = SharedColumn;

    // Clones would copy pages for each change of an order.
    const SORTS: bool = false;
    // A snapshot is cloned, and each clone that is changed would compute them.
    const PLACES_LATER: bool = false;

    fn column(column: &ColumnType, mandatory: bool) -> Self::Column {
        match column.mandatory.filter(|_| mandatory) {
            Some(mandatory) => (mandatory.paged)(),
            None => SharedColumn::Typed((column.paged)(column.equal).into()),
        }
    }

    #[inline(always)]
    fn cell<T: 'static>(column: &Self::Column, slot: u32) -> Option<Option<&T>> {
        column.cell(slot)
    }

    fn values_mut<T: 'static>(_: &mut Self::Column) -> Option<&mut Vec<T>> {
        None
    }

    fn put_back(column: &mut Self::Column, slot: u32, word: Option<u64>) {
        column.put_back(slot, word);
    }

    #[inline(always)]
    fn put_back_raw(_: &mut Self::Column, _: u32, _: u64) -> bool {
        false
    }

    fn unique<T: Value + Hash + Eq>() -> Box<dyn Index<T>> {
        Box::<Hashed>::default()
    }

    fn composite(index: IndexType) -> Box<dyn CompositeIndex> {
        (index.paged)()
    }

    #[inline]
    fn graph(graph: &Graph<Self>) -> GraphRef<'_> {
        GraphRef::Paged(graph)
    }

    #[inline]
    fn graph_mut(graph: &mut Graph<Self>) -> GraphMut<'_> {
        GraphMut::Paged(graph)
    }
}

/// The hash of a key in [`Hashed`].
pub(super) fn key_hash(key: &(impl Hash + ?Sized)) -> u64 {
    BuildHasherDefault::<FxHasher>::default().hash_one(key)
}

/// A part that clones share until one of them changes it.
#[derive(Clone)]
pub struct Shared<T>(Arc<T>);

impl<T> From<T> for Shared<T> {
    fn from(part: T) -> Self {
        Self(Arc::new(part))
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Clone> DerefMut for Shared<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        own(&mut self.0)
    }
}

/// How many entries beside the pages have room at first. An event that is tried once writes one or two of a table.
const BESIDE_FIRST: usize = 2;

/// An array as a tree of pages, and beside them the last few entries that were written while the pages were shared.
pub struct Pages<T> {
    root: Option<Page<T>>,
    /// Bits of an index that choose within the root and below.
    bits: u32,
    /// How many entries are beside the pages.
    besides: u32,
    /// How many entries are in the pages.
    paged: usize,
    len: usize,
    /// Entries that replace those in the pages, or follow them in order. The entries after the first `besides` are unused:
    /// it begins with room for [`BESIDE_FIRST`], and has its full length from the next one on.
    beside: Option<Arc<[(u32, T)]>>,
    marks: Marks,
}

impl<T> Clone for Pages<T> {
    fn clone(&self) -> Self {
        Self {
            root: self.root.clone(),
            beside: self.beside.clone(),
            ..*self
        }
    }
}

impl<T> Default for Pages<T> {
    fn default() -> Self {
        Self {
            root: None,
            bits: leaf_bits::<T>(),
            besides: 0,
            paged: 0,
            len: 0,
            beside: None,
            marks: Marks::default(),
        }
    }
}

#[cold]
fn out_of_range(i: usize, len: usize) -> ! {
    panic!("entry {i} of a table of {len}")
}

impl<T> Pages<T> {
    /// The entries beside the pages.
    fn all_beside(&self) -> &[(u32, T)] {
        match &self.beside {
            Some(beside) => &beside[..self.besides as usize],
            None => &[],
        }
    }

    /// The position of an entry among those beside the pages.
    #[inline]
    fn find_beside(&self, i: usize) -> Option<usize> {
        if !self.marks.has(i) {
            return None;
        }
        (self.all_beside().iter()).position(|(at, _)| *at as usize == i)
    }

    #[inline]
    fn get(&self, i: usize) -> &T {
        // The usual case. Written out for one branch, and a loop for more of them.
        if !self.marks.has(i)
            && i < self.len
            && let Some(Page::Branch(pages)) = &self.root
            && let Some(page) = pages.get(i >> (self.bits - BITS))
            && let Some(entry) = match page {
                Page::Leaf(entries) => entries.get(i & Page::<T>::MASK),
                branch => branch.get_unmarked(self.bits - BITS, i),
            }
        {
            return entry;
        }
        self.find(i)
    }

    #[inline(never)]
    fn find(&self, i: usize) -> &T {
        if i < self.len {
            if let Some(at) = self.find_beside(i) {
                return &self.all_beside()[at].1;
            }
            if let Some(root) = &self.root
                && let Some(entry) = root.get(self.bits, i)
            {
                return entry;
            }
        }
        out_of_range(i, self.len)
    }

    /// The entries from an index on that are side by side in memory. There is at least one, unless that is the end.
    pub(super) fn run(&self, i: usize) -> &[T] {
        if i >= self.len {
            return &[];
        }
        let mut most = self.len - i;
        for (at, entry) in self.all_beside() {
            match (*at as usize).checked_sub(i) {
                Some(0) => return slice::from_ref(entry),
                Some(before) => most = most.min(before),
                None => {}
            }
        }
        let run = (self.root.as_ref()).map_or(&[][..], |root| root.run(self.bits, i));
        &run[..run.len().min(most)]
    }

    fn is_shared(&self) -> bool {
        self.root.as_ref().is_some_and(Page::is_shared)
    }

    /// Calls `see` where two tables may differ: where their pages do and `same` does not hold for the entries.
    fn differing_but(&self, other: &Self, same: fn(&T, &T) -> bool, see: &mut dyn FnMut(usize)) {
        let (small, large) = if self.bits <= other.bits {
            (self, other)
        } else {
            (other, self)
        };
        let (both, len) = (self.len.min(other.len), self.len.max(other.len));
        let mut within = |i: usize| {
            if i < len && !(i < both && same(self.get(i), other.get(i))) {
                see(i);
            }
        };
        match (&self.beside, &other.beside) {
            (Some(a), Some(b)) if Arc::ptr_eq(a, b) => {}
            _ => (self.all_beside().iter().chain(other.all_beside()))
                .for_each(|(i, _)| within(*i as usize)),
        }
        // Of the upper levels of the larger tree, the smaller one corresponds to the first page.
        let mut bits = large.bits;
        let mut page = large.root.as_ref();
        while bits > small.bits {
            bits -= BITS;
            for i in 1..BRANCH {
                let there = page.and_then(|page| page.below(i));
                differing(None, there, (bits, i << bits), &mut within);
            }
            page = page.and_then(|page| page.below(0));
        }
        differing(small.root.as_ref(), page, (bits, 0), &mut within);
    }
}

impl<T: Clone> Pages<T> {
    /// Appends an entry to the pages.
    fn push_paged(&mut self, value: T) {
        let i = self.paged;
        self.paged += 1;
        let Some(root) = &mut self.root else {
            self.root = Some(Page::new(self.bits, value));
            return;
        };
        if i >> self.bits != 0 {
            *root = Page::Branch([root.clone()].into());
            self.bits += BITS;
        }
        root.push(self.bits, i, value);
    }

    /// Writes an entry that is in the pages or follows the last one there.
    fn put_paged(&mut self, i: usize, value: T) {
        if i < self.paged
            && let Some(root) = &mut self.root
            && let Some(entry) = root.get_mut(self.bits, i)
        {
            *entry = value;
        } else {
            self.push_paged(value);
        }
    }

    /// Writes an entry beside the pages, where it is not yet.
    fn put_beside(&mut self, i: usize, value: T) -> &mut T {
        if self.besides as usize == beside_max::<T>() {
            self.put_older();
        }
        let (at, entry) = (self.besides as usize, (i as u32, value));
        self.besides += 1;
        self.marks.add(i);
        if let Some(beside) = &self.beside
            && at < beside.len()
        {
            let beside = self.beside.as_mut().map(own_all);
            let place = &mut beside.expect("there is one")[at];
            *place = entry;
            return &mut place.1;
        }
        let grown: Arc<[_]> = match &self.beside {
            None => repeat_n(entry, BESIDE_FIRST).collect(),
            Some(few) => {
                let new = repeat_n(entry, beside_max::<T>() - at);
                few.iter().cloned().chain(new).collect()
            }
        };
        let grown = Arc::get_mut(self.beside.insert(grown));
        &mut grown.expect("the new one is not shared")[at].1
    }

    /// Writes the older half of the entries beside the pages into the pages.
    fn put_older(&mut self) {
        let Some(mut beside) = self.beside.take() else {
            return;
        };
        let half = self.besides as usize / 2;
        // Entries that follow those in the pages are appended in order.
        for (i, value) in &beside[..half] {
            self.put_paged(*i as usize, value.clone());
        }
        own_all(&mut beside).rotate_left(half);
        self.besides -= half as u32;
        self.beside = Some(beside);
        self.marks = Marks::of(self.all_beside());
    }
}

impl<T: Clone + Send + Sync + 'static> Table<T> for Pages<T> {
    fn len(&self) -> usize {
        self.len
    }

    #[inline]
    fn at(&self, i: usize) -> &T {
        touched(1);
        self.get(i)
    }

    fn at_mut(&mut self, i: usize) -> &mut T {
        touched(1);
        if i >= self.len {
            out_of_range(i, self.len);
        }
        if let Some(at) = self.find_beside(i) {
            let Some(beside) = &mut self.beside else {
                out_of_range(i, self.len);
            };
            return &mut own_all(beside)[at].1;
        }
        if self.is_shared() {
            let value = self.get(i).clone();
            return self.put_beside(i, value);
        }
        let root = self.root.as_mut();
        match root.and_then(|root| root.get_mut(self.bits, i)) {
            Some(entry) => entry,
            None => out_of_range(i, self.len),
        }
    }

    fn push(&mut self, value: T) {
        touched(1);
        let i = self.len;
        self.len += 1;
        if i > self.paged || self.is_shared() {
            self.put_beside(i, value);
        } else {
            self.put_paged(i, value);
        }
    }

    fn pop(&mut self) {
        touched(1);
        // The next push overwrites what is left in the pages.
        self.len = self.len.saturating_sub(1);
        if let Some(at) = self.find_beside(self.len)
            && let Some(beside) = &mut self.beside
        {
            own_all(beside)[at..self.besides as usize].rotate_left(1);
            self.besides -= 1;
        }
    }

    fn differing(&self, other: &Self, see: &mut dyn FnMut(usize)) {
        self.differing_but(other, |_, _| false, see);
    }
}

/// An array of values that may own memory. Each of those is reference-counted, so that copying a page copies no value.
#[derive(Clone)]
pub enum Values<T> {
    /// Values that own no memory.
    Plain(Pages<T>),
    /// Values that own memory.
    Held(Pages<Arc<T>>),
}

impl<T> Default for Values<T> {
    fn default() -> Self {
        if std::mem::needs_drop::<T>() {
            Self::Held(Pages::default())
        } else {
            Self::Plain(Pages::default())
        }
    }
}

impl<T: Clone + Send + Sync + 'static> Table<T> for Values<T> {
    fn len(&self) -> usize {
        match self {
            Self::Plain(pages) => pages.len,
            Self::Held(pages) => pages.len,
        }
    }

    #[inline]
    fn at(&self, i: usize) -> &T {
        match self {
            Self::Plain(pages) => pages.at(i),
            Self::Held(pages) => pages.at(i),
        }
    }

    fn at_mut(&mut self, i: usize) -> &mut T {
        match self {
            Self::Plain(pages) => pages.at_mut(i),
            Self::Held(pages) => own(pages.at_mut(i)),
        }
    }

    fn push(&mut self, value: T) {
        match self {
            Self::Plain(pages) => pages.push(value),
            Self::Held(pages) => pages.push(Arc::new(value)),
        }
    }

    fn pop(&mut self) {
        match self {
            Self::Plain(pages) => pages.pop(),
            Self::Held(pages) => pages.pop(),
        }
    }

    fn differing(&self, other: &Self, see: &mut dyn FnMut(usize)) {
        match (self, other) {
            (Self::Plain(a), Self::Plain(b)) => a.differing(b, see),
            (Self::Held(a), Self::Held(b)) => a.differing_but(b, Arc::ptr_eq, see),
            // Both are of one type, which owns memory or does not.
            _ => {}
        }
    }
}

impl<T: Clone + Send + Sync + 'static> Map<T> for Tree<u64, T> {
    fn len(&self) -> usize {
        Tree::len(self)
    }

    fn at(&self, key: u64) -> Option<&T> {
        self.get(&key)
    }

    fn at_mut(&mut self, key: u64) -> Option<&mut T> {
        self.get_mut(&key)
    }

    fn put(&mut self, key: u64, value: T) {
        self.insert(key, value);
    }

    fn take(&mut self, key: u64) -> Option<T> {
        self.remove(&key)
    }

    fn each(&self, see: &mut dyn FnMut(u64, &T)) {
        let all = (Bound::Unbounded, Bound::Unbounded);
        Tree::range(self, all).for_each(|(key, value)| see(*key, value));
    }
}

impl<T: Ord + Clone + Send + Sync + 'static> Set<T> for Tree<T, ()> {
    fn len(&self) -> usize {
        Tree::len(self)
    }

    fn add(&mut self, value: T) {
        self.insert(value, ());
    }

    fn take(&mut self, value: &T) {
        self.remove(value);
    }

    fn has(&self, value: &T) -> bool {
        self.get(value).is_some()
    }

    fn range(
        &self,
        range: (Bound<T>, Bound<T>),
    ) -> impl DoubleEndedIterator<Item = &T> + Send + Sync {
        Tree::range(self, range).map(|(key, ())| key)
    }
}

#[cfg(test)]
mod tests;

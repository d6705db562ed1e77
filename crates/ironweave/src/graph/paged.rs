//! Tables that share what they have in common: cloned at once, and copied page by page as they part.
//!
//! An array is a tree of pages ([`page`](super::page)), whose depth grows with it. A clone shares all of them. The first few
//! entries that are written while they are shared lie beside the pages, so that what is tried once copies none; when
//! they are too many, the older half goes into the pages, which are copied for it. So a clone costs two counters, a change
//! of it at most a few pages by the depth of the tree, and nothing is ever copied that was not touched.

use std::hash::{BuildHasher, BuildHasherDefault, Hash};
use std::iter::repeat_n;
use std::ops::{Bound, Deref, DerefMut};
use std::sync::Arc;

use crate::base::hash::FxHasher;
use crate::graph::column::{AnyColumn, ColumnType};
use crate::graph::index::{Hashed, Index};
use crate::graph::list::PageList;
use crate::graph::page::{BITS, BRANCH, Page, beside_max, differing, leaf_bits};
use crate::graph::storage::{Map, Set, Storage, Table, own, own_all, touched};
use crate::graph::tree::Tree;
use crate::graph::{Graph, GraphMut, GraphRef};
use crate::value::Value;

/// Pages that clones share: snapshots.
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

    fn column(column: &ColumnType) -> Self::Column {
        SharedColumn((column.paged)(column.equal).into())
    }

    fn unique<T: Value + Hash + Eq>() -> Box<dyn Index<T>> {
        Box::<Hashed>::default()
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

/// The hash that [`Hashed`] finds a key by.
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

/// A column that clones share until one of them changes it.
#[derive(Clone)]
pub struct SharedColumn(Arc<dyn AnyColumn>);

impl Deref for SharedColumn {
    type Target = dyn AnyColumn;

    #[inline]
    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl DerefMut for SharedColumn {
    fn deref_mut(&mut self) -> &mut Self::Target {
        if Arc::get_mut(&mut self.0).is_none() {
            self.0 = self.0.share();
        }
        Arc::get_mut(&mut self.0).expect("nobody else has the new one")
    }
}

/// An array as a tree of pages, and beside it the last few entries that were written while a clone had the pages too.
pub struct Pages<T> {
    root: Option<Page<T>>,
    /// Bits of an index that choose within the root and below.
    bits: u32,
    /// How many entries lie beside the pages.
    besides: u32,
    /// How many entries the pages have.
    paged: usize,
    len: usize,
    /// Entries that count instead of those in the pages, or come behind them in order. As long as it may get: what is
    /// behind the last does not count.
    beside: Option<Arc<[(u32, T)]>>,
    /// For each of those a bit, by the index modulo 64.
    marks: u64,
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
            marks: 0,
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

    /// Where among the entries beside the pages one is.
    #[inline]
    fn find_beside(&self, i: usize) -> Option<usize> {
        if self.marks >> (i % 64) & 1 == 0 {
            return None;
        }
        (self.all_beside().iter()).position(|(at, _)| *at as usize == i)
    }

    #[inline]
    fn get(&self, i: usize) -> &T {
        // As nearly every table is, and an entry in it.
        if self.marks >> (i % 64) & 1 == 0
            && i < self.len
            && let Some(Page::Branch(pages)) = &self.root
            && let Some(Page::Leaf(entries)) = pages.get(i >> (self.bits - BITS))
            && let Some(entry) = entries.get(i & Page::<T>::MASK)
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

    fn is_shared(&self) -> bool {
        self.root.as_ref().is_some_and(Page::is_shared)
    }

    /// Shows where two tables may differ: where their pages do, and where `same` does not say that entries are.
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
        // The smaller one has nothing but the first page of the larger one's upper levels.
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
    /// Puts an entry behind the last one in the pages.
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

    /// Writes an entry that the pages have or that comes next.
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

    /// Writes an entry beside the pages, which has none there yet.
    fn put_beside(&mut self, i: usize, value: T) -> &mut T {
        if self.besides as usize == beside_max::<T>() {
            self.put_older();
        }
        let (at, entry) = (self.besides as usize, (i as u32, value));
        self.besides += 1;
        self.marks |= 1 << (i % 64);
        match &mut self.beside {
            Some(beside) => own_all(beside)[at] = entry,
            None => self.beside = Some(repeat_n(entry, beside_max::<T>()).collect()),
        }
        let beside = self.beside.as_mut().map(own_all);
        &mut beside.expect("something was put there")[at].1
    }

    /// Puts the older half of the entries beside the pages into them.
    fn put_older(&mut self) {
        let Some(mut beside) = self.beside.take() else {
            return;
        };
        let half = self.besides as usize / 2;
        // Of those that come behind the pages the first comes first.
        for (i, value) in &beside[..half] {
            self.put_paged(*i as usize, value.clone());
        }
        own_all(&mut beside).rotate_left(half);
        self.besides -= half as u32;
        self.beside = Some(beside);
        self.marks = (self.all_beside().iter()).fold(0, |marks, (i, _)| marks | 1 << (i % 64));
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
        // What is left behind in the pages is covered by the next push.
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

/// An array of what may own memory: then each entry is counted by itself, so that a copied page copies none.
#[derive(Clone)]
pub enum Values<T> {
    /// Entries that own none.
    Plain(Pages<T>),
    /// Entries that do.
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
            // A type owns memory or it does not.
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
        Tree::range(self, all, &mut |key, value| see(*key, value));
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

    fn range(&self, range: (Bound<&T>, Bound<&T>), see: &mut dyn FnMut(&T)) {
        Tree::range(self, range, &mut |key, ()| see(key));
    }
}

#[cfg(test)]
mod tests;

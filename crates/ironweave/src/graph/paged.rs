//! Tables that share what they have in common: cloned at once, and copied page by page as they part.
//!
//! An array is a tree of pages, whose depth grows with it; a page that only one array holds is changed in place, and
//! one that others hold too is copied first, together with the branches above it. So a clone costs one counter, a
//! change of it a leaf of 64 or 256 entries and 16 counters a level, and nothing is ever copied that was not touched.

use std::hash::{BuildHasher, BuildHasherDefault, Hash};
use std::ops::{Bound, Deref, DerefMut};
use std::sync::Arc;

use crate::graph::column::{AnyColumn, ColumnType};
use crate::graph::index::{Hashed, Index};
use crate::graph::storage::{Map, Set, Storage, Table, own, touched};
use crate::graph::tree::Tree;
use crate::graph::{Graph, GraphMut, GraphRef};
use crate::hash::FxHasher;
use crate::step::{Core, CoreMut};
use crate::value::Value;

/// Pages that clones share: snapshots.
#[derive(Debug)]
pub struct Paged;

impl Storage for Paged {
    type Table<T: Clone + Send + Sync + 'static> = Pages<T>;
    type Map<T: Clone + Send + Sync + 'static> = Tree<u64, T>;
    type Set<T: Ord + Clone + Send + Sync + 'static> = Tree<T, ()>;
    type Part<T: Clone + Send + Sync + 'static> = Shared<T>;
    type Column = SharedColumn;

    fn column(column: &ColumnType) -> Self::Column {
        SharedColumn((column.paged)().into())
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

    #[inline]
    fn core_mut(core: &mut Core<Self>) -> CoreMut<'_> {
        CoreMut::Paged(core)
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
            self.0 = self.0.fork().into();
        }
        Arc::get_mut(&mut self.0).expect("nobody else has the new one")
    }
}

/// Bits of an index that choose among the pages of a branch: few, since a copied branch counts up all of them.
const BITS: u32 = 4;
const BRANCH: usize = 1 << BITS;

/// An array as a tree of pages.
pub struct Pages<T> {
    root: Option<Page<T>>,
    /// How many levels of branches there are above the leaves.
    branches: u32,
    len: usize,
}

enum Page<T> {
    Branch(Arc<[Option<Page<T>>; BRANCH]>),
    /// Entries of at most 8 bytes.
    Small(Arc<[T; 256]>),
    Large(Arc<[T; 64]>),
    /// Entries that own memory, so that copying the page copies none of it. A new page holds one entry 64 times.
    Held(Arc<[Arc<T>; 64]>),
}

impl<T> Clone for Page<T> {
    #[inline]
    fn clone(&self) -> Self {
        match self {
            Self::Branch(pages) => Self::Branch(Arc::clone(pages)),
            Self::Small(entries) => Self::Small(Arc::clone(entries)),
            Self::Large(entries) => Self::Large(Arc::clone(entries)),
            Self::Held(entries) => Self::Held(Arc::clone(entries)),
        }
    }
}

impl<T> Clone for Pages<T> {
    fn clone(&self) -> Self {
        Self {
            root: self.root.clone(),
            branches: self.branches,
            len: self.len,
        }
    }
}

impl<T> Default for Pages<T> {
    fn default() -> Self {
        Self {
            root: None,
            branches: 0,
            len: 0,
        }
    }
}

impl<T> Pages<T> {
    /// Whether entries are held, each by itself.
    const HELD: bool = std::mem::needs_drop::<T>();
    /// Bits of an index that choose within a leaf.
    const LEAF: u32 = if !Self::HELD && size_of::<T>() <= 8 {
        8
    } else {
        6
    };

    /// Where in a branch that has `branches - 1` levels of them below it an index is.
    #[inline]
    fn place(i: usize, branches: u32) -> usize {
        i >> (Self::LEAF + BITS * (branches - 1)) & (BRANCH - 1)
    }
}

impl<T: Clone> Page<T> {
    fn leaf(value: T) -> Self {
        if Pages::<T>::HELD {
            let value = Arc::new(value);
            Self::Held(Arc::new(std::array::from_fn(|_| Arc::clone(&value))))
        } else if Pages::<T>::LEAF == 8 {
            Self::Small(Arc::new(std::array::from_fn(|_| value.clone())))
        } else {
            Self::Large(Arc::new(std::array::from_fn(|_| value.clone())))
        }
    }

    /// A branch with one page.
    fn over(page: Self) -> Self {
        let mut pages = std::array::from_fn(|_| None);
        pages[0] = Some(page);
        Self::Branch(Arc::new(pages))
    }

    /// Puts an entry behind the last one, at `i`.
    fn push(&mut self, branches: u32, i: usize, value: T) {
        match self {
            Self::Branch(pages) => {
                let page = &mut own(pages)[Pages::<T>::place(i, branches)];
                match page {
                    Some(page) => page.push(branches - 1, i, value),
                    None => {
                        let mut new = Self::leaf(value);
                        for _ in 1..branches {
                            new = Self::over(new);
                        }
                        *page = Some(new);
                    }
                }
            }
            Self::Small(entries) => own(entries)[i % 256] = value,
            Self::Large(entries) => own(entries)[i % 64] = value,
            Self::Held(entries) => own(entries)[i % 64] = Arc::new(value),
        }
    }

    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Branch(a), Self::Branch(b)) => Arc::ptr_eq(a, b),
            (Self::Small(a), Self::Small(b)) => Arc::ptr_eq(a, b),
            (Self::Large(a), Self::Large(b)) => Arc::ptr_eq(a, b),
            (Self::Held(a), Self::Held(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }

    /// A page of a branch.
    fn below(&self, i: usize) -> Option<&Self> {
        match self {
            Self::Branch(pages) => pages[i].as_ref(),
            _ => None,
        }
    }
}

/// Shows where two pages may differ that begin at the same index.
fn differing<T: Clone>(
    a: Option<&Page<T>>,
    b: Option<&Page<T>>,
    (branches, start): (u32, usize),
    see: &mut dyn FnMut(usize),
) {
    match (a, b) {
        (None, None) => {}
        (Some(a), Some(b)) if a.is(b) => {}
        (Some(Page::Held(a)), Some(Page::Held(b))) => (0..a.len())
            .filter(|i| !Arc::ptr_eq(&a[*i], &b[*i]))
            .for_each(|i| see(start + i)),
        _ if branches == 0 => (start..start + (1 << Pages::<T>::LEAF)).for_each(see),
        _ => {
            for i in 0..BRANCH {
                let start = start + (i << (Pages::<T>::LEAF + BITS * (branches - 1)));
                let (a, b) = (a.and_then(|a| a.below(i)), b.and_then(|b| b.below(i)));
                differing(a, b, (branches - 1, start), see);
            }
        }
    }
}

#[cold]
fn out_of_range(i: usize, len: usize) -> ! {
    panic!("entry {i} of a table of {len}")
}

impl<T: Clone + Send + Sync + 'static> Table<T> for Pages<T> {
    fn len(&self) -> usize {
        self.len
    }

    #[inline]
    fn at(&self, i: usize) -> &T {
        touched(1);
        if i >= self.len {
            out_of_range(i, self.len);
        }
        let mut page = &self.root;
        let mut branches = self.branches;
        while let Some(here) = page {
            match here {
                Page::Branch(pages) => page = &pages[Self::place(i, branches)],
                Page::Small(entries) => return &entries[i % 256],
                Page::Large(entries) => return &entries[i % 64],
                Page::Held(entries) => return &entries[i % 64],
            }
            branches -= 1;
        }
        out_of_range(i, self.len)
    }

    fn at_mut(&mut self, i: usize) -> &mut T {
        touched(1);
        if i >= self.len {
            out_of_range(i, self.len);
        }
        let mut page = &mut self.root;
        let mut branches = self.branches;
        while let Some(here) = page {
            match here {
                Page::Branch(pages) => page = &mut own(pages)[Self::place(i, branches)],
                Page::Small(entries) => return &mut own(entries)[i % 256],
                Page::Large(entries) => return &mut own(entries)[i % 64],
                Page::Held(entries) => {
                    return own(&mut own(entries)[i % 64]);
                }
            }
            branches -= 1;
        }
        out_of_range(i, self.len)
    }

    fn push(&mut self, value: T) {
        touched(1);
        let i = self.len;
        self.len += 1;
        if i >> (Self::LEAF + BITS * self.branches) != 0 {
            self.root = self.root.take().map(Page::over);
            self.branches += 1;
        }
        match &mut self.root {
            Some(root) => root.push(self.branches, i, value),
            None => self.root = Some(Page::leaf(value)),
        }
    }

    fn differing(&self, other: &Self, see: &mut dyn FnMut(usize)) {
        let (small, large) = if self.branches <= other.branches {
            (self, other)
        } else {
            (other, self)
        };
        // The smaller one has nothing but the first page of the larger one's upper levels.
        let mut branches = large.branches;
        let mut page = large.root.as_ref();
        let len = small.len.max(large.len);
        let mut within = |i: usize| {
            if i < len {
                see(i);
            }
        };
        while branches > small.branches {
            for i in 1..BRANCH {
                let start = i << (Self::LEAF + BITS * (branches - 1));
                let there = page.and_then(|page| page.below(i));
                differing(None, there, (branches - 1, start), &mut within);
            }
            page = page.and_then(|page| page.below(0));
            branches -= 1;
        }
        differing(small.root.as_ref(), page, (branches, 0), &mut within);
    }

    fn pop(&mut self) {
        touched(1);
        // What is left behind in the page is covered by the next push.
        self.len = self.len.saturating_sub(1);
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
mod tests {
    use super::*;

    /// A table and clones of it behave as vectors and their clones do.
    fn as_a_vector<T: Clone + Send + Sync + PartialEq + std::fmt::Debug + 'static>(
        value: fn(u32) -> T,
    ) {
        let mut seed = 1u32;
        let mut random = move || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            seed >> 8
        };
        let mut versions: Vec<(Vec<T>, Pages<T>)> = vec![(Vec::new(), Pages::default())];
        for round in 0..40 {
            let from = (random() as usize % versions.len()).max(random() as usize % versions.len());
            let (mut vector, mut pages) = versions[from].clone();
            // Now and then over the edge of a level.
            let grow = if round % 4 == 0 { 6_000 } else { 70 };
            for _ in 0..grow {
                match random() % 8 {
                    0 => {
                        vector.pop();
                        pages.pop();
                    }
                    1 | 2 if !vector.is_empty() => {
                        let i = random() as usize % vector.len();
                        vector[i] = value(random());
                        *pages.at_mut(i) = vector[i].clone();
                    }
                    _ => {
                        vector.push(value(random()));
                        pages.push(vector[vector.len() - 1].clone());
                    }
                }
            }
            versions.push((vector, pages));
        }
        for (vector, pages) in &versions {
            assert_eq!(pages.len(), vector.len());
            (0..vector.len()).for_each(|i| assert_eq!(*pages.at(i), vector[i]));
        }
        assert!(versions.iter().any(|(vector, _)| vector.len() > 4_096));
    }

    #[test]
    fn a_clone_is_never_changed_by_its_descendants() {
        as_a_vector(|n| n);
        as_a_vector(|n| n.to_string());
    }

    #[test]
    fn a_table_grows_over_the_edges_of_its_levels() {
        let mut pages = Pages::default();
        let mut before = Vec::new();
        for i in 0..256 * 16 * 16 + 100usize {
            if [256, 256 * 16, 256 * 16 * 16].contains(&i) {
                before.push((i, pages.clone()));
            }
            pages.push(i);
        }
        (0..pages.len()).for_each(|i| assert_eq!(*pages.at(i), i));
        for (len, pages) in before {
            assert_eq!((pages.len(), *pages.at(len - 1)), (len, len - 1));
        }
    }

    #[test]
    #[should_panic = "entry 1 of a table of 1"]
    fn what_was_popped_is_out_of_range() {
        let mut pages = Pages::default();
        pages.push(1);
        pages.push(2);
        pages.pop();
        pages.at(1);
    }
}

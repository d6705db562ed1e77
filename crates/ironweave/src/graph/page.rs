//! Pages of an array and the branches over them, counted and shared: what [`Pages`](super::paged::Pages) is made of.
//!
//! A page that only one array holds is changed in place, and one that others hold too is copied first, together with
//! the branches above it.

use std::iter::{once, repeat_n};
use std::sync::Arc;

use crate::graph::storage::{own, own_all};

/// Bits of an index that choose among the pages of a branch.
pub(super) const BITS: u32 = 6;
pub(super) const BRANCH: usize = 1 << BITS;

/// How large a full leaf is, roughly. To copy so much costs about as much as to count a branch of them up and down.
const LEAF_BYTES: usize = 2048;
/// How many entries a leaf has of those that are counted each.
const COUNTED: usize = 16;

/// Bits of an index that choose within a leaf.
pub(super) const fn leaf_bits<T>() -> u32 {
    let size = if size_of::<T>() == 0 {
        1
    } else {
        size_of::<T>()
    };
    // Arcs: their counters may be anywhere.
    if std::mem::needs_drop::<T>() && size <= 16 {
        COUNTED.ilog2()
    } else if std::mem::needs_drop::<T>() {
        if LEAF_BYTES / 2 / size < 8 {
            3
        } else {
            (LEAF_BYTES / 2 / size).ilog2()
        }
    } else if LEAF_BYTES / size < 8 {
        3
    } else {
        (LEAF_BYTES / size).ilog2()
    }
}

/// A page or a branch of pages. Those that are the last of their branch may be shorter than the others.
pub(super) enum Page<T> {
    Leaf(Arc<[T]>),
    Branch(Arc<[Page<T>]>),
    Patched(Arc<Patched<T>>),
}

/// How many pages of a branch are put in place of others before it is copied.
const PATCHES: usize = 4;

/// A branch that others have too, and pages in place of some of its own. To copy it would be to count up each of its
/// pages, all over the memory of a large graph; so that is put off, mostly until nobody else has it any more.
pub(super) struct Patched<T> {
    base: Arc<[Page<T>]>,
    patches: [Option<(u8, Page<T>)>; PATCHES],
}

impl<T> Clone for Patched<T> {
    fn clone(&self) -> Self {
        Self {
            base: Arc::clone(&self.base),
            patches: self.patches.clone(),
        }
    }
}

impl<T> Patched<T> {
    fn get(&self, at: usize) -> Option<&Page<T>> {
        let mut patches = self.patches.iter().flatten();
        match patches.find(|(i, _)| usize::from(*i) == at) {
            Some((_, page)) => Some(page),
            None => self.base.get(at),
        }
    }

    /// Where a page is among the patches, or may be put.
    fn place(&self, at: usize) -> Option<usize> {
        let mut patches = self.patches.iter();
        patches.position(|patch| patch.as_ref().is_none_or(|(i, _)| usize::from(*i) == at))
    }

    /// All of them as a branch.
    fn branch(&self) -> Arc<[Page<T>]> {
        let mut pages = Arc::clone(&self.base);
        let own = own_all(&mut pages);
        for (i, page) in self.patches.iter().flatten() {
            own[usize::from(*i)] = page.clone();
        }
        pages
    }
}

impl<T> Clone for Page<T> {
    #[inline]
    fn clone(&self) -> Self {
        match self {
            Self::Leaf(entries) => Self::Leaf(Arc::clone(entries)),
            Self::Branch(pages) => Self::Branch(Arc::clone(pages)),
            Self::Patched(patched) => Self::Patched(Arc::clone(patched)),
        }
    }
}

impl<T> Page<T> {
    /// What of an index chooses within a leaf.
    pub(super) const MASK: usize = (1 << leaf_bits::<T>()) - 1;

    /// Whether somebody else has it and it is too large to be copied without need.
    #[inline]
    pub(super) fn is_shared(&self) -> bool {
        match self {
            Self::Leaf(entries) => {
                Arc::strong_count(entries) > 1 && size_of_val(&**entries) > LEAF_BYTES / 8
            }
            Self::Branch(pages) => Arc::strong_count(pages) > 1,
            Self::Patched(patched) => Arc::strong_count(patched) > 1,
        }
    }

    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Leaf(a), Self::Leaf(b)) => Arc::ptr_eq(a, b),
            (Self::Branch(a), Self::Branch(b)) => Arc::ptr_eq(a, b),
            (Self::Patched(a), Self::Patched(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }

    /// A page of a branch.
    pub(super) fn below(&self, i: usize) -> Option<&Self> {
        match self {
            Self::Branch(pages) => pages.get(i),
            Self::Patched(patched) => patched.get(i),
            Self::Leaf(_) => None,
        }
    }

    /// The entry at an index that is there; `bits` are those of the index that matter here and below.
    pub(super) fn get(&self, mut bits: u32, i: usize) -> Option<&T> {
        let mut page = self;
        loop {
            match page {
                Self::Leaf(entries) => return entries.get(i & Self::MASK),
                branch => {
                    bits -= BITS;
                    page = branch.below(i >> bits & (BRANCH - 1))?;
                }
            }
        }
    }

    /// A page of a branch that has it, to change it; `patching`: not a branch that is better copied at once.
    fn below_mut(&mut self, at: usize, patching: bool) -> Option<&mut Self> {
        self.unpatch(at);
        if patching
            && let Self::Branch(pages) = self
            && Arc::strong_count(pages) > 1
        {
            *self = Self::Patched(Arc::new(Patched {
                base: Arc::clone(pages),
                patches: [const { None }; PATCHES],
            }));
        }
        match self {
            Self::Leaf(_) => None,
            Self::Branch(pages) => own_all(pages).get_mut(at),
            Self::Patched(patched) => {
                let patched = own(patched);
                let place = patched.place(at)?;
                let page = match patched.patches[place].take() {
                    Some((_, page)) => page,
                    None => patched.base.get(at)?.clone(),
                };
                let (_, page) = patched.patches[place].insert((at as u8, page));
                Some(page)
            }
        }
    }

    /// Makes a branch of a patched one, where its base is nobody else's any more, and where there is no room for a
    /// patch more.
    fn unpatch(&mut self, at: usize) {
        let Self::Patched(patched) = self else {
            return;
        };
        if let Some(Patched { base, patches }) = Arc::get_mut(patched)
            && let Some(pages) = Arc::get_mut(base)
        {
            for (i, page) in patches.iter_mut().filter_map(Option::take) {
                pages[usize::from(i)] = page;
            }
            *self = Self::Branch(Arc::clone(base));
        } else if patched.place(at).is_none() {
            *self = Self::Branch(patched.branch());
        }
    }
}

impl<T: Clone> Page<T> {
    /// A page with one entry, or branches over one.
    pub(super) fn new(bits: u32, value: T) -> Self {
        if bits <= leaf_bits::<T>() {
            Self::Leaf(once(value).collect())
        } else {
            Self::Branch(once(Self::new(bits - BITS, value)).collect())
        }
    }

    /// The entry at an index that is there, to change it; `bits` as those of [`Page::get`].
    pub(super) fn get_mut(&mut self, mut bits: u32, i: usize) -> Option<&mut T> {
        let mut page = self;
        let mut root = true;
        loop {
            match page {
                Self::Leaf(entries) => return own_all(entries).get_mut(i & Self::MASK),
                branch => {
                    bits -= BITS;
                    // The counters of what is near the root are at hand.
                    let patching = !root && bits == leaf_bits::<T>();
                    page = branch.below_mut(i >> bits & (BRANCH - 1), patching)?;
                    root = false;
                }
            }
        }
    }

    /// Puts an entry behind the last one, at `i`.
    pub(super) fn push(&mut self, bits: u32, i: usize, value: T) {
        if let Self::Patched(patched) = self {
            *self = Self::Branch(patched.branch());
        }
        match self {
            Self::Leaf(entries) => {
                let at = i & Self::MASK;
                if at < entries.len() {
                    own_all(entries)[at] = value;
                } else {
                    // What is behind it does not count.
                    let double = (2 * at).clamp(4, 1 << leaf_bits::<T>());
                    let new = repeat_n(value, double - at);
                    *entries = entries.iter().cloned().chain(new).collect();
                }
            }
            Self::Branch(pages) => {
                let bits = bits - BITS;
                let at = i >> bits & (BRANCH - 1);
                if at < pages.len() {
                    own_all(pages)[at].push(bits, i, value);
                } else {
                    let new = once(Self::new(bits, value));
                    *pages = pages.iter().cloned().chain(new).collect();
                }
            }
            Self::Patched(_) => {}
        }
    }
}

/// Shows where two pages may differ that begin at the same index.
pub(super) fn differing<T>(
    a: Option<&Page<T>>,
    b: Option<&Page<T>>,
    (bits, start): (u32, usize),
    see: &mut dyn FnMut(usize),
) {
    match (a, b) {
        (None, None) => {}
        (Some(a), Some(b)) if a.is(b) => {}
        _ if bits <= leaf_bits::<T>() => (start..start + (1 << bits)).for_each(see),
        _ => {
            for i in 0..BRANCH {
                let (a, b) = (a.and_then(|a| a.below(i)), b.and_then(|b| b.below(i)));
                let start = start + (i << (bits - BITS));
                differing(a, b, (bits - BITS, start), see);
            }
        }
    }
}

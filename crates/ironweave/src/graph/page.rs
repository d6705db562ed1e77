//! Reference-counted pages of an array and the branches over them, of which [`Pages`](super::paged::Pages) is made.
//!
//! A page that only one array holds is changed in place. A page that several hold is copied first, with the branches above
//! it.

use std::iter::{once, repeat_n};
use std::slice;
use std::sync::Arc;

use crate::graph::storage::{own, own_all};

/// Bits of an index that choose among the pages of a branch.
pub(super) const BITS: u32 = 6;
pub(super) const BRANCH: usize = 1 << BITS;
/// How many pages a branch grows by.
const ROOM: usize = 8;

/// The approximate size of a full leaf. Copying it costs about as much as changing the reference counts of a branch.
const LEAF_BYTES: usize = 2048;
/// How many entries a leaf has if each is reference-counted.
const COUNTED: usize = 16;

/// Bits of an index that choose within a leaf.
pub(super) const fn leaf_bits<T>() -> u32 {
    let size = if size_of::<T>() == 0 {
        1
    } else {
        size_of::<T>()
    };
    // `Arc`s, whose counts may be anywhere in memory.
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

/// Which entries may be in a small set: a bit for each, at its index modulo the number of bits. There are many more bits than
/// entries in the set, so that a reader seldom searches the set for an entry that is not there.
#[derive(Clone, Copy, Default)]
pub(super) struct Marks([u64; MARK_WORDS]);

const MARK_WORDS: usize = 4;

impl Marks {
    /// The marks of entries with their indexes.
    pub(super) fn of<T>(entries: &[(u32, T)]) -> Self {
        let mut marks = Self::default();
        entries.iter().for_each(|(i, _)| marks.add(*i as usize));
        marks
    }

    #[inline(always)]
    pub(super) fn has(&self, i: usize) -> bool {
        self.0[i / 64 % MARK_WORDS] >> (i % 64) & 1 == 1
    }

    #[inline]
    pub(super) fn add(&mut self, i: usize) {
        self.0[i / 64 % MARK_WORDS] |= 1 << (i % 64);
    }
}

/// A page or a branch of pages. The last ones may be shorter than the others, or empty.
pub(super) enum Page<T> {
    Leaf(Arc<[T]>),
    Branch(Arc<[Page<T>]>),
    Patched(Arc<Patched<T>>),
}

/// How many entries are kept beside pages, by their size and whether each is reference-counted.
pub(super) const fn beside_max<T>() -> usize {
    if size_of::<T>() <= 16 && !std::mem::needs_drop::<T>() {
        16
    } else {
        8
    }
}

/// A shared branch of leaves, with entries that replace some of those in the leaves. Copying the branch would increment the
/// reference count of each leaf, all over the memory of a large graph. So it is copied once for several entries.
pub(super) struct Patched<T> {
    base: Arc<[Page<T>]>,
    /// The entries with their indexes in the array.
    entries: Vec<(u32, T)>,
    marks: Marks,
}

impl<T: Clone> Clone for Patched<T> {
    fn clone(&self) -> Self {
        let mut entries = Vec::with_capacity(beside_max::<T>());
        entries.extend_from_slice(&self.entries);
        Self {
            base: Arc::clone(&self.base),
            entries,
            marks: self.marks,
        }
    }
}

impl<T> Patched<T> {
    fn find(&self, i: usize) -> Option<usize> {
        if !self.marks.has(i) {
            return None;
        }
        self.entries.iter().position(|(at, _)| *at as usize == i)
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
    /// The bits of an index that choose within a leaf.
    pub(super) const MASK: usize = (1 << leaf_bits::<T>()) - 1;

    /// Whether it is shared and too large to be copied without need.
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

    /// The pages of a branch; none of a leaf.
    fn pages(&self) -> &[Self] {
        match self {
            Self::Branch(pages) => pages,
            Self::Patched(patched) => &patched.base,
            Self::Leaf(_) => &[],
        }
    }

    /// The entries that replace entries below.
    fn patches(&self) -> &[(u32, T)] {
        match self {
            Self::Patched(patched) => &patched.entries,
            _ => &[],
        }
    }

    /// A page of a branch.
    pub(super) fn below(&self, i: usize) -> Option<&Self> {
        self.pages().get(i)
    }

    /// The entry at an index; `bits` are the number of bits of the index that choose here and below.
    pub(super) fn get(&self, mut bits: u32, i: usize) -> Option<&T> {
        let mut page = self;
        loop {
            let pages = match page {
                Self::Leaf(entries) => return entries.get(i & Self::MASK),
                Self::Branch(pages) => pages,
                Self::Patched(patched) => match patched.find(i) {
                    Some(at) => return Some(&patched.entries[at].1),
                    None => &patched.base,
                },
            };
            bits -= BITS;
            page = pages.get(i >> bits & (BRANCH - 1))?;
        }
    }

    /// As [`Page::get`], but `None` if a branch may have a patch for the entry. It is short enough to be inlined.
    #[inline(always)]
    pub(super) fn get_unmarked(&self, mut bits: u32, i: usize) -> Option<&T> {
        let mut page = self;
        loop {
            let pages = match page {
                Self::Leaf(entries) => return entries.get(i & Self::MASK),
                Self::Branch(pages) => pages,
                Self::Patched(patched) if !patched.marks.has(i) => &patched.base,
                Self::Patched(_) => return None,
            };
            bits -= BITS;
            page = pages.get(i >> bits & (BRANCH - 1))?;
        }
    }
}

impl<T> Page<T> {
    /// The entries from an index on that are side by side in memory; `bits` as in [`Page::get`].
    pub(super) fn run(&self, mut bits: u32, i: usize) -> &[T] {
        let mut page = self;
        let mut most = usize::MAX;
        loop {
            match page {
                Self::Leaf(entries) => {
                    let run = entries.get(i & Self::MASK..).unwrap_or_default();
                    return &run[..run.len().min(most)];
                }
                branch => {
                    // A patch replaces an entry of the leaf.
                    for (at, entry) in branch.patches() {
                        match (*at as usize).checked_sub(i) {
                            Some(0) => return slice::from_ref(entry),
                            Some(before) => most = most.min(before),
                            None => {}
                        }
                    }
                    bits -= BITS;
                    match branch.below(i >> bits & (BRANCH - 1)) {
                        Some(below) => page = below,
                        None => return &[],
                    }
                }
            }
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

    /// A page without entries.
    fn empty(bits: u32) -> Self {
        if bits <= leaf_bits::<T>() {
            Self::Leaf([].into())
        } else {
            Self::Branch([].into())
        }
    }

    /// The entry at an index, to change it; `bits` as in [`Page::get`].
    pub(super) fn get_mut(&mut self, mut bits: u32, i: usize) -> Option<&mut T> {
        let mut page = self;
        let mut root = true;
        loop {
            // Reference counts near the root are in the cache.
            if !root && bits == leaf_bits::<T>() + BITS {
                page.patch(i);
            }
            root = false;
            match page {
                Self::Leaf(entries) => return own_all(entries).get_mut(i & Self::MASK),
                Self::Branch(pages) => {
                    bits -= BITS;
                    page = own_all(pages).get_mut(i >> bits & (BRANCH - 1))?;
                }
                Self::Patched(patched) => {
                    let patched = own(patched);
                    let at = patched.find(i)?;
                    return Some(&mut patched.entries[at].1);
                }
            }
        }
    }

    /// Prepares a patch for an entry of a shared branch of leaves, or copies the branch if there is no room for a patch.
    fn patch(&mut self, i: usize) {
        if let Self::Branch(pages) = self {
            if Arc::strong_count(pages) == 1 {
                return;
            }
            *self = Self::Patched(Arc::new(Patched {
                base: Arc::clone(pages),
                entries: Vec::with_capacity(beside_max::<T>()),
                marks: Marks::default(),
            }));
        }
        let Self::Patched(patched) = self else {
            return;
        };
        if patched.find(i).is_some() {
            return;
        }
        if patched.entries.len() == beside_max::<T>() {
            self.unpatch();
            return;
        }
        let bits = leaf_bits::<T>();
        let leaf = patched.base.get(i >> bits & (BRANCH - 1));
        if let Some(entry) = leaf.and_then(|leaf| leaf.get(bits, i)).cloned() {
            let patched = own(patched);
            patched.entries.push((i as u32, entry));
            patched.marks.add(i);
        }
    }

    /// Writes the patches of a branch into its leaves.
    fn unpatch(&mut self) {
        let Self::Patched(patched) = self else {
            return;
        };
        let patched = Arc::clone(patched);
        let bits = leaf_bits::<T>();
        let mut pages = Arc::clone(&patched.base);
        let own = own_all(&mut pages);
        for (i, entry) in &patched.entries {
            let leaf = &mut own[*i as usize >> bits & (BRANCH - 1)];
            if let Some(there) = leaf.get_mut(bits, *i as usize) {
                *there = entry.clone();
            }
        }
        *self = Self::Branch(pages);
    }

    /// Appends an entry, at index `i`.
    pub(super) fn push(&mut self, bits: u32, i: usize, value: T) {
        self.unpatch();
        match self {
            Self::Leaf(entries) => {
                let at = i & Self::MASK;
                if at < entries.len() {
                    own_all(entries)[at] = value;
                } else {
                    // The entries after it are unused.
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
                    // Copying the branch changes the reference count of each page, all over the memory. So it gets room
                    // for several.
                    let room = repeat_n(Self::empty(bits), (at + ROOM).min(BRANCH) - at - 1);
                    let new = once(Self::new(bits, value)).chain(room);
                    *pages = pages.iter().cloned().chain(new).collect();
                }
            }
            Self::Patched(_) => {}
        }
    }
}

/// Calls `see` where two pages that begin at the same index may differ.
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
            for page in a.iter().chain(&b) {
                page.patches().iter().for_each(|(i, _)| see(*i as usize));
            }
            let pages =
                |page: Option<&Page<T>>| page.map_or(std::ptr::null(), |p| p.pages().as_ptr());
            if pages(a) == pages(b) {
                return;
            }
            for i in 0..BRANCH {
                let (a, b) = (a.and_then(|a| a.below(i)), b.and_then(|b| b.below(i)));
                let start = start + (i << (bits - BITS));
                differing(a, b, (bits - BITS, start), see);
            }
        }
    }
}

//! Lists of links, at an end of an edge that can hold many.
//!
//! A list of up to 15 has the size of a cache line, and needs no allocation. A longer one is a vector in the live store
//! ([`line`]). In a snapshot lists are in pages, which are copied. There a longer one is a shared vector,
//! and the list of a hub is an array of pages of its own, so that a change copies no more of a list than a page or a few.

pub mod line;

use std::slice;
use std::sync::Arc;

use crate::graph::paged::Pages;
use crate::graph::storage::{Table as _, own};

/// Slots in an order that their changes determine.
pub trait List: Default + Clone + Send + Sync + 'static {
    /// Returns all members.
    fn slots(&self) -> LinkSlots<'_>;
    /// Returns the number of members; O(1).
    fn len(&self) -> usize;
    /// Returns the member at a position, to change it.
    fn get_mut(&mut self, position: usize) -> Option<&mut u32>;
    /// Adds a member at the end. Returns whether the far ends have to note their positions from now on, and did not before;
    /// see [`has_noted_positions`](List::has_noted_positions).
    fn add(&mut self, slot: u32) -> bool;
    /// Removes the last member.
    fn take_last(&mut self) -> Option<u32>;

    /// Removes a member and moves the last one to its position. Returns that one, if it is another.
    #[inline]
    fn swap_remove(&mut self, position: u32) -> Option<u32> {
        let last = self.take_last();
        let hole = self.get_mut(position as usize)?;
        *hole = last?;
        Some(*hole)
    }

    /// Whether the far ends that hold one link note their positions in this list. A list in which they do not finds them.
    #[inline(always)]
    fn has_noted_positions(&self) -> bool {
        true
    }

    /// The position of a member, which its far end has noted if this list [has noted
    /// positions](List::has_noted_positions).
    #[inline(always)]
    fn position(&self, _slot: u32, noted: u32) -> u32 {
        noted
    }

    /// A copy in another storage.
    fn copy<B: List>(&self) -> B {
        let mut copy = B::default();
        for slot in self.slots() {
            copy.add(*slot);
        }
        copy
    }
}

/// The greatest length of a list that is in one cache line.
const SHORT: usize = 15;
/// The length at which a long list becomes short again. It is less than [`SHORT`], so that a list does not change its form
/// all the time.
const SHORTENED: usize = 10;
/// The greatest length of a vector: that of a page of [`Pages`].
const LONG: usize = 512;
/// The length at which a list in pages becomes a vector again.
const PAGED: usize = 256;

/// A list in a page.
#[derive(Clone)]
pub enum PageList {
    Short(u8, [u32; SHORT]),
    /// Copied when a table changes a list that it shares with another.
    Long(Arc<Vec<u32>>),
    /// Copied page by page.
    Paged(Arc<Pages<u32>>),
}

impl Default for PageList {
    fn default() -> Self {
        Self::Short(0, [0; SHORT])
    }
}

impl List for PageList {
    #[inline]
    fn slots(&self) -> LinkSlots<'_> {
        match self {
            Self::Short(len, slots) => LinkSlots::Slice(&slots[..usize::from(*len)]),
            Self::Long(slots) => LinkSlots::Slice(slots),
            Self::Paged(pages) => LinkSlots::Pages(pages),
        }
    }

    #[inline]
    fn len(&self) -> usize {
        match self {
            Self::Short(len, _) => usize::from(*len),
            Self::Long(slots) => slots.len(),
            Self::Paged(pages) => pages.len(),
        }
    }

    #[inline]
    fn get_mut(&mut self, position: usize) -> Option<&mut u32> {
        match self {
            Self::Short(len, slots) => slots[..usize::from(*len)].get_mut(position),
            Self::Long(slots) => own(slots).as_mut_slice().get_mut(position),
            Self::Paged(pages) => (position < pages.len()).then(|| own(pages).at_mut(position)),
        }
    }

    fn add(&mut self, slot: u32) -> bool {
        match self {
            Self::Short(len, slots) if usize::from(*len) < SHORT => {
                slots[usize::from(*len)] = slot;
                *len += 1;
            }
            Self::Short(_, slots) => {
                let mut long = Vec::with_capacity(2 * SHORT);
                long.extend_from_slice(slots);
                long.push(slot);
                *self = Self::Long(Arc::new(long));
            }
            Self::Long(slots) if slots.len() < LONG => own(slots).push(slot),
            Self::Long(slots) => {
                let mut pages = Pages::default();
                slots.iter().for_each(|slot| pages.push(*slot));
                pages.push(slot);
                *self = Self::Paged(Arc::new(pages));
            }
            Self::Paged(pages) => own(pages).push(slot),
        }
        false
    }

    fn take_last(&mut self) -> Option<u32> {
        match self {
            Self::Short(len, slots) => {
                *len = len.checked_sub(1)?;
                Some(slots[usize::from(*len)])
            }
            Self::Long(long) if long.len() > SHORTENED + 1 => own(long).pop(),
            Self::Long(long) => {
                let (last, rest) = long.split_last()?;
                let mut slots = [0; SHORT];
                slots[..rest.len()].copy_from_slice(rest);
                let (last, len) = (*last, rest.len() as u8);
                *self = Self::Short(len, slots);
                Some(last)
            }
            Self::Paged(pages) if pages.len() > PAGED + 1 => {
                let pages = own(pages);
                let last = *pages.at(pages.len() - 1);
                pages.pop();
                Some(last)
            }
            Self::Paged(pages) => {
                let mut slots = LinkSlots::Pages(pages).to_vec();
                let last = slots.pop();
                *self = Self::Long(Arc::new(slots));
                last
            }
        }
    }
}

/// The members of a list.
#[derive(Clone, Copy)]
pub enum LinkSlots<'g> {
    Slice(&'g [u32]),
    Pages(&'g Pages<u32>),
}

impl<'g> LinkSlots<'g> {
    /// No members.
    pub(crate) const NONE: Self = Self::Slice(&[]);

    /// How many there are; O(1).
    #[inline]
    pub(crate) fn len(self) -> usize {
        match self {
            Self::Slice(slots) => slots.len(),
            Self::Pages(pages) => pages.len(),
        }
    }

    #[inline]
    pub(crate) fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The one at a position; O(1).
    #[inline]
    pub(crate) fn get(self, position: usize) -> Option<&'g u32> {
        match self {
            Self::Slice(slots) => slots.get(position),
            Self::Pages(pages) => (position < pages.len()).then(|| pages.at(position)),
        }
    }

    #[inline]
    pub(crate) fn first(self) -> Option<&'g u32> {
        self.get(0)
    }

    #[inline]
    pub(crate) fn last(self) -> Option<&'g u32> {
        self.get(self.len().checked_sub(1)?)
    }

    pub(crate) fn contains(self, slot: &u32) -> bool {
        self.iter().any(|member| member == slot)
    }

    /// Appends all of them to a vector.
    pub(crate) fn append_to(self, out: &mut Vec<u32>) {
        let mut rest = self.iter();
        while !rest.run.as_slice().is_empty() || rest.refill() {
            out.extend_from_slice(rest.run.as_slice());
            rest.run = [].iter();
        }
    }

    /// The members of each of two versions of a list, without most of those that both have: O(members that differ) for versions in
    /// pages of which one was made from the other, or both from a third.
    pub(crate) fn differing(self, other: Self) -> [Vec<u32>; 2] {
        let (a, b) = match (self, other) {
            (Self::Pages(a), Self::Pages(b)) => (a, b),
            (Self::Slice(a), Self::Slice(b)) if std::ptr::eq(a, b) => return Default::default(),
            _ => return [self.to_vec(), other.to_vec()],
        };
        let [mut ours, mut theirs] = [Vec::new(), Vec::new()];
        let mut see = |i| {
            ours.extend(self.get(i));
            theirs.extend(other.get(i));
        };
        a.differing(b, &mut see);
        // What was removed from the end is still in shared pages.
        (a.len().min(b.len())..a.len().max(b.len())).for_each(see);
        [ours, theirs]
    }

    /// The addresses of the runs of members that are side by side in memory.
    #[cfg(test)]
    pub(crate) fn runs(self) -> Vec<*const u32> {
        let (mut runs, mut rest) = (Vec::new(), self.iter());
        while !rest.run.as_slice().is_empty() || rest.refill() {
            runs.push(rest.run.as_slice().as_ptr());
            rest.run = [].iter();
        }
        runs
    }

    pub(crate) fn to_vec(self) -> Vec<u32> {
        let mut all = Vec::with_capacity(self.len());
        self.append_to(&mut all);
        all
    }

    #[inline]
    pub(crate) fn iter(self) -> LinkSlotsIter<'g> {
        match self {
            Self::Slice(slots) => LinkSlotsIter {
                run: slots.iter(),
                rest: None,
            },
            Self::Pages(pages) => LinkSlotsIter {
                run: [].iter(),
                rest: Some((pages, 0)),
            },
        }
    }
}

impl<'g> IntoIterator for LinkSlots<'g> {
    type Item = &'g u32;
    type IntoIter = LinkSlotsIter<'g>;

    #[inline]
    fn into_iter(self) -> LinkSlotsIter<'g> {
        self.iter()
    }
}

/// The members of a list in order, as runs of members that are side by side in memory.
#[derive(Clone)]
pub struct LinkSlotsIter<'g> {
    run: slice::Iter<'g, u32>,
    /// The pages, and the position of the first member after the run.
    rest: Option<(&'g Pages<u32>, usize)>,
}

impl<'g> LinkSlotsIter<'g> {
    /// Goes on with the next run. Returns whether there is one.
    #[inline(never)]
    fn refill(&mut self) -> bool {
        let Some((pages, after)) = &mut self.rest else {
            return false;
        };
        let run = pages.run(*after);
        *after += run.len();
        self.run = run.iter();
        !run.is_empty()
    }
}

impl<'g> Iterator for LinkSlotsIter<'g> {
    type Item = &'g u32;

    #[inline]
    fn next(&mut self) -> Option<&'g u32> {
        match self.run.next() {
            Some(slot) => Some(slot),
            None if self.rest.is_some() && self.refill() => self.run.next(),
            None => None,
        }
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        let rest = self.rest.map_or(0, |(pages, after)| pages.len() - after);
        let left = self.run.len() + rest;
        (left, Some(left))
    }
}

impl ExactSizeIterator for LinkSlotsIter<'_> {}

#[cfg(test)]
mod tests {
    use super::line::LineList;
    use super::*;

    #[test]
    fn versions_of_a_list_differ_in_what_only_one_of_them_has() {
        use std::collections::BTreeSet;
        let mut seed = 11u32;
        let mut random = move || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) as usize
        };
        let mut long = PageList::default();
        (0..3_000).for_each(|member| _ = long.add(member));
        let mut versions = vec![PageList::default(), long];
        let mut new = 3_000;
        for round in 0..60 {
            // Versions that were made from each other, or from a third one.
            let mut list = versions[random() % versions.len()].clone();
            for _ in 0..[1, 3, 40, 2_000][round % 4] {
                let len = list.len();
                if len == 0 || random() % 8 < if round % 3 == 0 { 3 } else { 5 } {
                    list.add(new);
                    new += 1;
                    continue;
                }
                // The last member replaces the removed one, which comes back sometimes.
                let at = if random() % 3 == 0 {
                    len - 1
                } else {
                    random() % len
                };
                let gone = list.slots().get(at).copied();
                let last = list.take_last();
                if let (Some(hole), Some(last)) = (list.get_mut(at), last) {
                    *hole = last;
                }
                if random() % 4 == 0 {
                    gone.into_iter().for_each(|gone| _ = list.add(gone));
                }
            }
            versions.push(list);
        }
        let members = |list: &PageList| BTreeSet::from_iter(list.slots().to_vec());
        let (mut paged, mut spared) = (0, 0);
        for a in &versions {
            for b in &versions {
                let [ours, theirs] = a.slots().differing(b.slots());
                let [ours, theirs] = [BTreeSet::from_iter(ours), BTreeSet::from_iter(theirs)];
                let (all, others) = (members(a), members(b));
                assert!(ours.difference(&theirs).eq(all.difference(&others)));
                assert!(theirs.difference(&ours).eq(others.difference(&all)));
                if let (PageList::Paged(_), PageList::Paged(_)) = (a, b) {
                    paged += 1;
                    spared += usize::from(ours.len() < all.len());
                }
            }
        }
        assert!(paged > 500 && spared > 100, "{paged}, {spared}");
    }

    #[test]
    fn a_list_in_a_page_is_as_a_vector() {
        as_a_vector::<PageList>(
            |list| match list {
                PageList::Short(..) => 0,
                PageList::Long(_) => 1,
                PageList::Paged(_) => 2,
            },
            &[(0, 1), (1, 0), (1, 2), (2, 1)],
        );
    }

    #[test]
    fn a_list_in_a_line_is_as_a_vector() {
        as_a_vector::<LineList>(
            |list| match list {
                LineList::Short(..) => 0,
                LineList::Long(_) => 1,
            },
            &[(0, 1), (1, 0)],
        );
    }

    /// Compares a kind of lists with vectors. Its forms change in each of these ways.
    fn as_a_vector<L: List>(kind: impl Fn(&L) -> u8, expected: &[(u8, u8)]) {
        assert_eq!(size_of::<L>(), 64);
        let mut seed = 3u32;
        let mut changes = std::collections::BTreeSet::new();
        let mut versions = vec![(Vec::new(), L::default())];
        for round in 0..60 {
            let (mut vector, mut list) = versions[round].clone();
            for _ in 0..if round % 5 == 0 { 2_500 } else { 40 } {
                let before = kind(&list);
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let at = (seed >> 12) as usize % (vector.len() + 1);
                // Across the greatest length of a short list, in both directions.
                if seed >> 8 & 7 < if round % 2 == 0 { 5 } else { 3 } {
                    vector.push(seed);
                    list.add(seed);
                } else if at < vector.len() && seed >> 11 & 1 == 1 {
                    vector.swap_remove(at);
                    assert_eq!(list.swap_remove(at as u32), vector.get(at).copied());
                } else {
                    assert_eq!(list.take_last(), vector.pop());
                }
                changes.insert((before, kind(&list)));
                // Members are unique.
                let member = seed ^ 1;
                if let Some(place) = vector.get_mut(at) {
                    *place = member;
                }
                (list.get_mut(at).into_iter()).for_each(|place| *place = member);
                assert_eq!(list.slots().to_vec(), vector);
                if at < vector.len() {
                    assert_eq!(list.position(member, at as u32) as usize, at);
                }
            }
            versions.push((vector, list));
        }
        for change in expected {
            assert!(changes.contains(change), "{change:?} of {changes:?}");
        }
        for (vector, list) in &versions {
            let slots = list.slots();
            assert_eq!(slots.to_vec(), *vector, "a clone stays");
            assert_eq!(slots.iter().len(), vector.len());
            assert!(slots.iter().eq(vector));
            assert_eq!(
                (slots.first(), slots.last()),
                (vector.first(), vector.last())
            );
            (0..=vector.len()).for_each(|i| assert_eq!(slots.get(i), vector.get(i)));
            assert_eq!(List::copy::<LineList>(list).slots().to_vec(), *vector);
        }
    }
}

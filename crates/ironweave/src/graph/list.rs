//! Lists of links: what an end of an edge holds that can hold many.
//!
//! The live store has a vector for each. A snapshot has them in pages, which are copied: so a list of up to 15 lies in
//! the page itself, in as much as a line of the cache, and needs neither memory nor a counter of its own.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use crate::graph::storage::own;

/// Slots in an order that their changes define.
pub trait List: DerefMut<Target = [u32]> + Default + Clone + Send + Sync + 'static {
    /// Adds one at the end.
    fn add(&mut self, slot: u32);
    /// Takes the last one away.
    fn take_last(&mut self) -> Option<u32>;

    /// The same in another storage.
    fn copy<B: List>(&self) -> B {
        let mut copy = B::default();
        self.iter().for_each(|slot| copy.add(*slot));
        copy
    }
}

impl List for Vec<u32> {
    #[inline]
    fn add(&mut self, slot: u32) {
        self.push(slot);
    }

    #[inline]
    fn take_last(&mut self) -> Option<u32> {
        self.pop()
    }
}

/// How many lie in the page.
const SHORT: usize = 15;
/// A long list of so many is short again: fewer, so that one does not go to and fro.
const SHORTENED: usize = 10;

/// A list in a page.
#[derive(Clone)]
pub enum PageList {
    Short(u8, [u32; SHORT]),
    /// What two tables have in common is copied when one of them changes it.
    Long(Arc<Vec<u32>>),
}

impl Default for PageList {
    fn default() -> Self {
        Self::Short(0, [0; SHORT])
    }
}

impl Deref for PageList {
    type Target = [u32];

    #[inline]
    fn deref(&self) -> &[u32] {
        match self {
            Self::Short(len, slots) => &slots[..usize::from(*len)],
            Self::Long(slots) => slots,
        }
    }
}

impl DerefMut for PageList {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u32] {
        match self {
            Self::Short(len, slots) => &mut slots[..usize::from(*len)],
            Self::Long(slots) => own(slots).as_mut_slice(),
        }
    }
}

impl List for PageList {
    fn add(&mut self, slot: u32) {
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
            Self::Long(slots) => own(slots).push(slot),
        }
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
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_in_a_page_is_as_a_vector() {
        assert_eq!(size_of::<PageList>(), 64);
        let mut seed = 3u32;
        let mut versions = vec![(Vec::new(), PageList::default())];
        for round in 0..60 {
            let (mut vector, mut list) = versions[round].clone();
            for _ in 0..40 {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                // To and fro over what is short.
                if seed >> 8 & 7 < if round % 2 == 0 { 5 } else { 3 } {
                    vector.push(seed);
                    list.add(seed);
                } else {
                    assert_eq!(list.take_last(), vector.pop());
                }
                if let Some(first) = vector.first_mut() {
                    *first = seed;
                    list[0] = seed;
                }
                assert_eq!(*list, *vector);
            }
            versions.push((vector, list));
        }
        let long = |list: &PageList| matches!(list, PageList::Long(_));
        assert!(versions.iter().any(|(_, list)| long(list)));
        assert!(versions.iter().skip(9).any(|(_, list)| !long(list)));
        for (vector, list) in &versions {
            assert_eq!(**list, **vector, "a clone stays");
            assert_eq!(List::copy::<Vec<u32>>(list), *vector);
        }
    }
}

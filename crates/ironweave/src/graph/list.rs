//! Lists of links, at an end of an edge that can hold many.
//!
//! In the live store each is a vector. In a snapshot they are in pages, which are copied. There a list of up to 15 is in
//! the page itself, has the size of a cache line, and needs no allocation or reference count.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use crate::graph::storage::own;

/// Slots in an order that their changes determine.
pub trait List: DerefMut<Target = [u32]> + Default + Clone + Send + Sync + 'static {
    /// Adds one at the end.
    fn add(&mut self, slot: u32);
    /// Removes the last one.
    fn take_last(&mut self) -> Option<u32>;

    /// A copy in another storage.
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

/// The greatest length of a list that is in the page.
const SHORT: usize = 15;
/// The length at which a long list becomes short again. It is less than [`SHORT`], so that a list does not change its form
/// all the time.
const SHORTENED: usize = 10;

/// A list in a page.
#[derive(Clone)]
pub enum PageList {
    Short(u8, [u32; SHORT]),
    /// Copied when a table changes a list that it shares with another.
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
                // Across the greatest length of a short list, in both directions.
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

//! The lists of the live store: up to 15 links are in a cache line, longer lists are vectors.
//!
//! The far ends of a short list need not know their positions in it: a position is found by comparing the whole line, which
//! takes less time than to write the new position of the link that a removal moves, at an end that is elsewhere in memory.

use crate::graph::list::{LinkSlots, List, SHORT, SHORTENED};

/// A list, which is as large as a cache line and begins where one begins.
#[derive(Clone)]
#[repr(align(64))]
pub enum LineList {
    Short(u8, [u32; SHORT]),
    Long(Vec<u32>),
}

impl Default for LineList {
    fn default() -> Self {
        Self::Short(0, [0; SHORT])
    }
}

impl LineList {
    /// Makes a short list, which is full, a long one.
    #[cold]
    fn lengthen(&mut self, slot: u32) {
        let mut long = Vec::with_capacity(2 * SHORT);
        long.extend_from_slice(self.members());
        long.push(slot);
        *self = Self::Long(long);
    }

    /// Makes a long list a short one, if it is short enough.
    #[cold]
    fn shorten(&mut self) {
        let mut slots = [0; SHORT];
        let members = self.members();
        if let Some(first) = slots.get_mut(..members.len()) {
            first.copy_from_slice(members);
            *self = Self::Short(members.len() as u8, slots);
        }
    }

    #[inline(always)]
    fn members(&self) -> &[u32] {
        match self {
            Self::Short(len, slots) => slots.get(..usize::from(*len)).unwrap_or(slots),
            Self::Long(slots) => slots,
        }
    }
}

impl List for LineList {
    #[inline(always)]
    fn slots(&self) -> LinkSlots<'_> {
        LinkSlots::Slice(self.members())
    }

    #[inline(always)]
    fn len(&self) -> usize {
        match self {
            Self::Short(len, _) => usize::from(*len),
            Self::Long(slots) => slots.len(),
        }
    }

    #[inline(always)]
    fn get_mut(&mut self, position: usize) -> Option<&mut u32> {
        match self {
            Self::Short(len, slots) if position < usize::from(*len) => slots.get_mut(position),
            Self::Short(..) => None,
            Self::Long(slots) => slots.get_mut(position),
        }
    }

    #[inline(always)]
    fn add(&mut self, slot: u32) -> bool {
        match self {
            Self::Short(len, slots) => {
                if let Some(next) = slots.get_mut(usize::from(*len)) {
                    *next = slot;
                    *len += 1;
                    return false;
                }
                self.lengthen(slot);
                true
            }
            Self::Long(slots) => {
                slots.push(slot);
                false
            }
        }
    }

    #[inline(always)]
    fn take_last(&mut self) -> Option<u32> {
        match self {
            Self::Short(len, slots) => {
                *len = len.checked_sub(1)?;
                slots.get(usize::from(*len)).copied()
            }
            Self::Long(slots) => {
                let last = slots.pop();
                if slots.len() <= SHORTENED {
                    self.shorten();
                }
                last
            }
        }
    }

    #[inline(always)]
    fn swap_remove(&mut self, position: u32) -> Option<u32> {
        let at = position as usize;
        match self {
            Self::Short(len, slots) => {
                let end = len.checked_sub(1)?;
                let last = *slots.get(usize::from(end))?;
                *slots.get_mut(at)? = last;
                *len = end;
                (at < usize::from(end)).then_some(last)
            }
            Self::Long(slots) => {
                let last = slots.pop()?;
                let moved = slots.get_mut(at).map(|hole| {
                    *hole = last;
                    last
                });
                if slots.len() <= SHORTENED {
                    self.shorten();
                }
                moved
            }
        }
    }

    #[inline(always)]
    fn has_noted_positions(&self) -> bool {
        matches!(self, Self::Long(_))
    }

    #[inline(always)]
    fn position(&self, slot: u32, noted: u32) -> u32 {
        match self {
            Self::Short(_, slots) => {
                // Without a branch. What is behind the last member is not found, since members are unique and before it.
                let mut found = 0u32;
                for (i, member) in slots.iter().enumerate() {
                    found |= u32::from(*member == slot) << i;
                }
                found.trailing_zeros()
            }
            Self::Long(_) => noted,
        }
    }
}

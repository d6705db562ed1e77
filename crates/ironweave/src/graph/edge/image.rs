//! The links of an edge in an image: the lists of each end that holds lists, in order.

use super::{Edge, NONE};
use crate::base::hash::link_term;
use crate::base::id::Id;
use crate::base::image::{ImageError, ImageSink, ImageSource, Numbers};
use crate::graph::storage::Storage;

/// Links that were read and are not checked, by the declaring end and the other one. An end without lists has none.
#[derive(Default)]
pub(in crate::graph) struct ReadLinks {
    /// For each entity, how many links its list has.
    counts: [Vec<u32>; 2],
    /// The far ends of these lists, one list after the other.
    far: [Vec<u32>; 2],
}

impl<S: Storage> Edge<S> {
    /// Writes the links and their data. `slots` are the numbers of slots of the declaring end and the other one.
    pub(in crate::graph) fn write_links(
        &self,
        slots: [u32; 2],
        to: &mut dyn ImageSink,
    ) -> Result<(), ImageError> {
        for &end in self.ends_with_lists() {
            let slots = slots[usize::from(!end)];
            for slot in 0..slots {
                to.put(&(self.held(end, slot).len() as u32).to_le_bytes())?;
            }
            for slot in 0..slots {
                for far in self.held(end, slot) {
                    to.put(&far.to_le_bytes())?;
                }
            }
        }
        let Some(data) = &self.data else {
            return Ok(());
        };
        let links = (0..slots[0]).flat_map(|from| {
            let far = self.held(true, from).iter();
            far.map(move |to| (from, *to))
        });
        let mut rows = links.map(|(from, to)| data.row(from, to));
        data.column().write_cells(&mut rows, to)
    }

    /// Reads the links of the edge, which [`put_links`](Edge::put_links) checks. `slots` are those of [`write_links`](Edge::write_links).
    pub(in crate::graph) fn read_links(
        &self,
        slots: [u32; 2],
        from: &mut dyn ImageSource,
    ) -> Result<ReadLinks, ImageError> {
        let mut read = ReadLinks::default();
        for &end in self.ends_with_lists() {
            let side = usize::from(!end);
            read.counts[side] = Numbers::of(from, slots[side].into())?.rest()?;
            let total = read.counts[side].iter().map(|count| u64::from(*count));
            read.far[side] = Numbers::of(from, total.sum())?.rest()?;
        }
        Ok(read)
    }

    /// Puts links that were read into an edge that has none, and returns the sum of their terms in the fingerprint. Their data is read
    /// afterwards. `id` gives the id of the entity at a slot of the declaring end (`true`) or the other one, if there is one.
    pub(in crate::graph) fn put_links(
        &mut self,
        slots: [u32; 2],
        id: impl Fn(bool, u32) -> Option<Id>,
        salt: u64,
        read: ReadLinks,
    ) -> Result<u128, ImageError> {
        let ends = self.ends_with_lists();
        let (mut totals, mut sums) = ([0; 2], [0u128; 2]);
        let ReadLinks { counts, far } = read;
        for &end in ends {
            let side = usize::from(!end);
            let far_slots = slots[1 - side];
            // If both ends hold lists, the last entity that had each one in its list, so that no link is there twice.
            let mut last_with = vec![
                NONE;
                if ends.len() == 2 {
                    far_slots as usize
                } else {
                    0
                }
            ];
            totals[side] = far[side].len();
            let mut all = far[side].iter();
            let counts = (0..slots[side]).zip(&counts[side]);
            for (slot, &count) in counts.filter(|(_, count)| **count > 0) {
                let Some(near) = id(end, slot) else {
                    let what = "an entity that does not exist has links";
                    return Err(invalid(end, slot, what));
                };
                for (at, &far_slot) in (0..count).zip(all.by_ref().take(count as usize)) {
                    let Some(far) = id(!end, far_slot) else {
                        let what = "it is linked and does not exist";
                        return Err(invalid(!end, far_slot, what));
                    };
                    let last = last_with.get_mut(far_slot as usize);
                    let is_second = last.is_some_and(|last| std::mem::replace(last, slot) == slot);
                    if is_second || !self.put_in_list(end, slot, far_slot, at) {
                        return Err(invalid(end, slot, "it has a link that cannot be"));
                    }
                    let (a, b) = if end { (near, far) } else { (far, near) };
                    sums[side] = sums[side].wrapping_add(link_term(salt, a, b));
                }
            }
        }
        if ends.len() == 2 {
            if totals[0] != totals[1] {
                let what = "its ends have different numbers of links";
                return Err(ImageError::content(what));
            }
            // As it is with the fingerprint, other links have another sum.
            if sums[0] != sums[1] {
                return Err(ImageError::content("its ends have different links"));
            }
            self.forget_positions();
        }
        Ok(match ends {
            [false] => sums[1],
            _ => sums[0],
        })
    }

    /// Makes the order of an `acyclic` edge, whose declaring end has so many slots, one that is computed when it is needed.
    pub(in crate::graph) fn forget_order(&mut self, slots: usize) {
        if let Some(sorted) = &mut self.sorted {
            **sorted = crate::graph::acyclic::Sorted::stale(slots);
        }
    }
}

fn invalid(end: bool, slot: u32, what: &str) -> ImageError {
    let end = if end { "declaring" } else { "inverse" };
    ImageError::content(format_args!("slot {slot} of the {end} end: {what}"))
}

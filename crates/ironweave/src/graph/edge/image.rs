//! The links of an edge in an image: the lists of each end that holds lists, in order.

use super::Edge;
use crate::base::image::{ImageError, ImageSink, ImageSource, must_have, take_u32};
use crate::graph::storage::Storage;

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

    /// Reads the links into an edge that has none. Their data is read afterwards. `exists` says whether there is an entity at a
    /// slot of the declaring end (`true`) or the other one.
    pub(in crate::graph) fn read_links(
        &mut self,
        slots: [u32; 2],
        exists: &dyn Fn(bool, u32) -> bool,
        from: &mut dyn ImageSource,
    ) -> Result<(), ImageError> {
        let mut totals = [0u64; 2];
        for &end in self.ends_with_lists() {
            let slots = slots[usize::from(!end)];
            must_have(from, slots.into(), 4)?;
            let counts = (0..slots).map(|_| take_u32(from));
            let counts: Vec<u32> = counts.collect::<Result<_, _>>()?;
            for (slot, count) in (0..slots).zip(counts) {
                if count == 0 {
                    continue;
                }
                must_have(from, count.into(), 4)?;
                if !exists(end, slot) {
                    return Err(invalid(
                        end,
                        slot,
                        "an entity that does not exist has links",
                    ));
                }
                totals[usize::from(!end)] += u64::from(count);
                for at in 0..count {
                    let far = take_u32(from)?;
                    if !exists(!end, far) {
                        return Err(invalid(!end, far, "it is linked and does not exist"));
                    }
                    if !self.put(end, slot, far, at) {
                        return Err(invalid(end, slot, "it has a link that cannot be"));
                    }
                }
            }
        }
        if self.ends_with_lists().len() == 2 && totals[0] != totals[1] {
            return Err(ImageError::content(
                "its ends have different numbers of links",
            ));
        }
        Ok(())
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

//! The links of an edge in an image: the lists of each end that holds lists, in order.

use super::fan::Only;
use super::{Edge, Links, NONE, Positions, pair};
use crate::base::image::{ImageError, ImageSink, ImageSource, must_have, take_u32};
use crate::graph::list::List as _;
use crate::graph::storage::{Map as _, Storage, Table as _};

impl<S: Storage> Edge<S> {
    /// The ends whose lists are in an image: those that hold lists, or the declaring one if neither does.
    fn ends_in_image(&self) -> &'static [bool] {
        match &self.links {
            Links::Ones { .. } | Links::Fan { forward: true, .. } => &[true],
            Links::Fan { forward: false, .. } => &[false],
            Links::Pairs { .. } => &[true, false],
        }
    }

    /// Writes the links and their data. `slots` are the numbers of slots of the declaring end and the other one.
    pub(in crate::graph) fn write_links(
        &self,
        slots: [u32; 2],
        to: &mut dyn ImageSink,
    ) -> Result<(), ImageError> {
        for &end in self.ends_in_image() {
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
        for &end in self.ends_in_image() {
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
                    if !self.read_link(end, slot, far, at) {
                        return Err(invalid(end, slot, "it has a link that cannot be"));
                    }
                }
            }
        }
        if self.ends_in_image().len() == 2 && totals[0] != totals[1] {
            return Err(ImageError::content(
                "its ends have different numbers of links",
            ));
        }
        Ok(())
    }

    /// Adds the link at position `at` of a list. Returns whether it may be there.
    fn read_link(&mut self, end: bool, slot: u32, far: u32, at: u32) -> bool {
        let (from, to) = if end { (slot, far) } else { (far, slot) };
        match &mut self.links {
            Links::Ones { from: a, to: b } => {
                let (a, b) = (a.at_mut(from as usize), b.at_mut(to as usize));
                if *a != NONE || *b != NONE {
                    return false;
                }
                (*a, *b) = (to, from);
            }
            Links::Fan { lists, ones, .. } => {
                let one = ones.at_mut(far as usize);
                if one.far != NONE {
                    return false;
                }
                *one = Only { far: slot, at };
                // The position is noted for a list of either form.
                lists.at_mut(slot as usize).add(far);
            }
            Links::Pairs {
                from: lists,
                positions,
                ..
            } if end => {
                if positions.at(pair(from, to)).is_some() {
                    return false;
                }
                let there = Positions { from: at, to: NONE };
                positions.put(pair(from, to), there);
                lists.at_mut(slot as usize).add(far);
            }
            Links::Pairs {
                to: lists,
                positions,
                ..
            } => {
                match positions.at_mut(pair(from, to)) {
                    Some(there) if there.to == NONE => there.to = at,
                    _ => return false,
                }
                lists.at_mut(slot as usize).add(far);
                return true;
            }
        }
        if let Some(data) = &mut self.data {
            data.link(from, to);
        }
        true
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

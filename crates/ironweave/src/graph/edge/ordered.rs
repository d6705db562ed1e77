//! Adding links in the order that they have in another graph or in an image.

use super::fan::Only;
use super::{Edge, Links, NONE, Positions, ordered, pair};
use crate::graph::list::List as _;
use crate::graph::storage::{Map as _, Storage, Table as _};

impl<S: Storage> Edge<S> {
    /// The ends at which links are added: those that hold lists, or the declaring one if neither does.
    pub(in crate::graph) fn ends_with_lists(&self) -> &'static [bool] {
        match &self.links {
            Links::Ones { .. } | Links::Fan { forward: true, .. } => &[true],
            Links::Fan { forward: false, .. } => &[false],
            Links::Pairs { .. } => &[true, false],
        }
    }

    /// Adds a link to the list of the entity at a slot of an end that holds lists, at the position `at`, which is the next one.
    /// Returns whether it may be there. If both ends hold lists, each link is added at the declaring end first.
    pub(super) fn put(&mut self, end: bool, slot: u32, far: u32, at: u32) -> bool {
        let (from, to) = ordered(end, slot, far);
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
}

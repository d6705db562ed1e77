//! Adding links in the order that they have in another graph or in an image.

use super::fan::{FREE, Only};
use super::{Edge, Links, NONE, Positions, ordered, pair};
use crate::graph::list::List as _;
use crate::graph::storage::{Map as _, Storage, Table as _};

impl<S: Storage> Edge<S> {
    /// Makes room for so many entities at an end that has none, and no links.
    pub(in crate::graph) fn make_room(&mut self, end: bool, slots: usize) {
        match &mut self.links {
            Links::Ones { from, to } => if end { from } else { to }.fill(slots, NONE),
            Links::Fan {
                forward,
                lists,
                ones,
            } => {
                if end == *forward {
                    lists.make_room(slots);
                } else {
                    ones.fill(slots, FREE);
                }
            }
            Links::Pairs { from, to, .. } => if end { from } else { to }.make_room(slots),
        }
        if let Some(data) = &mut self.data {
            (0..slots).for_each(|_| data.grow(end));
        }
        if end {
            self.forget_order(slots);
        }
    }

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
                to: others,
                positions,
            } if end => {
                let positions = positions.table::<S>(lists, others);
                if positions.at(pair(from, to)).is_some() {
                    return false;
                }
                let there = Positions { from: at, to: NONE };
                positions.put(pair(from, to), there);
                lists.at_mut(slot as usize).add(far);
            }
            Links::Pairs {
                from: others,
                to: lists,
                positions,
            } => {
                let positions = positions.table::<S>(others, lists);
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

    /// As [`put`](Edge::put), without the positions, which are [forgotten](Edge::forget_positions) afterwards. If both ends hold lists, the
    /// caller has seen that the two are not linked yet.
    pub(super) fn put_in_list(&mut self, end: bool, slot: u32, far: u32, at: u32) -> bool {
        let Links::Pairs { from, to, .. } = &mut self.links else {
            return self.put(end, slot, far, at);
        };
        let lists = if end { from } else { to };
        lists.at_mut(slot as usize).add(far);
        if let Some(data) = self.data.as_mut().filter(|_| end) {
            data.link(slot, far);
        }
        true
    }

    /// Makes the positions of links, if they are in a table, those in the lists.
    pub(super) fn forget_positions(&mut self) {
        if let Links::Pairs { positions, .. } = &mut self.links {
            positions.forget();
        }
        if !S::PLACES_LATER {
            self.place();
        }
    }

    /// Computes the positions of links that are unknown, so that no later change does. O(links), or O(1) if they are known.
    pub(in crate::graph) fn place(&mut self) {
        if let Links::Pairs {
            from,
            to,
            positions,
        } = &mut self.links
        {
            positions.table::<S>(from, to);
        }
    }
}

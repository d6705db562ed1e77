//! Taking over the links of an edge into one whose ends may hold more or fewer.

use std::collections::HashSet;

use super::fan::{attach, join};
use super::{Edge, Links, NONE, Positions, ordered, pair};
use crate::graph::storage::{Map as _, Storage, Table as _};

impl<S: Storage> Edge<S> {
    /// Links what is linked in another edge. This edge has no links and room for these numbers of `slots` at its ends, as the
    /// other edge. The lists have the order that they have there. An end that holds one (`ones`) keeps the first link that it
    /// has in the order of slots and lists of the declaring end.
    pub(in crate::graph) fn take_links(&mut self, was: &Self, slots: [u32; 2], ones: [bool; 2]) {
        let is_taken = |from: u32, to: u32, taken: &HashSet<u64>| {
            taken.is_empty() || taken.contains(&pair(from, to))
        };
        let taken = was.first_links(slots, ones);
        match &mut self.links {
            Links::Ones { from: a, to: b } => {
                for from in 0..slots[0] {
                    for &to in was.held(true, from) {
                        if is_taken(from, to, &taken) {
                            *a.at_mut(from as usize) = to;
                            *b.at_mut(to as usize) = from;
                        }
                    }
                }
            }
            Links::Fan {
                forward,
                lists,
                ones,
            } => {
                for holder in 0..slots[usize::from(!*forward)] {
                    for &held in was.held(*forward, holder) {
                        let (from, to) = ordered(*forward, holder, held);
                        if is_taken(from, to, &taken) {
                            join::<S>(lists.at_mut(holder as usize), ones, holder, held);
                        }
                    }
                }
            }
            Links::Pairs {
                from: a,
                to: b,
                positions,
            } => {
                for from in 0..slots[0] {
                    for &to in was.held(true, from) {
                        let at = Positions {
                            from: attach(a.at_mut(from as usize), to),
                            to: NONE,
                        };
                        positions.put(pair(from, to), at);
                    }
                }
                for to in 0..slots[1] {
                    for &from in was.held(false, to) {
                        let at = attach(b.at_mut(to as usize), from);
                        if let Some(positions) = positions.at_mut(pair(from, to)) {
                            positions.to = at;
                        }
                    }
                }
            }
        }
        if let Some(data) = &mut self.data {
            for from in 0..slots[0] {
                for &to in was.held(true, from) {
                    if is_taken(from, to, &taken) {
                        data.link(from, to);
                    }
                }
            }
        }
    }

    /// The links that ends have room for which hold one. Empty if these are all links.
    fn first_links(&self, slots: [u32; 2], ones: [bool; 2]) -> HashSet<u64> {
        let (mut first, mut left) = (HashSet::new(), false);
        let mut ends = [HashSet::new(), HashSet::new()];
        for from in 0..slots[0] {
            for &to in self.held(true, from) {
                let has_room =
                    !(ones[0] && ends[0].contains(&from) || ones[1] && ends[1].contains(&to));
                if has_room {
                    ends[0].insert(from);
                    ends[1].insert(to);
                    first.insert(pair(from, to));
                }
                left |= !has_room;
            }
        }
        if left { first } else { HashSet::new() }
    }
}

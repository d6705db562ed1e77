//! Taking over the links of an edge into one whose ends may hold more or fewer.

use std::collections::HashSet;

use super::{Edge, ordered, pair};
use crate::graph::storage::Storage;

impl<S: Storage> Edge<S> {
    /// Links what is linked in another edge. This edge has no links and room for these numbers of `slots` at its ends, as the
    /// other edge. The lists have the order that they have there. An end that holds one (`ones`) keeps the first link that it
    /// has in the order of slots and lists of the declaring end.
    pub(in crate::graph) fn take_links(&mut self, was: &Self, slots: [u32; 2], ones: [bool; 2]) {
        let taken = was.first_links(slots, ones);
        for &end in self.ends_with_lists() {
            for slot in 0..slots[usize::from(!end)] {
                let far = was.held(end, slot).iter().copied();
                let kept = far.filter(|far| {
                    let (from, to) = ordered(end, slot, *far);
                    taken.is_empty() || taken.contains(&pair(from, to))
                });
                for (at, far) in (0..).zip(kept) {
                    let is_put = self.put(end, slot, far, at);
                    debug_assert!(is_put, "a link is in the lists of both ends once");
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

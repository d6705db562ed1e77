//! `acyclic` edges: they never lead from an entity back to itself.
//!
//! The live store keeps, for each such edge, its entities in a topological order, in which each link leads forward
//! ([`Sorted`]). A link that leads forward closes no cycle. For one that leads backward, only entities between its two ends
//! can be on a cycle. They are searched from both ends in turn, link by link. If one of the searches ends without having met
//! the other, there is no cycle, and what it has seen is moved past the end where the other began. So the cost is that of the
//! smaller side between the two ends, however large the graph is (two-way search with a dynamic ordered list, as in Haeupler,
//! Kavitha, Mathew, Sen, Tarjan: Incremental Cycle Detection, Topological Ordering, and Strong Component Maintenance, 2012).
//!
//! Any topological order is as good as another, so nothing of it is journaled, and it stays as it is if links are removed or
//! undone. But a removed link that a rollback restores may lead backward by then, and so may a link of a replay. Such links are
//! noted, and placed before the next link is checked.
//!
//! Snapshots do not keep an order. An event that is tried on one searches without it ([`Graph::way_back`]), and so does a
//! store whose log already has a cycle, from a time at which the edge was not `acyclic`.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use crate::base::hash::FastMap;
use crate::graph::Graph;
use crate::graph::order::Order;
use crate::graph::storage::Storage;
use crate::schema::{EdgeIx, Hop};

/// The topological order of an edge, in which the entities that are linked are.
///
/// A link leads forward, or it is in `unplaced`, or `is_stale`.
#[derive(Clone)]
pub(super) struct Sorted {
    order: Order,
    /// Links that were added and may not lead forward. They may not exist any more.
    unplaced: Vec<(u32, u32)>,
    /// Whether the links have to be sorted again, because there are too many unplaced ones.
    is_stale: bool,
}

impl Sorted {
    /// The order of an edge whose links have not been sorted, of a type that has this number of slots.
    pub(super) fn stale(slots: usize) -> Self {
        Self {
            order: Order::new(&[], slots),
            unplaced: Vec::new(),
            is_stale: slots > 0,
        }
    }

    pub(super) fn grow(&mut self) {
        self.order.grow();
    }

    /// Removes the last slot, whose entity has no links any more.
    pub(super) fn shrink(&mut self) {
        self.order.shrink();
        // A link that was removed and undone is noted twice, and only one of the notes is undone with it.
        let slots = self.order.len();
        self.unplaced
            .retain(|(from, to)| from.max(to) < &(slots as u32));
    }

    /// How many slots the type has.
    pub(super) fn slots(&self) -> usize {
        self.order.len()
    }

    fn leads_forward(&self, from: u32, to: u32) -> bool {
        let label = self.order.label(from);
        label != 0 && label < self.order.label(to)
    }

    /// Notes that a link was added.
    pub(super) fn added(&mut self, from: u32, to: u32) {
        if self.is_stale || self.leads_forward(from, to) {
            return;
        }
        // To place one after the other would cost more than to sort them all.
        if self.unplaced.len() > self.order.len() {
            self.is_stale = true;
            self.unplaced = Vec::new();
        } else {
            self.unplaced.push((from, to));
        }
    }

    /// Notes that the addition of a link was undone.
    pub(super) fn undone(&mut self, from: u32, to: u32) {
        if self.unplaced.last() == Some(&(from, to)) {
            self.unplaced.pop();
        }
    }
}

/// One side of a search between the ends of a link that leads backward.
struct Side {
    forward: bool,
    seen: FastMap<u32, ()>,
    /// What was seen, in this order. The links of those before `next` were followed.
    queue: Vec<u32>,
    next: usize,
    /// How many links of the next one were followed.
    links: usize,
}

/// What following one link leads to.
enum Step {
    On,
    /// Something that the other side has seen.
    Met,
    /// There was no link to follow.
    End,
}

impl Side {
    fn new(forward: bool, start: u32) -> Self {
        Self {
            forward,
            seen: FastMap::from_iter([(start, ())]),
            queue: vec![start],
            next: 0,
            links: 0,
        }
    }

    /// Follows one link that leads forward in the order, to where its label is within bounds.
    fn step<S: Storage>(
        &mut self,
        graph: &Graph<S>,
        (edge, order): (EdgeIx, &Order),
        (low, high): (u64, u64),
        other: &Self,
    ) -> Step {
        let edge = &graph.edges[usize::from(edge)];
        loop {
            let Some(&slot) = self.queue.get(self.next) else {
                return Step::End;
            };
            if self.links == edge.degree(self.forward, slot) {
                (self.next, self.links) = (self.next + 1, 0);
                continue;
            }
            let far = edge.member(self.forward, slot, self.links);
            self.links += 1;
            let (here, there) = (order.label(slot), order.label(far));
            // A link that leads backward is unplaced, and is looked at when it is placed.
            let (is_forward, is_within) = if self.forward {
                (here < there, there <= high)
            } else {
                (there < here, there >= low)
            };
            if !is_forward || !is_within {
                return Step::On;
            }
            if other.seen.contains_key(&far) {
                return Step::Met;
            }
            if self.seen.insert(far, ()).is_none() {
                self.queue.push(far);
            }
            return Step::On;
        }
    }
}

impl<S: Storage> Graph<S> {
    /// Returns whether links that were added to an edge may close a cycle. If they do not, all links lead forward in its order.
    /// If the edge has no order, the result is `true`.
    ///
    /// O(1) for a link that leads forward in the order, or whose entity had no links. O(n log n) for another, if the smaller
    /// side has n entities and links between its ends.
    pub(crate) fn may_have_cycle(&mut self, edge: EdgeIx) -> bool {
        let ix = usize::from(edge);
        match &self.edges[ix].sorted {
            None => return true,
            Some(sorted) if sorted.is_stale => {
                let sorted = self.sorted_links(edge);
                let has_cycle = sorted.is_none();
                // If there is a cycle, the rollback of this event will remove its links.
                if sorted.is_some() {
                    self.edges[ix].sorted = sorted;
                }
                return has_cycle;
            }
            Some(sorted) if sorted.unplaced.is_empty() => return false,
            Some(_) => {}
        }
        let Some(mut sorted) = self.edges[ix].sorted.take() else {
            return true;
        };
        let Sorted {
            order, unplaced, ..
        } = &mut *sorted;
        let placed = unplaced.iter().position(|&(from, to)| {
            self.edges[ix].linked(from, to) && !self.place(edge, order, from, to)
        });
        unplaced.drain(..placed.unwrap_or(unplaced.len()));
        self.edges[ix].sorted = Some(sorted);
        placed.is_some()
    }

    /// Changes an order so that a link leads forward. `false` if it closes a cycle with links that do.
    fn place(&self, edge: EdgeIx, order: &mut Order, from: u32, to: u32) -> bool {
        if from == to {
            return false;
        }
        let (low, high) = (order.label(to), order.label(from));
        match (low, high) {
            (0, 0) => {
                order.push(from);
                order.push(to);
            }
            // An entity that is not in the order yet has no other placed link, so it can be put at an end.
            (0, _) => order.push(to),
            (_, 0) => order.push_first(from),
            _ if high < low => {}
            _ => return self.make_way(edge, order, (from, to), (low, high)),
        }
        true
    }

    /// Moves one of the ends of a link that leads backward, and what is linked with it, past the other end.
    fn make_way(
        &self,
        edge: EdgeIx,
        order: &mut Order,
        (from, to): (u32, u32),
        within: (u64, u64),
    ) -> bool {
        let mut ahead = Side::new(true, to);
        let mut behind = Side::new(false, from);
        loop {
            match ahead.step(self, (edge, order), within, &behind) {
                Step::On => {}
                Step::Met => return false,
                Step::End => {
                    ahead.queue.sort_unstable_by_key(|slot| order.label(*slot));
                    let mut at = from;
                    for (i, slot) in ahead.queue.iter().enumerate() {
                        order.remove(*slot);
                        order.insert_after(at, *slot, ahead.queue.len() - i);
                        at = *slot;
                    }
                    return true;
                }
            }
            match behind.step(self, (edge, order), within, &ahead) {
                Step::On => {}
                Step::Met => return false,
                Step::End => {
                    behind.queue.sort_unstable_by_key(|slot| order.label(*slot));
                    let mut at = to;
                    for (i, slot) in behind.queue.iter().enumerate().rev() {
                        order.remove(*slot);
                        order.insert_before(at, *slot, i);
                        at = *slot;
                    }
                    return true;
                }
            }
        }
    }

    /// Sorts the links of all acyclic edges on which some are not placed; O(entities and links of these edges). Called when a
    /// log has been replayed. An edge whose links have a cycle has no order from then on.
    pub(crate) fn sort_acyclic_edges(&mut self) {
        for edge in EdgeIx::all(self.edges.len()) {
            let sorted = self.edges[usize::from(edge)].sorted.as_ref();
            if sorted.is_some_and(|s| s.is_stale || !s.unplaced.is_empty()) {
                self.edges[usize::from(edge)].sorted = self.sorted_links(edge);
            }
        }
    }

    /// The order of an edge, from its links; `None` if these have a cycle.
    fn sorted_links(&self, edge: EdgeIx) -> Option<Box<Sorted>> {
        let slots = self.slots(self.layout.edges[usize::from(edge)].from.entity);
        let order = self.in_order(edge, slots).ok()?;
        Some(Box::new(Sorted {
            order: Order::new(&order, slots as usize),
            unplaced: Vec::new(),
            is_stale: false,
        }))
    }

    /// Whether each link leads forward in the order of its edge, if it has one, or is known not to; for `check`.
    pub(super) fn is_sorted(&self, edge: EdgeIx) -> bool {
        let Some(sorted) = &self.edges[usize::from(edge)].sorted else {
            return true;
        };
        let slots = self.slots(self.layout.edges[usize::from(edge)].from.entity);
        if sorted.slots() != slots as usize || !sorted.order.is_sound() {
            return false;
        }
        let unplaced: HashSet<(u32, u32)> = sorted.unplaced.iter().copied().collect();
        let hop = Hop {
            edge,
            forward: true,
        };
        sorted.is_stale
            || (0..slots).all(|from| {
                (self.links(hop, from).iter())
                    .all(|to| sorted.leads_forward(from, *to) || unplaced.contains(&(from, *to)))
            })
    }

    /// The linked entities of an edge in an order in which each link leads forward; an error is an entity on a cycle.
    /// O(entities and links).
    fn in_order(&self, edge: EdgeIx, slots: u32) -> Result<Vec<u32>, u32> {
        // Entities without a predecessor are removed until none is left (Kahn 1962).
        let [forward, backward] = [true, false].map(|forward| Hop { edge, forward });
        let mut before: Vec<usize> = (0..slots).map(|s| self.degree(backward, s)).collect();
        let is_first = |s: &u32| before[*s as usize] == 0 && self.degree(forward, *s) > 0;
        let mut order: Vec<u32> = (0..slots).filter(is_first).collect();
        let mut next = 0;
        while let Some(&slot) = order.get(next) {
            next += 1;
            for &to in self.links(forward, slot) {
                before[to as usize] -= 1;
                if before[to as usize] == 0 {
                    order.push(to);
                }
            }
        }
        let Some(mut slot) = (0..slots).find(|s| before[*s as usize] > 0) else {
            return Ok(order);
        };
        // Each entity that is left has a predecessor that is left, so the way back through them ends on a cycle.
        let mut seen = HashSet::new();
        while seen.insert(slot) {
            let mut left = self.links(backward, slot).iter();
            match left.find(|from| before[**from as usize] > 0) {
                Some(from) => slot = *from,
                None => break,
            }
        }
        Err(slot)
    }

    /// An entity that is on a cycle of an edge; O(entities and links).
    pub(crate) fn any_cycle(&self, edge: EdgeIx, slots: u32) -> Option<u32> {
        self.in_order(edge, slots).err()
    }

    /// A path from `to` back to `from` over an edge from a type to itself, if there is one: with the link from `from` to
    /// `to` it is a cycle.
    ///
    /// The search alternates between both directions, forward from `to` and backward from `from`. As soon as one side has
    /// seen everything that it can reach, there is no path. So the cost is that of the smaller side, however large the
    /// other is.
    pub(crate) fn way_back(&self, edge: EdgeIx, from: u32, to: u32) -> Option<Vec<u32>> {
        if from == to {
            return Some(vec![from]);
        }
        let mut ahead = Search::new(to);
        let mut behind = Search::new(from);
        loop {
            for forward in [true, false] {
                let hop = Hop { edge, forward };
                let (this, that) = if forward {
                    (&mut ahead, &behind)
                } else {
                    (&mut behind, &ahead)
                };
                let slot = *this.queue.get(this.next)?;
                let links = self.links(hop, slot);
                if let Some(met) = links.iter().find(|s| that.came.contains_key(s)) {
                    // The path from `to`, over `slot` and `met`, to `from`.
                    let mut near = this.way(slot);
                    let mut far = that.way(*met);
                    if forward {
                        near.reverse();
                        near.append(&mut far);
                        return Some(near);
                    }
                    far.reverse();
                    far.append(&mut near);
                    return Some(far);
                }
                this.next += 1;
                for &link in links {
                    if let Entry::Vacant(entry) = this.came.entry(link) {
                        entry.insert(slot);
                        this.queue.push(link);
                    }
                }
            }
        }
    }
}

/// One side of a two-way search: what it has seen, from where, and what it has yet to visit.
struct Search {
    came: HashMap<u32, u32>,
    queue: Vec<u32>,
    next: usize,
}

impl Search {
    fn new(start: u32) -> Self {
        Self {
            came: HashMap::from([(start, start)]),
            queue: vec![start],
            next: 0,
        }
    }

    /// The path from an entity back to where the search began.
    fn way(&self, mut slot: u32) -> Vec<u32> {
        let mut way = vec![slot];
        while self.came[&slot] != slot {
            slot = self.came[&slot];
            way.push(slot);
        }
        way
    }
}

#[cfg(test)]
mod tests;

//! A total order of slots in which two are compared in O(1), and into which one is inserted beside another in amortized
//! O(log n).
//!
//! Each slot has a label, and labels increase along the order, which is a linked list. Where there is no label left between
//! two neighbours, the labels around them are spread evenly: those of the smallest range of a power of two that is sparse
//! enough (Bender, Cole, Demaine, Farach-Colton, Zito: Two Simplified Algorithms for Maintaining Order in a List, 2002).

use crate::graph::edge::NONE;
use crate::graph::storage::touched;

/// How far a new label is from that of its neighbour if there is room. There is room for 2^32 of these on either side of the
/// first label.
const STEP: u64 = 1 << 31;

/// The label of the first slot of an order.
const MIDDLE: u64 = 1 << 63;

#[derive(Clone, Copy)]
struct Node {
    /// 0 if the slot is not in the order.
    label: u64,
    before: u32,
    after: u32,
}

const ABSENT: Node = Node {
    label: 0,
    before: NONE,
    after: NONE,
};

/// An order of some of the slots of a type; 16 bytes for each slot of the type.
#[derive(Clone)]
pub(super) struct Order {
    nodes: Vec<Node>,
    first: u32,
    last: u32,
}

impl Order {
    /// An order of these slots, out of this number.
    pub(super) fn new(slots: &[u32], len: usize) -> Self {
        let mut order = Self {
            nodes: vec![ABSENT; len],
            first: NONE,
            last: NONE,
        };
        slots.iter().for_each(|slot| order.push(*slot));
        order
    }

    /// Makes room for one more slot, which is not in the order.
    pub(super) fn grow(&mut self) {
        self.nodes.push(ABSENT);
    }

    /// Forgets the last slot there is room for.
    pub(super) fn shrink(&mut self) {
        if let Some(slot) = self.nodes.len().checked_sub(1) {
            self.remove(slot as u32);
            self.nodes.pop();
        }
    }

    /// How many slots there is room for.
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The label of a slot, which is greater than those of all slots before it; 0 if the slot is not in the order.
    #[inline]
    pub(super) fn label(&self, slot: u32) -> u64 {
        self.at(slot).label
    }

    /// Adds a slot that is not in the order at its end.
    pub(super) fn push(&mut self, slot: u32) {
        if self.last == NONE {
            self.at_mut(slot).label = MIDDLE;
            (self.first, self.last) = (slot, slot);
        } else {
            self.insert_after(self.last, slot, 0);
        }
    }

    /// Adds a slot that is not in the order at its beginning.
    pub(super) fn push_first(&mut self, slot: u32) {
        if self.first == NONE {
            self.push(slot);
        } else {
            self.insert_before(self.first, slot, 0);
        }
    }

    /// Inserts a slot that is not in the order after one that is. This number will be inserted after it.
    pub(super) fn insert_after(&mut self, at: u32, slot: u32, more: usize) {
        if self.room_after(at) < 2 {
            self.make_room(at);
        }
        let step = (self.room_after(at) / (more as u64 + 2)).clamp(1, STEP);
        let Node { label, after, .. } = *self.at(at);
        *self.at_mut(slot) = Node {
            label: label + step,
            before: at,
            after,
        };
        self.at_mut(at).after = slot;
        match after {
            NONE => self.last = slot,
            after => self.at_mut(after).before = slot,
        }
    }

    /// Inserts a slot that is not in the order before one that is. This number will be inserted before it.
    pub(super) fn insert_before(&mut self, at: u32, slot: u32, more: usize) {
        if self.room_before(at) < 2 {
            self.make_room(at);
        }
        let step = (self.room_before(at) / (more as u64 + 2)).clamp(1, STEP);
        let Node { label, before, .. } = *self.at(at);
        *self.at_mut(slot) = Node {
            label: label - step,
            before,
            after: at,
        };
        self.at_mut(at).before = slot;
        match before {
            NONE => self.first = slot,
            before => self.at_mut(before).after = slot,
        }
    }

    /// Removes a slot, if it is in the order.
    pub(super) fn remove(&mut self, slot: u32) {
        let Node {
            label,
            before,
            after,
        } = std::mem::replace(self.at_mut(slot), ABSENT);
        if label == 0 {
            return;
        }
        match before {
            NONE => self.first = after,
            before => self.at_mut(before).after = after,
        }
        match after {
            NONE => self.last = before,
            after => self.at_mut(after).before = before,
        }
    }

    fn at(&self, slot: u32) -> &Node {
        touched(1);
        &self.nodes[slot as usize]
    }

    fn at_mut(&mut self, slot: u32) -> &mut Node {
        touched(1);
        &mut self.nodes[slot as usize]
    }

    /// How far the label of a slot is from the next one.
    fn room_after(&self, slot: u32) -> u64 {
        let Node { label, after, .. } = *self.at(slot);
        let next = if after == NONE {
            u64::MAX
        } else {
            self.label(after)
        };
        next - label
    }

    /// How far the label of a slot is from the one before it.
    fn room_before(&self, slot: u32) -> u64 {
        let Node { label, before, .. } = *self.at(slot);
        label
            - if before == NONE {
                0
            } else {
                self.label(before)
            }
    }

    /// Spreads the labels around a slot so that they are at least 4 apart, and at least 2 from those beside them.
    fn make_room(&mut self, slot: u32) {
        let (mut first, mut last, mut count) = (slot, slot, 1u128);
        // A range of 2^bits labels is sparse enough if it has at most 2^(bits / 2). Of 2^64 labels, that is always so.
        for bits in (4..=64).step_by(2) {
            let width = 1u128 << bits;
            let start = u128::from(self.label(slot)) & !(width - 1);
            let is_within = |label: u64| (start..start + width).contains(&u128::from(label));
            while let before = self.at(first).before
                && before != NONE
                && is_within(self.label(before))
            {
                (first, count) = (before, count + 1);
            }
            while let after = self.at(last).after
                && after != NONE
                && is_within(self.label(after))
            {
                (last, count) = (after, count + 1);
            }
            if count <= 1 << (bits / 2) {
                // With one label in 2^64 this does not fit, but then there was room.
                let gap = width / count;
                let mut label = start + gap / 2;
                let mut next = first;
                for _ in 0..count {
                    let node = self.at_mut(next);
                    node.label = label as u64;
                    (label, next) = (label + gap, node.after);
                }
                return;
            }
        }
    }

    /// What is wrong with the list or its labels; for `check`.
    pub(super) fn is_sound(&self) -> bool {
        let (mut slot, mut next, mut found) = (self.last, NONE, 0);
        let mut above = u64::MAX;
        while slot != NONE {
            let Some(node) = self.nodes.get(slot as usize) else {
                return false;
            };
            if node.after != next || node.label == 0 || node.label >= above {
                return false;
            }
            (next, slot, above, found) = (slot, node.before, node.label, found + 1);
        }
        next == self.first && found == self.nodes.iter().filter(|node| node.label != 0).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_as_a_vector_of_slots() {
        let mut seed = 3u32;
        let mut random = move |below: usize| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) as usize % below
        };
        let mut relabelled = 0;
        // At random places, and always at the same place, so that there is no label left.
        for anywhere in [true, false] {
            let mut order = Order::new(&[], 3_000);
            let mut naive: Vec<u32> = Vec::new();
            for round in 0..20_000 {
                let slot = random(3_000) as u32;
                let there = naive.iter().position(|s| *s == slot);
                let range = if anywhere { naive.len() } else { 2 };
                if let Some(there) = there {
                    naive.remove(there);
                    order.remove(slot);
                } else if naive.is_empty() || round % 9 == 0 {
                    naive.push(slot);
                    order.push(slot);
                } else if round % 9 == 1 {
                    naive.insert(0, slot);
                    order.push_first(slot);
                } else {
                    let at = random(range.min(naive.len()));
                    let beside = naive[at];
                    let before = order.label(beside);
                    if random(2) == 0 {
                        order.insert_after(beside, slot, random(9));
                        naive.insert(at + 1, slot);
                    } else {
                        order.insert_before(beside, slot, random(9));
                        naive.insert(at, slot);
                    }
                    relabelled += usize::from(order.label(beside) != before);
                }
                if round % 200 == 0 {
                    assert!(order.is_sound());
                    assert!(naive.is_sorted_by(|a, b| order.label(*a) < order.label(*b)));
                    assert_eq!(naive.last().copied().unwrap_or(NONE), order.last);
                }
            }
            while order.len() > 0 {
                order.shrink();
            }
            assert!(order.is_sound() && order.last == NONE);
        }
        assert!(relabelled > 5, "{relabelled}");
    }

    #[test]
    fn inserting_at_one_place_costs_a_few_rows() {
        use crate::graph::storage::TOUCHED;
        for from_below in [true, false] {
            let n = 100_000u32;
            let mut order = Order::new(&[0, 1], n as usize);
            let before = TOUCHED.get();
            for slot in 2..n {
                if from_below {
                    order.insert_after(0, slot, 0);
                } else {
                    order.insert_before(1, slot, 0);
                }
            }
            let each = (TOUCHED.get() - before) / n as usize;
            assert!(order.is_sound());
            assert!(each < 200, "{each}");
        }
    }
}

//! Edges: both directions of one relation, kept together so that they cannot disagree.
//!
//! Each end is a column of single slots (`One`, `Option`) or of lists (`Many`). Link and unlink are O(1) at
//! any fan-in: a list gives up a member by moving its last one into the hole, and every member knows where
//! it stands: in a column beside, where the far end holds one, or else in a table of pairs.

use crate::graph::data::LinkData;
use crate::graph::storage::{Map, Storage, Table, touched};
use crate::schema::Cardinality;

/// No entity.
pub(crate) const NONE: u32 = u32::MAX;

/// Where a link stands in the list at either end (0 where an end holds one).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Positions {
    pub from: u32,
    pub to: u32,
}

enum End<S: Storage> {
    One(S::Table<u32>),
    Many(S::Table<Vec<u32>>),
}

enum Where<S: Storage> {
    /// Both ends hold one.
    Nowhere,
    /// One end holds lists; by the slot at the other end, the place in them.
    Column(S::Table<u32>),
    /// Both ends hold lists; by pair.
    Pairs(S::Map<Positions>),
}

/// One edge.
pub(crate) struct Edge<S: Storage> {
    from: End<S>,
    to: End<S>,
    positions: Where<S>,
    /// What lies on the links, where they have data.
    pub(super) data: Option<LinkData<S>>,
}

impl<S: Storage> Clone for End<S> {
    fn clone(&self) -> Self {
        match self {
            Self::One(column) => Self::One(column.clone()),
            Self::Many(lists) => Self::Many(lists.clone()),
        }
    }
}

impl<S: Storage> Clone for Where<S> {
    fn clone(&self) -> Self {
        match self {
            Self::Nowhere => Self::Nowhere,
            Self::Column(column) => Self::Column(column.clone()),
            Self::Pairs(pairs) => Self::Pairs(pairs.clone()),
        }
    }
}

impl<S: Storage> Clone for Edge<S> {
    fn clone(&self) -> Self {
        Self {
            from: self.from.clone(),
            to: self.to.clone(),
            positions: self.positions.clone(),
            data: self.data.clone(),
        }
    }
}

pub(super) fn pair(from: u32, to: u32) -> u64 {
    u64::from(from) << 32 | u64::from(to)
}

impl<S: Storage> End<S> {
    fn new(cardinality: Cardinality) -> Self {
        match cardinality {
            Cardinality::Many => Self::Many(S::Table::default()),
            Cardinality::One | Cardinality::Option => Self::One(S::Table::default()),
        }
    }

    fn slots(&self, slot: u32) -> &[u32] {
        match self {
            Self::One(column) => {
                let far = column.at(slot as usize);
                if *far == NONE {
                    &[]
                } else {
                    std::slice::from_ref(far)
                }
            }
            Self::Many(lists) => {
                let list = lists.at(slot as usize);
                // Who wants the whole list may go through it; who does not asks `degree` and `member`.
                touched(list.len());
                list
            }
        }
    }

    fn degree(&self, slot: u32) -> usize {
        match self {
            Self::One(_) => self.slots(slot).len(),
            Self::Many(lists) => lists.at(slot as usize).len(),
        }
    }

    fn member(&self, slot: u32, position: usize) -> u32 {
        match self {
            Self::One(_) => self.slots(slot)[position],
            Self::Many(lists) => lists.at(slot as usize)[position],
        }
    }

    fn copy<B: Storage>(&self) -> End<B> {
        match self {
            Self::One(column) => End::One(column.copy()),
            Self::Many(lists) => End::Many(lists.copy()),
        }
    }

    /// Adds a member at the end; where it stands.
    fn attach(&mut self, slot: u32, far: u32) -> u32 {
        match self {
            Self::One(column) => {
                *column.at_mut(slot as usize) = far;
                0
            }
            Self::Many(lists) => {
                let list = lists.at_mut(slot as usize);
                list.push(far);
                list.len() as u32 - 1
            }
        }
    }

    /// Takes a member out; the one that fills the hole, if any.
    fn detach(&mut self, slot: u32, position: u32) -> Option<u32> {
        match self {
            Self::One(column) => {
                *column.at_mut(slot as usize) = NONE;
                None
            }
            Self::Many(lists) => {
                let list = lists.at_mut(slot as usize);
                list.swap_remove(position as usize);
                list.get(position as usize).copied()
            }
        }
    }

    /// The inverse of `detach`; the member that goes back to the end, if any, and where that is.
    fn restore(&mut self, slot: u32, far: u32, position: u32) -> Option<(u32, u32)> {
        match self {
            Self::One(column) => {
                *column.at_mut(slot as usize) = far;
                None
            }
            Self::Many(lists) => {
                let list = lists.at_mut(slot as usize);
                list.push(far);
                let last = list.len() - 1;
                if position as usize == last {
                    return None;
                }
                list.swap(position as usize, last);
                Some((list[last], last as u32))
            }
        }
    }
}

impl<S: Storage> Edge<S> {
    pub(crate) fn new(from: Cardinality, to: Cardinality, data: Option<S::Column>) -> Self {
        let positions = match (from, to) {
            (Cardinality::Many, Cardinality::Many) => Where::Pairs(S::Map::default()),
            (Cardinality::Many, _) | (_, Cardinality::Many) => Where::Column(S::Table::default()),
            _ => Where::Nowhere,
        };
        Self {
            from: End::new(from),
            to: End::new(to),
            positions,
            data: data.map(|column| LinkData::new(column, from, to)),
        }
    }

    /// The same in another storage; `data` is an empty column for what lies on the links.
    pub(super) fn copy<B: Storage>(&self, data: Option<B::Column>) -> Edge<B> {
        Edge {
            from: self.from.copy(),
            to: self.to.copy(),
            positions: match &self.positions {
                Where::Nowhere => Where::Nowhere,
                Where::Column(column) => Where::Column(column.copy()),
                Where::Pairs(pairs) => Where::Pairs(pairs.copy()),
            },
            data: (self.data.as_ref())
                .zip(data)
                .map(|(data, column)| data.copy(column)),
        }
    }

    /// Shows at which slots of the declaring end the links may differ.
    pub(super) fn differing(&self, other: &Self, see: &mut dyn FnMut(usize)) {
        match (&self.from, &other.from) {
            (End::One(a), End::One(b)) => a.differing(b, see),
            (End::Many(a), End::Many(b)) => a.differing(b, see),
            // One edge has one kind of end.
            _ => {}
        }
    }

    /// Makes room for one more entity at an end (`forward`: the declaring one).
    pub(crate) fn grow(&mut self, forward: bool) {
        let many = matches!(self.end(forward), End::Many(_));
        match if forward {
            &mut self.from
        } else {
            &mut self.to
        } {
            End::One(column) => column.push(NONE),
            End::Many(lists) => lists.push(Vec::new()),
        }
        if let (Where::Column(column), false) = (&mut self.positions, many) {
            column.push(0);
        }
        if let Some(data) = &mut self.data {
            data.grow(forward);
        }
    }

    /// The inverse of [`Edge::grow`]; the entity has no links.
    pub(crate) fn shrink(&mut self, forward: bool) {
        let many = matches!(self.end(forward), End::Many(_));
        match if forward {
            &mut self.from
        } else {
            &mut self.to
        } {
            End::One(column) => column.pop(),
            End::Many(lists) => lists.pop(),
        }
        if let (Where::Column(column), false) = (&mut self.positions, many) {
            column.pop();
        }
        if let Some(data) = &mut self.data {
            data.shrink(forward);
        }
    }

    fn end(&self, forward: bool) -> &End<S> {
        if forward { &self.from } else { &self.to }
    }

    /// What an entity is linked with, as seen from the declaring end (`forward`) or the inverse one.
    pub(crate) fn slots(&self, forward: bool, slot: u32) -> &[u32] {
        self.end(forward).slots(slot)
    }

    /// How many entities one is linked with; O(1).
    pub(crate) fn degree(&self, forward: bool, slot: u32) -> usize {
        self.end(forward).degree(slot)
    }

    /// The one at a position among those that an entity is linked with; O(1).
    pub(crate) fn member(&self, forward: bool, slot: u32, position: usize) -> u32 {
        self.end(forward).member(slot, position)
    }

    /// Whether two entities are linked; O(1).
    pub(crate) fn linked(&self, from: u32, to: u32) -> bool {
        match (&self.from, &self.to, &self.positions) {
            (_, _, Where::Pairs(pairs)) => pairs.at(pair(from, to)).is_some(),
            (End::One(column), _, _) => *column.at(from as usize) == to,
            (_, End::One(column), _) => *column.at(to as usize) == from,
            // Two lists always have a table of pairs.
            (End::Many(lists), End::Many(_), _) => lists.at(from as usize).contains(&to),
        }
    }

    /// Links two entities that are not linked, at ends that are free.
    pub(crate) fn link(&mut self, from: u32, to: u32) {
        let positions = Positions {
            from: self.from.attach(from, to),
            to: self.to.attach(to, from),
        };
        self.note(from, to, positions);
        if let Some(data) = &mut self.data {
            data.link(from, to);
        }
    }

    /// Unlinks two entities that are linked, of whose data nothing is left; where the link stood.
    pub(crate) fn unlink(&mut self, from: u32, to: u32) -> Positions {
        if let Some(data) = &mut self.data {
            data.unlink(from, to);
        }
        let positions = match (&mut self.positions, &self.from) {
            (Where::Nowhere, _) => Positions { from: 0, to: 0 },
            (Where::Column(column), End::Many(_)) => Positions {
                from: *column.at(to as usize),
                to: 0,
            },
            (Where::Column(column), End::One(_)) => Positions {
                from: 0,
                to: *column.at(from as usize),
            },
            (Where::Pairs(pairs), _) => pairs
                .take(pair(from, to))
                .expect("the caller has seen that the two are linked"),
        };
        if let Some(moved) = self.from.detach(from, positions.from) {
            self.note_from(from, moved, positions.from);
        }
        if let Some(moved) = self.to.detach(to, positions.to) {
            self.note_to(moved, to, positions.to);
        }
        positions
    }

    /// The exact inverse of [`Edge::link`], when that was the last change of both lists.
    pub(crate) fn undo_link(&mut self, from: u32, to: u32) {
        self.unlink(from, to);
    }

    /// The exact inverse of [`Edge::unlink`].
    pub(crate) fn undo_unlink(&mut self, from: u32, to: u32, positions: Positions) {
        if let Some((moved, position)) = self.from.restore(from, to, positions.from) {
            self.note_from(from, moved, position);
        }
        if let Some((moved, position)) = self.to.restore(to, from, positions.to) {
            self.note_to(moved, to, position);
        }
        self.note(from, to, positions);
        if let Some(data) = &mut self.data {
            data.link(from, to);
        }
    }

    fn note(&mut self, from: u32, to: u32, positions: Positions) {
        match (&mut self.positions, &self.from) {
            (Where::Nowhere, _) => {}
            (Where::Column(column), End::Many(_)) => *column.at_mut(to as usize) = positions.from,
            (Where::Column(column), End::One(_)) => *column.at_mut(from as usize) = positions.to,
            (Where::Pairs(pairs), _) => {
                pairs.put(pair(from, to), positions);
            }
        }
    }

    /// The place of a link in the list at the declaring end has changed.
    fn note_from(&mut self, from: u32, to: u32, position: u32) {
        match &mut self.positions {
            Where::Nowhere => {}
            Where::Column(column) => *column.at_mut(to as usize) = position,
            Where::Pairs(pairs) => {
                if let Some(at) = pairs.at_mut(pair(from, to)) {
                    at.from = position;
                }
            }
        }
    }

    /// The place of a link in the list at the inverse end has changed.
    fn note_to(&mut self, from: u32, to: u32, position: u32) {
        match &mut self.positions {
            Where::Nowhere => {}
            Where::Column(column) => *column.at_mut(from as usize) = position,
            Where::Pairs(pairs) => {
                if let Some(at) = pairs.at_mut(pair(from, to)) {
                    at.to = position;
                }
            }
        }
    }

    /// Where the table of positions says that a link stands; for `check`.
    pub(crate) fn noted(&self, from: u32, to: u32) -> Option<Positions> {
        match (&self.positions, &self.from) {
            (Where::Nowhere, _) => Some(Positions { from: 0, to: 0 }),
            (Where::Column(column), End::Many(_)) => Some(Positions {
                from: *column.at(to as usize),
                to: 0,
            }),
            (Where::Column(column), End::One(_)) => Some(Positions {
                from: 0,
                to: *column.at(from as usize),
            }),
            (Where::Pairs(pairs), _) => pairs.at(pair(from, to)).copied(),
        }
    }

    /// How many pairs are noted, where pairs are; for `check`.
    pub(crate) fn pairs(&self) -> Option<usize> {
        match &self.positions {
            Where::Pairs(pairs) => Some(pairs.len()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::storage::Flat;

    /// Every sequence of changes, undone in reverse, gives both directions back with their order.
    #[test]
    fn undo_is_exact_for_every_shape() {
        use Cardinality::{Many, Option};
        for (from, to) in [
            (Many, Many),
            (Many, Option),
            (Option, Many),
            (Option, Option),
        ] {
            let mut edge = Edge::<Flat>::new(from, to, None);
            for _ in 0..5 {
                edge.grow(true);
                edge.grow(false);
            }
            let picture = |edge: &Edge<Flat>| -> Vec<Vec<u32>> {
                (0..5)
                    .flat_map(|i| [edge.slots(true, i).to_vec(), edge.slots(false, i).to_vec()])
                    .collect()
            };
            let mut seed = 7u32;
            let mut done = vec![];
            for _ in 0..2_000 {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let (a, b) = (seed >> 8 & 7, seed >> 16 & 7);
                if a >= 5 || b >= 5 {
                    continue;
                }
                let before = picture(&edge);
                let free = |c, n: usize| c == Many || n == 0;
                if edge.linked(a, b) {
                    done.push((before, a, b, Some(edge.unlink(a, b))));
                } else if free(from, edge.slots(true, a).len())
                    && free(to, edge.slots(false, b).len())
                {
                    edge.link(a, b);
                    done.push((before, a, b, None));
                }
            }
            assert!(done.len() > 200);
            while let Some((before, a, b, unlinked)) = done.pop() {
                match unlinked {
                    Some(positions) => edge.undo_unlink(a, b, positions),
                    None => edge.undo_link(a, b),
                }
                assert_eq!(picture(&edge), before);
            }
        }
    }
}

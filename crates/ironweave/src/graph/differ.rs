//! Where two graphs may differ: in what their tables do not share.

use std::collections::BTreeSet;

use crate::graph::Graph;
use crate::graph::column::AnyColumn;
use crate::graph::list::LinkSlots;
use crate::graph::storage::{Storage, Table};
use crate::schema::{ColumnIx, EdgeIx, EntityIx};

fn noted(look: impl FnOnce(&mut dyn FnMut(usize))) -> BTreeSet<u32> {
    let mut found = BTreeSet::new();
    look(&mut |i| {
        found.insert(i as u32);
    });
    found
}

impl<S: Storage> Graph<S> {
    /// The slots of a type whose entities or states may differ.
    pub(crate) fn differing_entities(&self, other: &Self, entity: EntityIx) -> BTreeSet<u32> {
        let ix = usize::from(entity);
        let (a, b) = (&self.entities[ix].words, &other.entities[ix].words);
        noted(|see| a.differing(b, see))
    }

    /// The slots whose values in a column may differ, if both have the slot.
    pub(crate) fn differing_cells(&self, other: &Self, column: ColumnIx) -> BTreeSet<u32> {
        noted(|see| self.column(column).differing(other.column(column), see))
    }

    /// The slots at the declaring end of an edge whose links may differ.
    pub(crate) fn differing_links(&self, other: &Self, edge: EdgeIx) -> BTreeSet<u32> {
        let ix = usize::from(edge);
        noted(|see| self.edges[ix].differing(&other.edges[ix], see))
    }

    /// The entities with which a slot of the declaring end is linked in this graph and in the other one, without most of those with
    /// which it is linked in both.
    pub(crate) fn differing_members(&self, other: &Self, edge: EdgeIx, slot: u32) -> [Vec<u32>; 2] {
        let entity = self.layout.edges[usize::from(edge)].from.entity;
        let [ours, theirs] = [self, other].map(|graph| match slot < graph.slots(entity) {
            true => graph.edges[usize::from(edge)].held(true, slot),
            false => LinkSlots::NONE,
        });
        ours.differing(theirs)
    }

    /// The links of `other` whose data may differ.
    pub(crate) fn differing_link_data(&self, other: &Self, edge: EdgeIx) -> Vec<(u32, u32)> {
        let ix = usize::from(edge);
        let (Some(a), Some(b)) = (&self.edges[ix].data, &other.edges[ix].data) else {
            return Vec::new();
        };
        let layout = &other.layout.edges[ix];
        let only = |forward, slot| {
            let there = slot < other.slots(layout.near(forward).entity);
            let links = if there {
                other.edges[ix].slots(forward, slot)
            } else {
                LinkSlots::NONE
            };
            links.first().copied()
        };
        b.differing(a, only)
    }

    /// As [`link_row`](Self::link_row), for slots that need not exist.
    pub(crate) fn link_row_if_there(
        &self,
        edge: EdgeIx,
        from: u32,
        to: u32,
    ) -> Option<(&dyn AnyColumn, u32)> {
        let layout = &self.layout.edges[usize::from(edge)];
        let there = from < self.slots(layout.from.entity) && to < self.slots(layout.to.entity);
        there.then(|| self.link_row(edge, from, to)).flatten()
    }
}

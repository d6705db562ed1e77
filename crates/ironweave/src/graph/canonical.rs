//! The content of a graph as bytes, for the checker, which explores the states of a small graph.
//!
//! Two graphs of one model have the same bytes exactly if no event can tell them apart, now or later. This is finer than the
//! [fingerprint](super::fingerprint) in two ways: the free slots are included, since they decide which slot the next entity gets,
//! and so is the order of links, if code of the program may read it. It is coarser in one: the generations of slots are left out,
//! because otherwise a model that creates and deletes would never return to a state that it had.

use crate::base::id::FREE;
use crate::graph::Graph;
use crate::graph::storage::{Storage, Table};
use crate::schema::{Cardinality, ColumnIx, EdgeIx, EntityIx, Hop};

/// In place of the hash of a cell that has no value.
const NO_VALUE: u64 = 0x6e6f_2076_616c_7565;

impl<S: Storage> Graph<S> {
    /// Appends the content of the graph. Values are represented by the hashes that the graph has of them. O(size of the graph).
    pub(crate) fn append_canonical(&self, has_ordered_lists: bool, out: &mut Vec<u8>) {
        for entity in EntityIx::all(self.layout.entities.len()) {
            self.append_entities(entity, out);
        }
        for edge in EdgeIx::all(self.layout.edges.len()) {
            self.append_links(edge, has_ordered_lists, out);
        }
    }

    fn append_entities(&self, entity: EntityIx, out: &mut Vec<u8>) {
        let layout = &self.layout.entities[usize::from(entity)];
        self.append_free(entity, out);
        for slot in 0..self.slots_in_use(entity).0 {
            let state = self.state_of(entity, slot);
            out.push(state.get());
            if state.get() == FREE {
                continue;
            }
            let data = &layout.states[usize::from(state)].data;
            for column in layout.fields.iter().chain(data) {
                self.append_cell(*column, slot, out);
            }
        }
    }

    /// The number of slots, and how many of the free ones are not among them. The next entities get the free slots, the last one
    /// first, and then new ones. A free slot that is used just before the first new one is therefore the same as one that was never
    /// used.
    fn slots_in_use(&self, entity: EntityIx) -> (u32, usize) {
        let free = &self.entities[usize::from(entity)].free;
        let (mut slots, mut reused_last) = (self.slots(entity), 0);
        while reused_last < free.len() && *free.at(reused_last) + 1 == slots {
            slots -= 1;
            reused_last += 1;
        }
        (slots, reused_last)
    }

    /// Appends the number of slots of a type, and the free ones in the order in which they are used.
    pub(super) fn append_free(&self, entity: EntityIx, out: &mut Vec<u8>) {
        let free = &self.entities[usize::from(entity)].free;
        let (slots, reused_last) = self.slots_in_use(entity);
        out.extend_from_slice(&slots.to_le_bytes());
        out.extend_from_slice(&((free.len() - reused_last) as u32).to_le_bytes());
        for i in reused_last..free.len() {
            out.extend_from_slice(&free.at(i).to_le_bytes());
        }
    }

    /// The free slots of a type, the next to be used last.
    pub(crate) fn free(&self, entity: EntityIx) -> impl Iterator<Item = u32> {
        let free = &self.entities[usize::from(entity)].free;
        (0..free.len()).map(|i| *free.at(i))
    }

    /// Appends the hash of a cell.
    pub(super) fn append_cell(&self, column: ColumnIx, slot: u32, out: &mut Vec<u8>) {
        let hash = Self::hash_or_none(self.column(column).hash(slot));
        out.extend_from_slice(&hash.to_le_bytes());
    }

    /// The hash of a cell, which may have no value.
    pub(super) fn hash_or_none(hash: Option<u64>) -> u64 {
        hash.unwrap_or(NO_VALUE)
    }

    fn append_links(&self, edge: EdgeIx, has_ordered_lists: bool, out: &mut Vec<u8>) {
        let layout = &self.layout.edges[usize::from(edge)];
        let has_data = self.link_column(edge).is_some();
        let mut sorted: Vec<u32> = Vec::new();
        for forward in [true, false] {
            let near = if forward { &layout.from } else { &layout.to };
            // The other end says what is linked. This one says in which order.
            if !forward && (!has_ordered_lists || near.cardinality != Cardinality::Many) {
                continue;
            }
            for slot in self.living(near.entity) {
                let links = self.links(Hop { edge, forward }, slot);
                out.extend_from_slice(&(links.len() as u32).to_le_bytes());
                if has_ordered_lists || links.len() < 2 {
                    links
                        .iter()
                        .for_each(|far| out.extend_from_slice(&far.to_le_bytes()));
                } else {
                    sorted.clear();
                    sorted.extend(links.iter().copied());
                    sorted.sort_unstable();
                    (sorted.iter()).for_each(|far| out.extend_from_slice(&far.to_le_bytes()));
                }
                if forward && has_data {
                    self.append_data(edge, slot, has_ordered_lists, out);
                }
            }
        }
    }

    /// Appends the data of the links of an entity at the declaring end, in the order of the links.
    fn append_data(&self, edge: EdgeIx, from: u32, has_ordered_lists: bool, out: &mut Vec<u8>) {
        let mut to = self
            .links(
                Hop {
                    edge,
                    forward: true,
                },
                from,
            )
            .to_vec();
        if !has_ordered_lists {
            to.sort_unstable();
        }
        for to in to {
            let hash = (self.link_row(edge, from, to)).and_then(|(column, row)| column.hash(row));
            out.extend_from_slice(&Self::hash_or_none(hash).to_le_bytes());
        }
    }
}

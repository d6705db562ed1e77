//! A small graph as vertices with colours and arcs with labels, for the checker, which compares graphs up to a renaming of entities.
//!
//! Two graphs of one model are the same up to a renaming exactly if their coloured graphs are isomorphic (except for collisions of
//! 64-bit hashes) and if they have the same [`rest`](Graph::colour_into). As in [`canonical`](super::canonical), generations are
//! left out. The slots of renamed types are left out too, also the free ones: which slot the next entity gets is a matter of names.

use crate::base::hash::hash_bytes;
use crate::graph::Graph;
use crate::graph::storage::Storage;
use crate::schema::{EntityIx, Hop};

/// The types whose entities are renamed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Renamed {
    /// By entity type, whether slots have no meaning.
    pub slots: Vec<bool>,
    /// By entity type, whether keys have no meaning.
    pub keys: Vec<bool>,
}

/// Vertices with colours and arcs with labels.
#[derive(Default)]
pub(crate) struct ColouredGraph {
    /// The colour of each vertex.
    pub colours: Vec<u64>,
    /// Where the arcs of each vertex end.
    pub ends: Vec<u32>,
    /// All arcs, by the vertex where they begin: the label, and the vertex where the arc ends.
    pub arcs: Vec<(u64, u32)>,
    /// By entity type, the vertex of each slot. Reused.
    vertices: Vec<Vec<u32>>,
    /// The content of a vertex. Reused.
    content: Vec<u8>,
}

impl ColouredGraph {
    /// Removes all vertices.
    pub(crate) fn clear(&mut self) {
        self.colours.clear();
        self.ends.clear();
        self.arcs.clear();
    }

    /// Returns the arcs that begin at a vertex.
    pub(crate) fn arcs(&self, vertex: usize) -> &[(u64, u32)] {
        let start = vertex
            .checked_sub(1)
            .map_or(0, |before| self.ends[before] as usize);
        &self.arcs[start..self.ends[vertex] as usize]
    }
}

impl<S: Storage> Graph<S> {
    /// Appends the entities as vertices and the links as arcs in both directions. What they do not contain, since its slots are not
    /// renamed, is appended to `rest`. O(size of the graph).
    pub(crate) fn colour_into(
        &self,
        renamed: &Renamed,
        has_ordered_lists: bool,
        out: &mut ColouredGraph,
        rest: &mut Vec<u8>,
    ) {
        out.vertices
            .resize_with(self.layout.entities.len(), Vec::new);
        for entity in EntityIx::all(self.layout.entities.len()) {
            if !renamed.slots[entity.index()] {
                self.append_free(entity, rest);
            }
            let slots = self.slots(entity) as usize;
            out.vertices[entity.index()].clear();
            out.vertices[entity.index()].resize(slots, 0);
            for slot in self.living(entity) {
                out.vertices[entity.index()][slot as usize] = out.colours.len() as u32;
                out.content.clear();
                self.append_colour(entity, slot, renamed, &mut out.content);
                out.colours.push(hash_bytes(&out.content));
            }
        }
        for entity in EntityIx::all(self.layout.entities.len()) {
            for slot in self.living(entity) {
                for hop in &self.layout.entities[entity.index()].ends {
                    self.append_arcs(*hop, slot, has_ordered_lists, out);
                }
                out.ends.push(out.arcs.len() as u32);
            }
        }
    }

    /// Appends what an entity is without its links.
    fn append_colour(&self, entity: EntityIx, slot: u32, renamed: &Renamed, out: &mut Vec<u8>) {
        let layout = &self.layout.entities[entity.index()];
        let state = self.state_of(entity, slot);
        out.extend_from_slice(&(entity.index() as u32).to_le_bytes());
        out.push(state.get());
        if !renamed.slots[entity.index()] {
            out.extend_from_slice(&slot.to_le_bytes());
        }
        let is_name = |column| renamed.keys[entity.index()] && layout.key.contains(column);
        let data = &layout.states[usize::from(state)].data;
        for column in (layout.fields.iter().chain(data)).filter(|column| !is_name(*column)) {
            self.append_cell(*column, slot, out);
        }
    }

    /// Appends the links of an entity at one end of an edge.
    fn append_arcs(&self, hop: Hop, slot: u32, has_ordered_lists: bool, out: &mut ColouredGraph) {
        let far = self.layout.edges[usize::from(hop.edge)]
            .far(hop.forward)
            .entity;
        let has_data = hop.forward && self.link_column(hop.edge).is_some();
        for (position, other) in (0u32..).zip(self.links(hop, slot)) {
            let mut label = [0; 17];
            label[0] = u8::from(hop.forward);
            label[1..5].copy_from_slice(&(usize::from(hop.edge) as u32).to_le_bytes());
            if has_ordered_lists {
                label[5..9].copy_from_slice(&position.to_le_bytes());
            }
            if has_data {
                let row = self.link_row(hop.edge, slot, *other);
                let hash = row.and_then(|(column, row)| column.hash(row));
                label[9..].copy_from_slice(&Self::hash_or_none(hash).to_le_bytes());
            }
            let vertex = out.vertices[far.index()][*other as usize];
            out.arcs.push((hash_bytes(&label), vertex));
        }
    }
}

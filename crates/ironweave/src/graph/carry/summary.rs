//! What carrying a graph over has kept and dropped, in numbers.

use std::sync::Arc;

use crate::base::error::Name;
use crate::graph::Graph;
use crate::graph::carry::CarryMap;
use crate::graph::storage::Storage;
use crate::schema::{ColumnIx, EdgeIx, EntityIx, Hop};

/// The numbers of what a graph keeps and loses when it is carried over.
#[derive(Debug, Default)]
pub(crate) struct CarrySummary {
    /// For each entity type of the other schema that takes over entities, its name and their number.
    pub carried: Vec<(Name, u64)>,
    /// What is dropped, by its path in the schema of the graph.
    pub dropped: Vec<(Lost, Name, u64)>,
}

/// The kind of what is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// Entities, with all that they have.
    Entities,
    /// Values of a field, or of the data of a state.
    Values,
    /// Links of an edge, with their data.
    Links,
    /// The data of the links of an edge.
    LinkData,
}

impl CarrySummary {
    /// The summary for a graph, and the one that it was carried over to; O(size of the graph).
    pub(crate) fn of<S: Storage>(was: &Graph<S>, now: &Graph<S>, map: &CarryMap) -> Self {
        let mut summary = Self::default();
        let layout = &was.layout;
        for (ix, of) in EntityIx::all(layout.entities.len()).zip(&layout.entities) {
            let alive = was.alive(ix) as u64;
            match map.entity(ix) {
                Some(to) => {
                    let name = &now.layout.entities[usize::from(to)].name;
                    summary.carried.push((Arc::clone(name), alive));
                }
                None => summary.lost(Lost::Entities, &of.name, alive),
            }
        }
        for (ix, of) in ColumnIx::all(layout.columns.len()).zip(&layout.columns) {
            if map.columns[usize::from(ix)].is_none() && map.entity(of.entity).is_some() {
                let cells = was.column(ix);
                let state = layout.schema[ix].state;
                let has = |slot: &u32| {
                    let is_in = state.is_none_or(|state| was.state_of(of.entity, *slot) == state);
                    is_in && cells.has(*slot)
                };
                let values = was.living(of.entity).filter(has).count() as u64;
                summary.lost(Lost::Values, &of.path, values);
            }
        }
        for (ix, of) in EdgeIx::all(layout.edges.len()).zip(&layout.edges) {
            let ends_are_kept = [&of.from, &of.to].map(|end| map.entity(end.entity).is_some());
            if ends_are_kept != [true, true] {
                continue;
            }
            let had = was.link_count(ix);
            let keeps = map.edges[usize::from(ix)].map_or(0, |to| now.link_count(to));
            summary.lost(Lost::Links, &of.from.path, had.saturating_sub(keeps));
            if was.link_column(ix).is_some() && !map.data[usize::from(ix)] {
                summary.lost(Lost::LinkData, &of.from.path, keeps);
            }
        }
        summary
    }

    fn lost(&mut self, kind: Lost, path: &Name, count: u64) {
        if count > 0 {
            self.dropped.push((kind, Arc::clone(path), count));
        }
    }
}

impl<S: Storage> Graph<S> {
    /// The number of links of an edge; O(entities at its declaring end).
    fn link_count(&self, edge: EdgeIx) -> u64 {
        let near = self.layout.edges[usize::from(edge)].from.entity;
        let hop = Hop {
            edge,
            forward: true,
        };
        let degrees = self.living(near).map(|slot| self.degree(hop, slot) as u64);
        degrees.sum()
    }
}

//! Bounds: how many links an entity has at an end, and that an acyclic edge has no cycle. They hold after each event.

use std::sync::Arc;

use crate::base::error::{Chain, StepError};
use crate::graph::fact::Fact;
use crate::graph::storage::Storage;
use crate::schema::{EdgeIx, EntityIx, Hop};
use crate::step::Core;

/// How many entities an error names from the beginning and from the end of a longer cycle.
const CYCLE_ENDS: usize = 4;

impl<S: Storage> Core<S> {
    /// Checks the bounds of all entities that were created or gained or lost links since a position in the journal.
    pub(super) fn check_bounds(&mut self, start: usize) -> Result<(), StepError> {
        let mut cyclic = Vec::new();
        for i in 0..self.graph.layout.acyclic.len() {
            let edge = self.graph.layout.acyclic[i];
            if self.graph.may_have_cycle(edge) {
                cyclic.push(edge);
            }
        }
        let check = |fact| self.check_bounds_after(fact, &cyclic);
        self.open.journal.try_each_fact_after(start, check)
    }

    /// Checks the bounds of the entities that a fact created, linked or unlinked. These edges may have a cycle.
    fn check_bounds_after(&self, fact: Fact, cyclic: &[EdgeIx]) -> Result<(), StepError> {
        match fact {
            Fact::Create { entity, slot, .. } => {
                let layout = &self.graph.layout.entities[usize::from(entity)];
                if layout.bounded.is_empty() {
                    return Ok(());
                }
                self.check_bounds_of(entity, slot, None)
            }
            Fact::Link { edge, from, to } | Fact::Unlink { edge, from, to } => {
                let layout = &self.graph.layout.edges[usize::from(edge)];
                if !layout.bounded {
                    return Ok(());
                }
                self.check_bounds_of(layout.from.entity, from, Some(edge))?;
                self.check_bounds_of(layout.to.entity, to, Some(edge))?;
                if cyclic.contains(&edge) && matches!(fact, Fact::Link { .. }) {
                    self.check_acyclic(edge, from, to)?;
                }
                Ok(())
            }
            Fact::Move { .. } | Fact::Set { .. } | Fact::SetLink { .. } | Fact::Delete { .. } => {
                Ok(())
            }
        }
    }

    /// Checks that a link, if it still exists, closes no cycle.
    fn check_acyclic(&self, edge: EdgeIx, from: u32, to: u32) -> Result<(), StepError> {
        let hop = Hop {
            edge,
            forward: true,
        };
        if !self.graph.linked(hop, from, to) {
            return Ok(());
        }
        match self.graph.way_back(edge, from, to) {
            Some(way) => Err(self.cycle(edge, way)),
            None => Ok(()),
        }
    }

    /// Checks that no acyclic edge has a cycle; O(entities and links of these edges).
    pub(super) fn check_all_acyclic(&mut self) -> Result<(), StepError> {
        for edge in self.graph.layout.acyclic.clone() {
            if !self.graph.may_have_cycle(edge) {
                continue;
            }
            let slots = (self.graph).slots(self.graph.layout.edges[usize::from(edge)].from.entity);
            let hop = Hop {
                edge,
                forward: true,
            };
            let Some(from) = self.graph.any_cycle(edge, slots) else {
                continue;
            };
            let mut links = self.graph.links(hop, from).iter();
            if let Some(way) = links.find_map(|to| self.graph.way_back(edge, from, *to)) {
                return Err(self.cycle(edge, way));
            }
        }
        Ok(())
    }

    /// The error for a cycle of these entities.
    #[cold]
    fn cycle(&self, edge: EdgeIx, way: Vec<u32>) -> StepError {
        let end = &self.graph.layout.edges[usize::from(edge)].from;
        let len = way.len();
        let is_named = |i: usize| len <= 2 * CYCLE_ENDS || i < CYCLE_ENDS || i >= len - CYCLE_ENDS;
        StepError::Cycle {
            edge: Arc::clone(&end.path),
            entities: (way.into_iter().enumerate())
                .filter(|(i, _)| is_named(*i))
                .map(|(_, slot)| self.graph.named(end.entity, slot))
                .collect(),
            len,
            chain: Chain::default(),
        }
    }

    fn check_bounds_of(
        &self,
        entity: EntityIx,
        slot: u32,
        edge: Option<EdgeIx>,
    ) -> Result<(), StepError> {
        if !self.graph.is_alive(entity, slot) {
            return Ok(());
        }
        let layout = &self.graph.layout;
        for bound in &layout.entities[usize::from(entity)].bounded {
            if edge.is_some_and(|edge| edge != bound.hop.edge) {
                continue;
            }
            if let Some(found) = self.graph.bound_broken(bound, slot) {
                return Err(StepError::Cardinality {
                    entity: self.graph.named(entity, slot),
                    edge: Arc::clone(
                        &layout.edges[usize::from(bound.hop.edge)]
                            .near(bound.hop.forward)
                            .path,
                    ),
                    found,
                    allowed: self.graph.bound_text(bound),
                    chain: Chain::default(),
                });
            }
        }
        Ok(())
    }
}

//! Replay: facts from a log, applied to the graph. No user code runs.

use std::sync::Arc;

use crate::fact::{Fact, Facts};
use crate::graph::Graph;
use crate::graph::storage::Storage;
use crate::id::Id;
use crate::schema::{EdgeIx, EntityIx};

impl<S: Storage> Graph<S> {
    /// Applies one fact, with indexes of this graph's schema; an error says why it does not fit.
    pub(crate) fn apply(&mut self, fact: Fact, facts: &Facts) -> Result<(), String> {
        match fact {
            Fact::Create {
                entity,
                state,
                slot,
                generation,
            } => {
                let next = self.next_id(entity);
                if next != (Id { slot, generation }) {
                    return Err(format!("the next id is {next}"));
                }
                self.create(entity, state).map_err(|e| e.to_string())?;
            }
            Fact::Delete {
                entity,
                state,
                slot,
                generation,
            } => {
                self.must_exist(entity, slot)?;
                let id = Id { slot, generation };
                if self.state(entity, id) != Some(state) {
                    return Err(format!(
                        "{} is in another state",
                        self.entity_ref(entity, slot)
                    ));
                }
                let layout = Arc::clone(&self.layout);
                let mut ends = layout.entities[usize::from(entity)].ends.iter();
                if ends.any(|hop| !self.links(*hop, slot).is_empty()) {
                    return Err(format!("{} is linked", self.entity_ref(entity, slot)));
                }
                self.end(entity, slot);
            }
            Fact::Move {
                entity,
                slot,
                from,
                to,
            } => {
                self.must_exist(entity, slot)?;
                if self.state_of(entity, slot) != from {
                    return Err(format!(
                        "{} is in another state",
                        self.entity_ref(entity, slot)
                    ));
                }
                self.move_to(entity, slot, to);
            }
            Fact::Set {
                column,
                slot,
                at,
                len,
            } => {
                self.must_exist(self.layout.columns[usize::from(column)].entity, slot)?;
                self.set_encoded(column, slot, facts.value(at, len))
                    .map_err(|e| e.to_string())?;
            }
            Fact::Link { edge, from, to } => {
                self.ends_must_exist(edge, from, to)?;
                self.link(edge, from, to).map_err(|e| e.to_string())?;
            }
            Fact::Unlink { edge, from, to } => {
                self.ends_must_exist(edge, from, to)?;
                self.unlink(edge, from, to).map_err(|e| e.to_string())?;
            }
            Fact::SetLink {
                edge,
                from,
                to,
                at,
                len,
            } => {
                self.ends_must_exist(edge, from, to)?;
                self.set_link_encoded(edge, (from, to), facts.value(at, len))
                    .map_err(|e| e.to_string())?;
            }
        }
        Ok(())
    }

    fn must_exist(&self, entity: EntityIx, slot: u32) -> Result<(), String> {
        if slot < self.slots(entity) && self.is_alive(entity, slot) {
            return Ok(());
        }
        Err(format!(
            "there is no {}/{slot}",
            self.layout.entities[usize::from(entity)].name
        ))
    }

    fn ends_must_exist(&self, edge: EdgeIx, from: u32, to: u32) -> Result<(), String> {
        let (a, b) = {
            let edge = &self.layout.edges[usize::from(edge)];
            (edge.from.entity, edge.to.entity)
        };
        self.must_exist(a, from)?;
        self.must_exist(b, to)
    }
}

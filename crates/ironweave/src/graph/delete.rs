//! Deleting: what is deleted with an entity, what refuses it, and the slot that becomes free.
//!
//! 1. The entities that the deletes name are found, and all that depend on them by ends of policy `cascade`.
//! 2. An end of policy `restrict` that is linked with an entity which stays refuses the whole deletion.
//! 3. Of each entity all links are removed in the order of its ends, then its values, then the entity itself.
//!
//! The next create uses the slot again with the next generation. A slot at its last generation is not used again.

use std::collections::HashSet;
use std::sync::Arc;

use crate::base::error::{Chain, StepError};
use crate::base::id::{FREE, GENERATION_MAX};
use crate::graph::entry::Entry;
use crate::graph::layout::ends;
use crate::graph::storage::{Storage, Table};
use crate::graph::{Graph, Journal};
use crate::schema::{EntityIx, OnDelete};

impl<S: Storage> Graph<S> {
    /// Deletes entities that exist, and others as the policies of their ends say; O(links that are removed).
    pub(crate) fn delete(
        &mut self,
        journal: &mut Journal,
        roots: &[(EntityIx, u32)],
    ) -> Result<(), StepError> {
        let layout = Arc::clone(&self.layout);
        let mut all: Vec<(EntityIx, u32)> = Vec::new();
        let mut found: HashSet<(EntityIx, u32)> = HashSet::new();
        all.extend(roots.iter().filter(|root| found.insert(**root)));
        let mut next = 0;
        while let Some(&(entity, slot)) = all.get(next) {
            next += 1;
            for hop in &layout.entities[usize::from(entity)].ends {
                let edge = &layout.edges[usize::from(hop.edge)];
                if edge.near(hop.forward).on_delete == OnDelete::Cascade {
                    let far = edge.far(hop.forward).entity;
                    let linked = self.links(*hop, slot).iter().map(|s| (far, *s));
                    all.extend(linked.filter(|x| found.insert(*x)));
                }
            }
        }
        for &(entity, slot) in &all {
            for hop in &layout.entities[usize::from(entity)].ends {
                let edge = &layout.edges[usize::from(hop.edge)];
                let (near, far) = (edge.near(hop.forward), edge.far(hop.forward).entity);
                if near.on_delete == OnDelete::Restrict
                    && let Some(by) =
                        (self.links(*hop, slot).iter()).find(|s| !found.contains(&(far, **s)))
                {
                    return Err(StepError::Restricted {
                        entity: self.named(entity, slot),
                        edge: Arc::clone(&near.path),
                        by: self.named(far, *by),
                        chain: Chain::default(),
                    });
                }
            }
        }
        for (entity, slot) in all {
            for hop in &layout.entities[usize::from(entity)].ends {
                while let Some(&far) = self.links(*hop, slot).last() {
                    let (from, to) = ends(*hop, slot, far);
                    self.unlink(journal, hop.edge, from, to)?;
                }
            }
            self.end(journal, entity, slot);
        }
        Ok(())
    }

    /// Deletes an entity that has no links.
    pub(super) fn end(&mut self, journal: &mut Journal, entity: EntityIx, slot: u32) {
        let is_indexed = !self.layout.entities[usize::from(entity)].indexes.is_empty();
        if is_indexed {
            self.hold_deleted(entity, slot);
        }
        if self.layout.entities[usize::from(entity)].key.len() > 1 {
            self.unindex_key(entity, slot);
        }
        for i in 0..self.layout.entities[usize::from(entity)].deleted.len() {
            self.wake_if_enabled(self.layout.entities[usize::from(entity)].deleted[i], slot);
        }
        let id = self.id(entity, slot);
        let state = self.state_of(entity, slot);
        let table = &mut self.entities[usize::from(entity)];
        table.in_state.remove(state, slot);
        *table.words.at_mut(slot as usize) = id.generation << 8 | u32::from(FREE);
        if id.generation < GENERATION_MAX {
            table.free.push(slot);
        }
        table.alive -= 1;
        table.any_deleted = true;
        journal.push_delete(entity, state, id);
        // After the entity, so that its values are there again when the deletion is undone and its key is indexed.
        for &column in &self.layout.entities[usize::from(entity)].columns {
            if let Some(old) = self.columns[usize::from(column)].clear(slot) {
                journal.push_clear(Entry::clear(column, slot, old));
            }
        }
        if is_indexed {
            self.rekey_deleted(entity, slot);
        }
    }
}

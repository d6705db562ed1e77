//! The fingerprint of the graph, which is brought up to date with the journal when something reads it: at a commit that a
//! log or a follower sees, and not at all for what is only tried.
//!
//! An entry does not say the generation of its slot. It is that of the slot now, unless the transaction used the slot of an
//! entity that it had deleted. Then entries are visited from the last to the first, and each create that is passed leads to
//! the generation before it.

use crate::base::hash::{FastMap, cell_term, hash_bytes, link_data_term, link_term, state_term};
use crate::base::id::Id;
use crate::graph::entry::{Change, Entry, NewValue, OldValue};
use crate::graph::storage::Storage;
use crate::graph::{Graph, Journal};
use crate::schema::{ColumnIx, EdgeIx, EntityIx, StateIx};

impl<S: Storage> Graph<S> {
    /// Returns the fingerprint of the graph with what the open transaction did so far. O(entries that it does not include).
    pub(crate) fn fingerprint_with(&self, journal: &Journal) -> u128 {
        let entries = journal.entries.get(journal.fingerprinted..);
        self.fingerprint_after(journal, entries.unwrap_or_default())
    }

    /// Includes what the open transaction did so far in the fingerprint, if that is kept.
    #[inline]
    pub(crate) fn update_fingerprint(&mut self, journal: &mut Journal) {
        if self.fingerprinting && journal.fingerprinted < journal.entries.len() {
            self.fingerprint = self.fingerprint_with(journal);
            journal.fingerprinted = journal.entries.len();
        }
    }

    fn fingerprint_after(&self, journal: &Journal, entries: &[Entry]) -> u128 {
        let mut sum = self.fingerprint;
        if journal.may_reuse_slots {
            let mut generations: FastMap<(EntityIx, u32), u32> = FastMap::default();
            for entry in entries.iter().rev() {
                let change = entry.change();
                let id = |entity, slot| match generations.get(&(entity, slot)) {
                    Some(generation) => Id {
                        slot,
                        generation: *generation,
                    },
                    None => self.id(entity, slot),
                };
                self.add(&mut sum, journal, change, id);
                if let Change::Create { entity, id, .. } = change {
                    generations.insert((entity, id.slot), id.generation - 1);
                }
            }
        } else {
            for entry in entries {
                self.add(&mut sum, journal, entry.change(), |entity, slot| {
                    self.id(entity, slot)
                });
            }
        }
        sum
    }

    /// Adds the terms of a change to a fingerprint. `id` gives the id that the entity at a slot had when it was made.
    #[inline(always)]
    fn add(
        &self,
        sum: &mut u128,
        journal: &Journal,
        change: Change,
        id: impl Fn(EntityIx, u32) -> Id,
    ) {
        let state = |entity: EntityIx, state: StateIx, id: Id| {
            let states = &self.layout.entities[usize::from(entity)].states;
            state_term(states[usize::from(state)].salt, id)
        };
        let cell = |column: ColumnIx, slot: u32| {
            let layout = &self.layout.columns[usize::from(column)];
            let id = id(layout.entity, slot);
            move |hash: u64| cell_term(layout.salt, id, hash)
        };
        let ends = |edge: EdgeIx, from: u32, to: u32| {
            let layout = &self.layout.edges[usize::from(edge)];
            let ids = (id(layout.from.entity, from), id(layout.to.entity, to));
            (layout.salt, ids)
        };
        let link = |edge, (from, to)| {
            let (salt, (from, to)) = ends(edge, from, to);
            link_term(salt, from, to)
        };
        let old_hash = |old: OldValue| match old {
            OldValue::Plain(form, word) => form.hash(word),
            OldValue::Hashed(hash) => hash,
        };
        let new_hash = |new: NewValue| match new {
            NewValue::Plain(form, word) => form.hash(word),
            NewValue::Encoded { at, len } => hash_bytes(journal.value(at, len)),
        };
        let sum = std::cell::Cell::from_mut(sum);
        let add = |term| sum.set(sum.get().wrapping_add(term));
        let subtract = |term| sum.set(sum.get().wrapping_sub(term));
        match change {
            Change::Create {
                entity,
                state: at,
                id,
            } => {
                add(state(entity, at, id));
                // The entity has the defaults of its mandatory columns until they are set.
                for &(salt, hash) in &self.mandatory[usize::from(entity)] {
                    add(cell_term(salt, id, hash));
                }
            }
            Change::Delete {
                entity,
                state: at,
                id,
            } => subtract(state(entity, at, id)),
            Change::Move {
                entity,
                slot,
                from,
                to,
            } => {
                let id = id(entity, slot);
                subtract(state(entity, from, id));
                add(state(entity, to, id));
            }
            Change::Set {
                column,
                slot,
                new,
                old,
            } => {
                let term = cell(column, slot);
                if let Some(old) = old {
                    subtract(term(old_hash(old)));
                }
                add(term(new_hash(new)));
            }
            Change::Clear { column, slot, old } => subtract(cell(column, slot)(old_hash(old))),
            Change::Link { edge, from, to } => add(link(edge, (from, to))),
            Change::Unlink { edge, from, to, .. } => subtract(link(edge, (from, to))),
            Change::Relink { edge, links } => {
                let layout = &self.layout.edges[usize::from(edge)];
                let (holder, held) = if links.forward {
                    (layout.from.entity, layout.to.entity)
                } else {
                    (layout.to.entity, layout.from.entity)
                };
                let held = id(held, links.held);
                let term = |far: u32| {
                    let far = id(holder, far);
                    let (from, to) = if links.forward {
                        (far, held)
                    } else {
                        (held, far)
                    };
                    link_term(layout.salt, from, to)
                };
                subtract(term(links.old));
                add(term(links.holder));
            }
            Change::SetLink {
                edge,
                from,
                to,
                new,
            } => {
                let (salt, (from, to)) = ends(edge, from, to);
                add(link_data_term(salt, from, to, new_hash(new)));
            }
            Change::ClearLink {
                edge,
                from,
                to,
                old,
            } => {
                let (salt, (from, to)) = ends(edge, from, to);
                subtract(link_data_term(salt, from, to, old_hash(old)));
            }
        }
    }
}

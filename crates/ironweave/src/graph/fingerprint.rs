//! The fingerprint of the graph, which is brought up to date with the journal when something reads it: at a commit that a
//! log or a follower sees, and not at all for what is only tried.
//!
//! An entry does not say the generation of its slot. It is that of the slot now, unless the transaction used the slot of an
//! entity that it had deleted. Then entries are visited from the last to the first, and each create that is passed leads to
//! the generation before it.

use crate::base::hash::{FastMap, cell_term, hash_bytes, link_data_term, link_term, state_term};
use crate::base::id::Id;
use crate::graph::entry::Entry;
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
                let id = |entity, slot| match generations.get(&(entity, slot)) {
                    Some(generation) => Id {
                        slot,
                        generation: *generation,
                    },
                    None => self.id(entity, slot),
                };
                self.add(&mut sum, journal, entry, id);
                if let Entry::Create { entity, id, .. } = entry {
                    generations.insert((*entity, id.slot), id.generation - 1);
                }
            }
        } else {
            for entry in entries {
                self.add(&mut sum, journal, entry, |entity, slot| {
                    self.id(entity, slot)
                });
            }
        }
        sum
    }

    /// Adds the terms of an entry to a fingerprint. `id` gives the id that the entity at a slot had when it was made.
    #[inline(always)]
    fn add(
        &self,
        sum: &mut u128,
        journal: &Journal,
        entry: &Entry,
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
        let data = |edge, (from, to), hash| {
            let (salt, (from, to)) = ends(edge, from, to);
            link_data_term(salt, from, to, hash)
        };
        let hash = |at, len| hash_bytes(journal.value(at, len));
        let sum = std::cell::Cell::from_mut(sum);
        let add = |term| sum.set(sum.get().wrapping_add(term));
        let subtract = |term| sum.set(sum.get().wrapping_sub(term));
        match *entry {
            Entry::Create {
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
            Entry::Delete {
                entity,
                state: at,
                id,
            } => subtract(state(entity, at, id)),
            Entry::Move {
                entity,
                slot,
                from,
                to,
            } => {
                let id = id(entity, slot);
                subtract(state(entity, from, id));
                add(state(entity, to, id));
            }
            Entry::FillPlain {
                column,
                slot,
                form,
                new,
            } => add(cell(column, slot)(form.hash(new))),
            Entry::ReplacePlain {
                column,
                slot,
                form,
                new,
                old,
            } => {
                let term = cell(column, slot);
                subtract(term(form.hash(old)));
                add(term(form.hash(new)));
            }
            Entry::FillEncoded {
                column,
                slot,
                at,
                len,
            } => add(cell(column, slot)(hash(at, len))),
            Entry::ReplaceEncoded {
                column,
                slot,
                at,
                len,
                old_hash,
            } => {
                let term = cell(column, slot);
                subtract(term(old_hash));
                add(term(hash(at, len)));
            }
            Entry::ClearPlain {
                column,
                slot,
                form,
                old,
            } => subtract(cell(column, slot)(form.hash(old))),
            Entry::ClearEncoded {
                column,
                slot,
                old_hash,
            } => subtract(cell(column, slot)(old_hash)),
            Entry::Link { edge, from, to } => add(link(edge, (from, to))),
            Entry::Unlink { edge, from, to, .. } => subtract(link(edge, (from, to))),
            Entry::Relink { edge, links } => {
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
            Entry::SetLinkPlain {
                edge,
                from,
                to,
                form,
                new,
            } => add(data(edge, (from, to), form.hash(new))),
            Entry::SetLinkEncoded {
                edge,
                from,
                to,
                at,
                len,
            } => add(data(edge, (from, to), hash(at, len))),
            Entry::ClearLinkPlain {
                edge,
                from,
                to,
                form,
                old,
            } => subtract(data(edge, (from, to), form.hash(old))),
            Entry::ClearLinkEncoded {
                edge,
                from,
                to,
                old_hash,
            } => subtract(data(edge, (from, to), old_hash)),
        }
    }
}

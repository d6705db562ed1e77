//! The fingerprint of the graph. It is updated from the journal when it is needed: by a commit of a store with a log or a
//! follower, and never by a transaction that is only tried.
//!
//! An entry does not say the generation of its slot, which `generations` finds. The ids are found once for the terms of an
//! entry and for what else is done with it: a commit encodes the facts of a frame in a [`FactVisitor`]. A visitor is passed by
//! value, so that what it has is in registers in the usual loops.

mod expected;

use std::cell::Cell;

use crate::base::hash::{
    cell_term, hash_bytes, link_data_term, link_term, relink_terms, state_term,
};
use crate::base::id::Id;
use crate::graph::entry::Entry;
use crate::graph::generations::Created;
use crate::graph::storage::Storage;
use crate::graph::{Graph, Journal};
use crate::schema::{ColumnIx, EdgeIx, EntityIx, StateIx};
use crate::value::PlainForm;
pub(crate) use expected::Expected;

/// Receives each fact of a transaction, in the order of [`Journal::facts`].
pub(crate) trait FactVisitor {
    fn create(&mut self, entity: EntityIx, state: StateIx, id: Id);
    fn delete(&mut self, entity: EntityIx, state: StateIx, id: Id);
    fn move_to(&mut self, entity: EntityIx, id: Id, from: StateIx, to: StateIx);
    fn set_plain(&mut self, column: ColumnIx, id: Id, value: (PlainForm, u64));
    fn set_encoded(&mut self, column: ColumnIx, id: Id, value: &[u8]);
    fn link(&mut self, edge: EdgeIx, from: Id, to: Id);
    fn unlink(&mut self, edge: EdgeIx, from: Id, to: Id);
    /// An unlink from the first of two holders, and then a link with the second one.
    fn relink(&mut self, edge: EdgeIx, forward: bool, held: Id, holders: [Id; 2]);
    fn set_link_plain(&mut self, edge: EdgeIx, from: Id, to: Id, value: (PlainForm, u64));
    fn set_link_encoded(&mut self, edge: EdgeIx, from: Id, to: Id, value: &[u8]);
}

/// A sum of terms, modulo 2^128.
#[derive(Default)]
pub(crate) struct Sum(Cell<u128>);

impl Sum {
    #[inline(always)]
    fn add(&self, term: u128) {
        self.0.set(self.0.get().wrapping_add(term));
    }

    #[inline(always)]
    fn subtract(&self, term: u128) {
        self.0.set(self.0.get().wrapping_sub(term));
    }

    #[inline(always)]
    pub(crate) fn total(&self) -> u128 {
        self.0.get()
    }
}

/// A visitor that does nothing.
struct Ignore;

impl FactVisitor for Ignore {
    fn create(&mut self, _: EntityIx, _: StateIx, _: Id) {}
    fn delete(&mut self, _: EntityIx, _: StateIx, _: Id) {}
    fn move_to(&mut self, _: EntityIx, _: Id, _: StateIx, _: StateIx) {}
    fn set_plain(&mut self, _: ColumnIx, _: Id, _: (PlainForm, u64)) {}
    fn set_encoded(&mut self, _: ColumnIx, _: Id, _: &[u8]) {}
    fn link(&mut self, _: EdgeIx, _: Id, _: Id) {}
    fn unlink(&mut self, _: EdgeIx, _: Id, _: Id) {}
    fn relink(&mut self, _: EdgeIx, _: bool, _: Id, _: [Id; 2]) {}
    fn set_link_plain(&mut self, _: EdgeIx, _: Id, _: Id, _: (PlainForm, u64)) {}
    fn set_link_encoded(&mut self, _: EdgeIx, _: Id, _: Id, _: &[u8]) {}
}

impl<S: Storage> Graph<S> {
    /// Returns the fingerprint of the graph with what the open transaction did so far. O(entries that it does not include).
    // It is not inlined, because the usual commit needs it neither with a log nor without one.
    #[inline(never)]
    pub(crate) fn fingerprint_with(&self, journal: &Journal) -> u128 {
        self.fingerprint
            .wrapping_add(self.visit(journal, journal.fingerprinted, Ignore).0)
    }

    /// Includes what the open transaction did so far in the fingerprint, if that is kept.
    #[inline]
    pub(crate) fn update_fingerprint(&mut self, journal: &mut Journal) {
        if self.fingerprinting && journal.fingerprinted < journal.entries.len() {
            self.fingerprint = self.fingerprint_with(journal);
            journal.fingerprinted = journal.entries.len();
        }
    }

    /// As [`Graph::update_fingerprint`], and shows a visitor all facts of the open transaction.
    #[inline(always)]
    pub(crate) fn update_fingerprint_and_visit<V: FactVisitor>(
        &mut self,
        journal: &mut Journal,
        visitor: V,
    ) -> V {
        let (sum, visitor) = self.visit(journal, 0, visitor);
        self.add_to_fingerprint(sum, journal);
        visitor
    }

    /// Adds the sum of the terms of all entries to the fingerprint.
    #[inline(always)]
    fn add_to_fingerprint(&mut self, sum: u128, journal: &mut Journal) {
        if self.fingerprinting && journal.fingerprinted == 0 {
            self.fingerprint = self.fingerprint.wrapping_add(sum);
            journal.fingerprinted = journal.entries.len();
        } else {
            // The sum has the terms of entries that are included.
            self.update_fingerprint(journal);
        }
    }

    /// Shows a visitor the facts of the entries from one on. Returns the sum of their terms.
    #[inline(always)]
    fn visit<V: FactVisitor>(&self, journal: &Journal, from: usize, mut visitor: V) -> (u128, V) {
        if journal.may_reuse_slots {
            return self.visit_reused(journal, from, visitor);
        }
        let sum = Sum::default();
        for entry in journal.entries.get(from..).unwrap_or_default() {
            self.visit_entry(&sum, journal, entry, &mut visitor, |entity, slot| {
                self.id(entity, slot)
            });
        }
        (sum.total(), visitor)
    }

    /// [`Graph::visit`] of a transaction that may have used the slots of entities that it had deleted.
    #[cold]
    #[inline(never)]
    fn visit_reused<V: FactVisitor>(
        &self,
        journal: &Journal,
        from: usize,
        mut visitor: V,
    ) -> (u128, V) {
        let creates = |entry: &Entry| match *entry {
            Entry::Create { entity, id, .. } => Some((entity, id)),
            _ => None,
        };
        let created = Created::of(journal.entries.iter().map(creates));
        let sum = Sum::default();
        for (i, entry) in journal.entries.iter().enumerate().skip(from) {
            self.visit_entry(&sum, journal, entry, &mut visitor, |entity, slot| {
                created.id(i, self, (entity, slot))
            });
        }
        (sum.total(), visitor)
    }

    /// Shows a visitor the facts of an entry, and adds the terms of the entry to a sum. `id` gives the id that the entity at a
    /// slot had when the entry was made.
    #[inline(always)]
    fn visit_entry(
        &self,
        sum: &Sum,
        journal: &Journal,
        entry: &Entry,
        visitor: &mut impl FactVisitor,
        id: impl Fn(EntityIx, u32) -> Id,
    ) {
        let state = |entity: EntityIx, state: StateIx, id: Id| {
            let states = &self.layout.entities[usize::from(entity)].states;
            state_term(states[usize::from(state)].salt, id)
        };
        let cell = |column: ColumnIx, slot: u32| {
            let layout = &self.layout.columns[usize::from(column)];
            let id = id(layout.entity, slot);
            (id, move |hash: u64| cell_term(layout.salt, id, hash))
        };
        let ends = |edge: EdgeIx, from: u32, to: u32| {
            let layout = &self.layout.edges[usize::from(edge)];
            let ids = (id(layout.from.entity, from), id(layout.to.entity, to));
            (layout.salt, ids)
        };
        let add = |term| sum.add(term);
        let subtract = |term| sum.subtract(term);
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
                visitor.create(entity, at, id);
            }
            Entry::Delete {
                entity,
                state: at,
                id,
            } => {
                subtract(state(entity, at, id));
                visitor.delete(entity, at, id);
            }
            Entry::Move {
                entity,
                slot,
                from,
                to,
            } => {
                let id = id(entity, slot);
                self.visit_move(sum, (entity, id), (from, to), visitor);
            }
            Entry::FillPlain {
                column,
                slot,
                form,
                new,
            } => {
                let id = id(self.layout.columns[usize::from(column)].entity, slot);
                self.visit_fill(sum, (column, id), (form, new), visitor);
            }
            Entry::ReplacePlain {
                column,
                slot,
                form,
                new,
                old,
            } => {
                let id = id(self.layout.columns[usize::from(column)].entity, slot);
                self.visit_replace(sum, (column, id), (form, old, new), visitor);
            }
            Entry::FillEncoded {
                column,
                slot,
                at,
                len,
            } => {
                let ((id, term), value) = (cell(column, slot), journal.value(at, len));
                add(term(hash_bytes(value)));
                visitor.set_encoded(column, id, value);
            }
            Entry::ReplaceEncoded {
                column,
                slot,
                at,
                len,
                old_hash,
            } => {
                let ((id, term), value) = (cell(column, slot), journal.value(at, len));
                subtract(term(old_hash));
                add(term(hash_bytes(value)));
                visitor.set_encoded(column, id, value);
            }
            // The facts of deletions, moves and unlinks imply that values are removed.
            Entry::ClearPlain {
                column,
                slot,
                form,
                old,
            } => subtract(cell(column, slot).1(form.hash(old))),
            Entry::ClearEncoded {
                column,
                slot,
                old_hash,
            } => subtract(cell(column, slot).1(old_hash)),
            Entry::Link { edge, from, to } => {
                let (salt, (from, to)) = ends(edge, from, to);
                add(link_term(salt, from, to));
                visitor.link(edge, from, to);
            }
            Entry::Unlink { edge, from, to, .. } => {
                let (salt, (from, to)) = ends(edge, from, to);
                subtract(link_term(salt, from, to));
                visitor.unlink(edge, from, to);
            }
            Entry::Relink { edge, links } => {
                let layout = &self.layout.edges[usize::from(edge)];
                let (holder, held) = layout.holder_and_held(links.forward);
                let held = id(held, links.held);
                let holders = [id(holder, links.old), id(holder, links.holder)];
                self.visit_relink(sum, (edge, links.forward), (held, holders), visitor);
            }
            Entry::SetLinkPlain {
                edge,
                from,
                to,
                form,
                new,
            } => {
                let (salt, (from, to)) = ends(edge, from, to);
                add(link_data_term(salt, from, to, form.hash(new)));
                visitor.set_link_plain(edge, from, to, (form, new));
            }
            Entry::SetLinkEncoded {
                edge,
                from,
                to,
                at,
                len,
            } => {
                let ((salt, (from, to)), value) = (ends(edge, from, to), journal.value(at, len));
                add(link_data_term(salt, from, to, hash_bytes(value)));
                visitor.set_link_encoded(edge, from, to, value);
            }
            Entry::ClearLinkPlain {
                edge,
                from,
                to,
                form,
                old,
            } => {
                let (salt, (from, to)) = ends(edge, from, to);
                subtract(link_data_term(salt, from, to, form.hash(old)));
            }
            Entry::ClearLinkEncoded {
                edge,
                from,
                to,
                old_hash,
            } => {
                let (salt, (from, to)) = ends(edge, from, to);
                subtract(link_data_term(salt, from, to, old_hash));
            }
        }
    }

    #[inline(always)]
    fn visit_move(
        &self,
        sum: &Sum,
        (entity, id): (EntityIx, Id),
        (from, to): (StateIx, StateIx),
        visitor: &mut impl FactVisitor,
    ) {
        let states = &self.layout.entities[usize::from(entity)].states;
        let (from_salt, to_salt) = (states[usize::from(from)].salt, states[usize::from(to)].salt);
        sum.subtract(state_term(from_salt, id));
        sum.add(state_term(to_salt, id));
        visitor.move_to(entity, id, from, to);
    }

    /// A plain value was set in a cell without a value.
    #[inline(always)]
    fn visit_fill(
        &self,
        sum: &Sum,
        (column, id): (ColumnIx, Id),
        (form, new): (PlainForm, u64),
        visitor: &mut impl FactVisitor,
    ) {
        let salt = self.layout.columns[usize::from(column)].salt;
        sum.add(cell_term(salt, id, form.hash(new)));
        visitor.set_plain(column, id, (form, new));
    }

    /// A plain value replaced another.
    #[inline(always)]
    fn visit_replace(
        &self,
        sum: &Sum,
        (column, id): (ColumnIx, Id),
        (form, old, new): (PlainForm, u64, u64),
        visitor: &mut impl FactVisitor,
    ) {
        let salt = self.layout.columns[usize::from(column)].salt;
        let (old_hash, new_hash) = form.hashes(old, new);
        sum.subtract(cell_term(salt, id, old_hash));
        sum.add(cell_term(salt, id, new_hash));
        visitor.set_plain(column, id, (form, new));
    }

    /// An entity is linked with the second of two holders instead of the first.
    #[inline(always)]
    fn visit_relink(
        &self,
        sum: &Sum,
        (edge, forward): (EdgeIx, bool),
        (held, holders): (Id, [Id; 2]),
        visitor: &mut impl FactVisitor,
    ) {
        let salt = self.layout.edges[usize::from(edge)].salt;
        let [old, new] = relink_terms(salt, forward, held, holders);
        sum.subtract(old);
        sum.add(new);
        visitor.relink(edge, forward, held, holders);
    }
}

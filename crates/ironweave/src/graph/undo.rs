//! Undo: the changes of the open transaction are rolled back exactly.
//!
//! The entries of the journal are reversed from the last to the first. Each entry has the data that this needs, except for
//! values that are not plain: these are on stacks of their columns, in the same order.

use crate::base::id::{FIRST_GENERATION, FREE, GENERATION_MAX, Id};
use crate::graph::Graph;
use crate::graph::entry::{Entry, NewValue, OldValue};
use crate::graph::journal::{Journal, JournalMark};
use crate::graph::storage::{Storage, Table};
use crate::schema::{ColumnIx, EdgeIx, EntityIx, StateIx};

/// After this number of committed entries, columns forget what was replaced.
const REPLACED_MAX: usize = 1 << 10;

/// A point in the journal to go back to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    journal: JournalMark,
    fingerprint: u128,
}

impl<S: Storage> Graph<S> {
    pub(crate) fn mark(&self, journal: &mut Journal) -> Mark {
        Mark {
            journal: journal.mark(),
            fingerprint: self.fingerprint,
        }
    }

    /// Undoes everything that was done since a mark, exactly: ids, states, values, order of lists. Immediate events that
    /// it enabled stay pending: whether one is still enabled is checked before it fires.
    pub(crate) fn rollback(&mut self, journal: &mut Journal, mark: Mark) {
        self.undo_after(journal, mark.journal.entries);
        journal.go_back(mark.journal);
        self.fingerprint = mark.fingerprint;
    }

    /// Undoes everything that the open transaction did, and clears its journal.
    pub(crate) fn rollback_all(&mut self, journal: &mut Journal) {
        self.undo_after(journal, 0);
        journal.clear();
        self.fingerprint = self.committed_fingerprint;
        self.forget_woken();
    }

    /// Undoes all entries of the journal after the first ones, and removes them.
    #[inline]
    fn undo_after(&mut self, journal: &mut Journal, entries: usize) {
        if !self.indexes.is_empty() {
            return self.undo_indexed_after(journal, entries);
        }
        while journal.entries.len() > entries {
            match journal.entries.pop() {
                None => break,
                Some(entry) => self.undo(entry),
            }
        }
    }

    /// Undoes a transaction that was closed with [`Core::close_undoable`](crate::step::Core::close_undoable). All later ones
    /// must be undone already. `fingerprint` is that of the graph before it.
    pub(crate) fn rollback_closed(&mut self, journal: &mut Journal, fingerprint: u128) {
        self.committed_fingerprint = fingerprint;
        self.rollback_all(journal);
    }

    /// Undoes, in a copy of a graph, the changes of the transaction that is open in the original.
    pub(crate) fn without_open<B: Storage>(&mut self, original: &Graph<B>, journal: &mut Journal) {
        let columns = self.columns.iter_mut().zip(&original.columns);
        columns.for_each(|(column, from)| column.copy_undo(&**from));
        for (edge, from) in self.edges.iter_mut().zip(&original.edges) {
            if let Some((data, from)) = edge.data.as_mut().zip(from.data.as_ref()) {
                data.copy_undo(from.column());
            }
        }
        self.committed_fingerprint = original.committed_fingerprint;
        self.rollback_all(journal);
        self.commit(journal);
    }

    /// Whether user code panicked while an index was being changed, so that the index is incomplete.
    pub(crate) fn is_broken(&self) -> bool {
        self.columns.iter().any(|column| column.is_broken())
            || self.indexes.iter().any(|index| index.is_broken())
    }

    /// Undoes the last entry. It is inlined where no index is kept, which is the usual case.
    #[inline(always)]
    pub(super) fn undo(&mut self, entry: Entry) {
        match entry {
            Entry::Create { entity, id, .. } => self.undo_create(entity, id),
            Entry::Delete { entity, state, id } => {
                let Id { slot, generation } = id;
                let table = &mut self.entities[usize::from(entity)];
                if generation < GENERATION_MAX {
                    table.free.pop();
                }
                *table.words.at_mut(slot as usize) = generation << 8 | u32::from(state);
                table.in_state.insert(state, slot);
                table.alive += 1;
                if self.layout.entities[usize::from(entity)].key.len() > 1
                    && let Some(hash) = self.key_hash(entity, slot)
                {
                    self.entities[usize::from(entity)].key.insert(hash, slot);
                }
            }
            Entry::Move {
                entity,
                slot,
                from,
                to,
            } => {
                let table = &mut self.entities[usize::from(entity)];
                let word = table.words.at_mut(slot as usize);
                *word = *word & !0xff | u32::from(from);
                table.in_state.change(slot, to, from);
                if !table.quiet {
                    self.recount(entity, slot, to, from, false);
                }
            }
            Entry::FillPlain { column, slot, .. } => {
                self.unindex_part(column, slot);
                S::put_back(&mut self.columns[usize::from(column)], slot, None);
            }
            Entry::ReplacePlain {
                column, slot, old, ..
            } => {
                // A value of an array is no part of a key.
                if !S::put_back_raw(&mut self.columns[usize::from(column)], slot, old) {
                    self.unindex_part(column, slot);
                    S::put_back(&mut self.columns[usize::from(column)], slot, Some(old));
                    self.reindex_part(column, slot);
                }
            }
            Entry::FillEncoded { column, slot, .. } => {
                self.unindex_part(column, slot);
                self.columns[usize::from(column)].undo();
            }
            Entry::ReplaceEncoded { column, slot, .. } => {
                self.unindex_part(column, slot);
                self.columns[usize::from(column)].undo();
                self.reindex_part(column, slot);
            }
            Entry::ClearPlain {
                column, slot, old, ..
            } => S::put_back(&mut self.columns[usize::from(column)], slot, Some(old)),
            Entry::ClearEncoded { column, .. } => self.columns[usize::from(column)].undo(),
            Entry::Link { edge, from, to } => {
                if self.layout.edges[usize::from(edge)].is_watched {
                    self.rewatch(edge, from, to, false, false);
                }
                self.edges[usize::from(edge)].undo_link(from, to);
            }
            Entry::Unlink { edge, from, to, at } => {
                self.edges[usize::from(edge)].undo_unlink(from, to, at);
                if self.layout.edges[usize::from(edge)].is_watched {
                    self.rewatch(edge, from, to, true, false);
                }
            }
            Entry::Relink { edge, links } => self.edges[usize::from(edge)].undo_take_over(links),
            Entry::SetLinkPlain { edge, from, to, .. } => {
                self.put_back_data(edge, (from, to), None)
            }
            Entry::ClearLinkPlain {
                edge,
                from,
                to,
                old,
                ..
            } => self.put_back_data(edge, (from, to), Some(old)),
            Entry::SetLinkEncoded { edge, .. } | Entry::ClearLinkEncoded { edge, .. } => {
                if let Some(data) = &mut self.edges[usize::from(edge)].data {
                    data.undo();
                }
            }
        }
    }

    /// Removes a key of several fields from the index, before one of them has no value again.
    #[inline]
    fn unindex_part(&mut self, column: ColumnIx, slot: u32) {
        let layout = &self.layout.columns[usize::from(column)];
        if layout.composite {
            let entity = layout.entity;
            self.unindex_key(entity, slot);
        }
    }

    /// Adds a key of several fields to the index again, after one of them has its old value again.
    #[inline]
    fn reindex_part(&mut self, column: ColumnIx, slot: u32) {
        let layout = &self.layout.columns[usize::from(column)];
        if layout.composite {
            let entity = layout.entity;
            self.reindex_key(entity, slot);
        }
    }

    /// Undoes a change of the data of a link: it has a word again, or no value.
    fn put_back_data(&mut self, edge: EdgeIx, (from, to): (u32, u32), word: Option<u64>) {
        if let Some(data) = &mut self.edges[usize::from(edge)].data {
            data.put_back(from, to, word);
        }
    }

    /// Undoes that a cell was set.
    #[inline]
    pub(super) fn undo_set(
        &mut self,
        column: ColumnIx,
        slot: u32,
        new: NewValue,
        old: Option<OldValue>,
    ) {
        let column = &mut self.columns[usize::from(column)];
        match new {
            NewValue::Plain(..) => S::put_back(column, slot, old.and_then(OldValue::plain)),
            NewValue::Encoded { .. } => column.undo(),
        }
    }

    fn undo_create(&mut self, entity: EntityIx, Id { slot, generation }: Id) {
        let layout = &self.layout.entities[usize::from(entity)];
        let table = &mut self.entities[usize::from(entity)];
        let word = *table.words.at(slot as usize);
        table.in_state.remove(StateIx::new(word as u8), slot);
        table.alive -= 1;
        // A slot that was used before has a later generation.
        if generation > FIRST_GENERATION {
            *table.words.at_mut(slot as usize) = (generation - 1) << 8 | u32::from(FREE);
            table.free.push(slot);
            return;
        }
        table.words.pop();
        for column in &layout.columns {
            self.columns[usize::from(*column)].shrink();
        }
        for hop in &layout.ends {
            self.edges[usize::from(hop.edge)].shrink(hop.forward);
        }
        for watch in &layout.watches {
            self.counters[usize::from(*watch)].pop();
        }
    }

    /// Commits the open transaction: it can no longer be undone.
    #[inline]
    pub(crate) fn commit(&mut self, journal: &mut Journal) {
        self.update_fingerprint(journal);
        self.entries_kept += journal.entries.len();
        if self.entries_kept >= REPLACED_MAX {
            self.forget_replaced();
        }
        journal.clear();
        self.pending.clear();
        self.entered.clear();
        self.committed_fingerprint = self.fingerprint;
    }

    /// Forgets what was replaced in columns. This is not done for each transaction, since most change little and there may be
    /// many columns; entries deep in a stack do no harm.
    #[cold]
    fn forget_replaced(&mut self) {
        self.entries_kept = 0;
        self.columns
            .iter_mut()
            .for_each(|column| column.forget_replaced());
        for edge in &mut self.edges {
            if let Some(data) = &mut edge.data {
                data.forget_replaced();
            }
        }
    }
}

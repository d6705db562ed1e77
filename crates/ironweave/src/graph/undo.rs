//! Undo: the changes of the open transaction are rolled back exactly.
//!
//! The facts say what was done. From the last to the first, each is reversed. What a fact does not say is on stacks, in
//! order: the values that were replaced (on a stack of each column), and the positions of removed links in their lists.

use crate::base::id::{FREE, GENERATION_MAX};
use crate::graph::Graph;
use crate::graph::edge::Positions;
use crate::graph::fact::{Fact, Facts};
use crate::graph::storage::{Storage, Table};
use crate::schema::EntityIx;

/// After this number of committed facts, columns forget what was replaced.
const REPLACED_MAX: usize = 1 << 10;

/// The changes of the open transaction.
#[derive(Clone, Default)]
pub struct Journal {
    pub(crate) facts: Facts,
    /// The positions of each link that was removed.
    pub(super) unlinked: Vec<Positions>,
}

/// A point in the journal to go back to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    facts: usize,
    bytes: usize,
    fingerprint: u128,
}

impl<S: Storage> Graph<S> {
    pub(crate) fn mark(&self, journal: &Journal) -> Mark {
        let facts = &journal.facts;
        Mark {
            facts: facts.list.len(),
            bytes: facts.bytes.len(),
            fingerprint: self.fingerprint,
        }
    }

    /// Undoes everything that was done since a mark, exactly: ids, states, values, order of lists. Immediate events that
    /// it enabled stay pending: whether one is still enabled is checked before it fires.
    pub(crate) fn rollback(&mut self, journal: &mut Journal, mark: Mark) {
        while journal.facts.list.len() > mark.facts {
            match journal.facts.list.pop() {
                None => break,
                Some(fact) => self.undo(journal, fact),
            }
        }
        journal.facts.bytes.truncate(mark.bytes);
        self.fingerprint = mark.fingerprint;
        self.firing = 0;
    }

    /// Undoes everything that the open transaction did.
    pub(crate) fn rollback_all(&mut self, journal: &mut Journal) {
        self.rollback(
            journal,
            Mark {
                facts: 0,
                bytes: 0,
                fingerprint: self.committed_fingerprint,
            },
        );
        self.pending.clear();
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
    }

    /// Undoes the last fact.
    fn undo(&mut self, journal: &mut Journal, fact: Fact) {
        match fact {
            Fact::Create {
                entity,
                slot,
                generation,
                ..
            } => self.undo_create(entity, slot, generation),
            Fact::Delete {
                entity,
                state,
                slot,
                generation,
            } => {
                let table = &mut self.entities[usize::from(entity)];
                if generation < GENERATION_MAX {
                    table.free.pop();
                }
                *table.words.at_mut(slot as usize) = generation << 8 | u32::from(state);
                table.in_state[usize::from(state)].insert(slot);
                table.alive += 1;
                let layout = &self.layout.entities[usize::from(entity)];
                for column in &layout.columns {
                    self.columns[usize::from(*column)].undo();
                }
                if layout.key.len() > 1
                    && let Some(hash) = self.key_hash(entity, slot)
                {
                    self.entities[usize::from(entity)].key.insert(hash, slot);
                }
            }
            Fact::Move {
                entity,
                slot,
                from,
                to,
            } => {
                let table = &mut self.entities[usize::from(entity)];
                let word = table.words.at_mut(slot as usize);
                *word = *word & !0xff | u32::from(from);
                table.in_state[usize::from(to)].remove(slot);
                table.in_state[usize::from(from)].insert(slot);
                let layout = &self.layout.entities[usize::from(entity)];
                for column in &layout.states[usize::from(from)].data {
                    self.columns[usize::from(*column)].undo();
                }
                if !layout.counted_by.is_empty() {
                    self.recount(entity, slot, to, from, false);
                }
            }
            Fact::Set { column, slot, .. } => {
                let layout = &self.layout.columns[usize::from(column)];
                if layout.composite {
                    let entity = layout.entity;
                    if let Some(hash) = self.key_hash(entity, slot) {
                        self.entities[usize::from(entity)].key.remove(hash, slot);
                    }
                }
                self.columns[usize::from(column)].undo();
            }
            Fact::SetLink { edge, .. } => {
                if let Some(data) = &mut self.edges[usize::from(edge)].data {
                    data.undo();
                }
            }
            Fact::Link { edge, from, to } => {
                if !self.layout.edges[usize::from(edge)].watches.is_empty() {
                    self.rewatch(edge, from, to, false, false);
                }
                self.edges[usize::from(edge)].undo_link(from, to);
            }
            Fact::Unlink { edge, from, to } => {
                let Some(positions) = journal.unlinked.pop() else {
                    return;
                };
                self.edges[usize::from(edge)].undo_unlink(from, to, positions);
                if !self.layout.edges[usize::from(edge)].watches.is_empty() {
                    self.rewatch(edge, from, to, true, false);
                }
                if let Some(data) = &mut self.edges[usize::from(edge)].data {
                    data.undo();
                }
            }
        }
    }

    fn undo_create(&mut self, entity: EntityIx, slot: u32, generation: u32) {
        let layout = &self.layout.entities[usize::from(entity)];
        let table = &mut self.entities[usize::from(entity)];
        let word = *table.words.at(slot as usize);
        table.in_state[usize::from(word as u8)].remove(slot);
        table.alive -= 1;
        // A slot that was used before has a later generation.
        if generation > 1 {
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
        self.facts_kept += journal.facts.list.len();
        if self.facts_kept >= REPLACED_MAX {
            self.forget_replaced();
        }
        journal.facts.clear();
        journal.unlinked.clear();
        self.pending.clear();
        self.committed_fingerprint = self.fingerprint;
    }

    /// Forgets what was replaced in columns. This is not done for each transaction, since most change little and there may be
    /// many columns; entries deep in a stack do no harm.
    #[cold]
    fn forget_replaced(&mut self) {
        self.facts_kept = 0;
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

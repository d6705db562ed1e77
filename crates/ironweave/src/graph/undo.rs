//! Undo: what the open transaction did, and how it is taken back exactly.

use crate::fact::Facts;
use crate::graph::Graph;
use crate::graph::edge::Positions;
use crate::graph::storage::{Storage, Table};
use crate::schema::{ColumnIx, EdgeIx, EntityIx};

/// What the open transaction did.
#[derive(Default)]
pub(crate) struct Journal {
    pub(super) undo: Vec<Undo>,
    pub facts: Facts,
}

/// A point in the journal to go back to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    undo: usize,
    facts: usize,
    bytes: usize,
    fingerprint: u128,
}

pub(super) enum Undo {
    Create {
        entity: EntityIx,
    },
    Move {
        entity: EntityIx,
        slot: u32,
        word: u32,
    },
    Column {
        column: ColumnIx,
    },
    Link {
        edge: EdgeIx,
        from: u32,
        to: u32,
    },
    Unlink {
        edge: EdgeIx,
        from: u32,
        to: u32,
        positions: Positions,
    },
}

impl<S: Storage> Graph<S> {
    pub(crate) fn mark(&self) -> Mark {
        let Journal { undo, facts } = &self.journal;
        Mark {
            undo: undo.len(),
            facts: facts.list.len(),
            bytes: facts.bytes.len(),
            fingerprint: self.fingerprint,
        }
    }

    /// Takes back all that was done since a mark, exactly: ids, states, values, list order.
    pub(crate) fn rollback(&mut self, mark: Mark) {
        while self.journal.undo.len() > mark.undo {
            match self.journal.undo.pop() {
                None => break,
                Some(Undo::Create { entity }) => self.uncreate(entity),
                Some(Undo::Move { entity, slot, word }) => {
                    let table = &mut self.entities[usize::from(entity)];
                    let (from, to) = (word as u8, *table.words.at(slot as usize) as u8);
                    *table.words.at_mut(slot as usize) = word;
                    table.places[usize::from(to)].remove(slot);
                    table.places[usize::from(from)].insert(slot);
                    self.recount(entity, slot, to, from, false);
                }
                Some(Undo::Column { column }) => self.columns[usize::from(column)].undo(),
                Some(Undo::Link { edge, from, to }) => {
                    self.rewatch(edge, from, to, false, false);
                    self.edges[usize::from(edge)].undo_link(from, to);
                }
                Some(Undo::Unlink {
                    edge,
                    from,
                    to,
                    positions,
                }) => {
                    self.edges[usize::from(edge)].undo_unlink(from, to, positions);
                    self.rewatch(edge, from, to, true, false);
                }
            }
        }
        self.journal.facts.list.truncate(mark.facts);
        self.journal.facts.bytes.truncate(mark.bytes);
        self.fingerprint = mark.fingerprint;
        self.pending.clear();
    }

    fn uncreate(&mut self, entity: EntityIx) {
        let layout = &self.layout.entities[usize::from(entity)];
        let table = &mut self.entities[usize::from(entity)];
        let slot = table.words.len() as u32 - 1;
        let state = *table.words.at(slot as usize) as u8;
        table.places[usize::from(state)].remove(slot);
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

    /// Ends a transaction: what it did can be taken back no longer.
    pub(crate) fn settle(&mut self) {
        for undo in self.journal.undo.drain(..) {
            if let Undo::Column { column } = undo {
                self.columns[usize::from(column)].settle();
            }
        }
        self.journal.facts.clear();
        self.pending.clear();
    }
}

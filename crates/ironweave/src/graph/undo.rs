//! Undo: what the open transaction did, and how it is taken back exactly.

use crate::fact::Facts;
use crate::graph::Graph;
use crate::graph::edge::Positions;
use crate::graph::storage::{Storage, Table};
use crate::id::FREE;
use crate::schema::{ColumnIx, EdgeIx, EntityIx, StateIx};

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
        slot: u32,
        /// Whether the slot was a new one.
        fresh: bool,
    },
    Delete {
        entity: EntityIx,
        slot: u32,
        state: StateIx,
        /// Whether the slot can be used again.
        again: bool,
    },
    Key {
        entity: EntityIx,
        slot: u32,
        hash: u64,
        /// Whether it came into the index or left it.
        indexed: bool,
    },
    Move {
        entity: EntityIx,
        slot: u32,
        word: u32,
    },
    Column {
        column: ColumnIx,
    },
    LinkData {
        edge: EdgeIx,
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
                Some(Undo::Create {
                    entity,
                    slot,
                    fresh,
                }) => self.uncreate(entity, slot, fresh),
                Some(Undo::Delete {
                    entity,
                    slot,
                    state,
                    again,
                }) => {
                    let table = &mut self.entities[usize::from(entity)];
                    if again {
                        table.free.pop();
                    }
                    let word = table.words.at_mut(slot as usize);
                    *word = *word & !0xff | u32::from(state);
                    table.places[usize::from(state)].insert(slot);
                    table.alive += 1;
                }
                Some(Undo::Key {
                    entity,
                    slot,
                    hash,
                    indexed,
                }) => {
                    let key = &mut self.entities[usize::from(entity)].key;
                    if indexed {
                        key.remove(hash, slot);
                    } else {
                        key.insert(hash, slot);
                    }
                }
                Some(Undo::LinkData { edge }) => {
                    if let Some(data) = &mut self.edges[usize::from(edge)].data {
                        data.undo();
                    }
                }
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

    fn uncreate(&mut self, entity: EntityIx, slot: u32, fresh: bool) {
        let layout = &self.layout.entities[usize::from(entity)];
        let table = &mut self.entities[usize::from(entity)];
        let word = *table.words.at(slot as usize);
        table.places[usize::from(word as u8)].remove(slot);
        table.alive -= 1;
        if !fresh {
            *table.words.at_mut(slot as usize) = ((word >> 8) - 1) << 8 | u32::from(FREE);
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

    /// Ends a transaction: what it did can be taken back no longer.
    pub(crate) fn settle(&mut self) {
        for undo in self.journal.undo.drain(..) {
            match undo {
                Undo::Column { column } => self.columns[usize::from(column)].settle(),
                Undo::LinkData { edge } => {
                    if let Some(data) = &mut self.edges[usize::from(edge)].data {
                        data.settle();
                    }
                }
                _ => {}
            }
        }
        self.journal.facts.clear();
        self.pending.clear();
    }
}

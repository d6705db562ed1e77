//! The graph: entities, their values and links, kept by facts and taken back exactly.
//!
//! [`Graph`] holds all logic once, over [`storage::Storage`]. Each operation changes the tables, keeps the
//! counters and the fingerprint, and journals a fact (for the log) and how to undo it (for a rollback).
//! It knows nothing of events, of the log or of user code.

mod acyclic;
mod any;
pub(crate) mod check;
pub mod column;
mod data;
mod delete;
mod differ;
pub(crate) mod edge;
mod index;
mod key;
pub(crate) mod layout;
mod link_value;
pub mod paged;
pub(crate) mod place;
mod replay;
pub mod storage;
mod tree;
mod undo;
mod watch;

use std::any::Any;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use crate::error::{EntityRef, StepError};
use crate::fact::Fact;
pub use crate::graph::any::{GraphMut, GraphRef};
use crate::graph::column::{AnyColumn, ColumnError, ColumnType, Written};
use crate::graph::edge::Edge;
use crate::graph::key::KeyIndex;
use crate::graph::layout::Layout;
use crate::graph::place::Place;
use crate::graph::storage::{Storage, Table};
pub(crate) use crate::graph::undo::Mark;
use crate::graph::undo::{Journal, Undo};
use crate::hash::{cell_term, link_term, state_term};
use crate::id::{FREE, Id};
use crate::schema::{Cardinality, ColumnIx, EdgeIx, EntityIx, Hop, StateIx};
use crate::value::display;

/// The graph of one store or snapshot.
pub struct Graph<S: Storage> {
    pub(crate) layout: Arc<Layout>,
    entities: Vec<S::Part<Entities<S>>>,
    columns: Vec<S::Column>,
    /// By column, what it has where nothing is given.
    defaults: Vec<Option<Default>>,
    edges: Vec<S::Part<Edge<S>>>,
    /// One table for each watch of the layout.
    counters: Vec<S::Table<u32>>,
    pub(crate) fingerprint: u128,
    pub(crate) journal: Journal,
    /// Immediate events that were enabled when something last changed for them: (event, slot).
    pub(crate) pending: BinaryHeap<Reverse<(u16, u32)>>,
}

/// Makes a value of a column's type.
type Default = fn() -> Box<dyn Any>;

struct Entities<S: Storage> {
    /// `generation << 8 | state`, by slot.
    words: S::Table<u32>,
    /// By state.
    places: Vec<Place<S>>,
    /// Slots of deleted entities, the next to be used last.
    free: S::Table<u32>,
    /// How many entities there are.
    alive: u32,
    /// The index of a key of several fields.
    key: KeyIndex<S>,
}

impl<S: Storage> Clone for Entities<S> {
    fn clone(&self) -> Self {
        Self {
            words: self.words.clone(),
            places: self.places.clone(),
            free: self.free.clone(),
            alive: self.alive,
            key: self.key.clone(),
        }
    }
}

impl<S: Storage> Graph<S> {
    /// An empty graph; there is an entry in `columns` for each column of the schema, and in `data` for each edge.
    pub(crate) fn new(
        layout: Arc<Layout>,
        columns: &[ColumnType],
        data: &[Option<ColumnType>],
    ) -> Self {
        let entities = layout
            .entities
            .iter()
            .map(|e| Entities {
                words: S::Table::default(),
                places: e.states.iter().map(|_| Place::default()).collect(),
                free: S::Table::default(),
                alive: 0,
                key: KeyIndex::default(),
            })
            .map(S::Part::from)
            .collect();
        let edges = layout
            .edges
            .iter()
            .zip(data)
            .map(|(e, data)| {
                let data = data.as_ref().map(S::column);
                Edge::new(e.from.cardinality, e.to.cardinality, data)
            })
            .map(S::Part::from)
            .collect();
        let counters = layout.watches.iter().map(|_| S::Table::default()).collect();
        Self {
            entities,
            columns: columns.iter().map(S::column).collect(),
            defaults: columns.iter().map(|c| c.default).collect(),
            edges,
            counters,
            fingerprint: 0,
            journal: Journal::default(),
            pending: BinaryHeap::new(),
            layout,
        }
    }

    /// The same graph, which from here on goes its own way; O(tables) where it is paged. Nothing is open in it.
    pub(crate) fn fork(&self) -> Self {
        Self {
            layout: Arc::clone(&self.layout),
            entities: self.entities.clone(),
            columns: self.columns.clone(),
            defaults: self.defaults.clone(),
            edges: self.edges.clone(),
            counters: self.counters.clone(),
            fingerprint: self.fingerprint,
            journal: Journal::default(),
            pending: BinaryHeap::new(),
        }
    }

    /// The same graph in another storage; O(all of it). The columns and data are those that it was made with, and
    /// nothing is open in it.
    pub(crate) fn copy<B: Storage>(
        &self,
        columns: &[ColumnType],
        data: &[Option<ColumnType>],
    ) -> Graph<B> {
        let entities = self.entities.iter().map(|e| Entities {
            words: e.words.copy(),
            places: e.places.iter().map(Place::copy).collect(),
            free: e.free.copy(),
            alive: e.alive,
            key: e.key.copy(),
        });
        let copied = |(column, from): (&ColumnType, &S::Column)| {
            let mut column = B::column(column);
            column.copy(&**from);
            column
        };
        let edges = self.edges.iter().zip(data);
        Graph {
            layout: Arc::clone(&self.layout),
            entities: entities.map(B::Part::from).collect(),
            columns: columns.iter().zip(&self.columns).map(copied).collect(),
            defaults: self.defaults.clone(),
            edges: edges
                .map(|(edge, data)| edge.copy::<B>(data.as_ref().map(B::column)))
                .map(B::Part::from)
                .collect(),
            counters: self.counters.iter().map(Table::copy).collect(),
            fingerprint: self.fingerprint,
            journal: Journal::default(),
            pending: BinaryHeap::new(),
        }
    }

    // Reading.

    /// How many slots a type has taken.
    pub(crate) fn slots(&self, entity: EntityIx) -> u32 {
        self.entities[usize::from(entity)].words.len() as u32
    }

    /// The state of an entity, if it is alive; O(1).
    pub(crate) fn state(&self, entity: EntityIx, id: Id) -> Option<StateIx> {
        let words = &self.entities[usize::from(entity)].words;
        if id.slot as usize >= words.len() {
            return None;
        }
        let word = *words.at(id.slot as usize);
        (word >> 8 == id.generation && word as u8 != FREE).then_some(word as u8)
    }

    /// Whether there is an entity at a slot.
    pub(crate) fn is_alive(&self, entity: EntityIx, slot: u32) -> bool {
        self.state_of(entity, slot) != FREE
    }

    /// The slots of all entities of a type, in order.
    pub(crate) fn living(&self, entity: EntityIx) -> impl Iterator<Item = u32> {
        (0..self.slots(entity)).filter(move |slot| self.is_alive(entity, *slot))
    }

    /// How many entities of a type there are; O(1).
    pub(crate) fn alive(&self, entity: EntityIx) -> usize {
        self.entities[usize::from(entity)].alive as usize
    }

    /// How many entities there are.
    pub(crate) fn population(&self) -> usize {
        self.entities.iter().map(|e| e.alive as usize).sum()
    }

    /// The id that the next entity of a type will have.
    pub(crate) fn next_id(&self, entity: EntityIx) -> Id {
        let free = &self.entities[usize::from(entity)].free;
        match free.len().checked_sub(1).map(|last| *free.at(last)) {
            None => Id {
                slot: self.slots(entity),
                generation: 1,
            },
            Some(slot) => Id {
                slot,
                generation: self.id(entity, slot).generation + 1,
            },
        }
    }

    pub(crate) fn state_of(&self, entity: EntityIx, slot: u32) -> StateIx {
        *self.entities[usize::from(entity)].words.at(slot as usize) as u8
    }

    pub(crate) fn id(&self, entity: EntityIx, slot: u32) -> Id {
        let word = *self.entities[usize::from(entity)].words.at(slot as usize);
        Id {
            slot,
            generation: word >> 8,
        }
    }

    pub(crate) fn entity_ref(&self, entity: EntityIx, slot: u32) -> EntityRef {
        EntityRef {
            entity: Arc::clone(&self.layout.entities[usize::from(entity)].name),
            id: self.id(entity, slot),
        }
    }

    pub(crate) fn column(&self, column: ColumnIx) -> &dyn AnyColumn {
        &*self.columns[usize::from(column)]
    }

    pub(crate) fn links(&self, hop: Hop, slot: u32) -> &[u32] {
        self.edges[usize::from(hop.edge)].slots(hop.forward, slot)
    }

    /// How many entities one is linked with; O(1).
    pub(crate) fn degree(&self, hop: Hop, slot: u32) -> usize {
        self.edges[usize::from(hop.edge)].degree(hop.forward, slot)
    }

    pub(crate) fn linked(&self, hop: Hop, near: u32, far: u32) -> bool {
        let (from, to) = if hop.forward {
            (near, far)
        } else {
            (far, near)
        };
        self.edges[usize::from(hop.edge)].linked(from, to)
    }

    pub(crate) fn count(&self, entity: EntityIx, state: StateIx) -> usize {
        self.entities[usize::from(entity)].places[usize::from(state)].len()
    }

    /// The entities in a state.
    pub(crate) fn place(&self, entity: EntityIx, state: StateIx) -> &Place<S> {
        &self.entities[usize::from(entity)].places[usize::from(state)]
    }

    /// The value of a counter.
    pub(crate) fn counted(&self, watch: u16, slot: u32) -> usize {
        *self.counters[usize::from(watch)].at(slot as usize) as usize
    }

    /// The first entity in any of the states whose slot is not before `start`.
    pub(crate) fn next_in(&self, entity: EntityIx, states: &[StateIx], start: u32) -> Option<u32> {
        let places = &self.entities[usize::from(entity)].places;
        states
            .iter()
            .filter_map(|s| places[usize::from(*s)].next_from(start))
            .min()
    }

    // Changing.

    pub(crate) fn create(&mut self, entity: EntityIx, state: StateIx) -> Result<u32, StepError> {
        let id = self.next_id(entity);
        let Id { slot, generation } = id;
        let layout = &self.layout.entities[usize::from(entity)];
        if slot == edge::NONE {
            return Err(StepError::Full {
                what: Arc::clone(&layout.name),
            });
        }
        let table = &mut self.entities[usize::from(entity)];
        let word = generation << 8 | u32::from(state);
        let fresh = table.free.len() == 0;
        if fresh {
            table.words.push(word);
            for column in &layout.columns {
                self.columns[usize::from(*column)].grow();
            }
            for hop in &layout.ends {
                self.edges[usize::from(hop.edge)].grow(hop.forward);
            }
            for watch in &layout.watches {
                self.counters[usize::from(*watch)].push(0);
            }
        } else {
            table.free.pop();
            *table.words.at_mut(slot as usize) = word;
        }
        table.places[usize::from(state)].insert(slot);
        table.alive += 1;
        let salt = layout.states[usize::from(state)].salt;
        self.fingerprint = self.fingerprint.wrapping_add(state_term(salt, id));
        self.journal.undo.push(Undo::Create {
            entity,
            slot,
            fresh,
        });
        self.journal.facts.list.push(Fact::Create {
            entity,
            state,
            slot,
            generation,
        });
        self.wake(entity, slot, state);
        Ok(slot)
    }

    pub(crate) fn move_to(&mut self, entity: EntityIx, slot: u32, to: StateIx) {
        let table = &mut self.entities[usize::from(entity)];
        let word = *table.words.at(slot as usize);
        let from = word as u8;
        let id = Id {
            slot,
            generation: word >> 8,
        };
        *table.words.at_mut(slot as usize) = word & !0xff | u32::from(to);
        table.places[usize::from(from)].remove(slot);
        table.places[usize::from(to)].insert(slot);
        let layout = &self.layout.entities[usize::from(entity)];
        let (old, new) = (
            &layout.states[usize::from(from)],
            &layout.states[usize::from(to)],
        );
        let mut fingerprint = self
            .fingerprint
            .wrapping_sub(state_term(old.salt, id))
            .wrapping_add(state_term(new.salt, id));
        self.journal.undo.push(Undo::Move { entity, slot, word });
        self.journal.facts.list.push(Fact::Move {
            entity,
            slot,
            from,
            to,
        });
        for column in &old.data {
            if let Some(hash) = self.columns[usize::from(*column)].clear(slot) {
                let salt = self.layout.columns[usize::from(*column)].salt;
                fingerprint = fingerprint.wrapping_sub(cell_term(salt, id, hash));
            }
            self.journal.undo.push(Undo::Column { column: *column });
        }
        self.fingerprint = fingerprint;
        self.recount(entity, slot, from, to, true);
        self.wake(entity, slot, to);
    }

    /// Writes a value; `value` is of the type of the column.
    pub(crate) fn set(
        &mut self,
        column: ColumnIx,
        slot: u32,
        value: &dyn Any,
    ) -> Result<(), StepError> {
        let at = self.journal.facts.bytes.len();
        let written =
            self.columns[usize::from(column)].set(slot, value, &mut self.journal.facts.bytes);
        self.journal_set(column, slot, at, written)
    }

    /// Writes the value that a field has where none is given.
    pub(crate) fn set_default(&mut self, column: ColumnIx, slot: u32) -> Result<(), StepError> {
        match self.defaults[usize::from(column)] {
            Some(default) => self.set(column, slot, &*default()),
            None => Ok(()),
        }
    }

    /// Writes a value from its encoding.
    pub(crate) fn set_encoded(
        &mut self,
        column: ColumnIx,
        slot: u32,
        bytes: &[u8],
    ) -> Result<(), StepError> {
        let at = self.journal.facts.bytes.len();
        let written = self.columns[usize::from(column)].set_encoded(slot, bytes);
        if written.is_ok() {
            self.journal.facts.bytes.extend_from_slice(bytes);
        }
        self.journal_set(column, slot, at, written)
    }

    fn journal_set(
        &mut self,
        column: ColumnIx,
        slot: u32,
        at: usize,
        written: Result<Written, ColumnError>,
    ) -> Result<(), StepError> {
        let layout = &self.layout.columns[usize::from(column)];
        let written = written.map_err(|e| match e {
            ColumnError::Duplicate(holder) => StepError::Duplicate {
                entity: self.entity_ref(layout.entity, holder),
                key: self.key_text(column, holder),
            },
            e => e.into_step(&layout.path),
        })?;
        self.journal.undo.push(Undo::Column { column });
        let end = self.journal.facts.bytes.len();
        let (Ok(at), Ok(_)) = (u32::try_from(at), u32::try_from(end)) else {
            return Err(StepError::Full {
                what: "the values of one transaction".into(),
            });
        };
        let id = self.id(layout.entity, slot);
        if let Some(old) = written.old {
            self.fingerprint = self
                .fingerprint
                .wrapping_sub(cell_term(layout.salt, id, old));
        }
        self.fingerprint = self
            .fingerprint
            .wrapping_add(cell_term(layout.salt, id, written.new));
        self.journal.facts.list.push(Fact::Set {
            column,
            slot,
            at,
            len: end as u32 - at,
        });
        if layout.composite {
            self.index_key(layout.entity, slot)?;
        }
        Ok(())
    }

    /// The key of an entity for people: from the facts of the transaction or, failing those, its id.
    fn key_text(&self, column: ColumnIx, slot: u32) -> String {
        self.columns[usize::from(column)]
            .encoded(slot)
            .map_or_else(|| slot.to_string(), |bytes| display(&bytes))
    }

    pub(crate) fn link(&mut self, edge: EdgeIx, from: u32, to: u32) -> Result<(), StepError> {
        let ix = usize::from(edge);
        let layout = &self.layout.edges[ix];
        if self.edges[ix].linked(from, to) {
            return Err(StepError::AlreadyLinked {
                edge: Arc::clone(&layout.from.path),
                from: self.entity_ref(layout.from.entity, from),
                to: self.entity_ref(layout.to.entity, to),
            });
        }
        for (end, forward, slot) in [(&layout.from, true, from), (&layout.to, false, to)] {
            if end.cardinality != Cardinality::Many
                && !self.edges[ix].slots(forward, slot).is_empty()
            {
                return Err(StepError::Cardinality {
                    entity: self.entity_ref(end.entity, slot),
                    edge: Arc::clone(&end.path),
                    found: 2,
                    allowed: "at most one is allowed (`relink` takes over)".to_owned(),
                });
            }
        }
        self.link_free(edge, from, to);
        Ok(())
    }

    /// Links two entities that are not linked, at ends that have room.
    fn link_free(&mut self, edge: EdgeIx, from: u32, to: u32) {
        let ix = usize::from(edge);
        let layout = &self.layout.edges[ix];
        let (a, b) = (
            self.id(layout.from.entity, from),
            self.id(layout.to.entity, to),
        );
        let watched = !layout.watches.is_empty();
        self.fingerprint = (self.fingerprint).wrapping_add(link_term(layout.salt, a, b));
        self.edges[ix].link(from, to);
        self.journal.undo.push(Undo::Link { edge, from, to });
        self.journal.facts.list.push(Fact::Link { edge, from, to });
        if watched {
            self.rewatch(edge, from, to, true, true);
        }
    }

    pub(crate) fn unlink(&mut self, edge: EdgeIx, from: u32, to: u32) -> Result<(), StepError> {
        let ix = usize::from(edge);
        let layout = &self.layout.edges[ix];
        if !self.edges[ix].linked(from, to) {
            return Err(StepError::NotLinked {
                edge: Arc::clone(&layout.from.path),
                from: self.entity_ref(layout.from.entity, from),
                to: self.entity_ref(layout.to.entity, to),
            });
        }
        self.unlink_linked(edge, from, to);
        Ok(())
    }

    /// Unlinks two entities that are linked.
    fn unlink_linked(&mut self, edge: EdgeIx, from: u32, to: u32) {
        let ix = usize::from(edge);
        self.clear_link(edge, from, to);
        let layout = &self.layout.edges[ix];
        let (a, b) = (
            self.id(layout.from.entity, from),
            self.id(layout.to.entity, to),
        );
        let watched = !layout.watches.is_empty();
        self.fingerprint = (self.fingerprint).wrapping_sub(link_term(layout.salt, a, b));
        let positions = self.edges[ix].unlink(from, to);
        self.journal.undo.push(Undo::Unlink {
            edge,
            from,
            to,
            positions,
        });
        self.journal
            .facts
            .list
            .push(Fact::Unlink { edge, from, to });
        if watched {
            self.rewatch(edge, from, to, false, true);
        }
    }

    /// Links two entities; an end that can hold only one gives up the one it has. Nothing happens where
    /// they are linked already.
    pub(crate) fn relink(&mut self, edge: EdgeIx, from: u32, to: u32) -> Result<(), StepError> {
        let ix = usize::from(edge);
        if self.edges[ix].linked(from, to) {
            return Ok(());
        }
        for (forward, slot) in [(true, from), (false, to)] {
            if self.layout.edges[ix].near(forward).cardinality == Cardinality::Many {
                continue;
            }
            if let [far] = *self.edges[ix].slots(forward, slot) {
                let (from, to) = if forward { (slot, far) } else { (far, slot) };
                self.unlink_linked(edge, from, to);
            }
        }
        self.link_free(edge, from, to);
        Ok(())
    }
}

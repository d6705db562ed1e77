//! The graph: entities with their values and links. It changes only by facts, and each change can be undone exactly.
//!
//! [`Graph`] has all logic once, over [`storage::Storage`]. Each operation changes the tables, updates the counters, and
//! appends an entry to the journal, which says what happened (for the log and the fingerprint) and how to undo it (for a
//! rollback). The graph fires no event and does not depend on the log. It knows when immediate events are enabled
//! ([`watch`]). The only user code that it runs is implementations of traits for the types of values, such as `Hash` and `Eq`.

mod acyclic;
pub(crate) mod any;
#[cfg(feature = "check")]
mod canonical;
pub(crate) mod carry;
mod cells;
pub(crate) mod check;
pub(crate) mod choice;
#[cfg(feature = "check")]
pub(crate) mod coloured;
pub mod column;
mod complete;
mod data;
mod delete;
mod differ;
pub(crate) mod due;
pub(crate) mod edge;
mod enabled;
pub(crate) mod entry;
pub(crate) mod fact;
pub(crate) mod fingerprint;
mod generations;
pub(crate) mod image;
pub(crate) mod index;
pub(crate) mod indexing;
mod journal;
pub(crate) mod key;
pub(crate) mod layout;
mod link_value;
mod linking;
pub(crate) mod list;
mod order;
mod page;
pub mod paged;
mod read;
#[cfg(feature = "check")]
pub(crate) mod renamed;
mod replay;
pub(crate) mod slots;
pub mod storage;
mod tree;
mod typed;
mod undo;
mod watch;

use std::any::Any;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use crate::base::error::{Chain, StepError};
use crate::base::id::Id;
pub use crate::graph::any::{GraphMut, GraphRef};
use crate::graph::choice::waiting::Entered;
use crate::graph::column::{ColumnError, ColumnType, Written};
use crate::graph::edge::Edge;
use crate::graph::entry::Entry;
use crate::graph::index::composite::CompositeIndex;
pub use crate::graph::journal::Journal;
use crate::graph::key::KeyIndex;
use crate::graph::layout::Layout;
use crate::graph::slots::SlotsByState;
use crate::graph::storage::{Storage, Table};
pub(crate) use crate::graph::undo::Mark;
use crate::schema::{ColumnIx, EntityIx, StateIx};
use crate::value::item::display;

/// The graph of one store or snapshot.
pub struct Graph<S: Storage> {
    pub(crate) layout: Arc<Layout>,
    entities: Vec<S::Part<Entities<S>>>,
    columns: Vec<S::Column>,
    /// By column, its default.
    defaults: Arc<[Option<Default>]>,
    /// By entity type, the salts of its columns in which each entity has a value, and the hashes of the default ones.
    mandatory: Arc<[Vec<(u64, u64)>]>,
    edges: Vec<S::Part<Edge<S>>>,
    /// One table for each watch of the layout.
    counters: Vec<S::Table<u32>>,
    /// The indexes of several parts, one for each of the layout.
    indexes: Vec<S::Part<Box<dyn CompositeIndex>>>,
    /// The fingerprint, which includes as much of the open transaction as the journal says.
    pub(crate) fingerprint: u128,
    /// The fingerprint before the open transaction.
    committed_fingerprint: u128,
    /// Whether the fingerprint is kept. It is not if nothing will read it.
    pub(crate) fingerprinting: bool,
    /// How many entries were committed since columns forgot what these replaced.
    entries_kept: usize,
    /// Immediate events that were enabled when something that they depend on changed.
    pub(crate) pending: BinaryHeap<Reverse<Pending>>,
    /// Changes that may enable immediate events on entities that wait for something to choose.
    pub(crate) entered: Vec<Entered>,
    /// Which event of the present step is firing: the event of the program is 0, each immediate event is one more.
    pub(crate) firing: u32,
}

/// The error for a transaction whose values have more bytes than positions can say.
#[cold]
fn too_many_bytes() -> StepError {
    StepError::Full {
        what: "the values of one transaction".into(),
        chain: Chain::default(),
    }
}

/// An immediate event that was enabled when something that it depends on changed: the event, the slot, and which event of
/// the step made the change. Of several changes for one slot the last comes first: it left the event enabled.
pub(crate) type Pending = (u16, u32, Reverse<u32>);

/// Makes a value of a column's type.
type Default = fn() -> Box<dyn Any>;

struct Entities<S: Storage> {
    /// `generation << 8 | state`, by slot.
    words: S::Table<u32>,
    /// The slots of the entities by state.
    in_state: SlotsByState<S>,
    /// Slots of deleted entities, the next to be used last.
    free: S::Table<u32>,
    /// How many entities there are.
    alive: u32,
    /// Whether an entity was ever deleted, also by a transaction that was rolled back. Until then, each slot has its first
    /// entity, so a handle is checked without its word.
    any_deleted: bool,
    /// The index of a key of several fields.
    key: KeyIndex<S>,
    /// Whether a move has no consequences, see [`EntityLayout::is_quiet`](layout::EntityLayout::is_quiet).
    quiet: bool,
}

impl<S: Storage> Clone for Entities<S> {
    fn clone(&self) -> Self {
        Self {
            words: self.words.clone(),
            in_state: self.in_state.clone(),
            free: self.free.clone(),
            alive: self.alive,
            any_deleted: self.any_deleted,
            key: self.key.clone(),
            quiet: self.quiet,
        }
    }
}

/// By entity type, the salts of its mandatory columns and the hashes of their default values.
fn mandatory_by_entity(layout: &Layout, columns: &[ColumnType]) -> Arc<[Vec<(u64, u64)>]> {
    let mut by_entity = vec![Vec::new(); layout.entities.len()];
    for (ix, column) in ColumnIx::all(columns.len()).zip(columns) {
        if let Some(mandatory) = column.mandatory.filter(|_| layout.may_be_mandatory(ix)) {
            let layout = &layout.columns[usize::from(ix)];
            let term = (layout.salt, (mandatory.default_hash)());
            by_entity[usize::from(layout.entity)].push(term);
        }
    }
    by_entity.into()
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
                in_state: SlotsByState::new(e.states.len()),
                free: S::Table::default(),
                alive: 0,
                any_deleted: false,
                key: KeyIndex::default(),
                quiet: e.is_quiet(),
            })
            .map(S::Part::from)
            .collect();
        let edges = layout
            .edges
            .iter()
            .zip(data)
            .map(|(e, data)| {
                let data = data.as_ref().map(|data| S::column(data, false));
                let mut edge = Edge::new(e.from.cardinality, e.to.cardinality, data);
                let plain = edge.data.is_none() && !e.is_watched && !e.acyclic;
                edge.plain_fan = edge.fan().filter(|_| plain);
                edge.sorted(e.acyclic)
            })
            .map(S::Part::from)
            .collect();
        let counters = layout.watches.iter().map(|_| S::Table::default()).collect();
        Self {
            entities,
            mandatory: mandatory_by_entity(&layout, columns),
            columns: (ColumnIx::all(columns.len()).zip(columns))
                .map(|(ix, column)| S::column(column, layout.may_be_mandatory(ix)))
                .collect(),
            defaults: columns.iter().map(|c| c.default).collect(),
            edges,
            entries_kept: 0,
            counters,
            indexes: Self::empty_indexes(&layout),
            fingerprint: 0,
            committed_fingerprint: 0,
            fingerprinting: true,
            pending: BinaryHeap::new(),
            entered: Vec::new(),
            firing: 0,
            layout,
        }
    }

    /// A copy in the same storage, on which no transaction is open; O(tables) if it is paged.
    pub(crate) fn fork(&self) -> Self {
        Self {
            layout: Arc::clone(&self.layout),
            entities: self.entities.clone(),
            columns: self.columns.clone(),
            defaults: Arc::clone(&self.defaults),
            mandatory: Arc::clone(&self.mandatory),
            edges: self.edges.clone(),
            counters: self.counters.clone(),
            indexes: self.indexes.clone(),
            fingerprint: self.fingerprint,
            committed_fingerprint: self.fingerprint,
            fingerprinting: self.fingerprinting,
            entries_kept: 0,
            pending: BinaryHeap::new(),
            entered: Vec::new(),
            firing: 0,
        }
    }

    /// A copy in another storage, on which no transaction is open; O(size of the graph). The columns and data are the ones
    /// that the graph was made with.
    pub(crate) fn copy<B: Storage>(
        &self,
        columns: &[ColumnType],
        data: &[Option<ColumnType>],
    ) -> Graph<B> {
        let entities = self.entities.iter().map(|e| Entities {
            words: e.words.copy(),
            in_state: e.in_state.copy(),
            free: e.free.copy(),
            alive: e.alive,
            any_deleted: e.any_deleted,
            key: e.key.copy(),
            quiet: e.quiet,
        });
        let all = ColumnIx::all(columns.len()).zip(columns);
        let copied = |((ix, column), from): ((ColumnIx, &ColumnType), &S::Column)| {
            let mut column = B::column(column, self.layout.may_be_mandatory(ix));
            column.copy(&**from);
            column
        };
        let edges = self.edges.iter().zip(data);
        let mut copy = Graph {
            layout: Arc::clone(&self.layout),
            entities: entities.map(B::Part::from).collect(),
            columns: all.zip(&self.columns).map(copied).collect(),
            defaults: Arc::clone(&self.defaults),
            mandatory: Arc::clone(&self.mandatory),
            edges: (edges.zip(&self.layout.edges))
                .map(|((edge, data), l)| {
                    let copy = edge.copy::<B>(data.as_ref().map(|d| B::column(d, false)));
                    copy.sorted(l.acyclic)
                })
                .map(B::Part::from)
                .collect(),
            counters: self.counters.iter().map(Table::copy).collect(),
            indexes: Graph::<B>::empty_indexes(&self.layout),
            fingerprint: self.fingerprint,
            committed_fingerprint: self.fingerprint,
            fingerprinting: self.fingerprinting,
            entries_kept: 0,
            pending: BinaryHeap::new(),
            entered: Vec::new(),
            firing: 0,
        };
        copy.fill_indexes();
        copy
    }

    pub(crate) fn create(
        &mut self,
        journal: &mut Journal,
        entity: EntityIx,
        state: StateIx,
    ) -> Result<u32, StepError> {
        let id = self.next_id(entity);
        let Id { slot, generation } = id;
        let layout = &self.layout.entities[usize::from(entity)];
        if slot == edge::NONE {
            return Err(StepError::Full {
                what: Arc::clone(&layout.name),
                chain: Chain::default(),
            });
        }
        let table = &mut self.entities[usize::from(entity)];
        let word = generation << 8 | u32::from(state);
        let fresh = table.free.len() == 0;
        if fresh {
            table.words.push(word);
            if slot % 64 == 0 {
                table.in_state.reach(slot);
            }
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
        table.in_state.insert(state, slot);
        table.alive += 1;
        journal.push_create(entity, state, id);
        self.wake(entity, slot, state);
        Ok(slot)
    }

    #[inline(always)]
    pub(crate) fn move_to(
        &mut self,
        journal: &mut Journal,
        entity: EntityIx,
        slot: u32,
        to: StateIx,
    ) {
        self.move_between(journal, entity, slot, (self.state_of(entity, slot), to));
    }

    /// As [`Graph::move_to`], of an entity whose state is known.
    #[inline(always)]
    pub(crate) fn move_between(
        &mut self,
        journal: &mut Journal,
        entity: EntityIx,
        slot: u32,
        (from, to): (StateIx, StateIx),
    ) {
        debug_assert_eq!(self.state_of(entity, slot), from, "it is known");
        if self.entities[usize::from(entity)].quiet {
            self.change_state(journal, entity, slot, (from, to));
        } else {
            self.move_with_consequences(journal, entity, slot, (from, to));
        }
    }

    #[inline(always)]
    fn change_state(
        &mut self,
        journal: &mut Journal,
        entity: EntityIx,
        slot: u32,
        (from, to): (StateIx, StateIx),
    ) {
        let table = &mut self.entities[usize::from(entity)];
        *table.words.at_mut(slot as usize) ^= u32::from(from) ^ u32::from(to);
        table.in_state.change(slot, from, to);
        journal.push(Entry::Move {
            entity,
            slot,
            from,
            to,
        });
    }

    /// A move with its consequences: state data is cleared, indexes and counters change, immediate events may be enabled.
    #[inline(never)]
    fn move_with_consequences(
        &mut self,
        journal: &mut Journal,
        entity: EntityIx,
        slot: u32,
        (from, to): (StateIx, StateIx),
    ) {
        // Before anything is changed: the clone of a value may panic.
        self.hold_moved(entity, slot);
        self.change_state(journal, entity, slot, (from, to));
        let layout = &self.layout.entities[usize::from(entity)];
        for &column in &layout.states[usize::from(from)].data {
            if let Some(old) = self.columns[usize::from(column)].clear(slot) {
                journal.push_clear(Entry::clear(column, slot, old));
            }
        }
        if !layout.counted_by.is_empty() {
            self.recount(entity, slot, from, to, true);
        }
        self.rekey_moved(entity, slot);
        self.wake(entity, slot, to);
    }

    /// Writes a value; `value` is of the type of the column.
    #[inline(always)]
    pub(crate) fn set(
        &mut self,
        journal: &mut Journal,
        column: ColumnIx,
        slot: u32,
        value: &dyn Any,
    ) -> Result<(), StepError> {
        if self.layout.columns[usize::from(column)].is_part {
            return self.set_part(journal, column, slot, &mut |cells, bytes| {
                cells.set(slot, value, bytes)
            });
        }
        let cells = &mut self.columns[usize::from(column)];
        match cells.set(slot, value, &mut journal.bytes) {
            Ok(written) => self.journal_set(journal, column, slot, written),
            Err(e) => Err(self.refused(column, e)),
        }
    }

    /// Returns whether a field has a default.
    pub(crate) fn has_default(&self, column: ColumnIx) -> bool {
        self.defaults[usize::from(column)].is_some()
    }

    /// Writes the default of a field.
    pub(crate) fn set_default(
        &mut self,
        journal: &mut Journal,
        column: ColumnIx,
        slot: u32,
    ) -> Result<(), StepError> {
        match self.defaults[usize::from(column)] {
            Some(default) => self.set(journal, column, slot, &*default()),
            None => Ok(()),
        }
    }

    /// Writes a value from its encoding.
    pub(crate) fn set_encoded(
        &mut self,
        journal: &mut Journal,
        column: ColumnIx,
        slot: u32,
        encoded: &[u8],
    ) -> Result<(), StepError> {
        if self.layout.columns[usize::from(column)].is_part {
            return self.set_part(journal, column, slot, &mut |cells, bytes| {
                cells.set_encoded(slot, encoded, bytes)
            });
        }
        let cells = &mut self.columns[usize::from(column)];
        match cells.set_encoded(slot, encoded, &mut journal.bytes) {
            Ok(written) => self.journal_set(journal, column, slot, written),
            Err(e) => Err(self.refused(column, e)),
        }
    }

    #[inline(always)]
    fn journal_set(
        &mut self,
        journal: &mut Journal,
        column: ColumnIx,
        slot: u32,
        Written { new, old }: Written,
    ) -> Result<(), StepError> {
        if journal.bytes.len() > u32::MAX as usize {
            // The change is undone here, since the journal gets no entry for it.
            self.undo_set(column, slot, new, old);
            return Err(too_many_bytes());
        }
        journal.push(Entry::set(column, slot, new, old));
        Ok(())
    }

    /// The error for a value that a column refused.
    #[cold]
    fn refused(&self, column: ColumnIx, e: ColumnError) -> StepError {
        let layout = &self.layout.columns[usize::from(column)];
        match e {
            ColumnError::Duplicate(holder) => StepError::Duplicate {
                entity: self.named(layout.entity, holder),
                key: self.cell_text(column, holder),
                chain: Chain::default(),
            },
            e => e.into_step(&layout.path),
        }
    }

    /// A part of the key of an entity as text.
    fn cell_text(&self, column: ColumnIx, slot: u32) -> String {
        self.columns[usize::from(column)]
            .encoded(slot)
            .map_or_else(|| slot.to_string(), |bytes| display(&bytes))
    }
}

//! The indexes of several parts of a graph: they are kept beside each change, filled, checked and queried.
//!
//! An entity is in an index if it exists, is in one of the states of the index if it has any, and has a value of each part. Each
//! operation that can change this holds the key of the entity before it and gives the index the new one after it: a set, a
//! move, the removal of an entity, and a link at an end that is a part. An undo does the same around each entry of the journal
//! ([`Graph::undo_indexed_after`]). The layout lists the indexes of each column, edge and entity type, so that nothing is done where
//! there are none.

use std::any::Any;

use crate::base::error::{Inconsistency, Name, StepError};
use crate::graph::column::{ColumnError, Written};
use crate::graph::edge::Edge;
use crate::graph::entry::Entry;
use crate::graph::index::Slots;
use crate::graph::index::composite::{CompositeIndex, DescendingSlots, IndexType, Selection};
use crate::graph::index::parts::PartCells;
use crate::graph::key::combined;
use crate::graph::layout::{Layout, StateSet};
use crate::graph::storage::{Storage, touched};
use crate::graph::{Graph, Journal};
use crate::schema::{ColumnIx, EdgeIx, EntityIx, IndexKind, IndexPart, StateIx};

#[cfg(test)]
mod tests;

/// An index of several parts.
pub(crate) struct IndexLayout {
    /// `Order.symbol_price`
    pub path: Name,
    pub entity: EntityIx,
    pub kind: IndexKind,
    pub parts: Vec<IndexPart>,
    /// The states in one of which an entity must be to be in the index; `None` if the state does not matter.
    pub states: Option<StateSet>,
    pub ty: IndexType,
}

impl Layout {
    /// Adds the indexes of the schema. There is a type for each of them, or for none if the columns have no types.
    pub(super) fn add_indexes(&mut self, types: &[IndexType]) {
        for (ix, ty) in types.iter().enumerate() {
            let def = &self.schema.indexes[ix];
            let entity = &self.entities[usize::from(def.entity)];
            let index = IndexLayout {
                path: format!("{}.{}", entity.name, def.name).into(),
                entity: def.entity,
                kind: def.kind,
                parts: def.parts.clone(),
                states: (!def.states.is_empty()).then(|| StateSet::of(&def.states)),
                ty: *ty,
            };
            self.add_index(index);
        }
    }

    /// Adds an index, and returns its number.
    pub(super) fn add_index(&mut self, index: IndexLayout) -> u16 {
        let ix = self.indexes.len() as u16;
        let mut is_moved = index.states.is_some();
        for part in &index.parts {
            match *part {
                IndexPart::Column(column) => {
                    is_moved |= self.schema[column].state.is_some();
                    let column = &mut self.columns[usize::from(column)];
                    column.indexes.push(ix);
                    column.is_part = true;
                }
                IndexPart::End(hop) => {
                    let edge = &mut self.edges[usize::from(hop.edge)];
                    edge.indexes.push((ix, hop.forward));
                    edge.is_watched = true;
                }
            }
        }
        let entity = &mut self.entities[usize::from(index.entity)];
        entity.indexes.push(ix);
        if is_moved {
            entity.moved_indexes.push(ix);
        }
        self.indexes.push(index);
        ix
    }
}

/// Writes a value to a column, and its encoding to the bytes of a journal.
type Write<'w, S> =
    &'w mut dyn FnMut(&mut <S as Storage>::Column, &mut Vec<u8>) -> Result<Written, ColumnError>;

/// The parts of one entity.
struct Cells<'g, S: Storage> {
    parts: &'g [IndexPart],
    columns: &'g [S::Column],
    edges: &'g [S::Part<Edge<S>>],
    slot: u32,
}

impl<'g, S: Storage> Cells<'g, S> {
    fn linked(&self, edge: EdgeIx, forward: bool) -> Option<&'g u32> {
        touched(1);
        (self.edges[usize::from(edge)].held(forward, self.slot)).first()
    }
}

impl<S: Storage> PartCells for Cells<'_, S> {
    fn value(&self, part: usize) -> Option<&dyn Any> {
        match *self.parts.get(part)? {
            IndexPart::Column(column) => self.columns[usize::from(column)].value(self.slot),
            IndexPart::End(hop) => {
                let far = self.linked(hop.edge, hop.forward)?;
                Some(far)
            }
        }
    }

    fn hash(&self) -> Option<u64> {
        let hash = |part: &IndexPart| match *part {
            IndexPart::Column(column) => self.columns[usize::from(column)].hash(self.slot),
            IndexPart::End(hop) => self
                .linked(hop.edge, hop.forward)
                .map(|far| hash_of_slot(*far)),
        };
        hash_of_parts(self.parts.iter().map(hash))
    }
}

/// The hash of all parts of an entity in an index by equality; `None` if one has none.
pub(crate) fn hash_of_parts(parts: impl Iterator<Item = Option<u64>>) -> Option<u64> {
    let hashes: Option<Vec<u64>> = parts.collect();
    Some(combined(hashes?.into_iter()))
}

/// The hash of a linked entity as a part of an index by equality.
pub(crate) fn hash_of_slot(slot: u32) -> u64 {
    u64::from(slot)
}

impl<S: Storage> Graph<S> {
    /// The empty indexes of a layout.
    pub(super) fn empty_indexes(layout: &Layout) -> Vec<S::Part<Box<dyn CompositeIndex>>> {
        let empty = |index: &IndexLayout| S::Part::from(S::composite(index.ty));
        layout.indexes.iter().map(empty).collect()
    }

    /// Calls a function with an index, and with the parts of an entity that exists if it is in the index in a state.
    fn with_index<R>(
        &mut self,
        index: u16,
        slot: u32,
        state: Option<StateIx>,
        then: impl FnOnce(&mut dyn CompositeIndex, Option<&dyn PartCells>) -> R,
    ) -> R {
        let layout = &self.layout.indexes[usize::from(index)];
        let cells = Cells::<S> {
            parts: &layout.parts,
            columns: &self.columns,
            edges: &self.edges,
            slot,
        };
        let is_in = state.is_some_and(|state| layout.states.is_none_or(|s| s.contains(state)));
        let cells = is_in.then_some(&cells as &dyn PartCells);
        then(&mut **self.indexes[usize::from(index)], cells)
    }

    /// The state of an entity of an index, if it exists.
    fn indexed_state(&self, index: u16, slot: u32) -> Option<StateIx> {
        let entity = self.layout.indexes[usize::from(index)].entity;
        // An undo asks for an entity that is being created or deleted again.
        let exists = slot < self.slots(entity) && self.is_alive(entity, slot);
        exists.then(|| self.state_of(entity, slot))
    }

    /// Notes the key of an entity before a change.
    fn hold(&mut self, index: u16, slot: u32) {
        let state = self.indexed_state(index, slot);
        self.with_index(index, slot, state, |index, cells| index.hold(cells));
    }

    /// Updates an index after a change of an entity.
    fn rekey(&mut self, index: u16, slot: u32) {
        let state = self.indexed_state(index, slot);
        self.with_index(index, slot, state, |index, cells| index.rekey(slot, cells));
    }

    /// Writes a value of a column that is a part of a key of several fields or of an index, or that immediate events compare.
    #[inline(never)]
    pub(super) fn set_part(
        &mut self,
        journal: &mut Journal,
        column: ColumnIx,
        slot: u32,
        write: Write<'_, S>,
    ) -> Result<(), StepError> {
        let at = usize::from(column);
        for i in 0..self.layout.columns[at].indexes.len() {
            self.hold(self.layout.columns[at].indexes[i], slot);
        }
        let set = match write(&mut self.columns[at], &mut journal.bytes) {
            Ok(written) => self.journal_set(journal, column, slot, written),
            Err(e) => Err(self.refused(column, e)),
        };
        for i in 0..self.layout.columns[at].indexes.len() {
            self.rekey(self.layout.columns[at].indexes[i], slot);
        }
        set?;
        let layout = &self.layout.columns[at];
        if layout.composite {
            self.index_key(layout.entity, slot)?;
        }
        for i in 0..self.layout.columns[at].readers.len() {
            self.wake_if_enabled(self.layout.columns[at].readers[i], slot);
        }
        Ok(())
    }

    /// Notes the keys of an entity before it is moved.
    pub(super) fn hold_moved(&mut self, entity: EntityIx, slot: u32) {
        for i in 0..self.layout.entities[usize::from(entity)]
            .moved_indexes
            .len()
        {
            let index = self.layout.entities[usize::from(entity)].moved_indexes[i];
            self.hold(index, slot);
        }
    }

    /// Updates the indexes after a move.
    pub(super) fn rekey_moved(&mut self, entity: EntityIx, slot: u32) {
        for i in 0..self.layout.entities[usize::from(entity)]
            .moved_indexes
            .len()
        {
            self.rekey(
                self.layout.entities[usize::from(entity)].moved_indexes[i],
                slot,
            );
        }
    }

    /// Notes the keys of an entity before it is deleted.
    pub(super) fn hold_deleted(&mut self, entity: EntityIx, slot: u32) {
        for i in 0..self.layout.entities[usize::from(entity)].indexes.len() {
            self.hold(self.layout.entities[usize::from(entity)].indexes[i], slot);
        }
    }

    /// Updates the indexes after an entity was deleted.
    pub(super) fn rekey_deleted(&mut self, entity: EntityIx, slot: u32) {
        for i in 0..self.layout.entities[usize::from(entity)].indexes.len() {
            self.rekey(self.layout.entities[usize::from(entity)].indexes[i], slot);
        }
    }

    /// Notes the keys that depend on a link before it is made or removed.
    pub(super) fn hold_linked(&mut self, edge: EdgeIx, from: u32, to: u32) {
        for i in 0..self.layout.edges[usize::from(edge)].indexes.len() {
            let (index, forward) = self.layout.edges[usize::from(edge)].indexes[i];
            self.hold(index, if forward { from } else { to });
        }
    }

    /// Updates the indexes after a link was made or removed.
    pub(super) fn rekey_linked(&mut self, edge: EdgeIx, from: u32, to: u32) {
        for i in 0..self.layout.edges[usize::from(edge)].indexes.len() {
            let (index, forward) = self.layout.edges[usize::from(edge)].indexes[i];
            self.rekey(index, if forward { from } else { to });
        }
    }

    /// Calls a function with each index that an entry of the journal may change, and the slot.
    fn each_indexed(&mut self, entry: Entry, then: &mut dyn FnMut(&mut Self, u16, u32)) {
        let layout = std::sync::Arc::clone(&self.layout);
        match entry {
            // A new entity has no part.
            Entry::Create { .. } => {}
            Entry::Delete { entity, id, .. } => {
                let of = &layout.entities[usize::from(entity)].indexes;
                of.iter().for_each(|index| then(self, *index, id.slot));
            }
            Entry::Move { entity, slot, .. } => {
                let of = &layout.entities[usize::from(entity)].moved_indexes;
                of.iter().for_each(|index| then(self, *index, slot));
            }
            Entry::FillPlain { column, slot, .. }
            | Entry::ReplacePlain { column, slot, .. }
            | Entry::FillEncoded { column, slot, .. }
            | Entry::ReplaceEncoded { column, slot, .. }
            | Entry::ClearPlain { column, slot, .. }
            | Entry::ClearEncoded { column, slot, .. } => {
                let of = &layout.columns[usize::from(column)].indexes;
                of.iter().for_each(|index| then(self, *index, slot));
            }
            Entry::Link { edge, from, to } | Entry::Unlink { edge, from, to, .. } => {
                let of = &layout.edges[usize::from(edge)].indexes;
                of.iter().for_each(|(index, forward)| {
                    then(self, *index, if *forward { from } else { to });
                });
            }
            // An edge with this entry has no index: see `Edge::plain_fan`.
            Entry::Relink { .. } => {}
            // The data of a link is no part.
            Entry::SetLinkPlain { .. }
            | Entry::SetLinkEncoded { .. }
            | Entry::ClearLinkPlain { .. }
            | Entry::ClearLinkEncoded { .. } => {}
        }
    }

    /// Undoes all entries of a journal after the first ones, in a graph that has indexes of several parts, and removes them.
    #[inline(never)]
    pub(super) fn undo_indexed_after(&mut self, journal: &mut Journal, entries: usize) {
        while journal.entries.len() > entries {
            let Some(entry) = journal.entries.pop() else {
                break;
            };
            self.each_indexed(entry, &mut |graph, index, slot| graph.hold(index, slot));
            self.undo(entry);
            self.each_indexed(entry, &mut |graph, index, slot| graph.rekey(index, slot));
        }
    }

    /// Adds all entities to the indexes of several parts, which are empty. O(entities of the indexed types).
    pub(super) fn fill_indexes(&mut self) {
        for index in 0..self.layout.indexes.len() as u16 {
            for slot in 0..self.slots(self.layout.indexes[usize::from(index)].entity) {
                self.rekey(index, slot);
            }
        }
    }

    /// The parts of an entity, if it is in an index.
    fn index_cells(&self, index: u16, slot: u32) -> Option<Cells<'_, S>> {
        let layout = &self.layout.indexes[usize::from(index)];
        let state = self.indexed_state(index, slot)?;
        let is_in = layout.states.is_none_or(|states| states.contains(state));
        is_in.then_some(Cells {
            parts: &layout.parts,
            columns: &self.columns,
            edges: &self.edges,
            slot,
        })
    }

    fn composite(&self, index: u16) -> &dyn CompositeIndex {
        &**self.indexes[usize::from(index)]
    }

    /// Returns the slots that an ordered index selects, by the parts after the prefix and then by slot, lazily and from either
    /// end. O(log n), and O(1) for each slot that is taken.
    pub(crate) fn select_ordered(&self, index: u16, selection: &Selection<'_>) -> Slots<'_> {
        self.composite(index).select(selection)
    }

    /// As [`Graph::select_ordered`], with the greatest values of the part after the prefix first. Slots with equal values of that
    /// part are in the order of the parts after it and then ascending, so ties are as in the ascending order. O(log n) for each
    /// value, and O(1) for each slot that is taken.
    pub(crate) fn select_descending(
        &self,
        index: u16,
        selection: &Selection<'_>,
    ) -> DescendingSlots<'_> {
        self.composite(index).descending(selection)
    }

    /// Returns the slots whose parts may equal values with this hash in an index by equality, in order. O(log n), and O(1) for
    /// each slot that is taken.
    pub(crate) fn select_equal(&self, index: u16, hash: u64) -> Slots<'_> {
        self.composite(index).equal(hash)
    }

    /// Returns the first entity that an ordered index selects after an entity, or the last one before it; `None` if the entity is
    /// not in the index. O(log n).
    pub(crate) fn select_beside(
        &self,
        index: u16,
        slot: u32,
        selection: &Selection<'_>,
        after: bool,
    ) -> Option<u32> {
        let cells = self.index_cells(index, slot)?;
        self.composite(index).beside(slot, &cells, selection, after)
    }

    /// Returns whether an ordered index selects an entity. O(1).
    pub(crate) fn is_selected(&self, index: u16, slot: u32, selection: &Selection<'_>) -> bool {
        let cells = self.index_cells(index, slot);
        cells.is_some_and(|cells| self.composite(index).is_selected(slot, &cells, selection))
    }

    /// Returns whether a part of an entity is a value or a linked entity that satisfies a condition.
    pub(crate) fn part_is(
        &self,
        index: u16,
        slot: u32,
        part: usize,
        is: impl FnOnce(&dyn Any) -> bool,
    ) -> bool {
        let cells = self.index_cells(index, slot);
        cells.is_some_and(|cells| cells.value(part).is_some_and(is))
    }

    /// Checks that the indexes of several parts have each entity that they are to have, with its key, and no other.
    pub(super) fn check_indexes(&self, wrong: &mut Vec<Inconsistency>) {
        for (ix, layout) in (0..).zip(&self.layout.indexes) {
            let mut expected = 0;
            for slot in 0..self.slots(layout.entity) {
                let Some(cells) = self.index_cells(ix, slot) else {
                    continue;
                };
                let is_whole = (0..layout.parts.len()).all(|part| cells.value(part).is_some());
                expected += usize::from(is_whole);
                if is_whole && !self.composite(ix).has(slot, &cells) {
                    wrong.push(Inconsistency::new(
                        Some(self.entity_ref(layout.entity, slot)),
                        format!("its key in the index {}", layout.path),
                        "an entry",
                        "no entry",
                    ));
                }
            }
            let found = self.composite(ix).len();
            if found != expected {
                let what = format!("the number of entries of the index {}", layout.path);
                wrong.push(Inconsistency::new(None, what, expected, found));
            }
        }
    }
}

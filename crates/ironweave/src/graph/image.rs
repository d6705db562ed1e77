//! The image of a graph: its tables in the order of a schema, as a checkpoint has them.
//!
//! A graph that is read from an image is identical to the one that was written, not only equal: ids, generations, the lists of
//! free slots and the lists of links have the same order, so that both continue in the same way. What follows from other
//! tables is not in the image and is computed: the sets of states, the far ends of links that hold one, indexes, counters, and
//! the order of acyclic edges.
//!
//! The content of an image is input. Each number in it is compared with what the tables before it permit, and the fingerprint
//! is computed from the cells that were read. `docs/log-format.md`, *Checkpoint*, has the layout.

pub(super) mod cells;
mod edges;

use std::sync::Arc;

use crate::base::hash::{cell_term, state_term};
use crate::base::id::{FIRST_GENERATION, FREE, GENERATION_MAX, Id};
use crate::base::image::{ImageError, ImageSink, ImageSource, Numbers, must_have, take_u32};
use crate::graph::Graph;
use crate::graph::edge::NONE;
use crate::graph::layout::Layout;
use crate::graph::storage::{Storage, Table};
use crate::schema::{ColumnIx, EdgeIx, EntityIx, StateIx};

/// The order of the tables in an image, as indexes of the schema of the graph, and the numbers of the states in it.
pub(crate) struct ImageOrder {
    pub entities: Vec<EntityIx>,
    /// By entity type in the order of the image, by the number of the state in the image.
    pub states: Vec<Vec<StateIx>>,
    pub columns: Vec<ColumnIx>,
    pub edges: Vec<EdgeIx>,
}

impl ImageOrder {
    /// Whether it names each table exactly once.
    fn is_complete(&self, layout: &Layout) -> bool {
        fn all<I: Copy + Into<usize>>(order: &[I], len: usize) -> bool {
            let mut seen = vec![false; len];
            let mut first = |i: usize| seen.get_mut(i).is_some_and(|s| !std::mem::replace(s, true));
            order.len() == len && order.iter().all(|i| first((*i).into()))
        }
        all(&self.entities, layout.entities.len())
            && all(&self.columns, layout.columns.len())
            && all(&self.edges, layout.edges.len())
            && self.states.len() == self.entities.len()
            && (self.states.iter().zip(&self.entities)).all(|(states, entity)| {
                all(states, layout.entities[usize::from(*entity)].states.len())
            })
    }
}

impl<S: Storage> Graph<S> {
    /// Writes the image of the graph, in the order of its schema. No transaction may be open.
    pub(crate) fn write_image(&self, to: &mut dyn ImageSink) -> Result<(), ImageError> {
        for entity in EntityIx::all(self.entities.len()) {
            let table = &self.entities[usize::from(entity)];
            to.put(&(table.words.len() as u32).to_le_bytes())?;
            to.put(&(table.free.len() as u32).to_le_bytes())?;
            for i in 0..table.words.len() {
                to.put(&table.words.at(i).to_le_bytes())?;
            }
            for i in 0..table.free.len() {
                to.put(&table.free.at(i).to_le_bytes())?;
            }
        }
        for column in ColumnIx::all(self.columns.len()) {
            (self
                .column(column)
                .write_cells(&mut self.having(column), to))
            .map_err(|e| e.of(&self.layout.columns[usize::from(column)].path))?;
        }
        for edge in EdgeIx::all(self.edges.len()) {
            let layout = &self.layout.edges[usize::from(edge)];
            let slots = [layout.from.entity, layout.to.entity].map(|e| self.slots(e));
            self.edges[usize::from(edge)]
                .write_links(slots, to)
                .map_err(|e| e.of(&layout.from.path))?;
        }
        Ok(())
    }

    /// The slots of the entities that have a value in a column.
    fn having(&self, column: ColumnIx) -> impl Iterator<Item = u32> {
        let def = &self.layout.schema[column];
        let (entity, state) = (def.entity, def.state);
        (0..self.slots(entity)).filter(move |slot| {
            let now = self.state_of(entity, *slot);
            state.map_or(now.get() != FREE, |state| state == now)
        })
    }

    /// Reads an image into a graph that is empty. The fingerprint is computed from what was read, and the caller compares it.
    pub(crate) fn read_image(
        mut self,
        order: &ImageOrder,
        from: &mut dyn ImageSource,
    ) -> Result<Self, ImageError> {
        if !order.is_complete(&self.layout) {
            return Err(ImageError::content("it has other tables than the model"));
        }
        let mut fingerprint = 0u128;
        for (entity, states) in order.entities.iter().zip(&order.states) {
            (self.read_entities(*entity, states, from, &mut fingerprint))
                .map_err(|e| e.of(&self.layout.entities[usize::from(*entity)].name))?;
        }
        for &column in &order.columns {
            (self.read_column(column, from, &mut fingerprint))
                .map_err(|e| e.of(&self.layout.columns[usize::from(column)].path))?;
        }
        self.index_keys(|_, _, e| ImageError::content(e))?;
        self.read_edges(&order.edges, from, &mut fingerprint)?;
        self.fill_indexes();
        self.count_watched();
        self.fingerprint = fingerprint;
        self.committed_fingerprint = fingerprint;
        Ok(self)
    }

    /// Reads the ids and states of a type and its list of free slots.
    fn read_entities(
        &mut self,
        entity: EntityIx,
        states: &[StateIx],
        from: &mut dyn ImageSource,
        fingerprint: &mut u128,
    ) -> Result<(), ImageError> {
        let (slots, free) = (take_u32(from)?, take_u32(from)?);
        must_have(from, u64::from(slots) + u64::from(free), 4)?;
        if slots == NONE {
            return Err(ImageError::content(
                "it has more entities than a type can have",
            ));
        }
        let layout = &self.layout.entities[usize::from(entity)];
        let table = &mut *self.entities[usize::from(entity)];
        // Which slots have to be in the list of free slots.
        let mut reusable = vec![false; slots as usize];
        table.words.fill(slots as usize, 0);
        let mut words = Numbers::of(from, slots.into())?;
        for slot in 0..slots {
            let word = words.next()?;
            let (generation, state) = (word >> 8, word as u8);
            if slot % 64 == 0 {
                table.in_state.reach(slot);
            }
            if generation == 0 {
                return Err(ImageError::content(format_args!(
                    "slot {slot} was never used"
                )));
            }
            table.any_deleted |= state == FREE || generation != FIRST_GENERATION;
            if state == FREE {
                reusable[slot as usize] = generation < GENERATION_MAX;
                *table.words.at_mut(slot as usize) = word;
                continue;
            }
            let Some(&state) = states.get(usize::from(state)) else {
                return Err(ImageError::content(format_args!(
                    "slot {slot} is in no state"
                )));
            };
            *table.words.at_mut(slot as usize) = generation << 8 | u32::from(state);
            table.in_state.insert(state, slot);
            table.alive += 1;
            let salt = layout.states[usize::from(state)].salt;
            *fingerprint = fingerprint.wrapping_add(state_term(salt, Id { slot, generation }));
        }
        let mut numbers = Numbers::of(from, free.into())?;
        for _ in 0..free {
            let slot = numbers.next()?;
            match reusable.get_mut(slot as usize) {
                Some(reusable) if *reusable => *reusable = false,
                _ => {
                    let what = format_args!("slot {slot} cannot be in the list of free slots");
                    return Err(ImageError::content(what));
                }
            }
            table.free.push(slot);
        }
        if let Some(slot) = reusable.iter().position(|reusable| *reusable) {
            let what = format_args!("slot {slot} is not in the list of free slots");
            return Err(ImageError::content(what));
        }
        self.make_cells(entity, slots);
        Ok(())
    }

    /// Makes the cells of the first slots of a type, which has none.
    pub(super) fn make_cells(&mut self, entity: EntityIx, slots: u32) {
        let layout = Arc::clone(&self.layout);
        let layout = &layout.entities[usize::from(entity)];
        for column in &layout.columns {
            self.columns[usize::from(*column)].make_room(slots);
        }
        for hop in &layout.ends {
            self.edges[usize::from(hop.edge)].make_room(hop.forward, slots as usize);
        }
        for watch in &layout.watches {
            self.counters[usize::from(*watch)].fill(slots as usize, 0);
        }
    }

    fn read_column(
        &mut self,
        column: ColumnIx,
        from: &mut dyn ImageSource,
        fingerprint: &mut u128,
    ) -> Result<(), ImageError> {
        let layout = &self.layout.columns[usize::from(column)];
        let def = &self.layout.schema[column];
        let table = &*self.entities[usize::from(layout.entity)];
        let word = |slot: u32| *table.words.at(slot as usize);
        let slots = (0..table.words.len() as u32).filter(|slot| {
            let now = word(*slot) as u8;
            (def.state).map_or(now != FREE, |state| state.get() == now)
        });
        let mut last = None;
        let mut slots = slots.inspect(|slot| last = Some(*slot));
        let read =
            self.columns[usize::from(column)].read_cells(&mut slots, from, &mut |slot, hash| {
                let generation = word(slot) >> 8;
                let term = cell_term(layout.salt, Id { slot, generation }, hash);
                *fingerprint = fingerprint.wrapping_add(term);
            });
        // The column has asked for the slot of the value that it cannot read.
        let name = &self.layout.entities[usize::from(layout.entity)].name;
        read.map_err(|e| match last {
            Some(slot) => e.of(&format!("{name}/{slot}.{}", word(slot) >> 8)),
            None => e,
        })
    }

    /// Computes the positions of links that are unknown. O(links of the edges of which they are), so that no step costs that.
    pub(crate) fn place_links(&mut self) {
        for edge in &mut self.edges {
            edge.place();
        }
    }

    /// Computes the counters of all watches, which are 0.
    pub(super) fn count_watched(&mut self) {
        for ix in 0..self.layout.watches.len() {
            let watch = &self.layout.watches[ix];
            let edge = &self.layout.edges[usize::from(watch.hop.edge)];
            let (near, far) = (edge.near(watch.hop.forward), edge.far(watch.hop.forward));
            let (near, far) = (near.entity, far.entity);
            for slot in 0..self.slots(near) {
                let watch = &self.layout.watches[ix];
                let links = self.links(watch.hop, slot).iter();
                let counted = links.filter(|s| watch.member.contains(self.state_of(far, **s)));
                let counted = counted.count() as u32;
                if counted > 0 {
                    *self.counters[ix].at_mut(slot as usize) = counted;
                }
            }
        }
    }
}

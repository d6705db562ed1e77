//! A copy of a graph in which entities have other slots and keys, for the checker. It is made by way of an
//! [image](super::image), in which the slots are exchanged.

use std::collections::BTreeMap;

use crate::base::id::{FIRST_GENERATION, FREE};
use crate::base::image::{ImageError, ImageSink, ImageSource};
use crate::graph::Graph;
use crate::graph::column::ColumnTypes;
use crate::graph::image::ImageOrder;
use crate::graph::layout::EntityLayout;
use crate::graph::storage::{Flat, Table};
use crate::schema::{ColumnIx, EdgeIx, EntityIx, StateIx};

/// Other slots and keys for the entities of a graph.
#[derive(Default)]
pub(crate) struct Renaming {
    /// By entity type.
    pub types: Vec<TypeRenaming>,
}

/// Other slots and keys for the entities of a type.
#[derive(Default)]
pub(crate) struct TypeRenaming {
    /// By slot, its new number: a permutation of at least as many slots as the graph has.
    pub slots: Vec<u32>,
    /// The free slots by their new numbers, the next to be used last.
    pub free: Vec<u32>,
    /// New keys in CBOR, by the old ones. A key that is not in it stays.
    pub keys: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl TypeRenaming {
    /// By new slot, the old one.
    fn old_slots(&self) -> Vec<u32> {
        let mut old = vec![0; self.slots.len()];
        for (slot, new) in (0..).zip(&self.slots) {
            old[*new as usize] = slot;
        }
        old
    }
}

/// An image in memory.
#[derive(Default)]
struct Image {
    bytes: Vec<u8>,
    at: usize,
}

impl Image {
    fn put_u32(&mut self, n: u32) {
        self.bytes.extend_from_slice(&n.to_le_bytes());
    }
}

impl ImageSink for Image {
    fn put(&mut self, bytes: &[u8]) -> Result<(), ImageError> {
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }
}

impl ImageSource for Image {
    fn take(&mut self, len: usize) -> Result<&[u8], ImageError> {
        let start = self.at;
        self.at += len;
        let taken = self.bytes.get(start..self.at);
        taken.ok_or_else(|| ImageError::content("it ends too early"))
    }

    fn left(&self) -> u64 {
        self.bytes.len().saturating_sub(self.at) as u64
    }
}

impl Graph<Flat> {
    /// Returns a copy of the graph in which the entities have the slots and keys of a renaming. The lists of links have the same
    /// order. O(size of the graph).
    ///
    /// # Errors
    /// If a value is not read back as it was written, or if two entities would have the same key.
    pub(crate) fn renamed(
        &self,
        types: &ColumnTypes,
        renaming: &Renaming,
    ) -> Result<Self, ImageError> {
        let mut image = Image::default();
        let old: Vec<Vec<u32>> = (renaming.types.iter().map(TypeRenaming::old_slots)).collect();
        for entity in EntityIx::all(self.entities.len()) {
            self.write_renamed_entities(entity, renaming, &old, &mut image);
        }
        for column in ColumnIx::all(self.columns.len()) {
            self.write_renamed_column(column, renaming, &old, &mut image)?;
        }
        for edge in EdgeIx::all(self.edges.len()) {
            self.write_renamed_links(edge, renaming, &old, &mut image)?;
        }
        let layout = &self.layout;
        let states = |def: &EntityLayout| StateIx::all(def.states.len());
        let order = ImageOrder {
            entities: EntityIx::all(layout.entities.len()).collect(),
            states: (layout.entities.iter())
                .map(|def| states(def).collect())
                .collect(),
            columns: ColumnIx::all(self.columns.len()).collect(),
            edges: EdgeIx::all(self.edges.len()).collect(),
        };
        let mut graph = Self::new(layout.clone(), &types.columns, &types.data);
        graph.fingerprinting = self.fingerprinting;
        graph.read_image(&order, &mut image)
    }

    /// Whether there is an entity at a slot, which may be one that the graph does not have.
    fn has_entity(&self, entity: EntityIx, slot: u32) -> bool {
        slot < self.slots(entity) && self.is_alive(entity, slot)
    }

    fn write_renamed_entities(
        &self,
        entity: EntityIx,
        renaming: &Renaming,
        old: &[Vec<u32>],
        image: &mut Image,
    ) {
        let free = &renaming.types[entity.index()].free;
        let old = &old[entity.index()];
        image.put_u32(old.len() as u32);
        image.put_u32(free.len() as u32);
        for slot in old {
            image.put_u32(match self.has_entity(entity, *slot) {
                true => *self.entities[entity.index()].words.at(*slot as usize),
                false => FIRST_GENERATION << 8 | u32::from(FREE),
            });
        }
        free.iter().for_each(|slot| image.put_u32(*slot));
    }

    fn write_renamed_column(
        &self,
        ix: ColumnIx,
        renaming: &Renaming,
        old: &[Vec<u32>],
        image: &mut Image,
    ) -> Result<(), ImageError> {
        let def = &self.layout.schema[ix];
        let (entity, column) = (def.entity, self.column(ix));
        let has_value = |slot: &u32| {
            self.has_entity(entity, *slot)
                && (def.state).is_none_or(|state| self.state_of(entity, *slot) == state)
        };
        let mut slots = old[entity.index()].iter().copied().filter(has_value);
        let keys = &renaming.types[entity.index()].keys;
        if keys.is_empty() || *self.layout.entities[entity.index()].key != [ix] {
            return column.write_cells(&mut slots, image);
        }
        // Each value has its length before it.
        image.put(&[0, 0])?;
        for slot in slots {
            let key = column.encoded(slot).unwrap_or_default();
            let key = keys.get(&key).unwrap_or(&key);
            image.put_u32(key.len() as u32);
            image.put(key)?;
        }
        Ok(())
    }

    fn write_renamed_links(
        &self,
        edge: EdgeIx,
        renaming: &Renaming,
        old: &[Vec<u32>],
        image: &mut Image,
    ) -> Result<(), ImageError> {
        let layout = &self.layout.edges[usize::from(edge)];
        let links = &self.edges[usize::from(edge)];
        let end_of = |forward: bool| layout.near(forward).entity;
        let held = |end: bool, slot: u32| match self.has_entity(end_of(end), slot) {
            true => links.held(end, slot).to_vec(),
            false => Vec::new(),
        };
        for &end in links.ends_with_lists() {
            let (near, far) = (end_of(end).index(), end_of(!end).index());
            for slot in &old[near] {
                image.put_u32(held(end, *slot).len() as u32);
            }
            for far_slot in old[near].iter().flat_map(|slot| held(end, *slot)) {
                image.put_u32(renaming.types[far].slots[far_slot as usize]);
            }
        }
        let Some(data) = &links.data else {
            return Ok(());
        };
        let froms = old[end_of(true).index()].iter();
        let pairs = froms.flat_map(|from| held(true, *from).into_iter().map(|to| (*from, to)));
        let mut rows = pairs.map(|(from, to)| data.row(from, to));
        data.column().write_cells(&mut rows, image)
    }
}

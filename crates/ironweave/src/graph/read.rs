//! Reading the graph.

use std::sync::Arc;

use crate::base::error::EntityRef;
use crate::base::id::{FIRST_GENERATION, FREE, Id};
use crate::graph::Graph;
use crate::graph::column::AnyColumn;
use crate::graph::layout::ends;
use crate::graph::list::LinkSlots;
use crate::graph::slots::SlotsInState;
use crate::graph::storage::{Storage, Table};
use crate::schema::{ColumnIx, EntityIx, Hop, StateIx};

impl<S: Storage> Graph<S> {
    /// How many slots a type has taken.
    pub(crate) fn slots(&self, entity: EntityIx) -> u32 {
        self.entities[usize::from(entity)].words.len() as u32
    }

    /// The state of an entity, if it exists; O(1).
    #[inline]
    pub(crate) fn state(&self, entity: EntityIx, id: Id) -> Option<StateIx> {
        let words = &self.entities[usize::from(entity)].words;
        if id.slot as usize >= words.len() {
            return None;
        }
        let word = *words.at(id.slot as usize);
        // Only with the generation of the word nothing but the state is left. One comparison then excludes `FREE` too.
        let state = u64::from(word) ^ u64::from(id.generation) << 8;
        (state < u64::from(FREE)).then_some(StateIx::new(state as u8))
    }

    /// Whether an entity exists; O(1).
    #[inline]
    pub(crate) fn exists(&self, entity: EntityIx, id: Id) -> bool {
        let table = &self.entities[usize::from(entity)];
        if !table.any_deleted {
            return id.generation == FIRST_GENERATION && (id.slot as usize) < table.words.len();
        }
        self.state(entity, id).is_some()
    }

    /// Whether there is an entity at a slot.
    pub(crate) fn is_alive(&self, entity: EntityIx, slot: u32) -> bool {
        self.state_of(entity, slot).get() != FREE
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
                generation: FIRST_GENERATION,
            },
            Some(slot) => Id {
                slot,
                generation: self.id(entity, slot).generation + 1,
            },
        }
    }

    #[inline]
    pub(crate) fn state_of(&self, entity: EntityIx, slot: u32) -> StateIx {
        StateIx::new(*self.entities[usize::from(entity)].words.at(slot as usize) as u8)
    }

    #[inline(always)]
    pub(crate) fn id(&self, entity: EntityIx, slot: u32) -> Id {
        let table = &self.entities[usize::from(entity)];
        let generation = if !table.any_deleted {
            FIRST_GENERATION
        } else {
            *table.words.at(slot as usize) >> 8
        };
        Id { slot, generation }
    }

    /// The entity at a slot, by its id.
    pub(crate) fn entity_ref(&self, entity: EntityIx, slot: u32) -> EntityRef {
        self.id_ref(entity, self.id(entity, slot))
    }

    fn id_ref(&self, entity: EntityIx, id: Id) -> EntityRef {
        EntityRef {
            entity: Arc::clone(&self.layout.entities[usize::from(entity)].name),
            id,
            key: None,
        }
    }

    /// The entity at a slot for an error, with its key, which exists until the event is rolled back.
    #[cold]
    pub(crate) fn named(&self, entity: EntityIx, slot: u32) -> EntityRef {
        self.who(entity, self.id(entity, slot))
    }

    /// An entity for an error, with its key if it exists.
    #[cold]
    pub(crate) fn who(&self, entity: EntityIx, id: Id) -> EntityRef {
        let mut who = self.id_ref(entity, id);
        if self.state(entity, id).is_some() {
            who.key = self.key_text(entity, id.slot);
        }
        who
    }

    pub(crate) fn column(&self, column: ColumnIx) -> &dyn AnyColumn {
        &*self.columns[usize::from(column)]
    }

    pub(crate) fn links(&self, hop: Hop, slot: u32) -> LinkSlots<'_> {
        self.edges[usize::from(hop.edge)].slots(hop.forward, slot)
    }

    /// How many entities one is linked with; O(1).
    pub(crate) fn degree(&self, hop: Hop, slot: u32) -> usize {
        self.edges[usize::from(hop.edge)].degree(hop.forward, slot)
    }

    /// The entity at a position among those that one is linked with; O(1).
    pub(crate) fn member(&self, hop: Hop, slot: u32, position: usize) -> u32 {
        self.edges[usize::from(hop.edge)].member(hop.forward, slot, position)
    }

    pub(crate) fn linked(&self, hop: Hop, near: u32, far: u32) -> bool {
        let (from, to) = ends(hop, near, far);
        self.edges[usize::from(hop.edge)].linked(from, to)
    }

    pub(crate) fn count(&self, entity: EntityIx, state: StateIx) -> usize {
        self.in_state(entity, state).len()
    }

    /// The slots of the entities in a state.
    pub(crate) fn in_state(&self, entity: EntityIx, state: StateIx) -> SlotsInState<'_, S> {
        self.entities[usize::from(entity)].in_state.of(state)
    }

    /// The value of a counter.
    pub(crate) fn counted(&self, watch: u16, slot: u32) -> usize {
        *self.counters[usize::from(watch)].at(slot as usize) as usize
    }
}

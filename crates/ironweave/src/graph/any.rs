//! A graph in either storage, for user code: guards, handlers and readers are compiled once and run on both.
//!
//! The two storages meet only in this file. [`Either`] is something in one storage or the other, and [`either!`] does the
//! same to both. Where the storage is known, as it is for a store, the compiler decides the match.

use std::any::Any;
use std::sync::Arc;

use crate::base::error::{EntityRef, StepError};
use crate::base::id::Id;
use crate::graph::column::{AnyColumn, Column};
use crate::graph::key::KeyQuery;
use crate::graph::layout::Layout;
use crate::graph::list::LinkSlots;
use crate::graph::paged::Paged;
use crate::graph::storage::Flat;
use crate::graph::{Graph, Journal, Mark};
use crate::schema::{ColumnIx, EdgeIx, EntityIx, Hop, StateIx};
use crate::value::Value;

/// Something of a graph in one of the two storages.
#[derive(Clone, Copy, Debug)]
pub enum Either<F, P> {
    /// Of a store.
    Flat(F),
    /// Of a snapshot.
    Paged(P),
}

/// A graph to read.
pub type GraphRef<'g> = Either<&'g Graph<Flat>, &'g Graph<Paged>>;

/// A graph to change.
pub type GraphMut<'g> = Either<&'g mut Graph<Flat>, &'g mut Graph<Paged>>;

/// Does the same to what is in either storage.
macro_rules! either {
    ($either:expr, $of:ident => $does:expr) => {
        match $either {
            $crate::graph::any::Either::Flat($of) => $does,
            $crate::graph::any::Either::Paged($of) => $does,
        }
    };
}

pub(crate) use either;

/// Methods of a graph that read it.
macro_rules! reads {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $ty:ty),*) -> $gives:ty;)*) => {
        impl<'g> GraphRef<'g> {
            $($(#[$doc])*
            #[inline]
            pub(crate) fn $name(self, $($arg: $ty),*) -> $gives {
                either!(self, graph => graph.$name($($arg),*))
            })*
        }
    };
}

reads! {
    /// The state of an entity, if it exists; O(1).
    state(entity: EntityIx, id: Id) -> Option<StateIx>;
    /// The state of the entity at a slot.
    state_of(entity: EntityIx, slot: u32) -> StateIx;
    /// Whether an entity exists; O(1).
    exists(entity: EntityIx, id: Id) -> bool;
    /// How many slots a type has taken.
    slots(entity: EntityIx) -> u32;
    /// The id of the entity at a slot.
    id(entity: EntityIx, slot: u32) -> Id;
    /// How many entities of a type there are; O(1).
    alive(entity: EntityIx) -> usize;
    /// The entity at a slot, by its id.
    entity_ref(entity: EntityIx, slot: u32) -> EntityRef;
    /// An entity for an error, with its key if it exists.
    who(entity: EntityIx, id: Id) -> EntityRef;
    /// The entities that one is linked with.
    links(hop: Hop, slot: u32) -> LinkSlots<'g>;
    /// How many entities one is linked with; O(1).
    degree(hop: Hop, slot: u32) -> usize;
    /// The entity at a position among those that one is linked with; O(1).
    member(hop: Hop, slot: u32, position: usize) -> u32;
    /// Whether two entities are linked; O(1).
    linked(hop: Hop, near: u32, far: u32) -> bool;
    /// How many entities are in a state; O(1).
    count(entity: EntityIx, state: StateIx) -> usize;
    /// The entity whose key has these parts, in CBOR; O(1).
    find_parts(entity: EntityIx, parts: &[&[u8]]) -> Option<u32>;
    /// The value of a counter.
    counted(watch: u16, slot: u32) -> usize;
    /// The column of the data of an edge and the row of one of its links.
    link_row(edge: EdgeIx, from: u32, to: u32) -> Option<(&'g dyn AnyColumn, u32)>;
    /// The key of an entity in CBOR: of several parts, an array.
    encoded_key(entity: EntityIx, slot: u32) -> Vec<u8>;
    /// A point in the journal to go back to.
    mark(journal: &mut Journal) -> Mark;
    /// A column.
    column(column: ColumnIx) -> &'g dyn AnyColumn;
}

impl<'g> GraphRef<'g> {
    #[inline]
    pub(crate) fn layout(self) -> &'g Arc<Layout> {
        either!(self, graph => &graph.layout)
    }

    /// The value of a cell of a known type.
    #[inline(always)]
    pub(crate) fn cell<T: Any>(self, column: ColumnIx, slot: u32) -> Option<&'g T> {
        either!(self, graph => graph.cell(column, slot))
    }

    /// The slot of the entity with a key of type `K`, which is in these columns; O(1).
    pub(crate) fn find<K: Value>(
        self,
        entity: EntityIx,
        columns: &[ColumnIx],
        key: &(impl KeyQuery<K> + ?Sized),
    ) -> Option<u32> {
        let [column] = columns else {
            return either!(self, graph => key.find_parts(graph, entity));
        };
        let column: &dyn Any = self.column(*column);
        match self {
            Self::Flat(_) => key.find_in(column.downcast_ref::<Column<K, Flat>>()?),
            Self::Paged(_) => key.find_in(column.downcast_ref::<Column<K, Paged>>()?),
        }
    }
}

/// Methods of a graph that change it.
macro_rules! changes {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $ty:ty),*) -> $gives:ty;)*) => {
        impl GraphMut<'_> {
            $($(#[$doc])*
            pub(crate) fn $name(&mut self, journal: &mut Journal, $($arg: $ty),*) -> $gives {
                either!(self, graph => graph.$name(journal, $($arg),*))
            })*
        }
    };
}

changes! {
    /// Creates an entity and returns its slot.
    create(entity: EntityIx, state: StateIx) -> Result<u32, StepError>;
    /// Moves an entity to another state.
    move_to(entity: EntityIx, slot: u32, to: StateIx) -> ();
    /// Writes a value of the type of the column.
    set(column: ColumnIx, slot: u32, value: &dyn Any) -> Result<(), StepError>;
    /// Writes the default of a field.
    set_default(column: ColumnIx, slot: u32) -> Result<(), StepError>;
    /// Writes a value from its encoding.
    set_encoded(column: ColumnIx, slot: u32, bytes: &[u8]) -> Result<(), StepError>;
    /// Links two entities.
    link(edge: EdgeIx, from: u32, to: u32) -> Result<(), StepError>;
    /// Unlinks two entities.
    unlink(edge: EdgeIx, from: u32, to: u32) -> Result<(), StepError>;
    /// Links two entities. An end that can hold only one loses the link that it has.
    relink(edge: EdgeIx, from: u32, to: u32) -> ();
    /// Writes the data of a link.
    set_link(edge: EdgeIx, ends: (u32, u32), value: &dyn Any) -> Result<(), StepError>;
    /// Deletes entities, and others as the policies of their ends say.
    delete(roots: &[(EntityIx, u32)]) -> Result<(), StepError>;
}

impl GraphMut<'_> {
    /// The same graph, to read it.
    #[inline]
    pub(crate) fn as_ref(&self) -> GraphRef<'_> {
        match self {
            Self::Flat(graph) => Either::Flat(graph),
            Self::Paged(graph) => Either::Paged(graph),
        }
    }
}

//! The items of a schema.
//!
//! Items refer to each other by their index in the list that holds them, in order of declaration. The field `unknown` of an
//! item preserves the entries that a newer version has written into the item.

use std::ops::Index;

use crate::{
    Arc, ColumnIx, EdgeIx, Encoding, EntityIx, EventIx, FieldIx, Hop, InvariantIx, May, NameIx,
    Path, SortBy, StateIx, Unknown,
};

/// The schema of a model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schema {
    /// The name of the module that declares it.
    pub name: String,
    /// Entity types.
    pub entities: Vec<EntityDef>,
    /// Columns, grouped by entity type: first the fields of the entity, then the data of its states.
    pub columns: Vec<ColumnDef>,
    /// Edges, in order of their declaring ends.
    pub edges: Vec<EdgeDef>,
    /// Events, including the immediate events.
    pub events: Vec<EventDef>,
    /// Invariants.
    pub invariants: Vec<InvariantDef>,
    /// Indexes over several fields, or over the entities in some states. The index of one field is a part of its column.
    pub indexes: Vec<IndexDef>,
    /// Entries that a newer version has written into this item.
    pub unknown: Unknown,
}

/// An entity type: a node type with a lifecycle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EntityDef {
    /// The name of the entity type.
    pub name: String,
    /// The states, at most 250.
    pub states: Vec<StateDef>,
    /// The state in which an entity is created unless a `create` arc names another one.
    pub initial: StateIx,
    /// Former names, which `#[renamed(from = "..")]` gives.
    pub renamed: Vec<String>,
    /// Entries that a newer version has written into this item.
    pub unknown: Unknown,
}

/// A state of an entity type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateDef {
    /// The name of the state.
    pub name: String,
    /// Whether the state is declared `#[terminal]`.
    pub terminal: bool,
    /// The moves that the lifecycle allows from this state.
    pub to: Vec<TransitionDef>,
    /// Former names, which `#[renamed(from = "..")]` gives.
    pub renamed: Vec<String>,
    /// Entries that a newer version has written into this item.
    pub unknown: Unknown,
}

/// A move that a lifecycle allows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransitionDef {
    /// The target state.
    pub to: StateIx,
    /// The name of the generated method that makes the move.
    pub verb: String,
    /// Entries that a newer version has written into this item.
    pub unknown: Unknown,
}

/// A column: a field of an entity, or an item of the data of one of its states.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ColumnDef {
    /// The entity type that has the column.
    pub entity: EntityIx,
    /// The state to whose data the column belongs; `None` for a field of the entity.
    pub state: Option<StateIx>,
    /// The name of the column or field.
    pub name: String,
    /// The Rust type as written in the model.
    pub ty: String,
    /// The encoding of the values; `None` if it is not known.
    pub encoding: Option<Encoding>,
    /// Whether the column is the key or a part of the key. A key is unique (all parts together), indexed and immutable.
    pub key: bool,
    /// The kind of the index, if the column has one.
    pub index: Option<IndexKind>,
    /// The default of a field, as written: the value of a new entity if none is given. The default of data of a state is only for
    /// entities that were in the state before it had the data. `None` if a value is required.
    pub default: Option<String>,
    /// Former names, which `#[renamed(from = "..")]` gives.
    pub renamed: Vec<String>,
    /// Entries that a newer version has written into this item.
    pub unknown: Unknown,
}

/// The kind of the index of a field that is not a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IndexKind {
    /// An index that finds equal values.
    #[default]
    Equal,
    /// An ordered index, which also finds ranges of values.
    Ordered,
}

/// An index of the entities of one type by several parts, or of those that are in some states.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IndexDef {
    /// The name of the index.
    pub name: String,
    /// The entity type.
    pub entity: EntityIx,
    /// Whether the index also finds ranges of values.
    pub kind: IndexKind,
    /// What the entities are sorted by: by the first part, then by the second and so on.
    pub parts: Vec<IndexPart>,
    /// The states in one of which an entity must be to be in the index; empty if the state does not matter.
    pub states: Vec<StateIx>,
    /// Entries that a newer version has written into this item.
    pub unknown: Unknown,
}

/// A part of the value by which an index finds an entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexPart {
    /// The value of a column. An entity without the value, because it is in another state, is not in the index.
    Column(ColumnIx),
    /// The entity that is linked at an end of an edge that holds at most one link. An entity without a link is not in the
    /// index.
    End(Hop),
}

/// The effect of the deletion of an entity on its links and on the entities that they lead to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnDelete {
    /// The links are removed.
    #[default]
    Unlink,
    /// The deletion is rejected while links to entities exist that are not deleted with it.
    Restrict,
    /// The linked entities are deleted too.
    Cascade,
}

/// How many links an entity may have at an end of an edge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cardinality {
    /// Exactly one at the end of every event.
    One,
    /// At most one.
    Option,
    /// Any number.
    #[default]
    Many,
}

/// An edge: a typed, directed relation. Its declaring end is `from`, its inverse end is `to`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EdgeDef {
    /// The declaring end.
    pub from: EndDef,
    /// The inverse end.
    pub to: EndDef,
    /// The Rust type of the data of a link, as written; `None` if links have no data.
    pub data: Option<String>,
    /// The encoding of the data of a link; `None` if it is not known.
    pub encoding: Option<Encoding>,
    /// The data, as written, of links that were made before the edge had data; `None` if there is no such default.
    pub default: Option<String>,
    /// Whether the links of the edge must not form a cycle.
    pub acyclic: bool,
    /// Entries that a newer version has written into this item.
    pub unknown: Unknown,
}

/// One end of an edge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndDef {
    /// The entity type at this end.
    pub entity: EntityIx,
    /// The name of the end, which is a field of that type.
    pub name: String,
    /// How many links one entity may have at this end.
    pub cardinality: Cardinality,
    /// The minimum number of links at the end of every event; 0 if there is no minimum.
    pub min: u32,
    /// The maximum number of links; `None` if there is no maximum.
    pub max: Option<u32>,
    /// The effect of the deletion of the entity at this end.
    pub on_delete: OnDelete,
    /// Whether the number of linked entities in each state is counted.
    pub counted: bool,
    /// Former names, which `#[renamed(from = "..")]` gives.
    pub renamed: Vec<String>,
    /// Entries that a newer version has written into this item.
    pub unknown: Unknown,
}

/// An event: a named transition of the net.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventDef {
    /// The name of the event.
    pub name: String,
    /// Whether the event is immediate: it fires as soon as it is enabled, without a call of the program.
    pub immediate: bool,
    /// The fields.
    pub fields: Vec<EventFieldDef>,
    /// The names of the entities that the event binds: its entity fields in order, then the names of its `create` arcs, then
    /// those of its `choose` arcs.
    pub names: Vec<NameDef>,
    /// The arcs, in written order.
    pub arcs: Vec<Arc>,
    /// The permissions of the handler of the event.
    pub mays: Vec<May>,
    /// The paths of the guard functions, as written.
    pub guards: Vec<String>,
    /// Which of the entities on which an immediate event is enabled it fires on first; `None` for the one with the smallest
    /// slot.
    pub order: Option<SortBy>,
    /// The time at which the event is due; `None` if the event has none.
    pub due: Option<DueDef>,
    /// Former names, which `#[renamed(from = "..")]` gives.
    pub renamed: Vec<String>,
    /// The names of logged events that a function of the program reads as this event, which `#[upcast(from = "..")]` gives.
    pub upcasts: Vec<String>,
    /// Entries that a newer version has written into this item.
    pub unknown: Unknown,
}

/// The time at which an event is due.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DueDef {
    /// Index into [`EventDef::names`] of the only name that the event binds.
    pub name: NameIx,
    /// A column of a time, or of an optional time, of the entities that the name is bound to.
    pub column: ColumnIx,
    /// Entries that a newer version has written into this item.
    pub unknown: Unknown,
}

/// A field of an event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFieldDef {
    /// The name of the column or field.
    pub name: String,
    /// The Rust type as written in the model.
    pub ty: String,
    /// The encoding of the values; `None` if it is not known.
    pub encoding: Option<Encoding>,
    /// The value in events that were logged before the event had the field, as written; `None` if there is no such default.
    pub default: Option<String>,
    /// Former names, which `#[renamed(from = "..")]` gives.
    pub renamed: Vec<String>,
    /// Entries that a newer version has written into this item.
    pub unknown: Unknown,
}

/// A name that is bound to entities while an event fires.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameDef {
    /// The name of the event's field or of the `create` or `choose` arc.
    pub name: String,
    /// The type of the entities.
    pub entity: EntityIx,
    /// How many entities are bound: one, at most one, or any number (a set).
    pub count: Cardinality,
    /// How the caller identifies the entities.
    pub by: BindBy,
    /// Entries that a newer version has written into this item.
    pub unknown: Unknown,
}

/// How the caller of an event identifies an entity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BindBy {
    /// By handle.
    #[default]
    Handle,
    /// By a token, which requires this state.
    Token(StateIx),
    /// By key; the entity must exist.
    Key,
    /// By key; the entity is created in the initial state if it does not exist.
    Ensure,
    /// The event creates the entity.
    Created,
    /// The event chooses the entity among candidates.
    Chosen,
}

/// An invariant: a predicate that holds of every entity of a type at the end of every transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InvariantDef {
    /// The name of the invariant.
    pub name: String,
    /// The entity type to which the predicate applies.
    pub entity: EntityIx,
    /// The edges over which the predicate reads, starting from that type.
    pub via: Vec<Hop>,
    /// The path of the predicate function, as written.
    pub check: String,
    /// Former names, which `#[renamed(from = "..")]` gives.
    pub renamed: Vec<String>,
    /// Entries that a newer version has written into this item.
    pub unknown: Unknown,
}

impl EntityDef {
    /// Returns the index of the state with this name, if there is one.
    #[must_use]
    pub fn state(&self, name: &str) -> Option<StateIx> {
        StateIx::all(self.states.len()).find(|ix| self[*ix].name == name)
    }
}

impl EdgeDef {
    /// Returns the end from which a hop starts.
    #[must_use]
    pub fn near(&self, forward: bool) -> &EndDef {
        if forward { &self.from } else { &self.to }
    }

    /// Returns the end to which a hop leads.
    #[must_use]
    pub fn far(&self, forward: bool) -> &EndDef {
        self.near(!forward)
    }
}

impl EventDef {
    /// Returns the states in one of which the entities of a path are because of how its name is bound: the state of a token, or the
    /// states of the candidates of a `choose` arc. `None` if that requires no state, or if the path follows edges.
    ///
    /// # Panics
    /// If the path is not one of the event.
    #[must_use]
    pub fn bound_states(&self, path: &Path) -> Option<&[StateIx]> {
        if !path.hops.is_empty() {
            return None;
        }
        match &self[path.root].by {
            BindBy::Token(state) => Some(std::slice::from_ref(state)),
            BindBy::Chosen => self.arcs.iter().find_map(|arc| match arc {
                Arc::Choose { name, states, .. } if *name == path.root => Some(states.as_slice()),
                _ => None,
            }),
            BindBy::Handle | BindBy::Key | BindBy::Ensure | BindBy::Created => None,
        }
    }
}

impl Schema {
    /// Returns the entity type to which a path of an event leads.
    ///
    /// # Panics
    /// If the path is not one of the event in this schema.
    #[must_use]
    pub fn reached(&self, event: &EventDef, path: &Path) -> EntityIx {
        match path.hops.last() {
            Some(hop) => self[hop.edge].far(hop.forward).entity,
            None => event[path.root].entity,
        }
    }
}

macro_rules! lookup {
    ($($ix:ident, $of:ident.$list:ident => $def:ident;)*) => {$(
        /// # Panics
        /// Panics if the index is not in the schema; see [`Schema::validate`].
        impl Index<$ix> for $of {
            type Output = $def;

            #[inline]
            fn index(&self, ix: $ix) -> &$def {
                &self.$list[ix.index()]
            }
        }
    )*};
}

lookup! {
    EntityIx, Schema.entities => EntityDef;
    ColumnIx, Schema.columns => ColumnDef;
    EdgeIx, Schema.edges => EdgeDef;
    EventIx, Schema.events => EventDef;
    InvariantIx, Schema.invariants => InvariantDef;
    StateIx, EntityDef.states => StateDef;
    FieldIx, EventDef.fields => EventFieldDef;
    NameIx, EventDef.names => NameDef;
}

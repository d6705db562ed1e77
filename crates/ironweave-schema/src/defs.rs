//! The items of a schema.
//!
//! Items refer to each other by their index in the list that holds them, in order of declaration. An item that has a list
//! `unknown` keeps there what a newer version has written into it.

use std::ops::Index;

use crate::{
    ColumnIx, EdgeIx, Encoding, EntityIx, EventIx, FieldIx, InvariantIx, NameIx, Raw, StateIx,
    Unknown,
};

/// A whole model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schema {
    /// The name of the module that declares it.
    pub name: String,
    /// Entity types.
    pub entities: Vec<EntityDef>,
    /// Fields of entities, then the data of their states, entity by entity.
    pub columns: Vec<ColumnDef>,
    /// Edges, in order of their declaring ends.
    pub edges: Vec<EdgeDef>,
    /// Events, the immediate ones too.
    pub events: Vec<EventDef>,
    /// Invariants.
    pub invariants: Vec<InvariantDef>,
    /// What a newer version has written here.
    pub unknown: Unknown,
}

/// An entity type: a node type with a lifecycle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EntityDef {
    /// Its name.
    pub name: String,
    /// Its states, 250 at most.
    pub states: Vec<StateDef>,
    /// The state it is created in.
    pub initial: StateIx,
    /// What a newer version has written here.
    pub unknown: Unknown,
}

/// A state of an entity type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateDef {
    /// Its name.
    pub name: String,
    /// Whether it was declared `#[terminal]`.
    pub terminal: bool,
    /// The moves that the lifecycle allows from here.
    pub to: Vec<TransitionDef>,
    /// What a newer version has written here.
    pub unknown: Unknown,
}

/// A move that a lifecycle allows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransitionDef {
    /// Where to.
    pub to: StateIx,
    /// The name of the method.
    pub verb: String,
    /// What a newer version has written here.
    pub unknown: Unknown,
}

/// A field of an entity, or a piece of the data of one of its states.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ColumnDef {
    /// Whose it is.
    pub entity: EntityIx,
    /// The state whose data it is; `None` for a field.
    pub state: Option<StateIx>,
    /// Its name.
    pub name: String,
    /// Its Rust type, as written.
    pub ty: String,
    /// How its values are encoded, where that is known.
    pub encoding: Option<Encoding>,
    /// Whether it is the key or a part of it: unique (all parts together), indexed, immutable.
    pub key: bool,
    /// How it is indexed, if it is.
    pub index: Option<IndexKind>,
    /// What a new entity has here where nothing is given, as written; `None` where it must be given.
    pub default: Option<String>,
    /// What a newer version has written here.
    pub unknown: Unknown,
}

/// How a field that is no key is indexed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IndexKind {
    /// By equal values.
    #[default]
    Equal,
    /// By order, so that ranges can be asked for.
    Ordered,
}

/// What becomes of the links, and what they lead to, when an entity is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnDelete {
    /// The links go.
    #[default]
    Unlink,
    /// While there are links to entities that stay, it cannot be deleted.
    Restrict,
    /// What it is linked with is deleted too.
    Cascade,
}

/// How many links an entity may have at an end of an edge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cardinality {
    /// Exactly one, at the end of every event.
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
    /// The Rust type of the data on a link, as written, if links have data.
    pub data: Option<String>,
    /// How the data on a link is encoded, where that is known.
    pub encoding: Option<Encoding>,
    /// Whether it never leads from an entity back to itself.
    pub acyclic: bool,
    /// What a newer version has written here.
    pub unknown: Unknown,
}

/// One end of an edge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndDef {
    /// The entity type at this end.
    pub entity: EntityIx,
    /// The name of the end, as a field of that type.
    pub name: String,
    /// How many links one entity may have here.
    pub cardinality: Cardinality,
    /// The least number of links at the end of every event (0 if any number will do).
    pub min: u32,
    /// The greatest number of links, if there is one.
    pub max: Option<u32>,
    /// What happens when the entity at this end is deleted.
    pub on_delete: OnDelete,
    /// Whether it is counted, state by state, how many it is linked with.
    pub counted: bool,
    /// What a newer version has written here.
    pub unknown: Unknown,
}

/// An event: a named transition of the net.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventDef {
    /// Its name.
    pub name: String,
    /// Fires by itself as soon as it is enabled.
    pub immediate: bool,
    /// Its fields.
    pub fields: Vec<EventFieldDef>,
    /// What it binds: its entity fields in order, then the names that its `create` arcs introduce.
    pub names: Vec<NameDef>,
    /// What it does, in written order.
    pub arcs: Vec<Arc>,
    /// What its handler may do.
    pub mays: Vec<May>,
    /// The paths of its guards, as written.
    pub guards: Vec<String>,
    /// What a newer version has written here.
    pub unknown: Unknown,
}

/// A field of an event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFieldDef {
    /// Its name.
    pub name: String,
    /// Its Rust type, as written.
    pub ty: String,
    /// How its values are encoded, where that is known.
    pub encoding: Option<Encoding>,
    /// What a newer version has written here.
    pub unknown: Unknown,
}

/// A name that stands for entities while an event fires.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameDef {
    /// The name of the event's field or of the `create` arc.
    pub name: String,
    /// The type of the entities.
    pub entity: EntityIx,
    /// How many it stands for: one, at most one, or any number (a set).
    pub count: Cardinality,
    /// How the entities are given.
    pub by: BindBy,
    /// What a newer version has written here.
    pub unknown: Unknown,
}

/// How an event names an entity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BindBy {
    /// By handle.
    #[default]
    Handle,
    /// By a token, which demands this state.
    Token(StateIx),
    /// By key; it must exist.
    Key,
    /// By key; created in the initial state where absent.
    Ensure,
    /// It is created by the event.
    Created,
}

/// A path: what a name stands for, or what is reached from there over edges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path {
    /// Index into [`EventDef::names`].
    pub root: NameIx,
    /// The edges to follow, in order.
    pub hops: Vec<Hop>,
}

/// One step along an edge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Hop {
    /// The edge.
    pub edge: EdgeIx,
    /// From the declaring end to the inverse (`true`) or back.
    pub forward: bool,
}

/// What a transaction may say of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetaField {
    /// Who asked, an `Option<String>`.
    Actor,
    /// What larger matter it belongs to, an `Option<String>`.
    Correlation,
    /// The transaction that it follows from, an `Option<u64>`.
    Causation,
}

/// Where a value comes from when an arc writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Source {
    /// Field `n` of the event.
    Field(FieldIx),
    /// The time of the step.
    #[default]
    Time,
    /// Something else that the transaction says of itself.
    Meta(MetaField),
    /// A literal, as written; `index` is what to ask the event for (literals follow its fields).
    Literal {
        /// Its number among the values of the event.
        index: FieldIx,
        /// As written.
        text: String,
    },
    /// A field of an entity that the event binds, as it was before the arcs acted.
    Entity {
        /// Index into [`EventDef::names`], of a name that stands for one entity.
        name: NameIx,
        /// The column.
        column: ColumnIx,
    },
}

/// A value for a column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assign {
    /// The column.
    pub column: ColumnIx,
    /// The value.
    pub source: Source,
}

/// Of the entities that a path reaches, which an arc means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// All of them, and all must be in a source state (`each`, and a path to one entity).
    #[default]
    Each,
    /// Those that are in a source state.
    Those,
}

/// How a `when` reads the entities that its path reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Quantifier {
    /// All of them are (also where there are none).
    #[default]
    All,
    /// At least one is.
    Any,
    /// None is.
    None,
}

/// One thing that an event does or demands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arc {
    /// Creates an entity under a name.
    Create {
        /// Index into [`EventDef::names`].
        name: NameIx,
        /// The state it begins in.
        state: StateIx,
        /// Its fields and the data of that state.
        values: Vec<Assign>,
    },
    /// Moves entities from one of the `from` states to `to`.
    Move {
        /// Which of the entities.
        scope: Scope,
        /// The entities.
        path: Path,
        /// Source states.
        from: Vec<StateIx>,
        /// Target state.
        to: StateIx,
        /// The data of the target state.
        data: Vec<Assign>,
    },
    /// Links each of `path` with each of `with` by the edge that `hop` names, seen from `path`.
    Link {
        /// The near ends.
        path: Path,
        /// The edge, as seen from there.
        hop: Hop,
        /// The far ends.
        with: Path,
        /// The data of the links, where the edge has data.
        data: Option<Source>,
    },
    /// Removes the links between `path` and `with` that there are (a set difference).
    Unlink {
        /// The near ends.
        path: Path,
        /// The edge, as seen from there.
        hop: Hop,
        /// The far ends.
        with: Path,
    },
    /// As `Link`, but an end that can hold only one link gives up the one it has.
    Relink {
        /// The near ends.
        path: Path,
        /// The edge, as seen from there.
        hop: Hop,
        /// The far ends.
        with: Path,
        /// The data of the links, where the edge has data.
        data: Option<Source>,
    },
    /// Sets a field of each entity, or data of the state that each must be in.
    Set {
        /// The entities.
        path: Path,
        /// Column and value.
        value: Assign,
    },
    /// Sets the data of the links between `path` and `with`, all of which there must be.
    SetLink {
        /// The near ends.
        path: Path,
        /// The edge, as seen from there.
        hop: Hop,
        /// The far ends.
        with: Path,
        /// The value.
        data: Source,
    },
    /// Deletes entities, and with them what the policies of their ends say.
    Delete {
        /// The entities.
        path: Path,
    },
    /// A condition: how many of the entities are in one of the states.
    When {
        /// All, any or none.
        quantifier: Quantifier,
        /// The entities.
        path: Path,
        /// The states.
        states: Vec<StateIx>,
    },
    /// One of a newer version.
    Unknown(Raw),
}

/// One thing that the handler of an event may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum May {
    /// Create an entity.
    Create(EntityIx),
    /// Find an entity by key or create it.
    Ensure(EntityIx),
    /// Move an entity.
    Move {
        /// Of this type.
        entity: EntityIx,
        /// From here.
        from: StateIx,
        /// To there.
        to: StateIx,
    },
    /// Link by an edge.
    Link(EdgeIx),
    /// Unlink by an edge.
    Unlink(EdgeIx),
    /// Relink by an edge.
    Relink(EdgeIx),
    /// Set a field or state data.
    Set(ColumnIx),
    /// Set the data of links of an edge.
    SetLink(EdgeIx),
    /// Delete an entity.
    Delete(EntityIx),
    /// One of a newer version.
    Unknown(Raw),
}

/// An invariant: a predicate that holds of every entity of a type at the end of every transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InvariantDef {
    /// Its name.
    pub name: String,
    /// The entity type that it speaks of.
    pub entity: EntityIx,
    /// The edges over which it reads, as seen from that type.
    pub via: Vec<Hop>,
    /// The path of the predicate, as written.
    pub check: String,
    /// What a newer version has written here.
    pub unknown: Unknown,
}

impl EntityDef {
    /// The index of the state with that name.
    #[must_use]
    pub fn state(&self, name: &str) -> Option<StateIx> {
        StateIx::all(self.states.len()).find(|ix| self[*ix].name == name)
    }
}

impl EdgeDef {
    /// The end from which a hop starts.
    #[must_use]
    pub fn near(&self, forward: bool) -> &EndDef {
        if forward { &self.from } else { &self.to }
    }

    /// The end to which a hop leads.
    #[must_use]
    pub fn far(&self, forward: bool) -> &EndDef {
        self.near(!forward)
    }
}

macro_rules! lookup {
    ($($ix:ident, $of:ident.$list:ident => $def:ident;)*) => {$(
        /// # Panics
        /// For an index of another schema; see [`Schema::validate`].
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

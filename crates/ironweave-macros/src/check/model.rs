//! The model with every name resolved to its number: what `generate` writes out.
//!
//! Numbers are indexes into the vectors here, which are in the order of the schema.

use proc_macro2::{Ident, TokenStream};
use syn::{Attribute, Item, Type, Visibility};

use super::Taken;

pub use crate::parse::ast::{Json, LinkKind, MetaField, OnDelete, Quantifier, Whole};

/// A model.
pub struct Model {
    /// Errors were found: what is wrong with the model must not bring errors of rustc after it.
    pub broken: bool,
    /// Names that generated code leaves alone.
    pub taken: Taken,
    /// Attributes of the module.
    pub attrs: Vec<Attribute>,
    /// Its visibility.
    pub vis: Visibility,
    /// Its name.
    pub name: Ident,
    /// Entity types.
    pub entities: Vec<Entity>,
    /// Fields and state data.
    pub columns: Vec<Column>,
    /// Edges.
    pub edges: Vec<Edge>,
    /// Events.
    pub events: Vec<Event>,
    /// Invariants.
    pub invariants: Vec<Invariant>,
    /// Items that are passed through.
    pub others: Vec<Item>,
}

/// An entity type.
pub struct Entity {
    /// Attributes to keep.
    pub attrs: Vec<Attribute>,
    /// Its visibility.
    pub vis: Visibility,
    /// Its name.
    pub name: Ident,
    /// Its fields and edge ends, in order.
    pub fields: Vec<Field>,
    /// The columns of its key.
    pub key: Vec<usize>,
    /// Attributes of the states enum.
    pub states_attrs: Vec<Attribute>,
    /// The name of the states enum.
    pub states_name: Ident,
    /// Its states; never empty.
    pub states: Vec<State>,
    /// The state it is created in.
    pub initial: usize,
}

impl Entity {
    /// The state of that name.
    pub fn state(&self, name: &Ident) -> Option<usize> {
        self.states.iter().position(|state| state.name == *name)
    }
}

/// A field of an entity, as its accessors see it.
pub struct Field {
    /// Attributes to keep.
    pub attrs: Vec<Attribute>,
    /// The visibility of the accessor.
    pub vis: Visibility,
    /// Its name.
    pub name: Ident,
    /// A value or an end of an edge.
    pub kind: FieldKind,
    /// Its name is taken, which was reported: it has no methods.
    pub hidden: bool,
}

/// What a field is.
#[derive(Clone, Copy)]
pub enum FieldKind {
    /// A value, in this column.
    Column(usize),
    /// An end of an edge.
    End(FieldEnd),
    /// Neither could be told; it was reported.
    Broken,
}

/// The end of an edge that a field is.
#[derive(Clone, Copy)]
pub struct FieldEnd {
    /// The edge; `None` only where there were errors.
    pub edge: Option<usize>,
    /// Whether this is the declaring end.
    pub forward: bool,
    /// The entity at the other end.
    pub other: usize,
    /// How many there may be.
    pub cardinality: Cardinality,
}

/// How many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cardinality {
    /// Exactly one.
    One,
    /// At most one.
    Option,
    /// Any number.
    Many,
}

/// A state.
pub struct State {
    /// Attributes to keep.
    pub attrs: Vec<Attribute>,
    /// Its name.
    pub name: Ident,
    /// Whether it is `#[terminal]`.
    pub terminal: bool,
    /// Whether nothing need lead to it.
    pub allow_unreached: bool,
    /// Whether there was an error in where it can move to, so that more may be meant than is in `to`.
    pub unsure: bool,
    /// Where it can move to.
    pub to: Vec<Transition>,
    /// Columns of its data.
    pub data: Vec<usize>,
}

/// A move of a lifecycle.
pub struct Transition {
    /// The target.
    pub to: usize,
    /// The name of the method.
    pub verb: Ident,
    /// That name is taken, which was reported: there is no method.
    pub hidden: bool,
}

/// A field of an entity or a piece of state data.
pub struct Column {
    /// Attributes to keep on the accessor (state data only; fields have their own).
    pub attrs: Vec<Attribute>,
    /// Whose it is.
    pub entity: usize,
    /// The state whose data it is.
    pub state: Option<usize>,
    /// Its name.
    pub name: Ident,
    /// Its type.
    pub ty: Type,
    /// Whether it is the key or a part of it.
    pub key: bool,
    /// Whether it is indexed, and by order.
    pub index: Option<Index>,
    /// What it has where nothing is given.
    pub default: Option<Default>,
    /// State data whose name is taken, which was reported: it has no methods.
    pub hidden: bool,
}

/// How a column is indexed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Index {
    /// By equal values.
    Equal,
    /// By order.
    Ordered,
}

/// The value of a field where none is given.
pub enum Default {
    /// `None`, of an `Option`.
    None,
    /// That of the type's `Default`.
    OfType,
    /// An expression.
    Value(TokenStream),
}

/// An edge.
pub struct Edge {
    /// The declaring end.
    pub from: End,
    /// The inverse end.
    pub to: End,
    /// The type of the data of its links.
    pub data: Option<Type>,
    /// Whether it never leads back to where it began.
    pub acyclic: bool,
}

impl Edge {
    /// The end as seen from a field (`forward`: the declaring one).
    pub fn near(&self, forward: bool) -> &End {
        if forward { &self.from } else { &self.to }
    }
}

/// One end of an edge.
pub struct End {
    /// The entity type at this end.
    pub entity: usize,
    /// The name of the field there.
    pub name: Ident,
    /// How many.
    pub cardinality: Cardinality,
    /// At least so many.
    pub min: u32,
    /// At most so many.
    pub max: Option<u32>,
    /// What happens to the links when the entity here is deleted.
    pub on_delete: OnDelete,
    /// Whether those at the other end are counted by state.
    pub counted: bool,
}

/// An event.
pub struct Event {
    /// Attributes to keep.
    pub attrs: Vec<Attribute>,
    /// Its visibility.
    pub vis: Visibility,
    /// Its name.
    pub name: Ident,
    /// Whether it fires by itself.
    pub immediate: bool,
    /// Its attributes as written, for its documentation.
    pub written: Vec<String>,
    /// Whether it has a handler.
    pub has_may: bool,
    /// Its fields.
    pub fields: Vec<EventField>,
    /// What it binds: entity fields in order, then created names.
    pub names: Vec<Name>,
    /// What it does.
    pub arcs: Vec<Arc>,
    /// What its handler may do.
    pub mays: Vec<May>,
    /// Its guards.
    pub guards: Vec<syn::Path>,
    /// Literals, which follow the fields in the numbering of values.
    pub literals: Vec<Literal>,
    /// Which values must fit which columns.
    pub typed: Vec<Typed>,
}

/// A field of an event.
pub struct EventField {
    /// Attributes to keep.
    pub attrs: Vec<Attribute>,
    /// Its visibility.
    pub vis: Visibility,
    /// Its name.
    pub name: Ident,
    /// Its type as written.
    pub written: Type,
    /// Its type as compiled (states become `state::X`).
    pub ty: Type,
    /// Which of [`Event::names`] it binds, if it is an entity.
    pub binds: Option<usize>,
    /// How it is read and written as JSON.
    pub json: Json,
}

/// A name that stands for entities.
pub struct Name {
    /// The name.
    pub name: Ident,
    /// The type of the entities.
    pub entity: usize,
    /// How many.
    pub count: Cardinality,
    /// How they are given.
    pub by: By,
    /// The state in which they are known to be after the declared moves.
    pub after: Option<usize>,
}

/// How an event names an entity.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// By handle.
    Handle,
    /// By a token in this state.
    Token(usize),
    /// By key.
    Key,
    /// By key, created where absent.
    Ensure,
    /// Created by the event.
    Created,
}

/// A literal in an arc.
pub struct Literal {
    /// The type of what it is written to.
    pub ty: Type,
    /// As written.
    pub tokens: TokenStream,
    /// How it becomes a value of the type.
    pub kind: LiteralKind,
}

/// How a literal becomes a value of a type.
pub enum LiteralKind {
    /// As it is, or by `From`.
    Plain,
    /// It is `None`.
    None,
    /// By `Some`, around this one.
    Some(TokenStream),
}

/// A value and the type that it must fit.
pub struct Typed {
    /// The type of what it is written to.
    pub ty: Type,
    /// Where it comes from.
    pub from: TypedFrom,
    /// The name in the arc, at which a misfit is reported.
    pub at: Ident,
}

/// Where a value of a type comes from.
pub enum TypedFrom {
    /// A field of the event.
    Field(usize),
    /// `meta.time`.
    Time,
    /// `meta.actor` and its kin.
    Meta(MetaField),
    /// A column of an entity.
    Column(usize),
}

/// Entities reached from a name.
#[derive(Clone, PartialEq, Eq)]
pub struct Path {
    /// Index into [`Event::names`].
    pub root: usize,
    /// Edges and directions.
    pub hops: Vec<Hop>,
}

/// A step along an edge.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hop {
    /// The edge.
    pub edge: usize,
    /// From the declaring end to the inverse.
    pub forward: bool,
}

/// A value of an arc.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A field of the event.
    Field(usize),
    /// `meta.time`.
    Time,
    /// `meta.actor` and its kin.
    Meta(MetaField),
    /// Index into [`Event::literals`].
    Literal(usize),
    /// A column of the entity that a name stands for.
    Entity(usize, usize),
}

/// A column and its value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Assign {
    /// The column.
    pub column: usize,
    /// The value.
    pub source: Source,
}

/// One thing that an event does.
pub enum Arc {
    /// Creates an entity.
    Create {
        /// Index into [`Event::names`].
        name: usize,
        /// The state.
        state: usize,
        /// Fields and state data.
        values: Vec<Assign>,
    },
    /// Moves entities.
    Move {
        /// Whether those in other states stay where they are (`those`) instead of rejecting.
        those: bool,
        /// The entities.
        path: Path,
        /// Source states.
        from: Vec<usize>,
        /// Target state.
        to: usize,
        /// Its data.
        data: Vec<Assign>,
    },
    /// Changes links.
    Link {
        /// How.
        kind: LinkKind,
        /// The near ends.
        path: Path,
        /// The edge as seen from there.
        hop: Hop,
        /// The far ends.
        with: Path,
        /// The data of the links.
        data: Option<Source>,
    },
    /// Sets the data of links.
    SetLink {
        /// The near ends.
        path: Path,
        /// The edge as seen from there.
        hop: Hop,
        /// The far ends.
        with: Path,
        /// The value.
        data: Source,
    },
    /// Deletes entities.
    Delete {
        /// The entities.
        path: Path,
    },
    /// Sets a field or state data.
    Set {
        /// The entities.
        path: Path,
        /// What to write.
        value: Assign,
    },
    /// A condition.
    When {
        /// All, any or none.
        quantifier: Quantifier,
        /// The entities.
        path: Path,
        /// The states.
        states: Vec<usize>,
    },
}

/// One thing that a handler may do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum May {
    /// Move an entity.
    Move {
        /// The type.
        entity: usize,
        /// From here.
        from: usize,
        /// To there.
        to: usize,
    },
    /// Change links of an edge.
    Link(LinkKind, usize),
    /// Set a field or state data.
    Set(usize),
    /// Set the data of links of an edge.
    SetLink(usize),
    /// Create, ensure or delete an entity.
    Whole(Whole, usize),
}

/// An invariant.
pub struct Invariant {
    /// Attributes to keep.
    pub attrs: Vec<Attribute>,
    /// Its visibility.
    pub vis: Visibility,
    /// Its name.
    pub name: Ident,
    /// The entity type.
    pub entity: usize,
    /// The edges over which it reads.
    pub via: Vec<Hop>,
    /// The function.
    pub check: syn::Path,
}

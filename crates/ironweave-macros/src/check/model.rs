//! A checked model: its schema, and a side table with the spans, attributes, visibility and Rust types of each item, by
//! the same indexes. `generate` turns it into code.

use std::ops::Deref;

use ironweave_schema::{
    Cardinality, ColumnIx, EdgeIx, EntityIx, EventIx, FieldIx, NameIx, Schema, StateIx,
};
use proc_macro2::{Ident, Span, TokenStream};
use syn::{Attribute, Item, Type, Visibility};

use super::Taken;
use super::table::Table;
pub use crate::parse::ast::{FieldDefault, Json, LinkKind, MetaField, Upcast, Whole};

/// A model.
pub struct Model {
    /// Its schema, with the side tables of entities, columns and edges.
    pub resolved: Resolved,
    /// Whether errors were reported, which must not cause further errors of rustc.
    pub broken: bool,
    /// Names that generated code must not use.
    pub taken: Taken,
    /// Attributes of the module.
    pub attrs: Vec<Attribute>,
    /// Its visibility.
    pub vis: Visibility,
    /// Its name.
    pub name: Ident,
    /// Events.
    pub events: Table<EventIx, Event>,
    /// Invariants, in the order of the schema.
    pub invariants: Vec<Invariant>,
    /// Items that are passed through.
    pub others: Vec<Item>,
}

impl Deref for Model {
    type Target = Resolved;

    fn deref(&self) -> &Resolved {
        &self.resolved
    }
}

/// The part of the model that is resolved first: entities with their columns and edges, which events refer to.
#[derive(std::default::Default)]
pub struct Resolved {
    /// The schema.
    pub schema: Schema,
    /// Entity types.
    pub entities: Table<EntityIx, Entity>,
    /// Fields and state data.
    pub columns: Table<ColumnIx, Column>,
    /// Edges.
    pub edges: Table<EdgeIx, Edge>,
    /// Indexes on entities, in the order of the schema.
    pub indexes: Vec<EntityIndex>,
}

/// An index on an entity.
pub struct EntityIndex {
    /// Its name, without `by_`.
    pub name: Ident,
    /// What it was written as, in the schema.
    pub text: String,
    /// Where it was written.
    pub at: proc_macro2::Span,
    /// Whether its name is taken, which was reported, so that it has no method.
    pub hidden: bool,
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
    pub key: Vec<ColumnIx>,
    /// Attributes of the states enum.
    pub states_attrs: Vec<Attribute>,
    /// The name of the states enum.
    pub states_name: Ident,
    /// Its states; never empty.
    pub states: Table<StateIx, State>,
}

impl Entity {
    /// The state of that name.
    pub fn state(&self, name: &Ident) -> Option<StateIx> {
        self.states.position(|state| state.name == *name)
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
    /// Whether its name is taken, which was reported, so that it has no methods.
    pub hidden: bool,
}

/// The kind of a field.
#[derive(Clone, Copy)]
pub enum FieldKind {
    /// A value, in this column.
    Column(ColumnIx),
    /// An end of an edge.
    End(FieldEnd),
    /// The field has an error, which was reported.
    Broken,
}

/// The end of an edge that a field is.
#[derive(Clone, Copy)]
pub struct FieldEnd {
    /// The edge; `None` only after errors.
    pub edge: Option<EdgeIx>,
    /// Whether this is the declaring end.
    pub forward: bool,
    /// The entity at the other end.
    pub other: EntityIx,
    /// Its cardinality.
    pub cardinality: Cardinality,
}

/// A state.
pub struct State {
    /// Attributes to keep.
    pub attrs: Vec<Attribute>,
    /// Its name.
    pub name: Ident,
    /// Whether it may be unreachable.
    pub allow_unreached: bool,
    /// Whether its moves had an error, so that the schema may lack some of them.
    pub unsure: bool,
    /// The methods of its moves, in the order of the schema.
    pub verbs: Vec<Verb>,
    /// Columns of its data.
    pub data: Vec<ColumnIx>,
}

/// The method of a move of a lifecycle.
pub struct Verb {
    /// Its name.
    pub name: Ident,
    /// Whether that name is taken, which was reported, so that there is no method.
    pub hidden: bool,
}

/// A field of an entity or a piece of state data.
pub struct Column {
    /// Attributes to keep on the accessor (state data only; fields have their own).
    pub attrs: Vec<Attribute>,
    /// Its name.
    pub name: Ident,
    /// Its type.
    pub ty: Type,
    /// Its default.
    pub default: Option<Default>,
    /// Whether it is state data whose name is taken, which was reported, so that it has no methods.
    pub hidden: bool,
}

/// The default of a field, of data of a state, or of the data of links.
#[derive(Clone)]
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
    /// The name of the declaring end.
    pub from: Ident,
    /// The name of the inverse end.
    pub to: Ident,
    /// The type of the data of its links.
    pub data: Option<Type>,
    /// The data of links that were made before the edge had data.
    pub default: Option<Default>,
}

impl Edge {
    /// The name of an end (`forward`: the declaring one).
    pub fn near(&self, forward: bool) -> &Ident {
        if forward { &self.from } else { &self.to }
    }
}

/// An event.
pub struct Event {
    /// Attributes to keep.
    pub attrs: Vec<Attribute>,
    /// Its visibility.
    pub vis: Visibility,
    /// Its name.
    pub name: Ident,
    /// Its attributes as written, for its documentation.
    pub written: Vec<String>,
    /// Whether it has a handler.
    pub has_may: bool,
    /// Its fields.
    pub fields: Table<FieldIx, EventField>,
    /// The names that it binds: entity fields in order, then created entities.
    pub names: Table<NameIx, Name>,
    /// Its guards.
    pub guards: Vec<syn::Path>,
    /// How logged events are read as it.
    pub upcasts: Vec<Upcast>,
    /// Literals, which follow the fields in the numbering of values.
    pub literals: Vec<Literal>,
    /// Values whose types must match those of their columns.
    pub typed: Vec<Typed>,
    /// The functions that compare and calculate its values, by number.
    pub functions: Vec<ValueFunction>,
    /// The field that has the time at which it is due, as written in `#[due(..)]`.
    pub due: Option<Ident>,
}

/// A function that a function of the runtime makes from types.
pub struct ValueFunction {
    /// The name of the function of the runtime.
    pub make: &'static str,
    /// The types of the values, as written.
    pub types: Vec<Type>,
    /// The operator, at which rustc reports types that do not fit.
    pub at: Span,
}

/// A field of an event.
pub struct EventField {
    /// Attributes to keep.
    pub attrs: Vec<Attribute>,
    /// Its visibility.
    pub vis: Visibility,
    /// Its name.
    pub name: Ident,
    /// Its type as compiled (states become `state::X`).
    pub ty: Type,
    /// Which of [`Event::names`] it binds, if it is an entity.
    pub binds: Option<NameIx>,
    /// Its form in JSON.
    pub json: Json,
}

/// A name of an event that is bound to entities.
pub struct Name {
    /// The name.
    pub name: Ident,
    /// The state in which they are known to be after the declared moves.
    pub after: Option<StateIx>,
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
    /// The name in the arc, at which a mismatch is reported.
    pub at: Ident,
}

/// Where a value of a type comes from.
pub enum TypedFrom {
    /// A field of the event.
    Field(FieldIx),
    /// `meta.time`.
    Time,
    /// `meta.actor`, `meta.correlation`, `meta.causation`.
    Meta(MetaField),
    /// A column of an entity.
    Column(ColumnIx),
}

/// An invariant.
pub struct Invariant {
    /// Attributes to keep.
    pub attrs: Vec<Attribute>,
    /// Its visibility.
    pub vis: Visibility,
    /// Its name.
    pub name: Ident,
    /// The function.
    pub check: syn::Path,
}

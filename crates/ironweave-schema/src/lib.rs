//! The schema of an ironweave model as plain data.
//!
//! The macro of `ironweave` embeds a [`Schema`] in the program. The runtime interprets it and stores it in each log, from
//! which tools read it. A schema contains no Rust types: a column, the data of a link or a field of an event has its type
//! as written in the model and, once a store has been opened, its [`Encoding`].
//!
//! | to | use |
//! |---|---|
//! | look up an item | `schema[ix]`, with an [`EntityIx`], [`ColumnIx`], [`EdgeIx`], [`EventIx`] or [`InvariantIx`] |
//! | read and write a schema as in a log | [`Schema::from_cbor`], [`Schema::to_cbor`] |
//! | read and write a schema as JSON | [`Schema::from_json`], [`Schema::to_json`] |
//! | list the differences of two schemas | [`Schema::diff`] |
//! | decide whether a log can be read after a change | [`Schema::compatibility`] |
//! | see how values are read after a change | [`Readings`] |
//! | check that all indexes are valid | [`Schema::validate`] |
//! | find the names that an unknown one may mean | [`similar_names`] |
//! | list the items that a newer version has added | [`Schema::unknown_items`] |
#![doc = "\n"]
#![doc = include_str!("../README.md")]

// Names of public types, and of variants, are not ones that models use for entities, such as `Order`: rustc prints the path of a
// type if another type that it knows of has the same name.
mod arcs;
mod cbor;
mod compare;
mod compatibility;
#[doc(hidden)]
pub mod compiled;
mod defs;
mod describe;
mod diff;
mod differ;
mod differ_rules;
mod due;
mod encoding;
mod form;
mod ix;
mod json;
mod judge;
mod names;
mod reading;
mod rename;
mod render;
#[cfg(test)]
mod tests;
mod unknown;
mod valid;

pub use arcs::{
    Arc, Arithmetic, Assign, ChooseFrom, ChooseWhere, Comparison, Hop, May, MetaField, Path,
    Quantifier, Scope, SortBy, Source, Take,
};
pub use compatibility::{Check, Compatibility, Difference, Refused, Usage, Verdict};
pub use defs::{
    BindBy, Cardinality, ColumnDef, DueDef, EdgeDef, EndDef, EntityDef, EventDef, EventFieldDef,
    IndexDef, IndexKind, IndexPart, InvariantDef, NameDef, OnDelete, Schema, StateDef,
    TransitionDef,
};
pub use diff::{Change, Flag, Item, Property};
pub use encoding::Encoding;
pub use form::ReadError;
pub use ix::{
    ColumnIx, EdgeIx, EntityIx, EventIx, FieldIx, FunctionIx, InvariantIx, NameIx, StateIx, TooMany,
};
pub use names::similar_names;
pub use reading::{EventReading, Reading, Readings};
pub use unknown::{Raw, Unknown, UnknownItem};
pub use valid::{Invalid, MANY_MAX, STATES_MAX};

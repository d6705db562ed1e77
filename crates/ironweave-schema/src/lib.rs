//! The schema of an ironweave model as plain data.
//!
//! The macro of `ironweave` writes a [`Schema`] into the program, the runtime executes it and keeps it in each log, and
//! tools read it from there. It knows no Rust types: what has a type (columns, links with data, fields of events) is
//! described by the type as written and, where a store has been opened, by its [`Encoding`].
//!
//! | to | use |
//! |---|---|
//! | look something up | `schema[ix]`, with an [`EntityIx`], [`ColumnIx`], [`EdgeIx`], [`EventIx`] or [`InvariantIx`] |
//! | read and write it as in a log | [`Schema::from_cbor`], [`Schema::to_cbor`] |
//! | read and write it as JSON | [`Schema::from_json`], [`Schema::to_json`] |
//! | see what sets two schemas apart | [`Schema::diff`] |
//! | find out whether its indexes name something | [`Schema::validate`] |
//! | see what a newer version has added to it | [`Schema::unknown_items`] |
#![doc = "\n"]
#![doc = include_str!("../README.md")]

mod cbor;
mod compare;
mod defs;
mod describe;
mod diff;
mod differ;
mod encoding;
mod form;
mod ix;
mod json;
mod render;
#[cfg(test)]
mod tests;
mod unknown;
mod valid;

pub use defs::{
    Arc, Assign, BindBy, Cardinality, ColumnDef, EdgeDef, EndDef, EntityDef, EventDef,
    EventFieldDef, Hop, IndexKind, InvariantDef, May, MetaField, NameDef, OnDelete, Path,
    Quantifier, Schema, Scope, Source, StateDef, TransitionDef,
};
pub use diff::{Change, Flag, Item, Property};
pub use encoding::Encoding;
pub use form::ReadError;
pub use ix::{ColumnIx, EdgeIx, EntityIx, EventIx, FieldIx, InvariantIx, NameIx, StateIx, TooMany};
pub use unknown::{Raw, Unknown, UnknownItem};
pub use valid::{Invalid, MANY_MAX, STATES_MAX};

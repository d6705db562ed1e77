//! The items that generated code refers to. They are public because that code is part of the user's crate, but they are not
//! part of the API: they may change with any version, together with the macro. This module only reexports items of other
//! layers, and defines the declarative macros that generated code calls.

mod any_event;
mod handle;

pub use crate::db::Reader;
pub use crate::db::access::{
    alive, by, by_range, count, counted, field, hop, in_place, in_state, is, link_data, linked,
    many, one, only_link_data, option, state_of,
};
pub use crate::db::by_index::by_index;
pub use crate::db::handle::{
    hash, no_such_state, order, parse_handle, read_handle, same, show, write_handle,
};
pub use crate::db::lists::{Indexed, Links, Places};
pub use crate::db::query::path::{edge_path, field_path};
pub use crate::graph::GraphRef;
pub use crate::graph::column::ColumnType;
pub use crate::graph::due::due_at;
pub use crate::graph::index::composite::IndexType;
pub use crate::schema::{ColumnIx, EntityIx, EventIx, StateIx};
pub use crate::step::any_event::{
    EventMaker, EventVisitor, copy_event, read_event, show_event, write_event,
};
pub use crate::step::bind::{Binder, Ref, resolve_handle};
pub use crate::step::bindings::{BoundNames, CompiledNames};
pub use crate::step::compile::{compiled_events, indexed_choices};
pub use crate::step::event::{DynEvent, EventType, handle as run_handler};
pub use crate::step::field_codec::{FieldReader, FieldWriter};
pub use crate::step::fields::{Field, Fields, Missing, One, Opt, Set, Val};
pub use crate::step::functions::{Guard, Holds, ask, hold};
pub use crate::step::guarded::GuardContext;
pub use crate::step::model::{Binding, schema};
pub use crate::step::plan::Check;
pub use crate::step::review::assert_compatible;
#[cfg(feature = "net")]
pub use crate::step::sound::assert_model_is_sound;
pub use crate::step::tx::{
    NewLink, Workspace, create, delete, link, link_with, relink, relink_with, set, set_link,
    transition, unlink,
};
pub use crate::value::calculate::{
    ValueFunction, Whole, compare, difference, equal, no_such_function, no_such_value, number,
    sorted, sum,
};
pub use crate::value::{DecodeError, EncodeError, Equal, Equality, Unequal, Value, is_faithful};
pub use crate::{__any_event as any_event, __handle as handle};

/// Draws the pictures in the documentation of a model.
pub use ironweave_macros::draw;
pub use serde;

//! A model as a Rust type, and its schema bound to code.

use crate::graph::column::ColumnType;
use crate::schema::Schema;
use crate::step::any_event::AnyEvent;
use crate::step::event::EventType;
use crate::step::plan::Check;
use crate::value;

/// A model, declared by `#[ironweave::model]`.
pub trait Model: Sized + 'static {
    /// The name of its module.
    const NAME: &'static str;
    /// The events that a program can fire, as one type.
    type Event: AnyEvent<Model = Self>;

    /// The schema, bound to code.
    #[doc(hidden)]
    fn binding() -> Binding;
}

/// A model's schema, bound to code: one entry for each column, event and invariant of the schema, in order.
pub struct Binding {
    /// The schema.
    pub schema: Schema,
    /// The types of the columns.
    pub columns: Vec<ColumnType>,
    /// The types of the data of the edges; one entry for each edge.
    pub data: Vec<Option<ColumnType>>,
    /// The types of the events.
    pub events: Vec<EventType>,
    /// The functions of the invariants.
    pub invariants: Vec<Check>,
}

/// Decodes the schema that the macro generated.
#[must_use]
pub fn schema(bytes: &[u8]) -> Schema {
    let schema: Schema = match value::decode(bytes) {
        Ok(schema) => schema,
        Err(e) => unreachable!("the macro writes what this version of ironweave reads: {e}"),
    };
    // A name that only the macro knows would be skipped.
    debug_assert!({
        let mut again = Vec::new();
        value::encode(&schema, &mut again).is_ok() && again == bytes
    });
    schema
}

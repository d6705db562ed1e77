//! A model as a Rust type, and its schema bound to code.

#[cfg(feature = "net")]
use ironweave_net::Net;

use crate::graph::column::ColumnType;
use crate::graph::index::composite::IndexType;
use crate::schema::{Encoding, Schema};
use crate::step::any_event::AnyEvent;
use crate::step::event::EventType;
use crate::step::plan::Check;
use crate::value::encoding;

/// A model, declared by `#[ironweave::model]`. The macro implements it.
pub trait Model: Sized + 'static {
    /// The name of the module that declares the model.
    const NAME: &'static str;
    /// The type of all events that a program can fire.
    type Event: AnyEvent<Model = Self>;

    /// Whether the schema is read from the log instead of from the [binding](Model::binding).
    #[doc(hidden)]
    const IS_DYNAMIC: bool = false;

    /// The schema, bound to code.
    #[doc(hidden)]
    fn binding() -> Binding;

    /// Returns the net of the model: places, transitions and arcs as plain data. It needs the feature `net`. O(size of the model).
    ///
    /// For [`Dynamic`](crate::dynamic::Dynamic) it is empty; use [`Net::of`] with the schema of the store.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
    /// use ironweave::prelude::*;
    ///
    /// let net = lamps::Model::net();
    /// let lit = net.transitions.iter().find(|event| event.name == "Lit").unwrap();
    /// let arcs: Vec<String> = lit.arcs.iter().map(|arc| net.action_text(&arc.action)).collect();
    /// assert_eq!(arcs, ["ensure Lamp::Off", "Off -> On"]);
    /// ```
    #[cfg(feature = "net")]
    #[must_use]
    fn net() -> Net {
        let schema = Self::binding().schema;
        match Net::of(&schema) {
            Ok(net) => net,
            Err(e) => unreachable!("the macro refuses an invalid model: {e}"),
        }
    }
}

/// A model's schema, bound to code: one entry for each column, event and invariant of the schema, in order.
pub struct Binding {
    /// The schema.
    pub schema: Schema,
    /// The types of the columns.
    pub columns: Vec<ColumnType>,
    /// The types of the data of the edges; one entry for each edge.
    pub data: Vec<Option<ColumnType>>,
    /// The types of the indexes of several parts. None of a model whose columns have no types.
    pub indexes: Vec<IndexType>,
    /// The types of the events.
    pub events: Vec<EventType>,
    /// The functions of the invariants.
    pub invariants: Vec<Check>,
}

impl Binding {
    /// Adds the encodings of the values of columns, links and events to the schema. They follow from the types, which the
    /// macro cannot resolve.
    pub(crate) fn add_encodings(&mut self) {
        let schema = &mut self.schema;
        for (def, ty) in schema.columns.iter_mut().zip(&self.columns) {
            def.encoding = Some(encoding(ty.type_id));
        }
        for (def, ty) in schema.edges.iter_mut().zip(&self.data) {
            def.encoding = ty.as_ref().map(|ty| encoding(ty.type_id));
        }
        for (def, ty) in schema.events.iter_mut().zip(&self.events) {
            if def.immediate {
                let names = def.names.iter().map(|name| Encoding::Id(name.entity));
                for (field, encoding) in def.fields.iter_mut().zip(names) {
                    field.encoding = Some(encoding);
                }
            }
            for (field, encoding) in def.fields.iter_mut().zip((ty.encodings)()) {
                field.encoding = Some(encoding);
            }
        }
    }
}

/// Decodes the schema that the macro generated.
#[must_use]
pub fn schema(bytes: &[u8]) -> Schema {
    #[cfg(test)]
    MADE.set(MADE.get() + 1);
    match Schema::from_cbor(bytes) {
        Ok(schema) => schema,
        Err(e) => unreachable!("the macro writes what this version of ironweave reads: {e}"),
    }
}

#[cfg(test)]
thread_local! {
    /// How many times this thread has made the schema of a model.
    pub(crate) static MADE: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

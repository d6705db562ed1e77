//! The schema: a model as plain data, from the crate `ironweave-schema`.
//!
//! The macro generates the schema of a model, and [`Store::schema`](crate::Store::schema) returns it. The runtime executes the
//! arcs of the schema, and each log contains it. A schema refers to entities, columns and events by name and number, and has
//! no Rust types.

pub use ironweave_schema::*;

//! A log is opened without the types of its model, and a graph is read by the names in its schema.
#![allow(missing_docs)]

#[path = "../harness/mod.rs"]
mod harness;

#[path = "../logs/models.rs"]
mod logged;

/// Writes logs with any frames.
#[allow(dead_code)]
#[path = "../crafted/forge.rs"]
mod forge;

/// What it writes values with.
#[allow(dead_code)]
#[path = "../crafted/cbor.rs"]
mod cbor;

mod epochs;

mod a_graph_is_read_by_name;
mod a_log_is_the_same_without_the_types_of_its_model;
mod a_store_without_types_writes_nothing;
mod an_event_is_tried_by_the_schema_alone;
mod epochs_of_other_shapes_are_replayed;
#[cfg(feature = "sqlite")]
mod its_tables_are_those_of_the_model;

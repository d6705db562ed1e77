//! The schema: a model as plain data, from the crate `ironweave-schema`.
//!
//! The macro writes it down once; the executor, the log, the pictures and the checks read this and nothing else. It knows
//! no Rust types: what has a type (columns, events) is named here and bound to code in
//! [`Binding`](crate::plumbing::Binding).

pub use ironweave_schema::*;

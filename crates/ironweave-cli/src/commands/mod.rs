//! The commands, each in a file with its arguments.

pub mod backup;
mod filter;
mod records;
pub mod restore;
pub mod schema;
mod schema_text;
pub mod show;
pub mod stat;
pub mod tail;

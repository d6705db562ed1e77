//! The commands, each in a file with its arguments.

pub mod archive;
pub mod backup;
pub mod checkpoint;
pub mod diff;
pub mod draw;
pub mod edges;
#[cfg(feature = "explore")]
pub mod explore;
pub mod export;
mod filter;
pub mod get;
pub mod history;
pub mod import;
pub mod lint;
pub mod list;
pub mod net;
mod net_structure;
pub mod pnml;
mod records;
pub mod restore;
pub mod schema;
mod schema_text;
pub mod show;
#[cfg(feature = "sqlite")]
pub mod sql;
pub mod stat;
pub mod tail;
pub mod verify;

//! Projections: tables that are derived from the transactions of a store and can be rebuilt from them at any time.

mod error;
mod folded;
#[cfg(feature = "sqlite")]
pub mod sqlite;
mod store;

pub use error::{FoldError, ProjectError};
pub use folded::{Fold, Projection};

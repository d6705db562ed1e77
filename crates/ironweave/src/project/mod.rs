//! Projections: tables that are derived from the transactions of a store, and can be made anew from them at any time.

mod folded;
#[cfg(feature = "sqlite")]
pub mod sqlite;

pub use folded::{Fold, FoldError, Projection};

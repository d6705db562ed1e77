//! Projections: tables that are derived from the transactions of a store and can be rebuilt from them at any time.

mod error;
mod folded;
#[cfg(feature = "sqlite")]
pub mod sqlite;
mod store;

pub use error::{FoldError, ProjectError};
pub use folded::{Fold, Projection};

use crate::base::error::ReadError;
use crate::base::position::Position;
use crate::step::model::Model;
use crate::store::Store;

/// The log that the last transaction in a table belongs to.
enum Origin {
    /// The log of the store.
    ThisLog,
    /// The log of the store, which is open for reading only and has not applied the transaction yet.
    NotRefreshed,
    /// A log that was replaced, or the log of another store. The error is that of [`Store::locate`].
    OtherHistory(ReadError),
}

impl Origin {
    /// Returns the origin of a table whose last transaction has a position.
    fn of<M: Model>(store: &Store<M>, at: Position) -> Result<Self, ReadError> {
        match store.locate(at) {
            Ok(_) => Ok(Self::ThisLog),
            Err(e) if e.is_ahead() && store.refreshed_has(at)? => Ok(Self::NotRefreshed),
            Err(e) if e.is_ahead() || e.is_other_history() || e.is_before_beginning() => {
                Ok(Self::OtherHistory(e))
            }
            Err(e) => Err(e),
        }
    }
}

//! Ends a thread that reads or writes files of a log before it is done, when its store is closed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::StorageError;
use crate::base::storage_error::StorageFailure;

/// A flag that is set once. What reads frames, and reads or writes a checkpoint, checks it between two frames or chunks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cancel(Arc<AtomicBool>);

impl Cancel {
    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Returns an error once the flag is set.
    pub(crate) fn check(&self) -> Result<(), StorageError> {
        if self.0.load(Ordering::Relaxed) {
            return Err(StorageError::new(
                StorageFailure::Closed,
                "the store was closed before the checkpoint was complete",
            ));
        }
        Ok(())
    }
}

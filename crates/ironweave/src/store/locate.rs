//! Looking up frames by sequence number or position, and the ids of stores.

use std::sync::Arc;

use crate::base::error::ReadError;
use crate::base::meta::Meta;
use crate::base::position::{FrameRef, Position};
use crate::base::storage_error::StorageError;
use crate::log::ReadLog as _;
use crate::step::event::{Event, Receipt};
use crate::step::model::Model;
use crate::store::{AnyReceipt, Backend, Store};

/// Checks that the log has the frames that the metadata refers to.
pub(super) fn admit_meta<M: Model>(store: &Store<M>, meta: &mut Meta) -> Result<(), ReadError> {
    for (frame, since) in meta.take_frames() {
        match frame {
            // The causation may be before the snapshot that the store began at.
            FrameRef::Seq(_) if !since => frame.check_end(0, store.seq())?,
            _ => store.view()?.admit(frame).map(|_| ())?,
        }
    }
    Ok(())
}

impl<M: Model> Store<M> {
    /// Returns a number that this store shares with the stores that begin at its snapshots, and with no others.
    pub(crate) fn lineage(&self) -> u64 {
        match (&self.base, self.log.log()) {
            (Some(base), _) => base.lineage,
            (None, Some(log)) => log.store(),
            // The snapshots of the store share the plan, so while one exists, no other store has its address.
            (None, None) => Arc::as_ptr(&self.plan) as usize as u64,
        }
    }

    /// Returns whether the log of a store that is open for reading only has a frame with this position, which the store may not
    /// have applied yet.
    pub(crate) fn refreshed_has(&self, at: Position) -> Result<bool, StorageError> {
        let Backend::ReadOnly(log) = &self.log else {
            return Ok(false);
        };
        let mut log = log.clone();
        log.refresh()?;
        Ok(log.position_of(at.seq())? == Some(at))
    }
}

impl<E: Event> Receipt<E> {
    /// Returns the position of the transaction. `store` must be the store that returned the receipt. O(1) for recent
    /// transactions. For others, the frame is read.
    ///
    /// # Errors
    /// As [`Store::locate`].
    pub fn position(&self, store: &Store<E::Model>) -> Result<Position, ReadError> {
        store.locate(self.seq)
    }
}

impl AnyReceipt {
    /// Returns the position of the transaction, as [`Receipt::position`].
    ///
    /// # Errors
    /// As [`Receipt::position`].
    pub fn position<M: Model>(&self, store: &Store<M>) -> Result<Position, ReadError> {
        store.locate(self.seq)
    }
}

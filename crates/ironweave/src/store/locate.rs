//! Looking up frames by sequence number or position, and the ids of stores.

use std::sync::Arc;

use crate::base::error::ReadError;
use crate::base::meta::Meta;
use crate::base::position::{FrameRef, Position, Seq};
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

    /// Returns whether a position has the id of this store.
    pub(crate) fn is_of(&self, position: Position) -> bool {
        self.id().is_ok_and(|id| id == position.store())
    }

    /// Returns the id of the store.
    pub(crate) fn id(&self) -> Result<u64, ReadError> {
        let log = self.log.log().ok_or(ReadError::Unlogged)?;
        Ok(log.store())
    }

    /// Returns the position of a frame, or `None` if the log does not have it.
    pub(crate) fn position_of(&self, seq: Seq) -> Result<Option<Position>, StorageError> {
        match self.log.log() {
            Some(log) => log.position_of(seq),
            None => Ok(None),
        }
    }
}

impl<E: Event> Receipt<E> {
    /// Returns the position of the transaction of the receipt. `store` must be the store that returned the receipt. A receipt is
    /// created before its transaction is written, so it does not contain the position.
    /// [`Transaction::commit`](crate::Transaction::commit) also returns it.
    ///
    /// Do not call this for a transaction that was rolled back: its receipt has the sequence number of the transaction that is
    /// committed next.
    ///
    /// # Errors
    /// `is_ahead` if the transaction is not committed; the errors of [`Store::locate`].
    pub fn position(&self, store: &Store<E::Model>) -> Result<Position, ReadError> {
        store.locate(self.seq)
    }
}

impl AnyReceipt {
    /// As [`Receipt::position`].
    ///
    /// # Errors
    /// As [`Receipt::position`].
    pub fn position<M: Model>(&self, store: &Store<M>) -> Result<Position, ReadError> {
        store.locate(self.seq)
    }
}

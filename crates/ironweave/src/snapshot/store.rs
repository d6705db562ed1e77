//! Snapshots of a store: what this layer adds to [`Store`] and [`SharedStore`].

use std::sync::Arc;

use crate::base::storage_error::StorageError;
use crate::snapshot::replica::Slot;
use crate::snapshot::{Snapshot, StoreReader};
use crate::step::model::Model;
use crate::store::{SharedStore, Store};

impl<M: Model> Store<M> {
    /// The graph as it is now, as an immutable value; see [`Snapshot`]. The first one is O(size of the graph), a
    /// later one O(facts since the last).
    ///
    /// # Panics
    /// If the store was stopped because user code panicked in the middle of a change (a `Hash`, `Ord` or `Drop` of a
    /// value), and this is the first snapshot: open the store again.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot<M> {
        Snapshot::of(Slot::of(self).newest())
    }

    /// A handle with which other threads read and follow the store. While there is one, each commit queues its facts; see
    /// [`StoreReader`].
    ///
    /// # Panics
    /// As [`Store::snapshot`].
    #[must_use]
    pub fn reader(&self) -> StoreReader<M> {
        StoreReader::new(self)
    }
}

impl<M: Model> SharedStore<M> {
    /// As [`Store::snapshot`]. The first call holds the store while it copies the graph; later ones only take a handle
    /// from it. Returns when everything in the snapshot is durable, in the sense of the store's
    /// [`Durability`](crate::Durability).
    ///
    /// # Errors
    /// `is_stopped` if a failed sync may have lost what the snapshot shows: open the store again.
    ///
    /// # Panics
    /// As [`Store::snapshot`].
    pub fn snapshot(&self) -> Result<Snapshot<M>, StorageError> {
        let replica = self.read(|store| Arc::clone(Slot::of(store)))?;
        Ok(Snapshot::of(replica.newest_acknowledged()))
    }

    /// As [`Store::reader`].
    ///
    /// # Panics
    /// As [`Store::snapshot`].
    #[must_use]
    pub fn reader(&self) -> StoreReader<M> {
        self.exclusive(|store| store.reader())
    }
}

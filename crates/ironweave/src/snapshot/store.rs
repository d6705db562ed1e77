//! The methods of [`Store`] and [`SharedStore`] that return snapshots and readers.

use std::sync::Arc;

use crate::base::storage_error::StorageError;
use crate::snapshot::replica::SnapshotFollower;
use crate::snapshot::{Snapshot, StoreReader};
use crate::step::model::Model;
use crate::store::{SharedStore, Store};

impl<M: Model> Store<M> {
    /// Returns the current graph as an immutable value; see [`Snapshot`]. The first call copies the graph, in O(size of the
    /// graph). Later calls take O(facts since the last snapshot).
    ///
    /// The copy stays until more facts than the graph has entities (and more than about 130,000) were committed since the last
    /// snapshot, unless there is a [reader](Store::reader). Until then, each commit queues its facts for it.
    /// [`StoreReader`] describes what that costs. A thread that is started for it frees the copy.
    ///
    /// # Panics
    /// If this is the first snapshot and the store was stopped because user code (a `Hash`, `Ord` or `Drop` of a value)
    /// panicked in the middle of a change. Open the store again.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot<M> {
        Snapshot::of(SnapshotFollower::of(self).newest())
    }

    /// Returns a handle with which other threads read and follow the store. The first call copies the graph, in O(size of the
    /// graph). While such a handle exists, each commit queues its facts; see [`StoreReader`].
    ///
    /// # Panics
    /// As [`Store::snapshot`].
    #[must_use]
    pub fn reader(&self) -> StoreReader<M> {
        StoreReader::new(self)
    }
}

impl<M: Model> SharedStore<M> {
    /// As [`Store::snapshot`]. Returns when all transactions in the snapshot are durable in the sense of the store's
    /// [`Durability`](crate::Durability). The first call blocks writers while it copies the graph; later calls block them
    /// for O(1).
    ///
    /// # Errors
    /// `is_stopped` if a failed sync may have lost transactions in the snapshot. Open the store again.
    ///
    /// # Panics
    /// As [`Store::snapshot`].
    pub fn snapshot(&self) -> Result<Snapshot<M>, StorageError> {
        let replica = self.read(|store| Arc::clone(SnapshotFollower::of(store)))?;
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

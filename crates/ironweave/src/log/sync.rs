//! The state that the writer of a file shares with the threads that sync it: the file, the last frame written, the last
//! durable frame, and whether the log has stopped.
//!
//! 1. An append writes its frame and then calls [`SyncState::record_write`].
//! 2. A sync reads the file and the last frame written, syncs without blocking appends, and then advances `durable`.
//! 3. A failure of either stops the log permanently. The operating system may have dropped the pages that it could not write,
//!    and it reports the failure only once.
//!
//! Since the failure is reported only once, only one sync runs at a time. Otherwise one caller could receive the error while
//! another sees success. Callers that arrive during a sync share the next one.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::disk::DiskFile;
use super::{Flush, Seq, StorageError};

pub(super) struct SyncState {
    state: Mutex<State>,
    /// Is notified when a sync has ended.
    ended: Condvar,
}

struct State {
    file: Arc<DiskFile>,
    written: Option<Seq>,
    durable: Option<Seq>,
    /// The error that stopped the log, if it has stopped.
    stopped: Option<String>,
    /// Whether a sync is running.
    syncing: bool,
    /// The number of callers that wait for the running sync.
    #[cfg(test)]
    waiting: usize,
}

/// The extent of a sync.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// The contents and the metadata that reading them requires.
    Data,
    /// The contents and all metadata.
    All,
}

impl SyncState {
    /// Returns the state for a file whose frames are all durable.
    pub fn new(file: DiskFile, durable: Option<Seq>) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                file: Arc::new(file),
                written: durable,
                durable,
                stopped: None,
                syncing: false,
                #[cfg(test)]
                waiting: 0,
            }),
            ended: Condvar::new(),
        })
    }

    // No user code runs under this lock, and each change under it is one assignment, so a poisoned lock can be used.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns an error if the log has stopped.
    pub fn check(&self) -> Result<(), StorageError> {
        match &self.state().stopped {
            Some(cause) => Err(StorageError::stopped(cause)),
            None => Ok(()),
        }
    }

    pub fn durable(&self) -> Option<Seq> {
        self.state().durable
    }

    /// Stops the log, unless it has stopped already, and returns the error.
    pub fn stop(&self, error: StorageError) -> StorageError {
        self.state()
            .stopped
            .get_or_insert_with(|| error.to_string());
        error
    }

    /// Returns the number of callers that wait for the running sync.
    #[cfg(test)]
    pub fn waiting(&self) -> usize {
        self.state().waiting
    }

    /// Records that a frame was written to the file.
    pub fn record_write(&self, seq: Seq) {
        self.state().written = Some(seq);
    }

    /// Continues with another file. The previous one must have been synced.
    pub fn switch(&self, file: DiskFile) -> Arc<DiskFile> {
        let file = Arc::new(file);
        self.state().file = Arc::clone(&file);
        file
    }

    pub fn file(&self) -> Arc<DiskFile> {
        Arc::clone(&self.state().file)
    }

    /// Makes all written frames durable. A failure stops the log.
    pub fn sync(&self, extent: Extent) -> Result<(), StorageError> {
        let state = self.wait_while_syncing(self.state(), |_| false);
        self.sync_alone(state, extent)
    }

    /// Waits until no sync is running or `enough` returns true.
    fn wait_while_syncing<'s>(
        &'s self,
        mut state: MutexGuard<'s, State>,
        enough: impl Fn(&State) -> bool,
    ) -> MutexGuard<'s, State> {
        while state.syncing && !enough(&state) {
            #[cfg(test)]
            {
                state.waiting += 1;
            }
            let woken = self.ended.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
            #[cfg(test)]
            {
                state.waiting -= 1;
            }
        }
        state
    }

    /// Syncs. No other sync may be running.
    fn sync_alone(
        &self,
        mut state: MutexGuard<'_, State>,
        extent: Extent,
    ) -> Result<(), StorageError> {
        if let Some(cause) = &state.stopped {
            return Err(StorageError::stopped(cause));
        }
        if extent == Extent::Data && state.written == state.durable {
            return Ok(());
        }
        state.syncing = true;
        let (file, written) = (Arc::clone(&state.file), state.written);
        drop(state);
        let synced = match extent {
            Extent::Data => file.sync_data(),
            Extent::All => file.sync_all(),
        };
        let mut state = self.state();
        state.syncing = false;
        match &synced {
            Ok(()) => state.durable = state.durable.max(written),
            Err(error) => {
                state.stopped.get_or_insert_with(|| error.to_string());
            }
        }
        drop(state);
        self.ended.notify_all();
        synced
    }
}

impl Flush for SyncState {
    fn flush_to(&self, seq: Seq) -> Result<(), StorageError> {
        let enough = |state: &State| state.durable >= Some(seq);
        let state = self.wait_while_syncing(self.state(), enough);
        if enough(&state) {
            return Ok(());
        }
        self.sync_alone(state, Extent::Data)
    }

    fn flush(&self) -> Result<(), StorageError> {
        self.sync(Extent::Data)
    }

    fn durable(&self) -> Option<Seq> {
        Self::durable(self)
    }
}

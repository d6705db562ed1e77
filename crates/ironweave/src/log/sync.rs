//! What the writer and the thread that syncs for it share: the file, how far it is written, how far it is
//! durable, and whether the log has stopped.
//!
//! 1. An append writes, then tells [`Shared::wrote`].
//! 2. A sync notes file and sequence, syncs without holding up appends, then advances `durable`.
//! 3. A failure anywhere stops the log for good: the system may have dropped what it could not write, and
//!    tells of it once.
//!
//! Because it tells once, only one sync runs at a time: else one caller could take the error away while the
//! other sees success and believes it. Callers who come while one runs share the next.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::disk::DiskFile;
use super::{Seq, StorageError, Syncer};

pub(super) struct Shared {
    state: Mutex<State>,
    /// Something was written, or the log closes.
    changed: Condvar,
    /// A sync has ended.
    ended: Condvar,
}

struct State {
    file: Arc<DiskFile>,
    written: Option<Seq>,
    durable: Option<Seq>,
    stopped: Option<String>,
    closing: bool,
    /// A sync runs.
    syncing: bool,
    /// How many wait for that.
    #[cfg(test)]
    waiting: usize,
}

/// Which call to use.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// Contents.
    Data,
    /// And the length, which a file that grew or shrank should have settled before the next append.
    All,
}

impl Shared {
    /// Everything in `file` is durable.
    pub fn new(file: DiskFile, durable: Option<Seq>) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                file: Arc::new(file),
                written: durable,
                durable,
                stopped: None,
                closing: false,
                syncing: false,
                #[cfg(test)]
                waiting: 0,
            }),
            changed: Condvar::new(),
            ended: Condvar::new(),
        })
    }

    // No code of a user runs under these locks; a panic in ours leaves nothing half done that matters more
    // than going on.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses if the log has stopped.
    pub fn check(&self) -> Result<(), StorageError> {
        match &self.state().stopped {
            Some(cause) => Err(StorageError::stopped(cause)),
            None => Ok(()),
        }
    }

    pub fn durable(&self) -> Option<Seq> {
        self.state().durable
    }

    /// Stops the log, unless it has stopped already, and gives the error back.
    pub fn stop(&self, error: StorageError) -> StorageError {
        self.state()
            .stopped
            .get_or_insert_with(|| error.to_string());
        error
    }

    /// How many callers wait for the sync that runs.
    #[cfg(test)]
    pub fn waiting(&self) -> usize {
        self.state().waiting
    }

    /// A frame was written to the file.
    pub fn wrote(&self, seq: Seq) {
        let mut state = self.state();
        let idle = state.written == state.durable;
        state.written = Some(seq);
        drop(state);
        if idle {
            self.changed.notify_one();
        }
    }

    /// Goes on with another file. The former one has been synced.
    pub fn switch(&self, file: DiskFile) -> Arc<DiskFile> {
        let file = Arc::new(file);
        self.state().file = Arc::clone(&file);
        file
    }

    pub fn file(&self) -> Arc<DiskFile> {
        Arc::clone(&self.state().file)
    }

    /// Makes durable what is written. A failure stops the log.
    pub fn sync(&self, extent: Extent) -> Result<(), StorageError> {
        let state = self.once_alone(self.state(), |_| false);
        self.sync_alone(state, extent)
    }

    /// Waits until no sync runs, or something is true.
    fn once_alone<'s>(
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

    /// Syncs, while no sync runs.
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

    /// Starts the thread that syncs what was written at most `interval` ago.
    pub fn spawn(self: &Arc<Self>, interval: Duration) -> std::io::Result<JoinHandle<()>> {
        let shared = Arc::clone(self);
        thread::Builder::new()
            .name("ironweave-sync".into())
            .spawn(move || shared.run(interval))
    }

    fn run(&self, interval: Duration) {
        loop {
            let idle = |state: &mut State| !state.closing && state.written == state.durable;
            let state = self
                .changed
                .wait_while(self.state(), idle)
                .unwrap_or_else(PoisonError::into_inner);
            // From the first frame that is not durable on, for the interval; closing cuts it short.
            let waiting = |state: &mut State| !state.closing;
            let (state, _) = self
                .changed
                .wait_timeout_while(state, interval, waiting)
                .unwrap_or_else(PoisonError::into_inner);
            let closing = state.closing;
            drop(state);
            // The last sync is the one of the clean close. After a failure nothing is left to do.
            if closing || self.sync(Extent::Data).is_err() {
                return;
            }
        }
    }

    /// Ends the thread of [`Shared::spawn`].
    pub fn close(&self) {
        self.state().closing = true;
        self.changed.notify_all();
    }
}

impl Syncer for Shared {
    fn wait(&self, seq: Seq) -> Result<(), StorageError> {
        let enough = |state: &State| state.durable >= Some(seq);
        let state = self.once_alone(self.state(), enough);
        if enough(&state) {
            return Ok(());
        }
        self.sync_alone(state, Extent::Data)
    }

    fn durable(&self) -> Option<Seq> {
        Self::durable(self)
    }
}

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
//!
//! A sync that ends wakes the callers whose frames it has made durable, and one of the others, which runs the next sync. The
//! rest stay asleep, because waking them would cost context switches and make none of their frames durable. Before a caller
//! sleeps, it yields its processor a few times.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};

use super::disk::DiskFile;
use super::{Flush, Seq, StorageError};
#[cfg(feature = "tracing")]
use crate::base::meter::Syncs;

/// How often a caller yields its processor to other threads before it sleeps. With many callers, their steps and a short sync
/// are done by then, and a switch to another thread costs a fraction of sleeping and being woken.
const YIELDS_MAX: u32 = 4;

pub(super) struct SyncState {
    state: Mutex<State>,
    /// The number of durable frames, for callers that were woken, which need not lock the state then.
    durable_frames: AtomicU64,
    #[cfg(feature = "tracing")]
    syncs: Arc<Syncs>,
}

struct State {
    file: Arc<DiskFile>,
    written: Option<Seq>,
    durable: Option<Seq>,
    /// The error that stopped the log, if it has stopped.
    stopped: Option<String>,
    /// Whether a sync is running.
    syncing: bool,
    /// The callers that wait for the running sync, in the order of their arrival.
    waiting: Vec<Arc<Waiter>>,
}

/// A caller that waits for the running sync.
struct Waiter {
    thread: Thread,
    /// The frame that must be durable, or `None` if the caller runs a sync of its own after the running one.
    seq: Option<Seq>,
    /// Whether it was removed from the list. A thread may also be unparked for other reasons.
    is_woken: AtomicBool,
}

impl Waiter {
    fn wake(&self) {
        self.is_woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

impl State {
    /// Removes the callers that are woken when a sync has ended, in the order in which they are woken. If the log has stopped,
    /// the last of them finds that, and wakes the next one.
    fn take_woken(&mut self) -> Vec<Arc<Waiter>> {
        let waiting = std::mem::take(&mut self.waiting);
        let is_done = |waiter: &Arc<Waiter>| waiter.seq.is_none_or(|seq| self.durable >= Some(seq));
        let (mut woken, mut rest): (Vec<_>, Vec<_>) = waiting.into_iter().partition(is_done);
        // The caller that runs the next sync is woken last, so that its sync includes next frames of the others.
        if !rest.is_empty() {
            woken.push(rest.remove(0));
        }
        self.waiting = rest;
        woken
    }
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
                waiting: Vec::new(),
            }),
            durable_frames: AtomicU64::new(frames(durable)),
            #[cfg(feature = "tracing")]
            syncs: Arc::default(),
        })
    }

    // No user code runs under this lock, and the process ends if memory runs out, so a poisoned lock can be used.
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
        self.state().waiting.len()
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
        let mut state = self.state();
        while state.syncing {
            self.wait(state, None);
            state = self.state();
        }
        self.sync_alone(state, extent)
    }

    /// Waits until the running sync has ended, or a later one that makes frame `seq` durable.
    fn wait(&self, mut state: MutexGuard<'_, State>, seq: Option<Seq>) {
        let waiter = Arc::new(Waiter {
            thread: thread::current(),
            seq,
            is_woken: AtomicBool::new(false),
        });
        state.waiting.push(Arc::clone(&waiter));
        drop(state);
        while !waiter.is_woken.load(Ordering::Acquire) {
            thread::park();
        }
    }

    /// Syncs. No other sync may be running.
    fn sync_alone(
        &self,
        mut state: MutexGuard<'_, State>,
        extent: Extent,
    ) -> Result<(), StorageError> {
        let needless = match &state.stopped {
            Some(cause) => Some(Err(StorageError::stopped(cause))),
            None if extent == Extent::Data && state.written == state.durable => Some(Ok(())),
            None => None,
        };
        if let Some(result) = needless {
            // This caller may have been woken to sync for others.
            wake_waiting(state);
            return result;
        }
        state.syncing = true;
        let (file, written) = (Arc::clone(&state.file), state.written);
        #[cfg(feature = "tracing")]
        let traced = TracedSync::begin(written, state.durable);
        drop(state);
        let synced = match extent {
            Extent::Data => file.sync_data(),
            Extent::All => file.sync_all(),
        };
        #[cfg(feature = "tracing")]
        traced.end(&self.syncs, &synced);
        let mut state = self.state();
        state.syncing = false;
        match &synced {
            Ok(()) => {
                state.durable = state.durable.max(written);
                (self.durable_frames).store(frames(state.durable), Ordering::Release);
            }
            Err(error) => {
                state.stopped.get_or_insert_with(|| error.to_string());
            }
        }
        wake_waiting(state);
        synced
    }
}

/// Wakes the callers that need not wait any longer, and one that syncs for the others.
fn wake_waiting(mut state: MutexGuard<'_, State>) {
    let woken = state.take_woken();
    drop(state);
    woken.iter().for_each(|waiter| waiter.wake());
}

/// Returns the number of frames up to the last one.
fn frames(last: Option<Seq>) -> u64 {
    last.map_or(0, |last| last.get().saturating_add(1))
}

impl Flush for SyncState {
    fn flush_to(&self, seq: Seq) -> Result<(), StorageError> {
        let mut yields = 0;
        while self.durable_frames.load(Ordering::Acquire) < frames(Some(seq)) {
            let state = self.state();
            if state.durable >= Some(seq) {
                break;
            }
            if !state.syncing {
                return self.sync_alone(state, Extent::Data);
            }
            if yields < YIELDS_MAX {
                yields += 1;
                drop(state);
                thread::yield_now();
            } else {
                self.wait(state, Some(seq));
            }
        }
        Ok(())
    }

    fn flush(&self) -> Result<(), StorageError> {
        self.sync(Extent::Data)
    }

    fn durable(&self) -> Option<Seq> {
        Self::durable(self)
    }

    #[cfg(feature = "tracing")]
    fn syncs(&self) -> Option<Arc<Syncs>> {
        Some(Arc::clone(&self.syncs))
    }
}

/// A sync that runs, in the span `sync`.
#[cfg(feature = "tracing")]
struct TracedSync {
    began: std::time::Instant,
    span: tracing::span::EnteredSpan,
}

#[cfg(feature = "tracing")]
impl TracedSync {
    fn begin(written: Option<Seq>, durable: Option<Seq>) -> Self {
        let frames = frames(written).saturating_sub(frames(durable));
        Self {
            began: std::time::Instant::now(),
            span: tracing::debug_span!(target: "ironweave::log", "sync", frames).entered(),
        }
    }

    fn end(self, syncs: &Syncs, synced: &Result<(), StorageError>) {
        syncs.ended(self.began.elapsed());
        if let Err(error) = synced {
            tracing::error!(target: "ironweave::log", %error, "the sync failed and the log has stopped");
        }
        drop(self.span);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::super::disk::Disk;
    use super::*;

    /// Runs a check while so many callers wait for frame 5 during a sync, and returns their results.
    fn wait_for_5(callers: usize, check: impl FnOnce(&SyncState)) -> Vec<Result<(), StorageError>> {
        let dir = tempfile::tempdir().unwrap();
        let file = Disk::default().create(&dir.path().join("log")).unwrap();
        let sync = SyncState::new(file, None);
        sync.record_write(Seq::new(5));
        sync.state().syncing = true;
        let (results, all) = mpsc::channel();
        for _ in 0..callers {
            let (sync, results) = (Arc::clone(&sync), results.clone());
            thread::spawn(move || results.send(sync.flush_to(Seq::new(5))));
        }
        while sync.waiting() < callers {
            thread::yield_now();
        }
        sync.state().syncing = false;
        check(&sync);
        // The wait is limited, so that a failing test ends.
        let limit = Duration::from_secs(60);
        let one = |_| all.recv_timeout(limit).expect("every caller is woken");
        (0..callers).map(one).collect()
    }

    #[test]
    fn callers_whose_frame_is_durable_are_woken() {
        let results = wait_for_5(8, |sync| sync.sync(Extent::Data).unwrap());
        assert!(results.iter().all(Result::is_ok));
    }

    #[test]
    fn callers_are_woken_where_the_one_that_would_sync_for_them_finds_that_the_log_has_stopped() {
        let results = wait_for_5(8, |sync| {
            drop(sync.stop(StorageError::stopped("a failed sync")));
            assert!(sync.sync(Extent::Data).unwrap_err().is_stopped());
        });
        assert!(results.into_iter().all(|r| r.unwrap_err().is_stopped()));
    }

    #[test]
    fn a_sync_that_covers_no_caller_wakes_the_one_that_came_first_and_that_one_syncs_for_all() {
        let results = wait_for_5(8, |sync| {
            sync.state().written = Some(Seq::new(3));
            let woken = sync.state().take_woken();
            assert_eq!((woken.len(), sync.waiting()), (1, 7));
            sync.record_write(Seq::new(5));
            woken.iter().for_each(|waiter| waiter.wake());
        });
        assert!(results.iter().all(Result::is_ok));
    }
}

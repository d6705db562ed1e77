//! Checkpoints that a store writes by its policy, each on a thread of its own.
//!
//! 1. Each commit adds what it wrote to the [`Growth`] of the log since the last checkpoint. If the policy says that one is due and
//!    none is being written, the commit starts a thread and goes on.
//! 2. The thread does what another process would do that reads the log: it starts from the last checkpoint, replays the frames
//!    after it, and writes the checkpoint of what it has read. It takes nothing from the store but a reader of the log. So no
//!    step waits for it, and none copies the graph or queues its facts for it.
//! 3. Closing the store cancels the thread, which checks that between frames and chunks, and joins it. Its unfinished file is
//!    removed, by the thread or by the next open.
//!
//! The thread needs memory for another graph and its time on another core, and its failures are kept for
//! [`Store::last_checkpoint`](crate::Store::last_checkpoint). It never fails a step.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};

use crate::base::clock::Clock;
use crate::base::position::Seq;
use crate::base::storage_error::{StorageError, StorageFailure};
use crate::log::{Cancel, Flush, LogReader, ReadLog, ReadOnlyLog};
use crate::step::immediates::Limits;
use crate::step::model::Model;
use crate::store::checkpoint::policy::{CheckpointPolicy, Growth};
use crate::store::checkpoint::{Checkpoint, OpenedFrom, write};
use crate::store::epochs::Bounds;
use crate::store::{Backend, Store};

/// What a store, the handles on it and its thread share.
#[derive(Default)]
pub(in crate::store) struct Checkpoints {
    /// How the store was opened.
    opened_from: OnceLock<OpenedFrom>,
    /// Held while a checkpoint is written, since two of one frame would have the same file. This lock is taken before that of a
    /// shared store.
    writing: Mutex<()>,
    last: Mutex<Option<Result<Checkpoint, StorageError>>>,
    /// The length of the last one, or 0.
    last_bytes: AtomicU64,
    /// Ends the thread.
    pub(super) cancel: Cancel,
}

impl Checkpoints {
    /// Records how the store was opened, once.
    pub(in crate::store) fn set_opened_from(&self, opened: OpenedFrom) {
        let _ = self.opened_from.set(opened);
    }

    pub(in crate::store) fn opened_from(&self) -> &OpenedFrom {
        self.opened_from.get_or_init(OpenedFrom::default)
    }

    /// Writes a checkpoint while no other one is written, and keeps the result.
    pub(in crate::store) fn write_alone(
        &self,
        write: impl FnOnce() -> Result<Checkpoint, StorageError>,
    ) -> Result<Checkpoint, StorageError> {
        let _alone = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        #[cfg(feature = "tracing")]
        let _entered = tracing::debug_span!(target: "ironweave::log", "checkpoint").entered();
        let result = write();
        #[cfg(feature = "tracing")]
        match &result {
            Ok(written) => {
                let (seq, bytes) = (written.seq.get(), written.bytes);
                tracing::debug!(target: "ironweave::log", seq, bytes, "a checkpoint was written");
            }
            Err(error) => {
                tracing::warn!(target: "ironweave::log", %error, "a checkpoint was not written");
            }
        }
        if let Ok(written) = &result {
            self.set_last_bytes(written.bytes);
        }
        let kept = match &result {
            Ok(written) => Ok(written.clone()),
            Err(e) => Err(e.duplicate()),
        };
        *self.last_result() = Some(kept);
        result
    }

    /// Returns the result of the last attempt.
    pub(in crate::store) fn last(&self) -> Option<Result<Checkpoint, StorageError>> {
        match self.last_result().as_ref()? {
            Ok(written) => Some(Ok(written.clone())),
            Err(e) => Some(Err(e.duplicate())),
        }
    }

    // Each change under this lock is one assignment.
    pub(super) fn last_result(&self) -> MutexGuard<'_, Option<Result<Checkpoint, StorageError>>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(in crate::store) fn set_last_bytes(&self, bytes: u64) {
        self.last_bytes.store(bytes, Ordering::Relaxed);
    }

    /// Returns the checkpoint that was written last, if it follows this frame or a later one.
    pub(super) fn written_since(&self, seq: Option<Seq>) -> Option<Checkpoint> {
        let last = self.last_result();
        let written = last.as_ref()?.as_ref().ok()?;
        (Some(written.seq) >= seq).then(|| written.clone())
    }
}

/// Writes the checkpoint of the last frame of a log.
type WriteOfLog =
    fn(ReadOnlyLog, Bounds, Option<Arc<dyn Flush>>) -> Result<Checkpoint, StorageError>;

/// The policy of a store that is open for writing, and its thread.
pub(in crate::store) struct Checkpointer {
    policy: CheckpointPolicy,
    growth: Growth,
    checkpoints: Arc<Checkpoints>,
    write: WriteOfLog,
    bounds: Bounds,
    thread: Option<JoinHandle<()>>,
    /// The process that opened the store. Its forks do not have the thread.
    process: u32,
}

impl Checkpointer {
    /// Returns the checkpointer of a store whose log has grown by `growth` since its last checkpoint.
    pub(in crate::store) fn new<M: Model>(
        policy: CheckpointPolicy,
        growth: Growth,
        checkpoints: Arc<Checkpoints>,
        bounds: Bounds,
    ) -> Self {
        Self {
            policy,
            growth,
            checkpoints,
            write: write_of_log::<M>,
            bounds,
            thread: None,
            process: std::process::id(),
        }
    }

    /// Adds frames that were written, and returns whether a checkpoint may be due, so that [`Checkpointer::start`] is to be called.
    #[inline]
    pub(in crate::store) fn record(&mut self, frames: u64, bytes: u64) -> bool {
        self.growth.frames += frames;
        self.growth.bytes += bytes;
        self.growth.may_be_due(&self.policy)
    }

    /// Records that a checkpoint of all frames is written by a caller.
    pub(in crate::store) fn restart(&mut self) {
        self.growth = Growth::none();
    }

    /// Starts a thread that writes a checkpoint, if one is due and none is being written.
    #[cold]
    pub(in crate::store) fn start(
        &mut self,
        reader: impl FnOnce() -> LogReader,
        flusher: Option<Arc<dyn Flush>>,
    ) {
        let last_bytes = self.checkpoints.last_bytes.load(Ordering::Relaxed);
        let is_writing = |thread: &JoinHandle<()>| !thread.is_finished();
        if !self.growth.is_due(&self.policy, last_bytes)
            || self.thread.as_ref().is_some_and(is_writing)
        {
            return;
        }
        // If this one fails, the next attempt is made when one is due again.
        self.restart();
        self.join();
        let LogReader::Directory(mut log) = reader() else {
            return;
        };
        log.end_at(self.checkpoints.cancel.clone());
        let (checkpoints, write, bounds) = (Arc::clone(&self.checkpoints), self.write, self.bounds);
        let work = move || {
            let write = || match checkpoints.written_since(log.head().map(|head| head.seq)) {
                // A caller has written a later one in the meantime.
                Some(later) => Ok(later),
                None => catch_unwind(AssertUnwindSafe(|| write(*log, bounds, flusher)))
                    .unwrap_or_else(|_| Err(panicked())),
            };
            // `Checkpoints::last` returns the result.
            let _ = checkpoints.write_alone(write);
        };
        let thread = thread::Builder::new().name("ironweave-checkpoint".to_owned());
        match thread.spawn(work) {
            Ok(thread) => self.thread = Some(thread),
            Err(e) => {
                let error = StorageError::no_thread("the thread that writes a checkpoint", e);
                *self.checkpoints.last_result() = Some(Err(error));
            }
        }
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            // The thread catches the panics of user code, and there are no others.
            let _ = thread.join();
        }
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        if self.process == std::process::id() {
            self.checkpoints.cancel.set();
            self.join();
        }
    }
}

fn panicked() -> StorageError {
    let what = "user code (reading, hashing or comparing a value) panicked while a checkpoint was made of the log";
    StorageError::new(StorageFailure::Internal, what)
}

/// Reads a log as a store that is open for reading only, and writes a checkpoint of its last frame.
fn write_of_log<M: Model>(
    log: ReadOnlyLog,
    bounds: Bounds,
    flusher: Option<Arc<dyn Flush>>,
) -> Result<Checkpoint, StorageError> {
    let files = log.checkpoints();
    let files = files
        .ok_or_else(|| StorageError::new(StorageFailure::Internal, "the log has no checkpoints"))?;
    let log = Backend::ReadOnly(Box::new(log));
    let alone = (false, None);
    let store = Store::<M>::over(log, Limits::default(), Clock::default(), bounds, alone);
    let store = store.map_err(|e| match e.storage() {
        Some(storage) => storage.duplicate(),
        None => StorageError::new(StorageFailure::Internal, e.to_string()),
    })?;
    write::of_store(&store, files, flusher)?.finish()
}

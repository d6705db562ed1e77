//! Commits: when a transaction is durable, which callers wait for that, when other threads may read it, and how it is passed to
//! the layers above.
//!
//! The log only writes bytes. The policy of durability is implemented here:
//!
//! | policy | a commit returns | the log is synced by |
//! |---|---|---|
//! | [`Durability::Always`] | when its frame is durable | the committing caller |
//! | the same, in a [`SharedStore`](crate::SharedStore) | when its frame is durable, after releasing the store | the first caller that waits, for all frames written so far |
//! | [`Durability::Every`] | when its frame is written | a thread, within the interval |
//! | [`Durability::Os`] | when its frame is written | the operating system |
//! | a log in memory | when its frame is written | no sync |
//!
//! With `Always`, other threads read only durable transactions, which a power failure cannot lose. [`Acknowledged`] is the limit.
//!
//! Snapshots and subscriptions, which follow the commits of a store, are layers above it. Their state is stored in the
//! [`Followers`] of the store, behind the trait [`Follower`].

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::base::position::{Position, Seq};
use crate::base::storage_error::{AppendError, StorageError};
use crate::graph::fact::Facts;
use crate::log::{
    BatchError, Flush, Frame, FrameBatch, FrameHeader, Log, LogReader, MemoryLog, ReadLog, TornTail,
};
use crate::step::Core;
use crate::step::model::Model;
use crate::step::plan::Plan;
use crate::store::checkpoint::background::{Checkpointer, Checkpoints};
use crate::store::checkpoint::policy::{CheckpointPolicy, Growth};
use crate::store::entity_index::background::BackgroundIndexer;
use crate::store::epochs::{Bounds, Epochs};
use crate::store::version::At;

/// When a committed transaction is durable.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// Before the commit returns.
    #[default]
    Always,
    /// At most this long after the commit. A power failure may lose transactions that were acknowledged within the interval.
    Every(Duration),
    /// The operating system decides when to write to disk. A power failure may lose acknowledged transactions. The log is
    /// synced when it begins a segment and when it is closed.
    Os,
}

/// A log with the policy of durability.
pub(crate) struct CommitLog {
    // The first field, so that a drop ends the thread of the policy before it closes the log.
    policy: Policy,
    log: OwnedLog,
}

/// A log of a type that is known if it is in memory, so that a frame can be encoded in its place.
enum OwnedLog {
    Memory(Box<MemoryLog>),
    Other(Box<OtherLog>),
}

/// A log of another type.
struct OtherLog {
    // The first field, so that a drop ends its thread before it closes the log.
    checkpointer: Option<Checkpointer>,
    /// Ends its thread too.
    indexer: Option<BackgroundIndexer>,
    log: Box<dyn Log>,
}

impl OwnedLog {
    fn get(&self) -> &dyn Log {
        match self {
            Self::Memory(log) => &**log,
            Self::Other(other) => &*other.log,
        }
    }

    fn get_mut(&mut self) -> &mut dyn Log {
        match self {
            Self::Memory(log) => &mut **log,
            Self::Other(other) => &mut *other.log,
        }
    }

    fn checkpointer(&mut self) -> Option<&mut Checkpointer> {
        match self {
            Self::Memory(_) => None,
            Self::Other(other) => other.checkpointer.as_mut(),
        }
    }

    fn close(self) -> Result<(), StorageError> {
        match self {
            Self::Memory(log) => log.close(),
            Self::Other(other) => {
                let OtherLog {
                    checkpointer,
                    indexer,
                    log,
                } = *other;
                // A failed sync of its thread has stopped the log, so the close returns that error.
                drop(checkpointer);
                drop(indexer);
                log.close()
            }
        }
    }
}

/// The policy of syncs after an append.
enum Policy {
    /// No sync.
    None,
    /// The append syncs before it returns.
    Appender(Arc<dyn Flush>),
    /// The callers sync after the append, when they wait for the acknowledgement of their frames.
    Waiters(Arc<dyn Flush>),
    /// A thread syncs.
    Interval(IntervalSync),
}

impl CommitLog {
    pub(crate) fn new(log: Box<dyn Log>, durability: Durability) -> Result<Self, StorageError> {
        let policy = match (durability, log.flusher()) {
            (Durability::Always, Some(flusher)) => Policy::Appender(flusher),
            (Durability::Every(interval), Some(flusher)) => {
                Policy::Interval(IntervalSync::start(interval, flusher)?)
            }
            (Durability::Os, _) | (_, None) => Policy::None,
        };
        Ok(Self {
            policy,
            log: OwnedLog::Other(Box::new(OtherLog {
                checkpointer: None,
                indexer: None,
                log,
            })),
        })
    }

    /// Returns a log in memory, which needs no syncs.
    pub(crate) fn in_memory(log: MemoryLog) -> Self {
        Self {
            policy: Policy::None,
            log: OwnedLog::Memory(Box::new(log)),
        }
    }

    /// Returns the log for reading.
    pub(crate) fn log(&self) -> &dyn ReadLog {
        self.log.get()
    }

    /// Returns the log if it is in memory. An append to it needs no sync.
    #[inline(always)]
    pub(crate) fn memory(&mut self) -> Option<&mut MemoryLog> {
        match &mut self.log {
            OwnedLog::Memory(log) => Some(log),
            OwnedLog::Other(_) => None,
        }
    }

    /// Writes a frame. Returns when the policy allows it.
    pub(crate) fn append(
        &mut self,
        header: FrameHeader,
        payload: &[u8],
    ) -> Result<(), AppendError> {
        self.log.get_mut().append(header, payload)?;
        match &self.policy {
            Policy::None | Policy::Waiters(_) => {}
            Policy::Appender(flusher) => flusher.flush().map_err(AppendError::Indeterminate)?,
            Policy::Interval(interval) => interval.record_write(),
        }
        self.record_growth(1, Frame::bytes_with(payload));
        Ok(())
    }

    /// Writes checkpoints by a policy, if the log has any. `last` is the frame that the last one follows, and the number of
    /// frames after it.
    pub(super) fn write_checkpoints_by<M: Model>(
        &mut self,
        policy: CheckpointPolicy,
        (last, frames): (Option<Seq>, u64),
        checkpoints: Arc<Checkpoints>,
        bounds: Bounds,
    ) {
        if let OwnedLog::Other(other) = &mut self.log
            && !policy.is_never()
            && other.log.checkpoints().is_some()
        {
            let growth = Growth::since(frames, other.log.bytes_after(last));
            let checkpointer = Checkpointer::new::<M>(policy, growth, checkpoints, bounds);
            other.checkpointer = Some(checkpointer);
        }
    }

    /// Records that a checkpoint of all frames is written by a caller.
    pub(super) fn restart_checkpoints(&mut self) {
        if let Some(checkpointer) = self.log.checkpointer() {
            checkpointer.restart();
        }
    }

    /// From now on, a thread makes the index of each segment that the log seals. The schemas of the log must not change any more.
    pub(super) fn index_sealed_segments(&mut self, epochs: &Arc<Epochs>, plan: &Arc<Plan>) {
        if let OwnedLog::Other(other) = &mut self.log {
            other.indexer = Some(BackgroundIndexer::new(&*other.log, epochs, plan));
        }
    }

    /// See [`Store::last_index_error`](crate::Store::last_index_error).
    pub(super) fn last_index_error(&self) -> Option<StorageError> {
        match &self.log {
            OwnedLog::Memory(_) => None,
            OwnedLog::Other(other) => other.indexer.as_ref()?.last_error(),
        }
    }

    /// Lets the threads of the log do what frames that were written make due: a checkpoint, or the index of a segment.
    #[inline]
    fn record_growth(&mut self, frames: u64, bytes: u64) {
        let OwnedLog::Other(other) = &mut self.log else {
            return;
        };
        let OtherLog {
            checkpointer,
            indexer,
            log,
        } = &mut **other;
        if let Some(indexer) = indexer {
            indexer.catch_up(&**log);
        }
        if let Some(checkpointer) = checkpointer
            && checkpointer.record(frames, bytes)
        {
            checkpointer.start(|| log.reader(None), log.flusher());
        }
    }

    /// Writes frames of which the log is to have all or none, and makes them durable, whatever the policy is.
    pub(crate) fn append_group(
        &mut self,
        frames: &[(FrameHeader, Vec<u8>)],
    ) -> Result<(), AppendError> {
        let log = self.log.get_mut();
        log.append_group(frames)?;
        log.sync().map_err(AppendError::Indeterminate)
    }

    /// Writes frames together, with one sync if the policy requires one. Returns when the policy allows it. On an error, the
    /// policy allows it for the first frames only.
    pub(crate) fn append_all(&mut self, frames: &mut FrameBatch) -> Result<(), BatchError> {
        let first = frames.first();
        let written = self.log.get_mut().append_all(frames);
        let appended = match &written {
            Ok(()) => frames.len(),
            Err(failed) => failed.appended,
        };
        if appended == 0 {
            return written;
        }
        match &self.policy {
            Policy::None | Policy::Waiters(_) => {}
            Policy::Appender(flusher) => {
                if let Err(error) = flusher.flush() {
                    // A new segment begins with a sync of the previous one, so the first frames may be durable.
                    let after = flusher.durable().map_or(Seq::ZERO, |durable| durable + 1);
                    let durable = first.and_then(|first| after.frames_since(first));
                    return Err(BatchError {
                        appended: appended.min(durable.unwrap_or_default() as usize),
                        // The failed write is the cause of the failed sync.
                        error: written.map_or_else(
                            |failed| AppendError::Indeterminate(failed.error.into_storage()),
                            |()| AppendError::Indeterminate(error),
                        ),
                    });
                }
            }
            Policy::Interval(interval) => interval.record_write(),
        }
        let payloads = (0..appended).map(|index| Frame::bytes_with(frames.get(index).1));
        self.record_growth(appended as u64, payloads.sum());
        written
    }

    /// Changes the policy of an append that syncs: from now on it returns when its frame is written, and its caller waits with
    /// [`Acknowledged::wait`], so that callers that share a store share syncs.
    pub(crate) fn sync_by_waiters(&mut self) {
        let policy = std::mem::replace(&mut self.policy, Policy::None);
        self.policy = match policy {
            Policy::Appender(flusher) => Policy::Waiters(flusher),
            other => other,
        };
    }

    /// Returns the limit up to which other threads may read transactions.
    pub(crate) fn acknowledged(&self) -> Acknowledged {
        Acknowledged(match &self.policy {
            Policy::Appender(flusher) | Policy::Waiters(flusher) => Some(Arc::clone(flusher)),
            Policy::None | Policy::Interval(_) => None,
        })
    }

    /// Returns a handle that syncs independently of the policy, or `None` for a log in memory.
    pub(crate) fn flusher(&self) -> Option<Arc<dyn Flush>> {
        self.log.get().flusher()
    }

    pub(crate) fn sync(&mut self) -> Result<(), StorageError> {
        self.log.get_mut().sync()
    }

    pub(crate) fn recovered(&self) -> Option<&TornTail> {
        self.log.get().recovered()
    }

    /// See [`Log::reader`].
    pub(crate) fn reader(&self, reader: Option<LogReader>) -> LogReader {
        self.log.get().reader(reader)
    }

    /// Ends the threads, syncs, and closes the log.
    pub(crate) fn close(self) -> Result<(), StorageError> {
        let Self { policy, log } = self;
        // A failed sync of the thread has stopped the log, so the close returns that error.
        drop(policy);
        log.close()
    }
}

/// The limit up to which other callers than the committing one may read the transactions of a store. With
/// [`Durability::Always`] it is the last durable transaction. Otherwise there is no limit.
#[derive(Clone, Default)]
pub(crate) struct Acknowledged(Option<Arc<dyn Flush>>);

impl Acknowledged {
    /// Returns the last frame that may be read. The outer `None` means that there is no limit, and the inner one that no frame
    /// may be read.
    #[allow(clippy::option_option)]
    pub(crate) fn limit(&self) -> Option<Option<Seq>> {
        self.0.as_ref().map(|flusher| flusher.durable())
    }

    /// Returns whether a frame may be read.
    pub(crate) fn has(&self, seq: Seq) -> bool {
        self.limit().is_none_or(|durable| durable >= Some(seq))
    }

    /// Waits until a frame may be read. The first caller that waits syncs for all.
    ///
    /// # Errors
    /// As [`Flush::flush_to`].
    pub(crate) fn wait(&self, seq: Seq) -> Result<(), StorageError> {
        match &self.0 {
            Some(flusher) => flusher.flush_to(seq),
            None => Ok(()),
        }
    }
}

/// A thread that makes each frame durable within an interval after its append. Dropping this ends the thread.
struct IntervalSync {
    shared: Arc<IntervalState>,
    thread: Option<JoinHandle<()>>,
    /// The process that started the thread. Its forks do not have the thread.
    process: u32,
}

struct IntervalState {
    state: Mutex<Pending>,
    changed: Condvar,
}

#[derive(Default)]
struct Pending {
    /// Whether a frame was written after the last sync began.
    unsynced: bool,
    closing: bool,
}

impl IntervalSync {
    fn start(interval: Duration, flusher: Arc<dyn Flush>) -> Result<Self, StorageError> {
        let shared = Arc::new(IntervalState {
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let of_thread = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("ironweave-sync".into())
            .spawn(move || of_thread.run(interval, &*flusher))
            .map_err(|e| StorageError::no_thread("the thread that syncs the log", e))?;
        Ok(Self {
            shared,
            thread: Some(thread),
            process: std::process::id(),
        })
    }

    fn record_write(&self) {
        let mut state = self.shared.lock();
        if !state.unsynced {
            state.unsynced = true;
            drop(state);
            self.shared.changed.notify_one();
        }
    }
}

impl IntervalState {
    // No user code runs under this lock, and every change under it is one assignment.
    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, interval: Duration, flusher: &dyn Flush) {
        loop {
            let idle = |state: &mut Pending| !state.closing && !state.unsynced;
            let state = self
                .changed
                .wait_while(self.lock(), idle)
                .unwrap_or_else(PoisonError::into_inner);
            // Waits for the interval, which starts with the first frame that is not durable. Closing ends the wait.
            let open = |state: &mut Pending| !state.closing;
            let (mut state, _) = self
                .changed
                .wait_timeout_while(state, interval, open)
                .unwrap_or_else(PoisonError::into_inner);
            state.unsynced = false;
            let closing = state.closing;
            drop(state);
            // The close of the log syncs last. A failed sync has stopped the log.
            if closing || flusher.flush().is_err() {
                return;
            }
        }
    }
}

impl Drop for IntervalSync {
    fn drop(&mut self) {
        if self.process != std::process::id() {
            // This process is a fork. It does not have the thread, which may have held the lock during the fork.
            return;
        }
        self.shared.lock().closing = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // A failed sync of the thread has stopped the log, so the close returns that error.
            let _ = thread.join();
        }
    }
}

/// A committed transaction, as it is passed to a [`Follower`].
pub(crate) struct Commit<'a> {
    /// The last frame and transaction of the store, which is this one.
    pub at: At,
    /// The fingerprint of the graph after the transaction, or `None` if the store does not maintain it.
    pub fingerprint: Option<u128>,
    /// The changes.
    pub facts: &'a Facts,
    /// The frame in the log, or `None` if the store has no log.
    pub frame: Option<CommitFrame<'a>>,
    /// The graph after the transaction, and after later ones of the same batch.
    pub core: &'a Core,
}

/// A frame that was just written or read.
#[derive(Clone, Copy)]
pub(crate) struct CommitFrame<'a> {
    pub header: FrameHeader,
    pub payload: &'a [u8],
    pub position: Position,
    /// The schemas of the log up to this frame.
    pub epochs: &'a Arc<Epochs>,
}

impl Commit<'_> {
    /// Returns the plan that its frame begins, if the frame is a schema that is read instead of that of the program.
    pub(crate) fn plan(&self) -> Option<(At, &Arc<Plan>)> {
        let frame = self.frame.as_ref()?;
        let seq = frame.header.seq;
        let mut begun = frame.epochs.begun(seq.checked_sub(1), seq);
        begun.next().map(|(_, plan)| (self.at, plan))
    }
}

/// The state of an upper layer that is stored in a store, is dropped with it, and may follow its commits.
pub(crate) trait Follower: Any + Send + Sync {
    /// Returns whether the next commit must be passed to it.
    fn listens(&self) -> bool;

    /// Returns whether it gets a commit after the other followers, because it wakes threads that may then read from those.
    fn is_last(&self) -> bool {
        false
    }

    /// Processes a transaction that was committed, or read by a store that is open for reading only. It runs in the committing
    /// caller after the transaction was written, so it must not fail.
    fn committed(&mut self, commit: &Commit<'_>);
}

/// The followers of a store, at most one of each type, as a linked list. An empty list costs a commit one load.
#[derive(Default)]
pub(crate) struct Followers(OnceLock<Box<Node>>);

struct Node {
    follower: Box<dyn Follower>,
    next: Followers,
}

impl Followers {
    /// Returns the follower of a type, which is created on the first call.
    pub(crate) fn get<F: Follower + Default>(&self) -> &F {
        let mut list = self;
        loop {
            let node = list.0.get_or_init(|| {
                Box::new(Node {
                    follower: Box::new(F::default()),
                    next: Self::default(),
                })
            });
            let follower: &dyn Any = &*node.follower;
            if let Some(follower) = follower.downcast_ref() {
                return follower;
            }
            list = &node.next;
        }
    }

    /// Returns whether there are none, not even any that do not listen.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.get().is_none()
    }

    /// Returns whether the next commit must be passed to a follower.
    #[inline]
    pub(crate) fn listen(&self) -> bool {
        !self.is_empty() && self.one_listens()
    }

    #[inline(never)]
    fn one_listens(&self) -> bool {
        let mut list = self;
        while let Some(node) = list.0.get() {
            if node.follower.listens() {
                return true;
            }
            list = &node.next;
        }
        false
    }

    /// Passes a transaction to all followers. If one panics, because it runs user code to copy values, the others still get the
    /// transaction, since a follower that missed one would be inconsistent. The panic is then resumed.
    pub(crate) fn committed(&mut self, commit: &Commit<'_>) {
        let mut panicked = None;
        for last in [false, true] {
            let mut list = &mut *self;
            while let Some(node) = list.0.get_mut() {
                let follower = &mut node.follower;
                if follower.is_last() == last {
                    let result = catch_unwind(AssertUnwindSafe(|| follower.committed(commit)));
                    panicked = panicked.or(result.err());
                }
                list = &mut node.next;
            }
        }
        if let Some(panic) = panicked {
            resume_unwind(panic);
        }
    }
}

#[cfg(test)]
mod tests;

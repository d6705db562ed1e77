//! Commits: when a transaction is durable, who waits for that, who may see it, and who follows it.
//!
//! The log only writes bytes. The policy is here, in one place:
//!
//! | policy | a commit returns | the log is synced by |
//! |---|---|---|
//! | [`Durability::Always`] | when its frame is durable | the committing caller |
//! | the same, in a [`SharedStore`](crate::SharedStore) | when its frame is durable, after it has released the store | the first caller that waits, for all frames written by then |
//! | [`Durability::Every`] | when its frame is written | a thread, within the interval |
//! | [`Durability::Os`] | when its frame is written | the operating system |
//! | a log in memory | when its frame is written | no sync: the frame is as durable as it gets |
//!
//! Under `Always`, other threads see nothing that a power failure could take back: [`Acknowledged`] tells how far they
//! may look.
//!
//! What follows the commits of a store (snapshots, subscriptions) lies in layers above it. Each keeps its state in the
//! store's [`Followers`], which know nothing of it but the trait [`Follower`].

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::base::position::{Position, Seq};
use crate::base::storage_error::{AppendError, StorageError, StorageFailure};
use crate::graph::Graph;
use crate::graph::fact::Facts;
use crate::graph::paged::Paged;
use crate::log::{Flush, FrameHeader, Log, LogReader, MemoryLog, ReadLog, ReadOnlyLog, TornTail};
use crate::step::Core;
use crate::store::tags::Tags;
use crate::store::version::At;

/// When a committed transaction is durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// Before the commit returns.
    #[default]
    Always,
    /// At most this long after the commit. A power failure may lose the transactions that were acknowledged since.
    Every(Duration),
    /// The operating system decides when to write to disk; a power failure may lose acknowledged transactions. The log
    /// is synced when it begins a segment and when it is closed.
    Os,
}

/// A log with the policy by which its frames become durable.
pub(crate) struct CommitLog {
    // Before the log: a drop ends its thread first, and then closes the log.
    policy: Policy,
    log: Box<dyn Log>,
}

/// Who syncs after an append.
enum Policy {
    /// No caller waits for a sync.
    None,
    /// The appending caller.
    Appender(Arc<dyn Flush>),
    /// The callers that wait for their frame to be acknowledged, after the append.
    Waiters(Arc<dyn Flush>),
    /// A thread.
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
        Ok(Self { policy, log })
    }

    /// A log in memory, which needs no policy.
    pub(crate) fn in_memory(log: MemoryLog) -> Self {
        Self {
            policy: Policy::None,
            log: Box::new(log),
        }
    }

    /// The log, to be read.
    pub(crate) fn log(&self) -> &dyn ReadLog {
        &*self.log
    }

    /// Writes a frame, and returns when the policy says so.
    pub(crate) fn append(
        &mut self,
        header: FrameHeader,
        payload: &[u8],
    ) -> Result<(), AppendError> {
        self.log.append(header, payload)?;
        match &self.policy {
            Policy::None | Policy::Waiters(_) => Ok(()),
            Policy::Appender(flusher) => flusher.flush().map_err(AppendError::Indeterminate),
            Policy::Interval(interval) => {
                interval.wrote();
                Ok(())
            }
        }
    }

    /// From now on an append returns when its frame is written, and its caller waits with [`Acknowledged::wait`], if
    /// the policy was to sync before. So callers that share a store share the syncs.
    pub(crate) fn let_callers_wait(&mut self) {
        let policy = std::mem::replace(&mut self.policy, Policy::None);
        self.policy = match policy {
            Policy::Appender(flusher) => Policy::Waiters(flusher),
            other => other,
        };
    }

    /// How far other threads may look.
    pub(crate) fn acknowledged(&self) -> Acknowledged {
        Acknowledged(match &self.policy {
            Policy::Appender(flusher) | Policy::Waiters(flusher) => Some(Arc::clone(flusher)),
            Policy::None | Policy::Interval(_) => None,
        })
    }

    /// Makes frames durable whatever the policy; none if an append is as durable as it gets.
    pub(crate) fn flusher(&self) -> Option<Arc<dyn Flush>> {
        self.log.flusher()
    }

    pub(crate) fn sync(&mut self) -> Result<(), StorageError> {
        self.log.sync()
    }

    pub(crate) fn recovered(&self) -> Option<&TornTail> {
        self.log.recovered()
    }

    pub(crate) fn follower(&self) -> Option<ReadOnlyLog> {
        self.log.follower()
    }

    /// See [`Log::reader`].
    pub(crate) fn reader(&mut self, reader: Option<LogReader>) -> LogReader {
        self.log.reader(reader)
    }

    /// Ends the thread that syncs, syncs, and closes the log.
    pub(crate) fn close(self) -> Result<(), StorageError> {
        let Self { policy, log } = self;
        // Its own failures have stopped the log, which reports that.
        drop(policy);
        log.close()
    }
}

/// How far a store's transactions may be shown to other callers than the one that commits them: up to the last durable
/// one under [`Durability::Always`], and without a limit otherwise.
#[derive(Clone, Default)]
pub(crate) struct Acknowledged(Option<Arc<dyn Flush>>);

impl Acknowledged {
    /// The last frame that may be shown; the outer `None` is no limit, the inner one no frame.
    #[allow(clippy::option_option)]
    pub(crate) fn limit(&self) -> Option<Option<Seq>> {
        self.0.as_ref().map(|flusher| flusher.durable())
    }

    /// Whether a frame may be shown.
    pub(crate) fn has(&self, seq: Seq) -> bool {
        self.limit().is_none_or(|durable| durable >= Some(seq))
    }

    /// Waits until a frame may be shown. The first caller that waits syncs for all.
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

/// A thread that makes each frame durable within an interval of its append. A drop ends it.
struct IntervalSync {
    shared: Arc<IntervalState>,
    thread: Option<JoinHandle<()>>,
    /// The process that started the thread. A fork of it does not have the thread.
    process: u32,
}

struct IntervalState {
    state: Mutex<Pending>,
    changed: Condvar,
}

#[derive(Default)]
struct Pending {
    /// A frame was written that no sync covers which has begun.
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
            .map_err(|e| {
                let message = format!("cannot start the thread that syncs the log: {e}");
                StorageError::new(StorageFailure::Io, message).with_source(e)
            })?;
        Ok(Self {
            shared,
            thread: Some(thread),
            process: std::process::id(),
        })
    }

    fn wrote(&self) {
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
            // For the interval, from the first frame that is not durable; closing ends it early.
            let open = |state: &mut Pending| !state.closing;
            let (mut state, _) = self
                .changed
                .wait_timeout_while(state, interval, open)
                .unwrap_or_else(PoisonError::into_inner);
            state.unsynced = false;
            let closing = state.closing;
            drop(state);
            // The close of the log makes the last sync. After a failed sync the log has stopped.
            if closing || flusher.flush().is_err() {
                return;
            }
        }
    }
}

impl Drop for IntervalSync {
    fn drop(&mut self) {
        if self.process != std::process::id() {
            // The thread is not in this process, and it may hold the lock in the other one.
            return;
        }
        self.shared.lock().closing = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // Its failures have stopped the log, which reports that.
            let _ = thread.join();
        }
    }
}

/// A committed frame, as a [`Follower`] sees it.
pub(crate) struct Commit<'a> {
    /// Where the store stands after it.
    pub at: At,
    /// The fingerprint of the graph after it; none if the store keeps none.
    pub fingerprint: Option<u128>,
    /// What it changed.
    pub facts: &'a Facts,
    /// The frame in the log; none of a store that keeps no log.
    pub frame: Option<CommitFrame<'a>>,
    /// The graph after it.
    pub core: &'a Core,
    /// Makes a copy of the graph after it.
    pub copy: &'a dyn Fn() -> Graph<Paged>,
}

/// A frame that has just been written or read.
#[derive(Clone, Copy)]
pub(crate) struct CommitFrame<'a> {
    pub header: FrameHeader,
    pub payload: &'a [u8],
    pub position: Position,
    pub tags: &'a Arc<Tags>,
}

/// State of an upper layer that lies in a store, is dropped with it, and may follow its commits.
pub(crate) trait Follower: Any + Send + Sync {
    /// Whether it wants to be told of the next commit.
    fn listens(&self) -> bool;

    /// Takes in a frame that was committed, or read by a store that is open for reading. It runs in the committing
    /// caller after the transaction has happened, so that it cannot fail.
    fn committed(&mut self, commit: &Commit<'_>);
}

/// The followers of a store, one of each type: a list, since there are three at most. An empty one costs a commit one
/// load.
#[derive(Default)]
pub(crate) struct Followers(OnceLock<Box<Node>>);

struct Node {
    follower: Box<dyn Follower>,
    next: Followers,
}

impl Followers {
    /// The follower of a type; it is made on the first call.
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

    /// Whether a follower wants to be told of the next commit.
    #[inline]
    pub(crate) fn listen(&self) -> bool {
        self.0.get().is_some() && self.one_listens()
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

    /// Tells each of them. Where one panics, because it copied values of the user's, the others are told all the same:
    /// one that has missed a frame would give the next one in its place.
    pub(crate) fn committed(&mut self, commit: &Commit<'_>) {
        let mut panicked = None;
        let mut list = self;
        while let Some(node) = list.0.get_mut() {
            let follower = &mut node.follower;
            let told = catch_unwind(AssertUnwindSafe(|| follower.committed(commit)));
            panicked = panicked.or(told.err());
            list = &mut node.next;
        }
        if let Some(panic) = panicked {
            resume_unwind(panic);
        }
    }
}

#[cfg(test)]
mod tests;

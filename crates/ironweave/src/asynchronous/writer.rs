//! The thread of an async store, which executes what tasks submit and syncs it.
//!
//! 1. A task puts its event or call into the queue of the shared store, together with a [`Signal`] into the list of this
//!    module ([`Front::submit`]). It then waits for the signal. Neither step blocks.
//! 2. The thread takes all signals, executes all queued jobs, whose transactions are written together, and syncs once.
//! 3. It sets the signals. Each task takes its result from its job. What was submitted during the sync is the next batch.
//!
//! Other threads may use the shared store as well, and may execute what tasks have submitted. The thread then finds the results
//! there and only syncs. So only this thread wakes tasks, and only after their results are durable.
//!
//! The thread ends when the last handle was dropped or the store was closed, after it has executed everything that was submitted
//! before.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;

use crate::base::position::Seq;
use crate::base::signal::Signal;
use crate::base::storage_error::{StorageError, StorageFailure};
use crate::base::workers::Workers;
use crate::snapshot::StoreReader;
use crate::step::model::Model;
use crate::store::SharedStore;
use crate::store::share::queue::{Job, Slot, Submitter};

/// The number of threads that read the log for tasks at most.
const READERS_MAX: usize = 4;

/// What the handles of an async store, its futures and its thread share.
pub(super) struct Front<M: Model> {
    submitter: Submitter<M>,
    state: Mutex<State>,
    /// Notifies the thread.
    changed: Condvar,
    /// The reader of the store, once it was asked for.
    pub(super) reader: OnceLock<StoreReader<M>>,
    /// Threads that read the log.
    readers: Arc<Workers>,
}

#[derive(Default)]
struct State {
    /// The signals of the jobs that were put into the queue and not yet taken up by the thread.
    submitted: Vec<Arc<Signal>>,
    /// The signals of the tasks that wait for room in the queue.
    blocked: Vec<Arc<Signal>>,
    /// No more jobs are accepted.
    ended: bool,
    /// The result of closing the store, once it was closed.
    closed: Option<Result<(), StorageError>>,
    /// The signals of the tasks that wait until the store is closed.
    closing: Vec<Arc<Signal>>,
}

/// A result that the thread has made durable, unless the sync failed.
pub(super) struct Executed<R> {
    pub result: R,
    /// Whether the job has written a frame.
    pub wrote: bool,
    /// The error if a failed sync may have lost a frame that the result depends on.
    pub waited: Result<(), StorageError>,
}

impl<M: Model> Front<M> {
    /// Starts the thread of a store.
    pub(super) fn start(store: SharedStore<M>) -> Result<Arc<Self>, StorageError> {
        let front = Arc::new(Self {
            submitter: store.submitter(),
            state: Mutex::default(),
            changed: Condvar::new(),
            reader: OnceLock::new(),
            readers: Workers::new("ironweave-read", READERS_MAX),
        });
        let of_thread = Arc::clone(&front);
        let thread = thread::Builder::new().name("ironweave-write".to_owned());
        let started = thread.spawn(move || of_thread.run(store));
        started.map_err(|e| StorageError::no_thread("the thread of an async store", e))?;
        Ok(front)
    }

    // Only allocations happen under this lock, and each change under it is one assignment.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Submits a job when the future is first polled, and returns its result when that is durable.
    ///
    /// # Errors
    /// If the store was closed before.
    pub(super) async fn execute<W, R>(
        self: Arc<Self>,
        slot: Arc<Slot<W, R>>,
    ) -> Result<Executed<R>, StorageError>
    where
        Slot<W, R>: Job<M> + 'static,
    {
        let done = {
            let job = Arc::clone(&slot) as Arc<dyn Job<M>>;
            let done = Arc::new(Signal::default());
            while let Some(room) = self.submit(&job, &done)? {
                room.wait().await;
            }
            done
        };
        done.wait().await;
        let (result, wrote, waited) = self.submitter.take(&slot)?;
        Ok(Executed {
            result,
            wrote,
            waited,
        })
    }

    /// Puts a job into the queue. If the queue is full, returns a signal that is set when there is room.
    ///
    /// # Panics
    /// If a call or a handler polls the future, in the thread that executes it.
    fn submit(
        &self,
        job: &Arc<dyn Job<M>>,
        done: &Arc<Signal>,
    ) -> Result<Option<Arc<Signal>>, StorageError> {
        self.submitter.refuse_if_held();
        let mut state = self.lock();
        if state.ended {
            return Err(StorageError::closed());
        }
        // The job is put into the queue under this lock, so that the thread finds it there when it has taken the signal.
        let room = match self.submitter.push(job) {
            true => {
                state.submitted.push(Arc::clone(done));
                None
            }
            false => {
                let room = Arc::new(Signal::default());
                state.blocked.push(Arc::clone(&room));
                Some(room)
            }
        };
        drop(state);
        self.changed.notify_one();
        Ok(room)
    }

    /// Runs a closure that blocks, on a thread that is started for it. A panic of the closure continues in the task.
    ///
    /// # Errors
    /// If the operating system cannot start a thread.
    pub(super) async fn run_blocking<R: Send + 'static>(
        self: Arc<Self>,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, StorageError> {
        let called = Arc::clone(&self.readers).call(work).await;
        called.map_err(|e| StorageError::no_thread("a thread that reads the log", e))
    }

    /// Ends the thread after it has executed what was submitted before.
    pub(super) fn end(&self) {
        self.lock().ended = true;
        self.changed.notify_one();
    }

    /// Ends the thread, and returns when it has closed the store.
    ///
    /// # Panics
    /// As [`Front::submit`].
    pub(super) async fn close(self: Arc<Self>) -> Result<(), StorageError> {
        self.submitter.refuse_if_held();
        let signal = Arc::new(Signal::default());
        {
            let mut state = self.lock();
            match state.closed {
                Some(_) => signal.set(),
                None => state.closing.push(Arc::clone(&signal)),
            }
        }
        self.end();
        signal.wait().await;
        match &self.lock().closed {
            Some(Err(e)) => Err(e.duplicate()),
            _ => Ok(()),
        }
    }

    fn run(&self, store: SharedStore<M>) {
        while let Some(submitted) = self.next() {
            let seen = serve(&store);
            let room = std::mem::take(&mut self.lock().blocked);
            room.iter().for_each(|signal| signal.set());
            // Each task finds the error of a failed sync when it takes its result.
            let _ = self.submitter.wait_until_shown(seen);
            submitted.iter().for_each(|signal| signal.set());
        }
        let closed = catch_unwind(AssertUnwindSafe(|| store.close().map(drop)));
        let closed = closed.unwrap_or_else(|_| {
            Err(StorageError::new(
                StorageFailure::Internal,
                "user code panicked while the store was closed; open it again",
            ))
        });
        let closing = {
            let mut state = self.lock();
            state.closed = Some(closed);
            std::mem::take(&mut state.closing)
        };
        closing.iter().for_each(|signal| signal.set());
    }

    /// Waits until there is something to execute, and returns the signals to set after that. Returns `None` at the end.
    fn next(&self) -> Option<Vec<Arc<Signal>>> {
        let idle = |state: &mut State| {
            state.submitted.is_empty() && state.blocked.is_empty() && !state.ended
        };
        let waited = self.changed.wait_while(self.lock(), idle);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        if state.submitted.is_empty() && state.blocked.is_empty() {
            return None;
        }
        Some(std::mem::take(&mut state.submitted))
    }
}

/// Executes everything in the queue of a store, and returns the last frame that a job could see.
fn serve<M: Model>(store: &SharedStore<M>) -> Option<Seq> {
    let serve = || catch_unwind(AssertUnwindSafe(|| store.exclusive(|store| store.seq())));
    // If user code panics after the events have fired, for example in a snapshot, every job has its result, and the queue is
    // empty at the second call.
    serve().or_else(|_| serve()).unwrap_or_default()
}

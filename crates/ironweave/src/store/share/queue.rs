//! The queue of a shared store: events that were submitted to it, and calls that need the store itself, in the order of their
//! submission.
//!
//! Events in a row fire as one batch, whose transactions are written together. A call runs after the batch before it was
//! written, so that it may read the log. Nothing is synced here: the caller that locked the store waits until all of it is durable, so
//! that a run of events and calls needs one sync.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::base::error::StepError;
use crate::base::position::Seq;
use crate::base::storage_error::{StorageError, StorageFailure};
use crate::step::event::{Event, Receipt};
use crate::step::model::Model;
use crate::store::Store;
use crate::store::batch::{Batch, Written};

/// The number of jobs that the queue holds at most.
const QUEUE_MAX: usize = 1 << 16;

/// The events and calls that were submitted and not executed yet.
pub(super) struct Queue<M: Model> {
    jobs: Mutex<Jobs<M>>,
    /// The number of jobs that were submitted.
    submitted: AtomicU64,
    /// The number of jobs that were executed and written. Only the thread that holds the store changes it.
    served: AtomicU64,
}

struct Jobs<M: Model> {
    queued: Vec<Arc<dyn Job<M>>>,
    /// An empty list, whose memory is reused.
    spare: Vec<Arc<dyn Job<M>>>,
}

impl<M: Model> Default for Queue<M> {
    fn default() -> Self {
        Self {
            jobs: Mutex::new(Jobs {
                queued: Vec::new(),
                spare: Vec::new(),
            }),
            submitted: AtomicU64::new(0),
            served: AtomicU64::new(0),
        }
    }
}

impl<M: Model> Queue<M> {
    // No user code runs under this lock.
    fn jobs(&self) -> MutexGuard<'_, Jobs<M>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a job. Returns its number, or `None` if the queue is full.
    pub(super) fn push(&self, job: &Arc<dyn Job<M>>) -> Option<u64> {
        let mut jobs = self.jobs();
        if jobs.queued.len() >= QUEUE_MAX {
            return None;
        }
        jobs.queued.push(Arc::clone(job));
        Some(self.submitted.fetch_add(1, Ordering::AcqRel))
    }

    /// Returns the number of jobs that were executed and written.
    pub(super) fn served(&self) -> u64 {
        self.served.load(Ordering::Acquire)
    }

    /// Executes all jobs that were submitted before the call, and writes their transactions.
    pub(super) fn serve(&self, store: &mut Store<M>) {
        if self.submitted.load(Ordering::Acquire) != self.served.load(Ordering::Relaxed) {
            self.serve_queued(store);
        }
    }

    #[cold]
    fn serve_queued(&self, store: &mut Store<M>) {
        let (mut jobs, end) = {
            let mut jobs = self.jobs();
            let spare = std::mem::take(&mut jobs.spare);
            let queued = std::mem::replace(&mut jobs.queued, spare);
            (queued, self.submitted.load(Ordering::Relaxed))
        };
        let first = end - jobs.len() as u64;
        let mut batch = Batch::begin(store);
        let (mut served, mut panic) = (0, None);
        let mut write = |batch: &mut Batch<'_, M>, end: usize| {
            let written = batch.write();
            for job in &jobs[served..end] {
                job.end(&written);
            }
            served = end;
            self.served.store(first + served as u64, Ordering::Release);
            panic = panic.take().or(written.panic);
        };
        for (index, job) in jobs.iter().enumerate() {
            if job.is_call() {
                write(&mut batch, index);
            }
            job.execute(&mut batch);
            if job.is_call() || batch.is_full() || index + 1 == jobs.len() {
                write(&mut batch, index + 1);
            }
        }
        jobs.clear();
        self.jobs().spare = jobs;
        // User code panicked after the events had fired. Every job has its result.
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    }
}

/// An event or a call of the queue, without its type.
pub(crate) trait Job<M: Model>: Send + Sync {
    /// Fires the event or runs the call, and keeps the result.
    fn execute(&self, batch: &mut Batch<'_, M>);

    /// Returns whether the job is a call, before which the batch must be written.
    fn is_call(&self) -> bool;

    /// Replaces the result if it depends on a transaction that was not written.
    fn end(&self, written: &Written);
}

/// Puts jobs into the queue of a shared store, and returns their results, without keeping the store open and without ever
/// locking it.
#[cfg(feature = "async")]
pub(crate) struct Submitter<M: Model>(pub(super) Arc<super::Shared<M>>);

#[cfg(feature = "async")]
impl<M: Model> Submitter<M> {
    /// Panics if this thread holds the store. It would wait for itself.
    pub(crate) fn refuse_if_held(&self) {
        super::HeldGuard::refuse_if_held(self.0.address());
    }

    /// Adds a job. Returns `false` if the queue is full.
    pub(crate) fn push(&self, job: &Arc<dyn Job<M>>) -> bool {
        self.0.queue.push(job).is_some()
    }

    /// Waits until a frame may be shown to callers. The first caller that waits syncs for all.
    pub(crate) fn wait_until_shown(&self, seq: Option<Seq>) -> Result<(), StorageError> {
        self.0.wait_until_shown(seq)
    }

    /// Takes the result of a job: whether it has written a frame, and the error if a failed sync may have lost a frame that
    /// the result depends on. A panic of the job continues here.
    ///
    /// # Errors
    /// If the job was not executed.
    #[allow(clippy::type_complexity)]
    pub(crate) fn take<W, R>(
        &self,
        slot: &Slot<W, R>,
    ) -> Result<(R, bool, Result<(), StorageError>), StorageError> {
        let fired = slot.take().ok_or_else(not_fired)?;
        let result = fired.result.unwrap_or_else(|panic| resume_unwind(panic));
        let waited = self.wait_until_shown(fired.next.checked_sub(1));
        Ok((result, fired.wrote, waited))
    }
}

/// Work that was submitted, and then its result.
pub(crate) struct Slot<W, R>(Mutex<State<W, R>>);

/// A submitted event, and then its result.
pub(crate) type EventSlot<E> = Slot<E, Result<Receipt<E>, StepError>>;

/// A call, with the closure that it runs on the store.
pub(crate) struct Call<F>(pub F);

enum State<W, R> {
    Queued(W),
    Fired(Fired<R>),
    /// The work is being done, or its result was taken.
    Empty,
}

/// The result of an event or a call.
pub(crate) struct Fired<R> {
    /// The error is a panic of user code.
    pub result: thread::Result<R>,
    /// Whether it has written a frame.
    pub wrote: bool,
    /// The frame after those that it could see, its own included.
    pub next: Seq,
}

impl<W, R> Slot<W, R> {
    pub(crate) fn new(work: W) -> Self {
        Self(Mutex::new(State::Queued(work)))
    }

    // No user code runs under this lock.
    fn lock(&self) -> MutexGuard<'_, State<W, R>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the work, unless it was taken before.
    fn start(&self) -> Option<W> {
        let mut state = self.lock();
        match std::mem::replace(&mut *state, State::Empty) {
            State::Queued(work) => Some(work),
            other => {
                *state = other;
                None
            }
        }
    }

    /// Takes the result; `None` if there is none.
    pub(crate) fn take(&self) -> Option<Fired<R>> {
        let taken = std::mem::replace(&mut *self.lock(), State::Empty);
        match taken {
            State::Fired(fired) => Some(fired),
            State::Queued(_) | State::Empty => None,
        }
    }

    /// Returns whether the result may be shown. `has` is whether a frame may be shown.
    pub(super) fn is_shown(&self, has: impl FnOnce(Seq) -> bool) -> bool {
        match &*self.lock() {
            State::Fired(fired) => fired.next.checked_sub(1).is_none_or(has),
            State::Queued(_) | State::Empty => false,
        }
    }
}

/// Returns the error for a caller whose event or call has no result.
pub(super) fn not_fired() -> StorageError {
    StorageError::new(
        StorageFailure::Internal,
        "the thread that fired the submitted events panicked, which is a defect of ironweave; open the store again",
    )
}

impl<E> Job<E::Model> for EventSlot<E>
where
    E: Event<Bound: Send, Created: Send> + Send,
{
    fn execute(&self, batch: &mut Batch<'_, E::Model>) {
        let Some(event) = self.start() else {
            return;
        };
        // A panic drops the transaction, which rolls it back.
        let fire = || batch.fire(|transaction| transaction.receipt(event));
        let result = catch_unwind(AssertUnwindSafe(fire));
        let wrote = matches!(result, Ok(Ok(_)));
        let next = batch.next();
        *self.lock() = State::Fired(Fired {
            result,
            wrote,
            next,
        });
    }

    fn is_call(&self) -> bool {
        false
    }

    fn end(&self, written: &Written) {
        if let Some(lost) = &written.lost
            && let State::Fired(fired) = &mut *self.lock()
            && let Ok(result) = &mut fired.result
        {
            lost.replace(result, fired.next);
        }
    }
}

impl<M, F, R> Job<M> for Slot<Call<F>, R>
where
    M: Model,
    F: FnOnce(&mut Store<M>) -> R + Send,
    R: Send,
{
    fn execute(&self, batch: &mut Batch<'_, M>) {
        let Some(Call(call)) = self.start() else {
            return;
        };
        let store = batch.written_store();
        let before = store.seq();
        // A panic drops the transaction, which rolls it back.
        let result = catch_unwind(AssertUnwindSafe(|| call(store)));
        let wrote = store.seq() != before;
        let next = store.seq().map_or(Seq::ZERO, |seq| seq + 1);
        *self.lock() = State::Fired(Fired {
            result,
            wrote,
            next,
        });
    }

    fn is_call(&self) -> bool {
        true
    }

    fn end(&self, _: &Written) {}
}

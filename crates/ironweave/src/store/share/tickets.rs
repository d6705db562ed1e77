//! Events that were submitted to a shared store: they wait in a queue, and are fired and written as one batch.
//!
//! 1. [`SharedStore::submit`] puts an event into the queue and returns a ticket. It does not lock the store.
//! 2. The next caller that locks the store fires all queued events in the order of their submission and writes them
//!    together ([`Queue::serve`]), whether it waits for a ticket or calls the store for something else.
//! 3. Threads that wait for other tickets meanwhile wait for the lock, and then find the results of their events. Each
//!    waits until its result may be shown, and the first one of them syncs for all ([`Acknowledged`](super::Acknowledged)).
//!
//! No thread serves in the background, and no thread is woken for a single event. Threads wait for locks and not for a
//! notification, so a panic of the thread that fires the events cannot leave another one waiting.

use std::fmt;
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
use crate::store::share::{HeldGuard, Shared, SharedStore, shown};

/// The number of events that the queue holds at most.
const QUEUE_MAX: usize = 1 << 16;

impl<M: Model> SharedStore<M> {
    /// Puts an event into the queue of the store and returns a ticket, with which any thread can [wait](Ticket::wait) for the
    /// result. Events fire in the order in which they were submitted, each in a transaction of its own, as with
    /// [`SharedStore::step_all`]; those that wait together are written together and synced once.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
    /// use ironweave::prelude::*;
    /// use lamps::{Bought, Lamp};
    ///
    /// let store = Store::<lamps::Model>::memory().share();
    /// let hall = store.submit(Bought { room: "hall".into() });
    /// let again = store.submit(Bought { room: "hall".into() });
    /// // A call of the store fires what was submitted before.
    /// assert_eq!(store.read(|db| db.count::<Lamp, Any>())?, 1);
    /// let hall = hall.wait()?.created.lamp;
    /// assert!(again.wait().is_err_and(|e| e.is_rejection()));
    /// # Ok::<(), StepError>(())
    /// ```
    ///
    /// The event fires when a thread waits for this or any other ticket of the store, and before any other call of the store
    /// does its work, [`SharedStore::close`] and the drop of the last handle included. If there is no such call, it does not
    /// fire: no thread serves the queue in the background. Dropping the ticket does not cancel the event. Snapshots of a
    /// [`StoreReader`](crate::StoreReader) and subscriptions show the event once it was fired.
    ///
    /// This call does not wait for the disk, except if 65,536 events are in the queue. Then it fires and writes them first.
    ///
    /// A panic of user code while the event fires rolls the event back, and continues in the thread that waits for the
    /// ticket. It affects no other event.
    ///
    /// # Panics
    /// If the same thread holds the store; see [`SharedStore`].
    pub fn submit<E>(&self, event: E) -> Ticket<E>
    where
        E: Event<Model = M, Bound: Send, Created: Send> + Send,
    {
        let shared = self.shared();
        HeldGuard::refuse_if_held(shared.address());
        let slot = Arc::new(Slot(Mutex::new(State::Queued(event))));
        let job = Arc::clone(&slot) as Arc<dyn Job<M>>;
        let number = loop {
            if let Some(number) = shared.queue.push(&job) {
                break number;
            }
            self.exclusive(|_| ());
        };
        Ticket {
            slot,
            number,
            shared: Arc::clone(shared),
        }
    }
}

/// A claim to the result of an event that was submitted to a [`SharedStore`]; see [`SharedStore::submit`].
///
/// Dropping a ticket does not cancel the event. A ticket does not keep the store open.
#[must_use = "only the ticket returns whether the event was accepted; dropping it does not cancel the event"]
pub struct Ticket<E: Event> {
    slot: Arc<Slot<E>>,
    number: u64,
    shared: Arc<Shared<E::Model>>,
}

impl<E: Event> fmt::Debug for Ticket<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket")
            .field("event", &E::NAME)
            .field("number", &self.number)
            .field("is_done", &self.is_done())
            .finish()
    }
}

impl<E: Event> Ticket<E> {
    /// Returns the result of the event, once it is durable in the sense of the store's [`Durability`](crate::Durability). If
    /// the event was not fired yet, this thread fires all submitted events and writes them together.
    ///
    /// # Errors
    /// As [`SharedStore::try_step`]. If a write or sync failed, every event that was written with it and may be lost gets an
    /// error; see [`Store::step_all`].
    ///
    /// # Panics
    /// If user code panicked while the event fired; the panic continues here. If the same thread holds the store; see
    /// [`SharedStore`].
    pub fn wait(self) -> Result<Receipt<E>, StepError> {
        HeldGuard::refuse_if_held(self.shared.address());
        if !self.is_fired() {
            self.shared.exclusive(|_| ());
        }
        let Fired { result, next } = self.slot.take();
        let result = result.unwrap_or_else(|panic| resume_unwind(panic));
        let wrote = result.is_ok();
        shown(
            result,
            wrote,
            self.shared.wait_until_shown(next.checked_sub(1)),
        )
    }

    /// Returns whether the result of the event is there, so that [`Ticket::wait`] returns it at once. This call fires and syncs
    /// nothing. It stays `false` until another call of the store fires the event, so do not wait by calling it repeatedly.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.is_fired() && self.slot.is_shown(|seq| self.shared.acknowledged.has(seq))
    }

    /// Returns whether the event was fired, and written if it was accepted.
    fn is_fired(&self) -> bool {
        self.shared.queue.served.load(Ordering::Acquire) > self.number
    }
}

/// The events that were submitted and not fired yet.
pub(super) struct Queue<M: Model> {
    jobs: Mutex<Jobs<M>>,
    /// The number of events that were submitted.
    submitted: AtomicU64,
    /// The number of events that were fired and written. Only the thread that holds the store changes it.
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

    /// Adds an event. Returns its number, or `None` if the queue is full.
    fn push(&self, job: &Arc<dyn Job<M>>) -> Option<u64> {
        let mut jobs = self.jobs();
        if jobs.queued.len() >= QUEUE_MAX {
            return None;
        }
        jobs.queued.push(Arc::clone(job));
        Some(self.submitted.fetch_add(1, Ordering::AcqRel))
    }

    /// Fires all events that were submitted before the call, and writes them together.
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
        for (index, job) in jobs.iter().enumerate() {
            job.fire(&mut batch);
            if batch.is_full() || index + 1 == jobs.len() {
                let written = batch.write();
                for job in &jobs[served..=index] {
                    job.end(&written);
                }
                served = index + 1;
                self.served.store(first + served as u64, Ordering::Release);
                panic = panic.or(written.panic);
            }
        }
        jobs.clear();
        self.jobs().spare = jobs;
        // User code panicked after the events had fired. Every ticket has its result.
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    }
}

/// An event of the queue, without its type.
trait Job<M: Model>: Send + Sync {
    /// Fires the event, and keeps its result.
    fn fire(&self, batch: &mut Batch<'_, M>);

    /// Replaces the result if it depends on a transaction that was not written.
    fn end(&self, written: &Written);
}

/// A submitted event, and then its result.
struct Slot<E: Event>(Mutex<State<E>>);

enum State<E: Event> {
    Queued(E),
    Fired(Fired<E>),
    /// The event is being fired, or its result was taken.
    Empty,
}

struct Fired<E: Event> {
    /// The outer error is a panic of user code.
    result: thread::Result<Result<Receipt<E>, StepError>>,
    /// The frame after those that the event could see, its own included.
    next: Seq,
}

impl<E: Event> Slot<E> {
    // No user code runs under this lock.
    fn lock(&self) -> MutexGuard<'_, State<E>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the result.
    fn take(&self) -> Fired<E> {
        match std::mem::replace(&mut *self.lock(), State::Empty) {
            State::Fired(fired) => fired,
            State::Queued(_) | State::Empty => Fired {
                result: Ok(Err(StepError::Storage(StorageError::new(
                    StorageFailure::Internal,
                    "the thread that fired the submitted events panicked, which is a defect of ironweave; open the store again",
                )))),
                next: Seq::ZERO,
            },
        }
    }

    /// Returns whether the result may be shown. `has` is whether a frame may be shown.
    fn is_shown(&self, has: impl FnOnce(Seq) -> bool) -> bool {
        match &*self.lock() {
            State::Fired(fired) => fired.next.checked_sub(1).is_none_or(has),
            State::Queued(_) | State::Empty => false,
        }
    }
}

impl<E> Job<E::Model> for Slot<E>
where
    E: Event<Bound: Send, Created: Send> + Send,
{
    fn fire(&self, batch: &mut Batch<'_, E::Model>) {
        let State::Queued(event) = std::mem::replace(&mut *self.lock(), State::Empty) else {
            return;
        };
        // A panic drops the transaction, which rolls it back.
        let fire = || batch.fire(|transaction| transaction.receipt(event));
        let result = catch_unwind(AssertUnwindSafe(fire));
        let next = batch.next();
        *self.lock() = State::Fired(Fired { result, next });
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

//! A store that threads share: each thread has a clone of a handle, and concurrent commits share a sync (group commit).
//!
//! 1. One caller at a time holds the lock of the store. It fires its events, and its frame is written but not synced.
//! 2. The caller releases the lock, so that the next caller can write, and waits until all frames that it could see are
//!    durable.
//! 3. The first caller that waits syncs all frames that are written by then. The sync covers the frames of the other
//!    callers, which then return without one of their own.
//!
//! So no caller gets a result that a power failure could invalidate. That holds for receipts and also for rejections
//! and reads, since these may depend on an event of another caller that is not durable yet.
//!
//! Events that were submitted wait in a queue ([`queue`]). The next caller that locks the store fires them first, as one batch.
//!
//! The past is read through a [`LogView`] with its own reader of the log. The lock of the store is held only while that
//! reader is brought up to date, so that reads of the past do not block writers.

pub(crate) mod queue;
#[cfg(test)]
mod tests;
pub(crate) mod tickets;

use std::cell::RefCell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::error::{OpenError, ReadError, StepError};
use crate::base::meta::Meta;
use crate::base::position::{FrameRef, Position, Seq};
use crate::base::storage_error::StorageError;
use crate::log::LogReader;
use crate::step::event::{Event, Receipt};
use crate::step::model::Model;
use crate::store::checkpoint::background::Checkpoints;
use crate::store::commit::Acknowledged;
use crate::store::share::queue::Queue;
use crate::store::view::LogView;
use crate::store::{
    AnyReceipt, Backend, Checkpoint, Committed, Store, Transaction, Verified, VerifyError, retry,
    verify,
};

/// A handle on a store that threads share; [`Store::share`] creates it. A clone is another handle on the same store.
/// The store is closed when its last handle is dropped.
///
/// One caller at a time uses the store. With [`Durability::Always`](crate::Durability::Always) callers share the syncs,
/// so that many threads together commit many more steps per second than one thread. When a call returns, all
/// transactions that its receipt, rejection or result depends on are durable in the sense of the store's
/// [`Durability`](crate::Durability).
///
/// [`submit`](SharedStore::submit) returns a [`Ticket`](crate::Ticket) without waiting, and events that were submitted are
/// written and synced together. Every other call fires the submitted events first, so a thread sees what it submitted before.
///
/// Reads of the past ([`as_of`](SharedStore::as_of), [`history`](SharedStore::history),
/// [`since`](SharedStore::since), [`verify`](SharedStore::verify)) do not block other callers, since they read the log
/// through a reader of their own.
///
/// The transaction of a caller that fails or panics is rolled back, and does not affect other callers. A failed sync
/// stops the store for all callers; a caller whose frame was not durable yet gets [`StepError::Indeterminate`].
///
/// ```
/// # #[ironweave::model]
/// # pub mod till {
/// #     use ironweave::prelude::*;
/// #     /// An account of a customer.
/// #     #[entity]
/// #     pub struct Account {
/// #         /// The name of the customer.
/// #         #[key]
/// #         pub owner: String,
/// #     }
/// #     /// The states of an account.
/// #     #[states(Account)]
/// #     pub enum AccountState {
/// #         /// The account can be used.
/// #         #[initial]
/// #         #[terminal]
/// #         Open,
/// #     }
/// #     /// An account is opened.
/// #     #[event]
/// #     #[create(account: Account { owner })]
/// #     pub struct Opened {
/// #         /// The name of the customer.
/// #         pub owner: String,
/// #     }
/// # }
/// use std::thread;
///
/// use ironweave::prelude::*;
/// use till::{Account, Opened};
///
/// let store = Store::<till::Model>::memory().share();
/// thread::scope(|s| {
///     for owner in ["Ada", "Grace", "Barbara"] {
///         let store = store.clone();
///         s.spawn(move || store.try_step(Opened { owner: owner.into() }));
///     }
/// });
/// assert_eq!(store.read(|db| db.count::<Account, Any>())?, 3);
/// # Ok::<(), StorageError>(())
/// ```
///
/// # Panics
/// If a handle is used while the same thread holds the store: in the closure of [`SharedStore::read`],
/// [`SharedStore::transaction`] and the like, or in a guard, handler or invariant. The call would be a deadlock.
pub struct SharedStore<M: Model> {
    handle: Arc<Handle<M>>,
}

/// What all handles on a store share. Dropping it closes the store.
struct Handle<M: Model>(Arc<Shared<M>>);

/// What handles, tickets and drivers share. A ticket or driver does not keep the store open.
pub(super) struct Shared<M: Model> {
    /// `None` once the last handle was dropped.
    store: Mutex<Option<Store<M>>>,
    queue: Queue<M>,
    /// The last frame that may be shown to callers.
    acknowledged: Acknowledged,
    /// The reader of the log that the last view used. This lock is taken before that of `store`.
    reader: Mutex<Option<Arc<LogReader>>>,
    checkpoints: Arc<Checkpoints>,
}

impl<M: Model> Clone for SharedStore<M> {
    fn clone(&self) -> Self {
        Self {
            handle: Arc::clone(&self.handle),
        }
    }
}

impl<M: Model> fmt::Debug for SharedStore<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedStore").finish_non_exhaustive()
    }
}

impl<M: Model> SharedStore<M> {
    pub(super) fn new(mut store: Store<M>) -> Self {
        if let Backend::Writable(log) = &mut store.log {
            log.sync_by_waiters();
        }
        let shared = Shared {
            acknowledged: store.log.acknowledged(),
            checkpoints: Arc::clone(&store.checkpoints),
            store: Mutex::new(Some(store)),
            queue: Queue::default(),
            reader: Mutex::new(None),
        };
        Self {
            handle: Arc::new(Handle(Arc::new(shared))),
        }
    }
}

impl<M: Model> SharedStore<M> {
    /// As [`Store::try_step`]; returns when the step is durable.
    ///
    /// # Errors
    /// As [`Store::try_step`]; `Indeterminate` if the sync of its frame failed.
    pub fn try_step<E: Event<Model = M>>(&self, event: E) -> Result<Receipt<E>, StepError> {
        self.act(|store| store.try_step(event))
    }

    /// As [`SharedStore::try_step`], for an event that cannot fail.
    ///
    /// # Panics
    /// If the step fails.
    #[track_caller]
    pub fn step<E: Event<Model = M>>(&self, event: E) -> Receipt<E> {
        match self.try_step(event) {
            Ok(receipt) => receipt,
            Err(e) => panic!("{e}"),
        }
    }

    /// As [`SharedStore::try_step`], with metadata.
    ///
    /// # Errors
    /// As [`Store::try_step_with`] and [`SharedStore::try_step`].
    pub fn try_step_with<E: Event<Model = M>>(
        &self,
        meta: Meta,
        event: E,
    ) -> Result<Receipt<E>, StepError> {
        self.act(|store| store.try_step_with(meta, event))
    }

    /// As [`SharedStore::try_step`], for an event whose type is known only at runtime; see [`crate::AnyEvent`].
    ///
    /// # Errors
    /// As [`SharedStore::try_step`].
    pub fn try_step_any(&self, event: &M::Event) -> Result<AnyReceipt, StepError> {
        self.act(|store| store.try_step_any(event))
    }

    /// As [`SharedStore::try_step_any`], with metadata.
    ///
    /// # Errors
    /// As [`Store::try_step_with`] and [`SharedStore::try_step`].
    pub fn try_step_any_with(&self, meta: Meta, event: &M::Event) -> Result<AnyReceipt, StepError> {
        self.act(|store| store.try_step_any_with(meta, event))
    }

    /// As [`Store::step_all`]; returns when all results are durable. The events are collected before the store is locked.
    ///
    /// # Errors
    /// As [`Store::step_all`] and [`SharedStore::try_step`].
    pub fn step_all<E: Event<Model = M>>(
        &self,
        events: impl IntoIterator<Item = E>,
    ) -> Vec<Result<Receipt<E>, StepError>> {
        let events: Vec<E> = events.into_iter().collect();
        self.act_all(|store| store.step_all(events))
    }

    /// As [`Store::step_all_any`]; returns when all results are durable. The events are collected before the store is locked.
    ///
    /// # Errors
    /// As [`SharedStore::step_all`].
    pub fn step_all_any<'e>(
        &self,
        events: impl IntoIterator<Item = &'e M::Event>,
    ) -> Vec<Result<AnyReceipt, StepError>> {
        let events: Vec<&M::Event> = events.into_iter().collect();
        self.act_all(|store| store.step_all_any(events))
    }

    /// As [`Store::retry`]. The store is not locked between the call of the closure and the step, so that other threads
    /// can commit in between. If the metadata has an [`expect`](Meta::expect) of the [`Store::seq`] that the closure
    /// read, the step is repeated when another thread has changed an entity that the event binds.
    ///
    /// # Errors
    /// As [`Store::retry`] and [`SharedStore::try_step`].
    pub fn retry<E: Event<Model = M>, X: From<StepError>>(
        &self,
        tries: u32,
        event: impl FnMut(&Store<M>) -> Result<(Meta, E), X>,
    ) -> Result<Receipt<E>, X> {
        self.retry_between(tries, event, || {})
    }

    /// As [`SharedStore::retry`]; calls `between` after the closure and before the step, for tests.
    fn retry_between<E: Event<Model = M>, X: From<StepError>>(
        &self,
        tries: u32,
        mut event: impl FnMut(&Store<M>) -> Result<(Meta, E), X>,
        mut between: impl FnMut(),
    ) -> Result<Receipt<E>, X> {
        retry(tries, || {
            let (meta, made) = self.exclusive(|store| event(store))?;
            between();
            Ok(self.try_step_with(meta, made))
        })
    }

    /// As [`Store::transaction`]; returns when the transaction is durable.
    ///
    /// # Errors
    /// The error of the closure; otherwise as [`Transaction::commit`] and [`SharedStore::try_step`].
    pub fn transaction<R, E: From<StepError>>(
        &self,
        work: impl FnOnce(&mut Transaction<'_, M>) -> Result<R, E>,
    ) -> Result<(R, Committed), E> {
        self.transaction_with(Meta::default(), work)
    }

    /// As [`SharedStore::transaction`], with metadata.
    ///
    /// # Errors
    /// As [`SharedStore::transaction`] and [`Store::begin_with`].
    pub fn transaction_with<R, E: From<StepError>>(
        &self,
        meta: Meta,
        work: impl FnOnce(&mut Transaction<'_, M>) -> Result<R, E>,
    ) -> Result<(R, Committed), E> {
        // The outer result has an error of the store, the inner one that of the closure.
        let done: Result<Result<_, E>, StepError> = self.act(|store| {
            let mut transaction = store.begin_with(meta)?;
            match work(&mut transaction) {
                Ok(result) => Ok(Ok((result, transaction.commit()?))),
                Err(e) => Ok(Err(e)),
            }
        });
        done?
    }

    /// As [`Store::what_if`].
    ///
    /// # Errors
    /// As [`Store::what_if`]; `Storage` if a failed sync may have lost a frame that the result depends on.
    pub fn what_if<R, E: From<StepError>>(
        &self,
        ask: impl FnOnce(&mut Transaction<'_, M>) -> Result<R, E>,
    ) -> Result<R, E> {
        let (answer, seen) = self.exclusive(|store| (store.what_if(ask), store.seq()));
        match self.wait_until_shown(seen) {
            Ok(()) => answer,
            Err(e) => Err(StepError::Storage(stopped(e)).into()),
        }
    }

    /// Returns the result of a closure that reads the store, once all frames that the closure could see are durable.
    /// Writers are blocked while the closure runs; [`SharedStore::snapshot`] returns a value that can be read without
    /// that.
    ///
    /// # Errors
    /// `is_stopped` if a failed sync may have lost a frame that the result depends on; open the store again.
    pub fn read<R>(&self, look: impl FnOnce(&Store<M>) -> R) -> Result<R, StorageError> {
        let (answer, seen) = self.exclusive(|store| (look(store), store.seq()));
        self.wait_until_shown(seen).map_err(stopped)?;
        Ok(answer)
    }

    /// As [`Store::sync`].
    ///
    /// # Errors
    /// As [`Store::sync`].
    pub fn sync(&self) -> Result<(), StorageError> {
        self.exclusive(Store::sync)
    }

    /// As [`Store::checkpoint`]. Other callers are blocked while the content is written, and not while it is synced.
    ///
    /// # Errors
    /// As [`Store::checkpoint`].
    pub fn checkpoint(&self) -> Result<Checkpoint, StorageError> {
        // As in `view`, this check comes before `checkpoints` is locked.
        HeldGuard::refuse_if_held(self.shared().address());
        (self.shared().checkpoints)
            .write_alone(|| self.exclusive(Store::begin_checkpoint)?.finish())
    }

    /// As [`Store::last_checkpoint`], without blocking other callers.
    #[must_use]
    pub fn last_checkpoint(&self) -> Option<Result<Checkpoint, StorageError>> {
        self.shared().checkpoints.last()
    }

    /// As [`Store::refresh`], for a store that is open for reading only.
    ///
    /// # Errors
    /// As [`Store::refresh`].
    pub fn refresh(&self) -> Result<Option<Seq>, OpenError> {
        self.exclusive(Store::refresh)
    }

    /// As [`Store::seq`]; returns when the frame is durable.
    ///
    /// # Errors
    /// As [`SharedStore::read`].
    pub fn seq(&self) -> Result<Option<Seq>, StorageError> {
        self.read(Store::seq)
    }

    /// As [`Store::position`]; returns when the frame is durable.
    ///
    /// # Errors
    /// As [`SharedStore::read`].
    pub fn position(&self) -> Result<Option<Position>, StorageError> {
        self.read(Store::position)
    }

    /// As [`Store::locate`], without blocking writers.
    ///
    /// # Errors
    /// As [`Store::locate`] and [`SharedStore::read`].
    pub fn locate(&self, frame: impl Into<FrameRef>) -> Result<Position, ReadError> {
        self.view()?.locate(frame.into())
    }

    /// As [`Store::durable`].
    #[must_use]
    pub fn durable(&self) -> Option<Seq> {
        self.exclusive(|store| store.durable())
    }

    /// As [`Store::verify`], without blocking writers.
    ///
    /// # Errors
    /// As [`Store::verify`] and [`SharedStore::read`].
    pub fn verify(&self) -> Result<u64, VerifyError> {
        verify::verify_view::<M>(self.view()).map(|found| found.agreed)
    }

    /// As [`Store::verify_all`], without blocking writers.
    ///
    /// # Errors
    /// As [`Store::verify`] and [`SharedStore::read`].
    pub fn verify_all(&self) -> Result<Verified, VerifyError> {
        verify::verify_view::<M>(self.view())
    }

    /// Closes the store if this is its last handle, and returns the error that a drop would ignore; see
    /// [`Store::close`]. Returns the handle otherwise. If two threads close the last two handles at the same time, both
    /// calls may return their handles. The store is closed when these handles are dropped, or when `close` is called
    /// again. Events that were submitted fire before the store is closed.
    ///
    /// # Errors
    /// As [`Store::close`]; the handle is consumed in that case too.
    pub fn close(self) -> Result<Option<Self>, StorageError> {
        match Arc::try_unwrap(self.handle) {
            Ok(handle) => handle.0.close().map(|()| None),
            Err(handle) => Ok(Some(Self { handle })),
        }
    }

    /// Returns a view of the log as it is now, which is read without the lock of the store, once all its frames are
    /// durable. The lock is held for a time linear in the frames that were written since the last view.
    ///
    /// # Errors
    /// `Unlogged` if the store keeps no log; otherwise as [`SharedStore::read`].
    pub(crate) fn view(&self) -> Result<LogView<'static>, ReadError> {
        // This check comes before `reader` is locked. Otherwise a thread that holds the store could wait for another
        // one that has locked `reader` and waits for the store.
        HeldGuard::refuse_if_held(self.shared().address());
        let view = {
            let mut cached = (self.shared().reader.lock()).unwrap_or_else(PoisonError::into_inner);
            // A reader that an earlier view still uses is cloned here, before the store is locked.
            let reader = cached.take().map(Arc::unwrap_or_clone);
            let (view, reader) = self.exclusive(|store| store.owned_view(reader))?;
            *cached = Some(reader);
            view
        };
        self.wait_until_shown(view.last).map_err(stopped)?;
        Ok(view)
    }

    pub(super) fn act<R>(
        &self,
        act: impl FnOnce(&mut Store<M>) -> Result<R, StepError>,
    ) -> Result<R, StepError> {
        let (result, wrote, seen) = self.exclusive(|store| {
            let before = store.seq();
            let result = act(store);
            (result, store.seq() != before, store.seq())
        });
        shown(result, wrote, self.wait_until_shown(seen))
    }

    /// As [`SharedStore::act`], for several events, of which each accepted one wrote a frame.
    fn act_all<R>(
        &self,
        act: impl FnOnce(&mut Store<M>) -> Vec<Result<R, StepError>>,
    ) -> Vec<Result<R, StepError>> {
        let (results, first) = self.exclusive(|store| {
            let first = store.next;
            (act(store), first)
        });
        let fired = results.iter().filter(|result| result.is_ok()).count();
        if (self.wait_until_shown((first + fired as u64).checked_sub(1))).is_ok() {
            return results;
        }
        // The first ones may be durable.
        let mut next = first;
        let shown_alone = |result: Result<R, StepError>| {
            let wrote = result.is_ok();
            next += u64::from(wrote);
            shown(result, wrote, self.wait_until_shown(next.checked_sub(1)))
        };
        results.into_iter().map(shown_alone).collect()
    }

    /// Returns what puts jobs into the queue of the store.
    #[cfg(feature = "async")]
    pub(crate) fn submitter(&self) -> queue::Submitter<M> {
        queue::Submitter(Arc::clone(self.shared()))
    }

    pub(super) fn shared(&self) -> &Arc<Shared<M>> {
        &self.handle.0
    }

    /// Waits until a frame may be shown to callers.
    fn wait_until_shown(&self, seq: Option<Seq>) -> Result<(), StorageError> {
        self.shared().wait_until_shown(seq)
    }

    /// Fires the submitted events, and runs a closure, while this thread holds the lock of the store.
    pub(crate) fn exclusive<R>(&self, act: impl FnOnce(&mut Store<M>) -> R) -> R {
        match self.shared().exclusive(act) {
            Some(result) => result,
            None => unreachable!("a store is open while it has a handle"),
        }
    }
}

impl<M: Model> Shared<M> {
    /// Returns the address of this value, which identifies the store in this process.
    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// See [`SharedStore::wait_until_shown`].
    pub(super) fn wait_until_shown(&self, seq: Option<Seq>) -> Result<(), StorageError> {
        match seq {
            Some(seq) => self.acknowledged.wait(seq),
            None => Ok(()),
        }
    }

    /// See [`SharedStore::exclusive`]. Returns `None` if the store was closed.
    pub(super) fn exclusive<R>(&self, act: impl FnOnce(&mut Store<M>) -> R) -> Option<R> {
        let _held = HeldGuard::enter(self.address());
        let mut store = self.lock();
        let store = store.as_mut()?;
        self.queue.serve(store);
        Some(act(store))
    }

    // A panic drops the transaction, which rolls it back. So the store behind a poisoned lock is consistent.
    fn lock(&self) -> MutexGuard<'_, Option<Store<M>>> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fires the submitted events and closes the store.
    fn close(&self) -> Result<(), StorageError> {
        let _held = HeldGuard::enter(self.address());
        let mut guard = self.lock();
        let serve = |store| catch_unwind(AssertUnwindSafe(|| self.queue.serve(store)));
        let served = guard.as_mut().map_or(Ok(()), serve);
        // The lock is held until the end, so that a ticket whose event was fired waits for the last sync.
        let closed = guard.take().map_or(Ok(()), Store::close);
        match served {
            Ok(()) => closed,
            Err(panic) => resume_unwind(panic),
        }
    }
}

impl<M: Model> Drop for Handle<M> {
    fn drop(&mut self) {
        // The next open repeats what fails here. A panic, of user code that copies the values of a submitted event, would abort the
        // process if this one unwinds.
        let _ = catch_unwind(AssertUnwindSafe(|| self.0.close()));
    }
}

/// Returns the result of a caller that waited until it may be shown. `wrote` is whether the caller has written a frame.
pub(crate) fn shown<R>(
    result: Result<R, StepError>,
    wrote: bool,
    waited: Result<(), StorageError>,
) -> Result<R, StepError> {
    match (waited, result) {
        (Ok(()), result) => result,
        (Err(e), Ok(_)) if wrote => Err(StepError::Indeterminate(e)),
        // The error of the caller's own append is more specific than the failed sync of earlier frames.
        (Err(_), Err(own)) if own.is_stopped() => Err(own),
        (Err(e), _) => Err(StepError::Storage(stopped(e))),
    }
}

/// Returns the failed sync of other callers' frames as the error of a caller that has not written a frame.
pub(crate) fn stopped(e: StorageError) -> StorageError {
    if e.is_stopped() {
        e
    } else {
        StorageError::stopped(&e.to_string())
    }
}

thread_local! {
    /// The addresses of the stores whose lock this thread holds.
    static HELD: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// Records that this thread holds the lock of a store, so that a second request for it panics instead of a deadlock.
struct HeldGuard;

impl HeldGuard {
    fn enter(store: usize) -> Self {
        Self::refuse_if_held(store);
        let _ = HELD.try_with(|held| held.borrow_mut().push(store));
        Self
    }

    /// Panics if this thread holds the store.
    fn refuse_if_held(store: usize) {
        // In the destructor of another thread-local value, this list may be destroyed already. The check is skipped
        // then.
        let holds = HELD.try_with(|held| held.borrow().contains(&store));
        assert!(
            !holds.unwrap_or(false),
            "a shared store was used while this thread holds it (in the closure of `read` or `transaction`, or in a \
             guard, handler or invariant), which would be a deadlock; use the argument of the closure"
        );
    }
}

impl Drop for HeldGuard {
    fn drop(&mut self) {
        let _ = HELD.try_with(|held| held.borrow_mut().pop());
    }
}

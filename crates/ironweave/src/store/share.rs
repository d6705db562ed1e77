//! One store for many threads: each of them has a clone of a handle, and they share the syncs.
//!
//! 1. One caller at a time holds the store: it fires its events, and its frame is written, not synced.
//! 2. It releases the store, so that the next caller can write, and waits until everything that it saw is durable.
//! 3. The first caller that waits syncs, for all frames written by then; the others find themselves done.
//!
//! So no caller learns of anything that a power failure could take back: not from a receipt, and not from a rejection or
//! a read either, which may rest on the event of another caller that is still on its way to the disk.
//!
//! The past is read through a [`LogView`] with a reader of its own. The store is held only to bring that up to date, so
//! that questions about the past do not block writers.

#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::base::error::{OpenError, ReadError, StepError};
use crate::base::meta::Meta;
use crate::base::position::{FrameRef, Position, Seq};
use crate::base::storage_error::StorageError;
use crate::log::LogReader;
use crate::step::event::{Event, Receipt};
use crate::step::model::Model;
use crate::store::commit::Acknowledged;
use crate::store::view::LogView;
use crate::store::{AnyReceipt, Backend, Committed, Store, Transaction, VerifyError, verify};

/// A handle on a store that threads share; made by [`Store::share`]. A clone is another handle on the same store,
/// which is closed when the last one is dropped.
///
/// Callers take turns with the store. With [`Durability::Always`](crate::Durability::Always) they share the syncs, so
/// that many threads take many more steps in a second than one. Every receipt, rejection and answer is durable in the
/// sense of the store's [`Durability`](crate::Durability), and so is everything that it rests on.
///
/// Questions about the past ([`as_of`](SharedStore::as_of), [`history`](SharedStore::history),
/// [`since`](SharedStore::since), [`verify`](SharedStore::verify)) do not block other callers: they read the log beside
/// them.
///
/// The transaction of a caller that fails or panics is rolled back, and does not affect other callers. A failed sync stops
/// the store for all: callers whose frame was not durable yet get [`StepError::Indeterminate`].
///
/// ```
/// # #[ironweave::model]
/// # pub mod till {
/// #     use ironweave::prelude::*;
/// #     /// An account of a customer.
/// #     #[entity]
/// #     pub struct Account {
/// #         /// Whose.
/// #         #[key]
/// #         pub owner: String,
/// #     }
/// #     /// Whether it is open.
/// #     #[states(Account)]
/// #     pub enum AccountState {
/// #         /// It is.
/// #         #[initial]
/// #         #[terminal]
/// #         Open,
/// #     }
/// #     /// An account is opened.
/// #     #[event]
/// #     #[create(account: Account { owner })]
/// #     pub struct Opened {
/// #         /// Who.
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
/// [`SharedStore::transaction`] and the like, or in a guard, handler or invariant. It would wait for itself.
pub struct SharedStore<M: Model> {
    shared: Arc<Shared<M>>,
}

struct Shared<M: Model> {
    store: Mutex<Store<M>>,
    /// How far the store's transactions may be shown.
    acknowledged: Acknowledged,
    /// The reader of the log that the last view had. Locked before `store`.
    reader: Mutex<Option<Arc<LogReader>>>,
}

impl<M: Model> Clone for SharedStore<M> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
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
        Self {
            shared: Arc::new(Shared {
                acknowledged: store.log.acknowledged(),
                store: Mutex::new(store),
                reader: Mutex::new(None),
            }),
        }
    }
}

impl<M: Model> SharedStore<M> {
    /// As [`Store::try_step`]; returns when the step is durable.
    ///
    /// # Errors
    /// As [`Store::try_step`]; `Indeterminate` where its sync failed.
    pub fn try_step<E: Event<Model = M>>(&self, event: E) -> Result<Receipt<E>, StepError> {
        self.act(|store| store.try_step(event))
    }

    /// As [`SharedStore::try_step`], for an event that cannot fail.
    ///
    /// # Panics
    /// If it fails.
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

    /// As [`SharedStore::try_step`], for an event that came from outside; see [`crate::AnyEvent`].
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

    /// As [`Store::retry`]. The store is free between what the closure reads and the step, so that other threads can
    /// take theirs. Give the metadata an [`expect`](Meta::expect) of the [`Store::seq`] that the closure saw, and the
    /// step is tried again if another thread has changed an entity that the event binds.
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

    /// As [`SharedStore::retry`]; a test does something between reading and stepping.
    fn retry_between<E: Event<Model = M>, X: From<StepError>>(
        &self,
        tries: u32,
        mut event: impl FnMut(&Store<M>) -> Result<(Meta, E), X>,
        mut between: impl FnMut(),
    ) -> Result<Receipt<E>, X> {
        let mut left = tries.max(1);
        loop {
            let (meta, made) = self.exclusive(|store| event(store))?;
            between();
            left -= 1;
            match self.try_step_with(meta, made) {
                Err(e) if e.is_retryable() && left > 0 => {}
                result => return result.map_err(X::from),
            }
        }
    }

    /// As [`Store::transaction`]; returns when the transaction is durable.
    ///
    /// # Errors
    /// The error of the closure; else as [`Transaction::commit`] and [`SharedStore::try_step`].
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
        // Distinguishes an error of the store from one of the closure.
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
    /// As [`Store::what_if`]; `Storage` if a failed sync may have lost what the answer rests on.
    pub fn what_if<R, E: From<StepError>>(
        &self,
        ask: impl FnOnce(&mut Transaction<'_, M>) -> Result<R, E>,
    ) -> Result<R, E> {
        let (answer, seen) = self.exclusive(|store| (store.what_if(ask), store.seq()));
        match self.until(seen) {
            Ok(()) => answer,
            Err(e) => Err(StepError::Storage(stopped(e)).into()),
        }
    }

    /// Runs a closure that reads the store; writers wait meanwhile. Returns when everything that the closure could see is
    /// durable. [`SharedStore::snapshot`] gives a value that can be read without blocking writers.
    ///
    /// # Errors
    /// `is_stopped` if a failed sync may have lost what the answer rests on: open the store again.
    pub fn read<R>(&self, look: impl FnOnce(&Store<M>) -> R) -> Result<R, StorageError> {
        let (answer, seen) = self.exclusive(|store| (look(store), store.seq()));
        self.until(seen).map_err(stopped)?;
        Ok(answer)
    }

    /// As [`Store::sync`].
    ///
    /// # Errors
    /// As [`Store::sync`].
    pub fn sync(&self) -> Result<(), StorageError> {
        self.exclusive(Store::sync)
    }

    /// As [`Store::refresh`]: for a store that is open for reading.
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
        verify::verify_view::<M>(self.view())
    }

    /// Closes the store if this is its last handle, and reports what dropping it would swallow; see [`Store::close`].
    /// Otherwise it gives the handle back. Two callers that close the last two handles at the same time may both get theirs
    /// back: the store is closed when these are dropped, or closed in their turn.
    ///
    /// # Errors
    /// As [`Store::close`], and then there is no handle any more.
    #[allow(clippy::missing_panics_doc)]
    pub fn close(self) -> Result<Option<Self>, StorageError> {
        match Arc::try_unwrap(self.shared) {
            Ok(shared) => {
                let store = shared.store.into_inner();
                let store = store.unwrap_or_else(PoisonError::into_inner);
                store.close().map(|()| None)
            }
            Err(shared) => Ok(Some(Self { shared })),
        }
    }

    /// The log as it is now, to be read without holding the store, once everything in it is durable. The store is held
    /// for O(what was written since the last view).
    ///
    /// # Errors
    /// `Unlogged`; as [`SharedStore::read`].
    pub(crate) fn view(&self) -> Result<LogView<'static>, ReadError> {
        // Before `reader` is locked: another caller may have that and wait for the store, which this thread would hold.
        Inside::refuse(self.address());
        let view = {
            let mut cached = (self.shared.reader.lock()).unwrap_or_else(PoisonError::into_inner);
            // A reader that an earlier view still uses is copied, before the store is held.
            let reader = cached.take().map(Arc::unwrap_or_clone);
            let (view, reader) = self.exclusive(|store| store.owned_view(reader))?;
            *cached = Some(reader);
            view
        };
        self.until(view.last).map_err(stopped)?;
        Ok(view)
    }

    fn act<R>(
        &self,
        act: impl FnOnce(&mut Store<M>) -> Result<R, StepError>,
    ) -> Result<R, StepError> {
        let (result, wrote, seen) = self.exclusive(|store| {
            let before = store.seq();
            let result = act(store);
            (result, store.seq() != before, store.seq())
        });
        match (self.until(seen), result) {
            (Ok(()), result) => result,
            (Err(e), Ok(_)) if wrote => Err(StepError::Indeterminate(e)),
            // The error of the caller's own append says more than the failed sync of earlier frames.
            (Err(_), Err(own)) if own.is_stopped() => Err(own),
            (Err(e), _) => Err(StepError::Storage(stopped(e))),
        }
    }

    /// Waits until a frame may be shown.
    fn until(&self, seq: Option<Seq>) -> Result<(), StorageError> {
        match seq {
            Some(seq) => self.shared.acknowledged.wait(seq),
            None => Ok(()),
        }
    }

    /// What tells the store from others.
    fn address(&self) -> usize {
        Arc::as_ptr(&self.shared).addr()
    }

    /// Holds the store alone while the closure runs.
    pub(crate) fn exclusive<R>(&self, act: impl FnOnce(&mut Store<M>) -> R) -> R {
        let _inside = Inside::enter(self.address());
        // A panic drops the transaction, which takes it back, so that the store behind a poisoned lock is whole.
        let mut store = self
            .shared
            .store
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        act(&mut store)
    }
}

/// The failed sync of other callers' frames, as the error of a caller that has written nothing.
fn stopped(e: StorageError) -> StorageError {
    if e.is_stopped() {
        e
    } else {
        StorageError::stopped(&e.to_string())
    }
}

thread_local! {
    /// The stores that this thread holds at the moment, by address.
    static INSIDE: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// Notes that this thread holds a store, so that a second request for it panics instead of waiting forever.
struct Inside;

impl Inside {
    fn enter(store: usize) -> Self {
        Self::refuse(store);
        let _ = INSIDE.try_with(|inside| inside.borrow_mut().push(store));
        Self
    }

    /// Panics if this thread holds the store.
    fn refuse(store: usize) {
        // In the destructor of another thread-local value the list may be gone: then nothing is known, and nothing refused.
        let holds = INSIDE.try_with(|inside| inside.borrow().contains(&store));
        assert!(
            !holds.unwrap_or(false),
            "a shared store was used while this thread holds it (in the closure of `read` or `transaction`, or in a \
             guard, handler or invariant), where it would wait for itself forever: use the argument of the closure"
        );
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let _ = INSIDE.try_with(|inside| inside.borrow_mut().pop());
    }
}

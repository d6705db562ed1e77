//! One store for many threads: a handle that each of them has a clone of, and syncs that they share.
//!
//! 1. One caller at a time has the store: it fires its events, and its frame is written, not synced.
//! 2. It lets go of the store, so that the next caller can write, and waits until what it saw is durable.
//! 3. Who waits first syncs, for all that is written by then; the others find themselves done.
//!
//! So nobody is told of anything that a power cut could take back: not by a receipt, and not by a rejection or a
//! read either, which may rest on the event of another that is still on its way to the disk.

#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::base::error::OpenError;
use crate::base::error::StepError;
use crate::base::meta::Meta;
use crate::base::position::Position;
use crate::base::position::Seq;
use crate::base::storage_error::{AppendError, StorageError};
use crate::log::{FrameHeader, Frames, Head, Log, ReadOnlyLog, Segments, Syncer, TornTail};
use crate::step::event::{Event, Receipt};
use crate::step::model::Model;
use crate::store::{AnyReceipt, Backend, Store, Transaction};

/// A handle on a store that threads share; made by [`Store::share`]. A clone is another handle on the same store,
/// which is closed when the last one is dropped.
///
/// Callers take turns with the store; with [`crate::Durability::Always`] they share the syncs, so that many threads
/// take many more steps in a second than one. What a caller is told, be it a receipt, a rejection or an answer, is
/// durable in the sense of the store's [`crate::Durability`], and so is all that it rests on.
///
/// A caller that fails or panics takes back its own transaction and disturbs nobody. A failed sync stops the store
/// for all: those whose frame was not durable yet get [`StepError::Indeterminate`].
///
/// ```
/// # #[ironweave::model]
/// # pub mod till {
/// #     use ironweave::prelude::*;
/// #     /// Somebody's account.
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
/// #     /// Somebody opens an account.
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
/// Where a handle is used inside of what is done through one: in a closure of [`SharedStore::read`],
/// [`SharedStore::transaction`] and their kin, or in a guard, handler or invariant. It would wait for itself.
pub struct SharedStore<M: Model> {
    shared: Arc<Shared<M>>,
}

struct Shared<M: Model> {
    store: Mutex<Store<M>>,
    /// None where an append is as durable as it gets.
    syncer: Option<Arc<dyn Syncer>>,
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

impl<M: Model> Store<M> {
    /// Gives the store into the hands of many threads.
    #[must_use]
    pub fn share(mut self) -> SharedStore<M> {
        let syncer = self.syncer();
        if let Backend::Writable(log) = self.log {
            self.log = Backend::Writable(Box::new(Unsynced(log)));
        }
        SharedStore {
            shared: Arc::new(Shared {
                store: Mutex::new(self),
                syncer,
            }),
        }
    }
}

impl<M: Model> Store<M> {
    /// What waits for its frames to become durable, where there is something to wait for.
    pub(crate) fn syncer(&self) -> Option<Arc<dyn Syncer>> {
        match &self.log {
            Backend::Writable(log) => log.syncer(),
            Backend::ReadOnly(_) | Backend::Unlogged => None,
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
    /// Where it does.
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

    /// As [`Store::retry`]. The store is free between what the closure reads and the step, so that other threads can
    /// take theirs; give the metadata an [`expect`](Meta::expect) of the [`Store::seq`] that the closure saw, and the
    /// step is tried again where one of them has changed what the event binds.
    ///
    /// # Errors
    /// As [`Store::retry`] and [`SharedStore::try_step`].
    pub fn retry<E: Event<Model = M>>(
        &self,
        tries: u32,
        event: impl FnMut(&Store<M>) -> (Meta, E),
    ) -> Result<Receipt<E>, StepError> {
        self.retry_between(tries, event, || {})
    }

    /// As [`SharedStore::retry`]; a test does something between reading and stepping.
    fn retry_between<E: Event<Model = M>>(
        &self,
        tries: u32,
        mut event: impl FnMut(&Store<M>) -> (Meta, E),
        mut between: impl FnMut(),
    ) -> Result<Receipt<E>, StepError> {
        let mut left = tries.max(1);
        loop {
            let (meta, made) = self.exclusive(|store| event(store));
            between();
            left -= 1;
            match self.try_step_with(meta, made) {
                Err(e) if e.is_retryable() && left > 0 => {}
                result => return result,
            }
        }
    }

    /// Does what the closure does in one transaction, and commits it; an error of the closure takes it back.
    ///
    /// # Errors
    /// That of the closure; else as [`Transaction::commit`] and [`SharedStore::try_step`].
    pub fn transaction<R>(
        &self,
        work: impl FnOnce(&mut Transaction<'_, M>) -> Result<R, StepError>,
    ) -> Result<R, StepError> {
        self.transaction_with(Meta::default(), work)
    }

    /// As [`SharedStore::transaction`], with metadata.
    ///
    /// # Errors
    /// As [`SharedStore::transaction`] and [`Store::begin_with`].
    pub fn transaction_with<R>(
        &self,
        meta: Meta,
        work: impl FnOnce(&mut Transaction<'_, M>) -> Result<R, StepError>,
    ) -> Result<R, StepError> {
        self.act(|store| {
            let mut transaction = store.begin_with(meta)?;
            let result = work(&mut transaction)?;
            transaction.commit()?;
            Ok(result)
        })
    }

    /// As [`Store::what_if`].
    ///
    /// # Errors
    /// As [`Store::what_if`]; `Storage` where the answer rests on what a failed sync may have lost.
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

    /// Looks at the store; nobody changes it meanwhile. Returns when all that it could see is durable.
    ///
    /// # Errors
    /// `is_stopped` where the answer rests on what a failed sync may have lost: open the store again.
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

    /// As [`Store::refresh`]: for a store that was opened to be read.
    ///
    /// # Errors
    /// As [`Store::refresh`].
    pub fn refresh(&self) -> Result<Option<Seq>, OpenError> {
        self.exclusive(Store::refresh)
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
            // What its own append said is worth more than what became of those before it.
            (Err(_), Err(own)) if own.is_stopped() => Err(own),
            (Err(e), _) => Err(StepError::Storage(stopped(e))),
        }
    }

    /// Waits until a frame is durable.
    fn until(&self, seq: Option<Seq>) -> Result<(), StorageError> {
        match (&self.shared.syncer, seq) {
            (Some(syncer), Some(seq)) => syncer.wait(seq),
            _ => Ok(()),
        }
    }

    /// Has the store alone for a moment.
    fn exclusive<R>(&self, act: impl FnOnce(&mut Store<M>) -> R) -> R {
        let _inside = Inside::enter(Arc::as_ptr(&self.shared).addr());
        // A transaction that a panic left is taken back by its drop, so the store behind a poisoned lock is whole.
        let mut store = self
            .shared
            .store
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        act(&mut store)
    }
}

/// A failed sync, as told to who has written nothing himself.
fn stopped(e: StorageError) -> StorageError {
    if e.is_stopped() {
        e
    } else {
        StorageError::stopped(&e.to_string())
    }
}

thread_local! {
    /// The stores that this thread has for itself at the moment, by address.
    static INSIDE: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// Notes that this thread has a store for itself, so that asking for it again is an error and no deadlock.
struct Inside;

impl Inside {
    fn enter(store: usize) -> Self {
        INSIDE.with_borrow_mut(|inside| {
            assert!(
                !inside.contains(&store),
                "a shared store was used inside of what this thread does with it (in the closure of `read` or \
                 `transaction`, or in a guard, handler or invariant), where it would wait for itself for ever: use \
                 what the closure was given"
            );
            inside.push(store);
        });
        Self
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.with_borrow_mut(Vec::pop);
    }
}

/// A log whose appends are not synced: who shares a store waits elsewhere.
struct Unsynced(Box<dyn Log>);

impl Log for Unsynced {
    fn append(&mut self, header: FrameHeader, payload: &[u8]) -> Result<(), AppendError> {
        self.0.append_unsynced(header, payload)
    }

    fn append_unsynced(&mut self, header: FrameHeader, payload: &[u8]) -> Result<(), AppendError> {
        self.0.append_unsynced(header, payload)
    }

    fn head(&self) -> Option<Head> {
        self.0.head()
    }

    fn durable(&self) -> Option<Seq> {
        self.0.durable()
    }

    fn sync(&mut self) -> Result<(), StorageError> {
        self.0.sync()
    }

    fn read(&self, from: Seq) -> Result<Frames<'_>, StorageError> {
        self.0.read(from)
    }

    fn store(&self) -> u64 {
        self.0.store()
    }

    fn position_of(&self, seq: Seq) -> Result<Option<Position>, StorageError> {
        self.0.position_of(seq)
    }

    fn recovered(&self) -> Option<&TornTail> {
        self.0.recovered()
    }

    fn syncer(&self) -> Option<Arc<dyn Syncer>> {
        self.0.syncer()
    }

    fn flusher(&self) -> Option<Arc<dyn Syncer>> {
        self.0.flusher()
    }

    fn follower(&self) -> Option<ReadOnlyLog> {
        self.0.follower()
    }

    fn segments(&self) -> Option<Segments<'_>> {
        self.0.segments()
    }
}

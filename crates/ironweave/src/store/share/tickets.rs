//! Events that were submitted to a shared store: they wait in a queue, and are fired and written as one batch.
//!
//! 1. [`SharedStore::submit`] puts an event into the queue and returns a ticket. It does not lock the store.
//! 2. The next caller that locks the store fires all queued events in the order of their submission and writes them
//!    together ([`queue`](super::queue)), whether it waits for a ticket or calls the store for something else.
//! 3. Threads that wait for other tickets meanwhile wait for the lock, and then find the results of their events. Each
//!    waits until its result may be shown, and the first one of them syncs for all ([`Acknowledged`](super::Acknowledged)).
//!
//! No thread serves in the background (the async front has one, see `asynchronous`), and no thread is woken for a single event.
//! Threads wait for locks and not for a notification, so a panic of the thread that fires the events cannot leave another one
//! waiting.

use std::fmt;
use std::panic::resume_unwind;
use std::sync::Arc;

use crate::base::error::StepError;
use crate::step::event::{Event, Receipt};
use crate::step::model::Model;
#[cfg(doc)]
use crate::store::Store;
use crate::store::share::queue::{EventSlot, Fired, Job, Slot, not_fired};
use crate::store::share::{HeldGuard, Shared, SharedStore, shown};

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
    /// fire: no thread serves the queue in the background, except that of an `AsyncStore` (feature `async`). Dropping the ticket does not cancel the event. Snapshots of a
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
        let slot = Arc::new(Slot::new(event));
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
    slot: Arc<EventSlot<E>>,
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
        let Some(fired) = self.slot.take() else {
            return Err(not_fired().into());
        };
        let Fired {
            result,
            wrote,
            next,
        } = fired;
        let result = result.unwrap_or_else(|panic| resume_unwind(panic));
        let waited = self.shared.wait_until_shown(next.checked_sub(1));
        shown(result, wrote, waited)
    }

    /// Returns whether the result of the event is there, so that [`Ticket::wait`] returns it at once. This call fires and syncs
    /// nothing. It stays `false` until another call of the store fires the event, so do not wait by calling it repeatedly.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.is_fired() && self.slot.is_shown(|seq| self.shared.acknowledged.has(seq))
    }

    /// Returns whether the event was fired, and written if it was accepted.
    fn is_fired(&self) -> bool {
        self.shared.queue.served() > self.number
    }
}

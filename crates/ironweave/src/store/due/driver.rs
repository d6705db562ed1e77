//! The driver: it fires the events of a shared store when they are due.
//!
//! 1. In a turn, the driver locks the store, fires what is due at the time of the clock, and asks when the next event is due.
//! 2. It waits until what it has fired is durable, and notifies the program.
//! 3. It waits for that time. A commit that makes an event due earlier wakes it, and so does a program that moves a
//!    [`ManualClock`](crate::ManualClock), stops the driver or closes the store.
//!
//! The async driver (`asynchronous/due.rs`) does the same in a task.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::base::alarm::{Alarm, Woken};
use crate::base::error::StepError;
use crate::base::position::Seq;
use crate::base::storage_error::StorageError;
use crate::base::time::Timestamp;
use crate::step::model::Model;
use crate::store::due::memory::DueFollower;
use crate::store::due::{DueReport, FiredDue, RejectedDue};
use crate::store::{SharedStore, Store};

/// How many events a driver fires before it lets others use the store.
const TURN_MAX: usize = 64;

/// What a driver tells the program; see [`SharedStore::fire_when_due`].
#[non_exhaustive]
pub enum DueNotice<M: Model> {
    /// An event has fired, and its transaction is durable.
    Fired(FiredDue),
    /// An event was rejected.
    Rejected(RejectedDue<M>),
    /// User code panicked in an event, which is tried again after a backoff. This is the message of the panic.
    Panicked(String),
    /// The store accepts no more events, and the driver has ended.
    Stopped(StepError),
}

impl<M: Model> fmt::Debug for DueNotice<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fired(fired) => f.debug_tuple("Fired").field(fired).finish(),
            Self::Rejected(rejected) => f.debug_tuple("Rejected").field(rejected).finish(),
            Self::Panicked(message) => f.debug_tuple("Panicked").field(message).finish(),
            Self::Stopped(error) => f.debug_tuple("Stopped").field(error).finish(),
        }
    }
}

/// What a driver has done in a turn.
pub(crate) struct Turn<M: Model> {
    report: DueReport<M>,
    /// Why it has ended early. The outer error is the message of a panic.
    ended: Result<Result<(), StepError>, String>,
    /// Whether it has written a frame.
    wrote: bool,
    /// The last frame that it could see.
    seen: Option<Seq>,
    /// What the driver does next.
    pub next: Next,
}

/// What a driver does after a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// It takes another turn: more is due.
    Turn,
    /// It waits until its alarm is rung, and at most for the duration, if there is one.
    Wait(Option<Duration>),
}

impl<M: Model> Turn<M> {
    /// Fires what is due.
    pub(crate) fn take(store: &mut Store<M>, alarm: &Arc<Alarm>) -> Self {
        let before = store.seq();
        let now = store.core.open.clock.read();
        let mut report = DueReport::default();
        let fire = || store.fire_due_at_most(now, TURN_MAX, &mut report);
        let ended = catch_unwind(AssertUnwindSafe(fire)).map_err(|panic| message(&*panic));
        let next = store.next_due();
        let until = next.unwrap_or(Timestamp::from_micros(i64::MAX));
        store.followers.get::<DueFollower>().0.arm(alarm, until);
        Self {
            report,
            ended,
            wrote: store.seq() != before,
            seen: store.seq(),
            next: match next {
                Some(next) if next <= now => Next::Turn,
                Some(next) => Next::Wait(store.core.open.clock.source().duration_until(next)),
                None => Next::Wait(None),
            },
        }
    }

    /// The notices of the turn, once everything that it could see is durable.
    pub(crate) fn notices(self, waited: Result<(), StorageError>) -> Vec<DueNotice<M>> {
        if let Err(e) = waited {
            let error = match self.wrote {
                true => StepError::Indeterminate(e),
                false => StepError::Storage(crate::store::share::stopped(e)),
            };
            return vec![DueNotice::Stopped(error)];
        }
        let DueReport {
            fired, rejected, ..
        } = self.report;
        let ended = match self.ended {
            Ok(Ok(())) => None,
            Ok(Err(e)) => Some(DueNotice::Stopped(e)),
            Err(panic) => Some(DueNotice::Panicked(panic)),
        };
        (fired.into_iter().map(DueNotice::Fired))
            .chain(rejected.into_iter().map(DueNotice::Rejected))
            .chain(ended)
            .collect()
    }
}

/// The message of a panic.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without a message").to_owned()
}

impl<M: Model> SharedStore<M> {
    /// Starts a thread that fires the events of the store when they are [due](Store::due) by its [clock](crate::Options::clock),
    /// and calls `notify` with each that has fired or was rejected. It stops when the returned value is dropped, when the store is
    /// closed, and when the store accepts no more events.
    ///
    /// The thread waits for the time of the next event, and looks at the clock at least every minute, so that it notices when the
    /// clock of the system is set. A commit that makes an event due earlier wakes it. With a
    /// [`ManualClock`](crate::ManualClock), it looks when the program moves the clock. While events are due, it releases the
    /// store after each 64 of them. Rejected events are tried again as [`Store::fire_due`] says.
    ///
    /// `notify` runs on the thread, without the lock of the store, so it may use the store. A panic of it ends the thread;
    /// [`DueDriver::stop`] resumes the panic. Several drivers of a store fire nothing twice.
    ///
    /// Each commit looks up the entities that it changed, in O(facts), while there is a driver.
    ///
    /// ```
    /// # #[ironweave::model]
    /// # mod theatre {
    /// #     use ironweave::prelude::*;
    /// #     #[entity]
    /// #     pub struct Seat {
    /// #         #[key]
    /// #         pub number: u64,
    /// #     }
    /// #     #[states(Seat)]
    /// #     pub enum SeatState {
    /// #         #[initial]
    /// #         #[to(Reserved)]
    /// #         Free,
    /// #         #[to(Free)]
    /// #         Reserved { until: Timestamp },
    /// #     }
    /// #     #[event]
    /// #     #[moves(seat: Free -> Reserved { until })]
    /// #     pub struct Reserve { pub seat: Ensure<Seat>, pub until: Timestamp }
    /// #     #[event]
    /// #     #[due(seat.Reserved.until)]
    /// #     #[moves(seat: Reserved -> Free)]
    /// #     pub struct Expire { pub seat: Seat }
    /// # }
    /// use std::sync::mpsc;
    ///
    /// use ironweave::{DueNotice, ManualClock};
    /// use ironweave::prelude::*;
    /// use theatre::Reserve;
    ///
    /// let clock = ManualClock::starting_at(Timestamp::default());
    /// let store = Store::<theatre::Model>::options().clock(clock.clone()).memory().share();
    /// let (notices, fired) = mpsc::channel();
    /// let driver = store.fire_when_due(move |notice| {
    ///     if let DueNotice::Fired(due) = notice {
    ///         let _ = notices.send(due.entity.to_string());
    ///     }
    /// })?;
    /// store.try_step(Reserve { seat: 7.into(), until: Timestamp::from_secs(900) })?;
    /// clock.set(Timestamp::from_secs(900));
    /// assert_eq!(fired.recv()?, "Seat 7");
    /// driver.stop();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the operating system cannot start a thread.
    pub fn fire_when_due(
        &self,
        mut notify: impl FnMut(DueNotice<M>) + Send + 'static,
    ) -> Result<DueDriver, StorageError> {
        let alarm = Arc::new(Alarm::default());
        self.exclusive(|store| store.core.open.clock.source().ring_on_moves(&alarm));
        // The thread does not keep the store open.
        let shared = Arc::clone(self.shared());
        let of_thread = Arc::clone(&alarm);
        let drive = move || {
            while !of_thread.has_ended() {
                let Some(turn) = shared.exclusive(|store| Turn::take(store, &of_thread)) else {
                    return;
                };
                let next = turn.next;
                let waited = shared.wait_until_shown(turn.seen);
                for notice in turn.notices(waited) {
                    let stopped = matches!(notice, DueNotice::Stopped(_));
                    notify(notice);
                    if stopped {
                        return;
                    }
                }
                if let Next::Wait(timeout) = next
                    && of_thread.wait(timeout) == Woken::Ended
                {
                    return;
                }
            }
        };
        let thread = thread::Builder::new().name("ironweave-due".to_owned());
        let thread = (thread.spawn(drive))
            .map_err(|e| StorageError::no_thread("the driver of due events", e))?;
        Ok(DueDriver {
            alarm,
            thread: Some(thread),
        })
    }
}

/// A thread that fires the events of a store when they are due; see [`SharedStore::fire_when_due`]. Dropping it stops the thread.
#[must_use = "dropping it stops the thread"]
pub struct DueDriver {
    alarm: Arc<Alarm>,
    thread: Option<JoinHandle<()>>,
}

impl fmt::Debug for DueDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DueDriver")
            .field("is_running", &self.is_running())
            .finish_non_exhaustive()
    }
}

impl DueDriver {
    /// Returns whether the thread is running. It ends by itself when the store is closed or accepts no more events.
    #[must_use]
    pub fn is_running(&self) -> bool {
        (self.thread.as_ref()).is_some_and(|thread| !thread.is_finished())
    }

    /// Stops the thread, and returns when it has ended. An event that it is firing is completed. From within `notify`, the thread
    /// ends after this call.
    ///
    /// # Panics
    /// If `notify` panicked, with its panic.
    pub fn stop(mut self) {
        if let Err(panic) = self.end() {
            resume_unwind(panic);
        }
    }

    fn end(&mut self) -> thread::Result<()> {
        self.alarm.end();
        match self.thread.take() {
            // The thread does not wait for itself.
            Some(thread) if thread.thread().id() != thread::current().id() => thread.join(),
            _ => Ok(()),
        }
    }
}

impl Drop for DueDriver {
    fn drop(&mut self) {
        // There is no caller to whom a panic of `notify` belongs.
        let _ = self.end();
    }
}

//! Events that are due: which there are, when the next one is, and firing them.
//!
//! 1. The graph knows what is due: the columns of the times have ordered indexes (`graph/due.rs`).
//! 2. [`Store::fire_due`] fires each in a transaction of its own, as if the program had fired it.
//! 3. One that is rejected is noted in the [`DueMemory`] of the store, which leaves it out until something that it reads has
//!    changed or its backoff ends. The memory is not logged, so it is empty after an open.
//! 4. A [driver](driver) does this at the right times, beside a shared store.

pub(crate) mod driver;
pub(crate) mod memory;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};
use std::fmt;
use std::sync::Arc;

use crate::base::error::{EntityRef, StepError};
use crate::base::id::Id;
use crate::base::position::Seq;
use crate::base::storage_error::StorageError;
use crate::base::time::Timestamp;
use crate::db::Db;
use crate::graph::due::Deadline;
use crate::step::any_event::AnyEvent;
use crate::step::due::{DueEvent, due_event, due_events};
use crate::step::model::Model;
use crate::store::due::memory::{DueFollower, DueMemory};
use crate::store::{SharedStore, Store};

/// How many due events one call fires or rejects at most.
const CALL_MAX: usize = 1_000_000;

/// A due event that has fired.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FiredDue {
    /// The sequence number of its transaction.
    pub seq: Seq,
    /// The name of the event.
    pub event: &'static str,
    /// The entity that it bound.
    pub entity: EntityRef,
    /// The time at which it was due. The time of its transaction is that of the [clock](crate::Options::clock).
    pub time: Timestamp,
}

/// A due event that was rejected.
#[non_exhaustive]
pub struct RejectedDue<M: Model> {
    /// The event.
    pub due: DueEvent<M>,
    /// The rejection.
    pub error: StepError,
    /// The time at which it is tried again, unless an entity that it reads changes before.
    pub retry_at: Timestamp,
}

impl<M: Model> fmt::Debug for RejectedDue<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RejectedDue")
            .field("due", &self.due)
            .field("error", &self.error)
            .field("retry_at", &self.retry_at)
            .finish()
    }
}

/// The result of [`Store::fire_due`].
#[non_exhaustive]
pub struct DueReport<M: Model> {
    /// The events that fired, in order.
    pub fired: Vec<FiredDue>,
    /// The events that were rejected, in order.
    pub rejected: Vec<RejectedDue<M>>,
    /// Whether every event that is due was tried. If not, because there were more than a million, call again.
    pub is_complete: bool,
}

impl<M: Model> Default for DueReport<M> {
    fn default() -> Self {
        Self {
            fired: Vec::new(),
            rejected: Vec::new(),
            is_complete: true,
        }
    }
}

impl<M: Model> fmt::Debug for DueReport<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DueReport")
            .field("fired", &self.fired)
            .field("rejected", &self.rejected)
            .field("is_complete", &self.is_complete)
            .finish()
    }
}

impl<M: Model> Store<M> {
    /// Returns the events that are due at `now`: those with [`#[due(..)]`](macro@crate::model) whose time is `now` or earlier. They
    /// are in the order in which [`fire_due`](Store::fire_due) fires them: by time, then by the declaration of the event, then by
    /// the slot of the entity. Events that were rejected are included.
    ///
    /// O(log n) for each event of the model that has a due time, and O(log n) for each item that is taken.
    ///
    /// ```
    /// #[ironweave::model]
    /// mod theatre {
    ///     use ironweave::prelude::*;
    ///
    ///     #[entity]
    ///     pub struct Seat {
    ///         #[key]
    ///         pub number: u64,
    ///     }
    ///     #[states(Seat)]
    ///     pub enum SeatState {
    ///         #[initial]
    ///         #[to(Reserved)]
    ///         Free,
    ///         #[to(Free)]
    ///         Reserved { until: Timestamp },
    ///     }
    ///
    ///     #[event]
    ///     #[moves(seat: Free -> Reserved { until })]
    ///     pub struct Reserve { pub seat: Ensure<Seat>, pub until: Timestamp }
    ///
    ///     #[event]
    ///     #[due(seat.Reserved.until)]
    ///     #[moves(seat: Reserved -> Free)]
    ///     pub struct Expire { pub seat: Seat }
    /// }
    ///
    /// use std::time::Duration;
    ///
    /// use ironweave::ManualClock;
    /// use ironweave::prelude::*;
    /// use theatre::{AnyEvent, Expire, Reserve, Seat, state::Free};
    ///
    /// let clock = ManualClock::starting_at("2026-02-28T12:00:00Z".parse().unwrap());
    /// let mut store = Store::<theatre::Model>::options().clock(clock.clone()).memory();
    /// let until = clock.now() + Duration::from_secs(900);
    /// store.try_step(Reserve { seat: 7.into(), until })?;
    /// assert_eq!(store.next_due(), Some(until));
    /// assert_eq!(store.due(clock.now()).count(), 0);
    ///
    /// clock.set(until);
    /// let due = store.due(clock.now()).next().expect("the reservation has ended");
    /// assert!(matches!(due.event, AnyEvent::Expire(Expire { .. })));
    /// assert_eq!(due.entity.to_string(), "Seat 7");
    ///
    /// let report = store.fire_due(clock.now())?;
    /// assert_eq!((report.fired.len(), report.rejected.len()), (1, 0));
    /// assert_eq!(store.count::<Seat, Free>(), 1);
    /// assert_eq!(store.next_due(), None);
    /// # Ok::<(), StepError>(())
    /// ```
    pub fn due(&self, now: Timestamp) -> impl Iterator<Item = DueEvent<M>> {
        due_events(self.graph(), now)
    }

    /// Returns the time at which [`fire_due`](Store::fire_due) has something to do next: the earliest time of all events that are
    /// due at some time. A rejected event counts from the time at which it is tried again. `None` if there is no such event.
    ///
    /// O(log n) for each event of the model that has a due time, and for each rejected event that is due before that time.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        self.due_memory()?.next_due(self.graph())
    }

    /// Fires the events that are [due](Store::due) at `now`, in order of time, each in a transaction of its own. `now` is usually
    /// the time of the [clock](crate::Options::clock), which is the time of these transactions.
    ///
    /// - What becomes due by a firing fires in the same call, in its turn. An event fires at most once for each entity in a call,
    ///   even if it sets a time that is reached as well.
    /// - An event that is rejected is in the report, and is not tried again until an entity that it reads has changed, or until its
    ///   backoff ends: after one second, then two, and so on up to about four minutes. Entities that it reads are the one that it
    ///   binds and those that this one is linked with, up to 64 at each end. The same holds if user code panics, or if the entity
    ///   still has the same or an earlier time after the event has fired.
    /// - The program may fire the event itself, also before its time. A condition on the time is a `when` or a guard.
    ///
    /// O(log n) for each event that is due, in addition to the steps themselves.
    ///
    /// # Errors
    /// A failure of the log, or that the store is open for reading only. Events that fired before are committed.
    pub fn fire_due(&mut self, now: Timestamp) -> Result<DueReport<M>, StepError> {
        let mut report = DueReport::default();
        self.fire_due_at_most(now, CALL_MAX, &mut report)?;
        Ok(report)
    }

    /// As [`Store::fire_due`], for so many events at most. The report has what was done, also if there is an error or user code
    /// panics.
    pub(crate) fn fire_due_at_most(
        &mut self,
        now: Timestamp,
        max: usize,
        report: &mut DueReport<M>,
    ) -> Result<(), StepError> {
        let Some(memory) = self.due_memory() else {
            return Ok(());
        };
        self.core.close();
        let layout = Arc::clone(&self.plan.layout);
        let _call = memory.begin_call();
        let mut next = memory.first_due(self.graph(), now, max + 1);
        let mut done: HashSet<(u16, Id)> = HashSet::new();
        while let Some(Reverse((time, ix, slot))) = next.pop() {
            let due = &layout.dues[usize::from(ix)];
            let id = self.graph().id(due.entity, slot);
            // It may have changed since it was found, and is found again then.
            let is_due = self.graph().due_time(due, slot) == Some(time);
            if !is_due || memory.waits((ix, id), now) || !done.insert((ix, id)) {
                continue;
            }
            if done.len() > max {
                report.is_complete = false;
                break;
            }
            let attempt = memory.attempt((ix, id), due.entity, now);
            let event = due_event::<M>(self.graph(), due, (time, slot));
            match self.try_step_any(&event.event) {
                Ok(receipt) => {
                    attempt.end();
                    let still = self.graph().exists(due.entity, id);
                    let again = self.graph().due_time(due, slot).filter(|_| still);
                    if again.is_some_and(|again| again <= time) {
                        memory.postpone((ix, id), due.entity, self.graph(), now);
                    } else {
                        memory.forget((ix, id));
                    }
                    report.fired.push(FiredDue {
                        seq: receipt.seq,
                        event: event.event.name(),
                        entity: event.entity,
                        time,
                    });
                }
                Err(error) if error.is_rejection() => {
                    attempt.end();
                    let retry_at = memory.postpone((ix, id), due.entity, self.graph(), now);
                    report.rejected.push(RejectedDue {
                        due: event,
                        error,
                        retry_at,
                    });
                }
                Err(error) => {
                    attempt.end();
                    return Err(error);
                }
            }
            self.add_touched(&memory, now, &mut next);
        }
        Ok(())
    }

    /// Adds the events that the last transaction has made due.
    fn add_touched(
        &self,
        memory: &DueMemory,
        now: Timestamp,
        next: &mut BinaryHeap<Reverse<Deadline>>,
    ) {
        let (graph, layout) = (self.graph(), &self.plan.layout);
        for (entity, slot) in memory.take_touched() {
            for ix in &layout.entities[usize::from(entity)].dues {
                let time = graph.due_time(&layout.dues[usize::from(*ix)], slot);
                next.extend(
                    time.filter(|time| *time <= now)
                        .map(|time| Reverse((time, *ix, slot))),
                );
            }
        }
    }

    /// The memory of rejected events; `None` if no event of the model has a due time.
    fn due_memory(&self) -> Option<Arc<DueMemory>> {
        let has_dues = !self.plan.layout.dues.is_empty();
        has_dues.then(|| Arc::clone(&self.followers.get::<DueFollower>().0))
    }
}

impl<M: Model> SharedStore<M> {
    /// As [`Store::due`], collected.
    ///
    /// # Errors
    /// As [`SharedStore::read`].
    pub fn due(&self, now: Timestamp) -> Result<Vec<DueEvent<M>>, StorageError> {
        self.read(|store| store.due(now).collect())
    }

    /// As [`Store::next_due`].
    ///
    /// # Errors
    /// As [`SharedStore::read`].
    pub fn next_due(&self) -> Result<Option<Timestamp>, StorageError> {
        self.read(Store::next_due)
    }

    /// As [`Store::fire_due`]; returns when all transactions are durable. Other callers are blocked while the events fire;
    /// [`fire_when_due`](SharedStore::fire_when_due) lets them take turns.
    ///
    /// # Errors
    /// As [`Store::fire_due`] and [`SharedStore::try_step`].
    pub fn fire_due(&self, now: Timestamp) -> Result<DueReport<M>, StepError> {
        self.act(|store| store.fire_due(now))
    }
}

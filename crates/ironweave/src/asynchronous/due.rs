//! Due events of an async store, and the task that fires them when they are due. The thread that does so is in `store/due`.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::asynchronous::{AsyncStore, step_result};
use crate::base::alarm::{Alarm, Woken};
use crate::base::error::StepError;
use crate::base::storage_error::StorageError;
use crate::base::time::Timestamp;
use crate::step::due::DueEvent;
use crate::step::model::Model;
use crate::store::due::driver::{Next, Turn};
use crate::store::share::queue::{Call, Slot};
use crate::store::{DueNotice, DueReport, Store};

impl<M: Model<Event: Send>> AsyncStore<M> {
    /// As [`Store::due`], collected.
    ///
    /// # Errors
    /// As [`AsyncStore::read`].
    pub fn due(
        &self,
        now: Timestamp,
    ) -> impl Future<Output = Result<Vec<DueEvent<M>>, StorageError>> + Send + use<M> {
        self.read(move |store| store.due(now).collect())
    }

    /// As [`Store::next_due`].
    ///
    /// # Errors
    /// As [`AsyncStore::read`].
    pub fn next_due(
        &self,
    ) -> impl Future<Output = Result<Option<Timestamp>, StorageError>> + Send + use<M> {
        self.read(Store::next_due)
    }

    /// As [`Store::fire_due`]; returns when all transactions are durable. The thread of the store executes nothing else meanwhile;
    /// [`fire_when_due`](AsyncStore::fire_when_due) lets others take turns.
    ///
    /// # Errors
    /// As [`Store::fire_due`] and [`AsyncStore::step`].
    pub fn fire_due(
        &self,
        now: Timestamp,
    ) -> impl Future<Output = Result<DueReport<M>, StepError>> + Send + use<M> {
        let executed = self.execute(move |store| store.fire_due(now));
        async move { step_result(executed.await?) }
    }

    /// Returns a future that fires the events of the store when they are [due](Store::due) by its
    /// [clock](crate::Options::clock), and calls `notify` with each that has fired or was rejected, as the thread of
    /// [`SharedStore::fire_when_due`](crate::SharedStore::fire_when_due) does. Spawn it as a task. It completes when the store is closed or
    /// accepts no more events. Dropping it stops it; what it has submitted before is completed.
    ///
    /// `sleep` returns a future that completes after a duration, such as `tokio::time::sleep`, so that this works under any
    /// executor. It is not called if the clock is a [`ManualClock`](crate::ManualClock), which wakes the future.
    ///
    /// The future does not keep the store open.
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
    /// use ironweave::DueNotice;
    /// use ironweave::prelude::*;
    /// use theatre::Reserve;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
    /// let store = Store::<theatre::Model>::memory().share().into_async()?;
    /// let notify = |notice| match notice {
    ///     DueNotice::Fired(due) => println!("{} at {}", due.entity, due.time),
    ///     other => eprintln!("{other:?}"),
    /// };
    /// let driver = tokio::spawn(store.fire_when_due(tokio::time::sleep, notify));
    /// // The time is in the past, so the event is due at once.
    /// store.step(Reserve { seat: 7.into(), until: Timestamp::from_secs(900) }).await?;
    /// # while store.next_due().await?.is_some() {
    /// #     tokio::task::yield_now().await;
    /// # }
    /// store.close().await?;
    /// driver.await?;
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn fire_when_due<S, F, N>(
        &self,
        mut sleep: S,
        mut notify: N,
    ) -> impl Future<Output = ()> + Send + use<M, S, F, N>
    where
        S: FnMut(Duration) -> F + Send,
        F: Future<Output = ()> + Send,
        N: FnMut(DueNotice<M>) + Send,
    {
        // It does not have a handle, so that it does not keep the store open.
        let front = self.front();
        async move {
            let alarm = Arc::new(Alarm::default());
            let mut is_first = true;
            while !alarm.has_ended() {
                let of_turn = Arc::clone(&alarm);
                let registers = std::mem::take(&mut is_first);
                let turn = move |store: &mut Store<M>| {
                    if registers {
                        store.core.open.clock.source().ring_on_moves(&of_turn);
                    }
                    Turn::take(store, &of_turn)
                };
                let executed = Arc::clone(&front).execute(Arc::new(Slot::new(Call(turn))));
                // The store was closed.
                let Ok(executed) = executed.await else {
                    return;
                };
                let (turn, waited) = (executed.result, executed.waited);
                let next = turn.next;
                for notice in turn.notices(waited) {
                    let stopped = matches!(notice, DueNotice::Stopped(_));
                    notify(notice);
                    if stopped {
                        return;
                    }
                }
                if let Next::Wait(timeout) = next
                    && wait(&alarm, timeout.map(&mut sleep)).await == Woken::Ended
                {
                    return;
                }
            }
        }
    }
}

/// Waits until an alarm is rung or a sleep has ended.
async fn wait<F: Future<Output = ()>>(alarm: &Alarm, sleep: Option<F>) -> Woken {
    let mut sleep = pin!(sleep);
    let poll = |context: &mut Context<'_>| {
        if let Poll::Ready(woken) = alarm.poll(context) {
            return Poll::Ready(woken);
        }
        match sleep.as_mut().as_pin_mut() {
            Some(sleep) => sleep.poll(context).map(|()| Woken::Awake),
            None => Poll::Pending,
        }
    };
    poll_fn(poll).await
}

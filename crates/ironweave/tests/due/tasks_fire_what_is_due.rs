//! An async task beside an async store fires events when they are due, as a thread does.

use std::future::{Future, pending};
use std::sync::mpsc;
use std::time::Duration;

use ironweave::prelude::*;
use ironweave::{AsyncStore, ManualClock};
use tokio::runtime::Builder;
use tokio::task::{JoinHandle, spawn, spawn_blocking};

use crate::desk::*;
use crate::threads_fire_what_is_due::text;

/// Runs a future on an executor with one thread.
fn run<F: Future>(future: F) -> F::Output {
    let mut executor = Builder::new_current_thread();
    executor.enable_time().build().unwrap().block_on(future)
}

/// A store with a manual clock, and its driver, which never sleeps.
fn driven() -> (AsyncStore<Model>, ManualClock, JoinHandle<()>, Notices) {
    let (store, clock) = store();
    let store = store.share().into_async().unwrap();
    let (sender, receiver) = mpsc::channel();
    let driver = store.fire_when_due(
        |_| pending::<()>(),
        move |notice| drop(sender.send(text(&notice))),
    );
    (store, clock, spawn(driver), Notices(Some(receiver)))
}

struct Notices(Option<mpsc::Receiver<String>>);

impl Notices {
    /// The next notice; `None` if the driver has ended.
    async fn next(&mut self) -> Option<String> {
        let receiver = self.0.take().unwrap();
        let limit = Duration::from_secs(60);
        let received = spawn_blocking(move || (receiver.recv_timeout(limit), receiver));
        let (notice, receiver) = received.await.unwrap();
        assert_ne!(notice, Err(mpsc::RecvTimeoutError::Timeout));
        self.0 = Some(receiver);
        notice.ok()
    }
}

#[test]
fn a_task_fires_when_the_clock_reaches_the_time_and_after_commits() {
    run(async {
        let (store, clock, driver, mut notices) = driven();
        store.step(reserve(7, 1010)).await.unwrap();
        assert_eq!(store.next_due().await.unwrap(), Some(secs(1010)));
        clock.set(secs(1010));
        assert_eq!(notices.next().await.unwrap(), "Expire Seat 7");
        store.step(reserve(8, 1001)).await.unwrap();
        assert_eq!(notices.next().await.unwrap(), "Expire Seat 8");
        for seat in 10..110 {
            store.step(reserve(seat, 2000)).await.unwrap();
        }
        assert_eq!(store.due(secs(2000)).await.unwrap().len(), 100);
        clock.set(secs(2000));
        for seat in 10..110 {
            assert_eq!(notices.next().await.unwrap(), format!("Expire Seat {seat}"));
        }
        store.close().await.unwrap();
        assert_eq!(notices.next().await, None);
        driver.await.unwrap();
    });
}

#[test]
fn a_task_goes_on_after_rejections_and_panics() {
    run(async {
        let (store, clock, driver, mut notices) = driven();
        store.step(grant("never", 1000, 5)).await.unwrap();
        assert_eq!(
            notices.next().await.unwrap(),
            "rejected: Lease \"never\", 1"
        );
        clock.set(secs(1001));
        assert_eq!(
            notices.next().await.unwrap(),
            "rejected: Lease \"never\", 1"
        );
        store.step(grant("panic", 1000, 5)).await.unwrap();
        let panic = notices.next().await.unwrap();
        assert!(panic.contains("a guard of user code"), "{panic}");
        store.step(reserve(8, 1001)).await.unwrap();
        assert_eq!(notices.next().await.unwrap(), "Expire Seat 8");
        // Dropping the future ends it.
        driver.abort();
        assert_eq!(notices.next().await, None);
        store.step(reserve(9, 1001)).await.unwrap();
        let report = store.fire_due(secs(1001)).await.unwrap();
        assert_eq!(report.fired.len(), 1);
    });
}

#[test]
fn a_task_ends_when_the_last_handle_is_dropped() {
    run(async {
        let (store, _, driver, mut notices) = driven();
        drop(store);
        assert_eq!(notices.next().await, None);
        driver.await.unwrap();
    });
}

#[test]
fn a_task_sleeps_until_the_clock_of_the_system_has_the_time() {
    run(async {
        let store = Store::<Model>::memory().share().into_async().unwrap();
        let (sender, receiver) = mpsc::channel();
        let notify = move |notice| drop(sender.send(text(&notice)));
        let driver = spawn(store.fire_when_due(tokio::time::sleep, notify));
        let mut notices = Notices(Some(receiver));
        let soon = Timestamp::now() + Duration::from_millis(30);
        let reserve = Reserve {
            seat: 7.into(),
            until: soon,
            guest: String::new(),
        };
        store.step(reserve).await.unwrap();
        assert_eq!(notices.next().await.unwrap(), "Expire Seat 7");
        store.close().await.unwrap();
        driver.await.unwrap();
    });
}

//! A thread beside a shared store fires events when they are due. It waits for the clock of the store, and for commits.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use ironweave::prelude::*;
use ironweave::{Clock, DueDriver, DueNotice, ManualClock, SharedStore};

use crate::desk::*;
use crate::harness::temp_dir;

/// What a driver has told, as text. A test that fails does not wait for ever.
struct Notices(mpsc::Receiver<String>);

impl Notices {
    fn next(&self) -> String {
        let limit = Duration::from_secs(60);
        self.0
            .recv_timeout(limit)
            .expect("the driver says something")
    }

    /// Waits until the driver has ended.
    fn end(&self) {
        let limit = Duration::from_secs(60);
        assert_eq!(
            self.0.recv_timeout(limit),
            Err(mpsc::RecvTimeoutError::Disconnected)
        );
    }

    fn is_silent(&self) -> bool {
        self.0.try_recv().is_err()
    }
}

pub fn text(notice: &DueNotice<Model>) -> String {
    match notice {
        DueNotice::Fired(fired) => format!("{} {}", fired.event, fired.entity),
        DueNotice::Rejected(rejected) => format!("rejected: {}", rejected.due.entity),
        DueNotice::Panicked(message) => format!("panic: {message}"),
        DueNotice::Stopped(error) => format!("stopped: {error}"),
        _ => "another notice".to_owned(),
    }
}

fn drive(store: &SharedStore<Model>) -> (DueDriver, Notices) {
    let (sender, receiver) = mpsc::channel();
    let driver = store.fire_when_due(move |notice| {
        let _ = sender.send(text(&notice));
    });
    (driver.unwrap(), Notices(receiver))
}

fn shared() -> (SharedStore<Model>, ManualClock) {
    let (store, clock) = store();
    (store.share(), clock)
}

#[test]
fn a_driver_fires_when_the_clock_reaches_the_time() {
    let (store, clock) = shared();
    store.step(reserve(7, 1010));
    store.step(reserve(8, 1005));
    let (driver, notices) = drive(&store);
    clock.set(secs(1004));
    clock.advance(Duration::from_secs(1));
    assert_eq!(notices.next(), "Expire Seat 8");
    clock.advance(Duration::from_secs(100));
    assert_eq!(notices.next(), "Expire Seat 7");
    let times = store.read(|store| {
        let records = store.frames(3).unwrap();
        records
            .map(|record| record.unwrap().time())
            .collect::<Vec<_>>()
    });
    assert_eq!(times.unwrap(), [secs(1005), secs(1105)]);
    driver.stop();
    assert!(notices.is_silent());
}

#[test]
fn a_commit_that_makes_an_event_due_wakes_the_driver() {
    let (store, clock) = shared();
    let (driver, notices) = drive(&store);
    // Nothing is due ever, then at once, then later, then earlier than that.
    store.step(reserve(1, 1000));
    assert_eq!(notices.next(), "Expire Seat 1");
    store.step(reserve(2, 3000));
    store.step(reserve(3, 2000));
    store.step(Prolong {
        seat: 2.into(),
        until: secs(1500),
    });
    clock.set(secs(1500));
    assert_eq!(notices.next(), "Expire Seat 2");
    store.step(Prolong {
        seat: 3.into(),
        until: secs(1400),
    });
    assert_eq!(notices.next(), "Expire Seat 3");
    // Events that threads submit, which are written together.
    let tickets: Vec<_> = (10..20)
        .map(|seat| store.submit(reserve(seat, 1001)))
        .collect();
    for ticket in tickets {
        ticket.wait().unwrap();
    }
    for seat in 10..20 {
        assert_eq!(notices.next(), format!("Expire Seat {seat}"));
    }
    driver.stop();
}

#[test]
fn a_driver_fires_many_and_lets_others_take_turns() {
    let (store, clock) = shared();
    for seat in 0..300 {
        store.step(reserve(seat, 1001 + seat as i64));
    }
    let (driver, notices) = drive(&store);
    clock.set(secs(5000));
    for seat in 0..300 {
        if seat == 150 {
            store.step(reserve(1000, 9999));
        }
        assert_eq!(notices.next(), format!("Expire Seat {seat}"));
    }
    assert_eq!(store.next_due().unwrap(), Some(secs(9999)));
    driver.stop();
}

#[test]
fn two_drivers_fire_nothing_twice() {
    let (store, clock) = shared();
    for seat in 0..200 {
        store.step(reserve(seat, 1001));
    }
    let (first, of_first) = drive(&store);
    let (second, of_second) = drive(&store);
    clock.set(secs(1001));
    while store.next_due().unwrap().is_some() {
        std::thread::yield_now();
    }
    first.stop();
    second.stop();
    let fired = of_first.0.try_iter().chain(of_second.0.try_iter()).count();
    assert_eq!(fired, 200);
}

#[test]
fn a_rejected_event_is_tried_again_when_it_can_fire_or_its_backoff_ends() {
    let (store, clock) = shared();
    store.step(Assign {
        name: "a".into(),
        owner: "Ada".into(),
        deadline: None,
        remind_at: Some(secs(1001)),
    });
    store.step(Leave {
        person: "Ada".into(),
    });
    let (driver, notices) = drive(&store);
    clock.set(secs(1001));
    assert_eq!(notices.next(), "rejected: Task \"a\"");
    // The backoff ends.
    clock.set(secs(1002));
    assert_eq!(notices.next(), "rejected: Task \"a\"");
    // The driver does not spin meanwhile, and fires others.
    store.step(reserve(7, 1000));
    assert_eq!(notices.next(), "Expire Seat 7");
    assert!(notices.is_silent());
    store.step(Return {
        person: "Ada".into(),
    });
    assert_eq!(notices.next(), "Remind Task \"a\"");
    driver.stop();
}

#[test]
fn a_panic_of_an_event_does_not_end_the_driver() {
    let (store, _) = shared();
    store.step(grant("panic", 1000, 5));
    store.step(reserve(7, 1000));
    store.step(grant("client", 1000, 5));
    let (driver, notices) = drive(&store);
    // What has fired in the turn of the panic is told too.
    assert_eq!(notices.next(), "Expire Seat 7");
    let panic = notices.next();
    assert!(panic.contains("a guard of user code"), "{panic}");
    assert_eq!(notices.next(), "Renew Lease \"client\", 1");
    assert!(driver.is_running());
    driver.stop();
}

#[test]
fn a_stopped_driver_fires_nothing() {
    let (store, clock) = shared();
    store.step(reserve(7, 1001));
    let (driver, notices) = drive(&store);
    driver.stop();
    notices.end();
    clock.set(secs(2000));
    assert_eq!(store.next_due().unwrap(), Some(secs(1001)));
    let (driver, notices) = drive(&store);
    assert_eq!(notices.next(), "Expire Seat 7");
    drop(driver);
    notices.end();
}

#[test]
fn a_driver_ends_with_its_store_and_does_not_keep_it_open() {
    let dir = temp_dir();
    let store = Store::<Model>::open(dir.path()).unwrap().share();
    let (driver, notices) = drive(&store);
    assert!(store.close().unwrap().is_none(), "it was the last handle");
    notices.end();
    drop(driver);
    // The lock of the directory is free.
    let store = Store::<Model>::open(dir.path()).unwrap().share();
    let (_driver, notices) = drive(&store);
    drop(store);
    notices.end();
}

#[test]
fn a_driver_ends_when_the_store_accepts_no_events() {
    let dir = temp_dir();
    let mut store = Store::<Model>::open(dir.path()).unwrap();
    store.step(reserve(7, 1000));
    let reader = Store::<Model>::open_read_only(dir.path()).unwrap().share();
    let (driver, notices) = drive(&reader);
    assert!(notices.next().starts_with("stopped: "));
    notices.end();
    driver.stop();
}

#[test]
fn the_program_may_use_the_store_and_stop_the_driver_when_it_is_notified() {
    let (store, _) = shared();
    let driver: Arc<Mutex<Option<DueDriver>>> = Arc::default();
    let (sender, receiver) = mpsc::channel();
    let (of_notify, again) = (Arc::clone(&driver), store.clone());
    let mut slot = driver.lock().unwrap();
    let started = store.fire_when_due(move |notice| {
        let DueNotice::Fired(fired) = notice else {
            return;
        };
        if fired.entity.to_string() == "Seat 7" {
            again.step(reserve(8, 1000));
        } else if let Some(driver) = of_notify.lock().unwrap().take() {
            driver.stop();
            sender.send("stopped").unwrap();
        }
    });
    *slot = Some(started.unwrap());
    drop(slot);
    store.step(reserve(7, 1000));
    let limit = Duration::from_secs(60);
    assert_eq!(receiver.recv_timeout(limit), Ok("stopped"));
    assert!(receiver.recv_timeout(limit).is_err(), "the thread ends");
}

#[test]
fn a_panic_of_the_program_is_resumed_by_stop() {
    let (store, _) = shared();
    let (sender, ended) = mpsc::channel::<()>();
    let driver = store.fire_when_due(move |_| {
        let _until_the_panic = &sender;
        panic!("a notice is not expected");
    });
    store.step(reserve(7, 1000));
    assert!(ended.recv().is_err(), "the thread has ended");
    let stopped = catch_unwind(AssertUnwindSafe(|| driver.unwrap().stop()));
    assert!(stopped.is_err());
    // The store goes on.
    store.step(reserve(8, 1000));
}

#[test]
fn a_driver_follows_the_clock_of_the_system() {
    let store = Store::<Model>::options()
        .clock(Clock::System)
        .memory()
        .share();
    let (driver, notices) = drive(&store);
    let soon = Timestamp::now() + Duration::from_millis(30);
    store.step(Reserve {
        seat: 7.into(),
        until: soon,
        guest: String::new(),
    });
    assert_eq!(notices.next(), "Expire Seat 7");
    let fired_at = store.read(|store| store.frames(2).unwrap().next().unwrap().unwrap().time());
    assert!(fired_at.unwrap() >= soon);
    driver.stop();
}

//! Tickets of events that were submitted to a shared store, on a disk whose syncs a test can block and fail.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::share::{Added, Outcome, State, count, outcome, shared, shared_log, things};
use super::*;
use crate::base::error::StepError;
use crate::store::{SharedStore, Store, Ticket};

fn submit(store: &SharedStore<things::Model>, name: u64) -> Ticket<Added> {
    store.submit(Added { name })
}

fn wait(ticket: Ticket<Added>) -> Option<Outcome> {
    outcome(ticket.wait().map(|_| ()))
}

#[test]
fn tickets_return_when_their_events_are_durable_after_one_write_and_one_sync() {
    let dir = scratch();
    let (store, gate, log) = shared_log(dir.path());
    let tickets: Vec<_> = (1..=64).map(|name| submit(&store, name)).collect();
    let rejected = submit(&store, 7);
    assert_eq!(gate.state.lock().unwrap().writes, 0, "no thread waits yet");
    assert!(!tickets[0].is_done());
    let returned = AtomicUsize::new(0);
    thread::scope(|s| {
        let mut tickets = tickets.into_iter();
        for _ in 0..4 {
            let share: Vec<_> = tickets.by_ref().take(16).collect();
            let returned = &returned;
            s.spawn(move || {
                for ticket in share {
                    assert_eq!(wait(ticket), None);
                    returned.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        // One thread syncs, and the others wait for that sync.
        gate.until(|state| state.syncs == 1);
        while log.waiting() < 3 {
            thread::yield_now();
        }
        assert!(
            !rejected.is_done(),
            "it depends on an event that is not durable"
        );
        assert_eq!(returned.load(Ordering::SeqCst), 0);
        gate.set(|state| state.shut = false);
    });
    assert!(rejected.is_done());
    assert_eq!(wait(rejected), Some(Outcome::Rejected));
    let State { writes, syncs, .. } = *gate.state.lock().unwrap();
    assert_eq!((writes, syncs), (1, 1));
    assert_eq!(store.read(count).unwrap(), 65);
}

#[test]
fn events_that_are_submitted_during_a_sync_are_the_next_batch() {
    let dir = scratch();
    let (store, gate) = shared(dir.path());
    let first = submit(&store, 1);
    thread::scope(|s| {
        let first = s.spawn(|| wait(first));
        gate.until(|state| state.syncs == 1);
        let tickets: Vec<_> = (2..=20).map(|name| submit(&store, name)).collect();
        let second = s.spawn(|| tickets.into_iter().map(wait).collect::<Vec<_>>());
        gate.until(|state| state.writes == 2);
        gate.set(|state| state.shut = false);
        assert_eq!(first.join().unwrap(), None);
        assert!(second.join().unwrap().iter().all(Option::is_none));
    });
    let State { writes, syncs, .. } = *gate.state.lock().unwrap();
    assert_eq!((writes, syncs), (2, 2));
}

#[test]
fn a_submit_waits_neither_for_the_store_nor_for_the_disk() {
    let dir = scratch();
    let (store, gate) = shared(dir.path());
    let (submitted, is_submitted) = mpsc::channel();
    thread::scope(|s| {
        let syncing = s.spawn(|| store.step(Added { name: 1 }));
        gate.until(|state| state.syncs == 1);
        let (holds, is_held) = mpsc::channel();
        let holder = s.spawn({
            let store = &store;
            move || {
                store.read(|_| {
                    holds.send(()).unwrap();
                    // The wait is limited, so that a failing test ends.
                    is_submitted.recv_timeout(Duration::from_secs(60))
                })
            }
        });
        is_held.recv().unwrap();
        let ticket = submit(&store, 2);
        submitted.send(()).unwrap();
        gate.set(|state| state.shut = false);
        assert_eq!(holder.join().unwrap().unwrap(), Ok(()));
        syncing.join().unwrap();
        assert_eq!(wait(ticket), None);
    });
}

#[test]
fn a_failed_sync_leaves_each_event_of_its_batch_in_doubt() {
    let dir = scratch();
    let (store, gate) = shared(dir.path());
    gate.set(|state| (state.shut, state.fail_syncs) = (false, true));
    let tickets: Vec<_> = (1..=9).map(|name| submit(&store, name)).collect();
    let rejected = submit(&store, 3);
    for ticket in tickets {
        assert_eq!(wait(ticket), Some(Outcome::Indeterminate));
    }
    assert_eq!(wait(rejected), Some(Outcome::Stopped));
    assert_eq!(wait(submit(&store, 10)), Some(Outcome::Stopped));
    assert!(store.read(count).unwrap_err().is_stopped());
    drop(store);
    let store = Store::<things::Model>::open(dir.path()).unwrap();
    assert!((1..=10).contains(&count(&store)));
}

#[test]
fn a_failed_write_takes_back_its_batch_and_leaves_those_before_it_their_receipts() {
    let dir = scratch();
    let (store, gate) = shared(dir.path());
    gate.set(|state| state.shut = false);
    let before = submit(&store, 1);
    assert_eq!(store.read(count).unwrap(), 2);
    gate.set(|state| state.fail_writes = true);
    let tickets: Vec<_> = (2..=9).map(|name| submit(&store, name)).collect();
    let rejected = [submit(&store, 3), submit(&store, 1)];
    for ticket in tickets {
        assert_eq!(wait(ticket), Some(Outcome::Indeterminate));
    }
    assert_eq!(wait(before), None);
    for ticket in rejected {
        assert_eq!(wait(ticket), Some(Outcome::Stopped));
    }
    // The store has stopped, and shows what is durable.
    assert_eq!(store.read(count).unwrap(), 2);
    assert_eq!(wait(submit(&store, 1)), Some(Outcome::Rejected));
    let all = store.step_all([1, 20, 20].map(|name| Added { name }));
    let all: Vec<_> = all
        .into_iter()
        .map(|result| outcome(result.map(|_| ())))
        .collect();
    let stopped = || Some(Outcome::Stopped);
    assert_eq!(all, [Some(Outcome::Rejected), stopped(), stopped()]);
}

#[test]
fn a_shared_batch_returns_when_it_is_durable() {
    let dir = scratch();
    let (store, gate) = shared(dir.path());
    let add = |names: &[u64]| {
        let events: Vec<_> = names.iter().map(|&name| Added { name }).collect();
        let results = store.step_all(events).into_iter();
        results
            .map(|result| outcome(result.map(|_| ())))
            .collect::<Vec<_>>()
    };
    let returned = AtomicUsize::new(0);
    thread::scope(|s| {
        let batch = s.spawn(|| {
            let results = add(&[1, 2, 2, 3]);
            returned.store(1, Ordering::SeqCst);
            results
        });
        gate.until(|state| state.syncs == 1);
        assert_eq!(returned.load(Ordering::SeqCst), 0);
        gate.set(|state| state.shut = false);
        let rejected = Some(Outcome::Rejected);
        assert_eq!(batch.join().unwrap(), [None, None, rejected, None]);
    });
    let State { writes, syncs, .. } = *gate.state.lock().unwrap();
    assert_eq!((writes, syncs), (1, 1));
    gate.set(|state| state.fail_syncs = true);
    let in_doubt = || Some(Outcome::Indeterminate);
    assert_eq!(
        add(&[1, 4, 4, 5]),
        [
            // What it depends on is durable.
            Some(Outcome::Rejected),
            in_doubt(),
            Some(Outcome::Stopped),
            in_doubt(),
        ]
    );
}

#[test]
fn a_close_writes_and_syncs_what_was_submitted() {
    let dir = scratch();
    let (store, gate) = shared(dir.path());
    gate.set(|state| state.shut = false);
    let tickets: Vec<_> = (1..=5).map(|name| submit(&store, name)).collect();
    assert!(store.close().unwrap().is_none());
    for ticket in tickets {
        assert!(ticket.is_done());
        assert_eq!(wait(ticket), None);
    }
    // A close whose sync fails.
    let (store, gate) = {
        let dir = scratch();
        shared(dir.path())
    };
    gate.set(|state| (state.shut, state.fail_syncs) = (false, true));
    let ticket = submit(&store, 1);
    assert!(store.close().is_err());
    assert!(matches!(ticket.wait(), Err(StepError::Indeterminate(_))));
}

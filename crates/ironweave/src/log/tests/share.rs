//! The results that callers of a shared store receive, and when, on a disk whose syncs a test can block and fail.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use super::super::disk::{Op, Probe};
use super::super::sync::SyncState;
use super::*;
use crate::base::error::StepError;
use crate::db::Db;
use crate::store::{SharedStore, Store};

/// Things with names.
#[crate::model]
#[allow(dead_code, missing_docs)]
pub(super) mod things {
    use crate::prelude::*;

    #[entity]
    pub struct Thing {
        #[key]
        pub name: u64,
    }
    #[states(Thing)]
    pub enum ThingState {
        #[initial]
        #[terminal]
        There,
    }

    #[event]
    #[create(thing: Thing { name })]
    pub struct Added {
        pub name: u64,
    }
}

pub(super) use things::{Added, Thing};

/// A disk that blocks each sync while the gate is shut.
#[derive(Default)]
pub(super) struct Gate {
    pub(super) state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) shut: bool,
    pub(super) writes: usize,
    pub(super) syncs: usize,
    pub(super) fail_syncs: bool,
    pub(super) fail_writes: bool,
}

impl Gate {
    pub(super) fn set(&self, set: impl FnOnce(&mut State)) {
        set(&mut self.state.lock().unwrap());
        self.changed.notify_all();
    }

    /// Waits until a condition on the recorded calls is true. Fails if it does not become true within the time limit.
    pub(super) fn until(&self, what: impl Fn(&State) -> bool) {
        let state = self.state.lock().unwrap();
        let wait = Duration::from_secs(60);
        let (state, waited) = self
            .changed
            .wait_timeout_while(state, wait, |state| !what(state))
            .unwrap();
        let State { writes, syncs, .. } = *state;
        assert!(!waited.timed_out(), "{writes} writes and {syncs} syncs");
    }
}

impl Probe for Gate {
    fn before(&self, op: &Op<'_>) -> Result<(), (usize, io::Error)> {
        let mut state = self.state.lock().unwrap();
        match op {
            Op::Write { .. } => {
                state.writes += 1;
                self.changed.notify_all();
                if state.fail_writes {
                    return Err((0, io::Error::other("a bad block")));
                }
            }
            Op::Sync(_) => {
                state.syncs += 1;
                self.changed.notify_all();
                // The wait is limited, so that a failing test ends.
                let wait = Duration::from_secs(90);
                let (state, _) = self
                    .changed
                    .wait_timeout_while(state, wait, |state| state.shut)
                    .unwrap();
                if state.fail_syncs {
                    return Err((0, io::Error::other("a bad block")));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// Returns a shared store that contains thing 0, with a closed gate that has counted no calls.
pub(super) fn shared(dir: &Path) -> (SharedStore<things::Model>, Arc<Gate>) {
    let (store, gate, _) = shared_log(dir);
    (store, gate)
}

/// Returns such a store, its gate, and the state on which its callers wait.
pub(super) fn shared_log(dir: &Path) -> (SharedStore<things::Model>, Arc<Gate>, Arc<SyncState>) {
    let gate = Arc::new(Gate::default());
    let disk = Disk {
        probe: Some(Arc::clone(&gate) as Arc<dyn Probe>),
    };
    let log = FileLog::open_on(disk, dir, LogOptions::default()).unwrap();
    let waits = Arc::clone(&log.sync_state);
    let store = Store::<things::Model>::options()
        .over_log(Box::new(log))
        .unwrap()
        .share();
    store.step(Added { name: 0 });
    gate.set(|state| {
        *state = State {
            shut: true,
            ..State::default()
        }
    });
    (store, gate, waits)
}

pub(super) fn add(store: &SharedStore<things::Model>, name: u64) -> Result<(), StepError> {
    store.try_step(Added { name }).map(|_| ())
}

pub(super) fn count(db: &impl Db) -> usize {
    db.count::<Thing, crate::db::entity::Any>()
}

/// The error of a failed step.
#[derive(Debug, PartialEq)]
pub(super) enum Outcome {
    Rejected,
    Indeterminate,
    Stopped,
}

pub(super) fn outcome(result: Result<(), StepError>) -> Option<Outcome> {
    result.err().map(|e| match e {
        StepError::Indeterminate(_) => Outcome::Indeterminate,
        e if e.is_stopped() => Outcome::Stopped,
        e if e.is_rejection() => Outcome::Rejected,
        e => panic!("{e}"),
    })
}

#[test]
fn callers_who_come_during_a_sync_share_the_next_and_are_told_nothing_before() {
    let dir = scratch();
    let (store, gate, log) = shared_log(dir.path());
    let delivered = AtomicUsize::new(0);
    thread::scope(|s| {
        let first = s.spawn(|| {
            add(&store, 1).unwrap();
            delivered.fetch_add(1, Ordering::SeqCst);
        });
        gate.until(|state| state.syncs == 1);
        for name in 2..=16 {
            let (store, delivered) = (&store, &delivered);
            s.spawn(move || {
                add(store, name).unwrap();
                delivered.fetch_add(1, Ordering::SeqCst);
            });
        }
        gate.until(|state| state.writes == 16);
        // Neither call has written a frame, and both depend on a frame that is not durable yet.
        s.spawn(|| {
            assert_eq!(outcome(add(&store, 1)), Some(Outcome::Rejected));
            delivered.fetch_add(1, Ordering::SeqCst);
        });
        s.spawn(|| {
            assert_eq!(store.read(count).unwrap(), 17);
            delivered.fetch_add(1, Ordering::SeqCst);
        });
        // One of the callers syncs, and all others wait for that sync.
        while log.waiting() < 17 {
            thread::yield_now();
        }
        let early = delivered.load(Ordering::SeqCst);
        gate.set(|state| state.shut = false);
        assert_eq!(early, 0, "delivered before it was durable");
        first.join().unwrap();
    });
    assert_eq!(delivered.load(Ordering::SeqCst), 18);
    assert_eq!(gate.state.lock().unwrap().syncs, 2);
}

#[test]
fn a_failed_sync_stops_the_store_and_tells_each_caller_that_his_step_is_in_doubt() {
    let dir = scratch();
    let (store, gate) = shared(dir.path());
    thread::scope(|s| {
        let mut callers = vec![s.spawn(|| outcome(add(&store, 1)))];
        gate.until(|state| state.syncs == 1);
        for name in 2..=8 {
            let store = &store;
            callers.push(s.spawn(move || outcome(add(store, name))));
        }
        gate.until(|state| state.writes == 8);
        let rejected = s.spawn(|| outcome(add(&store, 1)));
        let reader = s.spawn(|| store.read(count));
        gate.set(|state| (state.shut, state.fail_syncs) = (false, true));
        for caller in callers {
            assert_eq!(caller.join().unwrap(), Some(Outcome::Indeterminate));
        }
        // They wrote no frame, and the frames that they read may be lost.
        assert_eq!(rejected.join().unwrap(), Some(Outcome::Stopped));
        assert!(reader.join().unwrap().unwrap_err().is_stopped());
    });
    assert_eq!(
        gate.state.lock().unwrap().syncs,
        1,
        "a failed sync is not tried again"
    );
    assert_eq!(outcome(add(&store, 9)), Some(Outcome::Stopped));
    assert!(store.what_if(|_| Ok::<(), StepError>(())).is_err());
    assert!(store.sync().unwrap_err().is_stopped());
    drop(store);
    let store = Store::<things::Model>::open(dir.path()).unwrap();
    assert!((1..=9).contains(&count(&store)));
    assert_eq!(store.check(), []);
}

#[test]
fn a_failed_write_takes_back_its_own_step_and_leaves_those_before_it_their_receipts() {
    let dir = scratch();
    let (store, gate) = shared(dir.path());
    thread::scope(|s| {
        let first = s.spawn(|| add(&store, 1));
        gate.until(|state| state.syncs == 1);
        gate.set(|state| state.fail_writes = true);
        let second = s.spawn(|| outcome(add(&store, 2)));
        gate.until(|state| state.writes == 2);
        gate.set(|state| state.shut = false);
        assert_eq!(second.join().unwrap(), Some(Outcome::Indeterminate));
        first.join().unwrap().unwrap();
    });
    // The store has stopped, but its frames are durable.
    assert_eq!(outcome(add(&store, 3)), Some(Outcome::Stopped));
    assert_eq!(store.read(count).unwrap(), 2);
    assert_eq!(outcome(add(&store, 1)), Some(Outcome::Rejected));
}

#[test]
fn other_threads_are_shown_what_is_durable_and_nobody_waits_for_that() {
    let dir = scratch();
    let (store, gate) = shared(dir.path());
    let source = store.read(Store::reader).unwrap();
    let mut delivered = store.read(|db| db.subscribe(2)).unwrap().unwrap();
    let shown = || source.snapshot().count::<Thing, crate::db::entity::Any>();
    let taken = AtomicUsize::new(0);
    thread::scope(|s| {
        s.spawn(|| add(&store, 1).unwrap());
        gate.until(|state| state.syncs == 1);
        assert_eq!(shown(), 1);
        // A caller that has locked the store sees all frames, and its result waits for the sync.
        let reader = s.spawn(|| {
            store.read(|db| {
                let snapshot = db.snapshot();
                taken.store(1, Ordering::SeqCst);
                snapshot
            })
        });
        s.spawn(|| add(&store, 2).unwrap());
        gate.until(|state| state.writes == 2);
        while taken.load(Ordering::SeqCst) == 0 {
            thread::yield_now();
        }
        assert_eq!(shown(), 1);
        assert!(delivered.try_next().unwrap().is_none());
        gate.set(|state| state.shut = false);
        let seen = reader.join().unwrap().unwrap();
        assert!((2..=3).contains(&seen.count::<Thing, crate::db::entity::Any>()));
    });
    assert_eq!(shown(), 3);
    assert_eq!(delivered.next().unwrap().unwrap().seq(), 2);
    assert_eq!(delivered.next().unwrap().unwrap().seq(), 3);
    let seq = store.read(|db| db.seq().unwrap()).unwrap();
    assert!(source.wait_until(seq, Duration::ZERO).is_some());
}

#[test]
fn a_snapshot_shows_nothing_that_is_not_durable() {
    let dir = scratch();
    let (store, gate) = shared(dir.path());
    let snapshots = store.read(Store::reader).unwrap();
    let seq = snapshots.snapshot().seq().unwrap();
    thread::scope(|s| {
        let step = s.spawn(|| add(&store, 1));
        gate.until(|state| state.syncs == 1);
        let early = snapshots.snapshot();
        let second = s.spawn(|| add(&store, 2));
        gate.until(|state| state.writes == 2);
        let still = snapshots.snapshot();
        let awaited = s.spawn(|| snapshots.wait_until(seq + 1, Duration::from_secs(60)));
        gate.set(|state| state.shut = false);
        assert_eq!((count(&early), count(&still)), (1, 1));
        step.join().unwrap().unwrap();
        assert!(count(&snapshots.snapshot()) >= 2);
        assert!(awaited.join().unwrap().unwrap().seq() > Some(seq));
        second.join().unwrap().unwrap();
    });
    assert_eq!(count(&snapshots.snapshot()), 3);
    // A lost frame is never visible to a reader.
    gate.set(|state| state.fail_syncs = true);
    assert_eq!(outcome(add(&store, 3)), Some(Outcome::Indeterminate));
    assert_eq!(count(&snapshots.snapshot()), 3);
    let wait = Duration::from_secs(60);
    assert!(snapshots.wait_until(seq + 3, wait).is_none());
}

#[test]
fn what_a_failed_sync_leaves_in_the_log_is_not_shown() {
    let dir = scratch();
    let gate = Arc::new(Gate::default());
    let disk = Disk {
        probe: Some(Arc::clone(&gate) as Arc<dyn Probe>),
    };
    let log = FileLog::open_on(disk, dir.path(), LogOptions::default()).unwrap();
    let mut store = Store::<things::Model>::options()
        .over_log(Box::new(log))
        .unwrap();
    let seq = store.step(Added { name: 0 }).seq;
    gate.set(|state| state.fail_syncs = true);
    let failed = store.try_step(Added { name: 1 });
    assert!(matches!(failed, Err(StepError::Indeterminate(_))));
    // The frame is written, but the step was rolled back.
    let shown = |store: &Store<things::Model>| {
        assert_eq!((store.seq(), count(store)), (Some(seq), 1));
        assert_eq!(store.since(0).unwrap().count(), 1);
        assert_eq!(store.frames(0).unwrap().count(), 1);
        assert_eq!(store.tx_range(..).unwrap().count(), 1);
        assert_eq!(count(&store.as_of(crate::Timestamp::now()).unwrap()), 1);
        assert_eq!(store.verify().unwrap(), 1);
    };
    shown(&store);
    assert_eq!(store.refresh().unwrap(), Some(seq));
    shown(&store);
    assert!(store.close().unwrap_err().is_stopped());
}

#[test]
fn a_reader_reads_nothing_of_the_past_that_is_not_durable() {
    let dir = scratch();
    let (store, gate) = shared(dir.path());
    let reader = store.reader();
    let seq = reader.seq().unwrap();
    thread::scope(|s| {
        let step = s.spawn(|| add(&store, 1));
        gate.until(|state| state.syncs == 1);
        // The frame is written, and its sync has not ended.
        let shown = reader.seq();
        let records = reader.since(0).map(Iterator::count);
        let beyond = reader.as_of(seq + 1).map(|_| ());
        let last = reader.position();
        gate.set(|state| state.shut = false);
        assert_eq!((shown, records.unwrap()), (Some(seq), 1));
        assert!(beyond.unwrap_err().is_ahead());
        assert_eq!(last.unwrap().map(|p| p.seq()), Some(seq));
        step.join().unwrap().unwrap();
    });
    assert_eq!(reader.seq(), Some(seq + 1));
    assert_eq!(reader.since(0).unwrap().count(), 2);
    assert_eq!(count(&reader.as_of(seq + 1).unwrap()), 2);
}

#[test]
fn the_close_of_a_shared_store_reports_a_failed_sync() {
    let dir = scratch();
    let (store, gate) = shared(dir.path());
    gate.set(|state| *state = State::default());
    let other = store.clone();
    let store = store.close().unwrap().expect("there is another handle");
    gate.set(|state| state.fail_syncs = true);
    assert_eq!(outcome(add(&store, 1)), Some(Outcome::Indeterminate));
    drop(other);
    assert!(store.close().unwrap_err().is_stopped());
}

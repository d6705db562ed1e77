//! Tests of the thread that applies facts: what it does, what it leaves, and what commits do if it is too slow or has panicked.

use std::time::{Duration, Instant};

use super::*;
use crate::snapshot::replica::bounded::work;
use crate::snapshot::replica::grid::{BREAKS, Grid, Model, Part, Read, Repaired};
use crate::snapshot::replica::tests::backlog;
use crate::store::Store;

/// Waits until the thread that applies facts does not run. The wait is limited, so that a failing test ends.
fn wait_for_applier(replica: &Replica) {
    let began = Instant::now();
    while replica.applier.runs() {
        let waited = began.elapsed();
        assert!(waited < Duration::from_secs(60), "the thread does not end");
        thread::yield_now();
    }
}

/// Returns a store with a number of meters.
fn grid(seed: u64, meters: usize) -> Grid {
    let mut grid = Grid::new(Store::memory(), seed);
    while grid.meters.len() < meters {
        grid.act();
    }
    grid
}

#[test]
fn a_thread_applies_facts_if_no_snapshot_is_taken() {
    let act = |grid: &mut Grid, value| {
        let meter = grid.meters[value as usize % grid.meters.len()];
        let before = work();
        grid.store.step(Read { meter, value });
        work() - before
    };
    let (mut alone, mut read) = (grid(67, 300), grid(67, 300));
    let reader = read.store.reader();
    let replica = reader.replica();
    let (mut done_alone, mut done, mut most) = (0, 0, 0);
    for value in 0..4 * LONG {
        done_alone += act(&mut alone, value);
        done += act(&mut read, value);
        most = most.max(backlog(replica));
        if value % 64 == 0 {
            wait_for_applier(replica);
            let left = backlog(replica);
            assert!(left + 2 >= LEFT || most <= START, "{left} are left");
        }
    }
    // Each of 64 commits has queued its fact and its frame.
    assert!(most > START && most <= START + 130, "{most}");
    assert_eq!(done, done_alone, "commits only queue facts");
    assert_eq!(reader.snapshot().fingerprint(), read.store.fingerprint());
    assert_eq!(reader.snapshot().check(), []);
}

#[test]
fn commits_apply_facts_if_the_thread_is_too_slow() {
    let mut grid = grid(71, 50);
    let reader = grid.store.reader();
    let replica = reader.replica();
    let mut value = 0;
    let mut step = || {
        value += 1;
        let meter = grid.meters[0];
        grid.store.step(Read { meter, value });
        replica.commits_apply.load(Relaxed)
    };
    // While another thread uses the replica, the thread ends without applying any fact.
    let current = lock(&replica.current);
    while !step() {
        assert!(backlog(replica) <= LONG);
    }
    drop(current);
    wait_for_applier(replica);
    let mut before = backlog(replica);
    assert!(before > LONG, "{before}");
    while step() {
        let now = backlog(replica);
        assert!(now < before, "{now} after {before}");
        before = now;
    }
    assert!(backlog(replica) <= START);
    assert_eq!(reader.snapshot().fingerprint(), grid.store.fingerprint());
    assert_eq!(reader.snapshot().check(), []);
}

#[test]
fn a_panic_of_user_code_in_the_thread_is_repaired_by_the_next_snapshot() {
    let mut grid = grid(73, 50);
    let reader = grid.store.reader();
    let replica = reader.replica();
    let meter = grid.meters[0];
    let part = Part::new(BREAKS);
    grid.store.step(Repaired { meter, part });
    let mut value = 0;
    let mut step = |store: &mut Store<Model>| {
        value += 1;
        store.step(Read { meter, value });
    };
    while backlog(replica) <= START {
        step(&mut grid.store);
    }
    wait_for_applier(replica);
    assert!(replica.incomplete.load(Relaxed), "the thread has panicked");
    (0..4 * LONG).for_each(|_| step(&mut grid.store));
    assert!(backlog(replica) <= LONG + 2);
    let snapshot = grid.store.snapshot();
    assert_eq!(snapshot.fingerprint(), grid.store.fingerprint());
    assert_eq!(snapshot.check(), []);
    for i in 0..4 * LONG {
        step(&mut grid.store);
        if i % 64 == 0 {
            wait_for_applier(replica);
            assert!(backlog(replica) <= START + 130, "the thread works again");
        }
    }
    assert_eq!(reader.snapshot().fingerprint(), grid.store.fingerprint());
}

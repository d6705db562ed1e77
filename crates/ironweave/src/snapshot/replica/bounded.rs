//! Tests that what a commit does for readers is bounded by its own facts, whether snapshots are taken or not, and that
//! snapshots are equal to the graph of the store, whichever facts of them were applied by commits.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use super::applier::NO_APPLIER;
use super::grid::*;
use super::tests::backlog;
use super::*;
use crate::base::error::StepError;
use crate::db::Db as _;
use crate::db::entity::Any;
use crate::graph::storage::{COPIED, TOUCHED};
use crate::snapshot::{Snapshot, StoreReader};
use crate::store::{Durability, Store, Transaction};

/// The rows and pages that a thread has touched, and the values that it has dropped.
pub(super) fn work() -> usize {
    // A page has up to 2 KiB and 64 counts.
    TOUCHED.get() + 64 * COPIED.get() + DROPPED.get()
}

/// What else uses a store.
struct Readers {
    readers: Vec<StoreReader<Model>>,
    held: Vec<Snapshot<Model>>,
    /// The number of transactions between two polls.
    polls: Option<usize>,
    /// Whether a poll takes a snapshot from the store.
    by_store: bool,
    past: bool,
    /// Whether commits start the thread that applies facts.
    applier: bool,
}

/// Returns the most that a commit does, in rows for each fact.
fn run(mut grid: Grid, mut readers: Readers, commits: usize) -> Grid {
    NO_APPLIER.set(!readers.applier);
    for commit in 1..=commits {
        let before = work();
        let cost = grid.act();
        let done = work() - before;
        assert!(
            done as u64 <= 10 * cost + 3_000,
            "{done} for {cost} in commit {commit}, at {} meters",
            grid.meters.len()
        );
        if let Some(polls) = readers.polls.filter(|polls| commit % polls == 0) {
            let mut snapshots: Vec<_> = (readers.readers.iter())
                .map(StoreReader::snapshot)
                .collect();
            if readers.by_store {
                snapshots.push(grid.store.snapshot());
            }
            for snapshot in &snapshots {
                assert_eq!(snapshot.seq(), grid.store.seq());
                assert_eq!(snapshot.fingerprint(), grid.store.fingerprint());
                assert_eq!(snapshot.count::<Meter, Any>(), grid.meters.len());
            }
            if let [first, .., last] = &snapshots[..] {
                assert!(first.diff(last).expect("of one store").is_empty());
            }
            if readers.past {
                let seq = grid.store.seq().expect("a frame") - 3;
                let then = grid.store.as_of(seq).expect("it is in the log");
                assert_eq!(then.seq(), Some(seq));
            }
            if commit % 50 == 0 || polls > 100 {
                snapshots.iter().for_each(|s| assert_eq!(s.check(), []));
            }
        }
    }
    let last = grid.store.snapshot();
    assert_eq!(last.fingerprint(), grid.store.fingerprint());
    assert_eq!(last.check(), []);
    assert_eq!(grid.store.check(), []);
    readers.held.push(last);
    for held in &readers.held {
        assert_eq!(held.check(), [], "a snapshot stays");
        if let Some(seq) = held.seq() {
            let then = grid.store.as_of(seq).expect("it is in the log");
            assert!(held.diff(&then).expect("of one store").is_empty());
        }
    }
    grid
}

fn grid(seed: u64, meters: usize) -> Grid {
    let mut grid = Grid::new(Store::memory(), seed);
    while grid.meters.len() < meters {
        grid.act();
    }
    grid
}

fn no_readers() -> Readers {
    Readers {
        readers: Vec::new(),
        held: Vec::new(),
        polls: None,
        by_store: false,
        past: false,
        applier: false,
    }
}

#[test]
fn a_commit_does_the_same_for_a_reader_that_is_not_polled() {
    for (meters, applier) in [(10, false), (10, true), (3_000, false), (3_000, true)] {
        let grid = grid(11, meters);
        let readers = Readers {
            readers: vec![grid.store.reader()],
            applier,
            ..no_readers()
        };
        run(grid, readers, 6_000);
    }
}

#[test]
fn a_commit_does_the_same_after_a_snapshot_that_was_dropped() {
    for meters in [10, 3_000] {
        let grid = grid(13, meters);
        drop(grid.store.snapshot());
        let grid = run(grid, no_readers(), 6_000);
        drop(grid.store.snapshot());
        run(grid, no_readers(), 6_000);
    }
}

#[test]
fn a_commit_does_the_same_for_a_snapshot_that_is_kept() {
    let grid = grid(17, 2_000);
    let held = vec![grid.store.snapshot()];
    let readers = vec![grid.store.reader()];
    run(
        grid,
        Readers {
            readers,
            held,
            ..no_readers()
        },
        6_000,
    );
}

#[test]
fn a_commit_does_the_same_for_readers_that_poll_now_and_then() {
    for (seed, polls) in [(19, 1), (23, 7), (29, 300), (31, 1_400)] {
        let grid = grid(seed, 200);
        let readers = vec![grid.store.reader(), grid.store.reader()];
        let (polls, by_store) = (Some(polls), seed % 2 == 1);
        let commits = if seed == 19 { 500 } else { 3_000 };
        let readers = Readers {
            readers,
            polls,
            by_store,
            applier: seed > 20,
            ..no_readers()
        };
        run(grid, readers, commits);
    }
}

#[test]
fn a_commit_does_the_same_if_the_past_is_queried() {
    let grid = grid(37, 300);
    let readers = vec![grid.store.reader()];
    let readers = Readers {
        readers,
        polls: Some(1_900),
        past: true,
        by_store: true,
        ..no_readers()
    };
    run(grid, readers, 6_000);
}

#[test]
fn a_large_transaction_and_a_large_value_are_applied_by_many_small_commits() {
    NO_APPLIER.set(true);
    let mut grid = grid(41, 10);
    let reader = grid.store.reader();
    let site = grid.sites[0];
    let mount = |store: &mut Store<Model>, first: u64| {
        let many = |t: &mut Transaction<'_, Model>| {
            let mut numbers = first..first + 150;
            numbers.try_for_each(|number| t.apply(Mounted { number, site }).map(|_| ()))
        };
        store.transaction(many).expect("the numbers are new");
    };
    let meter = grid.meters[0];
    // While another thread uses the replica, commits only queue.
    let current = lock(&reader.replica().current);
    let label = "large".repeat(20_000);
    grid.store.step(Labeled { meter, label });
    mount(&mut grid.store, 1 << 20);
    mount(&mut grid.store, 1 << 21);
    drop(current);
    let replica = reader.replica();
    let mut value = 0;
    while !lock(&replica.current).partial {
        value += 1;
        grid.store.step(Read { meter, value });
    }
    // A reader that has read the end of the queue before that gets the whole of the transaction.
    let current = lock(&replica.current);
    let before = current.at.seq;
    let current = replica.reach(current, before);
    assert!(!current.partial && current.at.seq > before);
    drop(current);
    let parts = (0..3_000).filter(|value| {
        let before = work();
        grid.store.step(Read {
            meter,
            value: *value,
        });
        let done = work() - before;
        assert!(done <= 4_000, "{done}");
        lock(&replica.current).partial
    });
    assert!(parts.count() > 100, "a part of a transaction was applied");
    let snapshot = reader.snapshot();
    assert_eq!(snapshot.fingerprint(), grid.store.fingerprint());
    assert_eq!(snapshot.check(), []);
}

#[test]
fn a_replica_that_is_not_used_is_not_freed_by_a_commit() {
    let mut grid = grid(43, 3_000);
    for i in 0..grid.meters.len() {
        let (meter, part) = (grid.meters[i], Part::new(COUNTED));
        grid.store.step(Repaired { meter, part });
    }
    drop(grid.store.snapshot());
    // The replica has as many.
    assert_eq!(ALIVE.load(SeqCst), 2 * grid.meters.len());
    let is_there = |store: &Store<Model>| {
        let slot: &SnapshotFollower = store.followers.get();
        slot.get().is_some()
    };
    let meter = grid.meters[0];
    let mut value = 0;
    while is_there(&grid.store) {
        value += 1;
        let before = DROPPED.get();
        grid.store.step(Read { meter, value });
        // The store forgets what facts have replaced after a thousand of them.
        let dropped = DROPPED.get() - before;
        assert!(dropped <= 1_100, "{dropped}");
    }
    assert!(value as usize > grid.meters.len(), "{value}");
    while ALIVE.load(SeqCst) > grid.meters.len() {
        thread::yield_now();
    }
    let again = grid.store.snapshot();
    assert_eq!(again.fingerprint(), grid.store.fingerprint());
}

#[test]
fn a_commit_waits_for_a_slice_of_a_reader_if_the_queue_is_full() {
    NO_APPLIER.set(true);
    let mut grid = grid(47, 50);
    let reader = grid.store.reader();
    let over = AtomicBool::new(false);
    let looked = AtomicUsize::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            IS_SLOW.set(true);
            while !over.load(SeqCst) {
                let snapshot = reader.snapshot();
                looked.fetch_add(1, SeqCst);
                drop(snapshot);
            }
        });
        let (mut most, mut number) = (0, 0);
        // The reader may not run at once.
        while number < 6_000 || most <= LONG && number < 1_000_000 {
            number += 1;
            let meter = grid.meters[number as usize % grid.meters.len()];
            grid.store.step(Repaired {
                meter,
                part: Part::new(number),
            });
            most = most.max(backlog(reader.replica()));
        }
        over.store(true, SeqCst);
        assert!(most > LONG && most <= FULL + 2, "{most}");
    });
    assert!(looked.load(SeqCst) > 0);
    assert_eq!(reader.snapshot().fingerprint(), grid.store.fingerprint());
    assert_eq!(reader.snapshot().check(), []);
}

#[test]
fn threads_that_share_a_store_get_whole_transactions() {
    let mut grid = grid(53, 300);
    let (site, meters) = (grid.sites[1], std::mem::take(&mut grid.meters));
    let shared = grid.store.share();
    let readers = [shared.reader(), shared.reader()];
    let over = AtomicUsize::new(0);
    let seen: Vec<Vec<Snapshot<Model>>> = thread::scope(|scope| {
        for half in meters.chunks(150) {
            let (shared, over) = (shared.clone(), &over);
            scope.spawn(move || {
                for round in 0..6_000u64 {
                    let meter = half[round as usize % half.len()];
                    let both = shared.transaction(|t| {
                        t.apply(Read {
                            meter,
                            value: round,
                        })?;
                        let label = round.to_string();
                        t.apply(Labeled { meter, label })?;
                        if round % 3 == 0 {
                            let meter = half[round as usize / 3 % half.len()];
                            let is_on = meter.is::<state::On>(&*t);
                            match is_on {
                                true => t.apply(Moved { meter, site }).map(|_| ())?,
                                false => t.apply(Started { meter }).map(|_| ())?,
                            }
                        }
                        Ok::<_, StepError>(())
                    });
                    both.expect("it can happen");
                }
                over.fetch_add(1, SeqCst);
            });
        }
        let looking = readers.each_ref().map(|reader| {
            let (over, shared, meters) = (&over, shared.clone(), &meters);
            scope.spawn(move || {
                let mut kept: Vec<Snapshot<Model>> = Vec::new();
                let mut looks = 0;
                while over.load(SeqCst) < 2 {
                    looks += 1;
                    let now = match looks % 5 {
                        0 => shared.snapshot().expect("it is not stopped"),
                        _ => reader.snapshot(),
                    };
                    assert!(kept.last().is_none_or(|last| last.seq() <= now.seq()));
                    for meter in meters.iter().step_by(37) {
                        let (value, label) = (meter.value(&now), meter.label(&now));
                        assert!(
                            label.starts_with("label")
                                || label.is_empty()
                                || *label == value.to_string()
                        );
                    }
                    if looks % 50 == 1 && kept.len() < 20 {
                        kept.push(now);
                    }
                }
                kept
            })
        });
        looking
            .map(|looking| looking.join().expect("no panic"))
            .into()
    });
    for snapshot in seen.iter().flatten() {
        assert_eq!(snapshot.check(), []);
        let seq = snapshot.seq().expect("a frame");
        let then = shared.as_of(seq).expect("it is in the log");
        assert_eq!(then.fingerprint(), snapshot.fingerprint());
    }
    let last = shared.snapshot().expect("it is not stopped");
    assert_eq!(
        last.fingerprint(),
        shared.read(Store::fingerprint).expect("it is not stopped")
    );
    assert_eq!(last.check(), []);
}

#[test]
fn a_store_that_reads_the_log_of_another_process_does_the_same() {
    let dir = tempfile::tempdir().expect("a directory");
    let options = || Store::<Model>::options().durability(Durability::Os);
    let mut grid = Grid::new(options().open(dir.path()).expect("it is new"), 59);
    let mut copy = Store::<Model>::open_read_only(dir.path()).expect("it is there");
    let idle = copy.reader();
    for round in 0..20 {
        for _ in 0..100 {
            grid.act();
        }
        copy.refresh().expect("it can be read");
        if round % 5 == 4 {
            let snapshot = idle.snapshot();
            assert_eq!(snapshot.seq(), copy.seq());
            assert_eq!(snapshot.fingerprint(), grid.store.fingerprint());
            assert_eq!(snapshot.check(), []);
        }
    }
    assert!(lock(&idle.replica().queue).cost() > 2 * FULL);
    // A store that is opened again replays the log before it has readers.
    let (fingerprint, snapshot) = (grid.store.fingerprint(), grid.store.snapshot());
    drop(grid);
    let store = options().open(dir.path()).expect("it is there");
    let again = store.reader().snapshot();
    assert_eq!(again.fingerprint(), fingerprint);
    assert_eq!(again.count::<Meter, Any>(), snapshot.count::<Meter, Any>());
    assert_eq!(again.check(), []);
}

#[test]
fn commits_that_are_not_durable_are_not_applied_for_readers() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut grid = Grid::new(Store::open(dir.path()).expect("it is new"), 61);
    (0..10).for_each(|_| _ = grid.act());
    let meter = grid.meters[0];
    let shared = grid.store.share();
    let reader = shared.reader();
    let durable = reader.snapshot().seq();
    // In the closure, no commit is synced.
    let write = |store: &mut Store<Model>, value| store.step(Read { meter, value }).seq;
    let last = shared.exclusive(|store| {
        (0..2 * LONG).for_each(|value| _ = write(store, value));
        assert_eq!(reader.snapshot().seq(), durable);
        let current = lock(&reader.replica().current);
        assert!(current.at.seq <= durable, "{:?}", current.at);
        drop(current);
        // A snapshot of the store has them, and one of the reader has not.
        assert!(store.snapshot().seq() > durable);
        assert_eq!(reader.snapshot().seq(), durable);
        write(store, 1)
    });
    shared.sync().expect("it can be synced");
    let write = |value| shared.step(Read { meter, value }).seq;
    let last = (0..2 * LONG).fold(last, |_, value| write(value));
    let snapshot = reader.snapshot();
    assert_eq!(snapshot.seq(), Some(last));
    assert_eq!(snapshot.check(), []);
}

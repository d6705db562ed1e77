//! Readers on other threads see whole transactions, in the order of the log, beside the writer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use ironweave::prelude::*;
use ironweave::{Seq, Snapshots, Store};

use crate::bank::{Account, Model, Opened, Seen, look, open, transfer, wrong};
use crate::harness::{assert_consistent, temp_dir};

fn is_shared<T: Clone + Send + Sync>() {}

#[test]
fn a_snapshot_and_its_source_can_be_cloned_and_sent() {
    is_shared::<Snapshot<Model>>();
    is_shared::<Snapshots<Model>>();
}

#[test]
fn readers_see_whole_transactions_in_the_order_of_the_log() {
    let mut store = Store::<Model>::paranoid();
    open(&mut store, 8);
    let first = store.seq().expect("there is a transaction") + 1;
    let source = store.reader();
    let done = AtomicBool::new(false);
    let seen: Vec<Vec<Seen>> = thread::scope(|scope| {
        let read = || {
            let mut seen = Vec::new();
            while !done.load(Ordering::Relaxed) {
                seen.push(look(&source.newest()));
            }
            seen.push(look(&source.newest()));
            seen
        };
        let readers: Vec<_> = (0..3).map(|_| scope.spawn(read)).collect();
        for i in 0..5_000u64 {
            store.step(transfer(&store, i % 8, (i + 3) % 8, 1));
        }
        done.store(true, Ordering::Relaxed);
        let joined = readers.into_iter().map(|r| r.join());
        joined
            .map(|seen| seen.expect("the thread does not panic"))
            .collect()
    });
    for seen in &seen {
        assert_eq!(wrong(seen, first, 800), None);
        let last = seen.last().expect("it looked");
        assert_eq!(Some(last.seq), store.seq());
    }
}

#[test]
fn the_checker_of_readers_finds_planted_errors() {
    let seen = |seq, transfers, total| Seen {
        seq: Seq::new(seq),
        transfers,
        total,
    };
    let good = [seen(9, 0, 800), seen(11, 2, 800), seen(11, 2, 800)];
    assert_eq!(wrong(&good, 10, 800), None);
    let planted = [
        (seen(12, 3, 799), "half a step"),
        (seen(12, 2, 800), "no prefix"),
        (seen(10, 1, 800), "backwards"),
    ];
    for (bad, what) in planted {
        let all = [&good[..], &[bad]].concat();
        assert!(wrong(&all, 10, 800).is_some_and(|w| w.starts_with(what)));
    }
}

#[test]
fn waiting_for_a_frame_returns_it_or_an_error_that_it_will_not_come() {
    let mut store = Store::<Model>::paranoid();
    open(&mut store, 2);
    let source = store.reader();
    let seq = store.seq().expect("there is a transaction");
    // So long that a test run shows a reader that is not woken.
    let long = Duration::from_secs(3_600);
    assert_eq!(
        source.wait_until(seq, long).and_then(|s| s.seq()),
        Some(seq)
    );
    assert!(
        source
            .wait_until(seq + 1, Duration::from_millis(1))
            .is_none()
    );
    let waiting = {
        let source = source.clone();
        thread::spawn(move || source.wait_until(seq + 2, long).map(|s| look(&s).transfers))
    };
    let never = {
        let source = source.clone();
        thread::spawn(move || source.wait_until(seq + 3, long).is_none())
    };
    store.step(transfer(&store, 0, 1, 5));
    store.step(transfer(&store, 0, 1, 5));
    assert_eq!(waiting.join().expect("the thread does not panic"), Some(2));
    drop(store);
    assert!(never.join().expect("the thread does not panic"));
    assert_eq!(look(&source.newest()).transfers, 2);
}

#[test]
fn snapshots_are_right_after_a_long_time_without_one() {
    for with_reader in [false, true] {
        let mut store = Store::<Model>::paranoid();
        let bank = open(&mut store, 2);
        let source = with_reader.then(|| store.reader());
        let old = store.snapshot();
        // More facts than the queue holds, several times over.
        for _ in 0..12_000 {
            store.step(transfer(&store, 0, 1, 1));
            store.step(transfer(&store, 1, 0, 1));
        }
        store.step(Opened {
            bank,
            number: 7,
            balance: 3,
        });
        for snapshot in [Some(store.snapshot()), source.map(|s| s.newest())] {
            let Some(snapshot) = snapshot else { continue };
            assert_eq!(snapshot.seq(), store.seq());
            assert_eq!(snapshot.fingerprint(), store.fingerprint());
            assert_consistent(&snapshot);
            assert_eq!(bank.accounts_count(&snapshot), 3);
        }
        assert_eq!(old.count::<Account, Any>(), 2);
    }
}

#[test]
fn a_store_that_is_read_beside_its_writer_gives_snapshots_too() {
    let dir = temp_dir();
    let mut store = Store::<Model>::open(dir.path()).expect("the store opens");
    open(&mut store, 2);
    let mut beside = Store::<Model>::open_read_only(dir.path()).expect("the store opens");
    let source = beside.reader();
    let before = source.newest();
    store.step(transfer(&store, 0, 1, 1));
    beside.refresh().expect("the log can be read");
    let after = source.newest();
    assert_eq!((look(&before).transfers, look(&after).transfers), (0, 1));
    assert_eq!(after.fingerprint(), store.fingerprint());
}

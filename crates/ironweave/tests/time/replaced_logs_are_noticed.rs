//! A reader without a lock notices that the directory of its log was replaced by another one: a subscription that outlives
//! its store, and a read-only store. Each frame of the other log is whole, and of the same store.

use std::fs;
use std::path::Path;

use ironweave::prelude::*;
use ironweave::{Position, Store, Subscription};

use crate::bank::{Bank, Founded, Model, found, kind, on_disk};
use crate::harness::{copy_dir, temp_dir};

/// More than a feed keeps of a log on disk.
const MANY: u64 = 1_500;

/// Calls `before` with a store, replaces its directory by a backup from before its last [`MANY`] frames, which continues with
/// as many others of the same lengths, and calls `after` with the positions that the store had.
fn replaced<T>(
    before: impl FnOnce(&mut Store<Model>, &Path) -> T,
    after: impl FnOnce(T, &[Position]),
) {
    let outer = temp_dir();
    let [dir, backup] = ["store", "backup"].map(|name| outer.path().join(name));
    let mut store = on_disk(&dir);
    for i in 0..100 {
        found(&mut store, &format!("before {i}"));
    }
    drop(store);
    copy_dir(&dir, &backup);
    let mut store = on_disk(&dir);
    let kept = before(&mut store, &dir);
    let records = store.since(0).expect("the log can be read");
    let there: Vec<Position> = records
        .map(|r| at(&r.expect("the log can be read")))
        .collect();
    drop(store);
    fs::remove_dir_all(&dir).expect("the directory can be removed");
    copy_dir(&backup, &dir);
    let mut store = on_disk(&dir);
    for i in 0..MANY {
        found(&mut store, &format!("next {i:04}"));
    }
    drop(store);
    after(kept, &there);
}

fn lose(store: &mut Store<Model>) {
    for i in 0..MANY {
        found(store, &format!("lost {i:04}"));
    }
}

fn at(record: &ironweave::Record<Model>) -> Position {
    record.position().expect("it is in the log")
}

/// The positions that a subscription reports, and the error that ends it.
fn told_until_refused(subscription: &mut Subscription<Model>) -> (Vec<Position>, StorageError) {
    let mut told = Vec::new();
    loop {
        match subscription.try_next() {
            Ok(Some(record)) => told.push(at(&record)),
            Ok(None) => panic!("it ended after {} of another history", told.len()),
            Err(e) => return (told, e),
        }
    }
}

#[test]
fn a_subscription_that_outlives_its_store_reports_nothing_of_a_log_that_replaced_its_own() {
    let begin = |store: &mut Store<Model>, _: &Path| {
        let all = store.subscribe_as("all").expect("the log can be read");
        let mut begun = store.subscribe(0).expect("the log can be read");
        lose(store);
        for _ in 0..50 {
            begun
                .try_next()
                .expect("the log can be read")
                .expect("the entity or the file exists");
        }
        [all, begun]
    };
    replaced(begin, |subscriptions, there| {
        for mut subscription in subscriptions {
            // The next call returns the same error.
            for _ in 0..2 {
                let (told, e) = told_until_refused(&mut subscription);
                assert!(e.is_replaced(), "{e}");
                assert!(told.iter().all(|position| there.contains(position)));
            }
        }
    });
    // It does not acknowledge what it has not reported either.
    let begin = |store: &mut Store<Model>, _: &Path| {
        let mailer = store.subscribe_as("mailer").expect("the log can be read");
        lose(store);
        mailer
    };
    replaced(begin, |mailer, _| {
        assert_eq!(kind(mailer.acknowledge(150)), "other history");
    });
}

#[test]
fn a_subscription_whose_log_is_replaced_by_a_shorter_one_gets_an_error() {
    let outer = temp_dir();
    let [dir, backup] = ["store", "backup"].map(|name| outer.path().join(name));
    found(&mut on_disk(&dir), "before");
    copy_dir(&dir, &backup);
    let mut store = on_disk(&dir);
    let mut all = store.subscribe(0).expect("the log can be read");
    lose(&mut store);
    drop(store);
    fs::remove_dir_all(&dir).expect("the directory can be removed");
    copy_dir(&backup, &dir);
    let (told, e) = told_until_refused(&mut all);
    assert_eq!(told.len(), 1);
    assert!(e.is_replaced(), "{e}");
}

#[test]
fn a_read_only_store_answers_nothing_from_a_log_that_replaced_its_own() {
    let begin = |store: &mut Store<Model>, dir: &Path| {
        lose(store);
        Store::<Model>::open_read_only(dir).expect("the store opens")
    };
    replaced(begin, |mut beside, there| {
        let bank = beside.find::<Bank>("lost 0500").expect("it was read");
        let far = there[600].seq();
        let first = |records: Result<ironweave::Records<'_, Model>, ReadError>| {
            records.and_then(|mut records| Ok(records.next().transpose()?))
        };
        for (call, got) in [
            ("locate", kind(beside.locate(far))),
            ("as_of", kind(beside.as_of(far))),
            ("since", kind(first(beside.since(far)))),
            ("tx_range", kind(first(beside.tx_range(far..far + 1)))),
            ("frames", kind(beside.frames(far))),
            ("subscribe", kind(beside.subscribe(far))),
            ("history", kind(beside.history(bank))),
            (
                "history_of_key",
                kind(beside.history_of_key::<Bank>("lost 0500")),
            ),
        ] {
            assert_eq!(got, "other history", "{call}");
        }
        assert!(beside.refresh().is_err_and(|e| e.is_replaced()));
        // The frames that it has read are in memory.
        assert_eq!(beside.position().as_ref(), there.last());
        assert_eq!(beside.find::<Bank>("lost 0500"), Some(bank));
        let trial = beside.snapshot().with(Founded { name: "new".into() });
        assert!(trial.is_ok());
    });
}

#[test]
fn two_copies_of_a_log_that_diverged_are_not_compared() {
    let outer = temp_dir();
    let [left, right] = ["left", "right"].map(|name| outer.path().join(name));
    found(&mut on_disk(&left), "before");
    copy_dir(&left, &right);
    let mut stores = [on_disk(&left), on_disk(&right)];
    let common = stores[0].snapshot();
    let [a, b] = &mut stores;
    assert_eq!(kind(common.diff(&b.snapshot())), "fine");
    found(a, "of one");
    found(b, "of the other");
    assert_eq!(kind(a.snapshot().diff(&b.snapshot())), "other history");
    assert_eq!(kind(common.diff(&b.snapshot())), "fine");
    let there = a.position().expect("the store has a log");
    for meta in [Meta::new().expect(there), Meta::new().with_causation(there)] {
        let founded = Founded { name: "new".into() };
        let tried = b.snapshot().with_meta(meta, founded);
        let Err(StepError::Metadata(e)) = tried.map(|_| ()) else {
            panic!("the frame is of another history");
        };
        assert!(e.is_other_history(), "{e}");
    }
}

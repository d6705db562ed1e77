//! A consumer that is ahead of a log restored from a backup gets an error, and no consumer skips a transaction.

use std::fs;
use std::path::Path;
use std::time::Duration;

use ironweave::prelude::*;
use ironweave::{Durability, Fold, Position, Record, Seq, Store};
use serde::{Deserialize, Serialize};

use crate::bank::{Founded, Model, found, kind, on_disk, open, told};
use crate::harness::{copy_dir, temp_dir};

/// Replaces a directory by a copy of a backup.
fn restore(backup: &Path, dir: &Path) {
    fs::remove_dir_all(dir).expect("the directory can be removed");
    copy_dir(backup, dir);
}

#[derive(Default, Serialize, Deserialize)]
struct Transactions(u64);

impl Fold<Model> for Transactions {
    const VERSION: u32 = 1;
    type Error = StorageError;

    fn fold(&mut self, _: &Record<Model>) -> Result<(), StorageError> {
        self.0 += 1;
        Ok(())
    }
}

#[test]
fn consumers_ahead_of_a_log_restored_from_a_backup_get_an_error() {
    let outer = temp_dir();
    let [dir, backup] = ["store", "backup"].map(|name| outer.path().join(name));
    let table = outer.path().join("a.table");
    let mut store = on_disk(&dir);
    for i in 0..100 {
        found(&mut store, &format!("before {i}"));
    }
    let early = store.position().expect("the store has a log");
    let mailer = store.subscribe_as("mailer").expect("the log can be read");
    let slow = store.subscribe_as("slow").expect("the log can be read");
    slow.acknowledge(early).expect("the file can be written");
    drop((mailer, slow, store));
    copy_dir(&dir, &backup);

    let mut store = on_disk(&dir);
    for i in 0..50 {
        found(&mut store, &format!("lost {i}"));
    }
    let late = store.position().expect("the store has a log");
    let lost = store.snapshot();
    let mailer = store.subscribe_as("mailer").expect("the log can be read");
    mailer.acknowledge(late).expect("the file can be written");
    let mut folded = store
        .project_into::<Transactions>(&table)
        .expect("the table is new");
    assert_eq!(folded.catch_up(|_| {}).expect("the table catches up"), 150);
    folded.save().expect("the table is saved");
    drop((mailer, folded, store));
    let cursor = dir.join("cursors/mailer");
    let kept = fs::read(&cursor).expect("the entity or the file exists");
    restore(&backup, &dir);
    // The consumer kept its cursor, its table and its position.
    fs::write(&cursor, &kept).expect("the file can be written");

    let mut store = on_disk(&dir);
    let e = store.subscribe_as("mailer").map(|_| ()).expect_err("ahead");
    assert!(e.is_ahead(), "{e}");
    for part in ["150", "100", "`mailer`", "cursors", "is removed"] {
        assert!(e.to_string().contains(part), "{e}");
    }
    assert_eq!(kind(store.locate(late)), "ahead");
    assert_eq!(kind(store.subscribe_after(lost.clone())), "ahead");
    let folded = store
        .project_into::<Transactions>(&table)
        .expect("the log can be read");
    assert!(folded.folded_anew().is_some_and(|e| e.is_other_history()));
    assert_eq!((folded.position(), folded.table().0), (None, 0));
    // A consumer that was not ahead continues.
    let slow = store.subscribe_as("slow").expect("the log can be read");
    assert_eq!(slow.position(), Some(early));
    assert_eq!(kind(store.locate(early)), "fine");

    // The log continues with other frames at those positions.
    for i in 0..60 {
        found(&mut store, &format!("after {i}"));
    }
    let e = store.subscribe_as("mailer").map(|_| ());
    let e = e.expect_err("another frame is there");
    assert!(e.is_other_history(), "{e}");
    let there = store.locate(150).expect("there is a transaction");
    for sum in [late.checksum(), there.checksum()] {
        assert!(e.to_string().contains(&format!("{sum:016x}")), "{e}");
    }
    assert_eq!(kind(store.subscribe_after(lost)), "other history");
    let mut folded = store
        .project_into::<Transactions>(&table)
        .expect("the log can be read");
    assert!(folded.folded_anew().is_some_and(|e| e.is_other_history()));
    assert_eq!(folded.catch_up(|_| {}).expect("the table catches up"), 160);
    folded.save().expect("the table is saved");
    let again = store
        .project_into::<Transactions>(&table)
        .expect("the log can be read");
    assert!(again.folded_anew().is_none() && again.lag() == 0);
    // The advice of the message works.
    fs::remove_file(&cursor).expect("the directory can be removed");
    let again = store.subscribe_as("mailer").expect("the log can be read");
    assert_eq!(again.next_seq(), 0);
}

#[test]
fn a_reader_whose_log_is_replaced_gets_an_error() {
    let outer = temp_dir();
    let [dir, backup] = ["store", "backup"].map(|name| outer.path().join(name));
    let mut store = on_disk(&dir);
    let early = Store::<Model>::open_read_only(&dir).expect("the store opens");
    found(&mut store, "before");
    drop(store);
    copy_dir(&dir, &backup);
    let mut store = on_disk(&dir);
    found(&mut store, "lost");
    let mut beside = Store::<Model>::open_read_only(&dir).expect("the store opens");
    let mut both = [early, Store::open_read_only(&dir).expect("the store opens")];
    drop(store);
    restore(&backup, &dir);
    // Its last frame does not exist in the log, whether or not another one has its sequence.
    let e = beside.refresh().expect_err("frame 2 is gone");
    assert!(e.is_replaced() && e.seq() == Some(Seq::new(2)), "{e}");
    let mut store = on_disk(&dir);
    for i in 0..200 {
        found(&mut store, &format!("after {i}"));
    }
    let [early, late] = &mut both;
    assert!(late.refresh().is_err_and(|e| e.is_replaced()));
    // A reader that had read only frames of the restored log continues.
    assert_eq!(early.refresh().expect("the log can be read"), store.seq());
    assert_eq!(early.fingerprint(), store.fingerprint());
}

#[test]
fn what_is_acknowledged_or_saved_is_durable_in_every_mode() {
    let outer = temp_dir();
    for (i, durability) in [
        Durability::Always,
        Durability::Os,
        Durability::Every(Duration::MAX),
    ]
    .into_iter()
    .enumerate()
    {
        let options = Store::<Model>::options().durability(durability);
        let dir = outer.path().join(i.to_string());
        let mut store = options.open(&dir).expect("the store opens");
        found(&mut store, "a");
        let mailer = store.subscribe_as("mailer").expect("the log can be read");
        mailer.acknowledge(1).expect("the file can be written");
        assert!(store.durable() >= Some(Seq::new(1)), "{durability:?}");
        found(&mut store, "b");
        let table = outer.path().join(format!("{i}.table"));
        let mut folded = store.project_into::<Transactions>(&table).expect("new");
        folded.catch_up(|_| {}).expect("the table catches up");
        folded.save().expect("the table is saved");
        assert_eq!(store.durable(), Some(Seq::new(2)), "{durability:?}");
    }
}

#[test]
fn a_new_timeline_distinguishes_transactions_after_a_restore_from_those_before() {
    let outer = temp_dir();
    let [dir, backup] = ["store", "backup"].map(|name| outer.path().join(name));
    let found_at = |store: &mut Store<Model>, n: i64| {
        let meta = Meta::new().with_time(Timestamp::from_secs(n));
        let name = format!("bank {n}");
        let done = store.try_step_with(meta, Founded { name });
        done.expect("the event fires")
            .position(store)
            .expect("committed")
    };
    let mut store = on_disk(&dir);
    let before: Vec<Position> = (0..5).map(|n| found_at(&mut store, n)).collect();
    drop(store);
    copy_dir(&dir, &backup);
    let mut store = on_disk(&dir);
    let lost = found_at(&mut store, 5);
    assert_eq!(lost.timeline(), 0);
    drop(store);

    let options = || {
        let options = Store::<Model>::options().durability(Durability::Os);
        options.segment_bytes_max(4_096)
    };
    let open_anew = || {
        let options = options().new_timeline();
        options.open(&dir).expect("the store opens")
    };
    restore(&backup, &dir);
    let mut store = open_anew();
    // The frames are equal to the last byte, and are of another history.
    let again = found_at(&mut store, 5);
    assert_eq!(again.checksum(), lost.checksum());
    assert_ne!(again.timeline(), 0);
    assert_eq!(kind(store.locate(lost)), "other history");
    for position in &before {
        assert_eq!(store.locate(*position).ok(), Some(*position));
    }
    // The timeline is that of all later frames, in other segments too, and after the store was opened again.
    let follow: Vec<Position> = (6..300).map(|n| found_at(&mut store, n)).collect();
    drop(store);
    let segments = fs::read_dir(&dir)
        .expect("the directory can be listed")
        .filter(|entry| {
            let path = entry.as_ref().expect("the directory can be listed").path();
            path.extension().is_some_and(|e| e == "log")
        });
    assert!(segments.count() > 4);
    let mut store = options().open(&dir).expect("the store opens");
    let records = store.since(before[4]).expect("the log can be read");
    for (record, position) in records.zip(std::iter::once(&again).chain(&follow)) {
        assert_eq!(
            record.expect("the log can be read").position(),
            Some(*position)
        );
        assert_eq!(position.timeline(), again.timeline());
    }
    // Several segments begin after the store was opened again.
    let later: Vec<Position> = (300..400).map(|n| found_at(&mut store, n)).collect();
    for position in &later {
        assert_eq!(position.timeline(), again.timeline(), "{position:?}");
    }
    let next = later[99];
    drop(store);
    // A second timeline, and a third one where nothing was written on the second.
    let second = open_anew();
    let seq = second.seq();
    drop(second);
    let mut third = open_anew();
    assert_eq!(third.seq(), seq);
    let last = found_at(&mut third, 400);
    assert!(last.timeline() != again.timeline() && last.timeline() != 0);
    assert_eq!(third.locate(next).ok(), Some(next));
    let print = third.fingerprint();
    drop(third);
    let beside = Store::<Model>::open_read_only(&dir).expect("the store opens");
    assert_eq!(
        (beside.position(), beside.fingerprint()),
        (Some(last), print)
    );
    // The empty segment of a new timeline is continued on that timeline.
    drop(open_anew());
    let mut store = options().open(&dir).expect("the store opens");
    let continued = found_at(&mut store, 401);
    assert!(![0, again.timeline(), last.timeline()].contains(&continued.timeline()));
    drop(store);
    assert_eq!(on_disk(&dir).position(), Some(continued));
    // A new log has no timeline to replace.
    let new = Store::<Model>::options().new_timeline();
    let new = new.open(outer.path().join("new")).expect("the store opens");
    assert_eq!(new.position().map(|p| p.timeline()), Some(0));
}

#[test]
fn a_cursor_without_a_position_is_valid_where_the_log_has_its_frame() {
    let dir = temp_dir();
    let mut store = on_disk(dir.path());
    open(&mut store, 2);
    let mailer = store.subscribe_as("mailer").expect("the log can be read");
    mailer.acknowledge(2).expect("the file can be written");
    let cursor = dir.path().join("cursors/mailer");
    let old = |seq: Seq| {
        let mut bytes = fs::read(&cursor).expect("the entity or the file exists");
        bytes[16..24].copy_from_slice(&seq.get().to_le_bytes());
        bytes[24..40].fill(0);
        let sum = xxhash_rust::xxh3::xxh3_64(&bytes[..56]);
        bytes[56..].copy_from_slice(&sum.to_le_bytes());
        fs::write(&cursor, bytes).expect("the file can be written");
    };
    old(Seq::new(1));
    let mut mailer = store.subscribe_as("mailer").expect("the log can be read");
    let seqs: Vec<Seq> = told(&mut mailer).iter().map(Record::seq).collect();
    assert_eq!(seqs, [2, 3]);
    for seq in [Seq::new(4), Seq::MAX] {
        old(seq);
        let e = store.subscribe_as("mailer").map(|_| ()).expect_err("ahead");
        assert!(
            e.is_ahead() && e.to_string().contains(&seq.to_string()),
            "{e}"
        );
    }
}

#[test]
fn a_reader_beside_a_writer_has_its_timelines_where_an_empty_segment_was_replaced() {
    for is_empty in [true, false] {
        let dir = temp_dir();
        let open_anew = || {
            let options = Store::<Model>::options().durability(Durability::Os);
            options
                .new_timeline()
                .open(dir.path())
                .expect("the store opens")
        };
        found(&mut on_disk(dir.path()), "a");
        let mut store = open_anew();
        if !is_empty {
            found(&mut store, "b");
        }
        let mut beside = Store::<Model>::open_read_only(dir.path()).expect("the store opens");
        drop(store);
        let mut store = open_anew();
        found(&mut store, "c");
        beside.refresh().expect("the log can be read");
        assert_eq!(beside.position(), store.position());
        for seq in 0..=store.seq().expect("there is a transaction").get() {
            let position = store.locate(seq).expect("the entity or the file exists");
            assert_eq!(beside.locate(position).ok(), Some(position));
        }
    }
}

//! A position names a frame of one history: one past the end of the log, or of another history, is an error and is never
//! ignored.

use std::time::Duration;

use ironweave::prelude::*;
use ironweave::{Position, Record, Seq, Snapshot, Store};

use crate::bank::{Account, Bank, Founded, found, kind, on_disk, told};
use crate::bank::{Froze, Model, Opened, Thawed, Transferred, open, transfer};
use crate::harness::{copy_dir, temp_dir};

fn stepped<T>(result: Result<T, StepError>) -> Result<T, ReadError> {
    match result {
        Ok(done) => Ok(done),
        Err(StepError::Metadata(e)) => Err(*e),
        Err(e) => panic!("{e}"),
    }
}

#[test]
fn a_sequence_past_the_end_of_the_log_is_an_error_with_both_numbers() {
    let dir = temp_dir();
    for mut store in [Store::memory(), on_disk(dir.path())] {
        open(&mut store, 2);
        let last = store.seq().expect("there is a transaction");
        let named = store.subscribe_as("mailer").expect("the log can be read");
        let bank = store
            .find::<Bank>("b")
            .expect("the entity or the file exists");
        for (frame, wanted) in [
            (last, "fine"),
            (last + 1, "ahead"),
            (last + 50, "ahead"),
            (Seq::MAX - 1, "ahead"),
            (Seq::MAX, "ahead"),
        ] {
            let meta = Meta::new();
            let results = [
                ("locate", kind(store.locate(frame))),
                ("subscribe_since", kind(store.subscribe_since(frame))),
                ("since", kind(store.since(frame))),
                ("as_of", kind(store.as_of(frame))),
                ("acknowledge", kind(named.acknowledge(frame))),
                ("expect", {
                    let begun = store.begin_with(meta.clone().expect(frame));
                    kind(stepped(begun))
                }),
                ("causation", {
                    let begun = store.begin_with(meta.clone().with_causation(frame));
                    kind(stepped(begun))
                }),
                ("with_meta", {
                    let opened = Opened {
                        bank,
                        number: 77,
                        balance: 1,
                    };
                    let meta = meta.clone().expect(frame);
                    kind(stepped(store.snapshot().with_meta(meta, opened)))
                }),
                (
                    "a range to its end",
                    kind(store.tx_range(Seq::new(1)..=frame)),
                ),
            ];
            for (call, got) in results {
                assert_eq!(got, wanted, "{call} of {frame} after {last}");
            }
        }
        // What begins with a frame may begin with the next one.
        for (frame, wanted) in [(last + 1, "fine"), (last + 2, "ahead"), (Seq::MAX, "ahead")] {
            let results = [
                ("subscribe", kind(store.subscribe(frame))),
                ("frames", kind(store.frames(frame))),
                ("a range", kind(store.tx_range(frame..))),
                ("a range before it", kind(store.tx_range(..frame))),
            ];
            for (call, got) in results {
                assert_eq!(got, wanted, "{call} of {frame} after {last}");
            }
        }
        let after = (
            std::ops::Bound::Excluded(Seq::MAX),
            std::ops::Bound::Unbounded,
        );
        assert_eq!(kind(store.tx_range(after)), "ahead");
        #[allow(clippy::reversed_empty_ranges)]
        let reversed = store.tx_range(3..2);
        assert_eq!(kind(reversed), "not found");
        assert_eq!(store.tx_range(2..2).expect("it is empty").count(), 0);

        let e = store.subscribe(last + 50).map(|_| ()).expect_err("ahead");
        assert_eq!(e.seq(), Some(last + 50));
        for part in [(last + 50).to_string(), last.to_string()] {
            assert!(e.to_string().contains(&part), "{e}");
        }
        // Nothing of this was noted, and nothing stopped.
        assert_eq!(store.seq(), Some(last));
        let again = store.subscribe_as("mailer").expect("the log can be read");
        assert_eq!(again.next_seq(), last + 1);
        store.step(transfer(&store, 0, 1, 1));
    }
}

#[test]
fn a_time_in_the_future_is_an_error() {
    let mut store = Store::<Model>::memory();
    let at = |secs| Meta::new().with_time(Timestamp::from_secs(secs));
    let founded = Founded { name: "b".into() };
    let first = store
        .try_step_with(at(1_000), founded)
        .expect("the event fires");
    let print = store.fingerprint();
    let as_of = |store: &Store<Model>, secs| store.as_of(Timestamp::from_secs(secs));
    // Nothing has happened since, so that it was as it is.
    assert_eq!(
        as_of(&store, 1_000_000)
            .expect("the log has that transaction")
            .fingerprint(),
        print
    );
    let future = Timestamp::now().as_micros() / 1_000_000 + 1_000_000;
    let e = as_of(&store, future).expect_err("it is to come");
    assert!(e.is_ahead(), "{e}");
    let (asked, last) = (Timestamp::from_secs(future), Timestamp::from_secs(1_000));
    for time in [asked, last] {
        assert!(e.to_string().contains(&time.to_string()), "{e}");
    }
    assert!(
        store
            .as_of(Timestamp::from_micros(i64::MAX))
            .is_err_and(|e| e.is_ahead())
    );
    // A store whose clock is ahead of ours knows the time until its last transaction.
    let founded = Founded { name: "c".into() };
    store
        .try_step_with(at(future), founded)
        .expect("the event fires");
    assert_eq!(
        as_of(&store, future)
            .expect("the log has that transaction")
            .seq(),
        store.seq()
    );
    assert_eq!(
        as_of(&store, future - 1)
            .expect("the log has that transaction")
            .seq(),
        Some(first.seq)
    );
    assert!(as_of(&store, future + 1).is_err_and(|e| e.is_ahead()));
}

#[test]
fn a_position_of_another_store_is_an_error_that_names_both_stores() {
    let dirs = [(); 2].map(|()| temp_dir());
    let [dir, other_dir] = [dirs[0].path(), dirs[1].path()];
    for (mut store, mut other) in [
        (Store::memory(), Store::memory()),
        (on_disk(dir), on_disk(other_dir)),
    ] {
        open(&mut store, 2);
        open(&mut other, 2);
        found(&mut store, "c");
        assert_ne!(store.fingerprint(), other.fingerprint());
        let position = other.position().expect("the store has a log");
        let named = store.subscribe_as("mailer").expect("the log can be read");
        let results = [
            ("locate", kind(store.locate(position))),
            ("subscribe_since", kind(store.subscribe_since(position))),
            ("since", kind(store.since(position))),
            ("as_of", kind(store.as_of(position))),
            ("acknowledge", kind(named.acknowledge(position))),
            ("expect", {
                let begun = store.begin_with(Meta::new().expect(position));
                kind(stepped(begun))
            }),
            ("causation", {
                let begun = store.begin_with(Meta::new().with_causation(position));
                kind(stepped(begun))
            }),
            ("with_meta", {
                let meta = Meta::new().with_causation(position);
                let founded = Founded { name: "d".into() };
                kind(stepped(store.snapshot().with_meta(meta, founded)))
            }),
            ("subscribe_after", {
                kind(store.subscribe_after(other.snapshot()))
            }),
            ("diff", kind(store.snapshot().diff(&other.snapshot()))),
        ];
        for (call, got) in results {
            assert_eq!(got, "other history", "{call}");
        }
        let e = store.locate(position).expect_err("it is of another store");
        let ours = store.position().expect("the store has a log");
        for id in [position.store(), ours.store()] {
            assert!(e.to_string().contains(&format!("{id:016x}")), "{e}");
        }
        // Equal graphs do not make them one.
        found(&mut other, "c");
        assert_eq!(store.fingerprint(), other.fingerprint());
        let theirs = other.snapshot();
        assert_eq!(kind(store.subscribe_after(theirs.clone())), "other history");
        assert_eq!(kind(store.snapshot().diff(&theirs)), "other history");
    }
    // A cursor that was copied from another store.
    let store = on_disk(dir);
    store
        .subscribe_as("mailer")
        .and_then(|s| s.acknowledge(2))
        .expect("the file can be written");
    drop(store);
    copy_dir(&dir.join("cursors"), &other_dir.join("cursors"));
    let e = on_disk(other_dir).subscribe_as("mailer").map(|_| ());
    let e = e.expect_err("it is of another store");
    assert!(e.is_other_history(), "{e}");
    assert!(e.to_string().contains("subscription `mailer`"), "{e}");
}

#[test]
fn a_frame_has_one_position_wherever_it_comes_from() {
    let dir = temp_dir();
    for (mut store, on_the_disk) in [(Store::memory(), false), (on_disk(dir.path()), true)] {
        open(&mut store, 2);
        let reader = store.reader();
        let mut all = Vec::new();
        for i in 0..200 {
            let receipt = store.step(transfer(&store, i % 2, (i + 1) % 2, 1));
            let position = receipt.position(&store).expect("it is committed");
            assert_eq!(Some(position), store.position());
            assert_eq!(Some(position), reader.newest().position());
            assert_eq!(position.seq(), receipt.seq);
            all.push(position);
        }
        // Near and far: what the log has at hand, and what it reads.
        let first = all[0].seq();
        let mut listening = store.subscribe(first).expect("the log can be read");
        assert_eq!(
            listening.position(),
            store.locate(first - 1).ok(),
            "before the first"
        );
        for position in &all {
            let seq = position.seq();
            assert_eq!(
                store.locate(seq).expect("the entity or the file exists"),
                *position
            );
            let then = store
                .as_of(*position)
                .expect("the log has that transaction");
            assert_eq!(then.position(), Some(*position));
            let record = listening.try_next().expect("the log can be read");
            let record = record.expect("the entity or the file exists");
            assert_eq!(record.position(), Some(*position));
            assert_eq!(listening.position(), Some(*position));
        }
        let read = store.since(all[9]).expect("the log can be read");
        let read: Vec<Option<Position>> = read
            .map(|r| r.expect("the log can be read").position())
            .collect();
        assert!(read.into_iter().eq(all[10..].iter().copied().map(Some)));
        let account = store
            .find::<Account>(&0)
            .expect("the entity or the file exists");
        let past = store.history(account).expect("the log can be read");
        assert!(store.locate(past[0].seq()).is_ok());
        // One that is not committed has none.
        let mut t = store.begin();
        let receipt = t
            .apply(Founded { name: "d".into() })
            .expect("the event fires");
        drop(t);
        assert_eq!(kind(receipt.position(&store)), "ahead");
        // What was only tried has none either, and nothing follows it.
        let tried = store.snapshot().with(Founded { name: "d".into() });
        let tried = tried.expect("the event fires").snapshot;
        assert_eq!(tried.position(), None);
        assert_eq!(kind(store.subscribe_after(tried)), "other history");
        // Who only reads has the same.
        let last = store.position();
        drop(store);
        if on_the_disk {
            let beside = Store::<Model>::open_read_only(dir.path()).expect("the store opens");
            assert_eq!(beside.position(), last);
            for position in &all {
                assert_eq!(beside.locate(*position).ok(), Some(*position));
            }
            assert_eq!(on_disk(dir.path()).position(), last);
        }
    }
}

#[test]
fn a_store_that_began_at_a_snapshot_has_its_own_positions_and_no_past() {
    let mut store = Store::<Model>::memory();
    open(&mut store, 2);
    found(&mut store, "c");
    let then = store.snapshot();
    let at = then.position().expect("the store has a log");
    let mut trial = then.clone().into_store();
    let base = trial.position().expect("the store has a log");
    assert_eq!(base.seq(), at.seq());
    assert_ne!(base.store(), at.store());
    assert_eq!(
        trial
            .as_of(base)
            .expect("the log has that transaction")
            .position(),
        Some(base)
    );
    assert_eq!(trial.snapshot().position(), Some(base));
    assert_eq!(kind(trial.locate(at)), "other history");
    // What it began at is what its first transaction follows.
    let mut after = [
        trial.subscribe_after(then.clone()),
        trial.subscribe_after(trial.snapshot()),
    ]
    .map(|subscription| subscription.expect("the log can be read"));
    let mut since = trial.subscribe_since(base).expect("the log can be read");
    let seq = found(&mut trial, "d");
    for subscription in after.iter_mut().chain([&mut since]) {
        let seqs: Vec<Seq> = told(subscription).iter().map(Record::seq).collect();
        assert_eq!(seqs, [seq]);
    }
    // Others did not lead there.
    found(&mut store, "e");
    assert_eq!(
        kind(trial.subscribe_after(store.snapshot())),
        "other history"
    );
    // It and the one that it comes from have entities in common.
    let changes = then
        .diff(&trial.snapshot())
        .expect("they have a common past");
    assert_eq!(changes.facts().len(), 3);

    let before = at.seq() - 1;
    let named = trial.subscribe_as("mailer").expect("the log can be read");
    for (call, got) in [
        ("since", kind(trial.since(before))),
        ("locate", kind(trial.locate(before))),
        ("as_of", kind(trial.as_of(before))),
        ("subscribe_since", kind(trial.subscribe_since(before))),
        ("subscribe", kind(trial.subscribe(before))),
        ("frames", kind(trial.frames(before))),
        ("a range", kind(trial.tx_range(before..))),
        ("acknowledge", kind(named.acknowledge(before))),
        ("expect", {
            let begun = trial.begin_with(Meta::new().expect(before));
            kind(stepped(begun))
        }),
    ] {
        assert_eq!(got, "not found", "{call}");
    }
    // From its beginning on it tells all that it has, and it may follow from what was before.
    assert_eq!(trial.frames(0).expect("the log can be read").count(), 1);
    assert_eq!(trial.tx_range(..).expect("the log can be read").count(), 1);
    let meta = Meta::new().with_causation(before);
    let founded = Founded { name: "f".into() };
    trial.try_step_with(meta, founded).expect("the event fires");
}

#[test]
fn metadata_may_name_transactions_by_position_and_the_log_has_their_sequences() {
    let mut store = Store::<Model>::memory();
    open(&mut store, 2);
    let cause = store.position().expect("the store has a log");
    let meta = Meta::new()
        .with_causation(cause)
        .expect(cause)
        .with_actor("ann");
    let done = store.try_step_with(meta, transfer(&store, 0, 1, 1));
    let seq = done.expect("nothing has changed since").seq;
    let frame = store.frames(seq).expect("the log can be read").next();
    let meta = frame
        .expect("the entity or the file exists")
        .expect("the log can be read")
        .meta()
        .clone();
    assert_eq!(
        meta,
        Meta::new().with_causation(cause.seq()).with_actor("ann")
    );
    let meta = Meta::new().expect(cause);
    let refused = store.try_step_with(meta, transfer(&store, 0, 1, 1));
    assert!(matches!(refused, Err(StepError::Changed { .. })));
}

#[test]
fn any_timeout_is_legal() {
    let mut store = Store::<Model>::memory();
    open(&mut store, 2);
    let reader = store.reader();
    let first = store.seq().expect("there is a transaction");
    let mut listening = store.subscribe(first + 1).expect("the log can be read");
    let waiting = std::thread::spawn(move || {
        let record = listening
            .next_within(Duration::MAX)
            .expect("the log can be read");
        (record.map(|r| r.seq()), listening)
    });
    let there = reader.clone();
    let watching = std::thread::spawn(move || there.wait_until(first + 1, Duration::MAX));
    let seq = store.step(transfer(&store, 0, 1, 1)).seq;
    let (got, mut listening) = waiting.join().expect("the thread does not panic");
    assert_eq!(got, Some(seq));
    let seen: Option<Snapshot<Model>> = watching.join().expect("the thread does not panic");
    assert_eq!(seen.and_then(|s| s.seq()), Some(seq));
    // So is any between two syncs.
    let dir = temp_dir();
    let options = Store::<Model>::options().sync_every(Duration::MAX);
    let mut seldom = options.open(dir.path()).expect("the store opens");
    open(&mut seldom, 2);
    drop(seldom);
    // It ends with the store.
    drop(store);
    assert!(
        listening
            .next_within(Duration::MAX)
            .expect("the log can be read")
            .is_none()
    );
    assert!(reader.wait_until(Seq::MAX, Duration::MAX).is_none());
}

#[test]
fn a_store_without_a_log_has_no_position_and_takes_none() {
    let mut store = Store::<Model>::unlogged();
    open(&mut store, 2);
    assert_eq!(
        (store.position(), store.snapshot().position()),
        (None, None)
    );
    assert!(store.locate(0).is_err_and(|e| e.is_unlogged()));
    assert!(store.as_of(0).is_err_and(|e| e.is_unlogged()));
    assert!(store.since(0).is_err_and(|e| e.is_unlogged()));
    // Two of its values have a difference.
    let before = store.snapshot();
    let account = store
        .find::<Account>(&0)
        .expect("the entity or the file exists");
    let why = "a doubt".to_owned();
    store.step(Froze { account, why });
    let changes = before
        .diff(&store.snapshot())
        .expect("both are of one store");
    assert_eq!(changes.facts().len(), 2);
    store.step(Thawed { account });
    let mut other = Store::<Model>::unlogged();
    open(&mut other, 2);
    assert_eq!(kind(before.diff(&other.snapshot())), "other history");
    // It counts its transactions, so that it knows what is yet to come.
    let last = store.seq().expect("it counts");
    let begun = |seq| Meta::new().with_causation(seq);
    assert!(stepped(store.begin_with(begun(last))).is_ok());
    assert!(stepped(store.begin_with(begun(last + 1))).is_err_and(|e| e.is_ahead()));
    let _: Transferred = transfer(&store, 0, 1, 1);
}

#[test]
fn the_graph_before_the_first_frame_is_followed_by_every_frame() {
    let mut store = Store::<Model>::memory();
    open(&mut store, 2);
    let before = store
        .as_of(Timestamp::from_micros(-1))
        .expect("the log has that transaction");
    assert_eq!((before.seq(), before.position()), (None, None));
    let mut all = store
        .subscribe_after(before.clone())
        .expect("the log can be read");
    let last = told(&mut all).pop().expect("there is a transaction");
    let after = last.after().expect("it begins at a snapshot");
    assert_eq!(after.fingerprint(), store.fingerprint());
    // What was tried on it is in no log, and another store has its own.
    let tried = before
        .with(Founded { name: "b".into() })
        .expect("the event fires");
    assert_eq!(kind(store.subscribe_after(tried.snapshot)), "other history");
    let other = Store::<Model>::memory();
    assert_eq!(kind(other.subscribe_after(before)), "other history");
}

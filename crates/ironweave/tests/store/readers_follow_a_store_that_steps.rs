//! The handle of `Store::reader` reads the past and follows the store from other threads, while its owner steps it, and
//! after it was dropped.

use std::fs;
use std::thread;
use std::time::Duration;

use ironweave::prelude::*;
use ironweave::{Seq, StoreReader};

use crate::harness::temp_dir;
use crate::the_past_does_not_block_writers::meters::{Meter, Model, Read};
use crate::the_past_does_not_block_writers::{Reading, mounted};

/// A store with a meter that was read twice, in memory and on disk.
fn stores() -> Vec<(Store<Model>, Meter, Option<tempfile::TempDir>)> {
    let dir = temp_dir();
    let on_disk = Store::<Model>::open(dir.path()).unwrap();
    let stores = [(Store::memory(), None), (on_disk, Some(dir))];
    let begun = |(mut store, dir): (Store<Model>, Option<tempfile::TempDir>)| {
        let meter = store.step(mounted(1)).created.meter;
        read(&mut store, meter, 5);
        read(&mut store, meter, 6);
        (store, meter, dir)
    };
    stores.map(begun).into()
}

fn read(store: &mut Store<Model>, meter: Meter, value: u64) -> Seq {
    let value = Reading(value);
    store.step(Read { meter, value }).seq
}

fn seqs<'a>(
    records: impl Iterator<Item = Result<ironweave::Record<Model>, StorageError>> + 'a,
) -> Vec<u64> {
    records.map(|record| record.unwrap().seq().get()).collect()
}

fn runs_on_another_thread<T: Send + Sync + Clone + 'static>(_: &T) {}

#[test]
fn a_reader_gives_what_the_store_gives() {
    for (mut store, meter, _dir) in stores() {
        let reader = store.reader();
        runs_on_another_thread(&reader);
        // The first view was made before this step.
        assert_eq!(reader.since(0).unwrap().count(), 3);
        let last = read(&mut store, meter, 7);
        let (reader, answers) = thread::spawn(move || {
            let history = reader.history(meter).unwrap();
            let of_key = reader.history_of_key::<Meter>(&1).unwrap();
            let between = reader.history_between(meter, meter).unwrap();
            let texts = |entries: &[ironweave::HistoryEntry<Model>]| -> Vec<String> {
                entries.iter().map(ToString::to_string).collect()
            };
            let answers = (
                seqs(reader.since(last - 2).unwrap()),
                seqs(reader.tx_range(..last).unwrap()),
                seqs(reader.frames(last).unwrap()),
                texts(&history),
                texts(&between),
                of_key.len(),
                reader.verify().unwrap(),
            );
            (reader, answers)
        })
        .join()
        .unwrap();
        let texts = |entries: Vec<ironweave::HistoryEntry<Model>>| -> Vec<String> {
            entries.iter().map(ToString::to_string).collect()
        };
        let expected = (
            seqs(store.since(last - 2).unwrap()),
            seqs(store.tx_range(..last).unwrap()),
            seqs(store.frames(last).unwrap()),
            texts(store.history(meter).unwrap()),
            texts(store.history_between(meter, meter).unwrap()),
            store.history_of_key::<Meter>(&1).unwrap().len(),
            store.verify().unwrap(),
        );
        assert_eq!(answers, expected);
        assert_eq!(reader.seq(), store.seq());
        assert_eq!(reader.position().unwrap(), store.position());
        assert_eq!(reader.locate(last).unwrap(), store.locate(last).unwrap());
        assert!(reader.locate(last + 1).unwrap_err().is_ahead());
        assert_eq!(meter.value(&reader.as_of(last - 1).unwrap()), &Reading(6));
    }
}

#[test]
fn a_reader_follows_on_another_thread() {
    for (mut store, meter, _dir) in stores() {
        let reader = store.reader();
        let from = store.seq().unwrap().get();
        let (started, has_started) = std::sync::mpsc::channel();
        let follower = thread::spawn(move || {
            let after = reader.snapshot();
            let all = reader.subscribe(0).unwrap();
            let since = reader.subscribe_since(from).unwrap();
            let named = reader.subscribe_as("follower").unwrap();
            let graphs = reader.subscribe_after(after).unwrap();
            started.send(()).unwrap();
            let mut seen = Vec::new();
            for record in all {
                let seq = record.unwrap().seq();
                // What a subscription delivers is in the next snapshot, and in the past.
                assert!(reader.snapshot().seq() >= Some(seq));
                assert_eq!(reader.as_of(seq).unwrap().seq(), Some(seq));
                seen.push(seq.get());
            }
            let graphs: Vec<_> = graphs.map(|r| r.unwrap().after().unwrap().seq()).collect();
            (seen, seqs(since), seqs(named), graphs)
        });
        has_started.recv().unwrap();
        for value in 10..20 {
            read(&mut store, meter, value);
        }
        let last = store.seq().unwrap().get();
        drop(store);
        let (all, since, named, graphs) = follower.join().unwrap();
        assert_eq!(all, (1..=last).collect::<Vec<_>>());
        assert_eq!(named, all);
        assert_eq!(since, (from + 1..=last).collect::<Vec<_>>());
        let expected: Vec<_> = since.iter().map(|seq| Some(Seq::new(*seq))).collect();
        assert_eq!(graphs, expected);
    }
}

#[test]
fn a_frame_that_was_waited_for_can_be_asked_for() {
    for (mut store, meter, _dir) in stores() {
        let reader = store.reader();
        let from = store.seq().unwrap().get() + 1;
        let follower = thread::spawn(move || {
            for seq in from..from + 50 {
                let now = reader.wait_until(seq, Duration::MAX).unwrap();
                let seq = Seq::new(seq);
                assert!(now.seq() >= Some(seq));
                assert_eq!(reader.as_of(seq).unwrap().seq(), Some(seq));
                assert!(reader.since(seq - 1).unwrap().next().is_some());
            }
            reader.wait_until(from + 50, Duration::MAX).is_none()
        });
        for value in 0..50 {
            read(&mut store, meter, value);
        }
        drop(store);
        assert!(follower.join().unwrap(), "no further frame will come");
    }
}

#[test]
fn a_reader_sees_each_transaction_once_while_the_log_grows() {
    for (mut store, meter, dir) in stores() {
        let reader = store.reader();
        // Enough for several chunks of a log in memory.
        let steps = if dir.is_some() { 100 } else { 20_000 };
        let end = store.seq().unwrap().get() + steps;
        let counter = thread::spawn(move || {
            let mut before = 0;
            while before < end {
                let seqs = seqs(reader.since(0).unwrap());
                assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>());
                assert!(seqs.len() as u64 >= before);
                before = seqs.len() as u64;
            }
        });
        for value in 0..steps {
            read(&mut store, meter, value);
        }
        counter.join().unwrap();
    }
}

#[test]
fn a_reader_outlives_the_store() {
    for (mut store, meter, _dir) in stores() {
        let reader = store.reader();
        let last = read(&mut store, meter, 7);
        let position = store.position();
        store.close().unwrap();
        assert_eq!(reader.seq(), Some(last));
        assert_eq!(reader.position().unwrap(), position);
        assert_eq!(meter.value(&reader.snapshot()), &Reading(7));
        assert_eq!(meter.value(&reader.as_of(last - 1).unwrap()), &Reading(6));
        // It was created with two fields, and read three times.
        assert_eq!(reader.history(meter).unwrap().len(), 6);
        assert_eq!(seqs(reader.since(1).unwrap()), [2, 3, 4]);
        assert_eq!(seqs(reader.subscribe(2).unwrap()), [2, 3, 4]);
        assert_eq!(reader.verify().unwrap(), 4);
        assert!(reader.wait_until(last + 1, Duration::MAX).is_none());
    }
}

#[test]
fn a_reader_refuses_a_log_that_has_replaced_the_one_it_read() {
    let dir = temp_dir();
    let mut store = Store::<Model>::open(dir.path()).unwrap();
    let meter = store.step(mounted(1)).created.meter;
    let reader = store.reader();
    let last = read(&mut store, meter, 7);
    drop(store);
    for entry in fs::read_dir(dir.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::remove_file(path).unwrap();
        }
    }
    let mut other = Store::<Model>::open(dir.path()).unwrap();
    let meter = other.step(mounted(2)).created.meter;
    read(&mut other, meter, 8);
    let replaced = |e: ReadError| {
        let of_storage = matches!(&e, ReadError::Storage(e) if e.is_replaced());
        of_storage || e.is_other_history()
    };
    assert!(replaced(reader.since(0).err().unwrap()));
    assert!(replaced(reader.as_of(last).unwrap_err()));
    assert!(replaced(reader.history(meter).err().unwrap()));
    assert!(replaced(reader.subscribe(0).err().unwrap()));
}

#[test]
fn a_reader_of_a_store_without_a_log_has_snapshots_only() {
    let mut store = Store::<Model>::unlogged();
    let reader = store.reader();
    let meter = store.step(mounted(1)).created.meter;
    assert_eq!(reader.seq(), store.seq());
    assert_eq!(meter.value(&reader.snapshot()), &Reading(1));
    assert_eq!(reader.position().unwrap(), None);
    assert!(reader.since(0).err().unwrap().is_unlogged());
    assert!(reader.subscribe(0).err().unwrap().is_unlogged());
    assert!(reader.as_of(0).unwrap_err().is_unlogged());
}

#[test]
fn a_reader_of_a_store_that_is_open_for_reading_sees_what_that_has_read() {
    let dir = temp_dir();
    let mut writer = Store::<Model>::open(dir.path()).unwrap();
    let meter = writer.step(mounted(1)).created.meter;
    let mut store = Store::<Model>::options()
        .open_read_only(dir.path())
        .unwrap();
    let reader: StoreReader<Model> = store.reader();
    let read_before = reader.seq();
    let last = read(&mut writer, meter, 7);
    assert_eq!(reader.seq(), read_before);
    assert_eq!(reader.since(0).unwrap().count(), 1);
    assert!(reader.as_of(last).unwrap_err().is_ahead());
    store.refresh().unwrap();
    assert_eq!(reader.seq(), Some(last));
    assert_eq!(reader.since(0).unwrap().count(), 2);
    assert_eq!(reader.history(meter).unwrap().len(), 4);
    assert!(reader.subscribe_as("a").is_err());
}

//! What readers of a shared store return while some of its frames are not durable, on a disk whose syncs a test can block and fail.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::share::{Added, add, count, shared};
use super::*;
use crate::snapshot::StoreReader;
use crate::store::{SharedStore, Store};

type Model = super::share::things::Model;

/// Adds a thing, in a frame for which no caller waits.
fn write(store: &SharedStore<Model>, name: u64) -> Seq {
    store.exclusive(|store| store.step(Added { name }).seq)
}

/// Checks that a reader returns the snapshot of the last durable frame.
fn assert_shows(reader: &StoreReader<Model>, seq: Seq) {
    assert_eq!(reader.seq(), Some(seq));
    let snapshot = reader.snapshot();
    assert_eq!(snapshot.seq(), Some(seq));
    assert_eq!(snapshot.check(), []);
    assert_eq!(count(&snapshot) as u64, seq.get());
}

#[test]
fn a_reader_returns_each_frame_that_has_become_durable_although_the_store_has_shown_later_ones() {
    // What shows the later frames to a caller that has the store.
    type Show = fn(&Store<Model>);
    let shows: [Show; 2] = [
        |store| {
            let (snapshot, again) = (store.snapshot(), store.snapshot());
            assert_eq!(snapshot.seq(), store.seq());
            assert_eq!(snapshot.fingerprint(), store.fingerprint());
            assert_eq!(snapshot.check(), []);
            assert!(Arc::ptr_eq(&snapshot.state, &again.state));
        },
        |store| {
            let past = store.as_of(store.seq().unwrap()).unwrap();
            assert_eq!(past.fingerprint(), store.fingerprint());
        },
    ];
    for show in shows {
        let dir = scratch();
        let (store, gate) = shared(dir.path());
        let reader = store.reader();
        assert_shows(&reader, Seq::new(1));
        thread::scope(|s| {
            let first = s.spawn(|| add(&store, 1));
            gate.until(|state| state.syncs == 1);
            // The sync that is running is not for these.
            write(&store, 2);
            store.exclusive(|store| show(store));
            write(&store, 3);
            store.exclusive(|store| show(store));
            assert_shows(&reader, Seq::new(1));
            gate.set(|state| state.shut = false);
            first.join().unwrap().unwrap();
        });
        let found = reader.wait_until(2, Duration::MAX).unwrap();
        assert_eq!(found.seq(), Some(Seq::new(2)));
        assert_shows(&reader, Seq::new(2));
        store.exclusive(|store| show(store));
        assert_shows(&reader, Seq::new(2));
        assert_eq!(store.snapshot().unwrap().seq(), Some(Seq::new(4)));
        assert_shows(&reader, Seq::new(4));
    }
}

#[test]
fn a_reader_that_was_made_with_frames_that_are_not_durable_waits_for_their_sync() {
    let dir = scratch();
    let (store, gate) = shared(dir.path());
    let last = write(&store, 1);
    let reader = store.reader();
    assert_eq!(reader.seq(), Some(Seq::new(1)));
    thread::scope(|s| {
        let snapshot = s.spawn(|| reader.snapshot());
        gate.until(|state| state.syncs == 1);
        assert!(!snapshot.is_finished());
        gate.set(|state| state.shut = false);
        assert_eq!(snapshot.join().unwrap().seq(), Some(last));
    });
    assert_shows(&reader, last);
}

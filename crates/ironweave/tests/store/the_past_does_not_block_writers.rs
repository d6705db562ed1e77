//! Questions about the past of a shared store do not hold it: a step succeeds in the middle of each of them, on the same
//! thread, where a store that is held would refuse it. (`history` is in the unit tests of the log.)

use std::cell::RefCell;
use std::rc::Rc;

use ironweave::prelude::*;
use ironweave::{Seq, SharedStore};
use meters::{Meter, Model, Mounted, Read};
use serde::{Deserialize, Deserializer, Serialize};

use crate::harness::temp_dir;

#[ironweave::model]
pub mod meters {
    use ironweave::prelude::*;

    #[entity]
    pub struct Meter {
        #[key]
        pub number: u64,
        pub value: crate::the_past_does_not_block_writers::Reading,
    }
    #[event]
    #[create(meter: Meter { number, value })]
    pub struct Mounted {
        pub number: u64,
        pub value: crate::the_past_does_not_block_writers::Reading,
    }
    #[event]
    #[set(meter.value = value)]
    pub struct Read {
        pub meter: Meter,
        pub value: crate::the_past_does_not_block_writers::Reading,
    }
}

/// A value that is read from the log by user code.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Reading(pub u64);

thread_local! {
    /// Runs when this thread next reads a value from the log.
    static WHILE_READING: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
}

impl<'de> Deserialize<'de> for Reading {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let reading = u64::deserialize(from).map(Self);
        if let Some(run) = WHILE_READING.take() {
            run();
        }
        reading
    }
}

pub fn mounted(number: u64) -> Mounted {
    let value = Reading(number);
    Mounted { number, value }
}

/// A store with a meter that has been read three times, in memory and on disk, and the sequence of the second reading.
fn stores() -> Vec<(SharedStore<Model>, Meter, Seq, Option<tempfile::TempDir>)> {
    let dir = temp_dir();
    let on_disk = Store::<Model>::open(dir.path()).unwrap();
    let stores = [(Store::memory(), None), (on_disk, Some(dir))];
    let read = |(store, dir): (Store<Model>, Option<tempfile::TempDir>)| {
        let store = store.share();
        let meter = store.step(mounted(1)).created.meter;
        let seqs = [5, 6, 7].map(|n| {
            let value = Reading(n);
            store.step(Read { meter, value }).seq
        });
        (store, meter, seqs[1], dir)
    };
    stores.map(read).into()
}

#[test]
fn a_writer_steps_while_as_of_replays_the_log() {
    for (store, meter, seq, _dir) in stores() {
        let writer = store.clone();
        WHILE_READING.set(Some(Box::new(move || {
            writer.step(mounted(2));
        })));
        let then = store.as_of(seq).unwrap();
        assert!(WHILE_READING.take().is_none(), "the log was read");
        assert_eq!(meter.value(&then), &Reading(6));
        assert_eq!(then.count::<Meter, Any>(), 1);
        assert_eq!(store.read(|db| db.count::<Meter, Any>()).unwrap(), 2);
        // The next view has the step.
        let now = store.seq().unwrap().unwrap();
        assert_eq!(store.as_of(now).unwrap().count::<Meter, Any>(), 2);
    }
}

#[test]
fn a_writer_steps_while_a_reader_replays_the_log() {
    let dir = temp_dir();
    for store in [Store::<Model>::memory(), Store::open(dir.path()).unwrap()] {
        let store = Rc::new(RefCell::new(store));
        let meter = store.borrow_mut().step(mounted(1)).created.meter;
        let seqs = [5, 6, 7].map(|n| {
            let value = Reading(n);
            store.borrow_mut().step(Read { meter, value }).seq
        });
        let reader = store.borrow().reader();
        let writer = Rc::clone(&store);
        WHILE_READING.set(Some(Box::new(move || {
            writer.borrow_mut().step(mounted(2));
        })));
        let then = reader.as_of(seqs[1]).unwrap();
        assert!(WHILE_READING.take().is_none(), "the log was read");
        assert_eq!(meter.value(&then), &Reading(6));
        assert_eq!(then.count::<Meter, Any>(), 1);
        assert_eq!(reader.snapshot().count::<Meter, Any>(), 2);
        let writer = Rc::clone(&store);
        WHILE_READING.set(Some(Box::new(move || {
            writer.borrow_mut().step(mounted(3));
        })));
        assert_eq!(reader.verify().unwrap(), 5);
        assert_eq!(reader.verify().unwrap(), 6);
    }
}

#[test]
fn a_writer_steps_while_verify_fires_the_events_again() {
    for (store, _, _, _dir) in stores() {
        let writer = store.clone();
        WHILE_READING.set(Some(Box::new(move || {
            writer.step(mounted(2));
        })));
        assert_eq!(store.verify().unwrap(), 4);
        assert_eq!(store.verify().unwrap(), 5);
    }
}

#[test]
fn a_writer_steps_between_two_transactions_of_an_iteration() {
    for (store, _, seq, _dir) in stores() {
        let (mut records, mut all) = (store.since(0).unwrap(), store.tx_range(..).unwrap());
        let mut frames = store.frames(0).unwrap();
        let mut seen = Vec::new();
        for number in 10.. {
            let (Some(record), Some(frame)) = (records.next(), frames.next()) else {
                break;
            };
            assert_eq!(
                all.next().unwrap().unwrap().seq(),
                record.as_ref().unwrap().seq()
            );
            assert_eq!(frame.unwrap().seq(), record.as_ref().unwrap().seq());
            seen.push(record.unwrap().seq());
            store.step(mounted(number));
        }
        // It ends where the log ended when it began.
        assert_eq!(seen.last(), Some(&(seq + 1)));
        assert!(all.next().is_none());
        assert_eq!(store.since(0).unwrap().count(), 2 * seen.len());
    }
}

#[test]
fn an_iteration_outlives_the_store() {
    for (store, _, _, _dir) in stores() {
        let records = store.since(0).unwrap();
        store.close().unwrap();
        assert_eq!(
            records
                .map(|record| record.unwrap().seq())
                .collect::<Vec<_>>(),
            [1, 2, 3, 4]
        );
    }
}

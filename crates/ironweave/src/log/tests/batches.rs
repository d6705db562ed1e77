//! Batches of events: what is in the log and in the graph after them, on a disk that may fail at any change.

use std::io;
use std::sync::Arc;

use super::faults::{Change, Faults};
use super::history::club::{
    self, AnyEvent, Built, Came, Entered, Forgot, Met, Noted, Person, Room, Went,
};
use super::segment_index::Random;
use super::*;
use crate::base::error::StepError;
use crate::base::meta::Meta;
use crate::db::Db as _;
use crate::db::entity::Any;
use crate::store::{Durability, Options, Store};

type Club = Store<club::Model>;

fn over(faults: &Arc<Faults>, dir: &Path, options: Options<club::Model>) -> Result<Club, String> {
    let log = open_on(faults, dir, small()).map_err(|e| e.to_string())?;
    options.over_log(Box::new(log)).map_err(|e| e.to_string())
}

/// An event that may be rejected.
fn event(store: &Club, random: &mut Random) -> AnyEvent {
    let people: Vec<Person> = store.place::<Person, Any>().collect();
    let rooms: Vec<Room> = store.place::<Room, Any>().collect();
    let (a, b, c) = (random.next(), random.next(), random.next());
    let person = |n: u64| people[n as usize % people.len()];
    match c % 9 {
        0 => Built {
            floor: a % 2,
            number: b % 2,
        }
        .into(),
        _ if people.is_empty() || rooms.is_empty() => Came { name: a % 7 }.into(),
        1 | 2 => Came { name: a % 7 }.into(),
        3 => Went { person: person(a) }.into(),
        4 => Noted {
            person: person(a),
            note: b % 100,
        }
        .into(),
        5 | 6 => Met {
            a: person(a),
            b: person(b),
            since: a % 100,
        }
        .into(),
        7 => Forgot {
            a: person(a),
            b: person(b),
        }
        .into(),
        _ => Entered {
            person: person(a),
            room: rooms[b as usize % rooms.len()],
        }
        .into(),
    }
}

/// Returns a batch of events, each made for the state after those before it. They also change `model`.
fn batch(model: &mut Club, random: &mut Random, events: u64) -> Vec<AnyEvent> {
    let mut batch = Vec::new();
    for _ in 0..events {
        let event = event(model, random);
        let _ = model.try_step_any(&event);
        batch.push(event);
    }
    batch
}

fn render<R: std::fmt::Debug>(result: &Result<R, StepError>) -> String {
    match result {
        Ok(receipt) => format!("{receipt:?}"),
        Err(e) => e.to_string(),
    }
}

/// The frames of a store, without what depends on the moment of the write.
fn logged(store: &Club) -> Vec<(FrameHeader, Vec<u8>)> {
    let frames = store.log.log().unwrap().read(Seq::ZERO).unwrap();
    let frames = frames.map(|frame| {
        let Frame {
            mut header,
            payload,
            ..
        } = frame.unwrap();
        header.durable = None;
        (header, payload)
    });
    frames.collect()
}

#[test]
fn the_frames_of_batches_are_those_of_single_steps() {
    let mut rejected = 0;
    for seed in 0..60 {
        let mut random = Random(seed);
        let durability = if seed % 2 == 0 {
            Durability::Always
        } else {
            Durability::Os
        };
        let options = || {
            let options = Club::options()
                .durability(durability)
                .segment_bytes_max(2_000);
            if seed % 3 == 0 {
                options.paranoid()
            } else {
                options
            }
        };
        let (dir, other) = (scratch(), scratch());
        let mut batched = match seed % 5 {
            0 => options().memory(),
            _ => options().open(dir.path()).unwrap(),
        };
        // Some stores are followed.
        let mut subscription = (seed % 4 == 1).then(|| batched.subscribe(0).unwrap());
        let reader = (seed % 4 == 2).then(|| batched.reader());
        let (mut model, mut events, mut results) = (Club::memory(), Vec::new(), Vec::new());
        for _ in 0..6 {
            let count = random.next() % 30;
            let batch = batch(&mut model, &mut random, count);
            let done = batched.step_all_any(&batch);
            assert_eq!(done.len(), batch.len());
            results.extend(done.iter().map(render));
            events.extend(batch);
            assert_eq!(batched.fingerprint(), model.fingerprint());
            assert_eq!(batched.seq(), model.seq());
            if durability == Durability::Always {
                assert_eq!(batched.durable(), batched.seq());
            }
            if let Some(reader) = &reader {
                let snapshot = reader.snapshot();
                assert_eq!(snapshot.seq(), batched.seq());
                assert_eq!(snapshot.fingerprint(), batched.fingerprint());
            }
            // The next step continues.
            let single = batch_of_one(&mut model, &mut random);
            results.push(render(&batched.try_step_any(&single)));
            events.push(single);
        }
        let times: Vec<_> = (batched.tx_range(..).unwrap())
            .map(|record| record.unwrap().time())
            .collect();
        assert!(times.is_sorted());
        let mut single = options().open(other.path()).unwrap();
        for (event, result) in events.iter().zip(&results) {
            // The time of the frame that the event has in the other log, if it was accepted.
            let next = single.seq().unwrap().get() as usize;
            let time = times.get(next).or(times.last()).copied().unwrap();
            let done = single.try_step_any_with(Meta::new().with_time(time), event);
            rejected += usize::from(done.is_err());
            assert_eq!(&render(&done), result, "seed {seed}");
        }
        assert_eq!(logged(&batched), logged(&single), "seed {seed}");
        assert_eq!(batched.check(), []);
        assert_eq!(batched.verify().unwrap(), times.len() as u64);
        if let Some(subscription) = &mut subscription {
            let mut seqs = Vec::new();
            while let Some(record) = subscription.try_next().unwrap() {
                seqs.push(record.seq().get());
            }
            assert_eq!(seqs, (1..=times.len() as u64).collect::<Vec<_>>());
        }
    }
    assert!(rejected > 500, "{rejected}");
}

fn batch_of_one(model: &mut Club, random: &mut Random) -> AnyEvent {
    batch(model, random, 1).remove(0)
}

/// Returns a store in memory that has accepted these events.
fn made_of<'e>(events: impl IntoIterator<Item = &'e AnyEvent>) -> Club {
    let mut store = Club::memory();
    for event in events {
        store.try_step_any(event).unwrap();
    }
    store
}

/// What a run knows of its store.
#[derive(Default)]
struct Run {
    accepted: Vec<AnyEvent>,
    /// The events that may be in the log, if a write or sync failed.
    in_doubt: Vec<AnyEvent>,
    stopped: bool,
    batches_refused: u32,
}

impl Run {
    /// Fires a batch, and asserts that the store is what its accepted events make.
    fn batch(&mut self, store: &mut Club, random: &mut Random) {
        let events = batch(&mut made_of(&self.accepted), random, 12);
        let results = store.step_all_any(&events);
        let mut model = made_of(&self.accepted);
        let mut lost = false;
        for (event, result) in events.into_iter().zip(&results) {
            match result {
                Ok(receipt) => {
                    assert!(!lost, "accepted after a transaction that was not");
                    assert_eq!(model.try_step_any(&event).unwrap().seq, receipt.seq);
                    self.accepted.push(event);
                }
                Err(e) if e.is_rejection() => {
                    assert!(!lost, "rejected after a transaction that is not there");
                    let alone = model.try_step_any(&event).unwrap_err();
                    assert_eq!(e.to_string(), alone.to_string());
                }
                Err(StepError::Indeterminate(_)) => {
                    (lost, self.stopped) = (true, true);
                    self.in_doubt.push(event);
                }
                Err(StepError::Storage(e)) => {
                    assert!(lost || e.is_io() || e.is_stopped(), "{e}");
                    lost = true;
                    self.stopped |= !e.is_full();
                }
                Err(e) => panic!("{e}"),
            }
        }
        self.batches_refused += u32::from(lost);
        assert_eq!(store.seq(), model.seq());
        assert_eq!(store.fingerprint(), model.fingerprint());
        let last = store.tx_range(..).unwrap().last();
        let last = last.map_or_else(Default::default, |record| record.unwrap().time());
        assert_eq!(store.at().time, last);
        assert_eq!(store.check(), []);
        if !self.stopped {
            assert_eq!(logged(store).len() as u64, store.seq().unwrap().get() + 1);
        }
    }

    /// Asserts what is in the log after it was opened again.
    fn check_log(&self, dir: &Path) {
        let store = Club::open(dir).unwrap();
        let found = store.seq().unwrap().get() as usize;
        let all: Vec<_> = self.accepted.iter().chain(&self.in_doubt).collect();
        assert!(
            (self.accepted.len()..=all.len()).contains(&found),
            "{found} frames"
        );
        let model = made_of(all[..found].iter().copied());
        assert_eq!(store.fingerprint(), model.fingerprint());
        assert_eq!(store.check(), []);
        assert_eq!(store.verify().unwrap(), found as u64);
    }
}

/// Fires batches on a disk, some of whose changes fail, until the store stops.
fn run(faults: &Arc<Faults>, dir: &Path, options: Options<club::Model>, seed: u64) -> Option<Run> {
    let mut store = over(faults, dir, options).ok()?;
    let mut random = Random(seed);
    let mut run = Run::default();
    let mut subscription = store.subscribe(0).unwrap();
    let reader = seed.is_multiple_of(2).then(|| store.reader());
    let mut delivered = 0;
    for _ in 0..5 {
        run.batch(&mut store, &mut random);
        while let Some(record) = subscription.try_next().unwrap() {
            delivered += 1;
            assert_eq!(record.seq(), delivered);
        }
        assert_eq!(delivered, run.accepted.len() as u64);
        if let Some(reader) = &reader {
            assert_eq!(reader.snapshot().fingerprint(), store.fingerprint());
        }
        if run.stopped {
            let refused = store.try_step(Came { name: 99 }).map(drop);
            assert!(refused.unwrap_err().is_stopped());
            break;
        }
    }
    Some(run)
}

#[test]
fn after_any_failed_change_the_store_is_what_its_accepted_events_make() {
    let mut in_doubt = 0;
    for durability in [Durability::Always, Durability::Os] {
        for kind in [io::ErrorKind::Other, io::ErrorKind::StorageFull] {
            let mut refused = 0;
            for n in 0.. {
                let dir = scratch();
                let faults = Faults::once(n, kind);
                let options = Club::options().durability(durability);
                if let Some(run) = run(&faults, dir.path(), options, n as u64) {
                    run.check_log(dir.path());
                    in_doubt += run.in_doubt.len();
                    refused += u32::from(run.batches_refused > 0 && !run.stopped);
                }
                if !faults.failed() {
                    assert!(n > 30, "{n}");
                    break;
                }
            }
            // A write of zeros or of a new file is undone, and the store continues.
            assert_eq!(refused > 3, kind == io::ErrorKind::StorageFull, "{refused}");
        }
    }
    assert!(in_doubt > 50, "{in_doubt}");
}

#[test]
fn a_paranoid_store_goes_on_after_a_batch_that_the_disk_had_no_room_for() {
    let mut refused = 0;
    for n in 6..60 {
        let dir = scratch();
        let faults = Faults::once(n, io::ErrorKind::StorageFull);
        let options = Club::options().durability(Durability::Os).paranoid();
        if let Some(run) = run(&faults, dir.path(), options, n as u64) {
            run.check_log(dir.path());
            refused += u32::from(run.batches_refused > 0 && !run.stopped);
        }
    }
    assert!(refused > 1, "{refused}");
}

/// Labels, whose texts are not plain values.
#[crate::model]
#[allow(dead_code, missing_docs)]
mod labels {
    use crate::prelude::*;

    #[entity]
    pub struct Label {
        pub text: String,
    }

    #[event]
    #[create(label: Label { text })]
    pub struct Made {
        pub text: String,
    }
    #[event]
    #[set(label.text = text)]
    pub struct Changed {
        pub label: Label,
        pub text: String,
    }
    #[event]
    #[delete(label)]
    pub struct Removed {
        pub label: Label,
    }
}

/// The columns of a graph forget what was replaced after a number of committed changes, but not during a batch.
#[test]
fn a_batch_with_thousands_of_changes_is_undone() {
    use labels::{Changed, Label, Made, Removed};
    let dir = scratch();
    let faults = Arc::new(Faults::default());
    let log = open_on(&faults, dir.path(), LogOptions::default()).unwrap();
    let options = Store::<labels::Model>::options().durability(Durability::Os);
    let mut store = options.over_log(Box::new(log)).unwrap();
    let made = store.step_all(["a", "b"].map(|text| Made { text: text.into() }));
    let made: Vec<Label> = made
        .into_iter()
        .map(|made| made.unwrap().created.label)
        .collect();
    let before = (store.fingerprint(), store.seq(), store.at().time);
    let events: Vec<labels::AnyEvent> = (0..3_000)
        .map(|i: usize| {
            let text = format!("text {i}");
            Changed {
                label: made[i % 2],
                text,
            }
            .into()
        })
        .chain([
            Removed { label: made[1] }.into(),
            Made { text: "c".into() }.into(),
        ])
        .collect();
    faults.die_after(0);
    let results = store.step_all_any(&events);
    let lost = |result: &Result<_, StepError>| match result {
        Ok(_) => false,
        Err(e) => !e.is_rejection(),
    };
    assert!(results.iter().all(lost));
    assert_eq!((store.fingerprint(), store.seq(), store.at().time), before);
    assert_eq!(store.check(), []);
    assert_eq!((made[0].text(&store), made[1].text(&store)), ("a", "b"));
}

#[test]
fn a_process_that_is_killed_in_a_batch_keeps_all_accepted_events_of_it() {
    for n in 0.. {
        let dir = scratch();
        let faults = Faults::dead_from(n);
        let options = Club::options().durability(Durability::Always);
        if let Some(run) = run(&faults, dir.path(), options, n as u64) {
            run.check_log(dir.path());
        }
        if !faults.failed() {
            break;
        }
    }
}

/// The writes of frames and the syncs of segments.
fn writes_and_syncs(faults: &Faults) -> (usize, usize) {
    let changes = faults.changes();
    let is_frame = |bytes: &[u8]| bytes.starts_with(&[0xfc, b'I', b'W', 0x1d]);
    let count = |is: &dyn Fn(&Change) -> bool| changes.iter().filter(|change| is(change)).count();
    (
        count(&|change| matches!(change, Change::Write(_, _, bytes) if is_frame(bytes))),
        count(
            &|change| matches!(change, Change::Sync(path) if path.extension().is_some_and(|e| e == "log")),
        ),
    )
}

#[test]
fn a_batch_is_written_and_synced_once_and_a_long_one_in_parts() {
    for (durability, syncs) in [(Durability::Always, 1), (Durability::Os, 0)] {
        let dir = scratch();
        let faults = Arc::new(Faults::default());
        let log = open_on(&faults, dir.path(), LogOptions::default()).unwrap();
        let options = Club::options().durability(durability);
        let mut store = options.over_log(Box::new(log)).unwrap();
        let mut name = 0;
        let mut come = |store: &mut Club, events: u64| {
            let before = writes_and_syncs(&faults);
            let results = store.step_all((name..name + events).map(|name| Came { name }));
            assert!(results.iter().all(Result::is_ok));
            name += events;
            let after = writes_and_syncs(&faults);
            (after.0 - before.0, after.1 - before.1)
        };
        assert_eq!(come(&mut store, 0), (0, 0));
        assert_eq!(come(&mut store, 1), (1, syncs));
        assert_eq!(come(&mut store, 256), (1, syncs));
        assert_eq!(come(&mut store, 10_000), (3, 3 * syncs));
        assert_eq!(store.count::<Person, Any>(), 10_257);
        drop(store);
        // Long values.
        let (dir, faults) = (scratch(), Arc::new(Faults::default()));
        let log = open_on(&faults, dir.path(), LogOptions::default()).unwrap();
        let options = Store::<labels::Model>::options().durability(durability);
        let mut store = options.over_log(Box::new(log)).unwrap();
        let before = writes_and_syncs(&faults);
        let text = |_| "x".repeat(100_000);
        let results = store.step_all((0..30).map(text).map(|text| labels::Made { text }));
        assert!(results.iter().all(Result::is_ok));
        let after = writes_and_syncs(&faults);
        // Six of them are more than 1 MiB, since each text is in the event and in its fact.
        assert_eq!((after.0 - before.0, after.1 - before.1), (5, 5 * syncs));
    }
}

#[test]
fn each_part_of_a_long_batch_has_its_own_time_and_is_undone_alone() {
    for fails in [false, true] {
        let dir = scratch();
        let faults = Arc::new(Faults::default());
        let log = open_on(&faults, dir.path(), LogOptions::default()).unwrap();
        let time = crate::Timestamp::from_secs;
        let clock = crate::ManualClock::starting_at(time(100));
        let options = Club::options().durability(Durability::Os);
        let mut store = (options.clock(clock.clone()).over_log(Box::new(log))).unwrap();
        let events = (0..4_100).map(|name| {
            if name == 4_096 {
                clock.set(time(200));
            }
            if name == 4_098 && fails {
                faults.die_after(0);
            }
            Came { name }
        });
        let results = store.step_all(events);
        let accepted = results.iter().take_while(|result| result.is_ok()).count();
        assert_eq!(accepted, if fails { 4_096 } else { 4_100 });
        for result in &results[accepted..] {
            assert!(result.as_ref().is_err_and(|e| !e.is_rejection()));
        }
        let mut model = Club::memory();
        for name in 0..accepted as u64 {
            model.step(Came { name });
        }
        assert_eq!(store.fingerprint(), model.fingerprint());
        assert_eq!(store.seq(), model.seq());
        assert_eq!(store.check(), []);
        let times = store
            .tx_range(..)
            .unwrap()
            .map(|record| record.unwrap().time());
        let times: Vec<_> = times.collect();
        assert_eq!(times.len(), accepted);
        assert!(times[..4_096].iter().all(|at| *at == time(100)));
        assert!(times[4_096..].iter().all(|at| *at == time(200)));
        assert_eq!(Some(&store.at().time), times.last());
    }
}

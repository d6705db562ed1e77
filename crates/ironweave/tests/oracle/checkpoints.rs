//! A store that opens from a checkpoint goes on exactly as one that replays its log: random events of compiled models are fired
//! at both, and results, ids, idempotent repeats and the bytes of their logs are compared. ([`crate::driver`] opens the stores of
//! random models from checkpoints, and compares them with the oracle.)

use std::fs;
use std::path::{Path, PathBuf};

use ironweave::{ManualClock, Meta, Model, Options, Store, Timestamp};

use crate::both_ways::{draw, fire, of_each_model};
use crate::harness::random::Random;
use crate::harness::{copy_dir, scratch_dir, unsynced};
use crate::number;

/// How many histories of each model a plain `cargo test` draws.
const HISTORIES: u64 = 4;
/// How many events each has before the store is opened again, and after that.
const EVENTS: usize = 160;
const EVENTS_AFTER: usize = 90;

#[test]
fn a_store_from_a_checkpoint_goes_on_as_a_replayed_one() {
    let histories = number("IRONWEAVE_ORACLE_SEEDS").map_or(HISTORIES, |n| n / 100 + 1);
    let from = number("IRONWEAVE_ORACLE_FROM").unwrap_or(0);
    for seed in from..from + histories {
        let fired = of_each_model!(go_on(seed));
        assert!(
            fired.iter().all(|fired| *fired > 0),
            "seed {seed}: few of the events fire: {fired:?}"
        );
    }
}

/// The stores of both directories have the same times.
fn options<M: Model>() -> Options<M> {
    unsynced()
        .segment_bytes_max(16 << 10)
        .clock(ManualClock::starting_at(Timestamp::from_secs(7)))
}

/// The bytes of the segments of a log.
fn segments(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(dir).expect("a directory");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<PathBuf> = names.map(PathBuf::from).collect();
    names.retain(|name| name.extension().is_some_and(|end| end == "log"));
    names.sort();
    let read = |name: PathBuf| {
        let bytes = fs::read(dir.join(&name)).expect("a segment");
        (name, bytes)
    };
    names.into_iter().map(read).collect()
}

fn remove_checkpoints(dir: &Path) {
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|end| end == "checkpoint") {
            fs::remove_file(path).expect("it can be removed");
        }
    }
}

/// Returns how many events fired after the stores were opened.
fn go_on<M: Model>(seed: u64) -> usize {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) + 1);
    let (a, b) = (scratch_dir(), scratch_dir());
    let mut store: Store<M> = options().open(a.path()).expect("it opens");
    let mut keyed = Vec::new();
    // The last checkpoint is followed by a random number of frames.
    let mut at = vec![EVENTS - random.below(EVENTS / 2)];
    at.extend((0..random.below(4)).map(|_| random.below(EVENTS)));
    for step in 0..EVENTS {
        if at.contains(&step) {
            store.checkpoint().expect("it can be written");
            if random.chance(30) {
                drop(store);
                store = options().open(a.path()).expect("it opens");
            }
        }
        let Some(event) = draw::<M>(&store, &mut random) else {
            continue;
        };
        if step % 4 == 0 {
            let meta = Meta::new().with_idempotency_key(format!("key {step}"));
            if store.try_step_any_with(meta, &event).is_ok() {
                keyed.push((step, event));
            }
        } else {
            let _ = fire(&mut store, &event, random.below(5), step);
        }
    }
    if random.chance(20) {
        store.checkpoint().expect("it can be written");
    }
    let expected = store.fingerprint();
    drop(store);
    copy_dir(a.path(), b.path());
    remove_checkpoints(b.path());

    let mut from_checkpoint: Store<M> = options().open(a.path()).expect("it opens");
    let mut replayed: Store<M> = options().open(b.path()).expect("it opens");
    let name = M::NAME;
    let opened = from_checkpoint.opened_from();
    assert!(
        opened.checkpoint().is_some(),
        "{name}, seed {seed}: {opened}"
    );
    assert!(opened.ignored().is_empty(), "{name}, seed {seed}: {opened}");
    assert_eq!(replayed.opened_from().checkpoint(), None);
    for store in [&from_checkpoint, &replayed] {
        assert_eq!(store.fingerprint(), expected, "{name}, seed {seed}");
        assert_eq!(store.check(), [], "{name}, seed {seed}");
    }
    let read_only = options::<M>().open_read_only(a.path()).expect("it opens");
    assert_eq!(read_only.fingerprint(), expected, "{name}, seed {seed}");
    assert_eq!(read_only.opened_from(), from_checkpoint.opened_from());

    for (step, event) in &keyed {
        let meta = || Meta::new().with_idempotency_key(format!("key {step}"));
        let again = [&mut from_checkpoint, &mut replayed]
            .map(|store| store.try_step_any_with(meta(), event).expect("a known key"));
        assert!(again[0].repeated, "{name}, seed {seed}, step {step}");
        assert_eq!(again[0], again[1], "{name}, seed {seed}, step {step}");
    }
    let mut fired = 0;
    for step in 0..EVENTS_AFTER {
        let Some(event) = draw::<M>(&from_checkpoint, &mut random) else {
            continue;
        };
        let (way, before) = (random.below(5), replayed.seq());
        let [one, other] =
            [&mut from_checkpoint, &mut replayed].map(|store| fire(store, &event, way, step));
        assert_eq!(one, other, "{name}, seed {seed}, step {step}");
        fired += usize::from(replayed.seq() > before);
    }
    for store in [&from_checkpoint, &replayed] {
        assert_eq!(store.check(), [], "{name}, seed {seed}");
        store.verify().expect("the log fits its events");
    }
    drop((from_checkpoint, replayed));
    assert_eq!(
        segments(a.path()),
        segments(b.path()),
        "{name}, seed {seed}"
    );
    fired
}

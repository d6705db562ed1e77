//! A store writes checkpoints by its policy: after so many frames, bytes, or so much time. The next open starts from them.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use ironweave::prelude::*;
use ironweave::{Checkpoint, CheckpointPolicy, Options, Seq};

use crate::harness::{temp_dir, unsynced};
use crate::lamps::Lamps;
use crate::lamps::lamps::{self, Hung};

fn options(policy: CheckpointPolicy) -> Options<lamps::Model> {
    unsynced().checkpoint_every(policy)
}

fn hung(room: u64) -> Hung {
    Hung {
        room: format!("room {room}"),
        watts: 40,
    }
}

fn light(store: &mut Lamps, rooms: std::ops::Range<u64>) {
    for room in rooms {
        store.step(hung(room));
    }
}

/// Waits until a thread has written a checkpoint.
fn written(last: impl Fn() -> Option<Result<Checkpoint, StorageError>>) -> Checkpoint {
    // The wait is limited, so that a failing test ends.
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(60) {
        match last() {
            Some(result) => return result.expect("it is written"),
            None => thread::yield_now(),
        }
    }
    panic!("no checkpoint was written");
}

fn has_checkpoint(dir: &Path) -> bool {
    let mut names = std::fs::read_dir(dir).expect("it can be listed");
    names.any(|entry| {
        let path = entry.expect("it can be listed").path();
        path.extension().is_some_and(|end| end == "checkpoint")
    })
}

/// The thread may have written a later checkpoint since.
fn assert_opens_from(dir: &Path, checkpoint: &Checkpoint, fingerprint: u128) {
    let store = Lamps::open(dir).expect("it opens");
    let opened = store.opened_from();
    assert!(opened.checkpoint() >= Some(checkpoint.seq()), "{opened}");
    assert!(opened.ignored().is_empty(), "{opened}");
    assert_eq!(store.fingerprint(), fingerprint);
    assert_eq!(store.check(), []);
}

#[test]
fn after_a_number_of_frames() {
    let dir = temp_dir();
    let policy = CheckpointPolicy::never().frames(20);
    let mut store = options(policy).open(dir.path()).expect("it is new");
    light(&mut store, 0..18);
    assert!(store.last_checkpoint().is_none());
    assert!(!has_checkpoint(dir.path()));
    // The schema is the first of the frames.
    light(&mut store, 18..19);
    light(&mut store, 19..30);
    let checkpoint = written(|| store.last_checkpoint());
    assert_eq!(checkpoint.seq(), Seq::new(19));
    let fingerprint = store.fingerprint();
    store.close().expect("it closes");
    assert_opens_from(dir.path(), &checkpoint, fingerprint);
    // The frames that were replayed count: eleven since the checkpoint.
    let mut store = options(policy).open(dir.path()).expect("it opens");
    light(&mut store, 30..38);
    assert!(store.last_checkpoint().is_none());
    light(&mut store, 38..39);
    let checkpoint = written(|| store.last_checkpoint());
    assert_eq!(Some(checkpoint.seq()), store.seq());
}

#[test]
fn after_a_number_of_bytes() {
    let dir = temp_dir();
    let policy = CheckpointPolicy::never().bytes(4_000);
    let mut store = options(policy).open(dir.path()).expect("it is new");
    let mut rooms = 0;
    while store.last_checkpoint().is_none() {
        light(&mut store, rooms..rooms + 1);
        rooms += 1;
        assert!(rooms < 1_000_000);
    }
    let checkpoint = written(|| store.last_checkpoint());
    assert!(checkpoint.seq() > Seq::new(10), "{}", checkpoint.seq());
    let fingerprint = store.fingerprint();
    drop(store);
    assert_opens_from(dir.path(), &checkpoint, fingerprint);
}

#[test]
fn after_some_time() {
    let dir = temp_dir();
    let hour = CheckpointPolicy::never().every(Duration::from_secs(3_600));
    let mut store = options(hour).open(dir.path()).expect("it is new");
    light(&mut store, 0..50);
    drop(store);
    assert!(!has_checkpoint(dir.path()));
    let at_once = CheckpointPolicy::never().every(Duration::ZERO);
    let mut store = options(at_once).open(dir.path()).expect("it opens");
    assert!(store.last_checkpoint().is_none());
    light(&mut store, 50..51);
    assert_eq!(Some(written(|| store.last_checkpoint()).seq()), store.seq());
}

#[test]
fn a_small_store_has_none_and_neither_have_those_that_never_write_one() {
    for policy in [CheckpointPolicy::default(), CheckpointPolicy::never()] {
        let dir = temp_dir();
        let mut store = options(policy).open(dir.path()).expect("it is new");
        light(&mut store, 0..500);
        assert!(store.last_checkpoint().is_none());
        drop(store);
        assert!(!has_checkpoint(dir.path()));
    }
    let mut store = options(CheckpointPolicy::never().frames(1)).memory();
    light(&mut store, 0..10);
    assert!(store.last_checkpoint().is_none());
}

#[test]
fn one_by_call_counts_as_the_last_one() {
    let dir = temp_dir();
    let policy = CheckpointPolicy::never().frames(20);
    let mut store = options(policy).open(dir.path()).expect("it is new");
    light(&mut store, 0..15);
    let by_call = store.checkpoint().expect("it is written");
    let last = store.last_checkpoint().expect("the call wrote one");
    assert_eq!(last.expect("it was written"), by_call);
    light(&mut store, 15..34);
    let last = store.last_checkpoint().expect("the call wrote one");
    assert_eq!(last.expect("it was written"), by_call);
}

#[test]
fn a_shared_store_writes_them_too() {
    let dir = temp_dir();
    let policy = CheckpointPolicy::never().frames(50);
    let store = options(policy).durability(Durability::Always);
    let store = store.open(dir.path()).expect("it is new").share();
    thread::scope(|scope| {
        for thread in 0..4 {
            let store = &store;
            scope.spawn(move || {
                for room in 0..25 {
                    store.step(hung(100 * thread + room));
                }
            });
        }
    });
    let checkpoint = written(|| store.last_checkpoint());
    let tickets: Vec<_> = (1_000..1_200)
        .map(|room| store.submit(hung(room)))
        .collect();
    for ticket in tickets {
        ticket.wait().expect("the rooms are new");
    }
    let mut rooms = 2_000..;
    let last = loop {
        // If the next one was due while the first was written, it is written after the next transaction.
        rooms
            .by_ref()
            .take(1)
            .for_each(|room| _ = store.step(hung(room)));
        let last = written(|| store.last_checkpoint());
        if last != checkpoint {
            break last;
        }
        thread::yield_now();
    };
    let fingerprint = store.read(Store::fingerprint).expect("it is not stopped");
    store.close().expect("it closes");
    assert_opens_from(dir.path(), &last, fingerprint);
}

#[cfg(feature = "async")]
#[test]
fn an_async_store_writes_them_too() {
    let dir = temp_dir();
    let policy = CheckpointPolicy::never().frames(20);
    let store = options(policy).open(dir.path()).expect("it is new");
    let store = store.share().into_async().expect("a thread starts");
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let (last, fingerprint) = runtime.expect("it starts").block_on(async {
        for room in 0..40 {
            store.step(hung(room)).await.expect("the room is new");
        }
        while store.last_checkpoint().await.expect("it is open").is_none() {
            tokio::task::yield_now().await;
        }
        let by_call = store.checkpoint().await.expect("it is written");
        let fingerprint = store.read(Store::fingerprint).await.expect("it is open");
        store.close().await.expect("it closes");
        (by_call, fingerprint)
    });
    assert_opens_from(dir.path(), &last, fingerprint);
}

//! Logs that another process, here the test, is writing.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use ironweave::prelude::*;

use crate::Log;
use lamps::{Bought, Lamp};

#[ironweave::model]
mod lamps {
    use ironweave::prelude::*;

    #[entity]
    pub struct Lamp {
        #[key]
        pub room: String,
    }
    #[states(Lamp)]
    pub enum LampState {
        #[initial]
        #[terminal]
        On,
    }

    #[event]
    #[create(lamp: Lamp { room })]
    pub struct Bought {
        pub room: String,
    }
}

fn buy(store: &mut Store<lamps::Model>, rooms: std::ops::Range<u32>) {
    for room in rooms {
        let room = format!("room {room}");
        store
            .try_step(Bought { room })
            .expect("no lamp is in the room");
    }
}

fn open(log: &Log, name: &str) -> Store<lamps::Model> {
    let options = Store::<lamps::Model>::options();
    options
        .segment_bytes_max(2_000)
        .open(log.path(name))
        .expect("a store")
}

#[test]
fn a_store_is_read_while_it_is_written() {
    let log = Log::nothing();
    let mut store = open(&log, "store");
    buy(&mut store, 0..3);
    assert!(
        log.run("log verify store")
            .ok()
            .ends_with("ok: 4 frames, 6 facts\n")
    );
    assert_eq!(log.run("list store Lamp --count").ok(), "3\n");
    buy(&mut store, 3..4);
    assert_eq!(log.run("list store Lamp --where").code, Some(2));
    let found = log
        .run_with(&["list", "store", "Lamp", "--where", "room=room 3"])
        .ok();
    assert_eq!(found, "Lamp \"room 3\" On\n");
}

#[test]
fn a_backup_of_a_store_that_is_written_copies_only_what_has_changed() {
    let log = Log::nothing();
    let mut store = open(&log, "store");
    buy(&mut store, 0..100);
    log.run("log backup store copy").ok();
    let modified = |name: &str| {
        let path = log.path("copy").join(name);
        fs::metadata(path)
            .and_then(|data| data.modified())
            .expect("a file")
    };
    let first = "00000000000000000000.log";
    let before = modified(first);
    buy(&mut store, 100..103);
    let json = log.run("log backup store copy --json").ok();
    let json: serde_json::Value = serde_json::from_str(&json).expect("it is JSON");
    assert_eq!(json["frames"], 3);
    assert!(json["segments"].as_u64().is_some_and(|n| n <= 2), "{json}");
    assert_eq!(modified(first), before);
    let position = store.position().expect("a frame").to_string();
    assert_eq!(json["position"], position);

    // The copy is complete, and says so: a frame that is missing at its end is damage.
    let copy = Store::<lamps::Model>::open_read_only(log.path("copy")).expect("a log");
    assert_eq!(copy.fingerprint(), store.fingerprint());
    drop(copy);
    let mut segments: Vec<_> = fs::read_dir(log.path("copy"))
        .expect("a directory")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "log"))
        .collect();
    segments.sort();
    let last = segments.last().expect("a segment");
    let bytes = fs::read(last).expect("a segment");
    fs::write(last, &bytes[..bytes.len() - 8]).expect("it is written");
    let error = log.run("log backup store copy").failed(1);
    assert!(error.contains("is damaged"), "{error}");
}

#[test]
fn a_restored_store_begins_a_new_timeline() {
    let log = Log::nothing();
    let mut store = open(&log, "store");
    buy(&mut store, 0..9);
    let lost = store.position().expect("a frame");
    log.run("log restore store restored --to 5").ok();
    let mut restored = open(&log, "restored");
    assert_eq!(restored.count::<Lamp, Any>(), 5);
    let kept = restored.position().expect("a frame");
    assert_eq!(Some(kept), store.locate(5).ok());
    // The same events again, so that only the timeline differs.
    buy(&mut restored, 5..9);
    let again = restored.position().expect("a frame");
    assert_eq!(again.seq(), lost.seq());
    assert_ne!(again.timeline(), lost.timeline());
    assert!(restored.locate(lost).is_err_and(|e| e.is_other_history()));
}

#[test]
fn tail_follows_a_store() {
    let log = Log::nothing();
    let mut store = open(&log, "store");
    buy(&mut store, 0..2);
    let mut command = log.command(&["log", "tail", "store", "-f", "--json", "-n", "1"]);
    let mut tail = command.stdout(Stdio::piped()).spawn().expect("it starts");
    let mut lines = BufReader::new(tail.stdout.take().expect("a pipe")).lines();
    let mut seq = || {
        let line = lines.next().expect("a line").expect("text");
        let line: serde_json::Value = serde_json::from_str(&line).expect("it is JSON");
        line["seq"].as_u64()
    };
    assert_eq!(seq(), Some(2));
    // The second one begins a segment.
    buy(&mut store, 2..40);
    for expected in 3..=40 {
        assert_eq!(seq(), Some(expected));
    }
    tail.kill().expect("it runs");
    tail.wait().expect("it ends");
}

#[cfg(unix)]
#[test]
fn an_interrupted_tail_ends_with_the_code_of_an_interrupt() {
    let log = Log::nothing();
    let mut store = open(&log, "store");
    buy(&mut store, 0..1);
    let mut command = log.command(&["log", "tail", "store", "-f"]);
    let mut tail = command.stdout(Stdio::piped()).spawn().expect("it starts");
    let mut lines = BufReader::new(tail.stdout.take().expect("a pipe")).lines();
    lines.next().expect("a line").expect("text");
    let pid = tail.id().to_string();
    let sent = std::process::Command::new("kill")
        .args(["-INT", &pid])
        .status();
    assert!(sent.expect("kill runs").success());
    assert_eq!(tail.wait().expect("it ends").code(), Some(130));
}

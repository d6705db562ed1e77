//! A child that writes is killed a hundred times; every step that it had a receipt for is there.

mod common;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use common::build::Model;
use common::oracle::{Oracle, compare, fire};
use common::random::Random;
use ironweave::prelude::*;

const KILLS: usize = 100;

/// The event of a step is a function of the step and of what was there: so a child goes on where another
/// ended, and the parent can tell what must be there.
fn event(step: u64, oracle: &Oracle) -> common::oracle::Ev {
    let mut random = Random(step);
    loop {
        let event = random.event(oracle);
        if oracle.clone().apply(&event).is_ok() {
            return event;
        }
    }
}

/// Takes an oracle from one number of steps to a greater one.
fn go_on(oracle: &mut Oracle, steps: std::ops::Range<u64>) {
    for step in steps {
        // As `event`, without a copy of what is there: what cannot be changes nothing.
        let mut random = Random(step);
        while {
            let event = random.event(oracle);
            oracle.apply(&event).is_err()
        } {}
    }
}

fn open(dir: &Path, round: usize) -> Store<Model> {
    let durability = match round % 4 {
        0 => Durability::Os,
        1 => Durability::Every(Duration::from_millis(2)),
        _ => Durability::Always,
    };
    let options = Store::<Model>::options()
        .durability(durability)
        .segment_bytes_max(20_000);
    options.open(dir).unwrap_or_else(|e| panic!("{e}"))
}

/// The steps of a store: its frames, but for the schema's.
fn steps(store: &Store<Model>) -> u64 {
    store.seq().expect("it has a schema")
}

/// Not a test by itself: what the next one starts, with a directory in the environment.
#[test]
fn child_steps_until_it_is_killed() {
    let Some(dir) = std::env::var_os("IRONWEAVE_KILL_DIR") else {
        return;
    };
    let round = std::env::var("IRONWEAVE_KILL_ROUND").map_or(0, |r| r.parse().expect("a number"));
    let mut store = open(dir.as_ref(), round);
    let mut oracle = Oracle::default();
    go_on(&mut oracle, 0..steps(&store));
    for step in steps(&store).. {
        let event = event(step, &oracle);
        let mut t = store.begin();
        fire(&mut t, &event, &oracle).expect("the oracle said so");
        t.commit().expect("a commit");
        oracle.apply(&event).expect("it was tried");
        // A receipt is what was said, so it must be out before the next step.
        writeln!(std::io::stdout(), "receipt {}", step + 1).expect("a parent that reads");
    }
}

#[test]
fn whatever_a_killed_process_had_a_receipt_for_is_there() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut random = Random(1);
    let mut oracle = Oracle::default();
    let mut receipts = 0;
    for round in 0..KILLS {
        let before = receipts;
        let mut child = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "--nocapture", "child_steps_until_it_is_killed"])
            .env("IRONWEAVE_KILL_DIR", dir.path())
            .env("IRONWEAVE_KILL_ROUND", round.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a child");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let number = |line: &str| {
            line.split_once("receipt ")
                .and_then(|(_, n)| n.trim().parse::<u64>().ok())
        };
        // After some receipts (none now and then), and then at any point of what follows.
        let wanted = random.below(6);
        let mut seen = 0;
        while seen < wanted {
            let line = lines
                .next()
                .expect("it goes on until it is killed")
                .expect("text");
            if let Some(n) = number(&line) {
                receipts = receipts.max(n);
                seen += 1;
            }
        }
        std::thread::sleep(Duration::from_micros(random.below(3_000) as u64));
        child.kill().expect("it is killed");
        child.wait().expect("it ended");
        for line in lines.map_while(Result::ok) {
            receipts = receipts.max(number(&line).unwrap_or(0));
        }
        // Killed, not powered off: what the system has is kept in every mode.
        let store = open(dir.path(), 2);
        let found = steps(&store);
        assert!(
            found >= receipts,
            "round {round}: {found} steps, and receipts for {receipts}"
        );
        go_on(&mut oracle, before..found);
        compare(&store, &oracle);
        assert_eq!(store.check(), Vec::<String>::new());
        receipts = found;
    }
    let store = open(dir.path(), 2);
    assert_eq!(
        store.verify().unwrap_or_else(|e| panic!("{e}")),
        steps(&store)
    );
    assert!(
        steps(&store) > 100,
        "the children came to {} steps",
        steps(&store)
    );
}

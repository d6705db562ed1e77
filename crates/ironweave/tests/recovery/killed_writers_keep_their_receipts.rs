//! A child that writes is killed a hundred times, and every step that it had a receipt for is in the log.

use std::path::Path;
use std::time::Duration;

use ironweave::CheckpointPolicy;
use ironweave::prelude::*;

use crate::harness::random::Random;
use crate::harness::{assert_consistent, child, temp_dir};
use crate::readme::build::Model;
use crate::readme::oracle::{Ev, Oracle, compare, fire};

/// How many children are killed, unless `IRONWEAVE_KILLS` says otherwise.
const KILLS: usize = 100;

/// The event of a step is a function of its number and of the graph before it. So a child continues where another one
/// ended, and the parent can tell what must be in the log.
fn event(step: u64, oracle: &Oracle) -> Ev {
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
        // The same event as that of `event`, without a copy of the oracle: a rejected event changes nothing.
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
        .segment_bytes_max(20_000)
        .checkpoint_every(CheckpointPolicy::never().frames(3));
    options.open(dir).unwrap_or_else(|e| panic!("{e}"))
}

/// How many steps a store has: its frames without that of the schema.
fn steps(store: &Store<Model>) -> u64 {
    store.seq().expect("it has a schema").get()
}

/// The child that the test below starts, with a directory in its environment. Without one it does nothing.
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
        fire(&mut t, &event, &oracle).expect("the oracle allows it");
        t.commit().expect("the commit succeeds");
        oracle.apply(&event).expect("the event was tried on a copy");
        child::print_receipt(&(step + 1).to_string());
    }
}

#[test]
fn every_receipt_survives_a_kill() {
    let dir = temp_dir();
    let mut random = Random(1);
    let mut oracle = Oracle::default();
    let mut receipts = 0;
    let kills = std::env::var("IRONWEAVE_KILLS").map_or(KILLS, |n| n.parse().expect("a number"));
    for round in 0..kills {
        let before = receipts;
        let mut child = child::start(
            module_path!(),
            "child_steps_until_it_is_killed",
            &[
                ("IRONWEAVE_KILL_DIR", dir.path().as_os_str()),
                ("IRONWEAVE_KILL_ROUND", round.to_string().as_ref()),
            ],
        );
        let number = |receipt: String| receipt.parse::<u64>().expect("a receipt is a number");
        // It is killed after some receipts (sometimes none), at any point of what follows.
        for _ in 0..random.below(6) {
            let receipt = child.next_receipt();
            receipts = receipts.max(number(receipt.expect("the child steps until it is killed")));
        }
        std::thread::sleep(Duration::from_micros(random.below(3_000) as u64));
        receipts = child
            .kill()
            .into_iter()
            .map(number)
            .fold(receipts, u64::max);
        // The process is killed and the system is not, so what was written is kept in every mode.
        let store = open(dir.path(), 2);
        assert!(
            store.opened_from().ignored().is_empty(),
            "round {round}: {}",
            store.opened_from()
        );
        let found = steps(&store);
        assert!(
            found >= receipts,
            "round {round}: {found} steps, and receipts for {receipts}"
        );
        go_on(&mut oracle, before..found);
        compare(&store, &oracle);
        assert_consistent(&store);
        receipts = found;
    }
    let store = open(dir.path(), 2);
    assert_eq!(
        store.verify().unwrap_or_else(|e| panic!("{e}")),
        steps(&store)
    );
    assert!(
        steps(&store) as usize > kills,
        "the children came to {} steps",
        steps(&store)
    );
}

//! Every step is in the log for which a thread of a killed process had a receipt.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use ironweave::Seq;
use ironweave::prelude::*;

use crate::accounts::*;
use crate::harness::{assert_consistent, child, temp_dir};

/// The child that the test below starts, with a directory in its environment. Without one it does nothing.
#[test]
fn child_steps_in_many_threads_until_it_is_killed() {
    let Some(dir) = std::env::var_os("IRONWEAVE_SHARE_DIR") else {
        return;
    };
    let store = Store::<Model>::options()
        .segment_bytes_max(20_000)
        .open(dir)
        .unwrap()
        .share();
    let next = AtomicU64::new(store.read(Store::seq).unwrap().unwrap().get() * 1_000);
    thread::scope(|s| {
        for _ in 0..6 {
            s.spawn(|| {
                loop {
                    let name = next.fetch_add(1, Ordering::SeqCst);
                    let receipt = store.step(owner(name));
                    child::print_receipt(&format!("{} {name}", receipt.seq));
                }
            });
        }
    });
}

#[test]
fn every_receipt_of_many_threads_survives_a_kill() {
    let dir = temp_dir();
    let mut receipts: Vec<(Seq, String)> = Vec::new();
    for round in 0..15 {
        let mut child = child::start(
            module_path!(),
            "child_steps_in_many_threads_until_it_is_killed",
            &[("IRONWEAVE_SHARE_DIR", dir.path())],
        );
        let parsed = |receipt: String| -> (Seq, String) {
            let (seq, name) = receipt.split_once(' ').expect("a sequence and a name");
            (seq.parse().expect("a number"), name.to_owned())
        };
        for _ in 0..round * 3 + 1 {
            let receipt = child.next_receipt();
            receipts.push(parsed(receipt.expect("the child steps until it is killed")));
        }
        thread::sleep(Duration::from_micros(round as u64 * 97));
        receipts.extend(child.kill().into_iter().map(parsed));
        check(dir.path(), &receipts);
    }
    assert!(receipts.len() > 300, "{} receipts", receipts.len());
}

/// Asserts that the log has a transaction for each receipt, and that the store is consistent.
fn check(dir: &Path, receipts: &[(Seq, String)]) {
    let store = Store::<Model>::open(dir).unwrap_or_else(|e| panic!("{e}"));
    assert_consistent(&store);
    for (seq, name) in receipts {
        assert!(*seq <= store.seq().unwrap());
        let there = store.find::<Account>(name.as_str()).is_some();
        assert!(there, "there is a receipt for {name} in {seq}");
    }
}

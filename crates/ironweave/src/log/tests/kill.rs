//! A process that is killed at any instant, and killed again during recovery.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use super::faults::Faults;
use super::*;

/// Opens a log and appends until `dead`. Returns the receipts.
fn run(dir: &Path, options: LogOptions, synced: bool, at: usize, frames: u64) -> (u64, bool) {
    let faults = Faults::dead_from(at);
    let mut receipts = 0;
    if let Ok(mut log) = open_on(&faults, dir, options) {
        receipts = log.head().map_or(0, |head| head.seq.get() + 1);
        while receipts < frames && commit(&mut log, receipts, synced).is_ok() {
            receipts += 1;
        }
    }
    (receipts, faults.failed())
}

fn copy_dir(from: &Path, to: &Path) {
    for file in files(from) {
        fs::copy(&file, to.join(file.file_name().unwrap())).unwrap();
    }
}

#[test]
fn a_kill_before_any_change_loses_no_receipt() {
    for synced in [true, false] {
        let options = small();
        for at in 0.. {
            let dir = scratch();
            let (receipts, killed) = run(dir.path(), options, synced, at, 12);
            let found =
                reopen(dir.path(), options).unwrap_or_else(|error| panic!("change {at}: {error}"));
            assert!(
                found == receipts || found == receipts + 1,
                "change {at}: {found} of {receipts}"
            );
            if !killed {
                assert!(at > 60);
                break;
            }
        }
    }
}

#[test]
fn a_kill_during_recovery_leaves_what_the_next_one_recovers() {
    let options = small();
    let mut torn = 0;
    for at in (0..).step_by(2) {
        let dir = scratch();
        let (receipts, killed) = run(dir.path(), options, true, at, 8);
        if !killed {
            break;
        }
        for again in 0.. {
            let copy = scratch();
            copy_dir(dir.path(), copy.path());
            let (then, killed) = run(copy.path(), options, true, again, 0);
            let tails = |dir: &Path| {
                files(dir)
                    .iter()
                    .filter(|f| f.extension().is_some_and(|e| e == "torn"))
                    .count()
            };
            torn += tails(copy.path());
            let found = reopen(copy.path(), options)
                .unwrap_or_else(|error| panic!("{at}, {again}: {error}"));
            assert!(
                found == receipts || found == receipts + 1,
                "{at}, {again}: {found} of {receipts}"
            );
            assert!(!killed || then == 0 || then == found);
            assert!(tails(copy.path()) <= 1, "the same tail is kept once");
            if !killed {
                break;
            }
        }
    }
    assert!(torn > 10);
}

#[test]
fn child_appends_until_killed() {
    let Some(dir) = std::env::var_os("IRONWEAVE_LOG_CHILD") else {
        return;
    };
    let mut log = FileLog::open(
        dir,
        LogOptions {
            segment_bytes_max: 20_000,
            ..LogOptions::default()
        },
    )
    .unwrap();
    for seq in log.head().map_or(0, |head| head.seq.get() + 1).. {
        commit(&mut log, seq, true).unwrap();
        println!("receipt {seq}");
    }
}

#[test]
fn a_killed_process_leaves_no_lock_and_all_that_it_had_receipts_for() {
    let dir = scratch();
    let mut receipts = 0;
    for _ in 0..5 {
        let name = concat!(module_path!(), "::child_appends_until_killed");
        let name = name.split_once("::").unwrap().1;
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture", name])
            .env("IRONWEAVE_LOG_CHILD", dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let receipt = |line: String| Some(line.split_once("receipt ")?.1.parse::<Seq>().unwrap());
        let until = receipts + 100;
        while receipts < until {
            receipts =
                receipt(lines.next().unwrap().unwrap()).map_or(receipts, |seq| seq.get() + 1);
        }
        let error = FileLog::open(dir.path(), LogOptions::default()).unwrap_err();
        assert_eq!(error.holder(), Some(child.id()), "{error}");
        child.kill().unwrap();
        child.wait().unwrap();
        for line in lines.map_while(Result::ok) {
            receipts = receipt(line).map_or(receipts, |seq| seq.get() + 1);
        }
        let log = FileLog::open(dir.path(), LogOptions::default()).unwrap();
        let found = check(log.read(Seq::ZERO).unwrap(), 0);
        assert!(found >= receipts, "{found} of {receipts}");
        receipts = found;
    }
}

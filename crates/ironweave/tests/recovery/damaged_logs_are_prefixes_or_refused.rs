//! A log that is cut at any byte, or in which a byte is wrong, opens with a prefix of its transactions, or is refused as
//! damaged with the place.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use ironweave::prelude::*;

use crate::harness::{assert_consistent, scratch_dir, temp_dir};
use crate::readme::build::{
    self, JobFailed, JobQueued, JobStarted, JobSucceeded, Partition, WantCreated, state,
};

type BuildStore = Store<build::Model>;

const SEGMENT: &str = "00000000000000000000.log";

/// Takes six steps. The fingerprints are those before the first step and after each.
fn six_steps(store: &mut BuildStore) -> Vec<u128> {
    let mut prints = vec![store.fingerprint()];
    let want = store
        .step(WantCreated {
            partitions: vec!["a".into(), "b".into()],
        })
        .created
        .want;
    prints.push(store.fingerprint());
    let partitions: Vec<Partition> = want.partitions(store).collect();
    for (label, partition) in ["a", "b"].into_iter().zip(partitions) {
        let event = JobQueued {
            label: label.into(),
            partitions: vec![partition],
            wants: vec![want],
        };
        let run = store.step(event).created.run;
        prints.push(store.fingerprint());
        let run = run.in_state::<state::Queued>(store).expect("just queued");
        let run = store.step(JobStarted { run }).bound.run;
        prints.push(store.fingerprint());
        if label == "a" {
            store.step(JobSucceeded {
                run,
                at: Timestamp::from_secs(1),
            });
        } else {
            store.step(JobFailed {
                run: run.any(),
                exit: 1,
            });
        }
        prints.push(store.fingerprint());
    }
    prints
}

/// All files of a directory.
fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = fs::read_dir(dir)
        .expect("a directory")
        .map(|e| e.expect("the directory can be listed").path());
    entries
        .map(|path| (path.clone(), fs::read(&path).expect("the file can be read")))
        .collect()
}

/// The log of six steps, as a kill leaves it (without a `HEAD`, which is written now and then) or as a close does.
fn log(clean: bool) -> (Vec<u8>, Option<Vec<u8>>, Vec<u128>) {
    let dir = temp_dir();
    let mut store = BuildStore::open(dir.path()).expect("the store opens");
    let prints = six_steps(&mut store);
    let killed = fs::read(dir.path().join(SEGMENT)).expect("the segment can be read");
    drop(store);
    let closed = fs::read(dir.path().join(SEGMENT)).expect("the segment can be read");
    let head = fs::read(dir.path().join("HEAD")).expect("the head can be read");
    if clean {
        (closed, Some(head), prints)
    } else {
        (killed[..closed.len()].to_vec(), None, prints)
    }
}

fn lay(segment: &[u8], head: Option<&Vec<u8>>) -> tempfile::TempDir {
    let dir = scratch_dir();
    fs::write(dir.path().join(SEGMENT), segment).expect("the file can be written");
    if let Some(head) = head {
        fs::write(dir.path().join("HEAD"), head).expect("the file can be written");
    }
    dir
}

/// Opens a directory for reading and for writing. The result is how many steps the store has, or `None` where the log is
/// refused as damaged.
fn open(dir: &Path, prints: &[u128]) -> Option<usize> {
    let before = files(dir);
    let beside = BuildStore::open_read_only(dir).map(|s| s.fingerprint());
    assert_eq!(files(dir), before, "reading changed a file");
    let steps = |print: u128| {
        prints
            .iter()
            .position(|p| *p == print)
            .unwrap_or_else(|| panic!("{print:x} is no prefix"))
    };
    match BuildStore::open(dir) {
        Ok(mut store) => {
            let seen = steps(store.fingerprint());
            match beside {
                Ok(print) => assert_eq!(steps(print), seen, "reader and writer disagree"),
                // Not even the schema was written: a reader finds no store, and a writer begins a new one.
                Err(e) => assert!(e.is_not_found() && seen == 0, "{e}"),
            }
            assert_consistent(&store);
            store.step(WantCreated {
                partitions: vec!["another".into()],
            });
            let after = store.fingerprint();
            drop(store);
            assert_eq!(
                BuildStore::open(dir)
                    .expect("the store opens again")
                    .fingerprint(),
                after
            );
            Some(seen)
        }
        Err(e) => {
            assert!(e.is_damage(), "{e}");
            assert!(beside.is_err_and(|e| e.is_damage()));
            assert!(e.segment().is_some(), "the error names the place: {e}");
            assert_eq!(
                files(dir).len(),
                before.len() + usize::from(!before.contains_key(&dir.join("LOCK")))
            );
            None
        }
    }
}

#[test]
fn a_log_that_was_not_closed_and_is_cut_at_any_byte_opens_as_a_prefix() {
    let (segment, head, prints) = log(false);
    let mut last = 0;
    for len in 0..=segment.len() {
        let dir = lay(&segment[..len], head.as_ref());
        let steps = open(dir.path(), &prints).expect("no `HEAD` says that the log is longer");
        assert!(steps >= last, "a longer log has fewer steps");
        last = steps;
    }
    assert_eq!(last, prints.len() - 1);
}

#[test]
fn a_log_that_was_closed_and_cut_at_any_byte_is_damaged() {
    let (segment, head, prints) = log(true);
    for len in (0..segment.len()).step_by(7).chain([segment.len() - 1]) {
        let dir = lay(&segment[..len], head.as_ref());
        assert_eq!(open(dir.path(), &prints), None, "cut at {len}");
    }
    let dir = lay(&segment, head.as_ref());
    assert_eq!(open(dir.path(), &prints), Some(prints.len() - 1));
}

#[test]
fn a_wrong_byte_in_a_log_is_damage_with_its_place() {
    let (segment, head, prints) = log(true);
    for at in (64..segment.len()).step_by(11) {
        let mut wrong = segment.clone();
        wrong[at] ^= 0x40;
        let dir = lay(&wrong, head.as_ref());
        let Err(e) = BuildStore::open(dir.path()) else {
            panic!("byte {at} was not missed")
        };
        assert!(
            e.is_damage() && e.offset().is_some_and(|o| o <= at as u64) && e.seq().is_some(),
            "{at}: {e}"
        );
        assert_eq!(open(dir.path(), &prints), None);
    }
}

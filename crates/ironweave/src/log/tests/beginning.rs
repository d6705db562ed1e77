//! An open with a checkpoint reads the segments from that of the checkpoint's frame on. What is wrong with an earlier one is found
//! when it is read, and a missing one at once.

use super::share::things::{self, Added};
use super::*;
use crate::base::error::OpenError;
use crate::log::Archiving;
use crate::log::scan::FRAMES_READ;
use crate::store::{Options, Store};

type Things = Store<things::Model>;

fn options() -> Options<things::Model> {
    Store::options()
        .durability(crate::store::Durability::Os)
        .segment_bytes_max(2_000)
}

fn add(store: &mut Things, count: u64) {
    for _ in 0..count {
        let name = store.seq().unwrap().get();
        store.try_step(Added { name }).unwrap();
    }
}

/// Returns a closed store of ten segments or more, with a checkpoint after three quarters of its frames, and its fingerprint.
fn filled(dir: &Path) -> (Seq, u128) {
    let mut store = options().open(dir).unwrap();
    add(&mut store, 150);
    let checkpoint = store.checkpoint().unwrap();
    add(&mut store, 50);
    assert!(segments(dir).len() >= 10, "{:?}", segments(dir));
    (checkpoint.seq(), store.fingerprint())
}

fn segments(dir: &Path) -> Vec<Seq> {
    super::super::listing::segments(dir).unwrap()
}

fn path(dir: &Path, first: Seq) -> PathBuf {
    dir.join(format!("{first:020}.log"))
}

fn checkpoint_path(dir: &Path, seq: Seq) -> PathBuf {
    CheckpointFiles::new(dir, Disk::default()).path(seq)
}

/// Returns the number of frames that a call reads.
fn read_by<R>(act: impl FnOnce() -> R) -> (R, usize) {
    let before = FRAMES_READ.get();
    let result = act();
    (result, FRAMES_READ.get() - before)
}

fn open(dir: &Path) -> Result<Things, OpenError> {
    options().open(dir)
}

fn open_read_only(dir: &Path) -> Result<Things, OpenError> {
    options().open_read_only(dir)
}

#[test]
fn frames_before_the_segment_of_a_checkpoint_are_not_read() {
    let dir = scratch();
    let (seq, fingerprint) = filled(dir.path());
    for open in [open, open_read_only] {
        let (store, read) = read_by(|| open(dir.path()).unwrap());
        assert_eq!(store.opened_from().checkpoint(), Some(seq));
        assert_eq!(store.fingerprint(), fingerprint);
        let from = segments(dir.path());
        let from = from.iter().rev().find(|first| **first <= seq).unwrap();
        let last = store.seq().unwrap();
        // The frames from that segment on, those after the checkpoint again as they are replayed, those before its own frame
        // in the segment once more, and the one with the schema.
        let (scanned, replayed) = ((last + 1) - *from, last - seq);
        let most = scanned + 2 * replayed + 3 * (seq - *from) + 20;
        assert!(read as u64 <= most, "{read} of {last}, at most {most}");
        assert!(read < 150, "{read}");
        // All frames can be read, and give what they gave before.
        assert_eq!(store.verify().unwrap(), 200);
        let whole = ReadOnlyLog::open(dir.path()).unwrap();
        let log = store.log.log().unwrap();
        for seq in Seq::ZERO.until(last + 1) {
            assert_eq!(
                log.position_of(seq).unwrap(),
                whole.position_of(seq).unwrap()
            );
        }
        let lists = [log.segments().unwrap(), whole.segments().unwrap()];
        let [begun, read] = lists.map(|segments| segments.sealed().to_vec());
        assert_eq!(begun, read);
        let bytes = log.bytes_after(Some(seq));
        assert_eq!(bytes, whole.bytes_after(Some(seq)));
    }
    let (_, all) = read_by(|| ReadOnlyLog::open(dir.path()).unwrap());
    assert_eq!(all, 201);
    // A store that continues writes a checkpoint with all segments again.
    let mut store = open(dir.path()).unwrap();
    add(&mut store, 100);
    let next = store.checkpoint().unwrap().seq();
    drop(store);
    let (store, read) = read_by(|| open(dir.path()).unwrap());
    assert_eq!(store.opened_from().checkpoint(), Some(next));
    assert!(read < 100, "{read}");
    assert_eq!(store.verify().unwrap(), 300);
}

/// What was archived or dropped since the checkpoint was written is not in the directory, and still is not read.
#[test]
fn an_archived_log_and_one_whose_first_frames_were_dropped_begin_with_the_segment_of_a_checkpoint()
{
    for drops in [false, true] {
        let dir = scratch();
        let (seq, fingerprint) = filled(dir.path());
        let all = segments(dir.path());
        let mut archiving = Archiving::begin(dir.path(), None).unwrap();
        match drops {
            true => archiving.drop_before(all[3]).unwrap(),
            #[cfg(feature = "archive")]
            false => drop(archiving.archive(&dir.path().join("archive"), all[3], &mut |_| {})),
            #[cfg(not(feature = "archive"))]
            false => continue,
        }
        drop(archiving);
        assert_eq!(segments(dir.path()), all[3..]);
        for open in [open, open_read_only] {
            let (store, read) = read_by(|| open(dir.path()).unwrap());
            assert_eq!(store.opened_from().checkpoint(), Some(seq));
            assert_eq!(store.fingerprint(), fingerprint);
            let from = all.iter().rev().find(|first| **first <= seq).unwrap();
            let last = store.seq().unwrap();
            let (scanned, replayed) = ((last + 1) - *from, last - seq);
            let most = scanned + 2 * replayed + 3 * (seq - *from) + 20;
            assert!(read as u64 <= most, "{read} of {last}, at most {most}");
        }
    }
}

#[test]
fn damage_before_the_checkpoint_is_found_when_it_is_read() {
    let dir = scratch();
    let (seq, fingerprint) = filled(dir.path());
    let damaged = path(dir.path(), segments(dir.path())[2]);
    let mut bytes = fs::read(&damaged).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&damaged, &bytes).unwrap();
    for open in [open, open_read_only] {
        let store = open(dir.path()).unwrap();
        assert_eq!(store.fingerprint(), fingerprint);
        let error = store.verify().unwrap_err().to_string();
        let name = damaged.file_name().unwrap().to_string_lossy();
        assert!(error.contains(&*name), "{error}");
        let mut frames = store.log.log().unwrap().read(Seq::ZERO).unwrap();
        assert!(frames.any(|frame| frame.is_err_and(|e| e.is_damage())));
        // The frames after the damage can be read.
        assert!(
            store
                .log
                .log()
                .unwrap()
                .read(seq)
                .unwrap()
                .all(|frame| frame.is_ok())
        );
    }
    // A reader of the whole log verifies all of it.
    assert!(ReadOnlyLog::open(dir.path()).unwrap_err().is_damage());
    // The store needs the frames if it has no checkpoint.
    fs::remove_file(checkpoint_path(dir.path(), seq)).unwrap();
    for open in [open, open_read_only] {
        assert!(matches!(
            open(dir.path()).unwrap_err(),
            OpenError::Damage(_)
        ));
    }
}

/// Opens a directory in which something is wrong that an open without checkpoints finds. Both must fail in the same way.
fn assert_same_failure(dir: &Path, seq: Seq) {
    for open in [open, open_read_only] {
        let with = open(dir).unwrap_err();
        let checkpoint = checkpoint_path(dir, seq);
        let aside = checkpoint.with_extension("aside");
        fs::rename(&checkpoint, &aside).unwrap();
        let without = open(dir).unwrap_err();
        fs::rename(&aside, &checkpoint).unwrap();
        assert!(matches!(with, OpenError::Damage(_)), "{with}");
        assert_eq!(with.to_string(), without.to_string());
    }
}

#[test]
fn a_missing_or_shorter_segment_is_found_at_once() {
    let dir = scratch();
    let (seq, _) = filled(dir.path());
    for (i, first) in segments(dir.path()).into_iter().enumerate() {
        let path = path(dir.path(), first);
        let bytes = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert_same_failure(dir.path(), seq);
        if first + 10 < seq {
            fs::write(&path, &bytes[..bytes.len() - 8]).unwrap();
            assert_same_failure(dir.path(), seq);
        }
        fs::write(&path, &bytes).unwrap();
        assert!(open(dir.path()).is_ok(), "{i}");
    }
}

#[test]
fn damage_from_the_segment_of_the_checkpoint_on_is_found_at_once() {
    let dir = scratch();
    let (seq, _) = filled(dir.path());
    let all = segments(dir.path());
    let from = all.iter().rposition(|first| *first <= seq).unwrap();
    for first in &all[from..] {
        let path = path(dir.path(), *first);
        let bytes = fs::read(&path).unwrap();
        for at in [20, 57, 64, 70, bytes.len() / 2] {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            fs::write(&path, &damaged).unwrap();
            assert_same_failure(dir.path(), seq);
        }
        fs::write(&path, &bytes).unwrap();
    }
    assert!(open(dir.path()).is_ok());
}

/// The log was restored and continued with other frames, and the checkpoint of the first history is still there.
#[test]
fn a_checkpoint_of_another_history_begins_no_log() {
    let dir = scratch();
    let mut store = options().open(dir.path()).unwrap();
    add(&mut store, 100);
    drop(store);
    let other = scratch();
    for entry in fs::read_dir(dir.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::copy(&path, other.path().join(path.file_name().unwrap())).unwrap();
        }
    }
    let mut store = options().open(dir.path()).unwrap();
    add(&mut store, 60);
    let checkpoint = store.checkpoint().unwrap();
    drop(store);
    let mut store = options().open(other.path()).unwrap();
    for _ in 0..80 {
        let name = 1_000 + store.seq().unwrap().get();
        store.try_step(Added { name }).unwrap();
    }
    let fingerprint = store.fingerprint();
    drop(store);
    let name = checkpoint.path().file_name().unwrap();
    fs::copy(checkpoint.path(), other.path().join(name)).unwrap();
    for open in [open, open_read_only] {
        let store = open(other.path()).unwrap();
        assert_eq!(store.opened_from().checkpoint(), None);
        assert_eq!(store.fingerprint(), fingerprint);
        assert_eq!(store.verify().unwrap(), 180);
    }
}

//! The guarantees of the log, one per test. This file has the helpers and the tests that every kind of log must pass.

#[cfg(feature = "archive")]
mod archive;
mod batch;
mod batches;
mod beginning;
mod beside;
mod checkpoints;
mod copy;
mod crafted;
mod crash;
mod damage;
mod durable;
mod faults;
mod fork;
mod groups;
mod history;
mod kill;
mod listing;
mod migrations;
mod power;
mod segment_index;
mod share;
#[cfg(feature = "async")]
mod tasks;
mod tickets;
mod versions;

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::disk::Disk;
use super::*;

/// Returns a temporary directory that is removed after the test. It is in memory if the system supports that, because
/// these tests sync thousands of times and simulate the effects of a crash on a disk.
fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    };
    made.unwrap()
}

/// The file of the segment that begins at a frame.
fn segment_path(dir: &Path, first: impl Into<Seq>) -> PathBuf {
    super::chain::segment_path(dir, first.into())
}

/// Small segments and little spare, so that short logs roll and extend often.
fn small() -> LogOptions {
    LogOptions {
        segment_bytes_max: 600,
        spare_bytes_max: 200,
        ..LogOptions::default()
    }
}

fn payload(seq: impl Into<Seq>) -> Vec<u8> {
    let seq = seq.into().get();
    (0..seq * 37 % 150)
        .map(|i| (seq * 31 + i * 7) as u8)
        .collect()
}

fn header(seq: impl Into<Seq>) -> FrameHeader {
    let seq = seq.into();
    let number = seq.get();
    let kind = if number == 0 {
        FrameKind::Schema
    } else {
        FrameKind::Transaction
    };
    FrameHeader::new(
        seq,
        number as u32 / 5,
        kind,
        u128::from(number + 1) * 0x1234_5678_9abc_def0_1357,
    )
}

/// Appends and syncs a frame.
fn append(log: &mut impl Log, seq: impl Into<Seq>) {
    commit(log, seq, true).unwrap();
}

/// Appends a frame without a sync.
fn append_unsynced(log: &mut impl Log, seq: impl Into<Seq>) {
    commit(log, seq, false).unwrap();
}

/// Appends a frame, and syncs it if `synced`, as a store with `Durability::Always` does.
fn commit(log: &mut impl Log, seq: impl Into<Seq>, synced: bool) -> Result<(), AppendError> {
    let seq = seq.into();
    log.append(header(seq), &payload(seq))?;
    match synced {
        true => log.sync().map_err(AppendError::Indeterminate),
        false => Ok(()),
    }
}

fn fill(dir: &Path, options: LogOptions, frames: u64) {
    let mut log = FileLog::open(dir, options).unwrap();
    for seq in 0..frames {
        append(&mut log, seq);
    }
    log.close().unwrap();
}

/// Checks that the frames starting with `from` are those that `append` writes. Returns the sequence after the last one.
fn check(frames: Frames<'_>, from: impl Into<Seq>) -> u64 {
    let mut next = from.into();
    for frame in frames {
        let frame = frame.unwrap();
        let durable = frame.header.durable;
        assert!(durable.is_none_or(|durable| durable < next));
        assert_eq!(
            frame.header,
            FrameHeader {
                durable,
                ..header(next)
            }
        );
        assert_eq!(frame.payload, payload(next));
        next += 1;
    }
    next.get()
}

/// Opens the log, checks that it contains a prefix, appends, closes, opens and checks again. Returns the number of frames
/// that the first open found.
fn reopen(dir: &Path, options: LogOptions) -> Result<u64, StorageError> {
    let mut log = FileLog::open(dir, options)?;
    let found = check(log.read(Seq::ZERO)?, 0);
    assert_eq!(
        log.head(),
        found.checked_sub(1).map(|last| Head::of(&header(last)))
    );
    assert_eq!(log.durable(), found.checked_sub(1).map(Seq::new));
    append(&mut log, found);
    append(&mut log, found + 1);
    log.close()?;
    let log = FileLog::open(
        dir,
        LogOptions {
            strict: true,
            ..options
        },
    )?;
    assert_eq!(log.recovered(), None);
    assert_eq!(check(log.read(Seq::ZERO)?, 0), found + 2);
    assert!(
        files(dir)
            .iter()
            .all(|path| path.extension().is_none_or(|e| e != "tmp")),
        "{:?}",
        files(dir)
    );
    Ok(found)
}

fn segment_files(dir: &Path) -> Vec<PathBuf> {
    files(dir)
        .into_iter()
        .filter(|path| path.extension().is_some_and(|e| e == "log"))
        .collect()
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

fn behaves_like_a_log(log: &mut impl Log) {
    assert_eq!(log.head(), None);
    assert_eq!(log.durable(), None);
    assert_eq!(log.read(Seq::ZERO).unwrap().count(), 0);
    assert_eq!(log.recovered(), None);
    for seq in 0..30 {
        assert!(matches!(
            log.append(header(seq + 1), b"too early"),
            Err(AppendError::Conflict { expected, found }) if (expected, found) == (Seq::new(seq), Seq::new(seq + 1))
        ));
        append(log, seq);
        assert_eq!(log.durable(), Some(Seq::new(seq)));
        assert!(matches!(
            log.append(header(seq), b"again"),
            Err(AppendError::Conflict { expected, found }) if (expected, found) == (Seq::new(seq + 1), Seq::new(seq))
        ));
        assert_eq!(log.head(), Some(Head::of(&header(seq))));
        assert_eq!(log.position_of(Seq::new(seq + 1)).unwrap(), None);
    }
    for _ in 30..200 {
        append(log, log.head().map_or(0, |head| head.seq.get() + 1));
    }
    let mut positions = HashSet::new();
    for frame in log.read(Seq::ZERO).unwrap() {
        let Frame {
            header, position, ..
        } = frame.unwrap();
        assert_eq!(log.position_of(header.seq).unwrap(), Some(position));
        assert_eq!(
            (position.seq(), position.store()),
            (header.seq, log.store())
        );
        assert!(positions.insert(position.checksum()));
    }
    assert_eq!(positions.len(), 200);
    append_unsynced(log, 200);
    log.sync().unwrap();
    assert_eq!(log.durable(), Some(Seq::new(200)));
    for from in 0..203 {
        assert_eq!(
            check(log.read(Seq::new(from)).unwrap(), from),
            from.max(201)
        );
    }
    let durable: Vec<_> = log
        .read(Seq::ZERO)
        .unwrap()
        .map(|frame| frame.unwrap().header.durable)
        .collect();
    assert_eq!(durable[..3], [None, Some(Seq::ZERO), Some(Seq::new(1))]);
}

#[test]
fn a_memory_log_behaves_like_a_log() {
    behaves_like_a_log(&mut MemoryLog::new());
}

#[test]
fn a_file_log_behaves_like_a_log() {
    let dir = scratch();
    behaves_like_a_log(&mut FileLog::open(dir.path(), LogOptions::default()).unwrap());
    let dir = scratch();
    behaves_like_a_log(&mut FileLog::open(dir.path(), small()).unwrap());
    assert!(segment_files(dir.path()).len() > 3);
}

#[test]
fn what_was_appended_is_there_after_opening_again() {
    for options in [
        LogOptions::default(),
        small(),
        LogOptions {
            spare_bytes_max: 0,
            ..small()
        },
    ] {
        for synced in [true, false] {
            let options = LogOptions {
                strict: true,
                ..options
            };
            let outer = scratch();
            let dir = outer.path().join("a/b/c");
            for round in 0..3 {
                let mut log = FileLog::open(&dir, options).unwrap();
                assert_eq!(check(log.read(Seq::ZERO).unwrap(), 0), round * 10);
                assert_eq!(log.durable(), (round * 10).checked_sub(1).map(Seq::new));
                for seq in round * 10..round * 10 + 10 {
                    commit(&mut log, seq, synced).unwrap();
                }
            }
            assert!(
                files(&dir)
                    .iter()
                    .all(|path| path.extension().is_none_or(|e| e != "tmp"))
            );
        }
    }
}

#[test]
fn a_clean_close_leaves_no_spare_and_an_open_log_has_one() {
    let dir = scratch();
    let path = segment_path(dir.path(), 0);
    let mut log = FileLog::open(dir.path(), LogOptions::default()).unwrap();
    append(&mut log, 0);
    assert!(fs::metadata(&path).unwrap().len() > 200_000);
    drop(log);
    assert_eq!(fs::metadata(&path).unwrap().len(), 64 + 56);
}

#[test]
fn a_frame_longer_than_a_segment_has_one_to_itself() {
    let dir = scratch();
    let mut log = FileLog::open(dir.path(), small()).unwrap();
    for seq in 0..3 {
        log.append(header(seq), &vec![seq as u8 + 1; 1_000_000])
            .unwrap();
    }
    drop(log);
    assert_eq!(segment_files(dir.path()).len(), 3);
    let log = FileLog::open(dir.path(), small()).unwrap();
    for (frame, byte) in log.read(Seq::ZERO).unwrap().zip(1..) {
        assert!(frame.unwrap().payload.iter().all(|&b| b == byte));
    }
}

#[test]
fn reading_can_start_in_the_middle_of_a_long_segment() {
    let dir = scratch();
    let mut log = FileLog::open(dir.path(), LogOptions::default()).unwrap();
    for seq in 0..10_000 {
        append_unsynced(&mut log, seq);
    }
    for log in [&log as &dyn Log] {
        for from in [0, 1, 4_999, 5_000, 9_999, 10_000, u64::MAX] {
            assert_eq!(
                check(log.read(Seq::new(from)).unwrap(), from),
                from.max(10_000)
            );
        }
    }
    drop(log);
    let log = ReadOnlyLog::open(dir.path()).unwrap();
    assert_eq!(check(log.read(Seq::new(7_777)).unwrap(), 7_777), 10_000);
}

#[test]
fn a_second_writer_is_told_who_holds_the_lock() {
    let dir = scratch();
    let log = FileLog::open(dir.path(), LogOptions::default()).unwrap();
    let error = FileLog::open(dir.path(), LogOptions::default()).unwrap_err();
    assert!(error.is_locked(), "{error}");
    assert_eq!(error.holder(), Some(std::process::id()));
    let message = error.to_string();
    assert!(message.contains(dir.path().to_str().unwrap()), "{message}");
    assert!(
        message.contains(&std::process::id().to_string()),
        "{message}"
    );
    drop(log);
    FileLog::open(dir.path(), LogOptions::default()).unwrap();
}

/// Opens a log whose changes pass through `probe`.
fn open_on(
    probe: &std::sync::Arc<faults::Faults>,
    dir: &Path,
    options: LogOptions,
) -> Result<FileLog, StorageError> {
    FileLog::open_on(
        Disk {
            probe: Some(probe.clone()),
        },
        dir,
        options,
    )
}

//! A simulated disk that injects failures and records all changes, and tests of a log when one change fails.
//!
//!
//! The disk fails at the n-th change, either once (a disk error) or at every later change too (the process was killed).
//! A write that fails still writes half of its bytes.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use super::super::disk::{Op, Probe};
use super::super::frame::frame_bytes;
use super::*;

#[derive(Clone, Debug)]
pub(super) enum Change {
    Create(PathBuf),
    Write(PathBuf, u64, Vec<u8>),
    SetLen(PathBuf, u64),
    Sync(PathBuf),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
    CreateDir,
    SyncDir(PathBuf),
}

#[derive(Default)]
pub(super) struct Faults(Mutex<State>);

#[derive(Default)]
struct State {
    done: Vec<Change>,
    fail_at: Option<usize>,
    error: Option<io::ErrorKind>,
}

impl Faults {
    /// Fails from change `at` on.
    pub fn dead_from(at: usize) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            fail_at: Some(at),
            ..State::default()
        })))
    }

    /// Fails at change `at`, once, with this error.
    pub fn once(at: usize, error: io::ErrorKind) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            fail_at: Some(at),
            error: Some(error),
            ..State::default()
        })))
    }

    /// From now on, fails at the change that is `after` changes away.
    pub fn die_after(&self, after: usize) {
        let mut state = self.0.lock().unwrap();
        state.fail_at = Some(state.done.len() + after);
    }

    /// Disables further failures.
    pub fn live(&self) {
        self.0.lock().unwrap().fail_at = None;
    }

    /// Returns whether the failure occurred.
    pub fn failed(&self) -> bool {
        let state = self.0.lock().unwrap();
        state.fail_at.is_some_and(|at| state.done.len() > at)
    }

    /// Returns all requested changes, including those that failed.
    pub fn changes(&self) -> Vec<Change> {
        self.0.lock().unwrap().done.clone()
    }
}

impl Probe for Faults {
    fn before(&self, op: &Op<'_>) -> Result<(), (usize, io::Error)> {
        let mut state = self.0.lock().unwrap();
        let at = state.done.len();
        state.done.push(match *op {
            Op::CreateDir => Change::CreateDir,
            Op::SyncDir(path) => Change::SyncDir(path.into()),
            Op::Create(path) => Change::Create(path.into()),
            Op::Write {
                path,
                offset,
                bytes,
            } => Change::Write(path.into(), offset, bytes.into()),
            Op::SetLen { path, len } => Change::SetLen(path.into(), len),
            Op::Sync(path) => Change::Sync(path.into()),
            Op::Rename { from, to } => Change::Rename(from.into(), to.into()),
            Op::Remove(path) => Change::Remove(path.into()),
        });
        let half = |through| match *op {
            Op::Write { bytes, .. } if through => bytes.len() / 2,
            _ => 0,
        };
        match (state.fail_at, state.error) {
            (Some(n), Some(error)) if at == n => Err((half(true), error.into())),
            (Some(n), None) if at >= n => Err((half(at == n), io::Error::other("killed"))),
            _ => Ok(()),
        }
    }
}

/// Appends 12 frames until one fails. Returns the number of acknowledged frames, and the error.
fn run(
    faults: &Arc<Faults>,
    dir: &Path,
    options: LogOptions,
    synced: bool,
) -> (u64, Option<AppendError>) {
    let mut log = match open_on(faults, dir, options) {
        Ok(log) => log,
        Err(error) => return (0, Some(AppendError::Refused(error))),
    };
    for seq in 0..12 {
        if let Err(error) = commit(&mut log, seq, synced) {
            // Either the disk was full and the log continues with this frame, or the log has stopped.
            match (&error, commit(&mut log, seq, synced)) {
                (AppendError::Refused(full), Ok(())) if full.is_full() => continue,
                (_, Err(AppendError::Refused(again))) => {
                    assert!(again.is_stopped(), "{error}, then {again}");
                }
                (error, again) => panic!("{error}, then {again:?}"),
            }
            assert!(log.sync().unwrap_err().is_stopped());
            assert!(log.close().unwrap_err().is_stopped());
            return (seq, Some(error));
        }
        if synced {
            assert_eq!(
                log.durable(),
                Some(Seq::new(seq)),
                "a receipt is for what is durable"
            );
        }
    }
    // A failure to close loses nothing.
    let _ = log.close();
    (12, None)
}

#[test]
fn after_any_failed_change_the_log_has_stopped_and_all_receipts_are_there() {
    for synced in [true, false] {
        let options = small();
        for n in 0.. {
            let dir = scratch();
            let faults = Faults::once(n, io::ErrorKind::Other);
            let (receipts, error) = run(&faults, dir.path(), options, synced);
            let found =
                reopen(dir.path(), options).unwrap_or_else(|error| panic!("change {n}: {error}"));
            match error {
                None => assert_eq!(found, receipts),
                Some(AppendError::Refused(_)) => assert_eq!(found, receipts, "change {n}"),
                _ => assert!(
                    found == receipts || found == receipts + 1,
                    "change {n}: {found} of {receipts}"
                ),
            }
            if !faults.failed() {
                assert!(n > 60);
                break;
            }
        }
    }
}

#[test]
fn on_a_full_disk_frames_are_refused_and_the_log_goes_on_when_there_is_room() {
    for kind in [io::ErrorKind::StorageFull, io::ErrorKind::FileTooLarge] {
        let mut refused = 0;
        for n in 0.. {
            let dir = scratch();
            let faults = Faults::once(n, kind);
            let (receipts, error) = run(&faults, dir.path(), small(), true);
            let found = reopen(dir.path(), small()).unwrap();
            let changes = faults.changes();
            if !faults.failed() {
                break;
            }
            // A write of zeros or of a new file can be undone. A partly written frame or a failed sync cannot.
            if let Change::Write(path, _, bytes) = &changes[n]
                && (bytes.iter().all(|&byte| byte == 0)
                    || path.extension().is_some_and(|e| e == "tmp"))
                && n > 6
            {
                assert_eq!(
                    (found, error.is_none()),
                    (12, true),
                    "change {n}: {error:?}"
                );
                refused += 1;
            }
            assert!(found >= receipts);
        }
        assert!(refused > 8, "{refused}");
    }
}

#[test]
fn a_disk_without_any_room_refuses_clearly_before_a_byte_is_written() {
    struct Full(std::sync::atomic::AtomicBool);
    impl Probe for Full {
        fn before(&self, op: &Op<'_>) -> Result<(), (usize, io::Error)> {
            match op {
                Op::Write { bytes, .. } if self.0.load(std::sync::atomic::Ordering::SeqCst) => {
                    Err((bytes.len() / 2, io::ErrorKind::StorageFull.into()))
                }
                _ => Ok(()),
            }
        }
    }
    let dir = scratch();
    let full = Arc::new(Full(false.into()));
    let mut log = FileLog::open_on(
        Disk {
            probe: Some(full.clone()),
        },
        dir.path(),
        small(),
    )
    .unwrap();
    let mut refusals = 0;
    for seq in 0..40 {
        full.0.store(true, std::sync::atomic::Ordering::SeqCst);
        // A frame that fits into the spare space would be partly written, and that would stop the log.
        let room = fs::metadata(segment_files(dir.path()).last().unwrap())
            .unwrap()
            .len();
        if log.head().is_none() || seq % 3 == 0 {
            let long = vec![7; room as usize];
            match log.append(header(seq), &long) {
                Err(AppendError::Refused(error)) => {
                    assert!(error.is_io() && error.is_full(), "{error:?}");
                    assert!(error.to_string().contains("disk is full"), "{error}");
                    refusals += 1;
                }
                other => panic!("{other:?}"),
            }
        }
        full.0.store(false, std::sync::atomic::Ordering::SeqCst);
        append(&mut log, seq);
    }
    assert!(refusals > 10);
    drop(log);
    assert_eq!(reopen(dir.path(), small()).unwrap(), 40);
}

#[test]
fn what_a_failed_sync_may_have_dropped_is_written_again_and_synced_at_open() {
    let dir = scratch();
    let options = LogOptions::default();
    let faults = Arc::new(Faults::default());
    let mut log = open_on(&faults, dir.path(), options).unwrap();
    for seq in 0..5 {
        append_unsynced(&mut log, seq);
    }
    log.sync().unwrap();
    for seq in 5..9 {
        append_unsynced(&mut log, seq);
    }
    faults.die_after(0);
    assert!(log.sync().unwrap_err().is_io());
    drop(log);
    let path = segment_path(dir.path(), 0);
    let lengths = (0..9).map(|seq| frame_bytes(payload(seq).len()));
    let ends: Vec<_> = lengths
        .scan(64, |end, bytes| {
            *end += bytes;
            Some(*end)
        })
        .collect();
    let frames = fs::read(&path).unwrap()[ends[4]..ends[8]].to_vec();
    // Frame 5 records frame 4 as durable, so that the frames before it are not rewritten.
    let faults = Arc::new(Faults::default());
    let log = open_on(&faults, dir.path(), options).unwrap();
    assert_eq!(log.durable(), Some(Seq::new(8)));
    match &faults.changes()[..] {
        [
            Change::SyncDir(_),
            Change::Write(written, offset, bytes),
            Change::Sync(synced),
        ] => {
            assert_eq!((written, *offset, bytes), (&path, ends[4] as u64, &frames));
            assert_eq!(synced, &path);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_cut_is_synced_before_anything_is_appended() {
    let dir = scratch();
    fill(dir.path(), LogOptions::default(), 3);
    let path = segment_path(dir.path(), 0);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, [&whole, &b"torn"[..]].concat()).unwrap();
    let faults = Arc::new(Faults::default());
    let log = open_on(&faults, dir.path(), LogOptions::default()).unwrap();
    assert!(log.recovered().is_some());
    let changes = faults.changes();
    let cut = changes
        .iter()
        .position(|change| matches!(change, Change::SetLen(..)))
        .unwrap();
    assert!(
        matches!(&changes[cut + 1], Change::Sync(synced) if *synced == path),
        "{changes:?}"
    );
}

#[test]
fn a_directory_that_is_created_has_a_durable_name_before_the_log_is_open() {
    let outer = scratch();
    let dir = outer.path().join("a/b");
    let faults = Arc::new(Faults::default());
    open_on(&faults, &dir, LogOptions::default()).unwrap();
    let changes = faults.changes();
    for parent in [outer.path(), &outer.path().join("a")] {
        let synced =
            |change: &Change| matches!(change, Change::SyncDir(synced) if synced == parent);
        assert!(changes.iter().any(synced), "{changes:?}");
    }
}

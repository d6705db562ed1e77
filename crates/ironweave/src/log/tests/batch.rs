//! Frames that are appended together are the frames that appends one by one would have written, in fewer writes.

use std::io;
use std::sync::Arc;

use super::faults::{Change, Faults};
use super::*;

/// Returns the frames from one on.
fn frames(from: u64, until: u64) -> FrameBatch {
    let mut frames = FrameBatch::default();
    frames.keep_positions();
    for seq in from..until {
        frames.push(header(seq), &payload(seq)).unwrap();
    }
    frames
}

fn append_all(log: &mut impl Log, from: u64, until: u64) -> Result<(), BatchError> {
    let mut frames = frames(from, until);
    let done = log.append_all(&mut frames);
    let appended = done.as_ref().err().map_or(frames.len(), |e| e.appended);
    // An appended frame can be read, and has its position. No other frame has one.
    for index in 0..frames.len() {
        let seq = frames.get(index).0.seq;
        let position = (index < appended).then(|| log.position_of(seq).unwrap().unwrap());
        assert_eq!(frames.position(index), position);
    }
    assert_eq!(
        log.head().map_or(0, |head| head.seq.get() + 1),
        from + appended as u64
    );
    done
}

fn holds_batches(log: &mut impl Log) {
    let mut next = 0;
    for count in [1, 0, 2, 70, 3, 150, 0, 1] {
        append_all(log, next, next + count).unwrap();
        next += count;
        append(log, next);
        next += 1;
        assert_eq!(check(log.read(Seq::ZERO).unwrap(), 0), next);
    }
    let gap = log.append_all(&mut frames(next + 1, next + 3)).unwrap_err();
    assert!(matches!(gap.error, AppendError::Conflict { .. }));
    assert_eq!(gap.appended, 0);
}

#[test]
fn every_log_takes_batches() {
    holds_batches(&mut MemoryLog::new());
    let options = [
        LogOptions::default(),
        small(),
        LogOptions {
            spare_bytes_max: 0,
            ..small()
        },
    ];
    for options in options {
        let dir = scratch();
        let mut log = FileLog::open(dir.path(), options).unwrap();
        holds_batches(&mut log);
        log.close().unwrap();
        let log = ReadOnlyLog::open(dir.path()).unwrap();
        assert_eq!(
            check(log.read(Seq::ZERO).unwrap(), 0),
            log.head().unwrap().seq.get() + 1
        );
    }
}

/// The writes of frames to segments.
fn writes(faults: &Faults) -> usize {
    let is_frame = |bytes: &[u8]| bytes.starts_with(&[0xfc, b'I', b'W', 0x1d]);
    let changes = faults.changes();
    let frames = (changes.iter())
        .filter(|change| matches!(change, Change::Write(_, _, bytes) if is_frame(bytes)));
    frames.count()
}

#[test]
fn a_batch_takes_one_write_for_each_segment_and_no_sync_of_its_own() {
    let dir = scratch();
    let faults = Arc::new(Faults::default());
    let mut log = open_on(&faults, dir.path(), LogOptions::default()).unwrap();
    append_all(&mut log, 0, 2_000).unwrap();
    assert_eq!(writes(&faults), 1);
    assert_eq!(log.durable(), None);
    drop(log);

    let dir = scratch();
    let faults = Arc::new(Faults::default());
    let mut log = open_on(&faults, dir.path(), small()).unwrap();
    append_all(&mut log, 0, 40).unwrap();
    let segments = segment_files(dir.path());
    assert!(segments.len() > 5, "{segments:?}");
    assert_eq!(writes(&faults), segments.len());
    // No segment is longer than the limit, and all but the last are durable.
    for path in &segments[..segments.len() - 1] {
        assert!(fs::metadata(path).unwrap().len() <= 600);
    }
    let last = segments.last().unwrap().file_stem().unwrap();
    let last: u64 = last.to_str().unwrap().parse().unwrap();
    assert_eq!(log.durable(), Some(Seq::new(last - 1)));
}

#[test]
fn a_frame_longer_than_a_segment_has_one_to_itself_in_a_batch_too() {
    let dir = scratch();
    let mut log = FileLog::open(dir.path(), small()).unwrap();
    let mut frames = FrameBatch::default();
    for seq in 0..6u64 {
        let bytes = if seq % 2 == 1 { 5_000_000 } else { 10 };
        frames.push(header(seq), &vec![seq as u8; bytes]).unwrap();
    }
    log.append_all(&mut frames).unwrap();
    assert_eq!(segment_files(dir.path()).len(), 6);
    drop(log);
    let log = FileLog::open(dir.path(), small()).unwrap();
    for (frame, byte) in log.read(Seq::ZERO).unwrap().zip(0..) {
        assert!(frame.unwrap().payload.iter().all(|&b| b == byte));
    }
}

#[test]
fn a_batch_that_is_cut_at_any_byte_leaves_a_prefix_of_its_frames() {
    let dir = scratch();
    let path = segment_path(dir.path(), 0);
    let mut log = FileLog::open(dir.path(), LogOptions::default()).unwrap();
    append(&mut log, 0);
    append_all(&mut log, 1, 12).unwrap();
    let written = fs::read(&path).unwrap();
    drop(log);
    let end = fs::metadata(&path).unwrap().len() as usize;
    let mut found = HashSet::new();
    for cut in 64 + 56..end {
        for spare in [false, true] {
            let dir = scratch();
            let path = segment_path(dir.path(), 0);
            let mut torn = written[..cut].to_vec();
            if spare {
                torn.resize(end + 100, 0);
            }
            fs::write(&path, torn).unwrap();
            found.insert(reopen(dir.path(), LogOptions::default()).unwrap());
        }
    }
    // The last frame may be complete without its last zeros.
    assert!((1..12).all(|frames| found.contains(&frames)), "{found:?}");
}

/// A power failure may leave any sectors of a write, not only the first ones.
#[test]
fn a_batch_whose_middle_is_lost_leaves_the_frames_before_that() {
    let dir = scratch();
    let path = segment_path(dir.path(), 0);
    let mut log = FileLog::open(dir.path(), LogOptions::default()).unwrap();
    append(&mut log, 0);
    append_all(&mut log, 1, 40).unwrap();
    let written = fs::read(&path).unwrap();
    drop(log);
    let end = fs::metadata(&path).unwrap().len() as usize;
    for lost in (64 + 56..end - 8).step_by(88) {
        let dir = scratch();
        let path = segment_path(dir.path(), 0);
        let mut torn = written[..end].to_vec();
        let until = (lost + 88).min(end);
        torn[lost..until].fill(0);
        fs::write(&path, torn).unwrap();
        let found = reopen(dir.path(), LogOptions::default()).unwrap();
        assert!((1..40).contains(&found), "{found}");
    }
}

/// Appends batches of 7 frames until one fails. Returns the number of frames that the log accepted, and the error.
fn run(faults: &Arc<Faults>, dir: &Path, synced: bool) -> (u64, Option<AppendError>) {
    let mut log = match open_on(faults, dir, small()) {
        Ok(log) => log,
        Err(error) => return (0, Some(AppendError::Refused(error))),
    };
    let mut next = 0;
    while next < 28 {
        let until = next / 7 * 7 + 7;
        match append_all(&mut log, next, until) {
            Ok(()) => next = until,
            Err(BatchError { appended, error }) => {
                next += appended as u64;
                match (&error, append_all(&mut log, next, until)) {
                    // The disk was full, and the log continues with the rest of the batch.
                    (AppendError::Refused(full), Ok(())) if full.is_full() => next = until,
                    (
                        _,
                        Err(BatchError {
                            appended: 0,
                            error: AppendError::Refused(again),
                        }),
                    ) => {
                        assert!(again.is_stopped(), "{error}, then {again}");
                        return (next, Some(error));
                    }
                    (error, again) => panic!("{error}, then {again:?}"),
                }
            }
        }
        if synced {
            if let Err(error) = log.sync() {
                return (
                    log.durable().map_or(0, |seq| seq.get() + 1),
                    Some(AppendError::Indeterminate(error)),
                );
            }
            assert_eq!(log.durable(), next.checked_sub(1).map(Seq::new));
        }
    }
    // A failure to close loses nothing.
    let _ = log.close();
    (next, None)
}

#[test]
fn after_any_failed_change_of_a_batch_all_accepted_frames_are_there() {
    for synced in [true, false] {
        let kinds = [io::ErrorKind::Other, io::ErrorKind::StorageFull];
        for kind in kinds {
            for n in 0.. {
                let dir = scratch();
                let faults = Faults::once(n, kind);
                let (accepted, error) = run(&faults, dir.path(), synced);
                let found =
                    reopen(dir.path(), small()).unwrap_or_else(|e| panic!("change {n}: {e}"));
                match error {
                    None => assert_eq!(found, 28, "change {n}"),
                    Some(AppendError::Refused(_)) => assert_eq!(found, accepted, "change {n}"),
                    Some(_) => assert!(
                        (accepted..=28).contains(&found),
                        "change {n}: {found} of {accepted}"
                    ),
                }
                if !faults.failed() {
                    assert!(n > 40, "{n}");
                    break;
                }
            }
        }
    }
}

#[test]
fn a_process_that_is_killed_in_a_batch_leaves_a_prefix_of_it() {
    let mut torn = 0;
    for n in 0.. {
        let dir = scratch();
        let faults = Faults::dead_from(n);
        let (accepted, _) = run(&faults, dir.path(), true);
        let found = reopen(dir.path(), small()).unwrap_or_else(|e| panic!("change {n}: {e}"));
        assert!(
            (accepted..=28).contains(&found),
            "change {n}: {found} of {accepted}"
        );
        torn += u64::from(!found.is_multiple_of(7));
        if !faults.failed() {
            break;
        }
    }
    assert!(torn > 5, "{torn}");
}

#[test]
fn a_batch_on_a_nearly_full_disk_is_appended_as_far_as_there_is_room() {
    /// A disk on which a file can be so long.
    struct Room(u64);
    impl super::super::disk::Probe for Room {
        fn before(&self, op: &super::super::disk::Op<'_>) -> Result<(), (usize, io::Error)> {
            use super::super::disk::Op;
            match op {
                Op::Write { offset, bytes, .. } if offset + bytes.len() as u64 > self.0 => {
                    let fits = self.0.saturating_sub(*offset) as usize;
                    Err((fits.min(bytes.len()), io::ErrorKind::StorageFull.into()))
                }
                _ => Ok(()),
            }
        }
    }
    for room in [400, 1_000, 2_000, 3_000] {
        let dir = scratch();
        let disk = Disk {
            probe: Some(Arc::new(Room(room))),
        };
        let options = LogOptions::default();
        let mut log = FileLog::open_on(disk, dir.path(), options).unwrap();
        let BatchError { appended, error } = append_all(&mut log, 0, 100).unwrap_err();
        assert!(
            matches!(&error, AppendError::Refused(e) if e.is_full()),
            "{error}"
        );
        // The next frame does not fit.
        let bytes = |seq| super::super::frame::frame_bytes(payload(seq).len()) as u64;
        let used: u64 = 64 + (0..appended as u64).map(bytes).sum::<u64>();
        assert!(
            used <= room && used + bytes(appended as u64) > room,
            "{used} of {room}"
        );
        drop(log);
        assert_eq!(reopen(dir.path(), options).unwrap(), appended as u64);
    }
}

//! Groups of frames: a log has all frames of a group or none of them, wherever a write of them ends.

use std::fs;

use super::super::copy::{CopyError, restore};
use super::faults::Faults;
use super::*;

/// Frames before the group.
const BEFORE: u64 = 5;

/// A group of a schema and two parts of a migration.
fn group(first: u64) -> Vec<(FrameHeader, Vec<u8>)> {
    let frame = |seq: u64| {
        let kind = match seq == first {
            true => FrameKind::Schema,
            false => FrameKind::Migration,
        };
        let header = FrameHeader {
            kind,
            ..header(seq)
        };
        (header, payload(seq + 2))
    };
    let mut frames: Vec<_> = (first..first + 3).map(frame).collect();
    GroupPart::mark(&mut frames);
    frames
}

/// Returns the number of frames, which are those before the group, or all of them.
#[track_caller]
fn found(log: &impl ReadLog) -> u64 {
    let frames = log.read(Seq::ZERO).unwrap().map(|frame| frame.unwrap());
    let frames: Vec<Frame> = frames.collect();
    for (frame, (header, payload)) in frames.iter().skip(BEFORE as usize).zip(group(BEFORE)) {
        let durable = frame.header.durable;
        assert!(
            durable < Some(Seq::new(BEFORE)),
            "it proves no frame of its group"
        );
        assert_eq!(frame.header, FrameHeader { durable, ..header });
        assert_eq!(frame.payload, payload);
    }
    frames.len() as u64
}

#[test]
fn a_group_is_whole_or_absent_after_a_failure_at_any_change() {
    for options in [LogOptions::default(), small()] {
        let (mut absent, mut whole, mut at) = (0, 0, 0);
        loop {
            let dir = tempfile::tempdir().unwrap();
            fill(dir.path(), options, BEFORE);
            let faults = Faults::dead_from(at);
            let done = || -> Result<(), StorageError> {
                let mut log = open_on(&faults, dir.path(), options)?;
                (log.append_group(&group(BEFORE))).map_err(AppendError::into_storage)?;
                log.sync()?;
                log.close()
            };
            let done = done().is_ok();
            let reader = ReadOnlyLog::open(dir.path()).unwrap();
            let seen = found(&reader);
            let mut log = FileLog::open(dir.path(), options).unwrap();
            let count = found(&log);
            assert!(
                count == BEFORE || count == BEFORE + 3,
                "{count} frames after {at}"
            );
            assert_eq!(seen, count);
            assert!(!done || count == BEFORE + 3);
            match count == BEFORE {
                true => absent += 1,
                false => whole += 1,
            }
            if count == BEFORE {
                log.append_group(&group(BEFORE)).unwrap();
            }
            append(&mut log, BEFORE + 3);
            log.close().unwrap();
            let log = FileLog::open(
                dir.path(),
                LogOptions {
                    strict: true,
                    ..options
                },
            )
            .unwrap();
            assert_eq!(found(&log), BEFORE + 4);
            if done && !faults.failed() {
                break;
            }
            at += 1;
        }
        assert!(absent > 2 && whole > 1, "{absent}, {whole}");
    }
}

#[test]
fn a_reader_sees_a_group_when_it_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path(), LogOptions::default(), BEFORE);
    let before = fs::read(segment_path(dir.path(), 0u64)).unwrap();
    let mut reader = ReadOnlyLog::open(dir.path()).unwrap();
    let head = fs::read(dir.path().join("HEAD")).unwrap();
    let mut log = FileLog::open(dir.path(), LogOptions::default()).unwrap();
    log.append_group(&group(BEFORE)).unwrap();
    append(&mut log, BEFORE + 3);
    log.close().unwrap();
    let after = fs::read(segment_path(dir.path(), 0u64)).unwrap();
    fs::write(dir.path().join("HEAD"), head).unwrap();
    let end = |frames: &[(FrameHeader, Vec<u8>)]| {
        let bytes = |(_, payload): &(FrameHeader, Vec<u8>)| Frame::bytes_with(payload) as usize;
        before.len() + frames.iter().map(bytes).sum::<usize>()
    };
    let group = group(BEFORE);
    for frames in 0..=3 {
        fs::write(
            segment_path(dir.path(), 0u64),
            &after[..end(&group[..frames])],
        )
        .unwrap();
        reader.refresh().unwrap();
        let expected = if frames == 3 { BEFORE + 3 } else { BEFORE };
        assert_eq!(found(&reader), expected, "{frames}");
        assert_eq!(reader.chain().next(), Seq::new(expected));
    }
}

#[test]
fn a_frame_behind_a_group_without_its_end_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path(), LogOptions::default(), BEFORE);
    let mut frames = group(BEFORE);
    frames.pop();
    let mut log = FileLog::open(dir.path(), LogOptions::default()).unwrap();
    log.append_group(&frames).unwrap();
    append(&mut log, BEFORE + 2);
    log.close().unwrap();
    let e = FileLog::open(dir.path(), LogOptions::default())
        .err()
        .unwrap();
    assert!(e.is_damage(), "{e}");
    assert!(
        e.to_string()
            .contains("without the last frame of the group"),
        "{e}"
    );
}

#[test]
fn a_restore_ends_before_a_group_or_behind_it() {
    let dir = scratch();
    let source = dir.path().join("source");
    fill(&source, LogOptions::default(), BEFORE);
    let mut log = FileLog::open(&source, LogOptions::default()).unwrap();
    log.append_group(&group(BEFORE)).unwrap();
    append(&mut log, BEFORE + 3);
    log.close().unwrap();
    for until in BEFORE - 1..BEFORE + 4 {
        let target = dir.path().join(format!("until-{until}"));
        let restored = restore(&source, &target, Some(Seq::new(until)), |_, _| {});
        match (BEFORE..BEFORE + 2).contains(&until) {
            true => {
                let e = restored.unwrap_err();
                assert!(
                    matches!(e, CopyError::InsideMigration { seq } if seq == until),
                    "{e}"
                );
                assert!(!target.exists());
            }
            false => {
                assert_eq!(restored.unwrap().frames, until + 1);
                assert_eq!(found(&ReadOnlyLog::open(&target).unwrap()), until + 1);
            }
        }
    }
}

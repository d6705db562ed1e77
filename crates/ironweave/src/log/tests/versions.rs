//! A log of format version 2 is continued in a segment of version 3. Flags and files that are for later versions are refused.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::super::frame::{Block, HEAD_MAGIC, SEGMENT_MAGIC, u64_at};
use super::*;
use crate::base::storage_error::FORMAT_VERSION;

/// Makes a log of version 2 of one of the present version. The frames are as long in both.
fn downgrade(dir: &Path) {
    let head = dir.join("HEAD");
    for file in segment_files(dir).into_iter().chain([head]) {
        let Ok(mut bytes) = fs::read(&file) else {
            continue;
        };
        bytes[8] = 2;
        let sum = xxh3_64(&bytes[..56]);
        bytes[56..64].copy_from_slice(&sum.to_le_bytes());
        let store = u64_at(&bytes, 40);
        let mut at = 64;
        while bytes.get(at) == Some(&0xfc) {
            let len = u32::from_le_bytes(bytes[at + 4..at + 8].try_into().unwrap()) as usize;
            let end = at + (56 + len).next_multiple_of(8);
            let frame = &mut bytes[at..end];
            frame[16] = 2;
            let sum = xxh3_64_with_seed(&frame[16..], store ^ u64_at(frame, 0));
            frame[8..16].copy_from_slice(&sum.to_le_bytes());
            at = end;
        }
        fs::write(file, bytes).unwrap();
    }
}

fn big() -> LogOptions {
    LogOptions {
        spare_bytes_max: 0,
        ..LogOptions::default()
    }
}

/// Appends frames and closes the log.
fn add(dir: &Path, options: LogOptions, frames: std::ops::Range<u64>) {
    let mut log = FileLog::open(dir, options).unwrap();
    for seq in frames {
        append(&mut log, seq);
    }
    log.close().unwrap();
}

/// The versions of the frames of a log, whose payloads are those that `append` writes.
fn versions(log: &ReadOnlyLog) -> Vec<u16> {
    let frames = log.read(Seq::ZERO).unwrap().map(|frame| frame.unwrap());
    frames
        .map(|frame| {
            assert_eq!(frame.payload, payload(frame.header.seq));
            frame.header.version
        })
        .collect()
}

fn block(path: &Path, magic: [u8; 8]) -> Block {
    let bytes = fs::read(path).unwrap();
    Block::decode(magic, bytes[..64].try_into().unwrap()).unwrap()
}

#[test]
fn a_log_of_version_2_is_continued_in_a_new_segment() {
    for options in [small(), big()] {
        let dir = scratch();
        fill(dir.path(), options, 12);
        downgrade(dir.path());
        let segments = segment_files(dir.path());
        let mut reader = ReadOnlyLog::open(dir.path()).unwrap();

        // Opening and closing changes nothing.
        let before: Vec<_> = segments
            .iter()
            .map(|path| fs::read(path).unwrap())
            .collect();
        FileLog::open(dir.path(), options).unwrap().close().unwrap();
        let after: Vec<_> = segments
            .iter()
            .map(|path| fs::read(path).unwrap())
            .collect();
        assert_eq!(before, after);
        assert_eq!(block(&dir.path().join("HEAD"), HEAD_MAGIC).version, 2);

        add(dir.path(), options, 12..15);
        for path in &segments {
            assert_eq!(block(path, SEGMENT_MAGIC).version, 2);
        }
        let first = segment_path(dir.path(), 12);
        assert_eq!(block(&first, SEGMENT_MAGIC).version, FORMAT_VERSION);
        let head = block(&dir.path().join("HEAD"), HEAD_MAGIC);
        assert_eq!((head.version, head.seq), (FORMAT_VERSION, Seq::new(14)));

        // A reader that was there before follows, and one that comes later reads both.
        reader.refresh().unwrap();
        for reader in [reader, ReadOnlyLog::open(dir.path()).unwrap()] {
            let expected = [vec![2; 12], vec![FORMAT_VERSION; 3]].concat();
            assert_eq!(versions(&reader), expected);
        }
    }
}

#[test]
fn a_log_of_version_2_that_is_recovered_and_closed_keeps_its_version() {
    let dir = scratch();
    let head = dir.path().join("HEAD");
    add(dir.path(), big(), 0..3);
    let earlier = fs::read(&head).unwrap();
    add(dir.path(), big(), 3..5);
    // A writer was killed before it updated the file.
    fs::write(&head, earlier).unwrap();
    downgrade(dir.path());
    add(dir.path(), big(), 5..5);
    let block = block(&head, HEAD_MAGIC);
    assert_eq!((block.version, block.seq), (2, Seq::new(4)));
    assert_eq!(segment_files(dir.path()).len(), 1);
}

#[test]
fn an_empty_segment_of_version_2_is_replaced() {
    let dir = scratch();
    FileLog::open(dir.path(), big()).unwrap().close().unwrap();
    downgrade(dir.path());
    let first = segment_path(dir.path(), 0);
    assert_eq!(block(&first, SEGMENT_MAGIC).version, 2);
    let mut reader = ReadOnlyLog::open(dir.path()).unwrap();
    fill(dir.path(), big(), 2);
    assert_eq!(block(&first, SEGMENT_MAGIC).version, FORMAT_VERSION);
    assert_eq!(segment_files(dir.path()), [first]);
    assert_eq!(
        reader.refresh().unwrap().map(|head| head.seq),
        Some(Seq::new(1))
    );
    assert_eq!(reopen(dir.path(), big()).unwrap(), 2);
}

#[test]
fn a_kill_while_the_new_segment_is_created_leaves_a_log_of_version_2() {
    let dir = scratch();
    fill(dir.path(), big(), 5);
    downgrade(dir.path());
    let next = segment_path(dir.path(), 5);
    // What was written of it before the rename.
    let whole = Block {
        version: FORMAT_VERSION,
        seq: Seq::new(5),
        epoch: header(4).epoch,
        fingerprint: header(4).fingerprint,
        ..block(&segment_path(dir.path(), 0), SEGMENT_MAGIC)
    }
    .encode(SEGMENT_MAGIC);
    for len in 0..64 {
        fs::write(next.with_added_extension("tmp"), &whole[..len]).unwrap();
        add(dir.path(), big(), 0..0);
        assert_eq!(versions(&ReadOnlyLog::open(dir.path()).unwrap()), [2; 5]);
        assert_eq!(block(&dir.path().join("HEAD"), HEAD_MAGIC).version, 2);
    }
    // Or after it.
    fs::write(&next, whole).unwrap();
    add(dir.path(), big(), 0..0);
    assert_eq!(versions(&ReadOnlyLog::open(dir.path()).unwrap()), [2; 5]);
    add(dir.path(), big(), 5..6);
    let found = versions(&ReadOnlyLog::open(dir.path()).unwrap());
    assert_eq!(found, [2, 2, 2, 2, 2, FORMAT_VERSION]);
}

/// Breaks frame 3 of five. The last one has a flag, and says that all before it were durable.
fn tear_before_flags(dir: &Path) -> (PathBuf, Vec<u8>) {
    fs::remove_file(dir.join("HEAD")).unwrap();
    let path = segment_path(dir, 0);
    let mut bytes = fs::read(&path).unwrap();
    let mut starts = vec![64];
    while let Some(&last) = starts.last()
        && bytes.get(last) == Some(&0xfc)
    {
        let len = u32::from_le_bytes(bytes[last + 4..last + 8].try_into().unwrap()) as usize;
        starts.push(last + (56 + len).next_multiple_of(8));
    }
    let store = u64_at(&bytes, 40);
    let (start, end) = (starts[4], starts[5]);
    let frame = &mut bytes[start..end];
    frame[32..40].copy_from_slice(&4u64.to_le_bytes());
    frame[18] = 1;
    let sum = xxh3_64_with_seed(&frame[16..], store ^ u64_at(frame, 0));
    frame[8..16].copy_from_slice(&sum.to_le_bytes());
    bytes[starts[3] + 60] ^= 1;
    fs::write(&path, &bytes).unwrap();
    (path, bytes)
}

#[test]
fn a_frame_with_flags_proves_that_a_torn_one_was_durable() {
    let dir = scratch();
    fill(dir.path(), big(), 5);
    let (path, bytes) = tear_before_flags(dir.path());
    for error in [
        FileLog::open(dir.path(), big()).unwrap_err(),
        ReadOnlyLog::open(dir.path()).unwrap_err(),
    ] {
        assert!(error.is_damage(), "{error}");
        assert_eq!(error.seq(), Some(Seq::new(3)), "{error}");
    }
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn no_frame_of_version_2_has_flags() {
    let dir = scratch();
    fill(dir.path(), big(), 5);
    downgrade(dir.path());
    tear_before_flags(dir.path());
    let log = FileLog::open(dir.path(), big()).unwrap();
    assert_eq!(log.recovered().map(|torn| torn.seq), Some(Seq::new(3)));
    assert_eq!(log.head().map(|head| head.seq), Some(Seq::new(2)));
}

#[test]
fn a_log_without_its_first_segments_is_damaged_unless_they_were_archived() {
    let dir = scratch();
    fill(dir.path(), small(), 20);
    let segments = segment_files(dir.path());
    fs::remove_file(&segments[0]).unwrap();
    let errors = || {
        [
            FileLog::open(dir.path(), small()).unwrap_err(),
            ReadOnlyLog::open(dir.path()).unwrap_err(),
        ]
    };
    for error in errors() {
        assert!(error.is_damage(), "{error}");
        assert!(error.to_string().contains("is missing"), "{error}");
    }
    fs::write(dir.path().join("ARCHIVED"), []).unwrap();
    for error in errors() {
        assert!(error.is_damage(), "{error}");
        assert!(error.to_string().contains("ARCHIVED"), "{error}");
    }
    // Later segments are not archived before earlier ones.
    fill(&dir.path().join("more"), small(), 20);
    let segments = segment_files(&dir.path().join("more"));
    fs::remove_file(&segments[1]).unwrap();
    for error in [
        FileLog::open(dir.path().join("more"), small()).unwrap_err(),
        ReadOnlyLog::open(dir.path().join("more")).unwrap_err(),
    ] {
        assert!(error.is_damage(), "{error}");
        assert!(error.to_string().contains("is missing"), "{error}");
    }
}

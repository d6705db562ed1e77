//! Altered files: damage is an error, a torn tail is truncated, and no invalid frame is ever read.

use super::super::frame::{self, Block, HEAD_MAGIC, SEGMENT_MAGIC};
use super::*;
use crate::base::storage_error::FORMAT_VERSION;

fn big() -> LogOptions {
    LogOptions {
        spare_bytes_max: 0,
        ..LogOptions::default()
    }
}

/// A closed log of three frames in one segment: its bytes, those of its `HEAD`, and where its frames end.
fn three() -> (Vec<u8>, Vec<u8>, Vec<usize>) {
    let dir = scratch();
    fill(dir.path(), big(), 3);
    let segment = fs::read(segment_path(dir.path(), 0)).unwrap();
    let mut ends = vec![64];
    for seq in 0..3 {
        ends.push(ends[seq] + frame::frame_bytes(payload(seq as u64).len()));
    }
    assert_eq!(ends[3], segment.len());
    (segment, fs::read(dir.path().join("HEAD")).unwrap(), ends)
}

fn put(dir: &Path, segment: &[u8], head: Option<&[u8]>) {
    fs::write(segment_path(dir, 0), segment).unwrap();
    if let Some(head) = head {
        fs::write(dir.join("HEAD"), head).unwrap();
    }
}

/// Opens the log in every way and checks that all results agree. Returns the last sequence, or `None` if
/// the log is damaged.
fn outcome(segment: &[u8], head: Option<&[u8]>) -> Option<Seq> {
    let dir = scratch();
    put(dir.path(), segment, head);
    let reader = ReadOnlyLog::open(dir.path());
    let strict = FileLog::open(
        dir.path(),
        LogOptions {
            strict: true,
            ..big()
        },
    )
    .map(drop);
    // A strict open that fails has changed nothing.
    if strict.is_err() {
        assert_eq!(fs::read(segment_path(dir.path(), 0)).unwrap(), segment);
    }
    match reopen(dir.path(), big()) {
        Ok(found) => {
            match reader {
                Ok(reader) => assert_eq!(check(reader.read(Seq::ZERO).unwrap(), 0), found),
                Err(error) => assert!(error.is_not_found() && found == 0, "{error}"),
            }
            let tail = files(dir.path())
                .into_iter()
                .find(|file| file.extension().is_some_and(|e| e == "torn"));
            match strict {
                Ok(()) => assert_eq!(tail, None),
                Err(error) => {
                    assert!(error.is_torn(), "{error}");
                    let offset = error.offset().unwrap() as usize;
                    let tail = fs::read(tail.unwrap()).unwrap();
                    assert_eq!(tail, segment[offset..][..tail.len()]);
                    assert!(segment[offset + tail.len()..].iter().all(|&byte| byte == 0));
                }
            }
            Some(Seq::new(found))
        }
        Err(error) => {
            assert!(error.is_damage(), "{error}");
            assert!(error.segment().is_some() && error.offset().is_some());
            assert!(strict.unwrap_err().is_damage());
            assert!(reader.unwrap_err().is_damage());
            assert_eq!(fs::read(segment_path(dir.path(), 0)).unwrap(), segment);
            None
        }
    }
}

#[test]
fn a_log_cut_at_any_byte_is_a_prefix_or_damage_if_head_knows_better() {
    let (segment, head, ends) = three();
    for len in 0..=segment.len() {
        let whole = ends
            .iter()
            .filter(|&&end| end <= len)
            .count()
            .saturating_sub(1) as u64;
        assert_eq!(
            outcome(&segment[..len], None),
            Some(Seq::new(whole)),
            "cut at {len}"
        );
        let expected = (len == segment.len()).then_some(3);
        assert_eq!(
            outcome(&segment[..len], Some(&head)),
            expected.map(Seq::new),
            "cut at {len}, with HEAD"
        );
    }
}

#[test]
fn a_flipped_bit_is_damage_or_tears_the_last_frame() {
    let (segment, head, ends) = three();
    for at in 0..segment.len() {
        for bit in [at % 8, (at + 3) % 8] {
            let mut bytes = segment.clone();
            bytes[at] ^= 1 << bit;
            // The third frame records the second as durable. No frame records the third as durable.
            let expected = (at >= ends[2]).then_some(2);
            assert_eq!(outcome(&bytes, None), expected.map(Seq::new), "byte {at}");
            assert_eq!(outcome(&bytes, Some(&head)), None, "byte {at}, with HEAD");
        }
    }
    for at in 0..head.len() * 8 {
        let mut bytes = head.clone();
        bytes[at / 8] ^= 1 << (at % 8);
        assert_eq!(outcome(&segment, Some(&bytes)), None, "bit {at} of HEAD");
    }
}

#[test]
fn a_zeroed_frame_is_damage_and_bytes_in_the_spare_are_a_torn_tail() {
    let (segment, _, ends) = three();
    for frame in 0..3 {
        let mut bytes = segment.clone();
        bytes[ends[frame]..ends[frame + 1]].fill(0);
        assert_eq!(
            outcome(&bytes, None),
            (frame == 2).then_some(Seq::new(2)),
            "frame {frame}"
        );
    }
    let mut bytes = segment.clone();
    bytes.resize(bytes.len() + 200_000, 0);
    assert_eq!(outcome(&bytes, None), Some(Seq::new(3)));
    for at in [0, 7, 60, 70_000, 199_999] {
        let mut bytes = bytes.clone();
        bytes[segment.len() + at] = 1;
        assert_eq!(outcome(&bytes, None), Some(Seq::new(3)));
    }
}

#[test]
fn damage_names_segment_offset_and_sequence() {
    let (mut segment, _, ends) = three();
    segment[ends[1] + 60] ^= 4;
    let dir = scratch();
    put(dir.path(), &segment, None);
    let error = FileLog::open(dir.path(), big()).unwrap_err();
    assert_eq!(error.segment(), Some(segment_path(dir.path(), 0).as_path()));
    assert_eq!(
        (error.offset(), error.seq()),
        (Some(ends[1] as u64), Some(Seq::new(1)))
    );
    let message = error.to_string();
    let path = error.segment().unwrap().display().to_string();
    for part in [
        path.as_str(),
        &format!("offset {}", ends[1]),
        "frame 1",
        "checksum",
        "backup",
    ] {
        assert!(message.contains(part), "{message} lacks {part}");
    }
}

#[test]
fn a_torn_tail_is_cut_kept_and_reported() {
    let (segment, _, ends) = three();
    let dir = scratch();
    put(dir.path(), &segment[..ends[3] - 9], None);
    let log = FileLog::open(dir.path(), big()).unwrap();
    let torn = log.recovered().unwrap().clone();
    assert_eq!((torn.offset, torn.seq), (ends[2] as u64, Seq::new(2)));
    assert_eq!(torn.segment, segment_path(dir.path(), 0));
    assert_eq!(
        torn.kept,
        dir.path().join(format!("{:020}.{}.torn", 0, ends[2]))
    );
    assert_eq!(fs::read(&torn.kept).unwrap(), segment[ends[2]..ends[3] - 9]);
    drop(log);
    // Another tail at the same place does not replace the first.
    let whole = fs::read(segment_path(dir.path(), 0)).unwrap();
    put(dir.path(), &[&whole, &b"other"[..]].concat(), None);
    let log = FileLog::open(dir.path(), big()).unwrap();
    let again = log.recovered().unwrap();
    assert_eq!(fs::read(&again.kept).unwrap(), b"other");
    assert_ne!(again.kept, torn.kept);
}

#[test]
fn a_head_beyond_the_log_is_damage() {
    let (segment, head, _) = three();
    let mut block = Block::decode(HEAD_MAGIC, head.as_slice().try_into().unwrap()).unwrap();
    assert_eq!(block.seq, 2);
    block.seq = Seq::new(3);
    assert_eq!(outcome(&segment, Some(&block.encode(HEAD_MAGIC))), None);
    // The sequence in `HEAD` is a lower bound, so an earlier one is not damage.
    let (block, fingerprint) = (
        Block {
            seq: Seq::new(1),
            epoch: 0,
            ..block
        },
        header(1).fingerprint,
    );
    assert_eq!(
        outcome(
            &segment,
            Some(
                &Block {
                    fingerprint,
                    ..block
                }
                .encode(HEAD_MAGIC)
            )
        ),
        Some(Seq::new(3))
    );
    // The `HEAD` of another history or of another store is not a bound.
    assert_eq!(
        outcome(
            &segment,
            Some(
                &Block {
                    fingerprint: 5,
                    ..block
                }
                .encode(HEAD_MAGIC)
            )
        ),
        None
    );
    let other = Block {
        fingerprint,
        store: block.store ^ 1,
        ..block
    };
    assert_eq!(outcome(&segment, Some(&other.encode(HEAD_MAGIC))), None);
    let dir = scratch();
    fs::write(dir.path().join("HEAD"), &head).unwrap();
    assert!(FileLog::open(dir.path(), big()).unwrap_err().is_damage());
    assert!(ReadOnlyLog::open(dir.path()).unwrap_err().is_damage());
}

#[test]
fn a_segment_that_is_missing_cut_or_foreign_is_damage() {
    let dir = scratch();
    fill(dir.path(), small(), 20);
    let other = scratch();
    fill(other.path(), small(), 20);
    fs::remove_file(dir.path().join("HEAD")).unwrap();
    let segments = segment_files(dir.path());
    assert!(segments.len() > 4);
    let last = segments.len() - 1;
    let damaged = |what: &str| {
        assert!(
            FileLog::open(dir.path(), small()).unwrap_err().is_damage(),
            "{what}"
        );
        assert!(
            ReadOnlyLog::open(dir.path()).unwrap_err().is_damage(),
            "{what}"
        );
    };
    for (i, path) in segments.iter().enumerate() {
        let bytes = fs::read(path).unwrap();
        if i < last {
            fs::remove_file(path).unwrap();
            damaged("missing");
            for len in [0, 30, 64, bytes.len() - 70, bytes.len() - 1] {
                fs::write(path, &bytes[..len]).unwrap();
                damaged("cut");
            }
            fs::write(path, [&bytes, &b"more"[..]].concat()).unwrap();
            damaged("longer");
        }
        fs::copy(other.path().join(path.file_name().unwrap()), path).unwrap();
        damaged("foreign");
        fs::write(path, &bytes).unwrap();
    }
    // Only the last frames may be missing, as far as the segments can show.
    fs::remove_file(&segments[last]).unwrap();
    let left: u64 = segments[last]
        .file_stem()
        .unwrap()
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(reopen(dir.path(), small()).unwrap(), left);
}

#[test]
fn an_incomplete_header_of_the_newest_segment_is_made_anew() {
    let source = scratch();
    fill(source.path(), small(), 12);
    let head = fs::read(source.path().join("HEAD")).unwrap();
    let next = segment_path(source.path(), 12);
    let block = Block {
        version: FORMAT_VERSION,
        epoch: 2,
        seq: Seq::new(12),
        fingerprint: header(11).fingerprint,
        store: 0,
        timeline: 0,
    };
    let whole = {
        let log = ReadOnlyLog::open(source.path()).unwrap();
        assert_eq!(log.head().unwrap().seq, 11);
        let first = fs::read(segment_path(source.path(), 0)).unwrap();
        let first = Block::decode(SEGMENT_MAGIC, first[..64].try_into().unwrap()).unwrap();
        Block {
            store: first.store,
            ..block
        }
        .encode(SEGMENT_MAGIC)
    };
    for len in 0..=64 {
        for spare in [0, 500] {
            let bytes = [&whole[..len], &vec![0; spare]].concat();
            fs::write(&next, bytes).unwrap();
            let reader = ReadOnlyLog::open(source.path()).unwrap();
            assert_eq!(check(reader.read(Seq::ZERO).unwrap(), 0), 12);
            assert_eq!(reopen(source.path(), small()).unwrap(), 12);
            for file in segment_files(source.path())
                .iter()
                .filter(|file| **file >= next)
            {
                fs::remove_file(file).unwrap();
            }
            fs::write(source.path().join("HEAD"), &head).unwrap();
        }
    }
}

#[test]
fn a_newer_or_older_format_is_neither_torn_nor_damaged() {
    let (segment, head, ends) = three();
    let other = |bytes: &mut [u8], version: u8| {
        bytes[8] = version;
        let sum = xxhash_rust::xxh3::xxh3_64(&bytes[..56]);
        bytes[56..64].copy_from_slice(&sum.to_le_bytes());
    };
    let refused = |segment: &[u8], head: Option<&[u8]>| {
        let dir = scratch();
        put(dir.path(), segment, head);
        let mut said = String::new();
        for error in [
            FileLog::open(dir.path(), big()).unwrap_err(),
            ReadOnlyLog::open(dir.path()).unwrap_err(),
        ] {
            assert!(error.is_version(), "{error}");
            said = error.to_string();
            assert!(said.contains("version"), "{said}");
        }
        assert_eq!(fs::read(segment_path(dir.path(), 0)).unwrap(), segment);
        (
            said.contains("create a store in another"),
            said.contains("newer"),
        )
    };
    for version in [1, 4] {
        let (mut bytes, mut head) = (segment.clone(), head.clone());
        other(&mut bytes[..64], version);
        let (older, newer) = refused(&bytes, None);
        assert_eq!((older, newer), (version == 1, version == 4));
        other(&mut head, version);
        refused(&segment, Some(&head));
    }
    // Flags of later versions.
    for at in [10, 11] {
        let (mut bytes, mut head) = (segment.clone(), head.clone());
        for block in [&mut bytes[..64], &mut head] {
            block[at] = 1;
            other(block, FORMAT_VERSION as u8);
        }
        assert_eq!(refused(&bytes, None), (false, true));
        assert_eq!(refused(&segment, Some(&head)), (false, true));
    }
    let store = Block::decode(SEGMENT_MAGIC, segment[..64].try_into().unwrap())
        .unwrap()
        .store;
    for (at, value) in [(16, 1), (16, 4), (17, 9), (18, 1), (19, 128)] {
        let mut bytes = segment.clone();
        let frame = &mut bytes[ends[2]..];
        frame[at] = value;
        let seed = store ^ u64::from_le_bytes(frame[0..8].try_into().unwrap());
        let sum = xxhash_rust::xxh3::xxh3_64_with_seed(&frame[16..], seed);
        frame[8..16].copy_from_slice(&sum.to_le_bytes());
        refused(&bytes, None);
    }
}

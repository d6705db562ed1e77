//! Crafted files with valid checksums and invalid content, and tails that are expensive to search. Crafted contents of
//! frames are in `tests/crafted`.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::super::frame::{self, Block, HEAD_MAGIC, SEGMENT_MAGIC, u64_at};
use super::*;
use crate::base::storage_error::FORMAT_VERSION;

const STORE: u64 = 0x5555_aaaa_1234_5678;

/// The header of a segment that begins with frame 0.
fn first() -> Vec<u8> {
    let block = Block {
        version: FORMAT_VERSION,
        epoch: 0,
        seq: Seq::ZERO,
        fingerprint: 0,
        store: STORE,
        timeline: 0,
    };
    block.encode(SEGMENT_MAGIC).to_vec()
}

fn encoded(header: &FrameHeader, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    frame::encode(&mut frame, header, payload, STORE);
    frame
}

/// Returns a frame that records all frames up to `durable` as durable.
fn with_durable(seq: impl Into<Seq>, durable: Option<u64>) -> Vec<u8> {
    let seq = seq.into();
    let header = FrameHeader {
        durable: durable.map(Seq::new),
        ..header(seq)
    };
    encoded(&header, &payload(seq))
}

fn whole(frames: u64) -> Vec<u8> {
    let frames = (0..frames).map(|seq| with_durable(seq, None));
    [vec![first()], frames.collect()].concat().concat()
}

/// Opens a directory with a reader and with a writer. Returns the last sequence and whether the writer recovered the log,
/// or the error of the writer.
fn open(dir: &Path, options: LogOptions) -> Result<(Option<Seq>, bool), StorageError> {
    let reader = ReadOnlyLog::open(dir);
    match FileLog::open(dir, options) {
        Ok(log) => {
            let last = log.head().map(|head| head.seq);
            assert_eq!(reader.unwrap().head().map(|head| head.seq), last);
            Ok((last, log.recovered().is_some()))
        }
        Err(error) => {
            assert!(
                error.segment().is_some() && error.offset().is_some(),
                "{error}"
            );
            Err(error)
        }
    }
}

fn opened(bytes: &[u8], options: LogOptions) -> Result<(Option<Seq>, bool), StorageError> {
    let dir = scratch();
    fs::write(segment_path(dir.path(), 0), bytes).unwrap();
    open(dir.path(), options)
}

#[test]
fn a_frame_that_says_that_itself_or_a_later_one_was_durable_is_damage() {
    for (seq, durable) in [(0, 0), (2, 2), (2, 3), (2, u64::MAX - 1), (1, 1 << 40)] {
        let mut bytes = whole(seq);
        let place = bytes.len() as u64;
        bytes.extend(with_durable(seq, Some(durable)));
        for more in [0, 1] {
            // The result is the same for the last segment and for an earlier one.
            bytes.extend((0..more).flat_map(|_| with_durable(seq + 1, None)));
            let error = opened(&bytes, small()).unwrap_err();
            assert!(error.is_damage(), "{error}");
            assert_eq!(
                (error.seq(), error.offset()),
                (Some(Seq::new(seq)), Some(place))
            );
            let words = format!("it records frame {durable} as durable before it was written");
            assert!(error.to_string().contains(&words), "{error}");
        }
    }
    // The largest valid value.
    let mut bytes = whole(2);
    bytes.extend(with_durable(2, Some(1)));
    assert_eq!(opened(&bytes, small()).unwrap(), (Some(Seq::new(2)), false));
}

#[test]
fn a_segment_that_does_not_continue_the_one_before_it_is_damage() {
    let before = header(2);
    let continues = Block {
        version: FORMAT_VERSION,
        epoch: before.epoch,
        seq: Seq::new(3),
        fingerprint: before.fingerprint,
        store: STORE,
        timeline: 0,
    };
    let opened = |block: Block, frames: u64| {
        let dir = scratch();
        fs::write(segment_path(dir.path(), 0), whole(3)).unwrap();
        let mut bytes = block.encode(SEGMENT_MAGIC).to_vec();
        bytes.extend((3..3 + frames).flat_map(|seq| with_durable(seq, None)));
        fs::write(segment_path(dir.path(), 3), bytes).unwrap();
        open(dir.path(), small())
    };
    assert_eq!(opened(continues, 1).unwrap(), (Some(Seq::new(3)), false));
    let other_history = "the segment does not continue the history of the one before it";
    let refused = [
        (
            Block {
                seq: Seq::new(4),
                ..continues
            },
            "the segment begins with frame 4",
        ),
        (
            Block {
                fingerprint: before.fingerprint + 1,
                ..continues
            },
            other_history,
        ),
        (
            Block {
                epoch: before.epoch + 1,
                ..continues
            },
            other_history,
        ),
        (
            Block {
                store: STORE + 1,
                ..continues
            },
            "the segment belongs to another store",
        ),
    ];
    for (block, words) in refused {
        for frames in [0, 1] {
            let error = opened(block, frames).unwrap_err();
            assert!(error.is_damage(), "{error}");
            assert!(error.to_string().contains(words), "{error}");
        }
    }
}

#[test]
fn twelve_megabytes_that_begin_frames_everywhere_are_a_torn_tail() {
    let bytes = [whole(3), frame_magic(12 << 20)].concat();
    assert_eq!(opened(&bytes, small()).unwrap(), (Some(Seq::new(2)), true));
}

fn frame_magic(bytes: usize) -> Vec<u8> {
    [0xfc, b'I', b'W', 0x1d].repeat(bytes / 4)
}

/// Returns a tail with a frame header in each 64 bytes. Each frame extends to the end of the tail, and each header records
/// frame 3 as durable.
fn overlapping(bytes: usize) -> Vec<u8> {
    let mut tail = Vec::new();
    while tail.len() < bytes {
        // The sequence skips at most as many frames as fit into the gap.
        let header = FrameHeader {
            durable: Some(Seq::new(3)),
            ..header(4 + (tail.len() as u64 / 64).min(100))
        };
        let mut frame = encoded(&header, &[]);
        let rest = (bytes - tail.len()) as u32 - 56;
        frame[4..8].copy_from_slice(&rest.to_le_bytes());
        frame.resize(64, 1);
        tail.extend(frame);
    }
    tail
}

#[test]
fn frames_that_seem_to_overlap_are_looked_at_within_limits() {
    let least = LogOptions {
        search_bytes_max: 0,
        ..small()
    };
    // The first 64 bytes are not a frame, so that the frames after them are at positions where frames are searched.
    let hole = [vec![1; 64], overlapping(64 << 10)].concat();
    let bytes = [whole(3), hole.clone()].concat();
    // The default limit is sufficient to search all of them.
    assert_eq!(opened(&bytes, small()).unwrap(), (Some(Seq::new(2)), true));
    // With a lower limit, it is unknown whether the frame was durable, so nothing is truncated.
    let dir = scratch();
    let path = segment_path(dir.path(), 0);
    fs::write(&path, &bytes).unwrap();
    let error = FileLog::open(dir.path(), least).unwrap_err();
    assert!(error.is_damage(), "{error}");
    assert!(
        error.to_string().contains("raise `search_bytes_max`"),
        "{error}"
    );
    assert_eq!(fs::read(&path).unwrap(), bytes);
    // A short frame is found behind any number of long ones.
    let short = with_durable(5, Some(3));
    let bytes = [whole(3), hole, short].concat();
    let error = opened(&bytes, least).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("all frames up to 3 were durable"),
        "{error}"
    );
}

#[test]
fn a_whole_frame_behind_a_hole_proves_that_it_was_durable_however_long_it_is() {
    for bytes in [0, 400, 456, 457, 5_000, 200_000] {
        for gap in [64, 65_536 - 64, 65_536, 100_000] {
            let long = FrameHeader {
                durable: Some(Seq::new(3)),
                ..header(4)
            };
            let frame = encoded(&long, &vec![7; bytes]);
            let log = [whole(3), vec![1; gap], frame].concat();
            let error = opened(&log, small()).unwrap_err();
            assert!(error.is_damage(), "{bytes} behind {gap}: {error}");
        }
    }
    // A frame whose sequence skips more frames than fit between the two is not a frame of this log.
    let far = encoded(
        &FrameHeader {
            durable: Some(Seq::new(3)),
            ..header(9)
        },
        &[],
    );
    let log = [whole(3), vec![1; 64], far].concat();
    assert_eq!(opened(&log, small()).unwrap(), (Some(Seq::new(2)), true));
}

/// Random numbers from a seed (SplitMix64).
fn random(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *seed;
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

/// Sets the checksum of a frame to the valid value.
fn seal(frame: &mut [u8]) {
    let sum = xxh3_64_with_seed(&frame[16..], STORE ^ u64_at(frame, 0));
    frame[8..16].copy_from_slice(&sum.to_le_bytes());
}

#[test]
fn headers_of_all_kinds_with_right_checksums_are_refused_or_make_a_log() {
    let numbers = [0, 1, 2, 3, 4, 5, 255, 1 << 32, u64::MAX - 1, u64::MAX];
    let (mut logs, mut refused) = (0, 0);
    for seed in 0..3_000u64 {
        let mut state = seed;
        let mut pick = |n: usize| (random(&mut state) % n as u64) as usize;
        let dir = scratch();
        let mut bytes = first();
        for seq in 0..4u64 {
            let mut frame = with_durable(seq, seq.checked_sub(1 + pick(2) as u64));
            if pick(5) == 0 {
                // Version, kind, reserved, epoch, sequence, durable, fingerprint.
                let (at, len) = [
                    (16, 1),
                    (17, 1),
                    (18, 2),
                    (20, 4),
                    (24, 8),
                    (32, 8),
                    (40, 8),
                ][pick(7)];
                let number = numbers[pick(numbers.len())].to_le_bytes();
                frame[at..at + len].copy_from_slice(&number[..len]);
                seal(&mut frame);
            }
            bytes.extend(frame);
        }
        fs::write(segment_path(dir.path(), 0), &bytes).unwrap();
        let mut block = Block {
            version: FORMAT_VERSION,
            epoch: 0,
            seq: Seq::new(numbers[pick(numbers.len())]),
            fingerprint: header(3).fingerprint,
            store: STORE,
            timeline: 0,
        };
        match pick(3) {
            0 => fs::write(dir.path().join("HEAD"), block.encode(HEAD_MAGIC)).unwrap(),
            // Another segment, which may be the next one or not.
            1 => {
                block.fingerprint = [0, header(3).fingerprint][pick(2)];
                let path = segment_path(dir.path(), numbers[pick(numbers.len())]);
                if pick(2) == 0 {
                    block.seq = Seq::new(4);
                }
                fs::write(path, block.encode(SEGMENT_MAGIC)).unwrap();
            }
            _ => {}
        }
        match open(dir.path(), small()) {
            Ok(_) => logs += 1,
            Err(error) if error.is_damage() || error.is_version() => refused += 1,
            Err(error) => panic!("seed {seed}: {error}"),
        }
    }
    assert!(
        logs > 100 && refused > 100,
        "{logs} logs, {refused} refused"
    );
}

//! Makes logs with right checksums and any content: the frames of a log are read, changed and written to another directory. The bytes are written here as `docs/log-format.md` has them, without the log of the crate.

use std::fs;
use std::path::{Path, PathBuf};

use ironweave::{Model, OpenError, Store};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::cbor::{Item, Raw, parse};

/// What a frame contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    Schema = 1,
    Transaction = 2,
    Migration = 3,
}

/// A frame that is to be written.
#[derive(Clone, Debug)]
pub struct Forged {
    /// The format version.
    pub version: u8,
    pub kind: FrameKind,
    pub flags: u16,
    pub epoch: u32,
    pub fingerprint: u128,
    /// Of a transaction of version 3, the [`Raw`] bytes.
    pub payload: Item,
    /// What follows the payload in its frame.
    pub behind: Vec<u8>,
}

/// The identity of the stores that are written here.
const STORE: u64 = 0x1234_5678_9abc_def0;
/// The length of a segment's header.
const BLOCK_BYTES: usize = 64;
/// The length of a frame before its payload.
const HEADER_BYTES: usize = 56;

fn number<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("so many bytes")
}

/// The frames of a log.
pub fn frames(dir: &Path) -> Vec<Forged> {
    let files = fs::read_dir(dir)
        .expect("the log can be read")
        .map(|file| file.expect("the directory can be read").path());
    let mut segments: Vec<PathBuf> = files
        .filter(|path| path.extension().is_some_and(|e| e == "log"))
        .collect();
    segments.sort();
    let mut frames = Vec::new();
    for segment in segments {
        let bytes = fs::read(segment).expect("the segment can be read");
        let mut rest = &bytes[BLOCK_BYTES..];
        while rest.starts_with(&[0xfc]) {
            let len = u32::from_le_bytes(number(rest, 4)) as usize;
            let mut payload = &rest[HEADER_BYTES..HEADER_BYTES + len];
            let version = rest[16];
            let has_records = version > 2 && rest[17] == FrameKind::Transaction as u8;
            frames.push(Forged {
                version,
                kind: match rest[17] {
                    1 => FrameKind::Schema,
                    2 => FrameKind::Transaction,
                    kind => panic!("frames of kind {kind} are not written yet"),
                },
                flags: u16::from_le_bytes(number(rest, 18)),
                epoch: u32::from_le_bytes(number(rest, 20)),
                fingerprint: u128::from_le_bytes(number(rest, 40)),
                payload: if has_records {
                    Raw(payload.to_vec())
                } else {
                    parse(&mut payload)
                },
                behind: Vec::new(),
            });
            let (frame, behind) = rest.split_at((HEADER_BYTES + len).next_multiple_of(8));
            assert!(frame[HEADER_BYTES + len..].iter().all(|byte| *byte == 0));
            rest = behind;
        }
    }
    frames
}

fn segment(dir: &Path) -> PathBuf {
    dir.join("00000000000000000000.log")
}

/// Writes a log of these frames; returns the offset of each in its one segment.
pub fn write(dir: &Path, frames: &[Forged]) -> Vec<u64> {
    fs::create_dir_all(dir).expect("the directory can be made");
    let mut header = [0; BLOCK_BYTES];
    header[..8].copy_from_slice(b"IWSEGMNT");
    header[8] = frames.first().map_or(3, |first| first.version);
    header[40..48].copy_from_slice(&STORE.to_le_bytes());
    let checksum = xxh3_64(&header[..56]);
    header[56..].copy_from_slice(&checksum.to_le_bytes());
    fs::write(segment(dir), header).expect("the segment can be written");
    let all = frames.iter().enumerate();
    all.map(|(seq, frame)| append(dir, seq as u64, frame))
        .collect()
}

/// Appends a frame to a log that [`write()`] wrote; returns its offset.
pub fn append(dir: &Path, seq: u64, frame: &Forged) -> u64 {
    let mut segment_bytes = fs::read(segment(dir)).expect("the log can be read");
    let mut payload = frame.payload.bytes();
    payload.extend_from_slice(&frame.behind);
    let mut bytes = vec![0xfc, b'I', b'W', 0x1d];
    bytes.extend((payload.len() as u32).to_le_bytes());
    let seed = STORE ^ u64::from_le_bytes(number(&bytes, 0));
    bytes.extend([0; 8]);
    bytes.extend([frame.version, frame.kind as u8]);
    bytes.extend(frame.flags.to_le_bytes());
    bytes.extend(frame.epoch.to_le_bytes());
    bytes.extend(seq.to_le_bytes());
    // No frame was known to be durable.
    bytes.extend([0; 8]);
    bytes.extend(frame.fingerprint.to_le_bytes());
    bytes.extend(payload);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    let checksum = xxh3_64_with_seed(&bytes[16..], seed);
    bytes[8..16].copy_from_slice(&checksum.to_le_bytes());
    let at = segment_bytes.len() as u64;
    segment_bytes.extend(bytes);
    fs::write(segment(dir), segment_bytes).expect("the segment can be written");
    at
}

/// As [`write()`], with the fingerprints that the graph has when it is replayed, as far as it can be.
pub fn write_consistent<M: Model>(dir: &Path, frames: &mut [Forged]) -> Vec<u64> {
    loop {
        if dir.exists() {
            fs::remove_dir_all(dir).expect("an old log");
        }
        let places = write(dir, frames);
        let Err(e) = Store::<M>::open_read_only(dir) else {
            return places;
        };
        let Some((seq, fingerprint)) = wanted(&e) else {
            return places;
        };
        // Schemas after it have the same.
        let from = seq as usize;
        frames[from].fingerprint = fingerprint;
        for frame in &mut frames[from + 1..] {
            if frame.kind != FrameKind::Schema {
                break;
            }
            frame.fingerprint = fingerprint;
        }
    }
}

/// The fingerprint that a frame should have had, if that is what an error is about.
fn wanted(e: &OpenError) -> Option<(u64, u128)> {
    let text = e.to_string();
    let (_, rest) = text.split_once("the graph has the fingerprint ")?;
    assert!(e.is_damage());
    let fingerprint = u128::from_str_radix(rest.get(..32)?, 16).ok()?;
    Some((e.seq()?.get(), fingerprint))
}

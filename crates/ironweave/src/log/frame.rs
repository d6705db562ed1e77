//! Bytes: how blocks (segment headers, `HEAD`) and frames are laid out. Pure functions, no files.
//!
//! The diagram is in [the module's documentation](super). Everything is little-endian.

use crate::base::storage_error::FORMAT_VERSION;
use std::path::Path;

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::{FrameHeader, FrameKind, Seq, StorageError};

/// Version of blocks and frames that this code writes, and the only one that it reads.
pub(super) const VERSION: u16 = FORMAT_VERSION;
/// Bytes of a segment header and of `HEAD`.
pub(super) const BLOCK_BYTES: usize = 64;
/// Bytes of a frame before its payload.
pub(super) const FRAME_HEADER_BYTES: usize = 56;
/// Longest payload. A corrupt length must not make a reader allocate without bound.
pub(super) const PAYLOAD_BYTES_MAX: usize = (1 << 30) - 1;

pub(super) const SEGMENT_MAGIC: [u8; 8] = *b"IWSEGMNT";
pub(super) const HEAD_MAGIC: [u8; 8] = *b"IWLOGHED";
pub(super) const CURSOR_MAGIC: [u8; 8] = *b"IWCURSOR";
/// 0xfc is ill-formed as the start of a CBOR item, so that payloads seldom look like frames.
pub(super) const FRAME_MAGIC: [u8; 4] = [0xfc, b'I', b'W', 0x1d];

/// The 64 bytes that begin a segment, and all there is in `HEAD`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub epoch: u32,
    /// First sequence of a segment; last sequence for `HEAD`.
    pub seq: Seq,
    /// Before the first frame of a segment; after the last frame for `HEAD`.
    pub fingerprint: u128,
    pub store: u64,
    /// Of the segment; of the last frame for `HEAD`.
    pub timeline: u64,
}

/// Why 64 bytes are not a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BlockFault {
    Magic,
    Checksum,
    Version(u16),
}

impl Block {
    pub fn encode(&self, magic: [u8; 8]) -> [u8; BLOCK_BYTES] {
        let mut bytes = [0; BLOCK_BYTES];
        bytes[0..8].copy_from_slice(&magic);
        bytes[8..10].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.epoch.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.seq.get().to_le_bytes());
        bytes[24..40].copy_from_slice(&self.fingerprint.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.store.to_le_bytes());
        bytes[48..56].copy_from_slice(&self.timeline.to_le_bytes());
        let sum = xxh3_64(&bytes[..56]);
        bytes[56..64].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    pub fn decode(magic: [u8; 8], bytes: &[u8; BLOCK_BYTES]) -> Result<Self, BlockFault> {
        if bytes[0..8] != magic {
            return Err(BlockFault::Magic);
        }
        // The checksum comes before the version: a flipped bit is damage, not a newer format.
        if u64_at(bytes, 56) != xxh3_64(&bytes[..56]) {
            return Err(BlockFault::Checksum);
        }
        let version = u16::from_le_bytes([bytes[8], bytes[9]]);
        if version != VERSION {
            return Err(BlockFault::Version(version));
        }
        Ok(Self {
            epoch: u32_at(bytes, 12),
            seq: Seq::new(u64_at(bytes, 16)),
            fingerprint: u128_at(bytes, 24),
            store: u64_at(bytes, 40),
            timeline: u64_at(bytes, 48),
        })
    }
}

/// Why the bytes at a place are not the frame that should be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The file ends within it.
    Incomplete,
    Magic,
    Length(u32),
    Checksum,
    /// Whole, but of another format.
    Version(u8),
    /// Whole, but of a kind that this format does not have.
    Kind(u8),
    /// Whole, but another frame.
    Sequence(Seq),
    /// Whole, but it says that itself, or a frame after it, was durable when it was written.
    Durable(Seq),
    /// Zeros, with something else after them.
    Hole,
}

impl Fault {
    /// The fault as the end of a sentence.
    pub fn describe(self) -> String {
        match self {
            Self::Incomplete => "the frame is incomplete".into(),
            Self::Magic => "no frame begins here".into(),
            Self::Length(len) => format!("its length of {len} bytes is beyond the limit"),
            Self::Checksum => "its checksum does not fit".into(),
            Self::Version(version) => format!("it is of format version {version}"),
            Self::Kind(kind) => format!("it is of the unknown kind {kind}"),
            Self::Sequence(seq) => format!("frame {seq} stands in its place"),
            Self::Durable(seq) => {
                format!("it says that frame {seq} was durable before it was written")
            }
            Self::Hole => "there are zeros instead of it, with other bytes after them".into(),
        }
    }

    /// A whole frame that this program cannot take is no torn one: one that it is too old for, which is not damaged
    /// either, and one that no writer writes.
    pub fn refusal(self, path: &Path, offset: u64, seq: Seq) -> Option<StorageError> {
        let place = format!("frame {seq}, at offset {offset}");
        let error = match self {
            Self::Durable(_) => {
                let what = self.describe();
                return Some(StorageError::damage(path, offset, Some(seq), &what));
            }
            Self::Version(version) => {
                StorageError::other_version(path, &format!("a frame ({place})"), version.into())
            }
            Self::Kind(kind) => StorageError::version(
                path,
                &format!("a frame of the unknown kind {kind} ({place}; format version {VERSION})"),
            ),
            _ => return None,
        };
        Some(error.with_location(path, offset, Some(seq)))
    }
}

/// Bytes of a whole frame with this payload: header, payload, and zeros up to a multiple of 8.
pub(super) fn frame_bytes(payload_bytes: usize) -> usize {
    (FRAME_HEADER_BYTES + payload_bytes).next_multiple_of(8)
}

/// Length of the frame whose header begins here. `header` has at least 8 bytes.
pub(super) fn length(header: &[u8]) -> Result<usize, Fault> {
    if header[0..4] != FRAME_MAGIC {
        return Err(Fault::Magic);
    }
    let len = u32_at(header, 4);
    if len as usize > PAYLOAD_BYTES_MAX {
        return Err(Fault::Length(len));
    }
    Ok(frame_bytes(len as usize))
}

/// Replaces the contents of `out` by a frame; gives its checksum.
pub(super) fn encode(out: &mut Vec<u8>, header: &FrameHeader, payload: &[u8], store: u64) -> u64 {
    out.clear();
    out.reserve(frame_bytes(payload.len()));
    out.extend_from_slice(&FRAME_MAGIC);
    // The caller has refused longer ones.
    debug_assert!(payload.len() <= PAYLOAD_BYTES_MAX);
    out.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    out.extend_from_slice(&[0; 8]);
    out.extend_from_slice(&[VERSION as u8, header.kind as u8, 0, 0]);
    out.extend_from_slice(&header.epoch.to_le_bytes());
    out.extend_from_slice(&header.seq.get().to_le_bytes());
    let durable_count = header.durable.map_or(0, |seq| seq.get() + 1);
    out.extend_from_slice(&durable_count.to_le_bytes());
    out.extend_from_slice(&header.fingerprint.to_le_bytes());
    out.extend_from_slice(payload);
    out.resize(frame_bytes(payload.len()), 0);
    let sum = checksum(out, store);
    out[8..16].copy_from_slice(&sum.to_le_bytes());
    sum
}

/// The checksum that a frame says it has.
pub(super) fn sum(frame: &[u8]) -> u64 {
    u64_at(frame, 8)
}

/// Takes apart a frame. `bytes` is exactly as long as [`length`] said.
pub(super) fn decode(bytes: &[u8], store: u64) -> Result<(FrameHeader, &[u8]), Fault> {
    if u64_at(bytes, 8) != checksum(bytes, store) {
        return Err(Fault::Checksum);
    }
    if bytes[16] != VERSION as u8 {
        return Err(Fault::Version(bytes[16]));
    }
    let kind = FrameKind::from_byte(bytes[17]).ok_or(Fault::Kind(bytes[17]))?;
    let payload_bytes = u32_at(bytes, 4) as usize;
    let (seq, durable) = claims(bytes);
    if let Some(durable) = durable.filter(|durable| *durable >= seq) {
        return Err(Fault::Durable(durable));
    }
    let header = FrameHeader {
        seq,
        epoch: u32_at(bytes, 20),
        kind,
        durable,
        fingerprint: u128_at(bytes, 40),
    };
    Ok((
        header,
        &bytes[FRAME_HEADER_BYTES..FRAME_HEADER_BYTES + payload_bytes],
    ))
}

/// Sequence and durable head as a header says them, before its checksum is known to fit. Lets a search
/// pass over what cannot matter without reading whole frames.
pub(super) fn claims(header: &[u8]) -> (Seq, Option<Seq>) {
    (Seq::new(u64_at(header, 24)), durable_at(header))
}

/// Whether a header is of the version and of a kind that this program writes, before its checksum is known to fit.
pub(super) fn is_known(header: &[u8]) -> bool {
    header[16] == VERSION as u8
        && FrameKind::from_byte(header[17]).is_some()
        && header[18..20] == [0; 2]
}

/// Over everything but magic, length and itself; those two are in the seed, with the store's id: so
/// every byte counts, and a frame of another store is no frame here.
fn checksum(frame: &[u8], store: u64) -> u64 {
    xxh3_64_with_seed(&frame[16..], store ^ u64_at(frame, 0))
}

fn durable_at(header: &[u8]) -> Option<Seq> {
    u64_at(header, 32).checked_sub(1).map(Seq::new)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut array = [0; 4];
    array.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(array)
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut array = [0; 8];
    array.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(array)
}

fn u128_at(bytes: &[u8], at: usize) -> u128 {
    let mut array = [0; 16];
    array.copy_from_slice(&bytes[at..at + 16]);
    u128::from_le_bytes(array)
}

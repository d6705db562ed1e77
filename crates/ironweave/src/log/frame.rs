//! The encoding of blocks (segment headers, `HEAD`, cursors) and frames, as pure functions.
//!
//! [The documentation of the module](super) has a diagram. All numbers are little-endian.

use crate::base::storage_error::{FORMAT_VERSION, FORMAT_VERSION_MIN};
use std::ops::RangeInclusive;
use std::path::Path;

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::{FrameHeader, FrameKind, GroupPart, Seq, StorageError};

/// The versions of blocks and frames that this code reads. Their layouts differ in the payloads of frames only, and in
/// what is done with the reserved bytes.
const VERSIONS: RangeInclusive<u16> = FORMAT_VERSION_MIN..=FORMAT_VERSION;
/// The first version in which a reader refuses reserved bytes that are not zero.
const VERSION_WITH_FLAGS: u16 = 3;
/// The length of a segment header, of `HEAD` and of a cursor.
pub(super) const BLOCK_BYTES: usize = 64;
/// The length of the header of a frame.
pub(super) const FRAME_HEADER_BYTES: usize = 56;
/// The allowed length of a payload. It bounds the allocation that a corrupt length can cause.
pub(super) const PAYLOAD_BYTES_MAX: usize = (1 << 30) - 1;

pub(super) const SEGMENT_MAGIC: [u8; 8] = *b"IWSEGMNT";
pub(super) const HEAD_MAGIC: [u8; 8] = *b"IWLOGHED";
pub(super) const CURSOR_MAGIC: [u8; 8] = *b"IWCURSOR";
pub(super) const ARCHIVED_MAGIC: [u8; 8] = *b"IWARCHIV";
/// No CBOR item starts with 0xfc, so payloads rarely look like frames.
pub(super) const FRAME_MAGIC: [u8; 4] = [0xfc, b'I', b'W', 0x1d];

/// The header of a segment, and the content of `HEAD` and of a cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// The format version of the frames of a segment, of the last frame in `HEAD`.
    pub version: u16,
    pub epoch: u32,
    /// The first frame of a segment. In `HEAD`, the last frame.
    pub seq: Seq,
    /// The fingerprint of the graph before the first frame of a segment. In `HEAD`, that after the last frame.
    pub fingerprint: u128,
    pub store: u64,
    /// The timeline of a segment. In `HEAD`, that of the last frame.
    pub timeline: u64,
}

/// The reason why 64 bytes are not a valid block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BlockFault {
    Magic,
    Checksum,
    Version(u16),
    /// The block has flags, which are for later versions.
    Flags(u16),
}

impl BlockFault {
    /// Returns the error for a block with a valid checksum that this program cannot read. Returns `None` for other faults.
    pub fn version_error(self, path: &Path) -> Option<StorageError> {
        let error = match self {
            Self::Version(version) => StorageError::other_version(path, "contents", version),
            Self::Flags(flags) => {
                StorageError::version(path, &format!("a header with the flags {flags:#x}"))
            }
            Self::Magic | Self::Checksum => return None,
        };
        Some(error.with_location(path, 0, None))
    }
}

impl Block {
    pub fn encode(&self, magic: [u8; 8]) -> [u8; BLOCK_BYTES] {
        let mut bytes = [0; BLOCK_BYTES];
        bytes[0..8].copy_from_slice(&magic);
        bytes[8..10].copy_from_slice(&self.version.to_le_bytes());
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
        // The checksum is checked before the version, so that a flipped bit is damage and not another version.
        if u64_at(bytes, 56) != xxh3_64(&bytes[..56]) {
            return Err(BlockFault::Checksum);
        }
        let version = u16_at(bytes, 8);
        if !VERSIONS.contains(&version) {
            return Err(BlockFault::Version(version));
        }
        let flags = u16_at(bytes, 10);
        if version >= VERSION_WITH_FLAGS && flags != 0 {
            return Err(BlockFault::Flags(flags));
        }
        Ok(Self {
            version,
            epoch: u32_at(bytes, 12),
            seq: Seq::new(u64_at(bytes, 16)),
            fingerprint: u128_at(bytes, 24),
            store: u64_at(bytes, 40),
            timeline: u64_at(bytes, 48),
        })
    }
}

/// The reason why the bytes at an offset are not the expected frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The file ends within the frame.
    Incomplete,
    Magic,
    Length(u32),
    Checksum,
    /// The frame is valid, but of another format version.
    Version(u8),
    /// The frame is valid, but of a kind that this format version does not have.
    Kind(u8),
    /// The frame is valid, but has flags, which are for later versions.
    Flags(u16),
    /// The frame is valid, but has another sequence number.
    Sequence(Seq),
    /// The frame is valid, but records itself or a later frame as durable before it was written.
    Durable(Seq),
    /// Zeros are followed by other bytes.
    Hole,
    /// A group of frames begins here, and its last frame does not follow.
    Group,
}

impl Fault {
    /// Returns a description of the fault, which is a clause of an error message.
    pub fn describe(self) -> String {
        match self {
            Self::Incomplete => "the frame is incomplete".into(),
            Self::Magic => "no frame begins here".into(),
            Self::Length(len) => format!("its length of {len} bytes exceeds the limit"),
            Self::Checksum => "its checksum is wrong".into(),
            Self::Version(version) => format!("it is of format version {version}"),
            Self::Kind(kind) => format!("it is of the unknown kind {kind}"),
            Self::Flags(flags) => format!("it has the unknown flags {flags:#x}"),
            Self::Sequence(seq) => format!("frame {seq} was found instead of it"),
            Self::Durable(seq) => {
                format!("it records frame {seq} as durable before it was written")
            }
            Self::Hole => "zeros were found instead of it, with other bytes after them".into(),
            Self::Group => "a group of frames begins here and has no end".into(),
        }
    }

    /// Returns the error for a frame that has a valid checksum and so cannot be torn: one of another format version, of an
    /// unknown kind, or with a durable frame that no writer records. Returns `None` for other faults.
    pub fn untorn_error(self, path: &Path, offset: u64, seq: Seq) -> Option<StorageError> {
        let location = format!("frame {seq}, at offset {offset}");
        let error = match self {
            Self::Durable(_) => {
                let what = self.describe();
                return Some(StorageError::damage(path, offset, Some(seq), &what));
            }
            Self::Version(version) => {
                StorageError::other_version(path, &format!("a frame ({location})"), version.into())
            }
            Self::Kind(kind) => StorageError::version(
                path,
                &format!(
                    "a frame of the unknown kind {kind} ({location}; format version {FORMAT_VERSION})"
                ),
            ),
            Self::Flags(flags) => StorageError::version(
                path,
                &format!("a frame with the unknown flags {flags:#x} ({location})"),
            ),
            _ => return None,
        };
        Some(error.with_location(path, offset, Some(seq)))
    }
}

/// Returns the length of a frame: its header, its payload, and zeros up to a multiple of 8.
pub(crate) fn frame_bytes(payload_bytes: usize) -> usize {
    (FRAME_HEADER_BYTES + payload_bytes).next_multiple_of(8)
}

/// Returns the length of the frame with this header, of which at least 8 bytes must be given.
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

/// Appends a frame to `out` and returns its checksum.
pub(super) fn encode(out: &mut Vec<u8>, header: &FrameHeader, payload: &[u8], store: u64) -> u64 {
    let start = out.len();
    out.reserve(frame_bytes(payload.len()));
    out.extend_from_slice(&FRAME_MAGIC);
    // The caller has checked the length.
    debug_assert!(payload.len() <= PAYLOAD_BYTES_MAX);
    out.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    out.extend_from_slice(&[0; 8]);
    out.extend_from_slice(&[
        header.version as u8,
        header.kind as u8,
        header.group as u8,
        0,
    ]);
    out.extend_from_slice(&header.epoch.to_le_bytes());
    out.extend_from_slice(&header.seq.get().to_le_bytes());
    let durable_count = header.durable.map_or(0, |seq| seq.get() + 1);
    out.extend_from_slice(&durable_count.to_le_bytes());
    out.extend_from_slice(&header.fingerprint.to_le_bytes());
    out.extend_from_slice(payload);
    out.resize(start + frame_bytes(payload.len()), 0);
    let frame = &mut out[start..];
    let sum = checksum(frame, store);
    frame[8..16].copy_from_slice(&sum.to_le_bytes());
    sum
}

/// Returns the checksum in the header of a frame, without verifying it.
pub(super) fn stored_checksum(frame: &[u8]) -> u64 {
    u64_at(frame, 8)
}

/// Returns the header and the payload of a frame. `bytes` must have the length that [`length`] returned.
pub(super) fn decode(bytes: &[u8], store: u64) -> Result<(FrameHeader, &[u8]), Fault> {
    if u64_at(bytes, 8) != checksum(bytes, store) {
        return Err(Fault::Checksum);
    }
    let version = u16::from(bytes[16]);
    if !VERSIONS.contains(&version) {
        return Err(Fault::Version(bytes[16]));
    }
    let flags = u16_at(bytes, 18);
    let kind = FrameKind::from_byte(bytes[17]);
    // The flags of version 2 are not checked.
    let flags = if version >= VERSION_WITH_FLAGS {
        flags
    } else {
        0
    };
    let group = match kind {
        Some(kind) => GroupPart::from_flags(flags, kind),
        None if flags == 0 => Some(GroupPart::None),
        None => None,
    };
    let group = group.ok_or(Fault::Flags(flags))?;
    let kind = kind.ok_or(Fault::Kind(bytes[17]))?;
    let payload_bytes = u32_at(bytes, 4) as usize;
    let (seq, durable) = unverified_seqs(bytes);
    if let Some(durable) = durable.filter(|durable| *durable >= seq) {
        return Err(Fault::Durable(durable));
    }
    let header = FrameHeader {
        version,
        seq,
        epoch: u32_at(bytes, 20),
        kind,
        group,
        durable,
        fingerprint: u128_at(bytes, 40),
    };
    Ok((
        header,
        &bytes[FRAME_HEADER_BYTES..FRAME_HEADER_BYTES + payload_bytes],
    ))
}

/// Returns the sequence number and the durable frame of a header whose checksum was not verified. A search uses them to skip
/// headers without reading whole frames.
pub(super) fn unverified_seqs(header: &[u8]) -> (Seq, Option<Seq>) {
    (Seq::new(u64_at(header, 24)), durable_at(header))
}

/// Returns whether a header, whose checksum was not verified, has a version and a kind that this program knows. It may have
/// flags that this program does not know: the frame proves all the same which frames were durable.
pub(super) fn is_known(header: &[u8]) -> bool {
    let version = u16::from(header[16]);
    VERSIONS.contains(&version)
        && FrameKind::from_byte(header[17]).is_some()
        && (version >= VERSION_WITH_FLAGS || header[18..20] == [0; 2])
}

/// Returns the sequence number and the durable frame of a frame with a correct checksum and any content. `bytes` must have
/// the length that [`length`] returned.
pub(super) fn verified_seqs(bytes: &[u8], store: u64) -> Option<(Seq, Option<Seq>)> {
    (u64_at(bytes, 8) == checksum(bytes, store)).then(|| unverified_seqs(bytes))
}

/// Returns the checksum of a frame. It covers all bytes after itself. The magic and the length are part of the seed, and so is
/// the id of the store, so that a frame of another store has a wrong checksum.
fn checksum(frame: &[u8], store: u64) -> u64 {
    xxh3_64_with_seed(&frame[16..], store ^ u64_at(frame, 0))
}

fn durable_at(header: &[u8]) -> Option<Seq> {
    u64_at(header, 32).checked_sub(1).map(Seq::new)
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
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

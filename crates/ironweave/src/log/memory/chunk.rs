//! Chunks of a log in memory: consecutive frames as contiguous bytes.
//!
//! ```text
//! frame   0             16       20       24     25
//!         +-------------+--------+--------+------+---------+
//!         | fingerprint | epoch  | len    | kind | payload |
//!         +-------------+--------+--------+------+---------+
//! ```
//!
//! The sequence number of a frame follows from its place in the chunk. A sparse index has the offset of every 64th frame, so
//! finding a frame reads at most 63 headers before it. The last frame, which the store asks for most often, is found at once.

use std::ops::Deref;

use super::Origin;
use crate::base::position::Seq;
use crate::base::storage_error::FORMAT_VERSION;
use crate::log::{Frame, FrameHeader, FrameKind, GroupPart};

/// The length of the header of a frame in memory.
pub(super) const HEADER_BYTES: usize = 25;
/// The number of frames for which the index has one offset.
const INDEX_INTERVAL: u64 = 64;

/// Consecutive frames.
#[derive(Debug)]
pub(super) struct Chunk {
    /// The sequence number of the first frame.
    first: Seq,
    /// The sequence number after the last frame.
    next: Seq,
    /// The frames, and then space for further ones. A chunk has at most
    /// [`PAYLOAD_BYTES_MAX`](crate::log::frame::PAYLOAD_BYTES_MAX) and a header in bytes, so that offsets fit in a `u32`.
    memory: Vec<u8>,
    /// The length of the frames.
    len: usize,
    /// The offsets of the first frame and of every [`INDEX_INTERVAL`]th frame after it.
    index: Vec<u32>,
    /// The offset of the last frame.
    last: u32,
}

/// The header of a frame in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub fingerprint: u128,
    epoch: u32,
    len: u32,
    kind: FrameKind,
}

/// The memory for the next frame.
pub(crate) struct Space<'c> {
    header: &'c mut [u8; HEADER_BYTES],
    /// All of it must be written.
    pub payload: &'c mut [u8],
}

impl Space<'_> {
    /// Writes the header, and returns the length of the payload.
    #[inline(always)]
    pub(crate) fn write_header(self, header: &FrameHeader) -> usize {
        let bytes = self.payload.len();
        Header::of(header, bytes).encode(self.header);
        bytes
    }
}

/// A copy of the frames, without space for further ones.
impl Clone for Chunk {
    fn clone(&self) -> Self {
        Self {
            memory: self.frames().to_vec(),
            index: self.index.clone(),
            ..*self
        }
    }
}

impl Header {
    #[inline(always)]
    fn of(header: &FrameHeader, payload_bytes: usize) -> Self {
        Self {
            fingerprint: header.fingerprint,
            epoch: header.epoch,
            // The caller has checked the length.
            len: payload_bytes as u32,
            kind: header.kind,
        }
    }

    #[inline(always)]
    fn encode(self, bytes: &mut [u8; HEADER_BYTES]) {
        bytes[0..16].copy_from_slice(&self.fingerprint.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.epoch.to_le_bytes());
        bytes[20..24].copy_from_slice(&self.len.to_le_bytes());
        bytes[24] = self.kind as u8;
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (fingerprint, bytes) = bytes.split_first_chunk()?;
        let (epoch, bytes) = bytes.split_first_chunk()?;
        let (len, bytes) = bytes.split_first_chunk()?;
        Some(Self {
            fingerprint: u128::from_le_bytes(*fingerprint),
            epoch: u32::from_le_bytes(*epoch),
            len: u32::from_le_bytes(*len),
            kind: FrameKind::from_byte(*bytes.first()?)?,
        })
    }

    /// Returns the header of the frame with this sequence number. In memory a frame is durable once it is appended.
    pub(super) fn frame_header(self, seq: Seq) -> FrameHeader {
        FrameHeader {
            version: FORMAT_VERSION,
            seq,
            epoch: self.epoch,
            kind: self.kind,
            group: GroupPart::None,
            durable: seq.checked_sub(1),
            fingerprint: self.fingerprint,
        }
    }

    /// Returns the length of the frame.
    fn frame_bytes(self) -> usize {
        HEADER_BYTES + self.len as usize
    }
}

impl Chunk {
    /// Returns a chunk without frames that uses all of `memory`, whose content does not matter.
    pub(super) fn new(first: Seq, memory: Vec<u8>) -> Self {
        Self {
            first,
            next: first,
            memory,
            len: 0,
            index: Vec::new(),
            last: 0,
        }
    }

    /// Returns the sequence number of the first frame.
    pub(super) fn first(&self) -> Seq {
        self.first
    }

    /// Returns the sequence number after the last frame.
    pub(super) fn next(&self) -> Seq {
        self.next
    }

    /// Returns the length of all frames.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Returns the length that all frames may have together.
    pub(super) fn capacity(&self) -> usize {
        self.memory.len()
    }

    fn frames(&self) -> &[u8] {
        &self.memory[..self.len]
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first == self.next
    }

    /// Returns the memory for the next frame, or `None` if the chunk has no space for a payload of that length.
    #[inline(always)]
    pub(super) fn space(&mut self, payload_bytes: usize) -> Option<Space<'_>> {
        let frame_bytes = HEADER_BYTES + payload_bytes;
        let frame = self.memory.get_mut(self.len..self.len + frame_bytes)?;
        let (header, payload) = frame.split_first_chunk_mut()?;
        Some(Space { header, payload })
    }

    /// Adds the next frame, which was written into its [space](Self::space).
    #[inline(always)]
    pub(super) fn push(&mut self, payload_bytes: usize) {
        self.last = self.len as u32;
        if (self.next.get() - self.first.get()).is_multiple_of(INDEX_INTERVAL) {
            self.index.push(self.last);
        }
        self.len += HEADER_BYTES + payload_bytes;
        self.next += 1;
    }

    /// Releases the memory that the frames do not need. No frame can be added afterwards.
    pub(super) fn shrink(&mut self) {
        self.memory.truncate(self.len);
        self.memory.shrink_to_fit();
        self.index.shrink_to_fit();
    }

    /// Returns the header of a frame, or `None` if the chunk does not have it.
    pub(super) fn header(&self, seq: Seq) -> Option<Header> {
        self.header_at(self.offset(seq)?)
    }

    fn header_at(&self, offset: usize) -> Option<Header> {
        Header::decode(self.frames().get(offset..)?)
    }

    /// Returns the offset of a frame, or `None` if the chunk does not have it.
    fn offset(&self, seq: Seq) -> Option<usize> {
        let at = seq.frames_since(self.first)?;
        if seq >= self.next {
            return None;
        }
        if seq + 1 == self.next {
            return Some(self.last as usize);
        }
        let indexed = usize::try_from(at / INDEX_INTERVAL).ok()?;
        let mut offset = *self.index.get(indexed)? as usize;
        for _ in 0..at % INDEX_INTERVAL {
            offset += self.header_at(offset)?.frame_bytes();
        }
        Some(offset)
    }
}

/// The frames of a chunk from one on.
pub(super) struct ChunkFrames<C> {
    chunk: C,
    origin: Origin,
    seq: Seq,
    /// The offset of the frame `seq`.
    offset: usize,
}

impl<C: Deref<Target = Chunk>> ChunkFrames<C> {
    pub(super) fn new(chunk: C, from: Seq, origin: Origin) -> Self {
        let seq = from.max(chunk.first);
        Self {
            // Without such a frame, the iterator ends at once.
            offset: chunk.offset(seq).unwrap_or(chunk.len),
            chunk,
            origin,
            seq,
        }
    }
}

impl<C: Deref<Target = Chunk>> Iterator for ChunkFrames<C> {
    type Item = Frame;

    fn next(&mut self) -> Option<Frame> {
        let header = self.chunk.header_at(self.offset)?;
        let end = self.offset + header.frame_bytes();
        let payload = self.chunk.frames().get(self.offset + HEADER_BYTES..end)?;
        let frame = Frame {
            header: header.frame_header(self.seq),
            payload: payload.to_vec(),
            position: self.origin.position(self.seq, header.fingerprint),
            location: None,
        };
        self.offset = end;
        self.seq += 1;
        Some(frame)
    }
}

//! The log in memory: for tests, for speculation and for stores that need no disk.

use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::files::random_id;
use super::frame::PAYLOAD_BYTES_MAX;
use super::{
    AppendError, Frame, FrameHeader, FrameKind, Frames, Head, Log, ReadOnlyLog, Segments, Seq,
    StorageError, StorageFailure, Syncer, TornTail,
};
use crate::base::position::Position;

/// Bytes of payloads in one piece, so that growing never copies more than that.
const PIECE_BYTES: usize = 1 << 20;

/// A log in memory. What is appended counts as durable at once.
#[derive(Debug)]
pub struct MemoryLog {
    /// The identity of its store.
    store: u64,
    /// The fingerprint before its first frame, where it goes on after another log.
    before: Option<u128>,
    /// The sequence of the first frame.
    first: Seq,
    frames: Vec<Entry>,
    pieces: Vec<Vec<u8>>,
}

/// A frame: what its place in the log does not say of its header, and where its payload lies. There are many: keep it
/// small.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Low and high half.
    fingerprint: [u64; 2],
    epoch: u32,
    kind: FrameKind,
    piece: u32,
    at: u32,
    len: u32,
}

const _: () = assert!(size_of::<Entry>() <= 40);

impl Entry {
    fn header(&self, seq: Seq) -> FrameHeader {
        let [low, high] = self.fingerprint;
        FrameHeader {
            seq,
            epoch: self.epoch,
            kind: self.kind,
            durable: seq.checked_sub(1),
            fingerprint: u128::from(high) << 64 | u128::from(low),
        }
    }
}

impl MemoryLog {
    /// An empty log.
    #[must_use]
    pub fn new() -> Self {
        Self {
            store: random_id(),
            before: None,
            first: 0,
            frames: Vec::new(),
            pieces: Vec::new(),
        }
    }

    /// An empty log of a store of its own that goes on after a frame of another one, where the graph has a fingerprint.
    pub(crate) fn after(seq: Option<Seq>, fingerprint: u128) -> Self {
        Self {
            before: seq.map(|_| fingerprint),
            first: seq.map_or(0, |seq| seq + 1),
            ..Self::new()
        }
    }

    /// The position of a frame. No log in memory has two histories, since it is never restored: so the checksum need
    /// not be of the payload, and costs who asks for none nothing.
    fn position(&self, seq: Seq, fingerprint: u128) -> Position {
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(&seq.to_le_bytes());
        bytes[8..].copy_from_slice(&fingerprint.to_le_bytes());
        Position {
            store: self.store,
            timeline: 0,
            seq,
            checksum: xxh3_64_with_seed(&bytes, self.store),
        }
    }

    fn next(&self) -> Seq {
        self.first + self.frames.len() as Seq
    }
}

impl Default for MemoryLog {
    fn default() -> Self {
        Self::new()
    }
}

impl Log for MemoryLog {
    fn append_unsynced(&mut self, header: FrameHeader, payload: &[u8]) -> Result<(), AppendError> {
        let expected = self.next();
        if header.seq != expected {
            return Err(AppendError::Conflict {
                expected,
                found: header.seq,
            });
        }
        check_length(payload).map_err(AppendError::Refused)?;
        let room = |piece: &Vec<u8>| piece.capacity() - piece.len() >= payload.len();
        if !self.pieces.last().is_some_and(room) {
            self.pieces
                .push(Vec::with_capacity(PIECE_BYTES.max(payload.len())));
        }
        let piece = self.pieces.len() - 1;
        let bytes = &mut self.pieces[piece];
        self.frames.push(Entry {
            fingerprint: [header.fingerprint as u64, (header.fingerprint >> 64) as u64],
            epoch: header.epoch,
            kind: header.kind,
            piece: piece as u32,
            at: bytes.len() as u32,
            len: payload.len() as u32,
        });
        bytes.extend_from_slice(payload);
        Ok(())
    }

    fn append(&mut self, header: FrameHeader, payload: &[u8]) -> Result<(), AppendError> {
        self.append_unsynced(header, payload)
    }

    fn head(&self) -> Option<Head> {
        let last = self.frames.last()?;
        Some(Head::of(&last.header(self.next() - 1)))
    }

    fn durable(&self) -> Option<Seq> {
        self.next().checked_sub(1)
    }

    fn sync(&mut self) -> Result<(), StorageError> {
        Ok(())
    }

    fn read(&self, from: Seq) -> Result<Frames<'_>, StorageError> {
        let first = self.first;
        let from = usize::try_from(from.saturating_sub(self.first))
            .unwrap_or(usize::MAX)
            .min(self.frames.len());
        let frame = move |(i, entry): (usize, &Entry)| {
            let start = entry.at as usize;
            let bytes = &self.pieces[entry.piece as usize][start..start + entry.len as usize];
            let header = entry.header(first + (from + i) as Seq);
            Ok(Frame {
                position: self.position(header.seq, header.fingerprint),
                header,
                payload: bytes.to_vec(),
            })
        };
        Ok(Frames::new(
            self.frames[from..].iter().enumerate().map(frame),
        ))
    }

    fn store(&self) -> u64 {
        self.store
    }

    fn position_of(&self, seq: Seq) -> Result<Option<Position>, StorageError> {
        let Some(at) = seq.checked_sub(self.first) else {
            let last = self.first.checked_sub(1) == Some(seq);
            let before = self.before.filter(|_| last);
            return Ok(before.map(|fingerprint| self.position(seq, fingerprint)));
        };
        let frame = usize::try_from(at).ok().and_then(|at| self.frames.get(at));
        Ok(frame.map(|frame| self.position(seq, frame.header(seq).fingerprint)))
    }

    fn recovered(&self) -> Option<&TornTail> {
        None
    }

    fn syncer(&self) -> Option<Arc<dyn Syncer>> {
        None
    }

    fn flusher(&self) -> Option<Arc<dyn Syncer>> {
        None
    }

    fn follower(&self) -> Option<ReadOnlyLog> {
        None
    }

    fn segments(&self) -> Option<Segments<'_>> {
        None
    }
}

/// Every log has the same limit, so that a program does not find it out on the day it gets a disk.
pub(super) fn check_length(payload: &[u8]) -> Result<(), StorageError> {
    if payload.len() <= PAYLOAD_BYTES_MAX {
        return Ok(());
    }
    Err(StorageError::new(
        StorageFailure::TooLarge,
        format!(
            "a frame of {} bytes is longer than a log takes ({PAYLOAD_BYTES_MAX}); commit smaller transactions",
            payload.len()
        ),
    ))
}

//! A log in memory, for tests, for speculation and for stores without a disk.
//!
//! Frames lie in chunks. A log that no thread reads from another thread takes no lock. The first [`LogReader`] moves the
//! chunks behind a lock, which an append holds to write its frame, and a reader to copy the list of chunks and a bounded
//! part of the last one. A chunk that takes no more frames is shared and read without the lock.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::files::random_id;
use super::frame::PAYLOAD_BYTES_MAX;
use super::{
    AppendError, Flush, Frame, FrameHeader, FrameKind, Frames, Head, Log, LogReader, ReadLog,
    Segments, Seq, StorageError, StorageFailure, TornTail,
};
use crate::base::position::Position;

/// The number of payload bytes in one chunk, which bounds the bytes that are copied when a chunk grows.
const CHUNK_BYTES: usize = 1 << 20;
/// The number of frames in one chunk.
const CHUNK_FRAMES: usize = 1 << 14;
/// The number of payload bytes that a new reader copies from the open chunk. A longer open chunk is ended and shared instead.
const COPY_BYTES: usize = 1 << 14;
/// The number of frames that a new reader copies from the open chunk.
const COPY_FRAMES: usize = 1 << 9;

/// A log in memory. A frame counts as durable once it is appended.
#[derive(Debug)]
pub(crate) struct MemoryLog {
    origin: Origin,
    /// The frames, until the first reader is created.
    own: Chunks,
    /// The frames, from the first reader on.
    shared: OnceLock<Arc<Mutex<Chunks>>>,
}

/// All frames of a log.
#[derive(Clone, Debug)]
struct Chunks {
    /// The chunks to which no frames are added.
    full: Arc<Vec<Arc<Chunk>>>,
    /// The chunk to which frames are appended.
    open: Chunk,
}

/// The beginning of a log, from which the positions of its frames are computed.
#[derive(Clone, Copy, Debug)]
struct Origin {
    /// The id of the store.
    store: u64,
    /// The fingerprint before the first frame, if the log begins at a snapshot of another store.
    before: Option<u128>,
    /// The sequence number of the first frame.
    first: Seq,
}

/// Consecutive frames.
#[derive(Clone, Debug)]
struct Chunk {
    /// The sequence number of the first one.
    first: Seq,
    frames: Vec<Entry>,
    bytes: Vec<u8>,
}

/// A frame: the part of its header that does not follow from its sequence number, and the range of its payload. Its size
/// matters, since there is one for each frame.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// The low and the high half.
    fingerprint: [u64; 2],
    epoch: u32,
    kind: FrameKind,
    start: u32,
    len: u32,
}

const _: () = assert!(size_of::<Entry>() <= 32);

impl Chunk {
    fn new(first: Seq, bytes: usize) -> Self {
        Self {
            first,
            frames: Vec::new(),
            bytes: Vec::with_capacity(bytes),
        }
    }

    /// Returns the sequence number after the last frame.
    fn next(&self) -> Seq {
        self.first + self.frames.len() as u64
    }

    fn entry(&self, seq: Seq) -> Option<&Entry> {
        let at = seq.frames_since(self.first)?;
        self.frames.get(usize::try_from(at).ok()?)
    }

    fn frame(&self, seq: Seq, origin: &Origin) -> Option<Frame> {
        let entry = self.entry(seq)?;
        let header = entry.header(seq);
        let start = entry.start as usize;
        Some(Frame {
            position: origin.position(seq, header.fingerprint),
            header,
            payload: self.bytes.get(start..start + entry.len as usize)?.to_vec(),
        })
    }
}

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

impl Origin {
    /// Returns the position of a frame. A log in memory cannot be restored and so has one history. Therefore the checksum
    /// need not cover the payload, and is computed on demand.
    fn position(&self, seq: Seq, fingerprint: u128) -> Position {
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(&seq.get().to_le_bytes());
        bytes[8..].copy_from_slice(&fingerprint.to_le_bytes());
        Position {
            store: self.store,
            timeline: 0,
            seq,
            checksum: xxh3_64_with_seed(&bytes, self.store),
        }
    }

    fn position_of(&self, seq: Seq, entry: Option<&Entry>) -> Option<Position> {
        if seq < self.first {
            let last = self.first.checked_sub(1) == Some(seq);
            let before = self.before.filter(|_| last);
            return before.map(|fingerprint| self.position(seq, fingerprint));
        }
        entry.map(|entry| self.position(seq, entry.header(seq).fingerprint))
    }
}

/// Returns the entry of a frame in the chunks of a log.
fn entry_in<'c>(full: &'c [Arc<Chunk>], open: &'c Chunk, seq: Seq) -> Option<&'c Entry> {
    open.entry(seq).or_else(|| chunk_of(full, seq)?.entry(seq))
}

/// Returns the chunk of `full` whose range includes a frame.
fn chunk_of(full: &[Arc<Chunk>], seq: Seq) -> Option<&Arc<Chunk>> {
    let after = full.partition_point(|chunk| chunk.first <= seq);
    full.get(after.checked_sub(1)?)
}

impl Chunks {
    fn entry(&self, seq: Seq) -> Option<&Entry> {
        entry_in(&self.full, &self.open, seq)
    }

    /// Ends the open chunk and begins one with space for a payload.
    #[cold]
    fn begin_chunk(&mut self, bytes: usize) {
        let chunk = Chunk::new(self.open.next(), CHUNK_BYTES.max(bytes));
        let mut full = std::mem::replace(&mut self.open, chunk);
        if !full.frames.is_empty() {
            full.frames.shrink_to_fit();
            full.bytes.shrink_to_fit();
            // A list that a reader has is copied: one pointer for each chunk.
            Arc::make_mut(&mut self.full).push(Arc::new(full));
        }
    }

    #[inline]
    fn append(&mut self, header: FrameHeader, payload: &[u8]) -> Result<(), AppendError> {
        let expected = self.open.next();
        if header.seq != expected {
            return Err(AppendError::Conflict {
                expected,
                found: header.seq,
            });
        }
        check_length(payload).map_err(AppendError::Refused)?;
        let open = &self.open;
        if open.bytes.capacity() - open.bytes.len() < payload.len()
            || open.frames.len() >= CHUNK_FRAMES
        {
            self.begin_chunk(payload.len());
        }
        let open = &mut self.open;
        open.frames.push(Entry {
            fingerprint: [header.fingerprint as u64, (header.fingerprint >> 64) as u64],
            epoch: header.epoch,
            kind: header.kind,
            start: open.bytes.len() as u32,
            len: payload.len() as u32,
        });
        open.bytes.extend_from_slice(payload);
        Ok(())
    }
}

// No user code runs under this lock. If memory runs out under it, the process ends.
fn lock(chunks: &Mutex<Chunks>) -> MutexGuard<'_, Chunks> {
    chunks.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MemoryLog {
    /// Returns an empty log.
    pub(crate) fn new() -> Self {
        Self::starting_at(Seq::ZERO, None)
    }

    /// Returns an empty log of a new store that continues after a frame of another log. `fingerprint` is that of the graph
    /// after that frame.
    pub(crate) fn after(seq: Option<Seq>, fingerprint: u128) -> Self {
        Self::starting_at(
            seq.map_or(Seq::ZERO, |seq| seq + 1),
            seq.map(|_| fingerprint),
        )
    }

    fn starting_at(first: Seq, before: Option<u128>) -> Self {
        Self {
            origin: Origin {
                store: random_id(),
                before,
                first,
            },
            own: Chunks {
                full: Arc::default(),
                open: Chunk::new(first, 0),
            },
            shared: OnceLock::new(),
        }
    }

    /// Calls `look` with the frames.
    fn see<R>(&self, look: impl FnOnce(&Chunks) -> R) -> R {
        match self.shared.get() {
            Some(shared) => look(&lock(shared)),
            None => look(&self.own),
        }
    }

    /// Returns a reader of the current frames for other threads.
    fn memory_reader(&self) -> MemoryReader {
        let shared = (self.shared).get_or_init(|| Arc::new(Mutex::new(self.own.clone())));
        MemoryReader::of(self.origin, shared)
    }

    #[inline(never)]
    fn append_shared(&mut self, header: FrameHeader, payload: &[u8]) -> Result<(), AppendError> {
        // The frames are in `shared` now.
        self.own.open.bytes = Vec::new();
        self.own.open.frames = Vec::new();
        match self.shared.get() {
            Some(shared) => lock(shared).append(header, payload),
            None => self.own.append(header, payload),
        }
    }
}

impl ReadLog for MemoryLog {
    fn head(&self) -> Option<Head> {
        self.see(|chunks| {
            let last = chunks.open.next().checked_sub(1)?;
            Some(Head::of(&chunks.entry(last)?.header(last)))
        })
    }

    fn durable(&self) -> Option<Seq> {
        self.see(|chunks| chunks.open.next().checked_sub(1))
    }

    fn read(&self, from: Seq) -> Result<Frames<'_>, StorageError> {
        if self.shared.get().is_some() {
            return Ok(self.memory_reader().frames(from));
        }
        let Chunks { full, open } = &self.own;
        let from = from.max(self.origin.first);
        let begin = full.partition_point(|chunk| chunk.next() <= from);
        let chunks = (full.iter().skip(begin).map(|chunk| &**chunk)).chain([open]);
        let frames = chunks.flat_map(move |chunk| {
            let seqs = chunk.first.max(from).until(chunk.next());
            seqs.filter_map(|seq| chunk.frame(seq, &self.origin))
        });
        Ok(Frames::new(frames.map(Ok)))
    }

    fn store(&self) -> u64 {
        self.origin.store
    }

    fn position_of(&self, seq: Seq) -> Result<Option<Position>, StorageError> {
        Ok(self.see(|chunks| self.origin.position_of(seq, chunks.entry(seq))))
    }

    fn segments(&self) -> Option<Segments<'_>> {
        None
    }
}

impl Log for MemoryLog {
    fn append(&mut self, header: FrameHeader, payload: &[u8]) -> Result<(), AppendError> {
        if self.shared.get_mut().is_some() {
            return self.append_shared(header, payload);
        }
        self.own.append(header, payload)
    }

    fn sync(&mut self) -> Result<(), StorageError> {
        Ok(())
    }

    fn recovered(&self) -> Option<&TornTail> {
        None
    }

    fn flusher(&self) -> Option<Arc<dyn Flush>> {
        None
    }

    fn reader(&self, _: Option<LogReader>) -> LogReader {
        LogReader::Memory(self.memory_reader())
    }

    fn close(self: Box<Self>) -> Result<(), StorageError> {
        Ok(())
    }
}

/// The frames that a log in memory had when the reader was last refreshed, on any thread.
#[derive(Clone, Debug)]
pub(crate) struct MemoryReader {
    origin: Origin,
    shared: Arc<Mutex<Chunks>>,
    full: Arc<Vec<Arc<Chunk>>>,
    /// A copy of the open chunk.
    open: Arc<Chunk>,
}

impl MemoryReader {
    fn of(origin: Origin, shared: &Arc<Mutex<Chunks>>) -> Self {
        let (full, open) = {
            let mut chunks = lock(shared);
            if chunks.open.bytes.len() > COPY_BYTES || chunks.open.frames.len() > COPY_FRAMES {
                chunks.begin_chunk(0);
            }
            (Arc::clone(&chunks.full), chunks.open.clone())
        };
        Self {
            origin,
            shared: Arc::clone(shared),
            full,
            open: Arc::new(open),
        }
    }

    /// Adds the frames that were appended since. Blocks the writer for O(1).
    pub(super) fn refresh(&mut self) {
        *self = Self::of(self.origin, &self.shared);
    }

    fn entry(&self, seq: Seq) -> Option<&Entry> {
        entry_in(&self.full, &self.open, seq)
    }

    /// As [`ReadLog::read`], but the iterator does not borrow the reader.
    pub(super) fn frames(&self, from: Seq) -> Frames<'static> {
        let (reader, mut seq) = (self.clone(), from.max(self.origin.first));
        Frames::new(std::iter::from_fn(move || {
            let full = || chunk_of(&reader.full, seq)?.frame(seq, &reader.origin);
            let frame = reader.open.frame(seq, &reader.origin).or_else(full)?;
            seq += 1;
            Some(Ok(frame))
        }))
    }
}

impl ReadLog for MemoryReader {
    fn head(&self) -> Option<Head> {
        let last = self.open.next().checked_sub(1)?;
        Some(Head::of(&self.entry(last)?.header(last)))
    }

    fn durable(&self) -> Option<Seq> {
        self.open.next().checked_sub(1)
    }

    fn read(&self, from: Seq) -> Result<Frames<'_>, StorageError> {
        Ok(self.frames(from))
    }

    fn store(&self) -> u64 {
        self.origin.store
    }

    fn position_of(&self, seq: Seq) -> Result<Option<Position>, StorageError> {
        Ok(self.origin.position_of(seq, self.entry(seq)))
    }

    fn segments(&self) -> Option<Segments<'_>> {
        None
    }
}

/// Checks the length of a payload. All logs have the same limit, so that a program that works with a log in memory also works
/// with one on disk.
pub(super) fn check_length(payload: &[u8]) -> Result<(), StorageError> {
    if payload.len() <= PAYLOAD_BYTES_MAX {
        return Ok(());
    }
    Err(StorageError::new(
        StorageFailure::TooLarge,
        format!(
            "a frame of {} bytes exceeds the limit of {PAYLOAD_BYTES_MAX} bytes; commit smaller transactions",
            payload.len()
        ),
    ))
}

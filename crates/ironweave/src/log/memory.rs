//! A log in memory, for tests, for speculation and for stores without a disk.
//!
//! Frames are contiguous in chunks ([`chunk`]); [`ahead`] prepares the memory of the next one. A log that no thread reads from
//! another thread takes no lock. The first [`LogReader`] moves the chunks behind a lock, which an append holds to write its
//! frame, and a reader to copy the list of chunks and a bounded part of the last one. A chunk that takes no more frames is shared
//! and read without the lock.

mod ahead;
mod chunk;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::files::random_id;
use super::frame::PAYLOAD_BYTES_MAX;
use super::{
    AppendError, Flush, Frame, FrameHeader, Frames, Head, Log, LogReader, ReadLog, Segments, Seq,
    StorageError, StorageFailure, TornTail,
};
use crate::base::position::Position;
use ahead::Ahead;
use chunk::{Chunk, ChunkFrames, HEADER_BYTES, Header, Space};

/// The number of bytes in one chunk, unless a frame is longer.
const CHUNK_BYTES: usize = 1 << 20;
/// The number of bytes that a new reader copies from the open chunk. A longer open chunk is ended and shared instead.
const COPY_BYTES: usize = 1 << 14;

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
    /// The length of the open chunk up to which an append only copies its frame. At half of the capacity, the memory of the next
    /// chunk is prepared; at the whole, the next chunk begins.
    limit: usize,
    /// The memory of the next chunk.
    ahead: Ahead,
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

    /// Returns the position of a frame whose header is `header`, or of the last frame before the log.
    fn position_of(&self, seq: Seq, header: Option<Header>) -> Option<Position> {
        if seq < self.first {
            let last = self.first.checked_sub(1) == Some(seq);
            let before = self.before.filter(|_| last);
            return before.map(|fingerprint| self.position(seq, fingerprint));
        }
        header.map(|header| self.position(seq, header.fingerprint))
    }
}

/// Returns the header of a frame in the chunks of a log.
fn header_in(full: &[Arc<Chunk>], open: &Chunk, seq: Seq) -> Option<Header> {
    if seq >= open.first() {
        return open.header(seq);
    }
    let after = full.partition_point(|chunk| chunk.first() <= seq);
    full.get(after.checked_sub(1)?)?.header(seq)
}

/// Returns a frame in the chunks of a log.
fn frame_in(full: &[Arc<Chunk>], open: &Chunk, origin: Origin, seq: Seq) -> Option<Frame> {
    let chunk = match full.get(first_with(full, seq)) {
        Some(chunk) => chunk,
        None => open,
    };
    let frame = ChunkFrames::new(chunk, seq, origin).next();
    frame.filter(|frame| frame.header.seq == seq)
}

/// Returns the last frame, if there is one.
fn head_of(full: &[Arc<Chunk>], open: &Chunk) -> Option<Head> {
    let last = open.next().checked_sub(1)?;
    let header = header_in(full, open, last)?;
    Some(Head::of(&header.frame_header(last)))
}

/// Returns the index of the first of the chunks that has frames from `from` on.
fn first_with(full: &[Arc<Chunk>], from: Seq) -> usize {
    full.partition_point(|chunk| chunk.next() <= from)
}

impl Chunks {
    fn new(first: Seq) -> Self {
        Self {
            full: Arc::default(),
            open: Chunk::new(first, Vec::new()),
            limit: 0,
            ahead: Ahead::default(),
        }
    }

    fn header(&self, seq: Seq) -> Option<Header> {
        header_in(&self.full, &self.open, seq)
    }

    /// Ends the open chunk and begins one with space for a frame.
    #[cold]
    fn begin_chunk(&mut self, frame_bytes: usize) {
        let capacity = CHUNK_BYTES.max(frame_bytes);
        let memory = (capacity == CHUNK_BYTES).then(|| self.ahead.take());
        let memory = memory.flatten();
        // The operating system gives zeros without writing them.
        let memory = memory.unwrap_or_else(|| vec![0; capacity]);
        self.limit = memory.len() / 2;
        let chunk = Chunk::new(self.open.next(), memory);
        let mut full = std::mem::replace(&mut self.open, chunk);
        if !full.is_empty() {
            full.shrink();
            // A list that a reader has is copied: one pointer for each chunk.
            Arc::make_mut(&mut self.full).push(Arc::new(full));
        }
    }

    /// Makes the open chunk have space for a frame with which its length exceeds the limit.
    #[cold]
    fn make_space(&mut self, frame_bytes: usize) {
        let capacity = self.open.capacity();
        if self.open.len() + frame_bytes > capacity {
            self.begin_chunk(frame_bytes);
        }
        if self.open.len() + frame_bytes > self.limit {
            self.limit = self.open.capacity();
            self.ahead.prepare(CHUNK_BYTES);
        }
    }

    fn append(&mut self, header: FrameHeader, payload: &[u8]) -> Result<(), AppendError> {
        let expected = self.open.next();
        if header.seq != expected {
            return Err(AppendError::Conflict {
                expected,
                found: header.seq,
            });
        }
        check_length(payload).map_err(AppendError::Refused)?;
        if let Some(space) = self.space(payload.len()) {
            space.payload.copy_from_slice(payload);
            let bytes = space.write_header(&header);
            self.open.push(bytes);
        }
        Ok(())
    }

    /// Returns the memory for the next frame. There is always space.
    #[inline(always)]
    fn space(&mut self, payload_bytes: usize) -> Option<Space<'_>> {
        let frame_bytes = HEADER_BYTES + payload_bytes;
        if self.open.len() + frame_bytes > self.limit {
            self.make_space(frame_bytes);
        }
        self.open.space(payload_bytes)
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
            own: Chunks::new(first),
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
        let shared = self.shared.get_or_init(|| {
            let mut chunks = self.own.clone();
            // A clone has no space for further frames.
            chunks.begin_chunk(0);
            Arc::new(Mutex::new(chunks))
        });
        MemoryReader::of(self.origin, shared)
    }

    /// Returns the memory for the frame `seq`, which [`MemoryLog::push`] then appends. Returns `None` if only
    /// [`append`](Log::append) can append that frame, or can say why not.
    #[inline(always)]
    pub(crate) fn space(&mut self, seq: Seq, payload_bytes: usize) -> Option<Space<'_>> {
        let is_next = self.shared.get_mut().is_none() && seq == self.own.open.next();
        if !is_next || payload_bytes > PAYLOAD_BYTES_MAX {
            return None;
        }
        self.own.space(payload_bytes)
    }

    /// Returns the position of a frame that was appended.
    pub(crate) fn position_of_header(&self, header: &FrameHeader) -> Position {
        self.origin.position(header.seq, header.fingerprint)
    }

    /// Appends the frame that was written into the memory that [`MemoryLog::space`] has just returned.
    #[inline(always)]
    pub(crate) fn push(&mut self, payload_bytes: usize) {
        self.own.open.push(payload_bytes);
    }

    #[inline(never)]
    fn append_shared(&mut self, header: FrameHeader, payload: &[u8]) -> Result<(), AppendError> {
        match self.shared.get() {
            Some(shared) => {
                if !self.own.open.is_empty() {
                    // The frames are in `shared` now.
                    self.own = Chunks::new(self.origin.first);
                }
                lock(shared).append(header, payload)
            }
            None => self.own.append(header, payload),
        }
    }
}

impl ReadLog for MemoryLog {
    fn head(&self) -> Option<Head> {
        self.see(|chunks| head_of(&chunks.full, &chunks.open))
    }

    fn durable(&self) -> Option<Seq> {
        self.see(|chunks| chunks.open.next().checked_sub(1))
    }

    fn read(&self, from: Seq) -> Result<Frames<'_>, StorageError> {
        if self.shared.get().is_some() {
            return Ok(self.memory_reader().frames(from));
        }
        let Chunks { full, open, .. } = &self.own;
        let (origin, begin) = (self.origin, first_with(full, from));
        let chunks = (full.iter().skip(begin).map(|chunk| &**chunk)).chain([open]);
        let frames = chunks.flat_map(move |chunk| ChunkFrames::new(chunk, from, origin));
        Ok(Frames::new(frames.map(Ok)))
    }

    fn frame(&self, seq: Seq) -> Result<Option<Frame>, StorageError> {
        Ok(self.see(|chunks| frame_in(&chunks.full, &chunks.open, self.origin, seq)))
    }

    fn store(&self) -> u64 {
        self.origin.store
    }

    fn position_of(&self, seq: Seq) -> Result<Option<Position>, StorageError> {
        Ok(self.see(|chunks| self.origin.position_of(seq, chunks.header(seq))))
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
            if chunks.open.len() > COPY_BYTES {
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

    /// As [`ReadLog::read`], but the iterator does not borrow the reader.
    pub(super) fn frames(&self, from: Seq) -> Frames<'static> {
        let (full, open, origin) = (Arc::clone(&self.full), Arc::clone(&self.open), self.origin);
        let chunks = (first_with(&full, from)..=full.len())
            .map(move |i| Arc::clone(full.get(i).unwrap_or(&open)));
        let frames = chunks.flat_map(move |chunk| ChunkFrames::new(chunk, from, origin));
        Frames::new(frames.map(Ok))
    }
}

impl ReadLog for MemoryReader {
    fn head(&self) -> Option<Head> {
        head_of(&self.full, &self.open)
    }

    fn durable(&self) -> Option<Seq> {
        self.open.next().checked_sub(1)
    }

    fn read(&self, from: Seq) -> Result<Frames<'_>, StorageError> {
        Ok(self.frames(from))
    }

    fn frame(&self, seq: Seq) -> Result<Option<Frame>, StorageError> {
        Ok(frame_in(&self.full, &self.open, self.origin, seq))
    }

    fn store(&self) -> u64 {
        self.origin.store
    }

    fn position_of(&self, seq: Seq) -> Result<Option<Position>, StorageError> {
        let header = header_in(&self.full, &self.open, seq);
        Ok(self.origin.position_of(seq, header))
    }

    fn segments(&self) -> Option<Segments<'_>> {
        None
    }
}

/// Checks the length of a payload. All logs have the same limit, so that a program that works with a log in memory also works
/// with one on disk.
#[inline]
pub(super) fn check_length(payload: &[u8]) -> Result<(), StorageError> {
    if payload.len() <= PAYLOAD_BYTES_MAX {
        return Ok(());
    }
    Err(too_long(payload.len()))
}

#[cold]
fn too_long(bytes: usize) -> StorageError {
    StorageError::new(
        StorageFailure::TooLarge,
        format!(
            "a frame of {bytes} bytes exceeds the limit of {PAYLOAD_BYTES_MAX} bytes; commit smaller transactions"
        ),
    )
}

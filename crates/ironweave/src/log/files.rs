//! The writer of a log in a directory of segment files.
//!
//! An append first reserves space (a spare tail of zeros, or a new segment) and then writes the frame into it. If the disk is
//! full, the append fails before any byte of its frame is written. The log stays valid, and continues when there is space
//! again.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use super::batch::{BatchError, FrameBatch};
use super::chain::{Chain, ChainEnd, SEARCH_BYTES_MAX, TailCheck, is_absent, segment_path};
use super::checkpoint_files::CheckpointFiles;
use super::disk::{Disk, DiskFile, parent};
use super::frame::{self, BLOCK_BYTES, Block, SEGMENT_MAGIC};
use super::head::{Lock, read_head, write_head};
use super::memory::check_length;
use super::recover::recover;
use super::segment_table::SegmentTable;
use super::segments::Segments;
use super::sync::{Extent, SyncState};
use super::{
    AppendError, Flush, FrameHeader, Frames, Head, Log, LogReader, ReadLog, ReadOnlyLog, Seq,
    StorageError, TornTail,
};
use crate::base::position::Position;
use crate::base::storage_error::FORMAT_VERSION;

/// The length of the first extension of a segment. Each later one is twice as long.
const SPARE_BYTES_MIN: u64 = 256 << 10;
/// The length of one write of zeros.
const ZEROS_BYTES: usize = 1 << 20;
/// A buffer longer than this is freed after its write.
const BUFFER_BYTES_MAX: usize = 4 << 20;

/// Options for opening a [`FileLog`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogOptions {
    /// The length at which a segment ends, in bytes. A longer frame gets a segment of its own. Default: 64 MiB.
    pub segment_bytes_max: u64,
    /// Whether a torn tail is an error, instead of being moved to a file. Default: no.
    pub strict: bool,
    /// The length of the zeros that are written ahead in a segment, in bytes, so that most syncs need not record a new
    /// length. Default: 4 MiB. With 0 the log reserves no space, and a full disk stops it.
    pub spare_bytes_max: u64,
    /// Whether to begin a new timeline in an existing log. Default: no.
    pub new_timeline: bool,
    /// The number of bytes that an open reads, in addition to four times the length of the tail, when it searches after a
    /// torn frame for valid frames that prove the torn one durable. Each sequence of bytes that looks like the header of a
    /// long frame costs up to 2^30 bytes, and a hostile value may contain many of them. If the limit does not suffice, the
    /// open fails with an error of damage. Default: 1 GiB.
    pub search_bytes_max: u64,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self {
            segment_bytes_max: 64 << 20,
            strict: false,
            spare_bytes_max: 4 << 20,
            new_timeline: false,
            search_bytes_max: SEARCH_BYTES_MAX,
        }
    }
}

/// A log in a directory, open for writing. A directory has one writer at a time.
///
/// Dropping it closes it. [`close`](FileLog::close) does the same and returns errors.
pub(crate) struct FileLog {
    disk: Disk,
    pub(super) options: LogOptions,
    pub(super) chain: Chain,
    file: Arc<DiskFile>,
    /// The length of the file, which has zeros after the end of the chain.
    file_bytes: u64,
    /// The length of the next extension.
    spare_bytes: u64,
    /// The encoding of the frames of one write. Reused.
    pub(super) buffer: Vec<u8>,
    pub(super) sync_state: Arc<SyncState>,
    /// The frame that `HEAD` records.
    known: Option<Seq>,
    recovered: Option<TornTail>,
    closed: bool,
    /// The process that opened it.
    pub(super) process: u32,
    // The last field, so that the lock is released after everything else.
    pub(super) _lock: Lock,
}

impl FileLog {
    /// Opens the log in a directory, or creates it if the directory does not exist or has no log.
    ///
    /// All durable frames must be present and valid. An invalid tail that was never acknowledged as durable is moved to a file
    /// beside the segment, and [`Log::recovered`] returns it.
    ///
    /// # Errors
    /// `is_locked`, `is_damage`, `is_version`, `is_torn` (only with [`LogOptions::strict`]), `is_io`.
    pub(crate) fn open(dir: impl AsRef<Path>, options: LogOptions) -> Result<Self, StorageError> {
        Self::open_with(Disk::default(), dir.as_ref(), options, None)
    }

    #[cfg(test)]
    pub(crate) fn open_on(
        disk: Disk,
        dir: &Path,
        options: LogOptions,
    ) -> Result<Self, StorageError> {
        Self::open_with(disk, dir, options, None)
    }

    /// As [`open`](Self::open). `archives` is the directory that archived segments were moved to, if it is not the one that
    /// the log records.
    pub(crate) fn open_with(
        disk: Disk,
        dir: &Path,
        options: LogOptions,
        archives: Option<&Path>,
    ) -> Result<Self, StorageError> {
        if is_absent(dir)? {
            disk.create_dir(dir)?;
        }
        let lock = Lock::acquire(dir)?;
        let head = read_head(dir)?;
        let known = head.map(|head| head.seq);
        let check = TailCheck {
            after_clean_end: true,
            search_bytes_max: options.search_bytes_max,
        };
        let checkpoints = CheckpointFiles::new(dir, disk.clone());
        let places = (dir, archives);
        let begun = Chain::from_checkpoint(places, &checkpoints, head.as_ref(), check);
        let (mut chain, end) = match begun {
            Some(read) => read,
            None => Chain::read(places, head.as_ref(), check)?,
        };
        let new_segment = match end {
            ChainEnd::Empty => Some(Seq::ZERO),
            ChainEnd::Header { first, .. } => Some(first),
            ChainEnd::Clean | ChainEnd::Torn { .. } => None,
        };
        let recovered = recover(&disk, &mut chain, known, end, options.strict)?;
        let file = match new_segment {
            None => disk.open(&segment_path(dir, chain.segment().unwrap_or_default()))?,
            Some(first) => {
                if options.new_timeline && first > Seq::ZERO {
                    chain.timeline = random_id();
                }
                if first == 0 {
                    chain.store = random_id();
                    // An earlier creation may have been killed after it created the directory and before this sync.
                    disk.sync_dir(parent(dir))?;
                }
                let file =
                    prepare_segment(&disk, &chain, options.spare_bytes_max.min(SPARE_BYTES_MIN))?;
                let file = disk.publish(file, &segment_path(dir, first))?;
                chain.version = FORMAT_VERSION;
                chain.enter(first);
                file
            }
        };
        let file_bytes = file.len()?;
        let sync_state = SyncState::new(file, chain.durable);
        let begins_segment = new_segment.is_some();
        let mut log = Self {
            disk,
            options,
            chain,
            file: sync_state.file(),
            file_bytes,
            spare_bytes: SPARE_BYTES_MIN,
            buffer: Vec::new(),
            sync_state,
            known,
            recovered,
            closed: false,
            process: std::process::id(),
            _lock: lock,
        };
        if options.new_timeline && !begins_segment {
            log.chain.timeline = random_id();
            log.roll()?;
        }
        Ok(log)
    }

    /// Truncates the spare tail, syncs, writes `HEAD` and releases the lock.
    ///
    /// # Errors
    /// As [`Log::close`].
    pub(crate) fn close(mut self) -> Result<(), StorageError> {
        self.shut()
    }

    fn shut(&mut self) -> Result<(), StorageError> {
        if std::mem::replace(&mut self.closed, true) {
            return Ok(());
        }
        self.check_process()?;
        self.sync_state.check()?;
        self.trim()?;
        self.write_head()
    }

    /// Returns an error in a fork of the process that opened the log, since both would write at the same offset of the same
    /// file.
    fn check_process(&self) -> Result<(), StorageError> {
        if self.process == std::process::id() {
            return Ok(());
        }
        Err(StorageError::forked(&self.chain.dir, self.process))
    }

    /// Truncates the spare tail and makes all frames durable.
    fn trim(&mut self) -> Result<(), StorageError> {
        if self.file_bytes > self.chain.end {
            self.file
                .set_len(self.chain.end)
                .map_err(|error| self.sync_state.stop(error))?;
            self.file_bytes = self.chain.end;
        }
        self.sync_state.sync(Extent::All)
    }

    fn write_head(&mut self) -> Result<(), StorageError> {
        let Some(head) = self.chain.head.filter(|head| self.known != Some(head.seq)) else {
            return Ok(());
        };
        let block = Block {
            // A log to which nothing was appended stays readable for the program that wrote it.
            version: self.chain.version,
            epoch: head.epoch,
            seq: head.seq,
            fingerprint: head.fingerprint,
            store: self.chain.store,
            timeline: self.chain.timeline_of(head.seq),
        };
        write_head(&self.disk, &self.chain.dir, &block)?;
        self.known = Some(head.seq);
        Ok(())
    }

    /// Reserves `bytes` bytes for frames at the end of the chain, in a new segment if they do not fit into the last one.
    pub(super) fn reserve(&mut self, bytes: u64) -> Result<(), StorageError> {
        if self.begins_segment(bytes) {
            self.roll()?;
        }
        let needed = self.chain.end + bytes;
        if needed <= self.file_bytes || self.options.spare_bytes_max == 0 {
            return Ok(());
        }
        let spare_bytes = self.spare_bytes.min(self.options.spare_bytes_max);
        let wanted = (self.file_bytes + spare_bytes)
            .min(self.options.segment_bytes_max)
            .max(needed);
        // A nearly full disk may still have space for this frame alone.
        match self.extend(wanted) {
            Err(error) if error.is_full() && wanted > needed => self.extend(needed)?,
            other => other?,
        }
        self.spare_bytes = (self.spare_bytes * 2).min(self.options.spare_bytes_max);
        Ok(())
    }

    /// Returns an error if the log accepts no frame, or if its next frame is another one.
    pub(super) fn check_append(&self, seq: Seq) -> Result<(), AppendError> {
        self.check_process().map_err(AppendError::Refused)?;
        self.sync_state.check().map_err(AppendError::Refused)?;
        let expected = self.chain.next();
        if seq == expected {
            return Ok(());
        }
        Err(AppendError::Conflict {
            expected,
            found: seq,
        })
    }

    /// Writes the encoded frames in the buffer to the end of the chain, where space is reserved for them.
    pub(super) fn write_buffer(&mut self) -> Result<(), AppendError> {
        let written = self.file.write_at(self.chain.end, &self.buffer);
        written.map_err(|error| AppendError::Indeterminate(self.sync_state.stop(error)))
    }

    /// Records that all frames up to `last` are written and are in the chain.
    pub(super) fn end_append(&mut self, last: Seq) {
        if self.buffer.capacity() > BUFFER_BYTES_MAX {
            self.buffer = Vec::new();
        }
        self.file_bytes = self.file_bytes.max(self.chain.end);
        self.sync_state.record_write(last);
    }

    /// Returns whether a frame of `bytes` bytes begins a segment.
    pub(super) fn begins_segment(&self, bytes: u64) -> bool {
        let empty = self.chain.end == BLOCK_BYTES as u64;
        let is_full = !empty && self.chain.end + bytes > self.options.segment_bytes_max;
        // A segment has frames of one version.
        is_full || self.chain.version != FORMAT_VERSION
    }

    /// Writes zeros up to `len`. If the disk is full, the file keeps its length.
    fn extend(&mut self, len: u64) -> Result<(), StorageError> {
        if let Err(error) = write_zeros(&self.file, self.file_bytes, len) {
            if !error.is_full() {
                return Err(self.sync_state.stop(error));
            }
            self.file
                .set_len(self.file_bytes)
                .map_err(|error| self.sync_state.stop(error))?;
            return Err(error);
        }
        self.file_bytes = len;
        Ok(())
    }

    /// Ends the segment and begins the next. Recovery relies on the order: the old segment is complete and durable before
    /// `HEAD` is written and before the next segment gets its name.
    fn roll(&mut self) -> Result<(), StorageError> {
        self.trim()?;
        // If the disk is full, the old segment is still the last one, and the next append tries again.
        let sync_state = Arc::clone(&self.sync_state);
        let stop_unless_full = |error: StorageError| {
            if error.is_full() {
                error
            } else {
                sync_state.stop(error)
            }
        };
        self.write_head().map_err(stop_unless_full)?;
        let spare_bytes = self.spare_bytes.min(self.options.spare_bytes_max);
        let file =
            prepare_segment(&self.disk, &self.chain, spare_bytes).map_err(stop_unless_full)?;
        // After this call, the new segment may have its name even if the call fails, so a failure stops the log.
        let first = self.chain.next();
        let path = segment_path(&self.chain.dir, first);
        let file = self
            .disk
            .publish(file, &path)
            .map_err(|error| self.sync_state.stop(error))?;
        self.file_bytes = file.len().map_err(|error| self.sync_state.stop(error))?;
        self.file = self.sync_state.switch(file);
        self.chain.version = FORMAT_VERSION;
        self.chain.enter(first);
        Ok(())
    }
}

impl ReadLog for FileLog {
    fn head(&self) -> Option<Head> {
        self.chain.head
    }

    fn durable(&self) -> Option<Seq> {
        self.sync_state.durable()
    }

    fn read(&self, from: Seq) -> Result<Frames<'_>, StorageError> {
        self.chain.frames(from)
    }

    fn store(&self) -> u64 {
        self.chain.store
    }

    fn position_of(&self, seq: Seq) -> Result<Option<Position>, StorageError> {
        self.chain.position_of(seq)
    }

    fn checkpoints(&self) -> Option<CheckpointFiles> {
        let is_fork = self.process != std::process::id();
        (!is_fork).then(|| CheckpointFiles::new(&self.chain.dir, self.disk.clone()))
    }

    fn segments_before(&self, seq: Seq) -> SegmentTable {
        self.chain.segments_before(seq)
    }

    fn bytes_after(&self, seq: Option<Seq>) -> u64 {
        self.chain.bytes_after(seq)
    }

    fn segments(&self) -> Option<Segments<'_>> {
        Some(Segments::new(&self.chain, Some(&self.disk)))
    }
}

impl Log for FileLog {
    fn append(&mut self, mut header: FrameHeader, payload: &[u8]) -> Result<(), AppendError> {
        self.check_append(header.seq)?;
        check_length(payload).map_err(AppendError::Refused)?;
        let bytes = frame::frame_bytes(payload.len()) as u64;
        self.reserve(bytes).map_err(AppendError::Refused)?;
        header.durable = self.sync_state.durable();
        self.buffer.clear();
        let sum = frame::encode(&mut self.buffer, &header, payload, self.chain.store);
        self.write_buffer()?;
        self.chain.push(&header, bytes, sum);
        self.end_append(header.seq);
        Ok(())
    }

    fn append_all(&mut self, frames: &mut FrameBatch) -> Result<(), BatchError> {
        self.append_batch(frames)
    }

    fn append_group(&mut self, frames: &[(FrameHeader, Vec<u8>)]) -> Result<(), AppendError> {
        self.append_frames_of_group(frames)
    }

    fn sync(&mut self) -> Result<(), StorageError> {
        self.check_process()?;
        self.sync_state.sync(Extent::Data)
    }

    fn recovered(&self) -> Option<&TornTail> {
        self.recovered.as_ref()
    }

    fn flusher(&self) -> Option<Arc<dyn Flush>> {
        Some(Arc::clone(&self.sync_state) as Arc<dyn Flush>)
    }

    fn reader(&self, reader: Option<LogReader>) -> LogReader {
        if let Some(LogReader::Directory(mut log)) = reader
            && log.catch_up(&self.chain)
        {
            return LogReader::Directory(log);
        }
        let log = ReadOnlyLog::of(self.chain.clone(), self.disk.clone());
        LogReader::Directory(Box::new(log))
    }

    fn close(self: Box<Self>) -> Result<(), StorageError> {
        Self::close(*self)
    }
}

impl Drop for FileLog {
    fn drop(&mut self) {
        // The next open repeats the steps that fail here.
        let _ = self.shut();
    }
}

impl fmt::Debug for FileLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { options, chain, .. } = self;
        f.debug_struct("FileLog")
            .field("dir", &chain.dir)
            .field("head", &chain.head)
            .field("options", options)
            .finish()
    }
}

/// Creates the segment that follows the chain, under a temporary name.
fn prepare_segment(disk: &Disk, chain: &Chain, spare_bytes: u64) -> Result<DiskFile, StorageError> {
    let (fingerprint, epoch) = chain
        .head
        .map_or((0, 0), |head| (head.fingerprint, head.epoch));
    let block = Block {
        version: FORMAT_VERSION,
        epoch,
        seq: chain.next(),
        fingerprint,
        store: chain.store,
        timeline: chain.timeline,
    };
    let file = disk.create(&segment_path(&chain.dir, block.seq).with_added_extension("tmp"))?;
    let header_bytes = BLOCK_BYTES as u64;
    let written = file
        .write_at(0, &block.encode(SEGMENT_MAGIC))
        .and_then(|()| {
            match write_zeros(&file, header_bytes, header_bytes + spare_bytes) {
                // The header alone suffices. The space is reserved by the next append.
                Err(error) if error.is_full() => file.set_len(header_bytes),
                other => other,
            }
        });
    if let Err(error) = written {
        // Frees the space on a full disk. If this fails, the next attempt or open replaces the file.
        let _ = disk.remove(file.path());
        return Err(error);
    }
    Ok(file)
}

fn write_zeros(file: &DiskFile, from: u64, until: u64) -> Result<(), StorageError> {
    let zeros = vec![0; ZEROS_BYTES.min(until.saturating_sub(from) as usize)];
    let mut at = from;
    while at < until {
        let piece = (until - at).min(zeros.len() as u64);
        file.write_at(at, &zeros[..piece as usize])?;
        at += piece;
    }
    Ok(())
}

/// Returns a random number other than 0 that identifies a store or a timeline. It need not be secret.
pub(super) fn random_id() -> u64 {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let id = RandomState::new().hash_one((now.as_nanos(), std::process::id()));
    id.max(1)
}

//! The log in a directory of segment files: its one writer.
//!
//! An append is refused before a byte of its frame is written, wherever that is possible: the log first reserves room
//! (a spare tail of zeros, or a new segment) and then writes the frame into it. So a full disk refuses single frames,
//! and the log stays whole and continues when there is room again.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use super::chain::{Behind, Chain, SEARCH_BYTES_MAX, Stop, is_absent, segment_path};
use super::disk::{Disk, DiskFile, parent};
use super::frame::{self, BLOCK_BYTES, Block, SEGMENT_MAGIC};
use super::head::{Lock, read_head, write_head};
use super::memory::check_length;
use super::recover::recover;
use super::segments::Segments;
use super::sync::{Extent, SyncState};
use super::{
    AppendError, Flush, FrameHeader, Frames, Head, Log, LogReader, ReadLog, ReadOnlyLog, Seq,
    StorageError, TornTail,
};
use crate::base::position::Position;

/// The first extension of a segment; each later one is twice as long.
const SPARE_BYTES_MIN: u64 = 256 << 10;
/// Zeros are written in pieces of this size.
const ZEROS_BYTES: usize = 1 << 20;
/// A frame longer than this does not keep its buffer.
const BUFFER_BYTES_MAX: usize = 4 << 20;

/// How to open a [`FileLog`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogOptions {
    /// The length at which a segment ends. A single longer frame gets a segment of its own. Default: 64 MiB.
    pub segment_bytes_max: u64,
    /// Whether to refuse a log with a torn tail instead of cutting the tail. Default: no.
    pub strict: bool,
    /// How far ahead a segment is filled with zeros at most, so that most syncs need not record a new length. Default:
    /// 4 MiB. With 0 the log reserves no room, and a full disk stops it.
    pub spare_bytes_max: u64,
    /// Whether to begin a new timeline in an existing log. Default: no.
    pub new_timeline: bool,
    /// How many bytes an open reads at most, beside four times the length of the tail, when it searches behind a torn
    /// frame for whole frames that prove the torn one durable. Bytes that look like the header of a long frame make it
    /// read up to 2^30 bytes, and a hostile value may contain many of them. If the limit does not suffice, the log is
    /// refused as damaged. Default: 1 GiB.
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

/// A log in a directory, open for writing; a directory has one writer at a time.
///
/// A drop closes it; [`close`](FileLog::close) does the same and reports failures.
pub(crate) struct FileLog {
    disk: Disk,
    options: LogOptions,
    chain: Chain,
    file: Arc<DiskFile>,
    /// Length of the file; from the end of the chain to here there are zeros.
    file_bytes: u64,
    /// Length of the next extension.
    spare_bytes: u64,
    /// The frame being written.
    buffer: Vec<u8>,
    pub(super) sync_state: Arc<SyncState>,
    /// The frame that `HEAD` names.
    known: Option<Seq>,
    recovered: Option<TornTail>,
    closed: bool,
    /// The process that opened it.
    pub(super) process: u32,
    // Last, so that the lock is released after everything else.
    pub(super) _lock: Lock,
}

impl FileLog {
    /// Opens the log in a directory; creates it if the directory is absent or has none in it.
    ///
    /// What was durable must be there and whole. A tail that was never known to be durable and is not whole
    /// is cut and kept beside the segment; [`Log::recovered`] returns it.
    ///
    /// # Errors
    /// `is_locked`, `is_damage`, `is_version`, `is_torn` (only with [`LogOptions::strict`]), `is_io`.
    pub(crate) fn open(dir: impl AsRef<Path>, options: LogOptions) -> Result<Self, StorageError> {
        Self::open_on(Disk::default(), dir.as_ref(), options)
    }

    pub(crate) fn open_on(
        disk: Disk,
        dir: &Path,
        options: LogOptions,
    ) -> Result<Self, StorageError> {
        if is_absent(dir)? {
            disk.create_dir(dir)?;
        }
        let lock = Lock::acquire(dir)?;
        let head = read_head(dir)?;
        let known = head.map(|head| head.seq);
        let mut chain = Chain::new(dir);
        let behind = Behind {
            thorough: true,
            search_bytes_max: options.search_bytes_max,
        };
        let stop = chain.follow(head.as_ref(), behind)?;
        let fresh = match stop {
            Stop::Nothing => Some(Seq::ZERO),
            Stop::Header { first, .. } => Some(first),
            Stop::Clean | Stop::Torn { .. } => None,
        };
        let recovered = recover(&disk, &mut chain, known, stop, options.strict)?;
        let file = match fresh {
            None => disk.open(&segment_path(dir, chain.segment().unwrap_or_default()))?,
            Some(first) => {
                if options.new_timeline && first > Seq::ZERO {
                    chain.timeline = random_id();
                }
                if first == 0 {
                    chain.store = random_id();
                    // The directory may be there because of a creation that was killed before this.
                    disk.sync_dir(parent(dir))?;
                }
                let file =
                    prepare_segment(&disk, &chain, options.spare_bytes_max.min(SPARE_BYTES_MIN))?;
                let file = disk.publish(file, &segment_path(dir, first))?;
                chain.enter(first);
                file
            }
        };
        let file_bytes = file.len()?;
        let sync_state = SyncState::new(file, chain.durable);
        let fresh = fresh.is_some();
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
        if options.new_timeline && !fresh {
            log.chain.timeline = random_id();
            log.roll()?;
        }
        Ok(log)
    }

    /// Syncs, cuts the spare tail, records the head and releases the lock.
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
        self.must_be_ours()?;
        self.sync_state.check()?;
        self.trim()?;
        self.write_head()
    }

    /// Refuses in a fork of the process that opened the log: both would write at the same offset of the same file.
    fn must_be_ours(&self) -> Result<(), StorageError> {
        if self.process == std::process::id() {
            return Ok(());
        }
        Err(StorageError::forked(&self.chain.dir, self.process))
    }

    /// Cuts the spare tail and makes everything durable.
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

    /// Reserves room for a frame of `bytes` bytes at the end of the chain.
    fn make_room(&mut self, bytes: u64) -> Result<(), StorageError> {
        let empty = self.chain.end == BLOCK_BYTES as u64;
        if !empty && self.chain.end + bytes > self.options.segment_bytes_max {
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
        // A nearly full disk may still have room for this frame alone.
        match self.extend(wanted) {
            Err(error) if error.is_full() && wanted > needed => self.extend(needed)?,
            other => other?,
        }
        self.spare_bytes = (self.spare_bytes * 2).min(self.options.spare_bytes_max);
        Ok(())
    }

    /// Writes zeros up to `len`. After an error for want of room the file is as it was.
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

    /// Ends the segment and begins the next. The order is what recovery relies on: the old segment is
    /// complete and durable before `HEAD` says so, and before the next one gets its name.
    fn roll(&mut self) -> Result<(), StorageError> {
        self.trim()?;
        // Without room for these two, the old segment is still the last one, and the next append tries again.
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
        // Once it may have its name, there is no way back to the old one.
        let first = self.chain.next();
        let path = segment_path(&self.chain.dir, first);
        let file = self
            .disk
            .publish(file, &path)
            .map_err(|error| self.sync_state.stop(error))?;
        self.file_bytes = file.len().map_err(|error| self.sync_state.stop(error))?;
        self.file = self.sync_state.switch(file);
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

    fn segments(&self) -> Option<Segments<'_>> {
        Some(Segments::new(&self.chain, Some(&self.disk)))
    }
}

impl Log for FileLog {
    fn append(&mut self, mut header: FrameHeader, payload: &[u8]) -> Result<(), AppendError> {
        self.must_be_ours().map_err(AppendError::Refused)?;
        self.sync_state.check().map_err(AppendError::Refused)?;
        let expected = self.chain.next();
        if header.seq != expected {
            return Err(AppendError::Conflict {
                expected,
                found: header.seq,
            });
        }
        check_length(payload).map_err(AppendError::Refused)?;
        let bytes = frame::frame_bytes(payload.len()) as u64;
        self.make_room(bytes).map_err(AppendError::Refused)?;
        header.durable = self.sync_state.durable();
        let sum = frame::encode(&mut self.buffer, &header, payload, self.chain.store);
        let written = self.file.write_at(self.chain.end, &self.buffer);
        written.map_err(|error| AppendError::Indeterminate(self.sync_state.stop(error)))?;
        if self.buffer.capacity() > BUFFER_BYTES_MAX {
            self.buffer = Vec::new();
        }
        self.chain.push(&header, bytes, sum);
        self.file_bytes = self.file_bytes.max(self.chain.end);
        self.sync_state.wrote(header.seq);
        Ok(())
    }

    fn sync(&mut self) -> Result<(), StorageError> {
        self.must_be_ours()?;
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
        // The next open does what fails here.
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

/// Makes the segment that follows the chain, under a temporary name.
fn prepare_segment(disk: &Disk, chain: &Chain, spare_bytes: u64) -> Result<DiskFile, StorageError> {
    let (fingerprint, epoch) = chain
        .head
        .map_or((0, 0), |head| (head.fingerprint, head.epoch));
    let block = Block {
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
                // Room for the header is enough for now.
                Err(error) if error.is_full() => file.set_len(header_bytes),
                other => other,
            }
        });
    if let Err(error) = written {
        // On a full disk every block counts; if it stays, the next attempt or open replaces it.
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

/// A random number other than 0 that identifies a store or a timeline. It need not be secret.
pub(super) fn random_id() -> u64 {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let id = RandomState::new().hash_one((now.as_nanos(), std::process::id()));
    id.max(1)
}

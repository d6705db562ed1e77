//! The log: a sequence of frames, numbered from 0 without gaps. It is the source of truth of a store.
//!
//! The log does not interpret the payloads of frames, and has no policy of durability: an append writes and never syncs.
//! `store/commit.rs` decides when to sync and which callers wait for it.
//! [`ReadLog`] reads a log and [`Log`] writes one; [`MemoryLog`] and [`FileLog`] implement both, and [`ReadOnlyLog`]
//! reads a directory beside its writer.
//!
//! | question | answer |
//! |---|---|
//! | Who may append? | One writer. A frame that does not have the next sequence number is a conflict. |
//! | When is a frame durable? | After [`Log::sync`] or a [`Flush`] that began after the frame was written. [`ReadLog::durable`] is the last frame that is known to be durable. |
//! | When does the log itself sync? | When the format requires an order of writes: when it begins a segment, when it opens and when it closes. |
//! | What if a write or a sync fails? | The log stops permanently. The next open determines which frames are in it. |
//! | What does an open accept? | A log that is complete up to a tail that was never acknowledged as durable. The tail is moved to a file. Everything else is an error of damage. |
//!
//! # On disk
//!
//! A second implementation can be written from `docs/log-format.md`, of which this is the short form.
//!
//! ```text
//! directory   LOCK                        locked by the writer; holds its process id, for messages
//!             HEAD                        a block: the last frame at the last clean close or roll
//!             00000000000000000000.log    segments, named by their first sequence
//!             00000000000000004711.log
//!             00000000000000004711.8192.torn   a tail that was cut at offset 8192
//!             00000000000000000000.index  finds the frames of that segment by entity and key; rebuilt if it is missing
//!             00000000000000004711.checkpoint  the graph after that frame; opening starts there
//!             ARCHIVED                    the segments that were moved to archives, and where the log begins if frames were dropped
//!             ARCHIVED.lock               locked by a process that archives or drops segments
//!             *.tmp                       files that are being written; the next writer removes them
//!             cursors/NAME                a block: how far the consumer NAME has read
//!
//! segment     header (a block, 64) | frame | frame | ... | zeros (spare) | end of file
//!
//! block       0        8    10   12     16       24           40      48      56         64
//!             +--------+----+----+------+--------+------------+-------+-------+----------+
//!             | magic  |vers| 0  |epoch | seq    | fingerprint| store | line  | checksum |
//!             +--------+----+----+------+--------+------------+-------+-------+----------+
//!             segment: magic "IWSEGMNT"; seq of its first frame; epoch, fingerprint before it
//!             HEAD:    magic "IWLOGHED"; seq of the last frame; epoch, fingerprint after it
//!             cursor:  magic "IWCURSOR"; seq of the last frame that was consumed; its checksum and 1 as fingerprint
//!             line = timeline: of a segment; of the last frame; of the frame that was consumed
//!             checksum = XXH3-64 of bytes 0..56
//!
//! frame       0      4      8        16   17   18  20    24     32      40           56
//!             +------+------+--------+----+----+---+-----+------+-------+------------+---------+-----+
//!             |magic |len   |checksum|vers|kind|flg|epoch| seq  |durable| fingerprint| payload | 0.. |
//!             +------+------+--------+----+----+---+-----+------+-------+------------+---------+-----+
//!             magic FC 49 57 1D; len of the payload; durable = frames known durable when it was written
//!             flg = 1 in a group of frames, 3 in the last one of its group: a log has all of them or none
//!             zeros up to a multiple of 8
//!             checksum = XXH3-64 of bytes 16.. (zeros at the end too), seed = store ^ (bytes 0..8 as u64)
//! ```
//!
//! Everything is little-endian.
//!
//! # Rules of order
//!
//! 1. A segment is complete, cut to its length and synced; then `HEAD` names its last frame; then the next segment gets
//!    its name, already with its header and synced. So everything that precedes a segment's name is durable.
//! 2. A frame records how many frames were durable when it was written. So everything below that number is durable.
//! 3. A bad frame that was durable by `HEAD`, by (1) or by (2) is damage. Any other bad frame begins the torn tail.

mod archive;
mod archived;
mod batch;
mod cancel;
mod chain;
mod checkpoint_files;
mod compressed;
mod copy;
pub(crate) mod cursor;
pub(crate) mod disk;
mod files;
mod frame;
mod head;
mod listing;
mod memory;
mod read;
mod recover;
mod scan;
mod segment_file;
mod segment_index;
mod segment_table;
mod segments;
mod sync;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use crate::base::error::FrameLocation;
#[cfg(feature = "tracing")]
use crate::base::meter::Syncs;
use crate::base::position::{Position, Seq};
use crate::base::storage_error::{AppendError, FORMAT_VERSION, StorageError, StorageFailure};
pub(crate) use archive::{Archiving, SegmentPlace, segment_places};
pub(crate) use batch::{BatchError, FrameBatch};
pub(crate) use cancel::Cancel;
pub(crate) use chain::ReadPoint;
pub(crate) use checkpoint_files::{CheckpointFiles, CheckpointHeader, CheckpointWriter};
pub(crate) use copy::NewLog;
pub use copy::{Copied, CopyError, backup, restore, unfinished};
pub(crate) use copy::{backup_of, restore_of};
use cursor::Cursors;
pub(crate) use files::{FileLog, LogOptions};
pub(crate) use frame::frame_bytes;
pub(crate) use head::Lock;
pub(crate) use memory::{MemoryLog, MemoryReader};
pub(crate) use read::{Frames, ReadOnlyLog, check_exists};
pub(crate) use segment_index::SegmentIndex;
pub(crate) use segment_table::SegmentTable;
pub(crate) use segments::{Sealed, SealedSegments, Segment, Segments};

/// The kind of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(crate) enum FrameKind {
    /// A schema. The first frame is one, and so is the first frame after each later change of the model. It begins an
    /// epoch.
    Schema = 1,
    /// A transaction.
    Transaction = 2,
    /// A part of what changes when an epoch begins, beside its schema. It follows the schema, in the same group of frames.
    Migration = 3,
}

/// The part of a frame in a group. A log has all frames of a group or none of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum GroupPart {
    /// The frame is not in a group.
    #[default]
    None = 0,
    /// A later frame is in the same group.
    Inner = 1,
    /// The frame is the last one of its group.
    Last = 3,
}

impl GroupPart {
    /// Makes frames one group, unless there is only one.
    pub(crate) fn mark(frames: &mut [(FrameHeader, Vec<u8>)]) {
        let [inner @ .., _] = frames else { return };
        if inner.is_empty() {
            return;
        }
        for (header, _) in &mut *inner {
            header.group = Self::Inner;
        }
        if let Some((header, _)) = frames.last_mut() {
            header.group = Self::Last;
        }
    }

    /// Returns the part that the flags of a frame of a kind say, or `None` for flags that have no meaning.
    fn from_flags(flags: u16, kind: FrameKind) -> Option<Self> {
        match flags {
            0 => Some(Self::None),
            1 if kind != FrameKind::Transaction => Some(Self::Inner),
            3 if kind != FrameKind::Transaction => Some(Self::Last),
            _ => None,
        }
    }
}

impl FrameKind {
    fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Schema),
            2 => Some(Self::Transaction),
            3 => Some(Self::Migration),
            _ => None,
        }
    }

    /// Returns whether a frame of the kind has facts.
    pub(crate) fn has_facts(self) -> bool {
        self != Self::Schema
    }
}

impl Frame {
    /// Returns the length in a segment of a frame with this payload.
    pub(crate) fn bytes_with(payload: &[u8]) -> u64 {
        frame::frame_bytes(payload.len()) as u64
    }
}

/// The part of a frame that the log interprets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    /// The format version of the frame.
    pub version: u16,
    /// The sequence number of the frame.
    pub seq: Seq,
    /// The epoch of the schema that the frame was written under.
    pub epoch: u32,
    /// The kind of the frame.
    pub kind: FrameKind,
    /// Whether the frame is in a group. A log in memory, of which nothing can be lost, does not keep it.
    pub group: GroupPart,
    /// The last frame known to be durable when this one was written. An append sets it and ignores the given value.
    pub durable: Option<Seq>,
    /// The fingerprint of the graph after this frame.
    pub fingerprint: u128,
}

impl FrameHeader {
    /// Returns a header for an append, of the version that this program writes.
    pub(crate) fn new(seq: Seq, epoch: u32, kind: FrameKind, fingerprint: u128) -> Self {
        Self {
            version: FORMAT_VERSION,
            seq,
            epoch,
            kind,
            group: GroupPart::None,
            durable: None,
            fingerprint,
        }
    }
}

/// A frame that was read from a log.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub header: FrameHeader,
    /// The payload, which the log does not interpret.
    pub payload: Vec<u8>,
    /// Identifies the frame across copies of the log.
    pub position: Position,
    /// Where it was read from, unless it is a copy in memory.
    pub location: Option<FrameLocation>,
}

/// The last frame of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// The sequence number of the frame.
    pub seq: Seq,
    /// The fingerprint of the graph after the frame.
    pub fingerprint: u128,
    /// The epoch of the frame.
    pub epoch: u32,
}

impl Head {
    fn of(header: &FrameHeader) -> Self {
        Self {
            seq: header.seq,
            fingerprint: header.fingerprint,
            epoch: header.epoch,
        }
    }
}

/// An incomplete end of a log, never acknowledged as durable, which an open moved to a file.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TornTail {
    /// The segment that the tail was cut from.
    pub segment: PathBuf,
    /// The offset in the segment at which the tail began.
    pub offset: u64,
    /// The length of the tail in bytes, without zeros at its end.
    pub bytes: u64,
    /// The sequence number of the frame that would have begun there.
    pub seq: Seq,
    /// The file to which the tail was moved.
    pub kept: PathBuf,
}

/// Reads the frames of a log, up to the last one at the time of the open or of the last refresh.
pub(crate) trait ReadLog: Send + Sync {
    /// Returns the last frame, or `None` if the log is empty.
    fn head(&self) -> Option<Head>;

    /// Returns the last frame that is known to be durable.
    fn durable(&self) -> Option<Seq>;

    /// Returns the frames from `from` to the last one, durable or not.
    ///
    /// # Errors
    /// `is_io`, here or while iterating; `is_damage` while iterating; `is_replaced` if another log has replaced
    /// this one since it was read.
    fn read(&self, from: Seq) -> Result<Frames<'_>, StorageError>;

    /// Returns one frame, or `None` if the log does not have it.
    ///
    /// # Errors
    /// As of [`read`](ReadLog::read).
    fn frame(&self, seq: Seq) -> Result<Option<Frame>, StorageError> {
        let frame = self.read(seq)?.next().transpose()?;
        Ok(frame.filter(|frame| frame.header.seq == seq))
    }

    /// Returns the random id of the store that the log belongs to.
    fn store(&self) -> u64;

    /// Returns the position of a frame, or `None` if the log does not have it. A log that begins at a snapshot also returns
    /// the position of the last frame of that snapshot. O(1) for recent frames. For others, the frame is read.
    ///
    /// # Errors
    /// `is_io`, `is_damage`; `is_replaced` as of [`read`](ReadLog::read).
    fn position_of(&self, seq: Seq) -> Result<Option<Position>, StorageError>;

    /// Returns the segments of the log with their indexes, or `None` for a log in memory.
    fn segments(&self) -> Option<Segments<'_>>;

    /// Returns the checkpoints of the log, or `None` for a log in memory.
    fn checkpoints(&self) -> Option<CheckpointFiles> {
        None
    }

    /// Returns the segments before the one of a frame, for a checkpoint that follows the frame.
    fn segments_before(&self, _: Seq) -> SegmentTable {
        SegmentTable::default()
    }

    /// Returns about how many bytes the frames after one have, or all frames. It may be up to 256 KiB too many.
    fn bytes_after(&self, _: Option<Seq>) -> u64 {
        0
    }

    /// Checks that the log was not replaced by another one since it was read. The default is for a writer, whose lock
    /// prevents that.
    ///
    /// # Errors
    /// `is_replaced`, `is_io`.
    fn check(&self) -> Result<(), StorageError> {
        Ok(())
    }
}

/// Writes a log.
pub(crate) trait Log: ReadLog {
    /// Writes the next frame without syncing.
    ///
    /// # Errors
    /// See [`AppendError`]. After `Indeterminate` the frame may or may not be in the log. After the others it is not.
    fn append(&mut self, header: FrameHeader, payload: &[u8]) -> Result<(), AppendError>;

    /// Writes the next frames without syncing, in as few writes as possible.
    ///
    /// # Errors
    /// As [`append`](Log::append), for the first frame that is not in the log. The frames after it are not in the log either.
    fn append_all(&mut self, frames: &mut FrameBatch) -> Result<(), BatchError> {
        for index in 0..frames.len() {
            let (header, payload) = frames.get(index);
            (self.append(header, payload)).map_err(|error| BatchError {
                appended: index,
                error,
            })?;
            frames.appended(|| self.position_of(header.seq).ok()?);
        }
        Ok(())
    }

    /// Writes frames of which the log is to have all or none, without syncing. An open removes a group without its last frame.
    ///
    /// # Errors
    /// As [`append`](Log::append), of all frames.
    fn append_group(&mut self, frames: &[(FrameHeader, Vec<u8>)]) -> Result<(), AppendError> {
        for (header, payload) in frames {
            self.append(*header, payload)?;
        }
        Ok(())
    }

    /// Makes all written frames durable.
    ///
    /// # Errors
    /// A failure stops the log. The frames written since the last sync are then indeterminate.
    fn sync(&mut self) -> Result<(), StorageError>;

    /// Returns the torn tail that the open moved to a file, if there was one.
    fn recovered(&self) -> Option<&TornTail>;

    /// Returns a handle with which other threads sync, or `None` if every appended frame counts as durable.
    fn flusher(&self) -> Option<Arc<dyn Flush>>;

    /// Returns a reader of the current frames for other threads. A `reader` that this log returned earlier is brought up to
    /// date instead, in O(frames written since).
    fn reader(&self, reader: Option<LogReader>) -> LogReader;

    /// Syncs and releases the log, and returns the errors that dropping it would ignore.
    ///
    /// # Errors
    /// `is_io`; `is_stopped` if the log had stopped before. The next open recovers in either case.
    fn close(self: Box<Self>) -> Result<(), StorageError>;
}

/// Makes frames of a log durable, from any thread.
pub(crate) trait Flush: Send + Sync {
    /// Makes the frames up to `seq` durable. Concurrent callers share syncs: one caller syncs all frames written so far, and
    /// callers that arrive during the sync wait for it.
    ///
    /// # Errors
    /// A failed sync stops the log, and every later call fails. The next open determines which frames are in the log.
    fn flush_to(&self, seq: Seq) -> Result<(), StorageError>;

    /// Makes all frames durable that were written before the call.
    ///
    /// # Errors
    /// As [`flush_to`](Flush::flush_to).
    fn flush(&self) -> Result<(), StorageError>;

    /// Returns the last durable frame.
    fn durable(&self) -> Option<Seq>;

    /// Returns the counters of its syncs, if it keeps any.
    #[cfg(feature = "tracing")]
    fn syncs(&self) -> Option<Arc<Syncs>> {
        None
    }
}

/// Reads the frames that a log had when the reader was last refreshed, from any thread and independently of its writer.
#[derive(Clone, Debug)]
pub(crate) enum LogReader {
    Directory(Box<ReadOnlyLog>),
    Memory(MemoryReader),
}

impl LogReader {
    /// Returns the reader as a log.
    pub(crate) fn log(&self) -> &dyn ReadLog {
        match self {
            Self::Directory(log) => &**log,
            Self::Memory(log) => log,
        }
    }

    /// Adds the frames that were written since, in O(new frames) for a directory and in O(1) in memory.
    ///
    /// # Errors
    /// As [`ReadOnlyLog::refresh`].
    pub(crate) fn refresh(&mut self) -> Result<(), StorageError> {
        match self {
            Self::Directory(log) => log.refresh().map(|_| ()),
            Self::Memory(log) => {
                log.refresh();
                Ok(())
            }
        }
    }

    /// From now on, writes no indexes beside the segments.
    pub(crate) fn stop_writing(&mut self) {
        if let Self::Directory(log) = self {
            log.stop_writing();
        }
    }

    /// Returns the cursors beside the log, or `None` for a log in memory.
    pub(crate) fn cursors(&self) -> Option<Cursors> {
        match self {
            Self::Directory(log) => Some(log.cursors()),
            Self::Memory(_) => None,
        }
    }

    /// As [`ReadLog::read`], but the iterator does not borrow the reader.
    pub(crate) fn frames(&self, from: Seq) -> Result<Frames<'static>, StorageError> {
        match self {
            Self::Directory(log) => log.frames(from),
            Self::Memory(log) => Ok(log.frames(from)),
        }
    }
}

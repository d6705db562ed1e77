//! The log: the source of truth, as bytes.
//!
//! A log is a sequence of frames, numbered from 0 without gaps. It knows nothing of what is in their
//! payloads. [`Log`] is the one trait; [`MemoryLog`] and [`FileLog`] implement it, and [`ReadOnlyLog`] reads
//! a directory beside its writer.
//!
//! | question | answer |
//! |---|---|
//! | Who may append? | One writer. A frame names its sequence, and another than the next is a conflict. |
//! | When is a frame durable? | See [`Durability`]. [`Log::durable`] is the last that surely is. |
//! | What if a write fails? | The log stops for good; the next open finds out what is there. |
//! | What does an open accept? | A log that is whole up to a tail that nobody was told is durable. That tail is cut and kept; anything else is damage and refused. |
//!
//! # On disk
//!
//! A second implementation can be written from `docs/log-format.md`, of which this is the short form.
//!
//! ```text
//! directory   LOCK                        locked by the writer; holds its pid, for messages
//!             HEAD                        a block: the last frame at the last clean close or roll
//!             00000000000000000000.log    segments, named by their first sequence
//!             00000000000000004711.log
//!             00000000000000004711.8192.torn   a tail that was cut at offset 8192
//!             00000000000000000000.index  which frames of that segment are about what; made again if it is not there
//!             *.tmp                       being made; removed by the next writer
//!             cursors/NAME                a block: how far somebody called NAME has read
//!
//! segment     header (a block, 64) | frame | frame | ... | zeros (spare) | end of file
//!
//! block       0        8    10   12     16       24           40      48      56         64
//!             +--------+----+----+------+--------+------------+-------+-------+----------+
//!             | magic  |vers| 0  |epoch | seq    | fingerprint| store | line  | checksum |
//!             +--------+----+----+------+--------+------------+-------+-------+----------+
//!             segment: magic "IWSEGMNT"; seq of its first frame; epoch, fingerprint before it
//!             HEAD:    magic "IWLOGHED"; seq of the last frame; epoch, fingerprint after it
//!             cursor:  magic "IWCURSOR"; seq of the last frame that is done with; its checksum and 1 as fingerprint
//!             line = timeline: of a segment; of the last frame; of the frame that is done with
//!             checksum = XXH3-64 of bytes 0..56
//!
//! frame       0      4      8        16   17   18  20    24     32      40           56
//!             +------+------+--------+----+----+---+-----+------+-------+------------+---------+-----+
//!             |magic |len   |checksum|vers|kind| 0 |epoch| seq  |durable| fingerprint| payload | 0.. |
//!             +------+------+--------+----+----+---+-----+------+-------+------------+---------+-----+
//!             magic FC 49 57 1D; len of the payload; durable = frames known durable when it was written
//!             zeros up to a multiple of 8
//!             checksum = XXH3-64 of bytes 16.. (zeros at the end too), seed = store ^ (bytes 0..8 as u64)
//! ```
//!
//! Everything is little-endian.
//!
//! # Rules of order
//!
//! 1. A segment is complete, cut to its length and synced; then `HEAD` says so; then the next one gets its
//!    name, already with its header and synced. So whatever precedes a segment's name was durable.
//! 2. A frame says how many frames were durable. So whatever precedes that number was durable.
//! 3. A bad frame that was durable by `HEAD`, by (1) or by (2) is damage. Any other begins the torn tail.

mod chain;
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
mod segments;
mod side;
mod sync;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use crate::base::position::Position;

pub use crate::base::position::Seq;
pub use crate::base::storage_error::{AppendError, StorageError, StorageFailure};
pub(crate) use chain::Mark;
pub use files::{Durability, FileLog, Options};
pub use memory::MemoryLog;
pub use read::{Frames, ReadOnlyLog};
pub use segments::Segments;
pub(crate) use segments::{Sealed, Segment};
pub(crate) use side::Side;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum FrameKind {
    /// The schema, at creation.
    Schema = 1,
    /// A transaction.
    Transaction = 2,
    /// A change of schema, and what it did to the graph; begins an epoch.
    Migration = 3,
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
}

/// What the log knows of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// Its number.
    pub seq: Seq,
    /// The epoch of the schema that it was written under.
    pub epoch: u32,
    /// What it is.
    pub kind: FrameKind,
    /// The last frame known to be durable when this one was written. An append fills it in, whatever is
    /// here.
    pub durable: Option<Seq>,
    /// Of the graph after this frame.
    pub fingerprint: u128,
}

impl FrameHeader {
    /// A header to append.
    #[must_use]
    pub fn new(seq: Seq, epoch: u32, kind: FrameKind, fingerprint: u128) -> Self {
        Self {
            seq,
            epoch,
            kind,
            durable: None,
            fingerprint,
        }
    }
}

/// A frame as it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What the log knows of it.
    pub header: FrameHeader,
    /// What it says.
    pub payload: Vec<u8>,
    /// Where it is, and in which history.
    pub position: Position,
}

/// The last frame of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its number.
    pub seq: Seq,
    /// Of the graph after it.
    pub fingerprint: u128,
    /// Its epoch.
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

/// What an open has cut from the end of a log: never known to be durable, and not whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TornTail {
    /// The segment that it was cut from.
    pub segment: PathBuf,
    /// Where it began.
    pub offset: u64,
    /// How long it was, without zeros at its end.
    pub bytes: u64,
    /// The frame that would have begun there.
    pub seq: Seq,
    /// Where it was copied to.
    pub kept: PathBuf,
}

/// A sequence of frames that grows at its end.
pub trait Log: Send {
    /// Appends a frame, if it is the next one; returns when it is as durable as the log promises.
    ///
    /// # Errors
    /// See [`AppendError`]: only `Indeterminate` leaves open whether the frame is there.
    fn append(&mut self, header: FrameHeader, payload: &[u8]) -> Result<(), AppendError>;

    /// As [`append`](Log::append), but returns when the frame is written. For several appends with one
    /// [`sync`](Log::sync): until that returns, nobody may be told of them under [`Durability::Always`].
    ///
    /// # Errors
    /// As `append`.
    fn append_unsynced(&mut self, header: FrameHeader, payload: &[u8]) -> Result<(), AppendError>;

    /// The last frame written; none in an empty log.
    fn head(&self) -> Option<Head>;

    /// The last frame that is durable.
    fn durable(&self) -> Option<Seq>;

    /// Makes everything durable that is written.
    ///
    /// # Errors
    /// A failure stops the log; what was written since the last sync is indeterminate then.
    fn sync(&mut self) -> Result<(), StorageError>;

    /// The frames from `from` to the head, durable or not.
    ///
    /// # Errors
    /// `is_io`, here or while iterating; `is_damage` while iterating.
    fn read(&self, from: Seq) -> Result<Frames<'_>, StorageError>;

    /// The identity of the store that it is of: random, made with it.
    fn store(&self) -> u64;

    /// The position of a frame; none, where it has no such frame. At once for the last frames; for others, the frame is
    /// read. That of a log which goes on after a snapshot knows the last frame of that, too.
    ///
    /// # Errors
    /// `is_io`, `is_damage`.
    fn position_of(&self, seq: Seq) -> Result<Option<Position>, StorageError>;

    /// What open has cut, if anything.
    fn recovered(&self) -> Option<&TornTail>;

    /// What waits for a frame of [`append_unsynced`](Log::append_unsynced) to become durable while others are
    /// appended; none where there is nothing to wait for.
    fn syncer(&self) -> Option<Arc<dyn Syncer>>;

    /// What makes a frame durable from another thread, whatever the mode of the log; none where there is nothing to
    /// make durable.
    fn flusher(&self) -> Option<Arc<dyn Syncer>>;

    /// A log of the same frames that another thread can read; none where they lie in memory.
    fn follower(&self) -> Option<ReadOnlyLog>;

    /// The segments that the frames lie in, with the indexes beside them; none where they lie in memory.
    fn segments(&self) -> Option<Segments<'_>>;
}

/// Waits beside the writer until what it appended is durable, so that several callers share a sync.
pub trait Syncer: Send + Sync {
    /// Returns when a frame is as durable as the log promises. Who comes first syncs for all that is written by
    /// then; who comes meanwhile waits, and is mostly done with that.
    ///
    /// # Errors
    /// A failed sync, which stops the log, or an earlier stop: whether the frame is there, the next open tells.
    fn wait(&self, seq: Seq) -> Result<(), StorageError>;

    /// The last frame that is durable.
    fn durable(&self) -> Option<Seq>;
}

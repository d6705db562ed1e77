//! The errors of reading the log of a store.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;

use crate::base::error::{ErrorKind, Name, NameError};
use crate::base::position::{FrameRef, Position, Seq};
use crate::base::storage_error::{StorageError, StorageFailure};
use crate::base::time::Timestamp;

/// The error of reading the log with [`Store::as_of`](crate::Store::as_of), [`since`](crate::Store::since),
/// [`locate`](crate::Store::locate), [`subscribe`](crate::Store::subscribe) and related functions.
#[non_exhaustive]
#[derive(Debug)]
pub enum ReadError {
    /// The frame is past the end of the log. The log was restored from an older backup, or the frame is of another log.
    Ahead {
        /// The requested frame.
        asked: FrameRef,
        /// The last frame of the log.
        last: Option<Seq>,
    },
    /// The time is in the future, after both the last transaction and the time of the store's clock.
    NotYet {
        /// The requested time.
        time: Timestamp,
        /// The time of the last transaction.
        last: Timestamp,
        /// The time of the store's [clock](crate::Options::clock).
        now: Timestamp,
    },
    /// The position is of another store, or of another history of this store, whose frame with the same sequence number is
    /// a different one.
    OtherHistory {
        /// The requested position.
        asked: Position,
        /// The position of this log's frame with the same sequence number.
        found: Position,
    },
    /// Two snapshots are of different stores, whose entities are unrelated.
    OtherStore {
        /// The id of the store of the first snapshot.
        this: u64,
        /// The id of the store of the second snapshot.
        other: u64,
    },
    /// Two snapshots are of epochs of a log whose schemas have different entities, fields or edges.
    OtherSchema,
    /// The graph after the frame cannot be read with the types of the program: the frame is of an epoch whose schema has other entities,
    /// fields or edges than the model, or is within a migration.
    OtherShape {
        /// The frame.
        seq: Seq,
    },
    /// The snapshot has no position in the log of this store: it was created by [`Snapshot::with`](crate::Snapshot::with),
    /// or is of a store without a log.
    NotOfTheLog,
    /// The frame is before the snapshot that the store began at.
    BeforeBeginning {
        /// The requested frame.
        seq: Seq,
        /// The frame of that snapshot.
        beginning: Seq,
    },
    /// The time is before the snapshot that the store began at.
    BeforeBeginningAt {
        /// The requested time.
        time: Timestamp,
        /// The time of that snapshot.
        beginning: Timestamp,
    },
    /// The range begins after its end.
    InvalidRange {
        /// The first frame of the range.
        from: Seq,
        /// The frame after the last one of the range.
        until: Seq,
    },
    /// The schema does not have a name, or a text is not a key.
    Name(NameError),
    /// The entity type has no edge of this name.
    UnknownEdge {
        /// The entity type.
        entity: Name,
        /// The requested name.
        edge: Name,
    },
    /// The text is not a valid name of a subscription.
    InvalidName {
        /// The invalid name.
        name: Name,
    },
    /// Only a subscription with a name can be acknowledged.
    Unnamed,
    /// A named subscription writes its position to the store, which is open for reading only.
    ReadOnly,
    /// The store has no log.
    Unlogged,
    /// The log does not have the frame that a named subscription acknowledged last.
    Cursor {
        /// The name of the subscription.
        name: Name,
        /// The file of the cursor, if the store is on disk.
        path: Option<PathBuf>,
        /// The reason why the log does not have the frame.
        source: Box<ReadError>,
    },
    /// The log could not be read.
    Storage(StorageError),
}

// The error is moved with each `Result`, so it stays small.
const _: () = assert!(size_of::<ReadError>() <= 80);

/// The advice to a consumer whose position is not in the log.
const REBUILD: &str = "rebuild all data derived from frames that this log does not have";

impl ReadError {
    /// Returns the kind of the error, which determines what a caller can do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Ahead { .. }
            | Self::NotYet { .. }
            | Self::BeforeBeginning { .. }
            | Self::BeforeBeginningAt { .. }
            | Self::UnknownEdge { .. } => ErrorKind::NotFound,
            Self::OtherHistory { .. } | Self::OtherStore { .. } | Self::NotOfTheLog => {
                ErrorKind::Conflict
            }
            Self::InvalidRange { .. }
            | Self::InvalidName { .. }
            | Self::OtherSchema
            | Self::OtherShape { .. }
            | Self::Unnamed
            | Self::Unlogged => ErrorKind::Invalid,
            Self::ReadOnly => ErrorKind::Unavailable,
            Self::Name(e) => e.kind(),
            Self::Cursor { source, .. } => source.kind(),
            Self::Storage(e) => e.kind(),
        }
    }

    /// Returns the error that a [`ReadError::Cursor`] wraps, or the error itself.
    fn underlying(&self) -> &Self {
        match self {
            Self::Cursor { source, .. } => source.underlying(),
            _ => self,
        }
    }

    /// Returns whether the frame or the time is past the end of the log.
    #[must_use]
    pub fn is_ahead(&self) -> bool {
        matches!(self.underlying(), Self::Ahead { .. } | Self::NotYet { .. })
    }

    /// Returns whether the position, the snapshot or the log itself is of another store, or of another history of this one.
    #[must_use]
    pub fn is_other_history(&self) -> bool {
        match self.underlying() {
            Self::OtherHistory { .. } | Self::OtherStore { .. } | Self::NotOfTheLog => true,
            Self::Storage(e) => e.is_replaced(),
            _ => false,
        }
    }

    /// Returns whether the frame or the time is before the snapshot that the store began at.
    #[must_use]
    pub fn is_before_beginning(&self) -> bool {
        matches!(
            self.underlying(),
            Self::BeforeBeginning { .. } | Self::BeforeBeginningAt { .. }
        )
    }

    /// Returns whether the store has no log.
    #[must_use]
    pub fn is_unlogged(&self) -> bool {
        matches!(self, Self::Unlogged)
    }

    /// Returns the requested frame, or the frame at which the log could not be read.
    #[must_use]
    pub fn seq(&self) -> Option<Seq> {
        match self.underlying() {
            Self::Ahead { asked, .. } => Some(asked.seq()),
            Self::OtherHistory { asked, .. } => Some(asked.seq()),
            Self::BeforeBeginning { seq, .. } => Some(*seq),
            Self::InvalidRange { from, .. } => Some(*from),
            Self::Storage(e) => e.seq(),
            _ => None,
        }
    }

    /// Returns the error with its failure of storage replaced by what `map` returns.
    pub(crate) fn map_storage(self, map: impl FnOnce(StorageError) -> StorageError) -> Self {
        match self {
            Self::Storage(e) => Self::Storage(map(e)),
            e => e,
        }
    }

    /// Converts the error to a failure of storage, for readers that continue to read a log. For them, a frame that the log
    /// no longer has means that the log was replaced.
    pub(crate) fn into_storage(self) -> StorageError {
        match self {
            Self::Storage(e) => e,
            e => {
                let error = StorageError::new(StorageFailure::Replaced, e.to_string());
                match e.seq() {
                    Some(seq) => error.with_seq(seq),
                    None => error,
                }
            }
        }
    }

    /// Returns the failure of storage, if the error is one.
    #[must_use]
    pub fn storage(&self) -> Option<&StorageError> {
        match self.underlying() {
            Self::Storage(e) => Some(e),
            _ => None,
        }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ahead { asked, last } => {
                match asked {
                    FrameRef::Seq(seq) => write!(f, "frame {seq}")?,
                    FrameRef::Position(at) => write!(f, "the position {at}, frame {},", at.seq())?,
                }
                f.write_str(" is past the end of this log, ")?;
                match last {
                    Some(last) => write!(f, "whose last frame is {last}")?,
                    None => f.write_str("which has no frame")?,
                }
                write!(
                    f,
                    ": the log was restored from an older backup, or the frame is of another log; {REBUILD}, or call \
                     `refresh` if the store is open for reading only"
                )
            }
            Self::NotYet { time, last, now } => write!(
                f,
                "{time} is in the future: the last transaction of this store was at {last}, and its clock is at {now}; \
                 take a snapshot to read the current graph"
            ),
            Self::OtherHistory { asked, found } => {
                write!(f, "the position {asked} is of another history: ")?;
                if asked.store() != found.store() {
                    return write!(
                        f,
                        "it is of the store {:016x}, and this is the store {:016x}; open that store, or rebuild all \
                         data derived from it from this one",
                        asked.store(),
                        found.store()
                    );
                }
                write!(
                    f,
                    "frame {} has the checksum {:016x} on timeline {:x} there, and {:016x} on timeline {:x} in this \
                     log, which was restored to an earlier point or lost its end, and then continued from there; \
                     {REBUILD}",
                    asked.seq(),
                    asked.checksum(),
                    asked.timeline(),
                    found.checksum(),
                    found.timeline()
                )
            }
            Self::OtherStore { this, other } => write!(
                f,
                "the snapshots are of two stores, {this:016x} and {other:016x}, whose entities are unrelated; take both \
                 from one store, or one of them from a store that began at a snapshot of the other"
            ),
            Self::OtherSchema => f.write_str(
                "the snapshots are of two epochs of the log, whose schemas have different entities, fields or edges; take \
                 both from the same epoch",
            ),
            Self::OtherShape { seq } => write!(
                f,
                "the graph after frame {seq} has the schema of then, with other entities, fields or edges than the model of \
                 this program, or is in the middle of a migration; read it by name: `as_of_by_name`. If the graph is whole, `upgrade` \
                 carries it over to the model where that needs no code"
            ),
            Self::NotOfTheLog => f.write_str(
                "the snapshot has no position in the log of this store, since it was created by `with` or is of a store \
                 without a log; take one from the store",
            ),
            Self::BeforeBeginning { seq, beginning } => write!(
                f,
                "frame {seq} is before the beginning of this store, which is a snapshot after frame {beginning}; read \
                 the frame from the store that the snapshot was taken from"
            ),
            Self::BeforeBeginningAt { time, beginning } => write!(
                f,
                "{time} is before the beginning of this store, which is a snapshot of {beginning}; read that time from \
                 the store that the snapshot was taken from"
            ),
            Self::InvalidRange { from, until } => write!(
                f,
                "the range begins with frame {from} and ends before frame {until}; swap its bounds"
            ),
            Self::Name(e) => fmt::Display::fmt(e, f),
            Self::UnknownEdge { entity, edge } => write!(f, "`{entity}` has no edge `{edge}`"),
            Self::InvalidName { name } => write!(
                f,
                "`{name}` is not a valid name of a subscription; use 1 to 100 of the letters a-z, digits, `-` and `_`"
            ),
            Self::Unnamed => f.write_str(
                "the subscription has no name, so it cannot be acknowledged; create it with `Store::subscribe_as`",
            ),
            Self::ReadOnly => f.write_str(
                "a named subscription writes its position to the store, which is open for reading only; use \
                 `subscribe_since` with a position that you keep",
            ),
            Self::Unlogged => f.write_str(
                "this store has no log, so it has no past and cannot be subscribed to; use `Store::memory` or \
                 `Store::open`",
            ),
            Self::Cursor { name, path, source } => {
                write!(f, "the subscription `{name}`")?;
                if let Some(path) = path {
                    let path = path.display();
                    write!(f, " in {path}, which restarts at the first frame if that file is removed")?;
                }
                write!(f, ": {source}")
            }
            Self::Storage(e) => fmt::Display::fmt(e, f),
        }
    }
}

impl Error for ReadError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            // The message of this error contains theirs, so the source is the cause of theirs.
            Self::Cursor { source, .. } => source.source(),
            Self::Storage(e) => e.source(),
            _ => None,
        }
    }
}

impl From<NameError> for ReadError {
    fn from(e: NameError) -> Self {
        Self::Name(e)
    }
}

impl From<StorageError> for ReadError {
    fn from(e: StorageError) -> Self {
        Self::Storage(e)
    }
}

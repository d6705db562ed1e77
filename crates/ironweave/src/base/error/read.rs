//! What can come of reading the past of a store: one enum of outcomes.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;

use crate::base::error::{ErrorKind, Name};
use crate::base::position::{FrameRef, Position, Seq};
use crate::base::storage_error::{StorageError, StorageFailure};
use crate::base::time::Timestamp;

/// Why a read of the log was refused or failed: [`Store::as_of`](crate::Store::as_of),
/// [`since`](crate::Store::since), [`locate`](crate::Store::locate), [`subscribe`](crate::Store::subscribe) and what
/// belongs to them.
#[non_exhaustive]
#[derive(Debug)]
pub enum ReadError {
    /// The frame is past the end of the log: it is of a log that went further, before it was restored from a backup, or
    /// of another log.
    Ahead {
        /// The frame that the caller named.
        asked: FrameRef,
        /// The last frame of the log.
        last: Option<Seq>,
    },
    /// The time lies in the future, by the clock and by the log.
    NotYet {
        /// The time that the caller named.
        time: Timestamp,
        /// The time of the last transaction.
        last: Timestamp,
        /// The time of the system clock.
        now: Timestamp,
    },
    /// The position is of another store, or of another history of this one: another frame is in its place.
    OtherHistory {
        /// The position that the caller named.
        asked: Position,
        /// The position of this log with that sequence.
        found: Position,
    },
    /// Two snapshots are of different stores, so that their entities have nothing in common.
    OtherStore {
        /// The identity of the store of the one.
        this: u64,
        /// The identity of the store of the other.
        other: u64,
    },
    /// The snapshot was made by [`Snapshot::with`](crate::Snapshot::with), or is of a store without a log: no transaction
    /// of this store follows it.
    NotOfTheLog,
    /// The frame is before the snapshot that the store began at.
    BeforeBeginning {
        /// The frame that the caller named.
        seq: Seq,
        /// The last frame before the store began.
        beginning: Seq,
    },
    /// The time is before the snapshot that the store began at.
    BeforeBeginningAt {
        /// The time that the caller named.
        time: Timestamp,
        /// The time of that snapshot.
        beginning: Timestamp,
    },
    /// The range begins after its end.
    InvalidRange {
        /// The first frame of the range.
        from: Seq,
        /// The frame before which it ends.
        until: Seq,
    },
    /// The entity has no such edge.
    UnknownEdge {
        /// The type of the entity.
        entity: Name,
        /// The name that the caller gave.
        edge: Name,
    },
    /// The text is not a valid name of a subscription.
    InvalidName {
        /// The name that the caller gave.
        name: Name,
    },
    /// Only a subscription with a name can be acknowledged.
    Unnamed,
    /// A named subscription writes its position, and the store is open for reading only.
    ReadOnly,
    /// The store keeps no log.
    Unlogged,
    /// What a named subscription acknowledged last is not in this log.
    Cursor {
        /// The name of the subscription.
        name: Name,
        /// The file that holds its position, where there is one.
        path: Option<PathBuf>,
        /// Why the log does not have it.
        source: Box<ReadError>,
    },
    /// The log could not be read.
    Storage(StorageError),
}

// Results are passed on by value.
const _: () = assert!(size_of::<ReadError>() <= 80);

/// What a consumer does that is ahead of a log, or beside it.
const REBUILD: &str = "rebuild what was made from frames that this log does not have";

impl ReadError {
    /// What a caller can do about it.
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
            | Self::Unnamed
            | Self::Unlogged => ErrorKind::Invalid,
            Self::ReadOnly => ErrorKind::Unavailable,
            Self::Cursor { source, .. } => source.kind(),
            Self::Storage(e) => e.kind(),
        }
    }

    /// The error without the subscription that it is about.
    fn underlying(&self) -> &Self {
        match self {
            Self::Cursor { source, .. } => source.underlying(),
            _ => self,
        }
    }

    /// Whether the frame or the time lies past the end of the log.
    #[must_use]
    pub fn is_ahead(&self) -> bool {
        matches!(self.underlying(), Self::Ahead { .. } | Self::NotYet { .. })
    }

    /// Whether the position, the snapshot or the log itself is of another store, or of another history of this one.
    #[must_use]
    pub fn is_other_history(&self) -> bool {
        match self.underlying() {
            Self::OtherHistory { .. } | Self::OtherStore { .. } | Self::NotOfTheLog => true,
            Self::Storage(e) => e.is_replaced(),
            _ => false,
        }
    }

    /// Whether the frame or the time lies before the snapshot that the store began at.
    #[must_use]
    pub fn is_before_beginning(&self) -> bool {
        matches!(
            self.underlying(),
            Self::BeforeBeginning { .. } | Self::BeforeBeginningAt { .. }
        )
    }

    /// Whether the store keeps no log.
    #[must_use]
    pub fn is_unlogged(&self) -> bool {
        matches!(self, Self::Unlogged)
    }

    /// The frame that the caller named, or where the log could not be read.
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

    /// The same error, with the place of its frame in a file.
    pub(crate) fn map_storage(self, map: impl FnOnce(StorageError) -> StorageError) -> Self {
        match self {
            Self::Storage(e) => Self::Storage(map(e)),
            e => e,
        }
    }

    /// As a failure of storage, for what reads on in a log: there, a frame that the log does not have any more means that
    /// the log was replaced.
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

    /// The failure of storage, where it is one.
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
                    ": the log was restored from an older backup, or the number is of another log; {REBUILD}, or call \
                     `refresh` if the store was opened to be read"
                )
            }
            Self::NotYet { time, last, now } => write!(
                f,
                "{time} is in the future: the last transaction of this store was at {last}, and the clock says {now}; \
                 for the graph as it is now, take a snapshot"
            ),
            Self::OtherHistory { asked, found } => {
                write!(f, "the position {asked} is of another history: ")?;
                if asked.store() != found.store() {
                    return write!(
                        f,
                        "it is of the store {:016x}, and this is the store {:016x}; open the store that it is of, or \
                         begin anew from this one",
                        asked.store(),
                        found.store()
                    );
                }
                write!(
                    f,
                    "frame {} has the checksum {:016x} on timeline {:x} there, and {:016x} on timeline {:x} in this \
                     log, which was restored to an earlier point, or lost its end, and went on from there; {REBUILD}",
                    asked.seq(),
                    asked.checksum(),
                    asked.timeline(),
                    found.checksum(),
                    found.timeline()
                )
            }
            Self::OtherStore { this, other } => write!(
                f,
                "the snapshots are of two stores, {this:016x} and {other:016x}, whose entities have nothing in common; \
                 take both from one store, or from one that began at a snapshot of the other"
            ),
            Self::NotOfTheLog => f.write_str(
                "the snapshot was made by `with`, or is of a store without a log, so that no transaction of this store \
                 follows it; take one from the store",
            ),
            Self::BeforeBeginning { seq, beginning } => write!(
                f,
                "this store began at a snapshot, after frame {beginning}, and has no frames before it; ask the store \
                 that the snapshot is of about frame {seq}"
            ),
            Self::BeforeBeginningAt { time, beginning } => write!(
                f,
                "this store began at a snapshot, of {beginning}, and has no frames before it; ask the store that the \
                 snapshot is of about {time}"
            ),
            Self::InvalidRange { from, until } => write!(
                f,
                "the range begins with frame {from} and ends before frame {until}; exchange its bounds"
            ),
            Self::UnknownEdge { entity, edge } => write!(f, "`{entity}` has no edge `{edge}`"),
            Self::InvalidName { name } => write!(
                f,
                "`{name}` is not a valid name of a subscription: write 1 to 100 of the letters a-z, digits, `-` and `_`"
            ),
            Self::Unnamed => f.write_str(
                "only a subscription with a name can be acknowledged: make it with `Store::subscribe_as`",
            ),
            Self::ReadOnly => f.write_str(
                "a named subscription writes its position, and the store is open for reading only; use `subscribe` \
                 with a sequence",
            ),
            Self::Unlogged => f.write_str(
                "this store keeps no log, so that it has neither a past nor transactions to follow; use `Store::memory` \
                 or `Store::open`",
            ),
            Self::Cursor { name, path, source } => {
                write!(f, "the subscription `{name}`")?;
                if let Some(path) = path {
                    let path = path.display();
                    write!(f, " in {path}, which begins anew when that file is removed")?;
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
            // Their messages are part of this one.
            Self::Cursor { source, .. } => source.source(),
            Self::Storage(e) => e.source(),
            _ => None,
        }
    }
}

impl From<StorageError> for ReadError {
    fn from(e: StorageError) -> Self {
        Self::Storage(e)
    }
}

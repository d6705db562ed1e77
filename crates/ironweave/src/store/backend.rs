//! What lies under a store: a log that it writes, a log that it reads, or none.

use std::sync::Arc;

use crate::base::position::{Position, Seq};
use crate::base::storage_error::{AppendError, StorageError, StorageFailure};
use crate::log::{Flush, FrameHeader, LogReader, ReadLog, ReadOnlyLog, TornTail};
use crate::store::commit::{Acknowledged, CommitLog};

pub(crate) enum Backend {
    Writable(CommitLog),
    ReadOnly(ReadOnlyLog),
    /// No log is kept.
    Unlogged,
}

impl Backend {
    /// The log, to be read; none if none is kept.
    pub(crate) fn log(&self) -> Option<&dyn ReadLog> {
        match self {
            Self::Writable(log) => Some(log.log()),
            Self::ReadOnly(log) => Some(log),
            Self::Unlogged => None,
        }
    }

    pub(super) fn append(
        &mut self,
        header: FrameHeader,
        payload: &[u8],
    ) -> Result<(), AppendError> {
        match self {
            Self::Writable(log) => log.append(header, payload),
            // Its transactions are not encoded, so that nothing is appended.
            Self::Unlogged => Err(AppendError::Refused(StorageError::new(
                StorageFailure::Internal,
                "this store keeps no log",
            ))),
            Self::ReadOnly(_) => Err(AppendError::Refused(StorageError::new(
                StorageFailure::ReadOnly,
                "the store was opened to be read only; open it with `Store::open` to take steps",
            ))),
        }
    }

    pub(crate) fn is_writable(&self) -> bool {
        matches!(self, Self::Writable(_))
    }

    pub(crate) fn is_read_only(&self) -> bool {
        matches!(self, Self::ReadOnly(_))
    }

    /// The last frame that is known to be durable.
    pub(crate) fn durable(&self) -> Option<Seq> {
        self.log()?.durable()
    }

    pub(crate) fn sync(&mut self) -> Result<(), StorageError> {
        match self {
            Self::Writable(log) => log.sync(),
            Self::ReadOnly(_) | Self::Unlogged => Ok(()),
        }
    }

    pub(crate) fn close(self) -> Result<(), StorageError> {
        match self {
            Self::Writable(log) => log.close(),
            Self::ReadOnly(_) | Self::Unlogged => Ok(()),
        }
    }

    pub(crate) fn recovered(&self) -> Option<&TornTail> {
        match self {
            Self::Writable(log) => log.recovered(),
            Self::ReadOnly(_) | Self::Unlogged => None,
        }
    }

    /// How far other callers may look.
    pub(crate) fn acknowledged(&self) -> Acknowledged {
        match self {
            Self::Writable(log) => log.acknowledged(),
            Self::ReadOnly(_) | Self::Unlogged => Acknowledged::default(),
        }
    }

    /// See [`CommitLog::flusher`].
    pub(crate) fn flusher(&self) -> Option<Arc<dyn Flush>> {
        match self {
            Self::Writable(log) => log.flusher(),
            Self::ReadOnly(_) | Self::Unlogged => None,
        }
    }

    /// A reader of the directory, for other threads; none of a log in memory.
    pub(crate) fn follower(&self) -> Option<ReadOnlyLog> {
        match self {
            Self::Writable(log) => log.follower(),
            Self::ReadOnly(log) => Some(log.clone()),
            Self::Unlogged => None,
        }
    }

    /// See [`Log::reader`](crate::log::Log::reader).
    pub(crate) fn reader(&mut self, reader: Option<LogReader>) -> Option<LogReader> {
        match self {
            Self::Writable(log) => Some(log.reader(reader)),
            Self::ReadOnly(log) => Some(LogReader::Directory(Box::new(log.clone()))),
            Self::Unlogged => None,
        }
    }

    /// The position of a frame; none if the log does not have it, or cannot be read.
    pub(crate) fn known_position(&self, seq: Seq) -> Option<Position> {
        self.log()?.position_of(seq).ok()?
    }

    /// Adds the file and the offset of the frame to an error that names a frame only.
    #[cold]
    pub(crate) fn place(&self, error: StorageError) -> StorageError {
        match self.log() {
            Some(log) => place(log, error),
            None => error,
        }
    }
}

/// Adds the file and the offset of the frame to an error that names a frame of `log` only.
#[cold]
pub(crate) fn place(log: &dyn ReadLog, error: StorageError) -> StorageError {
    let seq = error.seq().filter(|_| error.segment().is_none());
    match log
        .segments()
        .zip(seq)
        .and_then(|(segments, seq)| segments.place_of(seq))
    {
        Some((segment, offset)) => error.in_file(segment, offset),
        None => error,
    }
}

//! The backend of a store: a log that it writes, a log that it only reads, or no log.

use std::sync::Arc;

use crate::base::position::{Position, Seq};
use crate::base::storage_error::{AppendError, StorageError, StorageFailure};
use crate::log::{
    BatchError, Flush, FrameBatch, FrameHeader, LogReader, MemoryLog, ReadLog, ReadOnlyLog,
    TornTail,
};
use crate::store::commit::{Acknowledged, CommitLog};

pub(crate) enum Backend {
    Writable(CommitLog),
    ReadOnly(Box<ReadOnlyLog>),
    /// The store has no log.
    Unlogged,
}

impl Backend {
    /// Returns the log for reading, or `None` if the store has no log.
    pub(crate) fn log(&self) -> Option<&dyn ReadLog> {
        match self {
            Self::Writable(log) => Some(log.log()),
            Self::ReadOnly(log) => Some(&**log),
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
            Self::Unlogged | Self::ReadOnly(_) => Err(AppendError::Refused(self.refusal())),
        }
    }

    /// Returns the counters of the syncs of the log.
    #[cfg(feature = "tracing")]
    pub(super) fn syncs(&self) -> Option<Arc<crate::base::meter::Syncs>> {
        match self {
            Self::Writable(log) => log.flusher()?.syncs(),
            Self::Unlogged | Self::ReadOnly(_) => None,
        }
    }

    /// See [`CommitLog::append_group`].
    pub(super) fn append_group(
        &mut self,
        frames: &[(FrameHeader, Vec<u8>)],
    ) -> Result<(), AppendError> {
        match self {
            Self::Writable(log) => log.append_group(frames),
            Self::Unlogged | Self::ReadOnly(_) => Err(AppendError::Refused(self.refusal())),
        }
    }

    /// See [`CommitLog::memory`].
    #[inline(always)]
    pub(super) fn memory(&mut self) -> Option<&mut MemoryLog> {
        match self {
            Self::Writable(log) => log.memory(),
            Self::Unlogged | Self::ReadOnly(_) => None,
        }
    }

    /// See [`CommitLog::append_all`].
    pub(super) fn append_all(&mut self, frames: &mut FrameBatch) -> Result<(), BatchError> {
        match self {
            Self::Writable(log) => log.append_all(frames),
            Self::Unlogged | Self::ReadOnly(_) => Err(BatchError {
                appended: 0,
                error: AppendError::Refused(self.refusal()),
            }),
        }
    }

    /// Returns the error of an append to a log that is not written.
    #[cold]
    fn refusal(&self) -> StorageError {
        if self.is_read_only() {
            return StorageError::new(
                StorageFailure::ReadOnly,
                "the store is open for reading only; open it with `Store::open` to take steps",
            );
        }
        // A store without a log does not encode transactions, and so never appends.
        StorageError::new(StorageFailure::Internal, "this store has no log")
    }

    pub(crate) fn is_writable(&self) -> bool {
        matches!(self, Self::Writable(_))
    }

    pub(crate) fn is_read_only(&self) -> bool {
        matches!(self, Self::ReadOnly(_))
    }

    /// Returns the last frame that is known to be durable.
    pub(crate) fn durable(&self) -> Option<Seq> {
        self.log()?.durable()
    }

    pub(crate) fn sync(&mut self) -> Result<(), StorageError> {
        match self {
            Self::Writable(log) => log.sync(),
            Self::ReadOnly(_) | Self::Unlogged => Ok(()),
        }
    }

    /// See [`CommitLog::restart_checkpoints`].
    pub(super) fn restart_checkpoints(&mut self) {
        if let Self::Writable(log) = self {
            log.restart_checkpoints();
        }
    }

    /// See [`CommitLog::last_index_error`].
    pub(super) fn last_index_error(&self) -> Option<StorageError> {
        match self {
            Self::Writable(log) => log.last_index_error(),
            Self::ReadOnly(_) | Self::Unlogged => None,
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

    /// Returns the limit up to which transactions may be shown to other callers.
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

    /// See [`Log::reader`](crate::log::Log::reader).
    pub(crate) fn reader(&self, reader: Option<LogReader>) -> Option<LogReader> {
        match self {
            Self::Writable(log) => Some(log.reader(reader)),
            Self::ReadOnly(log) => Some(LogReader::Directory(log.clone())),
            Self::Unlogged => None,
        }
    }

    /// Returns the position of a frame, or `None` if the log does not have it or cannot be read.
    pub(crate) fn known_position(&self, seq: Seq) -> Option<Position> {
        self.log()?.position_of(seq).ok()?
    }

    /// Adds the file and the offset of the frame to an error that has only a sequence number.
    #[cold]
    pub(crate) fn place(&self, error: StorageError) -> StorageError {
        match self.log() {
            Some(log) => place(log, error),
            None => error,
        }
    }
}

/// Adds the file and the offset of the frame in `log` to an error that has only a sequence number.
#[cold]
pub(crate) fn place(log: &dyn ReadLog, error: StorageError) -> StorageError {
    let seq = error.seq().filter(|_| error.segment().is_none());
    match log
        .segments()
        .zip(seq)
        .and_then(|(segments, seq)| segments.location_of(seq))
    {
        Some(location) => error.in_file(&location),
        None => error,
    }
}

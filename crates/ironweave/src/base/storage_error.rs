//! The errors of storage: [`StorageError`], which is opaque and has predicates, and [`AppendError`].
//!
//! Each message states what happened, where (file, offset, sequence number) and what to do.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::base::error::{ErrorKind, FrameLocation};
use crate::base::position::Seq;

/// The version of the on-disk format that this program writes.
pub(crate) const FORMAT_VERSION: u16 = 3;
/// The oldest version of the on-disk format that this program reads.
pub(crate) const FORMAT_VERSION_MIN: u16 = 2;

/// The category of a [`StorageError`], which determines its predicates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StorageFailure {
    /// An operation of the operating system failed.
    Io,
    /// The directory has no store.
    NotFound,
    /// Another process, or another part of this one, has the store open for writing.
    Locked,
    /// Durable data is missing or altered.
    Damage,
    /// A file beside the log cannot be read, and may be removed: a cursor, or the table of a fold.
    Removable,
    /// The log ends in a torn tail, and the open was strict.
    Torn,
    /// An earlier write or fsync failed. The log accepts no appends until it is opened again.
    Stopped,
    /// The async store was closed.
    #[cfg_attr(not(feature = "async"), allow(dead_code))]
    Closed,
    /// The format version is not supported.
    Version,
    /// A frame exceeds the limit on its length.
    TooLarge,
    /// The log was replaced by another one while it was read.
    Replaced,
    /// Frames are in an archive that cannot be read: it is missing, or the program lacks the feature that reads it.
    Archived,
    /// The frames were dropped.
    Dropped,
    /// The log is open for reading only. A step returns it as [`StepError::ReadOnly`](crate::StepError::ReadOnly).
    ReadOnly,
    /// A defect of ironweave, found before anything was written.
    Internal,
}

/// A failure of storage. Its message states what happened, where, and what to do.
pub struct StorageError(Box<Inner>);

struct Inner {
    failure: StorageFailure,
    message: String,
    segment: Option<PathBuf>,
    offset: Option<u64>,
    seq: Option<Seq>,
    holder: Option<u32>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl StorageError {
    /// Returns an error with a complete message.
    pub(crate) fn new(failure: StorageFailure, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            failure,
            message: message.into(),
            segment: None,
            offset: None,
            seq: None,
            holder: None,
            source: None,
        }))
    }

    /// Returns an error about a frame that the caller requested.
    pub(crate) fn at(failure: StorageFailure, seq: Seq, message: impl Into<String>) -> Self {
        Self::new(failure, message).with_seq(seq)
    }

    /// Returns the error with the frame that it is about.
    pub(crate) fn with_seq(mut self, seq: Seq) -> Self {
        self.0.seq = Some(seq);
        self
    }

    /// Returns the error with the location of its frame, which is also put in front of its message.
    pub(crate) fn in_file(mut self, at: &FrameLocation) -> Self {
        self.0.message = format!("{at}: {}", self.0.message);
        self.0.segment = Some(at.segment.to_path_buf());
        self.0.offset = Some(at.offset);
        self
    }

    /// Returns the error with the location that its message has already.
    pub(crate) fn with_location(mut self, segment: &Path, offset: u64, seq: Option<Seq>) -> Self {
        self.0.segment = Some(segment.to_owned());
        self.0.offset = Some(offset);
        self.0.seq = seq;
        self
    }

    /// Returns the error with its cause, which is not part of the message.
    pub(crate) fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Returns the error of a failed operation on a file. `action` completes the message "cannot ..".
    pub(crate) fn io(action: &str, path: &Path, error: io::Error) -> Self {
        Self::io_at(action, &path.display(), error)
    }

    /// Returns the error of a thread that the operating system did not start.
    pub(crate) fn no_thread(what: &str, error: io::Error) -> Self {
        let message =
            format!("cannot start {what}: {error}; raise the limit of threads and repeat the call");
        Self::new(StorageFailure::Io, message).with_source(error)
    }

    /// Returns the error of a failed attempt to read a frame.
    pub(crate) fn unreadable(segment: &Path, offset: u64, seq: Option<Seq>, e: io::Error) -> Self {
        // A file in an archive that cannot be decompressed.
        if e.kind() == io::ErrorKind::InvalidData {
            return Self::damage(segment, offset, seq, &e.to_string());
        }
        let path = segment.display();
        let location = match seq {
            Some(seq) => format!("frame {seq} in {path} at offset {offset}"),
            None => format!("{path} at offset {offset}"),
        };
        Self::io_at("read", &location, e).with_location(segment, offset, seq)
    }

    fn io_at(action: &str, path: &dyn fmt::Display, error: io::Error) -> Self {
        let message = match error.kind() {
            io::ErrorKind::StorageFull => {
                format!("cannot {action} {path}: the disk is full ({error}); free some space")
            }
            io::ErrorKind::QuotaExceeded => {
                format!(
                    "cannot {action} {path}: the disk quota is used up ({error}); raise it or free some space"
                )
            }
            io::ErrorKind::FileTooLarge => {
                format!(
                    "cannot {action} {path}: it would exceed the file size limit ({error}); raise the limit \
                     (`ulimit -f`)"
                )
            }
            io::ErrorKind::ReadOnlyFilesystem => {
                format!(
                    "cannot {action} {path}: {error}; use a directory on a writable file system"
                )
            }
            io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
                format!("cannot {action} {path}: {error}; remove or rename what is at this path")
            }
            io::ErrorKind::PermissionDenied => {
                format!("cannot {action} {path}: {error}; grant this user the permission")
            }
            io::ErrorKind::NotFound => format!(
                "cannot {action} {path}: {error}; check the path, and whether its file system is mounted"
            ),
            _ => format!(
                "cannot {action} {path}: {error}; check the disk and the log of the operating system"
            ),
        };
        Self::new(StorageFailure::Io, message).with_source(error)
    }

    /// Returns the error of durable data that is missing or altered. `what` is a sentence without its full stop.
    pub(crate) fn damage(segment: &Path, offset: u64, seq: Option<Seq>, what: &str) -> Self {
        let location = match seq {
            Some(seq) => format!("frame {seq}, {} at offset {offset}", segment.display()),
            None => format!("{} at offset {offset}", segment.display()),
        };
        let message = format!(
            "the log is damaged ({location}): {what}; no file was changed; restore the file from a backup or a replica, or \
             open a copy of the directory that ends before this location"
        );
        Self::new(StorageFailure::Damage, message).with_location(segment, offset, seq)
    }

    /// Returns the error of a segment that a log lacks. `why` tells how it is known that the segment existed.
    pub(crate) fn missing_segment(segment: &Path, first: Seq, why: &str) -> Self {
        let path = segment.display();
        let message = format!(
            "the log is damaged: the file {path}, which begins with frame {first}, is missing: {why}; no file was changed; \
             restore the file from a backup or a replica"
        );
        Self::new(StorageFailure::Damage, message).with_location(segment, 0, Some(first))
    }

    /// Returns the error of a file `HEAD` that cannot be read.
    pub(crate) fn broken_head(path: &Path, why: &str) -> Self {
        let message = format!(
            "the log is damaged: {} {why}, so it is unknown which frames were durable; no file was changed; restore this file \
             from a backup or a replica, or move it away to open the segments without it, and compare their last frame with \
             what was acknowledged",
            path.display()
        );
        Self::new(StorageFailure::Damage, message).with_location(path, 0, None)
    }

    /// Returns the error of a file beside the log that cannot be read. `what` names the file, and `advice` says what
    /// removing it does.
    pub(crate) fn removable(path: &Path, what: &str, why: &str, advice: &str) -> Self {
        let mut error = Self::new(
            StorageFailure::Removable,
            format!(
                "{what} in {} cannot be read: {why}; the log is not affected; remove this file to {advice}",
                path.display()
            ),
        );
        error.0.segment = Some(path.to_owned());
        error
    }

    /// Returns the error of a torn tail that a strict open found.
    pub(crate) fn torn(segment: &Path, offset: u64, seq: Seq, what: &str) -> Self {
        let mut error = Self::new(
            StorageFailure::Torn,
            format!(
                "the log ends in a torn tail (frame {seq}, {} at offset {offset}): {what}; the tail was never \
                 acknowledged as durable; no file was changed; open without `strict` to move the tail to a file beside \
                 the segment",
                segment.display()
            ),
        );
        error.0.segment = Some(segment.to_owned());
        error.0.offset = Some(offset);
        error.0.seq = Some(seq);
        error
    }

    /// Returns the error of a file whose format version this program does not support. `what` names the part of the file.
    pub(crate) fn other_version(path: &Path, what: &str, version: u16) -> Self {
        if version > FORMAT_VERSION {
            return Self::version(path, &format!("{what} of format version {version}"));
        }
        Self::new(
            StorageFailure::Version,
            format!(
                "{} has {what} of format version {version}, and this program reads only the versions from \
                 {FORMAT_VERSION_MIN} to {FORMAT_VERSION}; no file was changed; open it with the version of ironweave that \
                 wrote it, or create a store in another directory",
                path.display()
            ),
        )
    }

    /// Returns the error of a file that needs a newer version of this program. `what` names the part of the file.
    pub(crate) fn version(path: &Path, what: &str) -> Self {
        Self::new(
            StorageFailure::Version,
            format!(
                "{} has {what}, which this version of ironweave cannot read; no file was changed; open it with a newer \
                 version",
                path.display()
            ),
        )
    }

    /// Returns the error of a store that `holder` has open for writing.
    pub(crate) fn locked(dir: &Path, holder: Option<u32>) -> Self {
        let process = match holder {
            Some(pid) if pid == std::process::id() => format!("this process (pid {pid})"),
            Some(pid) => format!("process {pid}"),
            None => "another process".to_owned(),
        };
        let mut error = Self::new(
            StorageFailure::Locked,
            format!(
                "the store in {} is open for writing in {process}; close it there, or open it read-only here",
                dir.display()
            ),
        );
        error.0.holder = holder;
        error
    }

    /// Returns the error of a write in a fork of the process that opened the log.
    pub(crate) fn forked(dir: &Path, process: u32) -> Self {
        let mut error = Self::new(
            StorageFailure::Locked,
            format!(
                "the store in {} was opened by process {process}, of which this process, {}, is a fork; nothing was \
                 written; open the store after forking, in one process for writing and in others read-only",
                dir.display(),
                std::process::id()
            ),
        );
        error.0.holder = Some(process);
        error
    }

    /// Returns the error of a log that stopped because of an earlier failure.
    pub(crate) fn stopped(cause: &str) -> Self {
        Self::new(
            StorageFailure::Stopped,
            format!(
                "the log has stopped because an earlier operation failed ({cause}); open it again, which keeps all \
                 complete frames, and repeat the failed request under its idempotency key"
            ),
        )
    }

    /// Returns the error of a call that came after an async store was closed.
    #[cfg(feature = "async")]
    pub(crate) fn closed() -> Self {
        Self::new(
            StorageFailure::Closed,
            "the store was closed before this call, of which nothing was done; open it again",
        )
    }

    /// Returns the same error, for another caller whose operation the failure concerns too. The source is copied if it is an
    /// [`io::Error`].
    pub(crate) fn duplicate(&self) -> Self {
        let inner = &*self.0;
        let source = (inner.source.as_deref()).and_then(|source| source.downcast_ref());
        let source = source.map(|source: &io::Error| match source.raw_os_error() {
            Some(code) => io::Error::from_raw_os_error(code),
            None => io::Error::new(source.kind(), source.to_string()),
        });
        Self(Box::new(Inner {
            failure: inner.failure,
            message: inner.message.clone(),
            segment: inner.segment.clone(),
            offset: inner.offset,
            seq: inner.seq,
            holder: inner.holder,
            source: source.map(Into::into),
        }))
    }

    /// Returns the kind of the error, which determines what a caller can do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self.0.failure {
            StorageFailure::NotFound | StorageFailure::Dropped => ErrorKind::NotFound,
            StorageFailure::TooLarge => ErrorKind::Invalid,
            StorageFailure::Replaced => ErrorKind::Conflict,
            StorageFailure::Io
            | StorageFailure::Locked
            | StorageFailure::Stopped
            | StorageFailure::Closed
            | StorageFailure::Archived
            | StorageFailure::ReadOnly => ErrorKind::Unavailable,
            StorageFailure::Damage
            | StorageFailure::Removable
            | StorageFailure::Torn
            | StorageFailure::Version
            | StorageFailure::Internal => ErrorKind::Internal,
        }
    }

    /// Returns the category of the failure.
    pub(crate) fn failure(&self) -> StorageFailure {
        self.0.failure
    }

    /// Returns whether an operation of the operating system failed. The source is the [`io::Error`].
    #[must_use]
    pub fn is_io(&self) -> bool {
        self.0.failure == StorageFailure::Io
    }

    /// Returns whether the disk is full, the quota is used up, or a file would exceed the limit on its size.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(
            self.io_kind(),
            Some(
                io::ErrorKind::StorageFull
                    | io::ErrorKind::QuotaExceeded
                    | io::ErrorKind::FileTooLarge
            )
        )
    }

    /// Returns whether the directory has no store.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.0.failure == StorageFailure::NotFound
    }

    /// Returns whether the store is open for writing elsewhere. See [`StorageError::holder`].
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.0.failure == StorageFailure::Locked
    }

    /// Returns whether durable data is missing or altered. [`StorageError::segment`], `offset` and `seq` locate it.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        self.0.failure == StorageFailure::Damage
    }

    /// Returns whether a file beside the log cannot be read that may be removed: a cursor of a subscription, or the table of a
    /// fold. [`StorageError::segment`] is the file.
    #[must_use]
    pub fn is_removable(&self) -> bool {
        self.0.failure == StorageFailure::Removable
    }

    /// Returns whether a strict open found a torn tail.
    #[must_use]
    pub fn is_torn(&self) -> bool {
        self.0.failure == StorageFailure::Torn
    }

    /// Returns whether an earlier failure stopped the log.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.0.failure == StorageFailure::Stopped
    }

    /// Returns whether the call came after an async store was closed. Nothing was done.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.failure == StorageFailure::Closed
    }

    /// Returns whether this version of ironweave cannot read the format of the store.
    #[must_use]
    pub fn is_version(&self) -> bool {
        self.0.failure == StorageFailure::Version
    }

    /// Returns whether the log was replaced by another one, such as an older backup of it, while it was read.
    #[must_use]
    pub fn is_replaced(&self) -> bool {
        self.0.failure == StorageFailure::Replaced
    }

    /// Returns whether frames are needed that are in an archive which cannot be read: its file is missing, or this program
    /// lacks the feature `archive`. [`StorageError::segment`] is the file, and [`StorageError::seq`] its first frame.
    #[must_use]
    pub fn is_archived(&self) -> bool {
        self.0.failure == StorageFailure::Archived
    }

    /// Returns whether frames are needed that were [dropped](crate::RetentionPlan). [`StorageError::seq`] is the first
    /// one that the log still has.
    #[must_use]
    pub fn is_dropped(&self) -> bool {
        self.0.failure == StorageFailure::Dropped
    }

    /// Returns whether a frame exceeds the limit on its length.
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        self.0.failure == StorageFailure::TooLarge
    }

    /// Returns the file in which damage or a torn tail was found, or that is missing.
    #[must_use]
    pub fn segment(&self) -> Option<&Path> {
        self.0.segment.as_deref()
    }

    /// Returns the offset in that file, in bytes.
    #[must_use]
    pub fn offset(&self) -> Option<u64> {
        self.0.offset
    }

    /// Returns the frame that was expected at that location, or that the caller requested.
    #[must_use]
    pub fn seq(&self) -> Option<Seq> {
        self.0.seq
    }

    /// Returns the id of the process that holds the lock, if it is known.
    #[must_use]
    pub fn holder(&self) -> Option<u32> {
        self.0.holder
    }

    /// Returns whether the operation failed because a file does not exist.
    pub(crate) fn is_missing_file(&self) -> bool {
        self.io_kind() == Some(io::ErrorKind::NotFound)
    }

    fn io_kind(&self) -> Option<io::ErrorKind> {
        let source = self.0.source.as_deref()?;
        Some(source.downcast_ref::<io::Error>()?.kind())
    }
}

impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StorageError({:?}: {})", self.0.failure, self.0.message)
    }
}

impl Error for StorageError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

/// The error of an append to a log.
#[derive(Debug)]
#[non_exhaustive]
pub enum AppendError {
    /// The frame is not the next one, because another writer appended. Nothing was written.
    Conflict {
        /// The sequence number of the next frame of the log.
        expected: Seq,
        /// The sequence number of the frame that was to be appended.
        found: Seq,
    },
    /// Nothing was written. The log accepts further appends, unless this error or the next one is
    /// [`StorageError::is_stopped`].
    Refused(StorageError),
    /// A write or fsync failed. The frame may or may not be in the log after the next open. The log has stopped.
    Indeterminate(StorageError),
}

impl AppendError {
    /// Returns the failure of storage. A conflict, which another writer causes, becomes one.
    pub(crate) fn into_storage(self) -> StorageError {
        match self {
            Self::Refused(error) | Self::Indeterminate(error) => error,
            Self::Conflict { .. } => StorageError::stopped(&self.to_string()),
        }
    }
}

impl fmt::Display for AppendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict { expected, found } => {
                write!(
                    f,
                    "frame {found} cannot be appended, since the next frame of the log is {expected}; read the log to \
                     its end and try again"
                )
            }
            Self::Refused(error) => write!(f, "the frame was not written: {error}"),
            Self::Indeterminate(error) => write!(
                f,
                "the frame may or may not be on disk: {error}; the log has stopped; open it again to find out"
            ),
        }
    }
}

impl Error for AppendError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Conflict { .. } => None,
            Self::Refused(error) | Self::Indeterminate(error) => Some(error),
        }
    }
}

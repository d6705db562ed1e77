//! What can go wrong with storage: one opaque error with predicates, and the outcomes of an append.
//!
//! A message says what happened, where (file, offset, sequence) and what to do about it.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::base::error::ErrorKind;
use crate::base::position::Seq;

/// The version of the on-disk format that this program writes.
pub(crate) const FORMAT_VERSION: u16 = 2;

/// What sort of failure a [`StorageError`] is, for the predicates that callers use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StorageFailure {
    /// The operating system refused an operation.
    Io,
    /// There is no store there.
    NotFound,
    /// Another process, or another part of this one, has the store open for writing.
    Locked,
    /// Something that was durable is missing or altered.
    Damage,
    /// The log ends in a torn tail, and the caller wanted a whole one.
    Torn,
    /// An earlier write or fsync failed: the log accepts nothing more until it is opened again.
    Stopped,
    /// Written in a format that this version does not know.
    Version,
    /// A frame beyond the limit on length.
    TooLarge,
    /// The log was replaced by another one while it was read.
    Replaced,
    /// The log is open for reading only. A step tells it as an outcome of its own.
    ReadOnly,
    /// A defect of ironweave, found before anything was written.
    Internal,
}

/// A failure of storage. Its message says what happened, where, and what to do.
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
    /// An error with a message that can stand by itself.
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

    /// An error about a frame that a caller has named.
    pub(crate) fn at(failure: StorageFailure, seq: Seq, message: impl Into<String>) -> Self {
        Self::new(failure, message).with_seq(seq)
    }

    /// The same error, which is about a frame.
    pub(crate) fn with_seq(mut self, seq: Seq) -> Self {
        self.0.seq = Some(seq);
        self
    }

    /// The same error, with the place of its frame, which stands before the message.
    pub(crate) fn in_file(mut self, segment: PathBuf, offset: u64) -> Self {
        self.0.message = format!(
            "{} at offset {offset}: {}",
            segment.display(),
            self.0.message
        );
        self.0.segment = Some(segment);
        self.0.offset = Some(offset);
        self
    }

    /// The same error, which is about a place of a file that its message names.
    pub(crate) fn with_place(mut self, segment: &Path, offset: u64, seq: Option<Seq>) -> Self {
        self.0.segment = Some(segment.to_owned());
        self.0.offset = Some(offset);
        self.0.seq = seq;
        self
    }

    /// The same error, with its cause; the cause is not part of the message.
    pub(crate) fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// A failed operation on a file: `action` completes "cannot ..".
    pub(crate) fn io(action: &str, path: &Path, error: io::Error) -> Self {
        let path = path.display();
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
                    "cannot {action} {path}: it would pass the file size limit ({error}); raise the limit \
                     (`ulimit -f`)"
                )
            }
            io::ErrorKind::ReadOnlyFilesystem => {
                format!(
                    "cannot {action} {path}: {error}; use a directory on a file system that can be written"
                )
            }
            io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
                format!("cannot {action} {path}: {error}; something else stands in its place")
            }
            io::ErrorKind::PermissionDenied => {
                format!("cannot {action} {path}: {error}; grant this user the permission")
            }
            _ => format!("cannot {action} {path}: {error}"),
        };
        Self::new(StorageFailure::Io, message).with_source(error)
    }

    /// Something durable is missing or altered. `what` is a sentence without its full stop.
    pub(crate) fn damage(segment: &Path, offset: u64, seq: Option<Seq>, what: &str) -> Self {
        let place = match seq {
            Some(seq) => format!("frame {seq}, {} at offset {offset}", segment.display()),
            None => format!("{} at offset {offset}", segment.display()),
        };
        let mut error = Self::new(
            StorageFailure::Damage,
            format!(
                "the log is damaged ({place}): {what}; nothing was changed: restore this file from a backup or a \
                 replica, or open a copy of the directory that ends before this place"
            ),
        );
        error.0.segment = Some(segment.to_owned());
        error.0.offset = Some(offset);
        error.0.seq = seq;
        error
    }

    /// A tail that a strict open does not cut.
    pub(crate) fn torn(segment: &Path, offset: u64, seq: Seq, what: &str) -> Self {
        let mut error = Self::new(
            StorageFailure::Torn,
            format!(
                "the log ends in a torn tail (frame {seq}, {} at offset {offset}): {what}; it was never known to be \
                 durable; nothing was changed: open without `strict` to cut it and keep it beside the segment",
                segment.display()
            ),
        );
        error.0.segment = Some(segment.to_owned());
        error.0.offset = Some(offset);
        error.0.seq = Some(seq);
        error
    }

    /// `what` is of another format version than this program writes.
    pub(crate) fn other_version(path: &Path, what: &str, version: u16) -> Self {
        if version >= FORMAT_VERSION {
            return Self::version(path, &format!("{what} of format version {version}"));
        }
        Self::new(
            StorageFailure::Version,
            format!(
                "{} has {what} of format version {version}, and this program reads version {FORMAT_VERSION} only; nothing was \
                 changed: open it with the ironweave that wrote it, or begin anew in another directory",
                path.display()
            ),
        )
    }

    /// `what` is the thing that this program is too old for.
    pub(crate) fn version(path: &Path, what: &str) -> Self {
        Self::new(
            StorageFailure::Version,
            format!(
                "{} has {what}, which this program is too old to read; nothing was changed: open it with a newer \
                 ironweave",
                path.display()
            ),
        )
    }

    pub(crate) fn locked(dir: &Path, holder: Option<u32>) -> Self {
        let who = match holder {
            Some(pid) if pid == std::process::id() => format!("this process (pid {pid})"),
            Some(pid) => format!("process {pid}"),
            None => "another process".to_owned(),
        };
        let mut error = Self::new(
            StorageFailure::Locked,
            format!(
                "the store in {} is open for writing in {who}; close it there, or open it read-only here",
                dir.display()
            ),
        );
        error.0.holder = holder;
        error
    }

    /// The log is asked to write in a fork of the process that opened it.
    pub(crate) fn forked(dir: &Path, process: u32) -> Self {
        let mut error = Self::new(
            StorageFailure::Locked,
            format!(
                "the store in {} was opened by process {process}, and this process, {}, is a fork of that: nothing was \
                 written; open it in one process, after it was forked, and elsewhere read-only",
                dir.display(),
                std::process::id()
            ),
        );
        error.0.holder = Some(process);
        error
    }

    pub(crate) fn stopped(cause: &str) -> Self {
        Self::new(
            StorageFailure::Stopped,
            format!(
                "the log has stopped, since an earlier operation failed ({cause}); open it again: what is whole on \
                 the disk is kept, and the idempotency key of the failed request tells whether it is there"
            ),
        )
    }

    /// What a caller can do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self.0.failure {
            StorageFailure::NotFound => ErrorKind::NotFound,
            StorageFailure::TooLarge => ErrorKind::Invalid,
            StorageFailure::Replaced => ErrorKind::Conflict,
            StorageFailure::Io
            | StorageFailure::Locked
            | StorageFailure::Stopped
            | StorageFailure::ReadOnly => ErrorKind::Unavailable,
            StorageFailure::Damage
            | StorageFailure::Torn
            | StorageFailure::Version
            | StorageFailure::Internal => ErrorKind::Internal,
        }
    }

    /// What sort of failure this is.
    pub(crate) fn failure(&self) -> StorageFailure {
        self.0.failure
    }

    /// Whether the operating system refused an operation; the source is the [`io::Error`].
    #[must_use]
    pub fn is_io(&self) -> bool {
        self.0.failure == StorageFailure::Io
    }

    /// Whether there is no room: on the disk, in the quota, or within the limit on the size of a file.
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

    /// Whether there is no store there.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.0.failure == StorageFailure::NotFound
    }

    /// Whether the store is open for writing elsewhere; see [`StorageError::holder`].
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.0.failure == StorageFailure::Locked
    }

    /// Whether something durable is missing or altered; see [`StorageError::segment`], `offset` and `seq`.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        self.0.failure == StorageFailure::Damage
    }

    /// Whether a strict open found a torn tail.
    #[must_use]
    pub fn is_torn(&self) -> bool {
        self.0.failure == StorageFailure::Torn
    }

    /// Whether an earlier failure stopped the log.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.0.failure == StorageFailure::Stopped
    }

    /// Whether it was written in a format that this version of ironweave does not read.
    #[must_use]
    pub fn is_version(&self) -> bool {
        self.0.failure == StorageFailure::Version
    }

    /// Whether the log was replaced by another one, such as an older backup of it, while it was read.
    #[must_use]
    pub fn is_replaced(&self) -> bool {
        self.0.failure == StorageFailure::Replaced
    }

    /// Whether a frame is beyond the limit on length.
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        self.0.failure == StorageFailure::TooLarge
    }

    /// The file in which damage or a torn tail was found.
    #[must_use]
    pub fn segment(&self) -> Option<&Path> {
        self.0.segment.as_deref()
    }

    /// The offset in that file.
    #[must_use]
    pub fn offset(&self) -> Option<u64> {
        self.0.offset
    }

    /// The frame that should have been there, or that a caller has named.
    #[must_use]
    pub fn seq(&self) -> Option<Seq> {
        self.0.seq
    }

    /// The process that holds the lock, where it is known.
    #[must_use]
    pub fn holder(&self) -> Option<u32> {
        self.0.holder
    }

    /// A file was not there that was there before.
    pub(crate) fn is_gone(&self) -> bool {
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

/// Why an append did not give a receipt.
#[derive(Debug)]
#[non_exhaustive]
pub enum AppendError {
    /// The frame is not the next one: another writer appended. Nothing was written.
    Conflict {
        /// The sequence that the log would take.
        expected: Seq,
        /// The sequence of the frame that was offered.
        found: Seq,
    },
    /// Nothing was written. The log goes on, unless the error (or the next one) is
    /// [`StorageError::is_stopped`].
    Refused(StorageError),
    /// A write or fsync failed midway: the frame may or may not be there after the next open. The log has
    /// stopped.
    Indeterminate(StorageError),
}

impl fmt::Display for AppendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict { expected, found } => {
                write!(
                    f,
                    "frame {found} was offered, but the log takes frame {expected} next; catch up and try again"
                )
            }
            Self::Refused(error) => write!(f, "the frame was not written: {error}"),
            Self::Indeterminate(error) => write!(
                f,
                "it is not known whether the frame is on the disk: {error}; the log has stopped: open it again to know"
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

//! What can come of projecting a store into a table, and of following it: one enum for each operation.

use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::base::error::{ErrorKind, ReadError};
use crate::base::position::Seq;
use crate::base::storage_error::StorageError;

/// Why [`Store::project_into`](crate::Store::project_into) and what belongs to it failed, or why a kept table was not
/// used.
#[non_exhaustive]
#[derive(Debug)]
pub enum ProjectError {
    /// The table was kept by another version of the fold.
    Version {
        /// The file of the table.
        path: PathBuf,
        /// [`Fold::VERSION`](crate::Fold::VERSION) when it was kept; `None` of a format that an earlier version of
        /// ironweave wrote.
        kept: Option<u32>,
        /// [`Fold::VERSION`](crate::Fold::VERSION) of the program.
        wanted: u32,
    },
    /// The table is of transactions that this log does not have: the log was restored from a backup, or is of another
    /// store.
    OtherHistory {
        /// The file of the table.
        path: PathBuf,
        /// Why the log does not have the last of them.
        source: Box<ReadError>,
    },
    /// The table is ahead of a store that is open for reading only and has not been
    /// [refreshed](crate::Store::refresh) since.
    NotRefreshed {
        /// The file of the table.
        path: PathBuf,
        /// The last transaction in the table.
        seq: Seq,
    },
    /// The table has the version of this fold, and cannot be read as its type.
    OtherFold {
        /// The file of the table.
        path: PathBuf,
        /// [`Fold::VERSION`](crate::Fold::VERSION) of both.
        version: u32,
        /// What could not be read.
        reason: String,
    },
    /// The table cannot be written as CBOR.
    Unwritable {
        /// The file of the table.
        path: PathBuf,
        /// What could not be written.
        reason: String,
    },
    /// A transaction could not be folded, so that the table has it in part; see [`FoldError::Fold`].
    Incomplete,
    /// The log could not be read.
    Read(ReadError),
    /// The file of the table is damaged or could not be read or written, or the log could not be synced.
    Storage(StorageError),
}

// Results are passed on by value.
const _: () = assert!(size_of::<ProjectError>() <= 80);

impl ProjectError {
    /// What a caller can do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Version { .. } | Self::OtherHistory { .. } | Self::Incomplete => {
                ErrorKind::Conflict
            }
            Self::NotRefreshed { .. } => ErrorKind::Unavailable,
            Self::OtherFold { .. } | Self::Unwritable { .. } => ErrorKind::Internal,
            Self::Read(e) => e.kind(),
            Self::Storage(e) => e.kind(),
        }
    }

    /// Whether the table was kept by another version of the fold.
    #[must_use]
    pub fn is_version(&self) -> bool {
        matches!(self, Self::Version { .. })
    }

    /// Whether the table is of transactions that this log does not have, or another log has replaced this one.
    #[must_use]
    pub fn is_other_history(&self) -> bool {
        match self {
            Self::OtherHistory { .. } => true,
            Self::Read(e) => e.is_other_history(),
            Self::Storage(e) => e.is_replaced(),
            _ => false,
        }
    }

    /// Whether [`Store::refresh`](crate::Store::refresh) has to be called first.
    #[must_use]
    pub fn is_not_refreshed(&self) -> bool {
        matches!(self, Self::NotRefreshed { .. })
    }

    /// Whether the table has the version of this fold, and cannot be read as its type.
    #[must_use]
    pub fn is_other_fold(&self) -> bool {
        matches!(self, Self::OtherFold { .. })
    }

    /// Whether an earlier transaction could not be folded.
    #[must_use]
    pub fn is_incomplete(&self) -> bool {
        matches!(self, Self::Incomplete)
    }

    /// Whether the file of the table or the log is damaged.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        self.storage().is_some_and(StorageError::is_damage)
    }

    /// The file of the table, if the error is about it.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Version { path, .. }
            | Self::OtherHistory { path, .. }
            | Self::NotRefreshed { path, .. }
            | Self::OtherFold { path, .. }
            | Self::Unwritable { path, .. } => Some(path),
            Self::Incomplete | Self::Read(_) | Self::Storage(_) => None,
        }
    }

    /// The failure of storage, where it is one.
    #[must_use]
    pub fn storage(&self) -> Option<&StorageError> {
        match self {
            Self::Read(e) => e.storage(),
            Self::Storage(e) => Some(e),
            _ => None,
        }
    }
}

impl fmt::Display for ProjectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = self.path() {
            write!(f, "the table in {} ", path.display())?;
        }
        match self {
            Self::Version {
                kept: Some(kept),
                wanted,
                ..
            } => write!(f, "has version {kept}, and the program wants version {wanted}"),
            Self::Version { kept: None, .. } => f.write_str(
                "was kept by an earlier version of ironweave, without the position of its last transaction",
            ),
            Self::OtherHistory { source, .. } => write!(f, "is of another history: {source}"),
            Self::NotRefreshed { seq, .. } => write!(
                f,
                "goes up to transaction {seq}, which this store, opened to be read only, has not read yet; call \
                 `Store::refresh` first"
            ),
            Self::OtherFold {
                version, reason, ..
            } => write!(
                f,
                "has version {version} and is of another type ({reason}); raise `VERSION` with every change of the table"
            ),
            Self::Unwritable { reason, .. } => write!(f, "cannot be written: {reason}"),
            Self::Incomplete => f.write_str(INCOMPLETE),
            Self::Read(e) => fmt::Display::fmt(e, f),
            Self::Storage(e) => fmt::Display::fmt(e, f),
        }
    }
}

impl Error for ProjectError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            // Their messages are part of this one.
            Self::OtherHistory { source, .. } => source.source(),
            Self::Read(e) => e.source(),
            Self::Storage(e) => e.source(),
            _ => None,
        }
    }
}

impl From<ReadError> for ProjectError {
    fn from(e: ReadError) -> Self {
        match e {
            ReadError::Storage(e) => Self::Storage(e),
            e => Self::Read(e),
        }
    }
}

impl From<StorageError> for ProjectError {
    fn from(e: StorageError) -> Self {
        Self::Storage(e)
    }
}

/// Why a [`Projection`](crate::Projection) could not take in the next transactions.
#[derive(Debug)]
#[non_exhaustive]
pub enum FoldError<E> {
    /// [`Fold::fold`](crate::Fold::fold) returned an error. The transaction may be in the table in part, so the table has
    /// to be projected anew.
    Fold {
        /// The sequence of the transaction.
        seq: Seq,
        /// The error of the fold.
        error: E,
    },
    /// An earlier transaction could not be folded; see [`FoldError::Fold`].
    Incomplete,
    /// The log could not be read. The call can be repeated.
    Storage(StorageError),
}

impl<E> FoldError<E> {
    /// What a caller can do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Fold { .. } => ErrorKind::Internal,
            Self::Incomplete => ErrorKind::Conflict,
            Self::Storage(e) => e.kind(),
        }
    }

    /// Whether this or an earlier transaction could not be folded, so that the table has to be projected anew.
    #[must_use]
    pub fn is_incomplete(&self) -> bool {
        matches!(self, Self::Fold { .. } | Self::Incomplete)
    }
}

impl<E> From<StorageError> for FoldError<E> {
    fn from(e: StorageError) -> Self {
        Self::Storage(e)
    }
}

impl<E: fmt::Display> fmt::Display for FoldError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fold { seq, error } => write!(f, "transaction {seq} cannot be folded: {error}"),
            Self::Incomplete => f.write_str(INCOMPLETE),
            Self::Storage(e) => e.fmt(f),
        }
    }
}

impl<E: Error + 'static> Error for FoldError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Fold { error, .. } => Some(error),
            Self::Incomplete => None,
            Self::Storage(e) => Error::source(e),
        }
    }
}

const INCOMPLETE: &str =
    "the table is incomplete, since an earlier transaction could not be folded; project it again";

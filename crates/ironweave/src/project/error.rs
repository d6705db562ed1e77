//! The errors of projecting a store into a table and of keeping that table up to date: one enum for each operation.

use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::base::error::{ErrorKind, ReadError};
use crate::base::position::Seq;
use crate::base::storage_error::StorageError;

/// The error of [`Store::project`](crate::Store::project), [`Store::project_into`](crate::Store::project_into) and
/// [`Projection::save`](crate::Projection::save), or the reason why a saved table was not used.
#[non_exhaustive]
#[derive(Debug)]
pub enum ProjectError {
    /// Another version of the fold saved the table.
    Version {
        /// The file of the table.
        path: PathBuf,
        /// [`Fold::VERSION`](crate::Fold::VERSION) of the code that saved it; `None` if the file has the format of an
        /// earlier version of ironweave.
        kept: Option<u32>,
        /// [`Fold::VERSION`](crate::Fold::VERSION) of the program.
        wanted: u32,
    },
    /// The table has transactions that this log does not have: the log was restored from a backup, or belongs to
    /// another store.
    OtherHistory {
        /// The file of the table.
        path: PathBuf,
        /// The reason why the log does not have the last transaction of the table.
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
    /// The table has the version of this fold, but cannot be decoded as its type.
    OtherFold {
        /// The file of the table.
        path: PathBuf,
        /// [`Fold::VERSION`](crate::Fold::VERSION) of the table and of the program.
        version: u32,
        /// The error of the decoder.
        reason: String,
    },
    /// The table cannot be encoded as CBOR.
    Unwritable {
        /// The file of the table.
        path: PathBuf,
        /// The error of the encoder.
        reason: String,
    },
    /// A transaction could not be folded, so that the table may contain a part of it; see [`FoldError::Fold`].
    Incomplete,
    /// The log could not be read.
    Read(ReadError),
    /// The file of the table is damaged or could not be read or written, or the log could not be synced.
    Storage(StorageError),
}

// Results are moved by value, so that a large error would slow down calls that succeed.
const _: () = assert!(size_of::<ProjectError>() <= 80);

impl ProjectError {
    /// Returns what a caller can do about the error.
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

    /// Returns whether another version of the fold saved the table.
    #[must_use]
    pub fn is_version(&self) -> bool {
        matches!(self, Self::Version { .. })
    }

    /// Returns whether the table has transactions that this log does not have, or another log has replaced this one.
    #[must_use]
    pub fn is_other_history(&self) -> bool {
        match self {
            Self::OtherHistory { .. } => true,
            Self::Read(e) => e.is_other_history(),
            Self::Storage(e) => e.is_replaced(),
            _ => false,
        }
    }

    /// Returns whether [`Store::refresh`](crate::Store::refresh) has to be called first.
    #[must_use]
    pub fn is_not_refreshed(&self) -> bool {
        matches!(self, Self::NotRefreshed { .. })
    }

    /// Returns whether the table has the version of this fold, but cannot be decoded as its type.
    #[must_use]
    pub fn is_other_fold(&self) -> bool {
        matches!(self, Self::OtherFold { .. })
    }

    /// Returns whether an earlier transaction could not be folded.
    #[must_use]
    pub fn is_incomplete(&self) -> bool {
        matches!(self, Self::Incomplete)
    }

    /// Returns whether the log is damaged.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        self.storage().is_some_and(StorageError::is_damage)
    }

    /// Returns whether the file of the table cannot be read. If it is removed, the table is folded again.
    #[must_use]
    pub fn is_removable(&self) -> bool {
        self.storage().is_some_and(StorageError::is_removable)
    }

    /// Returns the file of the table, if the error concerns that file.
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

    /// Returns the storage error that caused this one, if there is one.
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
            } => write!(f, "has version {kept}, but the program needs version {wanted}"),
            Self::Version { kept: None, .. } => f.write_str(
                "was saved by an earlier version of ironweave, without the position of its last transaction",
            ),
            Self::OtherHistory { source, .. } => write!(f, "belongs to another history: {source}"),
            Self::NotRefreshed { seq, .. } => write!(
                f,
                "goes up to transaction {seq}, which this store, which is open for reading only, has not read yet; \
                 call `Store::refresh` first"
            ),
            Self::OtherFold {
                version, reason, ..
            } => write!(
                f,
                "has version {version} but cannot be decoded as its type ({reason}); raise `VERSION` with every change of \
                 the type"
            ),
            Self::Unwritable { reason, .. } => write!(f, "cannot be encoded as CBOR: {reason}"),
            Self::Incomplete => f.write_str(INCOMPLETE),
            Self::Read(e) => fmt::Display::fmt(e, f),
            Self::Storage(e) => fmt::Display::fmt(e, f),
        }
    }
}

impl Error for ProjectError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            // The messages of these errors are part of the message of this one.
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

/// The error of [`Projection::catch_up`](crate::Projection::catch_up) and
/// [`Projection::follow`](crate::Projection::follow).
#[derive(Debug)]
#[non_exhaustive]
pub enum FoldError<E> {
    /// [`Fold::fold`](crate::Fold::fold) returned an error. The table may contain a part of the transaction, so it has
    /// to be projected again.
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
    /// Returns what a caller can do about the error.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Fold { .. } => ErrorKind::Internal,
            Self::Incomplete => ErrorKind::Conflict,
            Self::Storage(e) => e.kind(),
        }
    }

    /// Returns whether this or an earlier transaction could not be folded, so that the table has to be projected again.
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
    "the table is incomplete because an earlier transaction could not be folded; project it again";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_has_its_kind() {
        use ErrorKind::{Conflict, Internal, Invalid, Unavailable};
        let path = || PathBuf::from("a.table");
        let version = ProjectError::Version {
            path: path(),
            kept: Some(1),
            wanted: 2,
        };
        let other_history = ProjectError::OtherHistory {
            path: path(),
            source: Box::new(ReadError::NotOfTheLog),
        };
        let not_refreshed = ProjectError::NotRefreshed {
            path: path(),
            seq: Seq::new(7),
        };
        let other_fold = ProjectError::OtherFold {
            path: path(),
            version: 2,
            reason: "a number".into(),
        };
        let unwritable = ProjectError::Unwritable {
            path: path(),
            reason: "too deep".into(),
        };
        for (e, kind) in [
            (version, Conflict),
            (other_history, Conflict),
            (not_refreshed, Unavailable),
            (other_fold, Internal),
            (unwritable, Internal),
            (ProjectError::Incomplete, Conflict),
            (ProjectError::Read(ReadError::Unlogged), Invalid),
        ] {
            assert_eq!(e.kind(), kind, "{e}");
        }
    }

    #[test]
    fn the_error_of_a_fold_is_the_source() {
        let e = FoldError::Fold {
            seq: Seq::new(7),
            error: fmt::Error,
        };
        assert_eq!(e.kind(), ErrorKind::Internal);
        assert!(e.source().is_some_and(<dyn Error>::is::<fmt::Error>));
        let e = FoldError::<fmt::Error>::Incomplete;
        assert_eq!(
            (e.kind(), e.source().is_none()),
            (ErrorKind::Conflict, true)
        );
    }
}

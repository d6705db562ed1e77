//! What can come of projecting a store into SQLite: one enum of outcomes.

use std::fmt;
use std::path::PathBuf;

use crate::base::error::{ErrorKind, ReadError};
use crate::base::storage_error::StorageError;

/// Why a projection into SQLite could not be opened or did not go on. The database is as it was before the call.
#[non_exhaustive]
#[derive(Debug)]
pub enum SqliteError {
    /// The log could not be read.
    Read(ReadError),
    /// SQLite failed: the disk is full, another connection holds the database locked, the file is damaged.
    Sqlite {
        /// The database.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// The projection needs a name that something else in the database has.
    Taken {
        /// The database.
        path: PathBuf,
        /// `table`, `view` or `index`.
        kind: String,
        /// The name.
        name: String,
    },
    /// The tables are no longer as the projection left them.
    Changed {
        /// The database.
        path: PathBuf,
        /// What is different, and what to do.
        reason: String,
    },
    /// The tables cannot be in this file, or not in this way.
    Refused {
        /// The file.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
}

impl fmt::Display for SqliteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(e) => fmt::Display::fmt(e, f),
            Self::Sqlite { path, source } => {
                write!(
                    f,
                    "the database of the projection, {}: {source}",
                    path.display()
                )
            }
            Self::Taken { path, kind, name } => write!(
                f,
                "{} has {article} {kind} `{name}` that this projection did not make, or that was altered since, and needs \
                 that name; rename or drop it, give the tables of the projection another name with `SqliteOptions::prefix`, or \
                 project into another file",
                path.display(),
                article = if kind == "index" { "an" } else { "a" },
            ),
            Self::Changed { path, reason } => write!(
                f,
                "the tables in {} are not as this projection left them: {reason}",
                path.display()
            ),
            Self::Refused { path, reason } => {
                write!(f, "cannot project into {}: {reason}", path.display())
            }
        }
    }
}

impl std::error::Error for SqliteError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            // The message of the failure is that of this error.
            Self::Read(e) => e.source(),
            Self::Sqlite { source, .. } => Some(source),
            Self::Taken { .. } | Self::Changed { .. } | Self::Refused { .. } => None,
        }
    }
}

impl SqliteError {
    /// What a caller can do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Read(e) => e.kind(),
            Self::Sqlite { .. } => ErrorKind::Unavailable,
            Self::Taken { .. } | Self::Changed { .. } => ErrorKind::Conflict,
            Self::Refused { .. } => ErrorKind::Invalid,
        }
    }
}

impl From<StorageError> for SqliteError {
    fn from(e: StorageError) -> Self {
        Self::Read(e.into())
    }
}

/// The same without the file, which what works on an open connection does not know.
#[derive(Debug)]
pub(super) enum Failure {
    Read(ReadError),
    Sqlite(rusqlite::Error),
    Taken { kind: String, name: String },
    Changed(String),
    Refused(String),
}

impl Failure {
    pub(super) fn at(self, path: impl Into<PathBuf>) -> SqliteError {
        let path = path.into();
        match self {
            Self::Read(e) => SqliteError::Read(e),
            Self::Sqlite(source) => SqliteError::Sqlite { path, source },
            Self::Taken { kind, name } => SqliteError::Taken { path, kind, name },
            Self::Changed(reason) => SqliteError::Changed { path, reason },
            Self::Refused(reason) => SqliteError::Refused { path, reason },
        }
    }
}

impl From<StorageError> for Failure {
    fn from(e: StorageError) -> Self {
        Self::Read(e.into())
    }
}

impl From<ReadError> for Failure {
    fn from(e: ReadError) -> Self {
        Self::Read(e)
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(e: rusqlite::Error) -> Self {
        Self::Sqlite(e)
    }
}

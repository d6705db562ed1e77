//! The errors of projecting a store into SQLite.

use std::fmt;
use std::path::PathBuf;

use crate::base::error::{ErrorKind, ReadError};
use crate::base::storage_error::StorageError;

/// The error of opening or updating a projection into SQLite. The failed transaction of the database is rolled back.
#[non_exhaustive]
#[derive(Debug)]
pub enum SqliteError {
    /// The log could not be read.
    Read(ReadError),
    /// SQLite returned an error, for example because the disk is full, another connection has locked the database, or
    /// the file is damaged.
    Sqlite {
        /// The file of the database.
        path: PathBuf,
        /// The error of SQLite.
        source: rusqlite::Error,
    },
    /// The projection needs a name that another object in the database has.
    Taken {
        /// The file of the database.
        path: PathBuf,
        /// `table`, `view` or `index`.
        kind: String,
        /// The name of the object.
        name: String,
    },
    /// Another connection has changed the tables since the projection last wrote them.
    Changed {
        /// The file of the database.
        path: PathBuf,
        /// The difference, and how to continue.
        reason: String,
    },
    /// The tables cannot be created or updated in this file, or not with these options.
    Refused {
        /// The file.
        path: PathBuf,
        /// The reason, and how to continue.
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
                    "SQLite failed on the database of the projection in {}: {source}",
                    path.display()
                )
            }
            Self::Taken { path, kind, name } => write!(
                f,
                "{} has {article} {kind} `{name}` that this projection did not create, or that was altered since, but \
                 the projection needs that name; rename or drop the {kind}, give the tables of the projection other \
                 names with `SqliteOptions::prefix`, or project into another file",
                path.display(),
                article = if kind == "index" { "an" } else { "a" },
            ),
            Self::Changed { path, reason } => write!(
                f,
                "the tables in {} were changed since this projection last wrote them: {reason}",
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
            // The message of the inner error is the message of this one.
            Self::Read(e) => e.source(),
            Self::Sqlite { source, .. } => Some(source),
            Self::Taken { .. } | Self::Changed { .. } | Self::Refused { .. } => None,
        }
    }
}

impl SqliteError {
    /// Returns what a caller can do about the error.
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

/// An error like [`SqliteError`] without the path, which the functions that use an open connection do not have.
#[derive(Debug)]
pub(super) enum Failure {
    Read(ReadError),
    Sqlite(rusqlite::Error),
    Taken { kind: String, name: String },
    Changed(String),
    Refused(String),
}

impl Failure {
    /// Returns the error with its failure of storage replaced by what `map` returns.
    pub(super) fn map_storage(self, map: impl FnOnce(StorageError) -> StorageError) -> Self {
        match self {
            Self::Read(e) => Self::Read(e.map_storage(map)),
            e => e,
        }
    }

    /// Returns the error with the path of the database.
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

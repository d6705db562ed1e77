//! What can come of opening a store, or of reading on in one: one enum of outcomes.

use std::error::Error;
use std::fmt;
use std::path::Path;

use ironweave_schema::Change;

use crate::base::error::{ErrorKind, Name};
use crate::base::position::Seq;
use crate::base::storage_error::{StorageError, StorageFailure};

/// Why a store was not opened, or why [`Store::refresh`](crate::Store::refresh) failed. Nothing was changed.
///
/// Its `Debug` shows the message too, because that is what a `main` that returns the error prints.
#[non_exhaustive]
pub enum OpenError {
    /// There is no store in the directory.
    NotFound(StorageError),
    /// The store is open for writing elsewhere; [`StorageError::holder`] is the process.
    Locked(StorageError),
    /// Something that was durable is missing or altered; see [`StorageError::segment`], `offset` and `seq`.
    Damage(StorageError),
    /// A strict open found a torn tail; see [`StorageError::segment`], `offset` and `seq`.
    Torn(StorageError),
    /// The store was written in a format that this version of ironweave does not read.
    Version(StorageError),
    /// The log is of another model, or of a version of this one that cannot be read as it.
    Schema {
        /// This program's model.
        model: Name,
        /// The frame that holds the schema of the log.
        seq: Seq,
        /// What has changed from the log to the program, as far as the log cannot be read because of it.
        differences: Vec<Change>,
    },
    /// The directory or the log could not be read or written.
    Storage(StorageError),
}

/// How many differences the message lists.
const LISTED_MAX: usize = 100;

// Results are passed on by value.
const _: () = assert!(size_of::<OpenError>() <= 64);

impl OpenError {
    /// What a caller can do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Schema { .. } => ErrorKind::Internal,
            Self::NotFound(e)
            | Self::Locked(e)
            | Self::Damage(e)
            | Self::Torn(e)
            | Self::Version(e)
            | Self::Storage(e) => e.kind(),
        }
    }

    /// Whether there is no store in the directory.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound(_))
    }

    /// Whether the store is open for writing elsewhere.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        matches!(self, Self::Locked(_))
    }

    /// Whether something that was durable is missing or altered.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Damage(_))
    }

    /// Whether a strict open found a torn tail.
    #[must_use]
    pub fn is_torn(&self) -> bool {
        matches!(self, Self::Torn(_))
    }

    /// Whether the store is of a format that this version of ironweave does not read.
    #[must_use]
    pub fn is_version(&self) -> bool {
        matches!(self, Self::Version(_))
    }

    /// Whether the log is of another model, or of a version of this one that cannot be read as it.
    #[must_use]
    pub fn is_schema(&self) -> bool {
        matches!(self, Self::Schema { .. })
    }

    /// Whether the log was replaced by another one while it was read; see [`StorageError::is_replaced`].
    #[must_use]
    pub fn is_replaced(&self) -> bool {
        matches!(self, Self::Storage(e) if e.is_replaced())
    }

    /// The frame in which the log was found damaged, torn or of another model.
    #[must_use]
    pub fn seq(&self) -> Option<Seq> {
        match self {
            Self::Schema { seq, .. } => Some(*seq),
            _ => self.storage()?.seq(),
        }
    }

    /// The file in which damage or a torn tail was found.
    #[must_use]
    pub fn segment(&self) -> Option<&Path> {
        self.storage()?.segment()
    }

    /// The offset in that file.
    #[must_use]
    pub fn offset(&self) -> Option<u64> {
        self.storage()?.offset()
    }

    /// The process that has the store open for writing, where it is known.
    #[must_use]
    pub fn holder(&self) -> Option<u32> {
        self.storage()?.holder()
    }

    /// The failure of storage: all but [`OpenError::Schema`] have one.
    #[must_use]
    pub fn storage(&self) -> Option<&StorageError> {
        match self {
            Self::Schema { .. } => None,
            Self::NotFound(e)
            | Self::Locked(e)
            | Self::Damage(e)
            | Self::Torn(e)
            | Self::Version(e)
            | Self::Storage(e) => Some(e),
        }
    }

    /// The same error, with the place of its frame in a file.
    pub(crate) fn map_storage(self, map: impl FnOnce(StorageError) -> StorageError) -> Self {
        match self {
            Self::Schema { .. } => self,
            Self::NotFound(e)
            | Self::Locked(e)
            | Self::Damage(e)
            | Self::Torn(e)
            | Self::Version(e)
            | Self::Storage(e) => map(e).into(),
        }
    }
}

impl fmt::Debug for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::NotFound(_) => "NotFound",
            Self::Locked(_) => "Locked",
            Self::Damage(_) => "Damage",
            Self::Torn(_) => "Torn",
            Self::Version(_) => "Version",
            Self::Schema { .. } => "Schema",
            Self::Storage(_) => "Storage",
        };
        write!(f, "{name}({self})")
    }
}

impl From<StorageError> for OpenError {
    fn from(e: StorageError) -> Self {
        match e.failure() {
            StorageFailure::NotFound => Self::NotFound(e),
            StorageFailure::Locked => Self::Locked(e),
            StorageFailure::Damage => Self::Damage(e),
            StorageFailure::Torn => Self::Torn(e),
            StorageFailure::Version => Self::Version(e),
            _ => Self::Storage(e),
        }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Schema {
                model,
                seq,
                differences,
            } => {
                write!(
                    f,
                    "the schema in frame {seq} is of another model, or of another version of `{model}`. From the log to \
                     the program:"
                )?;
                for change in differences.iter().take(LISTED_MAX) {
                    write!(f, "\n- {change}")?;
                }
                if let Some(more @ 1..) = differences.len().checked_sub(LISTED_MAX) {
                    write!(f, "\n- and {more} more")?;
                }
                f.write_str(
                    "\nOpen the store with the program that wrote it; migrations are not supported yet",
                )
            }
            Self::NotFound(e)
            | Self::Locked(e)
            | Self::Damage(e)
            | Self::Torn(e)
            | Self::Version(e)
            | Self::Storage(e) => fmt::Display::fmt(e, f),
        }
    }
}

impl Error for OpenError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        // The message of the failure is that of this error.
        self.storage()?.source()
    }
}

//! The errors of opening a store and of [`Store::refresh`](crate::Store::refresh).

use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};

use ironweave_schema::{Change, Difference, Item, Verdict};

use crate::base::error::{ErrorKind, Name};
use crate::base::position::Seq;
use crate::base::storage_error::{StorageError, StorageFailure};

/// The error of opening a store or of [`Store::refresh`](crate::Store::refresh). The files are unchanged.
///
/// Its `Debug` also shows the message, because a `main` that returns the error prints it with `Debug`.
#[non_exhaustive]
pub enum OpenError {
    /// There is no store in the directory.
    NotFound(StorageError),
    /// The store is open for writing elsewhere; [`StorageError::holder`] is the process.
    Locked(StorageError),
    /// Durable data is missing or altered. [`StorageError::segment`], `offset` and `seq` locate it.
    Damage(StorageError),
    /// A strict open found a torn tail. [`StorageError::segment`], `offset` and `seq` locate it.
    Torn(StorageError),
    /// The store was written in a format that this version of ironweave does not read.
    Version(StorageError),
    /// The log is of another model, or of an incompatible version of this one.
    Schema {
        /// The name of the model of this program.
        model: Name,
        /// The frame that holds the schema of the log.
        seq: Seq,
        /// Where that frame is, if the log is in a directory.
        location: Option<Box<FrameLocation>>,
        /// Whether an earlier schema of the log is that of the program, so that a newer version of the program wrote the
        /// frames from `seq` on.
        is_newer: bool,
        /// The changes from the schema of the log to that of the program because of which it is refused, each with its
        /// verdict.
        differences: Vec<Difference>,
    },
    /// The directory or the log could not be read or written.
    Storage(StorageError),
}

/// The place of a frame in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FrameLocation {
    /// The file.
    pub segment: PathBuf,
    /// The offset in it, in bytes.
    pub offset: u64,
}

/// The number of differences that the message lists.
const LISTED_MAX: usize = 100;

// The error is moved with each `Result`, so it stays small.
const _: () = assert!(size_of::<OpenError>() <= 64);

impl OpenError {
    /// Returns the kind of the error, which determines what a caller can do about it.
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

    /// Returns whether the directory has no store.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound(_))
    }

    /// Returns whether the store is open for writing elsewhere.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        matches!(self, Self::Locked(_))
    }

    /// Returns whether durable data is missing or altered.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Damage(_))
    }

    /// Returns whether a strict open found a torn tail.
    #[must_use]
    pub fn is_torn(&self) -> bool {
        matches!(self, Self::Torn(_))
    }

    /// Returns whether this version of ironweave cannot read the format of the store.
    #[must_use]
    pub fn is_version(&self) -> bool {
        matches!(self, Self::Version(_))
    }

    /// Returns whether the log is of another model, or of an incompatible version of this one.
    #[must_use]
    pub fn is_schema(&self) -> bool {
        matches!(self, Self::Schema { .. })
    }

    /// Returns whether the log was replaced by another one while it was read. See [`StorageError::is_replaced`].
    #[must_use]
    pub fn is_replaced(&self) -> bool {
        matches!(self, Self::Storage(e) if e.is_replaced())
    }

    /// Returns the frame in which damage, a torn tail or another schema was found.
    #[must_use]
    pub fn seq(&self) -> Option<Seq> {
        match self {
            Self::Schema { seq, .. } => Some(*seq),
            _ => self.storage()?.seq(),
        }
    }

    /// Returns the file in which damage or a torn tail was found.
    #[must_use]
    pub fn segment(&self) -> Option<&Path> {
        match self {
            Self::Schema { location, .. } => Some(&location.as_ref()?.segment),
            _ => self.storage()?.segment(),
        }
    }

    /// Returns the offset in that file, in bytes.
    #[must_use]
    pub fn offset(&self) -> Option<u64> {
        match self {
            Self::Schema { location, .. } => Some(location.as_ref()?.offset),
            _ => self.storage()?.offset(),
        }
    }

    /// Returns the id of the process that has the store open for writing, if it is known.
    #[must_use]
    pub fn holder(&self) -> Option<u32> {
        self.storage()?.holder()
    }

    /// Returns the failure of storage, which all variants but [`OpenError::Schema`] have.
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

    /// Returns the error with its failure of storage replaced by what `map` returns.
    pub(crate) fn map_storage(self, map: impl FnOnce(StorageError) -> StorageError) -> Self {
        match self {
            Self::Schema {
                model,
                seq,
                location,
                is_newer,
                differences,
            } => {
                // Its frame is found like that of a failure of storage.
                let placed = map(StorageError::at(StorageFailure::Version, seq, ""));
                let place = placed.segment().zip(placed.offset());
                let found = place.map(|(segment, offset)| {
                    Box::new(FrameLocation {
                        segment: segment.to_owned(),
                        offset,
                    })
                });
                Self::Schema {
                    model,
                    seq,
                    location: location.or(found),
                    is_newer,
                    differences,
                }
            }
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

/// What to write instead of a change that is not taken. Most changes of stored data are not, whatever their verdicts are,
/// because data is neither checked nor migrated yet.
fn what_to_write(difference: &Difference) -> &str {
    match (&difference.verdict, &difference.change) {
        (Verdict::Refused { hint }, _) if !difference.is_of_shape() => hint,
        (_, Change::Added(Item::Edge { .. })) => "make its ends `Option<..>` or `Many<..>`",
        (_, Change::Added(_)) => "leave it out",
        (_, Change::Removed(_)) => "keep it",
        (_, Change::Renamed { .. }) => "keep the name",
        _ => "leave it as it was",
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Schema {
                model,
                seq,
                location,
                is_newer,
                differences,
            } => {
                if let Some(location) = location {
                    let FrameLocation { segment, offset } = &**location;
                    write!(f, "{} at offset {offset}: ", segment.display())?;
                }
                if *is_newer {
                    return write!(
                        f,
                        "a newer version of `{model}` has continued this log with frame {seq}, and this version cannot read \
                         it; open the store with the newer version"
                    );
                }
                write!(
                    f,
                    "the schema in frame {seq} is of another model, or of another version of `{model}`. Changes from the \
                     log to the program that are not taken:"
                )?;
                for difference in differences.iter().take(LISTED_MAX) {
                    write!(
                        f,
                        "\n- {}; {}",
                        difference.change,
                        what_to_write(difference)
                    )?;
                }
                if let Some(more @ 1..) = differences.len().checked_sub(LISTED_MAX) {
                    write!(f, "\n- and {more} more")?;
                }
                f.write_str(
                    "\nOpen the store with the program that wrote it; changes of stored data need migrations, which are not \
                     supported yet",
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
        // The message of this error is that of the failure, so the source is the cause of the failure.
        self.storage()?.source()
    }
}

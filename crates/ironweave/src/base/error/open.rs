//! The errors of opening a store and of [`Store::refresh`](crate::Store::refresh).

use std::error::Error;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use ironweave_schema::{Difference, Refused, Usage};

use crate::base::error::{ErrorKind, MigrationError, Name, NotCarried};
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
        /// verdict and the data that it fails for.
        differences: Vec<RefusedDifference>,
    },
    /// The log cannot be continued with the model of the program: its [migration](crate::Options::migrate) failed, or the graph
    /// after it is not valid.
    Migration(Box<MigrationError>),
    /// The directory or the log could not be read or written.
    Storage(StorageError),
}

/// A difference of two schemas that is refused, with the data because of which it is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RefusedDifference {
    /// The difference.
    pub difference: Difference,
    /// The data that fails its check, if it has one.
    pub usage: Option<Usage>,
}

impl RefusedDifference {
    /// A difference that is refused whatever data there is.
    pub(crate) fn unchecked(difference: Difference) -> Self {
        let usage = None;
        Self { difference, usage }
    }

    pub(crate) fn of(refused: &Refused<'_>) -> Self {
        Self {
            difference: refused.difference.clone(),
            usage: refused.usage.clone(),
        }
    }
}

/// Renders the change, the data that fails its check, and what to write.
impl fmt::Display for RefusedDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { difference, usage } = self;
        let usage = usage.clone();
        Refused { difference, usage }.fmt(f)
    }
}

/// The place of a frame in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FrameLocation {
    /// The file.
    pub segment: Arc<Path>,
    /// The offset in it, in bytes. In an archive, it is that before compression.
    pub offset: u64,
}

/// Renders the path and the offset.
impl fmt::Display for FrameLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { segment, offset } = self;
        write!(f, "{} at offset {offset}", segment.display())
    }
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
            Self::Migration(e) => e.kind(),
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

    /// Returns the error of the [migration](crate::Options::migrate), if that is the reason.
    #[must_use]
    pub fn migration(&self) -> Option<&MigrationError> {
        match self {
            Self::Migration(e) => Some(e),
            _ => None,
        }
    }

    /// Returns whether the log was replaced by another one while it was read. See [`StorageError::is_replaced`].
    #[must_use]
    pub fn is_replaced(&self) -> bool {
        matches!(self, Self::Storage(e) if e.is_replaced())
    }

    /// Returns the frame in which damage, a torn tail, another schema or a value that cannot be carried over was found.
    #[must_use]
    pub fn seq(&self) -> Option<Seq> {
        match self {
            Self::Schema { seq, .. } => Some(*seq),
            Self::Migration(e) => not_carried(e)?.seq,
            _ => self.storage()?.seq(),
        }
    }

    /// Returns the file in which damage or a torn tail was found.
    #[must_use]
    pub fn segment(&self) -> Option<&Path> {
        match self {
            Self::Schema { location, .. } => Some(&location.as_ref()?.segment),
            Self::Migration(e) => Some(&not_carried(e)?.location.as_ref()?.segment),
            _ => self.storage()?.segment(),
        }
    }

    /// Returns the offset in that file, in bytes.
    #[must_use]
    pub fn offset(&self) -> Option<u64> {
        match self {
            Self::Schema { location, .. } => Some(location.as_ref()?.offset),
            Self::Migration(e) => Some(not_carried(e)?.location.as_ref()?.offset),
            _ => self.storage()?.offset(),
        }
    }

    /// Returns the id of the process that has the store open for writing, if it is known.
    #[must_use]
    pub fn holder(&self) -> Option<u32> {
        self.storage()?.holder()
    }

    /// Returns the failure of storage, which all variants but [`OpenError::Schema`] and [`OpenError::Migration`] have.
    #[must_use]
    pub fn storage(&self) -> Option<&StorageError> {
        match self {
            Self::Schema { .. } | Self::Migration(_) => None,
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
                        segment: segment.into(),
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
            Self::Migration(e) => Self::Migration(e),
            Self::NotFound(e)
            | Self::Locked(e)
            | Self::Damage(e)
            | Self::Torn(e)
            | Self::Version(e)
            | Self::Storage(e) => map(e).into(),
        }
    }
}

fn not_carried(e: &MigrationError) -> Option<&NotCarried> {
    match e {
        MigrationError::NotCarried(e) => Some(e),
        _ => None,
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
            Self::Migration(_) => "Migration",
            Self::Storage(_) => "Storage",
        };
        write!(f, "{name}({self})")
    }
}

impl From<MigrationError> for OpenError {
    fn from(e: MigrationError) -> Self {
        Self::Migration(Box::new(e))
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
                location,
                is_newer,
                differences,
            } => {
                if let Some(location) = location {
                    write!(f, "{location}: ")?;
                }
                if *is_newer && !differences.is_empty() {
                    write!(
                        f,
                        "a newer version of `{model}` has continued this log with frame {seq}, and this version cannot show \
                         what it has written"
                    )?;
                    for (i, difference) in differences.iter().take(LISTED_MAX).enumerate() {
                        write!(f, "{} {difference}", if i == 0 { ":" } else { ";" })?;
                    }
                    return f.write_str("; open the store with the newer version");
                }
                if *is_newer {
                    return write!(
                        f,
                        "a newer version of `{model}` has continued this log with frame {seq}, and this version would take \
                         back its changes; open the store with the newer version, or for reading only"
                    );
                }
                write!(
                    f,
                    "the schema in frame {seq} is of another model, or of another version of `{model}`. Changes from the \
                     log to the program that are not taken:"
                )?;
                for difference in differences.iter().take(LISTED_MAX) {
                    write!(f, "\n- {difference}")?;
                }
                if let Some(more @ 1..) = differences.len().checked_sub(LISTED_MAX) {
                    write!(f, "\n- and {more} more")?;
                }
                f.write_str(
                    "\nNothing was written. The program that wrote the log can open it as before",
                )
            }
            Self::Migration(e) => write!(f, "the migration failed, and the log is unchanged: {e}"),
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
        match self {
            Self::Migration(e) => e.source(),
            _ => self.storage()?.source(),
        }
    }
}

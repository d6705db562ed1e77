//! What a copy has done, or why it failed.

use std::fmt;
use std::path::PathBuf;

use crate::base::error::OpenError;
use crate::base::position::{Position, Seq};
use crate::base::storage_error::StorageError;

/// What [`backup`](super::backup) or [`restore`](super::restore) has done.
#[non_exhaustive]
#[derive(Clone, Copy, Debug)]
pub struct Copied {
    /// The last frame of the copy; `None` if the log has no frames.
    pub last: Option<Position>,
    /// The number of frames that the target did not have before.
    pub frames: u64,
    /// The number of segments that were written.
    pub segments: u64,
    /// The number of bytes that were written.
    pub bytes: u64,
}

/// The error of a copy. The target is unchanged, or has a prefix of the log.
#[non_exhaustive]
#[derive(Debug)]
pub enum CopyError {
    /// The source or the target could not be read, or the target could not be written.
    Storage(StorageError),
    /// Source and target are the same directory.
    SameDirectory {
        /// The directory.
        dir: PathBuf,
    },
    /// The target is in the directory of the store.
    InsideStore {
        /// The target.
        target: PathBuf,
    },
    /// The target exists, and has a file that is not of a backup.
    Occupied {
        /// The file.
        path: PathBuf,
    },
    /// An interrupted restore or import has left a directory.
    Unfinished {
        /// The directory.
        dir: PathBuf,
    },
    /// The target is a backup of another store.
    OtherStore {
        /// The target.
        target: PathBuf,
        /// The id of the store that is copied.
        source: u64,
        /// The id of the store in the target.
        found: u64,
    },
    /// The target has frames of this store that the source does not have.
    OtherHistory {
        /// The target.
        target: PathBuf,
        /// The last frame of the target.
        last: Position,
    },
    /// The source has dropped frames that the target does not have yet.
    Dropped {
        /// The target.
        target: PathBuf,
        /// The last frame of the target.
        last: Seq,
        /// The first frame of the source.
        first: Seq,
    },
    /// The log does not have the frame up to which it is to be copied.
    NoSuchFrame {
        /// The frame.
        seq: Seq,
        /// The last frame of the log.
        last: Option<Seq>,
    },
    /// The frame up to which the log is to be copied belongs to a migration, and later frames belong to it too.
    InsideMigration {
        /// The frame.
        seq: Seq,
    },
    /// Frames that were imported are not those of a log.
    NotALog(Box<OpenError>),
    /// The copy was read back, and is not equal to the original.
    Differs {
        /// The target.
        target: PathBuf,
    },
}

impl From<StorageError> for CopyError {
    fn from(e: StorageError) -> Self {
        Self::Storage(e)
    }
}

impl fmt::Display for CopyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Storage(e) => e.fmt(f),
            Self::SameDirectory { dir } => {
                write!(
                    f,
                    "{} is the store itself; name another directory",
                    dir.display()
                )
            }
            Self::InsideStore { target } => write!(
                f,
                "{} is in the directory of the store, with which it would be lost; name a directory outside",
                target.display()
            ),
            Self::Occupied { path } => write!(
                f,
                "{} is not empty and has no copy of the log: it has {}; nothing was written; name a new or an empty directory",
                path.parent().unwrap_or(path).display(),
                path.file_name().unwrap_or_default().display()
            ),
            Self::Unfinished { dir } => write!(
                f,
                "{} is left of an interrupted restore or import; nothing was written; remove it unless another command is \
                 writing it, and repeat",
                dir.display()
            ),
            Self::OtherStore {
                target,
                source,
                found,
            } => write!(
                f,
                "{} is a backup of store {found:016x}, and the source is store {source:016x}; nothing was written; name \
                 another directory",
                target.display()
            ),
            Self::OtherHistory { target, last } => write!(
                f,
                "{} has frames that the source does not have, up to {last}, because the source was restored or lost them; \
                 nothing was written; keep this backup and name another directory",
                target.display()
            ),
            Self::Dropped {
                target,
                last,
                first,
            } => write!(
                f,
                "the backup in {} ends with frame {last}, and the source has dropped the frames before {first}; nothing was \
                 written; keep this backup and name another directory",
                target.display()
            ),
            Self::NoSuchFrame { seq, last: None } => {
                write!(f, "the log has no frame {seq}: it is empty")
            }
            Self::NoSuchFrame {
                seq,
                last: Some(last),
            } => write!(f, "the log has no frame {seq}: its last frame is {last}"),
            Self::InsideMigration { seq } => write!(
                f,
                "frame {seq} is a part of a migration that later frames complete; nothing was written; name the frame before \
                 the migration or its last one"
            ),
            Self::NotALog(e) => write!(
                f,
                "the frames are not those of a log; nothing was kept: {e}"
            ),
            Self::Differs { target } => write!(
                f,
                "the copy in {} was read back, and is not equal to the source; check the disk, and copy to another directory",
                target.display()
            ),
        }
    }
}

impl std::error::Error for CopyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Storage(e) => Some(e),
            Self::NotALog(e) => Some(e),
            _ => None,
        }
    }
}

//! The error of reading a graph of an earlier epoch with the types of a model.

use std::error::Error;
use std::fmt;

use crate::base::error::{ErrorKind, MigrationError, Name, RefusedDifference};
use crate::base::position::Seq;

/// The error of [`Snapshot::upgrade`](crate::Snapshot::upgrade).
#[non_exhaustive]
#[derive(Debug)]
pub enum UpgradeError {
    /// The schema of then differs from the model in what only code can carry over, or in what the graph of then does not permit.
    Schema {
        /// The name of the model.
        model: Name,
        /// The last frame in the graph.
        seq: Option<Seq>,
        /// What is not carried over, each with the data because of which it is not.
        differences: Vec<RefusedDifference>,
    },
    /// The last frame in the graph is within a migration, so that the graph has a part of what the migration has changed.
    WithinMigration {
        /// The frame.
        seq: Seq,
    },
    /// A value cannot be read as one of the type that the model has, or the graph would not be valid.
    Invalid {
        /// The last frame in the graph.
        seq: Option<Seq>,
        /// The reason.
        reason: Box<MigrationError>,
    },
}

impl UpgradeError {
    /// Returns the kind of the error, which determines what a caller can do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Schema { .. } | Self::Invalid { .. } => ErrorKind::Internal,
            Self::WithinMigration { .. } => ErrorKind::Invalid,
        }
    }

    /// Returns what is not carried over, if differences of the schemas are the reason.
    #[must_use]
    pub fn differences(&self) -> &[RefusedDifference] {
        match self {
            Self::Schema { differences, .. } => differences,
            Self::WithinMigration { .. } | Self::Invalid { .. } => &[],
        }
    }
}

/// Renders the graph that is not carried over.
fn write_graph(f: &mut fmt::Formatter<'_>, seq: Option<Seq>) -> fmt::Result {
    match seq {
        Some(seq) => write!(f, "the graph after frame {seq}"),
        None => f.write_str("the graph before the first frame"),
    }
}

impl fmt::Display for UpgradeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Schema {
                model,
                seq,
                differences,
            } => {
                write_graph(f, *seq)?;
                write!(
                    f,
                    " cannot be read as one of the model `{model}`, since the code of a migration is not run on the past; read \
                     it by name. Changes from its schema to the model that are not taken:"
                )?;
                for difference in differences {
                    write!(f, "\n- {difference}")?;
                }
                Ok(())
            }
            Self::WithinMigration { seq } => write!(
                f,
                "frame {seq} is within a migration, so that the graph after it has a part of what the migration has changed; \
                 take the graph before the migration or after its last frame, or read it by name"
            ),
            Self::Invalid { seq, reason } => {
                write_graph(f, *seq)?;
                write!(
                    f,
                    " cannot be read as one of the model: {reason}; read it by name"
                )
            }
        }
    }
}

impl Error for UpgradeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Schema { .. } | Self::WithinMigration { .. } => None,
            // The message of this error contains that of the reason, so the source is the cause of the reason.
            Self::Invalid { reason, .. } => reason.source(),
        }
    }
}

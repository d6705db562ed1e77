//! Checkpoints: the graph after a frame in a file beside the log, from which opening starts instead of from the first frame.
//!
//! 1. `write.rs` writes one, and removes those that are not kept. `policy.rs` says when a store writes one by itself, which
//!    `background.rs` does on a thread.
//! 2. `read.rs` reads the newest one that is of this log, whole, and of the fingerprint that the log has for its frame. A store
//!    opens from it and replays the frames after it.
//! 3. One that is missing, damaged or of another log is ignored, and [`OpenedFrom`] says why. A checkpoint is necessary only if
//!    the first frames of the log were dropped, so that it cannot be replayed from its beginning.
//!
//! The content of a checkpoint is: the segments of the log ([`SegmentTable`](crate::log::SegmentTable)), the schemas of the log by
//! the numbers of their frames, the [image](crate::graph::image) of the graph, and the idempotency keys.

pub(super) mod background;
pub(super) mod policy;
pub(crate) mod read;
#[cfg(test)]
mod tests;
pub(crate) mod without_model;
pub(super) mod write;

use std::fmt;
use std::path::{Path, PathBuf};

use crate::base::position::Seq;

/// How a store was opened: from a checkpoint or from the first frame of its log, and which checkpoints were ignored.
/// [`Store::opened_from`](crate::Store::opened_from) returns it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenedFrom {
    checkpoint: Option<Seq>,
    ignored: Vec<IgnoredCheckpoint>,
}

impl OpenedFrom {
    /// Returns the frame that the checkpoint follows, or `None` if the whole log was replayed.
    #[must_use]
    pub fn checkpoint(&self) -> Option<Seq> {
        self.checkpoint
    }

    /// Returns the newer checkpoints, none of which could be used, the newest first.
    #[must_use]
    pub fn ignored(&self) -> &[IgnoredCheckpoint] {
        &self.ignored
    }
}

impl fmt::Display for OpenedFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.checkpoint {
            Some(seq) => write!(f, "from the checkpoint after frame {seq}")?,
            None => f.write_str("from the first frame")?,
        }
        for ignored in &self.ignored {
            write!(f, "; {ignored}")?;
        }
        Ok(())
    }
}

/// A checkpoint that an open ignored. It can be deleted, unless another program can use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnoredCheckpoint {
    path: PathBuf,
    reason: String,
}

impl IgnoredCheckpoint {
    /// Returns its file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns why it was ignored.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl fmt::Display for IgnoredCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} was ignored: {}", self.path.display(), self.reason)
    }
}

/// A checkpoint that was written. [`Store::checkpoint`](crate::Store::checkpoint) and
/// [`Store::last_checkpoint`](crate::Store::last_checkpoint) return it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    seq: Seq,
    path: PathBuf,
    bytes: u64,
}

impl Checkpoint {
    /// Returns the frame that it follows.
    #[must_use]
    pub fn seq(&self) -> Seq {
        self.seq
    }

    /// Returns its file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the length of its file.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

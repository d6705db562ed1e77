//! Detection of logs that were replaced while they were read. A reader holds no lock, so the directory may be replaced by an
//! older copy that continued with other frames, and an empty segment by one of another timeline.

use std::io;
use std::path::Path;

use super::{Block, Chain, scan, segment_path};
use crate::base::position::Seq;
use crate::base::storage_error::{StorageError, StorageFailure};
use crate::log::Head;

impl Chain {
    /// Returns an error if the last frame has changed. A complete frame changes only if the log is replaced.
    pub fn check_last(&self) -> Result<(), StorageError> {
        let (Some(head), Some(segment)) = (self.head, self.segment()) else {
            return Ok(());
        };
        let path = segment_path(&self.dir, segment);
        let checksum = self.position_parts.checksum(head.seq);
        let there = match self.last_at {
            Some(at) => scan::checksum_at(&path, at).map(|found| found == Some(checksum)),
            // The frame is in the previous segment. This segment must continue after it.
            None => scan::read_header(&path).map(|block| {
                block.is_ok_and(|block| self.store == block.store && follows(&block, &head))
            }),
        };
        match there {
            Ok(true) => Ok(()),
            Ok(false) => Err(replaced(head.seq, &path)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Err(replaced(head.seq, &path)),
            Err(e) => Err(StorageError::io("read", &path, e)),
        }
    }

    /// Updates the timeline and the version of a segment that was empty when it was entered, since a writer may have
    /// replaced it by another one. A segment with a frame is not replaced.
    pub(super) fn update_header(&mut self, path: &Path, first: Seq) -> Result<(), StorageError> {
        let block = scan::read_header(path).map_err(|e| StorageError::io("read", path, e))?;
        if let Ok(block) = block
            && (block.timeline, block.version) != (self.timeline, self.version)
        {
            (self.timeline, self.version) = (block.timeline, block.version);
            self.enter(first);
        }
        Ok(())
    }
}

/// Returns whether a segment continues after a frame.
pub(in crate::log) fn follows(block: &Block, head: &Head) -> bool {
    (block.fingerprint, block.epoch) == (head.fingerprint, head.epoch)
}

/// Returns the error for a log in which a frame, or the frame after it, has changed.
pub(in crate::log) fn replaced(seq: Seq, path: &Path) -> StorageError {
    StorageError::at(
        StorageFailure::Replaced,
        seq,
        format!(
            "frame {seq}, which was read before, is no longer in the log at {}: the log was replaced by another one, \
             such as an older backup of it; open it again, and rebuild all data derived from frames that it does not have",
            path.display()
        ),
    )
}

//! What is no longer what was read: a log whose directory was replaced by a copy of it that went on with other frames, and
//! an empty segment that was replaced by one of another timeline. A reader holds no lock that would keep anybody from it.

use std::io;
use std::path::Path;

use super::{BLOCK_BYTES, Block, Chain, SEGMENT_MAGIC, SUMS, scan, segment_path};
use crate::base::position::Seq;
use crate::base::storage_error::{StorageError, StorageFailure};
use crate::log::Head;

impl Chain {
    /// Refuses where the last frame is no longer what it was: a whole frame stays, unless the log is replaced.
    pub fn check_last(&self) -> Result<(), StorageError> {
        let (Some(head), Some(segment)) = (self.head, self.segment()) else {
            return Ok(());
        };
        let path = segment_path(&self.dir, segment);
        let sum = self.lines.sums[(head.seq.get() % SUMS) as usize];
        let there = match self.last_at {
            Some(at) => scan::sum_at(&path, at).map(|found| found == Some(sum)),
            // It lies in the segment before, which had all of it before this one was there and goes on after it.
            None => scan::read_block(&path).map(|bytes| {
                let block = <&[u8; BLOCK_BYTES]>::try_from(bytes.as_slice()).ok();
                let block = block.and_then(|bytes| Block::decode(SEGMENT_MAGIC, bytes).ok());
                block.is_some_and(|block| self.store == block.store && follows(&block, &head))
            }),
        };
        match there {
            Ok(true) => Ok(()),
            Ok(false) => Err(replaced(head.seq, &path)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Err(replaced(head.seq, &path)),
            Err(e) => Err(StorageError::io("read", &path, e)),
        }
    }

    /// A segment that was seen empty may have been replaced by one of another timeline. With a frame in it, it stays.
    pub(super) fn look_at_timeline(&mut self, path: &Path, first: Seq) -> Result<(), StorageError> {
        let bytes = scan::read_block(path).map_err(|e| StorageError::io("read", path, e))?;
        let block = <&[u8; BLOCK_BYTES]>::try_from(bytes.as_slice()).ok();
        match block.and_then(|bytes| Block::decode(SEGMENT_MAGIC, bytes).ok()) {
            Some(block) if block.timeline != self.timeline => {
                self.timeline = block.timeline;
                self.enter(first);
            }
            _ => {}
        }
        Ok(())
    }
}

/// Whether a segment goes on where a frame led to.
pub(in crate::log) fn follows(block: &Block, head: &Head) -> bool {
    (block.fingerprint, block.epoch) == (head.fingerprint, head.epoch)
}

/// A frame is no longer what it was, or what follows it is not what followed it.
pub(in crate::log) fn replaced(seq: Seq, path: &Path) -> StorageError {
    StorageError::at(
        StorageFailure::Replaced,
        seq,
        format!(
            "frame {seq}, which was read here, is no longer in the log at {}: the log was replaced by another one, such \
             as an older backup of it; open it again, and make anew whatever was made from frames that it does not have",
            path.display()
        ),
    )
}

//! Cursors: how far a named consumer has read a log, in a file beside the segments.
//!
//! `cursors/NAME` is a block as `HEAD` is one, with its own magic; it is only ever replaced by a rename of a synced
//! file. In place of a fingerprint it has the checksum of the frame, and 1 to tell it from an old cursor, which has
//! none there and is believed wherever the log has a frame of its sequence.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::StorageError;
use super::disk::Disk;
use super::frame::{BLOCK_BYTES, Block, CURSOR_MAGIC};
use crate::base::error::ReadError;
use crate::base::position::{FrameRef, Position};

const DIR: &str = "cursors";
/// What the upper half of the fingerprint is, where the lower one is the checksum of the frame.
const WITH_CHECKSUM: u64 = 1;
/// How long a name may be.
const NAME_BYTES_MAX: usize = 100;

/// The cursors of one store.
#[derive(Clone)]
pub(crate) struct Cursors {
    dir: PathBuf,
    store: u64,
    disk: Disk,
}

/// Refuses names that are not valid file names on every system.
pub(crate) fn check_name(name: &str) -> Result<(), ReadError> {
    let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b);
    if !name.is_empty() && name.len() <= NAME_BYTES_MAX && name.bytes().all(good) {
        return Ok(());
    }
    Err(ReadError::InvalidName { name: name.into() })
}

impl Cursors {
    pub(super) fn new(log: &Path, store: u64, disk: Disk) -> Self {
        Self {
            dir: log.join(DIR),
            store,
            disk,
        }
    }

    /// The last frame that is done with under a name; none, where there is no such cursor.
    pub(crate) fn read(&self, name: &str) -> Result<Option<FrameRef>, StorageError> {
        let path = self.path(name);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(StorageError::io("read", &path, e)),
        };
        let block = <[u8; BLOCK_BYTES]>::try_from(bytes.as_slice()).ok();
        let block = block.and_then(|bytes| Block::decode(CURSOR_MAGIC, &bytes).ok());
        match block {
            Some(block) => {
                let position = Position {
                    store: block.store,
                    timeline: block.timeline,
                    seq: block.seq,
                    checksum: block.fingerprint as u64,
                };
                // Whose checksum is known is compared with the frame.
                if block.fingerprint == 0 && block.store == self.store {
                    return Ok(Some(block.seq.into()));
                }
                Ok(Some(position.into()))
            }
            None => Err(StorageError::damage(
                &path,
                0,
                None,
                "the cursor cannot be read; removed, it begins anew",
            )),
        }
    }

    /// Where a cursor lies.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Sets a cursor; when this returns, it is durable. The frame must be so before.
    pub(crate) fn write(&self, name: &str, position: Position) -> Result<(), StorageError> {
        let disk = &self.disk;
        disk.create_dir(&self.dir)?;
        let path = self.path(name);
        let block = Block {
            epoch: 0,
            seq: position.seq,
            fingerprint: u128::from(WITH_CHECKSUM) << 64 | u128::from(position.checksum),
            store: position.store,
            timeline: position.timeline,
        };
        disk.replace(&path, &block.encode(CURSOR_MAGIC))
    }
}

//! Cursors: the last frame that each named consumer has acknowledged, in a file beside the segments.
//!
//! The file `cursors/NAME` contains a block with a magic of its own. It is replaced only by renaming a synced file. In place
//! of a fingerprint, the block has the checksum of the frame in the lower half and 1 in the upper half. Cursors of older
//! versions have 0 in both halves, and are valid if the log has a frame with their sequence number.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::StorageError;
use super::disk::Disk;
use super::frame::{BLOCK_BYTES, Block, BlockFault, CURSOR_MAGIC};
use crate::base::error::ReadError;
use crate::base::position::{FrameRef, Position};
use crate::base::storage_error::FORMAT_VERSION;

const DIR: &str = "cursors";
/// The upper half of the fingerprint of a cursor whose lower half is the checksum of the frame.
const WITH_CHECKSUM: u64 = 1;
/// The allowed length of a name.
const NAME_BYTES_MAX: usize = 100;

/// The cursors of one store.
#[derive(Clone)]
pub(crate) struct Cursors {
    dir: PathBuf,
    store: u64,
    disk: Disk,
}

/// Checks that a name is a valid file name on every operating system.
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

    /// Returns the last frame acknowledged under a name, or `None` if there is no such cursor.
    pub(crate) fn read(&self, name: &str) -> Result<Option<FrameRef>, StorageError> {
        let path = self.path(name);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(StorageError::io("read", &path, e)),
        };
        let invalid = |why: &str| {
            let advice = "restart the subscription at the first frame";
            StorageError::removable(&path, "the cursor", why, advice)
        };
        let Ok(bytes) = <[u8; BLOCK_BYTES]>::try_from(bytes.as_slice()) else {
            let why = format!("it has {} bytes instead of {BLOCK_BYTES}", bytes.len());
            return Err(invalid(&why));
        };
        match Block::decode(CURSOR_MAGIC, &bytes) {
            Ok(block) => {
                let position = Position {
                    store: block.store,
                    timeline: block.timeline,
                    seq: block.seq,
                    checksum: block.fingerprint as u64,
                };
                // A cursor of an older version has no checksum that could be compared with the frame.
                if block.fingerprint == 0 && block.store == self.store {
                    return Ok(Some(block.seq.into()));
                }
                Ok(Some(position.into()))
            }
            Err(BlockFault::Magic) => Err(invalid("it does not begin with its magic bytes")),
            Err(BlockFault::Checksum) => Err(invalid("its checksum is wrong")),
            Err(other) => Err(other
                .version_error(&path)
                .unwrap_or_else(|| invalid("its header is invalid"))),
        }
    }

    /// Returns the names of all cursors, in order.
    pub(crate) fn names(&self) -> Result<Vec<String>, StorageError> {
        let io = |e| StorageError::io("list", &self.dir, e);
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(io(e)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let name = entry.map_err(io)?.file_name();
            names.extend(
                name.to_str()
                    .filter(|name| check_name(name).is_ok())
                    .map(str::to_owned),
            );
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Returns the path of a cursor.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Sets a cursor to a durable frame. The cursor is durable when this returns.
    pub(crate) fn write(&self, name: &str, position: Position) -> Result<(), StorageError> {
        let disk = &self.disk;
        disk.create_dir(&self.dir)?;
        let path = self.path(name);
        let block = Block {
            version: FORMAT_VERSION,
            epoch: 0,
            seq: position.seq,
            fingerprint: u128::from(WITH_CHECKSUM) << 64 | u128::from(position.checksum),
            store: position.store,
            timeline: position.timeline,
        };
        disk.replace(&path, &block.encode(CURSOR_MAGIC))
    }
}

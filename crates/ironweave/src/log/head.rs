//! The two small files beside the segments: `HEAD`, which records a durable frame, and `LOCK`.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::disk::{Disk, parent};
use super::frame::{BLOCK_BYTES, Block, BlockFault, HEAD_MAGIC};
use super::{StorageError, StorageFailure};

const HEAD: &str = "HEAD";
const LOCK: &str = "LOCK";

/// Reads `HEAD`. It is replaced only by renaming a synced file, so a crash cannot tear it. If it cannot be decoded, the
/// directory is damaged.
pub(super) fn read_head(dir: &Path) -> Result<Option<Block>, StorageError> {
    let path = dir.join(HEAD);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(StorageError::io("read", &path, e)),
    };
    let damage = |why: &str| StorageError::broken_head(&path, why);
    let Ok(bytes) = <[u8; BLOCK_BYTES]>::try_from(bytes.as_slice()) else {
        return Err(damage(&format!(
            "has {} bytes instead of {BLOCK_BYTES}",
            bytes.len()
        )));
    };
    match Block::decode(HEAD_MAGIC, &bytes) {
        Ok(block) => Ok(Some(block)),
        Err(BlockFault::Magic) => Err(damage("does not begin with its magic bytes")),
        Err(BlockFault::Checksum) => Err(damage("has a wrong checksum")),
        Err(other) => Err(other
            .version_error(&path)
            .unwrap_or_else(|| damage("cannot be read"))),
    }
}

/// Replaces `HEAD`. The frames up to the one in `block` must have been synced.
pub(super) fn write_head(disk: &Disk, dir: &Path, block: &Block) -> Result<(), StorageError> {
    disk.replace(&dir.join(HEAD), &block.encode(HEAD_MAGIC))
}

/// The exclusive right to write to a directory. The operating system releases the lock when the process ends. The process id
/// in the file is only for error messages.
#[derive(Debug)]
pub(crate) struct Lock {
    pub(super) file: File,
    /// The process that acquired it.
    pub(super) process: u32,
}

impl Lock {
    pub(crate) fn acquire(dir: &Path) -> Result<Self, StorageError> {
        Self::acquire_file(dir.join(LOCK), |holder| StorageError::locked(dir, holder))
    }

    /// Locks a file. `locked` returns the error of a lock that a process holds.
    pub fn acquire_file(
        path: PathBuf,
        locked: impl FnOnce(Option<u32>) -> StorageError,
    ) -> Result<Self, StorageError> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|e| StorageError::io("open", &path, e))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                // If the process id cannot be read, the message does not name the process.
                let holder = file
                    .read_to_string(&mut text)
                    .ok()
                    .and_then(|_| text.trim().parse().ok());
                return Err(locked(holder));
            }
            Err(TryLockError::Error(e)) if e.kind() == io::ErrorKind::Unsupported => {
                return Err(StorageError::new(
                    StorageFailure::Io,
                    format!(
                        "the file system of {} has no file locks, which prevent a second writer; move the store to a \
                         local disk",
                        parent(&path).display()
                    ),
                )
                .with_source(e));
            }
            Err(TryLockError::Error(e)) => return Err(StorageError::io("lock", &path, e)),
        }
        let written = file
            .set_len(0)
            .and_then(|()| file.seek(SeekFrom::Start(0)))
            .and_then(|_| file.write_all(format!("{}\n", std::process::id()).as_bytes()));
        written.map_err(|e| StorageError::io("write", &path, e))?;
        Ok(Self {
            file,
            process: std::process::id(),
        })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if self.process != std::process::id() {
            // This process is a fork of the owner. Both share the lock, which must stay with the owner.
            return;
        }
        // Closing the file is not enough. A child process that another thread is starting has a copy of the file until it
        // executes its program, and would hold the lock until then.
        let _ = self.file.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_released_while_a_starting_child_still_has_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let lock = Lock::acquire(dir.path()).unwrap();
        let _of_the_child = lock.file.try_clone().unwrap();
        assert!(Lock::acquire(dir.path()).unwrap_err().is_locked());
        drop(lock);
        Lock::acquire(dir.path()).unwrap();
    }
}

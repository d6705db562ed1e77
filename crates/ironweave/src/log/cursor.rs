//! Cursors: how far somebody has read a log, under a name, in a file beside the segments.
//!
//! `cursors/NAME` is a block as `HEAD` is one, with its own magic; it is only ever replaced by a rename of a synced
//! file.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::disk::Disk;
use super::frame::{BLOCK_BYTES, Block, CURSOR_MAGIC};
use super::{ErrorKind, Seq, StorageError};

const DIR: &str = "cursors";
/// How long a name may be.
const NAME_BYTES_MAX: usize = 100;

/// The cursors of one store.
#[derive(Clone, Debug)]
pub(crate) struct Cursors {
    dir: PathBuf,
    store: u64,
}

/// Refuses what is no name of a file everywhere.
pub(crate) fn check_name(name: &str) -> Result<(), StorageError> {
    let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b);
    if !name.is_empty() && name.len() <= NAME_BYTES_MAX && name.bytes().all(good) {
        return Ok(());
    }
    Err(StorageError::new(
        ErrorKind::NotFound,
        format!(
            "`{name}` is no name for a cursor: write 1 to {NAME_BYTES_MAX} of the letters a-z, digits, `-` and `_`"
        ),
    ))
}

impl Cursors {
    pub(super) fn new(log: &Path, store: u64) -> Self {
        Self {
            dir: log.join(DIR),
            store,
        }
    }

    /// The last frame that is done with under a name; none, where there is no such cursor.
    pub(crate) fn read(&self, name: &str) -> Result<Option<Seq>, StorageError> {
        let path = self.dir.join(name);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(StorageError::io("read", &path, e)),
        };
        let block = <[u8; BLOCK_BYTES]>::try_from(bytes.as_slice()).ok();
        let block = block.and_then(|bytes| Block::decode(CURSOR_MAGIC, &bytes).ok());
        match block {
            Some(block) if block.store == self.store => Ok(Some(block.seq)),
            Some(_) => Err(StorageError::damage(
                &path,
                0,
                None,
                "the cursor is of another store",
            )),
            None => Err(StorageError::damage(
                &path,
                0,
                None,
                "the cursor cannot be read; removed, it begins anew",
            )),
        }
    }

    /// Sets a cursor; when this returns, it is durable.
    pub(crate) fn write(&self, name: &str, seq: Seq) -> Result<(), StorageError> {
        let disk = Disk::default();
        disk.create_dir(&self.dir)?;
        let path = self.dir.join(name);
        let block = Block {
            epoch: 0,
            seq,
            fingerprint: 0,
            store: self.store,
        };
        let file = disk.create(&path.with_added_extension("tmp"))?;
        file.write_at(0, &block.encode(CURSOR_MAGIC))?;
        disk.publish(file, &path)?;
        Ok(())
    }
}

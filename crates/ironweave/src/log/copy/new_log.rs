//! Logs that get their names when they are complete.

use std::fs;
use std::path::{Path, PathBuf};

use super::{CopyError, absolute, any_file};
use crate::base::storage_error::StorageError;
use crate::log::disk::Disk;
use crate::log::{FileLog, FrameHeader, Log as _, LogOptions};

/// Returns the directory that a log has until it is complete and gets its final name: that of [`restore`](super::restore) and
/// of [`RawWriter`](crate::raw_log::RawWriter). A program that is interrupted can remove it, if the restore has begun.
///
/// # Errors
/// `is_io` if the path has no name, as `/`.
pub fn unfinished(target: impl AsRef<Path>) -> Result<PathBuf, StorageError> {
    let target = absolute(target.as_ref())?;
    Ok(target.with_added_extension("unfinished"))
}

/// Creates the directory of a log that gets its final name when it is complete. The target must be free.
pub(super) fn begin(disk: &Disk, target: &Path) -> Result<PathBuf, CopyError> {
    let unfinished = unfinished(target)?;
    if let Some(path) = any_file(target)? {
        return Err(CopyError::Occupied { path });
    }
    if any_file(&unfinished)?.is_some() {
        return Err(CopyError::Unfinished { dir: unfinished });
    }
    disk.create_dir(&unfinished)?;
    Ok(unfinished)
}

/// Gives a complete log its final name.
pub(super) fn publish(disk: &Disk, unfinished: &Path, target: &Path) -> Result<(), StorageError> {
    if target.exists() {
        // A directory cannot be renamed to one that exists on every system.
        fs::remove_dir(target).map_err(|e| StorageError::io("replace", target, e))?;
    }
    disk.rename_dir(unfinished, target)
}

/// A log that is written frame by frame to a new directory, which appears when it is complete. Dropping it before that removes
/// it.
#[derive(Debug)]
pub(crate) struct NewLog {
    disk: Disk,
    target: PathBuf,
    unfinished: PathBuf,
    log: Option<FileLog>,
}

impl NewLog {
    pub(crate) fn create(target: &Path) -> Result<Self, CopyError> {
        let target = &absolute(target)?;
        let disk = Disk::default();
        let mut new = Self {
            unfinished: begin(&disk, target)?,
            target: target.to_owned(),
            disk,
            log: None,
        };
        new.log = Some(FileLog::open(&new.unfinished, LogOptions::default())?);
        Ok(new)
    }

    /// Appends the next frame.
    pub(crate) fn append(&mut self, header: FrameHeader, payload: &[u8]) -> Result<(), CopyError> {
        let Some(log) = &mut self.log else {
            return Ok(());
        };
        (log.append(header, payload)).map_err(|e| e.into_storage().into())
    }

    /// Appends frames of a group.
    pub(crate) fn append_group(
        &mut self,
        frames: &[(FrameHeader, Vec<u8>)],
    ) -> Result<(), CopyError> {
        let Some(log) = &mut self.log else {
            return Ok(());
        };
        (log.append_group(frames)).map_err(|e| e.into_storage().into())
    }

    /// Closes the log and returns its directory, in which it can be checked.
    pub(crate) fn close(&mut self) -> Result<&Path, CopyError> {
        if let Some(log) = self.log.take() {
            log.close()?;
        }
        Ok(&self.unfinished)
    }

    /// Gives the log its final name.
    pub(crate) fn publish(mut self) -> Result<(), CopyError> {
        self.close()?;
        Ok(publish(&self.disk, &self.unfinished, &self.target)?)
    }
}

impl Drop for NewLog {
    fn drop(&mut self) {
        // It is absent if it was published. If it cannot be removed, the next attempt names it.
        self.log = None;
        let _ = fs::remove_dir_all(&self.unfinished);
    }
}

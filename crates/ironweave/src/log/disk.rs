//! All changes to the directory of a log are made here, so that tests can record them, reorder them and make them fail.
//!
//! Two rules hold for the whole log. A file is synced before it is renamed. A directory is synced after a file in it was
//! created, renamed or removed.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
#[cfg(test)]
use std::sync::Arc;
use std::sync::{Mutex, PoisonError};

use super::StorageError;
use crate::base::hash::hash_bytes;

/// Locks that are held while a file is replaced. The hash of the file name selects the lock, so files with different names
/// rarely share one, and different paths to one directory lead to the same lock.
static REPLACING: [Mutex<()>; 16] = [const { Mutex::new(()) }; 16];

/// Returns the lock of a file.
fn replacing(path: &Path) -> &'static Mutex<()> {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    &REPLACING[hash_bytes(name) as usize % REPLACING.len()]
}

/// Changes files with the calls of the operating system. In tests, a probe sees each change before it is made.
#[derive(Clone, Default)]
pub(crate) struct Disk {
    #[cfg(test)]
    pub probe: Option<Arc<dyn Probe>>,
}

impl std::fmt::Debug for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Disk")
    }
}

/// A change, as a probe sees it.
#[cfg(test)]
pub(crate) enum Op<'a> {
    CreateDir,
    Create(&'a Path),
    Write {
        path: &'a Path,
        offset: u64,
        bytes: &'a [u8],
    },
    SetLen {
        path: &'a Path,
        len: u64,
    },
    Sync(&'a Path),
    Rename {
        from: &'a Path,
        to: &'a Path,
    },
    Remove(&'a Path),
    SyncDir(&'a Path),
}

/// Sees each change before it is made. Returning an error prevents the change, except for the given number of bytes of a
/// write.
#[cfg(test)]
pub(crate) trait Probe: Send + Sync {
    fn before(&self, op: &Op<'_>) -> Result<(), (usize, io::Error)>;
}

impl Disk {
    #[cfg(test)]
    fn before(&self, op: &Op<'_>) -> Result<(), (usize, io::Error)> {
        self.probe.as_ref().map_or(Ok(()), |probe| probe.before(op))
    }

    /// Creates a directory and its missing ancestors.
    pub fn create_dir(&self, dir: &Path) -> Result<(), StorageError> {
        let absent: Vec<&Path> = dir
            .ancestors()
            .take_while(|path| !path.as_os_str().is_empty() && !path.exists())
            .collect();
        for path in absent.into_iter().rev() {
            #[cfg(test)]
            self.before(&Op::CreateDir)
                .map_err(|(_, e)| StorageError::io("create", path, e))?;
            match fs::create_dir(path) {
                Err(e) if e.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(StorageError::io("create the directory", path, e));
                }
                _ => self.sync_dir(parent(path))?,
            }
        }
        Ok(())
    }

    /// Creates a file, or truncates an existing one.
    pub fn create(&self, path: &Path) -> Result<DiskFile, StorageError> {
        #[cfg(test)]
        self.before(&Op::Create(path))
            .map_err(|(_, e)| StorageError::io("create", path, e))?;
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(path);
        self.wrap(file.map_err(|e| StorageError::io("create", path, e))?, path)
    }

    /// Opens an existing file for writing.
    pub fn open(&self, path: &Path) -> Result<DiskFile, StorageError> {
        let file = OpenOptions::new().write(true).open(path);
        self.wrap(file.map_err(|e| StorageError::io("open", path, e))?, path)
    }

    fn wrap(&self, file: File, path: &Path) -> Result<DiskFile, StorageError> {
        Ok(DiskFile {
            file,
            path: path.to_owned(),
            disk: self.clone(),
        })
    }

    /// Syncs a file, renames it to its final name, and makes the name durable.
    pub fn publish(&self, mut file: DiskFile, to: &Path) -> Result<DiskFile, StorageError> {
        file.sync_all()?;
        #[cfg(test)]
        self.before(&Op::Rename {
            from: &file.path,
            to,
        })
        .map_err(|(_, e)| StorageError::io("rename", to, e))?;
        fs::rename(&file.path, to).map_err(|e| StorageError::io("rename a file to", to, e))?;
        file.path = to.to_owned();
        self.sync_dir(parent(to))?;
        Ok(file)
    }

    /// Creates or replaces a file atomically. The content is durable when this returns. Threads may replace one file
    /// concurrently. On an error the temporary file is removed, which frees the space on a full disk. If this fails too, the next
    /// attempt or the next opening for writing replaces or removes it.
    pub fn replace(&self, path: &Path, content: &[u8]) -> Result<(), StorageError> {
        // All threads use the same temporary name, so that a kill leaves at most one temporary file.
        let lock = replacing(path).lock();
        let _alone = lock.unwrap_or_else(PoisonError::into_inner);
        let temporary = path.with_added_extension("tmp");
        let written = self.create(&temporary).and_then(|file| {
            file.write_at(0, content)?;
            self.publish(file, path)
        });
        // Before the lock is released, or the file could be that of another thread.
        written.map(drop).inspect_err(|_| {
            let _ = self.remove(&temporary);
        })
    }

    /// Renames a directory whose files are durable, and makes the name durable.
    pub fn rename_dir(&self, from: &Path, to: &Path) -> Result<(), StorageError> {
        #[cfg(test)]
        self.before(&Op::Rename { from, to })
            .map_err(|(_, e)| StorageError::io("rename", to, e))?;
        fs::rename(from, to).map_err(|e| StorageError::io("rename a directory to", to, e))?;
        self.sync_dir(parent(to))
    }

    pub fn remove(&self, path: &Path) -> Result<(), StorageError> {
        #[cfg(test)]
        self.before(&Op::Remove(path))
            .map_err(|(_, e)| StorageError::io("remove", path, e))?;
        fs::remove_file(path).map_err(|e| StorageError::io("remove", path, e))
    }

    pub fn sync_dir(&self, dir: &Path) -> Result<(), StorageError> {
        #[cfg(test)]
        self.before(&Op::SyncDir(dir))
            .map_err(|(_, e)| StorageError::io("sync", dir, e))?;
        // On other systems a directory cannot be opened as a file, and names are durable after a sync of the file.
        if cfg!(unix) {
            let synced = File::open(dir).and_then(|file| file.sync_all());
            synced.map_err(|e| StorageError::io("sync the directory", dir, e))?;
        }
        Ok(())
    }
}

/// A file that is open for writing.
pub(crate) struct DiskFile {
    file: File,
    path: PathBuf,
    #[cfg_attr(not(test), expect(dead_code, reason = "holds the probe of a test"))]
    disk: Disk,
}

impl DiskFile {
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn len(&self) -> Result<u64, StorageError> {
        Ok(self
            .file
            .metadata()
            .map_err(|e| StorageError::io("read the length of", &self.path, e))?
            .len())
    }

    pub fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), StorageError> {
        #[cfg(test)]
        if let Err((allowed, e)) = self.disk.before(&Op::Write {
            path: &self.path,
            offset,
            bytes,
        }) {
            write_all_at(&self.file, offset, &bytes[..allowed]).expect("a partial write of a test");
            return Err(StorageError::io("write", &self.path, e));
        }
        write_all_at(&self.file, offset, bytes)
            .map_err(|e| StorageError::io("write", &self.path, e))
    }

    pub fn set_len(&self, len: u64) -> Result<(), StorageError> {
        #[cfg(test)]
        let checked = self.disk.before(&Op::SetLen {
            path: &self.path,
            len,
        });
        #[cfg(test)]
        checked.map_err(|(_, e)| StorageError::io("change the length of", &self.path, e))?;
        self.file
            .set_len(len)
            .map_err(|e| StorageError::io("change the length of", &self.path, e))
    }

    /// Syncs the contents and the metadata that reading them requires.
    pub fn sync_data(&self) -> Result<(), StorageError> {
        #[cfg(test)]
        self.disk
            .before(&Op::Sync(&self.path))
            .map_err(|(_, e)| StorageError::io("sync", &self.path, e))?;
        self.file
            .sync_data()
            .map_err(|e| StorageError::io("sync", &self.path, e))
    }

    /// Syncs the contents and all metadata.
    pub fn sync_all(&self) -> Result<(), StorageError> {
        #[cfg(test)]
        self.disk
            .before(&Op::Sync(&self.path))
            .map_err(|(_, e)| StorageError::io("sync", &self.path, e))?;
        self.file
            .sync_all()
            .map_err(|e| StorageError::io("sync", &self.path, e))
    }
}

#[cfg(unix)]
fn write_all_at(file: &File, offset: u64, bytes: &[u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(not(unix))]
fn write_all_at(mut file: &File, offset: u64, bytes: &[u8]) -> io::Result<()> {
    use std::io::{Seek, SeekFrom, Write};
    file.seek(SeekFrom::Start(offset))?;
    file.write_all(bytes)
}

/// Returns the directory that contains a path.
pub(super) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Refuses each write, and counts the removals that another thread could not disturb.
    #[derive(Default)]
    struct Full {
        removed_alone: AtomicUsize,
    }

    impl Probe for Full {
        fn before(&self, op: &Op<'_>) -> Result<(), (usize, io::Error)> {
            match op {
                Op::Write { .. } => Err((0, io::ErrorKind::StorageFull.into())),
                Op::Remove(path) => {
                    let is_held = replacing(&path.with_extension("")).try_lock().is_err();
                    let alone = usize::from(is_held);
                    self.removed_alone.fetch_add(alone, Ordering::Relaxed);
                    Ok(())
                }
                _ => Ok(()),
            }
        }
    }

    #[test]
    fn a_failed_replacement_removes_its_temporary_file_before_another_begins() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a_failed_replacement");
        let full = Arc::new(Full::default());
        let probe: Arc<dyn Probe> = full.clone();
        let disk = Disk { probe: Some(probe) };
        Disk::default().replace(&path, b"before").unwrap();
        disk.replace(&path, b"after").unwrap_err();
        assert_eq!(full.removed_alone.load(Ordering::Relaxed), 1);
        assert_eq!(fs::read(&path).unwrap(), b"before");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}

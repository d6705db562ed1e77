//! Every change to the directory goes through here, so that tests can fail, record and reorder changes.
//!
//! The rules that all of the log follows: a file is synced before it is renamed; a directory is synced
//! after a file in it was created, renamed or removed.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
#[cfg(test)]
use std::sync::Arc;
use std::sync::{Mutex, PoisonError};

use super::StorageError;
use crate::base::hash::hash_bytes;

/// Held while a file is replaced; chosen by the name of the file, so that files with other names seldom wait, and so that
/// the path by which the directory is named does not matter.
static REPLACING: [Mutex<()>; 16] = [const { Mutex::new(()) }; 16];

/// Makes changes to files. Without a probe (outside tests: always) it is the operating system's own calls.
#[derive(Clone, Default)]
pub(crate) struct Disk {
    #[cfg(test)]
    pub probe: Option<Arc<dyn Probe>>,
}

/// A change that is about to be made.
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

/// Sees each change before it is made, and may forbid it; of a write, it may let some bytes through.
#[cfg(test)]
pub(crate) trait Probe: Send + Sync {
    fn before(&self, op: &Op<'_>) -> Result<(), (usize, io::Error)>;
}

impl Disk {
    #[cfg(test)]
    fn before(&self, op: &Op<'_>) -> Result<(), (usize, io::Error)> {
        self.probe.as_ref().map_or(Ok(()), |probe| probe.before(op))
    }

    /// Creates a directory and what is missing above it.
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

    /// Creates a file, or empties the one that is there.
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

    /// Opens a file that is there, to change it.
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

    /// Gives a synced file its final name, and makes the name durable.
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

    /// Puts a file with some content in place of what is there, if anything is: at once, and durable when this returns.
    /// Several threads may do so to one file.
    pub fn replace(&self, path: &Path, content: &[u8]) -> Result<(), StorageError> {
        // They use one name on the way, so that a kill leaves one file behind at most.
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        let lock = &REPLACING[hash_bytes(name) as usize % REPLACING.len()];
        let _alone = lock.lock().unwrap_or_else(PoisonError::into_inner);
        let file = self.create(&path.with_added_extension("tmp"))?;
        file.write_at(0, content)?;
        self.publish(file, path).map(|_| ())
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
        // Elsewhere a directory cannot be opened as a file, and names are durable with the file's sync.
        if cfg!(unix) {
            let synced = File::open(dir).and_then(|file| file.sync_all());
            synced.map_err(|e| StorageError::io("sync the directory", dir, e))?;
        }
        Ok(())
    }
}

/// A file open for changes.
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
            .map_err(|e| StorageError::io("look at", &self.path, e))?
            .len())
    }

    pub fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), StorageError> {
        #[cfg(test)]
        if let Err((through, e)) = self.disk.before(&Op::Write {
            path: &self.path,
            offset,
            bytes,
        }) {
            write_all_at(&self.file, offset, &bytes[..through]).expect("a partial write of a test");
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
        checked.map_err(|(_, e)| StorageError::io("cut", &self.path, e))?;
        self.file
            .set_len(len)
            .map_err(|e| StorageError::io("cut", &self.path, e))
    }

    /// Contents, and as much else as is needed to read them.
    pub fn sync_data(&self) -> Result<(), StorageError> {
        #[cfg(test)]
        self.disk
            .before(&Op::Sync(&self.path))
            .map_err(|(_, e)| StorageError::io("sync", &self.path, e))?;
        self.file
            .sync_data()
            .map_err(|e| StorageError::io("sync", &self.path, e))
    }

    /// Contents and everything else.
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

/// The directory that a path is in.
pub(super) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

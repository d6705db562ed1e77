//! The file of a segment, in the directory of the log or compressed in an archive.
//!
//! A segment is looked for in the directory of the log first, and then where `ARCHIVED` says that it is. This happens each time
//! that a segment is opened, so that a log can be read while its segments are being archived.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use super::archived::{Archived, ArchivedSegment};
use super::compressed::{CompressedSegment, compressed_path};
use super::disk::parent;
use super::scan::read_at;
use super::segments::Sealed;
use super::{Seq, StorageError, StorageFailure};
use crate::base::error::FrameLocation;

/// A segment that is open for reading.
pub(super) struct SegmentFile {
    path: Arc<Path>,
    form: Form,
}

enum Form {
    Plain(File),
    Compressed {
        segment: Box<CompressedSegment>,
        /// The offset of the next bytes that are read in order.
        at: u64,
    },
}

impl SegmentFile {
    /// Opens the segment that has or had this path in the directory of the log. `archives` is the directory that archived
    /// segments were moved to, if it is not the one that the log records.
    ///
    /// # Errors
    /// `is_io`, with a source that says so if there is no such segment; `is_archived`, `is_dropped`, `is_damage`.
    pub fn open(path: &Path, archives: Option<&Path>) -> Result<Self, StorageError> {
        let missing = match File::open(path) {
            Ok(file) => {
                return Ok(Self {
                    path: path.into(),
                    form: Form::Plain(file),
                });
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => StorageError::io("open", path, e),
            Err(e) => return Err(StorageError::io("open", path, e)),
        };
        let dir = parent(path);
        let Some((first, archived)) = first_of(path).zip(Archived::read(dir)?) else {
            return Err(missing);
        };
        if first < archived.kept.seq {
            return Err(archived.dropped(dir, first));
        }
        let Some(segment) = archived.segment(first) else {
            return Err(missing);
        };
        Self::open_archived(dir, &archived, segment, archives)
    }

    /// Opens a segment in an archive.
    pub fn open_archived(
        dir: &Path,
        archived: &Archived,
        segment: &ArchivedSegment,
        archives: Option<&Path>,
    ) -> Result<Self, StorageError> {
        let sealed = archived.sealed(segment);
        let path = compressed_path(&archived.directory(dir, segment, archives), sealed.first);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                let last = sealed.next.get().saturating_sub(1);
                let message = format!(
                    "the archive {} is missing, so the frames {} to {last} cannot be read; mount or restore its directory, \
                     or name the one that it was moved to (`Options::archives`, `--archives`)",
                    path.display(),
                    sealed.first
                );
                return Err(StorageError::new(StorageFailure::Archived, message)
                    .with_location(&path, 0, Some(sealed.first))
                    .with_source(e));
            }
            Err(e) => return Err(StorageError::io("open", &path, e)),
        };
        Self::of_compressed_file(&path, file, (archived.left.store, &sealed))
    }

    /// Opens a compressed segment.
    ///
    /// # Errors
    /// `is_damage` if it is another segment than `of`; `is_archived`, `is_io`.
    #[cfg(feature = "archive")]
    pub fn of_compressed(path: &Path, store: u64, of: &Sealed) -> Result<Self, StorageError> {
        let file = File::open(path).map_err(|e| StorageError::io("open", path, e))?;
        Self::of_compressed_file(path, file, (store, of))
    }

    fn of_compressed_file(
        path: &Path,
        file: File,
        (store, of): (u64, &Sealed),
    ) -> Result<Self, StorageError> {
        let compressed = CompressedSegment::open(path, file)?;
        if compressed.of() != (store, *of) {
            let what = format!(
                "the file has another segment than {:020}.log of the store {store:016x}; use an archive directory for \
                 one store only",
                of.first
            );
            return Err(StorageError::damage(path, 0, Some(of.first), &what));
        }
        Ok(Self {
            path: path.into(),
            form: Form::Compressed {
                segment: Box::new(compressed),
                at: 0,
            },
        })
    }

    /// Returns the path of the file that is read. If it is in an archive, offsets are those of the segment before compression.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the location of a frame in the segment.
    pub fn location(&self, offset: u64) -> FrameLocation {
        FrameLocation {
            segment: Arc::clone(&self.path),
            offset,
        }
    }

    /// Returns the length of the segment, before compression.
    pub fn len(&self) -> io::Result<u64> {
        match &self.form {
            Form::Plain(file) => Ok(file.metadata()?.len()),
            Form::Compressed { segment, .. } => Ok(segment.of().1.bytes),
        }
    }

    /// Returns where the last frame at or before a frame begins that can be read without the bytes before it, if that is known.
    pub fn entry_before(&self, seq: Seq) -> Option<(Seq, u64)> {
        match &self.form {
            Form::Plain(_) => None,
            Form::Compressed { segment, .. } => segment.entry_before(seq),
        }
    }

    /// Determines where [`read_more`](Self::read_more) begins.
    pub fn seek(&mut self, offset: u64) -> io::Result<()> {
        match &mut self.form {
            Form::Plain(file) => file.seek(SeekFrom::Start(offset)).map(|_| ()),
            Form::Compressed { at, .. } => {
                *at = offset;
                Ok(())
            }
        }
    }

    /// Appends the next bytes to a buffer: `most` of them, or fewer if the segment ends.
    pub fn read_more(&mut self, most: u64, buf: &mut Vec<u8>) -> io::Result<()> {
        match &mut self.form {
            Form::Plain(file) => (&*file).take(most).read_to_end(buf).map(|_| ()),
            Form::Compressed { segment, at } => {
                let until = at.saturating_add(most);
                while *at < until {
                    let bytes = segment.bytes_from(*at)?;
                    if bytes.is_empty() {
                        break;
                    }
                    let len = (until - *at).min(bytes.len() as u64) as usize;
                    buf.extend_from_slice(bytes.get(..len).unwrap_or(bytes));
                    *at += len as u64;
                }
                Ok(())
            }
        }
    }

    /// Reads from an offset until the buffer is full or the segment ends. Returns the number of bytes read.
    pub fn read_at(&mut self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        match &mut self.form {
            Form::Plain(file) => read_at(file, offset, buf),
            Form::Compressed { segment, .. } => {
                let mut have = 0;
                while let Some(room) = buf.get_mut(have..).filter(|room| !room.is_empty()) {
                    let bytes = segment.bytes_from(offset + have as u64)?;
                    let len = bytes.len().min(room.len());
                    if len == 0 {
                        break;
                    }
                    room[..len].copy_from_slice(&bytes[..len]);
                    have += len;
                }
                Ok(have)
            }
        }
    }
}

/// Returns the first frame of a segment from its path.
fn first_of(path: &Path) -> Option<Seq> {
    let digits = path.file_name()?.to_str()?.strip_suffix(".log")?;
    digits.parse().ok().map(Seq::new)
}

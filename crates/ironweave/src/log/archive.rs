//! Archiving and dropping the first segments of a log, also while the log is open for writing.
//!
//! A segment is archived in these steps, each of which is durable before the next one begins:
//!
//! 1. The compressed copy is written to a temporary file, synced, read back and compared, and renamed.
//! 2. `ARCHIVED` is replaced by one with the segment.
//! 3. The segment is removed.
//!
//! Frames are dropped by replacing `ARCHIVED`, after which the files are removed. Interrupted at any point, the log is as it was
//! before a step or after it, and the next call removes what is left of it. The writer is not involved: it never reads nor writes
//! a segment that has a successor, except to read frames, for which it opens the segment by [`SegmentFile`].

#[cfg(feature = "archive")]
mod compress;

use std::path::{Path, PathBuf};

use super::archived::{Archived, archived_path};
use super::chain::segment_path;
use super::checkpoint_files::CheckpointFiles;
use super::compressed::compressed_path;
use super::disk::Disk;
use super::frame::{BLOCK_BYTES, Block};
use super::head::Lock;
use super::read::check_exists;
use super::scan::{self, Found, Scan};
use super::segment_file::SegmentFile;
use super::segments::{Sealed, index_path};
use super::{FrameKind, ReadOnlyLog, Seq, StorageError, StorageFailure, listing};

/// A segment that may be archived or dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SegmentPlace {
    /// Its first frame.
    pub first: Seq,
    /// The first frame of its successor.
    pub next: Seq,
    /// Its length in bytes before compression.
    pub bytes: u64,
    /// The file that it is in.
    pub path: PathBuf,
    /// Whether it is in an archive.
    pub archived: bool,
}

/// Returns the segments of a log that have a successor, with those in archives.
pub(crate) fn segment_places(log: &ReadOnlyLog) -> Result<Vec<SegmentPlace>, StorageError> {
    let chain = log.chain();
    let archived = Archived::read(&chain.dir)?;
    let place = |sealed: &Sealed| {
        let in_archive = archived.as_ref().and_then(|archived| {
            let segment = archived.segment(sealed.first)?;
            let directory = archived.directory(&chain.dir, segment, chain.archives.as_deref());
            Some(compressed_path(&directory, sealed.first))
        });
        SegmentPlace {
            first: sealed.first,
            next: sealed.next,
            bytes: sealed.bytes,
            archived: in_archive.is_some(),
            path: in_archive.unwrap_or_else(|| segment_path(&chain.dir, sealed.first)),
        }
    };
    Ok(chain.sealed.iter().map(place).collect())
}

/// The exclusive right to archive and to drop segments of a log.
pub(crate) struct Archiving {
    disk: Disk,
    log: ReadOnlyLog,
    archived: Option<Archived>,
    _lock: Lock,
}

impl Archiving {
    /// Begins to archive or to drop segments of a log, and completes what an earlier call did not.
    ///
    /// # Errors
    /// `is_locked` if another call is running; `is_not_found`, `is_damage`, `is_version`, `is_io`.
    pub(crate) fn begin(dir: &Path, archives: Option<&Path>) -> Result<Self, StorageError> {
        Self::begin_on(Disk::default(), dir, archives)
    }

    pub(super) fn begin_on(
        disk: Disk,
        dir: &Path,
        archives: Option<&Path>,
    ) -> Result<Self, StorageError> {
        // The lock creates a file, which a directory without a log must not get.
        check_exists(dir)?;
        let lock = lock(dir)?;
        let log = ReadOnlyLog::open_from_checkpoint(dir, archives)?;
        let mut archiving = Self {
            archived: Archived::read(dir)?,
            disk,
            log,
            _lock: lock,
        };
        archiving.remove_leftovers()?;
        Ok(archiving)
    }

    /// Returns the log.
    pub(crate) fn log(&self) -> &ReadOnlyLog {
        &self.log
    }

    fn dir(&self) -> &Path {
        &self.log.chain().dir
    }

    /// Returns what `ARCHIVED` has when nothing was archived.
    fn nothing_archived(&self) -> Result<Archived, StorageError> {
        let header = self.header_of(Seq::ZERO)?;
        Ok(Archived {
            left: header,
            kept: header,
            segments: Vec::new(),
            directories: Vec::new(),
            schemas: Vec::new(),
        })
    }

    /// Returns the header of a segment.
    fn header_of(&self, first: Seq) -> Result<Block, StorageError> {
        let mut file = self.log.chain().open(&segment_path(self.dir(), first))?;
        let header = scan::header(&mut file);
        let header = header.map_err(|e| StorageError::unreadable(file.path(), 0, None, e))?;
        header.map_err(|_| {
            let what = "the header of the segment is invalid, although it was valid before";
            StorageError::damage(file.path(), 0, Some(first), what)
        })
    }

    /// Reads all frames of a segment. `see` gets the offset of each frame in the segment, its sequence number, its length and
    /// its kind.
    fn read_segment(
        &self,
        of: &Sealed,
        file: SegmentFile,
        mut see: impl FnMut(u64, Seq, u64, FrameKind),
    ) -> Result<(), StorageError> {
        let mut scan = Scan::of(file, BLOCK_BYTES as u64)?;
        let path = scan.path().to_owned();
        let mut content_hash = 0;
        for seq in of.first.until(of.next) {
            let at = scan.offset();
            let found = scan.next(self.log.chain().store, seq);
            let found = found.map_err(|e| StorageError::unreadable(&path, at, Some(seq), e))?;
            let what = match found {
                Found::Frame {
                    header, checksum, ..
                } => {
                    content_hash = Sealed::hash_with(content_hash, checksum);
                    see(at, seq, scan.offset() - at, header.kind);
                    continue;
                }
                Found::Bad(fault) => fault.describe(),
                Found::End => "the segment ends before the frame".into(),
            };
            return Err(StorageError::damage(&path, at, Some(seq), &what));
        }
        if (scan.offset(), content_hash) == (of.bytes, of.content_hash) {
            return Ok(());
        }
        let what = "the segment has other frames than when the log was opened";
        Err(StorageError::damage(
            &path,
            scan.offset(),
            Some(of.next),
            what,
        ))
    }

    /// Reads bytes of a segment.
    fn bytes(file: &mut SegmentFile, at: u64, len: u64) -> Result<Vec<u8>, StorageError> {
        let mut bytes = vec![0; len as usize];
        match file.read_at(at, &mut bytes) {
            Ok(have) if have as u64 == len => Ok(bytes),
            Ok(_) => {
                let what = "the segment was cut while it was read";
                Err(StorageError::damage(file.path(), at, None, what))
            }
            Err(e) => Err(StorageError::unreadable(file.path(), at, None, e)),
        }
    }

    /// Drops all frames before one, which must be the first of a segment. They are in no file of the log nor of an archive
    /// afterwards, and the log cannot be opened without one of the checkpoints that it has then.
    ///
    /// # Errors
    /// `is_io`, `is_damage`. Either nothing was dropped, or all frames were, and the next call removes the files that are left.
    pub(crate) fn drop_before(&mut self, kept: Seq) -> Result<(), StorageError> {
        let mut archived = match &self.archived {
            Some(archived) => archived.clone(),
            None => self.nothing_archived()?,
        };
        let chain = self.log.chain();
        for sealed in &chain.sealed {
            if sealed.first < archived.left.seq || sealed.next > kept {
                continue;
            }
            let path = segment_path(self.dir(), sealed.first);
            let (mut raw, mut frames) = (chain.open(&path)?, Vec::new());
            self.read_segment(sealed, chain.open(&path)?, |at, _, bytes, kind| {
                if kind == FrameKind::Schema {
                    frames.push((at, bytes));
                }
            })?;
            for (at, bytes) in frames {
                let schema = Self::bytes(&mut raw, at, bytes)?;
                archived.schemas.push(schema);
            }
        }
        archived.kept = match archived.segment(kept) {
            Some(segment) => segment.header,
            None => self.header_of(kept)?,
        };
        if archived.left.seq < kept {
            archived.left = archived.kept;
        }
        for segment in &mut archived.segments {
            segment.dropped = segment.header.seq < kept;
        }
        self.record(&archived)?;
        self.remove_leftovers()
    }

    /// Makes a new content of `ARCHIVED` durable.
    fn record(&mut self, archived: &Archived) -> Result<(), StorageError> {
        self.disk
            .replace(&archived_path(self.dir()), &archived.encode())?;
        self.archived = Some(archived.clone());
        Ok(())
    }

    /// Removes the files of frames that are in archives or were dropped.
    fn remove_leftovers(&mut self) -> Result<(), StorageError> {
        let Some(archived) = self.archived.clone() else {
            return Ok(());
        };
        let dir = self.dir().to_owned();
        let archives = self.log.chain().archives.clone();
        let mut removed = false;
        for first in listing::segments(&dir)? {
            if first >= archived.left.seq {
                break;
            }
            // It is removed only if its archive is there.
            if let Some(segment) = archived.segment(first) {
                SegmentFile::open_archived(&dir, &archived, segment, archives.as_deref())?;
            }
            self.disk.remove(&segment_path(&dir, first))?;
            removed = true;
        }
        let checkpoints = CheckpointFiles::new(&dir, self.disk.clone());
        for seq in checkpoints.list()? {
            if seq < archived.kept.seq {
                checkpoints.remove(seq)?;
                removed = true;
            }
        }
        for first in listing::indexes(&dir)? {
            if first < archived.kept.seq {
                self.disk.remove(&index_path(&dir, first))?;
                removed = true;
            }
        }
        if removed {
            self.disk.sync_dir(&dir)?;
        }
        let dropped = archived.segments.iter().filter(|segment| segment.dropped);
        for segment in dropped.clone() {
            let directory = archived.directory(&dir, segment, archives.as_deref());
            let path = compressed_path(&directory, segment.header.seq);
            if path.exists() {
                self.disk.remove(&path)?;
                self.disk.sync_dir(&directory)?;
            }
        }
        if dropped.count() > 0 {
            let mut archived = archived;
            archived.segments.retain(|segment| !segment.dropped);
            self.record(&archived)?;
        }
        Ok(())
    }
}

/// Takes the lock that a process holds while it archives or drops segments of a log.
fn lock(dir: &Path) -> Result<Lock, StorageError> {
    Lock::acquire_file(dir.join("ARCHIVED.lock"), |holder| {
        busy(dir, "of the store in", holder)
    })
}

fn busy(dir: &Path, what: &str, holder: Option<u32>) -> StorageError {
    let process = holder.map_or("another process".into(), |pid| format!("process {pid}"));
    let message = format!(
        "{process} is archiving or dropping segments {what} {}; repeat the call when it has ended",
        dir.display()
    );
    StorageError::new(StorageFailure::Locked, message)
}

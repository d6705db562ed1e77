//! Compressing segments and moving them to an archive.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{Archiving, busy};
use crate::base::position::Seq;
use crate::base::storage_error::{StorageError, StorageFailure};
use crate::log::FrameKind;
use crate::log::archived::ArchivedSegment;
use crate::log::chain::segment_path;
use crate::log::compressed::{Writer, compressed_path};
use crate::log::frame::BLOCK_BYTES;
use crate::log::head::Lock;
use crate::log::segment_file::SegmentFile;
use crate::log::segments::Sealed;

impl Archiving {
    /// Compresses the segments before a frame that are in the directory of the log, and moves them to another one. Returns the
    /// length of each after compression. `progress` gets the number of bytes that were archived, before compression.
    ///
    /// # Errors
    /// `is_io`, `is_damage`; `is_locked` if another log is being archived there. The segments that were archived before the
    /// error are in the archive, and the log has all others.
    pub(crate) fn archive(
        &mut self,
        to: &Path,
        until: Seq,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Vec<u64>, StorageError> {
        let mut archived = match &self.archived {
            Some(archived) => archived.clone(),
            None => self.nothing_archived()?,
        };
        let (to, recorded) = self.target(to)?;
        let is_wanted =
            |sealed: &&Sealed| sealed.first >= archived.left.seq && sealed.next <= until;
        let all = self.log.chain().sealed.iter();
        let wanted: Vec<Sealed> = all.filter(is_wanted).copied().collect();
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        self.disk.create_dir(&to)?;
        let _alone = lock_target(&to)?;
        let directory = match archived.directories.iter().position(|d| *d == recorded) {
            Some(at) => at,
            None => {
                archived.directories.push(recorded);
                archived.directories.len() - 1
            }
        };
        let (mut done, mut bytes) = (Vec::new(), 0);
        for sealed in &wanted {
            let header = self.header_of(sealed.first)?;
            let mut schemas = Vec::new();
            let compressed = self.write_compressed(sealed, &to, &mut schemas, &mut |at| {
                progress(bytes + at);
            })?;
            archived.segments.push(ArchivedSegment {
                header,
                bytes: sealed.bytes,
                content_hash: sealed.content_hash,
                directory: directory as u32,
                dropped: false,
            });
            archived.schemas.append(&mut schemas);
            archived.left = self.header_of(sealed.next)?;
            self.record(&archived)?;
            let path = segment_path(self.dir(), sealed.first);
            self.disk.remove(&path)?;
            self.disk.sync_dir(self.dir())?;
            bytes += sealed.bytes;
            progress(bytes);
            done.push(compressed);
        }
        Ok(done)
    }

    /// Returns the path of an archive, and the text that is recorded for it: relative if it is inside the directory of the log,
    /// so that both can be moved together.
    fn target(&self, to: &Path) -> Result<(PathBuf, String), StorageError> {
        let absolute =
            |path: &Path| std::path::absolute(path).map_err(|e| StorageError::io("find", path, e));
        let (dir, to) = (absolute(self.dir())?, absolute(to)?);
        let recorded = to.strip_prefix(&dir).unwrap_or(&to);
        if recorded.as_os_str().is_empty() {
            let what = "the directory of the log cannot be its archive; name another directory";
            return Err(StorageError::new(StorageFailure::Io, what));
        }
        match recorded.to_str() {
            Some(text) => Ok((to.clone(), text.to_owned())),
            None => {
                let what = format!(
                    "the path {} cannot be recorded, since it is not text in UTF-8; name another directory",
                    to.display()
                );
                Err(StorageError::new(StorageFailure::Io, what))
            }
        }
    }

    /// Writes a compressed segment, unless a call that was interrupted has done so. Returns its length. Adds its schema frames
    /// to a list.
    fn write_compressed(
        &self,
        of: &Sealed,
        to: &Path,
        schemas: &mut Vec<Vec<u8>>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<u64, StorageError> {
        let path = compressed_path(to, of.first);
        let source = segment_path(self.dir(), of.first);
        let chain = self.log.chain();
        let mut raw = chain.open(&source)?;
        let length = |path: &Path| match fs::metadata(path) {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(StorageError::io("read the length of", path, e)),
        };
        let existing = length(&path)?;
        let temporary = path.with_added_extension("tmp");
        let file = match existing {
            Some(_) => None,
            None => Some(self.disk.create(&temporary)?),
        };
        let mut writer = file.as_ref().map(Writer::new).transpose()?;
        let (mut begun, mut frames, mut failed) = (0, Vec::new(), None);
        self.read_segment(of, chain.open(&source)?, |at, seq, bytes, kind| {
            if kind == FrameKind::Schema {
                frames.push((at, bytes));
            }
            let Some(writer) = &mut writer else { return };
            // A block ends behind the frame that makes it long enough.
            let end = at + bytes;
            writer.note(seq);
            if failed.is_none() && (end - begun >= Writer::BLOCK_BYTES || end == of.bytes) {
                let block = Self::bytes(&mut raw, begun, end - begun);
                failed = block.and_then(|block| writer.write(begun, &block)).err();
                begun = end;
                progress(end);
            }
        })?;
        if let Some(error) = failed {
            return Err(error);
        }
        for (at, bytes) in frames {
            schemas.push(Self::bytes(&mut raw, at, bytes)?);
        }
        if let Some(writer) = writer {
            writer.finish(chain.store, of)?;
        }
        let written = if file.is_some() { &temporary } else { &path };
        if let Some(file) = &file {
            // What is read back is what the disk has.
            file.sync_all()?;
        }
        self.verify(of, &mut raw, written)?;
        if let Some(file) = file {
            self.disk.publish(file, &path)?;
        }
        Ok(length(&path)?.unwrap_or(0))
    }

    /// Reads a compressed segment back, and compares it with the segment.
    fn verify(&self, of: &Sealed, raw: &mut SegmentFile, path: &Path) -> Result<(), StorageError> {
        let mut compressed = SegmentFile::of_compressed(path, self.log.chain().store, of)?;
        let length = BLOCK_BYTES as u64;
        let headers = (
            Self::bytes(&mut compressed, 0, length)?,
            Self::bytes(raw, 0, length)?,
        );
        if headers.0 != headers.1 {
            let what = "the archive has another header than the segment";
            return Err(StorageError::damage(path, 0, Some(of.first), what));
        }
        self.read_segment(of, compressed, |_, _, _, _| ())
    }
}

/// Takes the lock of an archive that segments are moved to.
fn lock_target(to: &Path) -> Result<Lock, StorageError> {
    Lock::acquire_file(to.join("LOCK"), |holder| {
        busy(to, "of another store to", holder)
    })
}

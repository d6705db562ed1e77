//! The file `ARCHIVED`, which records the segments that are no longer in the directory of the log: those in archives, and the
//! frames that were dropped. `docs/log-format.md`, *Archives*, has the layout.
//!
//! ```text
//! ARCHIVED    block of the first frame that is left in the directory | block of the first frame that was not dropped
//!             | counts | segments | directories | schemas | checksum
//! ```
//!
//! It is replaced atomically before a segment is removed. So a reader that does not find a segment finds it here.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;

use super::frame::{
    self, ARCHIVED_MAGIC, BLOCK_BYTES, Block, BlockFault, SEGMENT_MAGIC, u32_at, u64_at,
};
use super::segments::Sealed;
use super::{Frame, Seq, StorageError, StorageFailure};
use crate::base::position::Position;

/// The length of the entry of a segment.
const SEGMENT_BYTES: usize = BLOCK_BYTES + 24;
/// The flag of a segment that was dropped, and whose files may still exist.
const DROPPED: u32 = 1;

pub(super) fn archived_path(dir: &Path) -> PathBuf {
    dir.join("ARCHIVED")
}

/// The segments of a log that are no longer in its directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Archived {
    /// The first frame that is left in the directory, with epoch and fingerprint before it.
    pub left: Block,
    /// The first frame that was not dropped, with epoch and fingerprint before it.
    pub kept: Block,
    /// The archived segments in order, and before them those that are being dropped.
    pub segments: Vec<ArchivedSegment>,
    /// The directories of the archives, as they were given, or relative to the log if they are inside it.
    pub directories: Vec<String>,
    /// The frames of schemas before `left`.
    pub schemas: Vec<Vec<u8>>,
}

/// A segment that was archived or dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ArchivedSegment {
    /// The header of the segment.
    pub header: Block,
    /// Its length before compression.
    pub bytes: u64,
    /// See [`Sealed::content_hash`].
    pub content_hash: u64,
    /// The index of its directory.
    pub directory: u32,
    /// Whether it was dropped and its files are to be removed. Otherwise it is in the archive.
    pub dropped: bool,
}

impl Archived {
    /// Reads the file of a log, or returns `None` if it does not exist.
    ///
    /// # Errors
    /// `is_damage`, `is_version`, `is_io`.
    pub fn read(dir: &Path) -> Result<Option<Self>, StorageError> {
        let path = archived_path(dir);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(StorageError::io("read", &path, e)),
        };
        Self::decode(&bytes).map(Some).map_err(|fault| match fault {
            ArchivedFault::Block(fault) => fault.version_error(&path).unwrap_or_else(|| {
                damage(
                    &path,
                    "has a broken block, so it is unknown where the log begins",
                )
            }),
            ArchivedFault::Content(what) => damage(&path, what),
        })
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend_from_slice(&self.left.encode(ARCHIVED_MAGIC));
        out.extend_from_slice(&self.kept.encode(ARCHIVED_MAGIC));
        for count in [
            self.segments.len(),
            self.directories.len(),
            self.schemas.len(),
            0,
        ] {
            out.extend_from_slice(&(count as u32).to_le_bytes());
        }
        for segment in &self.segments {
            out.extend_from_slice(&segment.header.encode(SEGMENT_MAGIC));
            out.extend_from_slice(&segment.bytes.to_le_bytes());
            out.extend_from_slice(&segment.content_hash.to_le_bytes());
            out.extend_from_slice(&segment.directory.to_le_bytes());
            let flags = if segment.dropped { DROPPED } else { 0 };
            out.extend_from_slice(&flags.to_le_bytes());
        }
        for directory in &self.directories {
            out.extend_from_slice(&(directory.len() as u32).to_le_bytes());
            out.extend_from_slice(directory.as_bytes());
        }
        for schema in &self.schemas {
            out.extend_from_slice(schema);
        }
        let sum = xxh3_64(&out);
        out.extend_from_slice(&sum.to_le_bytes());
        out
    }

    fn decode(bytes: &[u8]) -> Result<Self, ArchivedFault> {
        let mut rest = Rest(bytes);
        let left = rest.block(ARCHIVED_MAGIC)?;
        let Some((content, sum)) = bytes.split_last_chunk::<8>() else {
            return Err(ArchivedFault::Content("is too short"));
        };
        if u64::from_le_bytes(*sum) != xxh3_64(content) {
            return Err(ArchivedFault::Content("has a wrong checksum"));
        }
        rest.0 = content.get(BLOCK_BYTES..).unwrap_or_default();
        let kept = rest.block(ARCHIVED_MAGIC)?;
        let counts = rest.take(16)?;
        let (segments, directories, schemas) =
            (u32_at(counts, 0), u32_at(counts, 4), u32_at(counts, 8));
        let mut archived = Self {
            left,
            kept,
            segments: Vec::new(),
            directories: Vec::new(),
            schemas: Vec::new(),
        };
        for _ in 0..segments {
            let header = rest.block(SEGMENT_MAGIC)?;
            let entry = rest.take(SEGMENT_BYTES - BLOCK_BYTES)?;
            let (directory, flags) = (u32_at(entry, 16), u32_at(entry, 20));
            if flags & !DROPPED != 0 {
                return Err(ArchivedFault::Block(BlockFault::Flags(flags as u16)));
            }
            archived.segments.push(ArchivedSegment {
                header,
                bytes: u64_at(entry, 0),
                content_hash: u64_at(entry, 8),
                directory,
                dropped: flags & DROPPED != 0,
            });
        }
        for _ in 0..directories {
            let len = u32_at(rest.take(4)?, 0) as usize;
            let text = String::from_utf8(rest.take(len)?.to_vec());
            let text = text.map_err(|_| ArchivedFault::Content("has a path that is not text"))?;
            archived.directories.push(text);
        }
        for _ in 0..schemas {
            let len = rest.0.get(..8).and_then(|head| frame::length(head).ok());
            let len = len.ok_or(ArchivedFault::Content("has a schema that is not a frame"))?;
            archived.schemas.push(rest.take(len)?.to_vec());
        }
        if !rest.0.is_empty() {
            return Err(ArchivedFault::Content("has bytes behind its content"));
        }
        archived.check().map(|()| archived)
    }

    /// Checks that the segments follow each other, from the first frame that was kept to the first that is left.
    fn check(&self) -> Result<(), ArchivedFault> {
        let wrong = ArchivedFault::Content("has segments that do not follow each other");
        let mut before = None;
        for segment in &self.segments {
            let seq = segment.header.seq;
            let in_order = before.is_none_or(|before| before < seq)
                && seq < self.left.seq
                && segment.dropped == (seq < self.kept.seq)
                && segment.header.store == self.left.store;
            if !in_order || self.directories.len() <= segment.directory as usize {
                return Err(wrong);
            }
            before = Some(seq);
        }
        let first = self.kept().next().map_or(self.left.seq, |s| s.header.seq);
        let begins = first == self.kept.seq && self.kept.store == self.left.store;
        if begins { Ok(()) } else { Err(wrong) }
    }

    /// Returns the segments that are in archives.
    pub fn kept(&self) -> impl DoubleEndedIterator<Item = &ArchivedSegment> {
        self.segments.iter().filter(|segment| !segment.dropped)
    }

    /// Returns the first frame after a segment.
    fn next_of(&self, first: Seq) -> Seq {
        let after = self
            .segments
            .partition_point(|segment| segment.header.seq <= first);
        (self.segments.get(after)).map_or(self.left.seq, |segment| segment.header.seq)
    }

    /// Returns the segment that begins at a frame, if it is in an archive.
    pub fn segment(&self, first: Seq) -> Option<&ArchivedSegment> {
        self.kept().find(|segment| segment.header.seq == first)
    }

    /// Returns what a log records of a segment in an archive.
    pub fn sealed(&self, segment: &ArchivedSegment) -> Sealed {
        Sealed {
            first: segment.header.seq,
            next: self.next_of(segment.header.seq),
            bytes: segment.bytes,
            content_hash: segment.content_hash,
        }
    }

    /// Returns the directory of the archive of a segment. `moved` is the directory that the caller has named.
    pub fn directory(
        &self,
        dir: &Path,
        segment: &ArchivedSegment,
        moved: Option<&Path>,
    ) -> PathBuf {
        let recorded = self.directories.get(segment.directory as usize);
        match (moved, recorded) {
            (Some(moved), _) => moved.to_owned(),
            // An absolute path stays what it is.
            (None, Some(recorded)) => dir.join(recorded),
            (None, None) => dir.to_owned(),
        }
    }

    /// Returns the frames of the schemas that are no longer in the directory of the log, in order.
    pub fn schemas(&self) -> Vec<Frame> {
        let frames = self.schemas.iter().filter_map(|bytes| {
            let (header, payload) = frame::decode(bytes, self.left.store).ok()?;
            Some(Frame {
                position: Position {
                    store: self.left.store,
                    timeline: self.timeline(header.seq),
                    seq: header.seq,
                    checksum: frame::stored_checksum(bytes),
                },
                header,
                payload: payload.to_vec(),
                location: None,
            })
        });
        frames.collect()
    }

    /// Returns what a copy of the log has in whose directory are all frames that were not dropped.
    pub fn without_archives(&self) -> Self {
        let before = |bytes: &&Vec<u8>| frame::unverified_seqs(bytes).0 < self.kept.seq;
        Self {
            left: self.kept,
            kept: self.kept,
            segments: Vec::new(),
            directories: Vec::new(),
            schemas: self.schemas.iter().filter(before).cloned().collect(),
        }
    }

    /// Returns the timeline of a frame, or 0 if it was dropped.
    fn timeline(&self, seq: Seq) -> u64 {
        let before = self
            .segments
            .partition_point(|segment| segment.header.seq <= seq);
        let segment = before.checked_sub(1).and_then(|at| self.segments.get(at));
        segment.map_or(0, |segment| segment.header.timeline)
    }

    /// Returns the error of a frame that was dropped.
    pub fn dropped(&self, dir: &Path, asked: Seq) -> StorageError {
        dropped(dir, asked, self.kept.seq)
    }
}

/// Returns the error of a frame before the first one that was kept.
pub(super) fn dropped(dir: &Path, asked: Seq, kept: Seq) -> StorageError {
    let message = format!(
        "frame {asked} of the log in {} was dropped: the log begins with frame {kept}; ask for frame {kept} or a later \
         one, or restore an older backup to another directory",
        dir.display()
    );
    StorageError::at(StorageFailure::Dropped, kept, message)
}

enum ArchivedFault {
    Block(BlockFault),
    Content(&'static str),
}

fn damage(path: &Path, why: &str) -> StorageError {
    let message = format!(
        "the log is damaged: {} {why}; no file was changed; restore this file from a backup, or decompress all archived \
         segments into the directory of the log and remove the file",
        path.display()
    );
    StorageError::new(StorageFailure::Damage, message).with_location(path, 0, None)
}

/// The bytes that were not read yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], ArchivedFault> {
        let (taken, rest) = (self.0.split_at_checked(len))
            .ok_or(ArchivedFault::Content("ends before its content does"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn block(&mut self, magic: [u8; 8]) -> Result<Block, ArchivedFault> {
        let bytes = self.take(BLOCK_BYTES)?;
        let bytes = <&[u8; BLOCK_BYTES]>::try_from(bytes);
        let bytes = bytes.map_err(|_| ArchivedFault::Block(BlockFault::Magic))?;
        Block::decode(magic, bytes).map_err(ArchivedFault::Block)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{FrameHeader, FrameKind};

    fn block(seq: u64) -> Block {
        Block {
            version: 3,
            epoch: 1,
            seq: Seq::new(seq),
            fingerprint: u128::from(seq) << 70 | 5,
            store: 77,
            timeline: seq / 10,
        }
    }

    fn sample() -> Archived {
        let header = FrameHeader::new(Seq::new(3), 1, FrameKind::Schema, 9);
        let mut schema = Vec::new();
        frame::encode(&mut schema, &header, b"schema", 77);
        let segment = |seq, dropped| ArchivedSegment {
            header: block(seq),
            bytes: seq * 1000 + 64,
            content_hash: seq ^ 0x55,
            directory: (seq / 20) as u32,
            dropped,
        };
        Archived {
            left: block(30),
            kept: block(10),
            segments: vec![segment(0, true), segment(10, false), segment(20, false)],
            directories: vec!["/archive".into(), "inside".into()],
            schemas: vec![schema],
        }
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        let archived = sample();
        let decoded = Archived::decode(&archived.encode()).ok().unwrap();
        assert_eq!(decoded, archived);
        let [schema] = &archived.schemas()[..] else {
            panic!("{:?}", archived.schemas())
        };
        assert_eq!(
            (schema.header.seq, &*schema.payload),
            (Seq::new(3), &b"schema"[..])
        );
        let second = archived.segment(Seq::new(10)).unwrap();
        assert_eq!(archived.sealed(second).next, Seq::new(20));
        assert_eq!(archived.segment(Seq::new(0)), None, "it was dropped");
    }

    #[test]
    fn every_change_of_a_byte_and_every_cut_is_noticed() {
        let bytes = sample().encode();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(Archived::decode(&changed).is_err(), "byte {at}");
            assert!(Archived::decode(&bytes[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn segments_that_do_not_follow_each_other_are_refused() {
        let wrong = |change: &dyn Fn(&mut Archived)| {
            let mut archived = sample();
            change(&mut archived);
            assert!(Archived::decode(&archived.encode()).is_err());
        };
        wrong(&|a| a.segments.swap(1, 2));
        wrong(&|a| a.left = block(20));
        wrong(&|a| a.kept = block(20));
        wrong(&|a| a.segments[0].dropped = false);
        wrong(&|a| a.segments[2].directory = 2);
        wrong(&|a| a.segments[2].header.store = 78);
    }
}

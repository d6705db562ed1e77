//! Access to single segments of a log and their indexes, for the layers above.
//!
//! The log does not interpret payloads, so it cannot create an index. `store/entity_index` creates indexes from the frames
//! that it reads here.

use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::archived::Archived;
use super::chain::{Chain, ReadPoint, segment_path};
use super::disk::Disk;
use super::scan::{self, Found, Scan};
use super::segment_file::SegmentFile;
use super::segment_index::{self, SegmentIndex};
use super::{Frame, FrameHeader, Seq, StorageError};
use crate::base::error::FrameLocation;
use crate::base::position::Position;

/// The segments of a log on disk.
#[derive(Clone, Copy)]
pub(crate) struct Segments<'l> {
    chain: &'l Chain,
    /// Writes indexes. `None` if another process may have the log open for writing.
    disk: Option<&'l Disk>,
}

/// Some sealed segments of a log, on any thread.
pub(crate) struct SealedSegments {
    /// It has nothing of the log but these segments.
    chain: Chain,
    disk: Option<Disk>,
}

impl SealedSegments {
    /// Returns the segments, of which only the sealed ones can be read.
    pub(crate) fn segments(&self) -> Segments<'_> {
        Segments::new(&self.chain, self.disk.as_ref())
    }
}

/// A segment that has a successor, so that no frames will be added to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sealed {
    /// The first frame of the segment.
    pub first: Seq,
    /// The first frame of its successor.
    pub next: Seq,
    /// The length of the segment in bytes.
    pub bytes: u64,
    /// The hash of the checksums of all frames of the segment, in order.
    pub content_hash: u64,
}

impl Sealed {
    /// Returns the content hash of a segment that has one frame more.
    pub(super) fn hash_with(content_hash: u64, checksum: u64) -> u64 {
        xxh3_64_with_seed(&checksum.to_le_bytes(), content_hash)
    }
}

/// Returns the path of the index of a segment.
pub(super) fn index_path(dir: &Path, first: Seq) -> PathBuf {
    dir.join(format!("{first:020}.index"))
}

impl<'l> Segments<'l> {
    pub(super) fn new(chain: &'l Chain, disk: Option<&'l Disk>) -> Self {
        Self { chain, disk }
    }

    /// Returns the directory of the log, and the one that archived segments were moved to, if it is not the one that the log records.
    pub(crate) fn directories(&self) -> (&'l Path, Option<&'l Path>) {
        (&self.chain.dir, self.chain.archives.as_deref())
    }

    /// Returns the first frame that was not dropped. Segments may be dropped while the log is open.
    pub(crate) fn kept(&self) -> Seq {
        // A file that cannot be read is an error of the next open.
        let archived = Archived::read(&self.chain.dir).ok().flatten();
        archived.map_or(self.chain.kept, |archived| archived.kept.seq)
    }

    /// Returns an error for a frame that was dropped.
    pub(crate) fn check_kept(&self, seq: Seq) -> Result<(), StorageError> {
        match Archived::read(&self.chain.dir)? {
            Some(archived) if seq < archived.kept.seq => {
                Err(archived.dropped(&self.chain.dir, seq))
            }
            _ => Ok(()),
        }
    }

    /// Returns the first frame that is in the directory of the log. Those before it are in archives or were dropped.
    pub(crate) fn left(&self) -> Seq {
        let archived = Archived::read(&self.chain.dir).ok().flatten();
        archived.map_or(Seq::ZERO, |archived| archived.left.seq)
    }

    /// Returns the schema frames that are no longer in the directory of the log, in order.
    pub(crate) fn archived_schemas(&self) -> Result<Vec<Frame>, StorageError> {
        let archived = Archived::read(&self.chain.dir)?;
        Ok(archived.map_or_else(Vec::new, |archived| archived.schemas()))
    }

    /// Returns the sealed segments without the first `skipped` ones, for another thread.
    pub(crate) fn sealed_after(&self, skipped: usize) -> SealedSegments {
        let Chain {
            dir,
            archives,
            kept,
            store,
            sealed,
            ..
        } = self.chain;
        let mut chain = Chain::new(dir);
        (chain.archives, chain.kept, chain.store) = (archives.clone(), *kept, *store);
        chain.sealed = sealed.get(skipped..).unwrap_or_default().to_vec();
        SealedSegments {
            chain,
            disk: self.disk.cloned(),
        }
    }

    /// Returns all segments but the last, in order.
    pub(crate) fn sealed(&self) -> &'l [Sealed] {
        &self.chain.sealed
    }

    /// Reads the frames of one segment from a read point up to `until`, which must be in the segment or the first frame of its
    /// successor. `visit` gets the offset of each frame, its header and its payload. After it returns, the read point is
    /// advanced past the frame.
    pub(crate) fn scan(
        &self,
        mark: &mut ReadPoint,
        until: Seq,
        mut visit: impl FnMut(u64, &FrameHeader, &[u8]) -> Result<(), StorageError>,
    ) -> Result<(), StorageError> {
        if mark.seq >= until {
            return Ok(());
        }
        let mut scan = self.chain.open_at(mark.first, mark.offset)?;
        let path = scan.path().to_owned();
        while mark.seq < until {
            let io = |e| StorageError::unreadable(&path, mark.offset, Some(mark.seq), e);
            let what = match scan.next(self.chain.store, mark.seq).map_err(io)? {
                Found::Frame {
                    header, payload, ..
                } => {
                    visit(mark.offset, &header, payload)?;
                    mark.seq += 1;
                    mark.offset = scan.offset();
                    continue;
                }
                Found::Bad(fault) => fault.describe(),
                Found::End => "the segment ends before the frame".into(),
            };
            return Err(changed(&path, mark.offset, Some(mark.seq), &what));
        }
        Ok(())
    }

    /// Returns the segment of a frame and the offset in it, or `None` if the frame is missing or invalid.
    pub(crate) fn location_of(&self, seq: Seq) -> Option<FrameLocation> {
        let (_, scan) = self.scan_to(seq)?;
        Some(scan.location())
    }

    /// Returns the first frame of the segment of a frame, and the offset in the segment.
    pub(super) fn offset_of(&self, seq: Seq) -> Option<(Seq, u64)> {
        let (first, scan) = self.scan_to(seq)?;
        Some((first, scan.offset()))
    }

    fn scan_to(&self, seq: Seq) -> Option<(Seq, Scan)> {
        let marks = &self.chain.marks;
        let mark = marks.get(
            marks
                .partition_point(|mark| mark.seq <= seq)
                .checked_sub(1)?,
        )?;
        let mut scan = self.chain.open_at(mark.first, mark.offset).ok()?;
        for before in mark.seq.until(seq) {
            match scan.next(self.chain.store, before).ok()? {
                Found::Frame { .. } => {}
                Found::End | Found::Bad(_) => return None,
            }
        }
        Some((mark.first, scan))
    }

    /// Opens a segment to read single frames.
    pub(crate) fn open(&self, first: Seq) -> Result<Segment, StorageError> {
        Ok(Segment {
            file: self.chain.open(&segment_path(&self.chain.dir, first))?,
            store: self.chain.store,
            timeline: self.chain.timeline_of(first),
        })
    }

    /// Returns the index of a segment, if the file exists, is valid and is of this segment.
    pub(crate) fn index(&self, of: &Sealed) -> Option<SegmentIndex> {
        let path = index_path(&self.chain.dir, of.first);
        SegmentIndex::open(&path, self.chain.store, *of)
    }

    /// Writes the index of a segment from pairs of hash and frame offset, in ascending order. Returns whether it was written,
    /// which it is not if another process may have the log open for writing. A missing index costs only time.
    pub(crate) fn write_index(
        &self,
        of: &Sealed,
        entries: &[(u64, u64)],
    ) -> Result<bool, StorageError> {
        let Some(disk) = self.disk else {
            return Ok(false);
        };
        let path = index_path(&self.chain.dir, of.first);
        segment_index::write(disk, &path, self.chain.store, of, entries).map(|()| true)
    }
}

impl std::fmt::Debug for Segments<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Segments")
            .field("dir", &self.chain.dir)
            .field("sealed", &self.chain.sealed.len())
            .finish()
    }
}

/// An open segment.
pub(crate) struct Segment {
    file: SegmentFile,
    store: u64,
    timeline: u64,
}

impl Segment {
    /// Returns the location of a frame in the segment.
    pub(crate) fn location(&self, offset: u64) -> FrameLocation {
        self.file.location(offset)
    }

    /// Reads the frame at an offset: its header, payload and position. `buf` is reused.
    pub(crate) fn read<'b>(
        &mut self,
        offset: u64,
        buf: &'b mut Vec<u8>,
    ) -> Result<(FrameHeader, &'b [u8], Position), StorageError> {
        let found = scan::frame_at(&mut self.file, offset, self.store, buf);
        let path = self.file.path();
        let found = found.map_err(|e| StorageError::unreadable(path, offset, None, e))?;
        let (header, payload, checksum) = match found {
            Found::Frame {
                header,
                payload,
                checksum,
            } => (header, payload, checksum),
            Found::Bad(fault) => {
                return Err(changed(path, offset, None, &fault.describe()));
            }
            Found::End => return Err(changed(path, offset, None, "no frame begins here")),
        };
        let position = Position {
            store: self.store,
            timeline: self.timeline,
            seq: header.seq,
            checksum,
        };
        Ok((header, payload, position))
    }
}

fn changed(path: &Path, offset: u64, seq: Option<Seq>, what: &str) -> StorageError {
    let what = format!("{what}, although it was valid when the log was opened");
    StorageError::damage(path, offset, seq, &what)
}

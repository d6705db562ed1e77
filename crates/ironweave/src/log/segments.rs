//! The segments of a log as the history layer reads them: from any place, each with the index beside it, if there is one.
//!
//! The log does not interpret payloads, so that it makes no index: `history` does, from the frames that it reads here.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::chain::{Chain, Mark, segment_path};
use super::disk::Disk;
use super::scan::{self, Found, Scan};
use super::segment_index::{self, SegmentIndex};
use super::{Frame, FrameHeader, Seq, StorageError};

/// The segments of a log on disk.
#[derive(Clone, Copy)]
pub(crate) struct Segments<'l> {
    chain: &'l Chain,
    /// Writes indexes; none beside a log that another process may write.
    disk: Option<&'l Disk>,
}

/// A segment that takes no more frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sealed {
    /// Its first frame.
    pub first: Seq,
    /// The first frame of its successor.
    pub next: Seq,
    /// Its length.
    pub bytes: u64,
    /// Of its content: of the checksums of its frames, each hashed with what the former ones gave.
    pub sum: u64,
}

/// Where the index of a segment lies.
pub(super) fn index_path(dir: &Path, first: Seq) -> PathBuf {
    dir.join(format!("{first:020}.index"))
}

impl<'l> Segments<'l> {
    pub(super) fn new(chain: &'l Chain, disk: Option<&'l Disk>) -> Self {
        Self { chain, disk }
    }

    /// All but the last, in order.
    pub(crate) fn sealed(&self) -> &'l [Sealed] {
        &self.chain.sealed
    }

    /// Reads the frames of one segment from a mark on, up to `until`, which is one of its or of its successor. The
    /// mark is behind each frame once `see`, which is given the place of that, is done with it.
    pub(crate) fn scan(
        &self,
        mark: &mut Mark,
        until: Seq,
        mut see: impl FnMut(u64, &FrameHeader, &[u8]) -> Result<(), StorageError>,
    ) -> Result<(), StorageError> {
        if mark.seq >= until {
            return Ok(());
        }
        let path = segment_path(&self.chain.dir, mark.first);
        let io = |e| StorageError::io("read", &path, e);
        let mut scan = Scan::open(&path, mark.offset).map_err(io)?;
        while mark.seq < until {
            let what = match scan.next(self.chain.store, mark.seq).map_err(io)? {
                Found::Frame {
                    header, payload, ..
                } => {
                    see(mark.offset, &header, payload)?;
                    mark.seq += 1;
                    mark.offset = scan.offset();
                    continue;
                }
                Found::Bad(fault) => fault.describe(),
                Found::End => "the segment ends before it".into(),
            };
            return Err(changed(&path, mark.offset, Some(mark.seq), &what));
        }
        Ok(())
    }

    /// Where a frame lies: its segment, and the place in that. None where it is not there, or no longer whole.
    pub(crate) fn place_of(&self, seq: Seq) -> Option<(PathBuf, u64)> {
        let marks = &self.chain.marks;
        let mark = marks.get(
            marks
                .partition_point(|mark| mark.seq <= seq)
                .checked_sub(1)?,
        )?;
        let path = segment_path(&self.chain.dir, mark.first);
        let mut scan = Scan::open(&path, mark.offset).ok()?;
        for before in mark.seq.until(seq) {
            match scan.next(self.chain.store, before).ok()? {
                Found::Frame { .. } => {}
                Found::End | Found::Bad(_) => return None,
            }
        }
        Some((path, scan.offset()))
    }

    /// Opens a segment to read single frames.
    pub(crate) fn open(&self, first: Seq) -> Result<Segment, StorageError> {
        let path = segment_path(&self.chain.dir, first);
        match File::open(&path) {
            Ok(file) => Ok(Segment {
                file,
                path,
                store: self.chain.store,
                timeline: self.chain.timeline_of(first),
            }),
            Err(e) => Err(StorageError::io("open", &path, e)),
        }
    }

    /// The index beside a segment, if there is one of just this segment that can be read.
    pub(crate) fn index(&self, of: &Sealed) -> Option<SegmentIndex> {
        let path = index_path(&self.chain.dir, of.first);
        SegmentIndex::open(&path, self.chain.store, *of)
    }

    /// Puts an index beside a segment: hashes and the places that are filed under them, in order. Whether it is there
    /// now: nothing is lost where it is not.
    pub(crate) fn write_index(&self, of: &Sealed, entries: &[(u64, u64)]) -> bool {
        let path = index_path(&self.chain.dir, of.first);
        self.disk.is_some_and(|disk| {
            segment_index::write(disk, &path, self.chain.store, of, entries).is_ok()
        })
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

/// One segment, open.
pub(crate) struct Segment {
    file: File,
    path: PathBuf,
    store: u64,
    timeline: u64,
}

impl Segment {
    /// The frame at a place.
    pub(crate) fn frame(&self, place: u64) -> Result<Frame, StorageError> {
        let found = scan::frame_at(&self.file, place, self.store, self.timeline);
        found
            .map_err(|e: io::Error| StorageError::io("read", &self.path, e))?
            .map_err(|fault| changed(&self.path, place, None, &fault.describe()))
    }
}

fn changed(path: &Path, offset: u64, seq: Option<Seq>, what: &str) -> StorageError {
    let what = format!("{what}, though it was whole when the log was opened");
    StorageError::damage(path, offset, seq, &what)
}

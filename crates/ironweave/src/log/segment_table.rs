//! The segments before the one of a frame, as a checkpoint has them, so that an open need not read them.
//!
//! A log that is opened begins with the table of its newest checkpoint: the segments before that of the checkpoint's frame are
//! only looked for, by name and length, and those from there on are read and compared with their checksums. If anything is not
//! as the table and the checkpoint have it, the open reads all segments, and finds out what is wrong.
//!
//! ```text
//! table    n (4 bytes) | n segments | sequence (8 bytes) of the first frame of the next segment
//! segment  0       8       16       24         32        36       40
//!          +-------+-------+--------+----------+---------+--------+-----------------------------------+
//!          | first | bytes | sum    | timeline | version | points | sequence and offset of each point |
//!          +-------+-------+--------+----------+---------+--------+-----------------------------------+
//!          sum as in the index of a segment; points: frames that reading can begin at, besides the first
//! ```

use std::fs;
use std::path::Path;

use super::archived::Archived;
use super::chain::{Chain, ChainEnd, ReadPoint, TailCheck, segment_path};
use super::checkpoint_files::{CheckpointFiles, CheckpointReader};
use super::frame::{BLOCK_BYTES, Block};
use super::{Head, Seq, StorageError, listing, scan};
use crate::base::image::{ImageError, ImageSource, must_have, take_u32, take_u64};

/// The segments before one.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct SegmentTable {
    segments: Vec<TableSegment>,
    /// The first frame of the segment after them.
    next: Seq,
}

#[derive(Debug, PartialEq, Eq)]
struct TableSegment {
    first: Seq,
    bytes: u64,
    content_hash: u64,
    timeline: u64,
    version: u16,
    /// The read points after the first frame.
    points: Vec<(Seq, u64)>,
}

/// The length of a segment without its points.
const SEGMENT_BYTES: u64 = 40;
/// How many checkpoints are tried.
const TRIED: usize = 3;

impl SegmentTable {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend_from_slice(&(self.segments.len() as u32).to_le_bytes());
        for segment in &self.segments {
            for number in [
                segment.first.get(),
                segment.bytes,
                segment.content_hash,
                segment.timeline,
            ] {
                out.extend_from_slice(&number.to_le_bytes());
            }
            out.extend_from_slice(&u32::from(segment.version).to_le_bytes());
            out.extend_from_slice(&(segment.points.len() as u32).to_le_bytes());
            for (seq, offset) in &segment.points {
                out.extend_from_slice(&seq.get().to_le_bytes());
                out.extend_from_slice(&offset.to_le_bytes());
            }
        }
        out.extend_from_slice(&self.next.get().to_le_bytes());
        out
    }

    /// Reads the table of a checkpoint that follows a frame.
    pub(super) fn decode(from: &mut dyn ImageSource, last: Seq) -> Result<Self, ImageError> {
        let disordered = || ImageError::content("its segments are not in order");
        let count = take_u32(from)?;
        must_have(from, count.into(), SEGMENT_BYTES)?;
        let mut segments: Vec<TableSegment> = Vec::with_capacity(count as usize);
        for _ in 0..count {
            let first = Seq::new(take_u64(from)?);
            let (bytes, content_hash) = (take_u64(from)?, take_u64(from)?);
            let (timeline, version) = (take_u64(from)?, take_u32(from)?);
            let version = u16::try_from(version).map_err(|_| disordered())?;
            let count = take_u32(from)?;
            must_have(from, count.into(), 16)?;
            let mut before = (first, BLOCK_BYTES as u64);
            let mut points = Vec::with_capacity(count as usize);
            for _ in 0..count {
                let point = (Seq::new(take_u64(from)?), take_u64(from)?);
                if point.0 <= before.0 || point.1 <= before.1 || point.1 >= bytes {
                    return Err(disordered());
                }
                before = point;
                points.push(point);
            }
            let begins = match segments.last() {
                Some(segment) => {
                    segment.points.last().map_or(segment.first, |point| point.0) < first
                }
                // The segments before it were dropped.
                None => true,
            };
            if !begins {
                return Err(disordered());
            }
            segments.push(TableSegment {
                first,
                bytes,
                content_hash,
                timeline,
                version,
                points,
            });
        }
        let next = Seq::new(take_u64(from)?);
        let ends = segments.last().map_or(Seq::ZERO, |segment| {
            segment.points.last().map_or(segment.first, |point| point.0) + 1
        });
        if next < ends || next > last || segments.is_empty() && next > Seq::ZERO {
            return Err(disordered());
        }
        Ok(Self { segments, next })
    }

    /// Removes the segments that were dropped since. Returns whether those that were archived since are in archives.
    fn without_dropped(&mut self, archived: &Archived) -> bool {
        self.segments
            .retain(|segment| segment.first >= archived.kept.seq);
        let ours = self.segments.iter();
        let ours = ours.filter(|segment| segment.first < archived.left.seq);
        let ours = ours.map(|segment| (segment.first, segment.bytes, segment.content_hash));
        let theirs = archived.kept().map(|segment| {
            let sealed = archived.sealed(segment);
            (sealed.first, sealed.bytes, sealed.content_hash)
        });
        archived.left.seq <= self.next && ours.eq(theirs)
    }

    /// Returns whether the directory has the segments from one on, with these lengths, and no others before the next one.
    fn is_in(&self, dir: &Path, left: Seq) -> Result<bool, StorageError> {
        let names = listing::segments(dir)?;
        let there = |first: &Seq| *first >= left;
        let ours = self.segments.iter().map(|segment| segment.first);
        let ours = ours.chain([self.next]).filter(there);
        let names = names.into_iter().filter(there);
        if !ours.eq(names.take_while(|name| *name <= self.next)) {
            return Ok(false);
        }
        let mut segments = self.segments.iter().filter(|segment| there(&segment.first));
        Ok(segments.all(|segment| {
            let file = fs::metadata(segment_path(dir, segment.first));
            file.is_ok_and(|file| file.len() == segment.bytes)
        }))
    }
}

impl Chain {
    /// Returns the segments before the one of a frame.
    pub fn segments_before(&self, seq: Seq) -> SegmentTable {
        let count = self.sealed.partition_point(|sealed| sealed.next <= seq);
        let points = |first: Seq, next: Seq| {
            let points = self.marks.iter().filter(move |mark| mark.first == first);
            let later = points.filter(move |mark| mark.seq > first && mark.seq < next);
            later.map(|mark| (mark.seq, mark.offset)).collect()
        };
        let segment = |sealed: &super::Sealed| TableSegment {
            first: sealed.first,
            bytes: sealed.bytes,
            content_hash: sealed.content_hash,
            timeline: self.timeline_of(sealed.first),
            version: self.version_of(sealed.first),
            points: points(sealed.first, sealed.next),
        };
        SegmentTable {
            segments: self.sealed[..count].iter().map(segment).collect(),
            next: count
                .checked_sub(1)
                .map_or(Seq::ZERO, |i| self.sealed[i].next),
        }
    }

    /// Returns a chain that was read to its end, as [`Chain::follow`] reads it, but begins with the segments of the newest
    /// checkpoint. Returns `None` if there is no checkpoint whose table and frame the log has, or if anything is wrong.
    pub fn from_checkpoint(
        places: (&Path, Option<&Path>),
        files: &CheckpointFiles,
        known: Option<&Block>,
        check: TailCheck,
    ) -> Option<(Self, ChainEnd)> {
        let newest = files.list().ok()?.into_iter().rev().take(TRIED);
        newest.into_iter().find_map(|seq| {
            let mut checkpoint = files.open(seq).ok()?;
            Self::begin_with(places, &mut checkpoint, known, check)
        })
    }

    fn begin_with(
        (dir, archives): (&Path, Option<&Path>),
        checkpoint: &mut CheckpointReader,
        known: Option<&Block>,
        check: TailCheck,
    ) -> Option<(Self, ChainEnd)> {
        let position = checkpoint.header().position;
        let mut table = checkpoint.take_segments().ok()?;
        let (mut kept, mut left) = (Seq::ZERO, Seq::ZERO);
        if let Some(archived) = Archived::read(dir).ok()? {
            (kept, left) = (archived.kept.seq, archived.left.seq);
            if !table.without_dropped(&archived) {
                return None;
            }
        }
        // A chain that begins with the first segment is read in any case.
        if table.segments.is_empty() || !table.is_in(dir, left).ok()? {
            return None;
        }
        let block = scan::read_header(&segment_path(dir, table.next))
            .ok()?
            .ok()?;
        let before = Head {
            seq: table.next.checked_sub(1)?,
            fingerprint: block.fingerprint,
            epoch: block.epoch,
        };
        let contradicts = |known: &Block| {
            known.seq == before.seq
                && (known.fingerprint, known.epoch) != (before.fingerprint, before.epoch)
        };
        if block.store != position.store || known.is_some_and(contradicts) {
            return None;
        }
        let mut chain = Self::new(dir);
        (chain.archives, chain.kept) = (archives.map(Path::to_owned), kept);
        for segment in &table.segments {
            chain.enter_unread(
                segment.first,
                (segment.timeline, segment.version),
                (segment.bytes, segment.content_hash),
            );
            let point = |&(seq, offset): &(Seq, u64)| ReadPoint {
                seq,
                first: segment.first,
                offset,
            };
            chain.marks.extend(segment.points.iter().map(point));
        }
        chain.continue_with(&block);
        if (chain.check_header(table.next, false, known))
            .ok()?
            .is_some()
        {
            return None;
        }
        let end = chain.follow(known, check).ok()?;
        let found = chain.position_of(position.seq).ok()?;
        (found == Some(position)).then_some((chain, end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Bytes(Vec<u8>, usize);

    impl ImageSource for Bytes {
        fn take(&mut self, len: usize) -> Result<&[u8], ImageError> {
            let from = self.1;
            self.1 += len;
            (self.0.get(from..self.1)).ok_or_else(|| ImageError::content("it ends too early"))
        }

        fn left(&self) -> u64 {
            (self.0.len() - self.1) as u64
        }
    }

    fn segment(first: u64, points: &[(u64, u64)]) -> TableSegment {
        TableSegment {
            first: Seq::new(first),
            bytes: 1_000,
            content_hash: 7,
            timeline: 8,
            version: 3,
            points: points
                .iter()
                .map(|(seq, at)| (Seq::new(*seq), *at))
                .collect(),
        }
    }

    fn read(segments: Vec<TableSegment>, next: u64) -> Result<SegmentTable, ImageError> {
        let next = Seq::new(next);
        let bytes = SegmentTable { segments, next }.encode();
        SegmentTable::decode(&mut Bytes(bytes, 0), Seq::new(100))
    }

    #[test]
    fn a_table_is_read_as_it_was_written() {
        let segments = || vec![segment(0, &[(5, 200), (9, 900)]), segment(20, &[])];
        let read = read(segments(), 21).expect("it is in order");
        let next = Seq::new(21);
        let segments = segments();
        assert_eq!(read, SegmentTable { segments, next });
    }

    #[test]
    fn a_table_that_is_not_in_order_is_refused() {
        assert!(read(vec![], 0).is_ok());
        assert!(read(vec![], 1).is_err());
        assert!(read(vec![segment(1, &[])], 1).is_err());
        assert!(read(vec![segment(0, &[]), segment(0, &[])], 20).is_err());
        assert!(read(vec![segment(0, &[(5, 200), (5, 300)])], 20).is_err());
        assert!(read(vec![segment(0, &[(5, 200), (6, 200)])], 20).is_err());
        assert!(read(vec![segment(0, &[(5, 1_000)])], 20).is_err());
        assert!(read(vec![segment(0, &[(5, 64)])], 20).is_err());
        assert!(read(vec![segment(0, &[(5, 200)]), segment(5, &[])], 20).is_err());
        assert!(read(vec![segment(0, &[(5, 200)])], 5).is_err());
        assert!(read(vec![segment(0, &[])], 101).is_err());
        let whole = SegmentTable {
            segments: vec![segment(0, &[(5, 200)])],
            next: Seq::new(6),
        };
        let whole = whole.encode();
        for len in 0..whole.len() {
            let cut = whole[..len].to_vec();
            assert!(SegmentTable::decode(&mut Bytes(cut, 0), Seq::new(100)).is_err());
        }
    }
}

//! Positions of the frames of a chain. Those of recent frames are computed from memory.

use super::Chain;
use crate::base::position::{Position, Seq};
use crate::base::storage_error::StorageError;

/// The number of recent frames whose checksums are kept.
const RECENT_FRAMES: u64 = 64;

/// The parts of positions that differ between the frames of a chain.
#[derive(Clone, Debug)]
pub(super) struct PositionParts {
    /// The timelines, each with its first frame.
    timelines: Vec<(Seq, u64)>,
    /// The format versions of segments, each with its first frame.
    versions: Vec<(Seq, u16)>,
    /// The first frame whose checksum is known.
    checksums_from: Seq,
    /// The checksums of the recent frames, each at its sequence number modulo [`RECENT_FRAMES`].
    checksums: [u64; RECENT_FRAMES as usize],
}

impl Default for PositionParts {
    fn default() -> Self {
        Self {
            timelines: Vec::new(),
            versions: Vec::new(),
            checksums_from: Seq::ZERO,
            checksums: [0; RECENT_FRAMES as usize],
        }
    }
}

impl PositionParts {
    /// Adds a segment, or replaces an empty one.
    pub fn begin_segment(&mut self, first: Seq, timeline: u64, version: u16) {
        self.versions.retain(|(from, _)| *from < first);
        if self.versions.last().is_none_or(|last| last.1 != version) {
            self.versions.push((first, version));
        }
        self.timelines.retain(|(from, _)| *from < first);
        if self.timelines.last().is_none_or(|last| last.1 != timeline) {
            self.timelines.push((first, timeline));
        }
    }

    /// Records that the frames before this one are not read.
    pub fn begin_checksums(&mut self, seq: Seq) {
        self.checksums_from = seq;
    }

    /// Returns whether the checksum of a frame is known, which a number of frames follow.
    fn has_checksum(&self, seq: Seq, frames_after: u64) -> bool {
        frames_after < RECENT_FRAMES && seq >= self.checksums_from
    }

    /// Adds a frame.
    pub fn push(&mut self, seq: Seq, checksum: u64) {
        self.checksums[(seq.get() % RECENT_FRAMES) as usize] = checksum;
    }

    /// Returns the checksum of a recent frame.
    pub fn checksum(&self, seq: Seq) -> u64 {
        self.checksums[(seq.get() % RECENT_FRAMES) as usize]
    }
}

impl Chain {
    /// Returns whether the position of a frame is computed without reading the frame.
    pub fn is_recent(&self, seq: Seq) -> bool {
        self.head
            .and_then(|head| head.seq.frames_since(seq))
            .is_none_or(|frames| self.position_parts.has_checksum(seq, frames))
    }

    /// Returns about how many bytes the frames after one have, or all frames; see [`crate::log::ReadLog::bytes_after`].
    pub fn bytes_after(&self, seq: Option<Seq>) -> u64 {
        let from = seq.map_or(Seq::ZERO, |seq| seq.saturating_add(1));
        let after = self.marks.partition_point(|mark| mark.seq <= from);
        let (Some(mark), true) = (
            after.checked_sub(1).and_then(|i| self.marks.get(i)),
            from < self.next(),
        ) else {
            return 0;
        };
        let sealed = self.sealed.iter().filter(|s| s.first >= mark.first);
        let all = sealed.map(|sealed| sealed.bytes).sum::<u64>() + self.end;
        all.saturating_sub(mark.offset)
    }

    /// Returns the timeline of the segment that contains a frame.
    pub fn timeline_of(&self, seq: Seq) -> u64 {
        let timelines = &self.position_parts.timelines;
        let after = timelines.partition_point(|(from, _)| *from <= seq);
        after.checked_sub(1).map_or(0, |i| timelines[i].1)
    }

    /// Returns the format version of the segment that contains a frame.
    pub fn version_of(&self, seq: Seq) -> u16 {
        let versions = &self.position_parts.versions;
        let after = versions.partition_point(|(from, _)| *from <= seq);
        (after.checked_sub(1)).map_or(self.version, |i| versions[i].1)
    }

    /// Returns the position of a frame, or `None` if the chain does not have it. O(1) for recent frames. Others are read.
    pub fn position_of(&self, seq: Seq) -> Result<Option<Position>, StorageError> {
        let Some(head) = self.head.filter(|head| head.seq >= seq) else {
            return Ok(None);
        };
        if (self.position_parts).has_checksum(seq, head.seq - seq) {
            return Ok(Some(Position {
                store: self.store,
                timeline: self.timeline_of(seq),
                seq,
                checksum: self.position_parts.checksum(seq),
            }));
        }
        let frame = self.frames(seq)?.next().transpose()?;
        Ok(frame.map(|frame| frame.position))
    }
}

//! The chain of segments: reading it to its end, and distinguishing a torn tail from damage.
//!
//! The writer reads the chain once, at open, while no other process writes. A read-only log reads it at open and at each
//! refresh, possibly while a writer appends. This is safe because of the order of the reads: `HEAD`, then the names of the
//! segments, then their contents. The frames that `HEAD` records were durable before it was read, and a segment with a
//! successor was complete before the successor got its name. A listing of names is not atomic, see [`Chain::follow`].

mod damage;
mod positions;
mod replaced;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use positions::PositionParts;
pub(super) use replaced::{follows, replaced};

use super::archived::{self, Archived};
use super::frame::{BLOCK_BYTES, Block, Fault};
use super::listing::segments;
use super::scan::{self, Found, Scan};
use super::segment_file::SegmentFile;
use super::segments::Sealed;
use super::{FrameHeader, GroupPart, Head, Seq, StorageError};
use crate::base::storage_error::FORMAT_VERSION;

/// The distance between the read points of a segment.
const READ_POINT_BYTES: u64 = 256 << 10;

/// The default of [`super::LogOptions::search_bytes_max`].
pub(super) const SEARCH_BYTES_MAX: u64 = 1 << 30;

/// How the bytes after the last valid frame are checked.
#[derive(Clone, Copy)]
pub(super) struct TailCheck {
    /// Whether the bytes after a clean end are checked too. An open does so, and a refresh does not.
    pub after_clean_end: bool,
    /// See [`super::LogOptions::search_bytes_max`].
    pub search_bytes_max: u64,
}

/// The location of a frame from which reading can start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReadPoint {
    /// The frame.
    pub seq: Seq,
    /// The first frame of the segment, which is its name.
    pub first: Seq,
    /// The offset in the segment.
    pub offset: u64,
}

impl ReadPoint {
    /// Returns the location of the first frame of a segment.
    pub(crate) fn start(first: Seq) -> Self {
        Self {
            seq: first,
            first,
            offset: BLOCK_BYTES as u64,
        }
    }
}

/// The frames of a log that were read and are valid.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    pub dir: PathBuf,
    /// The directory that archived segments were moved to, if it is not the one that the log records.
    pub archives: Option<PathBuf>,
    /// The first frame that was not dropped when the log was opened.
    pub kept: Seq,
    pub store: u64,
    /// A read point at the start of each segment, and others at a distance of about [`READ_POINT_BYTES`].
    pub marks: Vec<ReadPoint>,
    pub head: Option<Head>,
    /// The last frame that `HEAD` or a frame read so far records as durable.
    pub durable: Option<Seq>,
    /// The offset of the next frame in the last segment.
    pub end: u64,
    /// All segments but the last, with those in archives.
    pub sealed: Vec<Sealed>,
    /// The hash of the last segment so far. See [`Sealed::content_hash`].
    content_hash: u64,
    /// The offset of the last frame, if it is in the last segment.
    last_at: Option<u64>,
    /// The timeline of the last segment.
    pub timeline: u64,
    /// The format version of the last segment.
    pub version: u16,
    position_parts: Box<PositionParts>,
    /// The chain before the group of frames whose last frame was not read yet.
    before_group: Option<Box<Self>>,
}

/// The end of a chain.
#[derive(Debug)]
pub(super) enum ChainEnd {
    /// There is no segment.
    Empty,
    /// The chain ends after a valid frame or header, with at most spare zeros after it.
    Clean,
    /// The chain ends with bytes up to `until` that are not a valid frame and were never acknowledged as durable.
    Torn { fault: Fault, until: u64 },
    /// The chain ends with a segment that has only a part of a header.
    Header { first: Seq, bytes: u64 },
}

pub(super) fn segment_path(dir: &Path, first: Seq) -> PathBuf {
    dir.join(format!("{first:020}.log"))
}

impl Chain {
    pub fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            archives: None,
            kept: Seq::ZERO,
            store: 0,
            marks: Vec::new(),
            head: None,
            durable: None,
            end: 0,
            sealed: Vec::new(),
            content_hash: 0,
            last_at: None,
            timeline: 0,
            version: FORMAT_VERSION,
            position_parts: Box::default(),
            before_group: None,
        }
    }

    /// Adds the frames that another chain of the same directory has after this one, in O(frames added). Returns false, and
    /// changes nothing, if this chain is not a prefix of the other.
    pub fn catch_up(&mut self, with: &Self) -> bool {
        let (marks, sealed) = (self.marks.len(), self.sealed.len());
        let last = self.marks.last().map(|mark| (mark.seq, mark.offset));
        let there = marks
            .checked_sub(1)
            .map(|i| with.marks.get(i).map(|m| (m.seq, m.offset)));
        let is_prefix = self.store == with.store
            && self.next() <= with.next()
            && self.dir == with.dir
            && there.is_none_or(|there| there == last)
            && sealed <= with.sealed.len();
        if !is_prefix {
            return false;
        }
        self.marks.extend_from_slice(&with.marks[marks..]);
        self.sealed.extend_from_slice(&with.sealed[sealed..]);
        self.position_parts.clone_from(&with.position_parts);
        (self.head, self.durable, self.end) = (with.head, with.durable, with.end);
        (self.content_hash, self.last_at) = (with.content_hash, with.last_at);
        (self.timeline, self.version) = (with.timeline, with.version);
        true
    }

    /// Returns whether two logs have the same frames in the same segments, except for those that one of them has dropped.
    pub fn has_frames_of(&self, other: &Self) -> bool {
        let from = self.kept.max(other.kept);
        let sealed = |chain: &'_ Self| {
            let sealed = chain.sealed.iter().filter(|sealed| sealed.first >= from);
            sealed.copied().collect::<Vec<_>>().into_iter()
        };
        let last = |chain: &Self| {
            (
                chain.segment(),
                chain.end,
                chain.content_hash,
                chain.timeline,
            )
        };
        (self.store, self.head, last(self)) == (other.store, other.head, last(other))
            && sealed(self).eq(sealed(other))
    }

    /// Returns the sequence number of the next frame.
    pub fn next(&self) -> Seq {
        self.head.map_or(Seq::ZERO, |head| head.seq + 1)
    }

    /// Returns the last segment.
    pub fn segment(&self) -> Option<Seq> {
        self.marks.last().map(|mark| mark.first)
    }

    /// Adds a segment with a valid header, whose timeline must be `self.timeline`.
    pub fn enter(&mut self, first: Seq) {
        (self.position_parts).begin_segment(first, self.timeline, self.version);
        if self.segment() == Some(first) {
            // The segment was empty, and another one has replaced it.
            return;
        }
        if let Some(before) = self.segment() {
            self.sealed.push(Sealed {
                first: before,
                next: first,
                bytes: self.end,
                content_hash: std::mem::take(&mut self.content_hash),
            });
        }
        self.last_at = None;
        self.end = BLOCK_BYTES as u64;
        self.marks.push(ReadPoint::start(first));
    }

    /// Adds the frame at the end of the chain, with its length in bytes.
    pub fn push(&mut self, header: &FrameHeader, bytes: u64, checksum: u64) {
        if let Some(mark) = self.marks.last()
            && self.end - mark.offset >= READ_POINT_BYTES
        {
            let first = mark.first;
            self.marks.push(ReadPoint {
                seq: header.seq,
                first,
                offset: self.end,
            });
        }
        self.last_at = Some(self.end);
        self.head = Some(Head::of(header));
        self.durable = self.durable.max(header.durable);
        self.end += bytes;
        self.content_hash = Sealed::hash_with(self.content_hash, checksum);
        self.position_parts.push(header.seq, checksum);
    }

    /// Reads the whole chain of a directory.
    pub fn read(
        (dir, archives): (&Path, Option<&Path>),
        known: Option<&Block>,
        check: TailCheck,
    ) -> Result<(Self, ChainEnd), StorageError> {
        let mut chain = Self::new(dir);
        chain.archives = archives.map(Path::to_owned);
        let end = chain.follow(known, check)?;
        Ok((chain, end))
    }

    /// Adds a segment that has a successor. Its frames are read only when they are asked for.
    pub fn enter_unread(
        &mut self,
        first: Seq,
        (timeline, version): (u64, u16),
        (bytes, content_hash): (u64, u64),
    ) {
        (self.timeline, self.version) = (timeline, version);
        self.enter(first);
        (self.end, self.content_hash) = (bytes, content_hash);
    }

    /// Continues with the segment of a header, after segments that were not read. They were durable before it was created.
    pub fn continue_with(&mut self, header: &Block) {
        self.store = header.store;
        self.head = header.seq.checked_sub(1).map(|seq| Head {
            seq,
            fingerprint: header.fingerprint,
            epoch: header.epoch,
        });
        self.durable = self.head.map(|head| head.seq);
        self.position_parts.begin_checksums(header.seq);
    }

    /// Reads the chain from the last frame read to its end. `known` is `HEAD`, which must have been read before this call.
    ///
    /// A listing of the directory is not atomic. It may have a file that was created during the listing, and lack one that was
    /// created before. So damage is reported only if it is found twice, the second time after listing the directory again.
    pub fn follow(
        &mut self,
        known: Option<&Block>,
        check: TailCheck,
    ) -> Result<ChainEnd, StorageError> {
        let mut failed_at = None;
        loop {
            match self.advance(known, check) {
                Ok(Some(end)) => return Ok(end),
                Ok(None) => {}
                Err(error) => {
                    let at = Some((self.segment(), self.next(), self.end));
                    if failed_at == at || !(error.is_damage() || error.is_missing_file()) {
                        return Err(error);
                    }
                    failed_at = at;
                }
            }
        }
    }

    /// Reads to the end of the last segment, and enters the next one. Returns the end of the chain, if there is no next one.
    fn advance(
        &mut self,
        known: Option<&Block>,
        check: TailCheck,
    ) -> Result<Option<ChainEnd>, StorageError> {
        let names = segments(&self.dir)?;
        let Some(current) = self.segment() else {
            // `ARCHIVED` is read after the names, so that it has the segments that were removed before they were listed.
            let mut begun = self.clone();
            if let Some(archived) = Archived::read(&self.dir)? {
                begun.begin_after(&archived);
            }
            let end = begun.enter_first(&names, known)?;
            *self = begun;
            return Ok(end);
        };
        let path = segment_path(&self.dir, current);
        let was_empty = self.last_at.is_none();
        let scanned = self.scan(&path, known);
        // The scan may have added frames even if it failed.
        if was_empty && self.last_at.is_some() {
            self.update_header(&path, current)?;
        }
        // A group without its last frame is as torn as a frame without its last byte.
        let fault = match self.before_group.take() {
            None => scanned?,
            Some(before) => {
                *self = *before;
                scanned.map(|_| Some(Fault::Group))?
            }
        };
        // A segment with a successor was complete before it was listed, and so before it was scanned.
        let Some(listed) = names.iter().copied().find(|&name| name > current) else {
            return self.check_end(&path, fault, known, check);
        };
        let first = match fault {
            Some(Fault::Group) => listed,
            _ => self.next_segment(Some(listed))?.unwrap_or(listed),
        };
        self.check_complete(&path, fault, first)?;
        self.check_header(first, names.last().is_none_or(|last| *last <= first), known)
    }

    /// Adds the segments that are in archives to an empty chain.
    fn begin_after(&mut self, archived: &Archived) {
        self.kept = archived.kept.seq;
        for segment in archived.kept() {
            let header = &segment.header;
            self.enter_unread(
                header.seq,
                (header.timeline, header.version),
                (segment.bytes, segment.content_hash),
            );
        }
        self.continue_with(&archived.left);
    }

    /// Enters the first segment in the directory.
    fn enter_first(
        &mut self,
        names: &[Seq],
        known: Option<&Block>,
    ) -> Result<Option<ChainEnd>, StorageError> {
        let next = self.next();
        // Segments before it were archived or dropped, and not removed yet.
        let listed = names.iter().copied().find(|name| *name >= next);
        let Some(first) = self.next_segment(listed)? else {
            let path = segment_path(&self.dir, next);
            if next > Seq::ZERO {
                let why = "the frames before it were archived or dropped only when it existed";
                return Err(StorageError::missing_segment(&path, next, why));
            }
            self.check_known(known, &path, None)?;
            return Ok(Some(ChainEnd::Empty));
        };
        self.check_header(first, names.last().is_none_or(|last| *last <= first), known)
    }

    /// Opens a segment of this directory for reading, also if it was archived.
    pub fn open(&self, path: &Path) -> Result<SegmentFile, StorageError> {
        SegmentFile::open(path, self.archives.as_deref())
    }

    /// Opens a segment at the offset of a frame.
    pub fn open_at(&self, first: Seq, offset: u64) -> Result<Scan, StorageError> {
        Scan::of(self.open(&segment_path(&self.dir, first))?, offset)
    }

    /// Returns an error for a frame that was dropped.
    pub fn check_kept(&self, seq: Seq) -> Result<(), StorageError> {
        match seq < self.kept {
            true => Err(archived::dropped(&self.dir, seq, self.kept)),
            false => Ok(()),
        }
    }

    /// Returns the segment to enter. This is the segment that begins with the next frame if it exists, even if the listing does
    /// not have it, and otherwise the listed one.
    fn next_segment(&self, listed: Option<Seq>) -> Result<Option<Seq>, StorageError> {
        let next = self.next();
        // The successor of an empty segment would have the name of the segment itself.
        if listed == Some(next) || self.segment() == Some(next) {
            return Ok(listed);
        }
        let path = segment_path(&self.dir, next);
        match path.try_exists() {
            Ok(true) => Ok(Some(next)),
            Ok(false) => Ok(listed),
            Err(e) => Err(StorageError::io("look for", &path, e)),
        }
    }

    /// Adds frames up to the end of the segment or the first invalid frame, whose fault is returned.
    fn scan(&mut self, path: &Path, known: Option<&Block>) -> Result<Option<Fault>, StorageError> {
        let mut scan = Scan::of(self.open(path)?, self.end)?;
        loop {
            let (at, next) = (self.end, self.next());
            let found = scan.next(self.store, next);
            let found = found.map_err(|e| StorageError::unreadable(path, at, Some(next), e))?;
            let (header, checksum) = match found {
                Found::Frame {
                    header, checksum, ..
                } => (header, checksum),
                Found::End => return Ok(None),
                Found::Bad(fault) => {
                    let error = fault.untorn_error(path, self.end, self.next());
                    return error.map_or(Ok(Some(fault)), Err);
                }
            };
            if let Some(known) = known.filter(|known| known.seq == header.seq)
                && (known.fingerprint, known.epoch) != (header.fingerprint, header.epoch)
            {
                let what = "HEAD records another fingerprint or epoch for this frame, so it is of another history";
                return Err(StorageError::damage(path, self.end, Some(header.seq), what));
            }
            match (header.group, self.before_group.is_some()) {
                (GroupPart::None, true) => {
                    let what = "it follows a group of frames without the last frame of the group";
                    return Err(StorageError::damage(path, self.end, Some(header.seq), what));
                }
                (GroupPart::Inner, false) => self.before_group = Some(Box::new(self.clone())),
                (GroupPart::Last, true) => self.before_group = None,
                (GroupPart::None | GroupPart::Last, false) | (GroupPart::Inner, true) => {}
            }
            self.push(&header, scan.offset() - self.end, checksum);
        }
    }
}

/// Returns whether a directory does not exist.
pub(super) fn is_absent(dir: &Path) -> Result<bool, StorageError> {
    match fs::metadata(dir) {
        Ok(_) => Ok(false),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(e) => Err(StorageError::io("read the metadata of", dir, e)),
    }
}

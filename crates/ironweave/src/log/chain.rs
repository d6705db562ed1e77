//! The chain of segments as a reader sees it: follows it to its end, and distinguishes a torn tail from damage.
//!
//! The writer follows it once, at open, while no other process writes. A read-only log follows it at open and at
//! each refresh, perhaps beside a live writer; so everything is read in the order that makes this safe:
//! `HEAD`, then the names of the segments, then their contents. What `HEAD` says was durable before it was
//! read, and a segment that has a successor was complete before the successor got its name. A listing of names is
//! not atomic, see [`Chain::follow`].

mod replaced;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

pub(super) use replaced::{follows, replaced};

use super::frame::{BLOCK_BYTES, Block, BlockFault, Fault, SEGMENT_MAGIC};
use super::listing::segments;
use super::scan::{self, Found, Scan, Search};
use super::segments::Sealed;
use super::{FrameHeader, Head, Seq, StorageError};
use crate::base::position::Position;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Distance of the places in a segment from which a reader can start.
const MARK_BYTES: u64 = 256 << 10;

/// The number of last frames whose checksums are in memory.
const SUMS: u64 = 64;
/// The default of [`super::LogOptions::search_bytes_max`].
pub(super) const SEARCH_BYTES_MAX: u64 = 1 << 30;

/// How far to look behind the end of the chain.
#[derive(Clone, Copy)]
pub(super) struct Behind {
    /// Whether to look behind a clean end too. A refresh does not.
    pub thorough: bool,
    /// See [`super::LogOptions::search_bytes_max`].
    pub search_bytes_max: u64,
}

/// A place from which frames can be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    /// The frame there.
    pub seq: Seq,
    /// First sequence of the segment, that is: its name.
    pub first: Seq,
    /// Where in the segment.
    pub offset: u64,
}

impl Mark {
    /// Where the first frame of a segment lies.
    pub(crate) fn start(first: Seq) -> Self {
        Self {
            seq: first,
            first,
            offset: BLOCK_BYTES as u64,
        }
    }
}

/// All frames that are known to be whole.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    pub dir: PathBuf,
    pub store: u64,
    /// One at the start of each segment, and one for each [`MARK_BYTES`] or so in it.
    pub marks: Vec<Mark>,
    pub head: Option<Head>,
    /// The highest sequence that some frame or `HEAD` read so far names as durable.
    pub durable: Option<Seq>,
    /// Where the next frame would begin, in the last segment.
    pub end: u64,
    /// All segments but the last.
    pub sealed: Vec<Sealed>,
    /// The sum of the last segment so far; see [`Sealed::sum`].
    sum: u64,
    /// Where the last frame begins, if it lies in the last segment.
    last_at: Option<u64>,
    /// The timeline of the last segment.
    pub timeline: u64,
    /// The parts of positions.
    lines: Box<Lines>,
}

#[derive(Clone, Debug)]
struct Lines {
    /// The timelines, each with its first frame.
    timelines: Vec<(Seq, u64)>,
    /// The checksums of the last frames, each at its sequence modulo their number.
    sums: [u64; SUMS as usize],
}

/// How the chain ends.
#[derive(Debug)]
pub(super) enum Stop {
    /// There is no segment.
    Nothing,
    /// After a whole frame or header, with at most spare zeros behind.
    Clean,
    /// With bytes that are no frame, never known to be durable. They end at `until`.
    Torn { fault: Fault, until: u64 },
    /// With a segment that has nothing but part of a header.
    Header { first: Seq, bytes: u64 },
}

pub(super) fn segment_path(dir: &Path, first: Seq) -> PathBuf {
    dir.join(format!("{first:020}.log"))
}

impl Chain {
    pub fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            store: 0,
            marks: Vec::new(),
            head: None,
            durable: None,
            end: 0,
            sealed: Vec::new(),
            sum: 0,
            last_at: None,
            timeline: 0,
            lines: Box::new(Lines {
                timelines: Vec::new(),
                sums: [0; SUMS as usize],
            }),
        }
    }

    /// Takes in what another chain of the same directory has read or written beyond this one: O(that), not O(chain).
    /// False if this one is not a prefix of the other, and then it is as before.
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
        self.lines.clone_from(&with.lines);
        (self.head, self.durable, self.end) = (with.head, with.durable, with.end);
        (self.sum, self.last_at, self.timeline) = (with.sum, with.last_at, with.timeline);
        true
    }

    /// The sequence after the last.
    pub fn next(&self) -> Seq {
        self.head.map_or(Seq::ZERO, |head| head.seq + 1)
    }

    /// The segment that the chain ends in.
    pub fn segment(&self) -> Option<Seq> {
        self.marks.last().map(|mark| mark.first)
    }

    /// Takes in a segment whose header is valid, and whose timeline is `self.timeline`.
    pub fn enter(&mut self, first: Seq) {
        let timelines = &mut self.lines.timelines;
        timelines.retain(|(from, _)| *from < first);
        if timelines.last().is_none_or(|last| last.1 != self.timeline) {
            timelines.push((first, self.timeline));
        }
        if self.segment() == Some(first) {
            // It was empty, and another has taken its place.
            return;
        }
        if let Some(before) = self.segment() {
            self.sealed.push(Sealed {
                first: before,
                next: first,
                bytes: self.end,
                sum: std::mem::take(&mut self.sum),
            });
        }
        self.last_at = None;
        self.end = BLOCK_BYTES as u64;
        self.marks.push(Mark::start(first));
    }

    /// Takes in a frame that lies at the end, is `bytes` long and has the checksum `sum`.
    pub fn push(&mut self, header: &FrameHeader, bytes: u64, sum: u64) {
        if let Some(mark) = self.marks.last()
            && self.end - mark.offset >= MARK_BYTES
        {
            let first = mark.first;
            self.marks.push(Mark {
                seq: header.seq,
                first,
                offset: self.end,
            });
        }
        self.last_at = Some(self.end);
        self.head = Some(Head::of(header));
        self.durable = self.durable.max(header.durable);
        self.end += bytes;
        self.sum = xxh3_64_with_seed(&sum.to_le_bytes(), self.sum);
        self.lines.sums[(header.seq.get() % SUMS) as usize] = sum;
    }

    /// Whether the checksum of a frame is in memory, if there is such a frame.
    pub fn is_near(&self, seq: Seq) -> bool {
        self.head
            .and_then(|head| head.seq.frames_since(seq))
            .is_none_or(|frames| frames < SUMS)
    }

    /// The timeline of the segment that a frame lies in.
    pub fn timeline_of(&self, seq: Seq) -> u64 {
        let timelines = &self.lines.timelines;
        let after = timelines.partition_point(|(from, _)| *from <= seq);
        after.checked_sub(1).map_or(0, |i| timelines[i].1)
    }

    /// The position of a frame, if there is one.
    pub fn position_of(&self, seq: Seq) -> Result<Option<Position>, StorageError> {
        let Some(head) = self.head.filter(|head| head.seq >= seq) else {
            return Ok(None);
        };
        if head.seq - seq < SUMS {
            return Ok(Some(Position {
                store: self.store,
                timeline: self.timeline_of(seq),
                seq,
                checksum: self.lines.sums[(seq.get() % SUMS) as usize],
            }));
        }
        let frame = self.frames(seq)?.next().transpose()?;
        Ok(frame.map(|frame| frame.position))
    }

    /// Follows the chain from where it was left to its end. `known` is `HEAD`, read before this call.
    /// `behind` says how much is looked at behind the end.
    ///
    /// A listing of the directory is not atomic: it may have a name that came while it was made, and not one that came
    /// before that. So nothing is called damage that was seen once: the directory is listed and looked at again first.
    pub fn follow(&mut self, known: Option<&Block>, behind: Behind) -> Result<Stop, StorageError> {
        let mut seen = None;
        loop {
            match self.go_on(known, behind) {
                Ok(Some(stop)) => return Ok(stop),
                Ok(None) => {}
                Err(error) => {
                    let place = Some((self.segment(), self.next(), self.end));
                    if seen == place || !(error.is_damage() || error.is_missing_file()) {
                        return Err(error);
                    }
                    seen = place;
                }
            }
        }
    }

    /// Goes to the end of a segment, and into the next one if there is one.
    fn go_on(
        &mut self,
        known: Option<&Block>,
        behind: Behind,
    ) -> Result<Option<Stop>, StorageError> {
        let names = segments(&self.dir)?;
        let Some(current) = self.segment() else {
            let Some(first) = self.due(names.first().copied())? else {
                self.check_known(known, &segment_path(&self.dir, Seq::ZERO))?;
                return Ok(Some(Stop::Nothing));
            };
            return self.examine(first, names.last().is_none_or(|last| *last <= first), known);
        };
        let path = segment_path(&self.dir, current);
        let was_empty = self.last_at.is_none();
        let scanned = self.scan(&path, known);
        // Also where it failed after some frames, which are taken in.
        if was_empty && self.last_at.is_some() {
            self.look_at_timeline(&path, current)?;
        }
        let fault = scanned?;
        // One that has a successor was complete before it was listed, and so before it was scanned.
        let Some(listed) = names.iter().copied().find(|&name| name > current) else {
            return self.examine_end(&path, fault, known, behind);
        };
        let first = self.due(Some(listed))?.unwrap_or(listed);
        self.check_complete(&path, fault, first)?;
        self.examine(first, names.last().is_none_or(|last| *last <= first), known)
    }

    /// The segment to go to: the one that is due, if it is there, though the listing may not have it; else the one that
    /// was listed.
    fn due(&self, listed: Option<Seq>) -> Result<Option<Seq>, StorageError> {
        let next = self.next();
        // One that has no frame yet would be its own successor.
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

    /// Takes in frames up to the first thing that is none.
    fn scan(&mut self, path: &Path, known: Option<&Block>) -> Result<Option<Fault>, StorageError> {
        let io = |e| StorageError::io("read", path, e);
        let mut scan = Scan::open(path, self.end).map_err(io)?;
        loop {
            let (header, sum) = match scan.next(self.store, self.next()).map_err(io)? {
                Found::Frame { header, sum, .. } => (header, sum),
                Found::End => return Ok(None),
                Found::Bad(fault) => {
                    let refusal = fault.refusal(path, self.end, self.next());
                    return refusal.map_or(Ok(Some(fault)), Err);
                }
            };
            if let Some(known) = known.filter(|known| known.seq == header.seq)
                && (known.fingerprint, known.epoch) != (header.fingerprint, header.epoch)
            {
                let what = "HEAD has another fingerprint or epoch for this frame, so it belongs to another history";
                return Err(StorageError::damage(path, self.end, Some(header.seq), what));
            }
            self.push(&header, scan.offset() - self.end, sum);
        }
    }

    /// A segment with a successor must reach up to it.
    fn check_complete(
        &self,
        path: &Path,
        fault: Option<Fault>,
        successor: Seq,
    ) -> Result<(), StorageError> {
        let next = self.next();
        let damage = |what: &str| Err(StorageError::damage(path, self.end, Some(next), what));
        if let Some(fault) = fault {
            let fault = fault.describe();
            return damage(&format!(
                "{fault}, and segment {successor:020}.log was begun only after it was durable"
            ));
        }
        if successor != next {
            return damage(&format!(
                "the segment ends before frame {next}, and the one after it begins with frame {successor}: a segment \
                 is missing, or this one was cut"
            ));
        }
        match scan::end_of_content(path, self.end).map_err(|e| StorageError::io("read", path, e))? {
            Some(_) => {
                damage("something lies behind the last frame of a segment that was completed")
            }
            None => Ok(()),
        }
    }

    /// The end of the last segment: clean, torn or damaged. `None` means that a live writer has
    /// completed the frame meanwhile, and the chain continues.
    fn examine_end(
        &mut self,
        path: &Path,
        fault: Option<Fault>,
        known: Option<&Block>,
        behind: Behind,
    ) -> Result<Option<Stop>, StorageError> {
        self.check_known(known, path)?;
        if fault.is_none() && !behind.thorough {
            return Ok(Some(Stop::Clean));
        }
        let io = |e| StorageError::io("read", path, e);
        let Some(until) = scan::end_of_content(path, self.end).map_err(io)? else {
            return Ok(Some(Stop::Clean));
        };
        let next = self.next();
        let fault = fault.unwrap_or(Fault::Hole);
        let most = behind.search_bytes_max;
        let found = scan::find_evidence(path, self.end, self.store, next, most).map_err(io)?;
        let evidence = match found {
            Search::Found(evidence) => evidence,
            Search::Nothing => return Ok(Some(Stop::Torn { fault, until })),
            Search::Undecided => {
                let what = format!(
                    "{}, and behind it so much looks like frames that it is unknown whether it was durable; raise \
                     `search_bytes_max`, which is {most}, to look at more of it",
                    fault.describe()
                );
                return Err(StorageError::damage(path, self.end, Some(next), &what));
            }
        };
        // Beside a live writer the frame may have been completed since; the evidence was written after it.
        let mut scan = Scan::open(path, self.end).map_err(io)?;
        if matches!(
            scan.next(self.store, next).map_err(io)?,
            Found::Frame { .. }
        ) {
            return Ok(None);
        }
        let what = format!(
            "{}, and frame {} at offset {} says that everything up to frame {} was durable",
            fault.describe(),
            evidence.seq,
            evidence.offset,
            evidence.durable
        );
        Err(StorageError::damage(path, self.end, Some(next), &what))
    }

    /// Everything up to `HEAD` must be there.
    fn check_known(&self, known: Option<&Block>, path: &Path) -> Result<(), StorageError> {
        match known {
            Some(known) if known.seq >= self.next() => {
                let what = format!(
                    "HEAD says that everything up to frame {} was durable",
                    known.seq
                );
                Err(StorageError::damage(
                    path,
                    self.end,
                    Some(self.next()),
                    &what,
                ))
            }
            _ => Ok(()),
        }
    }

    /// Looks at the header of the segment `first` and goes there; or says how the chain ends before it.
    fn examine(
        &mut self,
        first: Seq,
        newest: bool,
        known: Option<&Block>,
    ) -> Result<Option<Stop>, StorageError> {
        let path = segment_path(&self.dir, first);
        let io = |e| StorageError::io("read", &path, e);
        let next = self.next();
        let damage = |what: &str| Err(StorageError::damage(&path, 0, Some(first), what));
        if first != next {
            return damage(&format!(
                "frames {next} to {} are missing before this segment",
                first.get().saturating_sub(1)
            ));
        }
        let bytes = scan::read_block(&path).map_err(io)?;
        let block = match <&[u8; BLOCK_BYTES]>::try_from(bytes.as_slice()) {
            Ok(bytes) => Block::decode(SEGMENT_MAGIC, bytes),
            Err(_) => Err(BlockFault::Magic),
        };
        let block = match block {
            Ok(block) => block,
            Err(BlockFault::Version(version)) => {
                let error = StorageError::other_version(&path, "contents", version);
                return Err(error.with_location(&path, 0, None));
            }
            // Frames are written only behind a durable header. With none there, nothing can be lost.
            Err(_)
                if newest
                    && scan::end_of_content(&path, BLOCK_BYTES as u64)
                        .map_err(io)?
                        .is_none() =>
            {
                self.check_known(known, &path)?;
                return Ok(Some(Stop::Header {
                    first,
                    bytes: scan::end_of_content(&path, 0).map_err(io)?.unwrap_or(0),
                }));
            }
            Err(_) => {
                return damage(
                    "the header of the segment is broken, and there are frames behind it",
                );
            }
        };
        let foreign = |store: u64| store != block.store;
        if block.seq != first {
            return damage(&format!(
                "the header says that the segment begins with frame {}",
                block.seq
            ));
        }
        if self.segment().is_some() && foreign(self.store)
            || known.is_some_and(|known| foreign(known.store))
        {
            return damage(
                "the segment belongs to another store than HEAD or the segment before it",
            );
        }
        let before = self
            .head
            .map_or((0, 0), |head| (head.fingerprint, head.epoch));
        if (block.fingerprint, block.epoch) != before {
            return damage("the segment does not continue the history of the one before it");
        }
        self.store = block.store;
        self.timeline = block.timeline;
        self.enter(first);
        Ok(None)
    }
}

/// Whether the directory is not there at all.
pub(super) fn is_absent(dir: &Path) -> Result<bool, StorageError> {
    match fs::metadata(dir) {
        Ok(_) => Ok(false),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(e) => Err(StorageError::io("look at", dir, e)),
    }
}

//! Reading a log: the iterator over the frames of a chain of segments, and [`ReadOnlyLog`], which takes no lock and writes
//! nothing but cursors and indexes.

use std::fmt;
use std::path::{Path, PathBuf};

use super::cancel::Cancel;
use super::chain::{
    Chain, ChainEnd, SEARCH_BYTES_MAX, TailCheck, follows, is_absent, replaced, segment_path,
};
use super::checkpoint_files::CheckpointFiles;
use super::copy::sync_last_segment;
use super::cursor::Cursors;
use super::disk::Disk;
use super::frame::{BLOCK_BYTES, Block};
use super::scan::{self, Found, Scan};
use super::segment_file::SegmentFile;
use super::segment_table::SegmentTable;
use super::segments::Segments;
use super::{Frame, Head, ReadLog, Seq, StorageError, StorageFailure, head, listing};
use crate::base::position::Position;

/// Iterates over frames in ascending order, up to the last frame at the time of the call. An error ends the iteration.
pub(crate) struct Frames<'a>(Box<dyn Iterator<Item = Result<Frame, StorageError>> + Send + 'a>);

impl<'a> Frames<'a> {
    pub(crate) fn new(
        frames: impl Iterator<Item = Result<Frame, StorageError>> + Send + 'a,
    ) -> Self {
        Self(Box::new(frames))
    }
}

impl Iterator for Frames<'_> {
    type Item = Result<Frame, StorageError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }
}

impl fmt::Debug for Frames<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Frames(..)")
    }
}

impl Chain {
    /// Returns the frames from `from` to the last one. The iterator opens files of its own, so it is independent of the
    /// writer.
    pub fn frames(&self, from: Seq) -> Result<Frames<'static>, StorageError> {
        let Some(head) = self.head.filter(|head| head.seq >= from) else {
            return Ok(Frames::new(std::iter::empty()));
        };
        self.check_kept(from)?;
        // A log with a frame has a first segment, and the first mark is at the first frame that was kept.
        let mut mark = self.marks[self.marks.partition_point(|mark| mark.seq <= from) - 1];
        let file = self.open(&segment_path(&self.dir, mark.first))?;
        if let Some((seq, offset)) = file.entry_before(from) {
            (mark.seq, mark.offset) = (seq, offset);
        }
        let mut reader = ChainReader {
            dir: self.dir.clone(),
            archives: self.archives.clone(),
            store: self.store,
            segment: mark.first,
            timeline: self.timeline_of(mark.first),
            scan: Scan::of(file, mark.offset)?,
            next: mark.seq,
            last: head.seq,
            before: None,
        };
        let mut failed = false;
        Ok(Frames::new(std::iter::from_fn(move || {
            while !failed && reader.next <= reader.last {
                let wanted = reader.next >= from;
                match reader.advance(wanted) {
                    Ok(None) => {}
                    Ok(Some(frame)) => return Some(Ok(frame)),
                    Err(error) => {
                        failed = true;
                        return Some(Err(error));
                    }
                }
            }
            None
        })))
    }
}

/// Reads the frames of a chain from segment to segment.
struct ChainReader {
    dir: PathBuf,
    archives: Option<PathBuf>,
    store: u64,
    /// The first frame of the current segment.
    segment: Seq,
    timeline: u64,
    scan: Scan,
    next: Seq,
    last: Seq,
    /// The frame before `next`, if it was read.
    before: Option<Head>,
}

impl ChainReader {
    /// Advances past the next frame, which is returned if `wanted`, or into the next segment.
    fn advance(&mut self, wanted: bool) -> Result<Option<Frame>, StorageError> {
        let offset = self.scan.offset();
        let found = match self.scan.next(self.store, self.next) {
            Ok(found) => found,
            Err(e) => {
                let path = self.scan.path();
                return Err(StorageError::unreadable(path, offset, Some(self.next), e));
            }
        };
        let fault = match found {
            Found::Frame {
                header,
                payload,
                checksum,
            } => {
                let payload = wanted.then(|| payload.to_vec());
                self.next += 1;
                self.before = Some(Head::of(&header));
                return Ok(payload.map(|payload| Frame {
                    header,
                    payload,
                    location: Some(self.scan.location_at(offset)),
                    position: Position {
                        store: self.store,
                        timeline: self.timeline,
                        seq: header.seq,
                        checksum,
                    },
                }));
            }
            Found::Bad(fault) => Some(fault),
            Found::End => None,
        };
        // The successor of an empty segment would have the name of the segment itself.
        if fault.is_none() && self.segment != self.next && self.enter_next()? {
            return Ok(None);
        }
        let what = match fault {
            Some(fault) => fault.describe(),
            None => format!(
                "the segment ends before the frame, and there is no {}",
                segment_path(&self.dir, self.next).display()
            ),
        };
        let what = format!("{what}, although the log has frames up to {}", self.last);
        let (path, next) = (self.scan.path(), Some(self.next));
        Err(StorageError::damage(path, offset, next, &what))
    }

    /// Enters the segment that begins with the next frame. Returns whether it exists.
    fn enter_next(&mut self) -> Result<bool, StorageError> {
        let path = segment_path(&self.dir, self.next);
        let mut file = match SegmentFile::open(&path, self.archives.as_deref()) {
            Ok(file) => file,
            Err(e) if e.is_missing_file() && !e.is_archived() => return Ok(false),
            Err(e) => return Err(e),
        };
        let block = scan::header(&mut file)
            .map_err(|e| StorageError::unreadable(file.path(), 0, Some(self.next), e))?;
        let is_next = |block: &Block| block.store == self.store && block.seq == self.next;
        let Some(block) = block.ok().filter(is_next) else {
            let what = "the header of the segment is invalid, although it was valid when the log was opened";
            return Err(StorageError::damage(file.path(), 0, Some(self.next), what));
        };
        if let Some(before) = self.before.filter(|before| !follows(&block, before)) {
            return Err(replaced(before.seq, file.path()));
        }
        self.timeline = block.timeline;
        self.scan = Scan::of(file, BLOCK_BYTES as u64)?;
        self.segment = self.next;
        Ok(true)
    }
}

/// Checks that a directory has a log, before a file is created in it. O(names in the directory).
///
/// # Errors
/// `is_not_found`, as [`ReadOnlyLog::open`]; `is_io`.
pub(crate) fn check_exists(dir: &Path) -> Result<(), StorageError> {
    check_directory(dir)?;
    match listing::segments(dir)?.is_empty() {
        true => Err(not_found("there is no store in", dir)),
        false => Ok(()),
    }
}

fn check_directory(dir: &Path) -> Result<(), StorageError> {
    if dir.is_file() {
        return Err(not_found("there is a file and no store at", dir));
    }
    match is_absent(dir)? {
        true => Err(not_found("there is no directory", dir)),
        false => Ok(()),
    }
}

fn not_found(what: &str, dir: &Path) -> StorageError {
    let message = format!(
        "{what} {}: a store is a directory with segments such as {:020}.log; check the path, or open the store for writing \
         to create it",
        dir.display(),
        0
    );
    StorageError::new(StorageFailure::NotFound, message)
}

/// A log in a directory that is open for reading only. It takes no lock and can be used while a writer has the log open.
/// [`refresh`](ReadOnlyLog::refresh) reads the frames that the writer has appended.
///
/// It returns every complete frame, durable or not. [`durable`](ReadLog::durable) is the last one that is known to be
/// durable.
#[derive(Clone)]
pub(crate) struct ReadOnlyLog {
    chain: Chain,
    /// Writes the cursors.
    disk: Disk,
    /// Whether it may write indexes beside the segments. It may if the writer is in the same process.
    writes_indexes: bool,
    /// Ends what reads it.
    cancel: Option<Cancel>,
}

impl fmt::Debug for ReadOnlyLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadOnlyLog")
            .field("dir", &self.chain.dir)
            .field("head", &self.chain.head)
            .finish()
    }
}

impl ReadOnlyLog {
    /// Opens the log in a directory.
    ///
    /// # Errors
    /// `is_not_found` if the directory has none; `is_damage`, `is_version`, `is_io`.
    pub(crate) fn open(dir: impl AsRef<Path>) -> Result<Self, StorageError> {
        Self::open_with(dir.as_ref(), None)
    }

    /// As [`open`](Self::open). `archives` is the directory that archived segments were moved to, if it is not the one that
    /// the log records.
    pub(crate) fn open_with(dir: &Path, archives: Option<&Path>) -> Result<Self, StorageError> {
        Self::begin(dir, archives, false)
    }

    /// As [`open_with`](ReadOnlyLog::open_with), but reads the frames from the segment of the newest checkpoint on. Those before
    /// it are compared with their checksums when they are read.
    pub(crate) fn open_from_checkpoint(
        dir: &Path,
        archives: Option<&Path>,
    ) -> Result<Self, StorageError> {
        Self::begin(dir, archives, true)
    }

    fn begin(
        dir: &Path,
        archives: Option<&Path>,
        from_checkpoint: bool,
    ) -> Result<Self, StorageError> {
        let mut chain = Chain::new(dir);
        chain.archives = archives.map(Path::to_owned);
        let mut log = Self {
            chain,
            disk: Disk::default(),
            writes_indexes: false,
            cancel: None,
        };
        check_directory(dir)?;
        let begun = from_checkpoint.then(|| log.chain_from_checkpoint());
        match begun.transpose()?.flatten() {
            Some(chain) => log.chain = chain,
            None => log.follow(true)?,
        }
        match log.chain.segment() {
            Some(_) => Ok(log),
            None => Err(not_found("there is no store in", dir)),
        }
    }

    /// Reads the frames that were appended since, and returns the last one. The log ends before the first incomplete frame,
    /// which a writer may be writing.
    ///
    /// # Errors
    /// `is_damage` if an incomplete frame was durable; `is_replaced` if the last frame that was read is no longer in the
    /// log, for example because a backup has replaced it; `is_io`. The frames before the error are kept.
    pub(crate) fn refresh(&mut self) -> Result<Option<Head>, StorageError> {
        self.chain.check_last()?;
        self.follow(false)?;
        Ok(self.head())
    }

    fn chain_from_checkpoint(&self) -> Result<Option<Chain>, StorageError> {
        let dir = &self.chain.dir;
        // As in `follow`.
        let known = head::read_head(dir)?;
        let check = TailCheck {
            after_clean_end: true,
            search_bytes_max: SEARCH_BYTES_MAX,
        };
        let files = CheckpointFiles::new(dir, self.disk.clone());
        let places = (dir.as_path(), self.chain.archives.as_deref());
        let read = Chain::from_checkpoint(places, &files, known.as_ref(), check);
        Ok(read.map(|(mut chain, _)| {
            chain.durable = chain.durable.max(known.map(|known| known.seq));
            chain
        }))
    }

    fn follow(&mut self, after_clean_end: bool) -> Result<(), StorageError> {
        // `HEAD` is read before the segments, so the frames up to the one that it names are in them.
        let known = head::read_head(&self.chain.dir)?;
        let check = TailCheck {
            after_clean_end,
            search_bytes_max: SEARCH_BYTES_MAX,
        };
        let _: ChainEnd = self.chain.follow(known.as_ref(), check)?;
        self.chain.durable = self.chain.durable.max(known.map(|known| known.seq));
        Ok(())
    }

    /// Returns the first frame of each segment, and its length in bytes without spare space.
    pub(crate) fn segment_lengths(&self) -> Vec<(Seq, u64)> {
        let sealed = self.chain.sealed.iter().map(|s| (s.first, s.bytes));
        let last = self.chain.segment().map(|first| (first, self.chain.end));
        sealed.chain(last).collect()
    }

    /// Makes the frames durable that were read from the last segment.
    pub(crate) fn sync_last_segment(&self) -> Result<(), StorageError> {
        sync_last_segment(&self.chain)
    }

    /// Returns the segments of the log as they were read last.
    pub(super) fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Returns a reader of the frames of its writer's chain.
    pub(super) fn of(chain: Chain, disk: Disk) -> Self {
        Self {
            chain,
            disk,
            writes_indexes: true,
            cancel: None,
        }
    }

    /// Adds the frames that the writer in this process has appended since. See [`Chain::catch_up`].
    pub(super) fn catch_up(&mut self, chain: &Chain) -> bool {
        self.chain.catch_up(chain)
    }

    /// From now on, reads of frames, and reads and writes of checkpoints, end with an error once `cancel` is set.
    pub(crate) fn end_at(&mut self, cancel: Cancel) {
        self.cancel = Some(cancel);
    }

    /// From now on, writes no indexes beside the segments.
    pub(super) fn stop_writing(&mut self) {
        self.writes_indexes = false;
    }

    /// Returns the cursors of the store.
    pub(crate) fn cursors(&self) -> Cursors {
        Cursors::new(&self.chain.dir, self.chain.store, self.disk.clone())
    }

    /// As [`ReadLog::read`], but the iterator does not borrow the log.
    pub(crate) fn frames(&self, from: Seq) -> Result<Frames<'static>, StorageError> {
        self.check()?;
        let mut frames = self.chain.frames(from)?;
        let Some(cancel) = self.cancel.clone() else {
            return Ok(frames);
        };
        let mut ended = false;
        Ok(Frames::new(std::iter::from_fn(move || {
            if ended {
                return None;
            }
            let checked = cancel.check();
            ended = checked.is_err();
            match checked {
                Ok(()) => frames.next(),
                Err(e) => Some(Err(e)),
            }
        })))
    }
}

impl ReadLog for ReadOnlyLog {
    fn head(&self) -> Option<Head> {
        self.chain.head
    }

    /// Returns a lower bound, which the frames and `HEAD` record.
    fn durable(&self) -> Option<Seq> {
        self.chain.durable
    }

    fn read(&self, from: Seq) -> Result<Frames<'_>, StorageError> {
        self.frames(from)
    }

    fn store(&self) -> u64 {
        self.chain.store
    }

    fn position_of(&self, seq: Seq) -> Result<Option<Position>, StorageError> {
        if !self.chain.is_recent(seq) {
            self.check()?;
        }
        self.chain.position_of(seq)
    }

    fn checkpoints(&self) -> Option<CheckpointFiles> {
        let files = CheckpointFiles::new(&self.chain.dir, self.disk.clone());
        Some(match &self.cancel {
            Some(cancel) => files.end_at(cancel.clone()),
            None => files,
        })
    }

    fn segments_before(&self, seq: Seq) -> SegmentTable {
        self.chain.segments_before(seq)
    }

    fn bytes_after(&self, seq: Option<Seq>) -> u64 {
        self.chain.bytes_after(seq)
    }

    fn segments(&self) -> Option<Segments<'_>> {
        let disk = self.writes_indexes.then_some(&self.disk);
        Some(Segments::new(&self.chain, disk))
    }

    /// A reader holds no lock that would prevent the log from being replaced, and the frames of another log are valid too. So
    /// the last frame is compared with the one that was read.
    fn check(&self) -> Result<(), StorageError> {
        self.chain.check_last()
    }
}

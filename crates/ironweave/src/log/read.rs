//! Reading: the iterator over a chain of segments, and the log that takes no lock and writes nothing.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::chain::{
    Behind, Chain, SEARCH_BYTES_MAX, Stop, follows, is_absent, replaced, segment_path,
};
use super::cursor::Cursors;
use super::disk::Disk;
use super::frame::{BLOCK_BYTES, Block, Fault, SEGMENT_MAGIC};
use super::scan::{self, Found, Scan};
use super::segments::Segments;
use super::{Frame, Head, ReadLog, Seq, StorageError, StorageFailure, head};
use crate::base::position::Position;

/// Frames in ascending order, up to the head at the time of the call. After an error there are no more.
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
    /// The frames from `from` to the head. The iterator holds its own file, so that it is independent of the writer.
    pub fn frames(&self, from: Seq) -> Result<Frames<'static>, StorageError> {
        let Some(head) = self.head.filter(|head| head.seq >= from) else {
            return Ok(Frames::new(std::iter::empty()));
        };
        // There is a head, so there is a first segment, and its mark is for frame 0.
        let mark = self.marks[self.marks.partition_point(|mark| mark.seq <= from) - 1];
        let path = segment_path(&self.dir, mark.first);
        let scan =
            Scan::open(&path, mark.offset).map_err(|e| StorageError::io("open", &path, e))?;
        let mut cursor = Cursor {
            dir: self.dir.clone(),
            store: self.store,
            path,
            segment: mark.first,
            timeline: self.timeline_of(mark.first),
            scan,
            next: mark.seq,
            last: head.seq,
            before: None,
        };
        let mut failed = false;
        Ok(Frames::new(std::iter::from_fn(move || {
            while !failed && cursor.next <= cursor.last {
                let wanted = cursor.next >= from;
                match cursor.take(wanted) {
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

/// A place in the chain that moves from segment to segment.
struct Cursor {
    dir: PathBuf,
    store: u64,
    path: PathBuf,
    /// Its name.
    segment: Seq,
    timeline: u64,
    scan: Scan,
    next: Seq,
    last: Seq,
    /// The frame before `next`, once it was read.
    before: Option<Head>,
}

impl Cursor {
    /// Goes one step: over a frame (giving it, if it is wanted) or into the next segment.
    fn take(&mut self, wanted: bool) -> Result<Option<Frame>, StorageError> {
        let offset = self.scan.offset();
        let io = |e| StorageError::io("read", &self.path, e);
        let fault = match self.scan.next(self.store, self.next).map_err(io)? {
            Found::Frame {
                header,
                payload,
                sum,
            } => {
                self.next += 1;
                self.before = Some(Head::of(&header));
                return Ok(wanted.then(|| Frame {
                    header,
                    payload: payload.to_vec(),
                    position: Position {
                        store: self.store,
                        timeline: self.timeline,
                        seq: header.seq,
                        checksum: sum,
                    },
                }));
            }
            Found::Bad(fault) => Some(fault),
            Found::End => None,
        };
        // An empty segment would be its own successor.
        if fault.is_none() && self.segment != self.next && self.enter_next()? {
            return Ok(None);
        }
        let what = fault.map_or("the segment ends before it".into(), Fault::describe);
        let what = format!("{what}, though it was whole when the log was opened");
        Err(StorageError::damage(
            &self.path,
            offset,
            Some(self.next),
            &what,
        ))
    }

    fn enter_next(&mut self) -> Result<bool, StorageError> {
        let path = segment_path(&self.dir, self.next);
        let block = match scan::read_block(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(e) => return Err(StorageError::io("read", &path, e)),
        };
        let block = <[u8; BLOCK_BYTES]>::try_from(block.as_slice()).ok();
        let good = |block: Block| block.store == self.store && block.seq == self.next;
        let block = block
            .and_then(|bytes| Block::decode(SEGMENT_MAGIC, &bytes).ok())
            .filter(|block| good(*block));
        let Some(block) = block else {
            let what =
                "the header of the segment is broken, though it was whole when the log was opened";
            return Err(StorageError::damage(&path, 0, Some(self.next), what));
        };
        if let Some(before) = self.before.filter(|before| !follows(&block, before)) {
            return Err(replaced(before.seq, &path));
        }
        self.timeline = block.timeline;
        self.scan = Scan::open(&path, BLOCK_BYTES as u64)
            .map_err(|e| StorageError::io("open", &path, e))?;
        self.segment = self.next;
        self.path = path;
        Ok(true)
    }
}

/// A log in a directory, for reading only: takes no lock, writes nothing, and may be used beside a live
/// writer, whose new frames [`refresh`](ReadOnlyLog::refresh) takes in.
///
/// It shows every whole frame, durable or not; [`durable`](ReadLog::durable) is the last one that is known to be durable.
#[derive(Clone)]
pub(crate) struct ReadOnlyLog {
    chain: Chain,
    /// Writes the cursors.
    disk: Disk,
    /// Whether it may write indexes beside the segments: only beside a writer of the same process.
    writes_indexes: bool,
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
    /// Opens the store in a directory.
    ///
    /// # Errors
    /// `is_not_found` where there is none; `is_damage`, `is_version`, `is_io`.
    pub(crate) fn open(dir: impl AsRef<Path>) -> Result<Self, StorageError> {
        let dir = dir.as_ref();
        let mut log = Self {
            chain: Chain::new(dir),
            disk: Disk::default(),
            writes_indexes: false,
        };
        let not_found = |what: &str| {
            let dir = dir.display();
            let message = format!(
                "{what} {dir}: a store is a directory with segments such as {:020}.log in it; check the path, or open \
                 it for writing to create one",
                0
            );
            Err(StorageError::new(StorageFailure::NotFound, message))
        };
        if is_absent(dir)? {
            return not_found("there is no directory");
        }
        log.follow(true)?;
        if log.chain.segment().is_none() {
            return not_found("there is no store in");
        }
        Ok(log)
    }

    /// Takes in what was appended since, and returns the head. The log ends where the first frame is incomplete: a live
    /// writer may be writing it.
    ///
    /// # Errors
    /// `is_damage` if a frame is incomplete that was durable; `is_replaced` if the last frame that was taken in is no
    /// longer there, because a backup has replaced the log, for example; `is_io`. What precedes such a frame is taken in.
    pub(crate) fn refresh(&mut self) -> Result<Option<Head>, StorageError> {
        self.chain.check_last()?;
        self.follow(false)?;
        Ok(self.head())
    }

    fn follow(&mut self, thorough: bool) -> Result<(), StorageError> {
        // Before the segments: the frames that it names are in them now.
        let known = head::read_head(&self.chain.dir)?;
        let behind = Behind {
            thorough,
            search_bytes_max: SEARCH_BYTES_MAX,
        };
        let _: Stop = self.chain.follow(known.as_ref(), behind)?;
        self.chain.durable = self.chain.durable.max(known.map(|known| known.seq));
        Ok(())
    }

    /// A reader that has taken in the frames of its writer's chain.
    pub(super) fn of(chain: Chain, disk: Disk) -> Self {
        Self {
            chain,
            disk,
            writes_indexes: true,
        }
    }

    /// Takes in what a writer in this process has written since; see [`Chain::catch_up`].
    pub(super) fn catch_up(&mut self, chain: &Chain) -> bool {
        self.chain.catch_up(chain)
    }

    /// From now on, writes no indexes beside the segments.
    pub(super) fn stop_writing(&mut self) {
        self.writes_indexes = false;
    }

    /// The cursors of the store.
    pub(crate) fn cursors(&self) -> Cursors {
        Cursors::new(&self.chain.dir, self.chain.store, self.disk.clone())
    }

    /// As [`ReadLog::read`], for longer than this log is borrowed.
    pub(crate) fn frames(&self, from: Seq) -> Result<Frames<'static>, StorageError> {
        self.check()?;
        self.chain.frames(from)
    }
}

impl ReadLog for ReadOnlyLog {
    fn head(&self) -> Option<Head> {
        self.chain.head
    }

    /// A lower bound: what the log itself says.
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
        if !self.chain.is_near(seq) {
            self.check()?;
        }
        self.chain.position_of(seq)
    }

    fn segments(&self) -> Option<Segments<'_>> {
        let disk = self.writes_indexes.then_some(&self.disk);
        Some(Segments::new(&self.chain, disk))
    }

    /// A reader holds no lock that would keep the log from being replaced, and each frame of another log is as whole as
    /// the one that was read.
    fn check(&self) -> Result<(), StorageError> {
        self.chain.check_last()
    }
}

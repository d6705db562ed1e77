//! Archiving and dropping the first segments of a log: what qualifies, what can no longer be answered, and doing it.
//!
//! A segment qualifies if it has a successor and ends before the frame of a valid checkpoint, so that opening the store does not
//! need it. The newest two checkpoints stay usable. The work is done in the directory of the log, without the store: the
//! store may be open for writing, here or in another process.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base::position::Seq;
use crate::base::storage_error::{StorageError, StorageFailure};
use crate::base::time::Timestamp;
use crate::graph::paged::Paged;
use crate::history::AsOf;
use crate::log::{
    Archiving, CheckpointFiles, FrameKind, ReadLog as _, ReadOnlyLog, SegmentPlace, segment_places,
};
use crate::step::dynamic::Dynamic;
use crate::step::model::Model as _;
use crate::step::plan::Plan;
use crate::store::checkpoint::read::Loader;
use crate::store::{Epochs, bad_frame, frame};

/// Archives or drops the first segments of the log of a store, which would otherwise grow without end.
///
/// [`archive`](Self::archive) plans to compress segments and to move them to another directory. They are still read there in place,
/// so that everything can be answered as before. [`drop_frames`](Self::drop_frames) plans to delete them. Both return a
/// [`RetentionPlan`], which says what it would do. Nothing is changed before [`RetentionPlan::execute`].
///
/// Only segments that end before the second newest valid [checkpoint](crate::Store::checkpoint) are archived or dropped, and never
/// the last one. If there is one valid checkpoint, segments before it are archived, and none is dropped. Nothing is ever dropped
/// without this call.
///
/// The store may be open for writing meanwhile, in this process or in another one. [`Store::retention`](crate::Store::retention)
/// returns the value for an open store.
///
/// ```
/// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
/// use ironweave::prelude::*;
/// use ironweave::Retention;
/// use lamps::{Bought, Lit};
///
/// # let root = tempfile::tempdir()?;
/// # let (dir, archive) = (root.path().join("lamps"), root.path().join("archive"));
/// let mut store = Store::<lamps::Model>::options().segment_bytes_max(400).open(&dir)?;
/// for n in 0..10 {
///     store.try_step(Bought { room: format!("room {n}") })?;
/// }
/// store.checkpoint()?;
/// store.try_step(Lit { lamp: "room 3".into() })?;
/// store.checkpoint()?;
///
/// let plan = Retention::of(&dir).archive(&archive)?;
/// println!("{plan}");
/// # #[cfg(feature = "archive")] {
/// plan.execute(|_, _| {})?;
/// // The archive is read in place.
/// assert_eq!(store.as_of(3)?.seq(), Some(3.into()));
/// # }
///
/// let plan = store.retention()?.before(5).drop_frames()?;
/// println!("{plan}");
/// plan.execute(|_, _| {})?;
/// let e = store.since(0).err().expect("frame 0 is gone");
/// assert!(e.storage().is_some_and(|e| e.is_dropped()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "it does nothing until a plan is made and executed"]
pub struct Retention {
    dir: PathBuf,
    archives: Option<PathBuf>,
    before: Option<AsOf>,
}

impl Retention {
    /// Names the directory of a store.
    pub fn of(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            archives: None,
            before: None,
        }
    }

    /// Names the directory that the existing archives are in, if it is not the one that they were archived to.
    pub fn archives(mut self, dir: impl Into<PathBuf>) -> Self {
        self.archives = Some(dir.into());
        self
    }

    /// Takes only segments all of whose frames are before this one, or before this time. By default, all that qualify are taken.
    pub fn before(mut self, when: impl Into<AsOf>) -> Self {
        self.before = Some(when.into());
        self
    }

    /// Plans to compress segments with zstd and to move them to a directory. Use a directory for one store only. If it is inside
    /// the directory of the store, both can be moved together.
    ///
    /// # Errors
    /// `is_not_found` if the directory has no store; `is_replaced` if the position before which segments are taken is not one of this
    /// log; `is_damage`, `is_io`.
    pub fn archive(self, to: impl Into<PathBuf>) -> Result<RetentionPlan, StorageError> {
        self.plan(Action::Archive(to.into()))
    }

    /// Plans to delete frames, those in archives too. They cannot be restored from the log.
    ///
    /// # Errors
    /// As [`archive`](Self::archive).
    pub fn drop_frames(self) -> Result<RetentionPlan, StorageError> {
        self.plan(Action::Drop)
    }

    fn plan(self, action: Action) -> Result<RetentionPlan, StorageError> {
        let log = ReadOnlyLog::open_from_checkpoint(&self.dir, self.archives.as_deref())?;
        let survey = Survey::of(&log, &action)?;
        let mut segments = segment_places(&log)?;
        // The order of the segments: dropped, archived, in the directory.
        segments.retain(|segment| match action {
            Action::Archive(_) => !segment.archived,
            Action::Drop => true,
        });
        let all = segments.len();
        segments.retain(|segment| segment.next <= survey.limit);
        let qualify = segments.len();
        if let Some(before) = self.before {
            let mut wanted = 0;
            for segment in &segments {
                if !ends_before(&log, segment, before)? {
                    break;
                }
                wanted += 1;
            }
            segments.truncate(wanted);
            if !segments.is_empty() {
                check_position(&log, before)?;
            }
        }
        let limit = match (segments.len(), &survey.checkpoints[..]) {
            (taken, _) if taken < qualify => Limit::Before,
            (_, _) if all == qualify => Limit::LastSegment,
            (_, []) => Limit::NoCheckpoint,
            (_, [_]) if matches!(action, Action::Drop) => Limit::OneCheckpoint,
            _ => Limit::Checkpoint(survey.limit),
        };
        let kept = segments.last().map(|last| last.next);
        let times = match (segments.first(), kept) {
            (Some(first), Some(kept)) => {
                first_time(&log, first.first)?.zip(first_time(&log, kept)?)
            }
            _ => None,
        };
        let stopped = match kept {
            Some(kept) => stopped_before(&log, kept)?,
            None => Vec::new(),
        };
        let oldest = match (&action, kept) {
            (Action::Drop, Some(kept)) => oldest_checkpoint(&log, kept)?,
            _ => None,
        };
        Ok(RetentionPlan {
            retention: self,
            action,
            segments,
            limit,
            times,
            stopped,
            oldest,
            ignored: survey.ignored,
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Action {
    Archive(PathBuf),
    Drop,
}

/// Why no later segment is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Limit {
    /// The caller does not want it.
    Before,
    /// There is only the last segment.
    LastSegment,
    NoCheckpoint,
    OneCheckpoint,
    /// The frame of the second newest checkpoint is in it, or before it.
    Checkpoint(Seq),
}

/// What archiving or dropping would do. [`Retention`] makes it, and `Display` prints it: the frames, and what can no longer be
/// answered afterwards.
#[derive(Clone, Debug)]
#[must_use = "nothing is changed until the plan is executed"]
pub struct RetentionPlan {
    retention: Retention,
    action: Action,
    segments: Vec<SegmentPlace>,
    limit: Limit,
    /// The times of the first transaction and of the first one that is left.
    times: Option<(Timestamp, Timestamp)>,
    /// The named subscriptions that have not acknowledged all of the frames.
    stopped: Vec<(String, Seq)>,
    /// The oldest checkpoint of a frame that is left.
    oldest: Option<(Seq, Timestamp)>,
    /// Why checkpoints cannot be used.
    ignored: Vec<String>,
}

/// What was archived or dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retained {
    /// The number of frames.
    pub frames: u64,
    /// The number of segments.
    pub segments: u64,
    /// Their length in bytes, before compression.
    pub bytes: u64,
    /// Their length in the archive; 0 if they were dropped.
    pub archived_bytes: u64,
}

impl RetentionPlan {
    /// Returns whether no segment qualifies, so that there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// Returns the first frame that is taken, or `None` if none is.
    #[must_use]
    pub fn first(&self) -> Option<Seq> {
        self.segments.first().map(|segment| segment.first)
    }

    /// Returns the frame after the last one that is taken, or `None` if none is.
    #[must_use]
    pub fn until(&self) -> Option<Seq> {
        self.segments.last().map(|segment| segment.next)
    }

    /// Returns the number of frames.
    #[must_use]
    pub fn frames(&self) -> u64 {
        let counts = self
            .segments
            .iter()
            .map(|segment| segment.next - segment.first);
        counts.sum()
    }

    /// Returns the files of the segments, in order.
    #[must_use]
    pub fn files(&self) -> impl ExactSizeIterator<Item = &Path> {
        self.segments.iter().map(|segment| &*segment.path)
    }

    /// Returns the length of the segments in bytes, before compression.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// Returns the times of the first transaction that is taken, and of the first one that is left.
    #[must_use]
    pub fn times(&self) -> Option<(Timestamp, Timestamp)> {
        self.times
    }

    /// Returns the first frame after which the graph can be built, and its time, once the frames are dropped.
    #[must_use]
    pub fn oldest_graph(&self) -> Option<(Seq, Timestamp)> {
        self.oldest
    }

    /// Returns the named subscriptions that have not acknowledged all of the frames, each with the last one that it has. Once the
    /// frames are dropped, they cannot continue.
    #[must_use]
    pub fn stopped_subscriptions(&self) -> impl ExactSizeIterator<Item = (&str, Seq)> {
        self.stopped.iter().map(|(name, seq)| (&**name, *seq))
    }

    /// Archives or drops the frames. `progress` gets the number of bytes that were archived and of those to archive, before
    /// compression. Interrupted at any point, the log is complete, and the next call continues.
    ///
    /// # Errors
    /// `is_locked` if another call is archiving or dropping segments of the log or writing to the archive; `is_io`, `is_damage`;
    /// [`is_archived`](StorageError::is_archived) for archiving without the feature `archive`.
    pub fn execute(self, mut progress: impl FnMut(u64, u64)) -> Result<Retained, StorageError> {
        let mut retained = Retained {
            frames: self.frames(),
            segments: self.segments.len() as u64,
            bytes: self.bytes(),
            archived_bytes: 0,
        };
        let Some(until) = self.until() else {
            return Ok(retained);
        };
        let Retention { dir, archives, .. } = &self.retention;
        let mut archiving = Archiving::begin(dir, archives.as_deref())?;
        // The checkpoints may have changed since the plan was made.
        let survey = Survey::of(archiving.log(), &self.action)?;
        if survey.limit < until {
            let what = format!(
                "the checkpoints of the store in {} have changed since the plan was made; plan again",
                dir.display()
            );
            return Err(StorageError::new(StorageFailure::Replaced, what));
        }
        match &self.action {
            Action::Archive(to) => {
                let total = retained.bytes;
                retained.archived_bytes =
                    archive(&mut archiving, to, until, &mut |done| progress(done, total))?;
            }
            Action::Drop => archiving.drop_before(until)?,
        }
        Ok(retained)
    }
}

#[cfg(feature = "archive")]
fn archive(
    archiving: &mut Archiving,
    to: &Path,
    until: Seq,
    progress: &mut dyn FnMut(u64),
) -> Result<u64, StorageError> {
    let lengths = archiving.archive(to, until, progress)?;
    Ok(lengths.iter().sum())
}

#[cfg(not(feature = "archive"))]
fn archive(
    _: &mut Archiving,
    _: &Path,
    _: Seq,
    _: &mut dyn FnMut(u64),
) -> Result<u64, StorageError> {
    let what = "this program was built without the feature `archive` of ironweave, which compresses segments; build it with \
                the feature, or archive them with the command ironweave";
    Err(StorageError::new(StorageFailure::Archived, what))
}

/// The checkpoints of a log, and what they permit.
struct Survey {
    /// The newest two that are valid, the newest first.
    checkpoints: Vec<Seq>,
    ignored: Vec<String>,
    /// Segments that end before this frame may be taken.
    limit: Seq,
}

impl Survey {
    /// Reads the newest checkpoints. To archive needs one, since what is archived can be replayed. To drop needs two.
    fn of(log: &ReadOnlyLog, action: &Action) -> Result<Self, StorageError> {
        let mut survey = Self {
            checkpoints: Vec::new(),
            ignored: Vec::new(),
            limit: Seq::ZERO,
        };
        let Some(files) = log.checkpoints() else {
            return Ok(survey);
        };
        for seq in files.list()?.into_iter().rev() {
            match checkpoint(log, &files, seq) {
                Ok(_) => survey.checkpoints.push(seq),
                Err(why) => {
                    let path = files.path(seq);
                    (survey.ignored).push(format!("{} cannot be used: {why}", path.display()));
                }
            }
            if survey.checkpoints.len() == 2 {
                break;
            }
        }
        survey.limit = match (&survey.checkpoints[..], action) {
            ([_, second, ..], _) => *second,
            ([only], Action::Archive(_)) => *only,
            _ => Seq::ZERO,
        };
        Ok(survey)
    }
}

/// Reads a checkpoint with the schemas of the log, and returns the time of its last transaction. An error says why it is not valid.
fn checkpoint(log: &ReadOnlyLog, files: &CheckpointFiles, seq: Seq) -> Result<Timestamp, String> {
    let (known, like) = (Epochs::default(), Arc::new(Plan::new(Dynamic::binding())));
    let loaded = Loader::of_log(log, &known, &like).load::<Paged>(files, seq)?;
    Ok(loaded.time)
}

/// Returns the oldest valid checkpoint of a frame that is kept, and the time of its last transaction.
fn oldest_checkpoint(
    log: &ReadOnlyLog,
    kept: Seq,
) -> Result<Option<(Seq, Timestamp)>, StorageError> {
    let Some(files) = log.checkpoints() else {
        return Ok(None);
    };
    let mut later = files.list()?.into_iter().filter(|seq| *seq >= kept);
    Ok(later.find_map(|seq| Some((seq, checkpoint(log, &files, seq).ok()?))))
}

/// Returns an error for a position that is not of the log. The frame with its sequence number is another one, so that more may be
/// dropped than the caller wants.
fn check_position(log: &ReadOnlyLog, before: AsOf) -> Result<(), StorageError> {
    let AsOf::Position(asked) = before else {
        return Ok(());
    };
    if log.position_of(asked.seq())? == Some(asked) {
        return Ok(());
    }
    let what = format!(
        "the log does not have the frame {asked}: the position is of another store, or of another history of this one; nothing was \
         changed; give a position of this log, or a sequence number"
    );
    Err(StorageError::at(
        StorageFailure::Replaced,
        asked.seq(),
        what,
    ))
}

/// Returns whether all frames of a segment are before a point.
fn ends_before(
    log: &ReadOnlyLog,
    segment: &SegmentPlace,
    before: AsOf,
) -> Result<bool, StorageError> {
    let time = match before {
        AsOf::Seq(seq) => return Ok(segment.next <= seq),
        AsOf::Position(position) => return Ok(segment.next <= position.seq()),
        AsOf::Time(time) => time,
    };
    if first_time(log, segment.next)?.is_some_and(|first| first < time) {
        return Ok(true);
    }
    // The last transaction of the segment may be earlier than the first one after it.
    let mut last = None;
    for frame in log.frames(segment.first)? {
        let frame = frame?;
        if frame.header.seq >= segment.next {
            break;
        }
        last = time_of(&frame)?.or(last);
    }
    Ok(last.is_none_or(|last| last < time))
}

/// Returns the time of the first transaction from a frame on.
fn first_time(log: &ReadOnlyLog, from: Seq) -> Result<Option<Timestamp>, StorageError> {
    for frame in log.frames(from)? {
        if let Some(time) = time_of(&frame?)? {
            return Ok(Some(time));
        }
    }
    Ok(None)
}

/// Returns the time of a frame, if it is a transaction.
fn time_of(read: &crate::log::Frame) -> Result<Option<Timestamp>, StorageError> {
    let header = &read.header;
    if header.kind != FrameKind::Transaction {
        return Ok(None);
    }
    let time = frame::time(header.version, &read.payload);
    time.map(Some).map_err(|e| {
        let error = bad_frame(header.seq, e);
        match &read.location {
            Some(location) => error.in_file(location),
            None => error,
        }
    })
}

/// Returns the named subscriptions that have not acknowledged the frame before one, each with the last frame that it has.
fn stopped_before(log: &ReadOnlyLog, kept: Seq) -> Result<Vec<(String, Seq)>, StorageError> {
    let cursors = log.cursors();
    let mut stopped = Vec::new();
    for name in cursors.names()? {
        // One that cannot be read, or is of another store, names no frame of this log.
        let seq = cursors.read(&name).ok().flatten().map(|frame| frame.seq());
        stopped.extend(
            seq.filter(|seq| seq.saturating_add(1) < kept)
                .map(|seq| (name, seq)),
        );
    }
    Ok(stopped)
}

fn segments_text(count: usize) -> String {
    match count {
        1 => "1 segment".into(),
        n => format!("{n} segments"),
    }
}

impl fmt::Display for RetentionPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = match self.action {
            Action::Archive(_) => "archive",
            Action::Drop => "drop",
        };
        let (Some(first), Some(until)) = (self.first(), self.until()) else {
            write!(f, "there is nothing to {verb}: {}", self.reason())?;
            return self
                .ignored
                .iter()
                .try_for_each(|why| write!(f, "\n  {why}"));
        };
        let last = until.get().saturating_sub(1);
        write!(
            f,
            "{verb} the frames {first} to {last}: {}, {} bytes",
            segments_text(self.segments.len()),
            self.bytes()
        )?;
        if let Some((from, to)) = self.times {
            write!(f, ", from {from} until before {to}")?;
        }
        let archived = self
            .segments
            .iter()
            .filter(|segment| segment.archived)
            .count();
        if archived > 0 {
            write!(
                f,
                "\n  in archives, and deleted there too: {}",
                segments_text(archived)
            )?;
        }
        if let Action::Archive(to) = &self.action {
            write!(
                f,
                "\n  they are compressed and moved to {}, where they are still read",
                to.display()
            )?;
        } else {
            self.losses(f, until)?;
        }
        write!(f, "\n  later segments stay: {}", self.reason())?;
        self.ignored
            .iter()
            .try_for_each(|why| write!(f, "\n  {why}"))
    }
}

impl RetentionPlan {
    /// Why no later segment is taken.
    fn reason(&self) -> String {
        match (&self.limit, &self.action) {
            (Limit::Before, _) => "their frames are not all before the given point".into(),
            (Limit::LastSegment, _) => "the last segment is being written".into(),
            (Limit::NoCheckpoint, _) => {
                "the log has no valid checkpoint, from which the store could be opened without them; write one".into()
            }
            (Limit::OneCheckpoint, _) => {
                "the log has one valid checkpoint, and dropping needs two; write another one".into()
            }
            (Limit::Checkpoint(seq), _) => format!(
                "one of the newest two checkpoints follows frame {seq}, and stays usable; write newer ones to take more"
            ),
        }
    }

    /// Writes what can no longer be answered.
    fn losses(&self, f: &mut fmt::Formatter<'_>, until: Seq) -> fmt::Result {
        f.write_str(
            "\nafterwards, these can no longer be answered, and only a backup has the answers:",
        )?;
        write!(
            f,
            "\n  the frames before {until}: `frames`, `since` and subscriptions that begin before it are refused"
        )?;
        match self.oldest {
            Some((seq, time)) => write!(
                f,
                "\n  the graph before frame {seq} ({time}), the frame of the oldest checkpoint: `as_of` is refused"
            )?,
            None => write!(f, "\n  the graph at any earlier point: `as_of` is refused")?,
        }
        write!(
            f,
            "\n  the history of an entity before frame {until}: `history` begins there"
        )?;
        if let Some((seq, _)) = self.oldest {
            write!(
                f,
                "\n  whether the dropped frames were valid: `verify` begins after frame {seq}"
            )?;
        }
        write!(
            f,
            "\n  the store opens only from a checkpoint that is left; without one, restore a backup"
        )?;
        for (name, seq) in &self.stopped {
            write!(
                f,
                "\n  the subscription {name} has acknowledged frame {seq}, and cannot continue"
            )?;
        }
        Ok(())
    }
}

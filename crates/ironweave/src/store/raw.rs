//! Reading a log by its own schemas, without the model of a program and without the graph.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use crate::base::position::{Position, Seq};
use crate::base::storage_error::{FORMAT_VERSION, StorageError};
use crate::log::disk::Disk;
use crate::log::{
    Copied, CopyError, Frame, FrameHeader, FrameKind, Frames, GroupPart, NewLog, ReadLog as _,
    ReadOnlyLog, backup_of, restore_of,
};
use crate::schema::Schema;
use crate::step::dynamic::Dynamic;
use crate::step::plan::Plan;
use crate::store::backend::place;
use crate::store::record::{DecodedTransaction, Record};
use crate::store::{Epochs, Store, bad_frame};

/// A log that is read by its own schemas: the frames that it had when it was opened or last [refreshed](Self::refresh).
///
/// Another process may have the log open for writing. Nothing is written and nothing is locked. Opening the log checks the checksums and
/// the order of all frames in its directory. It does not apply their facts: a [`Store`](crate::Store) does, and checks more.
pub struct RawLog {
    log: ReadOnlyLog,
}

impl RawLog {
    /// Opens the log in a directory. O(size of the log in the directory).
    ///
    /// # Errors
    /// `is_not_found` if the directory has no log; `is_damage`; `is_io`; a version that this program does not read.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, StorageError> {
        Self::open_with_archives(dir, None::<&Path>)
    }

    /// As [`RawLog::open`]. `archives` is the directory that archived segments are in, if it is not the one that they were
    /// [archived](crate::Retention) to.
    ///
    /// # Errors
    /// As [`RawLog::open`].
    pub fn open_with_archives(
        dir: impl AsRef<Path>,
        archives: Option<impl AsRef<Path>>,
    ) -> Result<Self, StorageError> {
        let archives = archives.as_ref().map(AsRef::as_ref);
        let log = ReadOnlyLog::open_with(dir.as_ref(), archives)?;
        Ok(Self { log })
    }

    /// As [`backup`](crate::raw_log::backup), of this log.
    ///
    /// # Errors
    /// [`CopyError`]. A target that is not a copy of an earlier state of the source is never changed.
    pub fn backup(
        &self,
        target: impl AsRef<Path>,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<Copied, CopyError> {
        backup_of(&Disk::default(), &self.log, target.as_ref(), &mut progress)
    }

    /// As [`restore`](crate::raw_log::restore), of this log.
    ///
    /// # Errors
    /// [`CopyError`]. If the target exists and is not an empty directory, it is not changed.
    pub fn restore(
        &self,
        target: impl AsRef<Path>,
        until: Option<Seq>,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<Copied, CopyError> {
        let (disk, target) = (Disk::default(), target.as_ref());
        restore_of(&disk, (&self.log, target), until, &mut progress)
    }

    /// Returns the first frame that the log has. It is 0 unless frames were [dropped](crate::Retention).
    #[must_use]
    pub fn first(&self) -> Seq {
        self.log.segments().map_or(Seq::ZERO, |log| log.kept())
    }

    /// Returns the first frame that is in the directory of the log. Those before it are in archives, or were dropped.
    #[must_use]
    pub fn first_in_directory(&self) -> Seq {
        self.log.segments().map_or(Seq::ZERO, |log| log.left())
    }

    /// Returns the schema frames before one, from which the frames from there on can be read.
    fn schemas_before(&self, start: Seq) -> Result<Vec<Frame>, StorageError> {
        let Some(segments) = self.log.segments().filter(|_| start > Seq::ZERO) else {
            return Ok(Vec::new());
        };
        let mut frames = segments.archived_schemas()?;
        frames.retain(|frame| frame.header.seq < start);
        Ok(frames)
    }

    /// Adds the frames that were written since. O(new frames).
    ///
    /// # Errors
    /// `is_replaced` if another log has replaced this one; `is_damage`, `is_io`.
    pub fn refresh(&mut self) -> Result<(), StorageError> {
        self.log.refresh().map(|_| ())
    }

    /// Returns the random id of the store.
    #[must_use]
    pub fn store(&self) -> u64 {
        self.log.store()
    }

    /// Returns the last frame, or `None` if there is none.
    #[must_use]
    pub fn last(&self) -> Option<Seq> {
        self.log.head().map(|head| head.seq)
    }

    /// Returns the last frame that the log proves to be durable. Frames after it may be durable too.
    #[must_use]
    pub fn durable(&self) -> Option<Seq> {
        self.log.durable()
    }

    /// Returns the position of the last frame, or `None` if there is none.
    ///
    /// # Errors
    /// `is_io`, `is_damage`, `is_replaced`.
    pub fn position(&self) -> Result<Option<Position>, StorageError> {
        match self.last() {
            Some(seq) => self.log.position_of(seq),
            None => Ok(None),
        }
    }

    /// Returns the segments of the log: the first frame of each, and its length in bytes without spare space.
    #[must_use]
    pub fn segments(&self) -> Vec<(Seq, u64)> {
        self.log.segment_lengths()
    }

    /// Returns the frames from one on, in order. The log is read during the iteration, from its beginning, because earlier
    /// frames have the schemas of later ones. Transactions before `from` are not decoded. Archives are read only if a frame in them
    /// is asked for.
    ///
    /// # Errors
    /// `is_io`; `is_replaced` if another log has replaced this one; `is_dropped` if the frame was dropped, see
    /// [`RawLog::first`]; `is_archived`.
    pub fn frames(&self, from: impl Into<Seq>) -> Result<RawFrames, StorageError> {
        let from = from.into();
        let start = if from >= self.first_in_directory() {
            self.first_in_directory()
        } else {
            from.min(self.first())
        };
        let mut frames = RawFrames {
            frames: self.log.frames(start)?,
            log: self.log.clone(),
            from,
            next: start,
            epochs: Epochs::default(),
            plan: None,
            failed: false,
        };
        for schema in self.schemas_before(start)? {
            let begun =
                (frames.epochs.check(&schema.header)).and_then(|()| frames.begin_epoch(&schema));
            begun.map_err(|e| place(&self.log, e))?;
        }
        Ok(frames)
    }

    /// Returns the schemas of the log, each with the frame that contains it. O(size of the log in its directory).
    ///
    /// # Errors
    /// `is_damage`, `is_io`, `is_replaced`.
    pub fn schemas(&self) -> Result<Vec<(Seq, Arc<Schema>)>, StorageError> {
        let left = self.first_in_directory();
        let mut schemas = Vec::new();
        let before = self.schemas_before(left)?.into_iter().map(Ok);
        for frame in before.chain(self.log.frames(left)?) {
            let frame = frame?;
            if frame.header.kind == FrameKind::Schema {
                let schema = read_schema(&frame).map_err(|e| place(&self.log, e))?;
                schemas.push((frame.header.seq, Arc::new(schema)));
            }
        }
        Ok(schemas)
    }
}

impl fmt::Debug for RawLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.log.fmt(f)
    }
}

/// A frame of a [`RawLog`].
#[derive(Debug)]
pub struct RawFrame {
    position: Position,
    epoch: u32,
    version: u16,
    fingerprint: u128,
    payload: Vec<u8>,
    content: RawContent,
}

/// The content of a [`RawFrame`].
#[non_exhaustive]
#[derive(Debug)]
pub enum RawContent {
    /// A schema, which begins an epoch.
    Schema(Arc<Schema>),
    /// A transaction, with the names and encodings of the schema before it.
    Transaction(Record<Dynamic>),
    /// A part of the migration with which the epoch of the schema before it began: facts that belong to no event.
    Migration(Record<Dynamic>),
}

impl RawFrame {
    /// Returns the sequence number of the frame.
    #[must_use]
    pub fn seq(&self) -> Seq {
        self.position.seq
    }

    /// Returns the position of the frame.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    /// Returns the number of schema frames up to this one, less 1.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Returns the format version of the frame.
    #[must_use]
    pub fn version(&self) -> u16 {
        self.version
    }

    /// Returns the fingerprint of the graph after the frame, as it is in the log.
    #[must_use]
    pub fn fingerprint(&self) -> u128 {
        self.fingerprint
    }

    /// Returns the length of the frame in bytes, with its header.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        Frame::bytes_with(&self.payload)
    }

    /// Returns the payload of the frame, as it is in the log.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Returns the content of the frame.
    #[must_use]
    pub fn content(&self) -> &RawContent {
        &self.content
    }

    /// Returns the transaction or the part of a migration, or `None` for a schema.
    #[must_use]
    pub fn record(&self) -> Option<&Record<Dynamic>> {
        match &self.content {
            RawContent::Transaction(record) | RawContent::Migration(record) => Some(record),
            RawContent::Schema(_) => None,
        }
    }
}

/// An iterator over the frames of a [`RawLog`], returned by [`RawLog::frames`]. It ends after the first error.
pub struct RawFrames {
    log: ReadOnlyLog,
    frames: Frames<'static>,
    from: Seq,
    /// The next frame to read.
    next: Seq,
    epochs: Epochs,
    /// The last schema.
    plan: Option<(Arc<Plan>, Arc<Schema>)>,
    failed: bool,
}

impl RawFrames {
    /// Continues with the frames that were written since the log was opened or last refreshed. O(new frames).
    ///
    /// # Errors
    /// `is_replaced` if another log has replaced this one; `is_damage`, `is_io`.
    pub fn refresh(&mut self) -> Result<(), StorageError> {
        self.log.refresh()?;
        self.frames = self.log.frames(self.next)?;
        Ok(())
    }

    /// Returns the last schema before the next frame, or `None` if there was none.
    #[must_use]
    pub fn schema(&self) -> Option<&Arc<Schema>> {
        self.plan.as_ref().map(|(_, schema)| schema)
    }

    /// Returns the frame, or `None` for a transaction that is not wanted.
    fn read(&mut self, frame: Frame) -> Result<Option<RawFrame>, StorageError> {
        let Frame {
            header, position, ..
        } = &frame;
        self.epochs.check(header)?;
        self.next = header.seq + 1;
        let wanted = header.seq >= self.from;
        if header.kind == FrameKind::Migration {
            self.epochs.migrated(header.seq);
        }
        let content = match header.kind {
            FrameKind::Schema => RawContent::Schema(self.begin_epoch(&frame)?),
            FrameKind::Transaction | FrameKind::Migration if !wanted => return Ok(None),
            FrameKind::Transaction | FrameKind::Migration => {
                let Some((plan, _)) = &self.plan else {
                    return Err(bad_frame(header.seq, "no schema precedes it"));
                };
                let transaction = DecodedTransaction::read(&frame, &self.epochs, plan)?;
                let record = Record::new(Arc::new(transaction));
                match header.kind {
                    FrameKind::Migration => RawContent::Migration(record),
                    _ => RawContent::Transaction(record),
                }
            }
        };
        let (header, position) = (*header, *position);
        Ok(wanted.then(|| RawFrame {
            position,
            epoch: header.epoch,
            version: header.version,
            fingerprint: header.fingerprint,
            payload: frame.payload,
            content,
        }))
    }

    fn begin_epoch(&mut self, frame: &Frame) -> Result<Arc<Schema>, StorageError> {
        let seq = frame.header.seq;
        let schema = read_schema(frame)?;
        let shared = Arc::new(schema.clone());
        let plan = Arc::new(Plan::of_log(schema));
        (self.epochs).add_logged((seq, frame.header.version), &plan)?;
        self.plan = Some((plan, Arc::clone(&shared)));
        Ok(shared)
    }
}

/// Decodes and validates the schema in a frame.
fn read_schema(frame: &Frame) -> Result<Schema, StorageError> {
    let seq = frame.header.seq;
    let schema = Schema::from_cbor(&frame.payload).map_err(|e| bad_frame(seq, e))?;
    (schema.validate())
        .map_err(|wrong| bad_frame(seq, format_args!("its schema is invalid: {wrong}")))?;
    Ok(schema)
}

impl Iterator for RawFrames {
    type Item = Result<RawFrame, StorageError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.failed {
            let read = match self.frames.next()? {
                Ok(frame) => self.read(frame).map_err(|e| place(&self.log, e)),
                Err(e) => Err(e),
            };
            match read {
                Ok(None) => {}
                Ok(Some(frame)) => return Some(Ok(frame)),
                Err(e) => {
                    self.failed = true;
                    return Some(Err(e));
                }
            }
        }
        None
    }
}

impl fmt::Debug for RawFrames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawFrames")
            .field("from", &self.from)
            .finish_non_exhaustive()
    }
}

/// Writes a log frame by frame to a new directory, which appears when the log is complete. The new log has an id of its own.
#[derive(Debug)]
pub struct RawWriter {
    log: NewLog,
    next: Seq,
    /// A schema, and the parts of its migration so far.
    group: Vec<(FrameHeader, Vec<u8>)>,
}

impl RawWriter {
    /// The format version of the frames that it writes.
    pub const VERSION: u16 = FORMAT_VERSION;

    /// Begins a log in a directory that does not exist or is empty.
    ///
    /// # Errors
    /// [`CopyError::Occupied`], and failures of the disk.
    pub fn create(target: impl AsRef<Path>) -> Result<Self, CopyError> {
        Ok(Self {
            log: NewLog::create(target.as_ref())?,
            next: Seq::ZERO,
            group: Vec::new(),
        })
    }

    /// Returns the sequence number of the next frame.
    #[must_use]
    pub fn next_seq(&self) -> Seq {
        self.next
    }

    /// Appends the schema that begins an epoch, as it was in a frame of the format version that this program writes.
    ///
    /// # Errors
    /// Failures of the disk.
    pub fn append_schema(
        &mut self,
        epoch: u32,
        fingerprint: u128,
        payload: &[u8],
    ) -> Result<(), CopyError> {
        self.end_group()?;
        self.hold(FrameKind::Schema, epoch, fingerprint, payload);
        Ok(())
    }

    /// Appends a part of the migration with which the epoch of the last schema begins, as it was in a frame of the format version
    /// that this program writes.
    ///
    /// # Errors
    /// Failures of the disk.
    pub fn append_migration(
        &mut self,
        epoch: u32,
        fingerprint: u128,
        payload: &[u8],
    ) -> Result<(), CopyError> {
        self.hold(FrameKind::Migration, epoch, fingerprint, payload);
        Ok(())
    }

    /// Appends a transaction, as it was in a frame of the format version that this program writes.
    ///
    /// # Errors
    /// Failures of the disk.
    pub fn append_transaction(
        &mut self,
        epoch: u32,
        fingerprint: u128,
        payload: &[u8],
    ) -> Result<(), CopyError> {
        self.end_group()?;
        let header = FrameHeader::new(self.next, epoch, FrameKind::Transaction, fingerprint);
        self.log.append(header, payload)?;
        self.next += 1;
        Ok(())
    }

    /// Holds a frame until it is known whether its group ends with it.
    fn hold(&mut self, kind: FrameKind, epoch: u32, fingerprint: u128, payload: &[u8]) {
        let header = FrameHeader::new(self.next, epoch, kind, fingerprint);
        self.group.push((header, payload.to_vec()));
        self.next += 1;
    }

    /// Appends the frames that are held.
    fn end_group(&mut self) -> Result<(), CopyError> {
        let mut group = std::mem::take(&mut self.group);
        GroupPart::mark(&mut group);
        self.log.append_group(&group)
    }

    /// Replays the log, which checks all that a store checks when it opens, and gives the directory its name. Returns the fingerprint of
    /// the graph.
    ///
    /// # Errors
    /// [`CopyError::NotALog`], after which the directory does not exist; failures of the disk.
    pub fn finish(mut self) -> Result<u128, CopyError> {
        self.end_group()?;
        let dir = self.log.close()?;
        let fingerprint = match Store::<Dynamic>::open_read_only(dir) {
            Ok(store) => store.fingerprint(),
            Err(e) => return Err(CopyError::NotALog(Box::new(e))),
        };
        self.log.publish()?;
        Ok(fingerprint)
    }
}

//! The log of a store at one moment, with the plan and the schemas that are needed to read the past from it.
//!
//! [`Store::view`] borrows the log of the store. A [`SharedStore`](crate::SharedStore) and a
//! [`StoreReader`](crate::StoreReader) create views that own a reader of the log instead. Reads of the past through
//! such a view never block the writer.

use std::ops::Bound;
use std::sync::Arc;

use crate::base::error::ReadError;
use crate::base::position::{FrameRef, Position, Seq, ahead, check_start};
use crate::base::storage_error::StorageError;
use crate::base::time::Timestamp;
use crate::log::{Frames, LogReader, ReadLog};
use crate::step::model::Model;
use crate::step::plan::Plan;
use crate::store::backend::place;
use crate::store::commit::Followers;
use crate::store::version::Version;
use crate::store::{Epochs, Store};

/// The log of a store at one moment; see the module.
#[derive(Clone)]
pub(crate) struct LogView<'a> {
    log: LogRef<'a>,
    pub plan: Arc<Plan>,
    pub epochs: Arc<Epochs>,
    /// The snapshot that the store begins at; `None` if it begins at frame 0.
    pub base: Option<Arc<Version>>,
    /// The last frame that the store has applied.
    pub last: Option<Seq>,
    /// The time of the last transaction.
    pub time: Timestamp,
    pub paranoid: bool,
    pub lineage: u64,
    /// The state of the layers above, which all views of a store share.
    pub shared: Arc<Followers>,
}

#[derive(Clone)]
enum LogRef<'a> {
    OfStore(&'a dyn ReadLog),
    Reader(Arc<LogReader>),
}

impl<M: Model> Store<M> {
    /// Returns a view of the log as it is now.
    ///
    /// # Errors
    /// `Unlogged` if the store keeps no log.
    pub(crate) fn view(&self) -> Result<LogView<'_>, ReadError> {
        let log = self.log.log().ok_or(ReadError::Unlogged)?;
        Ok(self.view_of(LogRef::OfStore(log)))
    }

    /// Returns a view of the log as it is now that does not borrow the store, with its reader. `reader` is that of an
    /// earlier view. Bringing it up to date takes time linear in the frames that were written since.
    pub(crate) fn owned_view(
        &self,
        reader: Option<LogReader>,
    ) -> Result<(LogView<'static>, Arc<LogReader>), ReadError> {
        let reader = self.log.reader(reader).ok_or(ReadError::Unlogged)?;
        let reader = Arc::new(reader);
        let view = self.view_of(LogRef::Reader(Arc::clone(&reader)));
        Ok((view, reader))
    }

    fn view_of<'a>(&self, log: LogRef<'a>) -> LogView<'a> {
        LogView {
            log,
            plan: Arc::clone(&self.plan),
            epochs: Arc::clone(&self.epochs),
            base: self.base.clone(),
            last: self.seq(),
            time: self.core.open.clock.last(),
            paranoid: self.core.paranoid,
            lineage: self.lineage(),
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<'a> LogView<'a> {
    pub(crate) fn log(&self) -> &dyn ReadLog {
        match &self.log {
            LogRef::OfStore(log) => *log,
            LogRef::Reader(reader) => reader.log(),
        }
    }

    /// Returns a view of the log of the same store at a later moment.
    pub(crate) fn later(
        &self,
        reader: Arc<LogReader>,
        (last, time): (Option<Seq>, Timestamp),
        epochs: Arc<Epochs>,
    ) -> Self {
        Self {
            log: LogRef::Reader(reader),
            plan: Arc::clone(epochs.last_plan(&self.plan)),
            last,
            time,
            epochs,
            ..self.clone()
        }
    }

    /// Returns the sequence of the first frame that the store has not applied.
    pub(crate) fn next(&self) -> Seq {
        self.last.map_or(Seq::ZERO, |last| last + 1)
    }

    /// Returns the frames from one on, up to the last that the store has applied.
    pub(crate) fn frames(&self, from: Seq) -> Result<Frames<'a>, StorageError> {
        let mut frames = match &self.log {
            LogRef::OfStore(log) => log.read(from),
            LogRef::Reader(reader) => reader.frames(from),
        }?;
        // The log may have more frames: one whose sync failed, or one that a refresh has rejected.
        let next = self.next();
        let mut ended = from >= next;
        Ok(Frames::new(std::iter::from_fn(move || {
            let frame = (!ended).then(|| frames.next())??;
            ended = (frame.as_ref()).is_ok_and(|frame| frame.header.seq + 1 >= next);
            Some(frame)
        })))
    }

    /// Returns an error that names only a frame with the file and the offset of that frame added.
    #[cold]
    pub(crate) fn place(&self, error: StorageError) -> StorageError {
        place(self.log(), error)
    }

    /// Returns the position of a frame; see [`Store::locate`].
    pub(crate) fn locate(&self, frame: FrameRef) -> Result<Position, ReadError> {
        frame.check_end(self.log().store(), self.last)?;
        let found = self.log().position_of(frame.seq())?;
        let found = found.ok_or_else(|| self.unknown(frame.seq()))?;
        match frame.position() {
            Some(position) => position.check(found).map(|()| found),
            None => Ok(found),
        }
    }

    /// Returns the sequence of a frame that a caller names, or an error if this log does not have that frame.
    pub(crate) fn admit(&self, frame: FrameRef) -> Result<Seq, ReadError> {
        if let FrameRef::Position(_) = frame {
            return self.locate(frame).map(|found| found.seq());
        }
        let seq = frame.seq();
        frame.check_end(self.log().store(), self.last)?;
        self.check_beginning(Some(seq)).map(|()| seq)
    }

    /// Returns an error for a start that is neither a frame of this log nor the next one to be written. Sequence 0 is
    /// accepted for every log and is its beginning.
    pub(crate) fn admit_start(&self, from: Seq) -> Result<(), ReadError> {
        check_start(from, self.last)?;
        if let Some(segments) = self.log().segments() {
            segments.check_kept(from)?;
        }
        match from {
            Seq::ZERO => Ok(()),
            from => self.check_beginning(from.checked_sub(1)),
        }
    }

    /// Returns an error for a range that is not within the frames of this log, under the rules for ranges of a slice.
    pub(crate) fn admit_range(
        &self,
        (from, until): (Bound<Seq>, Bound<Seq>),
    ) -> Result<(), ReadError> {
        let past = |seq: Seq| ahead(seq, self.last);
        // No frame follows the greatest sequence, so that a bound after it is past the end of every log.
        let from = match from {
            Bound::Included(from) => from,
            Bound::Excluded(from) => from.checked_add(1).ok_or_else(|| past(from))?,
            Bound::Unbounded => Seq::ZERO,
        };
        self.admit_start(from)?;
        let until = match until {
            Bound::Included(until) => until.checked_add(1).ok_or_else(|| past(until))?,
            Bound::Excluded(until) => until,
            Bound::Unbounded => return Ok(()),
        };
        check_start(until, self.last)?;
        if from <= until {
            return Ok(());
        }
        Err(ReadError::InvalidRange { from, until })
    }

    /// Returns an error for a frame before the snapshot that the store began at, if it began at one.
    fn check_beginning(&self, after: Option<Seq>) -> Result<(), ReadError> {
        match &self.base {
            Some(base) if after < base.at.seq => Err(self.unknown(after.unwrap_or_default())),
            _ => Ok(()),
        }
    }

    /// Returns the error for a frame before the beginning of the log.
    pub(crate) fn unknown(&self, seq: Seq) -> ReadError {
        let base = self.base.as_ref().and_then(|base| base.at.seq);
        let beginning = base.unwrap_or_default();
        ReadError::BeforeBeginning { seq, beginning }
    }
}

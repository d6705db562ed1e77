//! Where a store stands in its history, and whether a frame that a caller names is one of it.

use std::ops::Bound;
use std::sync::Arc;

use crate::base::error::ReadError;
use crate::base::meta::Meta;
use crate::base::position::Seq;
use crate::base::position::{FrameRef, Position, ahead, check_start};
use crate::base::storage_error::StorageError;
use crate::step::event::{Event, Receipt};
use crate::step::model::Model;
use crate::store::{AnyReceipt, Backend, Store};

impl<M: Model> Store<M> {
    /// The position of the last frame of the log: what to keep beside whatever was made from the store as it is now.
    /// `None` where no log is kept. O(1).
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        // The last frame is at hand, so that nothing is read that could fail.
        self.position_of(self.seq()?).ok().flatten()
    }

    /// The position of a frame of this log: looks up a sequence, and compares a [`Position`] with the frame there. At
    /// once for the last frames; further back, the frame is read.
    ///
    /// # Errors
    /// `is_ahead` past the end of the log, `is_other_history` where the position is of another store, or another frame
    /// is there: then this log, or the other one, went on from an earlier point. `is_before_beginning` before the snapshot
    /// that the store began at, `is_unlogged` where no log is kept; where the log cannot be read.
    pub fn locate(&self, frame: impl Into<FrameRef>) -> Result<Position, ReadError> {
        let frame = frame.into();
        frame.check_end(self.id()?, self.seq())?;
        let found = self.position_of(frame.seq())?;
        let found = found.ok_or_else(|| self.unknown(frame.seq()))?;
        match frame.position() {
            Some(position) => position.check(found).map(|()| found),
            None => Ok(found),
        }
    }

    /// The sequence of a frame that is named, if it is one of this log.
    pub(crate) fn admit(&self, frame: FrameRef) -> Result<Seq, ReadError> {
        if let FrameRef::Position(_) = frame {
            return self.locate(frame).map(|found| found.seq());
        }
        let seq = frame.seq();
        frame.check_end(self.id()?, self.seq())?;
        self.check_beginning(Some(seq)).map(|()| seq)
    }

    /// Refuses metadata that names a frame which the log does not have.
    pub(crate) fn admit_meta(&self, meta: &mut Meta) -> Result<(), ReadError> {
        for (frame, since) in meta.take_frames() {
            match frame {
                // What it follows from may have been before the snapshot that the store began at.
                FrameRef::Seq(_) if !since => frame.check_end(0, self.seq())?,
                _ => self.admit(frame).map(|_| ())?,
            }
        }
        Ok(())
    }

    /// What this store shares with those that begin at its snapshots, and with no other.
    pub(crate) fn lineage(&self) -> u64 {
        match (&self.base, self.id()) {
            (Some(base), _) => base.lineage,
            (None, Ok(id)) => id,
            // Its snapshots hold this too, so that the place is no other store's.
            (None, Err(_)) => Arc::as_ptr(&self.plan) as usize as u64,
        }
    }

    /// Refuses to read from a frame that is neither in this log nor the next one; 0 is the beginning of any log.
    pub(crate) fn admit_start(&self, from: Seq) -> Result<(), ReadError> {
        self.id()?;
        check_start(from, self.seq())?;
        match from {
            0 => Ok(()),
            from => self.check_beginning(from.checked_sub(1)),
        }
    }

    /// Refuses a range that is not one of frames of this log, as a slice refuses one.
    pub(crate) fn admit_range(
        &self,
        (from, until): (Bound<Seq>, Bound<Seq>),
    ) -> Result<(), ReadError> {
        let past = |seq: Seq| ahead(seq, self.seq());
        // There is no frame after the greatest sequence, so that a bound there is past any end.
        let from = match from {
            Bound::Included(from) => from,
            Bound::Excluded(from) => from.checked_add(1).ok_or_else(|| past(from))?,
            Bound::Unbounded => 0,
        };
        self.admit_start(from)?;
        let until = match until {
            Bound::Included(until) => until.checked_add(1).ok_or_else(|| past(until))?,
            Bound::Excluded(until) => until,
            Bound::Unbounded => return Ok(()),
        };
        check_start(until, self.seq())?;
        if from <= until {
            return Ok(());
        }
        Err(ReadError::InvalidRange { from, until })
    }

    /// Refuses what was before the snapshot that the store began at, if it did.
    fn check_beginning(&self, after: Option<Seq>) -> Result<(), ReadError> {
        match &self.base {
            Some(base) if after < base.at.seq => Err(self.unknown(after.unwrap_or(0))),
            _ => Ok(()),
        }
    }

    /// A frame that its log does not reach back to.
    pub(crate) fn unknown(&self, seq: Seq) -> ReadError {
        let base = self.base.as_ref().and_then(|base| base.at.seq);
        let beginning = base.unwrap_or(0);
        ReadError::BeforeBeginning { seq, beginning }
    }

    /// Whether the log has a frame at a position, where that is read further than this store, opened to be read only, has
    /// seen.
    pub(crate) fn refreshed_has(&self, at: Position) -> Result<bool, StorageError> {
        let Backend::ReadOnly(log) = &self.log else {
            return Ok(false);
        };
        let mut log = log.clone();
        log.refresh()?;
        Ok(log.position_of(at.seq())? == Some(at))
    }

    /// Whether a position is of this store, whatever its frame.
    pub(crate) fn is_of(&self, position: Position) -> bool {
        self.id().is_ok_and(|id| id == position.store())
    }

    /// The identity of the store; refused where no log is kept.
    pub(crate) fn id(&self) -> Result<u64, ReadError> {
        match &self.log {
            Backend::Writable(log) => Ok(log.store()),
            Backend::ReadOnly(log) => Ok(log.store()),
            Backend::Unlogged => Err(ReadError::Unlogged),
        }
    }

    /// The position of a frame, if the log has it.
    pub(crate) fn position_of(&self, seq: Seq) -> Result<Option<Position>, StorageError> {
        match &self.log {
            Backend::Writable(log) => log.position_of(seq),
            Backend::ReadOnly(log) => log.position_of(seq),
            Backend::Unlogged => Ok(None),
        }
    }
}

impl<E: Event> Receipt<E> {
    /// The position of its transaction, in the store that gave the receipt. A receipt is made before its transaction is
    /// written, so that it cannot hold it.
    ///
    /// The receipt of a transaction that was taken back has the sequence of the one that is committed next, and is not to be
    /// asked.
    ///
    /// # Errors
    /// `is_ahead` where the transaction is not committed; as [`Store::locate`].
    pub fn position(&self, store: &Store<E::Model>) -> Result<Position, ReadError> {
        store.locate(self.seq)
    }
}

impl AnyReceipt {
    /// As [`Receipt::position`].
    ///
    /// # Errors
    /// As [`Receipt::position`].
    pub fn position<M: Model>(&self, store: &Store<M>) -> Result<Position, ReadError> {
        store.locate(self.seq)
    }
}

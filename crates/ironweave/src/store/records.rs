//! The log as records: iterating over its transactions.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Bound;
use std::sync::Arc;

use crate::base::error::ReadError;
use crate::base::position::FrameRef;
use crate::base::seq::{Seq, SeqRange};
use crate::base::storage_error::StorageError;
use crate::log::{Frame, Frames};
use crate::step::model::Model;
use crate::store::record::{DecodedTransaction, Record};
use crate::store::view::LogView;
use crate::store::{SharedStore, Store};

/// An iterator over the [records](Record) of the transactions of a log, in order. It reads the log during the iteration, with
/// one frame in memory at a time.
pub struct Records<'s, M: Model> {
    view: LogView<'s>,
    frames: Frames<'s>,
    until: Bound<Seq>,
    model: PhantomData<fn() -> M>,
}

impl<M: Model> Store<M> {
    /// Returns the transactions of the log from a sequence number on.
    ///
    /// # Errors
    /// A failure to read the log; `is_ahead` if `from` is past the next frame; `is_before_beginning` if it is before the
    /// snapshot that the store began at.
    pub fn frames(&self, from: impl Into<Seq>) -> Result<Records<'_, M>, ReadError> {
        frames(self.view()?, from.into())
    }

    /// Returns the transactions of the log whose sequence numbers are in a range.
    ///
    /// # Errors
    /// A failure to read the log; `is_ahead` if the range begins or ends past the end of the log; `InvalidRange` if it ends
    /// before it begins; `is_before_beginning` if it begins before the snapshot that the store began at.
    pub fn tx_range(&self, range: impl SeqRange) -> Result<Records<'_, M>, ReadError> {
        tx_range(self.view()?, range)
    }

    /// Returns the transactions after a frame.
    ///
    /// # Errors
    /// A failure to read the log; `is_ahead`, `is_other_history` and `is_before_beginning` as for [`Store::locate`].
    pub fn since(&self, frame: impl Into<FrameRef>) -> Result<Records<'_, M>, ReadError> {
        since(self.view()?, frame.into())
    }
}

impl<M: Model> SharedStore<M> {
    /// As [`Store::frames`], without blocking writers.
    ///
    /// # Errors
    /// As [`Store::frames`] and [`SharedStore::read`].
    pub fn frames(&self, from: impl Into<Seq>) -> Result<Records<'static, M>, ReadError> {
        frames(self.view()?, from.into())
    }

    /// As [`Store::tx_range`], without blocking writers. Transactions that are committed after the call are not returned.
    ///
    /// # Errors
    /// As [`Store::tx_range`] and [`SharedStore::read`].
    pub fn tx_range(&self, range: impl SeqRange) -> Result<Records<'static, M>, ReadError> {
        tx_range(self.view()?, range)
    }

    /// As [`Store::since`], without blocking writers. Transactions that are committed after the call are not returned.
    ///
    /// # Errors
    /// As [`Store::since`] and [`SharedStore::read`].
    pub fn since(&self, frame: impl Into<FrameRef>) -> Result<Records<'static, M>, ReadError> {
        since(self.view()?, frame.into())
    }
}

pub(crate) fn frames<M: Model>(view: LogView<'_>, from: Seq) -> Result<Records<'_, M>, ReadError> {
    view.admit_start(from)?;
    Records::new(view, (Bound::Included(from), Bound::Unbounded))
}

pub(crate) fn tx_range<'s, M: Model>(
    view: LogView<'s>,
    range: impl SeqRange,
) -> Result<Records<'s, M>, ReadError> {
    let range = range.bounds();
    view.admit_range(range)?;
    Records::new(view, range)
}

pub(crate) fn since<M: Model>(
    view: LogView<'_>,
    frame: FrameRef,
) -> Result<Records<'_, M>, ReadError> {
    let seq = view.admit(frame)?;
    Records::new(view, (Bound::Excluded(seq), Bound::Unbounded))
}

impl<'s, M: Model> Records<'s, M> {
    fn new(view: LogView<'s>, (from, until): (Bound<Seq>, Bound<Seq>)) -> Result<Self, ReadError> {
        let from = match from {
            Bound::Included(from) => from,
            Bound::Excluded(from) => from.saturating_add(1),
            Bound::Unbounded => Seq::ZERO,
        };
        Ok(Self {
            frames: view.frames(from)?,
            view,
            until,
            model: PhantomData,
        })
    }

    fn read(&self, frame: &Frame) -> Result<Record<M>, StorageError> {
        let LogView { epochs, plan, .. } = &self.view;
        let transaction = DecodedTransaction::read(frame, epochs, plan)?;
        Ok(Record::new(Arc::new(transaction)))
    }
}

impl<M: Model> Iterator for Records<'_, M> {
    type Item = Result<Record<M>, StorageError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let frame = match self.frames.next()? {
                Ok(frame) => frame,
                Err(e) => return Some(Err(e)),
            };
            let seq = frame.header.seq;
            let beyond = match self.until {
                Bound::Included(until) => seq > until,
                Bound::Excluded(until) => seq >= until,
                Bound::Unbounded => false,
            };
            if beyond {
                return None;
            }
            if frame.header.kind.has_facts() {
                let record = self.read(&frame);
                return Some(record.map_err(|e| self.view.place(e)));
            }
        }
    }
}

impl<M: Model> fmt::Debug for Records<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Records")
            .field("model", &M::NAME)
            .field("until", &self.until)
            .finish_non_exhaustive()
    }
}

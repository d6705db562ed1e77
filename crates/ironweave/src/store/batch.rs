//! Batches: independent events whose transactions are written together.
//!
//! 1. Each event fires in a transaction of its own. Its frame is encoded, and its journal is kept ([`Unwritten`]). The next
//!    event sees its changes.
//! 2. At the end of the batch, and whenever the frames reach a limit, the log gets all frames with one write, and is synced
//!    once if its durability requires that. Then the followers of the store get the transactions.
//! 3. If the log does not accept a frame, its transaction and all later ones are undone, from the last to the first. So the
//!    graph is what the log has, and a result that depended on a lost transaction becomes an error ([`Lost`]).
//!
//! While transactions are unwritten, the store is borrowed by its [`Batch`], which writes them when it is dropped. So nothing
//! reads a log that lacks transactions of the graph.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use crate::base::error::StepError;
use crate::base::position::Seq;
use crate::base::storage_error::{AppendError, StorageError};
use crate::base::time::Timestamp;
use crate::graph::Journal;
use crate::log::{BatchError, FrameBatch};
use crate::step::event::{Event, Receipt};
use crate::step::model::Model;
use crate::store::append::{Notice, notify};
use crate::store::version::At;
use crate::store::{AnyReceipt, Store, Transaction};

/// The number of transactions that are written together at most. It bounds the memory of their journals.
const TRANSACTIONS_MAX: usize = 4_096;
/// The number of bytes in their payloads, after which they are written.
const BYTES_MAX: usize = 1 << 20;

impl<M: Model> Store<M> {
    /// Fires independent events in the given order, each in a transaction of its own, and writes them together. Returns the
    /// result of each event, in order. The log is the one that as many calls of [`Store::try_step`] would have written, except
    /// for the times of the transactions.
    ///
    /// Each event sees the changes of those before it. A rejected event leaves no trace, and the next one fires. The clock is
    /// read once. The frames are written with one write, and synced once if the store's [`Durability`](crate::Durability) is
    /// `Always`, so that a batch of 256 events takes a fraction of the time of 256 steps. A batch with more than 4,096 accepted
    /// events or with more than 1 MiB in the log is written in parts, each with a write, a sync and a clock reading of its own.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
    /// use ironweave::prelude::*;
    /// use lamps::{Bought, Lamp};
    ///
    /// let mut store = Store::<lamps::Model>::memory();
    /// let rooms = ["hall", "attic", "hall"];
    /// let bought = store.step_all(rooms.map(|room| Bought { room: room.into() }));
    /// assert!(bought[0].is_ok() && bought[1].is_ok());
    /// assert!(bought[2].as_ref().is_err_and(|e| e.is_rejection()));
    /// assert_eq!(store.count::<Lamp, Any>(), 2);
    /// ```
    ///
    /// If the process ends or the power fails during the write, the log has the first transactions of the batch, each complete,
    /// and not the others.
    ///
    /// If user code panics, in an event or in the iterator, the event is rolled back, the events before it are written, and the
    /// panic continues.
    ///
    /// # Errors
    /// The result of an event is its [rejection](StepError::is_rejection), as of [`Store::try_step`], or a failure of the log.
    /// If the log does not accept a transaction, that one and all later ones of the same write are rolled back, so that the
    /// store has what the log has. A write or sync that failed stops the store, and the results are `Indeterminate`. If there
    /// was no space on the disk, nothing was written of these transactions, and the store continues. In both cases an event
    /// that was rejected after such a transaction gets an error of storage too, since its rejection may have depended on
    /// that transaction.
    pub fn step_all<E: Event<Model = M>>(
        &mut self,
        events: impl IntoIterator<Item = E>,
    ) -> Vec<Result<Receipt<E>, StepError>> {
        self.fire_all(events, |transaction, event| transaction.receipt(event))
    }

    /// As [`Store::step_all`], for events whose types are known only at runtime, or of several types; see
    /// [`AnyEvent`](crate::AnyEvent).
    ///
    /// # Errors
    /// As [`Store::step_all`].
    pub fn step_all_any<'e>(
        &mut self,
        events: impl IntoIterator<Item = &'e M::Event>,
    ) -> Vec<Result<AnyReceipt, StepError>> {
        self.fire_all(events, |transaction, event| transaction.any_receipt(event))
    }

    fn fire_all<T, R>(
        &mut self,
        events: impl IntoIterator<Item = T>,
        fire: impl Fn(&mut Transaction<'_, M>, T) -> Result<R, StepError>,
    ) -> Vec<Result<R, StepError>> {
        let events = events.into_iter();
        let mut results = Vec::with_capacity(events.size_hint().0.min(TRANSACTIONS_MAX));
        let mut batch = Batch::begin(self);
        let mut written = 0;
        for event in events {
            results.push(batch.fire(|transaction| fire(transaction, event)));
            if batch.is_full() {
                batch.write_results(&mut results[written..]);
                written = results.len();
            }
        }
        batch.write_results(&mut results[written..]);
        results
    }
}

/// Transactions that the graph has and the log does not have yet, and buffers that are reused.
#[derive(Default)]
pub(super) struct Unwritten {
    frames: FrameBatch,
    /// The journal of each transaction.
    journals: Vec<Journal>,
    /// Empty journals.
    spare: Vec<Journal>,
    /// The time of the last transaction before these, and the fingerprint of the graph after it.
    before: (Timestamp, u128),
}

/// The failure of a write: the log does not have some frame and all later ones.
pub(crate) struct Lost {
    from: Seq,
    error: AppendError,
}

/// The result of a write.
#[must_use]
pub(crate) struct Written {
    /// The transactions that were not written.
    pub lost: Option<Lost>,
    /// The panic of user code in a follower of the store, or in an undo.
    pub panic: Option<Box<dyn Any + Send>>,
}

impl Lost {
    /// Replaces the result of an event if it depends on a lost transaction. `next` is the frame after those that the event
    /// could see, its own included.
    pub(super) fn replace<R>(&self, result: &mut Result<R, StepError>, next: Seq) {
        if next > self.from {
            *result = Err(self.error(result.is_ok()));
        }
    }

    /// Returns the error of an event. `fired` is whether it has a frame.
    fn error(&self, fired: bool) -> StepError {
        match &self.error {
            AppendError::Refused(e) => e.duplicate().into(),
            AppendError::Indeterminate(e) if fired => StepError::Indeterminate(e.duplicate()),
            AppendError::Indeterminate(e) => {
                StepError::Storage(StorageError::stopped(&e.to_string()))
            }
            // Another writer is impossible while this store has the lock.
            conflict @ AppendError::Conflict { .. } => {
                StepError::Storage(StorageError::stopped(&conflict.to_string()))
            }
        }
    }
}

/// A store while events fire whose transactions are not written yet.
pub(crate) struct Batch<'s, M: Model> {
    store: &'s mut Store<M>,
    /// The time of the transactions, once the clock was read.
    time: Option<Timestamp>,
}

impl<'s, M: Model> Batch<'s, M> {
    pub(super) fn begin(store: &'s mut Store<M>) -> Self {
        Self { store, time: None }
    }

    /// Fires an event in a transaction of its own. On an error or a panic, that transaction is rolled back.
    pub(super) fn fire<R>(
        &mut self,
        event: impl FnOnce(&mut Transaction<'_, M>) -> Result<R, StepError>,
    ) -> Result<R, StepError> {
        let first = self.time.is_none();
        let mut transaction = self.store.begin();
        let time = *self.time.get_or_insert_with(|| transaction.time());
        transaction.begin_unwritten(time, first);
        let result = event(&mut transaction)?;
        transaction.end_unwritten()?;
        Ok(result)
    }

    /// Returns the frame after those that were fired so far.
    pub(super) fn next(&self) -> Seq {
        self.store.next
    }

    /// Returns the store, whose transactions are all written.
    pub(super) fn written_store(&mut self) -> &mut Store<M> {
        debug_assert!(self.store.unwritten.frames.is_empty());
        self.store
    }

    /// Returns whether the transactions must be written before another event fires.
    pub(super) fn is_full(&self) -> bool {
        let frames = &self.store.unwritten.frames;
        frames.len() >= TRANSACTIONS_MAX || frames.payload_bytes() >= BYTES_MAX
    }

    /// Writes all transactions and passes them to the followers of the store. If the log does not accept them, they are undone.
    pub(super) fn write(&mut self) -> Written {
        self.time = None;
        self.store.write_unwritten()
    }

    /// As [`Batch::write`]; replaces the results of the events since the last write that depend on lost transactions.
    fn write_results<R>(&mut self, results: &mut [Result<R, StepError>]) {
        let mut next = self
            .store
            .unwritten
            .frames
            .first()
            .unwrap_or(self.store.next);
        let Written { lost, panic } = self.write();
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
        let Some(lost) = lost else {
            return;
        };
        for result in results {
            if result.is_ok() {
                next += 1;
            }
            lost.replace(result, next);
        }
    }
}

impl<M: Model> Drop for Batch<'_, M> {
    fn drop(&mut self) {
        // A batch that ended without a panic has nothing left to write. With one, no caller gets the results, and a second panic
        // would abort the process.
        let _ = self.write();
    }
}

impl<M: Model> Store<M> {
    /// Records the state to which a failed write leads back. The open transaction has done nothing.
    pub(super) fn begin_unwritten(&mut self) {
        self.unwritten.before = (self.core.open.clock.last(), self.core.graph.fingerprint);
    }

    /// Encodes the open transaction, adds it to the unwritten ones, and closes it.
    pub(super) fn keep_unwritten(&mut self) -> Result<(), StepError> {
        let header = self.encode()?;
        let unwritten = &mut self.unwritten;
        (unwritten.frames.push(header, self.payload.written())).map_err(StepError::Storage)?;
        let spare = unwritten.spare.pop().unwrap_or_default();
        unwritten.journals.push(self.core.close_undoable(spare));
        self.next += 1;
        if let Some(shadow) = &mut self.shadow {
            shadow.commit();
        }
        Ok(())
    }

    fn write_unwritten(&mut self) -> Written {
        if self.unwritten.frames.is_empty() {
            return Written {
                lost: None,
                panic: None,
            };
        }
        let mut unwritten = std::mem::take(&mut self.unwritten);
        let follows = self.followers.listen();
        if follows {
            unwritten.frames.keep_positions();
        }
        #[cfg(feature = "tracing")]
        let _entered = super::observe::write_span(unwritten.frames.len());
        let (appended, error) = match self.log.append_all(&mut unwritten.frames) {
            Ok(()) => (unwritten.frames.len(), None),
            Err(BatchError { appended, error }) => (appended, Some(error)),
        };
        let mut panic = None;
        let mut run = |act: &mut dyn FnMut()| {
            let done = catch_unwind(AssertUnwindSafe(act));
            panic = panic.take().or(done.err());
        };
        let lost = error.map(|error| {
            let from = unwritten.frames.get(appended).0.seq;
            run(&mut || self.undo_unwritten(&mut unwritten, appended));
            Lost { from, error }
        });
        if follows {
            for index in 0..appended {
                run(&mut || self.notify_unwritten(&mut unwritten, index));
            }
        }
        for journal in &mut unwritten.journals[..appended] {
            self.core.commit_closed(journal);
        }
        #[cfg(feature = "tracing")]
        for index in 0..appended {
            self.count_commit(unwritten.frames.get(index).1.len());
        }
        unwritten.frames.clear(BYTES_MAX);
        // The journals of undone transactions are empty too, unless user code panicked.
        unwritten.journals.truncate(appended);
        unwritten.journals.retain(|journal| !journal.is_large());
        unwritten.spare.append(&mut unwritten.journals);
        self.unwritten = unwritten;
        Written { lost, panic }
    }

    /// Undoes all transactions but the first `appended`, which the log has.
    fn undo_unwritten(&mut self, unwritten: &mut Unwritten, appended: usize) {
        let (header, _) = unwritten.frames.get(appended);
        self.next = header.seq;
        let before = match appended.checked_sub(1) {
            Some(last) => {
                let (last, _) = unwritten.frames.get(last);
                // All transactions that are written together have the same time.
                (self.core.open.clock.last(), last.fingerprint)
            }
            None => unwritten.before,
        };
        let journals = &mut unwritten.journals[appended..];
        self.core.undo_closed(journals, before);
        if self.shadow.is_some() {
            self.shadow = Some(self.new_shadow());
        }
    }

    /// Passes a written transaction to the followers.
    fn notify_unwritten(&mut self, unwritten: &mut Unwritten, index: usize) {
        let journal = &mut unwritten.journals[index];
        journal.prepare_facts();
        let (header, payload) = unwritten.frames.get(index);
        let position = unwritten.frames.position(index);
        let notice = Notice {
            at: At {
                seq: Some(header.seq),
                time: self.core.open.clock.last(),
                position,
            },
            fingerprint: Some(header.fingerprint),
            frame: position.map(|position| (header, payload, position)),
            facts: journal.facts(),
        };
        notify(&mut self.followers, (&self.core, &self.epochs), &notice);
    }
}

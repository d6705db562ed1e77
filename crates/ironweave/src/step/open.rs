//! The open transaction: all that begins with a transaction and ends with it, in one value.
//!
//! 1. [`Core::begin`] opens it. Whatever a transaction has left that was leaked (`mem::forget`) is taken back first.
//! 2. Events add firings, and facts to the journal; metadata, savepoints and an idempotency key are set
//!    before or between them.
//! 3. [`Core::written`] says that the log has taken it. From then on it happened, even if something panics before its
//!    end.
//! 4. [`Core::end`] closes it, the only function that does: what it did stays where it was written, and is taken back
//!    where it was not.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::base::error::StepError;
use crate::base::hash::FastMap;
use crate::base::meta::Meta;
use crate::base::position::Seq;
use crate::base::storage_error::{StorageError, StorageFailure};
use crate::base::time::Timestamp;
use crate::graph::Journal;
use crate::graph::storage::{Flat, Storage};
use crate::schema::EntityIx;
use crate::step::Core;
use crate::step::clock::Clock;
use crate::step::repeat::Keyed;
use crate::step::undo::CoreMark;

/// How far a transaction has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// There is none.
    #[default]
    Closed,
    Open,
    /// The log has taken it.
    Written,
}

/// See the module.
#[derive(Default)]
pub struct OpenTransaction {
    phase: Phase,
    /// Whether it has metadata, a savepoint, is speculative, or the graph is broken: there is more to do than apply, write
    /// and clear.
    unusual: bool,
    /// Whether user code has panicked where what it left cannot be taken back. Nothing is written from then on.
    broken: bool,
    /// Whether it has metadata.
    pub(super) has_metadata: bool,
    /// Whether what happens is for a log, so that events are encoded.
    pub(super) recording: bool,
    /// How many events the log has of the transaction that is fired again, where one is: it fitted some limits then.
    pub(crate) logged_firings: u32,
    /// How many events of the program are in it.
    pub(super) events: u32,
    /// The facts so far, with what the graph needs to take them back.
    pub(crate) journal: Journal,
    /// What fired, where it is written to a log or where an error may tell of it: see `Plan::traced`.
    pub(crate) firings: Vec<Firing>,
    /// The encoded events of the firings.
    pub(crate) event_bytes: Vec<u8>,
    pub(crate) clock: Clock,
    pub(crate) meta: Meta,
    /// The entities that changed since the transaction that `meta` expects to be the last to have done so.
    pub(super) changed: FastMap<(EntityIx, u32), Seq>,
    /// What is kept of a transaction with an idempotency key.
    pub(crate) keyed: Option<Box<Keyed>>,
    /// The savepoints that can be gone back to, in the order in which they were made.
    savepoints: Vec<(u64, CoreMark)>,
}

/// One firing of an event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Firing {
    pub event: u16,
    /// Where its binding ends in `event_bytes`.
    pub binding_end: u32,
    /// Where its facts end.
    pub facts_end: u32,
    /// By place among the firings, the one that enabled it; of an event of the program [`Firing::NOTHING`].
    pub(super) cause: u32,
}

impl Firing {
    /// What enabled an event that the program fired.
    pub(super) const NOTHING: u32 = u32::MAX;

    /// The firing that enabled it.
    pub(super) fn cause(&self) -> Option<u32> {
        (self.cause != Self::NOTHING).then_some(self.cause)
    }
}

impl OpenTransaction {
    /// One that is closed, of a graph whose events are logged.
    pub(super) fn recording() -> Self {
        Self {
            recording: true,
            ..Self::default()
        }
    }

    /// From now on nothing is encoded for a log.
    pub(crate) fn stop_recording(&mut self) {
        self.recording = false;
    }

    /// Whether there is one that has not been written.
    pub(crate) fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// The time of the last transaction that the log has taken, whether that has ended or not.
    pub(crate) fn last_time(&self) -> Timestamp {
        let written = (self.phase == Phase::Written).then(|| self.clock.known());
        written.flatten().unwrap_or(self.clock.last())
    }

    /// Whether there is more to its end than that it stays.
    #[inline]
    pub(crate) fn is_unusual(&self) -> bool {
        self.unusual
    }

    /// Whether it has metadata.
    pub(crate) fn has_metadata(&self) -> bool {
        self.has_metadata
    }

    /// Whether what its events bind must not have changed since a transaction.
    #[inline(always)]
    pub(super) fn expects_unchanged(&self) -> bool {
        self.has_metadata && self.meta.expect.is_some()
    }

    /// Whether it has done nothing.
    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        self.events == 0
    }

    /// An error where the graph is not what its facts say, since user code has panicked in the middle of a change.
    pub(crate) fn check_whole(&self) -> Result<(), StepError> {
        if !self.broken {
            return Ok(());
        }
        Err(StepError::Storage(StorageError::stopped(
            "user code panicked while an index or a rollback was being done (a `Hash`, `Eq`, `Ord` or `Drop` of a value)",
        )))
    }

    /// Whether the graph is not what its facts say.
    pub(super) fn is_broken(&self) -> bool {
        self.broken
    }

    /// Says that the graph is about to be what its facts do not say, or is whole again.
    pub(super) fn set_broken(&mut self, broken: bool) {
        self.unusual |= broken;
        self.broken = broken;
    }

    /// The idempotency key, and what is kept of it.
    #[inline]
    pub(crate) fn keyed(&mut self) -> Option<&mut Keyed> {
        self.keyed.as_deref_mut()
    }

    /// Sets what the transaction says of itself.
    pub(crate) fn set_meta(
        &mut self,
        time: Option<Timestamp>,
        meta: Meta,
        keyed: Option<Box<Keyed>>,
        changed: FastMap<(EntityIx, u32), Seq>,
    ) {
        if let Some(time) = time {
            self.clock.set(time);
        }
        self.unusual = true;
        self.has_metadata = true;
        self.meta = meta;
        self.keyed = keyed;
        self.changed = changed;
    }

    #[cold]
    fn clear_unusual(&mut self) {
        self.unusual = self.broken;
        self.has_metadata = false;
        self.meta = Meta::default();
        self.changed.clear();
        self.keyed = None;
        self.savepoints.clear();
    }
}

/// The numbers of savepoints, which no two of a process share: so one of another transaction, or of another store, is
/// known to be that.
static SAVEPOINTS: AtomicU64 = AtomicU64::new(0);

impl<S: Storage> Core<S> {
    /// Notes a point to go back to; its number.
    pub(crate) fn savepoint(&mut self) -> u64 {
        let number = SAVEPOINTS.fetch_add(1, Ordering::Relaxed);
        let mark = self.mark();
        self.open.unusual = true;
        self.open.savepoints.push((number, mark));
        number
    }

    /// Goes back to a savepoint, which can be gone back to again; those made after it cannot.
    pub(crate) fn rollback_to(&mut self, number: u64) -> Result<(), StepError> {
        self.open.check_whole()?;
        let found = (self.open.savepoints).binary_search_by_key(&number, |(number, _)| *number);
        let Ok(at) = found else {
            return Err(StepError::StaleSavepoint);
        };
        let mark = self.open.savepoints[at].1;
        // Until the rollback is done: user code may panic in it.
        self.open.set_broken(true);
        self.rollback(mark);
        self.open.set_broken(false);
        self.open.savepoints.truncate(at + 1);
        Ok(())
    }

    /// Whether nothing has been done, not even by an event that failed.
    #[inline]
    pub(super) fn is_untouched(&self) -> bool {
        self.open.is_idle()
            && self.open.event_bytes.is_empty()
            && self.open.firings.is_empty()
            && self.open.journal.facts.list.is_empty()
    }
}

impl Core<Flat> {
    /// Opens a transaction.
    #[inline]
    pub(crate) fn begin(&mut self) {
        self.close();
        self.open.phase = Phase::Open;
    }

    /// Ends the transaction that is open, if there is one: that of a handle which is dropped, or which was leaked.
    #[inline]
    pub(crate) fn close(&mut self) {
        if self.open.phase != Phase::Closed {
            self.end();
        }
    }

    /// An error where something was done that belongs to no event which fired: that must never be written.
    pub(crate) fn check_ends(&self) -> Result<(), StepError> {
        let open = &self.open;
        let ends = open.firings.last().map_or((0, 0), |last| {
            (last.binding_end as usize, last.facts_end as usize)
        });
        let found = (open.event_bytes.len(), self.open.journal.facts.list.len());
        if ends == found {
            Ok(())
        } else {
            Err(unwritable(ends, found))
        }
    }

    /// Makes the open transaction one that is never written, so that nothing is encoded for the log.
    pub(crate) fn speculate(&mut self) {
        self.open.unusual = true;
        self.open.recording = false;
        // Under `paranoid` fingerprints are compared.
        self.graph.fingerprinting = self.paranoid;
    }

    /// Says that the log has taken the open transaction.
    #[inline]
    pub(crate) fn written(&mut self) {
        self.open.phase = Phase::Written;
    }

    /// Ends the open transaction, if there is one: what it did stays where it was written, and is taken back where it
    /// was not.
    #[inline]
    pub(crate) fn end(&mut self) {
        let kept = self.open.phase == Phase::Written;
        if kept {
            self.graph.commit(&mut self.open.journal);
        } else if !self.is_untouched() {
            self.take_back(None);
        }
        let open = &mut self.open;
        open.phase = Phase::Closed;
        open.clock.end(kept);
        open.firings.clear();
        open.event_bytes.clear();
        open.events = 0;
        if open.unusual {
            open.recording = self.logged;
            self.graph.fingerprinting = self.logged;
            open.clear_unusual();
        }
    }

    /// Ends a transaction that was fired without a log to write it to, and keeps what it did.
    pub(crate) fn keep(&mut self) {
        self.written();
        self.end();
    }
}

#[cold]
fn unwritable(ends: (usize, usize), found: (usize, usize)) -> StepError {
    StepError::Storage(StorageError::new(
        StorageFailure::Internal,
        format!(
            "the events of the transaction end at {ends:?} and what it did at {found:?} (bytes, facts), which is a defect of \
             ironweave; nothing was written"
        ),
    ))
}

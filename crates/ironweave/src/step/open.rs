//! The open transaction: everything that begins and ends with a transaction, in one value.
//!
//! 1. [`Core::begin`] opens it. What a leaked transaction (`mem::forget`) did is undone first.
//! 2. Events add firings, and facts to the journal; metadata, savepoints and an idempotency key are set
//!    before or between them.
//! 3. [`Core::written`] records that the log has it. From then on it has happened, even if something panics before it is
//!    closed.
//! 4. [`Core::end`], the only function that closes it, keeps what it did if it was written, and otherwise undoes it.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::base::error::StepError;
use crate::base::hash::FastMap;
use crate::base::meta::Meta;
use crate::base::position::Seq;
use crate::base::storage_error::{StorageError, StorageFailure};
use crate::base::time::Timestamp;
use crate::graph::Journal;
use crate::graph::storage::{Flat, Storage};
use crate::schema::{EntityIx, EventIx};
use crate::step::Core;
use crate::step::bindings::Bindings;
use crate::step::clock::TransactionTime;
use crate::step::field_codec::BindingForm;
use crate::step::repeat::Keyed;
use crate::step::undo::{self, CoreMark};

/// What distinguishes a transaction from a usual one, and the phase that it is in. It is one word, so that one comparison
/// shows that nothing is unusual.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Flags(u8);

impl Flags {
    /// A transaction is open. If no handle refers to it, it was leaked.
    const OPEN: Self = Self(1);
    /// The log has the transaction.
    const WRITTEN: Self = Self(2);
    /// It has metadata.
    const METADATA: Self = Self(4);
    /// It is speculative.
    const SPECULATIVE: Self = Self(8);
    /// It has an idempotency key, or expects that entities have not changed.
    const CHECKS_EVENTS: Self = Self(16);
    /// User code panicked where its changes cannot be undone. Nothing is written from then on.
    const BROKEN: Self = Self(32);
    /// The store is paranoid, or the interpreter executes all arcs.
    const NOT_COMPILED: Self = Self(64);
    /// It has a savepoint.
    const SAVEPOINT: Self = Self(128);

    const PHASE: Self = Self::OPEN.and(Self::WRITTEN);
    /// There is more to do at the end of the transaction than to clear it.
    const UNUSUAL: Self = Self::MORE_TO_CLEAR.and(Self::SPECULATIVE).and(Self::BROKEN);
    /// There is more to clear at the end of the transaction than in a usual one.
    const MORE_TO_CLEAR: Self = (Self::METADATA.and(Self::SAVEPOINT)).and(Self::CHECKS_EVENTS);
    /// An event must not be fired by its compiled arcs alone.
    const NOT_DIRECT: Self = Self::CHECKS_EVENTS
        .and(Self::BROKEN)
        .and(Self::NOT_COMPILED);

    const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    #[inline(always)]
    fn any(self, of: Self) -> bool {
        self.0 & of.0 != 0
    }

    #[inline(always)]
    fn set(&mut self, flag: Self, on: bool) {
        self.0 = self.0 & !flag.0 | if on { flag.0 } else { 0 };
    }
}

/// The state of the open transaction, or of none. See the module.
#[derive(Default)]
pub struct OpenTransaction {
    flags: Flags,
    /// Whether events are encoded for a log.
    pub(super) recording: bool,
    /// How the bindings of events are encoded.
    pub(super) binding_form: BindingForm,
    /// While `verify` fires a logged transaction again: how many events the log has of it. It was within the limits then.
    pub(crate) logged_firings: u32,
    /// How many events of the program fired in it.
    pub(super) events: u32,
    /// The facts so far, and what the graph needs to take them back.
    pub(crate) journal: Journal,
    /// What fired, if it is written to a log or if an error may name it (see `Plan::traced`).
    pub(crate) firings: Vec<Firing>,
    /// The encoded events of the firings.
    pub(crate) event_bytes: Vec<u8>,
    pub(crate) clock: TransactionTime,
    pub(crate) meta: Meta,
    /// The transaction since which the entities that events bind are to be unchanged. It is apart from the metadata, which
    /// guards see: the log does not have it, and a guard is to see the same whenever its event fires again.
    pub(super) expected: Option<Seq>,
    /// The entities that changed after the transaction that `expected` names, with the transaction that changed each.
    pub(super) changed: FastMap<(EntityIx, u32), Seq>,
    /// What is kept of it if it has an idempotency key.
    pub(crate) keyed: Option<Box<Keyed>>,
    /// The savepoints that are valid, in the order in which they were made.
    savepoints: Vec<(u64, CoreMark)>,
}

/// One firing of an event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Firing {
    pub event: EventIx,
    /// Whether its binding has the entities that it chose.
    pub chose: bool,
    /// Where its binding ends in `event_bytes`.
    pub binding_end: u32,
    /// Where its facts end.
    pub facts_end: u32,
    /// The index of the firing that enabled it; [`Firing::NOTHING`] for an event of the program.
    pub(super) cause: u32,
}

impl Firing {
    /// The cause of an event that the program fired.
    pub(super) const NOTHING: u32 = u32::MAX;

    /// A firing that was read from a log, which does not say what enabled it.
    pub(crate) fn read(event: EventIx, binding_end: u32, facts_end: u32) -> Self {
        Self {
            event,
            chose: false,
            binding_end,
            facts_end,
            cause: Self::NOTHING,
        }
    }

    /// The index of the firing that enabled it.
    pub(super) fn cause(&self) -> Option<u32> {
        (self.cause != Self::NOTHING).then_some(self.cause)
    }
}

impl OpenTransaction {
    /// No open transaction, on a graph whose events are logged.
    pub(super) fn recording() -> Self {
        Self {
            recording: true,
            ..Self::default()
        }
    }

    /// From now on events are encoded as decoded transactions have them, for a record that no log has.
    pub(crate) fn record_items(&mut self) {
        self.binding_form = BindingForm::Items;
    }

    /// From now on nothing is encoded for a log.
    pub(crate) fn stop_recording(&mut self) {
        self.recording = false;
    }

    /// Whether a transaction is open and not yet written.
    pub(crate) fn is_open(&self) -> bool {
        self.flags.any(Flags::OPEN)
    }

    /// The time of the last transaction that the log has, whether or not that is closed.
    pub(crate) fn last_time(&self) -> Timestamp {
        let written = (self.flags.any(Flags::WRITTEN)).then(|| self.clock.known());
        written.flatten().unwrap_or(self.clock.last())
    }

    /// Whether there is more to do at its end than to clear it.
    #[inline]
    pub(crate) fn is_unusual(&self) -> bool {
        self.flags.any(Flags::UNUSUAL)
    }

    /// Returns whether no transaction is open, including a leaked one, and no flag makes the next one unusual.
    #[inline(always)]
    pub(crate) fn is_usual_and_closed(&self) -> bool {
        self.flags == Flags::default()
    }

    /// Whether an event of the transaction can be fired by its compiled arcs alone.
    #[inline(always)]
    pub(crate) fn fires_compiled(&self) -> bool {
        !self.flags.any(Flags::NOT_DIRECT)
    }

    /// Makes every event take the way that is not inlined: the store is paranoid, or the interpreter executes all arcs.
    pub(crate) fn fire_indirectly(&mut self) {
        self.flags.set(Flags::NOT_COMPILED, true);
    }

    /// Whether it has metadata.
    pub(crate) fn has_metadata(&self) -> bool {
        self.flags.any(Flags::METADATA)
    }

    /// Whether the entities that its events bind must be unchanged since some transaction.
    #[inline(always)]
    pub(super) fn expects_unchanged(&self) -> bool {
        self.flags.any(Flags::CHECKS_EVENTS) && self.expected.is_some()
    }

    /// Whether no event has fired in it.
    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        self.events == 0
    }

    /// An error if the graph is broken: user code panicked in the middle of a change.
    pub(crate) fn check_whole(&self) -> Result<(), StepError> {
        if !self.is_broken() {
            return Ok(());
        }
        Err(StepError::Storage(StorageError::stopped(
            "user code panicked while an index or a rollback was being done (a `Hash`, `Eq`, `Ord` or `Drop` of a value)",
        )))
    }

    /// Whether the graph is broken: it is not what its facts say.
    pub(super) fn is_broken(&self) -> bool {
        self.flags.any(Flags::BROKEN)
    }

    /// Records that the graph is broken, or that it is whole again.
    pub(super) fn set_broken(&mut self, broken: bool) {
        self.flags.set(Flags::BROKEN, broken);
    }

    /// What is kept of the transaction if it has an idempotency key.
    #[inline]
    pub(crate) fn keyed(&mut self) -> Option<&mut Keyed> {
        self.keyed.as_deref_mut()
    }

    /// Sets the metadata of the transaction.
    pub(crate) fn set_meta(
        &mut self,
        time: Option<Timestamp>,
        mut meta: Meta,
        keyed: Option<Box<Keyed>>,
        changed: FastMap<(EntityIx, u32), Seq>,
    ) {
        if let Some(time) = time {
            self.clock.set(time);
        }
        self.expected = meta.expect.take();
        self.flags.set(Flags::METADATA, true);
        let checks = self.expected.is_some() || keyed.is_some();
        self.flags.set(Flags::CHECKS_EVENTS, checks);
        self.meta = meta;
        self.keyed = keyed;
        self.changed = changed;
    }

    /// Clears what every transaction has.
    #[inline(always)]
    fn clear(&mut self, kept: bool) {
        self.flags.set(Flags::PHASE, false);
        self.clock.end(kept);
        self.firings.clear();
        self.event_bytes.clear();
        self.events = 0;
    }

    #[cold]
    fn clear_unusual(&mut self) {
        self.flags.set(Flags::MORE_TO_CLEAR, false);
        self.meta = Meta::default();
        self.expected = None;
        self.changed.clear();
        self.keyed = None;
        self.savepoints.clear();
    }
}

/// The number of the next savepoint. No two savepoints of a process have the same, so that a savepoint of another
/// transaction or another store is recognised.
static SAVEPOINTS: AtomicU64 = AtomicU64::new(0);

impl<S: Storage> Core<S> {
    /// Makes room for what one event usually adds, so that the buffers of a core that is used once do not grow step by
    /// step.
    pub(crate) fn reserve_for_one_event(&mut self) {
        self.open.firings = Vec::with_capacity(1);
        self.open.event_bytes = Vec::with_capacity(64);
        self.open.journal = Journal::with_capacity(4, 16);
        self.bindings = Bindings::with_capacity(4);
    }

    /// Makes a savepoint and returns its number.
    pub(crate) fn savepoint(&mut self) -> u64 {
        let number = SAVEPOINTS.fetch_add(1, Ordering::Relaxed);
        let mark = self.mark();
        self.open.flags.set(Flags::SAVEPOINT, true);
        self.open.savepoints.push((number, mark));
        number
    }

    /// Rolls back to a savepoint, which stays valid. The savepoints that were made after it do not.
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

    /// Whether nothing was done, not even by an event that was rejected.
    #[inline]
    pub(super) fn is_untouched(&self) -> bool {
        self.open.is_idle()
            && self.open.event_bytes.is_empty()
            && self.open.firings.is_empty()
            && self.open.journal.is_empty()
    }
}

impl Core<Flat> {
    /// Opens a transaction.
    #[inline]
    pub(crate) fn begin(&mut self) {
        self.close();
        self.open.flags.set(Flags::OPEN, true);
    }

    /// Opens a transaction, where none is open and none was leaked.
    #[inline(always)]
    pub(crate) fn begin_first(&mut self) {
        self.open.flags.set(Flags::OPEN, true);
    }

    /// Ends the open transaction, if there is one: its handle was dropped, or leaked.
    #[inline]
    pub(crate) fn close(&mut self) {
        if self.open.flags.any(Flags::PHASE) {
            self.end();
        }
    }

    /// An error if something was done that belongs to no event that fired. It must not be written.
    pub(crate) fn check_ends(&self) -> Result<(), StepError> {
        let open = &self.open;
        let ends = open.firings.last().map_or((0, 0), |last| {
            (last.binding_end as usize, last.facts_end as usize)
        });
        let found = (open.event_bytes.len(), self.open.journal.facts_len());
        if ends == found {
            Ok(())
        } else {
            Err(unwritable(ends, found))
        }
    }

    /// Makes the open transaction speculative: it is never written, so that nothing is encoded for the log.
    pub(crate) fn speculate(&mut self) {
        self.open.flags.set(Flags::SPECULATIVE, true);
        self.open.recording = false;
        // Under `paranoid` fingerprints are compared.
        self.graph.fingerprinting = self.paranoid;
    }

    /// Records that the log has the open transaction.
    #[inline]
    pub(crate) fn written(&mut self) {
        self.open.flags.set(Flags::OPEN, false);
        self.open.flags.set(Flags::WRITTEN, true);
    }

    /// Ends the open transaction: keeps what it did if it was written, and otherwise undoes it.
    #[inline]
    pub(crate) fn end(&mut self) {
        let kept = self.open.flags.any(Flags::WRITTEN);
        if kept {
            self.graph.commit(&mut self.open.journal);
        } else {
            self.take_back(None);
        }
        self.open.clear(kept);
        let open = &mut self.open;
        if open.is_unusual() {
            open.recording = self.logged;
            self.graph.fingerprinting = self.logged;
            open.flags.set(Flags::SPECULATIVE, false);
            if open.flags.any(Flags::MORE_TO_CLEAR) {
                open.clear_unusual();
            }
        }
    }

    /// Closes the open transaction and keeps what it did, although no log has it yet. The journal that is returned can still
    /// undo it ([`Core::undo_closed`]), until [`Core::commit_closed`]. `spare` is an empty journal, whose memory is reused.
    pub(crate) fn close_undoable(&mut self, spare: Journal) -> Journal {
        // With an empty journal the graph forgets nothing that an undo needs.
        let journal = std::mem::replace(&mut self.open.journal, spare);
        self.written();
        self.end();
        journal
    }

    /// Undoes transactions that were closed with [`Core::close_undoable`], from the last to the first. `before` is the time of
    /// the last transaction that stays, and the fingerprint after it.
    pub(crate) fn undo_closed(
        &mut self,
        journals: &mut [Journal],
        (time, fingerprint): (Timestamp, u128),
    ) {
        undo::undo(&mut self.graph, &mut self.open, |graph, _| {
            for journal in journals.iter_mut().rev() {
                graph.rollback_closed(journal, fingerprint);
            }
        });
        self.open.clock.restore(time);
    }

    /// Commits a transaction that was closed with [`Core::close_undoable`], and clears its journal.
    pub(crate) fn commit_closed(&mut self, journal: &mut Journal) {
        self.graph.commit(journal);
    }

    /// Ends the open transaction and keeps what it did. It has no metadata and no savepoints.
    #[inline(always)]
    pub(crate) fn end_usual(&mut self) {
        self.graph.commit(&mut self.open.journal);
        self.open.clear(true);
    }

    /// Ends a transaction that is written to no log, and keeps what it did.
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

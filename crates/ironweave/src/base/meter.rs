//! What a store counts about its own work, with the feature `tracing`: transactions, rejections, syncs, and how far subscriptions are behind.
//!
//! The store writes the counters, and any thread reads them through a [`Meter`]. Only one thread at a time writes most of them, so they are
//! loaded and stored without locked instructions.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use crate::base::error::StepError;
use crate::base::position::Seq;

/// A handle that reads the [`Metrics`] of a store from any thread, also after the store was dropped.
///
/// ```
/// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
/// use ironweave::prelude::*;
/// use lamps::Lit;
///
/// let mut store = Store::<lamps::Model>::memory();
/// let meter = store.meter();
/// store.try_step(Lit { lamp: "hall".into() })?;
/// assert!(store.try_step(Lit { lamp: "hall".into() }).is_err());
///
/// let metrics = meter.read();
/// assert_eq!(metrics.transactions, 1);
/// assert_eq!(metrics.rejections["NotInPlace"], 1);
/// # Ok::<(), StepError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Meter(Arc<Counters>);

/// What a store has done since it was opened. See [`Meter`].
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// The number of committed transactions.
    pub transactions: u64,
    /// The size of their content in the log, in bytes, without the headers of frames. 0 for a store without a log.
    pub bytes: u64,
    /// How often an event or a transaction was rejected, by the name of the variant of [`StepError`]: `NotInPlace`, `Guard`, .. An event
    /// that is rejected in a speculative transaction counts too. Variants that did not occur are absent.
    pub rejections: BTreeMap<&'static str, u64>,
    /// How often a step or a commit failed for another reason, such as a failure of the disk.
    pub failures: u64,
    /// The number of syncs of the log that ended, including the ones that failed. One sync can make many transactions durable.
    pub syncs: u64,
    /// How long these syncs took together.
    pub sync_time: Duration,
    /// How long the longest of them took.
    pub sync_time_max: Duration,
    /// The number of open subscriptions, those of async streams and projections included.
    pub subscriptions: u64,
    /// The number of frames that the slowest of them has not read yet.
    pub lag: u64,
}

impl Meter {
    /// Reads the counters. They are read one after the other, so that a transaction that is committed meanwhile may be in some of them
    /// only. O(subscriptions + kinds of rejections).
    #[must_use]
    pub fn read(&self) -> Metrics {
        let of = &*self.0;
        let mut metrics = Metrics {
            transactions: of.transactions.load(Ordering::Relaxed),
            bytes: of.bytes.load(Ordering::Relaxed),
            rejections: lock(&of.rejections).clone(),
            failures: of.failures.load(Ordering::Relaxed),
            ..Metrics::default()
        };
        if let Some(syncs) = of.syncs.get() {
            metrics.syncs = syncs.ended.load(Ordering::Relaxed);
            metrics.sync_time = Duration::from_nanos(syncs.nanos.load(Ordering::Relaxed));
            metrics.sync_time_max = Duration::from_nanos(syncs.nanos_max.load(Ordering::Relaxed));
        }
        let next = of.next.load(Ordering::Relaxed);
        let readers = lock(&of.readers);
        let lags = readers.iter().filter_map(|reader| {
            let read = reader.upgrade()?.load(Ordering::Relaxed);
            Some(next.saturating_sub(read))
        });
        for lag in lags {
            metrics.subscriptions += 1;
            metrics.lag = metrics.lag.max(lag);
        }
        metrics
    }

    /// Counts a transaction, which is committed by the only thread that writes. `next` is the frame after it.
    #[inline]
    pub(crate) fn committed(&self, bytes: u64, next: Seq) {
        add(&self.0.transactions, 1);
        add(&self.0.bytes, bytes);
        self.0.next.store(next.get(), Ordering::Relaxed);
    }

    /// Sets the frame after the last one that was read or written without a transaction of this store.
    pub(crate) fn set_next(&self, next: Seq) {
        self.0.next.store(next.get(), Ordering::Relaxed);
    }

    /// Counts an error of an event or a transaction. Returns what kind of a rejection it is, or `None` if it is a failure.
    pub(crate) fn rejected(&self, e: &StepError) -> Option<&'static str> {
        let kind = kind(e);
        match kind {
            Some(kind) => *lock(&self.0.rejections).entry(kind).or_default() += 1,
            None => drop(self.0.failures.fetch_add(1, Ordering::Relaxed)),
        }
        kind
    }

    /// Takes the counters of syncs from the log, if it has any.
    pub(crate) fn use_syncs(&self, syncs: Option<Arc<Syncs>>) {
        if let Some(syncs) = syncs {
            // A store has one log.
            let _ = self.0.syncs.set(syncs);
        }
    }

    /// Adds a subscription, which keeps the sequence number of the next frame that it reads in `reader`.
    pub(crate) fn add_reader(&self, reader: &Arc<AtomicU64>) {
        let mut readers = lock(&self.0.readers);
        readers.retain(|reader| reader.strong_count() > 0);
        readers.push(Arc::downgrade(reader));
    }
}

/// The counters of a store.
#[derive(Debug, Default)]
struct Counters {
    transactions: AtomicU64,
    bytes: AtomicU64,
    /// The frame after the last one.
    next: AtomicU64,
    rejections: Mutex<BTreeMap<&'static str, u64>>,
    failures: AtomicU64,
    syncs: OnceLock<Arc<Syncs>>,
    /// The next frame of each subscription.
    readers: Mutex<Vec<Weak<AtomicU64>>>,
}

// Every change under these locks is one call of a method of a collection.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The counters of the syncs of a log. Only one sync runs at a time.
#[derive(Debug, Default)]
pub(crate) struct Syncs {
    ended: AtomicU64,
    nanos: AtomicU64,
    nanos_max: AtomicU64,
}

impl Syncs {
    pub(crate) fn ended(&self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        add(&self.ended, 1);
        add(&self.nanos, nanos);
        self.nanos_max.fetch_max(nanos, Ordering::Relaxed);
    }
}

/// Adds to a counter that no other thread changes at the same time.
#[inline]
fn add(counter: &AtomicU64, by: u64) {
    let sum = counter.load(Ordering::Relaxed).wrapping_add(by);
    counter.store(sum, Ordering::Relaxed);
}

/// Returns the name of the variant of an error, or `None` if it is no rejection.
fn kind(e: &StepError) -> Option<&'static str> {
    Some(match e {
        StepError::StaleHandle { .. } => "StaleHandle",
        StepError::UnknownKey { .. } => "UnknownKey",
        StepError::NotInPlace { .. } => "NotInPlace",
        StepError::When { .. } => "When",
        StepError::NothingToChoose { .. } => "NothingToChoose",
        StepError::Overflow { .. } => "Overflow",
        StepError::Guard { .. } => "Guard",
        StepError::Rejected { .. } => "Rejected",
        StepError::TwoArcs { .. } => "TwoArcs",
        StepError::Repeated { .. } => "Repeated",
        StepError::Duplicate { .. } => "Duplicate",
        StepError::Cardinality { .. } => "Cardinality",
        StepError::AlreadyLinked { .. } => "AlreadyLinked",
        StepError::NotLinked { .. } => "NotLinked",
        StepError::Restricted { .. } => "Restricted",
        StepError::Cycle { .. } => "Cycle",
        StepError::Invariant { .. } => "Invariant",
        StepError::Loop { .. } => "Loop",
        StepError::Full { .. } => "Full",
        StepError::Unwritable { .. } => "Unwritable",
        StepError::TimeGoesBack { .. } => "TimeGoesBack",
        StepError::Changed { .. } => "Changed",
        StepError::KeyReused { .. } => "KeyReused",
        StepError::KeyExpired { .. } => "KeyExpired",
        StepError::RejectedBefore { .. } => "RejectedBefore",
        StepError::ReceiptLost { .. } => "ReceiptLost",
        StepError::StaleSavepoint => "StaleSavepoint",
        StepError::Metadata(_) => "Metadata",
        StepError::ReadOnly | StepError::Storage(_) | StepError::Indeterminate(_) => return None,
    })
}

//! The time of the open transaction. The clock is read when the time is first needed, at the latest when the transaction
//! is written: most events need no time, and reading the clock takes as long as everything else that they do.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::base::clock::Clock;
use crate::base::time::Timestamp;

/// The time was not needed yet.
const UNKNOWN: i64 = i64::MIN;

/// The time of the open transaction and of the one before it.
pub(crate) struct TransactionTime {
    source: Clock,
    /// In microseconds. Atomic, since several threads may read one open transaction.
    now: AtomicI64,
    last: Timestamp,
}

impl Default for TransactionTime {
    fn default() -> Self {
        Self {
            source: Clock::default(),
            now: AtomicI64::new(UNKNOWN),
            last: Timestamp::default(),
        }
    }
}

impl TransactionTime {
    /// Returns the state after a transaction with the time `last`. The times of later transactions are read from a clock.
    pub(crate) fn after(last: Timestamp, source: &Clock) -> Self {
        Self {
            source: source.clone(),
            last,
            ..Self::default()
        }
    }

    /// The clock.
    pub(crate) fn source(&self) -> &Clock {
        &self.source
    }

    /// The time that a transaction would have now.
    pub(crate) fn read(&self) -> Timestamp {
        self.source.now().max(self.last)
    }

    /// The time of the open transaction, never before that of the last one.
    pub(crate) fn now(&self) -> Timestamp {
        if let Some(known) = self.known() {
            return known;
        }
        let now = self.source.now().max(self.last).as_micros();
        // The thread that asks first decides.
        match (self.now).compare_exchange(UNKNOWN, now, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => Timestamp::from_micros(now),
            Err(known) => Timestamp::from_micros(known),
        }
    }

    /// As [`TransactionTime::now`], where no other thread can ask.
    #[inline(always)]
    pub(crate) fn decide(&mut self) -> Timestamp {
        if let Some(known) = self.known() {
            return known;
        }
        let now = self.source.now().max(self.last);
        self.set(now);
        now
    }

    /// The time of the last transaction.
    pub(crate) fn last(&self) -> Timestamp {
        self.last
    }

    /// The time of the open transaction, if it was needed.
    pub(crate) fn known(&self) -> Option<Timestamp> {
        let known = self.now.load(Ordering::Relaxed);
        (known != UNKNOWN).then(|| Timestamp::from_micros(known))
    }

    /// Gives the open transaction an explicit time.
    pub(crate) fn set(&mut self, time: Timestamp) {
        *self.now.get_mut() = time.as_micros();
    }

    /// Ends the transaction. If it is `kept` and had a time, that is the time of the last transaction from now on.
    #[inline]
    pub(crate) fn end(&mut self, kept: bool) {
        let time = std::mem::replace(self.now.get_mut(), UNKNOWN);
        if kept && time != UNKNOWN {
            self.last = Timestamp::from_micros(time);
        }
    }

    /// Closes the time of the open transaction. `last` is the time of the last transaction from now on, since later ones were
    /// undone.
    pub(crate) fn restore(&mut self, last: Timestamp) {
        *self.now.get_mut() = UNKNOWN;
        self.last = last;
    }
}

//! The time of the open transaction: that of the clock when it is first asked for, at the latest when the
//! transaction is written. Most events ask for none, and a reading of the clock takes as long as all else that
//! they do.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::base::time::Timestamp;

/// Not asked for yet.
const UNKNOWN: i64 = i64::MIN;

/// See the module.
pub(crate) struct Clock {
    /// In microseconds. Atomic because who asks may share the transaction with others who do.
    now: AtomicI64,
    last: Timestamp,
}

impl Default for Clock {
    fn default() -> Self {
        Self {
            now: AtomicI64::new(UNKNOWN),
            last: Timestamp::default(),
        }
    }
}

impl Clock {
    /// As it is after a transaction.
    pub(crate) fn after(last: Timestamp) -> Self {
        Self {
            last,
            ..Self::default()
        }
    }

    /// The time of the open transaction, never before that of the last one.
    pub(crate) fn now(&self) -> Timestamp {
        if let Some(known) = self.known() {
            return known;
        }
        let now = Timestamp::now().max(self.last).as_micros();
        // The first to ask is the one who is right.
        match (self.now).compare_exchange(UNKNOWN, now, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => Timestamp::from_micros(now),
            Err(known) => Timestamp::from_micros(known),
        }
    }

    /// The time of the last transaction.
    pub(crate) fn last(&self) -> Timestamp {
        self.last
    }

    /// The time of the open transaction, if it has been asked for.
    pub(crate) fn known(&self) -> Option<Timestamp> {
        let known = self.now.load(Ordering::Relaxed);
        (known != UNKNOWN).then(|| Timestamp::from_micros(known))
    }

    /// Gives the open transaction a time that is not the clock's.
    pub(crate) fn set(&mut self, time: Timestamp) {
        *self.now.get_mut() = time.as_micros();
    }

    /// Ends the transaction; its time, where it had one, is that of the last one if it is `kept`.
    pub(crate) fn end(&mut self, kept: bool) {
        let time = std::mem::replace(self.now.get_mut(), UNKNOWN);
        if kept && time != UNKNOWN {
            self.last = Timestamp::from_micros(time);
        }
    }
}

//! The time of the open transaction: that of the clock when it is first asked for, at the latest when the
//! transaction is written. Most events ask for none, and a reading of the clock takes as long as all else that
//! they do.

use std::sync::OnceLock;

use crate::Timestamp;

/// See the module.
#[derive(Default)]
pub(crate) struct Clock {
    now: OnceLock<Timestamp>,
    last: Timestamp,
}

impl Clock {
    /// The time of the open transaction, never before that of the last one.
    pub(crate) fn now(&self) -> &Timestamp {
        self.now.get_or_init(|| Timestamp::now().max(self.last))
    }

    /// The time of the last transaction.
    pub(crate) fn last(&self) -> Timestamp {
        self.last
    }

    /// Gives the open transaction a time that is not the clock's.
    pub(crate) fn set(&mut self, time: Timestamp) {
        self.now = OnceLock::from(time);
    }

    /// Ends the transaction; its time, where it had one, is that of the last one if it is `kept`.
    pub(crate) fn end(&mut self, kept: bool) {
        if let Some(time) = self.now.take()
            && kept
        {
            self.last = time;
        }
    }
}

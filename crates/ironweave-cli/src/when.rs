//! Moments that a user names: a sequence number or a time.

use std::str::FromStr;

use ironweave::raw_log::RawLog;
use ironweave::{AsOf, ParseAsOfError, Seq, Timestamp};

use crate::failure::{Result, no_such_frame};

/// A sequence number or a time.
#[derive(Clone, Copy, Debug)]
pub enum When {
    Seq(Seq),
    Time(Timestamp),
}

impl FromStr for When {
    type Err = ParseAsOfError;

    fn from_str(text: &str) -> Result<Self, ParseAsOfError> {
        match text.parse::<AsOf>()? {
            AsOf::Time(time) => Ok(Self::Time(time)),
            AsOf::Seq(seq) => Ok(Self::Seq(seq)),
            // No text is one.
            AsOf::Position(position) => Ok(Self::Seq(position.seq())),
        }
    }
}

impl When {
    /// Checks that a log has a frame that is named by its sequence number.
    pub fn check(self, log: &RawLog) -> Result {
        match (self, log.last()) {
            (Self::Seq(seq), last) if last.is_none_or(|last| last < seq) => {
                Err(no_such_frame(seq, last))
            }
            _ => Ok(()),
        }
    }

    /// Whether a transaction is at this moment or later.
    pub fn reached(self, seq: Seq, time: Timestamp) -> bool {
        match self {
            Self::Seq(when) => seq >= when,
            Self::Time(when) => time >= when,
        }
    }

    /// Whether a transaction is later than this moment.
    pub fn passed(self, seq: Seq, time: Timestamp) -> bool {
        match self {
            Self::Seq(when) => seq > when,
            Self::Time(when) => time > when,
        }
    }
}

impl From<When> for AsOf {
    fn from(when: When) -> Self {
        match when {
            When::Seq(seq) => Self::Seq(seq),
            When::Time(time) => Self::Time(time),
        }
    }
}

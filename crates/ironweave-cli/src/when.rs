//! Moments that a user names: a sequence number or a time.

use std::str::FromStr;

use ironweave::{AsOf, Seq, Timestamp};

/// A sequence number or a time.
#[derive(Clone, Copy, Debug)]
pub enum When {
    Seq(Seq),
    Time(Timestamp),
}

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(seq) = text.parse::<u64>() {
            return Ok(Self::Seq(Seq::new(seq)));
        }
        let time = match text.len() {
            // A date is the first moment of that day.
            10 => format!("{text}T00:00:00Z").parse(),
            _ => text.parse(),
        };
        time.map(Self::Time).map_err(|_| {
            "it is neither a sequence number, such as 42, nor a time, such as 2026-11-28T12:00:00Z or 2026-11-28".into()
        })
    }
}

impl When {
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

//! Moments that a user names: a sequence number or a time.

use std::str::FromStr;

use ironweave::raw_log::RawLog;
use ironweave::{AsOf, Seq, Timestamp};

use crate::failure::{Result, no_such_frame};

/// A sequence number or a time.
#[derive(Clone, Copy, Debug)]
pub enum When {
    Seq(Seq),
    Time(Timestamp),
}

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
            return match text.parse::<u64>() {
                Ok(seq) => Ok(Self::Seq(Seq::new(seq))),
                Err(_) => Err("it is larger than any sequence number".into()),
            };
        }
        // A date is the first moment of that day.
        let date = text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
        let full = match date {
            true => format!("{text}T00:00:00Z"),
            false => text.to_owned(),
        };
        let parsed = full.parse().map(Self::Time);
        parsed.map_err(|_| match format!("{full}Z").parse::<Timestamp>() {
            Ok(_) => format!("it has no time zone; write `{full}Z` for UTC, or an offset, as in `{full}+02:00`"),
            Err(_) if date => "there is no such day".into(),
            Err(_) => "it is neither a sequence number, such as 42, nor a time, such as 2026-11-28T12:00:00Z or 2026-11-28".into(),
        })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_sequence_number_a_date_or_a_time_with_a_zone() {
        let of = |text: &str| match text.parse::<When>() {
            Ok(When::Seq(seq)) => seq.to_string(),
            Ok(When::Time(time)) => time.to_string(),
            Err(e) => e,
        };
        for (text, expected) in [
            ("42", "42"),
            ("18446744073709551615", "18446744073709551615"),
            ("18446744073709551616", "larger than any"),
            ("-1", "neither a sequence number"),
            ("", "neither a sequence number"),
            ("yesterday", "neither a sequence number"),
            ("10:48", "neither a sequence number"),
            ("2026-11-28", "2026-11-28T00:00:00Z"),
            ("2026-13-01", "no such day"),
            ("2026-02-30", "no such day"),
            ("2026-11-28 12:00:00Z", "2026-11-28T12:00:00Z"),
            ("2026-11-28T12:00:00+02:00", "2026-11-28T10:00:00Z"),
            (
                "2026-11-28T12:00:00",
                "write `2026-11-28T12:00:00Z` for UTC",
            ),
            (
                "2026-11-28 12:00:00.5",
                "write `2026-11-28 12:00:00.5Z` for UTC",
            ),
            ("2026-11-28T25:00:00Z", "neither a sequence number"),
        ] {
            let found = of(text);
            assert!(found.contains(expected), "{text}: {found}");
        }
    }
}

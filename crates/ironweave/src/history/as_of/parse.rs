//! Points in the past as people write them.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

use super::AsOf;
use crate::base::error::ErrorKind;
use crate::base::position::Seq;
use crate::base::time::Timestamp;

/// The error of parsing a text that is not a point in the past, an [`AsOf`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseAsOfError {
    why: String,
}

impl ParseAsOfError {
    /// Returns [`ErrorKind::Invalid`].
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

impl fmt::Display for ParseAsOfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl Error for ParseAsOfError {}

impl FromStr for AsOf {
    type Err = ParseAsOfError;

    fn from_str(text: &str) -> Result<Self, ParseAsOfError> {
        let fail = |why: String| Err(ParseAsOfError { why });
        let text = text.trim();
        if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
            return match text.parse::<u64>() {
                Ok(seq) => Ok(Self::Seq(Seq::new(seq))),
                Err(_) => fail("it is larger than any sequence number".into()),
            };
        }
        let is_day = text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
        let full = match is_day {
            true => format!("{text}T00:00:00Z"),
            false => text.to_owned(),
        };
        if let Ok(time) = full.parse() {
            return Ok(Self::Time(time));
        }
        fail(match format!("{full}Z").parse::<Timestamp>() {
            Ok(_) => format!(
                "it has no time zone; write `{full}Z` for UTC, or an offset, as in `{full}+02:00`"
            ),
            Err(_) if is_day => "there is no such day".into(),
            Err(_) => "it is neither a sequence number, such as 42, nor a time, such as 2026-11-28T12:00:00Z or 2026-11-28".into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_a_sequence_number_a_day_or_a_time_with_a_zone() {
        let of = |text: &str| match text.parse::<AsOf>() {
            Ok(AsOf::Time(time)) => time.to_string(),
            Ok(AsOf::Seq(seq)) => seq.to_string(),
            Ok(other) => format!("{other:?}"),
            Err(e) => e.to_string(),
        };
        for (text, expected) in [
            ("42", "42"),
            (" 42 ", "42"),
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

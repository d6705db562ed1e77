//! Points in time, in microseconds since 1970-01-01T00:00:00Z.

mod convert;

use std::cell::Cell;
use std::fmt;
use std::ops::{Add, AddAssign, RangeInclusive, Sub, SubAssign};
use std::str::FromStr;
use std::time::{Duration, SystemTime};

pub use convert::TimestampRangeError;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::base::error::ErrorKind;
use crate::base::id::excerpt;

/// A point in time, in microseconds since the Unix epoch (UTC). It prints as RFC 3339 and parses from it.
///
/// Serde writes RFC 3339 in human-readable formats such as JSON, and microseconds in others. It reads both.
///
/// ```
/// use std::time::Duration;
///
/// use ironweave::Timestamp;
///
/// let noon: Timestamp = "2026-02-28T12:00:00Z".parse()?;
/// let yesterday = noon - Duration::from_secs(86_400);
/// assert_eq!(yesterday.to_string(), "2026-02-27T12:00:00Z");
/// assert_eq!(noon.duration_since(yesterday), Duration::from_secs(86_400));
/// assert_eq!(yesterday.duration_since(noon), Duration::ZERO);
/// assert_eq!(noon.checked_add(Duration::MAX), None);
/// # Ok::<(), ironweave::ParseTimestampError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(i64);

/// The microseconds of the years 0 to 9999.
const RFC_3339: RangeInclusive<i64> = -62_167_219_200_000_000..=253_402_300_799_999_999;

impl Timestamp {
    /// Returns the current time of the system clock.
    #[must_use]
    #[inline]
    pub fn now() -> Self {
        Self::from(SystemTime::now())
    }

    /// Returns the time that is `micros` microseconds after the Unix epoch.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Returns the time that is `secs` seconds after the Unix epoch. Saturates at the bounds of
    /// [`Timestamp::from_micros`].
    #[must_use]
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1_000_000))
    }

    /// Returns the number of microseconds since the Unix epoch.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Returns the whole seconds since the Unix epoch, rounded down.
    #[must_use]
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Returns this time plus a duration, which is rounded down to a microsecond; `None` if a `Timestamp` cannot represent the
    /// result. The operator `+` saturates.
    #[must_use]
    pub fn checked_add(self, duration: Duration) -> Option<Self> {
        let micros = u64::try_from(duration.as_micros()).ok()?;
        self.0.checked_add_unsigned(micros).map(Self)
    }

    /// Returns this time minus a duration, which is rounded down to a microsecond; `None` if a `Timestamp` cannot represent the
    /// result. The operator `-` saturates.
    #[must_use]
    pub fn checked_sub(self, duration: Duration) -> Option<Self> {
        let micros = u64::try_from(duration.as_micros()).ok()?;
        self.0.checked_sub_unsigned(micros).map(Self)
    }

    /// Returns the duration from `earlier` to this time, or `None` if `earlier` is the later of the two.
    #[must_use]
    pub const fn checked_duration_since(self, earlier: Self) -> Option<Duration> {
        if self.0 < earlier.0 {
            return None;
        }
        Some(Duration::from_micros(self.0.abs_diff(earlier.0)))
    }

    /// Returns the duration from `earlier` to this time, or zero if `earlier` is the later of the two.
    #[must_use]
    pub const fn duration_since(self, earlier: Self) -> Duration {
        if self.0 <= earlier.0 {
            return Duration::ZERO;
        }
        Duration::from_micros(self.0.abs_diff(earlier.0))
    }
}

/// Rounded down to a microsecond. A result that a `Timestamp` cannot represent is the last one that it can.
impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add_unsigned(micros))
    }
}

/// The duration is rounded down to a microsecond. A result that a `Timestamp` cannot represent is the first one that it
/// can.
impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_sub_unsigned(micros))
    }
}

/// As `+`.
impl AddAssign<Duration> for Timestamp {
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

/// As `-`.
impl SubAssign<Duration> for Timestamp {
    fn sub_assign(&mut self, duration: Duration) {
        *self = *self - duration;
    }
}

/// Returns year, month and day of a number of days since 1970-01-01 in the proleptic Gregorian calendar.
///
/// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (secs, micros) = (self.0.div_euclid(1_000_000), self.0.rem_euclid(1_000_000));
        let (year, month, day) = civil_from_days(secs.div_euclid(86_400));
        let s = secs.rem_euclid(86_400);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}",
            s / 3_600,
            s / 60 % 60,
            s % 60
        )?;
        if micros == 0 {
            write!(f, "Z")
        } else {
            write!(f, ".{micros:06}Z")
        }
    }
}

/// Returns the number of days since 1970-01-01 of a date in the proleptic Gregorian calendar.
///
/// Source: that of [`civil_from_days`], `days_from_civil`.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The error of parsing a text that is not a [`Timestamp`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseTimestampError {
    text: String,
}

impl fmt::Display for ParseTimestampError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is not a time; write it in RFC 3339, as in `2026-02-28T12:30:00Z`",
            self.text
        )
    }
}

impl ParseTimestampError {
    /// Returns [`ErrorKind::Invalid`].
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

impl std::error::Error for ParseTimestampError {}

impl FromStr for Timestamp {
    type Err = ParseTimestampError;

    /// Parses RFC 3339 with at most six digits of a fraction of a second, as in `2026-02-28T12:30:00Z` or
    /// `2026-02-28T12:30:00.25+01:00`.
    fn from_str(text: &str) -> Result<Self, ParseTimestampError> {
        let parts = || {
            let number = |range: std::ops::Range<usize>| -> Option<i64> {
                let digits = text.get(range)?;
                let all = digits.bytes().all(|b| b.is_ascii_digit());
                digits.parse().ok().filter(|_| all)
            };
            let bytes = text.as_bytes();
            let marks = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
            let marked = marks.iter().all(|(i, mark)| bytes.get(*i) == Some(mark));
            let between = matches!(bytes.get(10), Some(b'T' | b't' | b' '));
            let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
            let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
            let mut rest = text.get(19..)?;
            let mut micros = 0;
            if let Some(fraction) = rest.strip_prefix('.') {
                let end = fraction.bytes().take_while(u8::is_ascii_digit).count();
                let digits: i64 = fraction[..end].parse().ok().filter(|_| end <= 6)?;
                micros = digits * 10_i64.pow(6 - end as u32);
                rest = &fraction[end..];
            }
            let offset = match rest {
                "Z" | "z" => 0,
                _ => {
                    let at = text.len() - rest.len();
                    let colon = rest.len() == 6 && bytes[at + 3] == b':';
                    let (hours, minutes) = (number(at + 1..at + 3)?, number(at + 4..at + 6)?);
                    let good = colon && hours < 24 && minutes < 60;
                    let sign = match bytes[at] {
                        b'+' => 1,
                        b'-' => -1,
                        _ => return None,
                    };
                    sign * (hours * 60 + minutes) * 60 * i64::from(good.then_some(1u8)?)
                }
            };
            let days = days_from_civil(year, month, day);
            let is_day = (1..=12).contains(&month) && civil_from_days(days) == (year, month, day);
            let is_time = hour < 24 && minute < 60 && second < 60;
            let secs = days * 86_400 + hour * 3_600 + minute * 60 + second - offset;
            (marked && between && is_day && is_time).then_some(Self(secs * 1_000_000 + micros))
        };
        parts().ok_or_else(|| ParseTimestampError {
            text: excerpt(text),
        })
    }
}

thread_local! {
    /// Whether this thread is encoding a value for the log or the graph.
    static ENCODING: Cell<bool> = const { Cell::new(false) };
}

/// While a value of this type exists, its thread serializes times as numbers, even if the serializer is human-readable.
///
/// The encoding of a value is hashed and stored, so it must not depend on where a time is in the value. Serde buffers the
/// content of tagged enums in serializers that are always human-readable.
pub(crate) struct NumericTimes {
    before: bool,
}

impl NumericTimes {
    pub(crate) fn begin() -> Self {
        Self {
            before: ENCODING.replace(true),
        }
    }
}

impl Drop for NumericTimes {
    fn drop(&mut self) {
        ENCODING.set(self.before);
    }
}

/// Writes RFC 3339 in human-readable formats, and microseconds in others. A time outside of the years 0 to 9999, which
/// RFC 3339 cannot express, is always written in microseconds.
impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() && !ENCODING.get() && RFC_3339.contains(&self.0) {
            serializer.collect_str(self)
        } else {
            serializer.serialize_i64(self.0)
        }
    }
}

/// Reads RFC 3339 in human-readable formats, and microseconds in all formats.
impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_any(TimestampVisitor)
        } else {
            deserializer.deserialize_i64(TimestampVisitor)
        }
    }
}

struct TimestampVisitor;

impl de::Visitor<'_> for TimestampVisitor {
    type Value = Timestamp;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a time, such as `2026-02-28T12:30:00Z`, or a number of microseconds since 1970",
        )
    }

    fn visit_i64<E: de::Error>(self, micros: i64) -> Result<Timestamp, E> {
        Ok(Timestamp(micros))
    }

    fn visit_u64<E: de::Error>(self, micros: u64) -> Result<Timestamp, E> {
        let other = de::Unexpected::Unsigned(micros);
        let micros = i64::try_from(micros).map_err(|_| E::invalid_value(other, &self))?;
        Ok(Timestamp(micros))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Timestamp, E> {
        // JSON writes a number that is the key of a map as text.
        let time = text.parse().or_else(|why| match text.parse() {
            Ok(micros) => Ok(Timestamp(micros)),
            Err(_) => Err(why),
        });
        time.map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde::{Deserialize, Serialize};

    use super::Timestamp;
    use crate::value::item::display;
    use crate::value::{decode, encode};

    #[test]
    fn arithmetic_saturates_and_seconds_round_down() {
        let (first, last) = (Timestamp(i64::MIN), Timestamp(i64::MAX));
        assert_eq!(last + Duration::from_micros(1), last);
        assert_eq!(first - Duration::MAX, first);
        assert_eq!(first + Duration::from_micros(u64::MAX), last);
        assert_eq!(last.duration_since(first), Duration::from_micros(u64::MAX));
        assert_eq!(first.duration_since(last), Duration::ZERO);
        assert_eq!(Timestamp(-1).as_secs(), -1);
        assert_eq!(Timestamp(1_999_999).as_secs(), 1);
        let mut moved = Timestamp(5);
        moved += Duration::from_micros(3);
        assert_eq!(moved, Timestamp(8));
        moved -= Duration::from_micros(10);
        assert_eq!(moved, Timestamp(-2));
    }

    #[test]
    fn checked_arithmetic_returns_none_out_of_range() {
        let (first, last) = (Timestamp(i64::MIN), Timestamp(i64::MAX));
        let micro = Duration::from_micros(1);
        assert_eq!(Timestamp(1).checked_add(micro), Some(Timestamp(2)));
        assert_eq!(Timestamp(1).checked_sub(micro), Some(Timestamp(0)));
        assert_eq!(
            [
                last.checked_add(micro),
                first.checked_sub(micro),
                first.checked_add(Duration::MAX),
                last.checked_sub(Duration::MAX)
            ],
            [None; 4]
        );
        let all = Duration::from_micros(u64::MAX);
        assert_eq!(first.checked_add(all), Some(last));
        assert_eq!(last.checked_sub(all), Some(first));
        assert_eq!(last.checked_duration_since(first), Some(all));
        assert_eq!(first.checked_duration_since(last), None);
        assert_eq!(last.checked_duration_since(last), Some(Duration::ZERO));
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Plain {
        Pair(Timestamp, u8),
        Named { at: Timestamp },
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "kind")]
    enum Tagged {
        Within(Plain),
        Own { at: Timestamp },
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Untagged {
        Time(Timestamp),
        Other(Tagged),
    }

    #[test]
    fn times_are_encoded_as_numbers_at_any_place_in_a_value() {
        let time = Timestamp::from_secs(1);
        for value in [
            Untagged::Time(time),
            Untagged::Other(Tagged::Own { at: time }),
            Untagged::Other(Tagged::Within(Plain::Pair(time, 1))),
            Untagged::Other(Tagged::Within(Plain::Named { at: time })),
        ] {
            let mut bytes = Vec::new();
            encode(&value, &mut bytes).expect("it can be written");
            let text = display(&bytes);
            assert!(text.contains("1000000") && !text.contains("1970"), "{text}");
            assert_eq!(decode::<Untagged>(&bytes).expect("it reads"), value);
            // Human-readable formats on the same thread still have texts.
            let json = serde_json::to_string(&value).expect("it can be written");
            assert!(json.contains("1970-01-01T00:00:01Z"), "{json}");
            assert_eq!(
                serde_json::from_str::<Untagged>(&json).expect("it reads"),
                value
            );
        }
    }

    #[test]
    fn prints_as_rfc_3339() {
        for (micros, expect) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00Z"),
            (1_700_000_000_123_456, "2023-11-14T22:13:20.123456Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
        ] {
            assert_eq!(Timestamp::from_micros(micros).to_string(), expect);
            assert_eq!(expect.parse(), Ok(Timestamp::from_micros(micros)));
        }
    }

    #[test]
    fn parses_from_rfc_3339() {
        for (text, micros) in [
            ("1970-01-01T01:00:00+01:00", 0),
            ("1969-12-31 23:30:00.5-00:30", 500_000),
            ("2000-03-01t00:00:00.000001z", 951_868_800_000_001),
        ] {
            assert_eq!(text.parse(), Ok(Timestamp::from_micros(micros)), "{text}");
        }
        for text in [
            "",
            "2026",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:00",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00.1234567Z",
            "2026-01-01T00:00:00+1:00",
            "2026-01-01T00:00:00+01:60",
            "2026-01-01T00:00:0\u{e4}Z",
            "+026-01-01T00:00:00Z",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }
}

//! Conversions between [`Timestamp`] and the times of the standard library and of `jiff`.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::base::error::ErrorKind;
use crate::base::time::Timestamp;

/// The error of converting a [`Timestamp`] to a type that cannot represent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimestampRangeError {
    time: Timestamp,
    to: &'static str,
}

impl TimestampRangeError {
    /// Returns [`ErrorKind::Invalid`].
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

impl fmt::Display for TimestampRangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a `{}` cannot represent the time that is {} microseconds from 1970",
            self.to,
            self.time.as_micros()
        )
    }
}

impl std::error::Error for TimestampRangeError {}

/// Rounded down to a microsecond. A time that a `Timestamp` cannot represent becomes the first or the last one that it can.
impl From<SystemTime> for Timestamp {
    #[inline(always)]
    fn from(time: SystemTime) -> Self {
        match time.duration_since(UNIX_EPOCH) {
            // A number of seconds that fits in 32 bits needs no product of 128 bits.
            Ok(since) => match u32::try_from(since.as_secs()) {
                Ok(secs) => Self::from_micros(
                    i64::from(secs) * 1_000_000 + i64::from(since.subsec_micros()),
                ),
                Err(_) => Self::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX)),
            },
            Err(before) => {
                let before = before.duration().as_nanos().div_ceil(1_000);
                Self::from_micros(i64::try_from(before).map_or(i64::MIN, |micros| -micros))
            }
        }
    }
}

/// Exact.
///
/// ```
/// use std::time::SystemTime;
///
/// use ironweave::Timestamp;
///
/// let noon: Timestamp = "2026-02-28T12:00:00Z".parse()?;
/// assert_eq!(Timestamp::from(SystemTime::try_from(noon)?), noon);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
impl TryFrom<Timestamp> for SystemTime {
    type Error = TimestampRangeError;

    fn try_from(time: Timestamp) -> Result<Self, TimestampRangeError> {
        let apart = Duration::from_micros(time.as_micros().unsigned_abs());
        let converted = match time.as_micros() {
            0.. => UNIX_EPOCH.checked_add(apart),
            _ => UNIX_EPOCH.checked_sub(apart),
        };
        converted.ok_or(TimestampRangeError {
            time,
            to: "SystemTime",
        })
    }
}

/// Rounded down to a microsecond.
#[cfg(feature = "jiff")]
#[cfg_attr(docsrs, doc(cfg(feature = "jiff")))]
impl From<jiff::Timestamp> for Timestamp {
    fn from(time: jiff::Timestamp) -> Self {
        // All times of jiff, the years -9999 to 9999, fit. `as_microsecond` rounds toward 1970.
        Self::from_micros((time.as_nanosecond().div_euclid(1_000)) as i64)
    }
}

/// Exact. A `jiff::Timestamp` represents times of the years -9999 to 9999.
///
/// ```
/// use ironweave::Timestamp;
/// use jiff::ToSpan;
///
/// let noon: Timestamp = "2026-02-28T12:00:00Z".parse()?;
/// let meeting = jiff::Timestamp::try_from(noon)?.in_tz("Europe/Berlin")?;
/// let next = meeting.checked_add(1.month())?;
/// // One hour earlier in UTC: summer time begins on March 29, 2026, so it is still winter time on March 28.
/// assert_eq!(Timestamp::from(next.timestamp()).to_string(), "2026-03-28T12:00:00Z");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[cfg(feature = "jiff")]
#[cfg_attr(docsrs, doc(cfg(feature = "jiff")))]
impl TryFrom<Timestamp> for jiff::Timestamp {
    type Error = TimestampRangeError;

    fn try_from(time: Timestamp) -> Result<Self, TimestampRangeError> {
        Self::from_microsecond(time.as_micros()).map_err(|_| TimestampRangeError {
            time,
            to: "jiff::Timestamp",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn system_times_are_rounded_down() {
        let at = |nanos: u64| Timestamp::from(UNIX_EPOCH - Duration::from_nanos(nanos)).as_micros();
        assert_eq!([at(0), at(1), at(1_000), at(1_001)], [0, -1, -1, -2]);
        let after = |nanos: u64| Timestamp::from(UNIX_EPOCH + Duration::from_nanos(nanos));
        assert_eq!(after(1_999), Timestamp::from_micros(1));
    }

    #[test]
    fn system_times_round_trip() {
        for micros in [0, 1, -1, 1_700_000_000_123_456, -1_700_000_000_123_456] {
            let time = Timestamp::from_micros(micros);
            let system = SystemTime::try_from(time).expect("every platform represents it");
            assert_eq!(Timestamp::from(system), time);
        }
        for micros in [i64::MIN, i64::MAX] {
            // A platform that represents it converts it exactly.
            let time = Timestamp::from_micros(micros);
            match SystemTime::try_from(time) {
                Ok(system) => assert_eq!(Timestamp::from(system), time),
                Err(e) => assert!(e.to_string().contains(&micros.to_string()), "{e}"),
            }
        }
    }

    #[cfg(feature = "jiff")]
    #[test]
    fn times_of_jiff_round_trip() {
        for micros in [0, 1, -1, 1_700_000_000_123_456, -62_167_219_200_000_001] {
            let time = Timestamp::from_micros(micros);
            let other = jiff::Timestamp::try_from(time).expect("it is in the range of jiff");
            assert_eq!(Timestamp::from(other), time);
            assert_eq!(other.as_microsecond(), micros);
        }
        for bound in [jiff::Timestamp::MIN, jiff::Timestamp::MAX] {
            let micros = Timestamp::from(bound).as_micros();
            assert_eq!(i128::from(micros), bound.as_nanosecond().div_euclid(1_000));
        }
        let before = jiff::Timestamp::from_nanosecond(-1).expect("it is in the range");
        assert_eq!(Timestamp::from(before), Timestamp::from_micros(-1));
        for micros in [i64::MIN, i64::MAX] {
            let e = jiff::Timestamp::try_from(Timestamp::from_micros(micros)).expect_err("beyond");
            assert_eq!(e.kind(), ErrorKind::Invalid);
            assert!(e.to_string().contains("jiff::Timestamp"), "{e}");
        }
    }
}

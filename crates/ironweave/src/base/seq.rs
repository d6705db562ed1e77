//! Sequence numbers of frames, and ranges of them.

use std::fmt;
use std::ops::{
    Add, AddAssign, Bound, Range, RangeFrom, RangeFull, RangeInclusive, RangeTo, RangeToInclusive,
    Sub,
};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::base::error::ErrorKind;
use crate::base::id::excerpt;

/// The sequence number of a frame in its log. The first frame is 0.
///
/// The difference of two sequence numbers is a number of frames, which can be added to a sequence number and subtracted from
/// it. Functions that accept a sequence number also accept an integer, as in `store.since(3)`. A sequence number prints as
/// an integer, parses from one, and is an integer in serde formats.
///
/// ```
/// use ironweave::Seq;
///
/// let seq: Seq = "42".parse()?;
/// assert_eq!(seq, Seq::new(42));
/// assert_eq!((seq + 1).get(), 43);
/// assert_eq!(seq - Seq::ZERO, 42);
/// assert_eq!(seq.to_string(), "42");
/// # Ok::<(), ironweave::ParseSeqError>(())
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seq(u64);

impl Seq {
    /// The sequence number of the first frame of a log.
    pub const ZERO: Self = Self(0);

    /// The largest sequence number.
    pub const MAX: Self = Self(u64::MAX);

    /// Returns the sequence number with this value.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Returns the value of the sequence number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Returns the sequence number that is `frames` later, or `None` on overflow.
    #[must_use]
    pub const fn checked_add(self, frames: u64) -> Option<Self> {
        match self.0.checked_add(frames) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// Returns the sequence number that is `frames` earlier, or `None` on underflow.
    #[must_use]
    pub const fn checked_sub(self, frames: u64) -> Option<Self> {
        match self.0.checked_sub(frames) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// Returns the sequence number that is `frames` later, or the largest one.
    #[must_use]
    pub const fn saturating_add(self, frames: u64) -> Self {
        Self(self.0.saturating_add(frames))
    }
}

impl Seq {
    /// Returns the number of frames from `first` to this one, or `None` if `first` is later.
    pub(crate) fn frames_since(self, first: Self) -> Option<u64> {
        self.0.checked_sub(first.0)
    }

    /// Returns the sequence numbers from this one up to but not including `end`.
    pub(crate) fn until(self, end: Self) -> impl DoubleEndedIterator<Item = Self> {
        (self.0..end.0).map(Self)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The error of parsing a text that is not a [`Seq`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseSeqError(String);

impl fmt::Display for ParseSeqError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is not a sequence number; write it in decimal digits, as in `42`",
            self.0
        )
    }
}

impl ParseSeqError {
    /// Returns [`ErrorKind::Invalid`].
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

impl std::error::Error for ParseSeqError {}

impl FromStr for Seq {
    type Err = ParseSeqError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.parse().ok().filter(|_| !text.starts_with('+'));
        number.map(Self).ok_or_else(|| ParseSeqError(excerpt(text)))
    }
}

impl From<u64> for Seq {
    fn from(number: u64) -> Self {
        Self(number)
    }
}

impl From<Seq> for u64 {
    fn from(seq: Seq) -> Self {
        seq.0
    }
}

impl PartialEq<u64> for Seq {
    fn eq(&self, number: &u64) -> bool {
        self.0 == *number
    }
}

/// Returns the sequence number that is this many frames later. It overflows as the addition of integers does.
impl Add<u64> for Seq {
    type Output = Self;

    fn add(self, frames: u64) -> Self {
        Self(self.0 + frames)
    }
}

impl AddAssign<u64> for Seq {
    fn add_assign(&mut self, frames: u64) {
        self.0 += frames;
    }
}

/// Returns the number of frames from another sequence number to this one. It overflows as the subtraction of integers
/// does.
impl Sub for Seq {
    type Output = u64;

    fn sub(self, from: Self) -> u64 {
        self.0 - from.0
    }
}

/// Returns the sequence number that is this many frames earlier. It overflows as the subtraction of integers does.
impl Sub<u64> for Seq {
    type Output = Self;

    fn sub(self, frames: u64) -> Self {
        Self(self.0 - frames)
    }
}

/// A range of sequence numbers, which [`Store::tx_range`] accepts: any range of [`Seq`] or of integers.
///
/// [`Store::tx_range`]: crate::Store::tx_range
pub trait SeqRange {
    /// Returns the bounds of the range.
    fn bounds(self) -> (Bound<Seq>, Bound<Seq>);
}

impl SeqRange for RangeFull {
    fn bounds(self) -> (Bound<Seq>, Bound<Seq>) {
        (Bound::Unbounded, Bound::Unbounded)
    }
}

impl<S: Into<Seq>> SeqRange for Range<S> {
    fn bounds(self) -> (Bound<Seq>, Bound<Seq>) {
        (
            Bound::Included(self.start.into()),
            Bound::Excluded(self.end.into()),
        )
    }
}

impl<S: Into<Seq>> SeqRange for RangeInclusive<S> {
    fn bounds(self) -> (Bound<Seq>, Bound<Seq>) {
        let (start, end) = self.into_inner();
        (Bound::Included(start.into()), Bound::Included(end.into()))
    }
}

impl<S: Into<Seq>> SeqRange for RangeFrom<S> {
    fn bounds(self) -> (Bound<Seq>, Bound<Seq>) {
        (Bound::Included(self.start.into()), Bound::Unbounded)
    }
}

impl<S: Into<Seq>> SeqRange for RangeTo<S> {
    fn bounds(self) -> (Bound<Seq>, Bound<Seq>) {
        (Bound::Unbounded, Bound::Excluded(self.end.into()))
    }
}

impl<S: Into<Seq>> SeqRange for RangeToInclusive<S> {
    fn bounds(self) -> (Bound<Seq>, Bound<Seq>) {
        (Bound::Unbounded, Bound::Included(self.end.into()))
    }
}

impl<S: Into<Seq>> SeqRange for (Bound<S>, Bound<S>) {
    fn bounds(self) -> (Bound<Seq>, Bound<Seq>) {
        (self.0.map(Into::into), self.1.map(Into::into))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_prints_and_is_written_as_its_number_and_is_read_from_nothing_else() {
        for number in [0, 23, 24, 65_536, u64::MAX] {
            let seq = Seq::new(number);
            let text = number.to_string();
            assert_eq!((seq.to_string(), format!("{seq:?}")), (text.clone(), text));
            assert_eq!(seq.to_string().parse(), Ok(seq));
            assert_eq!(format!("{seq:020}"), format!("{number:020}"));
            assert_eq!(
                serde_json::to_string(&seq).unwrap(),
                serde_json::to_string(&number).unwrap()
            );
            let (mut bytes, mut plain) = (Vec::new(), Vec::new());
            crate::value::encode(&seq, &mut bytes).unwrap();
            crate::value::encode(&number, &mut plain).unwrap();
            assert_eq!(bytes, plain);
            assert_eq!(crate::value::decode::<Seq>(&bytes).unwrap(), seq);
        }
        for wrong in ["", "-1", "+1", " 1", "0x1", "1.0", "18446744073709551616"] {
            let e = wrong.parse::<Seq>().unwrap_err();
            assert!(
                e.to_string()
                    .contains(&format!("`{wrong}` is not a sequence"))
            );
        }
    }

    #[test]
    fn the_last_sequence_has_none_after_it() {
        assert_eq!(Seq::MAX.checked_add(1), None);
        assert_eq!(Seq::MAX.saturating_add(1), Seq::MAX);
        assert_eq!(Seq::ZERO.checked_sub(1), None);
        assert_eq!(Seq::new(3).checked_add(1), Some(Seq::new(4)));
        assert_eq!(Seq::new(3).checked_sub(1), Some(Seq::new(2)));
    }

    #[test]
    fn a_range_is_of_sequences_or_of_numbers() {
        use Bound::{Excluded, Included, Unbounded};
        let (one, four) = (Seq::new(1), Seq::new(4));
        assert_eq!((1..4).bounds(), (Included(one), Excluded(four)));
        assert_eq!((one..four).bounds(), (1..4).bounds());
        assert_eq!((1..=4).bounds(), (Included(one), Included(four)));
        assert_eq!((1..).bounds(), (Included(one), Unbounded));
        assert_eq!((..4).bounds(), (Unbounded, Excluded(four)));
        assert_eq!((..=4).bounds(), (Unbounded, Included(four)));
        assert_eq!((..).bounds(), (Unbounded, Unbounded));
        assert_eq!(
            (Excluded(1), Included(4)).bounds(),
            (Excluded(one), Included(four))
        );
    }
}

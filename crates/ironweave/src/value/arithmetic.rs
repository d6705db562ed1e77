//! Checked sums and differences, which arcs calculate: `until = meta.time + hold`.

use std::time::Duration;

use crate::base::time::Timestamp;

/// A sum that an arc can calculate: `until = meta.time + hold` or `set(account.balance = account.balance + amount)`.
///
/// Integers, `Duration` and [`Timestamp`] `+ Duration` have it. Implement it for a type of your own, such as an amount of
/// money, and arcs can add its values. It must be a function of the two values alone, because `verify` calculates again.
///
/// ```
/// use ironweave::CheckedAdd;
///
/// #[derive(Clone, Copy, PartialEq, Debug)]
/// struct Cents(i64);
///
/// impl CheckedAdd for Cents {
///     type Output = Self;
///
///     fn checked_sum(&self, other: &Self) -> Option<Self> {
///         self.0.checked_add(other.0).map(Self)
///     }
/// }
///
/// assert_eq!(Cents(2).checked_sum(&Cents(3)), Some(Cents(5)));
/// ```
#[diagnostic::on_unimplemented(
    message = "an arc cannot calculate `{Self} + {Rhs}`",
    label = "no such sum",
    note = "integers, `Duration` and `Timestamp + Duration` can be added, and types for which you implement `ironweave::CheckedAdd`"
)]
pub trait CheckedAdd<Rhs = Self> {
    /// The type of the sum.
    type Output;

    /// Returns the sum, or `None` if it overflows. The event is then rejected.
    fn checked_sum(&self, other: &Rhs) -> Option<Self::Output>;
}

/// A difference that an arc can calculate: `set(item.stock = item.stock - taken)`.
///
/// Integers, `Duration`, [`Timestamp`] `- Duration` and `Timestamp - Timestamp`, which is a `Duration`, have it. See
/// [`CheckedAdd`].
#[diagnostic::on_unimplemented(
    message = "an arc cannot calculate `{Self} - {Rhs}`",
    label = "no such difference",
    note = "integers, `Duration`, `Timestamp - Duration` and `Timestamp - Timestamp` can be subtracted, and types for which you implement \
            `ironweave::CheckedSub`"
)]
pub trait CheckedSub<Rhs = Self> {
    /// The type of the difference.
    type Output;

    /// Returns the difference, or `None` if it overflows, as one below zero does of an unsigned integer. The event is then
    /// rejected.
    fn checked_difference(&self, other: &Rhs) -> Option<Self::Output>;
}

macro_rules! of_integers {
    ($($ty:ty)*) => {$(
        impl CheckedAdd for $ty {
            type Output = Self;

            fn checked_sum(&self, other: &Self) -> Option<Self> {
                self.checked_add(*other)
            }
        }

        impl CheckedSub for $ty {
            type Output = Self;

            fn checked_difference(&self, other: &Self) -> Option<Self> {
                self.checked_sub(*other)
            }
        }
    )*};
}

of_integers! { u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize }

impl CheckedAdd for Duration {
    type Output = Self;

    fn checked_sum(&self, other: &Self) -> Option<Self> {
        self.checked_add(*other)
    }
}

impl CheckedSub for Duration {
    type Output = Self;

    fn checked_difference(&self, other: &Self) -> Option<Self> {
        self.checked_sub(*other)
    }
}

/// The duration is rounded down to a microsecond.
impl CheckedAdd<Duration> for Timestamp {
    type Output = Self;

    fn checked_sum(&self, other: &Duration) -> Option<Self> {
        let micros = u64::try_from(other.as_micros()).ok()?;
        self.as_micros()
            .checked_add_unsigned(micros)
            .map(Self::from_micros)
    }
}

/// The duration is rounded down to a microsecond.
impl CheckedSub<Duration> for Timestamp {
    type Output = Self;

    fn checked_difference(&self, other: &Duration) -> Option<Self> {
        let micros = u64::try_from(other.as_micros()).ok()?;
        self.as_micros()
            .checked_sub_unsigned(micros)
            .map(Self::from_micros)
    }
}

/// `None` if the other time is the later one.
impl CheckedSub for Timestamp {
    type Output = Duration;

    fn checked_difference(&self, other: &Self) -> Option<Duration> {
        (other <= self).then(|| self.duration_since(*other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_none() {
        assert_eq!(200u8.checked_sum(&55), Some(255));
        assert_eq!(200u8.checked_sum(&56), None);
        assert_eq!(1u64.checked_difference(&2), None);
        assert_eq!((-1i8).checked_difference(&127), Some(-128));
        assert_eq!(i64::MIN.checked_difference(&1), None);
        let last = Timestamp::from_micros(i64::MAX);
        assert_eq!(last.checked_sum(&Duration::from_nanos(999)), Some(last));
        assert_eq!(last.checked_sum(&Duration::from_micros(1)), None);
        assert_eq!(last.checked_sum(&Duration::MAX), None);
        let first = Timestamp::from_micros(i64::MIN);
        assert_eq!(first.checked_difference(&Duration::from_micros(1)), None);
        let whole = Duration::from_micros(u64::MAX);
        assert_eq!(first.checked_sum(&whole), Some(last));
        assert_eq!(last.checked_difference(&first), Some(whole));
        assert_eq!(first.checked_difference(&last), None);
        assert_eq!(Duration::MAX.checked_sum(&Duration::from_nanos(1)), None);
        assert_eq!(
            Duration::ZERO.checked_difference(&Duration::from_nanos(1)),
            None
        );
    }
}

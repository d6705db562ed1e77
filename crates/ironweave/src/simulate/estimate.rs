//! What several replications say about a number: its mean with a confidence interval, its spread and its quantiles.

use std::fmt;

/// A number of which each replication has one value.
///
/// The replications are independent, so the confidence interval of the mean is that of Student's t distribution (A. M. Law,
/// *Simulation Modeling and Analysis*, chapter "Output Data Analysis"). Values that are not distributed normally need a number of
/// replications that makes their mean so; a few dozen are usual.
///
/// ```
/// use ironweave::simulate::Estimate;
///
/// let estimate = Estimate::of([2.0, 4.0, 6.0]);
/// assert_eq!((estimate.mean(), estimate.standard_deviation()), (4.0, 2.0));
/// assert_eq!((estimate.min(), estimate.quantile(0.5), estimate.max()), (2.0, 4.0, 6.0));
/// // The quantile of Student's t distribution with two degrees of freedom is 4.303.
/// let (low, high) = estimate.confidence_interval().expect("more than one value");
/// assert!((low - (4.0 - 4.303 * 2.0 / 3f64.sqrt())).abs() < 0.001);
/// assert!((high - (4.0 + 4.303 * 2.0 / 3f64.sqrt())).abs() < 0.001);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Estimate {
    /// In ascending order.
    values: Vec<f64>,
    mean: f64,
    standard_deviation: f64,
}

impl Estimate {
    /// Returns the estimate from some values. Values that are not a number are left out. O(n log n).
    #[must_use]
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().filter(|value| !value.is_nan()).collect();
        values.sort_by(f64::total_cmp);
        // Welford's method, which does not subtract large sums.
        let (mut mean, mut squares) = (0.0, 0.0);
        for (i, value) in values.iter().enumerate() {
            let before = value - mean;
            mean += before / (i + 1) as f64;
            squares += before * (value - mean);
        }
        let standard_deviation = match values.len() {
            0 | 1 => 0.0,
            len => (squares / (len - 1) as f64).sqrt(),
        };
        Self {
            values,
            mean,
            standard_deviation,
        }
    }

    /// Returns the number of values.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Returns whether there are no values.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Returns the values in ascending order.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Returns the mean, or 0 if there are no values.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// Returns the standard deviation of the values (with n - 1), or 0 if there are fewer than two.
    #[must_use]
    pub fn standard_deviation(&self) -> f64 {
        self.standard_deviation
    }

    /// Returns the interval that has the true mean in 95 % of all simulations, or `None` if there are fewer than two values.
    #[must_use]
    pub fn confidence_interval(&self) -> Option<(f64, f64)> {
        let freedom = self.values.len().checked_sub(1).filter(|n| *n > 0)?;
        let error = self.standard_deviation / (self.values.len() as f64).sqrt();
        let half = student_t(freedom) * error;
        Some((self.mean - half, self.mean + half))
    }

    /// Returns the least value, or 0 if there are none.
    #[must_use]
    pub fn min(&self) -> f64 {
        self.values.first().copied().unwrap_or_default()
    }

    /// Returns the greatest value, or 0 if there are none.
    #[must_use]
    pub fn max(&self) -> f64 {
        self.values.last().copied().unwrap_or_default()
    }

    /// Returns the value that a share of the values does not exceed: 0.5 for the median, 0.9 for what nine of ten replications do
    /// not exceed. Between two values it is interpolated linearly (type 7 of R. J. Hyndman and Y. Fan, *Sample Quantiles in Statistical
    /// Packages*, 1996, which is the default of R and of NumPy). A share below 0 is 0, and one above 1 is 1. Returns 0 if there are no
    /// values.
    #[must_use]
    pub fn quantile(&self, share: f64) -> f64 {
        let Some(last) = self.values.len().checked_sub(1) else {
            return 0.0;
        };
        let share = if share.is_nan() {
            0.0
        } else {
            share.clamp(0.0, 1.0)
        };
        let at = share * last as f64;
        let below = at.floor() as usize;
        let (low, high) = (self.values[below], self.values[(below + 1).min(last)]);
        // An infinite value has no interpolation.
        if low == high {
            low
        } else {
            low + (high - low) * at.fract()
        }
    }
}

/// Renders `12.3 ± 0.4`, the mean and half of its confidence interval.
impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.confidence_interval() {
            Some((_, high)) => write!(f, "{:.4} ± {:.4}", self.mean, high - self.mean),
            None => write!(f, "{:.4}", self.mean),
        }
    }
}

/// The quantile 0.975 of the standard normal distribution.
const NORMAL: f64 = 1.959_963_984_540_054;

/// The quantiles 0.975 of Student's t distribution with few degrees of freedom, for which the expansion is not exact enough.
const STUDENT: [f64; 10] = [
    12.706_205, 4.302_653, 3.182_446, 2.776_445, 2.570_582, 2.446_912, 2.364_624, 2.306_004,
    2.262_157, 2.228_139,
];

/// The quantile 0.975 of Student's t distribution: the expansion of Abramowitz and Stegun, 26.7.5.
fn student_t(freedom: usize) -> f64 {
    if let Some(known) = freedom.checked_sub(1).and_then(|i| STUDENT.get(i)) {
        return *known;
    }
    let (x, n) = (NORMAL, freedom as f64);
    let terms = [
        (x.powi(3) + x) / 4.0,
        (5.0 * x.powi(5) + 16.0 * x.powi(3) + 3.0 * x) / 96.0,
        (3.0 * x.powi(7) + 19.0 * x.powi(5) + 17.0 * x.powi(3) - 15.0 * x) / 384.0,
        (79.0 * x.powi(9) + 776.0 * x.powi(7) + 1482.0 * x.powi(5)
            - 1920.0 * x.powi(3)
            - 945.0 * x)
            / 92_160.0,
    ];
    let by_power = terms.iter().zip(1..);
    x + by_power
        .map(|(term, power)| term / n.powi(power))
        .sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_students_t_distribution_are_those_of_the_tables() {
        for (freedom, expected) in [
            (1, 12.706),
            (2, 4.303),
            (10, 2.228),
            (11, 2.201),
            (15, 2.131),
            (30, 2.042),
            (60, 2.000),
            (120, 1.980),
            (1_000_000, 1.960),
        ] {
            let found = student_t(freedom);
            assert!((found - expected).abs() < 0.000_6, "{freedom}: {found}");
        }
    }

    #[test]
    fn strange_values_have_a_defined_result() {
        let none = Estimate::of([]);
        assert_eq!(
            (none.mean(), none.quantile(0.5), none.confidence_interval()),
            (0.0, 0.0, None)
        );
        let one = Estimate::of([3.0, f64::NAN]);
        assert_eq!(
            (
                one.len(),
                one.mean(),
                one.quantile(0.9),
                one.confidence_interval()
            ),
            (1, 3.0, 3.0, None)
        );
        assert_eq!(one.to_string(), "3.0000");
        let two = Estimate::of([0.0, 10.0]);
        for (share, expected) in [
            (-1.0, 0.0),
            (0.0, 0.0),
            (0.25, 2.5),
            (1.0, 10.0),
            (7.0, 10.0),
            (f64::NAN, 0.0),
        ] {
            assert_eq!(two.quantile(share), expected);
        }
        // Far from zero, where the squares of the values have no digits left for their differences.
        let far = Estimate::of([1e9 + 4.0, 1e9 + 7.0, 1e9 + 13.0, 1e9 + 16.0]);
        assert!((far.standard_deviation() - 30f64.sqrt()).abs() < 1e-6);
        let infinite = Estimate::of([1.0, f64::INFINITY, f64::INFINITY]);
        assert_eq!(infinite.quantile(0.9), f64::INFINITY);
    }
}

//! How long an event waits: durations that are constant, drawn from a distribution or taken from the past.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng as _;
use rand_distr::{Distribution as _, Exp1, StandardNormal};

/// How long a binding of an event waits, from when it becomes enabled until it fires.
///
/// | | draws | mean |
/// |---|---|---|
/// | [`constant`](Self::constant), or a [`Duration`] | always the same | |
/// | [`uniform`](Self::uniform) | any duration between two, each equally likely | half of their sum |
/// | [`exponential`](Self::exponential) | the time to an event that may occur at any moment, without memory | given |
/// | [`normal`](Self::normal) | around a mean; a negative duration is drawn again | given, if few would be negative |
/// | [`log_normal`](Self::log_normal) | around a mean, with a long tail, as the durations of tasks are | given |
/// | [`triangular`](Self::triangular) | between two, around a third that is the most likely, as people estimate | a third of their sum |
/// | [`samples`](Self::samples) | one of some durations that were measured | their mean |
/// | [`mixture`](Self::mixture) | from one of several delays, chosen by weights | |
/// | [`never`](Self::never) | the binding does not fire | |
///
/// Durations have a resolution of a nanosecond. A duration of more than 584 years is never.
///
/// An event that follows with some probability is a mixture with `never`. Here a job of ten seconds fails in one of twenty cases,
/// at any time:
///
/// ```
/// use std::time::Duration;
/// use ironweave::simulate::Delay;
///
/// let seconds = Duration::from_secs;
/// let succeeds = Delay::constant(seconds(10));
/// let fails = Delay::mixture([
///     (1.0, Delay::uniform(seconds(0), seconds(10))?),
///     (19.0, Delay::never()),
/// ])?;
/// # let _ = (succeeds, fails);
/// # Ok::<(), ironweave::simulate::InvalidDelay>(())
/// ```
#[derive(Clone, Debug)]
pub struct Delay(Kind);

/// Durations are in nanoseconds.
#[derive(Clone, Debug)]
enum Kind {
    Never,
    Constant(u64),
    Uniform {
        min: u64,
        max: u64,
    },
    Exponential {
        mean: f64,
    },
    Normal {
        mean: f64,
        standard_deviation: f64,
    },
    /// The mean and the standard deviation of the logarithm.
    LogNormal {
        mu: f64,
        sigma: f64,
    },
    Triangular {
        min: f64,
        mode: f64,
        max: f64,
    },
    Samples(Arc<[u64]>),
    /// Each with the sum of the weights up to it.
    Mixture(Arc<[(f64, Delay)]>),
}

/// The error of a delay whose parameters contradict each other.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum InvalidDelay {
    /// The durations of [`Delay::uniform`] or [`Delay::triangular`] are not in order.
    Unordered {
        /// The durations as they were given.
        durations: Vec<Duration>,
    },
    /// The mean of [`Delay::normal`] or [`Delay::log_normal`] is zero although the standard deviation is not.
    ZeroMean {
        /// The standard deviation.
        standard_deviation: Duration,
    },
    /// [`Delay::samples`] has no durations, or [`Delay::mixture`] has no delays.
    Empty,
    /// A weight of [`Delay::mixture`] is negative, infinite or not a number.
    Weight {
        /// The weight.
        weight: f64,
    },
    /// The sum of the weights of [`Delay::mixture`] is zero, or infinite.
    Weights {
        /// The sum.
        sum: f64,
    },
}

impl fmt::Display for InvalidDelay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unordered { durations } => write!(
                f,
                "the durations {durations:?} of a delay are not in order; give the smallest first and the greatest last"
            ),
            Self::ZeroMean { standard_deviation } => write!(
                f,
                "a delay has mean zero and standard deviation {standard_deviation:?}; give a mean that is greater than zero"
            ),
            Self::Empty => {
                f.write_str("a delay has nothing to draw from; give at least one duration")
            }
            Self::Weight { weight } => write!(
                f,
                "{weight} is not a weight; give a finite number that is not negative"
            ),
            Self::Weights { sum } => write!(
                f,
                "the sum of the weights of a mixture is {sum}; at least one weight must be greater than zero, and the sum finite"
            ),
        }
    }
}

impl std::error::Error for InvalidDelay {}

impl From<Duration> for Delay {
    fn from(duration: Duration) -> Self {
        Self::constant(duration)
    }
}

impl Delay {
    /// Returns a delay that is always the same. With a delay of zero, the event fires before any time passes.
    #[must_use]
    pub fn constant(duration: Duration) -> Self {
        Self(nanos(duration).map_or(Kind::Never, Kind::Constant))
    }

    /// Returns a delay after which nothing happens: the binding does not fire.
    #[must_use]
    pub fn never() -> Self {
        Self(Kind::Never)
    }

    /// Returns a delay between two durations, all of which have the same probability.
    ///
    /// # Errors
    /// If `min` is greater than `max`.
    pub fn uniform(min: Duration, max: Duration) -> Result<Self, InvalidDelay> {
        in_order(&[min, max])?;
        let [min, max] = [min, max].map(|duration| nanos(duration).unwrap_or(u64::MAX));
        Ok(Self(Kind::Uniform { min, max }))
    }

    /// Returns a delay with an exponential distribution. A mean of zero is a delay of zero.
    #[must_use]
    pub fn exponential(mean: Duration) -> Self {
        let mean = float(mean);
        Self(Kind::Exponential { mean })
    }

    /// Returns a delay with a normal distribution, truncated at zero: a negative duration is drawn again, so that the mean is
    /// greater than given if that is likely.
    ///
    /// # Errors
    /// If the mean is zero and the standard deviation is not. Half of the durations would be drawn again; give the
    /// [samples](Self::samples) or another distribution.
    pub fn normal(mean: Duration, standard_deviation: Duration) -> Result<Self, InvalidDelay> {
        positive_mean(mean, standard_deviation)?;
        Ok(Self(Kind::Normal {
            mean: float(mean),
            standard_deviation: float(standard_deviation),
        }))
    }

    /// Returns a delay with a log-normal distribution. The mean and the standard deviation are those of the delay, not those of its
    /// logarithm.
    ///
    /// # Errors
    /// If the mean is zero and the standard deviation is not.
    pub fn log_normal(mean: Duration, standard_deviation: Duration) -> Result<Self, InvalidDelay> {
        positive_mean(mean, standard_deviation)?;
        if mean.is_zero() {
            return Ok(Self::constant(mean));
        }
        let (mean, standard_deviation) = (float(mean), float(standard_deviation));
        let variance = (standard_deviation / mean).powi(2).ln_1p();
        Ok(Self(Kind::LogNormal {
            mu: mean.ln() - variance / 2.0,
            sigma: variance.sqrt(),
        }))
    }

    /// Returns a delay between two durations with a triangular distribution, of which `mode` is the most likely duration.
    ///
    /// # Errors
    /// If the durations are not in order.
    pub fn triangular(min: Duration, mode: Duration, max: Duration) -> Result<Self, InvalidDelay> {
        in_order(&[min, mode, max])?;
        let [min, mode, max] = [min, mode, max].map(float);
        Ok(Self(Kind::Triangular { min, mode, max }))
    }

    /// Returns a delay that is one of some durations, each with the same probability: what was measured, without a distribution
    /// that is fitted to it. [`Stays`](super::Stays) finds such durations in the log of a store.
    ///
    /// # Errors
    /// If there are no durations.
    pub fn samples(durations: impl IntoIterator<Item = Duration>) -> Result<Self, InvalidDelay> {
        let durations = durations.into_iter();
        let nanos: Arc<[u64]> = durations
            .map(|duration| nanos(duration).unwrap_or(u64::MAX))
            .collect();
        if nanos.is_empty() {
            return Err(InvalidDelay::Empty);
        }
        Ok(Self(Kind::Samples(nanos)))
    }

    /// Returns a delay that is drawn from one of several delays. One with twice the weight is chosen twice as often.
    ///
    /// # Errors
    /// If there are no delays, if a weight is negative or not finite, or if all weights are zero.
    pub fn mixture(delays: impl IntoIterator<Item = (f64, Self)>) -> Result<Self, InvalidDelay> {
        let mut sum = 0.0;
        let mut cumulated = Vec::new();
        let mut delays = delays.into_iter().peekable();
        if delays.peek().is_none() {
            return Err(InvalidDelay::Empty);
        }
        for (weight, delay) in delays {
            if !(weight.is_finite() && weight >= 0.0) {
                return Err(InvalidDelay::Weight { weight });
            }
            sum += weight;
            if weight > 0.0 {
                cumulated.push((sum, delay));
            }
        }
        match sum.is_finite() && sum > 0.0 {
            true => Ok(Self(Kind::Mixture(cumulated.into()))),
            false => Err(InvalidDelay::Weights { sum }),
        }
    }

    /// Draws a duration in nanoseconds, or `None` if the event never fires.
    pub(super) fn draw(&self, random: &mut ChaCha8Rng) -> Option<u64> {
        let nanos = match &self.0 {
            Kind::Never => return None,
            Kind::Constant(nanos) => return Some(*nanos),
            Kind::Uniform { min, max } => {
                let range = (max - min) as f64;
                return below_max(*min as f64 + unit(random) * range);
            }
            Kind::Exponential { mean } => {
                let drawn: f64 = Exp1.sample(random);
                mean * drawn
            }
            Kind::Normal {
                mean,
                standard_deviation,
            } => loop {
                let drawn: f64 = StandardNormal.sample(random);
                let nanos = mean + standard_deviation * drawn;
                if nanos >= 0.0 {
                    break nanos;
                }
            },
            Kind::LogNormal { mu, sigma } => {
                let drawn: f64 = StandardNormal.sample(random);
                (mu + sigma * drawn).exp()
            }
            Kind::Triangular { min, mode, max } => triangular((*min, *mode, *max), unit(random)),
            Kind::Samples(nanos) => {
                let chosen = (unit(random) * nanos.len() as f64) as usize;
                let nanos = nanos.get(chosen).copied();
                return nanos.filter(|nanos| *nanos < u64::MAX);
            }
            Kind::Mixture(delays) => {
                let sum = delays.last().map_or(0.0, |(sum, _)| *sum);
                let at = unit(random) * sum;
                let chosen = delays.partition_point(|(sum, _)| *sum <= at);
                // A sum that is almost zero is rounded.
                let (_, delay) = delays.get(chosen).or(delays.last())?;
                return delay.draw(random);
            }
        };
        below_max(nanos)
    }
}

/// A number in `0..1`.
pub(super) fn unit(random: &mut ChaCha8Rng) -> f64 {
    // The 53 bits that the mantissa of a number below one has.
    (random.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

/// The inverse of the distribution function of a triangular distribution.
fn triangular((min, mode, max): (f64, f64, f64), at: f64) -> f64 {
    let range = max - min;
    if range == 0.0 {
        return min;
    }
    let left = mode - min;
    if at * range < left {
        min + (at * range * left).sqrt()
    } else {
        max - ((1.0 - at) * range * (max - mode)).sqrt()
    }
}

/// The duration in nanoseconds, or `None` if there are too many.
fn nanos(duration: Duration) -> Option<u64> {
    u64::try_from(duration.as_nanos())
        .ok()
        .filter(|nanos| *nanos < u64::MAX)
}

fn float(duration: Duration) -> f64 {
    duration.as_nanos() as f64
}

/// A number of nanoseconds, or `None` for never.
fn below_max(nanos: f64) -> Option<u64> {
    (nanos < u64::MAX as f64).then(|| nanos.round() as u64)
}

fn in_order(durations: &[Duration]) -> Result<(), InvalidDelay> {
    match durations.is_sorted() {
        true => Ok(()),
        false => Err(InvalidDelay::Unordered {
            durations: durations.to_vec(),
        }),
    }
}

fn positive_mean(mean: Duration, standard_deviation: Duration) -> Result<(), InvalidDelay> {
    match mean.is_zero() && !standard_deviation.is_zero() {
        true => Err(InvalidDelay::ZeroMean { standard_deviation }),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::rand_core::SeedableRng as _;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// The mean and the standard deviation of many draws, in seconds.
    fn moments(delay: &Delay) -> (f64, f64) {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let count = 100_000;
        let draws =
            (0..count).map(|_| delay.draw(&mut random).expect("it is not never") as f64 / 1e9);
        let (sum, squares) = draws.fold((0.0, 0.0), |(sum, squares), x| (sum + x, squares + x * x));
        let mean = sum / f64::from(count);
        (mean, (squares / f64::from(count) - mean * mean).sqrt())
    }

    #[test]
    fn distributions_have_the_moments_of_their_definitions() {
        // The density at zero and the part of a normal distribution with mean 1 and deviation 1 that is not negative.
        let (density, part): (f64, f64) = (0.241_970_724_5, 0.841_344_746_1);
        let truncated = 1.0 + density / part;
        let cases = [
            (Delay::constant(2 * SECOND), 2.0, 0.0),
            (
                Delay::uniform(SECOND, 3 * SECOND).unwrap(),
                2.0,
                (4.0f64 / 12.0).sqrt(),
            ),
            (Delay::exponential(2 * SECOND), 2.0, 2.0),
            (Delay::normal(10 * SECOND, SECOND).unwrap(), 10.0, 1.0),
            (
                Delay::normal(SECOND, SECOND).unwrap(),
                truncated,
                (1.0 - (density / part) * (density / part + 1.0)).sqrt(),
            ),
            (Delay::log_normal(2 * SECOND, 3 * SECOND).unwrap(), 2.0, 3.0),
            (
                Delay::triangular(SECOND, 2 * SECOND, 6 * SECOND).unwrap(),
                3.0,
                ((1.0 + 4.0 + 36.0 - 2.0 - 6.0 - 12.0) / 18.0f64).sqrt(),
            ),
            (Delay::samples([SECOND, 3 * SECOND]).unwrap(), 2.0, 1.0),
            (
                Delay::mixture([
                    (1.0, (4 * SECOND).into()),
                    (3.0, Delay::constant(8 * SECOND)),
                ])
                .unwrap(),
                7.0,
                3.0f64.sqrt(),
            ),
        ];
        for (delay, mean, deviation) in cases {
            let found = moments(&delay);
            // Six standard errors of the mean; the tail of the log-normal distribution needs more for its deviation.
            assert!(
                (found.0 - mean).abs() <= 0.02 * deviation + 1e-9,
                "{delay:?}: {found:?}"
            );
            assert!(
                (found.1 - deviation).abs() <= 0.1 * deviation + 1e-4,
                "{delay:?}: {found:?}"
            );
        }
    }

    #[test]
    fn the_extremes_are_defined() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let all = [
            (Delay::constant(Duration::ZERO), Some(0)),
            (Delay::constant(Duration::MAX), None),
            (Delay::exponential(Duration::ZERO), Some(0)),
            (Delay::exponential(Duration::MAX), None),
            (Delay::uniform(SECOND, SECOND).unwrap(), Some(1_000_000_000)),
            (Delay::uniform(Duration::MAX, Duration::MAX).unwrap(), None),
            (
                Delay::normal(Duration::ZERO, Duration::ZERO).unwrap(),
                Some(0),
            ),
            (
                Delay::log_normal(Duration::ZERO, Duration::ZERO).unwrap(),
                Some(0),
            ),
            (
                Delay::log_normal(SECOND, Duration::ZERO).unwrap(),
                Some(1_000_000_000),
            ),
            (Delay::log_normal(Duration::MAX, SECOND).unwrap(), None),
            (
                Delay::triangular(SECOND, SECOND, SECOND).unwrap(),
                Some(1_000_000_000),
            ),
            (Delay::samples([Duration::MAX]).unwrap(), None),
            (
                Delay::mixture([(5e-324, SECOND.into())]).unwrap(),
                Some(1_000_000_000),
            ),
            (
                Delay::mixture([(0.0, SECOND.into()), (1.0, Delay::never())]).unwrap(),
                None,
            ),
            (Delay::never(), None),
        ];
        for (delay, expected) in all {
            assert_eq!(delay.draw(&mut random), expected, "{delay:?}");
        }
        // The greatest ratio of deviation and mean that there is.
        let wide = Delay::log_normal(Duration::from_nanos(1), Duration::MAX).unwrap();
        for _ in 0..1000 {
            let _ = wide.draw(&mut random);
        }
    }

    #[test]
    fn contradictions_are_refused() {
        let errors = [
            Delay::uniform(SECOND, Duration::ZERO),
            Delay::triangular(Duration::ZERO, 2 * SECOND, SECOND),
            Delay::normal(Duration::ZERO, SECOND),
            Delay::log_normal(Duration::ZERO, SECOND),
            Delay::samples([]),
            Delay::mixture([]),
            Delay::mixture([(0.0, Delay::never())]),
            Delay::mixture([(-1.0, Delay::never())]),
            Delay::mixture([(f64::NAN, Delay::never())]),
            Delay::mixture([(f64::INFINITY, Delay::never())]),
            Delay::mixture([(f64::MAX, Delay::never()), (f64::MAX, Delay::never())]),
        ];
        let texts = errors.map(|result| result.expect_err("a contradiction").to_string());
        for (text, word) in texts.iter().zip([
            "[1s, 0ns]",
            "[0ns, 2s, 1s]",
            "mean zero",
            "mean zero",
            "nothing to draw",
            "nothing to draw",
            "mixture is 0",
            "-1 is not",
            "NaN is not",
            "inf is not",
            "mixture is inf",
        ]) {
            assert!(text.contains(word), "{text}");
        }
    }
}

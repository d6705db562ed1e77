//! The result of a simulation.

use std::fmt;
use std::time::Duration;

use crate::simulate::Simulation;
use crate::simulate::estimate::Estimate;
use crate::simulate::monitor::{Observed, Observer};
use crate::simulate::replication::{End, Replication};
use crate::step::model::Model;

/// What a monitor has found, over all replications.
#[derive(Clone, Debug, PartialEq)]
pub struct Monitored {
    mean: Estimate,
    min: f64,
    max: f64,
}

impl Monitored {
    /// Returns the means of the replications: of a number over time the mean weighted by time, of numbers of events their mean.
    #[must_use]
    pub fn mean(&self) -> &Estimate {
        &self.mean
    }

    /// Returns the least value in any replication.
    #[must_use]
    pub fn min(&self) -> f64 {
        self.min
    }

    /// Returns the greatest value in any replication.
    #[must_use]
    pub fn max(&self) -> f64 {
        self.max
    }
}

/// When a condition held for the first time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FirstTime {
    seconds: Estimate,
    never: usize,
}

impl FirstTime {
    fn of(nanos: impl Iterator<Item = Option<u64>>) -> Self {
        let mut never = 0;
        let mut seconds = Vec::new();
        for nanos in nanos {
            match nanos {
                Some(nanos) => seconds.push(in_seconds(nanos)),
                None => never += 1,
            }
        }
        Self {
            seconds: Estimate::of(seconds),
            never,
        }
    }

    /// Returns the simulated seconds from the beginning of a replication, for those replications in which the condition held.
    #[must_use]
    pub fn seconds(&self) -> &Estimate {
        &self.seconds
    }

    /// Returns the number of replications in which the condition never held. Their times are unknown, so the estimate is too low if
    /// the time was over in them.
    #[must_use]
    pub fn never(&self) -> usize {
        self.never
    }
}

/// The result of [`Simulation::run`].
#[derive(Clone, Debug)]
pub struct Report {
    model: &'static str,
    replications: usize,
    seed: u64,
    ends: [usize; 4],
    seconds: Estimate,
    until: Option<FirstTime>,
    events: Vec<(String, Estimate)>,
    monitors: Vec<(String, Monitored)>,
    firsts: Vec<(String, FirstTime)>,
    fired: u64,
    elapsed: Duration,
}

impl Report {
    pub(super) fn new<M: Model>(
        simulation: &Simulation<M>,
        names: Vec<String>,
        replications: &[Replication],
        elapsed: Duration,
    ) -> Self {
        let mut monitors = Vec::new();
        let mut firsts = Vec::new();
        for (i, (name, observer)) in simulation.observers.iter().enumerate() {
            let observed = replications.iter().map(|one| &one.observed[i]);
            match observer {
                Observer::First(_) => {
                    let nanos = observed.map(|observed| match observed {
                        Observed::First(nanos) => *nanos,
                        _ => None,
                    });
                    firsts.push((name.to_owned(), FirstTime::of(nanos)));
                }
                Observer::Value(_) | Observer::Event(_) => {
                    let numbers = observed.filter_map(|observed| match observed {
                        Observed::Numbers(numbers) => numbers.range(),
                        Observed::First(_) => None,
                    });
                    monitors.push((name.to_owned(), Monitored::of(numbers)));
                }
            }
        }
        let count = |end| replications.iter().filter(|one| one.end == end).count();
        let until = |one: &Replication| (one.end == End::Condition).then_some(one.nanos);
        Self {
            model: M::NAME,
            replications: replications.len(),
            seed: simulation.seed,
            ends: [End::Condition, End::Time, End::Idle, End::Events].map(count),
            seconds: Estimate::of(replications.iter().map(|one| in_seconds(one.nanos))),
            until: (simulation.until.is_some())
                .then(|| FirstTime::of(replications.iter().map(until))),
            events: (names.into_iter().enumerate())
                .map(|(i, name)| {
                    let fired = replications.iter().map(|one| one.fired[i] as f64);
                    (name, Estimate::of(fired))
                })
                .collect(),
            monitors,
            firsts,
            fired: replications.iter().map(|one| one.events).sum(),
            elapsed,
        }
    }

    /// Returns the number of replications.
    #[must_use]
    pub fn replications(&self) -> usize {
        self.replications
    }

    /// Returns the seed of the random numbers.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Returns the simulated seconds of a replication, until it ended for whatever reason.
    #[must_use]
    pub fn seconds(&self) -> &Estimate {
        &self.seconds
    }

    /// Returns when the condition of [`Simulation::until`] held, or `None` if there is none.
    #[must_use]
    pub fn until(&self) -> Option<&FirstTime> {
        self.until.as_ref()
    }

    /// Returns the number of replications that ended because their time was over.
    #[must_use]
    pub fn out_of_time(&self) -> usize {
        self.ends[1]
    }

    /// Returns the number of replications that ended because nothing could fire any more, before the condition held or the time was
    /// over. In a model that should go on, that is a deadlock.
    #[must_use]
    pub fn idle(&self) -> usize {
        self.ends[2]
    }

    /// Returns the number of replications that ended by [`Simulation::events_max`]. Their means are of another time than those of
    /// the others.
    #[must_use]
    pub fn out_of_events(&self) -> usize {
        self.ends[3]
    }

    /// Returns how often an event fired in a replication, after the warm-up. `None` if it does not occur in the simulation.
    #[must_use]
    pub fn event(&self, name: &str) -> Option<&Estimate> {
        named(&self.events, name)
    }

    /// Returns what a [monitor](Simulation::monitor) or [observer](Simulation::observe) has found. `None` if none has this name.
    #[must_use]
    pub fn monitor(&self, name: &str) -> Option<&Monitored> {
        named(&self.monitors, name)
    }

    /// Returns when a [condition](Simulation::first) held for the first time. `None` if none has this name.
    #[must_use]
    pub fn first(&self, name: &str) -> Option<&FirstTime> {
        named(&self.firsts, name)
    }

    /// Returns how many events fired in all replications.
    #[must_use]
    pub fn fired(&self) -> u64 {
        self.fired
    }
}

impl Monitored {
    /// From the mean, the least and the greatest value of each replication.
    fn of(numbers: impl Iterator<Item = [f64; 3]>) -> Self {
        let numbers: Vec<[f64; 3]> = numbers.collect();
        let all = |i: usize| numbers.iter().map(move |number| number[i]);
        Self {
            mean: Estimate::of(all(0)),
            min: all(1).reduce(f64::min).unwrap_or_default(),
            max: all(2).reduce(f64::max).unwrap_or_default(),
        }
    }
}

fn named<'t, T>(all: &'t [(String, T)], name: &str) -> Option<&'t T> {
    all.iter()
        .find(|(of, _)| of == name)
        .map(|(_, value)| value)
}

fn in_seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}

/// A line of the table: a name, the mean with its confidence interval, the standard deviation, and the columns of `more`.
fn line(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    estimate: &Estimate,
    more: [f64; 4],
) -> fmt::Result {
    let interval = match estimate.confidence_interval() {
        Some((low, high)) => format!("{} .. {}", short(low), short(high)),
        None => String::new(),
    };
    let [a, b, c, d] = more.map(short);
    let (mean, deviation) = (short(estimate.mean()), short(estimate.standard_deviation()));
    writeln!(
        f,
        "  {name:<28} {mean:>10}  {interval:<24} {deviation:>10} {a:>10} {b:>10} {c:>10} {d:>10}"
    )
}

/// A number with about five digits.
fn short(number: f64) -> String {
    match number.abs() {
        size if size >= 1e7 || size != 0.0 && size < 1e-3 => format!("{number:.3e}"),
        size if size >= 1000.0 => format!("{number:.0}"),
        size if size >= 100.0 => format!("{number:.1}"),
        size if size >= 10.0 => format!("{number:.2}"),
        _ => format!("{number:.3}"),
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}: {} replication{}, seed {}, {} events in {:.2} s",
            self.model,
            self.replications,
            if self.replications == 1 { "" } else { "s" },
            self.seed,
            self.fired,
            self.elapsed.as_secs_f64()
        )?;
        let [by_condition, by_time, idle, by_events] = self.ends;
        for (count, why) in [
            (by_condition, "ended as the condition held"),
            (by_time, "ended as the time was over"),
            (idle, "ended as nothing could fire any more"),
            (by_events, "ended by the limit of events"),
        ] {
            if count > 0 {
                writeln!(f, "  {count} {why}")?;
            }
        }
        writeln!(
            f,
            "  {:<28} {:>10}  {:<24} {:>10} {:>10} {:>10} {:>10} {:>10}",
            "", "mean", "95 % confidence", "deviation", "min", "median", "90 %", "max"
        )?;
        let spread = |of: &Estimate| [of.min(), of.quantile(0.5), of.quantile(0.9), of.max()];
        line(f, "simulated seconds", &self.seconds, spread(&self.seconds))?;
        for (name, first) in &self.firsts {
            line(
                f,
                &format!("{name} (s)"),
                &first.seconds,
                spread(&first.seconds),
            )?;
            if first.never > 0 {
                writeln!(f, "  {:<28} never in {} replications", "", first.never)?;
            }
        }
        for (name, monitored) in &self.monitors {
            let of = &monitored.mean;
            let spread = [
                monitored.min,
                of.quantile(0.5),
                of.quantile(0.9),
                monitored.max,
            ];
            line(f, name, of, spread)?;
        }
        for (name, fired) in &self.events {
            line(f, &format!("{name} fired"), fired, spread(fired))?;
        }
        Ok(())
    }
}

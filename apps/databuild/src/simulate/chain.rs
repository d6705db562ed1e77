//! The longest chain: the runs that a wanted partition waited for, one after the other.

use std::collections::BTreeMap;
use std::time::Duration;

use ironweave::simulate::Fired;

use crate::model::build::{self, AnyEvent, JobRun};

/// A run from its beginning to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interval {
    /// The partition.
    pub name: String,
    pub begin: Duration,
    pub end: Duration,
    /// Whether it made the partition live.
    pub is_success: bool,
}

/// The runs of all replications.
#[derive(Debug, Default)]
pub struct Intervals {
    began: BTreeMap<(usize, JobRun), Duration>,
    /// By replication, in the order of their ends.
    ended: BTreeMap<usize, Vec<Interval>>,
}

impl Intervals {
    /// Adds what an event says.
    pub fn see(&mut self, fired: &Fired<'_, build::Model>) {
        let (run, is_success) = match fired.event {
            AnyEvent::JobStarted(event) => {
                let began = (fired.replication, event.run.any());
                self.began.insert(began, fired.elapsed);
                return;
            }
            AnyEvent::JobSucceeded(event) => (event.run.any(), true),
            AnyEvent::DepMissed(event) => (event.run.any(), false),
            _ => return,
        };
        // A run that was running already began before.
        let begin = self
            .began
            .remove(&(fired.replication, run))
            .unwrap_or_default();
        self.ended
            .entry(fired.replication)
            .or_default()
            .push(Interval {
                name: run.label(fired.store).to_owned(),
                begin,
                end: fired.elapsed,
                is_success,
            });
    }

    /// The runs of each replication.
    fn replications(&self) -> impl Iterator<Item = &[Interval]> {
        self.ended.values().map(Vec::as_slice)
    }

    /// The number of runs.
    fn len(&self) -> usize {
        self.ended.values().map(Vec::len).sum()
    }
}

/// The longest chains of all replications.
#[derive(Debug, Default)]
pub struct Chains {
    /// That of the replication whose end is the median.
    pub typical: Vec<Interval>,
    /// The partitions that are on the chains, each with its share of the time, greatest first.
    pub shares: Vec<(String, f64)>,
    /// The number of runs in a replication.
    pub runs: f64,
}

impl Chains {
    /// Finds the chain to the last of the wanted partitions in each replication.
    pub fn of(intervals: &Intervals, refs: &[String]) -> Self {
        let mut chains: Vec<Vec<Interval>> = (intervals.replications())
            .map(|runs| chain(runs, refs))
            .filter(|chain| !chain.is_empty())
            .collect();
        let mut times: BTreeMap<&str, Duration> = BTreeMap::new();
        let mut all = Duration::ZERO;
        for interval in chains.iter().flatten() {
            let took = interval.end - interval.begin;
            *times.entry(&interval.name).or_default() += took;
            all += took;
        }
        let share = |took: Duration| took.as_secs_f64() / all.as_secs_f64().max(f64::MIN_POSITIVE);
        let mut shares: Vec<(String, f64)> = (times.into_iter())
            .map(|(name, took)| (name.to_owned(), share(took)))
            .collect();
        shares.sort_by(|a, b| b.1.total_cmp(&a.1));
        let replications = intervals.ended.len().max(1);
        chains.sort_by_key(|chain| chain.last().map(|last| last.end));
        let median = chains.len() / 2;
        Self {
            typical: chains.into_iter().nth(median).unwrap_or_default(),
            shares,
            runs: intervals.len() as f64 / replications as f64,
        }
    }
}

/// The runs that the last wanted partition waited for. Each begins when the one before it ends: that made a partition which it needs,
/// discovered it, or made room for it.
fn chain(runs: &[Interval], refs: &[String]) -> Vec<Interval> {
    let is_wanted = |run: &&Interval| run.is_success && refs.contains(&run.name);
    let mut chain: Vec<Interval> = Vec::new();
    let mut next = runs.iter().rposition(|run| is_wanted(&run));
    while let Some(at) = next {
        let run = &runs[at];
        chain.push(run.clone());
        // Of those that ended at the same time, the last one, whose end enabled it.
        let ended = |before: &Interval| !run.begin.is_zero() && before.end == run.begin;
        next = runs[..at].iter().rposition(ended);
    }
    chain.reverse();
    chain
}

//! What the log says of the runs of the past: how long they took, and what they needed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ironweave::prelude::*;
use ironweave::simulate::{Delay, Stay, Stays};
use ironweave::{ReadError, Seq, StoreReader};

use crate::jobs::Jobs;
use crate::model::build::state::{DepMiss, Failed, Running, Succeeded};
use crate::model::build::{DepMissed, JobRun, JobSucceeded, Model};

/// How a run ends, if it does not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It builds its partition.
    Succeeded,
    /// It misses partitions.
    Missed,
}

/// The past runs that say how long a run takes: the first of these that there are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Basis {
    /// Those for the same partition.
    Own(String),
    /// Those of the same job, by its index.
    Job(usize),
    All,
}

/// How long some runs took.
struct Times {
    durations: Vec<Duration>,
    /// Their median.
    typical: Duration,
    delay: Delay,
}

/// Where the duration of a run is known from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KnownFrom {
    /// From this number of runs for the same partition.
    Own(usize),
    /// From runs for the same partition or of the same job that missed partitions, since none has built one.
    Asking,
    /// From runs of the same job for other partitions.
    Job,
    /// From runs of all jobs.
    All,
}

/// What the runs for a partition need.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// The partitions that they missed, in the order in which they asked for them, and then all others that the last successful run
    /// read. A run misses the first of these groups in which one is not live.
    pub groups: Vec<Vec<String>>,
    /// Whether a run has succeeded, so that all of them are known.
    pub is_known: bool,
}

/// The past of a store.
pub struct Past {
    times: BTreeMap<(Outcome, Basis), Times>,
    needs: BTreeMap<String, Needs>,
    /// The number of runs that failed, and of those that failed, succeeded or missed partitions.
    pub failed: (usize, usize),
    /// Since when runs are running.
    pub running: Vec<(JobRun, Timestamp)>,
}

/// The outcome of a run that had one.
fn outcome(stay: &Stay<JobRun>) -> Option<Outcome> {
    match () {
        () if stay.is_ended_by::<JobSucceeded>() => Some(Outcome::Succeeded),
        () if stay.is_ended_by::<DepMissed>() => Some(Outcome::Missed),
        () => None,
    }
}

impl Past {
    /// Reads the log up to a graph and its last step, and from the graph what the runs needed.
    pub fn read(
        reader: &StoreReader<Model>,
        (store, last): (&impl Db, Option<Seq>),
        jobs: Option<&Jobs>,
    ) -> Result<Self, ReadError> {
        let records = crate::past::records(reader)?;
        // The log may grow meanwhile.
        let records = records.take_while(|record| match record {
            Ok(record) => Some(record.seq()) <= last,
            Err(_) => true,
        });
        let stays = Stays::<JobRun, Running>::of(records)?;
        let mut durations: BTreeMap<(Outcome, Basis), Vec<Duration>> = BTreeMap::new();
        for stay in stays.ended() {
            let Some(outcome) = outcome(stay) else {
                continue;
            };
            let name = stay.entity.label(store);
            let job = jobs.and_then(|jobs| jobs.index_for(name).ok());
            let bases = [
                Some(Basis::Own(name.to_owned())),
                job.map(Basis::Job),
                Some(Basis::All),
            ];
            for basis in bases.into_iter().flatten() {
                let of = durations.entry((outcome, basis)).or_default();
                of.push(stay.duration());
            }
        }
        let times = durations.into_iter().filter_map(|(of, durations)| {
            let delay = Delay::samples(durations.iter().copied()).ok()?;
            let typical = median(&durations)?;
            let times = Times {
                durations,
                typical,
                delay,
            };
            Some((of, times))
        });
        let ended = store.count::<JobRun, Succeeded>() + store.count::<JobRun, DepMiss>();
        let failed = store.count::<JobRun, Failed>();
        Ok(Self {
            times: times.collect(),
            needs: needs(store),
            failed: (failed, failed + ended),
            running: stays.open().to_vec(),
        })
    }

    /// Returns whether nothing is known of any run.
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// What the runs for a partition need, as far as it is known.
    pub fn needs(&self, name: &str) -> Option<&Needs> {
        self.needs.get(name)
    }

    /// The times of a run, and where they are from.
    fn times(
        &self,
        name: &str,
        outcome: Outcome,
        jobs: Option<&Jobs>,
    ) -> Option<(KnownFrom, &Times)> {
        let wanted = outcome;
        let other = match outcome {
            Outcome::Succeeded => Outcome::Missed,
            Outcome::Missed => Outcome::Succeeded,
        };
        let job = || jobs.and_then(|jobs| jobs.index_for(name).ok());
        let find = |outcome, basis| self.times.get(&(outcome, basis));
        for outcome in [outcome, other] {
            let is_known = |from| match outcome == wanted {
                true => from,
                false => KnownFrom::Asking,
            };
            if let Some(times) = find(outcome, Basis::Own(name.to_owned())) {
                return Some((is_known(KnownFrom::Own(times.durations.len())), times));
            }
            if let Some(times) = job().and_then(|job| find(outcome, Basis::Job(job))) {
                return Some((is_known(KnownFrom::Job), times));
            }
        }
        let all = find(outcome, Basis::All).or_else(|| find(other, Basis::All));
        all.map(|times| (KnownFrom::All, times))
    }

    /// How long a run takes that has not begun.
    pub fn delay(&self, name: &str, outcome: Outcome, jobs: Option<&Jobs>) -> Delay {
        let times = self.times(name, outcome, jobs);
        times.map_or_else(Delay::never, |(_, times)| times.delay.clone())
    }

    /// The median of how long a run takes, and where that is known from.
    pub fn typical(
        &self,
        name: &str,
        outcome: Outcome,
        jobs: Option<&Jobs>,
    ) -> Option<(KnownFrom, Duration)> {
        let (from, times) = self.times(name, outcome, jobs)?;
        Some((from, times.typical))
    }

    /// How long a run takes from now on that began some time ago: what is left of the durations that are longer. If it has taken
    /// longer than all of them, it ends now.
    pub fn rest(
        &self,
        name: &str,
        outcome: Outcome,
        jobs: Option<&Jobs>,
        passed: Duration,
    ) -> Delay {
        let longer = self.longer(name, outcome, jobs, passed);
        Delay::samples(longer).unwrap_or_else(|_| Duration::ZERO.into())
    }

    /// Whether a run has taken longer than all that say how long it takes.
    pub fn is_late(
        &self,
        name: &str,
        outcome: Outcome,
        jobs: Option<&Jobs>,
        passed: Duration,
    ) -> bool {
        self.longer(name, outcome, jobs, passed).next().is_none()
    }

    /// By how much each duration is longer than the time that has passed, among those that are.
    fn longer(
        &self,
        name: &str,
        outcome: Outcome,
        jobs: Option<&Jobs>,
        passed: Duration,
    ) -> impl Iterator<Item = Duration> {
        let times = self.times(name, outcome, jobs);
        let durations = times.map_or(&[][..], |(_, times)| &times.durations);
        (durations.iter()).filter_map(move |duration| duration.checked_sub(passed))
    }

    /// Where the duration of a successful run is known from.
    pub fn known_from(&self, name: &str, jobs: Option<&Jobs>) -> Option<KnownFrom> {
        self.times(name, Outcome::Succeeded, jobs)
            .map(|(from, _)| from)
    }
}

/// The middle one of some durations. Of an even number, the smaller one of the two in the middle.
fn median(durations: &[Duration]) -> Option<Duration> {
    let mut sorted = durations.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len().checked_sub(1)? / 2).copied()
}

/// What the runs for each partition need.
fn needs(store: &impl Db) -> BTreeMap<String, Needs> {
    let mut needs: BTreeMap<String, Needs> = BTreeMap::new();
    let mut reads: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut runs: Vec<JobRun> = store.place::<JobRun, Any>().collect();
    // In the order in which they were queued: no run is deleted.
    runs.sort_by_key(|run| run.id());
    for run in runs {
        let name = run.label(store);
        if run.is::<DepMiss>(store) {
            let missed = run.asks(store).flat_map(|want| want.partitions(store));
            let missed = missed.map(|reference| reference.name(store).to_owned());
            let of = needs.entry(name.to_owned()).or_default();
            of.groups.push(missed.collect());
        } else if run.is::<Succeeded>(store) {
            let read = run
                .reads(store)
                .map(|partition| partition.of(store).name(store));
            reads.insert(name, read.collect());
        }
    }
    // What the last successful run did not read is not needed any more.
    for (name, reads) in reads {
        let of = needs.entry(name.to_owned()).or_default();
        of.is_known = true;
        of.groups
            .push(reads.iter().map(|read| (*read).to_owned()).collect());
        let reads: BTreeSet<&str> = reads.into_iter().collect();
        of.groups
            .iter_mut()
            .for_each(|group| group.retain(|name| reads.contains(&**name)));
    }
    for of in needs.values_mut() {
        let mut seen = BTreeSet::new();
        of.groups
            .iter_mut()
            .for_each(|group| group.retain(|name| seen.insert(name.clone())));
        of.groups.retain(|group| !group.is_empty());
    }
    needs
}

//! The engine without processes: what it would do for wants, on a copy of the graph, with a clock that jumps from the end of one run to the
//! next.
//!
//! What can start and in which order, what is next for a stale partition and what a declaration requires are decided by the functions that
//! the [engine](crate::engine) calls. A run takes as long as the median of the past ones and needs what they needed, as
//! [`simulate`](crate::simulate) reads them from the log. No run fails that can be run, and no content comes out the same, so that a partition that is checked is built.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use anyhow::Result;
use ironweave::Seq;
use ironweave::prelude::*;

use crate::engine::BuildStore;
use crate::jobs::Jobs;
use crate::model::build::state::{Live, Queued, Stale, Tainted};
use crate::model::build::{
    CheckBegun, CheckOfTaintedBegun, ContentKept, DepMissed, InputsNeeded, JobFailed, JobQueued,
    JobRun, JobStarted, JobSucceeded, Partition, PartitionReplaced,
};
use crate::queue::{Turn, Turns, can_start, order};
use crate::rules::{current, is_open, name};
use crate::simulate::past::{KnownFrom, Outcome, Past};
use crate::stale::{Next, next};
use crate::verdict::rejected;

/// What happened to a partition.
#[derive(Debug, Default)]
pub struct Trace {
    /// The runs that only asked for partitions.
    pub asked: Vec<(Duration, Duration)>,
    /// When the run that builds it began and ended, if it was built.
    pub built: Option<(Duration, Duration)>,
    /// The number of runs that began before its last one.
    pub order: usize,
    /// Where the duration of that run is known from; none if no run has ended in the past.
    pub known_from: Option<KnownFrom>,
    /// Whether that run was going on at the beginning.
    pub is_running: bool,
    /// Whether it was found live again without a run.
    pub is_kept: bool,
    /// Why its run fails, if that is known.
    pub fails: Option<String>,
    /// What it waited for.
    pub needs: BTreeSet<String>,
}

/// A run that goes on.
struct Going {
    run: JobRun,
    name: String,
    began: Duration,
    pool: Option<usize>,
    /// What it misses, if it does.
    misses: Vec<String>,
}

/// The state of a rehearsal.
pub struct Rehearsal<'a> {
    /// The graph, which changes.
    pub store: BuildStore,
    /// By the name of the partition.
    pub traces: BTreeMap<String, Trace>,
    jobs: Option<&'a Jobs>,
    past: &'a Past,
    jobs_max: usize,
    now: Duration,
    /// By the time of their end, and their number.
    going: BTreeMap<(Duration, usize), Going>,
    begun: usize,
    /// How much room each pool has.
    pools: Vec<usize>,
    ready: VecDeque<Turn>,
    turns: Turns,
    /// The step after which they were ordered.
    ordered: Option<Seq>,
}

impl<'a> Rehearsal<'a> {
    /// A rehearsal on a store in memory.
    pub fn new(store: BuildStore, jobs: Option<&'a Jobs>, past: &'a Past, jobs_max: usize) -> Self {
        Self {
            store,
            traces: BTreeMap::new(),
            jobs,
            past,
            jobs_max: jobs_max.max(1),
            now: Duration::ZERO,
            going: BTreeMap::new(),
            begun: 0,
            pools: jobs.map_or_else(Vec::new, |jobs| jobs.pools().to_vec()),
            ready: VecDeque::new(),
            turns: Turns::default(),
            ordered: None,
        }
    }

    /// Goes on with a run that began some time ago.
    pub fn go_on(&mut self, run: JobRun, passed: Duration) {
        let name = run.label(&self.store).to_owned();
        self.begin(run, name.clone(), passed);
        self.traces.entry(name).or_default().is_running = true;
    }

    /// Works until nothing more can be done.
    ///
    /// # Errors
    /// If the model rejects what the engine would do, which is a bug.
    pub fn work(&mut self) -> Result<()> {
        loop {
            while self.start_some()? {}
            let Some(((now, _), going)) = self.going.pop_first() else {
                return Ok(());
            };
            self.now = now;
            self.end(going)?;
        }
    }

    /// Starts as many as there is room for. Returns whether it started one.
    fn start_some(&mut self) -> Result<bool> {
        let mut is_any = false;
        let mut full = Vec::new();
        while self.going.len() < self.jobs_max {
            let Some(turn) = self.ready.pop_front() else {
                // Others may have become ready.
                if self.ordered == self.store.seq() && self.ordered.is_some() {
                    break;
                }
                let db = &self.store;
                let ready = order(db, &mut self.turns, |want| is_open(want, db));
                self.ordered = db.seq();
                self.ready = ready.into();
                full.clear();
                if self.ready.is_empty() {
                    break;
                }
                continue;
            };
            if !can_start(turn.partition, &self.store) {
                continue;
            }
            let pool = self.pool(name(turn.partition, &self.store));
            if pool.is_some_and(|pool| self.pools.get(pool) == Some(&0)) {
                full.push(turn);
                continue;
            }
            self.turns.start(turn);
            self.start(turn.partition)?;
            is_any = true;
        }
        for turn in full.into_iter().rev() {
            self.ready.push_front(turn);
        }
        Ok(is_any)
    }

    fn pool(&self, name: &str) -> Option<usize> {
        let jobs = self.jobs.filter(|jobs| !jobs.pools().is_empty())?;
        jobs.job_for(name).ok()?.pool
    }

    /// Why no job makes a partition.
    fn refusal(&self, name: &str) -> Option<String> {
        let jobs = self.jobs?;
        Some(format!("{:#}", jobs.job_for(name).err()?))
    }

    fn is_live(&self, name: &str) -> bool {
        current(name, &self.store).is_some_and(|p| p.is::<Live>(&self.store))
    }

    fn trace(&mut self, name: &str) -> &mut Trace {
        if !self.traces.contains_key(name) {
            self.traces.insert(name.to_owned(), Trace::default());
        }
        self.traces.entry(name.to_owned()).or_default()
    }

    /// What the engine does with a partition that can start.
    fn start(&mut self, partition: Partition) -> Result<()> {
        let db = &self.store;
        let name = name(partition, db).to_owned();
        let mut partition = partition;
        let is_tainted = partition.is::<Tainted>(db);
        if partition.is::<Stale>(db) || is_tainted {
            let is_made = |p: Partition| self.refusal(crate::rules::name(p, db)).is_none();
            match next(partition, db, &is_made, &|_| true) {
                Next::Keep(inputs) => {
                    self.store.try_step(ContentKept { partition, inputs })?;
                    self.trace(&name).is_kept = true;
                    return Ok(());
                }
                Next::Check(inputs) => {
                    let names: Vec<String> =
                        inputs.iter().map(|of| of.name(db).to_owned()).collect();
                    self.trace(&name).needs.extend(names);
                    match is_tainted {
                        true => drop(
                            self.store
                                .try_step(CheckOfTaintedBegun { partition, inputs })?,
                        ),
                        false => drop(self.store.try_step(CheckBegun { partition, inputs })?),
                    }
                    return Ok(());
                }
                Next::Build => {
                    let replaced = self.store.try_step(PartitionReplaced { partition })?;
                    partition = replaced.created.next;
                }
            }
        }
        let job = self.jobs.and_then(|jobs| jobs.job_for(&name).ok());
        let mut missed = job.map(|job| job.inputs(&name)).unwrap_or_default();
        missed.retain(|name| !self.is_live(name));
        let mut fails = self.refusal(&name);
        if !missed.is_empty() {
            self.trace(&name).needs.extend(missed.iter().cloned());
            fails = match missed.contains(&name) {
                true => Some("its job declares it as its own input".to_owned()),
                false => missed.iter().find_map(|name| self.refusal(name)),
            };
            if fails.is_none() {
                let missed = missed.into_iter().map(Ensure::from).collect();
                match self.store.try_step(InputsNeeded { partition, missed }) {
                    Ok(_) => return Ok(()),
                    Err(e @ StepError::Cycle { .. }) => fails = Some(rejected(&self.store, &e)),
                    Err(e) => return Err(e.into()),
                }
            }
        }
        let queued = JobQueued {
            label: name.clone(),
            attempt: 1,
            version: String::new(),
            partitions: vec![partition],
            wants: partition.awaited_by(&self.store).collect(),
        };
        let run = self.store.try_step(queued)?.created.run;
        match fails {
            Some(why) => self.fail(run, &name, why),
            None => {
                if let Some(queued) = run.in_state::<Queued>(&self.store) {
                    let event = JobStarted {
                        run: queued,
                        pid: 0,
                    };
                    self.store.try_step(event)?;
                }
                self.begin(run, name, Duration::ZERO);
                Ok(())
            }
        }
    }

    /// Begins a run, which may have gone on for some time before.
    fn begin(&mut self, run: JobRun, name: String, passed: Duration) {
        let asked = self.traces.get(&name).map_or(0, |trace| trace.asked.len());
        let groups = self
            .past
            .needs(&name)
            .map_or(&[][..], |needs| &needs.groups);
        // It misses each group once at most, even if the past runs contradict each other.
        let misses = match asked < groups.len() {
            true => groups
                .iter()
                .find(|group| !group.iter().all(|name| self.is_live(name))),
            false => None,
        };
        let misses = misses.cloned().unwrap_or_default();
        let outcome = match misses.is_empty() {
            true => Outcome::Succeeded,
            false => Outcome::Missed,
        };
        let typical = self.past.typical(&name, outcome, self.jobs);
        let took = typical.map_or(Duration::ZERO, |(_, took)| took);
        if misses.is_empty() {
            self.trace(&name).known_from = typical.map(|(from, _)| from);
        }
        self.trace(&name).order = self.begun;
        let pool = self.pool(&name);
        if let Some(room) = pool.and_then(|pool| self.pools.get_mut(pool)) {
            *room = room.saturating_sub(1);
        }
        let going = Going {
            run,
            name,
            began: self.now,
            pool,
            misses,
        };
        self.begun += 1;
        let ends = self.now + took.saturating_sub(passed);
        self.going.insert((ends, self.begun), going);
    }

    /// Records the end of a run.
    fn end(&mut self, going: Going) -> Result<()> {
        let Going {
            run,
            name,
            began,
            pool,
            misses,
        } = going;
        if let Some(room) = pool.and_then(|pool| self.pools.get_mut(pool)) {
            *room += 1;
        }
        let times = (began, self.now);
        let Some(running) = run.in_state(&self.store) else {
            // It was ended by what happened meanwhile.
            return Ok(());
        };
        if misses.is_empty() {
            self.trace(&name).built = Some(times);
            self.store.try_step(JobSucceeded {
                run: running,
                digest: String::new(),
                reads: Vec::new(),
                inputs: Vec::new(),
                content: String::new(),
                expires: None,
            })?;
            return Ok(());
        }
        let refusal = misses.iter().find_map(|name| self.refusal(name));
        let trace = self.trace(&name);
        trace.asked.push(times);
        trace.needs.extend(misses.iter().cloned());
        if let Some(why) = refusal {
            return self.fail(run, &name, why);
        }
        let missed = misses.into_iter().map(Ensure::from).collect();
        let event = DepMissed {
            run: running,
            missed,
            reads: Vec::new(),
            inputs: Vec::new(),
        };
        match self.store.try_step(event) {
            Ok(_) => Ok(()),
            Err(e @ StepError::Cycle { .. }) => {
                let why = rejected(&self.store, &e);
                self.fail(run, &name, why)
            }
            Err(e) => Err(e.into()),
        }
    }

    fn fail(&mut self, run: JobRun, name: &str, why: String) -> Result<()> {
        self.trace(name).fails = Some(why.clone());
        self.store.try_step(JobFailed {
            run,
            exit: 1,
            reason: why,
            digest: None,
            again: false,
            inputs: Vec::new(),
        })?;
        Ok(())
    }
}

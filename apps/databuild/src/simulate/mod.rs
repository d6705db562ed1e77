//! `databuild simulate`: when wanted partitions will be ready, from the durations in the log.
//!
//! The model of databuild is [simulated](ironweave::simulate) from the present state of the store, under the rules by which the
//! [engine](crate::engine) queues runs. No run fails, nothing becomes stale, and no content comes out the same. A run takes as long as the runs of the past did, and
//! needs what they needed (`past.rs`). Nothing is started and nothing is written.
//!
//! A run that is simulated has the number of what it will miss for the id of its process: 0 if it succeeds, and otherwise the
//! number of the group of partitions, from 1. It is decided when the run begins.

mod assumptions;
mod chain;
pub(crate) mod past;
mod print;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use ironweave::prelude::*;
use ironweave::simulate::{Delay, Report, Simulation};

use crate::apart::Parents;
use crate::demo;
use crate::dirs::Dirs;
use crate::engine::BuildStore;
use crate::jobs::{Jobs, check_name};
use crate::model::build::state::{
    Backoff, Failed, Live, Missing, Queued, Running, Stale, Tainted, UpForRetry,
};
use crate::model::build::{
    self, AttemptFailed, BackoffEnded, CheckBegun, CheckOfTaintedBegun, ContentKept, DepMissed,
    InputsNeeded, JobFailed, JobQueued, JobRun, JobStarted, JobSucceeded, Partition,
    PartitionReplaced, PartitionsTainted, RunCanceled, RunLost, SourcesChanged, WantCanceled,
    WantCreated,
};
use crate::rules::{current, name, open_wants, to_build};
use crate::simulate::assumptions::Assumptions;
use crate::simulate::chain::{Chains, Intervals};
use crate::simulate::past::{Outcome, Past};
use crate::stale::{self, Next};
use crate::start::{check_refs, is_in_use, open_read_only};
use crate::text::shown;

/// How often progress is shown.
const PROGRESS: Duration = Duration::from_millis(500);

/// What the command line says.
#[derive(Debug)]
pub struct Options {
    /// The jobs file, if one is given.
    pub jobs: Option<PathBuf>,
    /// The maximum number of jobs that run at a time.
    pub jobs_max: usize,
    /// The number of replications.
    pub replications: usize,
    /// The seed of the random numbers.
    pub seed: u64,
    /// Whether to print JSON.
    pub json: bool,
}

/// Prints when partitions will be ready if they are wanted now.
pub fn simulate(dirs: &Dirs, refs: &[String], options: &Options) -> Result<()> {
    refs.iter().try_for_each(|name| check_name(name))?;
    let jobs = jobs(dirs, options.jobs.as_deref())?;
    for name in refs {
        jobs.iter()
            .try_for_each(|jobs| jobs.job_for(name).map(drop))?;
    }
    let store = open_read_only(dirs)?;
    match &jobs {
        Some(jobs) => check_refs(jobs, &Parents::default(), &store, refs)?,
        None => check_known(&store, refs)?,
    }
    let past = Past::read(&store.reader(), (&store, store.seq()), jobs.as_ref())
        .with_context(|| format!("cannot read the log in {}", dirs.shown().display()))?;
    if past.is_empty() {
        bail!(
            "no run has ended in {} without failing, so nothing is known of how long runs take: build something first",
            dirs.shown().display()
        );
    }
    let scene = Arc::new(Scene::new(
        (&store, dirs),
        past,
        jobs,
        refs,
        options.jobs_max,
    ));
    let mut begun = store.snapshot().into_store();
    scene.start(&mut begun);
    let intervals = Arc::new(Mutex::new(Intervals::default()));
    let simulation = simulation(&scene, &intervals).begin_at(store.snapshot());
    let report = showing_progress(simulation)
        .replications(options.replications)
        .seed(options.seed)
        .run()
        .map_err(|e| {
            anyhow::anyhow!(
                "the store in {} cannot be simulated: {e}",
                dirs.shown().display()
            )
        })?;
    let intervals = std::mem::take(&mut *intervals.lock().unwrap_or_else(PoisonError::into_inner));
    let found = Found {
        options,
        refs,
        live: (refs.iter().filter(|name| Scene::is_ready(name, &begun)))
            .cloned()
            .collect(),
        chains: Chains::of(&intervals, refs),
        assumptions: Assumptions::of(&scene, &begun, refs),
        report,
    };
    print::print(&found)
}

/// Shows on a terminal how far the simulation is.
fn showing_progress(simulation: Simulation<build::Model>) -> Simulation<build::Model> {
    if !std::io::stderr().is_terminal() {
        return simulation;
    }
    simulation.progress(PROGRESS, |progress| {
        let text = match progress.done < progress.of {
            true => progress.to_string(),
            false => String::new(),
        };
        // A closed stderr is not an error.
        let _ = write!(std::io::stderr(), "\r{text:60}\r");
    })
}

/// What was found.
struct Found<'o> {
    options: &'o Options,
    refs: &'o [String],
    /// Those that are live already.
    live: BTreeSet<String>,
    report: Report,
    chains: Chains,
    assumptions: Assumptions,
}

/// The jobs in a file, or those of the demo in the directory, if there are any.
pub(crate) fn jobs(dirs: &Dirs, given: Option<&Path>) -> Result<Option<Jobs>> {
    let of_demo = demo::jobs_file(dirs);
    match given {
        Some(file) => Jobs::load(file).map(Some),
        None if of_demo.is_file() => Jobs::load(&of_demo).map(Some),
        None => Ok(None),
    }
}

/// Refuses references that are not known, of which only a jobs file says whether they can be built.
fn check_known(store: &BuildStore, refs: &[String]) -> Result<()> {
    match refs.iter().find(|name| current(name, store).is_none()) {
        Some(name) => bail!(
            "`{}` was never wanted, so it is not known whether a job makes it: name the jobs file with --jobs",
            shown(name)
        ),
        None => Ok(()),
    }
}

/// What does not change during a simulation.
struct Scene {
    past: Past,
    jobs: Option<Jobs>,
    refs: Vec<String>,
    jobs_max: usize,
    /// Whether a databuild is running.
    is_in_use: bool,
    /// The runs of a databuild that is running, each with how long it has run and with the number of what it will miss.
    running: BTreeMap<JobRun, (Duration, u32)>,
    /// The runs that have not ended and are not running any more.
    lost: Vec<JobRun>,
    /// The live partitions whose data is not there any more.
    gone: Vec<Partition>,
}

impl Scene {
    fn new(
        (store, dirs): (&BuildStore, &Dirs),
        past: Past,
        jobs: Option<Jobs>,
        refs: &[String],
        jobs_max: usize,
    ) -> Self {
        let is_in_use = is_in_use(dirs);
        let mut scene = Self {
            past,
            jobs,
            refs: refs.to_vec(),
            jobs_max,
            is_in_use,
            running: BTreeMap::new(),
            lost: Vec::new(),
            gone: Vec::new(),
        };
        for (run, passed) in still_running(store, &scene.past, is_in_use) {
            let misses = scene.misses(run.label(store), store);
            scene.running.insert(run, (passed, misses));
        }
        let unfinished = store.place::<JobRun, (Queued, Running)>();
        let live = store.place::<Partition, Live>().map(|p| p.any());
        let is_gone = |p: &Partition| !dirs.partition(name(*p, store)).is_dir();
        scene.gone = live.filter(is_gone).collect();
        scene.lost = unfinished
            .filter(|run| !scene.running.contains_key(run))
            .collect();
        scene
    }

    /// The number of the first group of partitions that a run needs and of which one is not live, or 0 if there is none.
    fn misses(&self, name: &str, db: &impl Db) -> u32 {
        let groups = self.past.needs(name).map_or(&[][..], |needs| &needs.groups);
        let is_live = |name: &String| current(name, db).is_some_and(|p| p.is::<Live>(db));
        let missed = groups
            .iter()
            .zip(1..)
            .find(|(group, _)| !group.iter().all(is_live));
        missed.map_or(0, |(_, number)| number)
    }

    /// The number of what a running run will miss.
    fn will_miss(&self, run: &JobRun<Running>, db: &impl Db) -> u32 {
        match self.running.get(&run.any()) {
            Some((_, misses)) => *misses,
            None => run.pid(db),
        }
    }

    /// How long a run takes from when it is started, or from now on.
    fn delay(&self, run: JobRun, outcome: Outcome, db: &impl Db) -> Delay {
        let (name, jobs) = (run.label(db), self.jobs.as_ref());
        match self.running.get(&run) {
            Some((passed, _)) => self.past.rest(name, outcome, jobs, *passed),
            None => self.past.delay(name, outcome, jobs),
        }
    }

    /// The partitions of runs that have been running for longer than those of the past did.
    fn late(&self, db: &impl Db) -> impl Iterator<Item = String> {
        let late = self.running.iter().filter(|(run, (passed, misses))| {
            let outcome = match misses {
                0 => Outcome::Succeeded,
                _ => Outcome::Missed,
            };
            let (name, jobs) = (run.label(db), self.jobs.as_ref());
            self.past.is_late(name, outcome, jobs, *passed)
        });
        late.map(|(run, _)| run.label(db).to_owned())
    }

    fn is_made(&self, partition: Partition, db: &impl Db) -> bool {
        let jobs = self.jobs.as_ref();
        jobs.is_none_or(|jobs| jobs.job_for(name(partition, db)).is_ok())
    }

    /// The wanted partition that the next run is queued for, if there is room for a run.
    fn next(&self, db: &impl Db) -> Option<Partition> {
        let runs = db.count::<JobRun, Queued>() + db.count::<JobRun, Running>();
        let mut wanted = to_build(db)
            .filter(|partition| partition.awaited_by(db).next().is_some())
            .filter(|partition| self.is_made(*partition, db));
        (runs < self.jobs_max).then(|| wanted.next()).flatten()
    }

    /// The next one, if it is stale or tainted, and what is next for it. Contents are not known, so none comes out the same.
    fn next_old(&self, db: &impl Db) -> Option<(Partition, Next)> {
        let is_old = |p: &Partition| p.is::<Stale>(db) || p.is::<Tainted>(db);
        let partition = self.next(db).filter(is_old)?;
        let is_made = |p: Partition| self.is_made(p, db);
        let next = stale::next(partition, db, &is_made, &|_| false);
        Some((partition, next))
    }

    fn is_ready(reference: &str, db: &impl Db) -> bool {
        current(reference, db).is_some_and(|partition| partition.is::<Live>(db))
    }

    /// What the next databuild does first: it recovers, and wants the references.
    fn start(&self, store: &mut BuildStore) {
        recover(store, &self.lost, self.is_in_use, &self.gone);
        for name in &self.refs {
            let partitions = vec![Ensure::from(name.as_str())];
            store.step(WantCreated {
                partitions,
                source: String::new(),
                comment: String::new(),
                priority: 0,
                deadline: None,
                sla: None,
            });
        }
    }
}

/// The simulation of databuild. Intervals in which runs are running are added to `intervals`.
fn simulation(scene: &Arc<Scene>, intervals: &Arc<Mutex<Intervals>>) -> Simulation<build::Model> {
    let scene = || Arc::clone(scene);
    let [
        of_start,
        of_check,
        of_tainted,
        of_replace,
        of_queue,
        of_process,
    ] = [(); 6].map(|()| scene());
    let [of_success, of_miss, of_end, of_question, of_until] = [(); 5].map(|()| scene());
    let traced = Arc::clone(intervals);
    let mut simulation = Simulation::new()
        .start(move |store| of_start.start(store))
        .without::<WantCreated>()
        .without::<WantCanceled>()
        .without::<PartitionsTainted>()
        .without::<InputsNeeded>()
        .without::<JobFailed>()
        .without::<AttemptFailed>()
        .without::<RunLost>()
        .without::<RunCanceled>()
        .without::<BackoffEnded>()
        .without::<SourcesChanged>()
        .without::<ContentKept>()
        .delay::<CheckBegun>(Duration::ZERO)
        .bindings::<CheckBegun>(move |db| match of_check.next_old(db) {
            Some((partition, Next::Check(inputs))) if partition.is::<Stale>(db) => {
                vec![CheckBegun { partition, inputs }]
            }
            _ => Vec::new(),
        })
        .delay::<CheckOfTaintedBegun>(Duration::ZERO)
        .bindings::<CheckOfTaintedBegun>(move |db| match of_tainted.next_old(db) {
            Some((partition, Next::Check(inputs))) if partition.is::<Tainted>(db) => {
                vec![CheckOfTaintedBegun { partition, inputs }]
            }
            _ => Vec::new(),
        })
        .delay::<PartitionReplaced>(Duration::ZERO)
        .bindings::<PartitionReplaced>(move |db| match of_replace.next_old(db) {
            Some((partition, Next::Build)) => vec![PartitionReplaced { partition }],
            _ => Vec::new(),
        })
        .delay::<JobQueued>(Duration::ZERO)
        .bindings::<JobQueued>(move |db| {
            let next = of_queue.next(db);
            let next = next.filter(|p| p.is::<Missing>(db) || p.is::<UpForRetry>(db));
            let queued = next.map(|partition| JobQueued {
                label: name(partition, db).to_owned(),
                attempt: 1,
                version: String::new(),
                partitions: vec![partition],
                wants: partition.awaited_by(db).collect(),
            });
            queued.into_iter().collect()
        })
        .delay::<JobStarted>(Duration::ZERO)
        .bindings::<JobStarted>(move |db| {
            let queued = db.place::<JobRun, Queued>();
            let started = queued.map(|run| JobStarted {
                pid: of_process.misses(run.label(db), db),
                run,
            });
            started.collect()
        })
        .bindings::<JobSucceeded>(move |db| {
            let runs = db.place::<JobRun, Running>();
            let succeed = runs.filter(|run| of_success.will_miss(run, db) == 0);
            let succeeded = succeed.map(|run| JobSucceeded {
                run,
                digest: String::new(),
                reads: Vec::new(),
                inputs: Vec::new(),
                content: String::new(),
                expires: None,
            });
            succeeded.collect()
        })
        .delay_by::<JobSucceeded, _>(move |event, db| {
            of_end.delay(event.run.any(), Outcome::Succeeded, db)
        })
        .bindings::<DepMissed>(move |db| {
            let runs = db.place::<JobRun, Running>();
            let missed = runs.filter_map(|run| {
                let number = of_miss.will_miss(&run, db).checked_sub(1)?;
                let needs = of_miss.past.needs(run.label(db))?;
                let missed = needs.groups.get(number as usize)?;
                Some(DepMissed {
                    run,
                    missed: missed.iter().cloned().map(Ensure::from).collect(),
                    reads: Vec::new(),
                    inputs: Vec::new(),
                })
            });
            missed.collect()
        })
        .delay_by::<DepMissed, _>(move |event, db| {
            of_question.delay(event.run.any(), Outcome::Missed, db)
        })
        .trace(move |fired| {
            let mut intervals = traced.lock().unwrap_or_else(PoisonError::into_inner);
            intervals.see(fired);
        });
    for reference in &scene().refs {
        let of = reference.clone();
        simulation = simulation.first(reference, move |db| Scene::is_ready(&of, db));
    }
    simulation.until(move |db| of_until.refs.iter().all(|name| Scene::is_ready(name, db)))
}

/// The runs of a databuild that is running, with how long they have run. If none is, what a killed one has started has no effect any more.
pub(crate) fn still_running(
    db: &impl Db,
    past: &Past,
    is_in_use: bool,
) -> BTreeMap<JobRun, Duration> {
    let now = Timestamp::now();
    let running = past.running.iter().filter(|(run, _)| {
        let run = run.in_state::<Running>(db);
        is_in_use && run.is_some_and(|run| is_process(run.pid(db)))
    });
    running
        .map(|(run, since)| (*run, now.duration_since(*since)))
        .collect()
}

/// What the next databuild does first: it records lost runs, cancels the wants of a killed one, replaces what has failed for a cause that
/// may be gone, and records what is not up to date any more.
pub(crate) fn recover(
    store: &mut BuildStore,
    lost: &[JobRun],
    is_in_use: bool,
    outdated: &[Partition],
) {
    for run in lost {
        store.step(RunLost { run: *run });
    }
    if !is_in_use {
        for want in open_wants(store) {
            store.step(WantCanceled { want });
        }
    }
    let backoffs = store.place::<Partition, Backoff>().map(|p| p.any());
    for partition in backoffs.collect::<Vec<_>>() {
        store.step(BackoffEnded { partition });
    }
    if !outdated.is_empty() {
        let partitions = outdated.to_vec();
        store.step(SourcesChanged { partitions });
    }
    let failed = store.place::<Partition, Failed>();
    let failed = failed.filter(|p| p.again(store)).map(|p| p.any());
    for partition in failed.collect::<Vec<_>>() {
        store.step(PartitionReplaced { partition });
    }
}

/// Returns whether a process has this id.
fn is_process(pid: u32) -> bool {
    let pid = i32::try_from(pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    // A process of another user may not be tested, but it exists.
    pid.is_some_and(|pid| {
        !matches!(
            rustix::process::test_kill_process(pid),
            Err(rustix::io::Errno::SRCH)
        )
    })
}

//! The main loop: it queries the store for partitions that can be built, starts runs, and records
//! their results.
//!
//! Architecture invariant: each decision is based on the store. The engine itself keeps only state that ends with
//! the process: the children, the order in which partitions became live, the partitions that runs have missed, and the
//! partitions that are not known to be up to date.
//!
//! Architecture invariant: no decision depends on the wall clock, which may be set back. The order of events is
//! counted, and timeouts use a monotonic clock.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use ironweave::prelude::*;

use crate::child::{self, Children, Ended, Spec};
use crate::command::Var;
use crate::dirs::Dirs;
use crate::fresh::Unknown;
use crate::jobs::Jobs;
use crate::model::build::state::{Live, Queued, Running, Stale};
use crate::model::build::{
    self, DepMissed, JobFailed, JobQueued, JobRun, JobStarted, JobSucceeded, Partition,
    PartitionRef, PartitionReplaced, RunLost, WantCreated,
};
use crate::progress::{Ending, Progress};
use crate::protocol::RunOutput;
use crate::rules::{current, name, to_build, wanted_alone};
use crate::signals::Signals;
use crate::verdict::{self, Case, Verdict};

/// The number of lines of a failed run's stderr that are logged.
pub const STDERR_LINES_MAX: usize = 20;
/// How often the loop checks for signals while no run ends.
pub const TICK: Duration = Duration::from_millis(50);

/// The store of databuild's model.
pub type BuildStore = Store<build::Model>;

/// The state of a running databuild.
pub struct Engine {
    /// The store.
    pub store: BuildStore,
    /// The directories.
    pub dirs: Dirs,
    /// The jobs.
    pub jobs: Jobs,
    /// The display of progress.
    pub progress: Progress,
    /// The partitions that this process made live, each with the value of `lives` at that moment.
    pub built: BTreeMap<Partition, usize>,
    /// The number of times that this process has made a partition live.
    lives: usize,
    /// The number of runs of this process that have failed.
    failures: usize,
    /// The partitions that are not known to be up to date.
    pub unknown: Unknown,
    /// Signals to stop.
    pub signals: Signals,
    vars: Vec<Var>,
    limits: Limits,
    children: Children<JobRun, RunOutput>,
    works: BTreeMap<JobRun, Work>,
    /// The partitions that runs have missed.
    missed: BTreeSet<String>,
}

/// Limits of a databuild.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The maximum number of jobs that run at a time.
    pub jobs: usize,
    /// The maximum number of partitions that runs may miss.
    pub discovery: usize,
    /// Whether no run begins after one has failed.
    pub fail_fast: bool,
}

/// The work of a process.
struct Work {
    partition: Partition,
    /// The value of `lives` when it was started.
    began: usize,
}

impl Engine {
    /// Creates an engine on an open store.
    pub fn new(
        store: BuildStore,
        dirs: Dirs,
        jobs: Jobs,
        limits: Limits,
        workspace: Option<PathBuf>,
    ) -> Result<Self> {
        let text = |path: PathBuf| {
            path.into_os_string()
                .into_string()
                .map_err(|p| anyhow::anyhow!("{p:?} is a path that is not UTF-8 text"))
        };
        let exe = std::env::current_exe().context("cannot find the databuild program itself")?;
        let mut vars = vec![
            ("DATABUILD", text(exe)?),
            ("DATABUILD_DATA", text(dirs.data())?),
            ("DATABUILD_JOBS", text(jobs.dir())?),
        ];
        if let Some(workspace) = workspace {
            vars.push(("DATABUILD_WORKSPACE", text(workspace)?));
        }
        Ok(Self {
            store,
            dirs,
            jobs,
            progress: Progress::new(),
            built: BTreeMap::new(),
            lives: 0,
            failures: 0,
            unknown: Unknown::default(),
            signals: Signals::listen()?,
            vars,
            limits,
            children: Children::new(),
            works: BTreeMap::new(),
            missed: BTreeSet::new(),
        })
    }

    /// Fires an event; the error includes advice.
    pub fn fire<E: Event<Model = build::Model>>(&mut self, event: E) -> Result<Receipt<E>> {
        self.store
            .try_step(event)
            .map_err(|e| step_error(&self.dirs, e))
    }

    /// The variables that all jobs get.
    pub fn vars(&self) -> &[Var] {
        &self.vars
    }

    /// Ensures that each of these partitions has an open want, which may be that of an earlier databuild. Partitions that depend on
    /// one that is not known to be up to date are left out.
    pub fn want(&mut self, refs: &[String]) -> Result<()> {
        let db = &self.store;
        let earlier = wanted_alone(db);
        let known = |name: &&str| {
            let partition = current(name, db);
            !partition.is_some_and(|p| self.unknown.affects(p))
        };
        let wanted: BTreeSet<&str> = refs.iter().map(String::as_str).filter(known).collect();
        let new: Vec<String> = wanted.difference(&earlier).map(|n| (*n).into()).collect();
        let dirs = &self.dirs;
        let mut t = self.store.begin();
        for name in new {
            let partitions = vec![Ensure::from(name)];
            t.apply(WantCreated { partitions })
                .map_err(|e| step_error(dirs, e))?;
        }
        t.commit().map(drop).map_err(|e| step_error(dirs, e))
    }

    /// Works until nothing more can be built. Returns the signal that stopped it, if there was one.
    pub fn work(&mut self) -> Result<Option<i32>> {
        let result = self.work_or_stop();
        self.progress.finish();
        if !matches!(result, Ok(None)) {
            let lost = self.end_children();
            // The first error is returned.
            if result.is_ok() {
                lost?;
            }
        }
        result
    }

    fn work_or_stop(&mut self) -> Result<Option<i32>> {
        loop {
            // Some runs may fail at once, and make room for others.
            loop {
                if let Some(signal) = self.signals.received() {
                    return Ok(Some(signal));
                }
                let room = self.limits.jobs.max(1).saturating_sub(self.children.len());
                let startable = self.startable(room);
                if startable.is_empty() {
                    break;
                }
                for partition in startable {
                    self.start(partition)?;
                }
            }
            let known = self.store.count::<PartitionRef, Any>();
            self.progress
                .live(self.store.count::<Partition, Live>(), known);
            if self.children.is_empty() {
                return Ok(None);
            }
            if let Some(ended) = self.children.ended(TICK) {
                self.ended(ended)?;
            }
        }
    }

    /// At most `max` wanted partitions that can be built now.
    fn startable(&self, max: usize) -> Vec<Partition> {
        if self.limits.fail_fast && self.failures > 0 {
            return Vec::new();
        }
        let db = &self.store;
        to_build(db)
            .filter(|p| p.awaited_by(db).any(|want| !self.unknown.stops(want)))
            // An earlier want may be for a partition that no present job makes; `start` has reported it.
            .filter(|p| self.jobs.job_for(name(*p, db)).is_ok())
            .take(max)
            .collect()
    }

    fn start(&mut self, partition: Partition) -> Result<()> {
        let failed = |e| step_error(&self.dirs, e);
        let mut t = self.store.begin();
        let partition = match partition.is::<Stale>(&t) {
            true => {
                let replaced = t.apply(PartitionReplaced { partition });
                replaced.map_err(failed)?.created.next
            }
            false => partition,
        };
        let name = name(partition, &t).to_owned();
        let event = JobQueued {
            label: name.clone(),
            partitions: vec![partition],
            wants: partition.awaited_by(&t).collect(),
        };
        let run = t.apply(event).map_err(failed)?.created.run;
        t.commit().map_err(failed)?;
        let pid = match self.spawn(run, partition, &name) {
            Ok(pid) => pid,
            Err(e) => {
                self.failed(run, 127, format!("{e:#}"))?;
                self.progress.ended(&name, Ending::Failed);
                return Ok(());
            }
        };
        let queued = run
            .in_state::<Queued>(&self.store)
            .context("a run that was just queued is not Queued")?;
        self.fire(JobStarted { run: queued, pid })?;
        self.progress.started(&name, pid);
        Ok(())
    }

    /// Starts the process of a run.
    fn spawn(&mut self, run: JobRun, partition: Partition, name: &str) -> Result<u32> {
        let id = run.id().to_string();
        let dir = self.dirs.make_run(&id)?;
        let mut vars = self.vars.clone();
        vars.push(("PARTITION", name.to_owned()));
        vars.push(("DATABUILD_OUT", dir.to_string_lossy().into_owned()));
        let live = self
            .store
            .place::<Partition, Live>()
            .map(|p| format!("{}\n", p.of(&self.store).name(&self.store)))
            .collect();
        let spec = Spec {
            command: &self.jobs.job_for(name)?.command,
            arguments: &[],
            vars: &vars,
            dir: &dir,
            stderr: &self.dirs.stderr(&id),
            stdin: live,
        };
        let pid = self.children.spawn(run, spec, RunOutput::of(name))?;
        let began = self.lives;
        self.works.insert(run, Work { partition, began });
        Ok(pid)
    }

    fn ended(&mut self, mut ended: Ended<JobRun, RunOutput>) -> Result<()> {
        let run = ended.key;
        let Some(Work { partition, began }) = self.works.remove(&run) else {
            return Ok(());
        };
        let running = run
            .in_state::<Running>(&self.store)
            .context("a run that has ended is not Running")?;
        let name = name(partition, &self.store).to_owned();
        let id = run.id().to_string();
        let case = Case {
            partition,
            exit: ended.exit,
            status: &ended.status,
            output: ended.output,
            was_live: &|p| self.built.get(&p).is_none_or(|nth| *nth <= began),
            unknown: &|p| self.unknown.why(p),
            missed_before: &self.missed,
            discovery_max: self.limits.discovery,
        };
        let mut verdict = verdict::of(&self.store, &self.jobs, case);
        let left = ended.group.message();
        if let Some(left) = left {
            self.progress.note(format_args!("{name}: {left}"));
        }
        // A run fails if its output cannot be read, synced or moved into place.
        if matches!(verdict, Verdict::Succeeded { .. }) {
            let placed = self.dirs.seal(&id);
            let placed = placed.and_then(|()| self.dirs.publish(&id, &name));
            verdict = placed.map_or_else(|e| Verdict::Failed(format!("{e:#}")), |()| verdict);
        }
        let recorded = match verdict {
            Verdict::Succeeded {
                digest,
                reads,
                inputs,
            } => {
                let event = JobSucceeded {
                    run: running,
                    digest,
                    reads,
                    inputs,
                };
                self.record(event)?.map(|()| {
                    self.lives += 1;
                    self.built.insert(partition, self.lives);
                    Ending::Live
                })
            }
            Verdict::Missed {
                missed,
                reads,
                inputs,
            } => {
                let event = DepMissed {
                    run: running,
                    missed: missed.iter().cloned().map(Ensure::from).collect(),
                    reads,
                    inputs,
                };
                self.record(event)?.map(|()| {
                    self.dirs.discard(&id);
                    let ending = Ending::Missed(missed.len());
                    self.missed.extend(missed);
                    ending
                })
            }
            Verdict::Failed(why) => Err(why),
        };
        let ending = match recorded {
            Ok(ending) => ending,
            Err(why) => {
                let stderr = child::tail(&mut ended.stderr, STDERR_LINES_MAX);
                let full = self.dirs.probe(&id).err().map(|e| format!("{e:#}"));
                let more = [left.map(str::to_owned), Some(stderr), full];
                let more = more.into_iter().flatten().filter(|text| !text.is_empty());
                let reason = std::iter::once(why).chain(more).collect::<Vec<_>>();
                self.failed(run, ended.exit, reason.join("\n"))?;
                Ending::Failed
            }
        };
        self.progress.ended(&name, ending);
        Ok(())
    }

    /// Records that a run has failed.
    fn failed(&mut self, run: JobRun, exit: i32, reason: String) -> Result<()> {
        self.failures += 1;
        self.fire(JobFailed { run, exit, reason }).map(drop)
    }

    /// Fires the event for the result of a run. The inner error is a rejection by the model, which fails this run
    /// only. The outer error is one of the store, after which nothing more can be recorded.
    fn record<E: Event<Model = build::Model>>(&mut self, event: E) -> Result<Result<(), String>> {
        match self.store.try_step(event) {
            Ok(_) => Ok(Ok(())),
            Err(e @ (StepError::Storage(_) | StepError::Indeterminate(_))) => {
                Err(step_error(&self.dirs, e))
            }
            Err(e) => Ok(Err(verdict::rejected(&self.store, &e))),
        }
    }

    /// Ends all runs, and records them as lost.
    fn end_children(&mut self) -> Result<()> {
        self.children.end();
        let runs: Vec<JobRun> = std::mem::take(&mut self.works).into_keys().collect();
        self.lose(&runs)
    }

    /// Replaces partitions by instances that are to be built.
    pub fn replace(&mut self, partitions: Vec<Partition>) -> Result<()> {
        if partitions.is_empty() {
            return Ok(());
        }
        let failed = |e| step_error(&self.dirs, e);
        let mut t = self.store.begin();
        for partition in partitions {
            t.apply(PartitionReplaced { partition }).map_err(failed)?;
        }
        t.commit().map(drop).map_err(failed)
    }

    /// Records runs as lost, and removes their output.
    pub fn lose(&mut self, runs: &[JobRun]) -> Result<()> {
        let dirs = self.dirs.clone();
        if !runs.is_empty() {
            let mut t = self.store.begin();
            for run in runs {
                t.apply(RunLost { run: *run })
                    .map_err(|e| step_error(&dirs, e))?;
            }
            t.commit().map_err(|e| step_error(&dirs, e))?;
        }
        for run in runs {
            dirs.discard(&run.id().to_string());
        }
        Ok(())
    }
}

/// The error for a step that was not executed.
pub fn step_error(dirs: &Dirs, e: StepError) -> anyhow::Error {
    let store = dirs.shown().join("store");
    match e {
        StepError::Storage(_) | StepError::Indeterminate(_) => anyhow::anyhow!(
            "the store in {} cannot be written: {e}. Its contents are intact; correct the problem, then run databuild again",
            store.display()
        ),
        _ => anyhow::anyhow!("the store in {} rejects a step: {e}", store.display()),
    }
}

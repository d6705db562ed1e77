//! The loop that turns wants into partitions: it looks in the store for what can be built, starts runs, and records
//! what becomes of them.
//!
//! Architecture invariant: what to do next is asked of the store each time. Beside it there is only what ends with
//! the process: the children, and which partitions it made live, for the summary.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use ironweave::prelude::*;
use rustix::process::Signal;

use crate::child::{self, Ended, Spec};
use crate::dirs::Dirs;
use crate::jobs::{Jobs, Var};
use crate::model::build::state::{
    Building, Failed, Idle, Live, Missing, New, Queued, Running, Stale, UpForRetry,
    UpstreamBuilding, UpstreamFailed,
};
use crate::model::build::{
    self, DepMissed, JobFailed, JobQueued, JobRun, JobStarted, JobSucceeded, Partition, RunLost,
    Want, WantCreated,
};
use crate::progress::{Ending, Progress};
use crate::rules::is_open;
use crate::signals::Signals;
use crate::verdict::{self, Verdict};

/// How many lines of a failed run's stderr go into the log.
const STDERR_LINES_MAX: usize = 20;
/// How often signals are looked at while nothing happens.
const TICK: Duration = Duration::from_millis(50);
/// How long runs may take to end when they are asked to.
const GRACE: Duration = Duration::from_secs(2);

/// The store of databuild's model.
pub type BuildStore = Store<build::Model>;

/// One databuild at work.
pub struct Engine {
    /// All that it knows.
    pub store: BuildStore,
    /// Where things lie.
    pub dirs: Dirs,
    /// How partitions are made.
    pub jobs: Jobs,
    /// What is shown meanwhile.
    pub progress: Progress,
    /// The partitions that this process made live.
    pub built: BTreeSet<Partition>,
    vars: Vec<Var>,
    jobs_max: usize,
    signals: Signals,
    children: BTreeMap<JobRun, Child>,
    sender: Sender<Ended<JobRun>>,
    receiver: Receiver<Ended<JobRun>>,
}

/// A run's process.
struct Child {
    pid: u32,
    partition: Partition,
    started: Timestamp,
}

impl Engine {
    /// Ready to work on an open store.
    pub fn new(
        store: BuildStore,
        dirs: Dirs,
        jobs: Jobs,
        jobs_max: usize,
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
        let (sender, receiver) = channel();
        Ok(Self {
            store,
            dirs,
            jobs,
            progress: Progress::new(),
            built: BTreeSet::new(),
            vars,
            jobs_max: jobs_max.max(1),
            signals: Signals::listen()?,
            children: BTreeMap::new(),
            sender,
            receiver,
        })
    }

    /// Fires an event; an error says what to do.
    pub fn fire<E: Event<Model = build::Model>>(&mut self, event: E) -> Result<Receipt<E>> {
        self.store
            .try_step(event)
            .map_err(|e| step_error(&self.dirs, e))
    }

    /// The variables that all jobs get.
    pub fn vars(&self) -> &[Var] {
        &self.vars
    }

    /// The want for these partitions: the one of an earlier databuild that has not ended, or a new one.
    pub fn want(&mut self, refs: &[String]) -> Result<Want> {
        let wanted: BTreeSet<&str> = refs.iter().map(String::as_str).collect();
        let earlier = self
            .store
            .place::<Want, (New, Idle, Building, UpstreamBuilding)>()
            .find(|want| {
                want.asked_by(&self.store).is_none()
                    && want
                        .partitions(&self.store)
                        .map(|p| p.name(&self.store))
                        .collect::<BTreeSet<_>>()
                        == wanted
            });
        if let Some(want) = earlier {
            return Ok(want);
        }
        let partitions = wanted.into_iter().map(Ensure::from).collect();
        Ok(self.fire(WantCreated { partitions })?.created.want)
    }

    /// Works until nothing is left that can be built. Returns the signal that stopped it before, if one did.
    pub fn work(&mut self) -> Result<Option<i32>> {
        let result = self.work_or_stop();
        self.progress.finish();
        if !matches!(result, Ok(None)) {
            let lost = self.end_children();
            // The first error is the one to tell.
            if result.is_ok() {
                lost?;
            }
        }
        result
    }

    fn work_or_stop(&mut self) -> Result<Option<i32>> {
        loop {
            if let Some(signal) = self.signals.came() {
                return Ok(Some(signal));
            }
            for partition in self.startable(self.jobs_max - self.children.len()) {
                self.start(partition)?;
            }
            let known = self.store.count::<Partition, Any>();
            self.progress
                .live(self.store.count::<Partition, Live>(), known);
            if self.children.is_empty() {
                return Ok(None);
            }
            match self.receiver.recv_timeout(TICK) {
                Ok(ended) => self.ended(ended)?,
                // The engine has a sender itself, so it is never disconnected.
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
        }
    }

    /// Some partitions that somebody waits for, that can be built now. First those that know what they need:
    /// a run may find that what an earlier one asked for is needed no more.
    fn startable(&self, max: usize) -> Vec<Partition> {
        let db = &self.store;
        let retry = db.place::<Partition, UpForRetry>().map(|p| p.any());
        let stale = db.place::<Partition, Stale>().map(|p| p.any());
        let missing = db.place::<Partition, Missing>().map(|p| p.any());
        retry
            .chain(stale)
            .chain(missing)
            .filter(|p| p.wanted_by(db).any(|want| is_open(want, db)))
            // An earlier want may be for what these jobs do not make; `start` has said so.
            .filter(|p| self.jobs.job_for(p.name(db)).is_ok())
            .take(max)
            .collect()
    }

    fn start(&mut self, partition: Partition) -> Result<()> {
        let name = partition.name(&self.store).to_owned();
        let wants = partition
            .wanted_by(&self.store)
            .filter(|want| is_open(*want, &self.store))
            .collect();
        let event = JobQueued {
            label: name.clone(),
            partitions: vec![partition],
            wants,
        };
        let run = self.fire(event)?.created.run;
        let id = run.id().to_string();
        let dir = self.dirs.make_run(&id)?;
        let mut vars = self.vars.clone();
        vars.push(("PARTITION", name.clone()));
        vars.push(("DATABUILD_OUT", dir.to_string_lossy().into_owned()));
        let live = self
            .store
            .place::<Partition, Live>()
            .map(|p| format!("{}\n", p.name(&self.store)))
            .collect();
        let started = Timestamp::now();
        let spec = Spec {
            command: &self.jobs.job_for(&name)?.command,
            vars: &vars,
            dir: &dir,
            stderr: &self.dirs.stderr(&id),
            stdin: live,
            partition: name.clone(),
        };
        let pid = match child::spawn(run, spec, &self.sender) {
            Ok(pid) => pid,
            Err(e) => {
                self.progress.ended(&name, Ending::Failed);
                self.fire(JobFailed {
                    run,
                    exit: 127,
                    reason: format!("{e:#}"),
                })?;
                return Ok(());
            }
        };
        // In the table before anything can go wrong, so that it is ended with the others.
        self.children.insert(
            run,
            Child {
                pid,
                partition,
                started,
            },
        );
        let queued = run
            .in_state::<Queued>(&self.store)
            .context("a run that was just queued is not Queued")?;
        self.fire(JobStarted { run: queued, pid })?;
        self.progress.started(&name, pid);
        Ok(())
    }

    fn ended(&mut self, ended: Ended<JobRun>) -> Result<()> {
        let run = ended.run;
        let Some(child) = self.children.remove(&run) else {
            return Ok(());
        };
        let running = run
            .in_state::<Running>(&self.store)
            .context("a run that has ended is not Running")?;
        let name = child.partition.name(&self.store).to_owned();
        let id = run.id().to_string();
        let exit = ended.exit;
        let mut verdict = verdict::of(
            &self.store,
            &self.jobs,
            child.partition,
            child.started,
            ended,
        );
        // What cannot be read or kept is no partition, whatever the run says of it.
        if matches!(verdict, Verdict::Succeeded { .. })
            && let Err(e) = self.dirs.seal(&id)
        {
            verdict = Verdict::Failed(format!("{e:#}"));
        }
        match verdict {
            Verdict::Succeeded {
                digest,
                reads,
                inputs,
            } => {
                self.fire(JobSucceeded {
                    run: running,
                    digest,
                    reads,
                    inputs,
                })?;
                self.dirs.publish(&id, &name)?;
                self.built.insert(child.partition);
                self.progress.ended(&name, Ending::Live);
            }
            Verdict::Missed {
                missed,
                reads,
                inputs,
            } => {
                self.progress.ended(&name, Ending::Missed(missed.len()));
                let missed = missed.into_iter().map(Ensure::from).collect();
                self.fire(DepMissed {
                    run: running,
                    missed,
                    reads,
                    inputs,
                })?;
                self.dirs.discard(&id);
            }
            Verdict::Failed(why) => {
                self.progress.ended(&name, Ending::Failed);
                let stderr = child::tail(&self.dirs.stderr(&id), STDERR_LINES_MAX);
                let mut reason = why;
                if !stderr.is_empty() {
                    reason = format!("{reason}\n{stderr}");
                }
                if let Err(full) = self.dirs.probe(&id) {
                    reason = format!("{reason}\n{full:#}");
                }
                self.fire(JobFailed { run, exit, reason })?;
            }
        }
        Ok(())
    }

    /// Ends all runs, and records that they are lost.
    fn end_children(&mut self) -> Result<()> {
        for child in self.children.values() {
            child::signal(child.pid, Signal::TERM);
        }
        let mut left: BTreeSet<JobRun> = self.children.keys().copied().collect();
        let deadline = Instant::now() + GRACE;
        while !left.is_empty() {
            match self
                .receiver
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(ended) => drop(left.remove(&ended.run)),
                Err(_) => break,
            }
        }
        for run in left {
            child::signal(self.children[&run].pid, Signal::KILL);
        }
        let runs: Vec<JobRun> = std::mem::take(&mut self.children).into_keys().collect();
        self.lose(&runs)
    }

    /// Records that runs are lost, and removes what they wrote.
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

    /// The partitions that have failed, and those that wait for them in vain.
    pub fn failed(&self) -> (Vec<Partition>, Vec<Partition>) {
        let db = &self.store;
        (
            db.place::<Partition, Failed>().map(|p| p.any()).collect(),
            db.place::<Partition, UpstreamFailed>()
                .map(|p| p.any())
                .collect(),
        )
    }
}

/// What to tell of a step that did not happen.
pub fn step_error(dirs: &Dirs, e: StepError) -> anyhow::Error {
    let store = dirs.shown().join("store");
    match e {
        StepError::Storage(_) | StepError::Indeterminate(_) => anyhow::anyhow!(
            "the store in {} takes no more: {e}. What it holds is intact; when that is mended, run databuild again",
            store.display()
        ),
        _ => anyhow::anyhow!("the store in {} refuses: {e}", store.display()),
    }
}

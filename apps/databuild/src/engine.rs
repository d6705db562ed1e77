//! The main loop: it queries the store for partitions that can be built, starts runs, and records
//! their results ([`crate::work`]).
//!
//! Architecture invariant: each decision is based on the store. The engine itself keeps only state that ends with
//! the process: the children, the wants of its caller, the order in which partitions became live, the partitions that runs have missed,
//! the times before jobs are run again, and the partitions that are not known to be up to date.
//!
//! Architecture invariant: no decision depends on the wall clock, which may be set back, but those that a person has asked for: a time to
//! live, a deadline and a promised time ([`crate::times`]). The order of events is counted, and timeouts use a monotonic clock.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use ironweave::prelude::*;

use crate::apart::Parents;
use crate::child::Children;
use crate::command::Var;
use crate::dirs::Dirs;
use crate::fresh::Unknown;
use crate::jobs::Jobs;
use crate::model::build::state::{Backoff, Expired, Live};
use crate::model::build::{
    self, BackoffEnded, JobRun, Partition, PartitionRef, PartitionReplaced, RunCanceled, RunLost,
    Want, WantCanceled, WantCreated, WantExpired,
};
use crate::progress::Progress;
use crate::protocol::{Named, RunOutput};
use crate::queue::Queue;
use crate::requests::{Inbox, What};
use crate::rules::{OF_COMMAND_LINE, current, is_open};
use crate::seal::Sealer;
use crate::signals::Signals;
use crate::times;
use crate::work::Work;

/// The number of lines of a failed run's stderr that are logged.
pub const STDERR_LINES_MAX: usize = 20;
/// How often the loop checks for signals while no run ends.
pub const TICK: Duration = Duration::from_millis(50);

/// Both ends of a channel.
pub(crate) type Channel<T> = (Sender<T>, Receiver<T>);

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
    /// The partitions that this process found live again, likewise.
    pub kept: BTreeMap<Partition, usize>,
    /// The partitions whose runs have failed in this process.
    pub failed: BTreeSet<Partition>,
    /// The partitions that are not known to be up to date.
    pub unknown: Unknown,
    /// Signals to stop.
    pub signals: Signals,
    /// The number of times that this process has made a partition live, or found it live again.
    pub(crate) lives: usize,
    /// Whether a partition may have become stale since what runs read was looked at.
    pub(crate) went_stale: bool,
    /// What runs name while they run.
    pub(crate) named: Channel<(JobRun, Named)>,
    pub(crate) limits: Limits,
    pub(crate) children: Children<JobRun, RunOutput>,
    pub(crate) works: BTreeMap<JobRun, Work>,
    pub(crate) sealer: Sealer,
    /// The parents of the known names.
    pub(crate) parents: Parents,
    /// The partitions that runs have missed.
    pub(crate) missed: BTreeSet<String>,
    /// The times at which jobs are run again that have failed, with their partitions.
    pub(crate) backoffs: BTreeSet<(Instant, Partition)>,
    /// What starts next.
    pub(crate) queue: Queue,
    /// The patterns of the jobs whose last run took no longer than [`QUICK`](crate::work::QUICK).
    pub(crate) quick: HashSet<String>,
    vars: Vec<Var>,
    /// The wants of the caller.
    wants: Vec<Want>,
    inbox: Inbox,
}

/// Limits of a databuild.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The maximum number of jobs that run at a time.
    pub jobs: usize,
    /// The maximum number of partitions that runs may miss.
    pub discovery: usize,
    /// Whether no run begins after one has failed.
    pub fail_fast: bool,
    /// When the wants of the caller expire.
    pub deadline: Option<Instant>,
    /// The time that is promised for them, from when they are created.
    pub sla: Option<Duration>,
    /// The priority of the wants of the caller.
    pub priority: i32,
    /// What they are for.
    pub comment: String,
}

/// Why databuild stopped before everything was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// A signal arrived.
    Signal(i32),
    /// The deadline of the caller has passed.
    Deadline,
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
            ("DATABUILD".into(), text(exe)?),
            ("DATABUILD_DATA".into(), text(dirs.data())?),
            ("DATABUILD_JOBS".into(), text(jobs.dir())?),
        ];
        if let Some(workspace) = workspace {
            vars.push(("DATABUILD_WORKSPACE".into(), text(workspace)?));
        }
        let children = Children::new(limits.jobs.max(1));
        Ok(Self {
            inbox: Inbox::new(&dirs),
            sealer: Sealer::start(dirs.clone(), children.waker())?,
            store,
            dirs,
            jobs,
            progress: Progress::new(),
            built: BTreeMap::new(),
            kept: BTreeMap::new(),
            failed: BTreeSet::new(),
            lives: 0,
            went_stale: false,
            named: channel(),
            queue: Queue::default(),
            quick: HashSet::new(),
            unknown: Unknown::default(),
            signals: Signals::listen()?,
            vars,
            limits,
            children,
            works: BTreeMap::new(),
            parents: Parents::default(),
            missed: BTreeSet::new(),
            backoffs: BTreeSet::new(),
            wants: Vec::new(),
        })
    }

    /// Fires an event; the error includes advice.
    pub fn fire<E: Event<Model = build::Model>>(&mut self, event: E) -> Result<Receipt<E>> {
        self.store
            .try_step(event)
            .map_err(|e| step_error(&self.dirs, e))
    }

    /// Waits until all steps are on the disk.
    pub(crate) fn sync(&mut self) -> Result<()> {
        let synced = self.store.sync();
        synced.map_err(|e| step_error(&self.dirs, StepError::Storage(e)))
    }

    /// The variables that all jobs get.
    pub fn vars(&self) -> &[Var] {
        &self.vars
    }

    /// Creates a want for each of these partitions, so that each can be canceled by itself. Partitions that depend on one that is not
    /// known to be up to date are left out.
    pub fn want(&mut self, refs: &[String]) -> Result<()> {
        let db = &self.store;
        let known = |name: &&String| {
            let partition = current(name, db);
            !partition.is_some_and(|p| self.unknown.affects(p))
        };
        let wanted: Vec<String> = refs.iter().filter(known).cloned().collect();
        let dirs = &self.dirs;
        let left = |at: Instant| at.saturating_duration_since(Instant::now());
        let deadline = self.limits.deadline.and_then(|at| times::after(left(at)));
        let sla = self.limits.sla.and_then(times::after);
        let mut t = self.store.begin();
        for name in wanted {
            let promised = times::promised(sla, &self.jobs, [name.as_str()]);
            let partitions = vec![Ensure::from(name)];
            let created = t.apply(WantCreated {
                partitions,
                source: OF_COMMAND_LINE.to_owned(),
                comment: self.limits.comment.clone(),
                priority: self.limits.priority,
                deadline,
                sla: promised,
            });
            let created = created.map_err(|e| step_error(dirs, e))?.created;
            self.wants.push(created.want);
        }
        t.commit().map(drop).map_err(|e| step_error(dirs, e))
    }

    /// Ends what the caller wanted: later wants are those of another one.
    pub fn forget_wants(&mut self) {
        self.wants.clear();
    }

    /// Works until the wants of the caller have ended, or nothing more can be built. Returns why it stopped before, if it did.
    pub fn work(&mut self) -> Result<Option<Stopped>> {
        let result = self.work_or_stop();
        self.progress.finish();
        self.prune();
        // If it did not stop, no process runs.
        self.children.end();
        match result {
            Ok(stopped) => {
                let db = &self.store;
                let expired = self.wants.iter().any(|want| want.is::<Expired>(db));
                let stopped = stopped.or(expired.then_some(Stopped::Deadline));
                self.end_wants(&self.wants.clone(), stopped)?;
                // Success is reported when it is on the disk.
                self.sync()?;
                self.checkpoint();
                Ok(stopped)
            }
            Err(e) => {
                let runs: Vec<JobRun> = std::mem::take(&mut self.works).into_keys().collect();
                // The first error is returned.
                drop(self.lose(&runs));
                Err(e)
            }
        }
    }

    fn work_or_stop(&mut self) -> Result<Option<Stopped>> {
        loop {
            loop {
                if let Some(signal) = self.signals.received() {
                    return Ok(Some(Stopped::Signal(signal)));
                }
                if self.limits.deadline.is_some_and(|at| at <= Instant::now()) {
                    return Ok(Some(Stopped::Deadline));
                }
                if !self.start_some()? {
                    break;
                }
            }
            let known = self.store.count::<PartitionRef, Any>();
            self.progress
                .live(self.store.count::<Partition, Live>(), known);
            if self.is_idle() && !self.waits_for_a_time() {
                return Ok(None);
            }
            self.record_ends(TICK)?;
            self.stop_late_runs();
            self.answer()?;
        }
    }

    /// How many more runs may be queued. The next ones are queued before there is room for their processes if one that runs is expected to
    /// end in a moment, so that its thread starts the next process without waiting for the engine.
    fn room(&self) -> usize {
        let jobs = self.limits.jobs.max(1);
        let is_quick = |work: &Work| work.runs_since.is_some() && work.is_quick;
        let ahead = match !self.limits.fail_fast && self.works.values().any(is_quick) {
            true => jobs,
            false => 0,
        };
        (jobs + ahead).saturating_sub(self.children.len())
    }

    /// Starts as many runs as there is room for. Returns whether it started one: a run may fail at once, and make room for another.
    pub(crate) fn start_some(&mut self) -> Result<bool> {
        self.end_times()?;
        self.end_backoffs(Instant::now())?;
        let startable = self.startable(self.room());
        for partition in &startable {
            self.start(*partition)?;
        }
        Ok(!startable.is_empty())
    }

    /// Carries out what other databuilds want to cancel or to retry, and answers them when that is on the disk.
    pub(crate) fn answer(&mut self) -> Result<()> {
        let letters = self.inbox.letters();
        let mut done = Vec::new();
        for letter in letters {
            self.went_stale |= letter.request.what == What::Taint;
            done.push((letter.request.carry_out(&mut self.store), letter));
        }
        if !done.is_empty() {
            self.sync()?;
        }
        for (done, letter) in done {
            letter.answer(done);
        }
        self.stop_needless_runs();
        Ok(())
    }

    /// Returns whether a wanted partition waits for the time at which its job is run again.
    fn waits_for_a_time(&self) -> bool {
        let db = &self.store;
        let mut waiting = self.backoffs.iter().map(|(_, partition)| partition);
        waiting.any(|p| p.is::<Backoff>(db) && p.awaited_by_count(db) > 0)
    }

    /// Ends the times that are over, before a job is run again.
    pub(crate) fn end_backoffs(&mut self, now: Instant) -> Result<()> {
        while let Some((at, partition)) = self.backoffs.first().copied() {
            if at > now {
                break;
            }
            self.backoffs.pop_first();
            // The wall clock may have been before this one.
            if partition.is::<Backoff>(&self.store) {
                self.fire(BackoffEnded { partition })?;
            }
        }
        Ok(())
    }

    /// Ends the wants that have not ended: they expire at the deadline of the caller, and are canceled otherwise. Records the runs that no open
    /// want needs any more as canceled; their processes have ended.
    pub fn end_wants(&mut self, wants: &[Want], stopped: Option<Stopped>) -> Result<()> {
        let open = wants.iter().filter(|want| is_open(**want, &self.store));
        let open: Vec<Want> = open.copied().collect();
        let dirs = self.dirs.clone();
        let failed = |e| step_error(&dirs, e);
        let runs: Vec<JobRun> = std::mem::take(&mut self.works).into_keys().collect();
        if !open.is_empty() || !runs.is_empty() {
            let mut t = self.store.begin();
            for want in open {
                match stopped {
                    Some(Stopped::Deadline) => t.apply(WantExpired { want }).map(drop),
                    _ => t.apply(WantCanceled { want }).map(drop),
                }
                .map_err(failed)?;
            }
            for run in &runs {
                t.apply(RunCanceled { run: *run }).map_err(failed)?;
            }
            t.commit().map_err(failed)?;
        }
        for run in runs {
            dirs.discard(&run.id().to_string());
        }
        Ok(())
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

//! The life of a run: it is queued, its process is started, and its result is recorded. A process may be ended before its time
//! ([`crate::stop`]).

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use ironweave::prelude::*;

use crate::child::{Ended, Spec, Written};
use crate::command::{Secrets, expand};
use crate::engine::{Engine, STDERR_LINES_MAX, step_error};
use crate::invoked;
use crate::jobs::{Job, Jobs};
use crate::model::build::state::{Failed, Live, Queued, Running, Stale, Tainted};
use crate::model::build::{
    self, AttemptFailed, DepMissed, InputsNeeded, JobFailed, JobQueued, JobRun, JobStarted,
    JobSucceeded, Partition, PartitionReplaced, RunCanceled,
};
use crate::pattern::Pattern;
use crate::progress::Ending;
use crate::protocol::RunOutput;
use crate::rules::{self, current, name};
use crate::stop::{Seen, Stop, Why};
use crate::text::in_words;
use crate::times;
use crate::verdict::{self, Case, Verdict};

/// A job whose last run took no longer is expected to take no longer again.
pub const QUICK: Duration = Duration::from_millis(10);

/// The longest time before a job is run again.
const BACKOFF_MAX: Duration = Duration::from_secs(3600);

/// The work of a process.
pub struct Work {
    pub(crate) partition: Partition,
    /// The value of `lives` when it was started.
    began: usize,
    /// How long it may take.
    time_max: Option<Duration>,
    /// When its process was started, while it runs.
    pub(crate) runs_since: Option<Instant>,
    /// Whether it is expected to end in a moment.
    pub(crate) is_quick: bool,
    pub(crate) seen: Seen,
    pub(crate) stop: Option<Stop>,
    /// The pool of its job.
    pub(crate) pool: Option<usize>,
    pub(crate) secrets: Secrets,
}

impl Work {
    /// Returns whether the run may have succeeded, as far as its process says.
    pub(crate) fn may_succeed(&self, ended: &Ended<JobRun, RunOutput>) -> bool {
        let is_fine = |output: &RunOutput| output.missed.is_empty();
        self.stop.is_none() && ended.exit == 0 && ended.output.as_ref().is_ok_and(is_fine)
    }

    /// How long it may take, if its process has run for longer.
    pub(crate) fn timed_out(&self, now: Instant) -> Option<Duration> {
        let took = now.saturating_duration_since(self.runs_since?);
        self.time_max.filter(|most| took >= *most)
    }
}

/// What is recorded of a run that has failed.
struct Failure {
    exit: i32,
    reason: String,
    digest: Option<String>,
    inputs: Vec<Partition>,
    /// Whether the cause may be gone without a trace when the next databuild starts.
    again: bool,
}

impl Engine {
    /// Queues a run for a partition, and starts its process. A stale or tainted partition is checked before.
    pub(crate) fn start(&mut self, partition: Partition) -> Result<()> {
        let db = &self.store;
        let is_old = partition.is::<Stale>(db) || partition.is::<Tainted>(db);
        if is_old && !self.check(partition)? {
            return Ok(());
        }
        let failed = |e| step_error(&self.dirs, e);
        let mut t = self.store.begin();
        let partition = match is_old {
            true => {
                let replaced = t.apply(PartitionReplaced { partition });
                replaced.map_err(failed)?.created.next
            }
            false => partition,
        };
        let name = name(partition, &t).to_owned();
        // If no job makes it any more, its run fails and says so.
        let job = self.jobs.job_for(&name).ok();
        let is_live = |name: &String| current(name, &t).is_some_and(|p| p.is::<Live>(&t));
        let mut missed = job.map(|job| job.inputs(&name)).unwrap_or_default();
        missed.retain(|name| !is_live(name));
        let mut refusal = None;
        if !missed.is_empty() {
            let found = (&self.missed, self.limits.discovery);
            refusal = verdict::refusal(&t, &self.jobs, partition, &missed, &self.parents, found);
            if refusal.is_none() {
                let needed = t.apply(InputsNeeded {
                    partition,
                    missed: missed.iter().cloned().map(Ensure::from).collect(),
                });
                match needed {
                    Ok(_) => {
                        t.commit().map_err(failed)?;
                        self.progress.ended(&name, Ending::Missed(missed.len()));
                        self.missed.extend(missed);
                        return Ok(());
                    }
                    Err(e @ StepError::Cycle { .. }) => {
                        refusal = Some(verdict::rejected(&t, &e));
                    }
                    Err(e) => return Err(failed(e)),
                }
            }
        }
        let attempt = match partition.built_by(&t) {
            Some(run) if run.is::<Failed>(&t) => run.attempt(&t).saturating_add(1),
            Some(run) => run.attempt(&t).max(1),
            None => 1,
        };
        let event = JobQueued {
            label: name.clone(),
            attempt,
            version: job.map_or_else(String::new, Job::version),
            partitions: vec![partition],
            wants: partition.awaited_by(&t).collect(),
        };
        let run = t.apply(event).map_err(failed)?.created.run;
        t.commit().map_err(failed)?;
        let spawned = match refusal {
            Some(why) => Err(anyhow::anyhow!("{why}")),
            None => self.spawn(run, partition, &name),
        };
        match spawned {
            Ok(()) => Ok(()),
            Err(e) => self.record_no_start(run, partition, &e),
        }
    }

    /// Records that the process of a run was started.
    pub(crate) fn started(&mut self, run: JobRun, pid: u32) -> Result<()> {
        let queued = run.in_state::<Queued>(&self.store);
        if let (Some(queued), Some(work)) = (queued, self.works.get_mut(&run)) {
            work.runs_since = Some(Instant::now());
            let name = name(work.partition, &self.store).to_owned();
            self.fire(JobStarted { run: queued, pid })?;
            self.progress.started(&name, pid);
        }
        Ok(())
    }

    /// Notes that the process of a run has ended, and how long it took.
    pub(crate) fn process_has_ended(&mut self, run: JobRun) {
        let Some(work) = self.works.get_mut(&run) else {
            return;
        };
        let is_quick = (work.runs_since.take()).is_some_and(|since| since.elapsed() <= QUICK);
        if is_quick != work.is_quick
            && let Ok(job) = self.jobs.job_for(name(work.partition, &self.store))
        {
            match is_quick {
                true => self.quick.insert(job.pattern.clone()),
                false => self.quick.remove(&job.pattern),
            };
        }
    }

    /// Records that the process of a run could not be started, or was ended before.
    pub(crate) fn not_started(&mut self, run: JobRun, why: &anyhow::Error) -> Result<()> {
        match self.works.remove(&run) {
            Some(work) if work.stop.is_some() => self.record_canceled(run, work.partition),
            Some(work) => self.record_no_start(run, work.partition, why),
            None => Ok(()),
        }
    }

    /// Records that the process of a run was ended, or not started, so that another run may build the partition.
    fn record_canceled(&mut self, run: JobRun, partition: Partition) -> Result<()> {
        self.dirs.discard(&run.id().to_string());
        self.fire(RunCanceled { run })?;
        let name = name(partition, &self.store).to_owned();
        self.progress.ended(&name, Ending::Canceled);
        Ok(())
    }

    fn record_no_start(
        &mut self,
        run: JobRun,
        partition: Partition,
        why: &anyhow::Error,
    ) -> Result<()> {
        let failure = Failure {
            exit: 127,
            reason: format!("{why:#}"),
            digest: None,
            inputs: Vec::new(),
            again: true,
        };
        let name = name(partition, &self.store).to_owned();
        let ending = self.record_failure(run, partition, failure)?;
        self.progress.ended(&name, ending);
        Ok(())
    }

    /// Starts the process of a run, on a thread ([`Engine::started`]).
    fn spawn(&mut self, run: JobRun, partition: Partition, name: &str) -> Result<()> {
        let id = run.id().to_string();
        let dir = self.dirs.make_run(&id)?;
        let job = self.jobs.job_for(name)?;
        let mut vars = self.vars().to_vec();
        vars.push(("PARTITION".into(), name.to_owned()));
        vars.push(("DATABUILD_OUT".into(), dir.to_string_lossy().into_owned()));
        vars.extend(job.fields(name));
        let live = self.live(&job.live);
        let secrets = job.env.secrets();
        invoked::keep(&self.dirs, &id, expand(&job.command, &vars), &secrets);
        let mut output = RunOutput::of(name)
            .hashing(dir.clone())
            .reporting(self.reporter(run));
        if !job.strict {
            output = output.keeping(self.dirs.stdout(&id), secrets.clone());
        }
        let spec = Spec {
            command: &job.command,
            arguments: &[],
            vars: &vars,
            env: &job.env,
            dir: &dir,
            stderr: Written::to(self.dirs.stderr(&id), secrets.clone()),
            stdin: live,
        };
        let declared = job.inputs(name);
        self.children.spawn(run, spec, output)?;
        let declared = declared
            .iter()
            .filter_map(|name| current(name, &self.store));
        let work = Work {
            partition,
            began: self.lives,
            time_max: job.timeout,
            runs_since: None,
            is_quick: self.quick.contains(&job.pattern),
            seen: Seen::of(declared.collect()),
            stop: None,
            pool: job.pool,
            secrets,
        };
        self.works.insert(run, work);
        Ok(())
    }

    /// The names of the live partitions that match one of the patterns, one per line. A pattern without wildcards is looked up.
    fn live(&self, patterns: &[Pattern]) -> String {
        let db = &self.store;
        let is_live = |name: &&str| current(name, db).is_some_and(|p| p.is::<Live>(db));
        let literals = patterns.iter().filter_map(Pattern::literal).filter(is_live);
        let mut names: BTreeSet<&str> = literals.collect();
        if patterns.iter().any(|pattern| pattern.literal().is_none()) {
            let live = db.place::<Partition, Live>().map(|p| p.of(db).name(db));
            names.extend(live.filter(|name| patterns.iter().any(|p| p.matches(name))));
        }
        names.into_iter().flat_map(|name| [name, "\n"]).collect()
    }

    /// Continues with other jobs, such as those of a jobs file that was changed. Runs go on.
    pub(crate) fn use_jobs(&mut self, jobs: Jobs) {
        for work in self.works.values_mut() {
            let name = name(work.partition, &self.store);
            work.pool = jobs.job_for(name).ok().and_then(|job| job.pool);
        }
        self.jobs = jobs;
    }

    /// Records the result of a run whose process has ended. If it [may have succeeded](Work::may_succeed), its output was sealed.
    pub(crate) fn ended(
        &mut self,
        mut ended: Ended<JobRun, RunOutput>,
        sealed: Result<()>,
    ) -> Result<()> {
        let run = ended.key;
        self.hear();
        let Some(work) = self.works.remove(&run) else {
            return Ok(());
        };
        let (partition, began) = (work.partition, work.began);
        let running = run
            .in_state::<Running>(&self.store)
            .context("a run that has ended is not Running")?;
        let name = name(partition, &self.store).to_owned();
        let id = run.id().to_string();
        let stop = work.stop.map(|stop| stop.why);
        let stderr = ended.stderr.tail(STDERR_LINES_MAX);
        if stop == Some(Why::Needless) {
            return self.record_canceled(run, partition);
        }
        let mut failure = Failure {
            exit: ended.exit,
            reason: String::new(),
            digest: None,
            inputs: Vec::new(),
            again: false,
        };
        let mut content = String::new();
        if let Ok(output) = &mut ended.output {
            let db = &self.store;
            if let Ok(job) = self.jobs.job_for(&name) {
                output.declare(job.inputs(&name));
            }
            failure.digest.clone_from(&output.digest);
            content = output.content.take().unwrap_or_default();
            let inputs = output.inputs.iter().filter_map(|name| current(name, db));
            failure.inputs = inputs.filter(|p| p.is::<Live>(db)).collect();
        }
        let not_live = &work.seen.not_live;
        let was_live = |p: Partition| {
            let since = self.built.get(&p).max(self.kept.get(&p));
            since.is_none_or(|nth| *nth <= began) && !not_live.contains(rules::name(p, &self.store))
        };
        let case = Case {
            partition,
            // It was ended because of what it misses.
            exit: if stop == Some(Why::Doomed) {
                0
            } else {
                ended.exit
            },
            status: &ended.status,
            output: ended.output,
            not_live,
            was_live: &was_live,
            unknown: &|p| self.unknown.why(p),
            parents: &self.parents,
            missed_before: &self.missed,
            discovery_max: self.limits.discovery,
        };
        let mut verdict = match stop {
            Some(Why::TimedOut(most)) => {
                let most = in_words(most);
                Verdict::Failed(format!("it did not end within {most}, its timeout"))
            }
            _ => verdict::of(&self.store, &self.jobs, case),
        };
        let left = ended.left.message();
        if let Some(left) = left {
            self.progress.note(format_args!("{name}: {left}"));
        }
        // A run fails if its output cannot be read, synced or moved into place.
        if matches!(verdict, Verdict::Succeeded { .. }) {
            let placed = sealed.and_then(|()| self.dirs.publish(&id, &name));
            verdict = placed.map_or_else(|e| Verdict::Hindered(format!("{e:#}")), |()| verdict);
        }
        let recorded = match verdict {
            Verdict::Succeeded {
                digest,
                reads,
                inputs,
            } => {
                let ttl = self.jobs.job_for(&name).ok().and_then(|job| job.ttl);
                let event = JobSucceeded {
                    run: running,
                    digest,
                    reads,
                    inputs,
                    content,
                    expires: ttl.and_then(times::after),
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
            Verdict::Hindered(why) => {
                failure.again = true;
                Err(why)
            }
        };
        let ending = match recorded {
            Ok(ending) => ending,
            Err(why) => {
                let full = self.dirs.probe(&id).err().map(|e| format!("{e:#}"));
                failure.again |= full.is_some();
                let more = [left.map(str::to_owned), Some(stderr), full];
                let more = more.into_iter().flatten().filter(|text| !text.is_empty());
                let reason = std::iter::once(why).chain(more).collect::<Vec<_>>();
                failure.reason = work.secrets.redact(reason.join("\n"));
                self.record_failure(run, partition, failure)?
            }
        };
        self.progress.ended(&name, ending);
        Ok(())
    }

    /// Records that a run has failed. If its job has retries left, it is run again after a time.
    fn record_failure(
        &mut self,
        run: JobRun,
        partition: Partition,
        failure: Failure,
    ) -> Result<Ending> {
        let job = self.jobs.job_for(name(partition, &self.store)).ok();
        let attempt = run.attempt(&self.store);
        let Failure {
            exit,
            reason,
            digest,
            inputs,
            mut again,
        } = failure;
        if let Some(job) = job
            && attempt <= job.retries
        {
            let times = 2u32.saturating_pow(attempt.saturating_sub(1));
            let wait = job.backoff.saturating_mul(times).min(BACKOFF_MAX);
            let of = job.retries.saturating_add(1);
            self.fire(AttemptFailed {
                run,
                exit,
                reason,
                wait,
            })?;
            self.backoffs.insert((Instant::now() + wait, partition));
            return Ok(Ending::Repeats { attempt, of, wait });
        }
        // Whether its sources change can only be seen if it has told their digest.
        again |= job.is_some_and(|job| job.digest.is_some()) && digest.is_none();
        self.failed.insert(partition);
        self.fire(JobFailed {
            run,
            exit,
            reason,
            digest,
            again,
            inputs,
        })?;
        Ok(Ending::Failed)
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
}

#[cfg(test)]
mod tests;

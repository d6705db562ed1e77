//! Finds the partitions that are no longer up to date when databuild starts: live partitions whose data is missing, and those whose digest
//! has changed since they were built, or the version of their job. A partition that has failed may be built again if one of these has changed.
//!
//! If the `digest` command of a job fails, the partitions of that job are not known to be up to date. Partitions that depend on them
//! are not built until the command works again; all others are.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::Result;
use ironweave::prelude::*;

use crate::child::{self, Children, Ended, Spec};
use crate::engine::{Engine, STDERR_LINES_MAX, TICK};
use crate::jobs::Job;
use crate::model::build::state::{Checking, Failed, Live, Stale};
use crate::model::build::{Partition, SourcesChanged};
use crate::present::Present;
use crate::protocol::Digests;
use crate::rules::{current, name};

/// The number of partitions per `digest` command, because the length of a command line is limited.
const BATCH: usize = 500;

/// The partitions that are not known to be up to date, and the consequences.
#[derive(Default)]
pub struct Unknown {
    /// The errors, one for each job.
    failures: Vec<String>,
    /// The partitions of these jobs, with the index of the error.
    partitions: BTreeMap<Partition, usize>,
    /// These partitions, and all that depend on them.
    affected: BTreeSet<Partition>,
}

impl Unknown {
    /// The first line of the error because of which a partition is not known to be up to date.
    pub fn why(&self, partition: Partition) -> Option<&str> {
        let failure = self.failures.get(*self.partitions.get(&partition)?)?;
        failure.lines().next()
    }

    /// Returns whether a partition is one of them or depends on one.
    pub fn affects(&self, partition: Partition) -> bool {
        self.affected.contains(&partition)
    }

    /// The errors, each with a summary as its first line.
    pub fn failures(&self) -> impl Iterator<Item = &str> {
        self.failures.iter().map(String::as_str)
    }
}

/// A live or failed partition, its name and the digest that it was built with.
type Built = (Partition, String, String);

/// Records which live partitions are stale; those in `gone` are known to be. Returns the signal that
/// stopped it, if there was one.
pub fn look(engine: &mut Engine, refs: &[String], gone: Vec<Partition>) -> Result<Option<i32>> {
    let mut changed: BTreeSet<Partition> = gone.into_iter().collect();
    let db = &engine.store;
    let mut by_job: BTreeMap<usize, Vec<Built>> = BTreeMap::new();
    let live = db.place::<Partition, Live>().map(|p| p.any());
    // What may be live again without a run is compared like what is live.
    let stale = db.place::<Partition, Stale>().filter(|p| p.by_inputs(db));
    let stale = stale.map(|p| p.any());
    let checking = db
        .place::<Partition, Checking>()
        .filter(|p| p.by_inputs(db));
    let checking = checking.map(|p| p.any());
    let failed = db.place::<Partition, Failed>().map(|p| p.any());
    let versions: Vec<String> = engine.jobs.all().iter().map(Job::version).collect();
    let mut present = Present::of(engine.dirs.data());
    for partition in live.chain(stale).chain(checking).chain(failed) {
        let name = name(partition, db);
        let job = engine.jobs.index_for(name).ok();
        let version = partition.built_by(db).map_or("", |run| run.version(db));
        let is_of = |job: usize| version.is_empty() || versions[job] == version;
        let has_failed = partition.in_state::<Failed>(db);
        if (has_failed.is_none() && !present.has(name)) || !job.is_none_or(is_of) {
            changed.insert(partition);
            continue;
        }
        let Some(job) = job.filter(|job| engine.jobs.all()[*job].digest.is_some()) else {
            continue;
        };
        let digest = match has_failed {
            Some(failed) => failed.digest(db).clone(),
            None => built_with(partition, db),
        };
        if let Some(digest) = digest {
            let built = (partition, name.to_owned(), digest);
            by_job.entry(job).or_default().push(built);
        }
    }
    let mut comparison = Comparison {
        engine,
        todo: by_job
            .iter()
            .map(|(job, built)| (*job, built.chunks(BATCH).collect()))
            .collect(),
        asked: HashMap::new(),
        children: Children::new(),
        changed,
        failures: BTreeMap::new(),
    };
    if let Some(signal) = comparison.run() {
        return Ok(Some(signal));
    }
    let Comparison {
        mut changed,
        failures,
        ..
    } = comparison;
    let mut unknown = Unknown::default();
    for (job, failure) in failures {
        let built = by_job.get(&job).into_iter().flatten();
        let index = unknown.failures.len();
        unknown.partitions.extend(built.map(|(p, ..)| (*p, index)));
        unknown.failures.push(failure);
    }
    if !unknown.failures.is_empty() {
        affect(engine, refs, &mut unknown, &mut changed);
        for failure in unknown.failures() {
            let first = failure.lines().next().unwrap_or_default();
            engine.progress.note(format_args!(
                "{first}; partitions that depend on its partitions are not built"
            ));
        }
    }
    engine.unknown = unknown;
    if !changed.is_empty() {
        engine.fire(SourcesChanged {
            partitions: changed.into_iter().collect(),
        })?;
        engine.went_stale = true;
    }
    Ok(None)
}

/// The digest that a partition was built with, if it is live or may be live again.
fn built_with(partition: Partition, db: &impl Db) -> Option<String> {
    let live = partition.in_state::<Live>(db).map(|p| p.digest(db));
    let stale = partition.in_state::<Stale>(db).map(|p| p.digest(db));
    let checking = partition.in_state::<Checking>(db).map(|p| p.digest(db));
    live.or(stale).or(checking).map(ToOwned::to_owned)
}

/// Computes the partitions that depend on unknown ones, and keeps only those changed partitions that other ones
/// need. The next databuild checks the rest again.
fn affect(
    engine: &Engine,
    refs: &[String],
    unknown: &mut Unknown,
    changed: &mut BTreeSet<Partition>,
) {
    let db = &engine.store;
    unknown.affected = rests_on(db, unknown.partitions.keys().copied());
    let needed = refs
        .iter()
        .filter_map(|name| current(name, db))
        .filter(|p| !unknown.affects(*p));
    let needed = stands_on(db, needed);
    changed.retain(|p| needed.contains(p));
}

/// The `digest` commands, which run concurrently.
struct Comparison<'e> {
    engine: &'e Engine,
    /// By job, the remaining batches.
    todo: BTreeMap<usize, Vec<&'e [Built]>>,
    /// By job, the batch that its command is running for.
    asked: HashMap<usize, &'e [Built]>,
    children: Children<usize, Digests>,
    changed: BTreeSet<Partition>,
    failures: BTreeMap<usize, String>,
}

impl Comparison<'_> {
    /// Runs all commands. Returns the signal that stopped it, if there was one.
    fn run(&mut self) -> Option<i32> {
        let jobs: Vec<usize> = self.todo.keys().copied().collect();
        for job in &jobs {
            self.start_next(*job);
        }
        let signal = self.wait();
        for job in jobs {
            let secrets = self.engine.jobs.all()[job].env.secrets();
            self.engine.dirs.discard(&run_of(job));
            self.engine.dirs.tidy(&run_of(job), &secrets);
        }
        signal
    }

    /// Waits until all commands have ended, or until a signal arrives.
    fn wait(&mut self) -> Option<i32> {
        while !self.children.is_empty() {
            if let Some(signal) = self.engine.signals.received() {
                self.children.end();
                return Some(signal);
            }
            if let Some(ended) = self.children.ended(TICK) {
                let job = ended.key;
                match self.compare(ended) {
                    Ok(()) => self.start_next(job),
                    Err(why) => self.failed(job, &why),
                }
            }
        }
        None
    }

    /// Starts the command of a job for its next batch, if there is one.
    fn start_next(&mut self, job: usize) {
        let Some(batch) = self.todo.get_mut(&job).and_then(Vec::pop) else {
            return;
        };
        self.asked.insert(job, batch);
        if let Err(e) = self.start(job, batch) {
            self.failed(job, &format!("{e:#}"));
        }
    }

    fn start(&mut self, job: usize, batch: &[Built]) -> Result<()> {
        let engine = self.engine;
        let names: Vec<String> = batch.iter().map(|(_, name, _)| name.clone()).collect();
        let command = engine.jobs.all()[job].digest.as_deref();
        let run = run_of(job);
        engine.dirs.make_run(&run)?;
        let spec = Spec {
            command: command.unwrap_or_default(),
            arguments: &names,
            vars: engine.vars(),
            env: &engine.jobs.all()[job].env,
            dir: &engine.dirs.data(),
            stderr: &engine.dirs.stderr(&run),
            stdin: String::new(),
        };
        self.children.spawn(job, spec, Digests::of(&names))?;
        Ok(())
    }

    /// Compares the output of a command with the digests that were recorded when the partitions were built.
    fn compare(&mut self, mut ended: Ended<usize, Digests>) -> Result<(), String> {
        let job = ended.key;
        if let Some(left) = ended.group.message() {
            let pattern = &self.engine.jobs.all()[job].pattern;
            self.engine.progress.note(format_args!(
                "the `digest` command of the job for `{pattern}`: {left}"
            ));
        }
        if ended.exit != 0 {
            let secrets = self.engine.jobs.all()[job].env.secrets();
            let stderr = secrets.redact(child::tail(&mut ended.stderr, STDERR_LINES_MAX));
            return Err(format!("it {}\n{stderr}", ended.status));
        }
        let now = ended.output?;
        let differs = |(_, name, digest): &&Built| now.get(name) != Some(digest);
        let batch = self.asked.remove(&job).unwrap_or_default();
        let differing = batch.iter().filter(differs).map(|(p, ..)| *p);
        self.changed.extend(differing);
        Ok(())
    }

    fn failed(&mut self, job: usize, why: &str) {
        self.todo.remove(&job);
        let pattern = &self.engine.jobs.all()[job].pattern;
        self.failures.insert(
            job,
            format!("the `digest` command of the job for `{pattern}` failed: {why}"),
        );
    }
}

/// The name of the directory for the stderr of a job's `digest` command.
fn run_of(job: usize) -> String {
    format!("digest-{job}")
}

/// The transitive closure of partitions over their inputs and upstreams, including themselves. Each is the current instance of
/// its reference.
pub fn stands_on(
    db: &impl Db,
    partitions: impl IntoIterator<Item = Partition>,
) -> BTreeSet<Partition> {
    closure(partitions, |p| {
        let needed = p.inputs(db).chain(p.upstreams(db));
        needed.filter_map(|p| p.of(db).current(db)).collect()
    })
}

/// The transitive closure of partitions over their outputs and downstreams, including themselves. What was made from an earlier
/// instance counts, as long as it was not replaced itself.
pub fn rests_on(
    db: &impl Db,
    partitions: impl IntoIterator<Item = Partition>,
) -> BTreeSet<Partition> {
    closure(partitions, |p| {
        let instances = p.of(db).instances(db);
        let all = instances.flat_map(|p| p.outputs(db).chain(p.downstreams(db)));
        all.filter(|p| p.current_of(db).is_some()).collect()
    })
}

/// The partitions that can be reached from some, including themselves.
pub fn closure(
    partitions: impl IntoIterator<Item = Partition>,
    next: impl Fn(Partition) -> Vec<Partition>,
) -> BTreeSet<Partition> {
    let mut found = BTreeSet::new();
    let mut todo: Vec<Partition> = partitions.into_iter().collect();
    while let Some(partition) = todo.pop() {
        if found.insert(partition) {
            todo.extend(next(partition));
        }
    }
    found
}

//! Finds the partitions that are no longer up to date when something is wanted: live partitions whose data is missing, and those whose digest
//! has changed since they were built, or the version of their job. A partition that has failed may be built again if one of these has changed.
//!
//! If the wanted partitions and all that they are made from are live, only these are compared at first. If none of them has changed, nothing is
//! built. Before something is built, all others are compared, since a run may read any of them.
//!
//! If the `digest` command of a job fails, the partitions of that job are not known to be up to date. Partitions that depend on them
//! are not built until the command works again; all others are.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::Result;
use ironweave::prelude::*;

use crate::digests::{Answers, Built, Question, Questions};
use crate::engine::Engine;
use crate::jobs::Job;
use crate::model::build::state::{Checking, Failed, Live, Stale};
use crate::model::build::{Partition, PartitionRef, SourcesChanged};
use crate::present::Present;
use crate::rules::{current, name, open_wants};

/// Wanted partitions and what they are made from are compared alone if they are at most one in so many of all partitions. For more of them, comparing
/// all takes about as long.
const FEW_OF: usize = 4;

/// The partitions that are not known to be up to date, and the consequences.
#[derive(Default)]
pub struct Unknown {
    /// By the pattern of the job, the errors, with the partitions of the job.
    failures: BTreeMap<String, (String, BTreeSet<Partition>)>,
    /// These partitions, and all that depend on them.
    affected: BTreeSet<Partition>,
}

impl Unknown {
    /// The first line of the error because of which a partition is not known to be up to date.
    pub fn why(&self, partition: Partition) -> Option<&str> {
        let mut failures = self.failures.values();
        let (failure, _) = failures.find(|(_, partitions)| partitions.contains(&partition))?;
        failure.lines().next()
    }

    /// Returns whether a partition is one of them or depends on one.
    pub fn affects(&self, partition: Partition) -> bool {
        self.affected.contains(&partition)
    }

    /// The errors, each with a summary as its first line.
    pub fn failures(&self) -> impl Iterator<Item = &str> {
        self.failures.values().map(|(failure, _)| failure.as_str())
    }

    /// Forgets the errors of the other jobs.
    pub fn retain(&mut self, is_kept: impl Fn(&str) -> bool, db: &impl Db) {
        let before = self.failures.len();
        self.failures.retain(|pattern, _| is_kept(pattern));
        if self.failures.len() < before {
            self.affect(db);
        }
    }

    fn affect(&mut self, db: &impl Db) {
        let partitions = self
            .failures
            .values()
            .flat_map(|(_, partitions)| partitions);
        self.affected = rests_on(db, partitions.copied());
    }
}

/// Records which live partitions are stale; those in `gone` are known to be. Returns the signal that
/// stopped it, if there was one.
pub fn look(engine: &mut Engine, refs: &[String], gone: Vec<Partition>) -> Result<Option<i32>> {
    // Wants of a daemon that was killed may build something else.
    if gone.is_empty()
        && open_wants(&engine.store).is_empty()
        && let Some(few) = live_and_few(engine, refs)
    {
        match look_at(engine, refs, Some(&few), gone.clone())? {
            Ok(changed) if changed.is_empty() => return Ok(None),
            Ok(_) => {}
            Err(signal) => return Ok(Some(signal)),
        }
    }
    Ok(look_at(engine, refs, None, gone)?.err())
}

/// Compares some partitions, or all, and returns those that have changed, or the signal that stopped it.
fn look_at(
    engine: &mut Engine,
    refs: &[String],
    few: Option<&BTreeSet<Partition>>,
    gone: Vec<Partition>,
) -> Result<Result<BTreeSet<Partition>, i32>> {
    let (mut changed, questions) = differences(engine, few);
    changed.extend(gone);
    match questions.ask_all(&|| engine.signals.received()) {
        Ok(answers) => learn(engine, refs, changed, answers).map(Ok),
        Err(signal) => Ok(Err(signal)),
    }
}

/// Wanted partitions and what they are made from, if all of that is live, and few of all partitions. If nothing of it has changed, nothing is
/// built. O(partitions that are returned), and of their inputs.
pub fn live_and_few(engine: &Engine, refs: &[String]) -> Option<BTreeSet<Partition>> {
    let db = &engine.store;
    let most = db.count::<PartitionRef, Any>() / FEW_OF;
    let mut found = BTreeSet::new();
    let mut todo: Vec<Partition> = refs
        .iter()
        .map(|name| current(name, db))
        .collect::<Option<_>>()?;
    while let Some(partition) = todo.pop() {
        if !partition.is::<Live>(db) {
            return None;
        }
        if !found.insert(partition) {
            continue;
        }
        if found.len() > most {
            return None;
        }
        for input in partition.inputs(db).chain(partition.upstreams(db)) {
            todo.push(input.of(db).current(db)?);
        }
    }
    // Without names, what was built before is looked at.
    (!found.is_empty()).then_some(found)
}

/// What is compared without a `digest` command: the data of partitions, and the versions of their jobs.
pub struct LocalChanges {
    versions: Vec<String>,
    present: Present,
}

impl LocalChanges {
    /// Compares with these jobs, and with the partitions in a directory.
    pub fn of(jobs: &[Job], data: PathBuf) -> Self {
        Self {
            versions: jobs.iter().map(Job::version).collect(),
            present: Present::of(data),
        }
    }

    /// What has changed since a partition was built or has failed. `job` is the index of its job.
    pub fn change(
        &mut self,
        partition: Partition,
        name: &str,
        job: Option<usize>,
        db: &impl Db,
    ) -> Option<&'static str> {
        if !partition.is::<Failed>(db) && !self.present.has(name) {
            return Some("its data is gone");
        }
        let version = partition.built_by(db).map_or("", |run| run.version(db));
        let now = job.and_then(|job| self.versions.get(job));
        let is_other = !version.is_empty() && now.is_some_and(|now| now != version);
        is_other.then_some("its job has another version")
    }
}

/// The partitions that have changed as can be seen without a `digest` command, and what is to be asked of these commands. Only these live
/// partitions are compared, or all.
pub fn differences(
    engine: &Engine,
    few: Option<&BTreeSet<Partition>>,
) -> (BTreeSet<Partition>, Questions) {
    let mut changed = BTreeSet::new();
    let db = &engine.store;
    let mut by_job: BTreeMap<usize, Vec<Built>> = BTreeMap::new();
    let compared_ones: Vec<Partition> = match few {
        Some(few) => few.iter().copied().collect(),
        None => all_compared(db),
    };
    let mut local = LocalChanges::of(engine.jobs.all(), engine.dirs.data());
    for partition in compared_ones {
        let name = name(partition, db);
        let job = engine.jobs.index_for(name).ok();
        if local.change(partition, name, job, db).is_some() {
            changed.insert(partition);
            continue;
        }
        let Some(job) = job.filter(|job| engine.jobs.all()[*job].digest.is_some()) else {
            continue;
        };
        let digest = compared(partition, db);
        if let Some(digest) = digest {
            let built = (partition, name.to_owned(), digest);
            by_job.entry(job).or_default().push(built);
        }
    }
    let jobs = by_job.into_iter().filter_map(|(index, built)| {
        let job = &engine.jobs.all()[index];
        let question = Question {
            pattern: job.pattern.clone(),
            command: job.digest.clone()?,
            env: job.env.clone(),
            built,
        };
        Some((index, question))
    });
    let questions = Questions {
        jobs: jobs.collect(),
        vars: engine.vars().to_vec(),
        dirs: engine.dirs.clone(),
    };
    (changed, questions)
}

/// The partitions that may have changed since they were built or have failed.
fn all_compared(db: &impl Db) -> Vec<Partition> {
    let live = db.place::<Partition, Live>().map(|p| p.any());
    // What may be live again without a run is compared like what is live.
    let stale = db.place::<Partition, Stale>().filter(|p| p.by_inputs(db));
    let stale = stale.map(|p| p.any());
    let checking = db
        .place::<Partition, Checking>()
        .filter(|p| p.by_inputs(db));
    let checking = checking.map(|p| p.any());
    let failed = db.place::<Partition, Failed>().map(|p| p.any());
    live.chain(stale).chain(checking).chain(failed).collect()
}

/// Records what has changed, with the answers of `digest` commands, and returns it. They may have been asked long ago, so that a partition
/// may have been built again since.
pub fn learn(
    engine: &mut Engine,
    refs: &[String],
    mut changed: BTreeSet<Partition>,
    answers: Answers,
) -> Result<BTreeSet<Partition>> {
    for note in answers.notes {
        engine.progress.note(note);
    }
    let db = &engine.store;
    let is_same =
        |(partition, _, digest): &&Built| compared(*partition, db).as_ref() == Some(digest);
    let differing = answers.differing.iter().filter(is_same);
    changed.extend(differing.map(|(partition, ..)| *partition));
    let mut unknown = std::mem::take(&mut engine.unknown);
    for pattern in &answers.jobs {
        unknown.failures.remove(pattern);
    }
    for (pattern, (failure, built)) in answers.failures {
        let first = failure.lines().next().unwrap_or_default();
        engine.progress.note(format_args!(
            "{first}; partitions that depend on its partitions are not built"
        ));
        let built = built.iter().filter(is_same).map(|(p, ..)| *p);
        let failed = (failure, built.collect());
        unknown.failures.insert(pattern, failed);
    }
    unknown.affect(db);
    if !unknown.failures.is_empty() {
        // The next databuild checks what is not needed again.
        retain_needed(engine, refs, &unknown, &mut changed);
    }
    engine.unknown = unknown;
    mark_stale(engine, &changed)?;
    Ok(changed)
}

/// Records what has changed as far as that is known before the `digest` commands have answered.
pub fn learn_before(
    engine: &mut Engine,
    refs: &[String],
    mut changed: BTreeSet<Partition>,
) -> Result<()> {
    if !engine.unknown.failures.is_empty() {
        retain_needed(engine, refs, &engine.unknown, &mut changed);
    }
    mark_stale(engine, &changed)
}

fn mark_stale(engine: &mut Engine, changed: &BTreeSet<Partition>) -> Result<()> {
    if !changed.is_empty() {
        engine.fire(SourcesChanged {
            partitions: changed.iter().copied().collect(),
        })?;
        engine.went_stale = true;
    }
    Ok(())
}

/// The digest of a partition that is compared with the one of now, if one is.
fn compared(partition: Partition, db: &impl Db) -> Option<String> {
    match partition.in_state::<Failed>(db) {
        Some(failed) => failed.digest(db).clone(),
        None => built_with(partition, db),
    }
}

/// The partitions that are needed for some names, as far as that is known: by what runs have read, and by what jobs declare for what is not live.
/// O(partitions that are returned), and of their inputs.
pub fn needed_for(engine: &Engine, refs: &[String]) -> BTreeSet<Partition> {
    let db = &engine.store;
    let declared = |name: &str| {
        let job = engine.jobs.job_for(name).ok();
        job.map(|job| job.inputs(name)).unwrap_or_default()
    };
    let mut names = refs.to_vec();
    let (mut found, mut unknown) = (BTreeSet::new(), BTreeSet::new());
    while let Some(of_name) = names.pop() {
        let Some(partition) = current(&of_name, db) else {
            if !unknown.contains(&of_name) {
                names.extend(declared(&of_name));
                unknown.insert(of_name);
            }
            continue;
        };
        let mut todo = vec![partition];
        while let Some(partition) = todo.pop() {
            if !found.insert(partition) {
                continue;
            }
            let read = partition.inputs(db).chain(partition.upstreams(db));
            todo.extend(read.filter_map(|p| p.of(db).current(db)));
            if !partition.is::<Live>(db) {
                names.extend(declared(name(partition, db)));
            }
        }
    }
    found
}

/// The digest that a partition was built with, if it is live or may be live again.
fn built_with(partition: Partition, db: &impl Db) -> Option<String> {
    let live = partition.in_state::<Live>(db).map(|p| p.digest(db));
    let stale = partition.in_state::<Stale>(db).map(|p| p.digest(db));
    let checking = partition.in_state::<Checking>(db).map(|p| p.digest(db));
    live.or(stale).or(checking).map(ToOwned::to_owned)
}

/// Keeps the changed partitions that wanted ones need which do not depend on unknown ones.
fn retain_needed(
    engine: &Engine,
    refs: &[String],
    unknown: &Unknown,
    changed: &mut BTreeSet<Partition>,
) {
    let db = &engine.store;
    let needed = refs
        .iter()
        .filter_map(|name| current(name, db))
        .filter(|p| !unknown.affects(*p));
    let needed = stands_on(db, needed);
    changed.retain(|p| needed.contains(p));
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

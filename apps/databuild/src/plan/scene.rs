//! The question, the graph that it is about, and what is out of date in it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail};
use ironweave::Snapshot;
use ironweave::prelude::*;

use crate::apart::Parents;
use crate::dirs::Dirs;
use crate::fresh::{LocalChanges, rests_on};
use crate::jobs::{Jobs, check_name};
use crate::model::build::state::{
    Checking, Failed, Live, Queued, Running, Stale, Tainted, UpForRetry,
};
use crate::model::build::{JobRun, Model, Partition, WantCreated};
use crate::plan::rehearsal::Rehearsal;
use crate::plan::{Plan, Question, steps};
use crate::reports::{Fault, Origin, PlannedBy};
use crate::rules::{OF_COMMAND_LINE, current, is_stale_by_inputs, name, open_wants};
use crate::selection;
use crate::simulate::past::Past;
use crate::simulate::{recover, still_running};
use crate::start::{check_refs, is_in_use};
use crate::text::few;

/// What a plan is made for.
pub struct Scene<'a> {
    /// The graph.
    pub db: Snapshot<Model>,
    /// The runs of the past.
    pub past: &'a Past,
    /// The jobs, if they are known.
    pub jobs: Option<&'a Jobs>,
    /// The directories, which have the data of partitions.
    pub dirs: &'a Dirs,
    /// The maximum number of runs at a time.
    pub jobs_max: usize,
    /// Whether a databuild is running.
    pub is_in_use: bool,
}

/// The graph after what the next databuild does first, before anything is wanted.
pub struct Begun {
    /// The graph.
    pub db: Snapshot<Model>,
    /// What is wanted.
    pub wanted: Vec<String>,
    /// Why partitions are stale that are live in the store.
    pub outdated: BTreeMap<Partition, &'static str>,
    /// The live partitions whose digests were not compared.
    pub not_compared: Vec<String>,
    /// The number of runs that were interrupted.
    pub lost: usize,
    /// The number of wants that are open already.
    pub open: usize,
}

/// What would be built.
///
/// # Errors
/// If the question is about what cannot be built, or the log cannot be read.
pub fn planned(from: &impl Origin, dirs: &Dirs, question: &Question) -> Result<Plan> {
    let PlannedBy { jobs, jobs_max } = from.planned_by()?;
    let names = names(question, from.graph(), jobs.as_deref())?;
    let scene = Scene {
        db: from.snapshot(),
        past: &*from.past(jobs.as_ref(), dirs)?,
        jobs: jobs.as_deref(),
        dirs,
        jobs_max,
        is_in_use: is_in_use(dirs),
    };
    let plan = scene.plan(&question.about(names));
    plan.map_err(|e| Fault(format!("the plan cannot be made: {e:#}")).into())
}

/// The names that a question is about.
///
/// # Errors
/// If it selects nothing, or a name that is not known and that no job makes. Without jobs, only known names are accepted.
pub fn names(question: &Question, db: &impl Db, jobs: Option<&Jobs>) -> Result<Vec<String>> {
    let names = selection::expand(question.refs(), db)?;
    names.iter().try_for_each(|name| check_name(name))?;
    let is_change = matches!(question, Question::Change(_));
    let is_known = |name: &String| current(name, db).is_some();
    let Some(jobs) = jobs else {
        let unknown: Vec<&String> = names.iter().filter(|name| !is_known(name)).collect();
        if !unknown.is_empty() {
            bail!(
                "`{}` was never wanted, so it is not known whether a job makes it: name the jobs file with --jobs",
                few(unknown)
            );
        }
        return Ok(names);
    };
    let is_refused = |name: &&String| {
        let may_be_unmade = is_change && is_known(name);
        !may_be_unmade && jobs.job_for(name).is_err()
    };
    let refused: Vec<&String> = names.iter().filter(is_refused).collect();
    match refused[..] {
        [] => {}
        [one] => drop(jobs.job_for(one)?),
        _ => bail!(
            "no job in {}, or more than one, makes {}: ask for other partitions, or add jobs",
            jobs.file().display(),
            few(refused)
        ),
    }
    if !is_change {
        check_refs(jobs, &Parents::default(), db, &names)?;
    }
    Ok(names)
}

impl Scene<'_> {
    /// Makes a plan about [`names`].
    ///
    /// # Errors
    /// If the model rejects what the engine would do, which is a bug.
    pub fn plan(&self, question: &Question) -> Result<Plan> {
        let db = &self.db;
        let changed: BTreeSet<Partition> = match question {
            Question::Want(_) => BTreeSet::new(),
            Question::Change(names) => (names.iter())
                .filter_map(|name| current(name, db))
                .filter(|p| can_change(*p, db))
                .collect(),
        };
        let downstream = rests_on(db, changed.iter().copied());
        let roots: Vec<String> = match question {
            Question::Want(names) => names.clone(),
            Question::Change(_) => (downstream.iter())
                .map(|p| name(*p, db).to_owned())
                .collect(),
        };
        let (mut outdated, not_compared) = self.outdated(&roots);
        outdated.extend(changed.iter().map(|p| (*p, "it changes")));
        let running = still_running(db, self.past, self.is_in_use);
        let unfinished = db.place::<JobRun, (Queued, Running)>();
        let lost: Vec<JobRun> = unfinished
            .filter(|run| !running.contains_key(run))
            .collect();
        let mut store = db.clone().into_store();
        let stale: Vec<Partition> = outdated.keys().copied().collect();
        recover(&mut store, &lost, self.is_in_use, &stale);
        let wanted = match question {
            Question::Want(names) => names.clone(),
            Question::Change(_) => {
                let is_affected = |p: &Partition| {
                    p.is::<Stale>(&store)
                        || p.is::<Tainted>(&store)
                        || p.is::<Checking>(&store)
                        || p.is::<UpForRetry>(&store)
                };
                let affected = downstream.into_iter().filter(is_affected);
                let names = affected.map(|p| name(p, &store).to_owned());
                names.filter(|name| self.is_made(name)).collect()
            }
        };
        let begun = Begun {
            db: store.snapshot(),
            outdated,
            not_compared,
            lost: lost.len(),
            open: open_wants(&store).len(),
            wanted,
        };
        let mut rehearsal = Rehearsal::new(store, self.jobs, self.past, self.jobs_max);
        for (run, passed) in running {
            rehearsal.go_on(run, passed);
        }
        for name in &begun.wanted {
            rehearsal.store.try_step(WantCreated {
                partitions: vec![Ensure::from(name.as_str())],
                source: OF_COMMAND_LINE.to_owned(),
                comment: String::new(),
                priority: 0,
                deadline: None,
                sla: None,
            })?;
        }
        rehearsal.work()?;
        Ok(steps::of(self, &begun, &rehearsal, question))
    }

    /// Returns whether a job makes a partition, as far as the jobs are known.
    pub fn is_made(&self, name: &str) -> bool {
        self.jobs.is_none_or(|jobs| jobs.job_for(name).is_ok())
    }

    /// What a partition is known to need: what its job declares, what its last run has read, and what it waits for.
    pub fn known_needs(&self, name: &str, db: &impl Db) -> BTreeSet<String> {
        let job = self.jobs.and_then(|jobs| jobs.job_for(name).ok());
        let mut needs = job.map(|job| job.inputs(name)).unwrap_or_default();
        let of_past = self.past.needs(name).into_iter();
        needs.extend(of_past.flat_map(|needs| needs.groups.iter().flatten().cloned()));
        if let Some(partition) = current(name, db) {
            let linked = partition.inputs(db).chain(partition.upstreams(db));
            needs.extend(linked.map(|p| crate::rules::name(p, db).to_owned()));
        }
        needs.remove(name);
        needs
    }

    /// The partitions that some need and that the next databuild finds to be out of date, with the reason, and those whose digests it
    /// compares first. O(all that they need).
    fn outdated(&self, roots: &[String]) -> (BTreeMap<Partition, &'static str>, Vec<String>) {
        let db = &self.db;
        let mut todo = roots.to_vec();
        let mut differences = LocalChanges::of(self.jobs.map_or(&[], Jobs::all), self.dirs.data());
        let mut seen = BTreeSet::new();
        let (mut outdated, mut not_compared) = (BTreeMap::new(), Vec::new());
        while let Some(name) = todo.pop() {
            if !seen.insert(name.clone()) {
                continue;
            }
            if let Some(partition) = current(&name, db)
                && is_compared(partition, db)
            {
                let job = self.jobs.and_then(|jobs| jobs.index_for(&name).ok());
                if let Some(change) = differences.change(partition, &name, job, db) {
                    outdated.insert(partition, change);
                } else if self.has_digest(&name) {
                    not_compared.push(name.clone());
                }
            }
            todo.extend(self.known_needs(&name, db));
        }
        not_compared.sort_unstable();
        (outdated, not_compared)
    }

    /// Returns whether a partition is compared with its sources by a `digest` command.
    pub fn has_digest(&self, name: &str) -> bool {
        let job = self.jobs.and_then(|jobs| jobs.job_for(name).ok());
        job.is_some_and(|job| job.digest.is_some())
    }
}

/// Returns whether a partition can be found to have changed.
pub fn can_change(partition: Partition, db: &impl Db) -> bool {
    partition.is::<Live>(db)
        || partition.is::<Failed>(db)
        || partition.is::<Stale>(db)
        || partition.is::<Checking>(db)
}

/// Returns whether the next databuild compares a partition with its data, its job and its sources.
fn is_compared(partition: Partition, db: &impl Db) -> bool {
    let is_old = partition.is::<Stale>(db) || partition.is::<Checking>(db);
    match is_old {
        true => is_stale_by_inputs(partition, db),
        false => can_change(partition, db),
    }
}

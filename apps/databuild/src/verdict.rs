//! What a run has come to: judged by how its process ended, what it said, and what the store knows.

use std::collections::{BTreeMap, BTreeSet};

use ironweave::prelude::*;

use crate::child::Ended;
use crate::jobs::{Jobs, check_apart, check_name};
use crate::model::build::state::Live;
use crate::model::build::{JobRun, Partition};
use crate::rules::all_partitions;

/// What a run has come to.
pub enum Verdict {
    /// It built its partition.
    Succeeded {
        /// What the content is a function of; empty where nobody compares it.
        digest: String,
        /// What it read.
        reads: Vec<Partition>,
        /// Of that, what the content is made from.
        inputs: Vec<Partition>,
    },
    /// It needs what is not live.
    Missed {
        /// That.
        missed: BTreeSet<String>,
        /// What it read and was live.
        reads: Vec<Partition>,
        /// Of that, what decides what it needs.
        inputs: Vec<Partition>,
    },
    /// It failed, for this reason.
    Failed(String),
}

/// Judges a run on `partition` that was started at `started`.
pub fn of(
    db: &impl Db,
    jobs: &Jobs,
    partition: Partition,
    started: Timestamp,
    ended: Ended<JobRun>,
) -> Verdict {
    let said = match ended.said {
        Ok(said) => said,
        Err(why) => return Verdict::Failed(why),
    };
    if ended.exit != 0 {
        return Verdict::Failed(format!("it {}", ended.status));
    }
    let live = |names: &BTreeSet<String>| -> Vec<Partition> {
        names
            .iter()
            .filter_map(|n| db.find::<Partition>(n.as_str()))
            .filter(|p| p.is::<Live>(db))
            .collect()
    };
    let (reads, inputs) = (live(&said.reads), live(&said.inputs));
    let is_live = |name: &str| db.find::<Partition>(name).is_some_and(|p| p.is::<Live>(db));
    // What it read that is not live, it read too early: the old data of what has gone stale, for instance.
    let too_early = said.reads.into_iter().filter(|n| !is_live(n));
    let missed: BTreeSet<String> = said.missed.into_iter().chain(too_early).collect();
    if !missed.is_empty() {
        return match refusal(db, jobs, partition, started, &missed) {
            Some(why) => Verdict::Failed(why),
            None => Verdict::Missed {
                missed,
                reads,
                inputs,
            },
        };
    }
    let name = partition.name(db);
    let compared = jobs.job_for(name).is_ok_and(|job| job.digest.is_some());
    match said.digest {
        None if compared => Verdict::Failed(
            "it said no {\"digest\": ..}, and its job has a `digest` command to compare with what it says".to_owned(),
        ),
        digest => Verdict::Succeeded { digest: digest.unwrap_or_default(), reads, inputs },
    }
}

/// Why it makes no sense to wait for what a run missed.
fn refusal(
    db: &impl Db,
    jobs: &Jobs,
    partition: Partition,
    started: Timestamp,
    missed: &BTreeSet<String>,
) -> Option<String> {
    for name in missed {
        if let Err(e) = check_name(name).and_then(|()| jobs.job_for(name).map(drop)) {
            return Some(format!("it missed `{name}`: {e:#}"));
        }
    }
    let known: Vec<Partition> = missed
        .iter()
        .filter_map(|n| db.find::<Partition>(n.as_str()))
        .collect();
    if known.len() < missed.len() {
        let all: Vec<String> = all_partitions(db)
            .map(|p| p.name(db).to_owned())
            .chain(missed.iter().cloned())
            .collect();
        if let Err(e) = check_apart(all.iter().map(String::as_str)) {
            return Some(format!("it missed what cannot be: {e:#}"));
        }
    }
    let was_live = |p: &Partition| p.in_state::<Live>(db).is_some_and(|p| p.at(db) <= started);
    if known.len() == missed.len() && known.iter().all(was_live) {
        let list = missed.iter().cloned().collect::<Vec<_>>().join(", ");
        return Some(format!(
            "it missed {list}, live when it began: it would say so for ever"
        ));
    }
    circle(db, partition, &known)
}

/// If one of `missed` waits for `partition`, over however many others: how.
fn circle(db: &impl Db, partition: Partition, missed: &[Partition]) -> Option<String> {
    let mut came_from: BTreeMap<Partition, Option<Partition>> =
        missed.iter().map(|p| (*p, None)).collect();
    let mut todo = missed.to_vec();
    while let Some(at) = todo.pop() {
        for next in at.upstreams(db) {
            if next == partition {
                let mut path = vec![partition.name(db), at.name(db)];
                let mut from = came_from[&at];
                while let Some(p) = from {
                    path.push(p.name(db));
                    from = came_from[&p];
                }
                path.push(partition.name(db));
                path.reverse();
                return Some(format!(
                    "partitions wait for each other in a circle: {}",
                    path.join(" -> ")
                ));
            }
            came_from.entry(next).or_insert_with(|| {
                todo.push(next);
                Some(at)
            });
        }
    }
    None
}

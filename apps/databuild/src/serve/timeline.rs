//! `GET /api/wants/{id}/timeline`: when the partitions that a want needs were built, and the chain of runs that decided how long that took.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::State;
use ironweave::prelude::*;
use ironweave::{FactKind, HistoryEntry, ReadError, Seq, Snapshot};
use schemars::JsonSchema;
use serde::Serialize;

use crate::fresh::stands_on;
use crate::model::build::{JobRun, Model, Partition, Want};
use crate::rules::name;
use crate::serve::answers;
use crate::serve::api::{Api, Read, entity};
use crate::serve::failure::{Asked, Failure, Named};
use crate::serve::world::{At, World};

/// The number of runs that are shown; those that were queued last.
const RUNS_MAX: usize = 200;

/// When what a want needs was built.
#[derive(Serialize, JsonSchema)]
pub struct Timeline {
    /// The runs that were queued last, by when they were started.
    #[schemars(length(max = RUNS_MAX))]
    runs: Vec<Row>,
    /// The number of all runs.
    count: usize,
    /// The partitions of the chain of runs that decided how long it took, the last one last.
    critical: Vec<String>,
}

/// A run with its times.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TimelineRun")]
struct Row {
    /// Its id.
    run: String,
    /// The partition that it builds.
    name: String,
    /// Its state.
    state: String,
    /// When it was queued.
    queued: Option<String>,
    /// When it was started.
    started: Option<String>,
    /// When it ended.
    ended: Option<String>,
}

/// When a run went on.
#[derive(Clone, Default)]
struct Times {
    queued: Option<Timestamp>,
    started: Option<Timestamp>,
    ended: Option<Timestamp>,
}

impl Times {
    /// The times of a run, as of a graph that has the frames up to `until`.
    fn of(history: &[HistoryEntry<Model>], until: Option<Seq>) -> Self {
        let mut times = Self::default();
        for entry in history.iter().filter(|entry| Some(entry.seq()) <= until) {
            let fact = entry.fact();
            let time = match (fact.kind(), fact.to()) {
                (FactKind::Create, _) => &mut times.queued,
                (FactKind::Move, Some("Running")) => &mut times.started,
                (FactKind::Move, _) => &mut times.ended,
                _ => continue,
            };
            *time = Some(entry.time());
        }
        times
    }
}

/// `GET /api/wants/{id}/timeline`.
pub async fn of_want(
    State(api): State<Api>,
    Named(id): Named,
    Asked(At { at }): Asked<At>,
) -> Read<Timeline> {
    let answer = move |api: &Api, World { db, .. }: &World| {
        let want: Want = entity(&id, "Want", db)?;
        timeline(want, db, |run| api.reader.history(run)).map_err(Failure::unreadable)
    };
    api.read(at, answer).await
}

/// The last runs of the partitions that a want needs. O(partitions that it needs + frames of the runs that are shown).
///
/// # Errors
/// If the log cannot be read.
fn timeline(
    want: Want,
    db: &Snapshot<Model>,
    history: impl Fn(JobRun) -> Result<Vec<HistoryEntry<Model>>, ReadError>,
) -> Result<Timeline, ReadError> {
    let wanted = want
        .partitions(db)
        .filter_map(|reference| reference.current(db));
    let under = stands_on(db, wanted);
    let built = under.iter().filter_map(|p| Some((p.built_by(db)?, *p)));
    let runs: BTreeMap<JobRun, Partition> = built.collect();
    let last = runs.iter().rev().take(RUNS_MAX);
    let mut shown = Vec::new();
    for (run, partition) in last {
        shown.push((*run, *partition, Times::of(&history(*run)?, db.seq())));
    }
    shown.sort_by_key(|(run, _, times)| (times.started.or(times.queued), *run));
    let ended = shown.iter();
    let ended = ended.filter_map(|(_, partition, times)| Some((*partition, times.ended?)));
    let critical = critical(&ended.collect(), db);
    let rows = shown.iter().map(|(run, partition, times)| {
        let text = |time: Option<Timestamp>| time.map(|time| time.to_string());
        Row {
            run: answers::id(run.id()),
            name: name(*partition, db).to_owned(),
            state: run.state(db).to_string(),
            queued: text(times.queued),
            started: text(times.started),
            ended: text(times.ended),
        }
    });
    let critical = critical.into_iter().map(|p| name(p, db).to_owned());
    Ok(Timeline {
        runs: rows.collect(),
        count: runs.len(),
        critical: critical.collect(),
    })
}

/// The chain that ends with the partition that was built last: before each comes the one of its inputs that was built last.
fn critical(ended: &BTreeMap<Partition, Timestamp>, db: &Snapshot<Model>) -> Vec<Partition> {
    let latest = |all: &mut dyn Iterator<Item = Partition>| {
        all.filter_map(|p| Some((*ended.get(&p)?, p))).max()
    };
    let mut chain = Vec::new();
    let mut seen = BTreeSet::new();
    let mut next = latest(&mut ended.keys().copied());
    while let Some((_, partition)) = next.filter(|(_, p)| seen.insert(*p)) {
        chain.push(partition);
        let needed = partition.inputs(db).chain(partition.upstreams(db));
        next = latest(&mut needed.filter_map(|p| p.of(db).current(db)));
    }
    chain.reverse();
    chain
}

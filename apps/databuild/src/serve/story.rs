//! `GET /api/history/REF`: what happened to a partition, one line for each step that changed the state of one of its instances.

use axum::extract::State;
use ironweave::{FactKind, HistoryEntry, Snapshot};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::build::{JobRun, Model, Partition};
use crate::serve::answers;
use crate::serve::api::{Api, Read, reference};
use crate::serve::failure::{Asked, Failure, Named};
use crate::serve::lists::number;
use crate::serve::world::World;

/// The number of steps of an answer at most, and without a `limit`.
const STEPS_MAX: usize = 500;
const STEPS: usize = 100;

/// How much of a story is asked for, and of which graph.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// The number of steps at most.
    #[schemars(range(min = 1, max = STEPS_MAX), extend("default" = STEPS))]
    limit: Option<usize>,
    /// The number of a step, or a time such as `2026-02-28T12:30:00Z`: the answer is as of then. 404 if the log does not have it.
    at: Option<String>,
}

/// What happened to a partition.
#[derive(Serialize, JsonSchema)]
pub struct Story {
    /// Its name.
    name: String,
    /// The last steps, the latest first.
    entries: Vec<Entry>,
    /// The number of all steps.
    count: usize,
}

/// A step that changed the state of an instance of a partition.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "StoryEntry")]
struct Entry {
    /// The step.
    seq: u64,
    /// Its time.
    time: String,
    /// The event that changed the state.
    event: String,
    /// The number of the instance, from 1 on.
    instance: usize,
    /// The id of the run that ended, if one did.
    run: Option<String>,
    /// What happened, for people.
    text: String,
}

/// `GET /api/history/REF`: the last steps, the latest first.
pub async fn story(
    State(api): State<Api>,
    Named(name): Named,
    Asked(Told { limit, at }): Asked<Told>,
) -> Read<Story> {
    let limit = number("limit", limit, STEPS, STEPS_MAX)?;
    let answer = move |api: &Api, World { db, .. }: &World| {
        let reference = reference(&name, db)?;
        let mut steps = Vec::new();
        for (ix, instance) in reference.instances(db).enumerate() {
            let history = api.reader.history(instance);
            let history = history.map_err(Failure::unreadable)?;
            let told = history.iter().filter(|entry| Some(entry.seq()) <= db.seq());
            steps.extend(told.filter_map(|entry| step(ix + 1, instance, entry, db)));
        }
        // Also of the same step, what came later is first.
        steps.reverse();
        steps.sort_by_key(|step| std::cmp::Reverse(step.seq));
        let count = steps.len();
        steps.truncate(limit);
        Ok(Story {
            name,
            entries: steps,
            count,
        })
    };
    api.read(at, answer).await
}

/// The step of a fact, if it changed the state of an instance.
fn step(
    number: usize,
    instance: Partition,
    entry: &HistoryEntry<Model>,
    db: &Snapshot<Model>,
) -> Option<Entry> {
    let fact = entry.fact();
    let to = match fact.kind() {
        FactKind::Create => "Missing",
        FactKind::Move => fact.to()?,
        _ => return None,
    };
    let event = entry.event().to_string();
    let text = match (to, &*event) {
        ("Missing", "ReferenceWanted") => "wanted for the first time",
        ("Missing", _) => "to be built again",
        ("Building", _) => "a run builds it",
        ("Live", "JobSucceeded") => "built",
        ("Live", _) => "live again, because nothing that it is made from has changed",
        ("Stale", "SourcesChanged") => "stale, because its sources or its job have changed",
        ("Stale", _) => "stale, because what it is made from has changed",
        ("Failed", _) => "failed",
        ("Backoff", _) => "failed, to be tried again",
        ("UpstreamBuilding", "InputsNeeded") => "waits for the inputs that its job declares",
        ("UpstreamBuilding", _) => "waits for what its run missed",
        ("UpForRetry", "UpstreamsLive") => "what it waited for is live",
        ("UpForRetry", _) => "to be built",
        ("UpstreamFailed", _) => "blocked by a failure",
        ("Replaced", _) => "replaced by the next version",
        (other, _) => other,
    };
    // A later run may build the same instance, so only that of the end is sure.
    let run = match to {
        "Live" | "Failed" => instance
            .built_by(db)
            .map(|run: JobRun| answers::id(run.id())),
        _ => None,
    };
    Some(Entry {
        seq: entry.seq().get(),
        time: entry.time().to_string(),
        instance: number,
        run,
        text: text.to_owned(),
        event,
    })
}

//! `GET /api/history/REF`: what happened to a partition, one line for each step that changed the state of one of its instances.

use axum::extract::State;
use ironweave::{FactKind, HistoryEntry, Snapshot};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::model::build::{JobRun, Model, Partition};
use crate::serve::answers;
use crate::serve::api::{Answer, Api, reference};
use crate::serve::failure::{Asked, Failure, Named};
use crate::serve::world::World;

/// The number of steps of an answer at most, and without a `limit`.
const STEPS_MAX: usize = 500;
const STEPS: usize = 100;

/// How much of a story is asked for, and of which graph.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    limit: Option<usize>,
    at: Option<String>,
}

/// `GET /api/history/REF`: the last steps, the latest first.
pub async fn story(
    State(api): State<Api>,
    Named(name): Named,
    Asked(Told { limit, at }): Asked<Told>,
) -> Answer {
    let limit = limit.unwrap_or(STEPS);
    if !(1..=STEPS_MAX).contains(&limit) {
        let why = format!("`limit` is {limit}: ask for 1 to {STEPS_MAX} steps");
        return Err(Failure::invalid(why));
    }
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
        steps.sort_by_key(|(seq, ..)| std::cmp::Reverse(*seq));
        let count = steps.len();
        let entries: Vec<Value> = steps.into_iter().map(|(_, step)| step).collect();
        let entries = &entries[..limit.min(count)];
        Ok(json!({ "name": name, "entries": entries, "count": count }))
    };
    api.read(at, answer).await
}

/// A step that changed the state of an instance, with its sequence.
fn step(
    number: usize,
    instance: Partition,
    entry: &HistoryEntry<Model>,
    db: &Snapshot<Model>,
) -> Option<(u64, Value)> {
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
    let step = json!({
        "seq": entry.seq(),
        "time": entry.time().to_string(),
        "event": event,
        "instance": number,
        "run": run,
        "text": text,
    });
    Some((entry.seq().get(), step))
}

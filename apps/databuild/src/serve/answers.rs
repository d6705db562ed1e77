//! Wants, partitions and runs as JSON. Every list is cut at [`LIST_MAX`], and has its full length beside it.

use ironweave::prelude::*;
use ironweave::{FactKind, HistoryEntry, Id};
use serde_json::{Value, json};

use crate::fresh::stands_on;
use crate::model::build::state::{Failed, Live, Running, UpstreamFailed};
use crate::model::build::{JobRun, Model, Partition, PartitionRef, Want};
use crate::rules::{is_open, name, source};

/// The number of items of a list inside of an answer at most.
pub const LIST_MAX: usize = 100;
/// The number of bytes of the reason of a failure in a list.
const REASON_BYTES_MAX: usize = 500;

/// A list that may be cut.
pub fn list<T: Into<Value>>(items: impl Iterator<Item = T>) -> Value {
    let mut items = items;
    let first: Vec<Value> = items.by_ref().take(LIST_MAX).map(Into::into).collect();
    let count = first.len() + items.count();
    json!({ "items": first, "count": count })
}

fn names(partitions: impl Iterator<Item = Partition>, db: &impl Db) -> Value {
    list(partitions.map(|partition| name(partition, db)))
}

/// The id of an entity: `12.1`.
pub fn id(id: Id) -> String {
    id.to_string()
}

/// The beginning of a reason.
fn brief(reason: &str) -> &str {
    let mut end = reason.len().min(REASON_BYTES_MAX);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    &reason[..end]
}

/// The number of entities of a type by state, without the states that have none.
pub fn counts(db: &impl Db, entity: &str) -> Value {
    let Ok(of_type) = db.by_name().entity_type(entity) else {
        return json!({});
    };
    let counts = of_type.states().filter_map(|state| {
        let count = of_type.count_in(state).ok().filter(|count| *count > 0)?;
        Some((state.to_owned(), Value::from(count)))
    });
    Value::Object(counts.collect())
}

/// A want, in a few fields.
pub fn want(want: Want, db: &impl Db) -> Value {
    json!({
        "id": id(want.id()),
        "state": want.state(db).to_string(),
        "open": is_open(want, db),
        "partitions": list(want.partitions(db).map(|reference| reference.name(db))),
        "source": source(want, db),
        "comment": want.comment(db),
        "priority": want.priority(db),
        "asked_by": want.asked_by(db).map(|run| id(run.id())),
        "asked_for": want.asked_for(db).map(|partition| name(partition, db)),
    })
}

/// A want with the state of all that it needs. O(partitions that it needs).
pub fn want_in_full(of: Want, db: &impl Db) -> Value {
    let wanted = of
        .partitions(db)
        .filter_map(|reference| reference.current(db));
    let under = stands_on(db, wanted);
    let mut progress = serde_json::Map::new();
    for partition in &under {
        let count = progress.entry(partition.state(db).to_string());
        let count = count.or_insert_with(|| Value::from(0u64));
        *count = Value::from(count.as_u64().unwrap_or_default() + 1);
    }
    let built = |p: &Partition| p.built_by(db);
    let running = under
        .iter()
        .filter_map(built)
        .filter(|run| run.is::<Running>(db));
    let failed = under.iter().filter_map(|p| p.in_state::<Failed>(db));
    let failed =
        failed.map(|p| json!({ "name": p.of(db).name(db), "reason": brief(p.reason(db)) }));
    let blocked = under
        .iter()
        .filter_map(|p| p.in_state::<UpstreamFailed>(db));
    let blocked = blocked.map(|p| {
        let ended = |p: &Partition| p.is::<Failed>(db) || p.is::<UpstreamFailed>(db);
        json!({ "name": p.of(db).name(db), "by": names(p.upstreams(db).filter(ended), db) })
    });
    let mut answer = want(of, db);
    answer["progress"] = Value::Object(progress);
    answer["running"] = list(running.map(|r| run(r, db)));
    answer["failed"] = list(failed);
    answer["blocked"] = list(blocked);
    answer
}

/// A reference with its current instance, in a few fields.
pub fn partition(reference: PartitionRef, db: &impl Db) -> Value {
    let current = reference.current(db);
    json!({
        "name": reference.name(db),
        "state": current.map(|p| p.state(db).to_string()),
        "instances": reference.instances_count(db),
        "run": current.and_then(|p| p.built_by(db)).map(|run| id(run.id())),
        "reason": current.and_then(|p| p.in_state::<Failed>(db)).map(|p| brief(p.reason(db))),
    })
}

/// A reference with what its current instance is made from, and what it waits for.
pub fn partition_in_full(reference: PartitionRef, db: &impl Db) -> Value {
    let mut answer = partition(reference, db);
    let open = reference.wanted_by(db).filter(|want| is_open(*want, db));
    answer["wanted_by"] = list(open.map(|want| id(want.id())));
    let Some(current) = reference.current(db) else {
        return answer;
    };
    answer["inputs"] = names(current.inputs(db), db);
    answer["outputs"] = names(current.outputs(db), db);
    answer["waits_for"] = names(current.upstreams(db), db);
    answer["waited_for_by"] = names(current.downstreams(db), db);
    if let Some(live) = current.in_state::<Live>(db) {
        answer["since"] = json!(live.at(db).to_string());
        answer["digest"] = json!(live.digest(db));
    }
    if let Some(failed) = current.in_state::<Failed>(db) {
        answer["reason"] = json!(failed.reason(db));
    }
    answer
}

/// A run, in a few fields.
pub fn run(run: JobRun, db: &impl Db) -> Value {
    let failed = run.in_state::<Failed>(db);
    json!({
        "id": id(run.id()),
        "label": run.label(db),
        "state": run.state(db).to_string(),
        "attempt": run.attempt(db),
        "pid": run.in_state::<Running>(db).map(|run| run.pid(db)),
        "exit": failed.as_ref().map(|run| run.exit(db)),
        "reason": failed.as_ref().map(|run| brief(run.reason(db))),
    })
}

/// A run with what it builds and has read, and with the times at which it was queued, started and ended, from its history.
pub fn run_in_full(of: JobRun, history: &[HistoryEntry<Model>], db: &impl Db) -> Value {
    let mut answer = run(of, db);
    answer["version"] = json!(of.version(db));
    answer["builds"] = names(of.builds(db), db);
    answer["reads"] = names(of.reads(db), db);
    let missed = of.asks(db).flat_map(|want| want.partitions(db));
    answer["missed"] = list(missed.map(|reference| reference.name(db)));
    answer["wants"] = list(of.services(db).map(|want| id(want.id())));
    if let Some(failed) = of.in_state::<Failed>(db) {
        answer["reason"] = json!(failed.reason(db));
    }
    for entry in history {
        let fact = entry.fact();
        let what = match (fact.kind(), fact.to()) {
            (FactKind::Create, _) => "queued",
            (FactKind::Move, Some("Running")) => "started",
            (FactKind::Move, _) => "ended",
            _ => continue,
        };
        answer[what] = json!(entry.time().to_string());
    }
    answer
}

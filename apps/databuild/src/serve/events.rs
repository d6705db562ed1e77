//! `GET /api/events`: the transactions of the log as server-sent events, as they become durable.
//!
//! The id of an event is the position of its transaction. A client that connects again sends the last one in `Last-Event-ID`, as
//! browsers do by themselves, or a sequence, and gets what came after it. The names in an event are those of the graph of now.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::FromRequestParts;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::{Stream, StreamExt};
use ironweave::prelude::*;
use ironweave::{Fact, FactKind, Position, ReadError, Record, Seq, StoreReader, Subscription};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::fresh::stands_on;
use crate::model::build::{JobRun, Model, Partition, PartitionRef, Want};
use crate::rules::name;
use crate::serve::answers::{LIST_MAX, List};
use crate::serve::api::{Api, entity, panicked};
use crate::serve::failure::{Asked, Failure};
use crate::serve::openapi::{Input, Operation, Output};

/// The number of open streams at most.
const STREAMS_MAX: u64 = 2000;
/// The number of transactions of which the text is kept.
const RENDERED_MAX: usize = 256;

/// Which events are asked for.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// The id of a want: only changes of it, and of partitions that it needs.
    want: Option<String>,
}

/// The header of a client that connects again.
pub struct LastEvent(Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for LastEvent {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let id = parts.headers.get("last-event-id").map(|id| id.to_str());
        let id = id.transpose();
        let id = id.map_err(|_| Failure::invalid("the header Last-Event-ID is not text"))?;
        Ok(Self(id.map(ToOwned::to_owned)))
    }
}

impl Input for LastEvent {
    fn describe(operation: &mut Operation<'_>) {
        let about = "The id of the last event that the client has, or a sequence. Without it, the stream begins now.";
        operation.parameter(
            "header",
            "Last-Event-ID",
            about,
            &json!({ "type": "string" }),
        );
    }
}

/// The data of a server-sent event.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Event")]
struct Told {
    /// The step.
    seq: u64,
    /// Its time.
    time: String,
    /// The names of the events of the transaction.
    events: Vec<String>,
    /// The entities that are new or in another state.
    changes: List<Change>,
}

/// An entity that is new, or in another state.
#[derive(Serialize, JsonSchema)]
struct Change {
    /// Want, Partition or `JobRun`.
    #[serde(rename = "type")]
    of: &'static str,
    /// Its id.
    id: Option<String>,
    /// The name of the partition, or the label of the run.
    name: Option<String>,
    /// The state before; null if it is new.
    from: Option<String>,
    /// The state after.
    to: Option<String>,
}

impl<S> Output for Sse<S> {
    fn describe(operation: &mut Operation<'_>) {
        let schema = operation.answered::<Told>();
        operation.answer(StatusCode::OK, "text/event-stream", &schema);
    }
}

/// A want with the names of the partitions that it needs, as far as they are known.
struct Scope {
    want: Want,
    names: HashSet<String>,
}

/// Counts an open stream.
struct Counted(Api);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.metrics.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

/// `GET /api/events`.
pub async fn events(
    State(api): State<Api>,
    LastEvent(last): LastEvent,
    Asked(which): Asked<Which>,
) -> Result<Sse<impl Stream<Item = Result<Event, axum::Error>>>, Failure> {
    let before = api.metrics.streams.fetch_add(1, Ordering::Relaxed);
    let counted = Counted(api.clone());
    if before >= STREAMS_MAX {
        let why = format!("{STREAMS_MAX} clients read events already; try again later");
        return Err(Failure::new(StatusCode::SERVICE_UNAVAILABLE, why));
    }
    let reader = api.reader.clone();
    // The position of an old transaction is looked up in the log.
    let begun = tokio::task::spawn_blocking(move || {
        // What is committed in between is delivered, and in the snapshot too.
        let subscription = subscribe(&reader, last.as_deref())?;
        let scope = which.want.map(|id| Scope::of(&id, &reader)).transpose()?;
        let stream = subscription.into_stream().map_err(Failure::unreadable)?;
        Ok::<_, Failure>((stream, scope))
    });
    let (records, mut scope) = begun.await.map_err(panicked)??;
    let mut ends = api.ends.clone();
    let events = records.filter_map(move |record| {
        let _ = &counted;
        let event = match record {
            Ok(record) => event(&record, &api, scope.as_mut()).map(Ok),
            Err(e) => Some(Err(axum::Error::new(e))),
        };
        std::future::ready(event)
    });
    // A client that is not disconnected would keep the daemon from ending.
    let ends = async move {
        let _ = ends.wait_for(|ends| *ends).await;
    };
    Ok(Sse::new(events.take_until(ends)).keep_alive(KeepAlive::default()))
}

/// The transactions after a position or a sequence, or those that are not durable yet.
fn subscribe(
    reader: &StoreReader<Model>,
    last: Option<&str>,
) -> Result<Subscription<Model>, Failure> {
    let refused = |e: ReadError| {
        let status = StatusCode::from_u16(e.kind().http_status());
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Failure::new(status, e.to_string())
    };
    let begun = match last {
        None => match reader.seq() {
            Some(seq) => reader.subscribe_since(seq),
            None => reader.subscribe(0),
        },
        Some(id) => match (id.parse::<u64>(), id.parse::<Position>()) {
            (Ok(seq), _) => reader.subscribe_since(Seq::new(seq)),
            (_, Ok(position)) => reader.subscribe_since(position),
            (_, Err(e)) => return Err(Failure::invalid(format!("the header Last-Event-ID: {e}"))),
        },
    };
    begun.map_err(refused)
}

/// The event of a transaction, unless nothing of it is in the scope.
fn event(record: &Record<Model>, api: &Api, scope: Option<&mut Scope>) -> Option<Event> {
    let event = match scope {
        None => Event::default().data(api.rendered.of(record, &api.reader)),
        Some(scope) => {
            // A transaction is in the graph of readers before it is delivered.
            let db = api.reader.snapshot();
            scope.extend(record, &db);
            Event::default().data(render(record, Some(scope), &db)?)
        }
    };
    Some(match record.position() {
        Some(position) => event.id(position.to_string()),
        None => event,
    })
}

/// The texts of the last transactions, by their sequences, so that a transaction is rendered once for all streams.
#[derive(Default)]
pub struct Rendered(Mutex<BTreeMap<Seq, Arc<str>>>);

impl Rendered {
    fn of(&self, record: &Record<Model>, reader: &StoreReader<Model>) -> Arc<str> {
        // The other streams wait for the text rather than render it too.
        let mut texts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(text) = texts.get(&record.seq()) {
            return Arc::clone(text);
        }
        let text = render(record, None, &reader.snapshot()).unwrap_or_default();
        let text: Arc<str> = text.into();
        texts.insert(record.seq(), Arc::clone(&text));
        if texts.len() > RENDERED_MAX {
            texts.pop_first();
        }
        text
    }
}

/// The data of the event of a transaction, unless nothing of it is in the scope.
fn render(record: &Record<Model>, scope: Option<&Scope>, db: &impl Db) -> Option<String> {
    let facts = record.facts();
    let changes = facts.iter().filter_map(|fact| change(&fact, scope, db));
    let changes = List::of(changes);
    if scope.is_some() && changes.items.is_empty() {
        return None;
    }
    let mut events: Vec<String> = record
        .firings()
        .map(|firing| firing.name().to_owned())
        .collect();
    events.dedup();
    events.truncate(LIST_MAX);
    let told = Told {
        seq: record.seq().get(),
        time: record.time().to_string(),
        events,
        changes,
    };
    serde_json::to_string(&told).ok()
}

/// An entity that is new, or in another state.
fn change(fact: &Fact<'_>, scope: Option<&Scope>, db: &impl Db) -> Option<Change> {
    if !matches!(fact.kind(), FactKind::Create | FactKind::Move) {
        return None;
    }
    let entity = fact.entity();
    let (of, label, is_meant) = if let Some(occupant) = entity.occupant::<Partition>() {
        let of = name(occupant.resolve(db)?, db);
        (
            "Partition",
            Some(of),
            scope.is_none_or(|s| s.names.contains(of)),
        )
    } else if let Some(occupant) = entity.occupant::<JobRun>() {
        let label = occupant.resolve(db)?.label(db);
        (
            "JobRun",
            Some(label),
            scope.is_none_or(|s| s.names.contains(label)),
        )
    } else {
        let want = entity.occupant::<Want>()?.resolve(db)?;
        ("Want", None, scope.is_none_or(|s| s.want == want))
    };
    let text = |text: &str| text.to_owned();
    is_meant.then(|| Change {
        of,
        id: entity.id().map(|id| id.to_string()),
        name: label.map(text),
        from: fact.from().map(text),
        to: fact.to().map(text),
    })
}

impl Scope {
    /// What a want needs now. O(partitions that it needs).
    fn of(id: &str, reader: &StoreReader<Model>) -> Result<Self, Failure> {
        let db = reader.snapshot();
        let want: Want = entity(id, "Want", &db)?;
        let wanted = want
            .partitions(&db)
            .filter_map(|reference| reference.current(&db));
        let under = stands_on(&db, wanted);
        let names = under.into_iter().map(|p| name(p, &db).to_owned()).collect();
        Ok(Self { want, names })
    }

    /// Adds what runs have missed whose partitions are needed.
    fn extend(&mut self, record: &Record<Model>, db: &impl Db) {
        for fact in record.facts().iter() {
            if fact.kind() != FactKind::Link || fact.field() != Some("missed") {
                continue;
            }
            let partition = fact.entity().occupant::<Partition>();
            let missed = fact
                .other()
                .and_then(|other| other.occupant::<PartitionRef>());
            let partition = partition.and_then(|p| p.resolve(db));
            let missed = missed.and_then(|m| m.resolve(db));
            if let (Some(partition), Some(missed)) = (partition, missed)
                && self.names.contains(name(partition, db))
            {
                self.names.insert(missed.name(db).to_owned());
            }
        }
    }
}

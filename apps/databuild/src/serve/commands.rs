//! The routes that change something. Each is a command to the engine, and is answered when what it did is on the disk.

use std::collections::HashSet;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use ironweave::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::build::Want;
use crate::requests::{Request, What};
use crate::serve::answers::WantAnswer;
use crate::serve::api::{Answer, Api, entity};
use crate::serve::failure::{Asked, Body, Failure, Named, Nothing};
use crate::serve::inbox::{Client, Command, Wanted};
use crate::serve::openapi::{Operation, Output};
use crate::text::{COMMENT_MAX, comment as comment_of, reason as reason_of};
use crate::times;

/// The number of names in a request at most.
pub const REFS_MAX: usize = 10_000;
/// The longest time from now that a client can give: a hundred years.
const SECONDS_MAX: u64 = 100 * 365 * 86_400;

/// What is wanted.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWant {
    /// The names, which may select several partitions, as in `votes/2026-01-{01..31}`.
    #[schemars(length(min = 1, max = REFS_MAX))]
    refs: Vec<String>,
    /// Wants with a higher priority are served first.
    #[serde(default)]
    priority: i32,
    /// What the partitions are for, in one line.
    #[serde(default)]
    #[schemars(length(max = COMMENT_MAX))]
    comment: String,
    /// After how many seconds the want expires, if it has not ended.
    #[schemars(range(min = 0, max = SECONDS_MAX))]
    deadline_seconds: Option<f64>,
    /// After how many seconds it is late. If it is left out, the least `sla` of the jobs counts.
    #[schemars(range(min = 0, max = SECONDS_MAX))]
    sla_seconds: Option<f64>,
}

/// The time that a client gives in seconds from now. A want may wait before it is created, which does not postpone this time.
fn in_seconds(field: &str, given: Option<f64>) -> Result<Option<Timestamp>, Failure> {
    let Some(given) = given else {
        return Ok(None);
    };
    let most = Duration::from_secs(SECONDS_MAX);
    let time = Duration::try_from_secs_f64(given).ok();
    match time.filter(|time| *time <= most) {
        Some(time) => Ok(times::after(time)),
        None => Err(Failure::invalid(format!(
            "`{field}` is {given}: give a number of seconds from 0 to {SECONDS_MAX}"
        ))),
    }
}

/// The names, each once.
///
/// # Errors
/// 400 if there are none, or too many.
pub fn once(field: &str, refs: Vec<String>) -> Result<Vec<String>, Failure> {
    if !(1..=REFS_MAX).contains(&refs.len()) {
        let count = refs.len();
        let why = format!("`{field}` has {count} names: name 1 to {REFS_MAX} partitions");
        return Err(Failure::invalid(why));
    }
    let mut seen = HashSet::new();
    let once = refs.into_iter().filter(|name| seen.insert(name.clone()));
    Ok(once.collect())
}

/// An answer with the status 201.
pub struct Created<T>(T);

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        (StatusCode::CREATED, Json(self.0)).into_response()
    }
}

impl<T: JsonSchema> Output for Created<T> {
    fn describe(operation: &mut Operation<'_>) {
        let schema = operation.answered::<T>();
        operation.answer(StatusCode::CREATED, "application/json", &schema);
    }
}

/// A want that was created.
#[derive(Serialize, JsonSchema)]
pub struct CreatedWant {
    /// The want.
    #[serde(flatten)]
    want: WantAnswer,
    /// The step that created it, from which its events can be followed.
    seq: u64,
    /// Names that were left out, because they depend on partitions that are not known to be up to date.
    left_out: Vec<String>,
}

/// `POST /api/wants`.
pub async fn want(
    State(api): State<Api>,
    _: Asked<Nothing>,
    Body(asked): Body<NewWant>,
) -> Result<Created<CreatedWant>, Failure> {
    let refs = once("refs", asked.refs)?;
    let comment = comment_of(&asked.comment).map_err(Failure::invalid)?;
    let priority = asked.priority;
    let deadline = in_seconds("deadline_seconds", asked.deadline_seconds)?;
    let sla = in_seconds("sla_seconds", asked.sla_seconds)?;
    let command = |reply| {
        let client = Client {
            priority,
            comment,
            deadline,
            sla,
            reply,
        };
        Command::Want { refs, client }
    };
    let Wanted {
        want,
        seq,
        left_out,
    } = api.mailbox.send(command).await?;
    let db = api.reader.snapshot();
    Ok(Created(CreatedWant {
        want: WantAnswer::of(want, &db),
        seq: seq.get(),
        left_out,
    }))
}

/// What was done.
#[derive(Serialize, JsonSchema)]
pub struct Done {
    /// What was done, for people.
    done: String,
}

/// `DELETE /api/wants/ID`.
pub async fn cancel(State(api): State<Api>, Named(id): Named, _: Asked<Nothing>) -> Answer<Done> {
    let want: Want = entity(&id, "Want", &api.reader.snapshot())?;
    let request = Request {
        what: What::Cancel,
        wants: vec![want.id().slot()],
        ..Request::default()
    };
    let command = |reply| Command::Change { request, reply };
    let changed = api.mailbox.send(command).await?;
    let done = changed.done;
    Ok(Json(Done { done }))
}

/// The failures that are forgotten: either `refs`, or all.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// The partitions that have failed.
    #[serde(default)]
    #[schemars(length(max = REFS_MAX))]
    refs: Vec<String>,
    /// Whether all that have failed are meant.
    #[serde(default)]
    all: bool,
}

/// What was retried.
#[derive(Serialize, JsonSchema)]
pub struct Retried {
    /// What was done, for people.
    done: String,
    /// The partitions that had failed.
    retried: Vec<String>,
}

/// `POST /api/retry`.
pub async fn retry(
    State(api): State<Api>,
    _: Asked<Nothing>,
    Body(Retry { refs, all }): Body<Retry>,
) -> Answer<Retried> {
    let refs = match (refs.is_empty(), all) {
        (true, true) => refs,
        (false, false) => once("refs", refs)?,
        _ => return Err(Failure::invalid("give either `refs` or `\"all\": true`")),
    };
    let request = Request {
        what: What::Retry,
        refs,
        all,
        ..Request::default()
    };
    let command = |reply| Command::Change { request, reply };
    let changed = api.mailbox.send(command).await?;
    Ok(Json(Retried {
        done: changed.done,
        retried: changed.retried,
    }))
}

/// The partitions whose data is wrong.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Wrong {
    /// Their names, which may select several partitions.
    #[schemars(length(min = 1, max = REFS_MAX))]
    refs: Vec<String>,
    /// What is wrong with the data, in one line.
    #[schemars(length(min = 1, max = COMMENT_MAX))]
    reason: String,
}

/// `POST /api/taint`.
pub async fn taint(
    State(api): State<Api>,
    _: Asked<Nothing>,
    Body(Wrong { refs, reason }): Body<Wrong>,
) -> Answer<Done> {
    let request = Request {
        what: What::Taint,
        refs: once("refs", refs)?,
        reason: reason_of(&reason).map_err(Failure::invalid)?,
        ..Request::default()
    };
    let command = |reply| Command::Change { request, reply };
    let changed = api.mailbox.send(command).await?;
    let done = changed.done;
    Ok(Json(Done { done }))
}

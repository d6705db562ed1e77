//! The routes that change something. Each is a command to the engine, and is answered when what it did is on the disk.

use std::collections::HashSet;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::build::Want;
use crate::requests::{Request, What};
use crate::serve::answers::WantAnswer;
use crate::serve::api::{Answer, Api, entity};
use crate::serve::failure::{Asked, Body, Failure, Named, Nothing};
use crate::serve::inbox::{Client, Command, Wanted};
use crate::serve::openapi::{Operation, Output};
use crate::text::{COMMENT_MAX, comment as comment_of};

/// The number of names in a request at most.
pub const REFS_MAX: usize = 10_000;

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
    let command = |reply| {
        let client = Client {
            priority,
            comment,
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

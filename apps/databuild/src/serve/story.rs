//! `GET /api/history/REF`: what happened to a partition ([`story`]).

use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::serve::api::{Api, Read, reference};
use crate::serve::failure::{Asked, Failure, Named};
use crate::serve::lists::number;
use crate::serve::reports::Beside;
use crate::serve::world::World;
use crate::story::{self, Entry};

/// The number of steps of an answer at most, and without a `limit`.
const STEPS_MAX: usize = 500;
const STEPS: usize = 100;

/// How much of a story is asked for, and of which graph.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HistoryQuery {
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

/// `GET /api/history/REF`: the last steps, the latest first.
pub async fn of_partition(
    State(api): State<Api>,
    Named(name): Named,
    Asked(HistoryQuery { limit, at }): Asked<HistoryQuery>,
) -> Read<Story> {
    let limit = number("limit", limit, STEPS, STEPS_MAX)?;
    let answer = move |api: &Api, World { db, .. }: &World| {
        let reference = reference(&name, db)?;
        let told = story::of(reference, limit, &Beside { api, db });
        let (entries, count) = told.map_err(Failure::unreadable)?;
        Ok(Story {
            name,
            entries,
            count,
        })
    };
    api.read(at, answer).await
}

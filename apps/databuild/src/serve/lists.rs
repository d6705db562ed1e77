//! The routes that answer with pages of wants, partitions and runs.

use axum::extract::State;
use ironweave::prelude::*;
use ironweave::query::{Page, PageToken};
use ironweave::{Filter, Snapshot};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::build::state::{
    Backoff, Building, Canceled, Checking, DepMiss, Expired, Failed, Idle, Live, Lost, Missing,
    New, Queued, Replaced, Running, Stale, Succeeded, Successful, Tainted, UpForRetry,
    UpstreamBuilding, UpstreamFailed,
};
use crate::model::build::{JobRun, Model, Partition, PartitionRef, Want};
use crate::serve::answers::{PartitionAnswer, RunAnswer, WantAnswer};
use crate::serve::api::{Api, Read};
use crate::serve::failure::{Asked, Failure};
use crate::serve::world::World;
use crate::text::shown;

/// The number of items of a page at most, and without a `limit`.
const PAGE_MAX: usize = 1000;
const PAGE: usize = 100;

/// A page of what has no name.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pages {
    /// The number of items at most.
    #[schemars(range(min = 1, max = PAGE_MAX), extend("default" = PAGE))]
    limit: Option<usize>,
    /// The `next` of the page before.
    after: Option<String>,
    /// Only those in this state.
    state: Option<String>,
    /// The number of a step, or a time such as `2026-02-28T12:30:00Z`: the answer is as of then. 404 if the log does not have it.
    at: Option<String>,
}

/// A page of what has a name.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NamedPages {
    /// The number of items at most.
    #[schemars(range(min = 1, max = PAGE_MAX), extend("default" = PAGE))]
    limit: Option<usize>,
    /// The `next` of the page before.
    after: Option<String>,
    /// Only those in this state.
    state: Option<String>,
    /// Only names that begin with this.
    prefix: Option<String>,
    /// The number of a step, or a time such as `2026-02-28T12:30:00Z`: the answer is as of then. 404 if the log does not have it.
    at: Option<String>,
}

/// A page of wants.
#[derive(Serialize, JsonSchema)]
pub struct Wants {
    /// The wants.
    wants: Vec<WantAnswer>,
    /// Where the next page begins: the value of `after`.
    next: Option<String>,
}

/// A page of partitions.
#[derive(Serialize, JsonSchema)]
pub struct Partitions {
    /// The partitions.
    partitions: Vec<PartitionAnswer>,
    /// Where the next page begins: the value of `after`.
    next: Option<String>,
}

/// A page of runs.
#[derive(Serialize, JsonSchema)]
pub struct Runs {
    /// The runs.
    runs: Vec<RunAnswer>,
    /// Where the next page begins: the value of `after`.
    next: Option<String>,
}

/// The page of a filter, and the token of the next one.
fn page<T: ironweave::Entity<Model = Model>, A>(
    limit: Option<usize>,
    after: Option<&str>,
    filter: &Filter<T>,
    db: &Snapshot<Model>,
    show: impl Fn(T) -> A,
) -> Result<(Vec<A>, Option<String>), Failure> {
    let limit = number("limit", limit, PAGE, PAGE_MAX)?;
    let after = after.map(str::parse::<PageToken>).transpose();
    let after = after.map_err(|e| Failure::invalid(format!("`after`: {e}")))?;
    let page = filter.page(db, after.as_ref(), limit);
    let Page { items, next, .. } = page.map_err(|e| Failure::invalid(e.to_string()))?;
    let items = items.into_iter().map(show).collect();
    Ok((items, next.map(|next| next.to_string())))
}

/// The page of a filter of runs, the newest first. O(runs that are newer than the last one of the page and those on the pages before).
fn newest_runs(
    limit: Option<usize>,
    after: Option<&str>,
    filter: &Filter<JobRun>,
    db: &Snapshot<Model>,
) -> Result<Runs, Failure> {
    let limit = number("limit", limit, PAGE, PAGE_MAX)?;
    // Runs are never removed, so these are the ids of all: `0.1`, `1.1` and so on.
    let all = u32::try_from(db.count::<JobRun, Any>()).unwrap_or(u32::MAX);
    let run = |slot: u32| format!("JobRun/{slot}.1").parse::<JobRun>().ok();
    let before = match after {
        None => all,
        Some(after) => {
            let run = format!("JobRun/{after}").parse::<JobRun>();
            let run = run.map_err(|_| {
                let after = shown(after);
                Failure::invalid(format!("`after` is `{after}`: it is the `next` of a page"))
            })?;
            run.id().slot().min(all)
        }
    };
    let (mut runs, mut left) = (Vec::new(), filter.count(db));
    for run in (0..before).rev().filter_map(run) {
        if left == 0 || runs.len() > limit {
            break;
        }
        if filter.accepts(db, run) {
            runs.push(run);
            left -= 1;
        }
    }
    let is_last = runs.len() <= limit;
    runs.truncate(limit);
    let last = runs.last().filter(|_| !is_last);
    Ok(Runs {
        next: last.map(|run| run.id().to_string()),
        runs: runs.into_iter().map(|run| RunAnswer::of(run, db)).collect(),
    })
}

/// A number from 1 to `most`, or `without` if none is given.
pub fn number<N: Copy + PartialOrd + std::fmt::Display + From<u8>>(
    what: &str,
    given: Option<N>,
    without: N,
    most: N,
) -> Result<N, Failure> {
    match given {
        None => Ok(without),
        Some(number) if number >= N::from(1) && number <= most => Ok(number),
        Some(number) => {
            let why = format!("`{what}` is {number}: ask for 1 to {most}");
            Err(Failure::invalid(why))
        }
    }
}

/// The filter for the entities in a state, by its name.
macro_rules! in_state {
    ($state:expr, $entity:ident: $($known:ident),*) => {
        match $state {
            $(Some(stringify!($known)) => $entity::in_place::<$known>(),)*
            None => $entity::in_place::<Any>(),
            Some(other) => {
                let known = [$(stringify!($known)),*].join(", ");
                let why = format!("there is no state `{}`: the states are {known}", shown(other));
                return Err(Failure::invalid(why));
            }
        }
    };
}

/// `GET /api/wants`.
pub async fn wants(State(api): State<Api>, Asked(asked): Asked<Pages>) -> Read<Wants> {
    let at = asked.at.clone();
    let answer = move |_: &Api, World { db, .. }: &World| {
        let filter = match asked.state.as_deref() {
            Some("open") => Want::in_place::<(New, Idle, Building, UpstreamBuilding)>(),
            state => in_state!(
                state, Want: New, Idle, Building, UpstreamBuilding, Successful, Failed, UpstreamFailed, Canceled, Expired
            ),
        };
        let show = |want| WantAnswer::of(want, db);
        let (wants, next) = page(asked.limit, asked.after.as_deref(), &filter, db, show)?;
        Ok(Wants { wants, next })
    };
    api.read(at, answer).await
}

/// `GET /api/partitions`.
pub async fn partitions(
    State(api): State<Api>,
    Asked(asked): Asked<NamedPages>,
) -> Read<Partitions> {
    let at = asked.at.clone();
    let answer = move |_: &Api, World { db, .. }: &World| {
        let mut filter = match asked.state.as_deref() {
            None => PartitionRef::in_place::<Any>(),
            state => PartitionRef::CURRENT.any(in_state!(
                state, Partition: Missing, Building, Live, Failed, Backoff, UpstreamBuilding, UpForRetry, UpstreamFailed, Stale, Checking, Tainted, Replaced
            )),
        };
        if let Some(prefix) = asked.prefix.clone() {
            filter = filter & PartitionRef::NAME.matches(move |name| name.starts_with(&prefix));
        }
        let show = |reference| PartitionAnswer::of(reference, db);
        let (partitions, next) = page(asked.limit, asked.after.as_deref(), &filter, db, show)?;
        Ok(Partitions { partitions, next })
    };
    api.read(at, answer).await
}

/// `GET /api/runs`.
pub async fn runs(State(api): State<Api>, Asked(asked): Asked<Pages>) -> Read<Runs> {
    let at = asked.at.clone();
    let answer = move |_: &Api, World { db, .. }: &World| {
        let filter = in_state!(
            asked.state.as_deref(), JobRun: Queued, Running, Succeeded, Failed, DepMiss, Lost, Canceled
        );
        newest_runs(asked.limit, asked.after.as_deref(), &filter, db)
    };
    api.read(at, answer).await
}

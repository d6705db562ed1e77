//! `POST /api/plan`: what would be built for partitions that are wanted, or because some have changed. It changes nothing.

use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use ironweave::{ReadError, Seq, Snapshot, StoreReader};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::jobs::Jobs;
use crate::model::build::Model;
use crate::plan::scene::planned;
use crate::plan::{Plan, Question};
use crate::serve::api::{Api, Read};
use crate::serve::commands::{REFS_MAX, once};
use crate::serve::failure::{Asked, Body, Failure, Nothing};
use crate::serve::lists::number;
use crate::serve::reports::Beside;
use crate::serve::world::World;
use crate::simulate::past::Past;

/// The number of steps of an answer at most, and without a `limit`.
const STEPS_MAX: usize = 1000;
const STEPS: usize = 200;

/// What is planned: either `want` or `change`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanQuestion {
    /// The partitions that are wanted. A name may select several, as in `votes/2026-01-{01..31}`.
    #[serde(default)]
    #[schemars(length(max = REFS_MAX))]
    want: Vec<String>,
    /// The partitions that change, so that all that is made from them is built again.
    #[serde(default)]
    #[schemars(length(max = REFS_MAX))]
    change: Vec<String>,
    /// The number of steps at most [default: 200].
    #[schemars(range(min = 1, max = STEPS_MAX))]
    limit: Option<usize>,
}

/// What the log said of the runs of the past when it was read last. A plan may take long, so plans are made one after the other, and take at
/// most one of the threads that answer requests.
pub struct LastPast {
    known: Mutex<Option<Known>>,
    turn: Arc<Semaphore>,
}

impl Default for LastPast {
    fn default() -> Self {
        Self {
            known: Mutex::default(),
            turn: Arc::new(Semaphore::new(1)),
        }
    }
}

/// The last step that was read, the jobs, and what was read.
type Known = (Option<Seq>, Option<Arc<Jobs>>, Arc<Past>);

impl LastPast {
    /// The runs of the past up to a graph. The log is read again if it has grown or the jobs have changed.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn of(
        &self,
        (reader, db): (&StoreReader<Model>, &Snapshot<Model>),
        jobs: Option<&Arc<Jobs>>,
    ) -> Result<Arc<Past>, ReadError> {
        let mut last = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((seq, of, past)) = &*last
            && *seq == db.seq()
            && of.as_ref().map(Arc::as_ptr) == jobs.map(Arc::as_ptr)
        {
            return Ok(Arc::clone(past));
        }
        let past = Past::read(reader, (db, db.seq()), jobs.map(|jobs| &**jobs))?;
        let past = Arc::new(past);
        *last = Some((db.seq(), jobs.cloned(), Arc::clone(&past)));
        Ok(past)
    }

    /// Waits until no other plan is being made.
    pub async fn turn(&self) -> Turn {
        // The semaphore is never closed.
        Turn(Arc::clone(&self.turn).acquire_owned().await.ok())
    }
}

/// The right to make a plan, until this is dropped.
pub struct Turn(#[expect(dead_code, reason = "it is held")] Option<OwnedSemaphorePermit>);

/// `POST /api/plan`.
pub async fn plan(
    State(api): State<Api>,
    _: Asked<Nothing>,
    Body(asked): Body<PlanQuestion>,
) -> Read<Plan> {
    let most = number("limit", asked.limit, STEPS, STEPS_MAX)?;
    let question = match (asked.want.is_empty(), asked.change.is_empty()) {
        (false, true) => Question::Want(once("want", asked.want)?),
        (true, false) => Question::Change(once("change", asked.change)?),
        _ => {
            return Err(Failure::invalid(
                "name partitions either in `want` or in `change`",
            ));
        }
    };
    let turn = api.last_past.turn().await;
    let answer = move |api: &Api, World { db, .. }: &World| {
        // Also if the client does not wait for the answer any more.
        let _turn = turn;
        let mut plan = planned(&Beside { api, db }, &api.dirs, &question)?;
        plan.cut(most);
        Ok(plan)
    };
    api.read(None, answer).await
}

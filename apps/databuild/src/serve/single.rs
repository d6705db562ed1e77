//! The routes that answer about the daemon, and about one want, partition or run.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use ironweave::prelude::*;
use schemars::JsonSchema;
use serde::Serialize;

use crate::invoked;
use crate::model::build::state::{Failed, Running};
use crate::model::build::{JobRun, Partition, Want};
use crate::reports::Origin as _;
use crate::rules::open_wants;
use crate::serve::answers::{
    Chain, Counts, LIST_MAX, List, OpenWant, PartitionAnswer, PartitionInFull, RunAnswer,
    RunInFull, WantInFull,
};
use crate::serve::api::{Api, Read, entity, reference};
use crate::serve::failure::{Asked, Error, Failure, Named, Nothing};
use crate::serve::openapi::{Operation, Output};
use crate::serve::reports::Beside;
use crate::serve::world::{At, World};
use crate::status::blocked;

/// Whether a daemon works.
#[derive(Serialize, JsonSchema)]
pub struct Health {
    /// Whether it takes requests.
    ok: bool,
    /// A text that no other daemon has.
    instance: String,
    /// An answer that says that it does not has the fields of an error too.
    #[serde(flatten)]
    #[schemars(skip)]
    error: Option<Error>,
}

impl Output for (StatusCode, Json<Health>) {
    fn describe(operation: &mut Operation<'_>) {
        Json::<Health>::describe(operation);
    }
}

/// `GET /healthz`.
pub async fn health(State(api): State<Api>, _: Asked<Nothing>) -> (StatusCode, Json<Health>) {
    let ending = api.mailbox.is_ending();
    let status = match ending {
        true => StatusCode::SERVICE_UNAVAILABLE,
        false => StatusCode::OK,
    };
    let health = Health {
        ok: !ending,
        instance: api.presence.instance.clone(),
        error: ending.then(|| Failure::ending().into()),
    };
    (status, Json(health))
}

/// A daemon.
#[derive(Serialize, JsonSchema)]
pub struct Daemon {
    /// Its process.
    pid: u32,
    /// When it was started.
    started: String,
    /// The path of the jobs file.
    jobs: String,
    /// The maximum number of jobs that run at a time.
    jobs_max: usize,
    /// Whether it takes no more commands.
    ending: bool,
}

/// The wants, runs and partitions by state, and what runs and has failed.
#[derive(Serialize, JsonSchema)]
pub struct Status {
    /// The daemon.
    daemon: Daemon,
    /// The last durable step.
    seq: Option<u64>,
    /// Instances of partitions by state.
    partitions: Counts,
    /// Runs by state.
    runs: Counts,
    /// Wants by state.
    wants: Counts,
    /// The first open wants that no run asked for.
    #[schemars(length(max = LIST_MAX))]
    open: Vec<OpenWant>,
    /// The first runs that go on.
    #[schemars(length(max = LIST_MAX))]
    running: Vec<RunAnswer>,
    /// The first partitions that have failed.
    #[schemars(length(max = LIST_MAX))]
    failed: Vec<PartitionAnswer>,
    /// Why partitions wait: each chain leads from one that nothing else waits for to what is in the way.
    waiting: List<Chain>,
}

/// The first chains of partitions that wait, and the number of all.
fn waiting(db: &impl Db) -> List<Chain> {
    let mut blocked = blocked(db);
    let first = blocked.by_ref().take(LIST_MAX).map(|p| Chain::of(p, db));
    let items: Vec<Chain> = first.collect();
    let count = items.len() + blocked.count();
    List { items, count }
}

/// `GET /api/status`.
pub async fn status(State(api): State<Api>, Asked(At { at }): Asked<At>) -> Read<Status> {
    let answer = |api: &Api, World { db, .. }: &World| {
        let running = db.place::<JobRun, Running>().take(LIST_MAX);
        let failed = db.place::<Partition, Failed>().take(LIST_MAX);
        let open = open_wants(db).into_iter().take(LIST_MAX);
        Ok(Status {
            daemon: Daemon {
                pid: api.presence.pid,
                started: api.presence.started.clone(),
                jobs: api.presence.jobs.display().to_string(),
                jobs_max: api.jobs_max,
                ending: api.mailbox.is_ending(),
            },
            seq: db.seq().map(|seq| seq.get()),
            partitions: Counts::of(db, "Partition"),
            runs: Counts::of(db, "JobRun"),
            wants: Counts::of(db, "Want"),
            open: open.map(|want| OpenWant::of(want, db)).collect(),
            running: running.map(|run| RunAnswer::of(run.any(), db)).collect(),
            failed: failed.map(|p| PartitionAnswer::of(p.of(db), db)).collect(),
            waiting: waiting(db),
        })
    };
    api.read(at, answer).await
}

/// `GET /api/wants/ID`.
pub async fn one_want(
    State(api): State<Api>,
    Named(id): Named,
    Asked(At { at }): Asked<At>,
) -> Read<WantInFull> {
    let answer = move |_: &Api, World { db, .. }: &World| {
        let want: Want = entity(&id, "Want", db)?;
        Ok(WantInFull::of(want, db))
    };
    api.read(at, answer).await
}

/// `GET /api/partitions/REF`.
pub async fn one_partition(
    State(api): State<Api>,
    Named(name): Named,
    Asked(At { at }): Asked<At>,
) -> Read<PartitionInFull> {
    let answer = move |_: &Api, World { db, .. }: &World| {
        let reference = reference(&name, db)?;
        Ok(PartitionInFull::of(reference, db))
    };
    api.read(at, answer).await
}

/// `GET /api/runs/ID`.
pub async fn one_run(
    State(api): State<Api>,
    Named(id): Named,
    Asked(At { at }): Asked<At>,
) -> Read<RunInFull> {
    let answer = move |api: &Api, World { db, .. }: &World| {
        let run: JobRun = entity(&id, "JobRun", db)?;
        let history = Beside { api, db }
            .history(run)
            .map_err(Failure::unreadable)?;
        Ok(RunInFull {
            command: invoked::find(&api.dirs, &id),
            ..RunInFull::of(run, &history, db)
        })
    };
    api.read(at, answer).await
}

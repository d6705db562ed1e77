//! The routes of the API, and their handlers. `openapi.json` describes them for clients.
//!
//! Reads take a snapshot, so that they never wait for the engine, which writes. What changes something is a command to the engine.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use ironweave::prelude::*;
use ironweave::query::{Page, PageToken};
use ironweave::{Filter, Snapshot, StoreReader};
use ironweave_explorer::Access;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::dirs::Dirs;
use crate::jobs::Jobs;
use crate::model::build::state::{
    Backoff, Building, Canceled, Checking, DepMiss, Failed, Idle, Live, Lost, Missing, New, Queued,
    Replaced, Running, Stale, Succeeded, Successful, UpForRetry, UpstreamBuilding, UpstreamFailed,
};
use crate::model::build::{JobRun, Model, Partition, PartitionRef, Want};
use crate::requests::{Request, What};
use crate::rules::open_wants;
use crate::serve::access::{BODY_BYTES_MAX, guard};
use crate::serve::answers;
use crate::serve::events::{Rendered, events};
use crate::serve::failure::{Asked, Body, Failure, Named, Nothing};
use crate::serve::inbox::{Client, Command, JobsFile, Mailbox, Wanted};
use crate::serve::metrics::{Metrics, metrics};
use crate::serve::observed::Observed;
use crate::serve::pages;
use crate::serve::presence::Presence;
use crate::serve::reads;
use crate::serve::story;
use crate::serve::timeline;
use crate::serve::world::{At, World, Worlds};
use crate::text::comment as comment_of;
use crate::text::shown;

/// The number of names in a request at most.
const REFS_MAX: usize = 10_000;
/// The number of items of a page at most, and without a `limit`.
const PAGE_MAX: usize = 1000;
const PAGE: usize = 100;

/// What all handlers have.
#[derive(Clone)]
pub struct Api(Arc<Shared>);

impl std::ops::Deref for Api {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// What all handlers share.
pub struct Shared {
    /// Reads the store.
    pub reader: StoreReader<Model>,
    /// What the store counts about its own work.
    pub observed: Observed,
    /// Where commands go.
    pub mailbox: Mailbox,
    /// Becomes true when the daemon ends.
    pub ends: watch::Receiver<bool>,
    /// What others know of this daemon.
    pub presence: Presence,
    /// The maximum number of jobs that run at a time.
    pub jobs_max: usize,
    /// Who may send requests.
    pub access: Access,
    /// The numbers of requests and streams.
    pub metrics: Metrics,
    /// The texts of the last events.
    pub rendered: Rendered,
    /// The directories, which have what runs wrote.
    pub dirs: Dirs,
    /// The jobs, for what does not change anything; the engine has its own.
    pub jobs: Mutex<(JobsFile, Arc<Jobs>)>,
    /// The graphs of the past that were read last.
    pub worlds: Worlds,
    /// When it began.
    pub began: SystemTime,
}

impl Api {
    /// The jobs, read again if their file has changed.
    ///
    /// # Errors
    /// 422 if the file is none of jobs any more.
    pub fn jobs(&self) -> Result<Arc<Jobs>, Failure> {
        let mut known = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        match known.0.reread() {
            Ok(Some(jobs)) => known.1 = Arc::new(jobs),
            Ok(None) => {}
            Err(e) => {
                let why = format!("{e:#}");
                return Err(Failure::new(StatusCode::UNPROCESSABLE_ENTITY, why));
            }
        }
        Ok(Arc::clone(&known.1))
    }

    /// Returns whether the job of a partition has secrets, or is not known.
    pub fn has_secrets(&self, name: &str) -> bool {
        let jobs = self.jobs();
        let job = jobs.as_ref().ok().and_then(|jobs| jobs.job_for(name).ok());
        job.is_none_or(|job| !job.env.secrets().is_empty())
    }
}

macro_rules! routes {
    ($($method:ident $path:literal => $handler:expr;)*) => {
        /// The method and the path of each route.
        pub const ROUTES: &[(&str, &str)] = &[$((stringify!($method), $path)),*];

        fn routes() -> Router<Api> {
            Router::new()$(.route($path, $method($handler)))*
        }
    };
}

routes! {
    get "/healthz" => healthz;
    get "/metrics" => metrics;
    get "/api/openapi.json" => openapi;
    get "/api/status" => status;
    get "/api/wants" => wants;
    post "/api/wants" => want;
    get "/api/wants/{id}" => one_want;
    delete "/api/wants/{id}" => cancel;
    get "/api/wants/{id}/timeline" => timeline::of_want;
    post "/api/retry" => retry;
    get "/api/partitions" => partitions;
    get "/api/partitions/{*ref}" => one_partition;
    get "/api/runs" => runs;
    get "/api/runs/{id}" => one_run;
    get "/api/runs/{id}/logs" => reads::logs;
    get "/api/lineage/{*ref}" => reads::lineage;
    get "/api/why/{*ref}" => reads::why;
    get "/api/history/{*ref}" => story::story;
    get "/api/grid" => reads::grid;
    get "/api/time" => reads::time;
    get "/api/diff" => reads::diff;
    get "/api/events" => events;
}

/// All routes, with the checks before each.
pub fn router(shared: Shared) -> Router {
    let api = Api(Arc::new(shared));
    routes()
        .merge(pages::routes(&api))
        .fallback(|| async {
            Failure::not_found("there is no such path: /api/openapi.json lists them")
        })
        .method_not_allowed_fallback(|| async {
            let why = "the path has no such method: /api/openapi.json lists them";
            Failure::new(StatusCode::METHOD_NOT_ALLOWED, why)
        })
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn_with_state(api.clone(), guard))
        .with_state(api)
}

/// The answer of a handler.
pub type Answer = Result<Json<Value>, Failure>;

/// The description of this API.
pub const OPENAPI: &str = include_str!("openapi.json");

async fn openapi(_: Asked<Nothing>) -> Response {
    ([(CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}

async fn healthz(State(api): State<Api>, _: Asked<Nothing>) -> Response {
    let ending = api.mailbox.is_ending();
    let status = match ending {
        true => StatusCode::SERVICE_UNAVAILABLE,
        false => StatusCode::OK,
    };
    let body = json!({ "ok": !ending, "instance": api.presence.instance });
    (status, Json(body)).into_response()
}

async fn status(State(api): State<Api>, Asked(At { at }): Asked<At>) -> Answer {
    let answer = |api: &Api, world: &World| {
        let db = &world.db;
        let running = db.place::<JobRun, Running>().take(answers::LIST_MAX);
        let failed = db.place::<Partition, Failed>().take(answers::LIST_MAX);
        let open = open_wants(db).into_iter();
        Ok(json!({
            "daemon": {
                "pid": api.presence.pid,
                "started": api.presence.started,
                "jobs": api.presence.jobs,
                "jobs_max": api.jobs_max,
                "ending": api.mailbox.is_ending(),
            },
            "seq": db.seq(),
            "partitions": answers::counts(db, "Partition"),
            "runs": answers::counts(db, "JobRun"),
            "wants": answers::counts(db, "Want"),
            "open": open.take(answers::LIST_MAX).map(|w| answers::want(w, db)).collect::<Vec<_>>(),
            "running": running.map(|run| answers::run(run.any(), db)).collect::<Vec<_>>(),
            "failed": failed.map(|p| answers::partition(p.of(db), db)).collect::<Vec<_>>(),
        }))
    };
    api.read(at, answer).await
}

/// A page that is asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pages {
    limit: Option<usize>,
    after: Option<String>,
    state: Option<String>,
    prefix: Option<String>,
    at: Option<String>,
}

impl Pages {
    /// The page of a filter, and the token of the next one.
    fn page<T: ironweave::Entity<Model = Model>>(
        &self,
        filter: &Filter<T>,
        db: &Snapshot<Model>,
        what: &str,
        show: impl Fn(T) -> Value,
    ) -> Result<Value, Failure> {
        let limit = self.limit.unwrap_or(PAGE);
        if !(1..=PAGE_MAX).contains(&limit) {
            let why = format!("`limit` is {limit}: ask for 1 to {PAGE_MAX} items");
            return Err(Failure::invalid(why));
        }
        let after = self.after.as_deref().map(str::parse::<PageToken>);
        let after = after
            .transpose()
            .map_err(|e| Failure::invalid(format!("`after`: {e}")))?;
        let page = filter.page(db, after.as_ref(), limit);
        let Page { items, next, .. } = page.map_err(|e| Failure::invalid(e.to_string()))?;
        let items: Vec<Value> = items.into_iter().map(show).collect();
        Ok(json!({ what: items, "next": next.map(|next| next.to_string()) }))
    }

    /// Refuses a `prefix` where there are no names.
    fn without_prefix(&self) -> Result<(), Failure> {
        match self.prefix {
            Some(_) => Err(Failure::invalid(
                "there are no names here that could have a `prefix`",
            )),
            None => Ok(()),
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

async fn wants(State(api): State<Api>, Asked(pages): Asked<Pages>) -> Answer {
    pages.without_prefix()?;
    let at = pages.at.clone();
    let answer = move |_: &Api, world: &World| {
        let filter = match pages.state.as_deref() {
            Some("open") => Want::in_place::<(New, Idle, Building, UpstreamBuilding)>(),
            state => in_state!(
                state, Want: New, Idle, Building, UpstreamBuilding, Successful, Failed, UpstreamFailed, Canceled
            ),
        };
        let db = &world.db;
        pages.page(&filter, db, "wants", |want| answers::want(want, db))
    };
    api.read(at, answer).await
}

async fn partitions(State(api): State<Api>, Asked(pages): Asked<Pages>) -> Answer {
    let at = pages.at.clone();
    let answer = move |_: &Api, world: &World| {
        let state = pages.state.as_deref();
        let mut filter = match state {
            None => PartitionRef::in_place::<Any>(),
            state => PartitionRef::CURRENT.any(in_state!(
                state, Partition: Missing, Building, Live, Failed, Backoff, UpstreamBuilding, UpForRetry, UpstreamFailed, Stale, Checking, Replaced
            )),
        };
        if let Some(prefix) = pages.prefix.clone() {
            filter = filter & PartitionRef::NAME.matches(move |name| name.starts_with(&prefix));
        }
        let db = &world.db;
        pages.page(&filter, db, "partitions", |reference| {
            answers::partition(reference, db)
        })
    };
    api.read(at, answer).await
}

async fn runs(State(api): State<Api>, Asked(pages): Asked<Pages>) -> Answer {
    pages.without_prefix()?;
    let at = pages.at.clone();
    let answer = move |_: &Api, world: &World| {
        let filter = in_state!(
            pages.state.as_deref(), JobRun: Queued, Running, Succeeded, Failed, DepMiss, Lost, Canceled
        );
        let db = &world.db;
        pages.page(&filter, db, "runs", |run| answers::run(run, db))
    };
    api.read(at, answer).await
}

/// What is wanted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewWant {
    refs: Vec<String>,
    #[serde(default)]
    priority: i32,
    #[serde(default)]
    comment: String,
}

/// The names that a client wants.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Refs {
    refs: Vec<String>,
}

impl Refs {
    /// The names, each once.
    fn once(self) -> Result<Vec<String>, Failure> {
        if !(1..=REFS_MAX).contains(&self.refs.len()) {
            let count = self.refs.len();
            let why = format!("`refs` has {count} names: name 1 to {REFS_MAX} partitions");
            return Err(Failure::invalid(why));
        }
        let mut seen = HashSet::new();
        let once = self
            .refs
            .into_iter()
            .filter(|name| seen.insert(name.clone()));
        Ok(once.collect())
    }
}

async fn want(
    State(api): State<Api>,
    _: Asked<Nothing>,
    Body(NewWant {
        refs,
        priority,
        comment,
    }): Body<NewWant>,
) -> Result<(StatusCode, Json<Value>), Failure> {
    let refs = Refs { refs }.once()?;
    let comment = comment_of(&comment).map_err(Failure::invalid)?;
    let Wanted {
        want,
        seq,
        left_out,
    } = api
        .mailbox
        .send(|reply| {
            let client = Client {
                priority,
                comment,
                reply,
            };
            Command::Want { refs, client }
        })
        .await?;
    let db = api.reader.snapshot();
    let mut answer = answers::want(want, &db);
    answer["seq"] = json!(seq);
    answer["left_out"] = json!(left_out);
    Ok((StatusCode::CREATED, Json(answer)))
}

/// The entity with an id, if there is one. `what` is its type.
pub fn entity<T: std::str::FromStr>(id: &str, what: &str, db: &impl Db) -> Result<T, Failure> {
    let handle = format!("{what}/{id}");
    let exists = db.by_name().entity(&handle);
    let exists = exists
        .map_err(|_| Failure::invalid(format!("`{}` is no id: ids are like `12.1`", shown(id))))?;
    let missing = || Failure::not_found(format!("there is no {what} `{}`", shown(id)));
    exists.ok_or_else(missing)?;
    handle.parse().map_err(|_| missing())
}

async fn one_want(State(api): State<Api>, Named(id): Named, Asked(At { at }): Asked<At>) -> Answer {
    let answer = move |_: &Api, World { db, .. }: &World| {
        let want: Want = entity(&id, "Want", db)?;
        Ok(answers::want_in_full(want, db))
    };
    api.read(at, answer).await
}

async fn cancel(State(api): State<Api>, Named(id): Named, _: Asked<Nothing>) -> Answer {
    let want: Want = entity(&id, "Want", &api.reader.snapshot())?;
    let request = Request {
        what: What::Cancel,
        wants: vec![want.id().slot()],
        ..Request::default()
    };
    let command = |reply| Command::Change { request, reply };
    let changed = api.mailbox.send(command).await?;
    Ok(Json(json!({ "done": changed.done })))
}

/// The failures that are forgotten.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Retried {
    #[serde(default)]
    refs: Vec<String>,
    #[serde(default)]
    all: bool,
}

async fn retry(
    State(api): State<Api>,
    _: Asked<Nothing>,
    Body(Retried { refs, all }): Body<Retried>,
) -> Answer {
    let refs = match (refs.is_empty(), all) {
        (true, true) => refs,
        (false, false) => Refs { refs }.once()?,
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
    Ok(Json(
        json!({ "done": changed.done, "retried": changed.retried }),
    ))
}

async fn one_partition(
    State(api): State<Api>,
    Named(name): Named,
    Asked(At { at }): Asked<At>,
) -> Answer {
    let answer = move |_: &Api, World { db, .. }: &World| {
        let reference = reference(&name, db)?;
        Ok(answers::partition_in_full(reference, db))
    };
    api.read(at, answer).await
}

/// The reference with a name, if there is one.
pub fn reference(name: &str, db: &impl Db) -> Result<PartitionRef, Failure> {
    db.find::<PartitionRef>(name).ok_or_else(|| {
        let name = shown(name);
        Failure::not_found(format!(
            "there is no partition `{name}`; it was never wanted"
        ))
    })
}

async fn one_run(State(api): State<Api>, Named(id): Named, Asked(At { at }): Asked<At>) -> Answer {
    let answer = move |api: &Api, World { db, .. }: &World| {
        let run: JobRun = entity(&id, "JobRun", db)?;
        let mut history = api.reader.history(run).map_err(Failure::unreadable)?;
        history.retain(|entry| Some(entry.seq()) <= db.seq());
        Ok(answers::run_in_full(run, &history, db))
    };
    api.read(at, answer).await
}

/// The failure of a handler that panicked.
pub fn panicked(_: tokio::task::JoinError) -> Failure {
    let why =
        "the request made the daemon panic, which is a bug; its message is on the daemon's stderr";
    Failure::new(StatusCode::INTERNAL_SERVER_ERROR, why)
}

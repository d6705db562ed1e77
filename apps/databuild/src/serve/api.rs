//! What all handlers of the API share: the reader of the store, the mailbox of the engine, and how they answer. The list of the routes is
//! [`routes`](crate::serve::routes).
//!
//! Reads take a snapshot, so that they never wait for the engine, which writes. What changes something is a command to the engine.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::{Json, Router};
use ironweave::StoreReader;
use ironweave::prelude::*;
use ironweave_explorer::Access;
use tokio::sync::watch;

use crate::dirs::Dirs;
use crate::jobs::Jobs;
use crate::model::build::{Model, PartitionRef};
use crate::serve::access::{BODY_BYTES_MAX, guard};
use crate::serve::events::Rendered;
use crate::serve::failure::Failure;
use crate::serve::inbox::{JobsFile, Mailbox};
use crate::serve::metrics::Metrics;
use crate::serve::observed::Observed;
use crate::serve::pages;
use crate::serve::plan::LastPast;
use crate::serve::presence::Presence;
use crate::serve::routes::routes;
use crate::serve::world::{Dated, Worlds};
use crate::text::shown;

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
    /// The runs of the past, for plans.
    pub last_past: LastPast,
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
pub type Answer<T> = Result<Json<T>, Failure>;

/// The answer of a handler that reads a graph.
pub type Read<T> = Answer<Dated<T>>;

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

/// The reference with a name, if there is one.
pub fn reference(name: &str, db: &impl Db) -> Result<PartitionRef, Failure> {
    db.find::<PartitionRef>(name).ok_or_else(|| {
        let name = shown(name);
        Failure::not_found(format!(
            "there is no partition `{name}`; it was never wanted"
        ))
    })
}

/// The failure of a handler that panicked.
pub fn panicked(_: tokio::task::JoinError) -> Failure {
    let why =
        "the request made the daemon panic, which is a bug; its message is on the daemon's stderr";
    Failure::new(StatusCode::INTERNAL_SERVER_ERROR, why)
}

//! The router: which question a path asks, and the answers as JSON.

mod assets;
mod failure;
mod stream;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequestParts, Query, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;

pub(crate) use failure::Failure;
pub(crate) use stream::Follower;

use crate::access::Access;
use crate::answers::{self, LinkCounts, Nets};
use crate::problem::Problem;
use crate::source::Source;

/// The greatest length of the query of a URL, in bytes.
const QUERY_MAX: usize = 8 << 10;
/// The greatest length of a body, in bytes.
const BODY_MAX: usize = 256 << 10;
/// The number of questions that are answered at the same time. Others wait.
const CONCURRENT_MAX: usize = 8;

/// What all handlers share.
pub(crate) struct Shared {
    pub source: Arc<dyn Source>,
    pub access: Access,
    pub counted: LinkCounts,
    pub nets: Nets,
    pub follower: Follower,
    pub permits: Semaphore,
}

impl Shared {
    pub(crate) fn new(source: Arc<dyn Source>, access: Access) -> Self {
        Self {
            follower: Follower::start(&source),
            source,
            access,
            counted: LinkCounts::default(),
            nets: Nets::default(),
            permits: Semaphore::new(CONCURRENT_MAX),
        }
    }
}

type App = Arc<Shared>;

/// The router of an explorer.
pub(crate) fn router(shared: Shared) -> Router {
    let shared = Arc::new(shared);
    let api = Router::new()
        .route(
            "/store",
            ask(|app, Nothing {}| answers::store(&*app.source)),
        )
        .route(
            "/places",
            ask(|app, q| answers::places(&*app.source, &app.counted, &q)),
        )
        .route(
            "/entities",
            ask(|app, q| answers::entities(&*app.source, &q)),
        )
        .route("/entity", ask(|app, q| answers::entity(&*app.source, &q)))
        .route("/links", ask(|app, q| answers::links(&*app.source, &q)))
        .route("/history", ask(|app, q| answers::history(&*app.source, &q)))
        .route("/log", ask(|app, q| answers::log(&*app.source, &q)))
        .route(
            "/transaction",
            ask(|app, q| answers::transaction(&*app.source, &q)),
        )
        .route(
            "/diff",
            ask(|app, q| answers::diff(&*app.source, &app.counted, &q)),
        )
        .route(
            "/net",
            ask(|app, q| answers::net(&*app.source, (&app.nets, &app.counted), &q)),
        )
        .route(
            "/marking",
            ask(|app, q| answers::marking(&*app.source, &app.counted, &q)),
        )
        .route("/events", ask(|app, q| answers::events(&*app.source, &q)))
        .route("/what-if", post(what_if))
        .route("/stream", get(stream::stream))
        .fallback(no_such_question);
    Router::new()
        .route("/", get(assets::root))
        .route("/{page}", get(assets::page))
        .route("/assets/{*file}", get(assets::file))
        .nest("/api", api)
        .method_not_allowed_fallback(not_allowed)
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), guard))
        .with_state(shared)
}

async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    app.access
        .answer(request, |request| next.run(request))
        .await
}

/// A question without parameters.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// The parameters of a question.
struct Asked<T>(T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let length = parts.uri.query().map_or(0, str::len);
        if length > QUERY_MAX {
            return Err(Failure::new(
                StatusCode::URI_TOO_LONG,
                format!("the query has {length} bytes; it may have {QUERY_MAX}"),
            ));
        }
        match Query::<T>::try_from_uri(&parts.uri) {
            Ok(Query(question)) => Ok(Self(question)),
            Err(e) => Err(Problem::invalid(e.body_text()).into()),
        }
    }
}

/// Answers a `GET` on a thread that may block.
fn ask<Q, A>(
    answer: impl Fn(&Shared, Q) -> Result<A, Problem> + Clone + Send + Sync + 'static,
) -> MethodRouter<App>
where
    Q: DeserializeOwned + Send + 'static,
    A: Serialize + 'static,
{
    get(move |State(app): State<App>, Asked(question): Asked<Q>| {
        let answer = answer.clone();
        async move { blocking(app, move |app| answer(app, question)).await }
    })
}

/// Runs a question on a thread that may block, and returns its answer as JSON.
async fn blocking<A: Serialize>(
    app: App,
    answer: impl FnOnce(&Shared) -> Result<A, Problem> + Send + 'static,
) -> Result<Response, Failure> {
    let Ok(_permit) = app.permits.acquire().await else {
        return Err(Failure::internal());
    };
    let asked = Arc::clone(&app);
    let answered = tokio::task::spawn_blocking(move || {
        let answer = answer(&asked)?;
        serde_json::to_vec(&answer)
            .map_err(|e| Problem::new(ironweave::ErrorKind::Internal, e.to_string()))
    });
    match answered.await {
        Ok(body) => Ok(json(body?)),
        // The question panicked, as user code on a snapshot can.
        Err(_) => Err(Failure::internal()),
    }
}

fn json(body: Vec<u8>) -> Response {
    let json = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, json)], body).into_response()
}

async fn what_if(
    State(app): State<App>,
    Asked(Nothing {}): Asked<Nothing>,
    headers: HeaderMap,
    body: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Result<Response, Failure> {
    let body = body.map_err(|e| Failure::new(e.status(), e.body_text()))?;
    let content = headers.get(header::CONTENT_TYPE);
    let content = content.and_then(|value| value.to_str().ok()).unwrap_or("");
    // A form of another site cannot have this type.
    if content.split(';').next().map(str::trim) != Some("application/json") {
        return Err(Failure::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "send the event as `application/json`",
        ));
    }
    let question: answers::TrialQuestion = serde_json::from_slice(&body)
        .map_err(|e| Problem::invalid(format!("the body is not a question: {e}")))?;
    blocking(app, move |app| {
        answers::what_if(&*app.source, &app.counted, &question)
    })
    .await
}

async fn no_such_question() -> Failure {
    Failure::new(StatusCode::NOT_FOUND, "the API has no such path")
}

async fn not_allowed() -> Failure {
    Failure::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "the path does not accept this method",
    )
}

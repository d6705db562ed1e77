//! The handlers of the service, and its life from the first request to the drained store.
//!
//! | request | answer |
//! |---|---|
//! | `POST /beds` with `{"label": ".."}` | 201, or 409 if there is such a bed |
//! | `POST /beds/{label}/admit` with `{"patient": ".."}` | 200, or 403, 404, 409 |
//! | `POST /beds/{label}/discharge` | 200, or 404, 409 |
//! | `GET /beds` | each bed with its state |
//! | `GET /beds/{label}/history` | the events of a bed |
//! | `GET /events` | the transactions as server-sent events; continues after the header `Last-Event-ID` |
//!
//! A `POST` takes the header `Idempotency-Key`: a request that is repeated with the same key changes nothing, and gets the answer
//! of the first.

use std::future::Future;
use std::io;

use axum::Json;
use axum::Router;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::{Stream, StreamExt};
use ironweave::prelude::*;
use ironweave::{AsyncStore, ErrorKind, ParsePositionError, Position, Record};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::model::{Admitted, Bed, BedAdded, Discharged, Model, state::Occupied};

/// What all handlers have.
#[derive(Clone)]
struct Ward {
    store: AsyncStore<Model>,
    /// Becomes true when the service ends.
    ends: watch::Receiver<bool>,
}

/// A failed request.
struct Failure(ErrorKind, String);

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let Self(kind, message) = self;
        let status = StatusCode::from_u16(kind.http_status());
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, Json(json!({ "error": message }))).into_response()
    }
}

/// Each error of ironweave has a `kind()`, and each kind a status.
macro_rules! failures {
    ($($error:ty),*) => { $(impl From<$error> for Failure {
        fn from(e: $error) -> Self {
            Self(e.kind(), e.to_string())
        }
    })* };
}
failures!(StepError, ReadError, StorageError);

impl From<ParsePositionError> for Failure {
    fn from(e: ParsePositionError) -> Self {
        Self(ErrorKind::Invalid, e.to_string())
    }
}

/// The metadata of a request, from its headers.
struct Request(Meta);

impl<S: Sync> FromRequestParts<S> for Request {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let meta = Meta::new();
        Ok(Self(match header(&parts.headers, "idempotency-key")? {
            Some(key) => meta.with_idempotency_key(key),
            None => meta,
        }))
    }
}

/// Returns the value of a header as text.
fn header<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, Failure> {
    let value = headers.get(name).map(|value| value.to_str()).transpose();
    value.map_err(|_| Failure(ErrorKind::Invalid, format!("the header {name} is not text")))
}

#[derive(Deserialize)]
struct NewBed {
    label: String,
}

async fn add_bed(
    State(ward): State<Ward>,
    Request(meta): Request,
    Json(NewBed { label }): Json<NewBed>,
) -> Result<(StatusCode, Json<Value>), Failure> {
    let receipt = ward.store.step_with(meta, BedAdded { label }).await?;
    let body = json!({ "bed": receipt.created.bed, "seq": receipt.seq });
    Ok((StatusCode::CREATED, Json(body)))
}

#[derive(Deserialize)]
struct Admission {
    patient: String,
}

async fn admit(
    State(ward): State<Ward>,
    Request(meta): Request,
    Path(label): Path<String>,
    Json(Admission { patient }): Json<Admission>,
) -> Result<Json<Value>, Failure> {
    let bed = label.into();
    let receipt = ward
        .store
        .step_with(meta, Admitted { bed, patient })
        .await?;
    Ok(Json(json!({ "seq": receipt.seq })))
}

async fn discharge(
    State(ward): State<Ward>,
    Request(meta): Request,
    Path(label): Path<String>,
) -> Result<Json<Value>, Failure> {
    let bed = label.into();
    let receipt = ward.store.step_with(meta, Discharged { bed }).await?;
    Ok(Json(json!({ "seq": receipt.seq })))
}

async fn beds(State(ward): State<Ward>) -> Result<Json<Value>, Failure> {
    let now = ward.store.snapshot().await?;
    let show = |bed: Bed| {
        let patient = bed.in_state::<Occupied>(&now).map(|bed| bed.patient(&now));
        json!({ "label": bed.label(&now), "patient": patient })
    };
    Ok(Json(now.place::<Bed, Any>().map(show).collect()))
}

/// The past is in the log, which is read on a thread of its own.
async fn history(
    State(ward): State<Ward>,
    Path(label): Path<String>,
) -> Result<Json<Value>, Failure> {
    let entries = ward.store.read_log(move |reader| {
        let beds = reader.history_of_key::<Bed>(label.as_str())?;
        let entries = beds.iter().flat_map(|(_, history)| history.iter());
        let entries = entries.map(|entry| json!([entry.time(), entry.event()]));
        Ok::<Vec<Value>, ReadError>(entries.collect())
    });
    let entries = entries.await??;
    if entries.is_empty() {
        let message = "there was never such a bed".to_owned();
        return Err(Failure(ErrorKind::NotFound, message));
    }
    Ok(Json(entries.into()))
}

/// The transactions as server-sent events. The id of each is its position, which a client that reconnects sends back.
async fn events(
    State(mut ward): State<Ward>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, axum::Error>>>, Failure> {
    let last = match header(&headers, "last-event-id")? {
        Some(id) => Some(id.parse::<Position>()?),
        // A new client gets new transactions only.
        None => ward.store.position().await?,
    };
    let records = match last {
        Some(last) => ward.store.subscribe_since(last).await?,
        None => ward.store.subscribe(0).await?,
    };
    let events = records.into_stream()?.map(|record| match record {
        Ok(record) => event(&record),
        Err(e) => Err(axum::Error::new(e)),
    });
    // A client that is not disconnected would keep the service from ending.
    let ends = async move {
        let _ = ward.ends.wait_for(|ends| *ends).await;
    };
    Ok(Sse::new(events.take_until(ends)).keep_alive(KeepAlive::default()))
}

fn event(record: &Record<Model>) -> Result<Event, axum::Error> {
    let event = Event::default().json_data(record)?;
    Ok(match record.position() {
        Some(position) => event.id(position.to_string()),
        None => event,
    })
}

/// Serves requests until `shutdown` returns. Then it accepts no more connections, answers the requests that have begun, ends
/// the streams, and closes the store, which makes everything durable.
///
/// # Errors
/// If the store cannot be closed, or a failure of the network.
pub async fn serve(
    listener: TcpListener,
    store: AsyncStore<Model>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let (end, ends) = watch::channel(false);
    let ward = Ward {
        store: store.clone(),
        ends,
    };
    let routes = Router::new()
        .route("/beds", get(beds).post(add_bed))
        .route("/beds/{label}/admit", post(admit))
        .route("/beds/{label}/discharge", post(discharge))
        .route("/beds/{label}/history", get(history))
        .route("/events", get(events))
        .with_state(ward);
    let shutdown = async move {
        shutdown.await;
        let _ = end.send(true);
    };
    let served = axum::serve(listener, routes)
        .with_graceful_shutdown(shutdown)
        .await;
    store.close().await.map_err(io::Error::other)?;
    served
}

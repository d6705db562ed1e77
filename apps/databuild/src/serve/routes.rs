//! The routes of the API. This list is the router and the description of the API ([`openapi`](crate::serve::openapi)) too: each route has
//! the path, the id of its operation, the errors that its handler may answer with beside those of what it takes, and a description.

use std::sync::LazyLock;

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use serde_json::json;

use crate::serve::api::Api;
use crate::serve::commands::{cancel, retry, taint, want};
use crate::serve::events::events;
use crate::serve::failure::{Asked, Nothing};
use crate::serve::lists::{partitions, runs, wants};
use crate::serve::metrics::metrics;
use crate::serve::openapi::{Document, Operation, Output};
use crate::serve::single::{health, one_partition, one_run, one_want, status};
use crate::serve::{logs, plan, reads, reports, story, timeline};

macro_rules! routes {
    ($($(#[doc = $about:literal])+ $method:ident $path:literal $id:ident($($error:literal)*) => $handler:expr;)*) => {
        /// The method and the path of each route.
        pub const ROUTES: &[(&str, &str)] = &[$((stringify!($method), $path)),*];

        /// The router of the API.
        pub fn routes() -> Router<Api> {
            Router::new()$(.route($path, $method($handler)))*
        }

        /// The description of the API.
        pub static OPENAPI: LazyLock<String> = LazyLock::new(|| {
            let mut document = Document::default();
            $(document.add(
                (stringify!($method), $path, stringify!($id)),
                concat!($($about),+),
                &[$($error),*],
                &$handler,
            );)*
            format!("{:#}\n", document.finish())
        });
    };
}

routes! {
    /// Whether the daemon works. 503 while it ends, with the fields of the answer too.
    get "/healthz" health() => health;
    /// Metrics in the text format of Prometheus.
    get "/metrics" metrics() => metrics;
    /// This document.
    get "/api/openapi.json" openapi() => openapi;
    /// The wants, runs and partitions by state, and what runs and has failed.
    get "/api/status" status(404) => status;
    /// The wants, in order of ids. `state=open` has those that have not ended.
    get "/api/wants" wants(404) => wants;
    /// Wants partitions. The answer comes when the want is durable.
    post "/api/wants" want(409) => want;
    /// A want, with the state of all that it needs.
    get "/api/wants/{id}" oneWant() => one_want;
    /// Cancels a want, with what only it needs.
    delete "/api/wants/{id}" cancel(409) => cancel;
    /// When the partitions that a want needs were built, and the chain of runs that decided how long that took.
    get "/api/wants/{id}/timeline" timeline() => timeline::of_want;
    /// Forgets failures, so that the partitions are built again when they are wanted.
    post "/api/retry" retry(409) => retry;
    /// Says that the data of partitions is wrong, so that nothing is made from it, and it is built again when it is wanted.
    post "/api/taint" taint(409) => taint;
    /// What would be built for partitions that are wanted or that change, and when. Nothing is changed.
    post "/api/plan" plan() => plan::plan;
    /// What a command of databuild prints that only reads, as text.
    post "/api/reports" report() => reports::report;
    /// The partitions, in the order in which they were first wanted.
    get "/api/partitions" partitions(404) => partitions;
    /// A partition, with what it is made from.
    get "/api/partitions/{*ref}" onePartition() => one_partition;
    /// The runs, the newest first.
    get "/api/runs" runs(404) => runs;
    /// A run, with its times.
    get "/api/runs/{id}" oneRun() => one_run;
    /// What a run wrote to stdout or stderr, without secrets. Ask again with `from` to follow it.
    get "/api/runs/{id}/logs" logs() => logs::logs;
    /// What a partition is made from, and what is made from it.
    get "/api/lineage/{*ref}" lineage() => reads::lineage;
    /// Why a partition is in its state.
    get "/api/why/{*ref}" why() => reads::why;
    /// The steps that changed the state of an instance of a partition, the latest first.
    get "/api/history/{*ref}" history() => story::of_partition;
    /// Partitions by name and time: a column is a time in a name, or the value of a field.
    get "/api/grid" grid(404) => reads::grid;
    /// The first and the last step of the log, and some between them.
    get "/api/time" time() => reads::time;
    /// What has changed between two steps or times.
    get "/api/diff" diff(404) => reads::diff;
    /// The transactions as server-sent events, as they become durable. The id of an event is the position of its transaction.
    get "/api/events" events(404 409) => events;
}

/// The description of the API, as an answer.
struct Description;

async fn openapi(_: Asked<Nothing>) -> Description {
    Description
}

impl IntoResponse for Description {
    fn into_response(self) -> Response {
        ([(CONTENT_TYPE, "application/json")], OPENAPI.as_str()).into_response()
    }
}

impl Output for Description {
    fn describe(operation: &mut Operation<'_>) {
        operation.answer(
            StatusCode::OK,
            "application/json",
            &json!({ "type": "object" }),
        );
    }
}

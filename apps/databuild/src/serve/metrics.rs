//! Metrics in the text format of Prometheus.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::UNIX_EPOCH;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::rules::open_wants;
use crate::serve::answers::Counts;
use crate::serve::api::Api;
use crate::serve::failure::{Asked, Nothing};
use crate::serve::openapi::{Operation, Output};

/// The numbers that are not in the store. They begin at 0 with the daemon.
#[derive(Default)]
pub struct Metrics {
    /// Answers, by the first digit of their status.
    answers: [AtomicU64; 6],
    /// The streams of events that are open.
    pub streams: AtomicU64,
}

impl Metrics {
    /// Counts an answer.
    pub fn answered(&self, status: StatusCode) {
        if let Some(count) = self.answers.get(usize::from(status.as_u16() / 100)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Metrics as text.
pub struct Text(String);

impl IntoResponse for Text {
    fn into_response(self) -> Response {
        let kind = "text/plain; version=0.0.4; charset=utf-8";
        ([(CONTENT_TYPE, kind)], self.0).into_response()
    }
}

impl Output for Text {
    fn describe(operation: &mut Operation<'_>) {
        operation.answer(StatusCode::OK, "text/plain", &json!({ "type": "string" }));
    }
}

/// `GET /metrics`.
pub async fn metrics(State(api): State<Api>, _: Asked<Nothing>) -> Text {
    let db = api.reader.snapshot();
    let mut out = String::new();
    for (metric, entity, help) in [
        (
            "databuild_partitions",
            "Partition",
            "Instances of partitions by state.",
        ),
        ("databuild_runs", "JobRun", "Runs of jobs by state."),
        ("databuild_wants", "Want", "Wants by state."),
    ] {
        head(&mut out, metric, "gauge", help);
        for (state, count) in Counts::of(&db, entity).0 {
            line(&mut out, metric, &format!("{{state=\"{state}\"}}"), count);
        }
    }
    let of = &api.metrics;
    let answered = "databuild_http_responses_total";
    head(
        &mut out,
        answered,
        "counter",
        "Answers by the class of their status.",
    );
    for (class, count) in of.answers.iter().enumerate().skip(2) {
        let label = format!("{{class=\"{class}xx\"}}");
        line(&mut out, answered, &label, count.load(Ordering::Relaxed));
    }
    api.observed.write_metrics(&mut out);
    let since = api.began.duration_since(UNIX_EPOCH).unwrap_or_default();
    let steps = api.reader.seq().map_or(0, |seq| seq.get() + 1);
    let open = open_wants(&db).into_iter();
    let late = open.filter(|want| want.late(&db)).count();
    let rows = [
        (
            "databuild_steps_total",
            "counter",
            "Durable transactions in the log.",
            steps.to_string(),
        ),
        (
            "databuild_wants_late",
            "gauge",
            "Open wants that have not ended at their promised time.",
            late.to_string(),
        ),
        (
            "databuild_event_streams",
            "gauge",
            "Open streams of server-sent events.",
            of.streams.load(Ordering::Relaxed).to_string(),
        ),
        (
            "databuild_runs_max",
            "gauge",
            "How many jobs run at a time at most.",
            api.jobs_max.to_string(),
        ),
        (
            "databuild_ending",
            "gauge",
            "1 after a signal to end.",
            u8::from(api.mailbox.is_ending()).to_string(),
        ),
        (
            "process_start_time_seconds",
            "gauge",
            "When the daemon began, in seconds since 1970.",
            format!("{:.3}", since.as_secs_f64()),
        ),
    ];
    for (metric, kind, help, value) in rows {
        head(&mut out, metric, kind, help);
        line(&mut out, metric, "", value);
    }
    Text(out)
}

// Writing to a String cannot fail.

pub(super) fn head(out: &mut String, metric: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP {metric} {help}\n# TYPE {metric} {kind}");
}

pub(super) fn line(out: &mut String, metric: &str, labels: &str, value: impl std::fmt::Display) {
    let _ = writeln!(out, "{metric}{labels} {value}");
}

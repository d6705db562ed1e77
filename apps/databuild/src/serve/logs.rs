//! `GET /api/runs/ID/logs`: what a run wrote to stdout or stderr, in parts, also while it runs.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::keep::why_removed;
use crate::model::build::JobRun;
use crate::model::build::state::{Queued, Running};
use crate::serve::api::{Answer, Api, entity};
use crate::serve::failure::{Asked, Failure, Named};

/// The number of bytes of what a run wrote in an answer.
const LOG_BYTES_MAX: u64 = 64 * 1024;

/// Which part of what a run wrote is asked for.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Written {
    /// Which of its outputs.
    #[schemars(extend("default" = "stderr"))]
    stream: Option<Stream>,
    /// The byte at which the text begins. Without it, the end is answered.
    from: Option<u64>,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum Stream {
    Stdout,
    Stderr,
}

/// A part of what a run wrote.
#[derive(Serialize, JsonSchema)]
pub struct Logs {
    /// What was read.
    #[serde(flatten)]
    part: Part,
    /// Whether the run has ended.
    ended: bool,
    /// Why there is no text, if it is not shown.
    withheld: Option<String>,
}

/// `GET /api/runs/ID/logs`: what a run wrote, from a byte on; without one, the end of it.
pub async fn logs(
    State(api): State<Api>,
    Named(id): Named,
    Asked(Written { stream, from }): Asked<Written>,
) -> Answer<Logs> {
    let answer = move |api: &Api| {
        let db = api.reader.snapshot();
        let run: JobRun = entity(&id, "JobRun", &db)?;
        let ended = !run.is::<Queued>(&db) && !run.is::<Running>(&db);
        let stream = stream.unwrap_or(Stream::Stderr);
        let path = match stream {
            Stream::Stdout => api.dirs.stdout(&id),
            Stream::Stderr => api.dirs.stderr(&id),
        };
        let part = part(&path, from).map_err(|e| {
            let why = format!("cannot read what the run wrote: {e}");
            Failure::new(StatusCode::INTERNAL_SERVER_ERROR, why)
        })?;
        let withheld = match path.exists() {
            true => None,
            false => why_removed(&api.dirs, &id),
        };
        Ok(Logs {
            part,
            ended,
            withheld,
        })
    };
    api.blocking(answer).await
}

/// A part of a file.
#[derive(Default, Serialize, JsonSchema)]
struct Part {
    /// At most 64 KiB.
    text: String,
    /// The byte at which the text begins.
    from: u64,
    /// The `from` of the next part. There is none if the run has ended and this is `size`.
    next: u64,
    /// The number of bytes so far.
    size: u64,
}

/// Reads a part of a file that may grow, or be removed: whole characters, and at most [`LOG_BYTES_MAX`].
fn part(path: &Path, from: Option<u64>) -> std::io::Result<Part> {
    let mut file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Part::default()),
        Err(e) => return Err(e),
    };
    let size = file.metadata()?.len();
    let from = from.unwrap_or(size.saturating_sub(LOG_BYTES_MAX)).min(size);
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(LOG_BYTES_MAX).read_to_end(&mut bytes)?;
    // A character whose end is not there yet is left for the next part.
    let whole = match std::str::from_utf8(&bytes) {
        Err(e) if e.error_len().is_none() && e.valid_up_to() > 0 => e.valid_up_to(),
        _ => bytes.len(),
    };
    Ok(Part {
        text: String::from_utf8_lossy(&bytes[..whole]).into_owned(),
        from,
        next: from + whole as u64,
        size: size.max(from + bytes.len() as u64),
    })
}

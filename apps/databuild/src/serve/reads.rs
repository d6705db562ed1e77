//! The routes that answer questions about the past and about one partition: times, differences, lineage, why, history, the grid, and
//! what runs wrote.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use axum::extract::State;
use ironweave::Seq;
use ironweave::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::answers::reasons;
use crate::diff::{Changes, Diff, Group};
use crate::grid::{Grid, Selection};
use crate::lineage::{Direction, Graph};
use crate::model::build::state::{Queued, Running};
use crate::model::build::{JobRun, Partition};
use crate::past;
use crate::pattern::Pattern;
use crate::serve::answers::list;
use crate::serve::api::{Answer, Api, entity, reference};
use crate::serve::failure::{Asked, Failure, Named};
use crate::serve::world::{At, World};
use crate::status::{chain, state_of};

/// The number of points of the log at most, and without a number.
const POINTS_MAX: u64 = 1000;
const POINTS: u64 = 200;
/// The number of nodes of a lineage at most, and without a number, and of arrows for each node.
const NODES_MAX: usize = 2000;
const NODES: usize = 200;
const EDGES_EACH: usize = 10;
/// The number of columns of a grid at most, and without a number.
const COLUMNS_MAX: usize = 400;
const COLUMNS: usize = 60;
/// The number of bytes of a pattern at most: each known name is compared with it.
const PATTERN_BYTES_MAX: usize = 200;
/// The number of bytes of what a run wrote in an answer.
const LOG_BYTES_MAX: u64 = 64 * 1024;

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

/// How many points of the log are asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Points {
    points: Option<u64>,
}

/// `GET /api/time`: the first and the last step, and some between them with their times.
pub async fn time(State(api): State<Api>, Asked(Points { points }): Asked<Points>) -> Answer {
    let most = number("points", points, POINTS, POINTS_MAX)?;
    let answer = move |api: &Api| {
        let range = past::range(&api.reader).map_err(Failure::unreadable)?;
        let Some((first, last)) = range else {
            return Ok(json!({ "first": null, "last": null, "points": [] }));
        };
        let mut points = vec![first.clone()];
        // The same steps are read again as the log grows, so that a page can keep what it has.
        let span = (last.seq - first.seq).div_ceil(most).next_power_of_two();
        let mut seq = (first.seq / span + 1) * span;
        while seq < last.seq {
            let moment = past::moment(&api.reader, Seq::new(seq));
            points.extend(moment.map_err(Failure::unreadable)?);
            seq += span;
        }
        if last != first {
            points.push(last.clone());
        }
        Ok(json!({ "first": first, "last": last, "points": points }))
    };
    api.blocking(answer).await
}

/// Two points in the past.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Between {
    from: String,
    to: Option<String>,
}

/// `GET /api/diff`: what has changed between two points.
pub async fn diff(State(api): State<Api>, Asked(Between { from, to }): Asked<Between>) -> Answer {
    let answer = move |api: &Api| {
        let (from, to) = (api.world(Some(&from))?, api.world(to.as_deref())?);
        let diff = Diff::between(&from.db, &to.db);
        let group = |Group {
                         from,
                         to,
                         again,
                         names,
                     }: Group| {
            json!({ "from": from, "to": to, "again": again, "names": list(names.into_iter()) })
        };
        let changes = |changes: Changes| {
            let groups: Vec<Value> = changes.groups.into_iter().map(group).collect();
            json!({ "count": changes.count, "groups": groups })
        };
        Ok(json!({
            "from": diff.from,
            "to": diff.to,
            "partitions": changes(diff.partitions),
            "runs": changes(diff.runs),
            "wants": changes(diff.wants),
        }))
    };
    api.blocking(answer).await
}

/// The current instance of a reference.
fn current(name: &str, db: &impl Db) -> Result<Partition, Failure> {
    let current = reference(name, db)?.current(db);
    current.ok_or_else(|| Failure::not_found(format!("the partition `{name}` has no instance yet")))
}

/// Which part of a lineage is asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lineage {
    direction: Option<Which>,
    limit: Option<usize>,
    at: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Which {
    Up,
    Down,
    Both,
}

/// `GET /api/lineage/REF`: what a partition is made from, and what is made from it.
pub async fn lineage(
    State(api): State<Api>,
    Named(name): Named,
    Asked(asked): Asked<Lineage>,
) -> Answer {
    let most = number("limit", asked.limit, NODES, NODES_MAX)?;
    let directions = match asked.direction {
        Some(Which::Up) => &[Direction::Up][..],
        Some(Which::Down) => &[Direction::Down],
        Some(Which::Both) | None => &[Direction::Up, Direction::Down],
    };
    let answer = move |_: &Api, World { db, .. }: &World| {
        let partition = current(&name, db)?;
        let graph = Graph::of(partition, directions, (most, most * EDGES_EACH), db);
        let mut answer = json!(graph);
        answer["name"] = json!(name);
        Ok(answer)
    };
    api.read(asked.at, answer).await
}

/// `GET /api/why/REF`: why a partition is in its state.
pub async fn why(
    State(api): State<Api>,
    Named(name): Named,
    Asked(At { at }): Asked<At>,
) -> Answer {
    let answer = move |_: &Api, World { db, .. }: &World| {
        let partition = current(&name, db)?;
        Ok(json!({
            "name": name,
            "state": state_of(partition, db),
            "lines": reasons(partition, db),
            "chain": chain(partition, db),
        }))
    };
    api.read(at, answer).await
}

/// Which partitions a grid has.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cells {
    pattern: Option<String>,
    column: Option<String>,
    until: Option<String>,
    columns: Option<usize>,
    at: Option<String>,
}

/// `GET /api/grid`: partitions by name and time.
pub async fn grid(State(api): State<Api>, Asked(asked): Asked<Cells>) -> Answer {
    let columns_max = number("columns", asked.columns, COLUMNS, COLUMNS_MAX)?;
    let pattern = asked.pattern.filter(|pattern| !pattern.is_empty());
    if let Some(pattern) = pattern.as_ref().filter(|p| p.len() > PATTERN_BYTES_MAX) {
        let why = format!(
            "`pattern` has {} bytes: write at most {PATTERN_BYTES_MAX}",
            pattern.len()
        );
        return Err(Failure::invalid(why));
    }
    let pattern = pattern.as_deref().map(Pattern::parse).transpose();
    let pattern = pattern.map_err(Failure::invalid)?;
    let fields = || pattern.iter().flat_map(Pattern::fields);
    if let Some(column) = asked
        .column
        .as_ref()
        .filter(|c| !fields().any(|field| field == *c))
    {
        let column = crate::text::shown(column);
        let why = format!(
            "`column` is `{column}`: name a field of `pattern`, as in daily/{{colour}}/{{day}}"
        );
        return Err(Failure::invalid(why));
    }
    let selection = Selection {
        pattern,
        column: asked.column,
        until: asked.until,
        columns_max,
    };
    let answer = move |_: &Api, World { db, .. }: &World| Ok(json!(Grid::of(&selection, db)));
    api.read(asked.at, answer).await
}

/// Which part of what a run wrote is asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Written {
    stream: Option<Stream>,
    from: Option<u64>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Stream {
    Stdout,
    Stderr,
}

/// `GET /api/runs/ID/logs`: what a run wrote, from a byte on; without one, the end of it.
pub async fn logs(
    State(api): State<Api>,
    Named(id): Named,
    Asked(Written { stream, from }): Asked<Written>,
) -> Answer {
    let answer = move |api: &Api| {
        let db = api.reader.snapshot();
        let run: JobRun = entity(&id, "JobRun", &db)?;
        let ended = !run.is::<Queued>(&db) && !run.is::<Running>(&db);
        let stream = stream.unwrap_or(Stream::Stderr);
        let path = match stream {
            Stream::Stdout => api.dirs.stdout(&id),
            Stream::Stderr => api.dirs.stderr(&id),
        };
        // Secrets are removed from stderr when the run has ended.
        if matches!(stream, Stream::Stderr) && !ended && api.has_secrets(run.label(&db)) {
            return Ok(json!({
                "text": "", "from": 0, "next": 0, "size": 0, "ended": false,
                "withheld": "the job has secrets: what it writes to stderr is shown without them when the run has ended",
            }));
        }
        let part = part(&path, from).map_err(|e| {
            Failure::new(
                axum::http::StatusCode::INTERNAL_SERVER_ERROR,
                format!("cannot read what the run wrote: {e}"),
            )
        })?;
        Ok(json!({
            "text": part.text, "from": part.from, "next": part.next, "size": part.size,
            "ended": ended, "withheld": null,
        }))
    };
    api.blocking(answer).await
}

/// A part of a file.
struct Part {
    text: String,
    from: u64,
    next: u64,
    size: u64,
}

/// Reads a part of a file that may grow, or be replaced or removed: whole characters, and at most [`LOG_BYTES_MAX`].
fn part(path: &Path, from: Option<u64>) -> std::io::Result<Part> {
    let mut file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            let text = String::new();
            return Ok(Part {
                text,
                from: 0,
                next: 0,
                size: 0,
            });
        }
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

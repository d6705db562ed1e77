//! The routes that answer questions about the past and about one partition: times, differences, lineage, why, and the grid.

use axum::extract::State;
use ironweave::Seq;
use ironweave::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::answers::reasons;
use crate::diff;
use crate::grid::{Grid, Selection};
use crate::lineage::{Direction, Graph};
use crate::model::build::Partition;
use crate::past::{self, Moment};
use crate::pattern::{self, Pattern};
use crate::serve::answers::Names;
use crate::serve::api::{Answer, Api, Read, reference};
use crate::serve::failure::{Asked, Failure, Named};
use crate::serve::lists::number;
use crate::serve::world::{At, World};
use crate::status::{Link, chain, state_of};

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

/// How many points of the log are asked for.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Points {
    /// The number of steps at most, about.
    #[schemars(range(min = 1, max = POINTS_MAX), extend("default" = POINTS))]
    points: Option<u64>,
}

/// The first and the last step of the log, and some between them.
#[derive(Default, Serialize, JsonSchema)]
pub struct Times {
    /// The first step of the log; null if it has none.
    first: Option<Moment>,
    /// The last step.
    last: Option<Moment>,
    /// Some steps, with the first and the last one, rising.
    points: Vec<Moment>,
}

/// `GET /api/time`: the first and the last step, and some between them with their times.
pub async fn time(
    State(api): State<Api>,
    Asked(Points { points }): Asked<Points>,
) -> Answer<Times> {
    let most = number("points", points, POINTS, POINTS_MAX)?;
    let answer = move |api: &Api| {
        let range = past::range(&api.reader).map_err(Failure::unreadable)?;
        let Some((first, last)) = range else {
            return Ok(Times::default());
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
        let (first, last) = (Some(first), Some(last));
        Ok(Times {
            first,
            last,
            points,
        })
    };
    api.blocking(answer).await
}

/// Two points in the past.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Between {
    /// The number of a step, or a time.
    from: String,
    /// The same; now without it.
    to: Option<String>,
}

/// What has changed between two steps.
#[derive(Serialize, JsonSchema)]
pub struct Diff {
    /// The first step; null of an empty store.
    from: Option<Moment>,
    /// The second step.
    to: Option<Moment>,
    /// Partitions, by the states of their current instances.
    partitions: Changed,
    /// Runs, each named by its id and its label.
    runs: Changed,
    /// Wants, each named by its id and by what is wanted.
    wants: Changed,
}

/// What has changed of one kind.
#[derive(Serialize, JsonSchema)]
pub struct Changed {
    /// How many have changed.
    count: usize,
    /// By their states.
    groups: Vec<ChangedGroup>,
}

/// Those that were in one state, and are in another one.
#[derive(Serialize, JsonSchema)]
pub struct ChangedGroup {
    /// The state before; null if they were not there.
    from: Option<String>,
    /// The state after; null if they are not there.
    to: Option<String>,
    /// Whether another instance is the current one, in a state that the former one was in.
    again: bool,
    /// The names, sorted.
    names: Names,
}

impl From<diff::Changes> for Changed {
    fn from(changes: diff::Changes) -> Self {
        let groups = changes.groups.into_iter().map(|group| ChangedGroup {
            from: group.from,
            to: group.to,
            again: group.again,
            names: Names::of(group.names.into_iter()),
        });
        Self {
            count: changes.count,
            groups: groups.collect(),
        }
    }
}

/// `GET /api/diff`: what has changed between two points.
pub async fn diff(
    State(api): State<Api>,
    Asked(Between { from, to }): Asked<Between>,
) -> Answer<Diff> {
    let answer = move |api: &Api| {
        let (from, to) = (api.world(Some(&from))?, api.world(to.as_deref())?);
        let diff = diff::Diff::between(&from.db, &to.db);
        Ok(Diff {
            from: diff.from,
            to: diff.to,
            partitions: diff.partitions.into(),
            runs: diff.runs.into(),
            wants: diff.wants.into(),
        })
    };
    api.blocking(answer).await
}

/// The current instance of a reference.
fn current(name: &str, db: &impl Db) -> Result<Partition, Failure> {
    let current = reference(name, db)?.current(db);
    current.ok_or_else(|| Failure::not_found(format!("the partition `{name}` has no instance yet")))
}

/// Which part of a lineage is asked for.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AskedLineage {
    /// `up` is what it is made from.
    #[schemars(extend("default" = "both"))]
    direction: Option<Which>,
    /// The number of nodes at most.
    #[schemars(range(min = 1, max = NODES_MAX), extend("default" = NODES))]
    limit: Option<usize>,
    /// The number of a step, or a time such as `2026-02-28T12:30:00Z`: the answer is as of then. 404 if the log does not have it.
    at: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum Which {
    Up,
    Down,
    Both,
}

/// What a partition is made from, and what is made from it.
#[derive(Serialize, JsonSchema)]
pub struct Lineage {
    /// The name of the partition.
    name: String,
    /// The graph.
    #[serde(flatten)]
    graph: Graph,
}

/// `GET /api/lineage/REF`: what a partition is made from, and what is made from it.
pub async fn lineage(
    State(api): State<Api>,
    Named(name): Named,
    Asked(asked): Asked<AskedLineage>,
) -> Read<Lineage> {
    let most = number("limit", asked.limit, NODES, NODES_MAX)?;
    let directions = match asked.direction {
        Some(Which::Up) => &[Direction::Up][..],
        Some(Which::Down) => &[Direction::Down],
        Some(Which::Both) | None => &[Direction::Up, Direction::Down],
    };
    let answer = move |_: &Api, World { db, .. }: &World| {
        let partition = current(&name, db)?;
        let graph = Graph::of(partition, directions, (most, most * EDGES_EACH), db);
        Ok(Lineage { name, graph })
    };
    api.read(asked.at, answer).await
}

/// Why a partition is in its state.
#[derive(Serialize, JsonSchema)]
pub struct Why {
    /// The name of the partition.
    name: String,
    /// Its state.
    state: String,
    /// Why it is in its state, for people.
    lines: Vec<String>,
    /// From the partition to what is in its way.
    chain: Vec<Link>,
}

/// `GET /api/why/REF`: why a partition is in its state.
pub async fn why(
    State(api): State<Api>,
    Named(name): Named,
    Asked(At { at }): Asked<At>,
) -> Read<Why> {
    let answer = move |_: &Api, World { db, .. }: &World| {
        let partition = current(&name, db)?;
        Ok(Why {
            name,
            state: state_of(partition, db),
            lines: reasons(partition, db),
            chain: chain(partition, db),
        })
    };
    api.read(at, answer).await
}

/// Which partitions a grid has.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cells {
    /// Only names that match, such as `daily/**` or `daily/{colour}/{day}`.
    #[schemars(length(max = pattern::BYTES_MAX))]
    pattern: Option<String>,
    /// The field of the pattern that is the column; the last one without it.
    column: Option<String>,
    /// The last column that is shown.
    until: Option<String>,
    /// The number of columns of a section at most.
    #[schemars(range(min = 1, max = COLUMNS_MAX), extend("default" = COLUMNS))]
    columns: Option<usize>,
    /// The number of a step, or a time such as `2026-02-28T12:30:00Z`: the answer is as of then. 404 if the log does not have it.
    at: Option<String>,
}

/// `GET /api/grid`: partitions by name and time.
pub async fn grid(State(api): State<Api>, Asked(asked): Asked<Cells>) -> Read<Grid> {
    let columns_max = number("columns", asked.columns, COLUMNS, COLUMNS_MAX)?;
    let pattern = asked.pattern.filter(|pattern| !pattern.is_empty());
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
    let answer = move |_: &Api, World { db, .. }: &World| Ok(Grid::of(&selection, db));
    api.read(asked.at, answer).await
}

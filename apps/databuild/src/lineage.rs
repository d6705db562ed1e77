//! What a partition is made from and what is made from it: `databuild lineage`, as a tree, and the graph for pages.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use anyhow::Result;
use ironweave::prelude::*;
use schemars::JsonSchema;
use serde::Serialize;

use crate::dirs::Dirs;
use crate::model::build::Partition;
use crate::reports::{LINES_MAX, Origin, known};
use crate::rules::name;
use crate::status::state_of;

/// Which way a lineage is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To what it is made from.
    Up,
    /// To what is made from it.
    Down,
}

/// What a partition is made from or what is made from it, as a tree. What was there before is not followed again.
pub fn lineage(
    from: &impl Origin,
    dirs: &Dirs,
    of: &str,
    direction: Direction,
    full: bool,
) -> Result<String> {
    let db = from.graph();
    let partition = known(of, db, dirs)?;
    let (mut lines, mut more) = (Vec::new(), 0);
    let mut seen = BTreeSet::new();
    let mut todo = vec![(0, partition)];
    while let Some((depth, partition)) = todo.pop() {
        let is_new = seen.insert(partition);
        if full || lines.len() < LINES_MAX {
            let again = if is_new { "" } else { " (see above)" };
            let indent = "  ".repeat(depth);
            let (name, state) = (name(partition, db), state_of(partition, db));
            lines.push(format!("{indent}{name} {state}{again}\n"));
        } else {
            more += 1;
        }
        if is_new {
            let mut next = beside(partition, direction, db);
            next.reverse();
            todo.extend(next.into_iter().map(|p| (depth + 1, p)));
        }
    }
    if more > 0 {
        lines.push(format!("and {more} more (shown by --full)\n"));
    }
    Ok(lines.concat())
}

/// The current instances that a partition is made from or waits for, or that are made from it or wait for it, by their names.
fn beside(partition: Partition, direction: Direction, db: &impl Db) -> Vec<Partition> {
    let all: Vec<Partition> = match direction {
        Direction::Up => partition
            .inputs(db)
            .chain(partition.upstreams(db))
            .collect(),
        Direction::Down => {
            let instances = partition.of(db).instances(db);
            let outputs = instances.flat_map(|p| p.outputs(db).chain(p.downstreams(db)));
            outputs.filter(|p| p.current_of(db).is_some()).collect()
        }
    };
    let current: BTreeSet<Partition> = all
        .into_iter()
        .filter_map(|p| p.of(db).current(db))
        .collect();
    let mut current: Vec<Partition> = current.into_iter().collect();
    current.sort_by_key(|p| name(*p, db));
    current
}

/// A partition of a lineage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// The state of its current instance.
    pub state: String,
    /// The number of arrows between it and the partition whose lineage it is: negative if that is made from it.
    pub depth: i64,
}

/// The lineage of a partition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Graph {
    /// The partition itself, then the nearest ones.
    pub nodes: Vec<Node>,
    /// Arrows from a node to one that is made from it or waits for it, by their indexes.
    #[schemars(with = "Vec<[usize; 2]>")]
    pub edges: Vec<(usize, usize)>,
    /// The number of nodes without a limit.
    pub count: usize,
    /// The number of arrows between all of these.
    pub edges_count: usize,
}

impl Graph {
    /// Follows a partition in some directions. The nearest `nodes_max` nodes are kept, and of the arrows between them `edges_max`. O(the
    /// whole lineage), because what is left out is counted.
    pub fn of(
        partition: Partition,
        directions: &[Direction],
        (nodes_max, edges_max): (usize, usize),
        db: &impl Db,
    ) -> Self {
        let mut found = BTreeMap::from([(partition, (0, 0))]);
        let mut edges = BTreeSet::new();
        for direction in directions {
            let mut todo = VecDeque::from([(partition, 0)]);
            let mut seen = BTreeSet::from([partition]);
            while let Some((partition, depth)) = todo.pop_front() {
                for next in beside(partition, *direction, db) {
                    let (depth, edge) = match direction {
                        Direction::Up => (depth - 1, (next, partition)),
                        Direction::Down => (depth + 1, (partition, next)),
                    };
                    edges.insert(edge);
                    let index = found.len();
                    found.entry(next).or_insert((index, depth));
                    if seen.insert(next) {
                        todo.push_back((next, depth));
                    }
                }
            }
        }
        let mut nodes: Vec<(Partition, i64, usize)> = (found.iter())
            .map(|(partition, (index, depth))| (*partition, *depth, *index))
            .collect();
        // The nearest ones of both directions are kept.
        nodes.sort_by_key(|(_, depth, index)| (depth.unsigned_abs(), *index));
        let kept = nodes.iter().take(nodes_max);
        let indexes: BTreeMap<Partition, usize> =
            kept.zip(0..).map(|(node, index)| (node.0, index)).collect();
        let between = edges
            .iter()
            .filter_map(|(from, to)| Some((*indexes.get(from)?, *indexes.get(to)?)));
        Self {
            edges: between.take(edges_max).collect(),
            count: nodes.len(),
            edges_count: edges.len(),
            nodes: (nodes.into_iter().take(nodes_max))
                .map(|(partition, depth, _)| Node {
                    name: name(partition, db).to_owned(),
                    state: state_of(partition, db),
                    depth,
                })
                .collect(),
        }
    }
}

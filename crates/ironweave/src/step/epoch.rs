//! The epochs of a log: a graph that replays a log with its own schemas enters an epoch when it reads the next schema.

use std::fmt;
use std::sync::Arc;

use crate::base::error::NotCarried;
use crate::graph::Graph;
use crate::graph::carry::{CarryMap, have_same_tables};
use crate::graph::column::ColumnTypes;
use crate::graph::storage::Storage;
use crate::step::plan::Plan;

/// Why a graph cannot enter an epoch.
#[derive(Debug)]
pub(crate) enum NotEntered {
    /// A value cannot be carried over.
    Value(Box<NotCarried>),
    /// The graph has another fingerprint than the log says.
    Fingerprint(String),
}

impl fmt::Display for NotEntered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(e) => fmt::Display::fmt(e, f),
            Self::Fingerprint(e) => f.write_str(e),
        }
    }
}

/// Makes a graph, on which no transaction is open, one of the schema of a plan: what it has in common with the schema by name
/// is carried over. It must have this fingerprint then, if one is given. On an error the graph is unchanged.
pub(crate) fn enter<S: Storage>(
    graph: &mut Graph<S>,
    plan: &Plan,
    fingerprint: Option<u128>,
) -> Result<(), NotEntered> {
    let (was, now) = (&graph.layout.schema, &plan.layout.schema);
    let are_untyped = graph.layout.is_untyped && plan.layout.is_untyped;
    if are_untyped && have_same_tables(was, now) {
        must_be(graph.fingerprint, fingerprint)?;
        graph.layout = Arc::clone(&plan.layout);
        return Ok(());
    }
    *graph = carried(graph, plan, fingerprint)?;
    Ok(())
}

/// Returns the graph of the schema of a plan with what another graph, on which no transaction is open, has in common with it by
/// name. It must have this fingerprint, if one is given.
pub(crate) fn carried<S: Storage>(
    graph: &Graph<S>,
    plan: &Plan,
    fingerprint: Option<u128>,
) -> Result<Graph<S>, NotEntered> {
    let (was, now) = (&graph.layout.schema, &plan.layout.schema);
    let map = CarryMap::by_name(&was.with_names_of(now), now);
    let ColumnTypes { columns, data } = &plan.columns;
    let carried = graph
        .carried_over(&plan.layout, (columns, data), &map)
        .map_err(NotEntered::Value)?;
    must_be(carried.fingerprint, fingerprint)?;
    Ok(carried)
}

/// Returns an error if a graph has another fingerprint than the log says.
fn must_be(found: u128, logged: Option<u128>) -> Result<(), NotEntered> {
    let Some(logged) = logged.filter(|logged| *logged != found) else {
        return Ok(());
    };
    Err(NotEntered::Fingerprint(format!(
        "with its schema, the graph has the fingerprint {found:032x}, and the log says {logged:032x}"
    )))
}

//! Functions of the step for the storage of a store, so that they are compiled here once. A store is generic over its
//! model: called from there, the generic functions would be compiled again in each crate that uses a store.

use std::sync::Arc;

use crate::base::error::{Inconsistency, StepError};
use crate::graph::Graph;
use crate::graph::column::ColumnTypes;
use crate::graph::fact::Facts;
use crate::graph::paged::Paged;
use crate::graph::storage::Flat;
use crate::step::Core;
use crate::step::plan::Plan;

/// A core with an empty graph, or with a copy of one.
pub(crate) fn core(plan: &Plan, base: Option<&Graph<Paged>>) -> Core {
    let ColumnTypes { columns, data } = &plan.columns;
    let mut core = Core::<Flat>::new(match base {
        Some(base) => {
            let mut graph = base.copy(columns, data);
            graph.sort_acyclic_edges();
            graph
        }
        None => Graph::new(Arc::clone(&plan.layout), columns, data),
    });
    core.quiet_events = plan.quiet_events();
    core.infallible_events = plan.infallible_events();
    core
}

/// See [`Core::close`].
#[inline(never)]
pub(crate) fn close(core: &mut Core) {
    core.close();
}

/// A copy of the graph.
pub(crate) fn copy(core: &Core, plan: &Plan) -> Graph<Flat> {
    core.graph.copy(&plan.columns.columns, &plan.columns.data)
}

/// A copy of the graph in shared pages, with a fingerprint and without the changes of a leaked transaction.
pub(crate) fn paged(core: &Core, plan: &Plan) -> Graph<Paged> {
    let mut graph = core.graph.copy(&plan.columns.columns, &plan.columns.data);
    if core.open.is_open() {
        graph.without_open(&core.graph, &mut core.open.journal.clone());
    }
    graph.keep_fingerprint();
    graph
}

/// An empty graph in shared pages.
pub(crate) fn empty(plan: &Plan) -> Graph<Paged> {
    let ColumnTypes { columns, data } = &plan.columns;
    Graph::new(Arc::clone(&plan.layout), columns, data)
}

/// See [`Core::check_invariants`]. A model without invariants makes no call.
#[inline]
pub(crate) fn check_invariants(core: &Core, plan: &Plan) -> Result<(), StepError> {
    if plan.checks.is_empty() {
        return Ok(());
    }
    check_touched(core, plan)
}

fn check_touched(core: &Core, plan: &Plan) -> Result<(), StepError> {
    core.check_all_touched(plan)
}

/// See [`Core::differences`].
pub(crate) fn differences(core: &Core, plan: &Plan) -> Vec<Inconsistency> {
    core.differences(plan)
}

/// See [`Core::replay_part`].
pub(crate) fn replay_part(
    core: &mut Core,
    facts: &Facts,
    fingerprint: Option<u128>,
) -> Result<(), String> {
    core.replay_part(facts, fingerprint)
}

/// See [`Core::replay`].
pub(crate) fn replay(core: &mut Core, facts: &Facts, fingerprint: u128) -> Result<(), String> {
    core.replay(facts, fingerprint)
}

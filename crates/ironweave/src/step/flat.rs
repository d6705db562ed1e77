//! The step of a store, instantiated here. Called from code that is generic over the model, as a store is, the
//! generic functions would be compiled again in each crate that uses one.

use std::sync::Arc;

use crate::error::StepError;
use crate::fact::Facts;
use crate::graph::Graph;
use crate::graph::column::ColumnType;
use crate::graph::paged::Paged;
use crate::graph::storage::Flat;
use crate::step::event::DynEvent;
use crate::step::plan::Plan;
use crate::step::{Core, CoreMark};

/// The types of the columns, and of the data of edges.
type Types<'b> = (&'b [ColumnType], &'b [Option<ColumnType>]);

/// An empty graph, or a copy of one.
pub(crate) fn core(plan: &Plan, (columns, data): Types<'_>, base: Option<&Graph<Paged>>) -> Core {
    Core::<Flat>::new(match base {
        Some(base) => base.copy(columns, data),
        None => Graph::new(Arc::clone(&plan.layout), columns, data),
    })
}

/// A copy of the graph in shared pages, which keeps a fingerprint.
pub(crate) fn paged(core: &Core, (columns, data): Types<'_>) -> Graph<Paged> {
    let mut graph = core.graph.copy(columns, data);
    graph.keep_fingerprint();
    graph
}

/// An empty graph in shared pages.
pub(crate) fn empty(plan: &Plan, (columns, data): Types<'_>) -> Graph<Paged> {
    Graph::new(Arc::clone(&plan.layout), columns, data)
}

/// See [`Core::attempt`].
#[inline(always)]
pub(crate) fn attempt<E: DynEvent + ?Sized>(
    core: &mut Core,
    plan: &Plan,
    event: &E,
) -> Result<(), StepError> {
    core.attempt(plan, event)
}

/// See [`Core::rollback`].
pub(crate) fn rollback(core: &mut Core, mark: CoreMark) {
    core.rollback(mark);
}

/// See [`Core::rollback_all`].
pub(crate) fn rollback_all(core: &mut Core) {
    core.rollback_all();
}

/// See [`Core::settle`].
#[inline]
pub(crate) fn settle(core: &mut Core) {
    core.settle();
}

/// See [`Core::check_invariants`].
pub(crate) fn check_invariants(core: &Core, plan: &Plan) -> Result<(), StepError> {
    core.check_invariants(plan)
}

/// See [`Core::differences`].
pub(crate) fn differences(core: &Core, plan: &Plan) -> Vec<String> {
    core.differences(plan)
}

/// See [`Core::replay`].
pub(crate) fn replay(core: &mut Core, facts: &Facts) -> Result<(), String> {
    core.replay(facts)
}

//! The graph and the frames with which an epoch begins.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::base::error::{OpenError, RefusedDifference};
use crate::base::storage_error::{StorageError, StorageFailure};
use crate::graph::Graph;
use crate::graph::carry::CarryMap;
use crate::graph::column::ColumnTypes;
use crate::graph::fact::Fact;
use crate::graph::storage::Flat;
use crate::schema::{
    Check, ColumnIx, Difference, EdgeIx, Encoding, EntityIx, Hop, Refused, Schema, Usage, Verdict,
};
use crate::step::plan::Plan;
use crate::step::{Core, epoch};
use crate::store::epoch::judge::Judge;
use crate::store::epoch::write::{frames, schema_frame};
use crate::store::epoch::{Ending, Migrate, MigrationContext, Prepared, is_of_another_model};
use crate::store::epochs::own_plan;

/// The CBOR of a value that is missing.
const NULL: [u8; 1] = [0xf6];

/// See [`Store::prepare_epoch`](crate::Store::prepare_epoch).
pub(super) fn prepare(
    core: &mut Core,
    ending: &Ending<'_>,
    migrate: Option<Box<dyn Migrate>>,
) -> Result<Prepared, OpenError> {
    let Ending { plan, epochs, .. } = *ending;
    let ours = &plan.layout.schema;
    let Some(last) = epochs.list.last() else {
        let what = "a log without a schema has no epoch to continue";
        return Err(StorageError::new(StorageFailure::Internal, what).into());
    };
    let compatibility = last.schema.compatibility(ours);
    let is_of_shape = !epochs.end_in_program();
    let renamed = last.schema.with_names_of(ours);
    let refused = {
        let named = if is_of_shape { &renamed } else { ours };
        let mut judge = Judge::new(&core.graph, named, plan);
        compatibility.refused(|check| judge.usage(check))
    };
    let error = |refused: &[Refused<'_>], is_newer: bool| OpenError::Schema {
        model: ours.name.as_str().into(),
        seq: last.from,
        location: None,
        is_newer,
        differences: refused.iter().map(RefusedDifference::of).collect(),
    };
    // An older version of the program must not take back what a newer one has changed.
    if epochs.have_schema(ours)
        && !last.schema.is_same(ours)
        && !(refused.is_empty() && last.has_tags_of_program())
    {
        return Err(error(&[], true));
    }
    if migrate.is_none() && is_of_another_model(&renamed, ours) {
        let all = compatibility.differences.iter().cloned();
        let of_shape = all.filter(Difference::is_of_shape);
        return Err(OpenError::Schema {
            model: ours.name.as_str().into(),
            seq: last.from,
            location: None,
            is_newer: false,
            differences: of_shape.map(RefusedDifference::unchecked).collect(),
        });
    }
    if !refused.is_empty() && migrate.is_none() {
        return Err(error(&refused, false));
    }
    let refused_invariants = |graph: &Core, of_all: bool| {
        let failed = failed_invariants(graph, plan, &compatibility.differences, of_all);
        failed.map_err(|failed| match failed {
            Failed::Change(refused) => error(&refused, false),
            Failed::Invariant(reason) => migration_error(ours, reason),
        })
    };
    // Otherwise the rules have changed, and no facts follow from it.
    if !is_of_shape && refused.is_empty() && !core.graph.any_is_enabled() {
        refused_invariants(core, false)?;
        drop(refused);
        return Ok(Prepared {
            frames: vec![schema_frame(core, ending, core.graph.fingerprint)],
            is_carried: false,
            compatibility,
        });
    }
    let map = CarryMap::by_name(&renamed, ours);
    let (old, old_plan) = old_graph(core, (&last.schema, plan), is_of_shape)?;
    core.graph = carry(&old, plan, &map)?;
    let begun = core.graph.fingerprint;
    core.begin();
    let failed = |reason: String| migration_error(ours, reason);
    set_defaults(core, plan, &map).map_err(failed)?;
    let displaced = displaced(&old, &map);
    let is_migrated = migrate.is_some();
    if let Some(mut migrate) = migrate {
        let context = MigrationContext {
            old: &old,
            old_plan: &old_plan,
            at: ending.at,
            core,
            plan,
            map: &map,
            displaced: &displaced,
            compatibility: &compatibility,
            refused: &refused,
        };
        migrate.run(context).map_err(failed)?;
    }
    core.fire_all_enabled(plan)
        .map_err(|e| failed(e.to_string()))?;
    must_be_moved(core, &old, &map, &displaced).map_err(failed)?;
    core.graph.must_be_whole().map_err(failed)?;
    if is_migrated {
        core.check_all_bounds().map_err(|e| failed(e.to_string()))?;
    }
    refused_invariants(core, true)?;
    let frames = frames(core, ending, begun, carry(&old, plan, &map)?)?;
    drop(refused);
    Ok(Prepared {
        compatibility,
        frames,
        is_carried: true,
    })
}

/// The error of a migration that cannot be done.
fn migration_error(ours: &Schema, reason: String) -> OpenError {
    OpenError::Migration {
        model: ours.name.as_str().into(),
        reason: reason.into(),
    }
}

/// Returns the graph of the last epoch in the layout of its own schema, with the plan of that. The core is left without its graph.
fn old_graph(
    core: &mut Core,
    (schema, program): (&Schema, &Arc<Plan>),
    is_of_shape: bool,
) -> Result<(Graph<Flat>, Arc<Plan>), StorageError> {
    let old_plan = own_plan(schema.clone(), program);
    let ColumnTypes { columns, data } = &old_plan.columns;
    let empty = Graph::new(Arc::clone(&old_plan.layout), columns, data);
    let mut old = std::mem::replace(&mut core.graph, empty);
    if !is_of_shape {
        let entered = epoch::enter(&mut old, &old_plan, None);
        entered.map_err(|e| StorageError::new(StorageFailure::Internal, e))?;
    }
    Ok((old, old_plan))
}

pub(super) fn carry(
    old: &Graph<Flat>,
    plan: &Plan,
    map: &CarryMap,
) -> Result<Graph<Flat>, OpenError> {
    let ColumnTypes { columns, data } = &plan.columns;
    let carried = old.carried_over(&plan.layout, (columns, data), map);
    carried.map_err(|e| migration_error(&plan.layout.schema, e.to_string()))
}

/// Sets the defaults of the columns that the old graph does not have, and null in those that are options.
pub(super) fn set_defaults(core: &mut Core, plan: &Plan, map: &CarryMap) -> Result<(), String> {
    let layout = &plan.layout;
    let taken_over: HashSet<ColumnIx> = map.columns().collect();
    let Core { graph, open, .. } = core;
    let journal = &mut open.journal;
    for (column, def) in ColumnIx::all(layout.columns.len()).zip(&layout.schema.columns) {
        if taken_over.contains(&column) || def.key {
            continue;
        }
        let is_option = matches!(def.encoding, Some(Encoding::Option(_)));
        let is_in = |graph: &Graph<Flat>, slot: u32| {
            let state = def.state;
            state.is_none_or(|state| state == graph.state_of(def.entity, slot))
        };
        let has_default = graph.has_default(column);
        if !has_default && !is_option {
            continue;
        }
        for slot in 0..graph.slots(def.entity) {
            if !(graph.is_alive(def.entity, slot) && is_in(graph, slot)) {
                continue;
            }
            let set = match has_default {
                true => graph.set_default(journal, column, slot),
                false => graph.set_encoded(journal, column, slot, &NULL),
            };
            set.map_err(|e| e.to_string())?;
        }
    }
    for (edge, def) in EdgeIx::all(layout.edges.len()).zip(&layout.schema.edges) {
        if def.data.is_none() || map.has_data(edge) {
            continue;
        }
        let default = plan.columns.data.get(usize::from(edge));
        let default = default.and_then(|ty| ty.as_ref()?.encoded_default());
        let value = match default.transpose() {
            Ok(Some(value)) => value,
            Ok(None) if matches!(def.encoding, Some(Encoding::Option(_))) => NULL.to_vec(),
            Ok(None) => continue,
            Err(e) => {
                return Err(e
                    .into_step(&layout.edges[usize::from(edge)].from.path)
                    .to_string());
            }
        };
        let forward = true;
        for slot in 0..graph.slots(def.from.entity) {
            for far in graph.links(Hop { edge, forward }, slot).to_vec() {
                let set = graph.set_link_encoded(journal, edge, (slot, far), &value);
                set.map_err(|e| e.to_string())?;
            }
        }
    }
    Ok(())
}

/// Returns the entities whose states the program does not have.
fn displaced(old: &Graph<Flat>, map: &CarryMap) -> Vec<(EntityIx, u32)> {
    let all = EntityIx::all(old.layout.entities.len());
    let of = |was: EntityIx| {
        let now = map.entity(was)?;
        let is_gone = move |slot: &u32| map.state(was, old.state_of(was, *slot)).is_none();
        Some(old.living(was).filter(is_gone).map(move |slot| (now, slot)))
    };
    all.filter_map(of).flatten().collect()
}

/// Returns an error if an entity is still where it was carried over because its state is gone.
fn must_be_moved(
    core: &Core,
    old: &Graph<Flat>,
    map: &CarryMap,
    displaced: &[(EntityIx, u32)],
) -> Result<(), String> {
    if displaced.is_empty() {
        return Ok(());
    }
    let mut moved = HashSet::new();
    for fact in &core.open.journal.facts().list {
        if let Fact::Move { entity, slot, .. } | Fact::Delete { entity, slot, .. } = *fact {
            moved.insert((entity, slot));
        }
    }
    let mut left = displaced.iter().filter(|at| !moved.contains(at));
    let Some(&(entity, slot)) = left.next() else {
        return Ok(());
    };
    let was = EntityIx::all(old.layout.entities.len()).find(|was| map.entity(*was) == Some(entity));
    let state = was.map_or("", |was| {
        let state = old.state_of(was, slot);
        &old.layout.entities[usize::from(was)].states[usize::from(state)].name
    });
    let count = 1 + left.count();
    let entities = if count == 1 { "entity" } else { "entities" };
    Err(format!(
        "{count} {entities} were in states that are gone and were not moved, first `{}`, which was in `{state}`",
        core.graph.named(entity, slot)
    ))
}

/// What does not hold in the new graph.
enum Failed<'c> {
    /// Invariants that are new or have changed.
    Change(Vec<Refused<'c>>),
    /// Another one.
    Invariant(String),
}

/// Checks the invariants that have changed, or all, on all entities.
fn failed_invariants<'c>(
    core: &Core,
    plan: &Plan,
    differences: &'c [Difference],
    of_all: bool,
) -> Result<(), Failed<'c>> {
    let mut refused = Vec::new();
    let mut first = None;
    let changed = differences
        .iter()
        .filter_map(|difference| match &difference.verdict {
            Verdict::Data {
                check: Check::Invariant(name),
                ..
            } => Some((name.as_str(), difference)),
            _ => None,
        });
    let changed: HashMap<&str, &Difference> = changed.collect();
    for (ix, def) in plan.layout.schema.invariants.iter().enumerate() {
        let difference = changed.get(def.name.as_str()).copied();
        if difference.is_none() && !of_all {
            continue;
        }
        let mut failed = core.violations(plan, ix);
        let Some((entity, reason)) = failed.next() else {
            continue;
        };
        let count = 1 + failed.count() as u64;
        match difference {
            Some(difference) => refused.push(Refused {
                difference,
                usage: Some(Usage {
                    count,
                    first: Some(entity.to_string()),
                }),
            }),
            None => {
                let entities = if count == 1 { "entity" } else { "entities" };
                let reason = format!(
                    "{count} {entities} would violate the invariant `{}`, first `{entity}`: {reason}",
                    def.name
                );
                first.get_or_insert(reason);
            }
        }
    }
    match (refused.is_empty(), first) {
        (false, _) => Err(Failed::Change(refused)),
        (true, Some(reason)) => Err(Failed::Invariant(reason)),
        (true, None) => Ok(()),
    }
}

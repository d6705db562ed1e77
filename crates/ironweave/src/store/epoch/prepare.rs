//! The graph and the frames with which an epoch begins.

use std::collections::HashSet;
use std::sync::Arc;

use crate::base::cbor::NULL;
use crate::base::error::{MigrationError, OpenError, RefusedDifference};
use crate::base::hash::hash_bytes;
use crate::base::storage_error::{StorageError, StorageFailure};
use crate::graph::Graph;
use crate::graph::any::Either;
use crate::graph::carry::{CarryMap, CarrySummary};
use crate::graph::column::{AnyColumn, ColumnTypes};
use crate::graph::storage::Flat;
use crate::schema::{Check, ColumnIx, Difference, EdgeIx, Hop, Refused, Usage, Verdict};
use crate::step::migrate::{Carried, MigrationCode};
use crate::step::plan::Plan;
use crate::step::{Core, epoch, flat};
use crate::store::epoch::judge::Judge;
use crate::store::epoch::write::{frames, schema_frame};
use crate::store::epoch::{Ending, Prepared, is_of_another_model};
use crate::store::epochs::own_plan;

/// See [`Store::prepare_epoch`](crate::Store::prepare_epoch).
pub(super) fn prepare(
    core: &mut Core,
    ending: &Ending<'_>,
    code: Option<MigrationCode>,
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
    if code.is_none() && is_of_another_model(&renamed, ours) {
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
    if !refused.is_empty() && code.is_none() {
        return Err(error(&refused, false));
    }
    let check_changed_invariants = |core: &Core| {
        let failed = failed_invariants(core, plan, &compatibility.differences);
        match failed.is_empty() {
            true => Ok(()),
            false => Err(error(&failed, false)),
        }
    };
    // Otherwise the rules have changed, and no facts follow from it.
    if !is_of_shape && refused.is_empty() && !core.graph.any_is_enabled() {
        let checked = check_changed_invariants(core);
        // A migration can make them hold.
        if checked.is_ok() || code.is_none() {
            checked?;
            return Ok(Prepared {
                refused: Vec::new(),
                frames: vec![schema_frame(ending, core.graph.fingerprint)],
                carried: None,
                compatibility,
            });
        }
    }
    let map = CarryMap::by_name(&renamed, ours);
    let old = match is_of_shape {
        true => {
            let now = carry(&core.graph, plan, &map)?;
            std::mem::replace(&mut core.graph, now)
        }
        // The graph itself stays: a value whose type has changed inside may be encoded differently than it is in the log.
        false => epoch::carried(&core.graph, &own_plan(last.schema.clone(), plan), None)
            .map_err(|e| StorageError::new(StorageFailure::Internal, e.to_string()))?,
    };
    let before = flat::copy(core, plan);
    let summary = CarrySummary::of(&old, &core.graph, &map);
    let begun = core.graph.fingerprint;
    core.begin();
    encode_again(core)?;
    set_defaults(core, plan, &map).map_err(MigrationError::new)?;
    let has_code = code.is_some();
    let carried = Carried {
        core,
        plan,
        old: Either::Flat(&old),
        map: &map,
    };
    carried.migrate(code)?;
    if !has_code {
        check_changed_invariants(core)?;
    }
    core.check_all_invariants(plan)?;
    let frames = frames(core, ending, begun, before)?;
    Ok(Prepared {
        refused: refused.iter().map(RefusedDifference::of).collect(),
        frames,
        carried: Some(summary),
        compatibility,
    })
}

pub(super) fn carry(
    old: &Graph<Flat>,
    plan: &Plan,
    map: &CarryMap,
) -> Result<Graph<Flat>, MigrationError> {
    let ColumnTypes { columns, data } = &plan.columns;
    let carried = old.carried_over(&plan.layout, (columns, data), map);
    carried.map_err(MigrationError::NotCarried)
}

/// Writes the values again that the types of the program encode differently than they were carried over: an `f64` that was an `f32`,
/// or a value of a type that has changed inside. A key must stay as it is, because logged events and histories refer to it.
pub(super) fn encode_again(core: &mut Core) -> Result<(), MigrationError> {
    let Core { graph, open, .. } = core;
    let journal = &mut open.journal;
    let layout = Arc::clone(&graph.layout);
    for (column, def) in ColumnIx::all(layout.columns.len()).zip(&layout.schema.columns) {
        if graph.column(column).is_mandatory() {
            continue;
        }
        for slot in 0..graph.slots(def.entity) {
            let Some(value) = encoded_otherwise(graph.column(column), slot) else {
                continue;
            };
            if def.key {
                let path = &layout.columns[usize::from(column)].path;
                let entity = graph.entity_ref(def.entity, slot);
                return Err(MigrationError::new(format!(
                    "{path} of {entity}: the new type of the key encodes it differently than it is in the log; keep the type of the key"
                )));
            }
            graph.set_encoded(journal, column, slot, &value)?;
        }
    }
    for (edge, def) in EdgeIx::all(layout.edges.len()).zip(&layout.schema.edges) {
        if def.data.is_none() {
            continue;
        }
        let forward = true;
        for slot in 0..graph.slots(def.from.entity) {
            for far in graph.links(Hop { edge, forward }, slot).to_vec() {
                let row = graph.link_row(edge, slot, far);
                let value = row.and_then(|(column, row)| encoded_otherwise(column, row));
                if let Some(value) = value {
                    graph.set_link_encoded(journal, edge, (slot, far), &value)?;
                }
            }
        }
    }
    Ok(())
}

/// Returns the encoding of a value, if it is another one than that from which the value was read.
fn encoded_otherwise(column: &dyn AnyColumn, slot: u32) -> Option<Vec<u8>> {
    let hash = column.hash(slot)?;
    column
        .encoded(slot)
        .filter(|value| hash_bytes(value) != hash)
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
        let is_option = def.is_optional();
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
                false => graph.set_encoded(journal, column, slot, &[NULL]),
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
            Ok(None) if def.has_optional_data() => vec![NULL],
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

/// Checks the invariants that have changed on all entities. Returns those that do not hold.
fn failed_invariants<'c>(
    core: &Core,
    plan: &Plan,
    differences: &'c [Difference],
) -> Vec<Refused<'c>> {
    let check = |difference: &'c Difference| {
        let Verdict::Data {
            check: Check::Invariant(name),
            ..
        } = &difference.verdict
        else {
            return None;
        };
        let schema = &plan.layout.schema;
        let ix = (schema.invariants.iter()).position(|def| def.name == *name)?;
        let mut failed = core.violations(plan, ix);
        let (entity, _) = failed.next()?;
        let usage = Usage {
            count: 1 + failed.count() as u64,
            first: Some(entity.to_string()),
        };
        Some(Refused {
            difference,
            usage: Some(usage),
        })
    };
    differences.iter().filter_map(check).collect()
}

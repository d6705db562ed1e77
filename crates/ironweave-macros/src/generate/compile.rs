//! Derives the compiled arcs of an event from the schema.
//!
//! It needs nothing of the macro, so that the oracle of `ironweave` compares it with the derivation of the runtime on random
//! schemas.

use ironweave_schema::compiled::{ARCS_MAX, CompiledArc, Given, NAMES_MAX, phase};
use ironweave_schema::{
    Arc, Assign, BindBy, Cardinality, ColumnIx, EdgeIx, EventDef, NameIx, Path, Schema, Scope,
    StateIx,
};

/// The compiled arcs of an event; `None` if an arc needs the interpreter.
pub fn compile(schema: &Schema, def: &EventDef) -> Option<Vec<CompiledArc>> {
    let one = def.names.iter().all(|name| name.count == Cardinality::One);
    if def.immediate || !one || def.names.len() > NAMES_MAX || meet(def) || compete(schema, def) {
        return None;
    }
    let (creates, mut others): (Vec<&Arc>, Vec<&Arc>) =
        (def.arcs.iter()).partition(|arc| matches!(arc, Arc::Create { .. }));
    others.sort_by_key(|arc| phase(arc));
    let mut out = Vec::new();
    for arc in creates {
        create(schema, def, arc, &mut out)?;
    }
    if !def.guards.is_empty() {
        out.push(CompiledArc::Guards);
    }
    for arc in others {
        match arc {
            Arc::Relink { .. } | Arc::Link { .. } | Arc::SetLink { .. } => {
                link(schema, arc, &mut out)?;
            }
            Arc::Set { .. } => set(schema, def, arc, &mut out)?,
            Arc::Move { .. } => moves(schema, def, arc, &mut out)?,
            _ => return None,
        }
    }
    (out.len() <= ARCS_MAX).then_some(out)
}

/// Whether two arcs could move one entity or set one field of it.
fn meet(def: &EventDef) -> bool {
    let moved: Vec<_> = (def.arcs.iter())
        .filter_map(|arc| match arc {
            Arc::Move { path, .. } => Some(def[path.root].entity),
            _ => None,
        })
        .collect();
    let columns: Vec<ColumnIx> = (def.arcs.iter())
        .filter_map(|arc| match arc {
            Arc::Set { value, .. } => Some(value.column),
            _ => None,
        })
        .collect();
    repeats(&moved) || repeats(&columns)
}

/// Whether two links could compete for an end that holds one: two arcs are of one edge with such an end.
fn compete(schema: &Schema, def: &EventDef) -> bool {
    let edges: Vec<EdgeIx> = (def.arcs.iter())
        .filter_map(|arc| match arc {
            Arc::Link { hop, .. } | Arc::Relink { hop, .. } => Some(hop.edge),
            _ => None,
        })
        .filter(|edge| {
            let edge = &schema[*edge];
            [&edge.from, &edge.to]
                .iter()
                .any(|end| end.cardinality != Cardinality::Many)
        })
        .collect();
    repeats(&edges)
}

fn repeats<T: PartialEq>(items: &[T]) -> bool {
    (1..items.len()).any(|at| items[..at].contains(&items[at]))
}

fn create(schema: &Schema, def: &EventDef, arc: &Arc, out: &mut Vec<CompiledArc>) -> Option<()> {
    let Arc::Create {
        name,
        state,
        values,
    } = arc
    else {
        return None;
    };
    let entity = def[*name].entity;
    out.push(CompiledArc::Create {
        name: *name,
        entity,
        state: *state,
    });
    assigns(*name, values, out)?;
    let columns = ColumnIx::all(schema.columns.len()).zip(&schema.columns);
    let defaults = columns.filter(|(column, def)| {
        def.entity == entity
            && def.state.is_none()
            && def.default.is_some()
            && values.iter().all(|value| value.column != *column)
    });
    out.extend(defaults.map(|(column, _)| CompiledArc::Set {
        name: *name,
        column,
        given: Given::Default,
    }));
    Some(())
}

fn link(schema: &Schema, arc: &Arc, out: &mut Vec<CompiledArc>) -> Option<()> {
    let (path, hop, with, data) = match arc {
        Arc::Relink {
            path,
            hop,
            with,
            data,
        }
        | Arc::Link {
            path,
            hop,
            with,
            data,
        } => (path, hop, with, data.as_ref()),
        Arc::SetLink {
            path,
            hop,
            with,
            data,
        } => (path, hop, with, Some(data)),
        _ => return None,
    };
    let (edge, near, far) = (hop.edge, root(path)?, root(with)?);
    let (from, to) = if hop.forward {
        (near, far)
    } else {
        (far, near)
    };
    match arc {
        Arc::Relink { .. } => out.push(CompiledArc::relink(schema, edge, from, to)),
        Arc::Link { .. } => out.push(CompiledArc::Link { edge, from, to }),
        _ => {}
    }
    if let Some(data) = data {
        out.push(CompiledArc::SetLink {
            edge,
            from,
            to,
            given: Given::of(data)?,
        });
    }
    Some(())
}

fn set(schema: &Schema, def: &EventDef, arc: &Arc, out: &mut Vec<CompiledArc>) -> Option<()> {
    let Arc::Set { path, value } = arc else {
        return None;
    };
    let name = root(path)?;
    if let Some(state) = schema[value.column].state {
        out.push(CompiledArc::Require {
            name,
            entity: def[name].entity,
            states: states(schema, def, name, &[state])?,
        });
    }
    assigns(name, std::slice::from_ref(value), out)
}

fn moves(schema: &Schema, def: &EventDef, arc: &Arc, out: &mut Vec<CompiledArc>) -> Option<()> {
    let Arc::Move {
        scope: Scope::Each,
        path,
        from,
        to,
        data,
    } = arc
    else {
        return None;
    };
    let name = root(path)?;
    out.push(CompiledArc::Move {
        name,
        entity: def[name].entity,
        from: states(schema, def, name, from)?,
        to: *to,
    });
    assigns(name, data, out)
}

/// States in which an entity that exists before the event must be, as bits.
fn states(schema: &Schema, def: &EventDef, name: NameIx, states: &[StateIx]) -> Option<u64> {
    let entity = &schema[def[name].entity];
    let exists = def[name].by != BindBy::Created;
    let bits = states
        .iter()
        .fold(0, |bits, state| bits | 1u64 << (state.get() % 64));
    (exists && entity.states.len() <= 64).then_some(bits)
}

fn assigns(name: NameIx, values: &[Assign], out: &mut Vec<CompiledArc>) -> Option<()> {
    for value in values {
        out.push(CompiledArc::Set {
            name,
            column: value.column,
            given: Given::of(&value.source)?,
        });
    }
    Some(())
}

/// Returns the name that the path begins at, if the path leads over no edge.
fn root(path: &Path) -> Option<NameIx> {
    path.hops.is_empty().then_some(path.root)
}

//! A schema as text: for each entity type its states, fields and edges, then the events with their arcs.

use ironweave::schema::{
    Cardinality, ColumnDef, EndDef, EntityDef, EventDef, IndexKind, OnDelete, Schema,
};

use crate::failure::Result;
use crate::output::{Output, Role};

/// Writes the schema.
pub fn write(out: &mut Output, schema: &Schema) -> Result {
    title(out, "model", &schema.name)?;
    for (ix, entity) in schema.entities.iter().enumerate() {
        out.line("")?;
        title(out, "entity", &entity.name)?;
        write_fields(out, schema, ix, None)?;
        write_edges(out, schema, ix)?;
        let indexes = schema.indexes.iter();
        for index in indexes.filter(|index| index.entity.index() == ix) {
            out.line(format_args!("  {}", schema.index_text(index)))?;
        }
        write_states(out, schema, ix, entity)?;
    }
    for event in &schema.events {
        out.line("")?;
        write_event(out, schema, event)?;
    }
    if !schema.invariants.is_empty() {
        out.line("")?;
    }
    for invariant in &schema.invariants {
        let entity = schema.entities.get(invariant.entity.index());
        let entity = entity.map_or("?", |entity| &entity.name);
        let name = out.paint(Role::Title, &invariant.name).to_string();
        out.line(format_args!(
            "invariant {name} of {entity}: {}",
            invariant.check
        ))?;
    }
    Ok(())
}

fn title(out: &mut Output, what: &str, name: &str) -> Result {
    let name = out.paint(Role::Title, name).to_string();
    out.line(format_args!("{what} {name}"))
}

/// Writes the fields of an entity type, or the data of a state.
fn write_fields(out: &mut Output, schema: &Schema, entity: usize, state: Option<usize>) -> Result {
    let of = |column: &&ColumnDef| {
        column.entity.index() == entity && column.state.map(|state| state.index()) == state
    };
    let indent = if state.is_some() { "      " } else { "  " };
    for column in schema.columns.iter().filter(of) {
        let mut notes = Vec::new();
        if column.key {
            notes.push("key".to_owned());
        }
        match column.index {
            Some(IndexKind::Equal) => notes.push("index".into()),
            Some(IndexKind::Ordered) => notes.push("ordered index".into()),
            None => {}
        }
        if let Some(default) = &column.default {
            notes.push(format!("default {default}"));
        }
        out.line(format_args!(
            "{indent}{}: {}{}",
            column.name,
            column.ty,
            in_parentheses(&notes)
        ))?;
    }
    Ok(())
}

fn in_parentheses(notes: &[String]) -> String {
    match notes {
        [] => String::new(),
        notes => format!(" ({})", notes.join(", ")),
    }
}

/// Writes the ends of edges at an entity type.
fn write_edges(out: &mut Output, schema: &Schema, entity: usize) -> Result {
    for edge in &schema.edges {
        for (end, other) in [(&edge.from, &edge.to), (&edge.to, &edge.from)] {
            // An end without a name cannot be followed.
            if end.entity.index() != entity || end.name.is_empty() {
                continue;
            }
            let mut notes = Vec::new();
            if !other.name.is_empty() {
                notes.push(format!("inverse {}", schema.end_path(other)));
            }
            notes.extend(bounds(end));
            if let Some(data) = &edge.data {
                notes.push(format!("data {data}"));
            }
            if edge.acyclic {
                notes.push("acyclic".into());
            }
            let target = schema
                .entities
                .get(other.entity.index())
                .map_or("?", |e| &e.name);
            let ty = match end.cardinality {
                Cardinality::One => target.to_owned(),
                Cardinality::Option => format!("Option<{target}>"),
                Cardinality::Many => format!("Many<{target}>"),
            };
            out.line(format_args!(
                "  {}: {ty}{}",
                end.name,
                in_parentheses(&notes)
            ))?;
        }
    }
    Ok(())
}

fn bounds(end: &EndDef) -> Vec<String> {
    let mut notes = Vec::new();
    if end.cardinality == Cardinality::Many && end.min > 0 {
        notes.push(format!("at least {}", end.min));
    }
    if let Some(max) = end.max.filter(|_| end.cardinality == Cardinality::Many) {
        notes.push(format!("at most {max}"));
    }
    match end.on_delete {
        OnDelete::Unlink => {}
        OnDelete::Restrict => notes.push("restricts deletion".into()),
        OnDelete::Cascade => notes.push("deleted with it".into()),
    }
    notes
}

fn write_states(out: &mut Output, schema: &Schema, ix: usize, entity: &EntityDef) -> Result {
    let name = |state: usize| entity.states.get(state).map_or("?", |state| &*state.name);
    for (state, def) in entity.states.iter().enumerate() {
        let mut notes = Vec::new();
        if entity.initial.index() == state {
            notes.push("initial".to_owned());
        }
        if def.terminal {
            notes.push("terminal".into());
        }
        let to: Vec<&str> = def.to.iter().map(|to| name(to.to.index())).collect();
        let to = match to.as_slice() {
            [] => String::new(),
            to => format!(" -> {}", to.join(", ")),
        };
        let painted = out.paint(Role::Entity, &def.name).to_string();
        out.line(format_args!("    {painted}{}{to}", in_parentheses(&notes)))?;
        write_fields(out, schema, ix, Some(state))?;
    }
    Ok(())
}

fn write_event(out: &mut Output, schema: &Schema, event: &EventDef) -> Result {
    let what = if event.immediate {
        "immediate event"
    } else {
        "event"
    };
    title(out, what, &event.name)?;
    for field in &event.fields {
        out.line(format_args!("  {}: {}", field.name, field.ty))?;
    }
    let order = event.order.map(|order| schema.order_text(order));
    if let Some(order) = order {
        out.line(format_args!("    immediate(by = {order})"))?;
    }
    if let Some(due) = &event.due {
        out.line(format_args!("    due({})", schema.due_text(event, due)))?;
    }
    let arcs = event.arcs.iter().map(|arc| schema.arc_text(event, arc));
    let mays = event.mays.iter().map(|may| schema.may_text(may));
    let guards = event.guards.iter().map(|guard| format!("guard({guard})"));
    for arc in arcs.chain(mays).chain(guards) {
        out.line(format_args!("    {arc}"))?;
    }
    Ok(())
}

//! Resolves the indexes on entities: of several parts, or of the entities in some states.

use ironweave_schema::{Cardinality, ColumnIx, EntityIx, Hop, IndexDef, IndexPart, StateIx};
use proc_macro2::Ident;
use quote::format_ident;

use super::entities::{kind, no_float};
use super::model::{EntityIndex, FieldKind, Resolved};
use super::names::plain;
use super::state;
use crate::errors::{Errors, did_you_mean};
use crate::parse::ast;

/// Adds the indexes to the schema. One with an error is left out.
pub fn resolve(
    written: Vec<(EntityIx, ast::EntityIndex)>,
    resolved: &mut Resolved,
    errors: &mut Errors,
) {
    for (entity, index) in written {
        let before = errors.len();
        let parts = parts(entity, &index, resolved, errors);
        let states = states(entity, &index, resolved, errors);
        let Some(parts) = parts.filter(|_| errors.len() == before) else {
            continue;
        };
        if is_empty(entity, &index, (&parts, &states), resolved, errors) {
            continue;
        }
        let kind = kind(index.ordered);
        let same = resolved.schema.indexes.iter().find(|def| {
            (def.entity, def.kind, &def.parts, &def.states) == (entity, kind, &parts, &states)
        });
        if let Some(same) = same {
            let name = &same.name;
            let message =
                format!("the index `by_{name}` has the same parts and states: remove one");
            errors.at(&index.word, message);
            continue;
        }
        let name = index.name.unwrap_or_else(|| {
            let names: Vec<String> = index.parts.iter().map(|part| plain(&part.name)).collect();
            format_ident!("{}", names.join("_"), span = index.word.span())
        });
        let def = IndexDef {
            name: plain(&name),
            entity,
            kind,
            parts,
            states,
            ..IndexDef::default()
        };
        let text = resolved.schema.index_text(&def);
        resolved.schema.indexes.push(def);
        resolved.indexes.push(EntityIndex {
            at: index.word.span(),
            name,
            text,
            hidden: false,
        });
    }
}

/// The parts; `None` after an error, also one that was reported of a field.
fn parts(
    entity: EntityIx,
    index: &ast::EntityIndex,
    resolved: &Resolved,
    errors: &mut Errors,
) -> Option<Vec<IndexPart>> {
    let mut parts: Vec<Option<IndexPart>> = Vec::new();
    for written in &index.parts {
        let part = part(entity, written, resolved, errors);
        if part.is_some() && parts.contains(&part) {
            let name = &written.name;
            errors.at(
                name,
                format!("`{name}` is a part of this index already: remove one"),
            );
        }
        parts.push(part);
    }
    parts.into_iter().collect()
}

fn part(
    entity: EntityIx,
    written: &ast::IndexPart,
    resolved: &Resolved,
    errors: &mut Errors,
) -> Option<IndexPart> {
    let (def, name) = (&resolved.entities[entity], &written.name);
    if let Some(of) = &written.state {
        let state = state(resolved, entity, of, errors)?;
        let data = &def.states[state].data;
        let Some(column) = data.iter().find(|c| resolved.columns[**c].name == *name) else {
            let known: Vec<String> = data
                .iter()
                .map(|c| plain(&resolved.columns[*c].name))
                .collect();
            let hint = did_you_mean(&plain(name), known.iter().map(String::as_str));
            errors.at(
                name,
                format!("`{name}` is not data of the state `{of}`{hint}"),
            );
            return None;
        };
        return column_part(*column, name, resolved, errors);
    }
    let Some(field) = def.fields.iter().find(|field| field.name == *name) else {
        errors.at(name, unknown(entity, name, resolved));
        return None;
    };
    match field.kind {
        FieldKind::Column(column) => column_part(column, name, resolved, errors),
        FieldKind::End(end) if end.cardinality == Cardinality::Many => {
            let message = format!(
                "`{name}` leads to many, and a part of an index is one value: name a field, data of a state, or an edge to at most one"
            );
            errors.at(name, message);
            None
        }
        FieldKind::End(end) => Some(IndexPart::End(Hop {
            edge: end.edge?,
            forward: end.forward,
        })),
        FieldKind::Broken => None,
    }
}

fn column_part(
    column: ColumnIx,
    name: &Ident,
    resolved: &Resolved,
    errors: &mut Errors,
) -> Option<IndexPart> {
    let before = errors.len();
    no_float(
        &resolved.columns[column].ty,
        "a part of an index",
        name,
        errors,
    );
    (errors.len() == before).then_some(IndexPart::Column(column))
}

/// The message for a name that is no field.
fn unknown(entity: EntityIx, name: &Ident, resolved: &Resolved) -> String {
    let def = &resolved.entities[entity];
    let is_it = |column: &ColumnIx| resolved.columns[*column].name == *name;
    if let Some(state) = def.states.iter().find(|state| state.data.iter().any(is_it)) {
        let of = &state.name;
        return format!("`{name}` is data of the state `{of}`: write `{of}.{name}`");
    }
    let known: Vec<String> = def.fields.iter().map(|field| plain(&field.name)).collect();
    let hint = did_you_mean(&plain(name), known.iter().map(String::as_str));
    format!("`{name}` is not a field of `{}`{hint}", def.name)
}

/// The states of `while`.
fn states(
    entity: EntityIx,
    index: &ast::EntityIndex,
    resolved: &Resolved,
    errors: &mut Errors,
) -> Vec<StateIx> {
    let mut states = Vec::new();
    for name in &index.states {
        let Some(state) = state(resolved, entity, name, errors) else {
            continue;
        };
        if states.contains(&state) {
            errors.at(
                name,
                format!("the state `{name}` is listed twice: remove one"),
            );
        } else {
            states.push(state);
        }
    }
    states
}

/// Whether no entity can be in an index, which is reported: it has data of two states, or of one that `while` does not name.
fn is_empty(
    entity: EntityIx,
    index: &ast::EntityIndex,
    (parts, states): (&[IndexPart], &[StateIx]),
    resolved: &Resolved,
    errors: &mut Errors,
) -> bool {
    let before = errors.len();
    let mut of: Option<StateIx> = None;
    for (part, written) in parts.iter().zip(&index.parts) {
        let IndexPart::Column(column) = part else {
            continue;
        };
        let Some(state) = resolved.schema[*column].state else {
            continue;
        };
        let name = &resolved.entities[entity].states[state].name;
        if let Some(other) = of.filter(|other| *other != state) {
            let other = &resolved.entities[entity].states[other].name;
            let message = format!(
                "no entity is in `{other}` and in `{name}`, so this index would be empty: name data of one state"
            );
            errors.at(&written.name, message);
        } else if !states.is_empty() && !states.contains(&state) {
            let message = format!(
                "only an entity in `{name}` has `{}`, so this index would be empty: add `{name}` to `while`",
                written.name
            );
            errors.at(&written.name, message);
        }
        of = Some(state);
    }
    errors.len() > before
}

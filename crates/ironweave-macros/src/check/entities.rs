//! Entities: which fields are values, which are ends of edges, and which two ends make an edge.

use std::collections::BTreeSet;

use proc_macro2::Ident;
use syn::Type;

use super::edges::{Written, pair};
use super::lifecycle;
use super::model::{Cardinality, Column, Edge, Entity, Field, FieldEnd, FieldKind};
use super::names::plain;
use super::types::{self, mentions, named};
use crate::errors::{Errors, did_you_mean, nearest};
use crate::parse::ast;

/// Entities, columns and edges of a model.
#[derive(Default)]
pub struct Resolved {
    /// Entity types.
    pub entities: Vec<Entity>,
    /// Fields and state data.
    pub columns: Vec<Column>,
    /// Edges.
    pub edges: Vec<Edge>,
}

/// Finds the entity of that name.
pub fn find(entities: &[Entity], name: &Ident) -> Option<usize> {
    entities.iter().position(|entity| entity.name == *name)
}

/// Finds the entity of that name, or says what might have been meant.
pub fn expect(entities: &[Entity], name: &Ident, errors: &mut Errors) -> Option<usize> {
    let found = find(entities, name);
    if found.is_none() {
        let known: Vec<String> = entities.iter().map(|e| plain(&e.name)).collect();
        let hint = did_you_mean(&plain(name), known.iter().map(String::as_str));
        errors.at(
            name,
            format!("`{name}` is not an entity of this model{hint}"),
        );
    }
    found
}

/// Resolves all entities with their lifecycles.
pub fn resolve(
    mut entities: Vec<ast::Entity>,
    lifecycles: Vec<ast::Lifecycle>,
    errors: &mut Errors,
) -> Resolved {
    let mut seen = BTreeSet::new();
    entities.retain(|entity| seen.insert(plain(&entity.name)));
    let names: Vec<Ident> = entities.iter().map(|entity| entity.name.clone()).collect();
    let lifecycles = lifecycle::resolve(&names, lifecycles, errors);
    let mut resolved = Resolved::default();
    let (mut ends, mut excused) = (Vec::new(), BTreeSet::new());
    for (number, (entity, lifecycle)) in entities.into_iter().zip(lifecycles).enumerate() {
        no_derive(&entity.attrs, &entity.name, errors);
        let mut key = None;
        let mut fields = Vec::new();
        for field in entity.fields {
            let before = errors.len();
            let kind = if let Some((cardinality, other)) = edge_type(&field, &names, errors) {
                let (min, max) = edge_options(&field, cardinality, errors);
                ends.push(Written {
                    entity: number,
                    field: fields.len(),
                    name: field.name.clone(),
                    other,
                    cardinality,
                    min,
                    max,
                    inverse: field.inverse.clone(),
                });
                let forward = field.inverse.is_none();
                FieldKind::End(FieldEnd {
                    edge: None,
                    forward,
                    other,
                    cardinality,
                })
            } else if errors.len() > before {
                if let Some((entity, field)) = &field.inverse {
                    excused.insert((plain(entity), plain(field)));
                }
                FieldKind::Broken
            } else {
                value_field(&field, key.is_some(), &names, errors);
                let column = resolved.columns.len();
                if field.key.is_some() {
                    key.get_or_insert(column);
                }
                resolved.columns.push(Column {
                    attrs: Vec::new(),
                    entity: number,
                    state: None,
                    name: field.name.clone(),
                    ty: field.ty,
                    key: field.key.is_some(),
                });
                FieldKind::Column(column)
            };
            fields.push(Field {
                attrs: field.attrs,
                vis: field.vis,
                name: field.name,
                kind,
            });
        }
        let mut states = lifecycle.states;
        for (state, data) in lifecycle.data.into_iter().enumerate() {
            for data in data {
                no_entity(&data.ty, "state data", &names, errors);
                types::value(&data.ty, errors);
                states[state].data.push(resolved.columns.len());
                resolved.columns.push(Column {
                    attrs: data.attrs,
                    entity: number,
                    state: Some(state),
                    name: data.name,
                    ty: data.ty,
                    key: false,
                });
            }
        }
        resolved.entities.push(Entity {
            attrs: entity.attrs,
            vis: entity.vis,
            name: entity.name,
            fields,
            key,
            states_attrs: lifecycle.attrs,
            states_name: lifecycle.name,
            states,
            initial: lifecycle.initial,
        });
    }
    pair(&ends, excused, &mut resolved, errors);
    resolved
}

/// Refuses derives on what becomes a handle.
fn no_derive(attrs: &[syn::Attribute], name: &Ident, errors: &mut Errors) {
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("derive")) {
        errors.at(
            attr.path(),
            format!(
                "`{name}` becomes a handle, which is Copy, Debug, Eq, Ord, Hash and serde already: \
                 remove the derive"
            ),
        );
    }
}

/// Reads the type of a field as an edge: `T`, `Option<T>`, `Many<T>`.
fn edge_type(
    field: &ast::Field,
    names: &[Ident],
    errors: &mut Errors,
) -> Option<(Cardinality, usize)> {
    let number = |name: &Ident| names.iter().position(|n| n == name);
    let ty = named(&field.ty)?;
    if let Some(entity) = number(ty.name) {
        if !ty.args.is_empty() {
            errors.at(
                &field.ty,
                format!("an edge leads to any `{0}`: write `{0}`", ty.name),
            );
        }
        return Some((Cardinality::One, entity));
    }
    let [argument] = ty.args.as_slice() else {
        return None;
    };
    let inner = named(argument);
    let entity = inner.as_ref().and_then(|inner| number(inner.name));
    let wrapper = ty.name.to_string();
    let Some(entity) = entity else {
        if wrapper != "Many" && !(field.inverse.is_some() && wrapper == "Option") {
            return None;
        }
        let known: Vec<String> = names.iter().map(plain).collect();
        let name = types::text(argument);
        let hint = did_you_mean(&name, known.iter().map(String::as_str));
        errors.at(
            argument,
            format!("`{name}` is not an entity of this model{hint}"),
        );
        // The edge is taken to lead where it was meant to, so that one mistake stays one error.
        let meant = nearest(&name, known.iter().map(String::as_str))?;
        let meant = known.iter().position(|name| name == meant)?;
        let many = wrapper == "Many";
        let cardinality = if many {
            Cardinality::Many
        } else {
            Cardinality::Option
        };
        return Some((cardinality, meant));
    };
    if inner.is_some_and(|inner| !inner.args.is_empty()) {
        let name = &names[entity];
        errors.at(
            argument,
            format!("an edge leads to any `{name}`: write `{wrapper}<{name}>`"),
        );
    }
    match wrapper.as_str() {
        "Option" => Some((Cardinality::Option, entity)),
        "Many" => Some((Cardinality::Many, entity)),
        "Vec" | "BTreeSet" | "HashSet" => {
            let name = &names[entity];
            errors.at(
                &field.ty,
                format!("an edge to many is written `Many<{name}>`"),
            );
            Some((Cardinality::Many, entity))
        }
        _ => None,
    }
}

/// Refuses an entity inside the type of a value.
pub fn no_entity(ty: &Type, what: &str, names: &[Ident], errors: &mut Errors) {
    if let Some(entity) = mentions(ty, |name| names.contains(name)) {
        errors.at(
            entity,
            format!(
                "`{entity}` cannot be part of {what}: entities are linked by edges, \
                 fields of the entity of type `{entity}`, `Option<{entity}>` or `Many<{entity}>`"
            ),
        );
    }
}

/// Checks a field that is a value.
fn value_field(field: &ast::Field, has_key: bool, names: &[Ident], errors: &mut Errors) {
    if let (Some(key), true) = (&field.key, has_key) {
        errors.at(
            key,
            "a key of several fields (another `#[key]`) is not supported yet",
        );
    }
    if let Some((entity, _)) = &field.inverse {
        errors.at(
            &field.ty,
            format!("an inverse end is of type `{entity}`, `Option<{entity}>` or `Many<{entity}>`"),
        );
    }
    if let Some(edge) = &field.edge {
        errors.at(&edge.word, format!("`{}` is not an edge", field.name));
    }
    no_entity(&field.ty, "a value", names, errors);
    types::value(&field.ty, errors);
}

/// Checks `#[edge(..)]` and `#[key]` on an edge; gives the least and the greatest number of links.
fn edge_options(
    field: &ast::Field,
    cardinality: Cardinality,
    errors: &mut Errors,
) -> (u32, Option<u32>) {
    if let Some(key) = &field.key {
        errors.at(
            key,
            format!("a key is a value, but `{}` is an edge", field.name),
        );
    }
    let written = field.edge.as_ref();
    if let (Some(edge), Cardinality::One | Cardinality::Option) = (written, cardinality) {
        errors.at(
            &edge.word,
            "`min` and `max` are for `Many`: `T` is exactly one, `Option<T>` at most one",
        );
    }
    match (cardinality, written) {
        (Cardinality::One, _) => (1, Some(1)),
        (Cardinality::Option, _) => (0, Some(1)),
        (Cardinality::Many, None) => (0, None),
        (Cardinality::Many, Some(edge)) => {
            let min = edge.min.unwrap_or(0);
            if edge.max.is_some_and(|max| max < min || max == 0) {
                errors.at(
                    &edge.word,
                    "`max` is less than `min` or 0: nothing could be linked",
                );
            }
            (min, edge.max)
        }
    }
}

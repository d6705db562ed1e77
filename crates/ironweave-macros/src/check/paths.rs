//! Resolves the paths of arcs, which lead from a name of the event over edges to entities.

use ironweave_schema::{Cardinality, EntityIx, Hop, NameIx, Path};
use proc_macro2::Ident;

use super::edge_names;
use super::events::Scope;
use super::model::{FieldKind, Resolved};
use super::names::plain;
use crate::errors::{Errors, did_you_mean};
use crate::parse::ast;

/// A resolved path, with the type and the number of the entities that it reaches.
pub struct Reached {
    /// The path.
    pub path: Path,
    /// The entity type at its end.
    pub entity: EntityIx,
    /// How many entities it may reach.
    pub count: Cardinality,
}

/// Resolves one edge, as seen from an entity.
pub fn hop(
    resolved: &Resolved,
    entity: EntityIx,
    name: &Ident,
    errors: &mut Errors,
) -> Option<(Hop, EntityIx, Cardinality)> {
    let of = &resolved.entities[entity];
    match of
        .fields
        .iter()
        .find(|field| field.name == *name)
        .map(|field| field.kind)
    {
        Some(FieldKind::End(end)) => {
            let hop = Hop {
                edge: end.edge?,
                forward: end.forward,
            };
            Some((hop, end.other, end.cardinality))
        }
        Some(FieldKind::Column(_)) => {
            errors.at(
                name,
                format!("`{name}` is a value of `{}`, not an edge", of.name),
            );
            None
        }
        Some(FieldKind::Broken) => None,
        None => {
            let known = edge_names(resolved, entity);
            let hint = did_you_mean(&plain(name), known.iter().map(String::as_str));
            errors.at(name, format!("`{}` has no edge `{name}`{hint}", of.name));
            None
        }
    }
}

/// Resolves a path.
pub fn path(scope: &Scope<'_>, written: &ast::Path, errors: &mut Errors) -> Option<Reached> {
    let root = root(scope, &written.root, errors)?;
    let name = &scope.def[root];
    let (mut entity, mut count) = (name.entity, name.count);
    let mut hops = Vec::new();
    for edge in &written.hops {
        let (hop, other, cardinality) = hop(scope.resolved, entity, edge, errors)?;
        hops.push(hop);
        entity = other;
        count = count.max(cardinality);
    }
    Some(Reached {
        path: Path { root, hops },
        entity,
        count,
    })
}

/// Resolves the name at the root of a path.
fn root(scope: &Scope<'_>, name: &Ident, errors: &mut Errors) -> Option<NameIx> {
    let found = scope.named(name);
    if found.is_some() || scope.broken.contains(&plain(name)) {
        return found;
    }
    if scope
        .unread
        .iter()
        .any(|word| word == "create" || word == "choose")
    {
        return None;
    }
    if scope.later.contains(&plain(name)) {
        errors.at(
            name,
            format!(
                "`{name}` is not chosen yet: write its `choose` before this one. Entities are created before any is chosen, so set \
                 what depends on the choice by `#[set(..)]`"
            ),
        );
        return None;
    }
    let event = scope.event;
    if let Some(number) = scope.fields.position(|field| field.name == *name) {
        let ty = &scope.def[number].ty;
        errors.at(
            name,
            format!("`{name}` is a value (`{ty}`), but a path begins at an entity"),
        );
    } else {
        let known: Vec<String> = scope.names.iter().map(|known| plain(&known.name)).collect();
        let hint = did_you_mean(&plain(name), known.iter().map(String::as_str));
        errors.at(
            name,
            format!("`{name}` is neither an entity field of `{event}` nor created by it{hint}"),
        );
    }
    None
}

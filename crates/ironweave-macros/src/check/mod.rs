//! Resolves the names of a syntax tree to indexes, and reports all errors.
//!
//! The resulting model is as complete as possible: broken parts are left out, so that the types are generated
//! in spite of errors.

mod arcs;
mod bindings;
mod choose;
mod due;
mod edges;
mod entities;
mod events;
mod immediates;
mod indexes;
mod json;
mod lifecycle;
mod links;
mod mays;
pub mod model;
pub mod names;
mod operands;
mod paths;
mod renamed;
pub mod table;
mod taken;
#[cfg(test)]
mod tests;
pub mod types;
mod values;

pub use mays::{
    declaring_end, link_text, link_trait, move_trait, set_link_trait, set_text, set_trait,
    whole_trait,
};

use crate::errors::{Errors, did_you_mean};
use crate::parse::ast;
use ironweave_schema::{EntityIx, Hop, InvariantDef, StateIx};
use model::{FieldKind, Invariant, Model, Resolved};
pub use taken::Taken;
pub use values::optional;

/// Checks a module and resolves it.
pub fn model(mut ast: ast::Module, errors: &mut Errors) -> Model {
    names::items(&mut ast, errors);
    renamed::check(&ast, errors);
    renamed::upcasts(&ast, errors);
    let mut resolved = entities::resolve(ast.entities, ast.lifecycles, errors);
    for entity in resolved.entities.indexes() {
        for clash in names::members(entity, &resolved, errors) {
            clash.hide(entity, &mut resolved);
        }
    }
    let events = events::resolve(ast.events, &mut resolved, errors);
    mays::distinct(&resolved, errors);
    let taken = Taken::of(&resolved, &events, &ast.invariants, &ast.others);
    let invariants = invariants(ast.invariants, &mut resolved, errors);
    resolved.schema.name = names::plain(&ast.name);
    if errors.len() == 0 {
        lifecycle::reachable(&resolved, errors);
    }
    if errors.len() == 0
        && let Err(wrong) = resolved.schema.validate()
    {
        errors.at(&ast.name, wrong.to_string());
    }
    Model {
        resolved,
        broken: false,
        taken,
        attrs: ast.attrs,
        vis: ast.vis,
        name: ast.name,
        events,
        invariants,
        others: ast.others,
    }
}

fn invariants(
    written: Vec<ast::Invariant>,
    resolved: &mut Resolved,
    errors: &mut Errors,
) -> Vec<Invariant> {
    let mut invariants = Vec::new();
    for invariant in written {
        let Some(entity) = entities::expect(&resolved.entities, &invariant.entity, errors) else {
            continue;
        };
        let mut via: Vec<Hop> = Vec::new();
        for name in &invariant.via {
            via.extend(paths::hop(resolved, entity, name, errors).map(|(hop, ..)| hop));
        }
        resolved.schema.invariants.push(InvariantDef {
            name: names::plain(&invariant.name),
            entity,
            via,
            check: types::text(&invariant.check),
            renamed: renamed::former_names(&invariant.renamed),
            ..InvariantDef::default()
        });
        invariants.push(Invariant {
            attrs: invariant.attrs,
            vis: invariant.vis,
            name: invariant.name,
            check: invariant.check,
        });
    }
    invariants
}

/// Resolves the name of a state, or reports an error with a suggestion.
fn state(
    resolved: &Resolved,
    entity: EntityIx,
    name: &proc_macro2::Ident,
    errors: &mut Errors,
) -> Option<StateIx> {
    let entity = &resolved.entities[entity];
    let found = entity.state(name);
    if found.is_none() {
        let known: Vec<String> = entity
            .states
            .iter()
            .map(|s| names::plain(&s.name))
            .collect();
        let hint = did_you_mean(&names::plain(name), known.iter().map(String::as_str));
        let hint = match name == "Any" {
            true => format!(": list the states, as in `{}`", known.join(" | ")),
            false => hint,
        };
        errors.at(
            name,
            format!("`{name}` is not a state of `{}`{hint}", entity.name),
        );
    }
    found
}

/// The names of the edges of an entity.
fn edge_names(resolved: &Resolved, entity: EntityIx) -> Vec<String> {
    let fields = resolved.entities[entity].fields.iter();
    let edges = fields.filter(|field| matches!(field.kind, FieldKind::End(_)));
    edges.map(|field| names::plain(&field.name)).collect()
}

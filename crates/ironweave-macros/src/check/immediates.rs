//! Checks the additional rules of immediate events, which fire by themselves.
//!
//! What enables one must be found from the change that does, in constant time for each condition. So its conditions read
//! its own entity and what is one edge away, or two if the first edge leads to at most one entity.

use ironweave_schema::{BindBy, Cardinality};
use proc_macro2::{Ident, Span};

use super::events::Scope;
use super::paths;
use crate::errors::Errors;
use crate::parse::ast::{self, Value};

/// Checks an immediate event with these arcs and guards.
pub fn check(scope: &Scope<'_>, written: &[ast::Arc], guards: &[syn::Path], errors: &mut Errors) {
    let event = scope.event;
    let one = scope.fields.len() == 1
        && (scope.def.names.iter()).any(|n| n.by == BindBy::Handle && n.count == Cardinality::One);
    if !one && scope.broken.is_empty() {
        errors.at(
            event,
            format!("an immediate event has exactly one field, a plain handle: write `pub struct {event} {{ pub x: Entity }}`"),
        );
        return;
    }
    for guard in guards {
        errors.at(guard, "an immediate event has no guard: write `when(..)`");
    }
    let Some(own) = scope.fields.iter().next().map(|field| &field.name) else {
        return;
    };
    let moves_own = |arc: &ast::Arc| matches!(arc, ast::Arc::Move { path, .. } if path.hops.is_empty() && path.root == *own);
    if !written.iter().any(moves_own) && scope.broken.is_empty() && scope.unread.is_empty() {
        errors.at(
            event,
            format!("an immediate event must move its entity, or it would fire forever: add `#[moves({own}: A -> B)]`"),
        );
    }
    for arc in written {
        match arc {
            ast::Arc::When { path, .. } if path.root == *own => {
                followed(scope, "when", path, errors)
            }
            // `each` is a condition, `those` is not.
            ast::Arc::Move {
                scope: ast::Scope::Each | ast::Scope::Bare,
                path,
                ..
            } if path.root == *own => followed(scope, "moves", path, errors),
            ast::Arc::Count { path, compared, .. } => {
                counted(scope, own, path, errors);
                compares(scope, own, &compared.with, compared.at, errors);
            }
            ast::Arc::Compare(left, compared) => {
                compares(scope, own, left, compared.at, errors);
                compares(scope, own, &compared.with, compared.at, errors);
            }
            _ => {}
        }
    }
}

/// Checks a path that is a condition: it follows one edge, or two if the first leads to at most one entity.
fn followed(scope: &Scope<'_>, word: &str, path: &ast::Path, errors: &mut Errors) {
    let instead = match word {
        "moves" => "`those` may follow any path",
        _ => "let another immediate event move the entity in between, and test its state",
    };
    let [first, _, ..] = path.hops.as_slice() else {
        return;
    };
    if path.hops.len() > 2 {
        errors.at(
            path.last(),
            format!(
                "`{word}` of an immediate event follows at most two edges, but `{path}` follows {}: {instead}",
                path.hops.len()
            ),
        );
        return;
    }
    // Other errors of the path were reported.
    let root = ast::Path {
        root: path.root.clone(),
        hops: vec![first.clone()],
    };
    let reached = paths::path(scope, &root, &mut Errors::default());
    if reached.is_some_and(|reached| reached.count == Cardinality::Many) {
        errors.at(
            first,
            format!(
                "`{word}` of an immediate event follows two edges only if the first leads to at most one entity, but `{}.{first}` \
                 can be many: {instead}",
                path.root
            ),
        );
    }
}

/// Checks the path of a `count`.
fn counted(scope: &Scope<'_>, own: &Ident, path: &ast::Path, errors: &mut Errors) {
    if path.root != *own {
        // An unknown name was reported, and `choose.rs` reports a chosen one.
        if is_created(scope, &path.root) {
            errors.at(&path.root, begins_elsewhere(own, &path.root, "count", path));
        }
    } else if path.hops.is_empty() {
        errors.at(
            &path.root,
            format!("`{own}` is one entity: write `when(any {own} in State)`, or count over an edge of it"),
        );
    } else {
        followed(scope, "when", path, errors);
    }
}

/// Checks a value that a condition compares.
fn compares(scope: &Scope<'_>, own: &Ident, value: &Value, at: Span, errors: &mut Errors) {
    match value {
        Value::Time => errors.add(syn::Error::new(
            at,
            "an immediate event does not wait for a time, since nothing changes when it is reached: write an `#[event]` with \
             `#[due(name.State.field)]`, which fires at the time in that field",
        )),
        Value::Meta(_) => errors.add(syn::Error::new(
            at,
            format!(
                "a condition of an immediate event compares fields of its entity, `{own}.field`, with each other or with literals: \
                 test `meta` in the event that the program fires"
            ),
        )),
        Value::Of(root, _, field) if is_created(scope, root) => {
            errors.at(root, begins_elsewhere(own, root, "compare", field));
        }
        Value::Calculated { operands, .. } => {
            operands.iter().for_each(|operand| compares(scope, own, operand, at, errors));
        }
        _ => {}
    }
}

/// Whether a name is that of a `create` arc.
fn is_created(scope: &Scope<'_>, name: &Ident) -> bool {
    scope.created(name).is_some()
}

/// The message for a condition on an entity that the event creates.
fn begins_elsewhere(own: &Ident, root: &Ident, word: &str, what: impl std::fmt::Display) -> String {
    let begins = match word {
        "count" => format!("`{what}` begins at `{root}`"),
        _ => format!("`{root}.{what}` is of `{root}`"),
    };
    format!(
        "a condition of an immediate event is on its own entity `{own}`, but {begins}, which is known only when it fires: \
         begin at `{own}`, or test it in another event"
    )
}

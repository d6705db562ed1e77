//! Resolves each arc of an event, and then checks the arcs of an event against each other.

use ironweave_schema::{
    Arc, Assign, BindBy, Cardinality, ColumnIx, EdgeIx, EntityIx, Path, Scope as Among, StateIx,
};
use proc_macro2::Ident;

use super::entities::expect;
use super::events::Scope;
use super::model::{FieldKind, Resolved};
use super::names::plain;
use super::paths::{self, path};
use super::values::{self, assigns, settable};
use super::{choose, links, operands, state};
use crate::errors::Errors;
use crate::parse::ast;

/// Resolves one arc; `None` if it has an error.
pub fn one(scope: &mut Scope<'_>, arc: &ast::Arc, errors: &mut Errors) -> Option<Arc> {
    match arc {
        ast::Arc::Create {
            name,
            entity,
            values,
            state,
        } => create(scope, name, entity, values, state.as_ref(), errors),
        ast::Arc::Move {
            scope: which,
            path,
            from,
            to,
            data,
        } => moves(scope, *which, path, (from, to), data, errors),
        ast::Arc::Link {
            kind,
            path,
            edge,
            with,
            data,
        } => links::link(scope, *kind, (path, edge, with), data.as_ref(), errors),
        ast::Arc::SetLink {
            path,
            edge,
            with,
            value,
        } => links::set_link(scope, (path, edge, with), value, errors),
        ast::Arc::Delete { path: written } => Some(Arc::Delete {
            path: path(scope, written, errors)?.path,
        }),
        ast::Arc::Set { path, field, value } => set(scope, path, field, value, errors),
        ast::Arc::Count {
            path,
            states,
            compared,
        } => operands::count(scope, path, states, compared, errors),
        ast::Arc::Compare(left, compared) => operands::compare(scope, left, compared, errors),
        ast::Arc::Choose(written) => choose::choose(scope, written, errors),
        ast::Arc::When {
            quantifier,
            path: written,
            states,
        } => {
            let reached = path(scope, written, errors);
            let reached = reached?;
            let before = errors.len();
            let states: Vec<StateIx> = states
                .iter()
                .filter_map(|name| state(scope.resolved, reached.entity, name, errors))
                .collect();
            (errors.len() == before).then_some(Arc::When {
                quantifier: *quantifier,
                path: reached.path,
                states,
            })
        }
    }
}

fn create(
    scope: &mut Scope<'_>,
    name: &Ident,
    entity: &Ident,
    values: &[ast::Assign],
    in_state: Option<&(Ident, Vec<ast::Assign>)>,
    errors: &mut Errors,
) -> Option<Arc> {
    let number = scope.created(name)?;
    let index = scope.def[number].entity;
    let resolved = scope.resolved;
    let def = &resolved.entities[index];
    let fields: Vec<ColumnIx> = def
        .fields
        .iter()
        .filter_map(|field| match field.kind {
            FieldKind::Column(column) => Some(column),
            FieldKind::End(_) | FieldKind::Broken => None,
        })
        .collect();
    let before = errors.len();
    let mut plain_values = Vec::new();
    for assign in values {
        let edge = |field: &&super::model::Field| {
            field.name == assign.name && matches!(field.kind, FieldKind::End(_))
        };
        if def.fields.iter().find(edge).is_some() {
            let field = &assign.name;
            errors.at(
                field,
                format!("`{field}` is an edge: write `#[link({name}.{field} += ..)]`"),
            );
        } else {
            plain_values.push(assign);
        }
    }
    let mut out = assigns(
        scope,
        &plain_values,
        &fields,
        (entity, &format!("`{entity}`")),
        errors,
    );
    let (number_of_state, data, at) = match in_state {
        Some((name, data)) => (state(resolved, index, name, errors)?, data.as_slice(), name),
        None => (resolved.schema[index].initial, &[][..], entity),
    };
    let state = &def.states[number_of_state];
    if in_state.is_none() && !state.data.is_empty() {
        let data: Vec<String> = state
            .data
            .iter()
            .map(|c| plain(&resolved.columns[*c].name))
            .collect();
        errors.at(
            entity,
            format!(
                "`{name}` begins in `{0}`, which has data: add `in {0} {{ {1} }}`",
                state.name,
                data.join(", ")
            ),
        );
    } else {
        let data: Vec<&ast::Assign> = data.iter().collect();
        let what = format!("the state `{}`", state.name);
        out.extend(assigns(scope, &data, &state.data, (at, &what), errors));
    }
    (errors.len() == before).then_some(Arc::Create {
        name: number,
        state: number_of_state,
        values: out,
    })
}

fn moves(
    scope: &mut Scope<'_>,
    which: ast::Scope,
    written: &ast::Path,
    (from, to): (&[Ident], &Ident),
    data: &[ast::Assign],
    errors: &mut Errors,
) -> Option<Arc> {
    let reached = path(scope, written, errors)?;
    let resolved = scope.resolved;
    let before = errors.len();
    if which == ast::Scope::Bare && reached.count == Cardinality::Many {
        errors.at(
            &written.root,
            format!(
                "`{written}` can be many: write `each {written}` (all of them must be in the source state) \
                 or `those {written}` (move the ones that are)"
            ),
        );
    }
    let def = &resolved.entities[reached.entity];
    let entity = &def.name;
    let target = state(resolved, reached.entity, to, errors);
    let mut sources = Vec::new();
    for name in from {
        let Some(source) = state(resolved, reached.entity, name, errors) else {
            continue;
        };
        if sources.contains(&source) {
            errors.at(name, format!("`{name}` is listed twice"));
        }
        sources.push(source);
        if let Some(target) = target {
            transition(
                resolved,
                reached.entity,
                (source, name),
                (target, to),
                errors,
            );
        }
    }
    let name = &scope.def[reached.path.root];
    if let (BindBy::Token(token), true) = (name.by, reached.path.hops.is_empty())
        && errors.len() == before
        && !sources.contains(&token)
    {
        let token = &def.states[token].name;
        errors.at(
            &from[0],
            format!("`{written}` is a `{entity}<{token}>`, which is not a source of this move, so it would always reject"),
        );
    }
    let target = target?;
    let what = format!("the state `{to}`");
    let data: Vec<&ast::Assign> = data.iter().collect();
    let data = assigns(scope, &data, &def.states[target].data, (to, &what), errors);
    (errors.len() == before).then_some(Arc::Move {
        scope: match which {
            ast::Scope::Those => Among::Those,
            ast::Scope::Each | ast::Scope::Bare => Among::Each,
        },
        path: reached.path,
        from: sources,
        to: target,
        data,
    })
}

/// Checks that the lifecycle has a move.
pub fn transition(
    resolved: &Resolved,
    entity: EntityIx,
    (from, at): (StateIx, &Ident),
    (to, target): (StateIx, &Ident),
    errors: &mut Errors,
) {
    let def = &resolved.entities[entity];
    if def.states[from].unsure {
        return;
    }
    let moves = &resolved.schema[entity][from].to;
    if moves.iter().all(|transition| transition.to != to) {
        let entity = &def.name;
        errors.at(
            at,
            format!(
                "`{entity}: {at} -> {target}` is not in the lifecycle of `{entity}`: \
                 add `#[to({target})]` to `{at}`"
            ),
        );
    }
}

fn set(
    scope: &mut Scope<'_>,
    written: &ast::Path,
    field: &Ident,
    value: &ast::Value,
    errors: &mut Errors,
) -> Option<Arc> {
    if let Some((last, rest)) = written.hops.split_last() {
        let owner = ast::Path {
            root: written.root.clone(),
            hops: rest.to_vec(),
        };
        let mut quiet = Errors::default();
        let owner = path(scope, &owner, &mut quiet);
        let resolved = scope.resolved;
        let of_state = owner.and_then(|o| Some((resolved.entities[o.entity].state(last)?, o)));
        if let Some((state, owner)) = of_state {
            let column = values::state_data(resolved, owner.entity, state, field, errors)?;
            let ty = &resolved.columns[column].ty;
            let source = values::source(scope, ty, field, value, errors)?;
            return Some(Arc::Set {
                path: owner.path,
                value: Assign { column, source },
            });
        }
    }
    let reached = path(scope, written, errors)?;
    let resolved = scope.resolved;
    let column = settable(resolved, reached.entity, field, errors)?;
    let source = values::source(scope, &resolved.columns[column].ty, field, value, errors)?;
    Some(Arc::Set {
        path: reached.path,
        value: Assign { column, source },
    })
}

/// Checks the arcs of an event against each other. Both lists are of the same arcs.
pub fn together(scope: &Scope<'_>, written: &[&ast::Arc], arcs: &[Arc], errors: &mut Errors) {
    let mut moves: Vec<(Among, &Path, &[StateIx])> = Vec::new();
    let mut sets: Vec<(&Path, ColumnIx)> = Vec::new();
    let mut deletes: Vec<(&ast::Path, &Path)> = Vec::new();
    for (written, arc) in written.iter().zip(arcs) {
        match (*written, arc) {
            (
                ast::Arc::Move { path: at, .. },
                Arc::Move {
                    scope: among,
                    path,
                    from,
                    ..
                },
            ) => {
                let twice = moves.iter().any(|(other_among, other, sources)| {
                    *other == path
                        && !(*among == Among::Those
                            && *other_among == Among::Those
                            && sources.iter().all(|source| !from.contains(source)))
                });
                if twice {
                    errors.at(
                        &at.root,
                        format!(
                            "`{at}` is moved twice by `{}`: an event moves an entity only once, so remove one `#[moves(..)]`",
                            scope.event
                        ),
                    );
                }
                moves.push((*among, path, from));
            }
            (
                ast::Arc::Set {
                    path: at, field, ..
                },
                Arc::Set { path, value },
            ) => {
                if sets.contains(&(path, value.column)) {
                    errors.at(
                        field,
                        format!(
                            "`{at}.{field}` is set twice by `{}`: remove one `#[set(..)]`",
                            scope.event
                        ),
                    );
                }
                sets.push((path, value.column));
            }
            (ast::Arc::Delete { path: at }, Arc::Delete { path }) => deletes.push((at, path)),
            _ => {}
        }
    }
    links::together(scope, written, arcs, errors);
    for (at, path) in deletes {
        if moves.iter().any(|(_, moved, _)| *moved == path) {
            errors.at(
                &at.root,
                format!(
                    "`{at}` is moved and deleted by `{}`: remove one of the two",
                    scope.event
                ),
            );
        }
    }
}

/// The entity that a `may` or an `invariant` names, with an edge of it.
pub fn edge_of(
    resolved: &Resolved,
    entity: &Ident,
    edge: &Ident,
    errors: &mut Errors,
) -> Option<EdgeIx> {
    let entity = expect(&resolved.entities, entity, errors)?;
    paths::hop(resolved, entity, edge, errors).map(|(hop, ..)| hop.edge)
}

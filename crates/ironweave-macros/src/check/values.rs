//! Values in arcs: which columns they go to, that all are given, and where they come from.

use proc_macro2::Ident;
use quote::ToTokens;
use syn::Type;

use super::entities::Resolved;
use super::events::Scope;
use super::model::{Assign, By, Cardinality, Column, FieldKind, Literal, Source, Typed, TypedFrom};
use super::names::plain;
use super::{paths, types};
use crate::errors::{Errors, did_you_mean};
use crate::parse::ast;

/// The column of a field that may be set.
pub fn settable(
    resolved: &Resolved,
    entity: usize,
    name: &Ident,
    errors: &mut Errors,
) -> Option<usize> {
    let def = &resolved.entities[entity];
    let of = &def.name;
    match def
        .fields
        .iter()
        .find(|field| field.name == *name)
        .map(|field| field.kind)
    {
        Some(FieldKind::Column(column)) if resolved.columns[column].key => {
            errors.at(
                name,
                format!("`{name}` is the key of `{of}`, which never changes"),
            );
            None
        }
        Some(FieldKind::Column(column)) => Some(column),
        Some(FieldKind::End(_)) => {
            errors.at(
                name,
                format!(
                    "`{name}` is an edge of `{of}`: it changes by `link`, `unlink` and `relink`"
                ),
            );
            None
        }
        Some(FieldKind::Broken) => None,
        None => {
            let known: Vec<String> = def
                .fields
                .iter()
                .filter(
                    |field| matches!(field.kind, FieldKind::Column(c) if !resolved.columns[c].key),
                )
                .map(|field| plain(&field.name))
                .collect();
            let hint = did_you_mean(&plain(name), known.iter().map(String::as_str));
            errors.at(name, format!("`{of}` has no field `{name}`{hint}"));
            None
        }
    }
}

/// The column of a piece of data of a state.
pub fn state_data(
    resolved: &Resolved,
    entity: usize,
    state: usize,
    name: &Ident,
    errors: &mut Errors,
) -> Option<usize> {
    let def = &resolved.entities[entity].states[state];
    let column = |c: &&usize| resolved.columns[**c].name == *name;
    let found = def.data.iter().find(column).copied();
    if found.is_none() {
        let known: Vec<String> = def
            .data
            .iter()
            .map(|c| plain(&resolved.columns[*c].name))
            .collect();
        let hint = did_you_mean(&plain(name), known.iter().map(String::as_str));
        errors.at(
            name,
            format!("the state `{}` has no field `{name}`{hint}", def.name),
        );
    }
    found
}

/// Resolves `{ a, b = expr }` against the columns that must be given, all of them and once.
pub fn assigns(
    scope: &mut Scope<'_>,
    given: &[&ast::Assign],
    wanted: &[usize],
    (at, what): (&Ident, &str),
    errors: &mut Errors,
) -> Vec<Assign> {
    let resolved = scope.resolved;
    let columns: &[Column] = &resolved.columns;
    let (mut out, mut seen, mut unknown) = (Vec::new(), Vec::new(), false);
    for assign in given {
        let name = &assign.name;
        let Some(column) = wanted.iter().copied().find(|c| columns[*c].name == *name) else {
            let known: Vec<String> = wanted.iter().map(|c| plain(&columns[*c].name)).collect();
            let hint = did_you_mean(&plain(name), known.iter().map(String::as_str));
            errors.at(name, format!("{what} has no field `{name}`{hint}"));
            unknown |= hint.contains("did you mean");
            continue;
        };
        if seen.contains(&column) {
            errors.at(name, format!("`{name}` is given twice"));
            continue;
        }
        seen.push(column);
        let ty = &columns[column].ty;
        out.extend(
            source(scope, ty, name, &assign.value, errors).map(|source| Assign { column, source }),
        );
    }
    let missing: Vec<usize> = wanted
        .iter()
        .copied()
        .filter(|c| !seen.contains(c) && columns[*c].default.is_none())
        .collect();
    if !missing.is_empty() && !unknown {
        let names: Vec<String> = missing.iter().map(|c| plain(&columns[*c].name)).collect();
        let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        let first = &names[0];
        errors.at(
            at,
            format!(
                "{what} needs {}: write `{{ {} }}` for fields of the event, or `{first} = value`",
                quoted.join(", "),
                names.join(", ")
            ),
        );
    }
    out
}

/// Resolves a value for what has a type.
pub fn source(
    scope: &mut Scope<'_>,
    ty: &Type,
    name: &Ident,
    value: &ast::Value,
    errors: &mut Errors,
) -> Option<Source> {
    let event = scope.event;
    match value {
        ast::Value::Time => {
            scope.typed.push(Typed {
                ty: ty.clone(),
                from: TypedFrom::Time,
                at: name.clone(),
            });
            Some(Source::Time)
        }
        ast::Value::Meta(field) => {
            scope.typed.push(Typed {
                ty: ty.clone(),
                from: TypedFrom::Meta(*field),
                at: name.clone(),
            });
            Some(Source::Meta(*field))
        }
        ast::Value::Literal(minus, literal) => {
            let tokens = minus
                .to_token_stream()
                .into_iter()
                .chain(literal.to_token_stream());
            scope.literals.push(Literal {
                ty: ty.clone(),
                tokens: tokens.collect(),
            });
            Some(Source::Literal(scope.literals.len() - 1))
        }
        ast::Value::Of(root, field) => {
            let (name, column) = entity_field(scope, root, field, errors)?;
            scope.typed.push(Typed {
                ty: ty.clone(),
                from: TypedFrom::Column(column),
                at: field.clone(),
            });
            Some(Source::Entity(name, column))
        }
        ast::Value::Field(field) => {
            if let Some(number) = scope.fields.iter().position(|known| known.name == *field) {
                if scope.fields[number].binds.is_some() {
                    errors.at(field, format!("`{field}` is an entity, not a value: write `{field}.field` for a field of it"));
                    return None;
                }
                scope.typed.push(Typed {
                    ty: ty.clone(),
                    from: TypedFrom::Field(number),
                    at: field.clone(),
                });
                return Some(Source::Field(number));
            }
            if scope.names.iter().any(|known| known.name == *field) {
                errors.at(field, format!("`{field}` is an entity, not a value: write `{field}.field` for a field of it"));
                return None;
            }
            let values = scope.fields.iter().filter(|known| known.binds.is_none());
            let known: Vec<String> = values.map(|known| plain(&known.name)).collect();
            let hint = did_you_mean(&plain(field), known.iter().map(String::as_str));
            let ty = types::text(ty);
            let add = if hint.contains("did you mean") {
                hint
            } else {
                format!(": add `pub {field}: {ty}` to it, or write `{name} = value`")
            };
            errors.at(field, format!("`{event}` has no field `{field}`{add}"));
            None
        }
    }
}

/// Resolves `name.field`: the name and the column.
fn entity_field(
    scope: &Scope<'_>,
    root: &Ident,
    field: &Ident,
    errors: &mut Errors,
) -> Option<(usize, usize)> {
    let path = ast::Path {
        root: root.clone(),
        hops: Vec::new(),
    };
    let number = paths::path(scope, &path, errors)?.path.root;
    let name = &scope.names[number];
    if name.count != Cardinality::One {
        errors.at(
            root,
            format!("`{root}` may be none or many: a value comes from exactly one entity"),
        );
        return None;
    }
    if name.by == By::Created && number >= scope.known {
        errors.at(
            root,
            format!("`{root}` is not created yet: write its `create` before this one"),
        );
        return None;
    }
    let resolved = scope.resolved;
    let def = &resolved.entities[name.entity];
    let column_of = |f: &super::model::Field| match f.kind {
        FieldKind::Column(column) if f.name == *field => Some(column),
        _ => None,
    };
    if let Some(column) = def.fields.iter().find_map(column_of) {
        return Some((number, column));
    }
    // State data, where the binding says which state it is in.
    let state = match name.by {
        By::Token(state) => Some(&def.states[state]),
        _ => None,
    };
    let data = state.map_or(&[][..], |state| &state.data);
    if let Some(column) = data.iter().find(|c| resolved.columns[**c].name == *field) {
        return Some((number, *column));
    }
    let known: Vec<String> = (def.fields.iter())
        .filter(|f| matches!(f.kind, FieldKind::Column(_)))
        .map(|f| plain(&f.name))
        .chain(data.iter().map(|c| plain(&resolved.columns[*c].name)))
        .collect();
    let hint = did_you_mean(&plain(field), known.iter().map(String::as_str));
    let of = &def.name;
    let elsewhere =
        (def.states.iter()).find(|s| s.data.iter().any(|c| resolved.columns[*c].name == *field));
    let hint = match elsewhere {
        Some(state) => format!(
            " of its own: it is data of `{0}`, so bind `{root}: {of}<{0}>`",
            state.name
        ),
        None => hint,
    };
    errors.at(field, format!("`{of}` has no field `{field}`{hint}"));
    None
}

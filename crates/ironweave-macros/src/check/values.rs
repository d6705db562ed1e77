//! Values in arcs: which columns they go to, that all are given, and where they come from.

use proc_macro2::Ident;
use quote::ToTokens;

use super::entities::Resolved;
use super::events::Scope;
use super::model::{Assign, Column, FieldKind, Literal, Source, Typed};
use super::names::plain;
use super::types;
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

/// Resolves `{ a, b = expr }` against the columns that must be given, all of them and once.
pub fn assigns(
    scope: &mut Scope<'_>,
    given: &[&ast::Assign],
    wanted: &[usize],
    (at, what): (&Ident, &str),
    errors: &mut Errors,
) -> Vec<Assign> {
    let columns: &[Column] = &scope.resolved.columns;
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
        out.extend(
            source(scope, column, name, &assign.value, errors)
                .map(|source| Assign { column, source }),
        );
    }
    let missing: Vec<usize> = wanted
        .iter()
        .copied()
        .filter(|c| !seen.contains(c))
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

/// Resolves a value for a column.
pub fn source(
    scope: &mut Scope<'_>,
    column: usize,
    name: &Ident,
    value: &ast::Value,
    errors: &mut Errors,
) -> Option<Source> {
    let event = scope.event;
    match value {
        ast::Value::Time => {
            scope.typed.push(Typed {
                column,
                field: None,
                at: name.clone(),
            });
            Some(Source::Time)
        }
        ast::Value::Literal(minus, literal) => {
            if scope.immediate {
                errors.at(
                    literal,
                    "a literal in an immediate event is not supported yet",
                );
                return None;
            }
            let tokens = minus
                .to_token_stream()
                .into_iter()
                .chain(literal.to_token_stream());
            scope.literals.push(Literal {
                column,
                tokens: tokens.collect(),
            });
            Some(Source::Literal(scope.literals.len() - 1))
        }
        ast::Value::Field(field) => {
            if let Some(number) = scope.fields.iter().position(|known| known.name == *field) {
                if scope.fields[number].binds.is_some() {
                    errors.at(field, format!("`{field}` is an entity, not a value"));
                    return None;
                }
                scope.typed.push(Typed {
                    column,
                    field: Some(number),
                    at: field.clone(),
                });
                return Some(Source::Field(number));
            }
            if scope.names.iter().any(|known| known.name == *field) {
                errors.at(field, format!("`{field}` is an entity, not a value"));
                return None;
            }
            let values = scope.fields.iter().filter(|known| known.binds.is_none());
            let known: Vec<String> = values.map(|known| plain(&known.name)).collect();
            let hint = did_you_mean(&plain(field), known.iter().map(String::as_str));
            let ty = types::text(&scope.resolved.columns[column].ty);
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

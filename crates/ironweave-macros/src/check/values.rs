//! Checks the values in arcs: the columns that they are written to, that none is missing, and their sources.

use ironweave_schema::{
    Assign, BindBy, Cardinality, ColumnIx, EntityIx, FieldIx, NameIx, Source, StateIx,
};
use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::Type;

use super::events::Scope;
use super::model::{FieldKind, Literal, LiteralKind, Resolved, Typed, TypedFrom};
use super::names::plain;
use super::table::Ix as _;
use super::{operands, paths, state, types};
use crate::errors::{Errors, did_you_mean};
use crate::parse::ast;

/// The column of a field that may be set.
pub fn settable(
    resolved: &Resolved,
    entity: EntityIx,
    name: &Ident,
    errors: &mut Errors,
) -> Option<ColumnIx> {
    let def = &resolved.entities[entity];
    let of = &def.name;
    match def
        .fields
        .iter()
        .find(|field| field.name == *name)
        .map(|field| field.kind)
    {
        Some(FieldKind::Column(column)) if resolved.schema[column].key => {
            errors.at(
                name,
                format!("`{name}` is the key of `{of}`, and a key never changes"),
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
                    |field| matches!(field.kind, FieldKind::Column(c) if !resolved.schema[c].key),
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
    entity: EntityIx,
    state: StateIx,
    name: &Ident,
    errors: &mut Errors,
) -> Option<ColumnIx> {
    let def = &resolved.entities[entity].states[state];
    let column = |c: &&ColumnIx| resolved.columns[**c].name == *name;
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

/// Resolves `{ a, b = expr }` against the columns that must be given, each exactly once.
pub fn assigns(
    scope: &mut Scope<'_>,
    given: &[&ast::Assign],
    wanted: &[ColumnIx],
    (at, what): (&Ident, &str),
    errors: &mut Errors,
) -> Vec<Assign> {
    let resolved = scope.resolved;
    let columns = &resolved.columns;
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
    let missing: Vec<ColumnIx> = wanted
        .iter()
        .copied()
        .filter(|c| !seen.contains(c) && !has_default(resolved, *c))
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

/// Whether a new entity has a value in a column if none is given. The default of state data is only for entities that were in the state
/// before it had the data.
fn has_default(resolved: &Resolved, column: ColumnIx) -> bool {
    resolved.columns[column].default.is_some() && resolved.schema[column].state.is_none()
}

/// Adds a literal.
fn add(scope: &mut Scope<'_>, ty: &Type, tokens: TokenStream, kind: LiteralKind) -> Source {
    let (ty, text) = (ty.clone(), types::text(&tokens));
    let index = FieldIx::at(scope.fields.len() + scope.literals.len());
    scope.literals.push(Literal { ty, tokens, kind });
    Source::Literal { index, text }
}

/// `T` of `Option<T>`.
pub fn optional(ty: &Type) -> Option<&Type> {
    match (types::named(ty)?, types::argument(ty)) {
        (named, inner) if named.name == "Option" && named.args.len() == 1 => Some(inner),
        _ => None,
    }
}

/// Whether a type is known not to be an alias of `Option`.
fn never_optional(ty: &Type) -> bool {
    let known = ["String", "Vec", "BTreeMap", "BTreeSet", "Box"];
    types::by_value(ty) || types::named(ty).is_some_and(|ty| known.iter().any(|k| ty.name == k))
}

/// Reports a value whose type differs from the expected one only by an `Option` around one of the two, with the change to make.
/// rustc reports other mismatches.
fn wrapped(
    ty: &Type,
    given: &Type,
    (at, what): (&Ident, &str),
    name: &Ident,
    errors: &mut Errors,
) -> bool {
    let (wanted, given) = (types::text(ty), types::text(given));
    let missing = optional(ty).is_some_and(|inner| types::text(inner) == given);
    if !missing && format!("Option<{wanted}>") != given {
        return false;
    }
    // A field of the event is the easiest to change.
    let instead = match at == what {
        true => format!("write `pub {what}: {wanted}` in the event"),
        false => format!("declare it as `{name}: {given}`"),
    };
    errors.at(
        at,
        format!("`{name}` is of type `{wanted}`, and `{what}` of type `{given}`: {instead}"),
    );
    true
}

/// Resolves a value of an expected type.
pub fn source(
    scope: &mut Scope<'_>,
    ty: &Type,
    name: &Ident,
    value: &ast::Value,
    errors: &mut Errors,
) -> Option<Source> {
    match value {
        ast::Value::Time => {
            if wrapped(
                ty,
                &syn::parse_quote!(Timestamp),
                (name, "meta.time"),
                name,
                errors,
            ) {
                return None;
            }
            scope.typed.push(Typed {
                ty: ty.clone(),
                from: TypedFrom::Time,
                at: name.clone(),
            });
            Some(Source::Time)
        }
        ast::Value::Meta(field) => {
            // As it would be written in the model, for the comparison.
            let (given, what): (Type, _) = match field {
                ast::MetaField::Actor => (syn::parse_quote!(Option<String>), "meta.actor"),
                ast::MetaField::Correlation => {
                    (syn::parse_quote!(Option<String>), "meta.correlation")
                }
                ast::MetaField::Causation => (syn::parse_quote!(Option<u64>), "meta.causation"),
            };
            if wrapped(ty, &given, (name, what), name, errors) {
                return None;
            }
            scope.typed.push(Typed {
                ty: ty.clone(),
                from: TypedFrom::Meta(*field),
                at: name.clone(),
            });
            Some(Source::Meta(*field))
        }
        ast::Value::Literal(..) | ast::Value::None(_) | ast::Value::Some(..) => {
            literal(scope, ty, value, Some(name), errors)
        }
        ast::Value::Calculated {
            operator,
            at,
            operands,
        } => operands::calculated_source(scope, ty, (*operator, *at), operands, errors),
        ast::Value::Of(root, state, field) => {
            let (number, column) = entity_field(scope, root, state.as_ref(), field, errors)?;
            let what = format!("{root}.{field}");
            let given = &scope.resolved.columns[column].ty;
            if wrapped(ty, given, (field, &what), name, errors) {
                return None;
            }
            scope.typed.push(Typed {
                ty: ty.clone(),
                from: TypedFrom::Column(column),
                at: field.clone(),
            });
            Some(Source::Entity {
                name: number,
                column,
            })
        }
        ast::Value::Field(field) => {
            let add = |hint: &str| {
                if hint.contains("did you mean") {
                    return hint.to_owned();
                }
                let ty = types::text(ty);
                format!(": add `pub {field}: {ty}` to it, or write `{name} = value`")
            };
            let number = event_field(scope, field, add, errors)?;
            let given = &scope.fields[number].ty;
            if wrapped(ty, given, (field, &plain(field)), name, errors) {
                return None;
            }
            scope.typed.push(Typed {
                ty: ty.clone(),
                from: TypedFrom::Field(number),
                at: field.clone(),
            });
            Some(Source::Field(number))
        }
    }
}

/// The type of a field of the metadata.
pub fn meta_type(field: ast::MetaField) -> Type {
    match field {
        ast::MetaField::Actor | ast::MetaField::Correlation => {
            syn::parse_quote!(::core::option::Option<::std::string::String>)
        }
        ast::MetaField::Causation => syn::parse_quote!(::core::option::Option<u64>),
    }
}

/// Resolves a literal of a type, which is written to `name`, if it is written.
pub fn literal(
    scope: &mut Scope<'_>,
    ty: &Type,
    value: &ast::Value,
    name: Option<&Ident>,
    errors: &mut Errors,
) -> Option<Source> {
    match value {
        ast::Value::Literal(minus, literal) => {
            let tokens = quote!(#minus #literal);
            let kind = match optional(ty) {
                Some(inner) if types::by_value(inner) || types::text(inner) == "String" => {
                    LiteralKind::Some(tokens.clone())
                }
                _ => LiteralKind::Plain,
            };
            Some(add(scope, ty, tokens, kind))
        }
        ast::Value::None(word) | ast::Value::Some(word, ..) if never_optional(ty) => {
            let ty = types::text(ty);
            let message = match name {
                Some(name) => format!(
                    "`{name}` is a `{ty}`, not an `Option`: declare it as `Option<{ty}>`, or write a `{ty}`"
                ),
                None => format!("the other value is a `{ty}`, not an `Option`: write a `{ty}`"),
            };
            errors.at(word, message);
            None
        }
        ast::Value::None(word) => Some(add(scope, ty, quote!(#word), LiteralKind::None)),
        ast::Value::Some(word, minus, literal) => {
            let kind = LiteralKind::Some(quote!(#minus #literal));
            Some(add(scope, ty, quote!(#word(#minus #literal)), kind))
        }
        _ => None,
    }
}

/// Resolves a field of the event that has a value. `add` makes the end of the error for an unknown one from a hint.
pub fn event_field(
    scope: &Scope<'_>,
    field: &Ident,
    add: impl FnOnce(&str) -> String,
    errors: &mut Errors,
) -> Option<FieldIx> {
    let number = scope.fields.position(|known| known.name == *field);
    let is_entity = |number: FieldIx| scope.fields[number].binds.is_some();
    if number.is_some_and(is_entity) || number.is_none() && scope.named(field).is_some() {
        errors.at(
            field,
            format!("`{field}` is an entity, not a value: write `{field}.field` for a field of it"),
        );
        return None;
    }
    if number.is_none() {
        let values = scope.fields.iter().filter(|known| known.binds.is_none());
        let known: Vec<String> = values.map(|known| plain(&known.name)).collect();
        let hint = did_you_mean(&plain(field), known.iter().map(String::as_str));
        let (event, add) = (scope.event, add(&hint));
        errors.at(field, format!("`{event}` has no field `{field}`{add}"));
    }
    number
}

/// Resolves `name.field` or `name.State.field`: the name and the column.
pub fn entity_field(
    scope: &Scope<'_>,
    root: &Ident,
    in_state: Option<&Ident>,
    field: &Ident,
    errors: &mut Errors,
) -> Option<(NameIx, ColumnIx)> {
    let path = ast::Path {
        root: root.clone(),
        hops: Vec::new(),
    };
    let number = paths::path(scope, &path, errors)?.path.root;
    let name = &scope.def[number];
    if name.count != Cardinality::One {
        errors.at(
            root,
            format!(
                "`{root}` may be none or several, but a value is taken from exactly one entity"
            ),
        );
        return None;
    }
    if name.by == BindBy::Created && number.index() >= scope.known {
        errors.at(
            root,
            format!("`{root}` is not created yet: write its `create` before this one"),
        );
        return None;
    }
    let resolved = scope.resolved;
    let def = &resolved.entities[name.entity];
    if let Some(written) = in_state {
        let state = state(resolved, name.entity, written, errors)?;
        let column = state_data(resolved, name.entity, state, field, errors)?;
        return Some((number, column));
    }
    let column_of = |f: &super::model::Field| match f.kind {
        FieldKind::Column(column) if f.name == *field => Some(column),
        _ => None,
    };
    if let Some(column) = def.fields.iter().find_map(column_of) {
        return Some((number, column));
    }
    // State data, if the binding determines the state.
    let state = match name.by {
        BindBy::Token(state) => Some(&def.states[state]),
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
            ", but its state `{0}` has: write `{root}.{0}.{field}`, or bind `{root}: {of}<{0}>`",
            state.name
        ),
        None => hint,
    };
    errors.at(field, format!("`{of}` has no field `{field}`{hint}"));
    None
}

//! Resolves the type of a field of an event to the entities that the field binds, and checks the keys of these.

use ironweave_schema::{BindBy, Cardinality, EntityIx};
use syn::Type;

use super::model::{FieldKind, Resolved};
use super::types::{self, named};
use super::{entities, state};
use crate::errors::Errors;

/// The entities that a field of an event binds: their type, their number, and how the caller identifies them.
pub type Binding = (EntityIx, Cardinality, BindBy);

/// Returns the entities that the type of a field of an event binds, or `None` for a value. A misspelt name is reported and resolved to the suggested one.
pub fn binding(resolved: &Resolved, ty: &Type, errors: &mut Errors) -> Option<Binding> {
    let outer = named(ty)?;
    let wrapper = outer.name.to_string();
    let (inner, count) = match (wrapper.as_str(), outer.args.as_slice()) {
        ("Vec" | "Many", [inner]) => (named(inner)?, Cardinality::Many),
        ("Option", [inner]) => (named(inner)?, Cardinality::Option),
        _ => (outer, Cardinality::One),
    };
    let by_key = inner.name == "Key" || inner.name == "Ensure";
    let bound = if let ([argument], true) = (inner.args.as_slice(), by_key) {
        let name = types::last_segment(argument)?;
        let before = errors.len();
        let entity = entities::meant(&resolved.entities, name, errors)?;
        let by = match inner.name == "Key" {
            true => BindBy::Key,
            false => BindBy::Ensure,
        };
        if errors.len() == before {
            keyed(resolved, entity, by, argument, errors);
        }
        (entity, count, by)
    } else {
        let entity = entities::find(&resolved.entities, inner.name)?;
        let state_name = (inner.args.first()).and_then(|argument| types::last_segment(argument));
        let by = match state_name.filter(|name| *name != "Any") {
            Some(name) => match state(resolved, entity, name, errors) {
                Some(state) => BindBy::Token(state),
                None => BindBy::Handle,
            },
            None => BindBy::Handle,
        };
        (entity, count, by)
    };
    if wrapper == "Many" {
        let inner = types::text(types::argument(ty));
        errors.at(
            ty,
            format!("`Many` is for edges: write `Vec<{inner}>` in an event"),
        );
    }
    Some(bound)
}

/// Returns the corrected type of a field of an event.
pub fn mended(resolved: &Resolved, (entity, count, by): Binding) -> Type {
    let def = &resolved.entities[entity];
    let name = &def.name;
    let one: Type = match by {
        BindBy::Token(state) => {
            let state = &def.states[state].name;
            syn::parse_quote!(#name<#state>)
        }
        BindBy::Key => syn::parse_quote!(::ironweave::Key<#name>),
        BindBy::Ensure => syn::parse_quote!(::ironweave::Ensure<#name>),
        BindBy::Handle | BindBy::Created | BindBy::Chosen => syn::parse_quote!(#name),
    };
    match count {
        Cardinality::One => one,
        Cardinality::Option => syn::parse_quote!(::core::option::Option<#one>),
        Cardinality::Many => syn::parse_quote!(::std::vec::Vec<#one>),
    }
}

/// Returns whether an entity can be created from its key alone.
pub fn can_be_ensured(resolved: &Resolved, entity: EntityIx) -> bool {
    let mut errors = Errors::default();
    let name = &resolved.entities[entity].name;
    keyed(resolved, entity, BindBy::Ensure, name, &mut errors);
    errors.len() == 0
}

/// Checks that an entity can be found, or created, by its key alone.
pub fn keyed(
    resolved: &Resolved,
    entity: EntityIx,
    by: BindBy,
    at: &dyn quote::ToTokens,
    errors: &mut Errors,
) {
    let def = &resolved.entities[entity];
    let name = &def.name;
    if def.key.is_empty() {
        errors.at(
            at,
            format!("`{name}` has no key: put `#[key]` on one of its fields"),
        );
    }
    if by != BindBy::Ensure {
        return;
    }
    let cannot = |why: String| format!("`Ensure<{name}>` cannot create a `{name}`: {why}");
    for field in &def.fields {
        let other = match field.kind {
            FieldKind::Column(c) => {
                let column = &resolved.schema[c];
                !column.key && column.default.is_none() && !def.key.is_empty()
            }
            FieldKind::End(_) | FieldKind::Broken => false,
        };
        if other {
            errors.at(
                at,
                cannot(format!("its field `{}` has no `#[default]`", field.name)),
            );
        }
        if matches!(field.kind, FieldKind::End(end) if end.cardinality == Cardinality::One) {
            errors.at(
                at,
                cannot(format!("its edge `{}` must hold exactly one", field.name)),
            );
        }
    }
    let initial = &def.states[resolved.schema[entity].initial];
    if !initial.data.is_empty() {
        errors.at(
            at,
            cannot(format!("its initial state `{}` has data", initial.name)),
        );
    }
}

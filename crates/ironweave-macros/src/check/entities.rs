//! Resolves entities: classifies their fields as values and ends of edges, and pairs the ends.

use std::collections::BTreeSet;

use ironweave_schema::{
    Cardinality, ColumnDef, ColumnIx, EntityDef, EntityIx, IndexKind, OnDelete, StateIx,
};
use proc_macro2::Ident;
use quote::ToTokens as _;
use syn::Type;
use syn::punctuated::Punctuated;

use super::edges::{Written, pair};
use super::model::{Column, Default, Entity, Field, FieldEnd, FieldKind, Resolved};
use super::names::plain;
use super::renamed::former_names;
use super::table::{Ix as _, Table};
use super::types::{self, mentions, named};
use super::{indexes, lifecycle};
use crate::errors::{Errors, did_you_mean, nearest};
use crate::parse::ast;

/// The entities of a model.
type Entities = Table<EntityIx, Entity>;

/// Finds the entity of that name.
pub fn find(entities: &Entities, name: &Ident) -> Option<EntityIx> {
    entities.position(|entity| entity.name == *name)
}

/// Finds the entity of that name, or reports an error with a suggestion.
pub fn expect(entities: &Entities, name: &Ident, errors: &mut Errors) -> Option<EntityIx> {
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

/// As [`expect`], but after the error a misspelt name is resolved to the suggested one.
pub fn meant(entities: &Entities, name: &Ident, errors: &mut Errors) -> Option<EntityIx> {
    expect(entities, name, errors).or_else(|| {
        let known: Vec<String> = entities.iter().map(|e| plain(&e.name)).collect();
        let meant = nearest(&plain(name), known.iter().map(String::as_str))?;
        known
            .iter()
            .position(|name| name == meant)
            .map(EntityIx::at)
    })
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
    let mut resolved: Resolved = std::default::Default::default();
    let (mut ends, mut excused) = (Vec::new(), BTreeSet::new());
    let mut indexes = Vec::new();
    for (number, (mut entity, lifecycle)) in entities.into_iter().zip(lifecycles).enumerate() {
        let number = EntityIx::at(number);
        no_derive(&mut entity.attrs, &entity.name, errors);
        indexes.extend(entity.indexes.into_iter().map(|index| (number, index)));
        let mut key = Vec::new();
        let mut fields = Vec::new();
        for mut field in entity.fields {
            let before = errors.len();
            let kind = if let Some((cardinality, other)) = edge_type(&field, &names, errors) {
                let options = edge_options(&mut field, cardinality, other == number, errors);
                ends.push(Written {
                    entity: number,
                    field: fields.len(),
                    name: field.name.clone(),
                    other,
                    cardinality,
                    options,
                    inverse: field.inverse.clone(),
                    unread: field.unread,
                    renamed: former_names(&field.renamed),
                });
                let forward = field.inverse.is_none() && !field.unread;
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
                value_field(&mut field, &names, errors);
                let index = field.index.filter(|_| !types::is_float(&field.ty));
                let index = index.map(|index| kind(index.ordered));
                let default = default(&field.ty, field.default);
                let column = Column {
                    attrs: Vec::new(),
                    name: field.name.clone(),
                    default: default.filter(|_| field.key.is_none()),
                    ty: field.ty,
                    hidden: false,
                };
                let of_key = field.key.is_some();
                let column = add(&mut resolved, number, (of_key, index), column);
                resolved.schema.columns[column.index()].renamed = former_names(&field.renamed);
                if of_key {
                    key.push(column);
                }
                FieldKind::Column(column)
            };
            fields.push(Field {
                attrs: field.attrs,
                vis: field.vis,
                name: field.name,
                kind,
                hidden: false,
            });
        }
        let mut states = lifecycle.states;
        for (state, data) in lifecycle.data.into_iter().enumerate() {
            let state = StateIx::at(state);
            for mut data in data {
                no_entity(&data.ty, "state data", &names, errors);
                types::value(&mut data.ty, errors);
                if data.index.is_some() {
                    no_float(&data.ty, "an index", &data.ty, errors);
                }
                let index = data.index.filter(|_| !types::is_float(&data.ty));
                let index = index.map(|index| kind(index.ordered));
                let column = Column {
                    attrs: data.attrs,
                    name: data.name,
                    ty: data.ty,
                    default: written_default(data.default),
                    hidden: false,
                };
                let column = add(&mut resolved, number, (false, index), column);
                let def = &mut resolved.schema.columns[column.index()];
                def.state = Some(state);
                def.renamed = former_names(&data.renamed);
                states[state].data.push(column);
            }
        }
        resolved.schema.entities.push(EntityDef {
            name: plain(&entity.name),
            states: lifecycle.defs,
            initial: lifecycle.initial,
            renamed: former_names(&entity.renamed),
            ..EntityDef::default()
        });
        resolved.entities.push(Entity {
            attrs: entity.attrs,
            vis: entity.vis,
            name: entity.name,
            fields,
            key,
            states_attrs: lifecycle.attrs,
            states_name: lifecycle.name,
            states,
        });
    }
    pair(&ends, excused, &mut resolved, errors);
    indexes::resolve(indexes, &mut resolved, errors);
    resolved
}

/// The kind of an index.
pub fn kind(ordered: bool) -> IndexKind {
    match ordered {
        true => IndexKind::Ordered,
        false => IndexKind::Equal,
    }
}

/// Refuses a float as a key or in an index, at some tokens.
pub fn no_float(ty: &Type, what: &str, at: impl quote::ToTokens, errors: &mut Errors) {
    if types::is_float(ty) {
        let ty = types::text(ty);
        errors.at(
            at,
            format!("`{ty}` cannot be {what}, because NaN is not equal to itself: use an integer, for example of cents"),
        );
    }
}

/// Adds a column to the schema and to the table.
fn add(
    resolved: &mut Resolved,
    entity: EntityIx,
    (key, index): (bool, Option<IndexKind>),
    column: Column,
) -> ColumnIx {
    let default = column.default.as_ref().map(default_text);
    resolved.schema.columns.push(ColumnDef {
        entity,
        name: plain(&column.name),
        ty: types::text(&column.ty),
        key,
        index,
        default,
        ..ColumnDef::default()
    });
    resolved.columns.push(column)
}

/// Returns a default as text, for the schema.
pub fn default_text(default: &Default) -> String {
    match default {
        Default::None => "None".to_string(),
        Default::OfType => "default".to_string(),
        Default::Value(value) => types::text(value),
    }
}

/// Removes derives of these names, and returns the removed ones.
pub fn take_derives(attrs: &mut [syn::Attribute], names: &[&str]) -> Vec<syn::Path> {
    let mut taken = Vec::new();
    for attr in attrs
        .iter_mut()
        .filter(|attr| attr.path().is_ident("derive"))
    {
        let list = Punctuated::<syn::Path, syn::Token![,]>::parse_terminated;
        // rustc reports what does not parse.
        let Ok(paths) = attr.parse_args_with(list) else {
            continue;
        };
        let is_named = |path: &syn::Path| {
            let last = path.segments.last();
            last.is_some_and(|last| names.iter().any(|name| last.ident == name))
        };
        let (found, kept): (Vec<_>, Vec<_>) = paths.into_iter().partition(is_named);
        if !found.is_empty() {
            *attr = syn::parse_quote!(#[derive(#(#kept),*)]);
        }
        taken.extend(found);
    }
    taken
}

/// Refuses and removes derives on an entity, which becomes a handle.
fn no_derive(attrs: &mut Vec<syn::Attribute>, name: &Ident, errors: &mut Errors) {
    for attr in attrs.extract_if(.., |attr| attr.path().is_ident("derive")) {
        errors.at(
            attr.path(),
            format!(
                "`{name}` becomes a handle, which has Copy, Debug, Eq, Ord, Hash and serde already: \
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
) -> Option<(Cardinality, EntityIx)> {
    let number = |name: &Ident| names.iter().position(|n| n == name).map(EntityIx::at);
    let ty = named(&field.ty)?;
    if let Some(entity) = number(ty.name) {
        if !ty.args.is_empty() {
            errors.at(
                &field.ty,
                format!(
                    "an edge leads to a `{0}` in any state: write `{0}`",
                    ty.name
                ),
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
        // The edge is resolved to the suggested entity, so that one mistake causes one error.
        let meant = nearest(&name, known.iter().map(String::as_str))?;
        let meant = known.iter().position(|name| name == meant)?;
        let meant = EntityIx::at(meant);
        let many = wrapper == "Many";
        let cardinality = if many {
            Cardinality::Many
        } else {
            Cardinality::Option
        };
        return Some((cardinality, meant));
    };
    if inner.is_some_and(|inner| !inner.args.is_empty()) {
        let name = &names[entity.index()];
        errors.at(
            argument,
            format!("an edge leads to a `{name}` in any state: write `{wrapper}<{name}>`"),
        );
    }
    match wrapper.as_str() {
        "Option" => Some((Cardinality::Option, entity)),
        "Many" => Some((Cardinality::Many, entity)),
        "Vec" | "BTreeSet" | "HashSet" => {
            let name = &names[entity.index()];
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

/// The default of a field.
fn default(ty: &Type, written: Option<ast::Default>) -> Option<Default> {
    written_default(written).or_else(|| {
        named(ty)
            .is_some_and(|ty| ty.name == "Option" && ty.args.len() == 1)
            .then_some(Default::None)
    })
}

/// The default that an attribute gives.
fn written_default(written: Option<ast::Default>) -> Option<Default> {
    written.map(|default| match default.value {
        None => Default::OfType,
        Some(value) => Default::Value(value.into_token_stream()),
    })
}

/// Checks a field that is a value.
fn value_field(field: &mut ast::Field, names: &[Ident], errors: &mut Errors) {
    if let (Some(_), Some(index)) = (&field.key, &field.index) {
        errors.at(
            &index.word,
            "a key is indexed already: remove the `#[index]`",
        );
    }
    if let (Some(_), Some(default)) = (&field.key, &field.default) {
        errors.at(
            &default.word,
            "a key must be given when an entity is created: remove the `#[default]`",
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
    if field.key.is_some() {
        no_float(&field.ty, "a key", &field.ty, errors);
    } else if field.index.is_some() {
        no_float(&field.ty, "an index", &field.ty, errors);
    }
    no_entity(&field.ty, "a value", names, errors);
    types::value(&mut field.ty, errors);
}

/// The options of an end of an edge, including those of the whole edge.
pub struct EndOptions {
    /// The minimum number of links.
    pub min: u32,
    /// The maximum number of links.
    pub max: Option<u32>,
    /// The policy when the entity at this end is deleted.
    pub on_delete: OnDelete,
    /// Whether the entities at the other end are counted by state.
    pub counted: bool,
    /// The type of the data of the links.
    pub data: Option<Type>,
    /// The data of links that were made before the edge had data.
    pub default: Option<Default>,
    /// Whether the links must form no cycle.
    pub acyclic: bool,
}

/// Checks the attributes of an edge.
fn edge_options(
    field: &mut ast::Field,
    cardinality: Cardinality,
    to_itself: bool,
    errors: &mut Errors,
) -> EndOptions {
    let value_only = [
        (field.key.as_ref(), "a key"),
        (field.index.as_ref().map(|i| &i.word), "an index"),
    ];
    for (word, what) in value_only {
        if let Some(word) = word {
            let message = format!("{what} is for a value, but `{}` is an edge", field.name);
            errors.at(word, message);
        }
    }
    let has_data = field.edge.as_ref().is_some_and(|edge| edge.data.is_some());
    if let Some(default) = field.default.as_ref().filter(|_| !has_data) {
        errors.at(
            &default.word,
            format!(
                "a default is for a value, but `{}` is an edge: on an edge with `data = Type` it would be the data of links that were \
                 made before the edge had data",
                field.name
            ),
        );
    }
    let inverse = field.inverse.is_some();
    let (min, max) = match cardinality {
        Cardinality::One => (1, Some(1)),
        Cardinality::Option => (0, Some(1)),
        Cardinality::Many => (0, None),
    };
    let mut options = EndOptions {
        min,
        max,
        on_delete: if inverse {
            OnDelete::Restrict
        } else {
            OnDelete::Unlink
        },
        counted: false,
        data: None,
        default: None,
        acyclic: false,
    };
    let Some(edge) = &field.edge else {
        return options;
    };
    match (&edge.bounds, cardinality) {
        (Some(word), Cardinality::One | Cardinality::Option) => errors.at(
            word,
            "`min` and `max` are for `Many`: `T` is exactly one, `Option<T>` at most one",
        ),
        (Some(word), Cardinality::Many) => {
            options.min = edge.min.unwrap_or(0);
            options.max = edge.max;
            if edge.max.is_some_and(|max| max < options.min || max == 0) {
                errors.at(
                    word,
                    "`max` is less than `min` or 0: nothing could be linked",
                );
            }
        }
        (None, _) => {}
    }
    let declared_here = [
        (edge.data.as_ref().map(|(word, _)| word), "data"),
        (edge.acyclic.as_ref(), "acyclic"),
    ];
    for (word, what) in declared_here {
        if let (Some(word), true) = (word, inverse) {
            let message = format!(
                "`{what}` belongs to the whole edge: write it at the end without `#[inverse]`"
            );
            errors.at(word, message);
        }
    }
    if let (Some(word), false, false) = (&edge.acyclic, to_itself, inverse) {
        let message =
            "only an edge from an entity type to itself can have a cycle: remove `acyclic`";
        errors.at(word, message);
    }
    if let (Some(word), true) = (&edge.counted, cardinality != Cardinality::Many) {
        errors.at(
            word,
            "`counted` is for `Many`: remove it from an end that holds at most one",
        );
    }
    options.on_delete = edge.on_delete.unwrap_or(options.on_delete);
    options.counted = edge.counted.is_some();
    options.acyclic = edge.acyclic.is_some();
    options.data = edge.data.as_ref().map(|(_, ty)| ty.clone());
    options.default = written_default(field.default.take()).filter(|_| has_data);
    if let Some(ty) = &mut options.data {
        types::value(ty, errors);
    }
    options
}

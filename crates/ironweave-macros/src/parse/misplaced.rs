//! Attributes of ironweave on what they are not for: each is reported with where it goes, and taken off, so that rustc does
//! not report it once more.

use proc_macro2::Ident;
use syn::{Attribute, Fields, Item, ItemEnum, ItemStruct};

use super::attrs::is_ours;
use crate::errors::Errors;

/// Where an attribute of ours goes.
pub fn place_of(name: &str) -> &'static str {
    match name {
        "entity" => "a struct with named fields",
        "event" | "immediate" => "a struct with named fields, or with none",
        "invariant" => "a struct without fields",
        "states" => "an enum",
        "key" | "index" | "default" | "inverse" | "edge" => "a field of an `#[entity]`",
        "initial" | "terminal" | "to" => "a state, which is a variant of a `#[states(..)]` enum",
        _ => "a struct that is an `#[event]` or `#[immediate]`",
    }
}

fn name_of(attr: &Attribute) -> Option<&Ident> {
    attr.path()
        .get_ident()
        .filter(|name| is_ours(&name.to_string()))
}

/// Reports our attributes on an item of the user's own.
fn strip(attrs: &mut Vec<Attribute>, what: &str, errors: &mut Errors) {
    attrs.retain(|attr| {
        let Some(name) = name_of(attr) else {
            return true;
        };
        let place = place_of(&name.to_string());
        errors.at(
            &attr.meta,
            format!("`#[{name}]` goes on {place}, and not on {what}"),
        );
        false
    });
}

/// A struct that is none of ours.
pub fn structure(item: &mut ItemStruct, errors: &mut Errors) {
    let name = &item.ident;
    strip(
        &mut item.attrs,
        &format!("`{name}`, a struct without `#[event]` or `#[entity]`"),
        errors,
    );
    if is_derived(&item.attrs) {
        return;
    }
    if let Fields::Named(fields) = &mut item.fields {
        for field in &mut fields.named {
            let what = format!("one of `{name}`: write `#[entity]` before that");
            strip(&mut field.attrs, &what, errors);
        }
    }
}

/// An enum that is none of ours. `#[default]` on its variants is for `#[derive(Default)]`.
pub fn enumeration(item: &mut ItemEnum, errors: &mut Errors) {
    strip(
        &mut item.attrs,
        &format!("`{}`, an enum", item.ident),
        errors,
    );
}

/// Whether the variants of an enum are marked as states are; it is reported that `#[states(..)]` is missing.
pub fn has_states(item: &ItemEnum, errors: &mut Errors) -> bool {
    let name = &item.ident;
    let mark = |attr: &&Attribute| {
        ["initial", "terminal"]
            .iter()
            .any(|m| attr.path().is_ident(m))
    };
    let Some(mark) = item.variants.iter().find_map(|v| v.attrs.iter().find(mark)) else {
        return false;
    };
    let text = name.to_string();
    let entity = text.strip_suffix("State").unwrap_or("Entity");
    errors.at(
        &mark.meta,
        format!(
            "`{name}` has states, and belongs to no entity: write `#[states({entity})]` before it"
        ),
    );
    true
}

/// Other derives have attributes of the same names.
fn is_derived(attrs: &[Attribute]) -> bool {
    attrs.iter().any(|attr| attr.path().is_ident("derive"))
}

/// An item that is neither a struct nor an enum; of a module, what is in it.
pub fn other(item: &mut Item, errors: &mut Errors) {
    let (attrs, what) = match item {
        Item::Const(item) => (&mut item.attrs, "a constant"),
        Item::Fn(item) => (&mut item.attrs, "a function"),
        Item::Impl(item) => (&mut item.attrs, "an `impl`"),
        Item::Static(item) => (&mut item.attrs, "a static"),
        Item::Trait(item) => (&mut item.attrs, "a trait"),
        Item::Type(item) => (&mut item.attrs, "another name of a type"),
        Item::Union(item) => (&mut item.attrs, "a union"),
        Item::Use(item) => (&mut item.attrs, "an import"),
        Item::Mod(item) => {
            for inner in item.content.iter_mut().flat_map(|(_, items)| items) {
                nested(inner, &item.ident, errors);
            }
            (&mut item.attrs, "a module")
        }
        _ => return,
    };
    strip(attrs, what, errors);
}

/// An item in a module within the model.
fn nested(item: &mut Item, module: &Ident, errors: &mut Errors) {
    let attrs = match item {
        Item::Struct(item) => &mut item.attrs,
        Item::Enum(item) => &mut item.attrs,
        item => return other(item, errors),
    };
    let mut reported = false;
    attrs.retain(|attr| {
        let Some(name) = name_of(attr) else {
            return true;
        };
        if !std::mem::replace(&mut reported, true) {
            errors.at(
                &attr.meta,
                format!(
                    "`#[{name}]` is read in the model's module only: move this out of `{module}`"
                ),
            );
        }
        false
    });
    if !reported {
        return;
    }
    // What stands inside means nothing without it.
    let inner = match item {
        Item::Struct(item) => item.fields.iter_mut().map(|f| &mut f.attrs).collect(),
        Item::Enum(item) => item.variants.iter_mut().map(|v| &mut v.attrs).collect(),
        _ => Vec::new(),
    };
    for attrs in inner {
        attrs.retain(|attr| name_of(attr).is_none());
    }
}

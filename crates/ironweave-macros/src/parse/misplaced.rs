//! Attributes of ironweave on items that they do not apply to. Each is reported, with the items that it applies to, and removed, so that
//! rustc does not report it again.

use proc_macro2::Ident;
use syn::{Attribute, Fields, Item, ItemEnum, ItemStruct};

use super::attrs::is_ours;
use crate::errors::Errors;

/// The items that an attribute of ours applies to.
pub fn place_of(name: &str) -> &'static str {
    match name {
        "entity" => "a struct with named fields",
        "event" | "immediate" => "a struct with named fields, or with none",
        "invariant" => "a struct without fields",
        "states" => "an enum",
        "key" | "index" | "inverse" | "edge" => "a field of an `#[entity]`",
        "default" => "a field of an `#[entity]` or `#[event]`, or data of a state",
        "renamed" => "an item of the model that has a name",
        "initial" | "terminal" | "to" => "a state, which is a variant of a `#[states(..)]` enum",
        _ => "a struct that is an `#[event]` or `#[immediate]`",
    }
}

fn name_of(attr: &Attribute) -> Option<&Ident> {
    attr.path()
        .get_ident()
        .filter(|name| is_ours(&name.to_string()))
}

/// Reports and removes our attributes on another item.
fn strip(attrs: &mut Vec<Attribute>, what: &str, errors: &mut Errors) {
    attrs.retain(|attr| {
        let Some(name) = name_of(attr) else {
            return true;
        };
        let place = place_of(&name.to_string());
        errors.at(
            &attr.meta,
            format!("`#[{name}]` belongs on {place}, not on {what}"),
        );
        false
    });
}

/// A struct without an attribute of ours.
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
            let what = format!("a field of `{name}`: add `#[entity]` to `{name}`");
            strip(&mut field.attrs, &what, errors);
        }
    }
}

/// An enum without an attribute of ours. `#[default]` on its variants is for `#[derive(Default)]`.
pub fn enumeration(item: &mut ItemEnum, errors: &mut Errors) {
    strip(
        &mut item.attrs,
        &format!("`{}`, an enum", item.ident),
        errors,
    );
}

/// Whether the variants of an enum have attributes of states; if so, the missing `#[states(..)]` is reported.
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
        format!("`{name}` has states but names no entity: add `#[states({entity})]` to it"),
    );
    true
}

/// Whether the item has derives, which may have attributes of the same names.
fn is_derived(attrs: &[Attribute]) -> bool {
    attrs.iter().any(|attr| attr.path().is_ident("derive"))
}

/// An item that is neither a struct nor an enum; for a module, also the items in it.
pub fn other(item: &mut Item, errors: &mut Errors) {
    let (attrs, what) = match item {
        Item::Const(item) => (&mut item.attrs, "a constant"),
        Item::Fn(item) => (&mut item.attrs, "a function"),
        Item::Impl(item) => (&mut item.attrs, "an `impl`"),
        Item::Static(item) => (&mut item.attrs, "a static"),
        Item::Trait(item) => (&mut item.attrs, "a trait"),
        Item::Type(item) => (&mut item.attrs, "a type alias"),
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
                    "`#[{name}]` is allowed only directly in the model's module: move this item out of `{module}`"
                ),
            );
        }
        false
    });
    if !reported {
        return;
    }
    // Attributes inside the item have no meaning without that of the item.
    let inner = match item {
        Item::Struct(item) => item.fields.iter_mut().map(|f| &mut f.attrs).collect(),
        Item::Enum(item) => item.variants.iter_mut().map(|v| &mut v.attrs).collect(),
        _ => Vec::new(),
    };
    for attrs in inner {
        attrs.retain(|attr| name_of(attr).is_none());
    }
}

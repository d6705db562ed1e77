//! Parses tokens to an [`ast`]: the items of the module, sorted by their roles.
//!
//! An item or attribute that does not parse is reported and left out; the rest is kept.

pub mod arcs;
pub mod ast;
pub mod attrs;
pub mod choose;
mod indexes;
mod misplaced;
mod serde;
pub mod values;

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::parse::ParseStream;
use syn::{
    AttrStyle, Fields, Generics, Item, ItemEnum, ItemMod, ItemStruct, Token, Visibility, bracketed,
};

use crate::check::types::{argument, mentions, named as named_type, text};
use crate::errors::Errors;
use ast::{
    Data, Entity, Event, EventField, Field, FieldDefault, Invariant, Lifecycle, LinkKind, Module,
    State,
};
use attrs::{Ours, respell, split};

/// Attributes that an event may carry.
const ON_EVENT: [&str; 14] = [
    "create", "choose", "delete", "moves", "link", "unlink", "relink", "set", "when", "may",
    "guard", "renamed", "upcast", "due",
];

/// Parses the module. `None` (with an error) if it is not an inline module at all.
pub fn module(item: TokenStream, errors: &mut Errors) -> Option<Module> {
    let module: ItemMod = match syn::parse2(item.clone()) {
        Ok(module) => module,
        Err(_) if syn::parse2::<Item>(item.clone()).is_ok() => {
            errors.at(
                item,
                "`#[ironweave::model]` belongs on an inline module: `pub mod name { .. }`",
            );
            return None;
        }
        Err(error) => {
            errors.add(error);
            return None;
        }
    };
    let Some((_, items)) = module.content else {
        let name = &module.ident;
        errors.at(
            module.mod_token,
            format!(
                "write the module inline, as `mod {name} {{ .. }}`: an attribute cannot read other files"
            ),
        );
        return None;
    };
    let mut attrs = module.attrs;
    // `//!` inside the module is emitted in front of it.
    attrs
        .iter_mut()
        .for_each(|attr| attr.style = AttrStyle::Outer);
    let mut ast = Module {
        attrs,
        vis: module.vis,
        name: module.ident,
        entities: Vec::new(),
        lifecycles: Vec::new(),
        events: Vec::new(),
        invariants: Vec::new(),
        others: Vec::new(),
    };
    for item in items {
        match item {
            Item::Struct(item) => structure(item, &mut ast, errors),
            Item::Enum(item) => enumeration(item, &mut ast, errors),
            mut item => {
                misplaced::other(&mut item, errors);
                ast.others.push(item);
            }
        }
    }
    promote(&mut ast, errors);
    Some(ast)
}

/// The first attribute that determines the role of an item.
fn role(attrs: &[syn::Attribute], roles: &[&str]) -> Option<String> {
    attrs
        .iter()
        .filter_map(|attr| attr.path().get_ident())
        .map(Ident::to_string)
        .find(|name| roles.contains(&name.as_str()))
}

/// A struct: entity, event, invariant, or another item.
fn structure(mut item: ItemStruct, ast: &mut Module, errors: &mut Errors) {
    let roles = ["entity", "event", "immediate", "invariant"];
    if role(&item.attrs, &roles).is_none() {
        respell(&mut item.attrs, &roles, errors);
    }
    match role(&item.attrs, &roles).as_deref() {
        Some("entity") => ast.entities.extend(entity(item, errors)),
        Some("invariant") => ast.invariants.extend(invariant(item, errors)),
        Some(role) => ast.events.extend(event(item, role == "immediate", errors)),
        None => {
            // `promote` decides later whether an entity was meant.
            ast.others.push(Item::Struct(item));
        }
    }
}

/// An enum: states, or another item.
fn enumeration(mut item: ItemEnum, ast: &mut Module, errors: &mut Errors) {
    if role(&item.attrs, &["states"]).is_none() {
        respell(&mut item.attrs, &["states"], errors);
    }
    let is_marked = role(&item.attrs, &["states"]).is_some();
    if is_marked || misplaced::has_states(&item, errors) {
        ast.lifecycles.extend(lifecycle(item, errors));
    } else {
        misplaced::enumeration(&mut item, errors);
        ast.others.push(Item::Enum(item));
    }
}

/// Reports each struct without an attribute that the rest of the model uses as an entity, and makes it an entity.
fn promote(ast: &mut Module, errors: &mut Errors) {
    let mut meant: Vec<Ident> = ast.lifecycles.iter().map(|l| l.entity.clone()).collect();
    for field in ast.entities.iter().flat_map(|entity| &entity.fields) {
        meant.extend(field.inverse.iter().map(|(entity, _)| entity.clone()));
        if named_type(&field.ty).is_some_and(|ty| ty.name == "Many") {
            meant.extend(named_type(argument(&field.ty)).map(|ty| ty.name.clone()));
        }
    }
    for event in &ast.events {
        meant.extend(event.arcs.iter().filter_map(|arc| match arc {
            ast::Arc::Create { entity, .. } => Some(entity.clone()),
            ast::Arc::Choose(choose) if choose.from.hops.is_empty() => {
                Some(choose.from.root.clone())
            }
            _ => None,
        }));
    }
    let others = std::mem::take(&mut ast.others);
    for item in others {
        match item {
            Item::Struct(item) if meant.contains(&item.ident) => {
                let name = &item.ident;
                errors.at(
                    name,
                    format!("the model uses `{name}` as an entity: add `#[entity]` to it"),
                );
                ast.entities.extend(entity(item, errors));
            }
            Item::Struct(mut item) => {
                misplaced::structure(&mut item, errors);
                ast.others.push(Item::Struct(item));
            }
            item => ast.others.push(item),
        }
    }
}

/// Refuses type parameters.
fn plain(generics: &Generics, what: &str, errors: &mut Errors) {
    if !generics.params.is_empty() || generics.where_clause.is_some() {
        errors.at(
            generics,
            format!("type parameters on {what} are not supported yet"),
        );
    }
}

/// Leaves out fields that mention type parameters, which were refused, so that they cause no second error.
fn without_parameters(
    generics: &Generics,
    mut fields: Vec<(Ident, syn::Field)>,
) -> Vec<(Ident, syn::Field)> {
    let parameters: Vec<&Ident> = generics.type_params().map(|p| &p.ident).collect();
    fields.retain(|(_, field)| mentions(&field.ty, |name| parameters.contains(&name)).is_none());
    fields
}

/// The named fields of a struct; tuple structs are reported, unit structs have none.
fn named(fields: Fields, what: &str, errors: &mut Errors) -> Vec<(Ident, syn::Field)> {
    match fields {
        Fields::Named(fields) => fields
            .named
            .into_iter()
            .filter_map(|field| field.ident.clone().map(|name| (name, field)))
            .collect(),
        Fields::Unit => Vec::new(),
        Fields::Unnamed(fields) => {
            errors.at(
                fields,
                format!("{what} has named fields: write `{{ name: Type }}`"),
            );
            Vec::new()
        }
    }
}

fn entity(item: ItemStruct, errors: &mut Errors) -> Option<Entity> {
    let allowed = ["entity", "index", "renamed"];
    let (marks, attrs) = split(item.attrs, "an entity", &allowed, errors);
    let bare = marks.iter().filter(|mark| mark.name == "entity");
    bare.for_each(|mark| mark.bare(errors));
    let indexes = marks.iter().filter(|mark| mark.name == "index");
    let indexes = indexes.filter_map(|mark| indexes::of_entity(mark, errors));
    let indexes = indexes.collect();
    let renamed = attrs::renamed(&marks, errors);
    plain(&item.generics, "entities", errors);
    let fields = named(item.fields, "an entity", errors);
    let fields = without_parameters(&item.generics, fields);
    Some(Entity {
        attrs,
        vis: item.vis,
        name: item.ident,
        fields: fields
            .into_iter()
            .map(|(n, f)| field(n, f, errors))
            .collect(),
        indexes,
        renamed,
    })
}

/// Refuses a field without a visibility, because it would be private to the model.
fn is_public(vis: &Visibility, name: &Ident, ty: &syn::Type, errors: &mut Errors) {
    if matches!(vis, Visibility::Inherited) {
        let ty = text(ty);
        errors.at(
            name,
            format!("`{name}` is private to the model: write `pub {name}: {ty}`, or `pub(self)` if that is intended"),
        );
    }
}

fn field(name: Ident, field: syn::Field, errors: &mut Errors) -> Field {
    is_public(&field.vis, &name, &field.ty, errors);
    let allowed = ["key", "index", "default", "inverse", "edge", "renamed"];
    let (marks, attrs) = split(field.attrs, "a field of an entity", &allowed, errors);
    let mut parsed = Field {
        attrs,
        vis: field.vis,
        name,
        ty: field.ty,
        key: None,
        index: None,
        default: None,
        inverse: None,
        edge: None,
        unread: false,
        renamed: attrs::renamed(&marks, errors),
    };
    for mark in marks {
        match mark.name.to_string().as_str() {
            "key" => {
                mark.bare(errors);
                parsed.key = Some(mark.name);
            }
            "index" => parsed.index = errors.take(indexes::of_value(&mark)),
            "default" => parsed.default = errors.take(attrs::default(&mark)),
            "inverse" => {
                parsed.inverse = mark.parse(errors, attrs::inverse);
                parsed.unread = parsed.inverse.is_none();
            }
            "renamed" => {}
            _ => {
                let word = mark.name.clone();
                parsed.edge = mark.parse(errors, |input| attrs::edge(word, input));
            }
        }
    }
    parsed
}

fn lifecycle(item: ItemEnum, errors: &mut Errors) -> Option<Lifecycle> {
    let (marks, attrs) = split(item.attrs, "a states enum", &["states"], errors);
    plain(&item.generics, "a states enum", errors);
    let parse = |mark: &Ours| mark.parse(&mut *errors, |input| input.parse::<Ident>());
    // While the user is still typing the argument, the entity follows from the name of the enum.
    let entity = marks.first().and_then(parse).or_else(|| {
        let name = item.ident.to_string();
        let entity = syn::parse_str::<Ident>(name.strip_suffix("State")?);
        entity.ok()
    })?;
    let mut states = Vec::new();
    for variant in item.variants {
        let allowed = ["initial", "terminal", "to", "renamed"];
        let (marks, mut attrs) = split(variant.attrs, "a state", &allowed, errors);
        let before = attrs.len();
        attrs.retain(|attr| !allows_unreached(attr));
        let allow_unreached = attrs.len() < before;
        if let Some((equals, number)) = &variant.discriminant {
            errors.at(
                quote!(#equals #number),
                format!(
                    "a state has no discriminant: remove it from `{}`",
                    variant.ident
                ),
            );
        }
        let mut state = State {
            attrs,
            name: variant.ident,
            initial: None,
            terminal: None,
            allow_unreached,
            to: Vec::new(),
            data: Vec::new(),
            unread: false,
            renamed: attrs::renamed(&marks, errors),
        };
        for mark in marks {
            match mark.name.to_string().as_str() {
                "initial" => {
                    mark.bare(errors);
                    state.initial = Some(mark.name);
                }
                "terminal" => {
                    mark.bare(errors);
                    state.terminal = Some(mark.name);
                }
                "renamed" => {}
                _ => match mark.parse(errors, attrs::to) {
                    Some(to) => state.to.extend(to),
                    None => state.unread = true,
                },
            }
        }
        for (name, field) in named(variant.fields, "state data", errors) {
            let allowed = ["default", "index", "renamed"];
            let (marks, attrs) = split(field.attrs, "state data", &allowed, errors);
            let default = marks.iter().find(|mark| mark.name == "default");
            let index = marks.iter().find(|mark| mark.name == "index");
            state.data.push(Data {
                attrs,
                name,
                ty: field.ty,
                default: default.and_then(|mark| errors.take(attrs::default(mark))),
                index: index.and_then(|mark| errors.take(indexes::of_value(mark))),
                renamed: attrs::renamed(&marks, errors),
            });
        }
        states.push(state);
    }
    Some(Lifecycle {
        attrs,
        vis: item.vis,
        name: item.ident,
        entity,
        states,
    })
}

/// Whether it is `#[allow(unreached)]`, which is ours and not a lint of rustc.
fn allows_unreached(attr: &syn::Attribute) -> bool {
    attr.path().is_ident("allow")
        && attr
            .parse_args::<Ident>()
            .is_ok_and(|lint| lint == "unreached")
}

fn event(item: ItemStruct, immediate: bool, errors: &mut Errors) -> Option<Event> {
    let mut allowed = vec![if immediate { "immediate" } else { "event" }];
    allowed.extend(ON_EVENT);
    let derived = serde::is_derived(&item.attrs);
    let (marks, attrs) = split(item.attrs, "an event", &allowed, errors);
    plain(&item.generics, "events", errors);
    let mut event = Event {
        attrs,
        vis: item.vis,
        name: item.ident,
        immediate,
        order: None,
        fields: Vec::new(),
        arcs: Vec::new(),
        written: Vec::new(),
        unread: Vec::new(),
        has_may: false,
        mays: Vec::new(),
        guards: Vec::new(),
        renamed: attrs::renamed(&marks, errors),
        upcasts: Vec::new(),
        due: None,
    };
    for mark in marks.into_iter().filter(|mark| mark.name != "renamed") {
        let before = errors.len();
        let arc = match mark.name.to_string().as_str() {
            "create" => mark.parse(errors, arcs::create),
            "moves" => mark.parse(errors, arcs::moves),
            "link" => mark.parse(errors, |input| arcs::link(LinkKind::Link, input)),
            "unlink" => mark.parse(errors, |input| arcs::link(LinkKind::Unlink, input)),
            "relink" => mark.parse(errors, |input| arcs::link(LinkKind::Relink, input)),
            "set" => mark.parse(errors, arcs::set),
            "delete" => mark.parse(errors, arcs::delete),
            "when" => mark.parse(errors, arcs::when),
            "due" => {
                event.due = mark.parse(errors, attrs::due);
                None
            }
            "choose" => mark.parse(errors, choose::choose),
            "immediate" if !mark.is_bare() => {
                event.order = mark.parse(errors, choose::firing_order);
                event.written.extend(mark.written());
                continue;
            }
            "upcast" => {
                event.upcasts.extend(mark.parse(errors, attrs::upcast));
                continue;
            }
            "may" => {
                event.has_may = true;
                event
                    .mays
                    .extend(mark.parse(errors, arcs::mays).into_iter().flatten());
                None
            }
            "guard" => {
                event
                    .guards
                    .extend(mark.parse(errors, |input| input.parse()));
                None
            }
            _ => {
                mark.bare(errors);
                None
            }
        };
        event.arcs.extend(arc);
        event.written.extend(mark.written());
        if errors.len() > before {
            event.unread.push(mark.name.to_string());
        }
    }
    let fields = named(item.fields, "an event", errors);
    for (name, field) in without_parameters(&item.generics, fields) {
        let allowed = ["default", "renamed"];
        let (marks, mut attrs) = split(field.attrs, "a field of an event", &allowed, errors);
        let mut json = serde::event_field(&name, &mut attrs, derived, errors);
        if let Some(mark) = marks.iter().find(|mark| mark.name == "default") {
            if json.default.is_some() {
                errors.at(
                    &mark.attr.meta,
                    format!(
                        "`{name}` has two defaults: `#[default(..)]` also gives the value of a field that JSON does not have, so remove \
                         the one of serde"
                    ),
                );
            }
            let default = errors.take(attrs::default(mark));
            json.default = default.map(|default| match default.value {
                Some(value) => FieldDefault::Value(value),
                None => FieldDefault::OfType,
            });
        }
        is_public(&field.vis, &name, &field.ty, errors);
        event.fields.push(EventField {
            attrs,
            vis: field.vis,
            name,
            ty: field.ty,
            json,
            renamed: attrs::renamed(&marks, errors),
        });
    }
    Some(event)
}

fn invariant(item: ItemStruct, errors: &mut Errors) -> Option<Invariant> {
    let allowed = ["invariant", "renamed"];
    let (marks, attrs) = split(item.attrs, "an invariant", &allowed, errors);
    let renamed = attrs::renamed(&marks, errors);
    plain(&item.generics, "invariants", errors);
    if !matches!(item.fields, Fields::Unit) {
        errors.at(
            &item.fields,
            "an invariant has no fields: write `pub struct Name;`",
        );
    }
    let arguments = |input: ParseStream<'_>| {
        let entity: Ident = input.parse()?;
        input.parse::<Token![,]>()?;
        let mut via = Vec::new();
        if input.peek(syn::Ident) && input.peek2(Token![=]) {
            let word: Ident = input.parse()?;
            if word != "via" {
                return Err(syn::Error::new(word.span(), "expected `via = [edge, ..]`"));
            }
            input.parse::<Token![=]>()?;
            let content;
            bracketed!(content in input);
            via.extend(content.parse_terminated(<Ident as syn::parse::Parse>::parse, Token![,])?);
            input.parse::<Token![,]>()?;
        }
        let check: syn::Path = input.parse()?;
        input.parse::<Option<Token![,]>>()?;
        Ok((entity, via, check))
    };
    let mark = marks.iter().find(|mark| mark.name == "invariant")?;
    let (entity, via, check) = mark.parse(errors, arguments)?;
    Some(Invariant {
        attrs,
        vis: item.vis,
        name: item.ident,
        entity,
        via,
        check,
        renamed,
    })
}

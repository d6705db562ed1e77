//! The schema as data, and `Model::binding`, which joins it to code.

use proc_macro2::{Literal, TokenStream};
use quote::{quote, quote_spanned};
use syn::Type;
use syn::spanned::Spanned as _;

use super::data::{Data, map};
use super::event::literals_of_immediate;
use super::methods::{equality, is_faithful};
use super::result;
use crate::check::model::{
    Arc, Assign, By, Cardinality, Default, End, Entity, Event, Hop, Index, LinkKind, May,
    MetaField, Model, OnDelete, Path, Quantifier, Source, Whole,
};
use crate::check::names::plain;
use crate::check::types::text;

/// `struct Model` and its implementation.
pub fn binding(model: &Model) -> TokenStream {
    let name = plain(&model.name);
    let doc = format!("The model `{name}`: what a store is opened with.");
    let (value, check_of) = (model.taken.local("value"), model.taken.local("check"));
    let (id, db) = (model.taken.local("id"), model.taken.local("db"));
    let columns = model.columns.iter().map(|column| {
        let ty = &column.ty;
        let only_key = column.key && model.entities[column.entity].key.len() == 1;
        let make = match (only_key, column.index) {
            (true, _) => {
                let entity = &model.entities[column.entity].name;
                quote!(key::<#entity>)
            }
            (_, Some(Index::Equal)) => quote!(indexed::<#ty>),
            (_, Some(Index::Ordered)) => quote!(ordered::<#ty>),
            _ => quote!(of::<#ty>),
        };
        let compared = (!column.key && column.index.is_none()).then(|| compared(ty));
        let default = column.default.as_ref().map(|default| {
            let given = match default {
                Default::None => quote!(::core::option::Option::None),
                Default::OfType => {
                    quote_spanned!(ty.span() => <#ty as ::core::default::Default>::default())
                }
                Default::Value(value) => quote!(::core::convert::From::from(#value)),
            };
            quote!(.or(|| {
                let #value: #ty = #given;
                ::std::boxed::Box::new(#value)
            }))
        });
        quote!(::ironweave::plumbing::ColumnType::#make() #compared #default)
    });
    let data = model.edges.iter().map(|edge| match &edge.data {
        Some(ty) => {
            let compared = compared(ty);
            quote!(::core::option::Option::Some(::ironweave::plumbing::ColumnType::of::<#ty>() #compared))
        }
        None => quote!(::core::option::Option::None),
    });
    let events = model.events.iter().map(|event| {
        let name = &event.name;
        if event.immediate {
            let literals = literals_of_immediate(model, event);
            quote!(::ironweave::plumbing::EventType::immediate(#literals))
        } else {
            quote!(::ironweave::plumbing::EventType::of::<#name>())
        }
    });
    let invariants = model.invariants.iter().map(|invariant| {
        let check = &invariant.check;
        let entity = &model.entities[invariant.entity].name;
        let call = quote_spanned! { check.span() => ::ironweave::plumbing::hold::<#entity, _> };
        let (unit, reader) = (
            result(&quote!(())),
            quote!(::ironweave::plumbing::Reader<'_>),
        );
        quote! {{
            fn #check_of(#id: ::ironweave::Id, #db: &#reader) -> #unit {
                #call(#check, ::ironweave::Handle::from_id(#id), #db)
            }
            #check_of as fn(::ironweave::Id, &#reader) -> #unit
        }}
    });
    let schema = Literal::byte_string(&schema(model).to_cbor());
    quote! {
        #[doc = #doc]
        #[derive(::core::fmt::Debug)]
        #[allow(dead_code)]
        pub struct Model;
        impl ::ironweave::Model for Model {
            const NAME: &'static str = #name;
            type Event = AnyEvent;
            fn binding() -> ::ironweave::plumbing::Binding {
                ::ironweave::plumbing::Binding {
                    schema: ::ironweave::plumbing::schema(#schema),
                    columns: ::std::vec![#(#columns),*],
                    data: ::std::vec![#(#data),*],
                    events: ::std::vec![#(#events),*],
                    invariants: ::std::vec![#(#invariants),*],
                }
            }
        }
    }
}

/// `.compared(..)`, for a type that is none of those that are known to come back as they were.
fn compared(ty: &Type) -> TokenStream {
    if is_faithful(ty) {
        return TokenStream::new();
    }
    let equality = equality(ty);
    quote!(.compared(#equality))
}

/// The schema as data: the fields and variants of `ironweave::schema`.
pub fn schema(model: &Model) -> Data {
    let columns = model.columns.iter().map(|column| {
        let default = column.default.as_ref().map(|default| match default {
            Default::None => "None".to_string(),
            Default::OfType => "default".to_string(),
            Default::Value(value) => text(value),
        });
        map!(
            entity: column.entity,
            state: column.state,
            name: plain(&column.name),
            ty: text(&column.ty),
            key: column.key,
            index: column.index.map(|index| match index {
                Index::Equal => "Equal",
                Index::Ordered => "Ordered",
            }),
            default: default,
        )
    });
    let edges = model.edges.iter().map(|edge| {
        map!(
            from: end(&edge.from),
            to: end(&edge.to),
            data: edge.data.as_ref().map(text),
            acyclic: edge.acyclic,
        )
    });
    let invariants = model.invariants.iter().map(|invariant| {
        map!(
            name: plain(&invariant.name),
            entity: invariant.entity,
            via: Data::list(invariant.via.iter().map(hop)),
            check: text(&invariant.check),
        )
    });
    map!(
        name: plain(&model.name),
        entities: Data::list(model.entities.iter().map(entity)),
        columns: Data::list(columns),
        edges: Data::list(edges),
        events: Data::list(model.events.iter().map(event)),
        invariants: Data::list(invariants),
    )
}

fn entity(entity: &Entity) -> Data {
    let states = entity.states.iter().map(|state| {
        let to = (state.to.iter()).map(|to| map!(to: to.to, verb: plain(&to.verb)));
        map!(name: plain(&state.name), terminal: state.terminal, to: Data::list(to))
    });
    map!(name: plain(&entity.name), states: Data::list(states), initial: entity.initial)
}

fn cardinality(cardinality: Cardinality) -> &'static str {
    match cardinality {
        Cardinality::One => "One",
        Cardinality::Option => "Option",
        Cardinality::Many => "Many",
    }
}

fn end(end: &End) -> Data {
    map!(
        entity: end.entity,
        name: plain(&end.name),
        cardinality: cardinality(end.cardinality),
        min: end.min,
        max: end.max,
        on_delete: match end.on_delete {
            OnDelete::Unlink => "Unlink",
            OnDelete::Restrict => "Restrict",
            OnDelete::Cascade => "Cascade",
        },
        counted: end.counted,
    )
}

fn event(event: &Event) -> Data {
    let fields =
        (event.fields.iter()).map(|field| map!(name: plain(&field.name), ty: text(&field.written)));
    let names = event.names.iter().map(|name| {
        let by = match name.by {
            By::Handle => "Handle".into(),
            By::Token(state) => Data::variant("Token", state),
            By::Key => "Key".into(),
            By::Ensure => "Ensure".into(),
            By::Created => "Created".into(),
        };
        map!(
            name: plain(&name.name), entity: name.entity, count: cardinality(name.count), by: by,
        )
    });
    map!(
        name: plain(&event.name),
        immediate: event.immediate,
        fields: Data::list(fields),
        names: Data::list(names),
        arcs: Data::list(event.arcs.iter().map(|written| arc(event, written))),
        mays: Data::list(event.mays.iter().map(may)),
        guards: Data::list(event.guards.iter().map(text)),
    )
}

fn hop(hop: &Hop) -> Data {
    map!(edge: hop.edge, forward: hop.forward)
}

fn path(path: &Path) -> Data {
    map!(root: path.root, hops: Data::list(path.hops.iter().map(hop)))
}

fn assign(event: &Event, assign: &Assign) -> Data {
    map!(column: assign.column, source: source(event, assign.source))
}

fn source(event: &Event, source: Source) -> Data {
    match source {
        Source::Field(field) => Data::variant("Field", field),
        Source::Time => "Time".into(),
        Source::Meta(field) => Data::variant(
            "Meta",
            match field {
                MetaField::Actor => "Actor",
                MetaField::Correlation => "Correlation",
                MetaField::Causation => "Causation",
            },
        ),
        Source::Literal(literal) => {
            let text = text(&event.literals[literal].tokens);
            Data::variant(
                "Literal",
                map!(index: event.fields.len() + literal, text: text),
            )
        }
        Source::Entity(name, column) => Data::variant("Entity", map!(name: name, column: column)),
    }
}

fn assigns(event: &Event, values: &[Assign]) -> Data {
    Data::list(values.iter().map(|value| assign(event, value)))
}

fn arc(event: &Event, arc: &Arc) -> Data {
    match arc {
        Arc::Create {
            name,
            state,
            values,
        } => Data::variant(
            "Create",
            map!(name: *name, state: *state, values: assigns(event, values)),
        ),
        Arc::Move {
            those,
            path: reached,
            from,
            to,
            data,
        } => Data::variant(
            "Move",
            map!(
                scope: if *those { "Those" } else { "Each" },
                path: path(reached),
                from: Data::list(from.iter().copied()),
                to: *to,
                data: assigns(event, data),
            ),
        ),
        Arc::Link {
            kind,
            path: near,
            hop: over,
            with,
            data,
        } => {
            let (near, over, with) = (path(near), hop(over), path(with));
            let data = data.map(|data| source(event, data));
            match kind {
                LinkKind::Link => {
                    Data::variant("Link", map!(path: near, hop: over, with: with, data: data))
                }
                LinkKind::Relink => Data::variant(
                    "Relink",
                    map!(path: near, hop: over, with: with, data: data),
                ),
                LinkKind::Unlink => {
                    Data::variant("Unlink", map!(path: near, hop: over, with: with))
                }
            }
        }
        Arc::SetLink {
            path: near,
            hop: over,
            with,
            data,
        } => Data::variant(
            "SetLink",
            map!(path: path(near), hop: hop(over), with: path(with), data: source(event, *data)),
        ),
        Arc::Delete { path: reached } => Data::variant("Delete", map!(path: path(reached))),
        Arc::Set {
            path: reached,
            value,
        } => Data::variant(
            "Set",
            map!(path: path(reached), value: assign(event, value)),
        ),
        Arc::When {
            quantifier,
            path: reached,
            states,
        } => Data::variant(
            "When",
            map!(
                quantifier: match quantifier {
                    Quantifier::All => "All",
                    Quantifier::Any => "Any",
                    Quantifier::None => "None",
                },
                path: path(reached),
                states: Data::list(states.iter().copied()),
            ),
        ),
    }
}

fn may(may: &May) -> Data {
    match *may {
        May::Move { entity, from, to } => {
            Data::variant("Move", map!(entity: entity, from: from, to: to))
        }
        May::Link(LinkKind::Link, edge) => Data::variant("Link", edge),
        May::Link(LinkKind::Unlink, edge) => Data::variant("Unlink", edge),
        May::Link(LinkKind::Relink, edge) => Data::variant("Relink", edge),
        May::Set(column) => Data::variant("Set", column),
        May::SetLink(edge) => Data::variant("SetLink", edge),
        May::Whole(Whole::Create, entity) => Data::variant("Create", entity),
        May::Whole(Whole::Ensure, entity) => Data::variant("Ensure", entity),
        May::Whole(Whole::Delete, entity) => Data::variant("Delete", entity),
    }
}

//! The schema as struct literals, and `Model::binding`, which joins it to code.
//!
//! `s` is `::ironweave::schema`, imported inside the one function that needs it.

use proc_macro2::{Literal, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned as _;

use super::event::literals_of_immediate;
use super::{as_entity, number, result};
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
        let default = column.default.as_ref().map(|default| {
            let value = match default {
                Default::None => quote!(::core::option::Option::None),
                Default::OfType => {
                    quote_spanned!(ty.span() => <#ty as ::core::default::Default>::default())
                }
                Default::Value(value) => quote!(::core::convert::From::from(#value)),
            };
            quote!(.or(|| {
                let value: #ty = #value;
                ::std::boxed::Box::new(value)
            }))
        });
        quote!(::ironweave::plumbing::ColumnType::#make() #default)
    });
    let data = model.edges.iter().map(|edge| {
        option(
            (edge.data.as_ref()).map(|ty| quote!(::ironweave::plumbing::ColumnType::of::<#ty>())),
        )
    });
    let events = model.events.iter().map(|event| {
        let name = &event.name;
        if event.immediate {
            let literals = literals_of_immediate(event);
            quote!(::ironweave::plumbing::EventType::immediate(#literals))
        } else {
            quote!(::ironweave::plumbing::EventType::of::<#name>())
        }
    });
    let invariants = model.invariants.iter().map(|invariant| {
        let (check, as_entity) = (
            &invariant.check,
            as_entity(&model.entities[invariant.entity].name),
        );
        let entity = &model.entities[invariant.entity].name;
        let call = quote_spanned! { check.span() => ::ironweave::plumbing::hold::<#entity, _> };
        let (unit, reader) = (
            result(&quote!(())),
            quote!(::ironweave::plumbing::Reader<'_>),
        );
        quote! {{
            fn check(id: ::ironweave::Id, db: &#reader) -> #unit {
                #call(#check, #as_entity::from_id(id), db)
            }
            check as fn(::ironweave::Id, &#reader) -> #unit
        }}
    });
    let schema = schema(model, &name);
    quote! {
        #[doc = #doc]
        #[derive(Debug)]
        #[allow(dead_code)]
        pub struct Model;
        impl ::ironweave::Model for Model {
            const NAME: &'static str = #name;
            type Event = AnyEvent;
            fn binding() -> ::ironweave::plumbing::Binding {
                fn schema() -> ::ironweave::schema::Schema {
                    use ::ironweave::schema as s;
                    #schema
                }
                ::ironweave::plumbing::Binding {
                    schema: schema(),
                    columns: ::std::vec![#(#columns),*],
                    data: ::std::vec![#(#data),*],
                    events: ::std::vec![#(#events),*],
                    invariants: ::std::vec![#(#invariants),*],
                }
            }
        }
    }
}

fn schema(model: &Model, name: &str) -> TokenStream {
    let entities = model.entities.iter().map(entity);
    let columns = model.columns.iter().map(|column| {
        let (entity, state) = (number(column.entity), option(column.state.map(number)));
        let (name, ty, key) = (plain(&column.name), text(&column.ty), column.key);
        let index = option(column.index.map(|index| match index {
            Index::Equal => quote!(s::IndexKind::Equal),
            Index::Ordered => quote!(s::IndexKind::Ordered),
        }));
        let default = option(column.default.as_ref().map(|default| {
            let text = match default {
                Default::None => "None".to_string(),
                Default::OfType => "default".to_string(),
                Default::Value(value) => text(value),
            };
            quote!(#text.into())
        }));
        quote! {
            s::ColumnDef {
                entity: #entity, state: #state, name: #name.into(), ty: #ty.into(), key: #key,
                index: #index, default: #default,
            }
        }
    });
    let edges = model.edges.iter().map(|edge| {
        let (from, to) = (end(&edge.from), end(&edge.to));
        let data = option(edge.data.as_ref().map(|ty| {
            let ty = text(ty);
            quote!(#ty.into())
        }));
        let acyclic = edge.acyclic;
        quote! { s::EdgeDef { from: #from, to: #to, data: #data, acyclic: #acyclic } }
    });
    let events = model.events.iter().map(event);
    let invariants = model.invariants.iter().map(|invariant| {
        let (name, entity) = (plain(&invariant.name), number(invariant.entity));
        let (via, check) = (invariant.via.iter().map(hop), text(&invariant.check));
        quote! {
            s::InvariantDef {
                name: #name.into(), entity: #entity, via: ::std::vec![#(#via),*], check: #check.into(),
            }
        }
    });
    quote! {
        s::Schema {
            name: #name.into(),
            entities: ::std::vec![#(#entities),*],
            columns: ::std::vec![#(#columns),*],
            edges: ::std::vec![#(#edges),*],
            events: ::std::vec![#(#events),*],
            invariants: ::std::vec![#(#invariants),*],
        }
    }
}

fn option(value: Option<impl ToTokens>) -> TokenStream {
    match value {
        Some(value) => quote!(::core::option::Option::Some(#value)),
        None => quote!(::core::option::Option::None),
    }
}

fn numbers(numbers: &[usize]) -> TokenStream {
    let numbers = numbers.iter().copied().map(number);
    quote!(::std::vec![#(#numbers),*])
}

fn entity(entity: &Entity) -> TokenStream {
    let (name, initial) = (plain(&entity.name), number(entity.initial));
    let states = entity.states.iter().map(|state| {
        let (name, terminal) = (plain(&state.name), state.terminal);
        let to = state.to.iter().map(|transition| {
            let (to, verb) = (number(transition.to), plain(&transition.verb));
            quote!(s::TransitionDef { to: #to, verb: #verb.into() })
        });
        quote! {
            s::StateDef { name: #name.into(), terminal: #terminal, to: ::std::vec![#(#to),*] }
        }
    });
    quote! {
        s::EntityDef { name: #name.into(), states: ::std::vec![#(#states),*], initial: #initial }
    }
}

fn cardinality(cardinality: Cardinality) -> TokenStream {
    match cardinality {
        Cardinality::One => quote!(s::Cardinality::One),
        Cardinality::Option => quote!(s::Cardinality::Option),
        Cardinality::Many => quote!(s::Cardinality::Many),
    }
}

fn end(end: &End) -> TokenStream {
    let (entity, name, count) = (
        number(end.entity),
        plain(&end.name),
        cardinality(end.cardinality),
    );
    let (min, max) = (
        Literal::u32_unsuffixed(end.min),
        end.max.map(Literal::u32_unsuffixed),
    );
    let max = option(max);
    let on_delete = match end.on_delete {
        OnDelete::Unlink => quote!(s::OnDelete::Unlink),
        OnDelete::Restrict => quote!(s::OnDelete::Restrict),
        OnDelete::Cascade => quote!(s::OnDelete::Cascade),
    };
    let counted = end.counted;
    quote! {
        s::EndDef {
            entity: #entity, name: #name.into(), cardinality: #count, min: #min, max: #max,
            on_delete: #on_delete, counted: #counted,
        }
    }
}

fn event(event: &Event) -> TokenStream {
    let (name, immediate) = (plain(&event.name), event.immediate);
    let fields = event.fields.iter().map(|field| {
        let (name, ty) = (plain(&field.name), text(&field.written));
        quote!(s::EventFieldDef { name: #name.into(), ty: #ty.into() })
    });
    let names = event.names.iter().map(|name| {
        let (text, entity, count) = (
            plain(&name.name),
            number(name.entity),
            cardinality(name.count),
        );
        let by = match name.by {
            By::Handle => quote!(s::BindBy::Handle),
            By::Token(state) => {
                let state = number(state);
                quote!(s::BindBy::Token(#state))
            }
            By::Key => quote!(s::BindBy::Key),
            By::Ensure => quote!(s::BindBy::Ensure),
            By::Created => quote!(s::BindBy::Created),
        };
        quote!(s::NameDef { name: #text.into(), entity: #entity, count: #count, by: #by })
    });
    let arcs = event.arcs.iter().map(|written| arc(event, written));
    let mays = event.mays.iter().map(may);
    let guards = event.guards.iter().map(text);
    quote! {
        s::EventDef {
            name: #name.into(),
            immediate: #immediate,
            fields: ::std::vec![#(#fields),*],
            names: ::std::vec![#(#names),*],
            arcs: ::std::vec![#(#arcs),*],
            mays: ::std::vec![#(#mays),*],
            guards: ::std::vec![#(#guards.into()),*],
        }
    }
}

fn hop(hop: &Hop) -> TokenStream {
    let (edge, forward) = (number(hop.edge), hop.forward);
    quote!(s::Hop { edge: #edge, forward: #forward })
}

fn path(path: &Path) -> TokenStream {
    let (root, hops) = (number(path.root), path.hops.iter().map(hop));
    quote!(s::Path { root: #root, hops: ::std::vec![#(#hops),*] })
}

fn assign(event: &Event, assign: &Assign) -> TokenStream {
    let (column, source) = (number(assign.column), source(event, assign.source));
    quote!(s::Assign { column: #column, source: #source })
}

fn source(event: &Event, source: Source) -> TokenStream {
    match source {
        Source::Field(field) => {
            let field = number(field);
            quote!(s::Source::Field(#field))
        }
        Source::Time => quote!(s::Source::Time),
        Source::Meta(field) => {
            let field = match field {
                MetaField::Actor => quote!(Actor),
                MetaField::Correlation => quote!(Correlation),
                MetaField::Causation => quote!(Causation),
            };
            quote!(s::Source::Meta(s::MetaField::#field))
        }
        Source::Literal(literal) => {
            let index = number(event.fields.len() + literal);
            let text = text(&event.literals[literal].tokens);
            quote!(s::Source::Literal { index: #index, text: #text.into() })
        }
        Source::Entity(name, column) => {
            let (name, column) = (number(name), number(column));
            quote!(s::Source::Entity { name: #name, column: #column })
        }
    }
}

fn assigns(event: &Event, values: &[Assign]) -> TokenStream {
    let values = values.iter().map(|value| assign(event, value));
    quote!(::std::vec![#(#values),*])
}

fn arc(event: &Event, arc: &Arc) -> TokenStream {
    match arc {
        Arc::Create {
            name,
            state,
            values,
        } => {
            let (name, state, values) = (number(*name), number(*state), assigns(event, values));
            quote!(s::Arc::Create { name: #name, state: #state, values: #values })
        }
        Arc::Move {
            those,
            path: reached,
            from,
            to,
            data,
        } => {
            let scope = if *those {
                quote!(s::Scope::Those)
            } else {
                quote!(s::Scope::Each)
            };
            let (path, from, to) = (path(reached), numbers(from), number(*to));
            let data = assigns(event, data);
            quote!(s::Arc::Move { scope: #scope, path: #path, from: #from, to: #to, data: #data })
        }
        Arc::Link {
            kind,
            path: near,
            hop: over,
            with,
            data,
        } => {
            let (near, over, with) = (path(near), hop(over), path(with));
            let data = option(data.map(|data| source(event, data)));
            match kind {
                LinkKind::Link => {
                    quote!(s::Arc::Link { path: #near, hop: #over, with: #with, data: #data })
                }
                LinkKind::Relink => {
                    quote!(s::Arc::Relink { path: #near, hop: #over, with: #with, data: #data })
                }
                LinkKind::Unlink => quote!(s::Arc::Unlink { path: #near, hop: #over, with: #with }),
            }
        }
        Arc::SetLink {
            path: near,
            hop: over,
            with,
            data,
        } => {
            let (near, over, with) = (path(near), hop(over), path(with));
            let data = source(event, *data);
            quote!(s::Arc::SetLink { path: #near, hop: #over, with: #with, data: #data })
        }
        Arc::Delete { path: reached } => {
            let path = path(reached);
            quote!(s::Arc::Delete { path: #path })
        }
        Arc::Set {
            path: reached,
            value,
        } => {
            let (path, value) = (path(reached), assign(event, value));
            quote!(s::Arc::Set { path: #path, value: #value })
        }
        Arc::When {
            quantifier,
            path: reached,
            states,
        } => {
            let quantifier = match quantifier {
                Quantifier::All => quote!(All),
                Quantifier::Any => quote!(Any),
                Quantifier::None => quote!(None),
            };
            let (path, states) = (path(reached), numbers(states));
            quote!(s::Arc::When { quantifier: s::Quantifier::#quantifier, path: #path, states: #states })
        }
    }
}

fn may(may: &May) -> TokenStream {
    match *may {
        May::Move { entity, from, to } => {
            let (entity, from, to) = (number(entity), number(from), number(to));
            quote!(s::May::Move { entity: #entity, from: #from, to: #to })
        }
        May::Link(kind, edge) => {
            let edge = number(edge);
            match kind {
                LinkKind::Link => quote!(s::May::Link(#edge)),
                LinkKind::Unlink => quote!(s::May::Unlink(#edge)),
                LinkKind::Relink => quote!(s::May::Relink(#edge)),
            }
        }
        May::Set(column) => {
            let column = number(column);
            quote!(s::May::Set(#column))
        }
        May::SetLink(edge) => {
            let edge = number(edge);
            quote!(s::May::SetLink(#edge))
        }
        May::Whole(what, entity) => {
            let entity = number(entity);
            match what {
                Whole::Create => quote!(s::May::Create(#entity)),
                Whole::Ensure => quote!(s::May::Ensure(#entity)),
                Whole::Delete => quote!(s::May::Delete(#entity)),
            }
        }
    }
}

//! The schema as struct literals, and `Model::binding`, which joins it to code.
//!
//! `s` is `::ironweave::schema`, imported inside the one function that needs it.

use proc_macro2::{Literal, TokenStream};
use quote::{ToTokens, quote};

use super::{as_entity, number, result};
use crate::check::model::{
    Arc, Assign, By, Cardinality, End, Entity, Event, Hop, LinkKind, May, Model, Path, Quantifier,
    Source,
};
use crate::check::names::plain;
use crate::check::types::text;

/// `struct Model` and its implementation.
pub fn binding(model: &Model) -> TokenStream {
    let name = plain(&model.name);
    let doc = format!("The model `{name}`: what a store is opened with.");
    let columns = model.columns.iter().map(|column| {
        let ty = &column.ty;
        let make = if column.key { quote!(key) } else { quote!(of) };
        quote!(::ironweave::plumbing::ColumnType::#make::<#ty>())
    });
    let events = model.events.iter().map(|event| {
        let name = &event.name;
        if event.immediate {
            quote!(::ironweave::plumbing::EventType::immediate())
        } else {
            quote!(::ironweave::plumbing::EventType::of::<#name>())
        }
    });
    let invariants = model.invariants.iter().map(|invariant| {
        let (check, as_entity) = (
            &invariant.check,
            as_entity(&model.entities[invariant.entity].name),
        );
        let (unit, reader) = (
            result(&quote!(())),
            quote!(::ironweave::plumbing::Reader<'_>),
        );
        quote! {{
            fn check(id: ::ironweave::Id, db: &#reader) -> #unit {
                #check(#as_entity::from_id(id), db)
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
            fn binding() -> ::ironweave::plumbing::Binding {
                fn schema() -> ::ironweave::schema::Schema {
                    use ::ironweave::schema as s;
                    #schema
                }
                ::ironweave::plumbing::Binding {
                    schema: schema(),
                    columns: ::std::vec![#(#columns),*],
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
        quote! {
            s::ColumnDef { entity: #entity, state: #state, name: #name.into(), ty: #ty.into(), key: #key }
        }
    });
    let edges = model.edges.iter().map(|edge| {
        let (from, to) = (end(&edge.from), end(&edge.to));
        quote! { s::EdgeDef { from: #from, to: #to } }
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
    quote! {
        s::EndDef { entity: #entity, name: #name.into(), cardinality: #count, min: #min, max: #max }
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
    let column = number(assign.column);
    let source = match assign.source {
        Source::Field(field) => {
            let field = number(field);
            quote!(s::Source::Field(#field))
        }
        Source::Time => quote!(s::Source::Time),
        Source::Literal(literal) => {
            let index = number(event.fields.len() + literal);
            let text = text(&event.literals[literal].tokens);
            quote!(s::Source::Literal { index: #index, text: #text.into() })
        }
    };
    quote!(s::Assign { column: #column, source: #source })
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
        } => {
            let kind = match kind {
                LinkKind::Link => quote!(Link),
                LinkKind::Unlink => quote!(Unlink),
                LinkKind::Relink => quote!(Relink),
            };
            let (near, over, with) = (path(near), hop(over), path(with));
            quote!(s::Arc::#kind { path: #near, hop: #over, with: #with })
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
    }
}

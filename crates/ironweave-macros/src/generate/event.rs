//! An event: the struct, how it binds and is written, and what it gives back.

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens as _, format_ident, quote, quote_spanned};
use syn::spanned::Spanned as _;

use super::methods::by_value;
use super::{as_entity, documented, number, result, summary};
use crate::check::model::{
    Arc, By, Cardinality, Event, EventField, May, MetaField, Model, Name, Typed, TypedFrom,
};
use crate::check::names::plain;
use crate::check::{link_trait, move_trait, set_link_trait, set_trait, whole_trait};

/// The struct and its implementations.
pub fn event(model: &Model, index: usize, event: &Event) -> TokenStream {
    let structure = structure(event);
    let name = &event.name;
    let typed = typed(model, event);
    if event.immediate {
        return quote! { #structure #(#typed)* };
    }
    let serde = serde(event);
    let implementation = implementation(model, index, event);
    let mays = event.mays.iter().map(|may| {
        let bound = match *may {
            May::Move { entity, from, to } => move_trait(&model.entities[entity], from, to),
            May::Link(kind, edge) => link_trait(kind, &model.entities, &model.edges[edge]),
            May::Set(column) => set_trait(&model.entities, &model.columns[column]),
            May::SetLink(edge) => set_link_trait(&model.entities, &model.edges[edge]),
            May::Whole(what, entity) => whole_trait(what, &model.entities[entity]),
        };
        quote! { impl self::may::#bound for #name {} }
    });
    let handles = event
        .has_may
        .then(|| quote! { impl ::ironweave::Handles for #name {} });
    quote! { #structure #implementation #serde #(#mays)* #handles #(#typed)* }
}

/// Functions that compile only if values are of the type of the column that they go to. What is wrong is
/// reported at the name in the arc.
fn typed(model: &Model, event: &Event) -> Vec<TokenStream> {
    let event_name = &event.name;
    let one = |typed: &Typed| {
        let at = typed.at.span();
        let ty = spanned(typed.ty.to_token_stream(), at);
        match typed.from {
            TypedFrom::Field(field) => {
                let mut field = event.fields[field].name.clone();
                field.set_span(at);
                quote_spanned! { at =>
                    const _: fn(#event_name) = |event| { let _: #ty = event.#field; };
                }
            }
            TypedFrom::Time => quote_spanned! { at =>
                const _: fn(::ironweave::Timestamp) = |time| { let _: #ty = time; };
            },
            TypedFrom::Meta(field) => {
                let given = match field {
                    MetaField::Actor | MetaField::Correlation => quote!(::std::string::String),
                    MetaField::Causation => quote!(u64),
                };
                quote_spanned! { at =>
                    const _: fn(::core::option::Option<#given>) = |value| { let _: #ty = value; };
                }
            }
            TypedFrom::Column(column) => {
                let source = spanned(model.columns[column].ty.to_token_stream(), at);
                quote_spanned! { at =>
                    const _: fn(#source) = |value| { let _: #ty = value; };
                }
            }
        }
    };
    event.typed.iter().map(one).collect()
}

/// The same tokens, at another place: what is wrong with them is reported there.
fn spanned(tokens: TokenStream, at: Span) -> TokenStream {
    let at_place = |mut token: TokenTree| {
        if let TokenTree::Group(group) = &token {
            let inner = spanned(group.stream(), at);
            token = Group::new(group.delimiter(), inner).into();
        }
        token.set_span(at);
        token
    };
    tokens.into_iter().map(at_place).collect()
}

fn structure(event: &Event) -> TokenStream {
    let (vis, name) = (&event.vis, &event.name);
    let what = if event.immediate {
        "immediate event"
    } else {
        "event"
    };
    let mut attrs = documented(&event.attrs, &format!("The {what} `{name}`."));
    let summary = summary::event(event);
    if !summary.is_empty() {
        attrs.extend(quote! { #[doc = #summary] });
    }
    if event.immediate {
        attrs.extend(quote! { #[allow(dead_code)] });
    }
    if event.fields.is_empty() {
        return quote! { #attrs #vis struct #name; };
    }
    let fields = event.fields.iter().map(|field| {
        let EventField {
            attrs,
            vis,
            name,
            ty,
            ..
        } = field;
        let attrs = documented(attrs, &format!("The field `{}`.", plain(name)));
        quote! { #attrs #vis #name: #ty }
    });
    quote! { #attrs #vis struct #name { #(#fields),* } }
}

fn implementation(model: &Model, index: usize, event: &Event) -> TokenStream {
    let name = &event.name;
    let text = plain(name);
    let index = number(index);
    let unit = result(&quote!(()));
    let entity_fields: Vec<TokenStream> = event
        .fields
        .iter()
        .filter_map(|field| {
            field
                .binds
                .map(|binds| (&field.name, event.names[binds].count))
        })
        .map(|(field, count)| match count {
            Cardinality::One => quote! { binder.one(&self.#field)?; },
            Cardinality::Option => quote! { binder.option(&self.#field)?; },
            Cardinality::Many => quote! { binder.many(&self.#field)?; },
        })
        .collect();
    let binder = unused("binder", entity_fields.is_empty());
    let value = value(event);
    let guard = (!event.guards.is_empty()).then(|| {
        let arms = event.guards.iter().enumerate().map(|(i, guard)| {
            let i = number(i);
            let call = quote_spanned! { guard.span() => ::ironweave::plumbing::ask::<#name, _> };
            quote! { #i => #call(#guard, self, db), }
        });
        quote! {
            fn guard(&self, index: u16, db: &::ironweave::plumbing::Reader<'_>) -> #unit {
                match index { #(#arms)* _ => ::core::result::Result::Ok(()) }
            }
        }
    });
    let handle = (event.has_may && !model.broken).then(|| {
        // At the event, so that a missing handler is reported there.
        quote_spanned! {Span::mixed_site().located_at(name.span())=>
            fn handle(
                &self, names: &::ironweave::plumbing::Names, tx: &mut ::ironweave::Tx<'_, Self>,
            ) -> #unit {
                ::ironweave::Apply::apply(self, <Self as ::ironweave::Event>::bound(names), tx)
            }
        }
    });
    let bound: Vec<TokenStream> = event
        .names
        .iter()
        .enumerate()
        .map(|(i, n)| taken(model, i, n, true))
        .collect();
    let created: Vec<TokenStream> = (event.names.iter().enumerate())
        .filter(|(_, name)| name.by == By::Created)
        .map(|(i, name)| taken(model, i, name, false))
        .collect();
    let bound_names = unused("names", bound.is_empty());
    let created_names = unused("names", created.is_empty());
    let (bound_type, bound_value) = given(event, "bound", &bound);
    let (created_type, created_value) = given(event, "created", &created);
    let no_fields = event.fields.is_empty();
    let (writer, reader) = (unused("writer", no_fields), unused("reader", no_fields));
    let names: Vec<&Ident> = event.fields.iter().map(|field| &field.name).collect();
    let numbers: Vec<_> = (0..names.len()).map(number).collect();
    let written = (event.fields.iter().enumerate()).map(|(i, field)| writes(event, i, field));
    let fields: Vec<TokenStream> = names
        .iter()
        .zip(&numbers)
        .map(|(name, i)| quote!(#name: reader.field(#i)?))
        .collect();
    let fields = braced(&fields);
    quote! {
        impl ::ironweave::Event for #name {
            type Model = Model;
            type Bound = #bound_type;
            type Created = #created_type;
            const INDEX: u16 = #index;
            const NAME: &'static str = #text;
            fn bind(&self, #binder: &mut ::ironweave::plumbing::Binder<'_>) -> #unit {
                #(#entity_fields)*
                ::core::result::Result::Ok(())
            }
            #value
            #guard
            #handle
            fn bound(#bound_names: &::ironweave::plumbing::Names) -> Self::Bound {
                #bound_value
            }
            fn created(#created_names: &::ironweave::plumbing::Names) -> Self::Created {
                #created_value
            }
            fn encode(&self, #writer: &mut ::ironweave::plumbing::FieldWriter<'_>) {
                #(#written)*
            }
            fn decode(
                #reader: &::ironweave::plumbing::FieldReader<'_>,
            ) -> ::core::result::Result<Self, ::ironweave::plumbing::DecodeError> {
                ::core::result::Result::Ok(Self #fields)
            }
        }
    }
}

/// Writes a field for the log: handles by their ids, which is what serde would make of them.
fn writes(event: &Event, index: usize, field: &EventField) -> TokenStream {
    let (index, name) = (number(index), &field.name);
    let by_handle = |name: &&Name| matches!(name.by, By::Handle | By::Token(_));
    let bound = field.binds.map(|binds| &event.names[binds]);
    match bound.filter(by_handle).map(|name| name.count) {
        None => quote!(writer.field(#index, &self.#name);),
        Some(Cardinality::One) => quote!(writer.one(#index, self.#name.id);),
        Some(Cardinality::Option) => {
            quote!(writer.option(#index, self.#name.as_ref().map(|handle| handle.id));)
        }
        Some(Cardinality::Many) => {
            quote!(writer.many(#index, self.#name.iter().map(|handle| handle.id));)
        }
    }
}

/// Fields in braces; nothing for a unit struct.
fn braced(fields: &[TokenStream]) -> TokenStream {
    if fields.is_empty() {
        quote!()
    } else {
        quote!({ #(#fields),* })
    }
}

/// A parameter's name, with an underscore where it is not used.
fn unused(name: &str, unused: bool) -> Ident {
    let name = if unused {
        format!("_{name}")
    } else {
        name.to_string()
    };
    Ident::new(&name, proc_macro2::Span::call_site())
}

/// `Event::value`: the fields that are values, then the literals.
fn value(event: &Event) -> TokenStream {
    let mut arms: Vec<TokenStream> = (event.fields.iter().enumerate())
        .filter(|(_, field)| field.binds.is_none())
        .map(|(i, field)| {
            let (i, name) = (number(i), &field.name);
            quote! { #i => &self.#name, }
        })
        .collect();
    arms.extend(literals(event));
    let none = quote!(::ironweave::plumbing::no_such_value(index));
    let body = if arms.is_empty() {
        none
    } else {
        quote! { match index { #(#arms)* _ => #none, } }
    };
    quote! { fn value(&self, index: u16) -> &dyn ::core::any::Any { #body } }
}

/// What gives the literals of an immediate event.
pub fn literals_of_immediate(event: &Event) -> TokenStream {
    if event.literals.is_empty() {
        return quote!(::ironweave::plumbing::no_such_value);
    }
    let arms = literals(event);
    quote! {
        |index: u16| -> &'static dyn ::core::any::Any {
            match index { #(#arms)* _ => ::ironweave::plumbing::no_such_value(index), }
        }
    }
}

/// An arm for each literal.
fn literals(event: &Event) -> Vec<TokenStream> {
    let one = |(i, literal): (usize, &crate::check::model::Literal)| {
        let index = number(event.fields.len() + i);
        let (ty, tokens) = (&literal.ty, &literal.tokens);
        if by_value(ty) {
            quote! { #index => { static VALUE: #ty = #tokens; &VALUE } }
        } else {
            quote! {
                #index => {
                    static VALUE: ::std::sync::LazyLock<#ty> =
                        ::std::sync::LazyLock::new(|| ::core::convert::From::from(#tokens));
                    &*VALUE
                }
            }
        }
    };
    event.literals.iter().enumerate().map(one).collect()
}

/// Reading and writing an event with serde, as JSON does.
fn serde(event: &Event) -> TokenStream {
    let (name, text) = (&event.name, plain(&event.name));
    let fields = event.fields.iter().map(|field| {
        let (name, text) = (&field.name, plain(&field.name));
        quote!(#name = #text)
    });
    quote! {
        ::ironweave::plumbing::event_serde! { #name, #text, { #(#fields),* } }
    }
}

/// `AnyEvent`: the events that a program can fire, as one type.
pub fn any(model: &Model) -> TokenStream {
    let events: Vec<&Event> = (model.events.iter())
        .filter(|event| !event.immediate)
        .collect();
    let names = events.iter().map(|event| &event.name);
    let texts = events.iter().map(|event| plain(&event.name));
    quote! {
        ::ironweave::plumbing::any_event! { Model, { #(#names = #texts),* } }
    }
}

/// A field of `Bound` or `Created`, taken from the names.
fn taken(model: &Model, index: usize, name: &Name, tokens: bool) -> TokenStream {
    let entity = &model.entities[name.entity];
    let as_entity = as_entity(&entity.name);
    let make = match name.after.filter(|_| tokens) {
        Some(state) => {
            let state = &entity.states[state].name;
            quote!(#as_entity::token::<self::state::#state>)
        }
        None => quote!(#as_entity::from_id),
    };
    let (index, field) = (number(index), &name.name);
    match name.count {
        Cardinality::One => quote! { #field: #make(names.one(#index)) },
        Cardinality::Option => quote! { #field: names.option(#index).map(#make) },
        Cardinality::Many => quote! { #field: names.many(#index).map(#make).collect() },
    }
}

/// The modules `bound` and `created`: what events give back.
pub fn results(model: &Model) -> TokenStream {
    let events: Vec<&Event> = model
        .events
        .iter()
        .filter(|event| !event.immediate)
        .collect();
    let bound = events
        .iter()
        .filter(|event| !event.names.is_empty())
        .map(|event| {
            let doc = format!(
                "What [`{0}`](super::{0}) bound, after its declared arcs.",
                event.name
            );
            one_result(model, event, &doc, true)
        });
    let creates = |event: &&&Event| event.names.iter().any(|name| name.by == By::Created);
    let created = events.iter().filter(creates).map(|event| {
        let doc = format!("What [`{0}`](super::{0}) created.", event.name);
        one_result(model, event, &doc, false)
    });
    quote! {
        /// What the events bound: tokens where the declared arcs say the state, else handles.
        #[allow(dead_code)]
        pub mod bound { #(#bound)* }
        /// What the events created.
        #[allow(dead_code)]
        pub mod created { #(#created)* }
    }
}

fn one_result(model: &Model, event: &Event, doc: &str, bound: bool) -> TokenStream {
    let fields: Vec<TokenStream> = (event.names.iter())
        .filter(|name| bound || name.by == By::Created)
        .map(|name| {
            let entity = &model.entities[name.entity];
            let (entity_name, field) = (&entity.name, &name.name);
            let one = match name.after.filter(|_| bound) {
                Some(state) => {
                    let state = &entity.states[state].name;
                    quote!(super::#entity_name<super::state::#state>)
                }
                None => quote!(super::#entity_name),
            };
            let ty = match name.count {
                Cardinality::One => one,
                Cardinality::Option => quote!(::core::option::Option<#one>),
                Cardinality::Many => quote!(::std::vec::Vec<#one>),
            };
            let doc = described(model, event, name);
            quote! { #[doc = #doc] pub #field: #ty }
        })
        .collect();
    let given = result_name(event, if bound { "bound" } else { "created" });
    quote! { #[doc = #doc] #[derive(Debug)] pub struct #given { #(#fields),* } }
}

/// `JobFailedBound` of `JobFailed`. It has a name of its own since rustc shortens paths only of names that
/// stand for one thing.
fn result_name(event: &Event, module: &str) -> Ident {
    let suffix = if module == "bound" {
        "Bound"
    } else {
        "Created"
    };
    format_ident!("{}{suffix}", event.name)
}

/// Type and value of what an event gives back; the unit where that is nothing.
fn given(event: &Event, module: &str, fields: &[TokenStream]) -> (TokenStream, TokenStream) {
    if fields.is_empty() {
        return (quote!(()), TokenStream::new());
    }
    let (name, module) = (result_name(event, module), format_ident!("{module}"));
    (
        quote!(self::#module::#name),
        quote!(self::#module::#name { #(#fields),* }),
    )
}

/// A line about a name: `` `run`, created``.
fn described(model: &Model, event: &Event, name: &Name) -> String {
    let entity = &model.entities[name.entity];
    let moved = event.arcs.iter().any(|arc| {
        matches!(arc, Arc::Move { path, those: false, .. }
            if path.hops.is_empty() && event.names[path.root].name == name.name)
    });
    let how = match (name.by, moved) {
        (By::Created, _) => "created",
        (_, true) => "moved",
        _ => "bound",
    };
    format!(
        "`{}`: `{}`, {how} by the event.",
        plain(&name.name),
        entity.name
    )
}

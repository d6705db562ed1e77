//! Generates an event: the struct, its binding and serialization. `receipts.rs` generates the types of its receipts.

use ironweave_schema::{BindBy, Cardinality, EventDef, EventIx, FieldIx, FunctionIx, May, NameIx};
use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens as _, format_ident, quote, quote_spanned};
use syn::Type;
use syn::spanned::Spanned as _;

use super::methods::{equality, is_faithful};
use super::receipts::{from_names, given};
use super::{compiled, documented, number, result, summary};
use crate::check::model::{
    Event, EventField, FieldDefault, LinkKind, LiteralKind, MetaField, Model, Typed, TypedFrom,
    Whole,
};
use crate::check::names::plain;
use crate::check::table::Ix as _;
use crate::check::types::{by_value, text};
use crate::check::{
    Taken, link_trait, move_trait, optional, set_link_trait, set_trait, whole_trait,
};

/// The struct and its implementations.
pub fn event(model: &Model, index: EventIx, event: &Event) -> TokenStream {
    let def = &model.schema[index];
    let structure = structure(event, def);
    let name = &event.name;
    let mut typed = typed(model, event);
    typed.extend(due(model, event, def));
    let implementation = (!def.immediate).then(|| implementation(model, index, event));
    let mays = def.mays.iter().filter_map(|may| {
        let links = |kind, edge: &_| link_trait(kind, model, *edge);
        let whole = |what, entity: &_| whole_trait(what, &model.entities[*entity]);
        let bound = match may {
            May::Move { entity, from, to } => move_trait(&model.entities[*entity], *from, *to),
            May::Link(edge) => links(LinkKind::Link, edge),
            May::Unlink(edge) => links(LinkKind::Unlink, edge),
            May::Relink(edge) => links(LinkKind::Relink, edge),
            May::Set(column) => set_trait(model, *column),
            May::SetLink(edge) => set_link_trait(model, *edge),
            May::Create(entity) => whole(Whole::Create, entity),
            May::Ensure(entity) => whole(Whole::Ensure, entity),
            May::Delete(entity) => whole(Whole::Delete, entity),
            // Of a schema that was read, which this one was not.
            May::Unknown(_) => return None,
        };
        Some(quote! { impl self::may::#bound for #name {} })
    });
    let handles = event.has_may.then(|| {
        let bound = match def.immediate {
            true => given(event, "bound", &[TokenStream::new()]).0,
            false => quote!(<Self as ::ironweave::Event>::Bound),
        };
        quote! { impl ::ironweave::Handles for #name { type Bound = #bound; } }
    });
    quote! { #structure #implementation #(#mays)* #handles #(#typed)* }
}

/// Functions that compile only if each value has the type of its column. rustc reports a mismatch
/// at the name in the arc.
fn typed(model: &Model, event: &Event) -> Vec<TokenStream> {
    let event_name = &event.name;
    let given = model.taken.local("given");
    // Types that are written alike are equal.
    let differs = |typed: &&Typed| {
        let given = match typed.from {
            TypedFrom::Field(field) => &event.fields[field].ty,
            TypedFrom::Column(column) => &model.columns[column].ty,
            TypedFrom::Time | TypedFrom::Meta(_) => return true,
        };
        text(given) != text(&typed.ty)
    };
    let one = |typed: &Typed| {
        let at = typed.at.span();
        // With this span, rustc reports the mismatch at the value.
        let mut given = given.clone();
        given.set_span(at);
        let ty = spanned(typed.ty.to_token_stream(), at);
        match typed.from {
            TypedFrom::Field(field) => {
                let mut field = event.fields[field].name.clone();
                field.set_span(at);
                quote_spanned! { at =>
                    const _: fn(#event_name) = |#given| { let _: #ty = #given.#field; };
                }
            }
            TypedFrom::Time => quote_spanned! { at =>
                const _: fn(::ironweave::Timestamp) = |#given| { let _: #ty = #given; };
            },
            TypedFrom::Meta(field) => {
                let content = match field {
                    MetaField::Actor | MetaField::Correlation => quote!(::std::string::String),
                    MetaField::Causation => quote!(u64),
                };
                quote_spanned! { at =>
                    const _: fn(::core::option::Option<#content>) = |#given| { let _: #ty = #given; };
                }
            }
            TypedFrom::Column(column) => {
                let source = spanned(model.columns[column].ty.to_token_stream(), at);
                quote_spanned! { at =>
                    const _: fn(#source) = |#given| { let _: #ty = #given; };
                }
            }
        }
    };
    event.typed.iter().filter(differs).map(one).collect()
}

/// An expression that compiles only if the field that has the due time is of a type of times.
fn due(model: &Model, event: &Event, def: &EventDef) -> Option<TokenStream> {
    let at = event.due.as_ref()?.span();
    let ty = &model.columns[def.due.as_ref()?.column].ty;
    let ty = spanned(ty.to_token_stream(), at);
    Some(quote_spanned! { at => const _: () = ::ironweave::plumbing::due_at::<#ty>(); })
}

/// The same tokens with another span, at which rustc reports their errors.
pub fn spanned(tokens: TokenStream, at: Span) -> TokenStream {
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

fn structure(event: &Event, def: &EventDef) -> TokenStream {
    let (vis, name) = (&event.vis, &event.name);
    let what = if def.immediate {
        "immediate event"
    } else {
        "event"
    };
    let mut attrs = documented(&event.attrs, &format!("The {what} `{name}`."));
    let summary = summary::event(event, def);
    if !summary.is_empty() {
        attrs.extend(quote! { #[doc = #summary] });
    }
    if def.immediate {
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

fn implementation(model: &Model, index: EventIx, event: &Event) -> TokenStream {
    let (name, def) = (&event.name, &model.schema[index]);
    let text = plain(name);
    let index = number(index);
    let unit = result(&quote!(()));
    let taken = &model.taken;
    let (index_of, context, tx) = (
        taken.local("index"),
        taken.local("context"),
        taken.local("tx"),
    );
    let names_of = taken.local("names");
    let db = taken.local("db");
    let literal = (!event.literals.is_empty()).then(|| {
        let arms = literals(event);
        quote! {
            fn literal(#index_of: u16) -> &'static dyn ::core::any::Any {
                match #index_of { #(#arms)* _ => ::ironweave::plumbing::no_such_value(#index_of) }
            }
        }
    });
    let function = (!event.functions.is_empty()).then(|| {
        let arms = functions(event);
        quote! {
            fn function(#index_of: u16) -> ::ironweave::plumbing::ValueFunction {
                match #index_of { #(#arms)* _ => ::ironweave::plumbing::no_such_function(#index_of) }
            }
        }
    });
    let guard = (!event.guards.is_empty()).then(|| {
        let arms = event.guards.iter().enumerate().map(|(i, guard)| {
            let i = number(i);
            let call = quote_spanned! { guard.span() => ::ironweave::plumbing::ask::<#name, _> };
            quote! { #i => #call(#guard, self, &#db), }
        });
        quote! {
            fn guard(&self, #index_of: u16, #context: &::ironweave::plumbing::GuardContext<'_>) -> #unit {
                let #db = ::ironweave::Guarded::new(#context);
                match #index_of { #(#arms)* _ => ::core::result::Result::Ok(()) }
            }
        }
    });
    let compared: Vec<TokenStream> = (event.fields.entries())
        .filter(|(_, field)| field.binds.is_none() && !is_faithful(&field.ty))
        .map(|(i, field)| {
            let (i, equality) = (number(i), equality(&field.ty));
            quote!(#i => #equality,)
        })
        .collect();
    let equal = (!compared.is_empty()).then(|| {
        quote! {
            fn equal(#index_of: u16) -> ::core::option::Option<::ironweave::plumbing::Equal> {
                match #index_of { #(#compared)* _ => ::core::option::Option::None }
            }
        }
    });
    let handle = (event.has_may && !model.broken).then(|| {
        // With the span of the event, so that rustc reports a missing handler there.
        quote_spanned! {Span::mixed_site().located_at(name.span())=>
            fn handle(
                &self, #names_of: ::ironweave::plumbing::BoundNames<'_>, #tx: &mut ::ironweave::Tx<'_, Self>,
            ) -> #unit {
                ::ironweave::Apply::apply(self, <Self as ::ironweave::Event>::bound(#names_of), #tx)
            }
        }
    });
    let given_by = |ix: NameIx| from_names(ix, (event, def), &names_of);
    let all: Vec<TokenStream> = event.names.indexes().map(given_by).collect();
    let created: Vec<TokenStream> = (event.names.indexes())
        .filter(|ix| def[*ix].by == BindBy::Created)
        .map(given_by)
        .collect();
    let bound_names = unused(&names_of, all.is_empty());
    let created_names = unused(&names_of, created.is_empty());
    let (bound_type, bound_value) = given(event, "bound", &all);
    let (created_type, created_value) = given(event, "created", &created);
    let named: &[TokenStream] = if event.guards.is_empty() { &[] } else { &all };
    let (named_names, (named_type, named_value)) = (
        unused(&names_of, named.is_empty()),
        given(event, "named", named),
    );
    let names: Vec<&Ident> = event.fields.iter().map(|field| &field.name).collect();
    let texts = names.iter().map(|name| plain(name));
    // If a type of the user cannot be a value, rustc reports it at the first candidate.
    let own = (event.fields.iter()).find(|field| field.binds.is_none() && !by_value(&field.ty));
    // Only located there: in a model that a macro writes, a type may be its argument, and have another `self`.
    let here = Span::call_site();
    let at = own.map_or(here, |field| here.located_at(field.ty.span()));
    let types = list(at, event.fields.iter().map(|field| list_type(def, field)));
    let refs = (!names.is_empty()).then(|| {
        list(
            Span::call_site(),
            names.iter().map(|name| quote!(&self.#name)),
        )
    });
    // Generated names: a name of the user might be that of a constant, which would be another pattern.
    let parts: Vec<Ident> = (0..names.len())
        .map(|i| taken.local(&format!("field{i}")))
        .collect();
    let owned = list(at, parts.iter().map(|part| quote!(#part)));
    let whole: Vec<TokenStream> = (names.iter().zip(&parts))
        .map(|(name, part)| quote!(#name: #part))
        .collect();
    let whole = braced(&whole);
    let json = json(event, taken);
    let arcs = compiled::arcs(model, def);
    let as_list = quote_spanned! { at=>
        type Fields = #types;
        fn fields(&self) -> <Self::Fields as ::ironweave::plumbing::Fields>::Refs<'_> {
            #refs
        }
        fn of(#owned: <Self::Fields as ::ironweave::plumbing::Fields>::Owned) -> Self {
            Self #whole
        }
    };
    quote! {
        impl ::ironweave::Event for #name {
            type Model = Model;
            type Bound = #bound_type;
            type Created = #created_type;
            type Named = #named_type;
            const INDEX: ::ironweave::plumbing::EventIx = ::ironweave::plumbing::EventIx::new(#index);
            const NAMES: &'static [&'static str] = &[#text, #(#texts),*];
            #arcs
            #json
            #as_list
            #literal
            #function
            #equal
            #guard
            #handle
            #[inline(always)]
            fn bound(#bound_names: ::ironweave::plumbing::BoundNames<'_>) -> Self::Bound {
                #bound_value
            }
            #[inline(always)]
            fn created(#created_names: ::ironweave::plumbing::BoundNames<'_>) -> Self::Created {
                #created_value
            }
            fn named(#named_names: ::ironweave::plumbing::BoundNames<'_>) -> Self::Named {
                #named_value
            }
        }
    }
}

/// The effect of `#[serde(..)]` on fields on the JSON form of the event; nothing if there is no such attribute.
fn json(event: &Event, taken: &Taken) -> TokenStream {
    let mut out = TokenStream::new();
    let fields = || event.fields.iter();
    if fields().any(|field| field.json.rename.is_some()) {
        let names = fields().map(|field| match &field.json.rename {
            Some(name) => quote!(#name),
            None => plain(&field.name).to_token_stream(),
        });
        out.extend(quote! { const RENAMED: &'static [&'static str] = &[#(#names),*]; });
    }
    let numbered =
        || (event.fields.entries()).map(|(i, field)| (number(i), &field.json, &field.ty));
    let aliases = numbered()
        .flat_map(|(i, json, _)| json.aliases.iter().map(move |alias| quote!((#alias, #i))));
    let aliases: Vec<TokenStream> = aliases.collect();
    if !aliases.is_empty() {
        out.extend(quote! { const ALIASES: &'static [(&'static str, u16)] = &[#(#aliases),*]; });
    }
    let (index, value) = (taken.local("index"), taken.local("value"));
    let arms = numbered().filter_map(|(i, json, ty)| {
        let default = match json.default.as_ref()? {
            FieldDefault::OfType => {
                quote_spanned!(ty.span() => <#ty as ::core::default::Default>::default())
            }
            FieldDefault::Call(path) => quote!(#path()),
            FieldDefault::Value(value) => quote!(::core::convert::From::from(#value)),
        };
        Some(quote! {
            #i => { let #value: #ty = #default; ::std::boxed::Box::new(#value) }
        })
    });
    let arms: Vec<TokenStream> = arms.collect();
    if !arms.is_empty() {
        out.extend(quote! {
            fn missing(#index: u16) -> ::core::option::Option<::std::boxed::Box<dyn ::core::any::Any>> {
                ::core::option::Option::Some(match #index {
                    #(#arms)*
                    _ => return ::core::option::Option::None,
                })
            }
        });
    }
    out
}

/// `(a, (b, (c, ())))`.
fn list(at: Span, items: impl DoubleEndedIterator<Item = TokenStream>) -> TokenStream {
    items.rfold(
        quote_spanned!(at=> ()),
        |rest, item| quote_spanned!(at=> (#item, #rest)),
    )
}

/// The kind of a field of an event, as a type.
fn list_type(def: &EventDef, field: &EventField) -> TokenStream {
    let ty = &field.ty;
    match field.binds.map(|binds| def[binds].count) {
        None => quote!(::ironweave::plumbing::Val<#ty>),
        Some(Cardinality::One) => quote!(::ironweave::plumbing::One<#ty>),
        Some(Cardinality::Option) => quote!(::ironweave::plumbing::Opt<#ty>),
        Some(Cardinality::Many) => quote!(::ironweave::plumbing::Set<#ty>),
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

/// A parameter's name, with an underscore if it is not used.
fn unused(name: &Ident, unused: bool) -> Ident {
    if unused {
        format_ident!("_{name}")
    } else {
        name.clone()
    }
}

/// Adds the handler of an immediate event to its type, if it has one.
pub fn handler_of_immediate(model: &Model, (event, def): (&Event, &EventDef)) -> TokenStream {
    let Some(own) = event
        .fields
        .iter()
        .next()
        .filter(|_| event.has_may && !model.broken)
    else {
        return TokenStream::new();
    };
    let (name, own) = (&event.name, &own.name);
    let (names, workspace) = (model.taken.local("names"), model.taken.local("workspace"));
    let all: Vec<TokenStream> = (event.names.indexes())
        .map(|ix| from_names(ix, (event, def), &names))
        .collect();
    let bound = given(event, "bound", &all).1;
    // With the span of the event, so that rustc reports a missing handler there.
    quote_spanned! {Span::mixed_site().located_at(name.span())=>
        .handled(|#names: ::ironweave::plumbing::BoundNames<'_>, #workspace: ::ironweave::plumbing::Workspace<'_>| {
            ::ironweave::plumbing::run_handler(&#name { #own: #names.one(0) }, #bound, #workspace)
        })
    }
}

/// The function that returns the literals of an immediate event.
pub fn literals_of_immediate(model: &Model, event: &Event) -> TokenStream {
    if event.literals.is_empty() {
        return quote!(::ironweave::plumbing::no_such_value);
    }
    let (arms, index) = (literals(event), model.taken.local("index"));
    quote! {
        |#index: u16| -> &'static dyn ::core::any::Any {
            match #index { #(#arms)* _ => ::ironweave::plumbing::no_such_value(#index), }
        }
    }
}

/// The function that returns the functions of an immediate event.
pub fn functions_of_immediate(model: &Model, event: &Event) -> TokenStream {
    if event.functions.is_empty() {
        return quote!(::ironweave::plumbing::no_such_function);
    }
    let (arms, index) = (functions(event), model.taken.local("index"));
    quote! {
        |#index: u16| match #index { #(#arms)* _ => ::ironweave::plumbing::no_such_function(#index), }
    }
}

/// An arm for each function.
fn functions(event: &Event) -> Vec<TokenStream> {
    let numbered = event.functions.iter().enumerate();
    numbered
        .map(|(i, function)| {
            let (index, at) = (number(FunctionIx::at(i)), function.at);
            let make = Ident::new(function.make, Span::call_site());
            let types = function.types.iter();
            let types = types.map(|ty| spanned(ty.to_token_stream(), at));
            let code = quote_spanned!(at=> ::ironweave::plumbing::#make::<#(#types),*>());
            quote!(#index => #code,)
        })
        .collect()
}

/// An arm for each literal.
fn literals(event: &Event) -> Vec<TokenStream> {
    let one = |(i, literal): (usize, &crate::check::model::Literal)| {
        let index = number(FieldIx::at(event.fields.len() + i));
        let ty = &literal.ty;
        // A literal number can have any numeric type, but has no `From` conversion to all of them.
        let into = |tokens: &TokenStream, ty: Option<&Type>| match ty.is_some_and(by_value) {
            true => quote!(#tokens),
            false => quote!(::core::convert::From::from(#tokens)),
        };
        let value = match &literal.kind {
            LiteralKind::Plain => into(&literal.tokens, Some(ty)),
            LiteralKind::None => quote!(::core::option::Option::None),
            LiteralKind::Some(tokens) => {
                let inner = into(tokens, optional(ty));
                quote!(::core::option::Option::Some(#inner))
            }
        };
        if by_value(ty) {
            return quote! { #index => { static VALUE: #ty = #value; &VALUE } };
        }
        quote! {
            #index => {
                static VALUE: ::std::sync::LazyLock<#ty> = ::std::sync::LazyLock::new(|| #value);
                &*VALUE
            }
        }
    };
    event.literals.iter().enumerate().map(one).collect()
}

/// The events that a program can fire.
pub fn fired(model: &Model) -> impl Iterator<Item = (&Event, &EventDef)> {
    let all = model.events.iter().zip(&model.schema.events);
    all.filter(|(_, def)| !def.immediate)
}

/// `AnyEvent`: the events that a program can fire, as one type.
pub fn any(model: &Model) -> TokenStream {
    let events: Vec<&Event> = fired(model).map(|(event, _)| event).collect();
    let names = events.iter().map(|event| &event.name);
    let numbers = (0..events.len()).map(number);
    quote! {
        ::ironweave::plumbing::any_event! { Model, { #(#names = #numbers),* } }
    }
}

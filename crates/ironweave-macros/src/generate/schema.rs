//! Generates `Model::binding`: the schema as one literal, and the code that belongs to it. Rust expressions for the schema
//! would take a tenth of the time that `cargo check` takes for a model.

use ironweave_schema::IndexKind;
use proc_macro2::{Ident, Literal, TokenStream};
use quote::{quote, quote_spanned};
use syn::Type;
use syn::spanned::Spanned as _;

use super::event::{functions_of_immediate, handler_of_immediate, literals_of_immediate};
use super::find::parts;
use super::methods::{equality, is_faithful};
use super::result;
use crate::check::model::{Default, Model};
use crate::check::names::plain;

/// `struct Model` and its implementation.
pub fn binding(model: &Model) -> TokenStream {
    let name = plain(&model.name);
    let doc = format!("The model `{name}`: what a store is opened with.");
    let (value, check_of) = (model.taken.local("value"), model.taken.local("check"));
    let (id, db) = (model.taken.local("id"), model.taken.local("db"));
    let columns = model.columns.entries().map(|(ix, column)| {
        let (ty, def) = (&column.ty, &model.schema[ix]);
        let only_key = def.key && model.entities[def.entity].key.len() == 1;
        let make = match (only_key, def.index) {
            (true, _) => {
                let entity = &model.entities[def.entity].name;
                quote!(key::<#entity>)
            }
            (_, Some(IndexKind::Equal)) => quote!(indexed::<#ty>),
            (_, Some(IndexKind::Ordered)) => quote!(ordered::<#ty>),
            _ => quote!(of::<#ty>),
        };
        let compared = (!def.key && def.index.is_none()).then(|| compared(ty));
        let default = column
            .default
            .as_ref()
            .map(|given| default(ty, given, &value));
        quote!(::ironweave::plumbing::ColumnType::#make() #compared #default)
    });
    let data = model.edges.iter().map(|edge| match &edge.data {
        Some(ty) => {
            let compared = compared(ty);
            let default = edge.default.as_ref().map(|given| default(ty, given, &value));
            quote!(::core::option::Option::Some(::ironweave::plumbing::ColumnType::of::<#ty>() #compared #default))
        }
        None => quote!(::core::option::Option::None),
    });
    let indexes = (0..).zip(&model.schema.indexes).map(|(ix, def)| {
        let (parts, make) = match def.kind {
            IndexKind::Equal => (parts(model, ix), quote!(equal)),
            IndexKind::Ordered => (parts(model, ix), quote!(ordered)),
        };
        quote!(::ironweave::plumbing::IndexType::#make::<#parts>())
    });
    let events = model.events.entries().map(|(ix, event)| {
        let name = &event.name;
        if model.schema[ix].immediate {
            let literals = literals_of_immediate(model, event);
            let functions = functions_of_immediate(model, event);
            let handler = handler_of_immediate(model, (event, &model.schema[ix]));
            quote!(::ironweave::plumbing::EventType::immediate(#literals, #functions) #handler)
        } else {
            let upcasts = event.upcasts.iter().map(|upcast| {
                let (from, with) = (&upcast.from, &upcast.with);
                quote_spanned!(with.span() => .upcast::<#name>(#from, #with))
            });
            quote!(::ironweave::plumbing::EventType::of::<#name>() #(#upcasts)*)
        }
    });
    let invariants =
        (model.invariants.iter().zip(&model.schema.invariants)).map(|(invariant, def)| {
            let check = &invariant.check;
            let entity = &model.entities[def.entity].name;
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
    let schema = Literal::byte_string(&model.schema.to_cbor());
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
                    indexes: ::std::vec![#(#indexes),*],
                    events: ::std::vec![#(#events),*],
                    invariants: ::std::vec![#(#invariants),*],
                }
            }
        }
    }
}

/// `.or(..)`, which sets the default of a column.
fn default(ty: &Type, given: &Default, value: &Ident) -> TokenStream {
    let given = match given {
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
}

/// `.compared(..)`, for a type whose values are not known to be read back as they were written.
fn compared(ty: &Type) -> TokenStream {
    if is_faithful(ty) {
        return TokenStream::new();
    }
    let equality = equality(ty);
    quote!(.compared(#equality))
}

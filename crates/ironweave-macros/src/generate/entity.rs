//! An entity: the handle, the enum of its tokens, and what can be called on them.

use proc_macro2::TokenStream;
use quote::quote;

use super::{documented, methods, number};
use crate::check::model::{Entity, Model};
use crate::check::names::plain;
use crate::check::types::text;

/// All of one entity.
pub fn entity(model: &Model, index: usize, entity: &Entity) -> TokenStream {
    let (vis, name) = (&entity.vis, &entity.name);
    let attrs = documented(&entity.attrs, &format!("The entity `{name}`."));
    let handle = handle(index, entity);
    let enumeration = enumeration(entity);
    let key = key(model, entity);
    let on_handles = methods::on_handles(model, index, entity);
    let on_tokens = (0..entity.states.len()).map(|s| methods::on_tokens(model, index, entity, s));
    quote! {
        #attrs
        #vis struct #name<S: ::ironweave::StateOf<#name> = ::ironweave::Any> {
            id: ::ironweave::Id,
            state: ::core::marker::PhantomData<fn() -> S>,
        }
        #enumeration
        #handle
        #key
        #on_handles
        #(#on_tokens)*
    }
}

/// The implementations that every handle has, which core writes.
fn handle(index: usize, entity: &Entity) -> TokenStream {
    let (name, states) = (&entity.name, &entity.states_name);
    let text = plain(name);
    let index = number(index);
    let names = entity.states.iter().map(|state| &state.name);
    let numbers = (0..entity.states.len()).map(number);
    quote! {
        ::ironweave::plumbing::handle! {
            #name, model = Model, index = #index, name = #text,
            states = #states { #(#names = #numbers),* }
        }
    }
}

/// The enum of tokens, in place of the enum of states.
fn enumeration(entity: &Entity) -> TokenStream {
    let (vis, name, enum_name) = (&entity.vis, &entity.name, &entity.states_name);
    let fallback = format!("A `{name}` as a token of the state it is in.");
    let attrs = documented(&entity.states_attrs, &fallback);
    let has_debug = entity
        .states_attrs
        .iter()
        .any(|attr| attr.path().is_ident("derive") && text(&attr.meta).contains("Debug"));
    let debug = (!has_debug).then(|| quote!(#[derive(Debug)]));
    let variants = entity.states.iter().map(|state| {
        let state_name = &state.name;
        let attrs = documented(&state.attrs, &format!("It is in `{state_name}`."));
        quote! { #attrs #state_name(#name<self::state::#state_name>) }
    });
    quote! {
        #attrs
        #debug
        #vis enum #enum_name { #(#variants),* }
    }
}

/// `Keyed`, where there is a key.
fn key(model: &Model, entity: &Entity) -> Option<TokenStream> {
    let name = &entity.name;
    let column = entity.key?;
    let ty = &model.columns[column].ty;
    let column = number(column);
    Some(quote! {
        impl ::ironweave::Keyed for #name {
            type Key = #ty;
            const KEY: u16 = #column;
        }
    })
}

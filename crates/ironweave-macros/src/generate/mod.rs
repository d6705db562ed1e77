//! Generates tokens from the resolved model. This step cannot fail.
//!
//! The generated code is thin: data in the schema, and one call into `::ironweave::plumbing` per method. All
//! paths are absolute, so that no item in the user's module can shadow them.

mod changes;
mod compile;
mod compiled;
mod entity;
mod event;
mod find;
mod marks;
mod methods;
mod pictures;
mod receipts;
mod schema;
mod summary;
#[cfg(test)]
mod tests;

use proc_macro2::{Literal, TokenStream};
use quote::quote;
use syn::{Attribute, Item};

use crate::check::model::{Invariant, Model};

/// The module with all generated items.
pub fn model(model: &Model) -> TokenStream {
    let (vis, name) = (&model.vis, &model.name);
    let attrs = documented(&model.attrs, &format!("The model `{name}`."));
    let summary = summary::model(model);
    let edges = pictures::edges(model);
    let others = model.others.iter().map(other);
    let entities = (model.entities.entries()).map(|(ix, e)| entity::entity(model, ix, e));
    let states = marks::states(model);
    let mays = marks::mays(model);
    let events = (model.events.entries()).map(|(ix, e)| event::event(model, ix, e));
    let results = receipts::results(model);
    let any = event::any(model);
    let invariants = model.invariants.iter().map(invariant);
    let binding = schema::binding(model);
    quote! {
        #attrs
        #[doc = #summary]
        #edges
        #vis mod #name {
            #(#others)*
            #binding
            #(#entities)*
            #states
            #mays
            #(#events)*
            #results
            #any
            #(#invariants)*
        }
    }
}

/// Another item of the user, unchanged. An import may be unused, because only the syntax of the model used it.
fn other(item: &Item) -> TokenStream {
    match item {
        Item::Use(item) => quote! { #[allow(unused_imports)] #item },
        item => quote! { #item },
    }
}

fn invariant(invariant: &Invariant) -> TokenStream {
    let (vis, name) = (&invariant.vis, &invariant.name);
    let attrs = documented(&invariant.attrs, &format!("The invariant `{name}`."));
    quote! { #attrs #[allow(dead_code)] #vis struct #name; }
}

/// The user's attributes, with a line of documentation if there is none.
fn documented(attrs: &[Attribute], fallback: &str) -> TokenStream {
    if attrs.iter().any(|attr| attr.path().is_ident("doc")) {
        quote! { #(#attrs)* }
    } else {
        quote! { #[doc = #fallback] #(#attrs)* }
    }
}

/// A number as written.
fn number(number: impl Into<usize>) -> Literal {
    Literal::usize_unsuffixed(number.into())
}

/// `Result<what, Reject>`.
fn result(what: &TokenStream) -> TokenStream {
    quote! { ::core::result::Result<#what, ::ironweave::Reject> }
}

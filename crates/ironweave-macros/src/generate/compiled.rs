//! Generates the compiled arcs of an event: `Event::ARCS`, one number for each arc, in order of execution.
//!
//! Each names the entities, columns and states that it acts on by their numbers, so that the runtime can execute it without
//! the schema. When a store opens, the runtime compares the arcs with its own plan of the event, so that a difference is a
//! defect that is found at once.

use ironweave_schema::EventDef;
use proc_macro2::{Literal, TokenStream};
use quote::quote;

use crate::check::model::Model;
use crate::generate::compile::compile;

/// `const ARCS`, if the event can have compiled arcs.
pub fn arcs(model: &Model, def: &EventDef) -> TokenStream {
    let compiled = (!model.broken)
        .then(|| compile(&model.schema, def))
        .flatten();
    let Some(arcs) = compiled else {
        return TokenStream::new();
    };
    let numbers = arcs.iter().map(|arc| {
        let number: Option<Literal> = format!("{:#x}", arc.pack()).parse().ok();
        number.unwrap_or_else(|| Literal::u128_unsuffixed(arc.pack()))
    });
    quote! {
        const ARCS: ::core::option::Option<&'static [u128]> =
            ::core::option::Option::Some(&[#(#numbers),*]);
    }
}

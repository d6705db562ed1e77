//! The modules `state` and `may`: one marker per state name, one trait per possible arc.

use ironweave_schema::{ColumnIx, May};
use proc_macro2::{Ident, TokenStream};
use quote::quote;

use super::number;
use crate::check::model::{LinkKind, Model, Whole};
use crate::check::names::plain;
use crate::check::{
    declaring_end, link_text, link_trait, move_trait, set_link_trait, set_text, set_trait,
    whole_trait,
};
use crate::errors::list;

/// `pub mod state`, and the implementations of the markers for each entity.
pub fn states(model: &Model) -> TokenStream {
    let mut markers: Vec<(&Ident, Vec<String>)> = Vec::new();
    let mut impls = Vec::new();
    for entity in &model.entities {
        let name = &entity.name;
        for (number_of_state, state) in entity.states.entries() {
            let state = &state.name;
            match markers.iter_mut().find(|(marker, _)| *marker == state) {
                Some((_, of)) => of.push(plain(name)),
                None => markers.push((state, vec![plain(name)])),
            }
            let index = number(number_of_state);
            impls.push(quote! {
                #[doc(hidden)]
                impl ::ironweave::StateOf<#name> for self::state::#state {}
                #[doc(hidden)]
                impl ::ironweave::Place<#name> for self::state::#state {
                    type Item = #name<self::state::#state>;
                    const STATES: &'static [::ironweave::plumbing::StateIx] = &[::ironweave::plumbing::StateIx::new(#index)];
                }
            });
        }
    }
    let markers = markers.into_iter().map(|(marker, mut of)| {
        of.dedup();
        let of: Vec<&str> = of.iter().map(String::as_str).collect();
        let doc = format!("A state of {}.", list(&of));
        quote! { #[doc = #doc] pub enum #marker {} }
    });
    quote! {
        /// The states of the entities, as types: `JobRun<Running>`.
        #[allow(dead_code)]
        pub mod state { #(#markers)* }
        #(#impls)*
    }
}

/// `pub mod may`.
pub fn mays(model: &Model) -> TokenStream {
    let mut traits = Vec::new();
    for (ix, entity) in model.entities.entries() {
        for (from, state) in entity.states.entries() {
            for transition in &model.schema[ix][from].to {
                let target = &entity.states[transition.to].name;
                let text = format!("{}: {} -> {target}", entity.name, state.name);
                traits.push(may(&move_trait(entity, from, transition.to), &text));
            }
        }
    }
    for edge in model.edges.indexes() {
        for kind in [LinkKind::Link, LinkKind::Unlink, LinkKind::Relink] {
            let text = link_text(kind, model, edge);
            traits.push(may(&link_trait(kind, model, edge), &text));
        }
    }
    for (edge, _) in (model.edges.entries()).filter(|(_, edge)| edge.data.is_some()) {
        let (entity, name) = declaring_end(model, edge);
        let text = format!("set {entity}.{}", plain(name));
        traits.push(may(&set_link_trait(model, edge), &text));
    }
    for column in model.columns.indexes() {
        if settable(model, column) {
            let text = set_text(model, column);
            traits.push(may(&set_trait(model, column), &text));
        }
    }
    for entity in &model.entities {
        for what in [Whole::Create, Whole::Ensure, Whole::Delete] {
            if what == Whole::Ensure && entity.key.is_empty() && !model.broken {
                continue;
            }
            let text = format!("{} {}", what.word(), entity.name);
            traits.push(may(&whole_trait(what, entity), &text));
        }
    }
    quote! {
        /// The permissions of handlers: one trait for each arc that a `#[may(..)]` can list.
        #[allow(dead_code)]
        pub mod may { #(#traits)* }
    }
}

/// Whether a column has a setter: every field except keys, and the state data that some handler
/// may set.
pub fn settable(model: &Model, column: ColumnIx) -> bool {
    let def = &model.schema[column];
    match def.state {
        None => !def.key,
        Some(_) => (model.schema.events.iter()).any(|event| event.mays.contains(&May::Set(column))),
    }
}

/// One trait.
fn may(name: &Ident, arc: &str) -> TokenStream {
    let doc = format!("Events with `#[may({arc})]`.");
    let message = format!("event `{{Self}}` does not declare the arc `{arc}`");
    let label = format!("needs `{arc}`");
    let note = format!("add `#[may({arc})]` to the event");
    quote! {
        #[doc = #doc]
        #[diagnostic::on_unimplemented(message = #message, label = #label, note = #note)]
        pub trait #name: ::ironweave::Handles {}
    }
}

//! Generates the types of receipts: the entities that an event binds, creates and shows to its guards.

use ironweave_schema::{Arc, BindBy, Cardinality, EventDef, NameIx, Scope};
use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};

use super::event::fired;
use super::number;
use crate::check::model::{Event, Model};

/// A field of `Bound` or `Created`, taken from the names.
pub fn from_names(ix: NameIx, (event, def): (&Event, &EventDef), names: &Ident) -> TokenStream {
    let (index, field) = (number(ix), &event.names[ix].name);
    match def[ix].count {
        Cardinality::One => quote! { #field: #names.one(#index) },
        Cardinality::Option => quote! { #field: #names.option(#index) },
        Cardinality::Many => quote! { #field: #names.many(#index) },
    }
}

/// The modules `bound` and `created`: the contents of receipts.
pub fn results(model: &Model) -> TokenStream {
    // Those of an immediate event are for its handler.
    let has_bound = |(event, def): &(&Event, &EventDef)| {
        !event.names.is_empty() && (!def.immediate || event.has_may)
    };
    let bound = (model.events.iter().zip(&model.schema.events))
        .filter(has_bound)
        .map(|(event, def)| {
            let doc = format!(
                "The entities that [`{0}`](super::{0}) bound, after its declared arcs.",
                event.name
            );
            one_result(model, (event, def), &doc, "bound")
        });
    let creates =
        |(_, def): &(_, &EventDef)| def.names.iter().any(|name| name.by == BindBy::Created);
    let created = fired(model).filter(creates).map(|(event, def)| {
        let doc = format!("The entities that [`{0}`](super::{0}) created.", event.name);
        one_result(model, (event, def), &doc, "created")
    });
    let guarded =
        |(event, def): &(&Event, &EventDef)| !event.guards.is_empty() && !def.names.is_empty();
    let named = fired(model).filter(guarded).map(|(event, def)| {
        let doc = format!(
            "The entities that the guards of [`{0}`](super::{0}) see: what it binds and creates.",
            event.name
        );
        one_result(model, (event, def), &doc, "named")
    });
    let named: Vec<TokenStream> = named.collect();
    let named = (!named.is_empty()).then(|| {
        quote! {
            /// The entities that guards see: handles, since no arc has moved them yet.
            #[allow(dead_code)]
            pub mod named { #(#named)* }
        }
    });
    quote! {
        /// The entities that events bind: tokens if the declared arcs determine the state, or else handles.
        #[allow(dead_code)]
        pub mod bound { #(#bound)* }
        /// The entities that events create.
        #[allow(dead_code)]
        pub mod created { #(#created)* }
        #named
    }
}

fn one_result(
    model: &Model,
    (event, def): (&Event, &EventDef),
    doc: &str,
    module: &str,
) -> TokenStream {
    let fields: Vec<TokenStream> = (event.names.entries())
        .filter(|(ix, _)| module != "created" || def[*ix].by == BindBy::Created)
        .map(|(ix, name)| {
            let entity = &model.entities[def[ix].entity];
            let (entity_name, field) = (&entity.name, &name.name);
            let one = match name.after.filter(|_| module == "bound") {
                Some(state) => {
                    let state = &entity.states[state].name;
                    quote!(super::#entity_name<super::state::#state>)
                }
                None => quote!(super::#entity_name),
            };
            let ty = match def[ix].count {
                Cardinality::One => one,
                Cardinality::Option => quote!(::core::option::Option<#one>),
                Cardinality::Many => quote!(::std::vec::Vec<#one>),
            };
            let doc = described(model, def, ix);
            quote! { #[doc = #doc] pub #field: #ty }
        })
        .collect();
    let given = result_name(event, module);
    quote! { #[doc = #doc] #[derive(::core::fmt::Debug)] pub struct #given { #(#fields),* } }
}

/// `JobFailedBound` of `JobFailed`. The name is unique in the model, because rustc shortens paths only of unique
/// names.
fn result_name(event: &Event, module: &str) -> Ident {
    let suffix = match module {
        "bound" => "Bound",
        "created" => "Created",
        _ => "Named",
    };
    format_ident!("{}{suffix}", event.name)
}

/// The type and value of the entities in a receipt; the unit if there are none.
pub fn given(event: &Event, module: &str, fields: &[TokenStream]) -> (TokenStream, TokenStream) {
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
fn described(model: &Model, def: &EventDef, ix: NameIx) -> String {
    let name = &def[ix];
    let entity = &model.entities[name.entity];
    let moved = def.arcs.iter().any(|arc| {
        matches!(arc, Arc::Move { path, scope: Scope::Each, .. }
            if path.hops.is_empty() && path.root == ix)
    });
    let how = match (name.by, moved) {
        (BindBy::Created, _) => "created",
        (BindBy::Chosen, _) => "chosen",
        (_, true) => "moved",
        _ => "bound",
    };
    format!("`{}`: `{}`, {how} by the event.", name.name, entity.name)
}

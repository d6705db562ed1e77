//! Generates an entity: the handle, the enum of its tokens, and their methods.

use ironweave_schema::{Cardinality, ColumnIx, EntityIx};
use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use super::{changes, documented, methods, number, pictures, result, summary};
use crate::check::model::{Entity, FieldKind, Model, Whole};
use crate::check::names::plain;
use crate::check::types::{is_float, text};
use crate::check::whole_trait;

/// All of one entity.
pub fn entity(model: &Model, index: EntityIx, entity: &Entity) -> TokenStream {
    let (vis, name) = (&entity.vis, &entity.name);
    let attrs = documented(&entity.attrs, &format!("The entity `{name}`."));
    let summary = summary::entity(model, index, entity);
    let lifecycle = pictures::lifecycle(model, index);
    let handle = handle(model, index, entity);
    let enumeration = enumeration(entity);
    let key = key(model, entity);
    let new = new(model, index, entity);
    let reading = methods::reading(model, index, entity);
    let finding = methods::finding(model, index, entity);
    let changing = changes::changing(model, index, entity);
    let s = model.taken.generic("S");
    let on_tokens = (entity.states.indexes()).map(|s| methods::on_tokens(model, index, entity, s));
    quote! {
        #attrs
        #[doc = #summary]
        #lifecycle
        #vis struct #name<#s: ::ironweave::StateOf<#name> = ::ironweave::Any> {
            id: ::ironweave::Id,
            state: ::core::marker::PhantomData<fn() -> #s>,
        }
        #enumeration
        #handle
        #key
        #new
        #reading
        #(#on_tokens)*
        #finding
        #changing
    }
}

/// The implementations that every handle has, by a macro of the runtime.
fn handle(model: &Model, index: EntityIx, entity: &Entity) -> TokenStream {
    let (name, states) = (&entity.name, &entity.states_name);
    let text = plain(name);
    let index = number(index);
    let names = entity.states.iter().map(|state| &state.name);
    let numbers = entity.states.indexes().map(number);
    let generics = ["S", "T", "P"].map(|name| model.taken.generic(name));
    quote! {
        ::ironweave::plumbing::handle! {
            #name, generics = [#(#generics)*], model = Model, index = #index, name = #text,
            states = #states { #(#names = #numbers),* }
        }
    }
}

/// The enum of tokens, in place of the enum of states.
fn enumeration(entity: &Entity) -> TokenStream {
    let (vis, name, enum_name) = (&entity.vis, &entity.name, &entity.states_name);
    let fallback = format!("A `{name}` as a token of its current state.");
    let attrs = documented(&entity.states_attrs, &fallback);
    let has_debug = entity
        .states_attrs
        .iter()
        .any(|attr| attr.path().is_ident("derive") && text(&attr.meta).contains("Debug"));
    let debug = (!has_debug).then(|| quote!(#[derive(::core::fmt::Debug)]));
    let variants = entity.states.iter().map(|state| {
        let state_name = &state.name;
        let attrs = documented(&state.attrs, &format!("The state `{state_name}`."));
        quote! { #attrs #state_name(#name<self::state::#state_name>) }
    });
    quote! {
        #attrs
        #debug
        #[allow(dead_code)]
        #vis enum #enum_name { #(#variants),* }
    }
}

/// `NewJobRun`: the argument with which a handler creates an entity.
fn new(model: &Model, index: EntityIx, entity: &Entity) -> TokenStream {
    let (vis, name) = (&entity.vis, &entity.name);
    let new = format_ident!("New{}", name);
    let initial = &entity.states[model.schema[index].initial];
    let may = whole_trait(Whole::Create, entity);
    let (mut fields, mut links) = (Vec::new(), Vec::new());
    let (mut columns, mut values) = (Vec::new(), Vec::new());
    let mut column = |name: &proc_macro2::Ident, column: ColumnIx, attrs: &[syn::Attribute]| {
        let (ty, number) = (&model.columns[column].ty, number(column));
        let attrs = documented(&docs(attrs), &format!("The field `{name}`."));
        fields.push(quote!(#attrs pub #name: #ty));
        columns.push(number);
        values.push(quote!(&self.#name));
    };
    for field in &entity.fields {
        if let FieldKind::Column(number) = field.kind {
            column(&field.name, number, &field.attrs);
        }
    }
    for number in initial.data.iter().filter(|c| !model.columns[**c].hidden) {
        let def = &model.columns[*number];
        column(&def.name, *number, &def.attrs);
    }
    for field in &entity.fields {
        let FieldKind::End(end) = field.kind else {
            continue;
        };
        let Some(edge) = end.edge.filter(|_| end.cardinality == Cardinality::One) else {
            continue;
        };
        let (field_name, other) = (&field.name, &model.entities[end.other].name);
        let attrs = documented(&docs(&field.attrs), &format!("The edge `{field_name}`."));
        fields.push(quote!(#attrs pub #field_name: #other));
        let (edge_number, forward) = (number(edge), end.forward);
        let data = match &model.edges[edge].data {
            None => quote!(::core::option::Option::None),
            Some(ty) => {
                let data = format_ident!("{}_data", field_name);
                let doc = format!("The data of the link `{field_name}`.");
                fields.push(quote!(#[doc = #doc] pub #data: #ty));
                quote!(::core::option::Option::Some(&self.#data as &dyn ::core::any::Any))
            }
        };
        links.push(quote! {
            (::ironweave::plumbing::hop(#edge_number, #forward), self.#field_name.id, #data)
        });
    }
    let state = &initial.name;
    let doc = format!(
        "A new `{name}`, for [`Tx::create`](::ironweave::Tx::create) in an event with `#[may(create {name})]`."
    );
    let index = number(index);
    let id = result(&quote!(::ironweave::Id));
    let (e, tx) = (model.taken.generic("E"), model.taken.local("tx"));
    let body = if fields.is_empty() {
        quote!(;)
    } else {
        quote!({ #(#fields),* })
    };
    quote! {
        #[doc = #doc]
        #[allow(dead_code)]
        #vis struct #new #body
        impl<#e: ::ironweave::Handles + self::may::#may> ::ironweave::New<#e> for #new {
            type Entity = #name;
            type State = self::state::#state;
            fn create(self, #tx: &mut ::ironweave::Tx<'_, #e>) -> #id {
                ::ironweave::plumbing::create(#tx, #index, &[#(#columns),*], &[#(#values),*], &[#(#links),*])
            }
        }
    }
}

/// The documentation among the user's attributes.
fn docs(attrs: &[syn::Attribute]) -> Vec<syn::Attribute> {
    let doc = |attr: &&syn::Attribute| attr.path().is_ident("doc");
    attrs.iter().filter(doc).cloned().collect()
}

/// `Keyed`, if there is a key.
fn key(model: &Model, entity: &Entity) -> Option<TokenStream> {
    let name = &entity.name;
    let types = entity.key.iter().map(|c| match &model.columns[*c].ty {
        // A float was refused; rustc would refuse it again.
        ty if is_float(ty) => quote!(u64),
        ty => quote!(#ty),
    });
    let types: Vec<TokenStream> = types.collect();
    let ty = match types.as_slice() {
        // A missing key was reported at its use.
        [] if model.broken => quote!(::std::string::String),
        [] => return None,
        [ty] => quote!(#ty),
        types => quote!((#(#types),*)),
    };
    let columns = entity.key.iter().copied().map(number);
    // A tuple is read back as it was written if all of its parts are.
    let faithful = (types.len() > 1).then(|| {
        quote! {
            fn has_faithful_key() -> bool {
                #(::ironweave::plumbing::is_faithful::<#types>())&&*
            }
        }
    });
    let (ensure, e) = (whole_trait(Whole::Ensure, entity), model.taken.generic("E"));
    Some(quote! {
        impl ::ironweave::Keyed for #name {
            type Key = #ty;
            const KEY: &'static [::ironweave::plumbing::ColumnIx] = &[#(::ironweave::plumbing::ColumnIx::new(#columns)),*];
            #faithful
        }
        impl<#e: ::ironweave::Handles + self::may::#ensure> ::ironweave::Ensured<#e> for #name {}
    })
}

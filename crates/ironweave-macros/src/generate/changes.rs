//! Methods that change an entity and its links, in the handler of an event that declares the change. The methods that move a
//! token are in `methods`.

use ironweave_schema::{ColumnIx, EntityIx};
use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::Type;

use super::marks::settable;
use super::methods::{block, shown, value_parameter};
use super::{number, result};
use crate::check::model::{Entity, Field, FieldEnd, FieldKind, LinkKind, Model, Whole};
use crate::check::names::plain;
use crate::check::{
    declaring_end, link_text, link_trait, set_link_trait, set_text, set_trait, whole_trait,
};

/// The methods that change any handle or token, except for its state.
pub fn changing(model: &Model, index: EntityIx, entity: &Entity) -> TokenStream {
    let name = &entity.name;
    let s = model.taken.generic("S");
    let one = |field: &Field| match field.kind {
        FieldKind::Column(column) if settable(model, column) => {
            setter(model, index, column, &field.vis)
        }
        FieldKind::End(end) => edge(model, field, end),
        FieldKind::Column(_) | FieldKind::Broken => TokenStream::new(),
    };
    let mut methods: Vec<TokenStream> = shown(entity).map(one).collect();
    methods.push(delete(model, index, entity));
    block(
        "Changes, for handlers. Each method needs a `may` of the event.",
        &quote!(impl<#s: ::ironweave::StateOf<#name>> #name<#s>),
        &methods,
    )
}

/// Sets a column.
pub fn setter(
    model: &Model,
    entity: EntityIx,
    column: ColumnIx,
    vis: &syn::Visibility,
) -> TokenStream {
    let def = &model.columns[column];
    let bound = set_trait(model, column);
    let method = format_ident!("set_{}", def.name);
    let doc = format!(
        "Sets `{}`, in an event with `#[may({})]`.",
        plain(&def.name),
        set_text(model, column)
    );
    let claimed = match model.schema[column].state {
        Some(state) => {
            let state = number(state);
            quote!(::core::option::Option::Some(#state))
        }
        None => quote!(::core::option::Option::None),
    };
    let (entity, column) = (number(entity), number(column));
    let (tx, value) = (model.taken.local("tx"), model.taken.local("value"));
    let (e, unit) = (model.taken.generic("E"), result(&quote!(())));
    let (parameter, into) = value_parameter(&value, &def.ty);
    quote! {
        #[doc = #doc]
        #vis fn #method<#e: ::ironweave::Handles>(
            &self, #tx: &mut ::ironweave::Tx<'_, #e>, #parameter,
        ) -> #unit
        where #e: self::may::#bound {
            #into
            ::ironweave::plumbing::set(#tx, #entity, self.id, #claimed, #column, &#value)
        }
    }
}

/// Changes an end of an edge.
fn edge(model: &Model, field: &Field, end: FieldEnd) -> TokenStream {
    let vis = &field.vis;
    let other = &model.entities[end.other].name;
    let forward = end.forward;
    let hop_number = number(end.edge.unwrap_or_default());
    let hop = quote!(::ironweave::plumbing::hop(#hop_number, #forward));
    let (tx, other_name) = (model.taken.local("tx"), model.taken.local("other"));
    let (e, unit) = (model.taken.generic("E"), result(&quote!(())));
    let data = end.edge.and_then(|edge| model.edges[edge].data.as_ref());
    let set_data = data.map(|ty| set_link_data(model, field, end, ty));
    let kinds = [LinkKind::Link, LinkKind::Unlink, LinkKind::Relink];
    let changes = end.edge.into_iter().flat_map(|edge| {
        kinds.into_iter().map(move |kind| {
            let bound = link_trait(kind, model, edge);
            let may = link_text(kind, model, edge);
            let method = format_ident!("{}_{}", kind.word(), field.name);
            (kind, bound, may, method)
        })
    });
    let changes = changes.map(|(kind, bound, may, method)| {
        let given = data.filter(|_| kind != LinkKind::Unlink);
        let (call, what) = match (kind, given) {
            (LinkKind::Link, None) => (quote!(link), "Links `other`"),
            (LinkKind::Link, Some(_)) => (quote!(link_with), "Links `other`, with data"),
            (LinkKind::Unlink, _) => (quote!(unlink), "Removes the link with `other`"),
            (LinkKind::Relink, None) => (
                quote!(relink),
                "Links `other`, replacing a link at an end that holds one",
            ),
            (LinkKind::Relink, Some(_)) => (
                quote!(relink_with),
                "Links `other` with data, replacing a link at an end that holds one",
            ),
        };
        let value = model.taken.local("data");
        let parameter = given.map(|ty| quote!(#value: #ty,));
        let argument = given.map(|_| quote!(, &#value));
        let doc = format!("{what}, in an event with `#[may({may})]`.");
        quote! {
            #[doc = #doc]
            #vis fn #method<#e: ::ironweave::Handles>(
                &self, #tx: &mut ::ironweave::Tx<'_, #e>,
                #other_name: &#other<impl ::ironweave::StateOf<#other>>, #parameter
            ) -> #unit
            where #e: self::may::#bound {
                ::ironweave::plumbing::#call(#tx, #hop, self.id, #other_name.id #argument)
            }
        }
    });
    quote! { #(#changes)* #set_data }
}

/// Sets the data of links.
fn set_link_data(model: &Model, field: &Field, end: FieldEnd, ty: &Type) -> TokenStream {
    let (Some(edge), vis, name) = (end.edge, &field.vis, &field.name) else {
        return TokenStream::new();
    };
    let (bound, owner) = (set_link_trait(model, edge), declaring_end(model, edge));
    let other = &model.entities[end.other].name;
    let (edge, forward) = (number(edge), end.forward);
    let hop = quote!(::ironweave::plumbing::hop(#edge, #forward));
    let set = format_ident!("set_{}_data", name);
    let taken = &model.taken;
    let (tx, value, other_name) = (taken.local("tx"), taken.local("data"), taken.local("other"));
    let e = taken.generic("E");
    let unit = result(&quote!(()));
    let text = plain(name);
    let may = format!("set {}.{}", owner.0, plain(owner.1));
    let set_doc = format!("Sets the data of a link of `{text}`, in an event with `#[may({may})]`.");
    quote! {
        #[doc = #set_doc]
        #vis fn #set<#e: ::ironweave::Handles>(
            &self, #tx: &mut ::ironweave::Tx<'_, #e>,
            #other_name: &#other<impl ::ironweave::StateOf<#other>>, #value: #ty,
        ) -> #unit
        where #e: self::may::#bound {
            ::ironweave::plumbing::set_link(#tx, #hop, self.id, #other_name.id, &#value)
        }
    }
}

/// Deletes it.
fn delete(model: &Model, index: EntityIx, entity: &Entity) -> TokenStream {
    let (vis, name) = (&entity.vis, &entity.name);
    let bound = whole_trait(Whole::Delete, entity);
    let doc = format!(
        "Deletes the entity, and applies the `on_delete` of its edges, in an event with `#[may(delete {name})]`."
    );
    let (index, tx, unit) = (number(index), model.taken.local("tx"), result(&quote!(())));
    let (s, e) = (model.taken.generic("S"), model.taken.generic("E"));
    quote! {
        #[doc = #doc]
        #vis fn delete<#e: ::ironweave::Handles>(self, #tx: &mut ::ironweave::Tx<'_, #e>) -> #unit
        where #e: self::may::#bound {
            ::ironweave::plumbing::delete(
                #tx, #index, self.id, <#s as ::ironweave::StateOf<#name>>::STATE,
            )
        }
    }
}

//! What finds entities: methods for indexed fields, and the constants by which filters name fields and edges.

use ironweave_schema::{Cardinality, ColumnIx, IndexKind, IndexPart};
use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::Visibility;

use super::number;
use crate::check::model::{Column, Entity, Field, FieldEnd, FieldKind, Model};
use crate::check::names::{constant, plain};

/// What finds entities by a field: its path in filters, and the methods of its index.
pub fn finder(model: &Model, entity: &Entity, field: &Field) -> TokenStream {
    match field.kind {
        FieldKind::Column(column) => {
            let path = field_path(model, entity, column, &field.vis);
            let by_value = by_value(model, &entity.name, column, &field.vis);
            quote! { #path #by_value }
        }
        FieldKind::End(end) => edge_path(model, entity, field, end),
        FieldKind::Broken => TokenStream::new(),
    }
}

/// The path of a field or of a piece of state data.
pub fn field_path(
    model: &Model,
    entity: &Entity,
    column: ColumnIx,
    vis: &syn::Visibility,
) -> TokenStream {
    let (owner, def) = (&entity.name, &model.columns[column]);
    let (path, ty, kind) = (constant(&def.name), &def.ty, model.schema[column].index);
    let doc = format!("`{}` in filters.", plain(&def.name));
    let index = (kind == Some(IndexKind::Ordered)).then(|| quote!(, ::ironweave::query::Ordered));
    let column = number(column);
    quote! {
        #[doc = #doc]
        #vis const #path: ::ironweave::query::FieldPath<#owner, #ty #index> = ::ironweave::plumbing::field_path(#column);
    }
}

/// The path of an end of an edge.
fn edge_path(model: &Model, entity: &Entity, field: &Field, end: FieldEnd) -> TokenStream {
    let (vis, owner, other) = (&field.vis, &entity.name, &model.entities[end.other].name);
    let holds = match end.cardinality {
        Cardinality::One => quote!(#other),
        Cardinality::Option => quote!(::core::option::Option<#other>),
        Cardinality::Many => quote!(::ironweave::query::Many<#other>),
    };
    let (path, doc) = (
        constant(&field.name),
        format!("`{}` in filters.", plain(&field.name)),
    );
    let (edge, forward) = (number(end.edge.unwrap_or_default()), end.forward);
    quote! {
        #[doc = #doc]
        #vis const #path: ::ironweave::query::EdgePath<#owner, #holds> =
            ::ironweave::plumbing::edge_path(::ironweave::plumbing::hop(#edge, #forward));
    }
}

/// The functions that find entities by a field or by data of a state, if it is indexed.
pub fn by_value(model: &Model, owner: &Ident, column: ColumnIx, vis: &Visibility) -> TokenStream {
    let Some(kind) = model.schema[column].index else {
        return TokenStream::new();
    };
    let Column { ty, name, .. } = &model.columns[column];
    let (column, taken) = (number(column), &model.taken);
    let (d, db) = (taken.generic("D"), taken.local("db"));
    let (value, range_of) = (taken.local("value"), taken.local("range"));
    let (by, range) = (
        format_ident!("by_{}", name),
        format_ident!("by_{}_range", name),
    );
    let list = quote!(#d::List<'d, ::ironweave::plumbing::Indexed<'d, #owner>>);
    let by_doc = format!(
        "Returns the entities whose `{name}` equals `value`, in order of ids, in O(log n), and O(1) for each that is taken."
    );
    if kind == IndexKind::Equal {
        return quote! {
            #[doc = #by_doc]
            #vis fn #by<'d, #d: ::ironweave::Db>(#db: &'d #d, #value: &#ty) -> #list {
                ::ironweave::plumbing::by(#db, #column, #value)
            }
        };
    }
    let doc = format!(
        "Returns the entities whose `{name}` is in `range`, in order of values and then of ids, in O(log n), and O(1) for each that is taken."
    );
    quote! {
        #[doc = #by_doc]
        #vis fn #by<'d, #d: ::ironweave::Db>(#db: &'d #d, #value: &#ty) -> #list {
            ::ironweave::plumbing::by_range::<_, #ty, _>(#db, #column, #value..=#value)
        }
        #[doc = #doc]
        #vis fn #range<'d, #d: ::ironweave::Db>(
            #db: &'d #d, #range_of: impl ::core::ops::RangeBounds<#ty>,
        ) -> #list {
            ::ironweave::plumbing::by_range::<_, #ty, _>(#db, #column, #range_of)
        }
    }
}

/// The function that gives an index on the entity.
pub fn by_parts(model: &Model, entity: &Entity, index: usize) -> TokenStream {
    let (def, of) = (&model.schema.indexes[index], &model.indexes[index]);
    let (vis, owner, by) = (&entity.vis, &entity.name, format_ident!("by_{}", of.name));
    let (parts, kind) = (
        parts(model, index),
        match def.kind {
            IndexKind::Equal => quote!(Hashed),
            IndexKind::Ordered => quote!(Sorted),
        },
    );
    let of = format!("The index `{}`.", of.text);
    let index = number(index);
    quote! {
        #[doc = #of]
        #vis fn #by() -> ::ironweave::ByIndex<#owner, #parts, ::ironweave::index::#kind> {
            ::ironweave::plumbing::by_index(#index)
        }
    }
}

/// The types of the parts of an index, as nested pairs.
pub fn parts(model: &Model, index: usize) -> TokenStream {
    let (parts, at) = (&model.schema.indexes[index].parts, model.indexes[index].at);
    (parts.iter().rev()).fold(quote!(()), |rest, part| match part {
        IndexPart::Column(column) => {
            let ty = &model.columns[*column].ty;
            quote_spanned!(at => (#ty, #rest))
        }
        IndexPart::End(hop) => {
            let far = model.schema[hop.edge].far(hop.forward).entity;
            let other = &model.entities[far].name;
            quote_spanned!(at => (::ironweave::index::Linked<#other>, #rest))
        }
    })
}

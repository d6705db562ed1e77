//! What finds entities: by an indexed field, and the filters of queries over edges.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use super::number;
use crate::check::model::{Entity, Field, FieldKind, Index, Model};

/// What finds entities by a field: those with an indexed value, those that are linked with some.
pub fn finder(model: &Model, index: usize, entity: &Entity, field: &Field) -> TokenStream {
    let (vis, name, owner) = (&field.vis, &field.name, &entity.name);
    match field.kind {
        FieldKind::Column(column) => {
            let def = &model.columns[column];
            let Some(kind) = def.index else {
                return TokenStream::new();
            };
            let (ty, column, taken) = (&def.ty, number(column), &model.taken);
            let (d, db) = (taken.generic("D"), taken.local("db"));
            let (value, range_of) = (taken.local("value"), taken.local("range"));
            let (by, range) = (
                format_ident!("by_{}", name),
                format_ident!("by_{}_range", name),
            );
            let list = quote!(#d::List<'d, ::std::vec::IntoIter<#owner>>);
            if kind == Index::Equal {
                let doc = format!(
                    "Those whose `{name}` is `value`, in order of ids; O(log n) and what is found."
                );
                return quote! {
                    #[doc = #doc]
                    #vis fn #by<'d, #d: ::ironweave::Db>(#db: &'d #d, #value: &#ty) -> #list {
                        ::ironweave::plumbing::by(#db, #column, #value)
                    }
                };
            }
            let by_doc = format!(
                "Those whose `{name}` is `value`, in order of ids; O(log n) and what is found."
            );
            let doc = format!(
                "Those whose `{name}` is in `range`, in order of values and then of ids; O(log n) and what is found."
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
        FieldKind::End(end) => {
            let other = &model.entities[end.other].name;
            let with = format_ident!("with_{}", name);
            let doc =
                format!("For queries: those with a `{other}` in `{name}` that a filter takes.");
            let (edge, forward) = (number(end.edge.unwrap_or(0)), end.forward);
            let (index, filter) = (number(index), model.taken.local("filter"));
            quote! {
                #[doc = #doc]
                #vis fn #with(#filter: ::ironweave::Filter<#other>) -> ::ironweave::Filter<#owner> {
                    ::ironweave::plumbing::with(
                        #index, ::ironweave::plumbing::hop(#edge, #forward), #filter,
                    )
                }
            }
        }
        FieldKind::Broken => TokenStream::new(),
    }
}

//! Methods of handles and tokens. Each carries the span of the name that the user wrote.

use ironweave_schema::{Cardinality, ColumnIx, EntityIx, StateIx, TransitionDef};
use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::Type;

use super::changes::setter;
use super::find;
use super::marks::settable;
use super::{documented, number, result};
use crate::check::model::{Column, Entity, Field, FieldEnd, FieldKind, Model, Verb};
use crate::check::move_trait;
use crate::check::names::plain;
use crate::check::types::{by_value, named};

/// Whether the values of a type are known to be read back as they were written, judged by its name.
///
/// This decides only whether code that compares values is generated; the runtime examines the type itself. A name that a
/// program is likely to give to its own type therefore does not count.
pub fn is_faithful(ty: &Type) -> bool {
    let plain = |ty: &Type| {
        let own = named(ty).is_some_and(|ty| ty.name == "Duration" || ty.name == "Timestamp");
        (by_value(ty) && !own) || is_string(ty)
    };
    plain(ty)
        || named(ty).is_some_and(|ty| {
            (ty.name == "Option" || ty.name == "Vec")
                && matches!(ty.args.as_slice(), [of] if plain(of))
        })
}

/// The comparison of a value with the one that is read back: by `PartialEq`, if the type implements it.
pub fn equality(ty: &Type) -> TokenStream {
    quote! {{
        #[allow(unused_imports)]
        use ::ironweave::plumbing::Unequal as _;
        ::ironweave::plumbing::Equality::<#ty>::OF
    }}
}

fn is_string(ty: &Type) -> bool {
    named(ty).is_some_and(|ty| ty.args.is_empty() && ty.name == "String")
}

/// The methods that read any handle or token.
pub fn reading(model: &Model, index: EntityIx, entity: &Entity) -> TokenStream {
    let name = &entity.name;
    let s = model.taken.generic("S");
    let one = |field: &Field| match field.kind {
        FieldKind::Column(column) => {
            let what = if model.schema[column].key {
                "key"
            } else {
                "field"
            };
            let attrs = documented(&field.attrs, &format!("The {what} `{}`.", field.name));
            accessor(model, index, column, &attrs, &field.vis)
        }
        FieldKind::End(end) => edge(model, index, field, end),
        FieldKind::Broken => TokenStream::new(),
    };
    let methods: Vec<TokenStream> = shown(entity).map(one).collect();
    block(
        "Fields and edges.",
        &quote!(impl<#s: ::ironweave::StateOf<#name>> #name<#s>),
        &methods,
    )
}

/// The fields that have methods. A field whose name is taken was reported, and has none.
pub fn shown(entity: &Entity) -> impl Iterator<Item = &Field> {
    entity.fields.iter().filter(|field| !field.hidden)
}

/// The methods that find entities of a type.
pub fn finding(model: &Model, index: EntityIx, entity: &Entity) -> TokenStream {
    let name = &entity.name;
    let data = entity.states.iter().flat_map(|state| &state.data);
    let data = data.filter(|column| !model.columns[**column].hidden);
    let indexes = (0..).zip(&model.schema.indexes);
    let indexes = indexes.filter(|(at, def)| def.entity == index && !model.indexes[*at].hidden);
    let finders: Vec<TokenStream> = shown(entity)
        .map(|field| find::finder(model, entity, field))
        .chain(data.map(|column| find::by_value(model, name, *column, &entity.vis)))
        .chain(indexes.map(|(at, _)| find::by_parts(model, entity, at)))
        .collect();
    block("Lookups and filters.", &quote!(impl #name), &finders)
}

/// An impl block with a line of documentation; nothing if there are no methods.
pub fn block(doc: &str, head: &TokenStream, methods: &[TokenStream]) -> TokenStream {
    if methods.iter().all(TokenStream::is_empty) {
        return TokenStream::new();
    }
    quote! {
        #[doc = #doc]
        #[allow(dead_code)]
        #head { #(#methods)* }
    }
}

/// Methods on the token of one state: its data and its verbs.
pub fn on_tokens(model: &Model, index: EntityIx, entity: &Entity, state: StateIx) -> TokenStream {
    let (name, def) = (&entity.name, &entity.states[state]);
    let data = def.data.iter().filter(|c| !model.columns[**c].hidden);
    let data = data.map(|column| {
        let column_def = &model.columns[*column];
        let fallback = format!("`{}`, data of the state `{}`.", column_def.name, def.name);
        let attrs = documented(&column_def.attrs, &fallback);
        let read = accessor(model, index, *column, &attrs, &entity.vis);
        let write = settable(model, *column).then(|| setter(model, index, *column, &entity.vis));
        let path = find::field_path(model, entity, *column, &entity.vis);
        quote! { #read #write #path }
    });
    let to = &model.schema[index][state].to;
    let verbs = (to.iter().zip(&def.verbs))
        .filter(|(_, verb)| !verb.hidden)
        .map(|(to, of)| verb(model, entity, (state, to), of));
    let state_name = &def.name;
    let methods: Vec<TokenStream> = data.chain(verbs).collect();
    let what = match (def.data.is_empty(), to.is_empty()) {
        (_, true) => "Data",
        (true, false) => "Moves, for handlers,",
        (false, false) => "Data, and moves for handlers,",
    };
    let doc = format!("{what} of a token in `{}`.", plain(state_name));
    block(
        &doc,
        &quote!(impl #name<self::state::#state_name>),
        &methods,
    )
}

/// Reads a column.
fn accessor(
    model: &Model,
    entity: EntityIx,
    column: ColumnIx,
    attrs: &TokenStream,
    vis: &syn::Visibility,
) -> TokenStream {
    let Column { name, ty, .. } = &model.columns[column];
    let (d, db) = (model.taken.generic("D"), model.taken.local("db"));
    let (entity, column) = (number(entity), number(column));
    let read = quote!(::ironweave::plumbing::field::<#ty, _>(#db, #column, #entity, self.id));
    if by_value(ty) {
        // Cloned, not copied: a type of the user may have such a name.
        return quote! {
            #attrs
            #[track_caller]
            #vis fn #name<#d: ::ironweave::Db>(&self, #db: &#d) -> #ty {
                ::core::clone::Clone::clone(#read)
            }
        };
    }
    let gives = match named(ty).map(|ty| (ty.name.to_string(), ty.args)) {
        _ if is_string(ty) => quote!(&'d str),
        Some((name, args)) if name == "Vec" && args.len() == 1 => {
            let item = args[0];
            quote!(&'d [#item])
        }
        _ => quote!(&'d #ty),
    };
    quote! {
        #attrs
        #[track_caller]
        #vis fn #name<'d, #d: ::ironweave::Db>(&self, #db: &'d #d) -> #gives {
            #read
        }
    }
}

/// The parameter for a value, and its conversion.
pub fn value_parameter(name: &Ident, ty: &Type) -> (TokenStream, TokenStream) {
    if is_string(ty) {
        let into = quote!(let #name: #ty = ::core::convert::Into::into(#name););
        (quote!(#name: impl ::core::convert::Into<#ty>), into)
    } else {
        (quote!(#name: #ty), quote!())
    }
}

/// Reads an end of an edge.
fn edge(model: &Model, entity: EntityIx, field: &Field, end: FieldEnd) -> TokenStream {
    let (name, vis) = (&field.name, &field.vis);
    let attrs = documented(&field.attrs, &format!("The edge `{name}`."));
    let other = &model.entities[end.other].name;
    let forward = end.forward;
    let hop_number = number(end.edge.unwrap_or_default());
    let hop = quote!(::ironweave::plumbing::hop(#hop_number, #forward));
    let (entity, taken) = (number(entity), &model.taken);
    let (d, db, other_name) = (taken.generic("D"), taken.local("db"), taken.local("other"));
    let read = match end.cardinality {
        Cardinality::One => quote! {
            #attrs
            #[track_caller]
            #vis fn #name(&self, #db: &impl ::ironweave::Db) -> #other {
                ::ironweave::plumbing::one(#db, #entity, #hop, self.id)
            }
        },
        Cardinality::Option => quote! {
            #attrs
            #[track_caller]
            #vis fn #name(&self, #db: &impl ::ironweave::Db) -> ::core::option::Option<#other> {
                ::ironweave::plumbing::option(#db, #entity, #hop, self.id)
            }
        },
        Cardinality::Many => {
            let (count, contains) = (
                format_ident!("{}_count", name),
                format_ident!("{}_contains", name),
            );
            let count_doc = format!("The number of links in `{}`; O(1).", plain(name));
            let contains_doc = format!(
                "Returns whether `other` is linked in `{}`; O(1).",
                plain(name)
            );
            quote! {
                #attrs
                #[track_caller]
                #vis fn #name<'d, #d: ::ironweave::Db>(
                    &self, #db: &'d #d,
                ) -> #d::List<'d, ::ironweave::plumbing::Links<'d, #other>> {
                    ::ironweave::plumbing::many(#db, #entity, #hop, self.id)
                }
                #[doc = #count_doc]
                #[track_caller]
                #vis fn #count(&self, #db: &impl ::ironweave::Db) -> usize {
                    ::ironweave::plumbing::count(#db, #entity, #hop, self.id)
                }
                #[doc = #contains_doc]
                #[track_caller]
                #vis fn #contains(
                    &self, #db: &impl ::ironweave::Db,
                    #other_name: &#other<impl ::ironweave::StateOf<#other>>,
                ) -> bool {
                    ::ironweave::plumbing::linked(#db, #entity, #hop, self.id, #other_name.id)
                }
            }
        }
    };
    let data = end.edge.and_then(|edge| model.edges[edge].data.as_ref());
    let data_methods = data.map(|ty| link_data(model, field, end, ty));
    let counted = end
        .edge
        .filter(|edge| model.schema[*edge].near(end.forward).counted);
    let counted = counted.map(|_| {
        let (method, p) = (format_ident!("{}_in", name), model.taken.generic("P"));
        let doc = format!("The number of entities in `{}` that are in a place; O(1).", plain(name));
        quote! {
            #[doc = #doc]
            #[track_caller]
            #vis fn #method<#p: ::ironweave::Place<#other>>(&self, #db: &impl ::ironweave::Db) -> usize {
                ::ironweave::plumbing::counted::<#other, #p>(#db, #entity, #hop, self.id)
            }
        }
    });
    quote! { #read #data_methods #counted }
}

/// Reads the data of links.
fn link_data(model: &Model, field: &Field, end: FieldEnd, ty: &Type) -> TokenStream {
    let (Some(edge), vis, name) = (end.edge, &field.vis, &field.name) else {
        return TokenStream::new();
    };
    let owner = number(model.schema[edge].near(end.forward).entity);
    let other = &model.entities[end.other].name;
    let (edge, forward) = (number(edge), end.forward);
    let hop = quote!(::ironweave::plumbing::hop(#edge, #forward));
    let (get, db, other_name) = (
        format_ident!("{}_data", name),
        model.taken.local("db"),
        model.taken.local("other"),
    );
    let text = plain(name);
    let (gives, map) = if by_value(ty) {
        (quote!(#ty), quote!(.cloned()))
    } else if is_string(ty) {
        (quote!(&'d str), quote!(.map(::std::string::String::as_str)))
    } else {
        (quote!(&'d #ty), quote!())
    };
    let gives = quote!(::core::option::Option<#gives>);
    if end.cardinality == Cardinality::Many {
        let doc = format!("The data of the link with `other` in `{text}`, if it is linked; O(1).");
        quote! {
            #[doc = #doc]
            #[track_caller]
            #vis fn #get<'d>(
                &self, #db: &'d impl ::ironweave::Db,
                #other_name: &#other<impl ::ironweave::StateOf<#other>>,
            ) -> #gives {
                ::ironweave::plumbing::link_data::<#ty, _>(#db, #owner, #hop, self.id, #other_name.id) #map
            }
        }
    } else {
        let doc = format!("The data of the link `{text}`, if there is one; O(1).");
        quote! {
            #[doc = #doc]
            #[track_caller]
            #vis fn #get<'d>(&self, #db: &'d impl ::ironweave::Db) -> #gives {
                ::ironweave::plumbing::only_link_data::<#ty, _>(#db, #owner, #hop, self.id) #map
            }
        }
    }
}

/// Moves a token.
fn verb(
    model: &Model,
    entity: &Entity,
    (from, transition): (StateIx, &TransitionDef),
    verb: &Verb,
) -> TokenStream {
    let (vis, name, method) = (&entity.vis, &entity.name, &verb.name);
    let (source, target) = (&entity.states[from], &entity.states[transition.to]);
    let target_name = &target.name;
    let bound = move_trait(entity, from, transition.to);
    let doc = format!(
        "Moves the token to `{target_name}`, in an event with `#[may({name}: {} -> {target_name})]`.",
        source.name
    );
    let columns = target
        .data
        .iter()
        .map(|column| (*column, &model.columns[*column]));
    let (mut parameters, mut intos) = (Vec::new(), Vec::new());
    let (mut numbers, mut values) = (Vec::new(), Vec::new());
    for (column, def) in columns {
        let name = match model.taken.is_value(&def.name) {
            true => model.taken.local(&plain(&def.name)),
            false => def.name.clone(),
        };
        let (parameter, into) = value_parameter(&name, &def.ty);
        parameters.push(parameter);
        intos.push(into);
        numbers.push(number(column));
        values.push(quote!(&#name));
    }
    let (e, tx) = (model.taken.generic("E"), model.taken.local("tx"));
    let gives = result(&quote!(#name<self::state::#target_name>));
    quote! {
        #[doc = #doc]
        #vis fn #method<#e: ::ironweave::Handles>(
            self, #tx: &mut ::ironweave::Tx<'_, #e>, #(#parameters),*
        ) -> #gives
        where #e: self::may::#bound {
            #(#intos)*
            ::ironweave::plumbing::transition(#tx, &self, &[#(#numbers),*], &[#(#values),*])
        }
    }
}

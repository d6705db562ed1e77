//! Methods of handles and tokens. Each carries the span of the name that the user wrote.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::Type;

use super::find;
use super::marks::settable;
use super::{as_entity, documented, number, parameter, result};
use crate::check::model::{
    Cardinality, Column, Entity, Field, FieldEnd, FieldKind, LinkKind, Model, Transition, Whole,
};
use crate::check::names::plain;
use crate::check::types::named;
use crate::check::{
    link_text, link_trait, move_trait, set_link_trait, set_text, set_trait, whole_trait,
};

/// Types that accessors give by value.
const BY_VALUE: [&str; 18] = [
    "bool",
    "char",
    "u8",
    "u16",
    "u32",
    "u64",
    "u128",
    "usize",
    "i8",
    "i16",
    "i32",
    "i64",
    "i128",
    "isize",
    "f32",
    "f64",
    "Timestamp",
    "Duration",
];

/// Whether a type is one of the plain copied ones, by its name.
pub fn by_value(ty: &Type) -> bool {
    named(ty).is_some_and(|ty| ty.args.is_empty() && BY_VALUE.iter().any(|name| ty.name == name))
}

fn is_string(ty: &Type) -> bool {
    named(ty).is_some_and(|ty| ty.args.is_empty() && ty.name == "String")
}

/// Methods on a handle and on every token.
pub fn on_handles(model: &Model, index: usize, entity: &Entity) -> TokenStream {
    let name = &entity.name;
    let methods: Vec<TokenStream> = entity
        .fields
        .iter()
        .map(|field| match field.kind {
            FieldKind::Column(column) => {
                let column_def = &model.columns[column];
                let what = if column_def.key { "key" } else { "field" };
                let attrs = documented(&field.attrs, &format!("The {what} `{}`.", field.name));
                let read = accessor(index, column, column_def, &attrs, &field.vis);
                let write =
                    settable(model, column).then(|| setter(model, index, column, &field.vis));
                quote! { #read #write }
            }
            FieldKind::End(end) => edge(model, index, field, end),
            FieldKind::Broken => TokenStream::new(),
        })
        .collect();
    let delete = delete(index, entity);
    let finders: Vec<TokenStream> = (entity.fields.iter())
        .map(|field| find::finder(model, index, entity, field))
        .collect();
    quote! {
        #[allow(dead_code)]
        impl<S: ::ironweave::StateOf<#name>> #name<S> { #(#methods)* #delete }
        #[allow(dead_code)]
        impl #name { #(#finders)* }
    }
}

/// Deletes it.
fn delete(index: usize, entity: &Entity) -> TokenStream {
    let (vis, name) = (&entity.vis, &entity.name);
    let bound = whole_trait(Whole::Delete, entity);
    let doc = format!(
        "Deletes it, and what the `on_delete` of its edges says, in an event with `#[may(delete {name})]`."
    );
    let (index, tx, unit) = (number(index), parameter("tx"), result(&quote!(())));
    quote! {
        #[doc = #doc]
        #vis fn delete<E: ::ironweave::Event>(self, #tx: &mut ::ironweave::Tx<'_, E>) -> #unit
        where E: self::may::#bound {
            ::ironweave::plumbing::delete(
                #tx, #index, self.id, <S as ::ironweave::StateOf<#name>>::STATE,
            )
        }
    }
}

/// Methods on the token of one state: its data and its verbs.
pub fn on_tokens(
    model: &Model,
    index: usize,
    entity: &Entity,
    state: usize,
) -> Option<TokenStream> {
    let (name, def) = (&entity.name, &entity.states[state]);
    let data = def.data.iter().map(|column| {
        let column_def = &model.columns[*column];
        let fallback = format!("`{}`, which is there in `{}`.", column_def.name, def.name);
        let attrs = documented(&column_def.attrs, &fallback);
        let read = accessor(index, *column, column_def, &attrs, &entity.vis);
        let write = settable(model, *column).then(|| setter(model, index, *column, &entity.vis));
        quote! { #read #write }
    });
    let verbs = def
        .to
        .iter()
        .map(|to| verb(model, index, entity, state, to));
    let state_name = &def.name;
    (!def.data.is_empty() || !def.to.is_empty()).then(|| {
        quote! {
            #[allow(dead_code)]
            impl #name<self::state::#state_name> { #(#data)* #(#verbs)* }
        }
    })
}

/// Reads a column.
fn accessor(
    entity: usize,
    column: usize,
    def: &Column,
    attrs: &TokenStream,
    vis: &syn::Visibility,
) -> TokenStream {
    let (name, ty) = (&def.name, &def.ty);
    let (entity, column, db) = (number(entity), number(column), parameter("db"));
    let (gives, star) = if by_value(ty) {
        (quote!(#ty), Some(quote!(*)))
    } else if is_string(ty) {
        (quote!(&'d str), None)
    } else {
        match named(ty).map(|ty| (ty.name.to_string(), ty.args)) {
            Some((name, args)) if name == "Vec" && args.len() == 1 => {
                let item = args[0];
                (quote!(&'d [#item]), None)
            }
            _ => (quote!(&'d #ty), None),
        }
    };
    let generics = if star.is_some() {
        quote!()
    } else {
        quote!('d,)
    };
    let borrow = if star.is_some() {
        quote!(&)
    } else {
        quote!(&'d)
    };
    quote! {
        #attrs
        #[track_caller]
        #vis fn #name<#generics D: ::ironweave::Db>(&self, #db: #borrow D) -> #gives {
            #star ::ironweave::plumbing::field::<#ty, _>(#db, #column, #entity, self.id)
        }
    }
}

/// The parameter for a value and how it becomes one.
fn value_parameter(name: &Ident, ty: &Type) -> (TokenStream, TokenStream) {
    if is_string(ty) {
        let into = quote!(let #name: #ty = ::core::convert::Into::into(#name););
        (quote!(#name: impl ::core::convert::Into<#ty>), into)
    } else {
        (quote!(#name: #ty), quote!())
    }
}

/// Sets a column.
fn setter(model: &Model, entity: usize, column: usize, vis: &syn::Visibility) -> TokenStream {
    let def = &model.columns[column];
    let bound = set_trait(&model.entities, def);
    let method = format_ident!("set_{}", def.name);
    let doc = format!(
        "Sets `{}`, in an event with `#[may({})]`.",
        plain(&def.name),
        set_text(&model.entities, def)
    );
    let claimed = match def.state {
        Some(state) => {
            let state = number(state);
            quote!(::core::option::Option::Some(#state))
        }
        None => quote!(::core::option::Option::None),
    };
    let (entity, column) = (number(entity), number(column));
    let (tx, value, unit) = (parameter("tx"), parameter("value"), result(&quote!(())));
    let (parameter, into) = value_parameter(&value, &def.ty);
    quote! {
        #[doc = #doc]
        #vis fn #method<E: ::ironweave::Event>(
            &self, #tx: &mut ::ironweave::Tx<'_, E>, #parameter,
        ) -> #unit
        where E: self::may::#bound {
            #into
            ::ironweave::plumbing::set(#tx, #entity, self.id, #claimed, #column, &#value)
        }
    }
}

/// Reads and changes an end of an edge.
fn edge(model: &Model, entity: usize, field: &Field, end: FieldEnd) -> TokenStream {
    let (name, vis) = (&field.name, &field.vis);
    let attrs = documented(&field.attrs, &format!("The edge `{name}`."));
    let other = &model.entities[end.other].name;
    let forward = end.forward;
    let hop_number = number(end.edge.unwrap_or(0));
    let hop = quote!(::ironweave::plumbing::hop(#hop_number, #forward));
    let (entity, db, tx) = (number(entity), parameter("db"), parameter("tx"));
    let (other_name, unit) = (parameter("other"), result(&quote!(())));
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
            let count_doc = format!("How many `{}` there are.", plain(name));
            let contains_doc = format!("Whether `other` is among the `{}`.", plain(name));
            quote! {
                #attrs
                #[track_caller]
                #vis fn #name<'d, D: ::ironweave::Db>(
                    &self, #db: &'d D,
                ) -> D::List<'d, ::ironweave::plumbing::Links<'d, #other>> {
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
        .filter(|edge| model.edges[*edge].near(end.forward).counted);
    let counted = counted.map(|_| {
        let method = format_ident!("{}_in", name);
        let doc = format!("How many of the `{}` are in a place; O(1).", plain(name));
        quote! {
            #[doc = #doc]
            #[track_caller]
            #vis fn #method<P: ::ironweave::Place<#other>>(&self, #db: &impl ::ironweave::Db) -> usize {
                ::ironweave::plumbing::counted::<#other, P>(#db, #entity, #hop, self.id)
            }
        }
    });
    let kinds = [LinkKind::Link, LinkKind::Unlink, LinkKind::Relink];
    let changes = end
        .edge
        .map(|edge| &model.edges[edge])
        .into_iter()
        .flat_map(|edge| {
            kinds.into_iter().map(move |kind| {
                let bound = link_trait(kind, &model.entities, edge);
                let may = link_text(kind, &model.entities, edge);
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
                "Links `other` instead of what is in its way",
            ),
            (LinkKind::Relink, Some(_)) => (
                quote!(relink_with),
                "Links `other` instead of what is in its way, with data",
            ),
        };
        let value = parameter("data");
        let parameter = given.map(|ty| quote!(#value: #ty,));
        let argument = given.map(|_| quote!(, &#value));
        let doc = format!("{what}, in an event with `#[may({may})]`.");
        quote! {
            #[doc = #doc]
            #vis fn #method<E: ::ironweave::Event>(
                &self, #tx: &mut ::ironweave::Tx<'_, E>,
                #other_name: &#other<impl ::ironweave::StateOf<#other>>, #parameter
            ) -> #unit
            where E: self::may::#bound {
                ::ironweave::plumbing::#call(#tx, #hop, self.id, #other_name.id #argument)
            }
        }
    });
    quote! { #read #(#changes)* #data_methods #counted }
}

/// Reads and sets the data of links.
fn link_data(model: &Model, field: &Field, end: FieldEnd, ty: &Type) -> TokenStream {
    let (Some(edge), vis, name) = (end.edge, &field.vis, &field.name) else {
        return TokenStream::new();
    };
    let def = &model.edges[edge];
    let owner = number(def.near(end.forward).entity);
    let other = &model.entities[end.other].name;
    let (edge, forward) = (number(edge), end.forward);
    let hop = quote!(::ironweave::plumbing::hop(#edge, #forward));
    let (get, set) = (
        format_ident!("{}_data", name),
        format_ident!("set_{}_data", name),
    );
    let (db, tx, value, other_name) = (
        parameter("db"),
        parameter("tx"),
        parameter("data"),
        parameter("other"),
    );
    let bound = set_link_trait(&model.entities, def);
    let unit = result(&quote!(()));
    let text = plain(name);
    let may = format!(
        "set {}.{}",
        model.entities[def.from.entity].name,
        plain(&def.from.name)
    );
    let set_doc = format!("Sets the data of a link of `{text}`, in an event with `#[may({may})]`.");
    let set = quote! {
        #[doc = #set_doc]
        #vis fn #set<E: ::ironweave::Event>(
            &self, #tx: &mut ::ironweave::Tx<'_, E>,
            #other_name: &#other<impl ::ironweave::StateOf<#other>>, #value: #ty,
        ) -> #unit
        where E: self::may::#bound {
            ::ironweave::plumbing::set_link(#tx, #hop, self.id, #other_name.id, &#value)
        }
    };
    let (gives, map) = if by_value(ty) {
        (quote!(#ty), quote!(.copied()))
    } else if is_string(ty) {
        (quote!(&'d str), quote!(.map(::std::string::String::as_str)))
    } else {
        (quote!(&'d #ty), quote!())
    };
    let gives = quote!(::core::option::Option<#gives>);
    let read = if end.cardinality == Cardinality::Many {
        let doc = format!("The data of the link with one of the `{text}`, if it is linked; O(1).");
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
    };
    quote! { #read #set }
}

/// Moves a token.
fn verb(
    model: &Model,
    index: usize,
    entity: &Entity,
    from: usize,
    transition: &Transition,
) -> TokenStream {
    let (vis, name, method) = (&entity.vis, &entity.name, &transition.verb);
    let (source, target) = (&entity.states[from], &entity.states[transition.to]);
    let target_name = &target.name;
    let bound = move_trait(entity, from, transition.to);
    let doc = format!(
        "Moves it to `{target_name}`, in an event with `#[may({name}: {} -> {target_name})]`.",
        source.name
    );
    let columns = target
        .data
        .iter()
        .map(|column| (*column, &model.columns[*column]));
    let (mut parameters, mut intos, mut data) = (Vec::new(), Vec::new(), Vec::new());
    for (column, def) in columns {
        let (parameter, into) = value_parameter(&def.name, &def.ty);
        let (column, name) = (number(column), &def.name);
        parameters.push(parameter);
        intos.push(into);
        data.push(quote!((#column, &#name as &dyn ::core::any::Any)));
    }
    let tx = parameter("tx");
    let (index, from, to) = (number(index), number(from), number(transition.to));
    let gives = result(&quote!(#name<self::state::#target_name>));
    let as_entity = as_entity(name);
    quote! {
        #[doc = #doc]
        #vis fn #method<E: ::ironweave::Event>(
            self, #tx: &mut ::ironweave::Tx<'_, E>, #(#parameters),*
        ) -> #gives
        where E: self::may::#bound {
            #(#intos)*
            ::ironweave::plumbing::transition(#tx, #index, self.id, #from, #to, &[#(#data),*])?;
            ::core::result::Result::Ok(#as_entity::token::<self::state::#target_name>(self.id))
        }
    }
}

//! Names that generated code must not use for its own parameters, because the model gives them another meaning.
//!
//! The type parameter of a generated method shadows a type of that name, and a parameter cannot have the name of a
//! constant or of a struct without fields. Each parameter has its usual name if that is free, or else that name with a
//! number appended.

use std::collections::BTreeSet;

use ironweave_schema::EventIx;
use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Item, UseTree};

use super::model::{Event, Resolved};
use super::names::plain;
use super::table::Table;
use crate::parse::ast::Invariant;

/// The names that have a meaning in the scope of generated methods.
#[derive(Default)]
pub struct Taken {
    /// Names of types.
    types: BTreeSet<String>,
    /// Names in values and patterns.
    values: BTreeSet<String>,
}

impl Taken {
    /// Collects them.
    pub fn of(
        resolved: &Resolved,
        events: &Table<EventIx, Event>,
        invariants: &[Invariant],
        others: &[Item],
    ) -> Self {
        let mut taken = Self::default();
        for entity in &resolved.entities {
            taken.types.insert(plain(&entity.name));
            taken.types.insert(plain(&entity.states_name));
        }
        for column in &resolved.columns {
            idents(column.ty.to_token_stream(), &mut taken.types);
        }
        for data in resolved.edges.iter().filter_map(|edge| edge.data.as_ref()) {
            idents(data.to_token_stream(), &mut taken.types);
        }
        for event in events {
            taken.values.insert(plain(&event.name));
        }
        for invariant in invariants {
            taken.values.insert(plain(&invariant.name));
        }
        for item in others {
            match item {
                Item::Const(item) => drop(taken.values.insert(plain(&item.ident))),
                Item::Static(item) => drop(taken.values.insert(plain(&item.ident))),
                Item::Struct(item) => drop(taken.values.insert(plain(&item.ident))),
                Item::Use(item) => imported(&item.tree, &mut taken.values),
                _ => {}
            }
        }
        taken.values.extend(["Model", "AnyEvent"].map(String::from));
        taken
    }

    /// The name of a type parameter.
    pub fn generic(&self, name: &str) -> Ident {
        free(name, &self.types)
    }

    /// The name of a parameter or local variable. By its hygiene it never clashes with a field of that name.
    pub fn local(&self, name: &str) -> Ident {
        free(name, &self.values)
    }

    /// Whether a parameter cannot have this name.
    pub fn is_value(&self, name: &Ident) -> bool {
        self.values.contains(&plain(name))
    }
}

/// The name, with the first number appended that makes it free.
fn free(name: &str, taken: &BTreeSet<String>) -> Ident {
    let numbered = (0..).map(|n: usize| match n {
        0 => name.to_owned(),
        n => format!("{name}{n}"),
    });
    let mut free = numbered.filter(|name| !taken.contains(name));
    let name = free.next().unwrap_or_else(|| name.to_owned());
    Ident::new(&name, Span::mixed_site())
}

/// All identifiers in tokens.
fn idents(tokens: TokenStream, out: &mut BTreeSet<String>) {
    for token in tokens {
        match token {
            TokenTree::Ident(ident) => {
                out.insert(plain(&ident));
            }
            TokenTree::Group(group) => idents(group.stream(), out),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

/// The names that an import introduces, except through `*`.
fn imported(tree: &UseTree, out: &mut BTreeSet<String>) {
    match tree {
        UseTree::Path(path) => imported(&path.tree, out),
        UseTree::Name(name) => drop(out.insert(plain(&name.ident))),
        UseTree::Rename(rename) => drop(out.insert(plain(&rename.rename))),
        UseTree::Group(group) => group.items.iter().for_each(|tree| imported(tree, out)),
        UseTree::Glob(_) => {}
    }
}

//! The former names of items, by `#[renamed(from = "..")]`, and the logged events that upcasters read.
//!
//! A log of an earlier model has the former name. It must be free in this model, because otherwise two items would read the
//! same data.

use std::collections::BTreeSet;

use proc_macro2::Ident;
use syn::LitStr;

use super::names::plain;
use crate::errors::Errors;
use crate::parse::ast;

/// The texts of former names.
pub fn former_names(renamed: &[LitStr]) -> Vec<String> {
    renamed.iter().map(LitStr::value).collect()
}

/// Items that share a namespace, each with its former names.
fn namespace<'a>(
    what: &str,
    items: impl Iterator<Item = (&'a Ident, &'a Vec<LitStr>)>,
    errors: &mut Errors,
) {
    let items: Vec<_> = items.collect();
    let present: BTreeSet<String> = items.iter().map(|(name, _)| plain(name)).collect();
    let mut taken: Vec<(String, &Ident)> = Vec::new();
    for (name, renamed) in &items {
        for former in *renamed {
            let text = former.value();
            if text == plain(name) {
                errors.at(
                    former,
                    format!("`{name}` has this name: write the name that it had before, or remove the attribute"),
                );
            } else if present.contains(&text) {
                errors.at(
                    former,
                    format!(
                        "the model still has the {what} `{text}`, so `{name}` cannot have been renamed from it: rename or \
                         remove `{text}`. If `{text}` is a new one, give it another name until no log has the former one, and \
                         then remove this attribute"
                    ),
                );
            } else if let Some((_, first)) = taken.iter().find(|(taken, _)| *taken == text) {
                errors.at(
                    former,
                    match *first == *name {
                        true => format!("`{name}` has the former name `{text}` twice: remove one"),
                        false => format!(
                            "`{first}` was renamed from `{text}` already, and only one {what} can have its data"
                        ),
                    },
                );
            }
            taken.push((text, name));
        }
    }
}

/// Reports former names that are not free.
pub fn check(ast: &ast::Module, errors: &mut Errors) {
    let entities = ast.entities.iter();
    namespace("entity", entities.map(|e| (&e.name, &e.renamed)), errors);
    for entity in &ast.entities {
        let fields = entity.fields.iter();
        namespace("field", fields.map(|f| (&f.name, &f.renamed)), errors);
    }
    for lifecycle in &ast.lifecycles {
        let states = lifecycle.states.iter();
        namespace("state", states.map(|s| (&s.name, &s.renamed)), errors);
        for state in &lifecycle.states {
            let data = state.data.iter();
            namespace("data", data.map(|d| (&d.name, &d.renamed)), errors);
        }
    }
    let invariants = ast.invariants.iter();
    namespace(
        "invariant",
        invariants.map(|i| (&i.name, &i.renamed)),
        errors,
    );
    let events = ast.events.iter();
    namespace("event", events.map(|e| (&e.name, &e.renamed)), errors);
    for event in &ast.events {
        let fields = event.fields.iter();
        namespace("field", fields.map(|f| (&f.name, &f.renamed)), errors);
    }
}

/// Reports logged events that the model could read in two ways, and upcasters of immediate events.
pub fn upcasts(ast: &ast::Module, errors: &mut Errors) {
    let mut taken: Vec<(String, &Ident)> = Vec::new();
    for event in &ast.events {
        let name = &event.name;
        for upcast in &event.upcasts {
            let from = upcast.from.value();
            let others = || ast.events.iter().filter(|other| other.name != *name);
            let former =
                |other: &&ast::Event| other.renamed.iter().any(|name| name.value() == from);
            if event.immediate {
                errors.at(
                    &upcast.from,
                    format!("`{name}` fires by itself, so no program reads it from a log: remove the `#[upcast]`"),
                );
            } else if let Some((_, first)) = taken.iter().find(|(taken, _)| *taken == from) {
                errors.at(
                    &upcast.from,
                    format!("an `#[upcast]` of `{first}` reads the logged events `{from}` already: remove one"),
                );
            } else if others().any(|other| plain(&other.name) == from) {
                errors.at(
                    &upcast.from,
                    format!("the model still has the event `{from}`, which reads its logged events: write the `#[upcast]` on it"),
                );
            } else if let Some(other) = others().find(former) {
                errors.at(
                    &upcast.from,
                    format!("`{}` was renamed from `{from}`, and reads its logged events: remove one of the attributes", other.name),
                );
            }
            taken.push((from, name));
        }
    }
}

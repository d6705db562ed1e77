//! Which names are taken: by generated items in the module, and by methods on a handle.

use std::collections::BTreeMap;

use proc_macro2::Ident;
use quote::format_ident;
use syn::Visibility;
use syn::ext::IdentExt as _;

use super::model::{Cardinality, Column, Entity, FieldKind};
use crate::errors::Errors;
use crate::parse::ast::Module;

/// Methods that every handle has, or that a call by name would find first.
const RESERVED_MEMBERS: [&str; 35] = [
    "state",
    "is",
    "in_state",
    "alive",
    "id",
    "any",
    "token",
    "from_id",
    "clone",
    "clone_from",
    "eq",
    "ne",
    "hash",
    "cmp",
    "partial_cmp",
    "lt",
    "le",
    "gt",
    "ge",
    "max",
    "min",
    "clamp",
    "fmt",
    "from",
    "into",
    "try_from",
    "try_into",
    "to_owned",
    "to_string",
    "borrow",
    "borrow_mut",
    "type_id",
    "serialize",
    "deserialize",
    "delete",
];

/// Names in the module that are generated, or that mean something in the types of fields.
const RESERVED_ITEMS: [&str; 18] = [
    "Model", "state", "may", "bound", "created", "Any", "Many", "Option", "Vec", "Ensure", "Key",
    "String", "Self", "Result", "Box", "D", "E", "S",
];

/// A name as text, without `r#`.
pub fn plain(name: &Ident) -> String {
    name.unraw().to_string()
}

/// `JobRun` as `job_run`.
pub fn snake(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let mut out = String::new();
    for (i, c) in chars.iter().enumerate() {
        let after_lower = i > 0 && !chars[i - 1].is_uppercase() && chars[i - 1] != '_';
        let before_lower = i > 0
            && chars[i - 1].is_uppercase()
            && chars.get(i + 1).is_some_and(|next| next.is_lowercase());
        if c.is_uppercase() && (after_lower || before_lower) {
            out.push('_');
        }
        out.extend(c.to_lowercase());
    }
    out
}

/// `built_by` as `BuiltBy`.
pub fn pascal(name: &str) -> String {
    name.split('_')
        .filter(|part| !part.is_empty())
        .map(|part| {
            let mut chars = part.chars();
            let first: String = chars
                .next()
                .into_iter()
                .flat_map(char::to_uppercase)
                .collect();
            first + chars.as_str()
        })
        .collect()
}

/// `to_failed`, the verb where none is given.
pub fn default_verb(target: &Ident) -> Ident {
    format_ident!("to_{}", snake(&plain(target)), span = target.span())
}

/// Checks the names of the items in the module against each other and the generated ones.
/// Items whose name is taken twice are reported at the second.
pub fn items(ast: &Module, errors: &mut Errors) {
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    let entities = ast.entities.iter().map(|e| (&e.name, &e.vis, "an entity"));
    let states = ast
        .lifecycles
        .iter()
        .map(|l| (&l.name, &l.vis, "a states enum"));
    let events = ast.events.iter().map(|e| (&e.name, &e.vis, "an event"));
    let invariants = ast
        .invariants
        .iter()
        .map(|i| (&i.name, &i.vis, "an invariant"));
    for (name, vis, what) in entities.chain(states).chain(events).chain(invariants) {
        let text = plain(name);
        if RESERVED_ITEMS.contains(&text.as_str()) {
            errors.at(
                name,
                format!("`{text}` is a name that ironweave generates or reads: choose another"),
            );
        }
        if let Some(first) = seen.insert(text.clone(), what) {
            errors.at(name, format!("`{text}` is already the name of {first}"));
        }
        if !matches!(vis, Visibility::Public(_)) {
            errors.at(
                name,
                format!("{what} is `pub`: write `pub` before it, and narrow the visibility on the module"),
            );
        }
    }
}

/// Checks the methods of an entity's handles and tokens: reserved names and each other.
pub fn members(entity: &Entity, columns: &[Column], errors: &mut Errors) {
    let mut taken: BTreeMap<String, String> = BTreeMap::new();
    for field in &entity.fields {
        let name = plain(&field.name);
        let (what, extra): (_, &[&str]) = match field.kind {
            FieldKind::Column(c) if columns[c].key => ("field", &[]),
            FieldKind::Column(_) => ("field", &["set_*"]),
            FieldKind::End(end) if end.cardinality == Cardinality::Many => (
                "edge",
                &["link_*", "unlink_*", "relink_*", "*_count", "*_contains"],
            ),
            FieldKind::Broken => ("field", &[]),
            FieldKind::End(_) => ("edge", &["link_*", "unlink_*", "relink_*"]),
        };
        if !reserved(&field.name, what, errors) {
            take(
                &mut taken,
                &name,
                &field.name,
                format!("the {what} `{name}`"),
                errors,
            );
            for pattern in extra {
                let method = pattern.replace('*', &name);
                let origin = format!("`{method}` of the {what} `{name}`");
                take(&mut taken, &method, &field.name, origin, errors);
            }
        }
    }
    for state in &entity.states {
        let mut taken = taken.clone();
        for column in &state.data {
            let name = &columns[*column].name;
            if !reserved(name, "state data", errors) {
                let origin = format!("data of the state `{}`", state.name);
                take(&mut taken, &plain(name), name, origin, errors);
            }
        }
        for transition in &state.to {
            let verb = &transition.verb;
            if !reserved(verb, "verb", errors) {
                let origin = format!("a verb of the state `{}`", state.name);
                take(&mut taken, &plain(verb), verb, origin, errors);
            }
        }
    }
}

/// Reports a name that every handle has.
fn reserved(name: &Ident, what: &str, errors: &mut Errors) -> bool {
    let text = plain(name);
    let is = RESERVED_MEMBERS.contains(&text.as_str());
    if is {
        errors.at(
            name,
            format!(
                "`{text}` is reserved, every handle has it: choose another name for this {what}"
            ),
        );
    }
    is
}

fn take(
    taken: &mut BTreeMap<String, String>,
    method: &str,
    at: &Ident,
    origin: String,
    errors: &mut Errors,
) {
    if let Some(first) = taken.get(method) {
        errors.at(
            at,
            format!("the method `{method}` would be there twice: it is already {first}"),
        );
    } else {
        taken.insert(method.to_string(), origin);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_change_case() {
        assert_eq!(snake("JobRun"), "job_run");
        assert_eq!(snake("HTTPServer"), "http_server");
        assert_eq!(snake("Failed"), "failed");
        assert_eq!(pascal("built_by"), "BuiltBy");
        assert_eq!(pascal("builds"), "Builds");
    }
}

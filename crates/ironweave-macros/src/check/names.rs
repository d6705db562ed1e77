//! Which names are taken: by generated items in the module, and by methods on a handle.

use std::collections::BTreeMap;

use proc_macro2::Ident;
use quote::format_ident;
use syn::Visibility;
use syn::ext::IdentExt as _;

use super::entities::Resolved;
use super::model::{Cardinality, Entity, Field, FieldKind, Index};
use crate::errors::Errors;
use crate::parse::ast::Module;

/// Methods that every handle has, or that a call by name would find first.
const RESERVED_MEMBERS: [&str; 36] = [
    "state",
    "is",
    "in_state",
    "alive",
    "id",
    "any",
    "in_place",
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
const RESERVED_ITEMS: [&str; 19] = [
    "Model", "AnyEvent", "state", "may", "bound", "created", "Any", "Many", "Option", "Vec",
    "Ensure", "Key", "String", "Self", "Result", "Box", "D", "E", "S",
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
        let news = ast
            .entities
            .iter()
            .find(|e| format!("New{}", plain(&e.name)) == text);
        if let Some(entity) = news {
            let entity = &entity.name;
            errors.at(
                name,
                format!(
                    "`{text}` is what a handler creates a `{entity}` with: choose another name"
                ),
            );
        }
        let stateless = |e: &&crate::parse::ast::Entity| {
            format!("{}State", plain(&e.name)) == text
                && ast.lifecycles.iter().all(|l| l.entity != e.name)
        };
        if let Some(entity) = ast.entities.iter().find(stateless) {
            let entity = &entity.name;
            errors.at(
                name,
                format!("`{text}` is generated for `{entity}`, which has no `#[states({entity})]`: choose another name"),
            );
        }
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
pub fn members(entity: &Entity, resolved: &Resolved, errors: &mut Errors) {
    let columns = &resolved.columns;
    let mut taken: BTreeMap<String, String> = BTreeMap::new();
    for field in &entity.fields {
        let name = plain(&field.name);
        let what = match field.kind {
            FieldKind::End(_) => "edge",
            FieldKind::Column(_) | FieldKind::Broken => "field",
        };
        let extra = methods(field, resolved);
        if !reserved(&field.name, what, errors) {
            take(
                &mut taken,
                &name,
                &field.name,
                format!("the {what} `{name}`"),
                errors,
            );
            for pattern in &extra {
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

/// The methods that a field has beside the one of its own name; `*` stands for that.
fn methods(field: &Field, resolved: &Resolved) -> Vec<&'static str> {
    let mut methods = Vec::new();
    match field.kind {
        FieldKind::Broken => {}
        FieldKind::Column(column) => {
            let column = &resolved.columns[column];
            if !column.key {
                methods.push("set_*");
            }
            if column.index.is_some() {
                methods.push("by_*");
            }
            if column.index == Some(Index::Ordered) {
                methods.push("by_*_range");
            }
        }
        FieldKind::End(end) => {
            methods.extend(["link_*", "unlink_*", "relink_*"]);
            if end.cardinality == Cardinality::Many {
                methods.extend(["*_count", "*_contains"]);
            }
            methods.push("with_*");
            let edge = end.edge.map(|edge| &resolved.edges[edge]);
            if edge.is_some_and(|edge| edge.data.is_some()) {
                methods.extend(["*_data", "set_*_data"]);
            }
            if edge.is_some_and(|edge| edge.near(end.forward).counted) {
                methods.push("*_in");
            }
        }
    }
    methods
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

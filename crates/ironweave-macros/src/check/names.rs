//! Checks names against each other, against generated items in the module, and against methods of handles.

use std::collections::{BTreeMap, BTreeSet};

use ironweave_schema::{Cardinality, ColumnIx, EntityIx, IndexKind, StateIx};
use proc_macro2::Ident;
use quote::format_ident;
use syn::ext::IdentExt as _;
use syn::{Item, Visibility};

use super::model::{Field, FieldKind, Resolved};
use super::types::text as text_of;
use crate::errors::Errors;
use crate::parse::ast::{Lifecycle, Module};

/// Methods that every handle has, or that would take precedence in a call.
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

/// Names of generated items in the module.
const GENERATED_ITEMS: [&str; 7] = [
    "Model", "AnyEvent", "state", "may", "bound", "created", "named",
];

/// Names that have a special meaning in the types of fields.
const READ_ITEMS: [&str; 7] = ["Any", "Many", "Option", "Vec", "Ensure", "Key", "String"];

/// Names of Rust's own types, which would be hidden in code that imports the model with `*`.
const RUST_TYPES: [&str; 19] = [
    "Result", "Box", "bool", "char", "str", "u8", "u16", "u32", "u64", "u128", "usize", "i8",
    "i16", "i32", "i64", "i128", "isize", "f32", "f64",
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

/// `BUILT_BY`, the constant by which filters name a field `built_by`.
pub fn constant(name: &Ident) -> Ident {
    let text = plain(name);
    let upper = text.to_uppercase();
    match syn::parse_str::<Ident>(&upper) {
        Ok(_) if upper != text => Ident::new(&upper, name.span()),
        // The accessor of the field has the name already.
        _ => format_ident!("{}_", text, span = name.span()),
    }
}

/// `to_failed`, the default verb.
pub fn default_verb(target: &Ident) -> Ident {
    format_ident!("to_{}", snake(&plain(target)), span = target.span())
}

/// Checks the names of the items in the module against each other and the generated ones. An event or
/// invariant whose name is taken is removed after the error.
pub fn items(ast: &mut Module, errors: &mut Errors) {
    let mut names = Names {
        generated: generated(ast),
        seen: BTreeMap::new(),
    };
    for entity in &ast.entities {
        names.add(&entity.name, &entity.vis, "an entity", errors);
    }
    for states in &ast.lifecycles {
        names.add(&states.name, &states.vis, "a states enum", errors);
    }
    for item in &ast.others {
        if let Some(name) = named_type(item) {
            names.own(name, errors);
        }
    }
    (ast.events).retain(|event| {
        let free = names.add(&event.name, &event.vis, "an event", errors);
        if event.fields.is_empty() {
            capital(&event.name, errors);
        }
        free
    });
    (ast.invariants).retain(|i| {
        capital(&i.name, errors);
        names.add(&i.name, &i.vis, "an invariant", errors)
    });
    states(ast, &names, errors);
}

/// The name of another item that is in the namespace of types.
fn named_type(item: &Item) -> Option<&Ident> {
    match item {
        Item::Enum(item) => Some(&item.ident),
        Item::Mod(item) => Some(&item.ident),
        Item::Struct(item) => Some(&item.ident),
        Item::Trait(item) => Some(&item.ident),
        Item::Type(item) => Some(&item.ident),
        Item::Union(item) => Some(&item.ident),
        _ => None,
    }
}

/// Refuses a lower-case name of a struct without fields, which would make patterns of that name ambiguous.
fn capital(name: &Ident, errors: &mut Errors) {
    if plain(name).starts_with(char::is_lowercase) {
        errors.at(
            name,
            format!(
                "`{name}` would clash with variables of that name: begin it with a capital letter"
            ),
        );
    }
}

/// Refuses states whose names would be ambiguous after `use model::{state::*, *}`, or hide one of Rust's types.
fn states(ast: &Module, names: &Names, errors: &mut Errors) {
    let mut reported = BTreeSet::new();
    for lifecycle in &ast.lifecycles {
        for state in &lifecycle.states {
            let (name, entity) = (plain(&state.name), &lifecycle.entity);
            if RUST_TYPES.contains(&name.as_str())
                || (name != "Any" && READ_ITEMS.contains(&name.as_str()))
            {
                hides(&state.name, errors);
            }
            if let Some(why) = names.generated.get(&name) {
                errors.at(&state.name, format!("`{name}` is {why}"));
            }
            let Some((what, at)) = names
                .seen
                .get(&name)
                .filter(|_| reported.insert(name.clone()))
            else {
                continue;
            };
            let (module, noun) = (&ast.name, what.split(' ').next_back().unwrap_or_default());
            errors.at(
                at,
                format!(
                    "`{name}` is {what} and a state of `{entity}`, so it would be ambiguous after \
                     `use {module}::{{state::*, *}}`: rename the {noun}, for example to `{entity}{name}`"
                ),
            );
        }
    }
}

/// Reports a name that would hide one of Rust's types.
fn hides(name: &Ident, errors: &mut Errors) {
    errors.at(
        name,
        format!("`{name}` would hide Rust's own `{name}` wherever the model is imported with `*`: choose another name"),
    );
}

/// The names of generated items, each with the end of a message.
fn generated(ast: &Module) -> BTreeMap<String, String> {
    let own = GENERATED_ITEMS.map(|name| {
        let why = "generated by ironweave: choose another name";
        (name.to_string(), why.to_string())
    });
    let mut generated = BTreeMap::from(own);
    for entity in &ast.entities {
        let name = &entity.name;
        generated.insert(
            format!("New{}", plain(name)),
            format!("generated, for handlers that create a `{name}`: choose another name"),
        );
        let states = format!("{}State", plain(name));
        // A states enum of a misspelt entity is reported elsewhere.
        let written = |l: &Lifecycle| l.entity == *name || plain(&l.name) == states;
        if !ast.lifecycles.iter().any(written) {
            let why = format!(
                "generated for `{name}`, which has no `#[states({name})]`: choose another name"
            );
            generated.insert(states, why);
        }
    }
    generated
}

/// The names of items, while they are checked.
struct Names {
    generated: BTreeMap<String, String>,
    seen: BTreeMap<String, (&'static str, Ident)>,
}

impl Names {
    /// Adds an item; returns whether its name was free.
    fn add(
        &mut self,
        name: &Ident,
        vis: &Visibility,
        what: &'static str,
        errors: &mut Errors,
    ) -> bool {
        let before = errors.len();
        let text = plain(name);
        if let Some(why) = self.generated.get(&text) {
            errors.at(name, format!("`{text}` is {why}"));
        }
        match self.seen.get(&text) {
            Some((first, _)) => errors.at(
                name,
                format!("`{text}` is already the name of {first}: choose another"),
            ),
            None => {
                self.seen.insert(text, (what, name.clone()));
            }
        }
        let free = errors.len() == before;
        if READ_ITEMS.iter().any(|read| name == read) {
            errors.at(
                name,
                format!("`{name}` has a special meaning in ironweave: choose another name"),
            );
        }
        if RUST_TYPES.iter().any(|of_rust| name == of_rust) {
            hides(name, errors);
        }
        match vis {
            Visibility::Public(_) => {}
            Visibility::Restricted(vis) => {
                let written = text_of(vis).replace(" (", "(");
                errors.at(
                    vis,
                    format!("{what} must be `pub`: write `pub` instead of `{written}`, and restrict the visibility of the module"),
                );
            }
            Visibility::Inherited => errors.at(
                name,
                format!("{what} must be `pub`: write `pub` before it, and restrict the visibility of the module"),
            ),
        }
        free
    }

    /// Adds another type of the user, which the macro does not change.
    fn own(&mut self, name: &Ident, errors: &mut Errors) {
        let text = plain(name);
        if let Some(why) = self.generated.get(&text) {
            errors.at(name, format!("`{text}` is {why}"));
        } else if READ_ITEMS.iter().any(|read| name == read) {
            errors.at(
                name,
                format!(
                    "`{name}` has a special meaning in the types of fields: choose another name"
                ),
            );
        }
        // rustc reports two items of the same name.
        self.seen.entry(text).or_insert(("a type", name.clone()));
    }
}

/// A method of an entity whose name is taken.
pub enum Clash {
    /// The methods of a field, by its number.
    Field(usize),
    /// The methods of state data, by its column.
    Data(ColumnIx),
    /// The method of an index on the entity, by its number.
    Index(usize),
    /// A verb, by state and number.
    Verb(StateIx, usize),
}

impl Clash {
    /// Removes the methods, so that rustc does not report them again.
    pub fn hide(self, entity: EntityIx, resolved: &mut Resolved) {
        let def = &mut resolved.entities[entity];
        match self {
            Self::Field(field) => def.fields[field].hidden = true,
            Self::Data(column) => resolved.columns[column].hidden = true,
            Self::Index(index) => resolved.indexes[index].hidden = true,
            Self::Verb(state, verb) => def.states[state].verbs[verb].hidden = true,
        }
    }
}

/// Checks the names of methods of handles and tokens against reserved names and each other. Returns the methods to remove.
pub fn members(of: EntityIx, resolved: &Resolved, errors: &mut Errors) -> Vec<Clash> {
    let entity = &resolved.entities[of];
    let mut clashes = Vec::new();
    let columns = &resolved.columns;
    let mut taken: BTreeMap<String, String> = BTreeMap::new();
    for (number, field) in entity.fields.iter().enumerate() {
        let before = errors.len();
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
            // Two fields of one name have one constant, which is not another error.
            if errors.len() == before {
                let constant = plain(&constant(&field.name));
                let origin = format!("`{constant}` of the {what} `{name}`");
                take(&mut taken, &constant, &field.name, origin, errors);
            }
            for pattern in &extra {
                let method = pattern.replace('*', &name);
                let origin = format!("`{method}` of the {what} `{name}`");
                take(&mut taken, &method, &field.name, origin, errors);
            }
        }
        if errors.len() > before {
            clashes.push(Clash::Field(number));
        }
    }
    // Lookups by data of states are functions of the entity type.
    for column in entity.states.iter().flat_map(|state| &state.data) {
        let (before, name) = (errors.len(), &columns[*column].name);
        for pattern in lookups(resolved.schema[*column].index) {
            let method = pattern.replace('*', &plain(name));
            if let Some(first) = taken.get(&method) {
                let message = format!(
                    "the method `{method}` would be generated twice: it is already {first}. An index on the entity has a name of its \
                     own: `#[index(fields = [State.{name}], name = other)]`"
                );
                errors.at(name, message);
                break;
            }
            taken.insert(
                method.clone(),
                format!("`{method}` of the state data `{name}`"),
            );
        }
        if errors.len() > before {
            clashes.push(Clash::Data(*column));
        }
    }
    let indexes = resolved.schema.indexes.iter().zip(&resolved.indexes);
    for (number, (def, index)) in indexes.enumerate() {
        let (before, name) = (errors.len(), plain(&index.name));
        let method = format!("by_{name}");
        if def.entity != of {
            continue;
        }
        if let Some(first) = taken.get(&method) {
            let message = format!(
                "the method `{method}` would be generated twice: it is already {first}. Add `name = other` to this index"
            );
            errors.at(&index.name, message);
        } else {
            taken.insert(method.clone(), format!("`{method}` of an index"));
        }
        if errors.len() > before {
            clashes.push(Clash::Index(number));
        }
    }
    for (number, state) in entity.states.entries() {
        let mut taken = taken.clone();
        for column in &state.data {
            let before = errors.len();
            let name = &columns[*column].name;
            if !reserved(name, "state data", errors) {
                let origin = format!("data of the state `{}`", state.name);
                take(&mut taken, &plain(name), name, origin.clone(), errors);
                if errors.len() == before {
                    take(&mut taken, &plain(&constant(name)), name, origin, errors);
                }
            }
            if errors.len() > before {
                clashes.push(Clash::Data(*column));
            }
        }
        for (verb_number, verb) in state.verbs.iter().enumerate() {
            let before = errors.len();
            let verb = &verb.name;
            if !reserved(verb, "verb", errors) {
                let origin = format!("a verb of the state `{}`", state.name);
                take(&mut taken, &plain(verb), verb, origin, errors);
            }
            if errors.len() > before {
                clashes.push(Clash::Verb(number, verb_number));
            }
        }
    }
    clashes
}

/// The methods of a field besides its accessor; `*` is a placeholder for the name of the field.
fn methods(field: &Field, resolved: &Resolved) -> Vec<&'static str> {
    let mut methods = Vec::new();
    match field.kind {
        FieldKind::Broken => {}
        FieldKind::Column(column) => {
            let column = &resolved.schema[column];
            if !column.key {
                methods.push("set_*");
            }
            methods.extend(lookups(column.index));
        }
        FieldKind::End(end) => {
            methods.extend(["link_*", "unlink_*", "relink_*"]);
            if end.cardinality == Cardinality::Many {
                methods.extend(["*_count", "*_contains"]);
            }
            let edge = end.edge.map(|edge| &resolved.schema[edge]);
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

/// The functions that look up entities by an index; `*` is a placeholder for the name of the value.
fn lookups(index: Option<IndexKind>) -> &'static [&'static str] {
    match index {
        None => &[],
        Some(IndexKind::Equal) => &["by_*"],
        Some(IndexKind::Ordered) => &["by_*", "by_*_range"],
    }
}

/// Reports a name of a method that every handle has.
fn reserved(name: &Ident, what: &str, errors: &mut Errors) -> bool {
    let text = plain(name);
    let is = RESERVED_MEMBERS.contains(&text.as_str());
    if is {
        errors.at(
            name,
            format!(
                "`{text}` is reserved, because every handle has that method: choose another name for this {what}"
            ),
        );
    }
    is
}

/// Reports a name of a generated method, or of a constant if it has no lower-case letter, that another one has.
fn take(
    taken: &mut BTreeMap<String, String>,
    name: &str,
    at: &Ident,
    origin: String,
    errors: &mut Errors,
) {
    if let Some(first) = taken.get(name) {
        let what = match name.chars().any(char::is_lowercase) {
            true => "method",
            false => "constant",
        };
        errors.at(
            at,
            format!("the {what} `{name}` would be generated twice: it is already {first}"),
        );
    } else {
        taken.insert(name.to_string(), origin);
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
        let constants = [
            ("built_by", "BUILT_BY"),
            ("r#type", "TYPE"),
            ("strasse", "STRASSE"),
            ("straße", "STRASSE"),
            // The accessor has the name in capital letters, so that the constant has another one.
            ("A", "A_"),
            ("_1", "_1_"),
            ("名", "名_"),
        ];
        for (name, expected) in constants {
            let name: Ident = syn::parse_str(name).expect("a name");
            assert_eq!(constant(&name), expected);
        }
        assert_eq!(pascal("builds"), "Builds");
    }
}

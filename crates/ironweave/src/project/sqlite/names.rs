//! Names in the database: one for each table, view, index and column, whatever the names in the model are.
//!
//! | what | its name | where that is taken |
//! |---|---|---|
//! | table of entity `Order` | `Order` | `Order_2`, `Order_3`, .. |
//! | table of edge `Order.lines` | `Order_lines` | `Order_lines_2`, .. |
//! | view of a table | `Order_view` | `Order_view_2`, .. |
//! | index of an edge by its inverse end | `Order_lines_to` | `Order_lines_to_2`, .. |
//! | column of a field | `number` | `number_2`, .. |
//! | column of state data | `Sent_at` | `Sent_at_2`, .. |
//!
//! 1. To SQLite, names that differ only in the case of ASCII letters are the same. Tables, views and indexes share one
//!    namespace, and the columns of a table another.
//! 2. A name stays as it is where nothing else wants it. Of those that want the same, the first of this order keeps it:
//!    what this module makes by itself (`ironweave`; `slot`, `id` and `state` of a table), then the rows of the table
//!    above, each in order of declaration. The others get the least number that makes them unlike all others.
//! 3. SQLite keeps the names that begin with `sqlite_` for itself: such a one gets a `_` in front.
//! 4. Keywords need no care, since all names are quoted.

use std::collections::HashSet;

use crate::schema::{ColumnDef, EntityIx, Schema};

/// What says how far the projections in a database are.
pub(super) const REGISTRY: &str = "ironweave";
/// What says what they made.
pub(super) const OBJECTS: &str = "ironweave_objects";
/// The columns that each table of an entity has.
pub(super) const OWN_COLUMNS: [&str; 3] = ["slot", "id", "state"];

/// What a table goes by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TableNames {
    pub table: String,
    pub view: String,
}

/// The names for a schema; one entry for each of its entities, edges and columns.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Names {
    pub entities: Vec<TableNames>,
    pub edges: Vec<TableNames>,
    /// The index of each edge.
    pub indexes: Vec<String>,
    pub columns: Vec<String>,
}

impl Names {
    pub(super) fn new(schema: &Schema, prefix: &str) -> Self {
        let entities = schema.entities.iter().map(|entity| &entity.name);
        let edges = schema.edges.iter().map(|edge| {
            let entity = &schema[edge.from.entity].name;
            format!("{entity}_{}", edge.from.name)
        });
        let wished = entities.cloned().chain(edges);
        let wished = wished.map(|name| not_reserved(format!("{prefix}{name}")));
        let mut used: HashSet<String> = [REGISTRY, OBJECTS].map(folded).into();
        let tables = distinct(&mut used, wished.collect());
        let named = |suffix| {
            let name = move |table| not_reserved(format!("{table}_{suffix}"));
            tables.iter().map(name)
        };
        let views = distinct(&mut used, named("view").collect());
        let indexes = named("to").skip(schema.entities.len());
        let indexes = distinct(&mut used, indexes.collect());
        let all = tables.into_iter().zip(views);
        let mut entities: Vec<TableNames> = all
            .map(|(table, view)| TableNames { table, view })
            .collect();
        let edges = entities.split_off(schema.entities.len());
        Self {
            entities,
            edges,
            indexes,
            columns: columns(schema),
        }
    }
}

/// The names of all columns, in order of the schema.
fn columns(schema: &Schema) -> Vec<String> {
    let mut names = vec![String::new(); schema.columns.len()];
    // In order of the entities that they belong to, since a schema that was not made by the macro may mix them.
    let mut order: Vec<usize> = (0..schema.columns.len()).collect();
    order.sort_by_key(|ix| {
        let def = &schema.columns[*ix];
        (def.entity, def.state.is_some())
    });
    for of_one in order.chunk_by(|a, b| schema.columns[*a].entity == schema.columns[*b].entity) {
        let wished = of_one.iter().map(|ix| wished(schema, &schema.columns[*ix]));
        let mut used = OWN_COLUMNS.map(folded).into();
        let given = distinct(&mut used, wished.collect());
        for (ix, name) in of_one.iter().zip(given) {
            names[*ix] = name;
        }
    }
    names
}

/// What a column is called where nothing else is called so.
fn wished(schema: &Schema, def: &ColumnDef) -> String {
    match def.state {
        None => def.name.clone(),
        Some(state) => {
            let states = &schema[def.entity].states;
            format!("{}_{}", states[usize::from(state)].name, def.name)
        }
    }
}

/// A name in the words of the model: `Order.number`, `Order.Sent.at`.
pub(super) fn column_path(schema: &Schema, def: &ColumnDef) -> String {
    let entity = &schema[def.entity];
    match def.state {
        None => format!("{}.{}", entity.name, def.name),
        Some(state) => {
            let state = &entity.states[usize::from(state)].name;
            format!("{}.{state}.{}", entity.name, def.name)
        }
    }
}

/// The numbers of the columns of an entity type, in order of the schema.
pub(super) fn columns_of(schema: &Schema, entity: EntityIx) -> impl Iterator<Item = usize> {
    let all = schema.columns.iter().enumerate();
    all.filter(move |(_, def)| def.entity == entity)
        .map(|(ix, _)| ix)
}

/// A name as SQLite compares it.
pub(super) fn folded(name: &str) -> String {
    name.to_ascii_lowercase()
}

/// A name in SQL.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn not_reserved(name: String) -> String {
    if folded(&name).starts_with("sqlite_") {
        format!("_{name}")
    } else {
        name
    }
}

/// Gives each its name or, where somebody else has that, one with a number; `used` are the names that are given.
fn distinct(used: &mut HashSet<String>, wished: Vec<String>) -> Vec<String> {
    // First all that can stay as they are, so that no number makes one that somebody else is called by.
    let stays: Vec<bool> = (wished.iter())
        .map(|name| used.insert(folded(name)))
        .collect();
    let named = wished.into_iter().zip(stays).map(|(wish, stays)| {
        let mut name = wish.clone();
        let mut n = 1_u64;
        while !stays && (n == 1 || !used.insert(folded(&name))) {
            n += 1;
            name = format!("{wish}_{n}");
        }
        name
    });
    named.collect()
}

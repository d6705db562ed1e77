//! The names in the database: a distinct one for each table, view, index and column, whatever the names in the model
//! are.
//!
//! | object | name | name if that one is taken |
//! |---|---|---|
//! | table of entity `Order` | `Order` | `Order_2`, `Order_3`, .. |
//! | table of edge `Order.lines` | `Order_lines` | `Order_lines_2`, .. |
//! | view of a table | `Order_view` | `Order_view_2`, .. |
//! | index of an edge by its inverse end | `Order_lines_to` | `Order_lines_to_2`, .. |
//! | column of a field | `number` | `number_2`, .. |
//! | column of state data | `Sent_at` | `Sent_at_2`, .. |
//!
//! 1. SQLite treats names that differ only in the case of ASCII letters as equal. Tables, views and indexes share one
//!    namespace, and each table has a namespace for its columns.
//! 2. A name is unchanged if it is the preferred name of one object only. If several objects have the same preferred
//!    name, the first in this order gets it: the objects of this module (`ironweave`; `slot`, `id` and `state` of a
//!    table), then the rows of the table above from top to bottom, each in order of declaration. The names of the
//!    others get a suffix with the least number that makes them distinct from all other names.
//! 3. SQLite reserves the names that begin with `sqlite_`, so such a name gets the prefix `_`.
//! 4. A keyword of SQL can be a name, since all names are quoted.

use std::collections::HashSet;

use crate::schema::{ColumnDef, EntityIx, Schema};

/// The table that has the position of each projection in a database.
pub(super) const REGISTRY: &str = "ironweave";
/// The table that lists the objects that the projections created.
pub(super) const OBJECTS: &str = "ironweave_objects";
/// The columns that each table of an entity has.
pub(super) const OWN_COLUMNS: [&str; 3] = ["slot", "id", "state"];

/// The names of a table and of its view.
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
    /// The name of the index of each edge.
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
        let preferred = entities.cloned().chain(edges);
        let preferred = preferred.map(|name| not_reserved(format!("{prefix}{name}")));
        let mut used: HashSet<String> = [REGISTRY, OBJECTS].map(folded).into();
        let tables = distinct(&mut used, preferred.collect());
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

/// Returns the names of all columns, in order of the schema.
fn columns(schema: &Schema) -> Vec<String> {
    let mut names = vec![String::new(); schema.columns.len()];
    // The columns are sorted by entity, since a schema that the macro did not generate may have them in another order.
    let mut order: Vec<usize> = (0..schema.columns.len()).collect();
    order.sort_by_key(|ix| {
        let def = &schema.columns[*ix];
        (def.entity, def.state.is_some())
    });
    for of_one in order.chunk_by(|a, b| schema.columns[*a].entity == schema.columns[*b].entity) {
        let preferred = of_one
            .iter()
            .map(|ix| preferred(schema, &schema.columns[*ix]));
        let mut used = OWN_COLUMNS.map(folded).into();
        let given = distinct(&mut used, preferred.collect());
        for (ix, name) in of_one.iter().zip(given) {
            names[*ix] = name;
        }
    }
    names
}

/// Returns the preferred name of a column.
fn preferred(schema: &Schema, def: &ColumnDef) -> String {
    match def.state {
        None => def.name.clone(),
        Some(state) => {
            let states = &schema[def.entity].states;
            format!("{}_{}", states[usize::from(state)].name, def.name)
        }
    }
}

/// Returns the path of a column in the model: `Order.number`, `Order.Sent.at`.
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

/// Returns the indexes of the columns of an entity type, in order of the schema.
pub(super) fn columns_of(schema: &Schema, entity: EntityIx) -> impl Iterator<Item = usize> {
    let all = schema.columns.iter().enumerate();
    all.filter(move |(_, def)| def.entity == entity)
        .map(|(ix, _)| ix)
}

/// Returns a name in the form in which SQLite compares names.
pub(super) fn folded(name: &str) -> String {
    name.to_ascii_lowercase()
}

/// Returns a name as a quoted identifier of SQL.
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

/// Returns a distinct name for each preferred name: that name or, if it is taken, one with a number. `used` has the
/// names that are taken, and the returned names are added to it.
fn distinct(used: &mut HashSet<String>, preferred: Vec<String>) -> Vec<String> {
    // The names that are unchanged are entered first, so that no numbered name is equal to one of them.
    let unchanged: Vec<bool> = (preferred.iter())
        .map(|name| used.insert(folded(name)))
        .collect();
    let named = preferred
        .into_iter()
        .zip(unchanged)
        .map(|(preferred, unchanged)| {
            let mut name = preferred.clone();
            let mut n = 1_u64;
            while !unchanged && (n == 1 || !used.insert(folded(&name))) {
                n += 1;
                name = format!("{preferred}_{n}");
            }
            name
        });
    named.collect()
}

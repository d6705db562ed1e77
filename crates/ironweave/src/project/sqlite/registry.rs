//! The registry of a database: the projections in it, and the objects that they created.
//!
//! | table | one row for each | columns |
//! |---|---|---|
//! | `ironweave` | projection | `prefix` of its names, `model`, `shape`, `store`, `position`, `frame` |
//! | `ironweave_objects` | table, view and index that a projection created | `name`, `kind`, `prefix`, `stands_for`, `sql` |
//!
//! 1. `store` is the identity of the store that the projection follows. `position` is the sequence of the last
//!    transaction in its tables, and `frame` is the [`Position`] of that transaction, which distinguishes this log from
//!    any other log and from its own history before it was restored.
//! 2. A projection owns an object that is in `ironweave_objects` and still has the definition with which it was
//!    created. No other object is dropped, and a name that another object has is an error. SQLite drops the indexes and
//!    triggers of other programs together with the tables that they are on; the projection creates them again.
//! 3. The earlier version of this code had one projection in a database, with the statements that created its objects
//!    in the column `shape` of its only table `ironweave`. Its objects are found from these statements.

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::base::position::Position;
use crate::project::sqlite::error::Failure;
use crate::project::sqlite::names::{OBJECTS, REGISTRY, folded, quoted};

/// The statement that creates `ironweave`.
const CREATE_REGISTRY: &str = "CREATE TABLE ironweave (prefix TEXT NOT NULL COLLATE NOCASE PRIMARY KEY, \
     model TEXT NOT NULL, shape TEXT NOT NULL, store TEXT NOT NULL, position INTEGER, frame TEXT)";
/// The statement that creates `ironweave_objects`.
const CREATE_OBJECTS: &str = "CREATE TABLE ironweave_objects (name TEXT NOT NULL COLLATE NOCASE PRIMARY KEY, \
     kind TEXT NOT NULL, prefix TEXT NOT NULL COLLATE NOCASE, stands_for TEXT NOT NULL, sql TEXT NOT NULL)";
/// The statements that create the registry.
pub(super) const CREATE: [&str; 2] = [CREATE_REGISTRY, CREATE_OBJECTS];
/// The statement with which the earlier version created `ironweave`.
const CREATE_EARLIER: &str = "CREATE TABLE ironweave (model TEXT, shape TEXT, position INTEGER)";

/// The row of a projection in the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub model: String,
    pub shape: String,
    /// The identity of the store.
    pub store: String,
    /// The position of the last transaction in the tables; `None` before the first.
    pub at: Option<Position>,
}

impl Row {
    /// Returns whether both rows describe the same tables of the same store, at whatever position.
    pub(super) fn is_same_as(&self, other: &Self) -> bool {
        (&self.model, &self.shape, &self.store) == (&other.model, &other.shape, &other.store)
    }
}

/// A table, view, index or trigger that exists in a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Object {
    kind: String,
    name: String,
    sql: String,
}

/// A table, view or index that a projection needs, with the statement that creates it.
pub(super) struct Statement {
    pub kind: &'static str,
    pub name: String,
    /// The path of the entity type or edge in the model, for the column of this name.
    pub stands_for: String,
    pub sql: String,
}

/// The objects in a database, by their names in the form in which SQLite compares names.
type Objects = HashMap<String, Object>;

/// Returns all tables, views and indexes of a database.
fn objects(connection: &Connection) -> rusqlite::Result<Objects> {
    objects_where(connection, "")
}

/// Returns the tables, views and indexes of a database that satisfy a condition in SQL.
fn objects_where(connection: &Connection, condition: &str) -> rusqlite::Result<Objects> {
    // Indexes that SQLite creates implicitly have no statement, and their names are reserved.
    let mut all = connection.prepare_cached(&format!(
        "SELECT type, name, sql FROM main.sqlite_schema WHERE type IN ('table', 'view', 'index') AND sql IS NOT NULL \
         {condition}"
    ))?;
    let rows = all.query_map([], |row| {
        let (kind, name, sql) = (row.get(0)?, row.get::<_, String>(1)?, row.get(2)?);
        Ok((folded(&name), Object { kind, name, sql }))
    })?;
    rows.collect()
}

/// Returns whether a database has no objects.
pub(super) fn is_empty(connection: &Connection) -> rusqlite::Result<bool> {
    let sql = "SELECT NOT EXISTS (SELECT * FROM main.sqlite_schema)";
    connection.query_row(sql, [], |row| row.get(0))
}

/// The version of the registry in a database.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Registry {
    Missing,
    /// The table of the earlier version.
    Earlier,
    Current,
}

/// Returns the version of the registry, or an error for another object that has the name of one of its tables.
fn registry_of(all: &Objects) -> Result<Registry, Failure> {
    let exists = |name, sql| match all.get(name) {
        None => Ok(false),
        Some(object) if object.sql == sql => Ok(true),
        Some(object) => Err(taken(object)),
    };
    let earlier = all
        .get(REGISTRY)
        .is_some_and(|object| object.sql == CREATE_EARLIER);
    let registry = earlier || exists(REGISTRY, CREATE_REGISTRY)?;
    let objects = exists(OBJECTS, CREATE_OBJECTS)?;
    match (registry, objects) {
        (false, false) => Ok(Registry::Missing),
        (true, false) if earlier => Ok(Registry::Earlier),
        (true, true) if !earlier => Ok(Registry::Current),
        _ => Err(Failure::Changed(format!(
            "one of the tables `{REGISTRY}` and `{OBJECTS}` exists without the other; remove the file, or drop that \
             table and those that the projection created"
        ))),
    }
}

fn taken(object: &Object) -> Failure {
    Failure::Taken {
        kind: object.kind.clone(),
        name: object.name.clone(),
    }
}

/// Returns the row of the projection with a prefix, if the database has that projection.
pub(super) fn row(connection: &Connection, prefix: &str) -> Result<Option<Row>, Failure> {
    // Each transaction of the database calls this, and the database may have many objects, so only two are read.
    let registry = objects_where(
        connection,
        "AND lower(name) IN ('ironweave', 'ironweave_objects')",
    )?;
    if registry_of(&registry)? != Registry::Current {
        return Ok(None);
    }
    let sql = "SELECT model, shape, store, frame FROM main.ironweave WHERE prefix = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let found = statement.query_row(params![prefix], |row| {
        let frame: Option<String> = row.get(3)?;
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, frame))
    });
    let Some((model, shape, store, frame)) = found.optional()? else {
        return Ok(None);
    };
    let at = frame.map(|frame| frame.parse::<Position>()).transpose();
    let at = at.map_err(|e| {
        Failure::Changed(format!(
            "the position in the table `{REGISTRY}` cannot be read ({e}); delete the row of this projection, so that \
             the tables are rebuilt"
        ))
    })?;
    Ok(Some(Row {
        model,
        shape,
        store,
        at,
    }))
}

/// Returns whether all objects of a projection exist.
pub(super) fn is_whole(
    connection: &Connection,
    statements: &[Statement],
) -> rusqlite::Result<bool> {
    let all = objects(connection)?;
    let exists = |s: &Statement| {
        all.get(&folded(&s.name))
            .is_some_and(|object| object.kind == s.kind)
    };
    Ok(statements.iter().all(exists))
}

/// Returns the objects that the projection with a prefix owns: those that are recorded in the registry and still have
/// the recorded definition.
fn own(
    connection: &Connection,
    prefix: &str,
    registry: Registry,
    all: &Objects,
) -> rusqlite::Result<Vec<Object>> {
    let recorded: Vec<Object> = match registry {
        Registry::Missing => Vec::new(),
        Registry::Earlier => {
            let sql = "SELECT shape FROM main.ironweave";
            let shape: Option<String> =
                connection.query_row(sql, [], |row| row.get(0)).optional()?;
            earlier_objects(&shape.unwrap_or_default())
        }
        Registry::Current => {
            let sql = "SELECT kind, name, sql FROM main.ironweave_objects WHERE prefix = ?1";
            let mut recorded = connection.prepare_cached(sql)?;
            let rows = recorded.query_map(params![prefix], |row| {
                Ok(Object {
                    kind: row.get(0)?,
                    name: row.get(1)?,
                    sql: row.get(2)?,
                })
            })?;
            rows.collect::<rusqlite::Result<_>>()?
        }
    };
    let is_unchanged = |object: &Object| all.get(&folded(&object.name)) == Some(object);
    Ok(recorded.into_iter().filter(is_unchanged).collect())
}

/// Returns the objects of the earlier version, from the statements that created them, one on each line.
fn earlier_objects(shape: &str) -> Vec<Object> {
    let object = |line: &str| {
        let (kind, rest) = match line.strip_prefix("CREATE TABLE \"") {
            Some(rest) => ("table", rest),
            None => ("index", line.strip_prefix("CREATE INDEX \"")?),
        };
        let (name, _) = rest.split_once('"')?;
        Some(Object {
            kind: kind.to_owned(),
            name: name.to_owned(),
            sql: line.to_owned(),
        })
    };
    shape.lines().filter_map(object).collect()
}

/// Returns an error if another object has a name that the projection needs.
pub(super) fn check_names(
    connection: &Connection,
    prefix: &str,
    statements: &[Statement],
) -> Result<(), Failure> {
    let all = objects(connection)?;
    let own = own(connection, prefix, registry_of(&all)?, &all)?;
    for statement in statements {
        match all.get(&folded(&statement.name)) {
            Some(object) if !own.contains(object) => return Err(taken(object)),
            _ => {}
        }
    }
    Ok(())
}

/// Returns the indexes and triggers that other programs have created on the objects of a projection. SQLite drops them
/// together with these objects.
fn foreign_objects(connection: &Connection, own: &[Object]) -> rusqlite::Result<Vec<Object>> {
    let mut all = connection.prepare_cached(
        "SELECT type, name, sql, tbl_name FROM main.sqlite_schema WHERE type IN ('index', 'trigger') AND sql IS NOT NULL",
    )?;
    let rows = all.query_map([], |row| {
        let (kind, name, sql) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok((Object { kind, name, sql }, row.get::<_, String>(3)?))
    })?;
    let tables: HashSet<String> = own.iter().map(|object| folded(&object.name)).collect();
    let mut found = Vec::new();
    for row in rows {
        let (object, table) = row?;
        if tables.contains(&folded(&table)) && !own.contains(&object) {
            found.push(object);
        }
    }
    Ok(found)
}

/// Creates the indexes and triggers of other programs on rebuilt tables again. The tables must be filled before, so
/// that no trigger fires for their rows.
pub(super) fn restore(transaction: &Transaction<'_>, all: &[Object]) -> Result<(), Failure> {
    for Object { kind, name, sql } in all {
        transaction.execute_batch(sql).map_err(|e| {
            Failure::Refused(format!(
                "the {kind} `{name}` of another program, on a table that the projection has to rebuild, cannot be \
                 created on the new table ({e}); drop the {kind} first"
            ))
        })?;
    }
    Ok(())
}

/// Creates the objects of a projection, in place of those that it owns. Returns the indexes and triggers of other
/// programs that were dropped with these, for [`restore`].
pub(super) fn create(
    transaction: &Transaction<'_>,
    prefix: &str,
    row: &Row,
    statements: &[Statement],
) -> Result<Vec<Object>, Failure> {
    check_names(transaction, prefix, statements)?;
    let all = objects(transaction)?;
    let registry = registry_of(&all)?;
    let mut own = own(transaction, prefix, registry, &all)?;
    let foreign = foreign_objects(transaction, &own)?;
    // Views and indexes are dropped before the tables that they refer to.
    own.sort_by_key(|object| object.kind == "table");
    for Object { kind, name, .. } in &own {
        transaction.execute_batch(&format!("DROP {kind} main.{}", quoted(name)))?;
    }
    if registry == Registry::Earlier {
        transaction.execute_batch("DROP TABLE main.ironweave")?;
    }
    if registry != Registry::Current {
        for create in CREATE {
            transaction.execute_batch(create)?;
        }
    }
    let sql = "DELETE FROM main.ironweave_objects WHERE prefix = ?1";
    transaction.execute(sql, params![prefix])?;
    for statement in statements {
        transaction.execute_batch(&statement.sql)?;
        // The recorded definition is the text that SQLite stores, since `own` compares it with that.
        transaction.execute(
            "INSERT INTO main.ironweave_objects SELECT name, type, ?1, ?2, sql FROM main.sqlite_schema \
             WHERE type = ?3 AND name = ?4",
            params![prefix, statement.stands_for, statement.kind, statement.name],
        )?;
    }
    let sql = "INSERT OR REPLACE INTO main.ironweave VALUES (?1, ?2, ?3, ?4, NULL, NULL)";
    transaction.execute(sql, params![prefix, row.model, row.shape, row.store])?;
    Ok(foreign)
}

/// Stores the position of the tables of a prefix.
pub(super) fn set_position(
    transaction: &Transaction<'_>,
    prefix: &str,
    at: Position,
) -> Result<(), Failure> {
    let seq = i64::try_from(at.seq().get()).map_err(|_| {
        Failure::Refused(format!(
            "the sequence of frame {} is greater than the greatest integer of SQLite",
            at.seq()
        ))
    })?;
    let sql = "UPDATE main.ironweave SET position = ?2, frame = ?3 WHERE prefix = ?1";
    let mut update = transaction.prepare_cached(sql)?;
    update.execute(params![prefix, seq, at.to_string()])?;
    Ok(())
}

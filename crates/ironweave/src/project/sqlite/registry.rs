//! What a database says of the projections in it, and what of it is theirs.
//!
//! | table | a row for each | columns |
//! |---|---|---|
//! | `ironweave` | projection | `prefix` of its names, `model`, `shape`, `store`, `position`, `frame` |
//! | `ironweave_objects` | table, view and index that a projection made | `name`, `kind`, `prefix`, `stands_for`, `sql` |
//!
//! 1. `store` is the identity of the store that they follow. `position` is the sequence of the last transaction in them,
//!    and `frame` the whole [`Position`] of it, which tells this log from any other, and from what it was before it was
//!    restored.
//! 2. An object is a projection's own where it is in `ironweave_objects` and still has the definition that it had when
//!    it was made. Nothing else is ever dropped, and a name that something else has is refused. Indexes and triggers of
//!    others on these tables, which SQLite drops with them, are put back.
//! 3. The version of this code before these tables kept one projection in a database, and its statements in the column
//!    `shape` of its only table. What it made is known by them.

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::base::position::Position;
use crate::project::sqlite::error::Failure;
use crate::project::sqlite::names::{OBJECTS, REGISTRY, folded, quoted};

/// What `ironweave` is made with.
const CREATE_REGISTRY: &str = "CREATE TABLE ironweave (prefix TEXT NOT NULL COLLATE NOCASE PRIMARY KEY, \
     model TEXT NOT NULL, shape TEXT NOT NULL, store TEXT NOT NULL, position INTEGER, frame TEXT)";
/// What `ironweave_objects` is made with.
const CREATE_OBJECTS: &str = "CREATE TABLE ironweave_objects (name TEXT NOT NULL COLLATE NOCASE PRIMARY KEY, \
     kind TEXT NOT NULL, prefix TEXT NOT NULL COLLATE NOCASE, stands_for TEXT NOT NULL, sql TEXT NOT NULL)";
/// What makes the registry.
pub(super) const CREATE: [&str; 2] = [CREATE_REGISTRY, CREATE_OBJECTS];
/// What the version before made `ironweave` with.
const CREATE_EARLIER: &str = "CREATE TABLE ironweave (model TEXT, shape TEXT, position INTEGER)";

/// What a projection says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub model: String,
    pub shape: String,
    /// The identity of the store.
    pub store: String,
    /// Of the last transaction in the tables; none, before the first.
    pub at: Option<Position>,
}

impl Row {
    /// Whether it speaks of the same tables of the same store, however far they are.
    pub(super) fn is_same_as(&self, other: &Self) -> bool {
        (&self.model, &self.shape, &self.store) == (&other.model, &other.shape, &other.store)
    }
}

/// A table, view, index or trigger that there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Object {
    kind: String,
    name: String,
    sql: String,
}

/// What is to be made: a table, a view or an index.
pub(super) struct Statement {
    pub kind: &'static str,
    pub name: String,
    /// What it is, in the words of the model.
    pub stands_for: String,
    pub sql: String,
}

/// The objects in a database, by names as SQLite compares them.
type Objects = HashMap<String, Object>;

/// All of them.
fn objects(connection: &Connection) -> rusqlite::Result<Objects> {
    objects_where(connection, "")
}

/// Those of which a condition is true.
fn objects_where(connection: &Connection, condition: &str) -> rusqlite::Result<Objects> {
    // Indexes that SQLite makes for itself have no statement, and names that nobody else can have.
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

/// Whether there is nothing in a database.
pub(super) fn is_empty(connection: &Connection) -> rusqlite::Result<bool> {
    let sql = "SELECT NOT EXISTS (SELECT * FROM main.sqlite_schema)";
    connection.query_row(sql, [], |row| row.get(0))
}

/// What a database knows of its projections.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    Nothing,
    /// The table of the version before.
    Earlier,
    Registry,
}

/// Which of them it is; refuses a table that is only called so.
fn known(all: &Objects) -> Result<Known, Failure> {
    let is = |name, sql| match all.get(name) {
        None => Ok(false),
        Some(object) if object.sql == sql => Ok(true),
        Some(object) => Err(taken(object)),
    };
    let earlier = all
        .get(REGISTRY)
        .is_some_and(|object| object.sql == CREATE_EARLIER);
    let registry = earlier || is(REGISTRY, CREATE_REGISTRY)?;
    let objects = is(OBJECTS, CREATE_OBJECTS)?;
    match (registry, objects) {
        (false, false) => Ok(Known::Nothing),
        (true, false) if earlier => Ok(Known::Earlier),
        (true, true) if !earlier => Ok(Known::Registry),
        _ => Err(Failure::Changed(format!(
            "one of the tables `{REGISTRY}` and `{OBJECTS}` is there without the other; remove the file, or drop that \
             table and those that the projection made"
        ))),
    }
}

fn taken(object: &Object) -> Failure {
    Failure::Taken {
        kind: object.kind.clone(),
        name: object.name.clone(),
    }
}

/// What the projection of a prefix says of itself, if there is one.
pub(super) fn row(connection: &Connection, prefix: &str) -> Result<Option<Row>, Failure> {
    // This is asked in each transaction, and there may be many objects.
    let registry = objects_where(
        connection,
        "AND lower(name) IN ('ironweave', 'ironweave_objects')",
    )?;
    if known(&registry)? != Known::Registry {
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
            "the table `{REGISTRY}` says how far they are, and not in the way that this version writes it ({e}); remove \
             the row, and they are made anew"
        ))
    })?;
    Ok(Some(Row {
        model,
        shape,
        store,
        at,
    }))
}

/// Whether all that a projection made is there.
pub(super) fn is_whole(
    connection: &Connection,
    statements: &[Statement],
) -> rusqlite::Result<bool> {
    let all = objects(connection)?;
    let there = |s: &Statement| {
        all.get(&folded(&s.name))
            .is_some_and(|object| object.kind == s.kind)
    };
    Ok(statements.iter().all(there))
}

/// What is the own of the projection of a prefix: recorded, there, and as it was made.
fn own(
    connection: &Connection,
    prefix: &str,
    known: Known,
    all: &Objects,
) -> rusqlite::Result<Vec<Object>> {
    let recorded: Vec<Object> = match known {
        Known::Nothing => Vec::new(),
        Known::Earlier => {
            let sql = "SELECT shape FROM main.ironweave";
            let shape: Option<String> =
                connection.query_row(sql, [], |row| row.get(0)).optional()?;
            earlier_objects(&shape.unwrap_or_default())
        }
        Known::Registry => {
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
    let is_there = |object: &Object| all.get(&folded(&object.name)) == Some(object);
    Ok(recorded.into_iter().filter(is_there).collect())
}

/// What the version before made, from the statements that it made it with, of which each is a line.
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

/// Refuses where something else has a name that is to be made.
pub(super) fn check_names(
    connection: &Connection,
    prefix: &str,
    statements: &[Statement],
) -> Result<(), Failure> {
    let all = objects(connection)?;
    let own = own(connection, prefix, known(&all)?, &all)?;
    for statement in statements {
        match all.get(&folded(&statement.name)) {
            Some(object) if !own.contains(object) => return Err(taken(object)),
            _ => {}
        }
    }
    Ok(())
}

/// The indexes and triggers that somebody else has put on what is a projection's own, and which go with that.
fn on_own(connection: &Connection, own: &[Object]) -> rusqlite::Result<Vec<Object>> {
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

/// Puts back what somebody else had put on tables that were made anew, now that all is in them: no trigger fires for that.
pub(super) fn put_back(transaction: &Transaction<'_>, all: &[Object]) -> Result<(), Failure> {
    for Object { kind, name, sql } in all {
        transaction.execute_batch(sql).map_err(|e| {
            Failure::Refused(format!(
                "somebody has put the {kind} `{name}` on a table of the projection that has to be made anew, and it does \
                 not fit the new one ({e}); drop it first"
            ))
        })?;
    }
    Ok(())
}

/// Makes what a projection needs, in place of what it made before. Gives what somebody else had put on that, for
/// [`put_back`].
pub(super) fn make(
    transaction: &Transaction<'_>,
    prefix: &str,
    row: &Row,
    statements: &[Statement],
) -> Result<Vec<Object>, Failure> {
    check_names(transaction, prefix, statements)?;
    let all = objects(transaction)?;
    let known = known(&all)?;
    let mut own = own(transaction, prefix, known, &all)?;
    let others = on_own(transaction, &own)?;
    // What leads to a table goes before it.
    own.sort_by_key(|object| object.kind == "table");
    for Object { kind, name, .. } in &own {
        transaction.execute_batch(&format!("DROP {kind} main.{}", quoted(name)))?;
    }
    if known == Known::Earlier {
        transaction.execute_batch("DROP TABLE main.ironweave")?;
    }
    if known != Known::Registry {
        for create in CREATE {
            transaction.execute_batch(create)?;
        }
    }
    let sql = "DELETE FROM main.ironweave_objects WHERE prefix = ?1";
    transaction.execute(sql, params![prefix])?;
    for statement in statements {
        transaction.execute_batch(&statement.sql)?;
        // The definition as SQLite keeps it, which is what it is compared with.
        transaction.execute(
            "INSERT INTO main.ironweave_objects SELECT name, type, ?1, ?2, sql FROM main.sqlite_schema \
             WHERE type = ?3 AND name = ?4",
            params![prefix, statement.stands_for, statement.kind, statement.name],
        )?;
    }
    let sql = "INSERT OR REPLACE INTO main.ironweave VALUES (?1, ?2, ?3, ?4, NULL, NULL)";
    transaction.execute(sql, params![prefix, row.model, row.shape, row.store])?;
    Ok(others)
}

/// Writes down how far the tables of a prefix are.
pub(super) fn mark(
    transaction: &Transaction<'_>,
    prefix: &str,
    at: Position,
) -> Result<(), Failure> {
    let seq = i64::try_from(at.seq().get()).map_err(|_| {
        Failure::Refused(format!(
            "frame {} is beyond the integers of SQLite",
            at.seq()
        ))
    })?;
    let sql = "UPDATE main.ironweave SET position = ?2, frame = ?3 WHERE prefix = ?1";
    let mut update = transaction.prepare_cached(sql)?;
    update.execute(params![prefix, seq, at.to_string()])?;
    Ok(())
}

//! The graph as tables of an SQLite database, so that anybody can ask SQL of it.
//!
//! | | table | columns |
//! |---|---|---|
//! | entity type `Partition` | `Partition` | `slot` (the primary key), `id` (`3.1`), `state`, one for each field, one for each piece of state data (`Live_at`) |
//! | edge `Want.partitions` | `Want_partitions` | `from_slot`, `to_slot`, `data` |
//! | how far it is | `ironweave` | `model`, `shape`, `position` |
//!
//! 1. The position lies in the same transaction as what it stands for, so that a kill loses and repeats nothing.
//! 2. Where the model has another shape than the tables, or this code is of another version, they are made anew, in
//!    one transaction: others read the old ones until the new ones are there.
//! 3. Numbers, texts, booleans and bytes are what they are in SQLite; any other value is text, in the diagnostic
//!    notation of CBOR.

use std::fmt;
use std::path::Path;

use minicbor::Decoder;
use minicbor::data::Type;
use rusqlite::types::Value;
use rusqlite::{Connection, Transaction, params, params_from_iter};

use crate::entity::Model;
use crate::fact::Fact;
use crate::history::Report;
use crate::log::{Seq, StorageError};
use crate::schema::{ColumnIx, EdgeIx, EntityIx, Schema};
use crate::store::Store;
use crate::subscribe::Subscription;
use crate::value::display;

/// Of this code: tables that another version made are made anew.
const VERSION: u32 = 1;
/// How many transactions of the store go into one of the database at most.
const BATCH: usize = 10_000;

/// Why a projection did not go on.
#[non_exhaustive]
#[derive(Debug)]
pub enum ProjectionError {
    /// The log could not be read.
    Storage(StorageError),
    /// The database refused.
    Sqlite(rusqlite::Error),
}

impl fmt::Display for ProjectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Storage(e) => fmt::Display::fmt(e, f),
            Self::Sqlite(e) => write!(f, "the database of the projection: {e}"),
        }
    }
}

impl std::error::Error for ProjectionError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Storage(e) => Some(e),
            Self::Sqlite(e) => Some(e),
        }
    }
}

impl From<StorageError> for ProjectionError {
    fn from(e: StorageError) -> Self {
        Self::Storage(e)
    }
}

impl From<rusqlite::Error> for ProjectionError {
    fn from(e: rusqlite::Error) -> Self {
        Self::Sqlite(e)
    }
}

/// Tables in an SQLite database that follow a store. It can be sent to another thread.
///
/// ```
/// # #[ironweave::model]
/// # pub mod lamps {
/// #     use ironweave::prelude::*;
/// #     /// A lamp.
/// #     #[entity]
/// #     pub struct Lamp {
/// #         /// Where it stands.
/// #         #[key]
/// #         pub room: String,
/// #     }
/// #     /// Whether it burns.
/// #     #[states(Lamp)]
/// #     pub enum LampState {
/// #         /// It does not.
/// #         #[initial]
/// #         #[to(On)]
/// #         Off,
/// #         /// It does.
/// #         #[to(Off)]
/// #         On,
/// #     }
/// #     /// Somebody presses the switch.
/// #     #[event]
/// #     #[moves(lamp: Off -> On)]
/// #     pub struct Lit {
/// #         /// Which one.
/// #         pub lamp: Ensure<Lamp>,
/// #     }
/// # }
/// use ironweave::prelude::*;
/// use lamps::Lit;
///
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("lamps.sqlite");
/// let mut store = Store::<lamps::Model>::memory();
/// store.step(Lit { lamp: "hall".into() });
/// let mut tables = store.project_into_sqlite(&path)?;
/// tables.catch_up()?;
///
/// // Anybody may ask, with any client, in another process too.
/// let client = rusqlite::Connection::open(&path)?;
/// let room: String =
///     client.query_row("SELECT room FROM Lamp WHERE state = 'On'", [], |row| row.get(0))?;
/// assert_eq!(room, "hall");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SqliteProjection<M: Model> {
    connection: Connection,
    subscription: Subscription<M>,
    tables: Tables,
    /// Whether the tables that are there are of another shape, and are to be made anew.
    stale: bool,
}

impl<M: Model> Store<M> {
    /// Tables of the graph in an SQLite database, which is made if it is not there, as far as they were brought the last
    /// time. One at a time for a database.
    ///
    /// # Errors
    /// Where the database is none, or the log cannot be read.
    pub fn project_into_sqlite(
        &self,
        path: impl AsRef<Path>,
    ) -> Result<SqliteProjection<M>, ProjectionError> {
        let connection = Connection::open(path)?;
        // Readers read the state before, while it is being brought on.
        connection.pragma_update(None, "journal_mode", "WAL")?;
        let tables = Tables::new(self.schema());
        let position = tables.position(&connection)?;
        let from = position.map_or(0, |seq| seq + 1);
        Ok(SqliteProjection {
            connection,
            subscription: self.subscribe(from)?.hold(),
            tables,
            stale: position.is_none(),
        })
    }
}

impl<M: Model> SqliteProjection<M> {
    /// Takes in all transactions that there are; how many. In batches, but for tables that are made anew, which replace
    /// the old ones all at once.
    ///
    /// # Errors
    /// Where the database refuses or the log cannot be read; what was taken in before stays.
    pub fn catch_up(&mut self) -> Result<u64, ProjectionError> {
        let mut taken = 0;
        loop {
            let batch = self.batch(None)?;
            taken += batch;
            if batch < BATCH as u64 {
                return Ok(taken);
            }
        }
    }

    /// Goes on as transactions come, until the store is dropped.
    ///
    /// # Errors
    /// As [`catch_up`](Self::catch_up).
    pub fn follow(&mut self) -> Result<(), ProjectionError> {
        self.catch_up()?;
        while let Some(report) = self.subscription.next() {
            self.batch(Some(report?))?;
        }
        Ok(())
    }

    /// How many frames there are that are not in the tables yet.
    #[must_use]
    pub fn lag(&self) -> u64 {
        self.subscription.lag()
    }

    /// Takes in some transactions, at first one that has come already, in one of the database.
    fn batch(&mut self, first: Option<Report<M>>) -> Result<u64, ProjectionError> {
        let start = first
            .as_ref()
            .map_or(self.subscription.next_seq(), Report::seq);
        let result = self.try_batch(first);
        match &result {
            Ok(_) => self.subscription.release(),
            // The database has nothing of it, so it is to come again.
            Err(_) => self.subscription.go_back(start),
        }
        result
    }

    fn try_batch(&mut self, first: Option<Report<M>>) -> Result<u64, ProjectionError> {
        let transaction = self.connection.transaction()?;
        if self.stale {
            self.tables.make(&transaction)?;
        }
        let mut next = first;
        let (mut taken, mut last) = (0, None);
        loop {
            let report = match next.take() {
                Some(report) => report,
                None if taken >= BATCH && !self.stale => break,
                None => match self.subscription.try_next()? {
                    Some(report) => report,
                    None => break,
                },
            };
            for fact in report.changes().facts() {
                let value = report.changes().value(*fact);
                self.tables.apply(&transaction, *fact, value)?;
            }
            last = Some(report.seq());
            taken += 1;
        }
        if let Some(seq) = last {
            let sql = "UPDATE ironweave SET position = ?1";
            transaction.execute(sql, params![seq as i64])?;
        }
        transaction.commit()?;
        self.stale = false;
        Ok(taken as u64)
    }
}

/// The statements that the tables are made and kept with.
struct Tables {
    schema: Schema,
    /// What tells one shape from another.
    shape: String,
}

/// A name in SQL.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl Tables {
    fn new(schema: &Schema) -> Self {
        let mut tables = Self {
            schema: schema.clone(),
            shape: String::new(),
        };
        tables.shape = format!("{VERSION}\n{}", tables.statements().join("\n"));
        tables
    }

    fn entity(&self, entity: EntityIx) -> String {
        quoted(&self.schema.entities[usize::from(entity)].name)
    }

    fn edge(&self, edge: EdgeIx) -> String {
        let from = &self.schema.edges[usize::from(edge)].from;
        let entity = &self.schema.entities[usize::from(from.entity)].name;
        quoted(&format!("{entity}_{}", from.name))
    }

    fn column(&self, column: ColumnIx) -> String {
        let def = &self.schema.columns[usize::from(column)];
        match def.state {
            None => quoted(&def.name),
            Some(state) => {
                let states = &self.schema.entities[usize::from(def.entity)].states;
                quoted(&format!("{}_{}", states[usize::from(state)].name, def.name))
            }
        }
    }

    fn state(&self, entity: EntityIx, state: u8) -> &str {
        &self.schema.entities[usize::from(entity)].states[usize::from(state)].name
    }

    /// The columns of a type, those of one state only where one is given.
    fn columns(&self, entity: EntityIx, state: Option<u8>) -> Vec<String> {
        let all = (0..).zip(&self.schema.columns);
        all.filter(|(_, def)| def.entity == entity && (state.is_none() || def.state == state))
            .map(|(ix, _)| self.column(ix))
            .collect()
    }

    /// What makes the tables.
    fn statements(&self) -> Vec<String> {
        let mut statements = Vec::new();
        for entity in 0..self.schema.entities.len() as EntityIx {
            let columns: String = (self.columns(entity, None).iter())
                .map(|column| format!(", {column}"))
                .collect();
            let name = self.entity(entity);
            statements.push(format!(
                "CREATE TABLE {name} (slot INTEGER PRIMARY KEY, id TEXT NOT NULL, state TEXT NOT NULL{columns})"
            ));
        }
        for edge in 0..self.schema.edges.len() as EdgeIx {
            let name = self.edge(edge);
            statements.push(format!(
                "CREATE TABLE {name} (from_slot INTEGER NOT NULL, to_slot INTEGER NOT NULL, data, \
                 PRIMARY KEY (from_slot, to_slot)) WITHOUT ROWID"
            ));
            let index = quoted(&format!("{}_to", name.trim_matches('"')));
            statements.push(format!("CREATE INDEX {index} ON {name} (to_slot)"));
        }
        statements
    }

    /// How far the tables are; none, where there are none of this shape.
    fn position(&self, connection: &Connection) -> rusqlite::Result<Option<Seq>> {
        if !connection.table_exists(None, "ironweave")? {
            return Ok(None);
        }
        let sql = "SELECT shape, position FROM ironweave";
        let (shape, position): (String, i64) =
            connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let same = shape == self.shape;
        Ok(Seq::try_from(position).ok().filter(|_| same))
    }

    /// Makes the tables, instead of those that are there.
    fn make(&self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        let old: Vec<String> = {
            let sql =
                "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
            let mut tables = transaction.prepare(sql)?;
            let names = tables.query_map([], |row| row.get(0))?;
            names.collect::<rusqlite::Result<_>>()?
        };
        for name in old {
            transaction.execute_batch(&format!("DROP TABLE {}", quoted(&name)))?;
        }
        for statement in self.statements() {
            transaction.execute_batch(&statement)?;
        }
        transaction
            .execute_batch("CREATE TABLE ironweave (model TEXT, shape TEXT, position INTEGER)")?;
        let sql = "INSERT INTO ironweave VALUES (?1, ?2, -1)";
        transaction.execute(sql, params![self.schema.name, self.shape])?;
        Ok(())
    }

    fn apply(&self, t: &Transaction<'_>, fact: Fact, value: Option<&[u8]>) -> rusqlite::Result<()> {
        let value = value.map_or(Value::Null, sql_value);
        let run = |sql: String, values: &[Value]| {
            t.prepare_cached(&sql)?
                .execute(params_from_iter(values))
                .map(|_| ())
        };
        let text = |text: &str| Value::Text(text.to_owned());
        let int = |n: u32| Value::Integer(n.into());
        match fact {
            Fact::Create {
                entity,
                state,
                slot,
                generation,
            } => run(
                format!(
                    "INSERT INTO {} (slot, id, state) VALUES (?1, ?2, ?3)",
                    self.entity(entity)
                ),
                &[
                    int(slot),
                    Value::Text(format!("{slot}.{generation}")),
                    text(self.state(entity, state)),
                ],
            ),
            Fact::Delete { entity, slot, .. } => run(
                format!("DELETE FROM {} WHERE slot = ?1", self.entity(entity)),
                &[int(slot)],
            ),
            Fact::Move {
                entity,
                slot,
                from,
                to,
            } => {
                // What belongs to the state that it leaves ends with it.
                let ends: String = (self.columns(entity, Some(from)).iter())
                    .map(|column| format!(", {column} = NULL"))
                    .collect();
                let table = self.entity(entity);
                run(
                    format!("UPDATE {table} SET state = ?2{ends} WHERE slot = ?1"),
                    &[int(slot), text(self.state(entity, to))],
                )
            }
            Fact::Set { column, slot, .. } => {
                let entity = self.schema.columns[usize::from(column)].entity;
                let (table, column) = (self.entity(entity), self.column(column));
                run(
                    format!("UPDATE {table} SET {column} = ?2 WHERE slot = ?1"),
                    &[int(slot), value],
                )
            }
            Fact::Link { edge, from, to } => run(
                format!(
                    "INSERT INTO {} (from_slot, to_slot) VALUES (?1, ?2)",
                    self.edge(edge)
                ),
                &[int(from), int(to)],
            ),
            Fact::Unlink { edge, from, to } => run(
                format!(
                    "DELETE FROM {} WHERE from_slot = ?1 AND to_slot = ?2",
                    self.edge(edge)
                ),
                &[int(from), int(to)],
            ),
            Fact::SetLink { edge, from, to, .. } => run(
                format!(
                    "UPDATE {} SET data = ?3 WHERE from_slot = ?1 AND to_slot = ?2",
                    self.edge(edge)
                ),
                &[int(from), int(to), value],
            ),
        }
    }
}

/// A value of the log as one of SQLite.
fn sql_value(bytes: &[u8]) -> Value {
    let mut d = Decoder::new(bytes);
    let plain = match d.datatype() {
        Ok(Type::Null) => Some(Value::Null),
        Ok(Type::Bool) => d.bool().ok().map(|b| Value::Integer(b.into())),
        Ok(Type::F16 | Type::F32 | Type::F64) => d.f64().ok().map(Value::Real),
        Ok(Type::String) => d.str().ok().map(|s| Value::Text(s.to_owned())),
        Ok(Type::Bytes) => d.bytes().ok().map(|b| Value::Blob(b.to_owned())),
        // One that is too large for SQLite is text.
        _ => d.i64().ok().map(Value::Integer),
    };
    plain.unwrap_or_else(|| Value::Text(display(bytes)))
}

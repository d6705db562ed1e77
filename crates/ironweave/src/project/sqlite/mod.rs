//! The graph as tables of an SQLite database, so that any SQLite client can query it.
//!
//! | | table | columns | view |
//! |---|---|---|---|
//! | entity type `Partition` | `Partition` | `slot` (the primary key), `id` (`3.1`), `state`, one for each field, one for each piece of state data (`Live_at`) | `Partition_view`: without `slot`, times in RFC 3339 |
//! | edge `Want.partitions` | `Want_partitions` | `from_slot`, `to_slot`, `data` | `Want_partitions_view`: `from_`, `to_` and the fields of the keys |
//!
//! 1. Each transaction of the database writes the changes and the position of the log that they reach, so that no
//!    change is lost or repeated if the process is killed.
//! 2. If the model has another shape than the tables, this code has another version, or the tables belong to another
//!    log, the tables are rebuilt in one transaction. Other connections read the old tables until it is committed.
//! 3. Only objects that the projection created according to [`registry`] are dropped. If another object has a name that
//!    the projection needs, the projection returns an error and changes nothing.
//! 4. Before a transaction of the database is committed, the log is synced up to the last frame in it, whatever the
//!    durability of the store. So the tables are never ahead of their log after a power failure.
//! 5. Each transaction first checks whether the tables are as this projection last wrote them. Two projections of the
//!    same store can update the same tables alternately. A projection returns an error if another one, of another store
//!    or shape, has rebuilt its tables.
//!
//! [`names`] defines the names of tables and columns, and [`value`] how values are stored.

mod error;
mod names;
pub(super) mod open;
mod registry;
mod tables;
#[cfg(test)]
mod tests;
mod value;

use std::cmp::Ordering;
use std::fmt;
use std::path::PathBuf;

use rusqlite::{Connection, TransactionBehavior};

use crate::base::position::Position;
use crate::base::position::Seq;
use crate::step::model::Model;
use crate::store::record::{Changes, Record};
use crate::subscribe::Subscription;

pub use error::SqliteError;
pub use open::SqliteOptions;

use error::Failure;
use registry::Row;
use tables::Tables;

/// The maximal number of transactions of the store in one transaction of the database.
const BATCH: usize = 10_000;

/// Tables in an SQLite database that follow a store. The projection is `Send`.
///
/// ```
/// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
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
/// // Any SQLite client can query the tables, in another process too.
/// let client = rusqlite::Connection::open(&path)?;
/// let room: String =
///     client.query_row("SELECT room FROM Lamp WHERE state = 'On'", [], |row| row.get(0))?;
/// assert_eq!(room, "hall");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SqliteProjection<M: Model> {
    connection: Connection,
    path: PathBuf,
    prefix: String,
    subscription: Subscription<M>,
    tables: Tables,
    /// The row of this projection in the registry when it last wrote or, before its first write, when it was opened.
    seen: Option<Row>,
    /// The row of this projection in the registry when its tables have just been created.
    created: Row,
    /// Whether the existing tables cannot be used and have to be rebuilt.
    stale: bool,
    /// The changes from the empty graph to the graph that the log of the store begins with, if that is not empty.
    base: Option<(Seq, Changes<M>)>,
}

impl<M: Model> SqliteProjection<M> {
    /// Applies all transactions of the log that are not in the tables yet, and returns their number. They are committed
    /// in batches, except that rebuilt tables replace the old ones in one transaction of the database.
    ///
    /// # Errors
    /// If SQLite returns an error, if the tables are not as this projection last wrote them, or if the log cannot be
    /// read. Batches that were committed before are kept.
    pub fn catch_up(&mut self) -> Result<u64, SqliteError> {
        let mut applied = 0;
        loop {
            let batch = self.batch(None)?;
            applied += batch;
            if batch < BATCH as u64 {
                return Ok(applied);
            }
        }
    }

    /// Applies transactions as they are committed, until the store is dropped.
    ///
    /// # Errors
    /// As [`catch_up`](Self::catch_up).
    pub fn follow(&mut self) -> Result<(), SqliteError> {
        self.catch_up()?;
        while let Some(record) = self.subscription.next() {
            self.batch(Some(record?))?;
        }
        Ok(())
    }

    /// Returns the number of frames of the log that are not in the tables yet.
    #[must_use]
    pub fn lag(&self) -> u64 {
        self.subscription.lag()
    }

    /// Applies a batch of transactions in one transaction of the database, and returns their number. `first` is a
    /// record that was already read from the subscription.
    fn batch(&mut self, first: Option<Record<M>>) -> Result<u64, SqliteError> {
        // If there is no transaction to apply, the database is not locked, so that other connections can write.
        let first = match first {
            None if !self.stale => match self.subscription.try_next()? {
                None => return Ok(0),
                first => first,
            },
            first => first,
        };
        let start = first
            .as_ref()
            .map_or(self.subscription.next_seq(), Record::seq);
        match self.try_batch(start, first) {
            Ok(applied) => Ok(applied),
            // The transaction of the database is rolled back, so its records have to be delivered again.
            Err(failure) => {
                let failure = failure.map_storage(|e| self.subscription.located(e));
                self.subscription.go_back(start);
                Err(failure.at(&self.path))
            }
        }
    }

    fn try_batch(&mut self, start: Seq, first: Option<Record<M>>) -> Result<u64, Failure> {
        let behavior = TransactionBehavior::Immediate;
        let transaction = (self.connection).transaction_with_behavior(behavior)?;
        let row = registry::row(&transaction, &self.prefix)?;
        let start = (!self.stale).then_some(start);
        let found = compare(row.as_ref(), self.seen.as_ref(), &self.created, start)?;
        let stale = self.stale && found == Found::Unchanged;
        // The position up to which another projection has updated the tables since.
        let mut skip_until = match found {
            Found::Unchanged | Found::Created => None,
            Found::Ahead(at) => Some(at),
        };
        let mut foreign = Vec::new();
        if stale {
            foreign = registry::create(
                &transaction,
                &self.prefix,
                &self.created,
                &self.tables.statements,
            )?;
            if let Some((seq, base)) = &self.base {
                self.tables.apply_all(&transaction, *seq, base.raw())?;
            }
        }
        let mut seen = if stale {
            Some(self.created.clone())
        } else {
            row
        };
        let mut next = first;
        let (mut applied, mut last) = (0, None);
        loop {
            let record = match next.take() {
                Some(record) => record,
                None if applied >= BATCH && !stale => break,
                None => match self.subscription.try_next()? {
                    Some(record) => record,
                    None => break,
                },
            };
            if let Some(at) = skip_until {
                match record.seq().cmp(&at.seq()) {
                    Ordering::Less => {}
                    Ordering::Equal if record.position() == Some(at) => skip_until = None,
                    _ => return Err(changed()),
                }
                continue;
            }
            let facts = &record.transaction().decoded.facts;
            self.tables.apply_all(&transaction, record.seq(), facts)?;
            last = record.position();
            applied += 1;
        }
        registry::restore(&transaction, &foreign)?;
        if let Some(at) = last {
            registry::set_position(&transaction, &self.prefix, at)?;
            seen = Some(Row {
                at: last,
                ..self.created.clone()
            });
            // If a power failure left the tables ahead of the log, their last transactions could not be found in the
            // log.
            self.subscription.sync_to(at.seq())?;
        }
        transaction.commit()?;
        self.stale = false;
        self.base = None;
        // While records of the other projection are still skipped, `seen` stays the row before them, so that the next
        // batch finds the tables ahead again.
        if skip_until.is_none() {
            self.seen = seen;
        }
        Ok(applied as u64)
    }
}

/// The row of a projection in the registry, compared with the row that this projection last saw.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    /// The row is unchanged.
    Unchanged,
    /// Another projection has created the tables that were to be created, and has applied no transaction.
    Created,
    /// Another projection of the same store has applied more transactions.
    Ahead(Position),
}

/// Compares the row of a projection in the registry with the row `seen` that it last saw. `start` is the next frame to
/// be applied; `None` if the tables have to be rebuilt.
fn compare(
    row: Option<&Row>,
    seen: Option<&Row>,
    created: &Row,
    start: Option<Seq>,
) -> Result<Found, Failure> {
    if row == seen {
        return Ok(Found::Unchanged);
    }
    let at = row.filter(|row| row.is_same_as(created)).map(|row| row.at);
    match (at, start) {
        (Some(None), None) => Ok(Found::Created),
        (Some(Some(at)), start) if Some(at.seq()) >= start => Ok(Found::Ahead(at)),
        _ => Err(changed()),
    }
}

/// Returns the error for tables that another projection has rebuilt, or has brought to an earlier state.
fn changed() -> Failure {
    Failure::Changed(
        "another projection, of another store, another model or another version of the model, has rebuilt them; open \
         this projection again, with its own prefix (`SqliteOptions::prefix`) or in another file"
            .to_owned(),
    )
}

impl<M: Model> fmt::Debug for SqliteProjection<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteProjection")
            .field("path", &self.path)
            .field("prefix", &self.prefix)
            .field("stale", &self.stale)
            .field("subscription", &self.subscription)
            .finish()
    }
}

//! The graph as tables of an SQLite database, so that anybody can ask SQL of it.
//!
//! | | table | columns | view |
//! |---|---|---|---|
//! | entity type `Partition` | `Partition` | `slot` (the primary key), `id` (`3.1`), `state`, one for each field, one for each piece of state data (`Live_at`) | `Partition_view`: without `slot`, times in RFC 3339 |
//! | edge `Want.partitions` | `Want_partitions` | `from_slot`, `to_slot`, `data` | `Want_partitions_view`: `from_`, `to_` and the fields of the keys |
//!
//! 1. The position lies in the same transaction as what it stands for, so that a kill loses and repeats nothing.
//! 2. Where the model has another shape than the tables, this code is of another version, or the tables are of another
//!    log, they are made anew, in one transaction: others read the old ones until the new ones are there.
//! 3. What is dropped is what [`registry`] says that the projection made, and nothing else. Where something else has a
//!    name that is needed, nothing is done.
//! 4. The log is synced as far as a transaction goes before that is committed, whatever the durability of the store, so
//!    that a power cut leaves no tables that are ahead of their log.
//! 5. Each transaction begins by looking whether the tables are as this projection left them. Two projections of the
//!    same store take turns. A projection whose tables were made anew by one of another store or shape ends with an error.
//!
//! [`names`] has what things are called, [`value`] what values are stored as.

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

/// How many transactions of the store go into one of the database at most.
const BATCH: usize = 10_000;

/// Tables in an SQLite database that follow a store. It can be sent to another thread.
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
/// // Anybody may ask, with any client, in another process too.
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
    /// What the database said of this projection when it last wrote or, before that, when it was opened.
    seen: Option<Row>,
    /// What it says once the tables are made.
    made: Row,
    /// Whether the tables that are there do not fit, and are to be made anew.
    stale: bool,
    /// What leads to the graph that the log of the store begins with, where that is not the empty one.
    base: Option<(Seq, Changes<M>)>,
}

impl<M: Model> SqliteProjection<M> {
    /// Takes in all transactions that there are; how many. In batches, but for tables that are made anew, which replace
    /// the old ones all at once.
    ///
    /// # Errors
    /// Where the database refuses, where its tables are not as this projection left them, and where the log cannot be
    /// read; what was taken in before stays.
    pub fn catch_up(&mut self) -> Result<u64, SqliteError> {
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
    pub fn follow(&mut self) -> Result<(), SqliteError> {
        self.catch_up()?;
        while let Some(record) = self.subscription.next() {
            self.batch(Some(record?))?;
        }
        Ok(())
    }

    /// How many frames there are that are not in the tables yet.
    #[must_use]
    pub fn lag(&self) -> u64 {
        self.subscription.lag()
    }

    /// Takes in some transactions, at first one that has come already, in one of the database.
    fn batch(&mut self, first: Option<Record<M>>) -> Result<u64, SqliteError> {
        // Where there is nothing to do, nobody else is kept from writing.
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
            Ok(taken) => Ok(taken),
            // The database has nothing of it, so it is to come again.
            Err(failure) => {
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
        let found = found(row.as_ref(), self.seen.as_ref(), &self.made, start)?;
        let stale = self.stale && found == Found::AsLeft;
        // How far somebody else has brought the tables since.
        let mut theirs = match found {
            Found::AsLeft | Found::Made => None,
            Found::Ahead(at) => Some(at),
        };
        let mut others = Vec::new();
        if stale {
            others = registry::make(
                &transaction,
                &self.prefix,
                &self.made,
                &self.tables.statements,
            )?;
            if let Some((seq, base)) = &self.base {
                self.tables.apply_all(&transaction, *seq, base.raw())?;
            }
        }
        let mut seen = if stale { Some(self.made.clone()) } else { row };
        let mut next = first;
        let (mut taken, mut last) = (0, None);
        loop {
            let record = match next.take() {
                Some(record) => record,
                None if taken >= BATCH && !stale => break,
                None => match self.subscription.try_next()? {
                    Some(record) => record,
                    None => break,
                },
            };
            if let Some(at) = theirs {
                match record.seq().cmp(&at.seq()) {
                    Ordering::Less => {}
                    Ordering::Equal if record.position() == Some(at) => theirs = None,
                    _ => return Err(changed()),
                }
                continue;
            }
            let facts = &record.transaction().decoded.facts;
            self.tables.apply_all(&transaction, record.seq(), facts)?;
            last = record.position();
            taken += 1;
        }
        registry::put_back(&transaction, &others)?;
        if let Some(at) = last {
            registry::mark(&transaction, &self.prefix, at)?;
            seen = Some(Row {
                at: last,
                ..self.made.clone()
            });
            // Of tables that a power cut leaves ahead of their log nobody could say which part is of it.
            self.subscription.sync_to(at.seq())?;
        }
        transaction.commit()?;
        self.stale = false;
        self.base = None;
        // Until it has come as far as they are, what they wrote is not what it knows.
        if theirs.is_none() {
            self.seen = seen;
        }
        Ok(taken as u64)
    }
}

/// What a database says of a projection, compared with what it said last.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    /// The same.
    AsLeft,
    /// That another projection has made the tables that were to be made, and has taken in no transaction.
    Made,
    /// That another projection of the same store has taken in more transactions.
    Ahead(Position),
}

/// Compares what the database says with what it said last, `seen`, where frame `start` is the next one to be taken in;
/// none, where tables are to be made.
fn found(
    row: Option<&Row>,
    seen: Option<&Row>,
    made: &Row,
    start: Option<Seq>,
) -> Result<Found, Failure> {
    if row == seen {
        return Ok(Found::AsLeft);
    }
    let at = row.filter(|row| row.is_same_as(made)).map(|row| row.at);
    match (at, start) {
        (Some(None), None) => Ok(Found::Made),
        (Some(Some(at)), start) if Some(at.seq()) >= start => Ok(Found::Ahead(at)),
        _ => Err(changed()),
    }
}

/// Another projection has made them anew, or taken them back.
fn changed() -> Failure {
    Failure::Changed(
        "another projection has made them anew since, of another store, another model or another version of it; open \
         this one anew, with a prefix of its own (`SqliteOptions::prefix`) or in another file"
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

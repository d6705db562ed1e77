//! Opening a projection: its options, the file of the database, and the check whether the tables in it can be used.

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::base::position::Position;
use crate::base::position::Seq;
use crate::project::Origin;
use crate::project::sqlite::error::{Failure, SqliteError};
use crate::project::sqlite::registry::{self, Row};
use crate::project::sqlite::tables::Tables;
use crate::project::sqlite::{SqliteProjection, names};
use crate::snapshot::Snapshot;
use crate::step::flat;
use crate::step::model::Model;
use crate::store::Store;
use crate::store::record::Changes;
use crate::store::version::{At, Version};

/// The maximal number of prepared statements that are cached.
const STATEMENTS: usize = 256;
/// The maximal number of bytes of a prefix.
const PREFIX_MAX: usize = 64;

/// The options of a projection into an SQLite database; see [`Store::project_into_sqlite_with`].
#[derive(Clone, Debug, Default)]
pub struct SqliteOptions {
    prefix: String,
}

impl SqliteOptions {
    /// Returns options without a prefix.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the prefix of the names of all tables, views and indexes, such as `shop_`, so that several projections, or
    /// a projection and tables of your own, can share a database. A prefix has at most 64 ASCII letters, digits and
    /// `_`, and begins with a letter. A database has at most one projection for each prefix; prefixes are compared
    /// without regard to case.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }
}

/// Opens a projection; see [`Store::project_into_sqlite_with`].
pub(in crate::project) fn projection<M: Model>(
    store: &Store<M>,
    path: &Path,
    options: SqliteOptions,
) -> Result<SqliteProjection<M>, SqliteError> {
    try_projection(store, path, options.prefix).map_err(|failure| failure.at(path))
}

fn try_projection<M: Model>(
    store: &Store<M>,
    path: &Path,
    prefix: String,
) -> Result<SqliteProjection<M>, Failure> {
    check_prefix(&prefix)?;
    let id = format!("{:016x}", store.view()?.log().store());
    let schema = store.schema();
    let tables = Tables::of(&store.plan, &prefix)?;
    let connection = open(path)?;
    let seen = registry::row(&connection, &prefix)?;
    let created = Row {
        model: schema.name.clone(),
        shape: tables.shape.clone(),
        store: id,
        at: None,
    };
    if let Some(seen) = seen.as_ref().filter(|seen| seen.model != created.model) {
        return Err(Failure::Refused(format!(
            "its tables belong to the model `{}`, but the model of this store is `{}`; give the new tables other names \
             with `SqliteOptions::prefix`, or project into another file. If it is the same model under a new name, \
             delete the row of the old name in the table `{}`",
            seen.model,
            created.model,
            names::REGISTRY
        )));
    }
    // The facts up to this frame are those of another schema, which has other tables, or of a migration.
    let after = store.epochs.same_tables_after();
    let usable = match &seen {
        Some(row) if row.at.as_ref().map_or(Seq::ZERO, Position::seq) < after => None,
        Some(row)
            if row.is_same_as(&created) && registry::is_whole(&connection, &tables.statements)? =>
        {
            is_of_log(store, row.at)?.then_some(row.at)
        }
        _ => None,
    };
    let stale = usable.is_none();
    if stale {
        registry::check_names(&connection, &prefix, &tables.statements)?;
    }
    let base = if stale {
        base_changes(store, after)?
    } else {
        None
    };
    let subscription = match usable.flatten() {
        Some(at) => store.subscribe_since(at)?,
        None if after > Seq::ZERO => store.subscribe(after + 1)?,
        None => store.subscribe(Seq::ZERO)?,
    };
    Ok(SqliteProjection {
        connection,
        path: path.to_owned(),
        prefix,
        subscription,
        tables,
        seen,
        created,
        stale,
        base,
    })
}

/// Returns whether the position of tables is a position of this log.
fn is_of_log<M: Model>(store: &Store<M>, at: Option<Position>) -> Result<bool, Failure> {
    let Some(at) = at else { return Ok(true) };
    match Origin::of(store, at)? {
        Origin::ThisLog => Ok(true),
        Origin::NotRefreshed => Err(Failure::Refused(format!(
            "its tables are at frame {}, which this store, which is open for reading only, has not read yet; call \
             `Store::refresh` first",
            at.seq()
        ))),
        Origin::OtherHistory(_) => Ok(false),
    }
}

/// Returns the changes from the empty graph to the one that the transactions of the tables begin at, and the frame of that:
/// the snapshot that this store began at, or the graph after the frame `after`.
fn base_changes<M: Model>(
    store: &Store<M>,
    after: Seq,
) -> Result<Option<(Seq, Changes<M>)>, Failure> {
    let base = match &store.base {
        Some(base) => Arc::clone(base),
        None if after > Seq::ZERO => store.as_of(after)?.state,
        None => return Ok(None),
    };
    let empty = Version {
        plan: Arc::clone(&store.plan),
        graph: flat::empty(&store.plan),
        at: At::default(),
        lineage: base.lineage,
        paranoid: false,
    };
    let empty = Snapshot::<M>::of(Arc::new(empty));
    let seq = base.at.seq.unwrap_or_default();
    Ok(Some((seq, empty.diff(&Snapshot::of(base))?)))
}

/// The maximal number of attempts to change the journal mode of a busy database.
const WAL_TRIES: u32 = 200;
/// The pause between two attempts.
const WAL_PAUSE: Duration = Duration::from_millis(10);

/// Opens a database. Returns an error for a file that is not a database or cannot be written.
fn open(path: &Path) -> Result<Connection, Failure> {
    // Without this, SQLite would open a private database for `:memory:` and for an empty path.
    let path = std::path::absolute(path).map_err(|e| Failure::Refused(e.to_string()))?;
    if path.is_dir() {
        let reason = "it is a directory; choose a file in it";
        return Err(Failure::Refused(reason.to_owned()));
    }
    if path.parent().is_some_and(|parent| !parent.is_dir()) {
        let reason = "its directory does not exist; create the directory first";
        return Err(Failure::Refused(reason.to_owned()));
    }
    // SQLite treats a file of one byte as an empty database, and would overwrite it.
    if path.metadata().is_ok_and(|file| file.len() == 1) {
        return Err(not_a_database());
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // Other tables may have foreign keys to tables of the projection. The projection must not delete rows of these
    // tables, and their rows must not prevent it from deleting its own.
    connection.pragma_update(None, "foreign_keys", false)?;
    let is_empty = registry::is_empty(&connection).map_err(|e| match e.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => not_a_database(),
        _ => e.into(),
    })?;
    if connection.is_readonly("main")? {
        let reason =
            "it can only be read; give this process write permission, or choose another file";
        return Err(Failure::Refused(reason.to_owned()));
    }
    if is_empty {
        // With a write-ahead log, other connections can read the previous state during an update. A database that
        // already has content keeps its mode.
        use_wal(&connection)?;
    }
    Ok(connection)
}

/// Switches an empty database to a write-ahead log. SQLite ignores its busy timeout here, and two connections that
/// switch at the same time may block each other, so the attempt is repeated. A database that stays busy keeps its mode;
/// readers and writers then block each other, but the tables are the same.
fn use_wal(connection: &Connection) -> rusqlite::Result<()> {
    for _ in 0..WAL_TRIES {
        match connection.pragma_update(None, "journal_mode", "WAL") {
            Err(e) if e.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                thread::sleep(WAL_PAUSE);
            }
            result => return result,
        }
    }
    Ok(())
}

fn not_a_database() -> Failure {
    let reason = "it is not an SQLite database, and is left unchanged; choose another file";
    Failure::Refused(reason.to_owned())
}

fn check_prefix(prefix: &str) -> Result<(), Failure> {
    let letters = prefix
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let begins = prefix
        .bytes()
        .next()
        .is_none_or(|b| b.is_ascii_alphabetic());
    if letters && begins && prefix.len() <= PREFIX_MAX {
        return Ok(());
    }
    let shown: String = prefix.chars().take(PREFIX_MAX).collect();
    Err(Failure::Refused(format!(
        "`{shown}` is not a valid prefix; a prefix has at most {PREFIX_MAX} ASCII letters, digits and `_`, and begins \
         with a letter"
    )))
}

//! Opening a projection: the options, the file, and whether the tables in it can be gone on with.

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::base::position::Position;
use crate::base::position::Seq;
use crate::project::sqlite::error::{Failure, ProjectionError};
use crate::project::sqlite::registry::{self, Row};
use crate::project::sqlite::tables::Tables;
use crate::project::sqlite::{SqliteProjection, names};
use crate::snapshot::Snapshot;
use crate::step::flat;
use crate::step::model::Model;
use crate::store::Store;
use crate::store::record::Changes;
use crate::store::version::{At, Version};

/// How many prepared statements are kept.
const STATEMENTS: usize = 256;
/// How long a prefix may be.
const PREFIX_MAX: usize = 64;

/// How to project into an SQLite database; see [`Store::project_into_sqlite_with`].
#[derive(Clone, Debug, Default)]
pub struct SqliteOptions {
    prefix: String,
}

impl SqliteOptions {
    /// No prefix.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What the names of all tables, views and indexes begin with, such as `shop_`: so that several projections, or a
    /// projection and tables of your own, can share a database. At most 64 ASCII letters, digits and `_`, beginning with
    /// a letter. A database has one projection for each prefix; upper and lower case are the same.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }
}

impl<M: Model> Store<M> {
    /// Tables of the graph in an SQLite database, which is made if it is not there, as far as they were brought the last
    /// time.
    ///
    /// Other tables in the database stay as they are. The tables of the projection are made anew when it first
    /// [catches up](SqliteProjection::catch_up) where the model has another shape than they have, and where they are of
    /// another log, or of what this log was before it was restored from a backup.
    ///
    /// # Errors
    /// Where the file is no database or cannot be written, where something in it has a name that the projection needs,
    /// and where the log cannot be read.
    pub fn project_into_sqlite(
        &self,
        path: impl AsRef<Path>,
    ) -> Result<SqliteProjection<M>, ProjectionError> {
        self.project_into_sqlite_with(path, SqliteOptions::new())
    }

    /// As [`project_into_sqlite`](Self::project_into_sqlite), with a prefix for the names in the database.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
    /// use ironweave::prelude::*;
    /// use ironweave::SqliteOptions;
    /// use lamps::{Bought, Model};
    ///
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("lamps.sqlite");
    /// // One database for the lamps of two houses.
    /// let (mut left, mut right) = (Store::<Model>::memory(), Store::<Model>::memory());
    /// for (house, store) in [("left_", &mut left), ("right_", &mut right)] {
    ///     store.step(Bought { room: "hall".into() });
    ///     let options = SqliteOptions::new().prefix(house);
    ///     store.project_into_sqlite_with(&path, options)?.catch_up()?;
    /// }
    /// let client = rusqlite::Connection::open(&path)?;
    /// let sql = "SELECT (SELECT count(*) FROM left_Lamp) + (SELECT count(*) FROM right_Lamp)";
    /// let lamps: u32 = client.query_row(sql, [], |row| row.get(0))?;
    /// assert_eq!(lamps, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As there; where the prefix is none.
    pub fn project_into_sqlite_with(
        &self,
        path: impl AsRef<Path>,
        options: SqliteOptions,
    ) -> Result<SqliteProjection<M>, ProjectionError> {
        let path = path.as_ref();
        let projection = self.sqlite_projection(path, options.prefix);
        projection.map_err(|failure| failure.at(path))
    }

    fn sqlite_projection(
        &self,
        path: &Path,
        prefix: String,
    ) -> Result<SqliteProjection<M>, Failure> {
        check_prefix(&prefix)?;
        let store = format!("{:016x}", self.id()?);
        let schema = self.schema();
        let tables = Tables::of::<M>(schema, &prefix)?;
        let connection = open(path)?;
        let seen = registry::row(&connection, &prefix)?;
        let made = Row {
            model: schema.name.clone(),
            shape: tables.shape.clone(),
            store,
            at: None,
        };
        if let Some(seen) = seen.as_ref().filter(|seen| seen.model != made.model) {
            return Err(Failure::Refused(format!(
                "the tables there are of the model `{}`, and this is `{}`; give these another name with \
                 `SqliteOptions::prefix`, or project into another file. If it is the same model under a new name, delete \
                 the row of the old one in the table `{}`",
                seen.model,
                made.model,
                names::REGISTRY
            )));
        }
        let fitting = match &seen {
            Some(row)
                if row.is_same_as(&made)
                    && registry::is_whole(&connection, &tables.statements)? =>
            {
                self.fits(row.at)?.then_some(row.at)
            }
            _ => None,
        };
        let stale = fitting.is_none();
        if stale {
            registry::check_names(&connection, &prefix, &tables.statements)?;
        }
        let base = if stale { self.base_changes()? } else { None };
        let subscription = match fitting.flatten() {
            Some(at) => self.subscribe_since(at)?,
            None => self.subscribe(0)?,
        };
        Ok(SqliteProjection {
            connection,
            path: path.to_owned(),
            prefix,
            subscription: subscription.hold(),
            tables,
            seen,
            made,
            stale,
            base,
        })
    }

    /// Whether a position that tables are at is one of this log.
    fn fits(&self, at: Option<Position>) -> Result<bool, Failure> {
        let Some(at) = at else { return Ok(true) };
        match self.locate(at) {
            Ok(_) => Ok(true),
            Err(e) if e.is_ahead() && self.refreshed_has(at)? => Err(Failure::Refused(format!(
                "the tables there are at frame {}, which this store, opened to be read only, has not read yet; call \
                 `Store::refresh` first",
                at.seq()
            ))),
            Err(e) if e.is_ahead() || e.is_other_history() || e.is_before_beginning() => Ok(false),
            Err(e) => Err(e.into()),
        }
    }

    /// The facts that lead to the graph that this store began with, and after which frame that was.
    fn base_changes(&self) -> Result<Option<(Seq, Changes<M>)>, Failure> {
        let Some(base) = &self.base else {
            return Ok(None);
        };
        let binding = M::binding();
        let nothing = Version {
            plan: Arc::clone(&self.plan),
            graph: flat::empty(&self.plan, (&binding.columns, &binding.data)),
            at: At::default(),
            lineage: base.lineage,
            paranoid: false,
        };
        let nothing = Snapshot::<M>::of(Arc::new(nothing));
        let changes = nothing.diff(&Snapshot::of(Arc::clone(base)))?;
        Ok(Some((base.at.seq.unwrap_or_default(), changes)))
    }
}

/// How often the mode of a busy database is tried to be changed, and how long is waited in between.
const WAL_TRIES: u32 = 200;
const WAL_PAUSE: Duration = Duration::from_millis(10);

/// Opens a database, and refuses what is none or cannot be written.
fn open(path: &Path) -> Result<Connection, Failure> {
    // Else SQLite would take `:memory:` and an empty path for databases that nobody else can open.
    let path = std::path::absolute(path).map_err(|e| Failure::Refused(e.to_string()))?;
    if path.is_dir() {
        let reason = "it is a directory; name a file in it";
        return Err(Failure::Refused(reason.to_owned()));
    }
    if path.parent().is_some_and(|parent| !parent.is_dir()) {
        let reason = "its directory is not there; make that first";
        return Err(Failure::Refused(reason.to_owned()));
    }
    // SQLite takes a file of one byte for an empty one, and writes over it.
    if path.metadata().is_ok_and(|file| file.len() == 1) {
        return Err(no_database());
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // Rows of other tables that refer to those of the projection are not its own either: it neither deletes them nor is
    // kept from deleting what they refer to.
    connection.pragma_update(None, "foreign_keys", false)?;
    let is_empty = registry::is_empty(&connection).map_err(|e| match e.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => no_database(),
        _ => e.into(),
    })?;
    if connection.is_readonly("main")? {
        let reason = "it can only be read; allow this process to write it, or choose another file";
        return Err(Failure::Refused(reason.to_owned()));
    }
    if is_empty {
        // Readers read the state before, while it is being brought on. What somebody else made keeps its mode.
        use_wal(&connection)?;
    }
    Ok(connection)
}

/// Switches an empty database to a write-ahead log. SQLite does not wait here for another connection, whatever the
/// timeout is, and two that switch at once may each find the other in the way; so this tries again. A database that stays
/// busy keeps its mode, which costs readers and writers waiting and nothing else.
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

fn no_database() -> Failure {
    let reason = "it is no SQLite database, and stays as it is; choose another file";
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
        "`{shown}` is no prefix; one has at most {PREFIX_MAX} ASCII letters, digits and `_`, and begins with a letter"
    )))
}

//! The methods of [`Store`] that create projections.

use std::path::Path;

use crate::project::error::ProjectError;
#[cfg(feature = "sqlite")]
use crate::project::sqlite::{self, SqliteError, SqliteOptions, SqliteProjection};
use crate::project::{Fold, Projection};
use crate::step::model::Model;
use crate::store::Store;

impl<M: Model> Store<M> {
    /// Returns a table of the transactions of this store that is kept in memory. It is empty until it
    /// [catches up](Projection::catch_up).
    ///
    /// # Errors
    /// If the log cannot be read, or the store has no log.
    pub fn project<T: Fold<M>>(&self) -> Result<Projection<M, T>, ProjectError> {
        Projection::in_memory(self)
    }

    /// Returns a table of the transactions of this store that is kept in a file, in the state in which it was last
    /// [saved](Projection::save).
    ///
    /// The table is empty if the file does not exist. It is also empty if the saved table cannot be used: another
    /// version of the code saved it, or it has transactions that this log does not have, because the log was restored
    /// from a backup or belongs to another store. [`Projection::folded_anew`] then returns the reason. The file is
    /// unchanged until the new table is saved, which replaces the file atomically.
    ///
    /// # Errors
    /// If the file cannot be read or is damaged, or if the log cannot be read. `is_not_refreshed` if the table is ahead
    /// of this store only because the store is open for reading and has not been [refreshed](Store::refresh) since;
    /// `is_other_fold` if the type of the table has changed but its version has not.
    pub fn project_into<T: Fold<M>>(
        &self,
        path: impl AsRef<Path>,
    ) -> Result<Projection<M, T>, ProjectError> {
        Projection::in_file(self, path.as_ref())
    }

    /// Returns a projection of the graph into tables of an SQLite database, in the state in which they were last
    /// updated. The database is created if it does not exist.
    ///
    /// Other tables in the database are not changed. The first call of [`SqliteProjection::catch_up`] rebuilds the
    /// tables of the projection if their shape is not that of the model, if they belong to another log, or if they have
    /// transactions that this log lost when it was restored from a backup.
    ///
    /// # Errors
    /// If the file is not a database or cannot be written, if another object in the database has a name that the
    /// projection needs, or if the log cannot be read.
    #[cfg(feature = "sqlite")]
    pub fn project_into_sqlite(
        &self,
        path: impl AsRef<Path>,
    ) -> Result<SqliteProjection<M>, SqliteError> {
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
    /// As [`project_into_sqlite`](Self::project_into_sqlite), and `Refused` if the prefix is not valid.
    #[cfg(feature = "sqlite")]
    pub fn project_into_sqlite_with(
        &self,
        path: impl AsRef<Path>,
        options: SqliteOptions,
    ) -> Result<SqliteProjection<M>, SqliteError> {
        sqlite::open::projection(self, path.as_ref(), options)
    }
}

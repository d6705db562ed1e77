//! Projections of a store: what this layer adds to [`Store`].

use std::path::Path;

use crate::project::error::ProjectError;
#[cfg(feature = "sqlite")]
use crate::project::sqlite::{self, SqliteError, SqliteOptions, SqliteProjection};
use crate::project::{Fold, Projection};
use crate::step::model::Model;
use crate::store::Store;

impl<M: Model> Store<M> {
    /// A table of the transactions of this store, in memory: empty until it [catches up](Projection::catch_up).
    ///
    /// # Errors
    /// Where the log cannot be read, or none is kept.
    pub fn project<T: Fold<M>>(&self) -> Result<Projection<M, T>, ProjectError> {
        Projection::in_memory(self)
    }

    /// The same, kept in a file: as far as it was [saved](Projection::save) the last time. Empty where there is no such
    /// file, and where what it has cannot be gone on with: it is of another version of the code, or of transactions that
    /// this log does not have, since it was restored from a backup or is of another store. Then the file stays as it is
    /// until the new table is saved, which replaces it at once; [`Projection::folded_anew`] says why.
    ///
    /// # Errors
    /// Where the file cannot be read or is damaged; where the log cannot be read. `is_not_refreshed` where the table is
    /// ahead of this store only because that was opened to be read and has not been [refreshed](Store::refresh) since;
    /// `is_other_fold` where the fold has changed and its version has not.
    pub fn project_into<T: Fold<M>>(
        &self,
        path: impl AsRef<Path>,
    ) -> Result<Projection<M, T>, ProjectError> {
        Projection::in_file(self, path.as_ref())
    }

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
    /// As there; where the prefix is none.
    #[cfg(feature = "sqlite")]
    pub fn project_into_sqlite_with(
        &self,
        path: impl AsRef<Path>,
        options: SqliteOptions,
    ) -> Result<SqliteProjection<M>, SqliteError> {
        sqlite::open::projection(self, path.as_ref(), options)
    }
}

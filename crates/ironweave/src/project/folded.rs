//! Tables whose type the program defines. They are folded from the records of transactions, and saved in a file between
//! runs.
//!
//! The file consists of the magic, a checksum, a [`Header`] in CBOR and the table in CBOR. It is replaced only by a
//! rename of a synced file, so that the old table exists until the new one is complete.
//!
//! The header has the position of the last transaction in the table. If the log has no such frame, because it was
//! restored from a backup or is another log, the table is folded again from the first transaction.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::base::hash::hash_bytes;
use crate::base::position::Position;
use crate::base::storage_error::StorageError;
use crate::log::disk::Disk;
use crate::project::Origin;
use crate::project::error::{FoldError, ProjectError};
use crate::step::model::Model;
use crate::store::Store;
use crate::store::record::Record;
use crate::subscribe::Subscription;
use crate::value;
use crate::value::item::raw_item;

const MAGIC: &[u8; 8] = b"IWTABLE\x02";
/// The magic of files of an earlier version, which have no position. Their tables are folded again.
const OLD_MAGIC: &[u8; 8] = b"IWTABLE\x01";
/// The offset of the bytes that the checksum covers.
const CHECKED: usize = 16;

/// A table that is folded from the transactions of a store.
///
/// Folding must be deterministic: it must not read a clock or a source of random numbers.
pub trait Fold<M: Model>: Default + Serialize + DeserializeOwned {
    /// The error of a transaction that cannot be folded. A fold that fails only if the log cannot be read uses
    /// [`StorageError`].
    type Error: std::error::Error + Send + Sync + 'static;

    /// The version of the code. Raise it with every change of the type of the table or of `fold`. A table that
    /// another version saved is folded again from the first transaction.
    const VERSION: u32;

    /// Applies the next transaction to the table.
    ///
    /// # Errors
    /// If the transaction cannot be folded. [`Projection::catch_up`] returns the error as [`FoldError::Fold`].
    fn fold(&mut self, record: &Record<M>) -> Result<(), Self::Error>;
}

/// A table with the position of the last transaction that was folded into it. It is `Send` if the table is.
///
/// ```
/// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
/// use ironweave::prelude::*;
/// use ironweave::{Fold, Record};
/// use lamps::{Lit, Model};
///
/// /// How often each lamp was lit.
/// #[derive(Default, serde::Serialize, serde::Deserialize)]
/// struct Lights(std::collections::BTreeMap<String, u64>);
///
/// impl Fold<Model> for Lights {
///     const VERSION: u32 = 1;
///     type Error = StorageError;
///
///     fn fold(&mut self, record: &Record<Model>) -> Result<(), StorageError> {
///         for lit in record.events::<Lit>() {
///             *self.0.entry(lit?.lamp.key().clone()).or_default() += 1;
///         }
///         Ok(())
///     }
/// }
///
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("lights.table");
/// let mut store = Store::<Model>::memory();
/// store.step(Lit { lamp: "hall".into() });
/// let mut lights = store.project_into::<Lights>(&path)?;
/// lights.catch_up(|_| {})?;
/// assert_eq!(lights.table().0["hall"], 1);
/// lights.save()?;                                  // the next run continues from here
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Projection<M: Model, T> {
    table: T,
    /// The position of the last transaction in the table.
    position: Option<Position>,
    subscription: Subscription<M>,
    path: Option<PathBuf>,
    /// Whether the table may contain a part of a transaction.
    incomplete: bool,
    /// The reason why the table in the file was not used.
    discarded: Option<ProjectError>,
}

/// The header of a file: the version of the code that saved the table, and its last transaction.
#[derive(Serialize, Deserialize)]
struct Header {
    version: u32,
    position: Option<Position>,
}

impl<M: Model, T: Fold<M>> Projection<M, T> {
    /// See [`Store::project`].
    pub(super) fn in_memory(store: &Store<M>) -> Result<Self, ProjectError> {
        Self::begin(store, T::default(), None, None)
    }

    /// See [`Store::project_into`].
    pub(super) fn in_file(store: &Store<M>, path: &Path) -> Result<Self, ProjectError> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return Self::begin(store, T::default(), None, Some(path));
            }
            Err(e) => return Err(StorageError::io("read", path, e).into()),
        };
        let begin_again = |reason| {
            let begun = Self::begin(store, T::default(), None, Some(path));
            begun.map(|begun| Self {
                discarded: Some(reason),
                ..begun
            })
        };
        let invalid = |why: &str| {
            StorageError::removable(path, "the table of a fold", why, "fold the table again")
        };
        let (magic, content) = checked(&bytes)
            .ok_or_else(|| invalid("its checksum is wrong, or it is another file"))?;
        if magic == OLD_MAGIC {
            return begin_again(ProjectError::Version {
                path: path.to_owned(),
                kept: None,
                wanted: T::VERSION,
            });
        }
        let mut d = minicbor::Decoder::new(content);
        let header: Header = (raw_item(&mut d).and_then(value::decode))
            .map_err(|e| invalid(&format!("its header is invalid: {e}")))?;
        if header.version != T::VERSION {
            return begin_again(ProjectError::Version {
                path: path.to_owned(),
                kept: Some(header.version),
                wanted: T::VERSION,
            });
        }
        if let Some(at) = header.position {
            match Origin::of(store, at)? {
                Origin::ThisLog => {}
                Origin::NotRefreshed => {
                    return Err(ProjectError::NotRefreshed {
                        path: path.to_owned(),
                        seq: at.seq(),
                    });
                }
                Origin::OtherHistory(e) => {
                    return begin_again(ProjectError::OtherHistory {
                        path: path.to_owned(),
                        source: Box::new(e),
                    });
                }
            }
        }
        let content = content.get(d.position()..).unwrap_or_default();
        let table = value::decode(content).map_err(|e| ProjectError::OtherFold {
            path: path.to_owned(),
            version: header.version,
            reason: e.to_string(),
        })?;
        Self::begin(store, table, header.position, Some(path))
    }

    fn begin(
        store: &Store<M>,
        table: T,
        position: Option<Position>,
        path: Option<&Path>,
    ) -> Result<Self, ProjectError> {
        Ok(Self {
            table,
            position,
            subscription: match position {
                Some(position) => store.subscribe_since(position)?,
                None => store.subscribe(0)?,
            },
            path: path.map(Path::to_owned),
            incomplete: false,
            discarded: None,
        })
    }
}

/// Returns the magic and the content of a file, or `None` if the magic is unknown or the checksum does not match.
fn checked(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (start, content) = bytes.split_at_checked(CHECKED)?;
    let (magic, sum) = start.split_at(MAGIC.len());
    let known = magic == MAGIC || magic == OLD_MAGIC;
    (known && sum == hash_bytes(content).to_le_bytes()).then_some((magic, content))
}

impl<M: Model, T: Fold<M>> Projection<M, T> {
    /// Returns the table.
    pub fn table(&self) -> &T {
        &self.table
    }

    /// Returns the position of the last transaction in the table; `None` before the first.
    pub fn position(&self) -> Option<Position> {
        self.position
    }

    /// Returns the reason why the table in the file was not used, if the file had one: `is_version` if another version
    /// of the code saved it, `is_other_history` if it has transactions that this log does not have.
    pub fn folded_anew(&self) -> Option<&ProjectError> {
        self.discarded.as_ref()
    }

    /// Returns the number of frames of the log that are not in the table yet.
    pub fn lag(&self) -> u64 {
        self.subscription.lag()
    }

    /// Folds all transactions of the log that are not in the table yet, and returns their number. `progress` is called
    /// after each one, with the number of frames that are left.
    ///
    /// # Errors
    /// [`FoldError::Storage`] if the log cannot be read; the call can be repeated. [`FoldError::Fold`] if
    /// [`Fold::fold`] returns an error; the table is then incomplete and has to be projected again.
    pub fn catch_up(&mut self, mut progress: impl FnMut(u64)) -> Result<u64, FoldError<T::Error>> {
        let mut folded = 0;
        while let Some(record) = self.subscription.try_next()? {
            self.apply(&record)?;
            folded += 1;
            progress(self.subscription.lag());
        }
        Ok(folded)
    }

    /// Waits for the next transaction and folds it into the table. Returns `false` if the store was dropped, so that no
    /// transaction will follow.
    ///
    /// # Errors
    /// As [`catch_up`](Self::catch_up).
    pub fn follow(&mut self) -> Result<bool, FoldError<T::Error>> {
        match self.subscription.next() {
            Some(record) => self.apply(&record?).map(|()| true),
            None => Ok(false),
        }
    }

    fn apply(&mut self, record: &Record<M>) -> Result<(), FoldError<T::Error>> {
        if self.incomplete {
            return Err(FoldError::Incomplete);
        }
        self.incomplete = true;
        (self.table.fold(record)).map_err(|error| FoldError::Fold {
            seq: record.seq(),
            error,
        })?;
        self.incomplete = false;
        self.position = record.position();
        Ok(())
    }

    /// Saves the table in its file, whose previous content is replaced. The table and its transactions are durable when
    /// the call returns. The time is linear in the size of the table. The call does nothing for a table in memory.
    ///
    /// # Errors
    /// `Storage` if the file cannot be written or the log cannot be synced, `Unwritable` if the table cannot be encoded
    /// as CBOR, `Incomplete` if an earlier transaction could not be folded. The file is unchanged in each case.
    pub fn save(&self) -> Result<(), ProjectError> {
        if self.incomplete {
            return Err(ProjectError::Incomplete);
        }
        let Some(path) = &self.path else {
            return Ok(());
        };
        let header = Header {
            version: T::VERSION,
            position: self.position,
        };
        let mut bytes = vec![0; CHECKED];
        value::encode(&header, &mut bytes)
            .and_then(|()| value::encode(&self.table, &mut bytes))
            .map_err(|e| ProjectError::Unwritable {
                path: path.clone(),
                reason: e.to_string(),
            })?;
        bytes[..MAGIC.len()].copy_from_slice(MAGIC);
        let sum = hash_bytes(&bytes[CHECKED..]).to_le_bytes();
        bytes[MAGIC.len()..CHECKED].copy_from_slice(&sum);
        if let Some(position) = self.position {
            self.subscription.sync_to(position.seq())?;
        }
        Disk::default().replace(path, &bytes)?;
        Ok(())
    }
}

impl<M: Model, T> fmt::Debug for Projection<M, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Projection")
            .field("position", &self.position)
            .field("subscription", &self.subscription)
            .field("path", &self.path)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[crate::model]
    #[allow(dead_code, missing_docs)]
    mod lamps {
        use crate::prelude::*;

        #[entity]
        pub struct Lamp {
            #[key]
            pub room: String,
        }

        #[event]
        #[create(lamp: Lamp { room })]
        pub struct Bought {
            pub room: String,
        }
    }

    #[derive(Default, Serialize, Deserialize)]
    struct Count(u64);

    impl Fold<lamps::Model> for Count {
        type Error = StorageError;
        const VERSION: u32 = 1;

        fn fold(&mut self, _: &Record<lamps::Model>) -> Result<(), StorageError> {
            self.0 += 1;
            Ok(())
        }
    }

    #[test]
    fn a_table_in_the_format_of_an_earlier_version_is_folded_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.table");
        let content = [1, 7];
        let sum = hash_bytes(&content).to_le_bytes();
        fs::write(&path, [&OLD_MAGIC[..], &sum, &content].concat()).unwrap();
        let mut store = Store::<lamps::Model>::memory();
        let room = "hall".into();
        store.step(lamps::Bought { room });
        let mut table = store.project_into::<Count>(&path).unwrap();
        let reason = table.folded_anew().unwrap();
        assert!(reason.is_version() && reason.to_string().contains("an earlier version"));
        table.catch_up(|_| {}).unwrap();
        assert_eq!(table.table().0, 1);
    }
}

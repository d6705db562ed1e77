//! Tables of a program's own: folded from the records of transactions, and kept in a file between runs.
//!
//! The file is the magic, a checksum, a [`Head`] in CBOR and the table in CBOR. It is only ever replaced by a rename of
//! a synced file, so that the old table is there until the new one is complete.
//!
//! The head has the position of the last transaction in the table. Where the log has no such frame, because it was
//! restored from a backup or is another log, the table is folded anew.

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
use crate::project::error::{FoldError, ProjectError};
use crate::step::model::Model;
use crate::store::Store;
use crate::store::record::Record;
use crate::subscribe::Subscription;
use crate::value;
use crate::value::item::raw_item;

const MAGIC: &[u8; 8] = b"IWTABLE\x02";
/// Of files without a position, which are made anew.
const OLD_MAGIC: &[u8; 8] = b"IWTABLE\x01";
/// Where what the checksum is of begins.
const CHECKED: usize = 16;

/// A table that is folded from the transactions of a store.
///
/// Folding must be deterministic: it must not read a clock or a source of random numbers.
pub trait Fold<M: Model>: Default + Serialize + DeserializeOwned {
    /// The error of a transaction that cannot be folded. A fold that fails only where the log cannot be read uses [`StorageError`].
    type Error: std::error::Error + Send + Sync + 'static;

    /// The version of the code: raise it with every change of what the table is or of how it is folded. A table that was
    /// kept by another version is folded anew, from the first transaction on.
    const VERSION: u32;

    /// Takes in the next transaction.
    ///
    /// # Errors
    /// Whatever keeps it from being folded. The caller of [`Projection::catch_up`] gets it as [`FoldError::Fold`].
    fn fold(&mut self, record: &Record<M>) -> Result<(), Self::Error>;
}

/// A table with the position up to which transactions are in it. It can be sent to another thread if the table can.
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
/// lights.save()?;                                  // the next run goes on from here
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Projection<M: Model, T> {
    table: T,
    /// The last transaction in it.
    position: Option<Position>,
    subscription: Subscription<M>,
    path: Option<PathBuf>,
    /// Whether a transaction is in it in part.
    incomplete: bool,
    /// Why the table in the file was not used.
    anew: Option<ProjectError>,
}

/// What a file says of its table.
#[derive(Serialize, Deserialize)]
struct Head {
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
        let anew = |why| {
            let begun = Self::begin(store, T::default(), None, Some(path));
            begun.map(|begun| Self {
                anew: Some(why),
                ..begun
            })
        };
        let damage = |what: &str| StorageError::damage(path, 0, None, what);
        let (magic, content) = checked(&bytes)
            .ok_or_else(|| damage("the table cannot be read; removed, it is folded anew"))?;
        if magic == OLD_MAGIC {
            return anew(ProjectError::Version {
                path: path.to_owned(),
                kept: None,
                wanted: T::VERSION,
            });
        }
        let mut d = minicbor::Decoder::new(content);
        let head: Head = raw_item(&mut d).and_then(value::decode).map_err(|_| {
            damage("the head of the table cannot be read; removed, it is folded anew")
        })?;
        if head.version != T::VERSION {
            return anew(ProjectError::Version {
                path: path.to_owned(),
                kept: Some(head.version),
                wanted: T::VERSION,
            });
        }
        if let Some((at, Err(e))) = head.position.map(|at| (at, store.locate(at))) {
            if e.is_ahead() && store.refreshed_has(at)? {
                return Err(ProjectError::NotRefreshed {
                    path: path.to_owned(),
                    seq: at.seq(),
                });
            }
            if e.is_ahead() || e.is_other_history() || e.is_before_beginning() {
                return anew(ProjectError::OtherHistory {
                    path: path.to_owned(),
                    source: Box::new(e),
                });
            }
            return Err(e.into());
        }
        let content = content.get(d.position()..).unwrap_or_default();
        let table = value::decode(content).map_err(|e| ProjectError::OtherFold {
            path: path.to_owned(),
            version: head.version,
            reason: e.to_string(),
        })?;
        Self::begin(store, table, head.position, Some(path))
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
            anew: None,
        })
    }
}

/// The magic of a file and what it says, if its checksum says so.
fn checked(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (head, content) = bytes.split_at_checked(CHECKED)?;
    let (magic, sum) = head.split_at(MAGIC.len());
    let known = magic == MAGIC || magic == OLD_MAGIC;
    (known && sum == hash_bytes(content).to_le_bytes()).then_some((magic, content))
}

impl<M: Model, T: Fold<M>> Projection<M, T> {
    /// The table.
    pub fn table(&self) -> &T {
        &self.table
    }

    /// The position of the last transaction in it; `None` before the first.
    pub fn position(&self) -> Option<Position> {
        self.position
    }

    /// Why the table in the file was not used, if there was one: `is_version` for one of another version of the code,
    /// `is_other_history` for one of transactions that this log does not have.
    pub fn folded_anew(&self) -> Option<&ProjectError> {
        self.anew.as_ref()
    }

    /// How many frames of the log are not in it yet.
    pub fn lag(&self) -> u64 {
        self.subscription.lag()
    }

    /// Takes in all transactions that there are, and returns how many. After each, `progress` is called with the number
    /// of frames that are left.
    ///
    /// # Errors
    /// [`FoldError::Storage`] where the log cannot be read; it can be tried again. [`FoldError::Fold`] where the table refuses
    /// a transaction: then the table is incomplete, and has to be projected anew.
    pub fn catch_up(&mut self, mut progress: impl FnMut(u64)) -> Result<u64, FoldError<T::Error>> {
        let mut taken = 0;
        while let Some(record) = self.subscription.try_next()? {
            self.take(&record)?;
            taken += 1;
            progress(self.subscription.lag());
        }
        Ok(taken)
    }

    /// Waits for the next transaction and takes it in. Returns `false` if there will be none, since the store was dropped.
    ///
    /// # Errors
    /// As [`catch_up`](Self::catch_up).
    pub fn follow(&mut self) -> Result<bool, FoldError<T::Error>> {
        match self.subscription.next() {
            Some(record) => self.take(&record?).map(|()| true),
            None => Ok(false),
        }
    }

    fn take(&mut self, record: &Record<M>) -> Result<(), FoldError<T::Error>> {
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

    /// Writes the table to its file, in place of the one that is there. The table and the transactions in it are durable
    /// when it returns. O(size of the table). A table in memory is written nowhere.
    ///
    /// # Errors
    /// `Storage` where the disk refuses, `Unwritable` where the table cannot be written as CBOR, `Incomplete` where an
    /// earlier transaction could not be folded. The file is unchanged then.
    pub fn save(&self) -> Result<(), ProjectError> {
        if self.incomplete {
            return Err(ProjectError::Incomplete);
        }
        let Some(path) = &self.path else {
            return Ok(());
        };
        let head = Head {
            version: T::VERSION,
            position: self.position,
        };
        let mut bytes = vec![0; CHECKED];
        value::encode(&head, &mut bytes)
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

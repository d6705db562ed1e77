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

use crate::base::error::ReadError;
use crate::base::hash::hash_bytes;
use crate::base::position::{Position, Seq};
use crate::base::storage_error::{StorageError, StorageFailure};
use crate::log::disk::Disk;
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
    /// Why a transaction cannot be folded. A fold that fails only where the log cannot be read uses [`StorageError`].
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

/// Why a [`Projection`] could not go on.
#[derive(Debug)]
#[non_exhaustive]
pub enum FoldError<E> {
    /// The log could not be read.
    Log(StorageError),
    /// [`Fold::fold`] returned an error. The transaction may be in the table in part, so the table has to be projected
    /// anew.
    Fold {
        /// The sequence of the transaction.
        seq: Seq,
        /// The error of the fold.
        error: E,
    },
    /// An earlier transaction could not be folded; see [`FoldError::Fold`].
    Incomplete,
}

impl<E> From<StorageError> for FoldError<E> {
    fn from(e: StorageError) -> Self {
        Self::Log(e)
    }
}

impl<E: fmt::Display> fmt::Display for FoldError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log(e) => e.fmt(f),
            Self::Fold { seq, error } => write!(f, "transaction {seq} cannot be folded: {error}"),
            Self::Incomplete => f.write_str(INCOMPLETE),
        }
    }
}

impl<E: std::error::Error + 'static> std::error::Error for FoldError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Log(e) => std::error::Error::source(e),
            Self::Fold { error, .. } => Some(error),
            Self::Incomplete => None,
        }
    }
}

const INCOMPLETE: &str =
    "the table is incomplete, since an earlier transaction could not be folded; project it again";

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
    anew: Option<StorageError>,
}

/// What a file says of its table.
#[derive(Serialize, Deserialize)]
struct Head {
    version: u32,
    position: Option<Position>,
}

impl<M: Model> Store<M> {
    /// A table of the transactions of this store, in memory: empty until it [catches up](Projection::catch_up).
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub fn project<T: Fold<M>>(&self) -> Result<Projection<M, T>, StorageError> {
        self.projection(T::default(), None, None, None)
    }

    /// The same, kept in a file: as far as it was [saved](Projection::save) the last time. Empty where there is no such
    /// file, and where what it has cannot be gone on with: it is of another version of the code, or of transactions that
    /// this log does not have, since it was restored from a backup or is of another store. Then the file stays as it is
    /// until the new table is saved, which replaces it at once; [`Projection::folded_anew`] says why.
    ///
    /// # Errors
    /// Where the file cannot be read or is damaged; where the log cannot be read. `is_replaced` where the table is ahead of
    /// this store only because that was opened to be read and has not been [refreshed](Store::refresh) since.
    pub fn project_into<T: Fold<M>>(
        &self,
        path: impl AsRef<Path>,
    ) -> Result<Projection<M, T>, StorageError> {
        let path = path.as_ref();
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return self.projection(T::default(), None, Some(path), None);
            }
            Err(e) => return Err(StorageError::io("read", path, e)),
        };
        let damage = |what: &str| StorageError::damage(path, 0, None, what);
        let (magic, content) = checked(&bytes)
            .ok_or_else(|| damage("the table cannot be read; removed, it is folded anew"))?;
        let anew = |kind, why: String| {
            let why = StorageError::new(kind, format!("{} has {why}", path.display()));
            self.projection(T::default(), None, Some(path), Some(why))
        };
        if magic == OLD_MAGIC {
            let why = "a table that an earlier version of ironweave kept, without a position";
            return anew(StorageFailure::Version, why.to_owned());
        }
        let mut d = minicbor::Decoder::new(content);
        let head: Head = raw_item(&mut d).and_then(value::decode).map_err(|_| {
            damage("the head of the table cannot be read; removed, it is folded anew")
        })?;
        if head.version != T::VERSION {
            let (kept, wanted) = (head.version, T::VERSION);
            let why =
                format!("version {kept} of the table, and the program wants version {wanted}");
            return anew(StorageFailure::Version, why);
        }
        if let Some((at, Err(e))) = head.position.map(|at| (at, self.locate(at))) {
            if e.is_ahead() && self.refreshed_has(at)? {
                let store = "the store, opened to be read only, has not read so far yet; call `Store::refresh` first";
                let e = e.into_storage();
                return Err(e.about(format_args!("the table in {}: {store}", path.display())));
            }
            if e.is_ahead() || e.is_other_history() || e.is_before_beginning() {
                let why = format!("a table of another history: {e}");
                return anew(StorageFailure::Replaced, why);
            }
            return Err(e.into_storage());
        }
        let table = value::decode(&content[d.position()..]).map_err(|e| {
            let message = format!(
                "{} is of version {} and is something else ({e}): raise `VERSION` with every change of the table",
                path.display(),
                head.version
            );
            StorageError::new(StorageFailure::Version, message)
        })?;
        self.projection(table, head.position, Some(path), None)
    }

    fn projection<T: Fold<M>>(
        &self,
        table: T,
        position: Option<Position>,
        path: Option<&Path>,
        anew: Option<StorageError>,
    ) -> Result<Projection<M, T>, StorageError> {
        Ok(Projection {
            table,
            position,
            subscription: match position {
                Some(position) => self.subscribe_since(position),
                None => self.subscribe(0),
            }
            .map_err(ReadError::into_storage)?,
            path: path.map(Path::to_owned),
            incomplete: false,
            anew,
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
    /// `is_replaced` for one of transactions that this log does not have.
    pub fn folded_anew(&self) -> Option<&StorageError> {
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
    /// [`FoldError::Log`] where the log cannot be read; it can be tried again. [`FoldError::Fold`] where the table refuses
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
    /// Where the disk refuses, the table cannot be written, or it is incomplete. The file is unchanged then.
    pub fn save(&self) -> Result<(), StorageError> {
        if self.incomplete {
            return Err(StorageError::new(StorageFailure::Stopped, INCOMPLETE));
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
            .map_err(|e| {
                let message = format!("the table cannot be written to {}: {e}", path.display());
                StorageError::new(StorageFailure::Internal, message)
            })?;
        bytes[..MAGIC.len()].copy_from_slice(MAGIC);
        let sum = hash_bytes(&bytes[CHECKED..]).to_le_bytes();
        bytes[MAGIC.len()..CHECKED].copy_from_slice(&sum);
        if let Some(position) = self.position {
            self.subscription.sync_to(position.seq())?;
        }
        Disk::default().replace(path, &bytes)
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

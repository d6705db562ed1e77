//! What the explorer asks a store: one trait for the store of a program, with its types, and for any store by its schema.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, RwLock};
use std::thread;
use std::time::Duration;

use ironweave::dynamic::Dynamic;
use ironweave::{
    AsOf, EntityRef, Model, OpenError, Options, Record, Seq, Snapshot, StorageError, Store,
    StoreReader,
};

use crate::problem::Problem;
use crate::trial::{Trial, try_by_schema, try_typed};

/// How often the log of a store that another process writes is read again.
const REFRESH_INTERVAL: Duration = Duration::from_millis(200);

/// Transactions in the order of the log.
pub type Transactions = Box<dyn Iterator<Item = Result<Record<Dynamic>, StorageError>>>;

/// A store that the explorer shows. All answers are by the names in its schema.
///
/// The methods block: they may read the log from the disk.
pub trait Source: Send + Sync + 'static {
    /// Returns the last frame that is shown, or `None` if there is none.
    fn last(&self) -> Option<Seq>;

    /// Returns the first frame after which the graph can be read. It is not 0 if the first frames of the log were dropped.
    ///
    /// # Errors
    /// A failure to read the log.
    fn first(&self) -> Result<Seq, Problem>;

    /// Returns the graph after the last frame.
    ///
    /// # Errors
    /// A failure to read the log.
    fn now(&self) -> Result<Snapshot<Dynamic>, Problem>;

    /// Returns the graph at a point in the past.
    ///
    /// # Errors
    /// If the log does not have that point, and a failure to read the log.
    fn as_of(&self, when: AsOf) -> Result<Snapshot<Dynamic>, Problem>;

    /// Returns the transactions in frames from `from` to before `until`.
    ///
    /// # Errors
    /// If the log does not have the frames, and a failure to read the log.
    fn transactions(&self, from: Seq, until: Seq) -> Result<Transactions, Problem>;

    /// Returns the last transactions about an entity, at most `most` of them, before the frame `before`. The latest comes first. The
    /// entity may be deleted.
    ///
    /// # Errors
    /// If the model has no such type, and a failure to read the log.
    fn last_about(
        &self,
        entity: &EntityRef,
        before: Seq,
        most: usize,
    ) -> Result<Vec<Record<Dynamic>>, Problem>;

    /// Waits until there is a frame after `last`, but not longer than `timeout`, and returns the last frame.
    ///
    /// # Errors
    /// If the log can no longer be read.
    fn wait(&self, last: Option<Seq>, timeout: Duration) -> Result<Option<Seq>, Problem>;

    /// Returns whether the code of the model is linked in. Events that need none can be tried without it.
    fn has_code(&self) -> bool;

    /// Fires an event on a snapshot and keeps nothing. `event` is JSON as [`AnyEvent`](ironweave::AnyEvent) reads it.
    ///
    /// # Errors
    /// If the event is rejected, is not one of the model, or cannot be tried.
    fn try_event(&self, when: Option<AsOf>, event: &str) -> Result<Trial, Problem>;
}

/// A store of a program, with the guards, handlers and invariants of its model. The reader keeps no store open.
pub struct TypedSource<M: Model> {
    reader: StoreReader<M>,
}

impl<M: Model> fmt::Debug for TypedSource<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypedSource")
            .field("last", &self.reader.seq())
            .finish_non_exhaustive()
    }
}

impl<M: Model> TypedSource<M> {
    /// Shows what a reader reads.
    #[must_use]
    pub fn new(reader: StoreReader<M>) -> Self {
        Self { reader }
    }
}

impl<M: Model> Source for TypedSource<M> {
    fn last(&self) -> Option<Seq> {
        self.reader.seq()
    }

    fn first(&self) -> Result<Seq, Problem> {
        Ok(self.reader.first_graph()?.unwrap_or_default())
    }

    fn now(&self) -> Result<Snapshot<Dynamic>, Problem> {
        Ok(self.reader.snapshot().to_dynamic())
    }

    fn as_of(&self, when: AsOf) -> Result<Snapshot<Dynamic>, Problem> {
        Ok(self.reader.as_of_by_name(when)?)
    }

    fn transactions(&self, from: Seq, until: Seq) -> Result<Transactions, Problem> {
        let records = self.reader.tx_range(from..until)?;
        Ok(Box::new(
            records.map(|record| record.map(|record| record.to_dynamic())),
        ))
    }

    fn last_about(
        &self,
        entity: &EntityRef,
        before: Seq,
        most: usize,
    ) -> Result<Vec<Record<Dynamic>>, Problem> {
        let records = self.reader.last_about_by_name(entity, Some(before), most)?;
        Ok(records.iter().map(Record::to_dynamic).collect())
    }

    fn wait(&self, last: Option<Seq>, timeout: Duration) -> Result<Option<Seq>, Problem> {
        let next = last.map_or(Seq::ZERO, |last| last + 1);
        // The snapshot is one that a page is about to show.
        let _ = self.reader.wait_until(next, timeout);
        Ok(self.reader.seq())
    }

    fn has_code(&self) -> bool {
        true
    }

    fn try_event(&self, when: Option<AsOf>, event: &str) -> Result<Trial, Problem> {
        let then = match when {
            Some(when) => self.reader.as_of(when)?,
            None => self.reader.snapshot(),
        };
        try_typed(&then, event)
    }
}

/// Any store, by the schema in its log. Another process may write it.
pub struct DirectorySource {
    dir: PathBuf,
    archives: Option<PathBuf>,
    /// The store, which is refreshed by one thread.
    store: Mutex<Store<Dynamic>>,
    source: RwLock<TypedSource<Dynamic>>,
    /// Why the log could not be read the last time.
    problem: Mutex<Option<Problem>>,
}

impl fmt::Debug for DirectorySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirectorySource")
            .field("dir", &self.dir)
            .finish_non_exhaustive()
    }
}

impl DirectorySource {
    /// Opens the store in a directory for reading. `archives` is the directory of archived segments, if it was moved. O(size of the
    /// log), or of what follows its last checkpoint.
    ///
    /// # Errors
    /// As [`Store::open_read_only`].
    pub fn open(
        dir: impl AsRef<Path>,
        archives: Option<impl AsRef<Path>>,
    ) -> Result<Self, OpenError> {
        let dir = dir.as_ref().to_owned();
        let archives = archives.map(|archives| archives.as_ref().to_owned());
        let store = open(&dir, archives.as_deref())?;
        Ok(Self {
            dir,
            archives,
            source: RwLock::new(TypedSource::new(store.reader())),
            store: Mutex::new(store),
            problem: Mutex::new(None),
        })
    }

    fn read<R>(
        &self,
        ask: impl FnOnce(&TypedSource<Dynamic>) -> Result<R, Problem>,
    ) -> Result<R, Problem> {
        if let Some(problem) = lock(&self.problem).clone() {
            return Err(problem);
        }
        let source = self.source.read().unwrap_or_else(PoisonError::into_inner);
        ask(&source)
    }

    /// Reads what was written since. A log that was replaced by another one is opened again.
    fn refresh(&self) -> Result<(), Problem> {
        let mut store = lock(&self.store);
        if lock(&self.problem).is_none() && store.refresh().is_ok() {
            return Ok(());
        }
        let opened = open(&self.dir, self.archives.as_deref());
        let outcome = opened.map_err(Problem::from).map(|opened| {
            let mut source = self.source.write().unwrap_or_else(PoisonError::into_inner);
            *source = TypedSource::new(opened.reader());
            *store = opened;
        });
        *lock(&self.problem) = outcome.clone().err();
        outcome
    }
}

// No code of a user runs while one of the locks is held.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn open(dir: &Path, archives: Option<&Path>) -> Result<Store<Dynamic>, OpenError> {
    let options: Options<Dynamic> = Store::<Dynamic>::options();
    let options = match archives {
        Some(archives) => options.archives(archives),
        None => options,
    };
    options.open_read_only(dir)
}

impl Source for DirectorySource {
    fn last(&self) -> Option<Seq> {
        self.source
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .last()
    }

    fn first(&self) -> Result<Seq, Problem> {
        self.read(Source::first)
    }

    fn now(&self) -> Result<Snapshot<Dynamic>, Problem> {
        self.read(Source::now)
    }

    fn as_of(&self, when: AsOf) -> Result<Snapshot<Dynamic>, Problem> {
        self.read(|source| source.as_of(when))
    }

    fn transactions(&self, from: Seq, until: Seq) -> Result<Transactions, Problem> {
        self.read(|source| source.transactions(from, until))
    }

    fn last_about(
        &self,
        entity: &EntityRef,
        before: Seq,
        most: usize,
    ) -> Result<Vec<Record<Dynamic>>, Problem> {
        self.read(|source| source.last_about(entity, before, most))
    }

    fn wait(&self, last: Option<Seq>, timeout: Duration) -> Result<Option<Seq>, Problem> {
        self.refresh()?;
        if self.last() == last {
            thread::sleep(REFRESH_INTERVAL.min(timeout));
            self.refresh()?;
        }
        Ok(self.last())
    }

    fn has_code(&self) -> bool {
        false
    }

    fn try_event(&self, when: Option<AsOf>, event: &str) -> Result<Trial, Problem> {
        let then = match when {
            Some(when) => self.as_of(when)?,
            None => self.now()?,
        };
        try_by_schema(&then, event)
    }
}

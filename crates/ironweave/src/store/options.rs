//! Options: how a store is opened.

use std::fmt;
use std::marker::PhantomData;
use std::path::Path;
use std::time::Duration;

use crate::base::error::OpenError;
use crate::log::{FileLog, LogOptions, MemoryLog, ReadOnlyLog};
use crate::step::immediates::Limits;
use crate::step::model::Model;
use crate::store::commit::{CommitLog, Durability};
use crate::store::epochs::Bounds;
use crate::store::{Backend, Store};

/// How to open a store.
pub struct Options<M: Model> {
    log: LogOptions,
    durability: Durability,
    limits: Limits,
    paranoid: bool,
    bounds: Bounds,
    model: PhantomData<fn() -> M>,
}

impl<M: Model> fmt::Debug for Options<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("model", &M::NAME)
            .field("log", &self.log)
            .field("durability", &self.durability)
            .field("limits", &self.limits)
            .field("paranoid", &self.paranoid)
            .field("bounds", &self.bounds)
            .finish()
    }
}

impl<M: Model> Default for Options<M> {
    fn default() -> Self {
        Self {
            log: LogOptions::default(),
            durability: Durability::default(),
            limits: Limits::default(),
            paranoid: false,
            bounds: Bounds::default(),
            model: PhantomData,
        }
    }
}

impl<M: Model> Options<M> {
    /// When a committed transaction is durable: before the commit returns (the default), within an interval, or when the
    /// operating system writes it.
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// As [`Options::durability`] with [`Durability::Every`].
    pub fn sync_every(self, interval: Duration) -> Self {
        self.durability(Durability::Every(interval))
    }

    /// The length at which a segment of the log ends, in bytes: 64 MiB by default.
    pub fn segment_bytes_max(mut self, bytes: u64) -> Self {
        self.log.segment_bytes_max = bytes;
        self
    }

    /// How many bytes a transaction may have in the log, read or written: 2^30 by default, which is more than a frame can
    /// hold. To replay one takes some five times as much memory beside the graph, and to read what fired in it up to 25
    /// times as much.
    pub fn transaction_bytes_max(mut self, bytes: usize) -> Self {
        self.bounds.transaction_bytes = bytes;
        self
    }

    /// How many bytes a schema may have in the log: 16 MiB by default.
    pub fn schema_bytes_max(mut self, bytes: usize) -> Self {
        self.bounds.schema_bytes = bytes;
        self
    }

    /// How many bytes an open reads at most, beside four times the length of the tail, when it searches behind a torn
    /// frame for whole frames that prove the torn one durable: 1 GiB by default. If the limit does not suffice, the log is
    /// refused as damaged.
    pub fn search_bytes_max(mut self, bytes: u64) -> Self {
        self.log.search_bytes_max = bytes;
        self
    }

    /// Refuses a log with a torn tail, instead of cutting the tail and keeping it in a file beside the segment.
    fn strict(mut self) -> Self {
        self.log.strict = true;
        self
    }

    /// Begins a new timeline: for a log that was restored from a backup, when it is first opened for writing. The frames
    /// that are there keep their positions; frames that are written from now on have another timeline than the frames that the
    /// log had there before it was restored, however alike the two are. Durable when the store is open, so that it is needed
    /// once, and does nothing for a new log and for one that is opened to be read.
    ///
    /// A consumer that is ahead of a restored log is told so without it, too: by the end of the log, and by the checksum
    /// of the frame.
    pub fn new_timeline(mut self) -> Self {
        self.log.new_timeline = true;
        self
    }

    /// Fires every event twice, with an undo between, and compares; and panics if an invariant reads an entity that its
    /// `via` does not name. For tests: it finds handlers and guards that are not deterministic, and invariants that a
    /// change of a neighbour would not trigger.
    pub fn paranoid(mut self) -> Self {
        self.paranoid = true;
        self
    }

    /// How deep immediate events may create: 64 by default.
    ///
    /// An entity that an immediate event creates has a creation depth of one more than the entity on which the event
    /// fired; the depth of what existed before the step, or was created by the event of the program, is 0. A step that
    /// would create an entity deeper than this is rejected as a [`Loop`](crate::StepError::Loop). With 0, no immediate
    /// event may create anything.
    pub fn creation_depth_max(mut self, depth: u32) -> Self {
        self.limits.creation_depth = depth;
        self
    }

    /// How often immediate events may fire in one step on entities that immediate events created in it: a million times
    /// by default. A step of more is rejected as a [`Loop`](crate::StepError::Loop).
    ///
    /// It ends a step in which each new entity creates several others, which would outgrow all memory long before it
    /// reached [`Options::creation_depth_max`]. Firings on entities that existed before are not counted.
    pub fn created_firings_max(mut self, firings: u32) -> Self {
        self.limits.created_firings = firings;
        self
    }

    /// An empty store in memory.
    #[must_use]
    pub fn memory(self) -> Store<M> {
        match self.over(Backend::Writable(CommitLog::in_memory(MemoryLog::new()))) {
            Ok(store) => store,
            Err(e) => unreachable!("a log in memory cannot fail: {e}"),
        }
    }

    /// A store over a log that a test has made.
    #[cfg(test)]
    pub(crate) fn over_log(self, log: Box<dyn crate::log::Log>) -> Result<Store<M>, OpenError> {
        let log = CommitLog::new(log, self.durability)?;
        self.over(Backend::Writable(log))
    }

    /// An empty store in memory that keeps no log; see [`Store::unlogged`].
    #[must_use]
    pub fn unlogged(self) -> Store<M> {
        match self.over(Backend::Unlogged) {
            Ok(store) => store,
            Err(e) => unreachable!("without a log nothing can fail: {e}"),
        }
    }

    fn over(self, log: Backend) -> Result<Store<M>, OpenError> {
        Store::over(log, self.limits, self.bounds, self.paranoid)
    }

    /// Opens the store in a directory, which is made if it is not there.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open(self, dir: impl AsRef<Path>) -> Result<Store<M>, OpenError> {
        let log = FileLog::open(dir, self.log)?;
        let log = CommitLog::new(Box::new(log), self.durability)?;
        self.over(Backend::Writable(log))
    }

    /// As [`Options::open`], refusing a torn tail.
    ///
    /// # Errors
    /// As [`Store::open`], and where the log has a torn tail.
    pub fn open_strict(self, dir: impl AsRef<Path>) -> Result<Store<M>, OpenError> {
        self.strict().open(dir)
    }

    /// Opens the store in a directory to read it.
    ///
    /// # Errors
    /// As [`Store::open_read_only`].
    pub fn open_read_only(self, dir: impl AsRef<Path>) -> Result<Store<M>, OpenError> {
        self.over(Backend::ReadOnly(ReadOnlyLog::open(dir)?))
    }
}

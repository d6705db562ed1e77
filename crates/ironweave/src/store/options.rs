//! Options for opening a store.

use std::fmt;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::base::clock::Clock;
use crate::base::error::OpenError;
use crate::base::storage_error::{StorageError, StorageFailure};
use crate::log::disk::Disk;
use crate::log::{FileLog, LogOptions, MemoryLog, ReadOnlyLog};
use crate::step::immediates::Limits;
use crate::step::migrate::MigrationCode;
use crate::step::model::Model;
use crate::store::checkpoint::policy::CheckpointPolicy;
use crate::store::commit::{CommitLog, Durability};
use crate::store::epochs::Bounds;
use crate::store::keys::KeyRetention;
use crate::store::{Backend, Store};

/// Options for opening a store; see [`Store::options`].
#[must_use = "options do nothing until a store is opened with them"]
pub struct Options<M: Model> {
    log: LogOptions,
    pub(super) archives: Option<PathBuf>,
    durability: Durability,
    pub(super) limits: Limits,
    pub(super) clock: Clock,
    paranoid: bool,
    interpreted: bool,
    pub(super) bounds: Bounds,
    checkpoints: CheckpointPolicy,
    index_segments: bool,
    pub(super) code: Option<MigrationCode>,
    model: PhantomData<fn() -> M>,
}

impl<M: Model> fmt::Debug for Options<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("model", &M::NAME)
            .field("log", &self.log)
            .field("archives", &self.archives)
            .field("durability", &self.durability)
            .field("limits", &self.limits)
            .field("clock", &self.clock)
            .field("paranoid", &self.paranoid)
            .field("interpreted", &self.interpreted)
            .field("bounds", &self.bounds)
            .field("checkpoints", &self.checkpoints)
            .field("index_segments", &self.index_segments)
            .finish()
    }
}

impl<M: Model> Default for Options<M> {
    fn default() -> Self {
        Self {
            log: LogOptions::default(),
            archives: None,
            durability: Durability::default(),
            limits: Limits::default(),
            clock: Clock::default(),
            paranoid: false,
            interpreted: false,
            bounds: Bounds::default(),
            checkpoints: CheckpointPolicy::default(),
            index_segments: true,
            code: None,
            model: PhantomData,
        }
    }
}

impl<M: Model> Options<M> {
    /// Sets when a committed transaction is durable: before the commit returns (the default), within an interval, or when the
    /// operating system writes it.
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Sets the durability to [`Durability::Every`] with this interval.
    pub fn sync_every(self, interval: Duration) -> Self {
        self.durability(Durability::Every(interval))
    }

    /// Sets the length at which a segment of the log ends, in bytes. Default: 64 MiB.
    pub fn segment_bytes_max(mut self, bytes: u64) -> Self {
        self.log.segment_bytes_max = bytes;
        self
    }

    /// Names the directory that archived segments are in, if it is not the one that they were [archived](crate::Retention) to.
    pub fn archives(mut self, dir: impl Into<PathBuf>) -> Self {
        self.archives = Some(dir.into());
        self
    }

    /// Sets the number of bytes that a transaction may have in the log, both when it is written and when it is read. Default:
    /// 2^30, which is more than a frame can contain. Replaying a transaction takes about five times its length in memory, in
    /// addition to the graph, and reading its firings takes up to 25 times its length.
    pub fn transaction_bytes_max(mut self, bytes: usize) -> Self {
        self.bounds.transaction_bytes = bytes;
        self
    }

    /// Sets the number of bytes that a schema may have in the log. Default: 16 MiB.
    pub fn schema_bytes_max(mut self, bytes: usize) -> Self {
        self.bounds.schema_bytes = bytes;
        self
    }

    /// Sets the number of bytes that an open reads, in addition to four times the length of the tail, when it searches after a
    /// torn frame for valid frames that prove the torn one durable. Default: 1 GiB. If the limit does not suffice, the open
    /// fails with an error of damage.
    pub fn search_bytes_max(mut self, bytes: u64) -> Self {
        self.log.search_bytes_max = bytes;
        self
    }

    /// Sets when the store writes a [checkpoint](Store::checkpoint) by itself. Default: after each 64 MiB of log, or as many
    /// bytes as the last checkpoint has if these are more. With [`CheckpointPolicy::never`], only [`Store::checkpoint`] does.
    ///
    /// A thread that is started for each checkpoint reads the log from the last checkpoint on, replays it to a graph of its own, and
    /// writes that. No step waits for the thread. While it runs, it takes about as much memory as the graph of the store. Its
    /// failures affect nothing else, and [`Store::last_checkpoint`] returns them. Closing the store ends the thread. The
    /// option has no effect on a store in memory and on one that is open for reading only.
    pub fn checkpoint_every(mut self, policy: CheckpointPolicy) -> Self {
        self.checkpoints = policy;
        self
    }

    /// Sets whether each segment of the log gets its index, by which [`Store::history`] finds transactions, as soon as it is complete.
    /// Default: yes. Otherwise the first call of `history` that needs an index makes it, and writes it to its file.
    ///
    /// A thread that is started when the first segment is complete reads each segment once more and writes its index, for which it
    /// takes about as much memory as a segment has bytes. No step waits for it. Its failures affect nothing else,
    /// and [`Store::last_index_error`] returns the last one. Closing the store waits until the indexes of all complete
    /// segments are written. The option has no effect on a store in memory and on one that is open for reading only.
    pub fn index_segments(mut self, indexed: bool) -> Self {
        self.index_segments = indexed;
        self
    }

    /// Sets how long idempotency keys are kept. Default: forever, which takes about 40 to 80 bytes of memory for each key.
    ///
    /// A transaction whose key has expired is an error, [`StepError::KeyExpired`](crate::StepError::KeyExpired), and never a
    /// second execution of the request. For this, an expired key takes about 10 to 20 bytes. With n expired keys, a key that was
    /// never used is refused too with a probability of n / 2^64.
    ///
    /// A key that has expired stays so in a store that is opened from a checkpoint with a longer retention.
    pub fn keep_keys(mut self, retention: KeyRetention) -> Self {
        self.bounds.keys = retention;
        self
    }

    /// Makes a torn tail an error of the open, instead of moving it to a file beside the segment.
    fn strict(mut self) -> Self {
        self.log.strict = true;
        self
    }

    /// Begins a new timeline. Use it once, when a log that was restored from a backup is first opened for writing. Existing
    /// frames keep their positions. New frames get a different timeline than the frames that the log had before the restore, so
    /// their positions differ even if their contents are equal. The timeline is durable when the open returns. The option has
    /// no effect on a new log and on one that is opened for reading only.
    ///
    /// Without this option, the position of a consumer that is ahead of a restored log is still rejected, by the end of the log
    /// or by the checksum of the frame.
    pub fn new_timeline(mut self) -> Self {
        self.log.new_timeline = true;
        self
    }

    /// Sets the clock that transactions get their times from. Default: [`Clock::System`]. It has no effect on transactions with
    /// [an explicit time](crate::Meta::with_time). Snapshots of the store, and stores that begin at them, use the same clock.
    ///
    /// A transaction reads the clock once, when its time is first needed, and not at all if it is never needed. Its time is never
    /// before that of the previous transaction, even if the clock is. Intervals, such as that of [`Durability::Every`], are measured
    /// with another clock.
    ///
    /// A test uses a [`ManualClock`](crate::ManualClock).
    pub fn clock(mut self, clock: impl Into<Clock>) -> Self {
        self.clock = clock.into();
        self
    }

    /// Fires every event twice, with a rollback in between, and panics if the results differ. Also panics if an invariant
    /// reads an entity that its `via` does not name, or if the frame of a transaction cannot be replayed. This is for tests: it
    /// detects handlers and guards that are not deterministic, and invariants that a change of a neighbour would not trigger.
    /// Each step costs O(size of the graph).
    pub fn paranoid(mut self) -> Self {
        self.paranoid = true;
        self
    }

    /// Makes the interpreter execute the arcs of all events that this store fires, as it does for events that cannot have
    /// compiled arcs. A store that begins at a snapshot of this one does not have the option. This is for tests that compare
    /// the interpreter with compiled arcs.
    #[doc(hidden)]
    pub fn interpreted(mut self) -> Self {
        self.interpreted = true;
        self
    }

    /// Sets how often one immediate event may fire on one entity in one step. Default: 64. A step in which one would fire more
    /// often is rejected as a [`Loop`](crate::StepError::Loop). With 0, no immediate event can fire.
    ///
    /// Raise it where an entity legitimately does many things in one step, as an order does that is matched with a thousand
    /// others. A cycle of immediate events is noticed only after that many firings.
    pub fn firings_max(mut self, firings: u32) -> Self {
        self.limits.firings = firings;
        self
    }

    /// Sets the creation depth that immediate events may reach. Default: 64.
    ///
    /// An entity that an immediate event creates has a creation depth of one more than the entity on which the event fired.
    /// Entities that existed before the step, or that the event of the program created, have a depth of 0. A step that would
    /// create an entity with a greater depth is rejected as a [`Loop`](crate::StepError::Loop). With 0, immediate events cannot
    /// create entities.
    pub fn creation_depth_max(mut self, depth: u32) -> Self {
        self.limits.creation_depth = depth;
        self
    }

    /// Sets how often immediate events may fire in one step on entities that immediate events created in the same step.
    /// Default: 1,000,000. A step with more firings is rejected as a [`Loop`](crate::StepError::Loop).
    ///
    /// This limit ends a step in which each new entity creates several others, which would exhaust the memory long before
    /// [`Options::creation_depth_max`]. Firings on entities that existed before the step are not counted.
    pub fn created_firings_max(mut self, firings: u32) -> Self {
        self.limits.created_firings = firings;
        self
    }

    /// Returns an empty store in memory.
    #[must_use]
    pub fn memory(self) -> Store<M> {
        match self.over(Backend::Writable(CommitLog::in_memory(MemoryLog::new()))) {
            Ok(store) => store,
            Err(e) => unreachable!("a store in memory cannot fail to open: {e}"),
        }
    }

    /// Returns a store over a log that a test has created. No thread makes indexes, so that the changes of its disk, which a test
    /// counts, are those of its caller.
    #[cfg(test)]
    pub(crate) fn over_log(self, log: Box<dyn crate::log::Log>) -> Result<Store<M>, OpenError> {
        self.index_segments(false).over_log_with_thread(log)
    }

    /// As [`Options::over_log`], with the thread that makes indexes.
    #[cfg(test)]
    pub(crate) fn over_log_with_thread(
        self,
        log: Box<dyn crate::log::Log>,
    ) -> Result<Store<M>, OpenError> {
        let log = CommitLog::new(log, self.durability)?;
        self.over(Backend::Writable(log))
    }

    /// Returns an empty store in memory without a log. See [`Store::unlogged`].
    #[must_use]
    pub fn unlogged(self) -> Store<M> {
        match self.over(Backend::Unlogged) {
            Ok(store) => store,
            Err(e) => unreachable!("without a log nothing can fail: {e}"),
        }
    }

    fn over(self, log: Backend) -> Result<Store<M>, OpenError> {
        let paranoid = (self.paranoid, self.code);
        let mut store = Store::over(log, self.limits, self.clock, self.bounds, paranoid)?;
        if self.interpreted {
            store.core.interpret_arcs();
        }
        store.write_checkpoints_by(self.checkpoints);
        if self.index_segments {
            store.index_sealed_segments();
        }
        store.trace_open();
        Ok(store)
    }

    /// Opens the store in a directory, which is created if it does not exist. See [`Store::open`].
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open(self, dir: impl AsRef<Path>) -> Result<Store<M>, OpenError> {
        if M::IS_DYNAMIC {
            let what = "a store without the types of its model cannot be opened for writing; use `open_read_only`, or \
                        open it with its model";
            return Err(StorageError::new(StorageFailure::ReadOnly, what).into());
        }
        let archives = self.archives.as_deref();
        let log = FileLog::open_with(Disk::default(), dir.as_ref(), self.log, archives)?;
        let log = CommitLog::new(Box::new(log), self.durability)?;
        self.over(Backend::Writable(log))
    }

    /// As [`Options::open`], but a torn tail is an error.
    ///
    /// # Errors
    /// As [`Store::open`], and `is_torn` if the log has a torn tail.
    pub fn open_strict(self, dir: impl AsRef<Path>) -> Result<Store<M>, OpenError> {
        self.strict().open(dir)
    }

    /// Opens the store in a directory for reading only. See [`Store::open_read_only`].
    ///
    /// # Errors
    /// As [`Store::open_read_only`].
    pub fn open_read_only(self, dir: impl AsRef<Path>) -> Result<Store<M>, OpenError> {
        let archives = self.archives.as_deref();
        let log = ReadOnlyLog::open_from_checkpoint(dir.as_ref(), archives)?;
        self.over(Backend::ReadOnly(Box::new(log)))
    }
}

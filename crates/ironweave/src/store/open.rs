//! Opening: options, the schema in the log, and replay by facts.

use std::fmt;
use std::marker::PhantomData;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::base::cbor::Pen;
use crate::base::error::OpenError;
use crate::base::position::Seq;
use crate::base::storage_error::{AppendError, StorageError, StorageFailure};
use crate::graph::fact::Facts;
use crate::history::History;
use crate::log::{Durability, FileLog, Frame, FrameHeader, FrameKind, Log, MemoryLog, ReadOnlyLog};
use crate::snapshot::replica::{Slot, Waiting};
use crate::snapshot::{At, State};
use crate::step::clock::Clock;
use crate::step::flat;
use crate::step::immediates::Limits;
use crate::step::model::Model;
use crate::step::plan::Plan;
use crate::store::epochs::{Bounds, decode_schema};
use crate::store::frame;
use crate::store::repeat::Keys;
use crate::store::shadow::Shadow;
use crate::store::{Backend, Epochs, Store};
use crate::subscribe::feed;
use crate::value;

/// How to open a store.
pub struct Options<M: Model> {
    log: crate::log::Options,
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
            .field("limits", &self.limits)
            .field("paranoid", &self.paranoid)
            .field("bounds", &self.bounds)
            .finish()
    }
}

impl<M: Model> Default for Options<M> {
    fn default() -> Self {
        Self {
            log: crate::log::Options::default(),
            limits: Limits::default(),
            paranoid: false,
            bounds: Bounds::default(),
            model: PhantomData,
        }
    }
}

impl<M: Model> Options<M> {
    /// When a step is on disk: before its receipt (the default), soon after, or when the system likes.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.log.durability = durability;
        self
    }

    /// As [`Options::durability`] with [`Durability::Every`].
    #[must_use]
    pub fn sync_every(self, interval: Duration) -> Self {
        self.durability(Durability::Every(interval))
    }

    /// How long a segment of the log grows, in bytes.
    #[must_use]
    pub fn segment_bytes_max(mut self, bytes: u64) -> Self {
        self.log.segment_bytes_max = bytes;
        self
    }

    /// How many bytes a transaction may have in the log, read or written: 2^30 by default, which is more than a frame can
    /// hold. To replay one takes some five times as much memory beside the graph, and to read what fired in it up to 25
    /// times as much.
    #[must_use]
    pub fn transaction_bytes_max(mut self, bytes: usize) -> Self {
        self.bounds.transaction_bytes = bytes;
        self
    }

    /// How many bytes a schema may have in the log: 16 MiB by default.
    #[must_use]
    pub fn schema_bytes_max(mut self, bytes: usize) -> Self {
        self.bounds.schema_bytes = bytes;
        self
    }

    /// How many bytes an open may look at for each of the places behind a torn frame that seem to begin another one; see
    /// [`log::Options::search_bytes_max`](crate::log::Options::search_bytes_max).
    #[must_use]
    pub fn search_bytes_max(mut self, bytes: u64) -> Self {
        self.log.search_bytes_max = bytes;
        self
    }

    /// Refuses a log with a torn tail, instead of cutting it off and keeping it beside.
    #[must_use]
    pub fn strict(mut self) -> Self {
        self.log.strict = true;
        self
    }

    /// Begins a new timeline: for a log that was restored from a backup, when it is first opened for writing. The frames
    /// that are there keep their positions; what is written from now on is told by its timeline from what the log had
    /// there before it was restored, however alike the two are. Durable when the store is open, so that it is needed
    /// once, and does nothing for a new log and for one that is opened to be read.
    ///
    /// A consumer that is ahead of a restored log is told so without it, too: by the end of the log, and by the checksum
    /// of the frame.
    #[must_use]
    pub fn new_timeline(mut self) -> Self {
        self.log.new_timeline = true;
        self
    }

    /// Fires every event twice, with an undo between, and compares; and panics where an invariant reads what is
    /// not in its `via`. For tests: it finds handlers and guards that are not deterministic, and what a changed
    /// neighbour would not set off.
    #[must_use]
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
    #[must_use]
    pub fn creation_depth_max(mut self, depth: u32) -> Self {
        self.limits.creation_depth = depth;
        self
    }

    /// How often immediate events may fire in one step on entities that immediate events created in it: a million times
    /// by default. A step of more is rejected as a [`Loop`](crate::StepError::Loop).
    ///
    /// It ends a step in which each new entity creates several others, which would outgrow all memory long before it
    /// reached [`Options::creation_depth_max`]. Firings on entities that existed before are not counted.
    #[must_use]
    pub fn created_firings_max(mut self, firings: u32) -> Self {
        self.limits.created_firings = firings;
        self
    }

    /// An empty store in memory.
    #[must_use]
    pub fn memory(self) -> Store<M> {
        match self.over(Backend::Writable(Box::new(MemoryLog::new()))) {
            Ok(store) => store,
            Err(e) => unreachable!("a log in memory cannot fail: {e}"),
        }
    }

    /// A store over a log that a test has made.
    #[cfg(test)]
    pub(crate) fn over_log(self, log: Box<dyn crate::log::Log>) -> Result<Store<M>, OpenError> {
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
        let mut store = Store::over(log, self.limits, self.bounds)?;
        if self.paranoid {
            store.distrust();
        }
        Ok(store)
    }

    /// Opens the store in a directory, which is made if it is not there.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open(self, dir: impl AsRef<Path>) -> Result<Store<M>, OpenError> {
        let log = FileLog::open(dir, self.log)?;
        self.over(Backend::Writable(Box::new(log)))
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

pub(super) fn append(
    log: &mut Backend,
    seq: Seq,
    epoch: u32,
    kind: FrameKind,
    fingerprint: u128,
    payload: &[u8],
) -> Result<(), AppendError> {
    match log {
        Backend::Writable(log) => {
            log.append(FrameHeader::new(seq, epoch, kind, fingerprint), payload)
        }
        Backend::Unlogged => Err(AppendError::Refused(super::no_log())),
        Backend::ReadOnly(_) => Err(AppendError::Refused(StorageError::new(
            StorageFailure::ReadOnly,
            "the store was opened to be read only; open it with `Store::open` to take steps",
        ))),
    }
}

/// How many characters are said of what is wrong with a frame.
const WORDS_MAX: usize = 500;

/// A frame whose checksum is right and whose content is not: what wrote it, or what reads it, is wrong.
pub(crate) fn bad_frame(seq: Seq, what: impl std::fmt::Display) -> StorageError {
    // A value that it tells of may be as long as a frame.
    let mut what = what.to_string();
    if let Some((end, _)) = what.char_indices().nth(WORDS_MAX) {
        what.truncate(end);
        what += " ..";
    }
    StorageError::at(
        StorageFailure::Damage,
        seq,
        format!(
            "frame {seq} of the log cannot be applied: {what}. The log was not changed; restore a copy of it"
        ),
    )
}

impl<M: Model> Store<M> {
    /// Folds a log into a graph, and begins one that is empty.
    fn over(log: Backend, limits: Limits, bounds: Bounds) -> Result<Self, OpenError> {
        let binding = M::binding();
        let mut plan = Plan::new(binding.schema, binding.events, binding.invariants);
        plan.limits = limits;
        let plan = Arc::new(plan);
        let types = (&*binding.columns, &*binding.data);
        let mut store = Self {
            core: flat::core(&plan, types, None),
            plan,
            log,
            epochs: Epochs::default(),
            keys: Keys::default(),
            next: 0,
            bounds,
            payload: Pen::default(),
            shadow: None,
            base: None,
            replica: Slot::default(),
            history: History::default(),
            feed: feed::Slot::default(),
            model: PhantomData,
        };
        if matches!(store.log, Backend::Unlogged) {
            store.core.logged = false;
            store.core.open.stop_recording();
            store.core.graph.fingerprinting = false;
            return Ok(store);
        }
        store.catch_up()?;
        let known = store
            .epochs
            .list
            .last()
            .is_some_and(|(_, logged, _)| *logged == store.plan.layout.schema);
        if !known && matches!(store.log, Backend::Writable(_)) {
            store.write_schema()?;
        }
        Ok(store)
    }

    /// A store that begins at a snapshot, over a log that goes on after it.
    pub(crate) fn beginning(base: Arc<State>, log: Box<dyn Log>) -> Self {
        let binding = M::binding();
        let types = (&*binding.columns, &*binding.data);
        let mut core = flat::core(&base.plan, types, Some(&base.graph));
        core.open.clock = Clock::after(base.at.time);
        // It is a frame of another store: what is asked about it is answered as of this one.
        let base = Arc::new(State {
            plan: Arc::clone(&base.plan),
            graph: base.graph.fork(),
            at: At {
                position: base
                    .at
                    .next()
                    .checked_sub(1)
                    .and_then(|seq| log.position_of(seq).ok()?),
                ..base.at
            },
            paranoid: base.paranoid,
            lineage: base.lineage,
        });
        let paranoid = base.paranoid;
        let mut store = Self {
            core,
            plan: Arc::clone(&base.plan),
            log: Backend::Writable(log),
            epochs: Epochs::from_the_beginning(&base.plan.layout.schema),
            keys: Keys::default(),
            next: base.at.next(),
            bounds: Bounds::default(),
            payload: Pen::default(),
            shadow: None,
            base: Some(base),
            replica: Slot::default(),
            history: History::default(),
            feed: feed::Slot::default(),
            model: PhantomData,
        };
        if paranoid {
            store.distrust();
        }
        store
    }

    /// Makes it a [paranoid](Options::paranoid) store.
    fn distrust(&mut self) {
        self.core.paranoid = true;
        if matches!(self.log, Backend::Writable(_)) {
            let binding = M::binding();
            self.shadow = Some(Shadow::new(&self.core, (&binding.columns, &binding.data)));
        }
    }

    /// Takes in what was written to a store that was opened to be read; the last frame seen.
    ///
    /// # Errors
    /// Where what was written is damaged, or of another version of the model;
    /// [`is_replaced`](StorageError::is_replaced) where the log was replaced by another one, such as an older backup of it.
    pub fn refresh(&mut self) -> Result<Option<Seq>, OpenError> {
        if let Backend::ReadOnly(log) = &mut self.log {
            log.refresh()?;
        }
        self.catch_up()?;
        Ok(self.seq())
    }

    /// Applies the frames that the graph has not seen.
    fn catch_up(&mut self) -> Result<(), OpenError> {
        self.core.close();
        self.take_in()
            .map_err(|e| e.map_storage(|e| self.log.place(e)))
    }

    fn take_in(&mut self) -> Result<(), OpenError> {
        let Self {
            core,
            plan,
            log,
            epochs,
            next,
            keys,
            bounds,
            replica,
            feed,
            ..
        } = self;
        let mut waiting = Waiting::default();
        let mut facts = Facts::default();
        let frames = match log {
            Backend::Writable(log) => log.read(*next)?,
            Backend::ReadOnly(log) => log.read(*next)?,
            Backend::Unlogged => return Ok(()),
        };
        for frame in frames {
            let Frame {
                header,
                payload,
                position,
            } = frame?;
            epochs.check(&header)?;
            bounds.check(header.kind, header.seq, payload.len())?;
            match header.kind {
                FrameKind::Schema => {
                    facts.clear();
                    let logged = decode_schema(&payload).map_err(|e| bad_frame(header.seq, e))?;
                    (core.must_be(header.fingerprint)).map_err(|e| bad_frame(header.seq, e))?;
                    epochs.add(header.seq, logged, &plan.layout.schema)?;
                }
                FrameKind::Transaction => {
                    let tags = epochs
                        .at(header.seq)
                        .ok_or_else(|| bad_frame(header.seq, "no schema precedes it"))?;
                    let decoded = frame::decode_facts(&payload, tags, facts)
                        .map_err(|e| bad_frame(header.seq, e))?;
                    let last = core.open.clock.last();
                    if decoded.time < last {
                        let (time, what) =
                            (decoded.time, "before that of the transaction before it");
                        let what = format_args!("its time, {time}, is {what}, {last}");
                        return Err(bad_frame(header.seq, what).into());
                    }
                    let key = decoded.meta.key.as_deref();
                    if let Some(before) = key.and_then(|key| keys.get(key)) {
                        let what = format_args!("its idempotency key is that of frame {before}");
                        return Err(bad_frame(header.seq, what).into());
                    }
                    flat::replay(core, &decoded.facts, header.fingerprint)
                        .map_err(|e| bad_frame(header.seq, e))?;
                    core.open.clock.set(decoded.time);
                    core.open.clock.end(true);
                    if let Some(key) = key {
                        keys.insert(key, header.seq);
                    }
                    facts = decoded.facts;
                }
                FrameKind::Migration => {
                    let seq = header.seq;
                    let what =
                        format!("frame {seq} is a migration, which this version cannot read");
                    return Err(StorageError::at(StorageFailure::Version, seq, what).into());
                }
            }
            *next = header.seq + 1;
            if let Some(replica) = replica.get() {
                let at = At {
                    seq: Some(header.seq),
                    time: core.open.clock.last(),
                    position: Some(position),
                };
                waiting = replica.push(at, Some(header.fingerprint), &facts);
            }
            if let Some((feed, tags)) = feed.get().zip(epochs.at(header.seq)) {
                feed.publish(header, &payload, position, tags);
            }
        }
        if waiting.is_long() {
            self.relieve(waiting);
        }
        Ok(())
    }

    /// Writes today's schema, at creation or where rules (not shapes) have changed.
    fn write_schema(&mut self) -> Result<(), OpenError> {
        let schema = self.plan.layout.schema.clone();
        let mut payload = Vec::new();
        value::encode(&schema, &mut payload)
            .map_err(|e| StorageError::new(StorageFailure::Internal, e.to_string()))?;
        self.bounds
            .check(FrameKind::Schema, self.next, payload.len())?;
        let fingerprint = self.core.graph.fingerprint;
        let epoch = self.epochs.list.len() as u32;
        append(
            &mut self.log,
            self.next,
            epoch,
            FrameKind::Schema,
            fingerprint,
            &payload,
        )
        .map_err(|e| match e {
            AppendError::Refused(e) | AppendError::Indeterminate(e) => e,
            conflict @ AppendError::Conflict { .. } => {
                StorageError::new(StorageFailure::Io, conflict.to_string())
            }
        })?;
        self.epochs.add(self.next, schema.clone(), &schema)?;
        self.next += 1;
        Ok(())
    }
}

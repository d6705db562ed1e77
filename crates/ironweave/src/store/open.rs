//! Opening and closing a store: the schema in the log, and the replay of facts.

use std::marker::PhantomData;
use std::path::Path;
use std::sync::Arc;

use crate::base::clock::Clock;
use crate::base::error::OpenError;
#[cfg(feature = "tracing")]
use crate::base::meter::Meter;
use crate::base::position::Seq;
use crate::base::storage_error::{AppendError, StorageError, StorageFailure};
use crate::base::time::Timestamp;
use crate::graph::fact::Facts;
use crate::log::{Frame, FrameHeader, FrameKind, GroupPart, MemoryLog, ReadLog};
use crate::schema::Schema;
use crate::step::clock::TransactionTime;
use crate::step::immediates::Limits;
use crate::step::migrate::MigrationCode;
use crate::step::model::Model;
use crate::step::plan::Plan;
use crate::step::{Core, epoch, flat};
use crate::store::batch::Unwritten;
use crate::store::checkpoint::policy::CheckpointPolicy;
use crate::store::checkpoint::read::{Loader, Plans};
use crate::store::commit::{Commit, CommitFrame, CommitLog, Followers};
use crate::store::epoch::Replay;
use crate::store::epochs::{Bounds, check_schema, own_plan};
use crate::store::frame::PayloadBuffer;
use crate::store::keys::Keys;
use crate::store::shadow::Shadow;
use crate::store::version::{At, Version};
use crate::store::{Backend, Epochs, Options, SharedStore, Store, bad_frame};

impl<M: Model> Store<M> {
    /// Returns an empty store in memory, for tests and experiments.
    #[must_use]
    pub fn memory() -> Self {
        Self::options().memory()
    }

    /// Returns an empty store in memory without a log, for simulations, searches and other graphs whose history is not needed.
    /// A step takes less than half the instructions of a step of [`Store::memory`], since it is not encoded. The store has no
    /// positions, and returns an error for reading frames, for `verify`, for idempotency keys and for `expect`.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
    /// use ironweave::prelude::*;
    /// use lamps::{Bought, Lamp};
    ///
    /// let mut store = Store::<lamps::Model>::unlogged();
    /// store.try_step(Bought { room: "hall".into() })?;
    /// assert_eq!(store.count::<Lamp, Any>(), 1);
    /// assert!(store.frames(0).is_err());
    /// # Ok::<(), StepError>(())
    /// ```
    #[must_use]
    pub fn unlogged() -> Self {
        Self::options().unlogged()
    }

    /// Returns an empty store in memory that checks handlers, guards and invariants. See [`Options::paranoid`].
    #[must_use]
    pub fn paranoid() -> Self {
        Self::options().paranoid().memory()
    }

    /// Opens the store in a directory, which is created if it does not exist. Every step is durable before its receipt is
    /// returned ([`crate::Durability::Always`]). The facts of the log are replayed, from the newest [checkpoint](Store::checkpoint)
    /// if there is one, and otherwise from the beginning. O(size of the graph + frames since the checkpoint).
    ///
    /// The frames of the log are read and compared with their checksums from the segment of the checkpoint's frame on. Earlier
    /// segments must be there, with the length that they had, and their frames are compared with their checksums when they are
    /// read. [`Store::verify`] reads all frames, and `ironweave log verify` does so without the program. Without a checkpoint that
    /// can be used, the open reads all frames.
    ///
    /// All content that is replayed is validated, even if its checksums are right; see *What is refused* in
    /// `docs/log-format.md`. The error of invalid content has the file, the frame and the offset.
    ///
    /// If the model has changed since the log was written, the differences are compared with the data. If all are taken, the graph is
    /// carried over by name, new fields get their defaults, the immediate events that are enabled fire, and a new epoch begins in the
    /// log, as a whole or not at all. Otherwise the error lists all differences that are not taken, with the data because of which
    /// they are not, and what to write.
    ///
    /// One process writes. If it forks, it must do so before it opens the store. A fork has only the forking thread, and locks of
    /// other threads may never be released in it. A step or sync in a fork returns an error and writes nothing.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
    /// use ironweave::prelude::*;
    /// use lamps::{Lamp, Lit, state::On};
    ///
    /// # let dir = tempfile::tempdir()?;
    /// # let dir = dir.path();
    /// let mut store = Store::<lamps::Model>::open(dir)?;
    /// store.try_step(Lit { lamp: "hall".into() })?;
    /// drop(store);
    ///
    /// let store = Store::<lamps::Model>::open(dir)?;
    /// assert_eq!(store.count::<Lamp, On>(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`OpenError`], if another process has the store open for writing, the log is damaged or of another model, or an
    /// operation on the disk fails.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::options().open(dir)
    }

    /// Opens the store in a directory for reading only. Another process may have it open for writing. Nothing is written or
    /// locked. [`Store::refresh`] reads the transactions that were written since. It reads what [`Store::open`] reads.
    ///
    /// If the last schema of the log is not the model of this program, the graph is carried over to it in memory: after each refresh, in
    /// O(size of the graph). [`Store::unseen`] names what is not shown. It is an error if entities are in states that the model does not
    /// have, or if the graph cannot be one of the model.
    ///
    /// # Errors
    /// [`OpenError`], if the directory has no store, or the log is damaged or of another model.
    pub fn open_read_only(dir: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::options().open_read_only(dir)
    }

    /// Returns the default options for opening a store.
    pub fn options() -> Options<M> {
        Options::default()
    }

    /// Converts the store to a handle that threads can share.
    #[must_use]
    pub fn share(self) -> SharedStore<M> {
        SharedStore::new(self)
    }

    /// Closes the store: syncs the log, records its end and releases the directory. Dropping the store does the same and ignores
    /// failures. A shared store is closed when its last handle is dropped.
    ///
    /// # Errors
    /// `is_io` if the last sync fails, after which transactions that were not durable may be lost; `is_stopped` if the log had
    /// stopped before. The next open recovers in either case.
    pub fn close(self) -> Result<(), StorageError> {
        let Self { log, followers, .. } = self;
        // Subscriptions that wait for a transaction end.
        drop(followers);
        log.close()
    }

    /// Returns a store over a log, which is replayed. An empty log gets the schema as its first frame.
    pub(super) fn over(
        log: Backend,
        limits: Limits,
        clock: Clock,
        bounds: Bounds,
        (paranoid, code): (bool, Option<MigrationCode>),
    ) -> Result<Self, OpenError> {
        let mut store = Self::unread(log, limits, clock, bounds)?;
        if matches!(store.log, Backend::Unlogged) {
            store.core.logged = false;
            store.core.open.stop_recording();
            store.core.graph.fingerprinting = false;
        } else {
            store.open_from_checkpoint();
            store.check_beginning()?;
            store.begin_log(code)?;
        }
        if paranoid {
            store.make_paranoid();
        }
        Ok(store)
    }

    /// Returns a store over a log, of which nothing was read.
    pub(super) fn unread(
        log: Backend,
        limits: Limits,
        clock: Clock,
        bounds: Bounds,
    ) -> Result<Self, OpenError> {
        let plan = Plan::of::<M>(limits, clock)
            .map_err(|e| StorageError::new(StorageFailure::Internal, e))?;
        let plan = Arc::new(plan);
        let mut store = Self {
            bounds,
            keys: Box::new(Keys::new(bounds.keys)),
            ..Self::new(flat::core(&plan, None), plan, log)
        };
        store.core.open.clock = TransactionTime::after(Timestamp::default(), &store.plan.clock);
        Ok(store)
    }

    /// Replays the log, and begins an epoch if the schema of this program is not the last schema of the log, or if that is of an
    /// earlier format version.
    fn begin_log(&mut self, code: Option<MigrationCode>) -> Result<(), OpenError> {
        self.catch_up()?;
        if M::IS_DYNAMIC && !self.log.is_writable() && self.epochs.list.is_empty() {
            let what = "the log has no schema yet, so there is nothing to read; open it when its program has";
            return Err(StorageError::new(StorageFailure::NotFound, what).into());
        }
        if self.log.is_writable() {
            self.core.graph.sort_acyclic_edges();
            self.core.graph.place_links();
            (self.epochs.check_all_known()).map_err(|e| self.log.place(e))?;
            if self.epochs.list.is_empty() {
                self.write_schema()?;
            } else if !self.epochs.continue_with(&self.plan.layout.schema) {
                self.begin_epoch(code)?;
            }
        }
        Ok(())
    }

    /// Starts from the newest valid checkpoint, if there is one. A `Dynamic` store replays the whole log, unless some of it is no
    /// longer in its directory.
    pub(super) fn open_from_checkpoint(&mut self) {
        let left = |log: &dyn ReadLog| log.segments().map_or(Seq::ZERO, |log| log.left());
        let is_used = |log: &&dyn ReadLog| !M::IS_DYNAMIC || left(*log) > Seq::ZERO;
        let Some(log) = self.log.log().filter(is_used) else {
            return;
        };
        let known = Epochs::default();
        let loader = Loader {
            log,
            plans: match M::IS_DYNAMIC {
                true => Plans::Logged {
                    known: &known,
                    like: &self.plan,
                },
                false => Plans::Opening(&self.plan),
            },
            bounds: self.bounds,
        };
        let (loaded, opened_from) = loader.newest();
        self.checkpoints.set_opened_from(opened_from);
        if let Some(loaded) = loaded {
            if M::IS_DYNAMIC {
                self.plan = loaded.plan;
            }
            self.core.graph = loaded.graph;
            self.core.open.clock = TransactionTime::after(loaded.time, &self.plan.clock);
            self.epochs = Arc::new(loaded.epochs);
            *self.keys = loaded.keys;
            self.next = loaded.seq + 1;
            self.checkpoints.set_last_bytes(loaded.bytes);
        }
    }

    /// From now on, writes checkpoints by a policy, if the store is open for writing in a directory.
    pub(super) fn write_checkpoints_by(&mut self, policy: CheckpointPolicy) {
        let last = self.opened_from().checkpoint();
        if let Backend::Writable(log) = &mut self.log {
            let first_after = last.map_or(Seq::ZERO, |last| last + 1);
            let frames = self.next.frames_since(first_after).unwrap_or_default();
            let checkpoints = Arc::clone(&self.checkpoints);
            log.write_checkpoints_by::<M>(policy, (last, frames), checkpoints, self.bounds);
        }
    }

    /// From now on, makes the indexes of segments that are sealed, if the store is open for writing in a directory.
    pub(super) fn index_sealed_segments(&mut self) {
        if let Backend::Writable(log) = &mut self.log {
            log.index_sealed_segments(&self.epochs, &self.plan);
        }
    }

    /// Returns an error if the first frames of the log were dropped and no checkpoint of a later frame is valid.
    pub(super) fn check_beginning(&self) -> Result<(), OpenError> {
        let Some(segments) = self.log.log().and_then(|log| log.segments()) else {
            return Ok(());
        };
        let kept = segments.kept();
        if self.next >= kept {
            return Ok(());
        }
        let mut reasons = String::new();
        for ignored in self.opened_from().ignored() {
            reasons.push_str(&format!("; {ignored}"));
        }
        let what = format!(
            "the frames before {kept} of the log in {} were dropped, so it opens only from a checkpoint of a later frame, and \
             none can be used{reasons}; no file was changed; restore a checkpoint from a backup of this directory",
            segments.directories().0.display()
        );
        Err(StorageError::at(StorageFailure::Dropped, kept, what).into())
    }

    /// Returns a store that begins at a snapshot, with a log that continues after it.
    pub(crate) fn beginning(base: &Arc<Version>, log: MemoryLog) -> Self {
        let mut core = flat::core(&base.plan, Some(&base.graph));
        core.open.clock = TransactionTime::after(base.at.time, &base.plan.clock);
        // The snapshot is of another store. The position of its last frame becomes one of this store.
        let position = base.at.seq.and_then(|seq| log.position_of(seq).ok()?);
        let begin = base.with_graph(
            base.graph.fork(),
            At {
                position,
                ..base.at
            },
        );
        let log = Backend::Writable(CommitLog::in_memory(log));
        let mut store = Self {
            epochs: Arc::new(Epochs::from_the_beginning(&base.plan.layout.schema)),
            next: base.at.next(),
            base: Some(begin),
            ..Self::new(core, Arc::clone(&base.plan), log)
        };
        if base.paranoid {
            store.make_paranoid();
        }
        store
    }

    /// Returns a store with a graph and a log, of which nothing was replayed.
    fn new(core: Core, plan: Arc<Plan>, log: Backend) -> Self {
        Self {
            core,
            plan,
            log,
            epochs: Arc::default(),
            keys: Box::default(),
            next: Seq::ZERO,
            bounds: Bounds::default(),
            payload: PayloadBuffer::default(),
            unwritten: Unwritten::default(),
            shadow: None,
            base: None,
            followers: Followers::default(),
            shared: Arc::default(),
            replayed: None,
            checkpoints: Arc::default(),
            #[cfg(feature = "tracing")]
            meter: Meter::default(),
            model: PhantomData,
        }
    }

    /// Makes the store [paranoid](Options::paranoid).
    fn make_paranoid(&mut self) {
        self.core.paranoid = true;
        self.core.open.fire_indirectly();
        if self.log.is_writable() {
            self.shadow = Some(self.new_shadow());
        }
    }

    /// Returns a shadow of the current graph.
    pub(super) fn new_shadow(&self) -> Box<Shadow> {
        Shadow::new(&self.core, &self.plan)
    }

    /// Applies the transactions that another process has written since the open or the last refresh. Returns the last frame
    /// applied. O(size of the new frames). A store that is open for writing applies nothing, and returns the last frame that
    /// it wrote.
    ///
    /// # Errors
    /// `is_damage` if durable data is missing or altered; `Schema` if a writer with an incompatible model has appended;
    /// [`is_replaced`](StorageError::is_replaced) if another log, such as an older backup, has replaced the one that was read.
    pub fn refresh(&mut self) -> Result<Option<Seq>, OpenError> {
        match &mut self.log {
            Backend::ReadOnly(log) => {
                log.refresh()?;
                self.catch_up()?;
                self.note_refreshed();
            }
            // A frame in the log that is not in the graph is one whose sync failed, and must not be applied.
            Backend::Writable(_) | Backend::Unlogged => self.core.close(),
        }
        Ok(self.seq())
    }

    /// Applies the frames that the graph does not contain yet.
    fn catch_up(&mut self) -> Result<(), OpenError> {
        self.core.close();
        if let Err(e) = self.core.open.check_whole() {
            return Err(StorageError::stopped(&e.to_string()).into());
        }
        let is_followed = self.followers.listen();
        if let Some(own) = self.replayed.as_ref().filter(|_| is_followed) {
            let head = self.log.log().and_then(|log| log.head());
            return match head.is_some_and(|head| head.seq >= own.next) {
                true => Err(self.log.place(continued_otherwise(own.next)).into()),
                false => Ok(()),
            };
        }
        // The graph that is shown until the new frames are applied.
        let mut shown = self.replayed.take().map(|own| self.exchange(*own));
        let applied = (self.apply_frames(&mut shown))
            .map_err(|e| e.map_storage(|e| self.log.place(e)))
            .and_then(|()| self.show_in_program());
        if applied.is_err()
            && let Some(shown) = shown
        {
            let own = self.exchange(shown);
            self.replayed = Some(Box::new(own));
        }
        applied
    }

    /// Applies the frames of the log. If the graph is one of the model and a schema of another shape follows, it is moved to `shown`.
    pub(super) fn apply_frames(&mut self, shown: &mut Option<Replay>) -> Result<(), OpenError> {
        let Self {
            core,
            plan,
            log,
            epochs,
            next,
            keys,
            bounds,
            followers,
            ..
        } = self;
        let mut facts = Facts::default();
        // Whether the graph was carried over, and may lack what later frames of the migration set.
        let mut is_partial = false;
        let Some(log) = log.log() else {
            return Ok(());
        };
        let frames = log.read(*next)?;
        // Then nothing is shown yet.
        let log_is_new = epochs.list.is_empty();
        for frame in frames {
            let Frame {
                header,
                payload,
                position,
                ..
            } = frame?;
            epochs.check(&header)?;
            bounds.check(header.kind, header.seq, payload.len())?;
            match header.kind {
                FrameKind::Schema => {
                    facts.clear();
                    let logged =
                        Schema::from_cbor(&payload).map_err(|e| bad_frame(header.seq, e))?;
                    let place = (header.seq, header.version);
                    let mut begun = Arc::clone(epochs);
                    let plan_after = if M::IS_DYNAMIC {
                        check_schema(header.seq, &logged)?;
                        let own = own_plan(logged, plan);
                        Arc::make_mut(&mut begun).add_logged(place, &own)?;
                        own
                    } else {
                        Arc::make_mut(&mut begun).add(place, logged, plan)?;
                        Arc::clone(plan)
                    };
                    let mut entered = begun.begun(place.0.checked_sub(1), place.0).peekable();
                    if entered.peek().is_none() {
                        (core.must_be(header.fingerprint)).map_err(|e| bad_frame(header.seq, e))?;
                    } else if !M::IS_DYNAMIC && followers.listen() {
                        return Err(continued_otherwise(header.seq).into());
                    }
                    is_partial = entered.peek().is_some();
                    if !M::IS_DYNAMIC
                        && !log_is_new
                        && shown.is_none()
                        && let Some((_, own)) = entered.next()
                    {
                        let carried = epoch::carried(&core.graph, own, Some(header.fingerprint));
                        let at = (header.seq, &own.layout.schema);
                        let carried = carried.map_err(|e| begun.not_entered(log, at, e))?;
                        *shown = Some(Replay {
                            graph: std::mem::replace(&mut core.graph, carried),
                            next: *next,
                            epochs: Arc::clone(epochs),
                            time: core.open.clock.last(),
                        });
                    }
                    for (_, own) in entered {
                        let at = (header.seq, &own.layout.schema);
                        epoch::enter(&mut core.graph, own, Some(header.fingerprint))
                            .map_err(|e| begun.not_entered(log, at, e))?;
                    }
                    (*plan, *epochs) = (plan_after, begun);
                }
                FrameKind::Migration => {
                    let place = (header.seq, header.kind);
                    let decoded = epochs.decode_replayed(place, &payload, facts)?;
                    check_time(header.seq, decoded.time, core.open.clock.last())?;
                    if !M::IS_DYNAMIC && followers.listen() {
                        return Err(continued_otherwise(header.seq).into());
                    }
                    flat::replay_part(core, &decoded.facts, Some(header.fingerprint))
                        .map_err(|e| bad_frame(header.seq, e))?;
                    core.open.clock.set(decoded.time);
                    core.open.clock.end(true);
                    Arc::make_mut(epochs).migrated(header.seq);
                    is_partial = true;
                    facts = decoded.facts;
                }
                FrameKind::Transaction => {
                    let place = (header.seq, header.kind);
                    let decoded = epochs.decode_replayed(place, &payload, facts)?;
                    let last = core.open.clock.last();
                    check_time(header.seq, decoded.time, last)?;
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
                        keys.insert(key, header.seq, decoded.time);
                    }
                    facts = decoded.facts;
                }
            }
            // A log in memory does not say where a migration ends.
            if is_partial && header.group != GroupPart::Inner && log.segments().is_some() {
                (core.graph.must_be_whole()).map_err(|e| bad_frame(header.seq, e))?;
                is_partial = false;
            }
            *next = header.seq + 1;
            if !followers.listen() {
                continue;
            }
            followers.committed(&Commit {
                at: At {
                    seq: Some(header.seq),
                    time: core.open.clock.last(),
                    position: Some(position),
                },
                fingerprint: Some(header.fingerprint),
                facts: &facts,
                frame: Some(CommitFrame {
                    header,
                    payload: &payload,
                    position,
                    epochs,
                }),
                core,
            });
        }
        Ok(())
    }

    /// Writes the schema of this program as a frame of the log.
    fn write_schema(&mut self) -> Result<(), OpenError> {
        let schema = self.plan.layout.schema.clone();
        let payload = schema.to_cbor();
        self.bounds
            .check(FrameKind::Schema, self.next, payload.len())?;
        let fingerprint = self.core.graph.fingerprint;
        let epoch = self.epochs.list.len() as u32;
        let header = FrameHeader::new(self.next, epoch, FrameKind::Schema, fingerprint);
        (self.log.append(header, &payload)).map_err(|e| match e {
            AppendError::Refused(e) | AppendError::Indeterminate(e) => e,
            conflict @ AppendError::Conflict { .. } => {
                StorageError::new(StorageFailure::Io, conflict.to_string())
            }
        })?;
        let place = (self.next, header.version);
        Arc::make_mut(&mut self.epochs).add(place, schema, &self.plan)?;
        self.next += 1;
        Ok(())
    }
}

/// Returns an error if the time of a frame is before that of the one before it.
#[inline]
fn check_time(seq: Seq, time: Timestamp, last: Timestamp) -> Result<(), StorageError> {
    if time >= last {
        return Ok(());
    }
    let what = format_args!("its time, {time}, is before that of the previous transaction, {last}");
    Err(bad_frame(seq, what))
}

/// Returns the error of a store that is open for reading, when a program with another model has continued its log, and snapshots
/// or subscriptions of the store have the model of before.
#[cold]
fn continued_otherwise(seq: Seq) -> StorageError {
    let what = format!(
        "another version of the program has migrated the log with frame {seq}, and this store has snapshots or \
         subscriptions from before; open the store again"
    );
    StorageError::at(StorageFailure::Version, seq, what)
}

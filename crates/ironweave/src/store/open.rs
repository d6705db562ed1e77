//! Opening and closing a store: the schema in the log, and the replay of facts.

use std::marker::PhantomData;
use std::path::Path;
use std::sync::Arc;

use crate::base::clock::Clock;
use crate::base::error::OpenError;
use crate::base::position::Seq;
use crate::base::storage_error::{AppendError, StorageError, StorageFailure};
use crate::base::time::Timestamp;
use crate::graph::fact::Facts;
use crate::log::{Frame, FrameHeader, FrameKind, MemoryLog, ReadLog as _};
use crate::schema::Schema;
use crate::step::clock::TransactionTime;
use crate::step::immediates::Limits;
use crate::step::model::Model;
use crate::step::plan::Plan;
use crate::step::{Core, epoch, flat};
use crate::store::batch::Unwritten;
use crate::store::checkpoint::policy::CheckpointPolicy;
use crate::store::checkpoint::read::Loader;
use crate::store::commit::{Commit, CommitFrame, CommitLog, Followers};
use crate::store::epochs::{Bounds, check_schema};
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
        paranoid: bool,
    ) -> Result<Self, OpenError> {
        let mut binding = M::binding();
        binding.add_encodings();
        let mut plan = Plan::new(binding);
        plan.check_compiled()
            .map_err(|e| StorageError::new(StorageFailure::Internal, e))?;
        plan.limits = limits;
        plan.clock = clock;
        let plan = Arc::new(plan);
        let mut store = Self {
            bounds,
            keys: Box::new(Keys::new(bounds.keys)),
            ..Self::new(flat::core(&plan, None), plan, log)
        };
        store.core.open.clock = TransactionTime::after(Timestamp::default(), &store.plan.clock);
        if matches!(store.log, Backend::Unlogged) {
            store.core.logged = false;
            store.core.open.stop_recording();
            store.core.graph.fingerprinting = false;
        } else {
            store.open_from_checkpoint();
            store.begin_log()?;
        }
        if paranoid {
            store.make_paranoid();
        }
        Ok(store)
    }

    /// Replays the log, and writes the schema of this program if it is not the last schema of the log, or if that is of an
    /// earlier format version.
    fn begin_log(&mut self) -> Result<(), OpenError> {
        self.catch_up()?;
        if M::IS_DYNAMIC && !self.log.is_writable() && self.epochs.list.is_empty() {
            let what = "the log has no schema yet, so there is nothing to read; open it when its program has";
            return Err(StorageError::new(StorageFailure::NotFound, what).into());
        }
        if self.log.is_writable() {
            self.core.graph.sort_acyclic_edges();
            (self.epochs.check_all_known()).map_err(|e| self.log.place(e))?;
            if !self.epochs.continue_with(&self.plan.layout.schema) {
                self.write_schema()?;
            }
        }
        Ok(())
    }

    /// Starts from the newest valid checkpoint, if there is one. A `Dynamic` store needs a plan for each epoch, so it replays the
    /// whole log.
    fn open_from_checkpoint(&mut self) {
        let Some(log) = self.log.log().filter(|_| !M::IS_DYNAMIC) else {
            return;
        };
        let loader = Loader {
            log,
            plan: &self.plan,
            bounds: self.bounds,
        };
        let (loaded, opened_from) = loader.newest();
        self.checkpoints.set_opened_from(opened_from);
        if let Some(loaded) = loaded {
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
            checkpoints: Arc::default(),
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
        self.apply_frames()
            .map_err(|e| e.map_storage(|e| self.log.place(e)))
    }

    fn apply_frames(&mut self) -> Result<(), OpenError> {
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
        let Some(log) = log.log() else {
            return Ok(());
        };
        let frames = log.read(*next)?;
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
                    let logged =
                        Schema::from_cbor(&payload).map_err(|e| bad_frame(header.seq, e))?;
                    let place = (header.seq, header.version);
                    if M::IS_DYNAMIC {
                        check_schema(header.seq, &logged)?;
                        let next = Arc::new(Plan {
                            limits: plan.limits,
                            clock: plan.clock.clone(),
                            ..Plan::of_log(logged)
                        });
                        epoch::enter(&mut core.graph, &next, Some(header.fingerprint))
                            .map_err(|e| bad_frame(header.seq, e))?;
                        *plan = next;
                        Arc::make_mut(epochs).add_logged(place, plan)?;
                    } else {
                        (core.must_be(header.fingerprint)).map_err(|e| bad_frame(header.seq, e))?;
                        Arc::make_mut(epochs).add(place, logged, &plan.layout.schema)?;
                    }
                }
                FrameKind::Transaction => {
                    let decoded = epochs.decode_facts(header.seq, &payload, facts)?;
                    let last = core.open.clock.last();
                    if decoded.time < last {
                        let time = decoded.time;
                        let what = format_args!(
                            "its time, {time}, is before that of the previous transaction, {last}"
                        );
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
                        keys.insert(key, header.seq, decoded.time);
                    }
                    facts = decoded.facts;
                }
                FrameKind::Migration => {
                    let seq = header.seq;
                    let what = format!(
                        "frame {seq} is a migration, which this version of ironweave cannot read; no file was changed; open the store \
                         with a newer version"
                    );
                    return Err(StorageError::at(StorageFailure::Version, seq, what).into());
                }
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
        Arc::make_mut(&mut self.epochs).add(place, schema.clone(), &schema)?;
        self.next += 1;
        Ok(())
    }
}

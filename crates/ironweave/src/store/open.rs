//! Opening and closing: the schema in the log, and replay by facts.

use std::marker::PhantomData;
use std::path::Path;
use std::sync::Arc;

use crate::base::cbor::CborWriter;
use crate::base::error::OpenError;
use crate::base::position::Seq;
use crate::base::storage_error::{AppendError, StorageError, StorageFailure};
use crate::graph::fact::Facts;
use crate::log::{Frame, FrameHeader, FrameKind, MemoryLog, ReadLog as _};
use crate::schema::Schema;
use crate::step::clock::Clock;
use crate::step::flat;
use crate::step::immediates::Limits;
use crate::step::model::Model;
use crate::step::plan::Plan;
use crate::store::commit::{Commit, CommitFrame, CommitLog, Followers};
use crate::store::epochs::Bounds;
use crate::store::frame;
use crate::store::repeat::Keys;
use crate::store::shadow::Shadow;
use crate::store::version::{At, Version};
use crate::store::{Backend, Epochs, Options, SharedStore, Store, bad_frame};

impl<M: Model> Store<M> {
    /// An empty store in memory: for tests, and to try things out.
    #[must_use]
    pub fn memory() -> Self {
        // The memory log has nothing that could fail.
        Self::options().memory()
    }

    /// An empty store in memory that keeps no log: for simulations, searches and other graphs of which only the present
    /// matters. A step costs a third of one of [`Store::memory`]. Nothing can be read back: no frames, no `verify`, no
    /// idempotency keys and no `expect`.
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

    /// An empty store in memory that distrusts handlers, guards and invariants; see [`Options::paranoid`].
    #[must_use]
    pub fn paranoid() -> Self {
        Self::options().paranoid().memory()
    }

    /// Opens the store in a directory, which is made if it is not there; every step is on disk before its
    /// receipt ([`crate::Durability::Always`]).
    ///
    /// What the log says is checked while it is replayed, and nothing in it is believed because its checksums fit: see
    /// `docs/log-format.md`, *What is refused*. Refused, the error has the file, the frame and the offset.
    ///
    /// One process writes. Fork it before the store is opened, not after: a fork has no threads but one, and the locks of
    /// the others may be held in it for ever. If it steps or syncs all the same, it gets an error and writes nothing.
    ///
    /// # Errors
    /// Where it is locked by another process, damaged, of another model, or the disk refuses.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::options().open(dir)
    }

    /// Opens the store in a directory to read it, beside its writer or without one. Nothing is written and
    /// nothing locked. [`Store::refresh`] takes in what was written since.
    ///
    /// # Errors
    /// Where there is none, or it is damaged or of another model.
    pub fn open_read_only(dir: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::options().open_read_only(dir)
    }

    /// How to open one.
    #[must_use]
    pub fn options() -> Options<M> {
        Options::default()
    }

    /// Puts the store into a handle that threads share.
    #[must_use]
    pub fn share(self) -> SharedStore<M> {
        SharedStore::new(self)
    }

    /// Closes the store: syncs, records the end of the log and releases the directory. A drop does the same and ignores
    /// failures. A store that is shared closes when its last handle is dropped.
    ///
    /// # Errors
    /// `is_io` if the last sync fails, so that transactions that were not durable yet may be lost;
    /// `is_stopped` if the log had stopped before. The next open recovers in either case.
    pub fn close(self) -> Result<(), StorageError> {
        let Self { log, followers, .. } = self;
        // Those who wait for a transaction learn that none will come.
        drop(followers);
        log.close()
    }

    /// Folds a log into a graph, and begins a log that is empty.
    pub(super) fn over(
        log: Backend,
        limits: Limits,
        bounds: Bounds,
        paranoid: bool,
    ) -> Result<Self, OpenError> {
        let mut binding = M::binding();
        binding.add_encodings();
        let mut plan = Plan::new(binding.schema, binding.events, binding.invariants);
        plan.limits = limits;
        let plan = Arc::new(plan);
        let types = (&*binding.columns, &*binding.data);
        let mut store = Self {
            core: flat::core(&plan, types, None),
            plan,
            log,
            epochs: Arc::default(),
            keys: Keys::default(),
            next: Seq::ZERO,
            bounds,
            payload: CborWriter::default(),
            shadow: None,
            base: None,
            followers: Followers::default(),
            model: PhantomData,
        };
        if matches!(store.log, Backend::Unlogged) {
            store.core.logged = false;
            store.core.open.stop_recording();
            store.core.graph.fingerprinting = false;
        } else {
            store.begin_log()?;
        }
        if paranoid {
            store.distrust();
        }
        Ok(store)
    }

    /// Replays the log, and writes today's schema if the log does not end with it.
    fn begin_log(&mut self) -> Result<(), OpenError> {
        self.catch_up()?;
        let known = (self.epochs.list.last())
            .is_some_and(|(_, logged, _)| logged.is_same(&self.plan.layout.schema));
        if self.log.is_writable() {
            self.epochs.check_all_known()?;
            if !known {
                self.write_schema()?;
            }
        }
        Ok(())
    }

    /// A store that begins at a snapshot, over a log that goes on after it.
    pub(crate) fn beginning(base: &Arc<Version>, log: MemoryLog) -> Self {
        let binding = M::binding();
        let types = (&*binding.columns, &*binding.data);
        let mut core = flat::core(&base.plan, types, Some(&base.graph));
        core.open.clock = Clock::after(base.at.time);
        // The snapshot is of another store: questions about its last frame are answered as of this one.
        let base = Arc::new(Version {
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
            log: Backend::Writable(CommitLog::in_memory(log)),
            epochs: Arc::new(Epochs::from_the_beginning(&base.plan.layout.schema)),
            keys: Keys::default(),
            next: base.at.next(),
            bounds: Bounds::default(),
            payload: CborWriter::default(),
            shadow: None,
            base: Some(base),
            followers: Followers::default(),
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
        if self.log.is_writable() {
            let binding = M::binding();
            self.shadow = Some(Shadow::new(&self.core, (&binding.columns, &binding.data)));
        }
    }

    /// Applies what was written since to a store that is open for reading. Returns the last frame applied. Of a store that
    /// writes its log itself, that is the last one that it wrote.
    ///
    /// # Errors
    /// `is_damage`, or `Schema` if the model has another version; [`is_replaced`](StorageError::is_replaced) if another log,
    /// such as an older backup, has replaced the one that was read.
    pub fn refresh(&mut self) -> Result<Option<Seq>, OpenError> {
        match &mut self.log {
            Backend::ReadOnly(log) => {
                log.refresh()?;
                self.catch_up()?;
            }
            // What its log has beyond the graph is a frame whose sync failed, which is not to be applied.
            Backend::Writable(_) | Backend::Unlogged => self.core.close(),
        }
        Ok(self.seq())
    }

    /// Applies the frames that the graph has not seen.
    fn catch_up(&mut self) -> Result<(), OpenError> {
        self.core.close();
        if let Err(e) = self.core.open.check_whole() {
            return Err(StorageError::stopped(&e.to_string()).into());
        }
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
                    (core.must_be(header.fingerprint)).map_err(|e| bad_frame(header.seq, e))?;
                    Arc::make_mut(epochs).add(header.seq, logged, &plan.layout.schema)?;
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
                frame: epochs.at(header.seq).map(|tags| CommitFrame {
                    header,
                    payload: &payload,
                    position,
                    tags,
                }),
                core,
                copy: &|| {
                    let binding = M::binding();
                    flat::paged(core, (&binding.columns, &binding.data))
                },
            });
        }
        Ok(())
    }

    /// Writes today's schema: into a new log, or if the rules (not the shapes) have changed.
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
        Arc::make_mut(&mut self.epochs).add(self.next, schema.clone(), &schema)?;
        self.next += 1;
        Ok(())
    }
}

//! The methods of [`Store`], [`SharedStore`] and [`StoreReader`] that read the past.

use std::sync::{Arc, Mutex, PoisonError};

use crate::base::error::{EntityRef, Name, ReadError};
use crate::base::id::Id;
use crate::base::position::Seq;
use crate::base::storage_error::{StorageError, StorageFailure};
use crate::db::Db;
use crate::db::entity::{Entity, Keyed};
use crate::db::named::{entity_named, keys_named};
use crate::graph::GraphRef;
use crate::graph::any::{Either, either};
use crate::graph::key::{KeyQuery, parts, text};
use crate::graph::layout::Layout;
use crate::history::as_of::{PastQuery, first_graph};
use crate::history::indexed_log::{HistoryIndex, IndexedLog};
use crate::history::{AsOf, HistoryEntry, Retention, entries};
use crate::schema::EntityIx;
use crate::snapshot::keyframes::Keyframes;
use crate::snapshot::replica::{Replica, SnapshotFollower};
use crate::snapshot::{Snapshot, StoreReader};
use crate::step::dynamic::Dynamic;
use crate::step::model::Model;
use crate::store::commit::{Commit, Follower};
use crate::store::record::Record;
use crate::store::view::LogView;
use crate::store::{SharedStore, Store};

/// The index of a store's log, which all views of the store share.
#[derive(Default)]
struct HistoryFollower {
    index: Mutex<HistoryIndex>,
}

/// Queries read the log, so commits need not be followed.
impl Follower for HistoryFollower {
    fn listens(&self) -> bool {
        false
    }

    fn committed(&mut self, _: &Commit<'_>) {}
}

impl<M: Model> Store<M> {
    /// Returns what archives or drops the first segments of the log. The store may be used while they are archived or dropped.
    ///
    /// # Errors
    /// `is_not_found` if the store is in memory.
    pub fn retention(&self) -> Result<Retention, StorageError> {
        let segments = self.log.log().and_then(|log| log.segments());
        let segments = segments.ok_or_else(|| {
            let what = "a store in memory has no segments; open a store in a directory";
            StorageError::new(StorageFailure::NotFound, what)
        })?;
        let (dir, archives) = segments.directories();
        let retention = Retention::of(dir);
        Ok(match archives {
            Some(archives) => retention.archives(archives),
            None => retention,
        })
    }

    /// Returns all facts about an entity in order, each with its event and its transaction. The entity may be deleted.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
    /// use ironweave::prelude::*;
    /// use lamps::{Bought, Lit};
    ///
    /// let mut store = Store::<lamps::Model>::memory();
    /// let hall = store.step(Bought { room: "hall".into() }).created.lamp;
    /// store.step(Lit { lamp: "hall".into() });
    /// let history = store.history(hall)?;
    /// let events: Vec<&str> = history.iter().map(|entry| entry.event()).collect();
    /// assert_eq!(events, ["Bought", "Bought", "Lit"]);
    /// assert_eq!(history[2].fact().to_string(), "move Lamp/0.1 Off -> On");
    /// # Ok::<(), ironweave::ReadError>(())
    /// ```
    ///
    /// O(transactions about the entity + segments * log(frames of a segment)): the transactions are found by an index of each
    /// segment. Indexes of complete segments are files beside them, which the store that has completed a segment makes on a thread
    /// ([`Options::index_segments`](crate::Options::index_segments)). A missing or damaged index is made by the call that needs it, which
    /// reads the whole segment, and is never an error. A store that is open for reading makes it in memory. The first call in a process
    /// also indexes the last segment, in memory, and each later call adds the frames since. The index of a store in memory takes
    /// 16 to 32 bytes for each entity and each link that a transaction changes. The transactions that histories have read last stay in
    /// memory, up to 16 MiB of them.
    ///
    /// # Errors
    /// `is_unlogged` if the store has no log; a failure to read the log.
    pub fn history<T: Entity<Model = M>>(
        &self,
        entity: T,
    ) -> Result<Vec<HistoryEntry<M>>, ReadError> {
        history(|| self.view(), &[(T::INDEX, entity.id())])
    }

    /// Returns all facts about the links between two entities, over all edges, in order. It uses the indexes of
    /// [`history`](Store::history), and takes O(transactions about these links + segments * log(frames of a segment)).
    ///
    /// # Errors
    /// `is_unlogged` if the store has no log; a failure to read the log.
    pub fn history_between<A: Entity<Model = M>, B: Entity<Model = M>>(
        &self,
        a: A,
        b: B,
    ) -> Result<Vec<HistoryEntry<M>>, ReadError> {
        history(|| self.view(), &[(A::INDEX, a.id()), (B::INDEX, b.id())])
    }

    /// Returns the entity that has a key and all that were created with it, in order of creation, each with its
    /// [`history`](Store::history). It uses the same indexes, and takes the time of these histories together.
    ///
    /// Keys change only by migrations. An entity whose key was changed is found by the key that it has and by the one that it was
    /// created with, and not by those that it had in between.
    ///
    /// # Errors
    /// `is_unlogged` if the store has no log; a failure to read the log.
    #[allow(clippy::type_complexity)] // a list of pairs, which a name of its own would hide
    pub fn history_of_key<T: Keyed<Model = M>>(
        &self,
        key: &(impl KeyQuery<T::Key> + ?Sized),
    ) -> Result<Vec<(T, Vec<HistoryEntry<M>>)>, ReadError> {
        let holder = holder_in(self.graph());
        history_of_key(|| self.view(), holder, key)
    }

    /// As [`Store::history`], of an entity that is named by its type and id, as in a
    /// [`GraphView`](crate::dynamic::GraphView).
    ///
    /// # Errors
    /// As [`Store::history`], and [`ReadError::Name`].
    pub fn history_by_name(&self, entity: &EntityRef) -> Result<Vec<HistoryEntry<M>>, ReadError> {
        history_by_name(|| self.view(), entity)
    }

    /// As [`Store::history_of_key`], by the name of the entity type and the key as a text; see
    /// [`EntityType::find`](crate::dynamic::EntityType::find).
    ///
    /// # Errors
    /// As [`Store::history_of_key`], and [`ReadError::Name`].
    #[allow(clippy::type_complexity)] // a list of pairs, which a name of its own would hide
    pub fn history_of_key_by_name(
        &self,
        entity_type: &str,
        key: &str,
    ) -> Result<Vec<(EntityRef, Vec<HistoryEntry<M>>)>, ReadError> {
        let holder = holder_in(self.graph());
        history_of_key_by_name(|| self.view(), holder, (entity_type, key))
    }

    /// Returns the graph after a frame of the log, or at a time in the past, as a [`Snapshot`].
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
    /// use ironweave::prelude::*;
    /// use lamps::{Lamp, Lit, state::On};
    ///
    /// let mut store = Store::<lamps::Model>::memory();
    /// let first = store.step(Lit { lamp: "hall".into() }).seq;
    /// store.step(Lit { lamp: "kitchen".into() });
    ///
    /// let then = store.as_of(first)?;
    /// assert!(then.find::<Lamp>("kitchen").is_none());
    /// # Ok::<(), ironweave::ReadError>(())
    /// ```
    ///
    /// O(facts since the last keyframe before that point). Keyframes are versions of the graph in memory. From the first call
    /// on, calls of this method and of [`snapshot`](Store::snapshot) keep them: up to 128 of the last frames if snapshots are
    /// taken, and up to 16 further ones, at distances that grow with their age. If a [checkpoint](Store::checkpoint) is at
    /// least 4,096 frames nearer to the point than a keyframe, it is read instead, in O(size of the graph). Without either,
    /// the log is read from its beginning, one frame at a time.
    ///
    /// # Errors
    /// - `is_ahead` for a frame after the end of the log, and for a time that is later than both the clock and the last
    ///   transaction.
    /// - `is_other_history` as for [`Store::locate`].
    /// - `is_before_beginning` for a point before the snapshot that the store began at.
    /// - `is_unlogged` if the store has no log.
    /// - `OtherShape` for a frame of an earlier epoch whose schema has other entities, fields or edges, and for one within a
    ///   migration; see [`as_of_by_name`](Store::as_of_by_name) and [`upgrade`](Snapshot::upgrade).
    /// - A failure to read the log.
    pub fn as_of(&self, when: impl Into<AsOf>) -> Result<Snapshot<M>, ReadError> {
        let when = when.into();
        let slot: &SnapshotFollower = self.followers.get();
        if let AsOf::Seq(seq) = when
            && self.seq() >= Some(seq)
            && let Some(version) = slot.keyframes().recent(seq)
        {
            return Ok(Snapshot::of(version));
        }
        let replica = slot.get().map(|replica| &**replica);
        as_of(&self.view()?, slot.keyframes(), replica, when)
    }

    /// As [`Store::as_of`], for any epoch of the log: the graph has the schema of then, and is read by its names; see
    /// [`Db::by_name`](crate::Db::by_name). [`upgrade`](Snapshot::upgrade) gives the typed snapshot if that needs no code. Same
    /// cost.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
    /// use ironweave::prelude::*;
    /// use lamps::Lit;
    ///
    /// let mut store = Store::<lamps::Model>::memory();
    /// let first = store.step(Lit { lamp: "hall".into() }).seq;
    ///
    /// let then = store.as_of_by_name(first)?;
    /// let lamps = then.by_name().entity_type("Lamp")?;
    /// assert_eq!(lamps.count(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Store::as_of`], but never `OtherShape`.
    pub fn as_of_by_name(&self, when: impl Into<AsOf>) -> Result<Snapshot<Dynamic>, ReadError> {
        let slot: &SnapshotFollower = self.followers.get();
        let replica = slot.get().map(|replica| &**replica);
        as_of(&self.view()?, slot.keyframes(), replica, when.into())
    }
}

impl<M: Model> SharedStore<M> {
    /// As [`Store::retention`].
    ///
    /// # Errors
    /// As [`Store::retention`].
    pub fn retention(&self) -> Result<Retention, StorageError> {
        self.exclusive(|store| store.retention())
    }

    /// As [`Store::history`], without blocking writers.
    ///
    /// # Errors
    /// As [`Store::history`] and [`SharedStore::read`].
    pub fn history<T: Entity<Model = M>>(
        &self,
        entity: T,
    ) -> Result<Vec<HistoryEntry<M>>, ReadError> {
        history(|| self.view(), &[(T::INDEX, entity.id())])
    }

    /// As [`Store::history_between`], without blocking writers.
    ///
    /// # Errors
    /// As [`Store::history`] and [`SharedStore::read`].
    pub fn history_between<A: Entity<Model = M>, B: Entity<Model = M>>(
        &self,
        a: A,
        b: B,
    ) -> Result<Vec<HistoryEntry<M>>, ReadError> {
        history(|| self.view(), &[(A::INDEX, a.id()), (B::INDEX, b.id())])
    }

    /// As [`Store::history_of_key`], without blocking writers.
    ///
    /// # Errors
    /// As [`Store::history`] and [`SharedStore::read`].
    #[allow(clippy::type_complexity)] // a list of pairs, which a name of its own would hide
    pub fn history_of_key<T: Keyed<Model = M>>(
        &self,
        key: &(impl KeyQuery<T::Key> + ?Sized),
    ) -> Result<Vec<(T, Vec<HistoryEntry<M>>)>, ReadError> {
        history_of_key(|| self.view(), holder_of_shared(self), key)
    }

    /// As [`Store::history_by_name`], without blocking writers.
    ///
    /// # Errors
    /// As [`Store::history_by_name`] and [`SharedStore::read`].
    pub fn history_by_name(&self, entity: &EntityRef) -> Result<Vec<HistoryEntry<M>>, ReadError> {
        history_by_name(|| self.view(), entity)
    }

    /// As [`Store::history_of_key_by_name`], without blocking writers.
    ///
    /// # Errors
    /// As [`Store::history_of_key_by_name`] and [`SharedStore::read`].
    #[allow(clippy::type_complexity)] // a list of pairs, which a name of its own would hide
    pub fn history_of_key_by_name(
        &self,
        entity_type: &str,
        key: &str,
    ) -> Result<Vec<(EntityRef, Vec<HistoryEntry<M>>)>, ReadError> {
        history_of_key_by_name(|| self.view(), holder_of_shared(self), (entity_type, key))
    }

    /// As [`Store::as_of`], without blocking writers.
    ///
    /// # Errors
    /// As [`Store::as_of`] and [`SharedStore::read`].
    pub fn as_of(&self, when: impl Into<AsOf>) -> Result<Snapshot<M>, ReadError> {
        let (keyframes, replica) = self.exclusive(|store| {
            let slot: &SnapshotFollower = store.followers.get();
            (Arc::clone(slot.keyframes()), slot.get().map(Arc::clone))
        });
        as_of(&self.view()?, &keyframes, replica.as_deref(), when.into())
    }

    /// As [`Store::as_of_by_name`], without blocking writers.
    ///
    /// # Errors
    /// As [`Store::as_of_by_name`] and [`SharedStore::read`].
    pub fn as_of_by_name(&self, when: impl Into<AsOf>) -> Result<Snapshot<Dynamic>, ReadError> {
        let (keyframes, replica) = self.exclusive(|store| {
            let slot: &SnapshotFollower = store.followers.get();
            (Arc::clone(slot.keyframes()), slot.get().map(Arc::clone))
        });
        as_of(&self.view()?, &keyframes, replica.as_deref(), when.into())
    }
}

impl<M: Model> StoreReader<M> {
    /// As [`Store::history`], without the store.
    ///
    /// # Errors
    /// As [`Store::history`].
    pub fn history<T: Entity<Model = M>>(
        &self,
        entity: T,
    ) -> Result<Vec<HistoryEntry<M>>, ReadError> {
        history(|| self.view(), &[(T::INDEX, entity.id())])
    }

    /// As [`Store::history_between`], without the store.
    ///
    /// # Errors
    /// As [`Store::history`].
    pub fn history_between<A: Entity<Model = M>, B: Entity<Model = M>>(
        &self,
        a: A,
        b: B,
    ) -> Result<Vec<HistoryEntry<M>>, ReadError> {
        history(|| self.view(), &[(A::INDEX, a.id()), (B::INDEX, b.id())])
    }

    /// As [`Store::history_of_key`], without the store.
    ///
    /// # Errors
    /// As [`Store::history`].
    #[allow(clippy::type_complexity)] // a list of pairs, which a name of its own would hide
    pub fn history_of_key<T: Keyed<Model = M>>(
        &self,
        key: &(impl KeyQuery<T::Key> + ?Sized),
    ) -> Result<Vec<(T, Vec<HistoryEntry<M>>)>, ReadError> {
        history_of_key(|| self.view(), holder_of_reader(self), key)
    }

    /// As [`Store::history_by_name`], without the store.
    ///
    /// # Errors
    /// As [`Store::history_by_name`].
    pub fn history_by_name(&self, entity: &EntityRef) -> Result<Vec<HistoryEntry<M>>, ReadError> {
        history_by_name(|| self.view(), entity)
    }

    /// Returns the last transactions about an entity that is named by its type and id, at most `most` of them, and only those before a
    /// frame if one is given. The latest comes first. A long history is read in pages: the next page is before the last record of this
    /// one.
    ///
    /// O(records returned + segments * log(frames of a segment)) reads of the log, and the places of all transactions about the
    /// entity, 8 bytes each, are read from the [indexes](Store::history).
    ///
    /// # Errors
    /// As [`Store::history_by_name`].
    pub fn last_about_by_name(
        &self,
        entity: &EntityRef,
        before: Option<Seq>,
        most: usize,
    ) -> Result<Vec<Record<M>>, ReadError> {
        let named = |layout: &Layout| Ok(entity_named(&layout.schema, &entity.entity)?);
        let found = query(
            || self.view(),
            named,
            |log, index| log.last_about((*index, entity.id), before, most),
        )?;
        Ok(found.into_iter().map(Record::new).collect())
    }

    /// As [`Store::history_of_key_by_name`], without the store.
    ///
    /// # Errors
    /// As [`Store::history_of_key_by_name`].
    #[allow(clippy::type_complexity)] // a list of pairs, which a name of its own would hide
    pub fn history_of_key_by_name(
        &self,
        entity_type: &str,
        key: &str,
    ) -> Result<Vec<(EntityRef, Vec<HistoryEntry<M>>)>, ReadError> {
        history_of_key_by_name(|| self.view(), holder_of_reader(self), (entity_type, key))
    }

    /// As [`Store::as_of`], without the store. It shares the keyframes of the store.
    ///
    /// # Errors
    /// As [`Store::as_of`].
    pub fn as_of(&self, when: impl Into<AsOf>) -> Result<Snapshot<M>, ReadError> {
        let replica = self.replica();
        as_of(
            &self.view()?,
            replica.keyframes(),
            Some(replica),
            when.into(),
        )
    }

    /// As [`Store::as_of_by_name`], without the store. It shares the keyframes of the store.
    ///
    /// # Errors
    /// As [`Store::as_of_by_name`].
    pub fn as_of_by_name(&self, when: impl Into<AsOf>) -> Result<Snapshot<Dynamic>, ReadError> {
        let replica = self.replica();
        as_of(
            &self.view()?,
            replica.keyframes(),
            Some(replica),
            when.into(),
        )
    }

    /// Returns the first frame after which [`as_of`](StoreReader::as_of) can build the graph: 0, or the frame of the snapshot that the store
    /// began at, or, if the first frames of the log were [dropped](crate::Retention::drop_frames), that of the oldest checkpoint. Returns `None`
    /// if there is none. O(1), or O(size of the graph) if frames were dropped.
    ///
    /// # Errors
    /// As [`Store::frames`].
    pub fn first_graph(&self) -> Result<Option<Seq>, ReadError> {
        Ok(first_graph(&self.view()?))
    }
}

fn as_of<M: Model>(
    view: &LogView<'_>,
    keyframes: &Keyframes,
    replica: Option<&Replica>,
    when: AsOf,
) -> Result<Snapshot<M>, ReadError> {
    let question = PastQuery {
        view,
        keyframes,
        replica,
    };
    let version = question.as_of(when)?;
    let seq = version.at.seq;
    let is_partial = seq.is_some_and(|seq| view.epochs.before_migration_of(seq).is_some());
    let then = Snapshot::<Dynamic>::of(version).partial_if(is_partial);
    then.typed().ok_or_else(|| ReadError::OtherShape {
        seq: seq.unwrap_or_default(),
    })
}

/// Returns the facts about an entity, or about the links between two.
fn history<'a, M: Model>(
    view: impl Fn() -> Result<LogView<'a>, ReadError>,
    entities: &[(EntityIx, Id)],
) -> Result<Vec<HistoryEntry<M>>, ReadError> {
    query(view, |_| Ok(()), |log, ()| log.history(entities)).map(entries)
}

/// Looks up the entity that has a key in the newest graph. `None` if that has another schema than the view of the log.
fn held_in(
    graph: GraphRef<'_>,
    layout: &Layout,
    (entity, key): (EntityIx, &[&[u8]]),
) -> Option<Id> {
    either!(graph, graph => {
        std::ptr::eq(&*graph.layout, layout).then(|| graph.with_key(entity, key))?
    })
}

fn holder_in(graph: GraphRef<'_>) -> impl Fn(&Layout, (EntityIx, &[&[u8]])) -> Option<Id> {
    move |layout, asked| held_in(graph, layout, asked)
}

fn holder_of_shared<M: Model>(
    store: &SharedStore<M>,
) -> impl Fn(&Layout, (EntityIx, &[&[u8]])) -> Option<Id> {
    move |layout, asked| store.exclusive(|store| held_in(store.graph(), layout, asked))
}

fn holder_of_reader<M: Model>(
    reader: &StoreReader<M>,
) -> impl Fn(&Layout, (EntityIx, &[&[u8]])) -> Option<Id> {
    move |layout, asked| {
        let newest = reader.replica().newest_acknowledged();
        held_in(Either::Paged(&newest.graph), layout, asked)
    }
}

#[allow(clippy::type_complexity)]
fn history_of_key<'a, T: Keyed<Model = M>, M: Model>(
    view: impl Fn() -> Result<LogView<'a>, ReadError>,
    holder: impl Fn(&Layout, (EntityIx, &[&[u8]])) -> Option<Id>,
    key: &(impl KeyQuery<T::Key> + ?Sized),
) -> Result<Vec<(T, Vec<HistoryEntry<M>>)>, ReadError> {
    let key = key.bytes();
    let key = match T::KEY.len() {
        1 => vec![&*key],
        _ => parts(&key),
    };
    let held = |layout: &Layout| Ok(holder(layout, (T::INDEX, &key)));
    let found = query(view, held, |log, held| {
        with_key(log, *held, (T::INDEX, &key))
    })?;
    let of_type = |(id, entries)| (T::from_id(id), entries);
    Ok(found.into_iter().map(of_type).collect())
}

/// The ids of the entities that have or had a key, each with its history.
type Histories<M> = Vec<(Id, Vec<HistoryEntry<M>>)>;

/// Returns the entity that has a key, which is given as the encodings of its parts, and those that were created with it. `held` is
/// the first of these.
fn with_key<M: Model>(
    log: &mut IndexedLog<'_>,
    held: Option<Id>,
    (entity, key): (EntityIx, &[&[u8]]),
) -> Result<Histories<M>, StorageError> {
    let created = log.entities_with_key(entity, key)?.into_iter();
    let mut found = created
        .map(|id| Ok((id, entries(log.history(&[(entity, id)])?))))
        .collect::<Result<Histories<M>, StorageError>>()?;
    if let Some(id) = held.filter(|id| !found.iter().any(|(other, _)| other == id)) {
        // A migration has given it the key.
        let history = entries(log.history(&[(entity, id)])?);
        let first = |history: &[HistoryEntry<M>]| history.first().map(HistoryEntry::seq);
        // It has no history if it is of a frame that may not be shown yet.
        if let Some(created) = first(&history) {
            let at = found.partition_point(|(_, other)| first(other) <= Some(created));
            found.insert(at, (id, history));
        }
    }
    Ok(found)
}

fn history_by_name<'a, M: Model>(
    view: impl Fn() -> Result<LogView<'a>, ReadError>,
    entity: &EntityRef,
) -> Result<Vec<HistoryEntry<M>>, ReadError> {
    let named = |layout: &Layout| Ok(entity_named(&layout.schema, &entity.entity)?);
    query(view, named, |log, index| {
        Ok(entries(log.history(&[(*index, entity.id)])?))
    })
}

#[allow(clippy::type_complexity)]
fn history_of_key_by_name<'a, M: Model>(
    view: impl Fn() -> Result<LogView<'a>, ReadError>,
    holder: impl Fn(&Layout, (EntityIx, &[&[u8]])) -> Option<Id>,
    (entity_type, key): (&str, &str),
) -> Result<Vec<(EntityRef, Vec<HistoryEntry<M>>)>, ReadError> {
    let named = |layout: &Layout| {
        let index = entity_named(&layout.schema, entity_type)?;
        let keys = keys_named(&layout.schema, index, key)?.into_iter();
        let held = |key: Vec<Vec<u8>>| {
            let parts: Vec<&[u8]> = key.iter().map(Vec::as_slice).collect();
            let held = holder(layout, (index, &parts));
            (key, held)
        };
        let keys: Vec<_> = keys.map(held).collect();
        Ok((
            index,
            Name::clone(&layout.entities[usize::from(index)].name),
            keys,
        ))
    };
    query(view, named, |log, (index, name, keys)| {
        for (key, held) in keys {
            let key: Vec<&[u8]> = key.iter().map(Vec::as_slice).collect();
            let found = with_key(log, *held, (*index, &key))?;
            if found.is_empty() {
                continue;
            }
            let shown: Name = text(key.iter().copied()).into();
            let named = |(id, entries)| {
                let entity = EntityRef {
                    entity: Name::clone(name),
                    id,
                    key: Some(Name::clone(&shown)),
                };
                (entity, entries)
            };
            return Ok(found.into_iter().map(named).collect());
        }
        Ok(Vec::new())
    })
}

/// Queries the log of a store by its index. `question` is resolved by the names of the same view that is then queried, since a
/// view of a later epoch may have other indexes. It is resolved before the index is locked, since it may lock the store, whose other
/// callers may lock the index.
fn query<'a, Q, R>(
    view: impl Fn() -> Result<LogView<'a>, ReadError>,
    question: impl Fn(&Layout) -> Result<Q, ReadError>,
    answer: impl Fn(&mut IndexedLog<'_>, &Q) -> Result<R, StorageError>,
) -> Result<R, ReadError> {
    loop {
        let view = view()?;
        let question = question(&view.plan.layout)?;
        // Another thread with a later view may have added frames to the index that this view does not have.
        if let Some(result) = query_view(&view, |log| answer(log, &question))? {
            return Ok(result);
        }
    }
}

/// Updates the index of the log and queries it. Returns `None` if the index is ahead of the view.
fn query_view<R>(
    view: &LogView<'_>,
    query_log: impl Fn(&mut IndexedLog<'_>) -> Result<R, StorageError>,
) -> Result<Option<R>, StorageError> {
    let history: &HistoryFollower = view.shared.get();
    // The index is changed one frame at a time and records how far it is, so that a panic leaves it usable.
    let mut index = history.index.lock().unwrap_or_else(PoisonError::into_inner);
    if index.next() > view.next() {
        return Ok(None);
    }
    let mut query_once = |rebuild: bool| {
        let mut log = IndexedLog::open(view, &mut index)?;
        if rebuild {
            log.rebuild_indexes()?;
        }
        query_log(&mut log)
    };
    let result = match query_once(false) {
        // Either an index is wrong or a frame is damaged. Rebuilding the indexes from the segments distinguishes the two.
        Err(e) if e.is_damage() => query_once(true),
        result => result,
    };
    result.map(Some).map_err(|e| view.place(e))
}

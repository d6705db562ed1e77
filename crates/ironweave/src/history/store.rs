//! The past of a store: what this layer adds to [`Store`], [`SharedStore`] and [`StoreReader`].

use std::sync::{Arc, Mutex, PoisonError};

use crate::base::error::ReadError;
use crate::base::storage_error::StorageError;
use crate::db::entity::{Entity, Keyed};
use crate::graph::key::{KeyQuery, parts};
use crate::history::archive::{Archive, Index};
use crate::history::as_of::Past as Question;
use crate::history::{AsOf, HistoryEntry, entries};
use crate::snapshot::keyframes::Keyframes;
use crate::snapshot::replica::{Replica, Slot};
use crate::snapshot::{Snapshot, StoreReader};
use crate::step::model::Model;
use crate::store::commit::{Commit, Follower};
use crate::store::view::LogView;
use crate::store::{SharedStore, Store};

/// The index of a store's archive, which all views of the store share.
#[derive(Default)]
struct History {
    index: Mutex<Index>,
}

/// It looks at the log when it is asked.
impl Follower for History {
    fn listens(&self) -> bool {
        false
    }

    fn committed(&mut self, _: &Commit<'_>) {}
}

impl<M: Model> Store<M> {
    /// All that ever happened to an entity, whether it still exists or not: each fact with its event and its
    /// transaction.
    ///
    /// Reads the transactions about this entity, each from where it lies, and of each segment of the log O(log of its
    /// frames) from an index beside it: O(own transactions + segments * log). The first call ever makes these indexes,
    /// which reads the log once (a store that is open for reading, which writes nothing, makes in memory those that are
    /// missing); the first call of a program files the segment that is not complete, in memory, and later ones what came
    /// since. A missing or damaged index is made again and is never an error. Of a store in memory, the index is in
    /// memory: 8 bytes or more for each entity and each link that a transaction touches.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub fn history<T: Entity<Model = M>>(
        &self,
        entity: T,
    ) -> Result<Vec<HistoryEntry<M>>, ReadError> {
        ask(
            || self.view(),
            |archive| archive.history(&[(T::INDEX, entity.id())]),
        )
        .map(entries)
    }

    /// All that ever happened to the links between two entities, over whatever edges; as [`history`](Store::history), in
    /// O(transactions about these links + segments * log).
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub fn history_between<A: Entity<Model = M>, B: Entity<Model = M>>(
        &self,
        a: A,
        b: B,
    ) -> Result<Vec<HistoryEntry<M>>, ReadError> {
        ask(
            || self.view(),
            |archive| archive.history(&[(A::INDEX, a.id()), (B::INDEX, b.id())]),
        )
        .map(entries)
    }

    /// All entities that ever had a key, in order of their creation, each with its [`history`](Store::history), and at the
    /// same cost: what finds who had a key is in the same indexes.
    ///
    /// # Errors
    /// Where the log cannot be read.
    #[allow(clippy::type_complexity)] // a list of pairs, which a name of its own would hide
    pub fn history_of_key<T: Keyed<Model = M>>(
        &self,
        key: &(impl KeyQuery<T::Key> + ?Sized),
    ) -> Result<Vec<(T, Vec<HistoryEntry<M>>)>, ReadError> {
        let key = key.bytes();
        ask(|| self.view(), |archive| history_of_key(archive, &key))
    }

    /// The graph as it was after a frame of the log, or at a time that is not yet to come. It is a snapshot
    /// like any other: [`with`](Snapshot::with) works on it.
    ///
    /// ```
    /// # #[ironweave::model]
    /// # pub mod lamps {
    /// #     use ironweave::prelude::*;
    /// #     /// A lamp.
    /// #     #[entity]
    /// #     pub struct Lamp {
    /// #         /// Where it stands.
    /// #         #[key]
    /// #         pub room: String,
    /// #     }
    /// #     /// Whether it burns.
    /// #     #[states(Lamp)]
    /// #     pub enum LampState {
    /// #         /// It does not.
    /// #         #[initial]
    /// #         #[to(On)]
    /// #         Off,
    /// #         /// It does.
    /// #         #[to(Off)]
    /// #         On,
    /// #     }
    /// #     /// Somebody presses the switch.
    /// #     #[event]
    /// #     #[moves(lamp: Off -> On)]
    /// #     pub struct Lit {
    /// #         /// Which one.
    /// #         pub lamp: Ensure<Lamp>,
    /// #     }
    /// # }
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
    /// O(frames since a keyframe before). Keyframes are values in memory, made on the way of these calls, and of snapshots
    /// from the first call on: of a store of which snapshots are taken, one for each of the last hundred frames, where a
    /// look is all that it takes; at most a few hundred frames apart before those, and further apart further back,
    /// sixteen in all. Where there is none, it reads the log from its beginning, frame by frame, and holds no more of it
    /// than one.
    ///
    /// # Errors
    /// Where the log cannot be read; `is_ahead` past the end of the log, and for a time that is later than the clock's and
    /// than the last transaction; `is_other_history` as of [`Store::locate`]; `is_before_beginning` where the store began
    /// at a snapshot and that is before it.
    pub fn as_of(&self, when: impl Into<AsOf>) -> Result<Snapshot<M>, ReadError> {
        let slot: &Slot = self.followers.get();
        let replica = slot.get().map(|replica| &**replica);
        as_of(&self.view()?, slot.keyframes(), replica, when.into())
    }
}

impl<M: Model> SharedStore<M> {
    /// As [`Store::history`], without blocking writers.
    ///
    /// # Errors
    /// As [`Store::history`] and [`SharedStore::read`].
    pub fn history<T: Entity<Model = M>>(
        &self,
        entity: T,
    ) -> Result<Vec<HistoryEntry<M>>, ReadError> {
        ask(
            || self.view(),
            |archive| archive.history(&[(T::INDEX, entity.id())]),
        )
        .map(entries)
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
        ask(
            || self.view(),
            |archive| archive.history(&[(A::INDEX, a.id()), (B::INDEX, b.id())]),
        )
        .map(entries)
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
        let key = key.bytes();
        ask(|| self.view(), |archive| history_of_key(archive, &key))
    }

    /// As [`Store::as_of`], without blocking writers.
    ///
    /// # Errors
    /// As [`Store::as_of`] and [`SharedStore::read`].
    pub fn as_of(&self, when: impl Into<AsOf>) -> Result<Snapshot<M>, ReadError> {
        let (keyframes, replica) = self.exclusive(|store| {
            let slot: &Slot = store.followers.get();
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
        ask(
            || self.view(),
            |archive| archive.history(&[(T::INDEX, entity.id())]),
        )
        .map(entries)
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
        ask(
            || self.view(),
            |archive| archive.history(&[(A::INDEX, a.id()), (B::INDEX, b.id())]),
        )
        .map(entries)
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
        let key = key.bytes();
        ask(|| self.view(), |archive| history_of_key(archive, &key))
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
}

fn as_of<M: Model>(
    view: &LogView<'_>,
    keyframes: &Keyframes,
    replica: Option<&Replica>,
    when: AsOf,
) -> Result<Snapshot<M>, ReadError> {
    let binding = M::binding();
    let question = Question {
        view,
        keyframes,
        replica,
        types: (&binding.columns, &binding.data),
    };
    question.as_of(when).map(Snapshot::of)
}

#[allow(clippy::type_complexity)]
fn history_of_key<T: Keyed<Model = M>, M: Model>(
    archive: &mut Archive<'_>,
    key: &[u8],
) -> Result<Vec<(T, Vec<HistoryEntry<M>>)>, StorageError> {
    let key = match T::KEY.len() {
        1 => vec![key],
        _ => parts(key),
    };
    let had = archive.had_key(T::INDEX, &key)?.into_iter();
    had.map(|id| Ok((T::from_id(id), entries(archive.history(&[(T::INDEX, id)])?))))
        .collect()
}

/// Asks the archive of a store.
fn ask<'a, R>(
    view: impl Fn() -> Result<LogView<'a>, ReadError>,
    question: impl Fn(&mut Archive<'_>) -> Result<R, StorageError>,
) -> Result<R, ReadError> {
    loop {
        // Another thread with a later view may have brought the index further than this view.
        if let Some(answer) = ask_view(&view()?, &question)? {
            return Ok(answer);
        }
    }
}

/// Asks an archive, once its index is up to date; `None` if the index is ahead of the view.
fn ask_view<R>(
    view: &LogView<'_>,
    question: impl Fn(&mut Archive<'_>) -> Result<R, StorageError>,
) -> Result<Option<R>, StorageError> {
    let history: &History = view.shared.get();
    // The index is changed one frame at a time and records how far it is, so that a panic leaves it usable.
    let mut index = history.index.lock().unwrap_or_else(PoisonError::into_inner);
    if index.next() > view.next() {
        return Ok(None);
    }
    let mut ask_once = |anew: bool| {
        let mut archive = Archive::open(view, &mut index)?;
        if anew {
            archive.make_indexes_anew()?;
        }
        question(&mut archive)
    };
    let answer = match ask_once(false) {
        // An index has led to a place without such a frame, or the frame is damaged: the segment itself decides.
        Err(e) if e.is_damage() => ask_once(true),
        answer => answer,
    };
    answer.map(Some).map_err(|e| view.place(e))
}

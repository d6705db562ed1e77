//! The past: the graph as of then, what happened since, and what became of an entity.
//!
//! All of it comes from the log. [`keyframes`] in memory keep near values near; an [`archive`] knows which transactions
//! are about whom: of each sealed segment from an index beside it, of what is not sealed from one in memory.

mod archive;
mod as_of;
mod index;
mod keyframes;
mod report;
mod walk;

use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, Mutex};

pub use as_of::When;
pub(crate) use keyframes::{Keyframes, RECENT, SPACING};
pub(crate) use report::Logged;
pub use report::{Report, Reports};

use crate::base::error::{Name, ReadError};
use crate::base::meta::Meta;
use crate::base::position::FrameRef;
use crate::base::position::Seq;
use crate::base::storage_error::StorageError;
use crate::base::time::Timestamp;
use crate::db::entity::{Entity, Keyed};
use crate::graph::fact::Fact;
use crate::graph::key::{KeyQuery, parts};
use crate::history::archive::{Archive, Context, Index};
use crate::step::model::Model;
use crate::store::Store;

/// What a store remembers of the past, beside its log.
#[derive(Default)]
pub(crate) struct History {
    pub keyframes: Arc<Keyframes>,
    index: Mutex<Index>,
}

/// One fact of the past, with why it is one.
#[derive(Clone, Debug)]
pub struct Past {
    /// Its transaction.
    pub seq: Seq,
    /// When that was.
    pub time: Timestamp,
    /// What else that said of itself.
    pub meta: Arc<Meta>,
    /// The event that it came of.
    pub event: Name,
    /// The fact; its numbers are indexes of the schema. What a `Set` or `SetLink` says of bytes means nothing here.
    pub fact: Fact,
    /// The value that it speaks of, in CBOR.
    pub value: Option<Vec<u8>>,
    /// All of it in words.
    pub words: String,
}

impl fmt::Display for Past {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            seq,
            time,
            event,
            words,
            ..
        } = self;
        write!(f, "{seq} ({time}) {event}: {words}")
    }
}

impl<M: Model> Store<M> {
    /// The transactions of the log whose sequences are in a range, one after the other. As that of a slice, the range ends
    /// where the log does, at the latest.
    ///
    /// # Errors
    /// Where the log cannot be read; `is_ahead` where the range begins or ends past the end of the log, `InvalidRange`
    /// where it ends before it begins, `is_before_beginning` before the snapshot that the store began at.
    pub fn tx_range(
        &self,
        range: impl std::ops::RangeBounds<Seq>,
    ) -> Result<Reports<'_, M>, ReadError> {
        let range = (range.start_bound().cloned(), range.end_bound().cloned());
        self.admit_range(range)?;
        Reports::new(self, range)
    }

    /// The transactions after a frame.
    ///
    /// # Errors
    /// Where the log cannot be read; `is_ahead`, `is_other_history` and `is_before_beginning` as of [`Store::locate`].
    pub fn since(&self, frame: impl Into<FrameRef>) -> Result<Reports<'_, M>, ReadError> {
        let seq = self.admit(frame.into())?;
        Reports::new(self, (Bound::Excluded(seq), Bound::Unbounded))
    }

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
    pub fn history<T: Entity<Model = M>>(&self, entity: T) -> Result<Vec<Past>, ReadError> {
        self.archive(|archive| archive.history(&[(T::INDEX, entity.id())]))
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
    ) -> Result<Vec<Past>, ReadError> {
        self.archive(|archive| archive.history(&[(A::INDEX, a.id()), (B::INDEX, b.id())]))
    }

    /// All entities that ever had a key, in order of their creation, each with its [`history`](Store::history), and at the
    /// same cost: what finds who had a key is in the same indexes.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub fn history_of_key<T: Keyed<Model = M>>(
        &self,
        key: &(impl KeyQuery<T::Key> + ?Sized),
    ) -> Result<Vec<(T, Vec<Past>)>, ReadError> {
        let key = key.bytes();
        let key = match T::KEY.len() {
            1 => vec![&*key],
            _ => parts(&key),
        };
        self.archive(|archive| {
            let had = archive.had_key(T::INDEX, &key)?.into_iter();
            had.map(|id| Ok((T::from_id(id), archive.history(&[(T::INDEX, id)])?)))
                .collect()
        })
    }

    /// Asks the archive, once it is up to date.
    fn archive<R>(
        &self,
        ask: impl Fn(&mut Archive<'_>) -> Result<R, StorageError>,
    ) -> Result<R, ReadError> {
        self.id()?;
        // It is changed one frame at a time, and says how far it is.
        let index = self.history.index.lock();
        let mut index = index.unwrap_or_else(std::sync::PoisonError::into_inner);
        let context = Context {
            epochs: &self.epochs,
            plan: &self.plan,
            base: self.base.as_ref().map(|base| &base.graph),
            next: self.at().next(),
        };
        let mut ask_once = |anew: bool| {
            let mut archive = Archive::open(&self.log, context, &mut index)?;
            if anew {
                archive.make_indexes_anew()?;
            }
            ask(&mut archive)
        };
        let answer = match ask_once(false) {
            // An index has led to where no such frame is, or there is one no longer: it is the segment that tells.
            Err(e) if e.is_damage() => ask_once(true),
            answer => answer,
        };
        answer.map_err(|e| self.log.place(e).into())
    }
}

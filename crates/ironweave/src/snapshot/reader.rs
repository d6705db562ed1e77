//! The handle with which other threads read and follow a store that one thread writes.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use crate::base::error::ReadError;
use crate::base::notifier::Wait;
use crate::base::position::{FrameRef, Position, Seq};
use crate::base::seq::SeqRange;
use crate::snapshot::Snapshot;
use crate::snapshot::replica::{Replica, SnapshotFollower};
use crate::step::model::Model;
use crate::store::feed::Feed;
use crate::store::view::LogView;
use crate::store::{Records, Store, Verified, VerifyError, records, verify};

/// A handle that reads and follows a store from any thread while the thread that owns the store steps it, returned by
/// [`Store::reader`] and [`SharedStore::reader`](crate::SharedStore::reader).
///
/// | what | how |
/// |---|---|
/// | the graph as it is now | [`snapshot`](StoreReader::snapshot), [`wait_until`](StoreReader::wait_until) |
/// | the graph as it was | [`as_of`](StoreReader::as_of) |
/// | the transactions of the log | [`since`](StoreReader::since), [`tx_range`](StoreReader::tx_range), [`frames`](StoreReader::frames) |
/// | all that happened to an entity | [`history`](StoreReader::history), [`history_between`](StoreReader::history_between), [`history_of_key`](StoreReader::history_of_key) |
/// | transactions as they commit | [`subscribe`](StoreReader::subscribe), [`subscribe_since`](StoreReader::subscribe_since), [`subscribe_after`](StoreReader::subscribe_after), [`subscribe_as`](StoreReader::subscribe_as) |
///
/// A reader returns only transactions that are durable in the sense of the store's [`Durability`](crate::Durability), up to
/// [`seq`](StoreReader::seq). It does not wait for a sync, except for that of the transactions that the store had when it copied
/// its graph for the reader.
///
/// After the store was dropped or closed, the reader still reads the transactions that were committed before. A log in
/// memory exists as long as its readers, and a log on disk is read from its directory. If another log has replaced the log
/// in that directory, the calls that read it fail with `is_replaced` or `is_other_history`.
///
/// A reader costs the writer time and memory. The first snapshot or reader of a store copies its graph, in the thread that asks
/// for it, and each commit queues its facts for that copy. Usually [`snapshot`](StoreReader::snapshot) applies them, in the
/// thread that calls it. If no snapshot is taken and about 65,000 facts (or 4 MiB of values) are queued, a commit starts a
/// thread that applies half of them. If the store commits faster than this thread applies, and 130,000 facts are queued, each
/// commit applies queued facts itself, at most twice as many as it has, until there are 65,000 again. Such a commit takes
/// several times as long, but no commit takes time for the graph or for earlier commits, and the queue does not grow. Drop a
/// reader that you no longer use.
///
/// Commits wait for a reader in one case only: if four times as many facts are queued because threads take snapshots all the time
/// and more slowly than the store commits. Then a commit waits until such a thread has applied a few hundred facts. The
/// first reader of a store in memory copies up to 1 MiB of its log.
///
/// ```
/// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
/// use std::thread;
///
/// use ironweave::prelude::*;
/// use lamps::{Bought, Lamp, Model};
///
/// let mut store = Store::<Model>::memory();
/// let bought = store.step(Bought { room: "hall".into() });
/// let reader = store.reader();
/// let answers = thread::spawn(move || {
///     let then = reader.as_of(bought.seq)?;
///     let now = reader.snapshot();
///     Ok::<_, ReadError>((then.count::<Lamp, Any>(), now.count::<Lamp, Any>() >= 1))
/// });
/// store.step(Bought { room: "attic".into() });
/// assert_eq!(answers.join().expect("no panic")?, (1, true));
/// # Ok::<(), ReadError>(())
/// ```
pub struct StoreReader<M: Model> {
    replica: Arc<Replica>,
    /// `None` if the store has no log.
    feed: Option<Arc<Feed>>,
    model: PhantomData<fn() -> M>,
}

impl<M: Model> fmt::Debug for StoreReader<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreReader")
            .field("model", &M::NAME)
            .field("seq", &self.seq())
            .finish_non_exhaustive()
    }
}

impl<M: Model> Clone for StoreReader<M> {
    fn clone(&self) -> Self {
        Self {
            replica: Arc::clone(&self.replica),
            feed: self.feed.clone(),
            model: PhantomData,
        }
    }
}

impl<M: Model> StoreReader<M> {
    pub(super) fn new(store: &Store<M>) -> Self {
        Self {
            replica: Arc::clone(SnapshotFollower::of(store)),
            feed: Feed::of(store).ok().map(Arc::clone),
            model: PhantomData,
        }
    }

    /// Returns a snapshot of the graph after the last durable transaction. O(facts since the last snapshot that was taken).
    /// After the store was dropped, it is the snapshot after its last transaction.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot<M> {
        Snapshot::of(self.replica.newest_acknowledged())
    }

    /// Waits until a frame is durable, and returns the snapshot of the graph at that time, which contains the frame. Returns
    /// `None` after `timeout`, or if the store is dropped or its log stops before. [`Duration::MAX`] waits without a limit.
    #[must_use]
    pub fn wait_until(&self, seq: impl Into<Seq>, timeout: Duration) -> Option<Snapshot<M>> {
        let (seq, wait) = (seq.into(), Wait::within(timeout));
        let found = match &self.feed {
            Some(feed) => feed.wait_until(seq, wait),
            None => self.replica.wait_until(seq, wait),
        };
        found.then(|| self.snapshot())
    }

    /// Returns the last durable frame, in the sense of the store's [`Durability`](crate::Durability), up to which this reader
    /// reads. Returns `None` if the log has no frame. O(1).
    #[must_use]
    pub fn seq(&self) -> Option<Seq> {
        match &self.feed {
            Some(feed) => feed.seq(),
            None => self.replica.seq(),
        }
    }

    /// Returns the position of the [last durable frame](StoreReader::seq), or `None` if the store has no log.
    ///
    /// # Errors
    /// A failure to read the log.
    pub fn position(&self) -> Result<Option<Position>, ReadError> {
        if self.feed.is_none() {
            return Ok(None);
        }
        let view = self.view()?;
        view.last.map(|seq| view.locate(seq.into())).transpose()
    }

    /// As [`Store::locate`], without the store.
    ///
    /// # Errors
    /// As [`Store::locate`].
    pub fn locate(&self, frame: impl Into<FrameRef>) -> Result<Position, ReadError> {
        self.view()?.locate(frame.into())
    }

    /// As [`Store::frames`], without the store. Transactions that are committed after the call are not returned.
    ///
    /// # Errors
    /// As [`Store::frames`].
    pub fn frames(&self, from: impl Into<Seq>) -> Result<Records<'static, M>, ReadError> {
        records::frames(self.view()?, from.into())
    }

    /// As [`Store::tx_range`], without the store. Transactions that are committed after the call are not returned.
    ///
    /// # Errors
    /// As [`Store::tx_range`].
    pub fn tx_range(&self, range: impl SeqRange) -> Result<Records<'static, M>, ReadError> {
        records::tx_range(self.view()?, range)
    }

    /// As [`Store::since`], without the store. Transactions that are committed after the call are not returned.
    ///
    /// # Errors
    /// As [`Store::since`].
    pub fn since(&self, frame: impl Into<FrameRef>) -> Result<Records<'static, M>, ReadError> {
        records::since(self.view()?, frame.into())
    }

    /// As [`Store::verify`], without the store.
    ///
    /// # Errors
    /// As [`Store::verify`].
    pub fn verify(&self) -> Result<u64, VerifyError> {
        verify::verify_view::<M>(self.view()).map(|found| found.agreed)
    }

    /// As [`Store::verify_all`], without the store.
    ///
    /// # Errors
    /// As [`Store::verify`].
    pub fn verify_all(&self) -> Result<Verified, VerifyError> {
        verify::verify_view::<M>(self.view())
    }

    /// Returns a view of the log up to the last frame that may be shown.
    pub(crate) fn view(&self) -> Result<LogView<'static>, ReadError> {
        self.feed()?.view()
    }

    pub(crate) fn feed(&self) -> Result<&Arc<Feed>, ReadError> {
        self.feed.as_ref().ok_or(ReadError::Unlogged)
    }

    pub(crate) fn replica(&self) -> &Replica {
        &self.replica
    }
}

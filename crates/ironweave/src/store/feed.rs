//! The feed: publishes the commits of a store to subscriptions and readers on other threads, which do not access the
//! store itself.
//!
//! 1. The first subscription or [`StoreReader`](crate::StoreReader) creates the feed. A store without handles of these
//!    kinds has no feed, and its commits do no work for one.
//! 2. From then on, each commit publishes the position of its frame to the feed and wakes the waiting subscriptions.
//!    While there is a subscription, the feed keeps copies of the most recent frames.
//! 3. A subscription that needs an older frame reads the log through its own reader, up to the last frame that was
//!    published. A [`LogView`] of the feed does the same.
//! 4. Async tasks that wait for a frame are woken by one thread of the feed (`wakers.rs`).
//! 5. The first commit after the last handle was dropped drops the feed.

mod reader;
#[cfg(feature = "async")]
mod wakers;

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::base::error::ReadError;
#[cfg(feature = "tracing")]
use crate::base::meter::Meter;
use crate::base::notifier::{Notifier, Wait};
use crate::base::position::{FrameRef, Position, Seq};
use crate::base::storage_error::StorageError;
use crate::base::time::Timestamp;
#[cfg(feature = "async")]
use crate::base::workers::Workers;
use crate::log::cursor::Cursors;
use crate::log::{Flush, Frame, LogReader};
use crate::step::model::Model;
use crate::step::plan::Plan;
use crate::store::backend::place;
use crate::store::commit::{Acknowledged, Commit, CommitFrame, Follower};
use crate::store::epochs::Epochs;
use crate::store::view::LogView;
use crate::store::{Store, lost_frame};

pub(crate) use reader::FeedReader;
#[cfg(feature = "async")]
pub(crate) use {reader::Kept, wakers::StreamWaker};

/// The maximal number of frames that a feed keeps.
const FRAMES_MAX: usize = 1_024;
/// The maximal number of bytes in the payloads of these frames.
const BYTES_MAX: usize = 4 << 20;

pub(crate) struct Feed {
    /// The log at the time when the feed was created.
    begin: LogView<'static>,
    /// The reader of `begin`.
    log: Arc<LogReader>,
    read_only: bool,
    published: Mutex<Published>,
    /// The reader of the log that the last view used. This lock is taken before that of `published`.
    reader: Mutex<Option<Arc<LogReader>>>,
    /// Notifies waiting threads that a frame was published or that the store was dropped.
    notifier: Notifier,
    /// The last frame that may be shown to threads other than the writer.
    acknowledged: Acknowledged,
    /// Makes the log durable, whatever the durability of the store; `None` for a log in memory.
    flusher: Option<Arc<dyn Flush>>,
    memory_cursors: Arc<MemoryCursors>,
    #[cfg(feature = "tracing")]
    meter: Meter,
    /// Reads the log for async tasks that are far behind.
    #[cfg(feature = "async")]
    log_readers: Arc<Workers>,
}

/// What the commits of the store have published to the feed.
struct Published {
    /// Copies of the most recent frames, without a gap up to `next`.
    frames: VecDeque<Arc<Frame>>,
    bytes: usize,
    /// The sequence of the next frame.
    next: Seq,
    /// The position of the last frame.
    newest: Option<Position>,
    /// The time of the last transaction.
    time: Timestamp,
    epochs: Arc<Epochs>,
    /// The number of subscriptions.
    subscriptions: usize,
    closed: bool,
    /// The async tasks that wait for a frame.
    #[cfg(feature = "async")]
    waiting: wakers::Waiting,
}

/// The sequence that each named subscription of a store in memory has acknowledged.
#[derive(Default)]
pub(crate) struct MemoryCursors(Mutex<HashMap<String, Seq>>);

// A poisoned lock can be used: no code of the user runs while one of these locks is held.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Published {
    fn first(&self) -> Seq {
        (self.frames.front()).map_or(self.next, |frame| frame.header.seq)
    }

    fn get(&self, seq: Seq) -> Option<&Arc<Frame>> {
        let at = seq.frames_since(self.first())?;
        self.frames.get(usize::try_from(at).ok()?)
    }

    fn last(&self) -> Option<Seq> {
        self.next.checked_sub(1)
    }

    /// Keeps a copy of a frame for the subscriptions.
    fn keep(&mut self, frame: &CommitFrame<'_>) {
        self.bytes += frame.payload.len();
        self.frames.push_back(Arc::new(Frame {
            header: frame.header,
            payload: frame.payload.to_vec(),
            position: frame.position,
            location: None,
        }));
        while self.frames.len() > FRAMES_MAX || self.bytes > BYTES_MAX {
            let Some(first) = self.frames.pop_front() else {
                break;
            };
            self.bytes -= first.payload.len();
        }
    }
}

impl Feed {
    /// Publishes a committed frame and wakes the threads that wait for it.
    fn publish(&self, frame: &CommitFrame<'_>, time: Timestamp) {
        let mut state = lock(&self.published);
        if !Arc::ptr_eq(&state.epochs, frame.epochs) {
            state.epochs = Arc::clone(frame.epochs);
        }
        if state.subscriptions > 0 {
            state.keep(frame);
        } else {
            state.frames.clear();
            state.bytes = 0;
        }
        state.next = frame.header.seq + 1;
        state.newest = Some(frame.position);
        state.time = time;
        self.notifier.notify(&state);
    }

    /// Returns a view of the log up to the last frame that may be shown. It does not access the store, which may have
    /// been dropped.
    ///
    /// # Errors
    /// If the log can no longer be read.
    pub(crate) fn view(&self) -> Result<LogView<'static>, ReadError> {
        let mut cached = lock(&self.reader);
        let (last, time, epochs, closed) = {
            let state = lock(&self.published);
            let epochs = Arc::clone(&state.epochs);
            (state.last(), state.time, epochs, state.closed)
        };
        let mut reader = cached.take().unwrap_or_else(|| Arc::clone(&self.log));
        if reader.log().head().map(|head| head.seq) < last {
            self.refresh(Arc::make_mut(&mut reader))?;
        }
        if closed {
            // The store has released its lock, so another process may write to the log now.
            Arc::make_mut(&mut reader).stop_writing();
        }
        *cached = Some(Arc::clone(&reader));
        drop(cached);
        Ok((self.begin).later(reader, (self.shown(last), time), epochs))
    }

    /// Returns the last frame that may be shown to threads other than the writer.
    pub(crate) fn seq(&self) -> Option<Seq> {
        self.shown(lock(&self.published).last())
    }

    fn shown(&self, last: Option<Seq>) -> Option<Seq> {
        let limit = self.acknowledged.limit();
        limit.map_or(last, |durable| last.min(durable))
    }

    /// Waits until a frame is published and durable. Returns `false` if the wait ended before that.
    pub(crate) fn wait_until(&self, seq: Seq, wait: Wait) -> bool {
        self.wait_for(seq, wait).is_some() && self.acknowledged.wait(seq).is_ok()
    }

    /// Waits until a frame is published, whether it is durable or not. Returns `None` if the wait ended before that.
    fn wait_for(&self, seq: Seq, wait: Wait) -> Option<MutexGuard<'_, Published>> {
        let is_published = |state: &Published| match state.next > seq {
            true => Some(true),
            false => state.closed.then_some(false),
        };
        (self.notifier).wait_until(lock(&self.published), wait, is_published)
    }

    /// Returns whether the store is open for reading only.
    pub(crate) fn is_read_only(&self) -> bool {
        self.read_only
    }

    fn plan(&self) -> &Arc<Plan> {
        &self.begin.plan
    }

    /// Returns a reader of the frames from one on, which is in the log or is the next one to be written. `before` is
    /// the position of the frame before it.
    pub(crate) fn reader(self: &Arc<Self>, from: Seq, before: Option<Position>) -> FeedReader {
        FeedReader::new(self, from, before)
    }

    /// Returns the frame that a named subscription has acknowledged last.
    pub(crate) fn cursor(&self, name: &str) -> Result<Option<FrameRef>, StorageError> {
        match self.cursors() {
            Some(cursors) => cursors.read(name),
            None => Ok(lock(&self.memory_cursors.0)
                .get(name)
                .copied()
                .map(FrameRef::from)),
        }
    }

    /// Returns the path of the cursor file of a name; `None` if the log is in memory.
    pub(crate) fn cursor_path(&self, name: &str) -> Option<PathBuf> {
        self.cursors().map(|cursors| cursors.path(name))
    }

    /// Makes a frame durable, and stores it as the one that the subscription `name` has acknowledged. `known` is as for
    /// [`Feed::locate`].
    pub(crate) fn acknowledge(
        &self,
        name: &str,
        frame: FrameRef,
        known: Option<Position>,
    ) -> Result<(), ReadError> {
        let position = self.locate(frame, known)?;
        self.sync_to(frame.seq())?;
        match self.cursors() {
            Some(cursors) => Ok(cursors.write(name, position)?),
            None => {
                lock(&self.memory_cursors.0).insert(name.to_owned(), frame.seq());
                Ok(())
            }
        }
    }

    /// Makes a frame and those before it durable, whatever the durability of the store. Otherwise a power failure could
    /// leave a cursor or a table that is ahead of the log, and the frames that are then written to the log would be
    /// skipped.
    fn sync_to(&self, seq: Seq) -> Result<(), StorageError> {
        match &self.flusher {
            Some(flusher) => flusher.flush_to(seq),
            None => Ok(()),
        }
    }

    /// Returns the position of a frame that a caller names. `known` is a position that need not be read from the log if
    /// it is the one of that frame.
    fn locate(&self, frame: FrameRef, known: Option<Position>) -> Result<Position, ReadError> {
        let seq = frame.seq();
        let base = self.begin.base.as_ref().and_then(|base| base.at.seq);
        if let Some(beginning) = base.filter(|base| seq < *base) {
            return Err(ReadError::BeforeBeginning { seq, beginning });
        }
        let kept = {
            let state = lock(&self.published);
            frame.check_end(self.log.log().store(), state.last())?;
            state.get(seq).map(|frame| frame.position)
        };
        let found = match kept.or_else(|| known.filter(|known| known.seq() == seq)) {
            Some(found) => found,
            None => self.read_position(seq)?,
        };
        frame.position().map_or(Ok(()), |p| p.check(found))?;
        Ok(found)
    }

    fn cursors(&self) -> Option<Cursors> {
        self.log.cursors()
    }

    /// Adds the file and the offset of the frame to an error that has only a sequence number.
    #[cold]
    pub(crate) fn place(&self, error: StorageError) -> StorageError {
        let mut log = LogReader::clone(&self.log);
        self.place_in(&mut log, error)
    }

    /// As [`Feed::place`], with a reader of the log, which is brought up to date.
    #[cold]
    fn place_in(&self, log: &mut LogReader, error: StorageError) -> StorageError {
        // If the log cannot be read any more, the error has the sequence number alone.
        let _ = self.refresh(log);
        place(log.log(), error)
    }

    /// Returns the position of a published frame from the log.
    fn read_position(&self, seq: Seq) -> Result<Position, StorageError> {
        if let Some(position) = self.log.log().position_of(seq)? {
            return Ok(position);
        }
        let mut log = LogReader::clone(&self.log);
        self.refresh(&mut log)?;
        let position = log.log().position_of(seq)?;
        position.ok_or_else(|| lost_frame(seq))
    }

    /// Brings a reader of the log up to date. The feed may outlive the store, and the log may be replaced after the
    /// store was dropped. So this fails if the log does not contain the last frame that was published.
    fn refresh(&self, log: &mut LogReader) -> Result<(), StorageError> {
        let newest = lock(&self.published).newest;
        log.refresh()?;
        let log = log.log();
        if let Some(newest) = newest {
            let last = log.head().map(|head| head.seq);
            (FrameRef::from(newest).check_end(log.store(), last))
                .map_err(ReadError::into_storage)?;
            let found = log.position_of(newest.seq())?;
            let found = found.ok_or_else(|| lost_frame(newest.seq()))?;
            newest.check(found).map_err(ReadError::into_storage)?;
        }
        Ok(())
    }
}

/// The feed of a store, while there is a handle that uses it, and the cursors of the named subscriptions of a store in
/// memory, which outlive the feed.
#[derive(Default)]
struct Slot {
    feed: OnceLock<Arc<Feed>>,
    memory_cursors: Arc<MemoryCursors>,
}

impl Feed {
    /// Returns the feed of a store, which is created if there is none.
    ///
    /// # Errors
    /// `Unlogged` if the store keeps no log.
    pub(crate) fn of<M: Model>(store: &Store<M>) -> Result<&Arc<Self>, ReadError> {
        let slot: &Slot = store.followers.get();
        if let Some(feed) = slot.feed.get() {
            return Ok(feed);
        }
        let (begin, log) = store.owned_view(None)?;
        Ok(slot.feed.get_or_init(|| {
            Arc::new(Self {
                read_only: store.log.is_read_only(),
                published: Mutex::new(Published {
                    frames: VecDeque::new(),
                    bytes: 0,
                    next: begin.next(),
                    newest: store.position(),
                    time: begin.time,
                    epochs: Arc::clone(&begin.epochs),
                    subscriptions: 0,
                    closed: false,
                    #[cfg(feature = "async")]
                    waiting: wakers::Waiting::default(),
                }),
                begin,
                log,
                reader: Mutex::default(),
                notifier: Notifier::default(),
                acknowledged: store.log.acknowledged(),
                flusher: store.log.flusher(),
                memory_cursors: Arc::clone(&slot.memory_cursors),
                #[cfg(feature = "tracing")]
                meter: store.meter(),
                #[cfg(feature = "async")]
                log_readers: Workers::new("ironweave-read", 1),
            })
        }))
    }
}

impl Follower for Slot {
    fn listens(&self) -> bool {
        self.feed.get().is_some()
    }

    fn is_last(&self) -> bool {
        true
    }

    fn committed(&mut self, commit: &Commit<'_>) {
        let Some(feed) = self.feed.get() else {
            return;
        };
        // The slot has the only reference, so that no handle is left.
        if Arc::strong_count(feed) == 1 {
            self.feed.take();
            return;
        }
        if let Some(frame) = &commit.frame {
            feed.publish(frame, commit.at.time);
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(feed) = self.feed.get() {
            let mut state = lock(&feed.published);
            state.closed = true;
            feed.notifier.notify(&state);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_feed_gets_a_commit_after_the_snapshots() {
        // A thread that the feed wakes may take a snapshot, which then has the transaction.
        assert!(Slot::default().is_last());
    }
}

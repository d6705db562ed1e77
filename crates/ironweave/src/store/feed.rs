//! The feed: what handles on other threads know of the commits of a store, without asking the store.
//!
//! 1. The first subscription or [`StoreReader`](crate::StoreReader) makes it. A store without any does nothing for it.
//! 2. From then on, each commit tells the feed how far the log is and wakes the subscriptions that wait. While there is a
//!    subscription, the feed keeps copies of the last frames.
//! 3. A subscription that is further back reads the log through a reader of its own, up to the last frame that the feed
//!    knows of, and so does a [`LogView`] of the feed.
//! 4. When no handle is left, the next commit drops it.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::base::error::ReadError;
use crate::base::notifier::Notifier;
use crate::base::position::{FrameRef, Position, Seq};
use crate::base::storage_error::StorageError;
use crate::base::time::Timestamp;
use crate::log::cursor::Cursors;
use crate::log::{Flush, Frame, FrameKind, Frames, LogReader};
use crate::step::model::Model;
use crate::step::plan::Plan;
use crate::store::commit::{Acknowledged, Commit, CommitFrame, Follower};
use crate::store::epochs::Epochs;
use crate::store::record::DecodedTransaction;
use crate::store::view::LogView;
use crate::store::{Store, bad_frame};

/// How many frames it keeps.
const FRAMES_MAX: usize = 1_024;
/// How many bytes of them.
const BYTES_MAX: usize = 4 << 20;

pub(crate) struct Feed {
    /// The log when the feed was made.
    begin: LogView<'static>,
    /// The reader of that.
    log: Arc<LogReader>,
    read_only: bool,
    state: Mutex<State>,
    /// The reader of the log that the last view had. Locked before `state`.
    reader: Mutex<Option<Arc<LogReader>>>,
    /// A frame came, or the store was dropped.
    came: Notifier,
    /// How far other threads than the writer may look.
    acknowledged: Acknowledged,
    /// Makes the log durable, whatever the durability of the store; none of a log in memory.
    flusher: Option<Arc<dyn Flush>>,
    names: Arc<Names>,
}

struct State {
    /// The last frames, without a gap up to `next`.
    frames: VecDeque<Arc<Frame>>,
    bytes: usize,
    /// The sequence of the next frame.
    next: Seq,
    /// The frame before that.
    newest: Option<Position>,
    /// The time of the last transaction.
    time: Timestamp,
    epochs: Arc<Epochs>,
    /// The number of subscriptions.
    subscriptions: usize,
    closed: bool,
}

/// How far the named subscriptions of a store in memory have acknowledged.
#[derive(Default)]
pub(crate) struct Names(Mutex<HashMap<String, Seq>>);

// Nothing of the user's runs under these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
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
    /// Takes in a frame.
    fn publish(&self, frame: &CommitFrame<'_>, time: Timestamp) {
        let mut state = lock(&self.state);
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
        self.came.notify(&state);
    }

    /// The log as far as it may be shown, to be read without the store, which may have been dropped.
    ///
    /// # Errors
    /// Where the log cannot be read any more.
    pub(crate) fn view(&self) -> Result<LogView<'static>, ReadError> {
        let mut cached = lock(&self.reader);
        let (last, time, epochs, closed) = {
            let state = lock(&self.state);
            let epochs = Arc::clone(&state.epochs);
            (state.last(), state.time, epochs, state.closed)
        };
        let mut reader = cached.take().unwrap_or_else(|| Arc::clone(&self.log));
        if reader.log().head().map(|head| head.seq) < last {
            self.refresh(Arc::make_mut(&mut reader))?;
        }
        if closed {
            // Another process may write the log now.
            Arc::make_mut(&mut reader).stop_writing();
        }
        *cached = Some(Arc::clone(&reader));
        drop(cached);
        Ok((self.begin).later(reader, (self.shown(last), time), epochs))
    }

    /// The last frame that may be shown to other threads than the writer.
    pub(crate) fn seq(&self) -> Option<Seq> {
        self.shown(lock(&self.state).last())
    }

    fn shown(&self, last: Option<Seq>) -> Option<Seq> {
        let limit = self.acknowledged.limit();
        limit.map_or(last, |durable| last.min(durable))
    }

    /// Waits until a frame is there and durable; whether it is.
    pub(crate) fn wait_until(&self, seq: Seq, wait: Wait) -> bool {
        self.wait_for(seq, wait).is_some() && self.acknowledged.wait(seq).is_ok()
    }

    /// Waits until a frame is there, durable or not.
    fn wait_for(&self, seq: Seq, wait: Wait) -> Option<MutexGuard<'_, State>> {
        let mut state = lock(&self.state);
        while state.next <= seq {
            if state.closed {
                return None;
            }
            state = match wait {
                Wait::Never => return None,
                Wait::Unlimited => self.came.wait(state, None),
                Wait::Until(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return None;
                    }
                    self.came.wait(state, Some(left))
                }
            };
        }
        Some(state)
    }

    /// Whether the store is open for reading only.
    pub(crate) fn is_read_only(&self) -> bool {
        self.read_only
    }

    fn plan(&self) -> &Arc<Plan> {
        &self.begin.plan
    }

    /// Reads the frames from one on, which is in the log or the next one. `before` is the frame before that.
    pub(crate) fn reader(self: &Arc<Self>, from: Seq, before: Option<Position>) -> FeedReader {
        lock(&self.state).subscriptions += 1;
        FeedReader {
            feed: Arc::clone(self),
            // The log of a store that began at a snapshot begins there.
            next: from.max(
                self.begin
                    .base
                    .as_ref()
                    .map_or(Seq::ZERO, |base| base.at.next()),
            ),
            log: LogReader::clone(&self.log),
            behind: None,
            position: before,
            peeked: None,
        }
    }

    /// How far a named subscription has acknowledged.
    pub(crate) fn cursor(&self, name: &str) -> Result<Option<FrameRef>, StorageError> {
        match self.cursors() {
            Some(cursors) => cursors.read(name),
            None => Ok(lock(&self.names.0).get(name).copied().map(FrameRef::from)),
        }
    }

    /// The file of the cursor of a name, if there is one.
    pub(crate) fn cursor_path(&self, name: &str) -> Option<PathBuf> {
        self.cursors().map(|cursors| cursors.path(name))
    }

    /// The position of a frame that a caller names. `known` is that of some frame.
    fn locate(&self, frame: FrameRef, known: Option<Position>) -> Result<Position, ReadError> {
        let seq = frame.seq();
        let base = self.begin.base.as_ref().and_then(|base| base.at.seq);
        if let Some(beginning) = base.filter(|base| seq < *base) {
            return Err(ReadError::BeforeBeginning { seq, beginning });
        }
        let near = {
            let state = lock(&self.state);
            frame.check_end(self.log.log().store(), state.last())?;
            state.get(seq).map(|frame| frame.position)
        };
        let found = match near.or_else(|| known.filter(|known| known.seq() == seq)) {
            Some(found) => found,
            None => self.read_position(seq)?,
        };
        frame.position().map_or(Ok(()), |p| p.check(found))?;
        Ok(found)
    }

    fn cursors(&self) -> Option<Cursors> {
        self.log.cursors()
    }

    /// The position of a frame that is in the log.
    fn read_position(&self, seq: Seq) -> Result<Position, StorageError> {
        if let Some(position) = self.log.log().position_of(seq)? {
            return Ok(position);
        }
        let mut log = LogReader::clone(&self.log);
        self.refresh(&mut log)?;
        let position = log.log().position_of(seq)?;
        position.ok_or_else(|| missing(seq))
    }

    /// Brings a reader of the log up to date. It may outlive the store, and then the log may be replaced: what is read
    /// then is believed only where it has the newest frame that the writer has published.
    fn refresh(&self, log: &mut LogReader) -> Result<(), StorageError> {
        let newest = lock(&self.state).newest;
        log.refresh()?;
        let log = log.log();
        if let Some(newest) = newest {
            let last = log.head().map(|head| head.seq);
            (FrameRef::from(newest).check_end(log.store(), last))
                .map_err(ReadError::into_storage)?;
            let found = log.position_of(newest.seq())?;
            let found = found.ok_or_else(|| missing(newest.seq()))?;
            newest.check(found).map_err(ReadError::into_storage)?;
        }
        Ok(())
    }
}

fn missing(seq: Seq) -> StorageError {
    bad_frame(seq, "it is not there, though it was written")
}

/// How long to wait for the next frame.
#[derive(Clone, Copy)]
pub(crate) enum Wait {
    Never,
    Until(Instant),
    /// Until the store is dropped.
    Unlimited,
}

impl Wait {
    /// Returns a wait of at most `timeout`.
    pub(crate) fn within(timeout: Duration) -> Self {
        // A deadline that an `Instant` cannot represent is no deadline.
        Instant::now()
            .checked_add(timeout)
            .map_or(Self::Unlimited, Self::Until)
    }
}

/// Reads the frames of a feed, one after the other.
pub(crate) struct FeedReader {
    feed: Arc<Feed>,
    next: Seq,
    /// What it catches up from.
    log: LogReader,
    /// Frames of that, while it does.
    behind: Option<Frames<'static>>,
    /// The position of the frame before `next`, if it is known.
    position: Option<Position>,
    /// The transaction at `next`.
    peeked: Option<Arc<DecodedTransaction>>,
}

impl Drop for FeedReader {
    fn drop(&mut self) {
        lock(&self.feed.state).subscriptions -= 1;
    }
}

impl FeedReader {
    pub(crate) fn next(&self) -> Seq {
        self.next
    }

    pub(crate) fn position(&self) -> Option<Position> {
        self.position
    }

    pub(crate) fn plan(&self) -> &Arc<Plan> {
        self.feed.plan()
    }

    pub(crate) fn lag(&self) -> u64 {
        let next = lock(&self.feed.state).next;
        next.frames_since(self.next).unwrap_or(0)
    }

    pub(crate) fn acknowledge(&self, name: &str, frame: FrameRef) -> Result<(), ReadError> {
        let position = self.feed.locate(frame, self.position)?;
        self.sync_to(frame.seq())?;
        match self.feed.cursors() {
            Some(cursors) => Ok(cursors.write(name, position)?),
            None => {
                lock(&self.feed.names.0).insert(name.to_owned(), frame.seq());
                Ok(())
            }
        }
    }

    /// Makes a frame and those before it durable, in every mode: what a power cut leaves ahead of the log would pass over
    /// what is written there next.
    pub(crate) fn sync_to(&self, seq: Seq) -> Result<(), StorageError> {
        match &self.feed.flusher {
            Some(flusher) => flusher.flush_to(seq),
            None => Ok(()),
        }
    }

    /// Goes on to the next frame.
    pub(crate) fn advance(&mut self) {
        if let Some(peeked) = self.peeked.take() {
            self.position = peeked.position;
        }
        self.next += 1;
    }

    /// Goes back to a frame that it has delivered.
    #[cfg(feature = "sqlite")]
    pub(crate) fn go_back(&mut self, to: Seq) {
        self.peeked = None;
        self.behind = None;
        self.next = to;
    }

    /// The transaction that comes next; none, where none came in time or none will come.
    pub(crate) fn peek(
        &mut self,
        wait: Wait,
    ) -> Result<Option<Arc<DecodedTransaction>>, StorageError> {
        while self.peeked.is_none() {
            let Some(frame) = self.frame(wait)? else {
                return Ok(None);
            };
            if frame.header.kind != FrameKind::Transaction {
                self.position = Some(frame.position);
                self.advance();
                continue;
            }
            let seq = frame.header.seq;
            let epochs = Arc::clone(&lock(&self.feed.state).epochs);
            let tags = (epochs.at(seq)).ok_or_else(|| bad_frame(seq, "it has no schema"))?;
            let logged = DecodedTransaction::read(&frame, tags, self.feed.plan())?;
            self.peeked = Some(Arc::new(logged));
        }
        Ok(self.peeked.clone())
    }

    /// The frame at `next`, once it is there and durable.
    fn frame(&mut self, wait: Wait) -> Result<Option<Arc<Frame>>, StorageError> {
        let Some(state) = self.feed.wait_for(self.next, wait) else {
            return Ok(None);
        };
        let near = state.get(self.next).map(Arc::clone);
        drop(state);
        if !self.feed.acknowledged.has(self.next) {
            if matches!(wait, Wait::Never) {
                return Ok(None);
            }
            self.feed.acknowledged.wait(self.next)?;
        }
        if let Some(frame) = near {
            self.behind = None;
            return Ok(Some(frame));
        }
        self.far().map(Some)
    }

    /// The frame at `next`, from the log.
    fn far(&mut self) -> Result<Arc<Frame>, StorageError> {
        for fresh in [false, true] {
            if fresh {
                self.feed.refresh(&mut self.log)?;
                self.behind = None;
            }
            let frames = match &mut self.behind {
                Some(frames) => frames,
                None => self.behind.insert(self.log.frames(self.next)?),
            };
            match frames.next() {
                Some(Ok(frame)) if frame.header.seq == self.next => return Ok(Arc::new(frame)),
                Some(Err(e)) => {
                    self.behind = None;
                    return Err(e);
                }
                _ => {}
            }
        }
        Err(missing(self.next))
    }
}

/// The feed of a store, while there is a handle that uses it, and how far the named subscriptions of a store in memory
/// have acknowledged.
#[derive(Default)]
struct Slot {
    feed: OnceLock<Arc<Feed>>,
    names: Arc<Names>,
}

impl Feed {
    /// The feed of a store; it is made if there is none.
    ///
    /// # Errors
    /// `Unlogged` if no log is kept.
    pub(crate) fn of<M: Model>(store: &Store<M>) -> Result<&Arc<Self>, ReadError> {
        let slot: &Slot = store.followers.get();
        if let Some(feed) = slot.feed.get() {
            return Ok(feed);
        }
        let (begin, log) = store.owned_view(None)?;
        Ok(slot.feed.get_or_init(|| {
            Arc::new(Self {
                read_only: store.log.is_read_only(),
                state: Mutex::new(State {
                    frames: VecDeque::new(),
                    bytes: 0,
                    next: begin.next(),
                    newest: store.position(),
                    time: begin.time,
                    epochs: Arc::clone(&begin.epochs),
                    subscriptions: 0,
                    closed: false,
                }),
                begin,
                log,
                reader: Mutex::default(),
                came: Notifier::default(),
                acknowledged: store.log.acknowledged(),
                flusher: store.log.flusher(),
                names: Arc::clone(&slot.names),
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
        // No handle is left.
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
            let mut state = lock(&feed.state);
            state.closed = true;
            feed.came.notify(&state);
        }
    }
}

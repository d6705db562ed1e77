//! The feed, which passes the frames of a store from the writer to its subscriptions.
//!
//! 1. The first subscription makes the feed. A store without subscriptions has no cost for it.
//! 2. From then on, each commit puts a copy of its frame into the feed and wakes the subscriptions that wait.
//! 3. For a log on disk, the feed keeps the last frames only. A subscription that is further behind reads the segments
//!    through a read-only log of its own, up to the last frame of the feed.
//! 4. For a log in memory, the feed keeps the frames that some subscription has not read yet.
//! 5. When no subscription is left, the next commit drops the feed.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::base::error::ReadError;
use crate::base::notifier::Notifier;
use crate::base::position::Seq;
use crate::base::position::{FrameRef, Position};
use crate::base::storage_error::StorageError;
use crate::log::cursor::Cursors;
use crate::log::{Flush, Frame, FrameHeader, FrameKind, Frames, ReadLog as _, ReadOnlyLog};
use crate::step::model::Model;
use crate::step::plan::Plan;
use crate::store::commit::{Acknowledged, Commit, Follower};
use crate::store::frame::Tags;
use crate::store::record::DecodedTransaction;
use crate::store::{Store, bad_frame};

/// The maximum number of frames that the feed keeps of a log on disk.
const FRAMES_MAX: usize = 1_024;
/// The maximum number of bytes of their payloads.
const BYTES_MAX: usize = 4 << 20;

pub(crate) struct Feed {
    plan: Arc<Plan>,
    /// The identity of the store.
    store: u64,
    /// The frame after which the log begins, if its store began at a snapshot.
    base: Option<Seq>,
    state: Mutex<State>,
    /// Notified when a frame was committed or the store was dropped.
    changed: Notifier,
    /// A reader of a log on disk, up to the frame at which the feed was made.
    log: Option<ReadOnlyLog>,
    /// The last frame that subscriptions may read.
    acknowledged: Acknowledged,
    /// Makes the log durable in every durability mode; `None` for a log in memory.
    flusher: Option<Arc<dyn Flush>>,
    memory_cursors: Arc<MemoryCursors>,
}

struct State {
    /// The last frames, which are consecutive.
    frames: VecDeque<Arc<Frame>>,
    bytes: usize,
    /// The sequence of the next frame.
    next: Seq,
    /// The position of the last frame.
    newest: Option<Position>,
    /// The mappings of the schemas of the log, each with its first frame.
    epochs: Vec<(Seq, Arc<Tags>)>,
    /// The next frame of each subscription.
    places: Vec<Arc<AtomicU64>>,
    closed: bool,
}

/// The cursors of named subscriptions of a store in memory.
#[derive(Default)]
pub(crate) struct MemoryCursors(Mutex<HashMap<String, Seq>>);

// No user code runs under these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    /// Drops the frames that need not be kept.
    fn trim(&mut self, on_disk: bool) {
        // The state has the only reference to the place of a subscription that was dropped.
        self.places.retain(|place| Arc::strong_count(place) > 1);
        let needed = if on_disk {
            None
        } else {
            let places = self
                .places
                .iter()
                .map(|p| Seq::new(p.load(Ordering::Relaxed)));
            Some(places.min().unwrap_or(Seq::MAX))
        };
        while let Some(first) = self.frames.front() {
            let keep = match needed {
                Some(needed) => first.header.seq >= needed,
                None => self.frames.len() <= FRAMES_MAX && self.bytes <= BYTES_MAX,
            };
            if keep {
                break;
            }
            self.bytes -= first.payload.len();
            self.frames.pop_front();
        }
    }
}

impl Feed {
    /// Adds a frame and wakes the subscriptions that wait.
    pub(crate) fn publish(
        &self,
        header: FrameHeader,
        payload: &[u8],
        position: Position,
        tags: &Arc<Tags>,
    ) {
        let frame = Arc::new(Frame {
            header,
            payload: payload.to_vec(),
            position,
        });
        let mut state = lock(&self.state);
        if state
            .epochs
            .last()
            .is_none_or(|(_, last)| !Arc::ptr_eq(last, tags))
        {
            state.epochs.push((header.seq, Arc::clone(tags)));
        }
        state.bytes += payload.len();
        state.frames.push_back(frame);
        state.next = header.seq + 1;
        state.newest = Some(position);
        let on_disk = self.log.is_some();
        // For a log in memory this visits all subscriptions, and a frame may be kept a little longer.
        if on_disk || header.seq.get().is_multiple_of(64) {
            state.trim(on_disk);
        }
        self.changed.notify(&state);
    }

    /// Returns a reader of the frames from `from` on. `read` reads the log of a store in memory.
    pub(super) fn reader<'l>(
        self: &Arc<Self>,
        from: Seq,
        before: Option<Position>,
        read: impl FnOnce(Seq) -> Result<Frames<'l>, StorageError>,
    ) -> Result<FeedReader, StorageError> {
        let mut state = lock(&self.state);
        let mut from = from;
        if self.log.is_none() {
            let first = state.frames.front().map_or(state.next, |f| f.header.seq);
            if from < first {
                let mut before: Vec<Arc<Frame>> = Vec::new();
                for frame in read(from)? {
                    let frame = frame?;
                    if frame.header.seq >= first {
                        break;
                    }
                    state.bytes += frame.payload.len();
                    before.push(Arc::new(frame));
                }
                before
                    .into_iter()
                    .rev()
                    .for_each(|f| state.frames.push_front(f));
            }
            // The log of a store that began at a snapshot has no frames before that.
            from = from.max(state.frames.front().map_or(state.next, |f| f.header.seq));
        }
        let place = Arc::new(AtomicU64::new(from.get()));
        state.places.push(Arc::clone(&place));
        drop(state);
        Ok(FeedReader {
            feed: Arc::clone(self),
            next: from,
            place,
            log: self.log.clone(),
            behind: None,
            keeps_frames: false,
            position: before,
            peeked: None,
        })
    }

    /// Returns the last frame that was acknowledged under a name.
    pub(super) fn cursor(&self, name: &str) -> Result<Option<FrameRef>, StorageError> {
        match self.cursors() {
            Some(cursors) => cursors.read(name),
            None => Ok(lock(&self.memory_cursors.0)
                .get(name)
                .copied()
                .map(FrameRef::from)),
        }
    }

    /// Returns the file of the cursor of a name, or `None` for a log in memory.
    pub(super) fn cursor_path(&self, name: &str) -> Option<PathBuf> {
        self.cursors().map(|cursors| cursors.path(name))
    }

    /// Returns the position of a frame that a caller names, after checking that it is of this log. Returns `None` for a frame of a
    /// log in memory that the feed no longer has. Such a log has no copies, so the frame need not be checked. `known` is the
    /// position of some frame of the log.
    fn locate(
        &self,
        frame: FrameRef,
        known: Option<Position>,
    ) -> Result<Option<Position>, ReadError> {
        let seq = frame.seq();
        if let Some(beginning) = self.base.filter(|base| seq < *base) {
            return Err(ReadError::BeforeBeginning { seq, beginning });
        }
        let near = {
            let state = lock(&self.state);
            frame.check_end(self.store, state.next.checked_sub(1))?;
            let first = state.frames.front().map_or(state.next, |f| f.header.seq);
            let near = (seq.frames_since(first)).and_then(|i| state.frames.get(i as usize));
            near.map(|frame| frame.position)
        };
        let found = match near.or_else(|| known.filter(|known| known.seq() == seq)) {
            Some(found) => found,
            None => match &self.log {
                Some(log) => self.read_position(log, seq)?,
                None => return Ok(None),
            },
        };
        frame.position().map_or(Ok(()), |p| p.check(found))?;
        Ok(Some(found))
    }

    fn cursors(&self) -> Option<Cursors> {
        self.log.as_ref().map(ReadOnlyLog::cursors)
    }

    /// Returns the position of a frame of the log, and refreshes the reader if the frame is after its end.
    fn read_position(&self, log: &ReadOnlyLog, seq: Seq) -> Result<Position, StorageError> {
        if let Some(position) = log.position_of(seq)? {
            return Ok(position);
        }
        let position = self.refreshed(log)?.position_of(seq)?;
        position.ok_or_else(|| missing(seq))
    }

    /// Returns a reader up to the current end of the log. A subscription may outlive its store, and the log may be replaced
    /// then, so this checks that the log has the last frame of the feed.
    fn refreshed(&self, log: &ReadOnlyLog) -> Result<ReadOnlyLog, StorageError> {
        let newest = lock(&self.state).newest;
        let mut log = log.clone();
        log.refresh()?;
        if let Some(newest) = newest {
            let last = log.head().map(|head| head.seq);
            (FrameRef::from(newest).check_end(self.store, last))
                .map_err(ReadError::into_storage)?;
            let found = log.position_of(newest.seq())?;
            let found = found.ok_or_else(|| missing(newest.seq()))?;
            newest.check(found).map_err(ReadError::into_storage)?;
        }
        Ok(log)
    }
}

fn missing(seq: Seq) -> StorageError {
    bad_frame(seq, "it was written, and the log no longer has it")
}

/// The time limit of waiting for the next frame.
#[derive(Clone, Copy)]
pub(super) enum Wait {
    Never,
    Until(Instant),
    /// Until the store is dropped.
    Unlimited,
}

impl Wait {
    /// Waits for `timeout` at most.
    pub(super) fn within(timeout: Duration) -> Self {
        // A deadline that an `Instant` cannot represent is no deadline.
        Instant::now()
            .checked_add(timeout)
            .map_or(Self::Unlimited, Self::Until)
    }
}

/// Reads the frames of a feed in order.
pub(super) struct FeedReader {
    feed: Arc<Feed>,
    next: Seq,
    /// The next frame as the feed sees it, which keeps the frames from there on.
    place: Arc<AtomicU64>,
    /// The log that it catches up from.
    log: Option<ReadOnlyLog>,
    /// The frames of the log, while it catches up.
    behind: Option<Frames<'static>>,
    /// Whether the feed keeps frames that were read until [`release`](Self::release).
    keeps_frames: bool,
    /// The position of the frame before `next`, if it is known.
    position: Option<Position>,
    /// The transaction at `next`, if it was read.
    peeked: Option<Arc<DecodedTransaction>>,
}

impl FeedReader {
    pub(super) fn next(&self) -> Seq {
        self.next
    }

    pub(super) fn position(&self) -> Option<Position> {
        self.position
    }

    pub(super) fn plan(&self) -> &Arc<Plan> {
        &self.feed.plan
    }

    pub(super) fn lag(&self) -> u64 {
        let next = lock(&self.feed.state).next;
        next.frames_since(self.next).unwrap_or(0)
    }

    pub(super) fn acknowledge(&self, name: &str, frame: FrameRef) -> Result<(), ReadError> {
        let position = self.feed.locate(frame, self.position)?;
        self.sync_to(frame.seq())?;
        match self.feed.cursors().zip(position) {
            Some((cursors, position)) => Ok(cursors.write(name, position)?),
            None => {
                lock(&self.feed.memory_cursors.0).insert(name.to_owned(), frame.seq());
                Ok(())
            }
        }
    }

    /// Makes a frame and those before it durable, in every durability mode. Otherwise a power failure could leave a cursor
    /// ahead of its log, which would then skip frames that are written later.
    pub(super) fn sync_to(&self, seq: Seq) -> Result<(), StorageError> {
        match &self.feed.flusher {
            Some(flusher) => flusher.flush_to(seq),
            None => Ok(()),
        }
    }

    /// Goes on to the next frame.
    pub(super) fn advance(&mut self) {
        if let Some(peeked) = self.peeked.take() {
            self.position = peeked.position;
        }
        self.next += 1;
        if !self.keeps_frames {
            self.release();
        }
    }

    /// Allows the feed to drop all frames before the next one.
    pub(super) fn release(&self) {
        self.place.store(self.next.get(), Ordering::Relaxed);
    }

    /// From now on, keeps frames until [`release`](Self::release), so that the reader can go back to them.
    #[cfg(feature = "sqlite")]
    pub(super) fn keep_frames(&mut self) {
        self.keeps_frames = true;
    }

    /// Goes back to a frame that the feed keeps.
    #[cfg(feature = "sqlite")]
    pub(super) fn go_back(&mut self, to: Seq) {
        self.peeked = None;
        self.behind = None;
        self.next = to;
    }

    /// Returns the next transaction. Returns `None` if none came in time, or if the store was dropped.
    pub(super) fn peek(
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
            let tags = {
                let state = lock(&self.feed.state);
                let at = state.epochs.iter().rev().find(|(from, _)| *from <= seq);
                at.map(|(_, tags)| Arc::clone(tags))
            };
            let tags = tags.ok_or_else(|| bad_frame(seq, "it has no schema"))?;
            let transaction = DecodedTransaction::read(&frame, &tags, &self.feed.plan)?;
            self.peeked = Some(Arc::new(transaction));
        }
        Ok(self.peeked.clone())
    }

    /// Returns the frame at `next` once it is committed and durable.
    fn frame(&mut self, wait: Wait) -> Result<Option<Arc<Frame>>, StorageError> {
        let mut state = lock(&self.feed.state);
        while state.next <= self.next {
            if state.closed {
                return Ok(None);
            }
            let changed = &self.feed.changed;
            state = match wait {
                Wait::Never => return Ok(None),
                Wait::Unlimited => changed.wait(state, None),
                Wait::Until(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Ok(None);
                    }
                    changed.wait(state, Some(left))
                }
            };
        }
        let first = state.frames.front().map_or(state.next, |f| f.header.seq);
        let near = (self.next.frames_since(first))
            .and_then(|i| state.frames.get(i as usize))
            .map(Arc::clone);
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
        self.frame_from_log().map(Some)
    }

    /// Reads the frame at `next` from the log.
    fn frame_from_log(&mut self) -> Result<Arc<Frame>, StorageError> {
        let log = self.log.as_mut().ok_or_else(|| missing(self.next))?;
        for fresh in [false, true] {
            if fresh {
                *log = self.feed.refreshed(log)?;
                self.behind = None;
            }
            let frames = match &mut self.behind {
                Some(frames) => frames,
                None => self.behind.insert(log.frames(self.next)?),
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

/// Passes commits to the feed of a store, which exists while there is a subscription, and holds the cursors of a store in
/// memory.
#[derive(Default)]
pub(crate) struct FeedFollower {
    feed: OnceLock<Arc<Feed>>,
    memory_cursors: Arc<MemoryCursors>,
}

impl FeedFollower {
    /// Returns the feed of a store. Makes it if there is none.
    pub(super) fn of<M: Model>(store: &Store<M>) -> Result<&Arc<Feed>, ReadError> {
        let id = store.id()?;
        let slot: &Self = store.followers.get();
        Ok(slot.feed.get_or_init(|| {
            Arc::new(Feed {
                plan: Arc::clone(&store.plan),
                store: id,
                base: store.base.as_ref().and_then(|base| base.at.seq),
                state: Mutex::new(State {
                    frames: VecDeque::new(),
                    bytes: 0,
                    next: store.at().next(),
                    newest: store.position(),
                    epochs: store.epochs.tags(),
                    places: Vec::new(),
                    closed: false,
                }),
                changed: Notifier::default(),
                log: store.log.follower(),
                acknowledged: store.log.acknowledged(),
                flusher: store.log.flusher(),
                memory_cursors: Arc::clone(&slot.memory_cursors),
            })
        }))
    }
}

impl Follower for FeedFollower {
    fn listens(&self) -> bool {
        self.feed.get().is_some()
    }

    fn committed(&mut self, commit: &Commit<'_>) {
        let Some(feed) = self.feed.get() else {
            return;
        };
        // No subscription has a reference to the feed.
        if Arc::strong_count(feed) == 1 {
            self.feed.take();
            return;
        }
        if let Some(frame) = commit.frame {
            feed.publish(frame.header, frame.payload, frame.position, frame.tags);
        }
    }
}

impl Drop for FeedFollower {
    fn drop(&mut self) {
        if let Some(feed) = self.feed.get() {
            let mut state = lock(&feed.state);
            state.closed = true;
            feed.changed.notify(&state);
        }
    }
}

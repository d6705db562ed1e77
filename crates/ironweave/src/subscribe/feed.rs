//! The feed: the last transactions of a store, from the writer to its subscriptions.
//!
//! 1. The first subscription makes it. A store without any does nothing for it.
//! 2. From then on, each commit puts a copy of its frame into the feed and wakes the subscriptions that wait.
//! 3. Of a log on disk, the feed keeps the last frames only. A subscription that is further back reads them from the
//!    segments through a read-only log of its own, up to the last frame that the feed knows of.
//! 4. Of a log in memory it keeps the frames that some subscription has not seen yet.
//! 5. When no subscription is left, the next commit drops it.

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

/// How many frames it keeps of a log on disk.
const FRAMES_MAX: usize = 1_024;
/// How many bytes of them.
const BYTES_MAX: usize = 4 << 20;

pub(crate) struct Feed {
    plan: Arc<Plan>,
    /// The identity of the store.
    store: u64,
    /// After which frame the log begins, where it goes on after a snapshot.
    base: Option<Seq>,
    state: Mutex<State>,
    /// A frame came, or the store is gone.
    came: Notifier,
    /// A log on disk, as far as it was when the feed was made.
    log: Option<ReadOnlyLog>,
    /// How far subscriptions may look.
    acknowledged: Acknowledged,
    /// Makes the log durable, whatever the durability of the store; none of a log in memory.
    flusher: Option<Arc<dyn Flush>>,
    names: Arc<Names>,
}

struct State {
    /// The last frames, without a gap.
    frames: VecDeque<Arc<Frame>>,
    bytes: usize,
    /// The first frame that there will be after those.
    next: Seq,
    /// The frame before that.
    newest: Option<Position>,
    /// From which frame on which schema holds.
    epochs: Vec<(Seq, Arc<Tags>)>,
    /// Where the subscriptions are.
    places: Vec<Arc<AtomicU64>>,
    closed: bool,
}

/// Where named subscriptions of a store in memory are.
#[derive(Default)]
pub(crate) struct Names(Mutex<HashMap<String, Seq>>);

// Nothing of the user's runs under these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    /// Forgets what need not be kept.
    fn trim(&mut self, on_disk: bool) {
        // Nobody but the state itself holds the place of a subscription that is gone.
        self.places.retain(|place| Arc::strong_count(place) > 1);
        let needed = if on_disk {
            None
        } else {
            let places = self.places.iter().map(|p| p.load(Ordering::Relaxed));
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
    /// Takes in a frame.
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
        // In memory there may be many subscriptions to ask, and nothing to gain from asking often.
        if on_disk || header.seq.is_multiple_of(64) {
            state.trim(on_disk);
        }
        self.came.notify(&state);
    }

    /// Reads its frames from one on; `read` reads the log, of a store in memory.
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
            // The log of a store that began at a snapshot begins there.
            from = from.max(state.frames.front().map_or(state.next, |f| f.header.seq));
        }
        let place = Arc::new(AtomicU64::new(from));
        state.places.push(Arc::clone(&place));
        drop(state);
        Ok(FeedReader {
            feed: Arc::clone(self),
            next: from,
            place,
            log: self.log.clone(),
            behind: None,
            holds: false,
            position: before,
            peeked: None,
        })
    }

    /// How far somebody is.
    pub(super) fn cursor(&self, name: &str) -> Result<Option<FrameRef>, StorageError> {
        match self.cursors() {
            Some(cursors) => cursors.read(name),
            None => Ok(lock(&self.names.0).get(name).copied().map(FrameRef::from)),
        }
    }

    /// Where the cursor of a name lies, if that is in a file.
    pub(super) fn cursor_path(&self, name: &str) -> Option<PathBuf> {
        self.cursors().map(|cursors| cursors.path(name))
    }

    /// The position of a frame that a caller names, on whatever thread; none, where it lies in memory and is not kept
    /// here: such a log has one history, so that it need not be compared. `told` is that of some frame.
    fn locate(
        &self,
        frame: FrameRef,
        told: Option<Position>,
    ) -> Result<Option<Position>, ReadError> {
        let seq = frame.seq();
        if let Some(beginning) = self.base.filter(|base| seq < *base) {
            return Err(ReadError::BeforeBeginning { seq, beginning });
        }
        let near = {
            let state = lock(&self.state);
            frame.check_end(self.store, state.next.checked_sub(1))?;
            let first = state.frames.front().map_or(state.next, |f| f.header.seq);
            let near = (seq.checked_sub(first)).and_then(|i| state.frames.get(i as usize));
            near.map(|frame| frame.position)
        };
        let found = match near.or_else(|| told.filter(|told| told.seq() == seq)) {
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

    /// The position of a frame that is in a log, which may have been read less far.
    fn read_position(&self, log: &ReadOnlyLog, seq: Seq) -> Result<Position, StorageError> {
        if let Some(position) = log.position_of(seq)? {
            return Ok(position);
        }
        let position = self.refreshed(log)?.position_of(seq)?;
        position.ok_or_else(|| missing(seq))
    }

    /// The log as far as it is now. A subscription may outlive its store, and then the log may be replaced: what is read
    /// then is believed only where it has the newest frame that the writer told of.
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
    bad_frame(seq, "it is not there, though it was written")
}

/// How long to wait for the next frame.
#[derive(Clone, Copy)]
pub(super) enum Wait {
    Never,
    Until(Instant),
    /// As long as the store is there.
    Long,
}

impl Wait {
    /// For so long at most.
    pub(super) fn within(timeout: Duration) -> Self {
        // What ends later than a clock can say does not end.
        Instant::now()
            .checked_add(timeout)
            .map_or(Self::Long, Self::Until)
    }
}

/// Reads the frames of a feed, one after the other.
pub(super) struct FeedReader {
    feed: Arc<Feed>,
    next: Seq,
    /// The same, for the feed to see.
    place: Arc<AtomicU64>,
    /// What it catches up from.
    log: Option<ReadOnlyLog>,
    /// Frames of that, while it does.
    behind: Option<Frames<'static>>,
    /// Whether it keeps frames until it is told to let go of them.
    holds: bool,
    /// Where the frame before `next` is, where that is known.
    position: Option<Position>,
    /// The transaction at `next`.
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
        lock(&self.feed.state).next.saturating_sub(self.next)
    }

    pub(super) fn acknowledge(&self, name: &str, frame: FrameRef) -> Result<(), ReadError> {
        let position = self.feed.locate(frame, self.position)?;
        self.sync_to(frame.seq())?;
        match self.feed.cursors().zip(position) {
            Some((cursors, position)) => Ok(cursors.write(name, position)?),
            None => {
                lock(&self.feed.names.0).insert(name.to_owned(), frame.seq());
                Ok(())
            }
        }
    }

    /// Makes a frame and those before it durable, in every mode: what a power cut leaves ahead of the log would pass over
    /// what is written there next.
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
        if !self.holds {
            self.release();
        }
    }

    /// Lets go of all frames before the next one.
    pub(super) fn release(&self) {
        self.place.store(self.next, Ordering::Relaxed);
    }

    /// From now on, lets go of frames when it is told to, so that it can go back to them.
    #[cfg(feature = "sqlite")]
    pub(super) fn hold(&mut self) {
        self.holds = true;
    }

    /// Goes back to a frame that it holds.
    #[cfg(feature = "sqlite")]
    pub(super) fn go_back(&mut self, to: Seq) {
        self.peeked = None;
        self.behind = None;
        self.next = to;
    }

    /// The transaction that comes next; none, where none came in time or none will come.
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

    /// The frame at `next`, once it is there and durable.
    fn frame(&mut self, wait: Wait) -> Result<Option<Arc<Frame>>, StorageError> {
        let mut state = lock(&self.feed.state);
        while state.next <= self.next {
            if state.closed {
                return Ok(None);
            }
            let came = &self.feed.came;
            state = match wait {
                Wait::Never => return Ok(None),
                Wait::Long => came.wait(state, None),
                Wait::Until(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Ok(None);
                    }
                    came.wait(state, Some(left))
                }
            };
        }
        let first = state.frames.front().map_or(state.next, |f| f.header.seq);
        let near = (self.next.checked_sub(first))
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
        self.far().map(Some)
    }

    /// The frame at `next`, from the log.
    fn far(&mut self) -> Result<Arc<Frame>, StorageError> {
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

/// The feed of a store, while there is a subscription, and the places of named subscriptions of a store in memory.
#[derive(Default)]
pub(crate) struct Slot {
    feed: OnceLock<Arc<Feed>>,
    names: Arc<Names>,
}

impl Slot {
    /// The feed of a store; it is made if there is none.
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
                came: Notifier::default(),
                log: store.log.follower(),
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

    fn committed(&mut self, commit: &Commit<'_>) {
        let Some(feed) = self.feed.get() else {
            return;
        };
        // No subscription is left.
        if Arc::strong_count(feed) == 1 {
            self.feed.take();
            return;
        }
        if let Some(frame) = commit.frame {
            feed.publish(frame.header, frame.payload, frame.position, frame.tags);
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

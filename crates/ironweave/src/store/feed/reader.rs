//! Reading the frames of a [`Feed`] one after the other, and waiting for the next one.

use std::sync::Arc;

use crate::base::error::ReadError;
use crate::base::notifier::Wait;
use crate::base::position::{FrameRef, Position, Seq};
use crate::base::storage_error::StorageError;
use crate::log::{Frame, Frames, LogReader};
use crate::step::plan::Plan;
#[cfg(feature = "async")]
use crate::store::feed::StreamWaker;
use crate::store::feed::{Feed, lock};
use crate::store::record::DecodedTransaction;
use crate::store::{Epochs, lost_frame};

/// Reads the frames of a feed in order: from the copies that the feed keeps, or else from the log.
pub(crate) struct FeedReader {
    feed: Arc<Feed>,
    /// The sequence of the next frame to read.
    next: Seq,
    /// The reader of the log, for frames that the feed no longer keeps.
    log: LogReader,
    /// The frames of `log` from `next` on, while they are read from there.
    log_frames: Option<Frames<'static>>,
    /// The position of the frame before `next`, if it is known.
    position: Option<Position>,
    /// The transaction at `next`.
    peeked: Option<Arc<DecodedTransaction>>,
    /// `next`, for the meter of the store.
    #[cfg(feature = "tracing")]
    metered: Arc<std::sync::atomic::AtomicU64>,
}

/// What a feed has of the next transaction in memory.
#[cfg(feature = "async")]
pub(crate) enum Kept {
    Transaction(Arc<DecodedTransaction>),
    /// It must be read from the log.
    InLog,
    /// It is not durable yet. The task is woken when it is.
    Waits,
    /// There is none, since the store was dropped.
    Ended,
}

impl Drop for FeedReader {
    fn drop(&mut self) {
        lock(&self.feed.published).subscriptions -= 1;
    }
}

impl FeedReader {
    /// Returns a reader from frame `from` on, which is in the log or is the next one to be written. `before` is the
    /// position of the frame before it.
    pub(super) fn new(feed: &Arc<Feed>, from: Seq, before: Option<Position>) -> Self {
        lock(&feed.published).subscriptions += 1;
        // The log of a store that began at a snapshot begins there.
        let base = feed.begin.base.as_ref();
        let beginning = base.map_or(Seq::ZERO, |base| base.at.next());
        let reader = Self {
            feed: Arc::clone(feed),
            next: from.max(beginning),
            log: LogReader::clone(&feed.log),
            log_frames: None,
            position: before,
            peeked: None,
            #[cfg(feature = "tracing")]
            metered: Arc::default(),
        };
        reader.meter();
        #[cfg(feature = "tracing")]
        feed.meter.add_reader(&reader.metered);
        reader
    }

    /// Lets the meter of the store know how far this has read.
    fn meter(&self) {
        #[cfg(feature = "tracing")]
        (self.metered).store(self.next.get(), std::sync::atomic::Ordering::Relaxed);
    }

    pub(crate) fn next(&self) -> Seq {
        self.next
    }

    pub(crate) fn position(&self) -> Option<Position> {
        self.position
    }

    pub(crate) fn plan(&self) -> &Arc<Plan> {
        self.feed.plan()
    }

    /// Returns the schemas of the log up to the last frame that is published.
    pub(crate) fn epochs(&self) -> Arc<Epochs> {
        Arc::clone(&lock(&self.feed.published).epochs)
    }

    /// Returns the number of frames that are published and not read yet.
    pub(crate) fn lag(&self) -> u64 {
        let next = lock(&self.feed.published).next;
        next.frames_since(self.next).unwrap_or(0)
    }

    /// Makes a frame durable, and stores it as the one that the subscription `name` has acknowledged.
    pub(crate) fn acknowledge(&self, name: &str, frame: FrameRef) -> Result<(), ReadError> {
        self.feed.acknowledge(name, frame, self.position)
    }

    /// As [`Feed::sync_to`].
    pub(crate) fn sync_to(&self, seq: Seq) -> Result<(), StorageError> {
        self.feed.sync_to(seq)
    }

    /// Moves on to the next frame.
    pub(crate) fn advance(&mut self) {
        if let Some(peeked) = self.peeked.take() {
            self.position = peeked.position;
        }
        self.next += 1;
        self.meter();
    }

    /// Moves back to a frame that was delivered before.
    #[cfg(feature = "sqlite")]
    pub(crate) fn go_back(&mut self, to: Seq) {
        self.peeked = None;
        self.log_frames = None;
        self.next = to;
        self.meter();
    }

    /// Returns the next transaction. Returns `None` if no transaction was committed in time, or if the store was
    /// dropped.
    pub(crate) fn peek(
        &mut self,
        wait: Wait,
    ) -> Result<Option<Arc<DecodedTransaction>>, StorageError> {
        while self.peeked.is_none() {
            let Some(frame) = self.frame(wait)? else {
                return Ok(None);
            };
            self.decode(&frame)?;
        }
        Ok(self.peeked.clone())
    }

    /// Decodes the frame at `next`, or passes over it if it is no transaction.
    fn decode(&mut self, frame: &Frame) -> Result<(), StorageError> {
        if !frame.header.kind.has_facts() {
            self.position = Some(frame.position);
            self.advance();
            return Ok(());
        }
        let epochs = self.epochs();
        let mut transaction = DecodedTransaction::read(frame, &epochs, self.feed.plan())
            .map_err(|e| self.place(e))?;
        transaction.origin.or_of_feed(&self.feed);
        self.peeked = Some(Arc::new(transaction));
        Ok(())
    }

    /// Returns the next transaction if it is in memory and durable. It neither reads nor syncs the log.
    #[cfg(feature = "async")]
    pub(crate) fn peek_kept(
        &mut self,
        stream: &StreamWaker,
        waker: &std::task::Waker,
    ) -> Result<Kept, StorageError> {
        loop {
            if let Some(peeked) = &self.peeked {
                return Ok(Kept::Transaction(Arc::clone(peeked)));
            }
            let next = self.next;
            let found = stream.look_or_wait(next, waker, |published| {
                if published.next <= next {
                    return published.closed.then_some(Err(Kept::Ended));
                }
                if !self.feed.acknowledged.has(next) {
                    return None;
                }
                let kept = published.get(next);
                Some(kept.map(Arc::clone).ok_or(Kept::InLog))
            })?;
            match found {
                Some(Ok(frame)) => {
                    self.log_frames = None;
                    self.decode(&frame)?;
                }
                Some(Err(other)) => return Ok(other),
                None => return Ok(Kept::Waits),
            }
        }
    }

    /// Returns a registration of the wakers of a stream that reads the same feed.
    ///
    /// # Errors
    /// If the operating system cannot start the thread that wakes streams.
    #[cfg(feature = "async")]
    pub(crate) fn stream_waker(&self) -> Result<StreamWaker, StorageError> {
        StreamWaker::new(&self.feed)
    }

    /// Adds the file and the offset of the frame to an error that has only a sequence number.
    #[cold]
    pub(crate) fn place(&mut self, error: StorageError) -> StorageError {
        self.log_frames = None;
        self.feed.place_in(&mut self.log, error)
    }

    /// Returns the frame at `next` as soon as it is published and durable; `None` if the wait ended before that.
    fn frame(&mut self, wait: Wait) -> Result<Option<Arc<Frame>>, StorageError> {
        let Some(published) = self.feed.wait_for(self.next, wait) else {
            return Ok(None);
        };
        let kept = published.get(self.next).map(Arc::clone);
        drop(published);
        if !self.feed.acknowledged.has(self.next) {
            if matches!(wait, Wait::Never) {
                return Ok(None);
            }
            self.feed.acknowledged.wait(self.next)?;
        }
        if let Some(frame) = kept {
            self.log_frames = None;
            return Ok(Some(frame));
        }
        self.frame_of_log().map(Some)
    }

    /// Returns the frame at `next` from the log. The reader of the log is brought up to date only if it does not have
    /// that frame yet.
    fn frame_of_log(&mut self) -> Result<Arc<Frame>, StorageError> {
        for fresh in [false, true] {
            if fresh {
                self.feed.refresh(&mut self.log)?;
                self.log_frames = None;
            }
            let frames = match &mut self.log_frames {
                Some(frames) => frames,
                None => {
                    #[cfg(feature = "tracing")]
                    tracing::debug!(
                        target: "ironweave::subscribe", lag = self.lag(), "a subscription reads frames that are only in the log"
                    );
                    self.log_frames.insert(self.log.frames(self.next)?)
                }
            };
            match frames.next() {
                Some(Ok(frame)) if frame.header.seq == self.next => return Ok(Arc::new(frame)),
                Some(Err(e)) => {
                    self.log_frames = None;
                    return Err(e);
                }
                _ => {}
            }
        }
        Err(lost_frame(self.next))
    }
}

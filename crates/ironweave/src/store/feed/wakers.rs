//! Async tasks that wait for frames of a [`Feed`].
//!
//! A task registers its waker with the frame that it waits for. A commit wakes no task: it only notifies the thread of this
//! module, as it does any thread that waits for a frame. That thread waits until the frames are durable, and then wakes the
//! tasks, so a commit costs the same for one task as for thousands. The thread exists while there is a stream, one for all
//! streams of a store.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Waker;
use std::thread;

use crate::base::notifier::Wait;
use crate::base::position::Seq;
use crate::base::signal::wake;
use crate::base::storage_error::StorageError;
use crate::base::workers::Workers;
use crate::store::feed::{Feed, Published, lock};

/// The tasks that wait for frames of a feed, and the streams that they poll.
#[derive(Default)]
pub(super) struct Waiting {
    /// The waker of each waiting stream, with the frame that it waits for.
    wakers: BTreeMap<u64, (Seq, Waker)>,
    streams: usize,
    /// The number of the next stream.
    next_stream: u64,
    /// Whether the thread exists.
    wakes: bool,
    /// The failed sync, after which no more frames become durable.
    failed: Option<StorageError>,
}

/// A stream as a feed sees it. Dropping it removes its waker.
pub(crate) struct StreamWaker {
    feed: Arc<Feed>,
    stream: u64,
}

impl StreamWaker {
    /// Starts the thread of the feed if there is none.
    pub(super) fn new(feed: &Arc<Feed>) -> Result<Self, StorageError> {
        let stream = {
            let waiting = &mut lock(&feed.published).waiting;
            waiting.streams += 1;
            waiting.next_stream += 1;
            waiting.next_stream
        };
        let waker = Self {
            feed: Arc::clone(feed),
            stream,
        };
        waker.ensure_thread()?;
        Ok(waker)
    }

    /// Starts the thread of the feed if there is none. If it cannot be started, every stream is woken, and tries again.
    fn ensure_thread(&self) -> Result<(), StorageError> {
        if std::mem::replace(&mut lock(&self.feed.published).waiting.wakes, true) {
            return Ok(());
        }
        let feed = Arc::clone(&self.feed);
        let thread = thread::Builder::new().name("ironweave-wake".to_owned());
        let Err(e) = thread.spawn(move || feed.wake_streams()) else {
            return Ok(());
        };
        let mut state = lock(&self.feed.published);
        state.waiting.wakes = false;
        let wakers = std::mem::take(&mut state.waiting.wakers);
        drop(state);
        wakers.into_values().for_each(|(_, waker)| wake(waker));
        Err(StorageError::no_thread("the thread that wakes streams", e))
    }

    /// Returns the feed.
    pub(crate) fn feed(&self) -> &Arc<Feed> {
        &self.feed
    }

    /// Returns the threads that read the log for streams that are far behind.
    pub(crate) fn log_readers(&self) -> &Arc<Workers> {
        &self.feed.log_readers
    }

    /// Looks at what was published, and registers a waker for a frame unless `look` returns something. The error is that of a
    /// failed sync, after which no more frames become durable.
    pub(super) fn look_or_wait<R>(
        &self,
        seq: Seq,
        waker: &Waker,
        look: impl Fn(&Published) -> Option<R>,
    ) -> Result<Option<R>, StorageError> {
        // The code of an executor, which wakers run, does not run under the lock: it could drop a stream.
        let mut cloned = None;
        loop {
            let mut state = lock(&self.feed.published);
            if let Some(found) = look(&state) {
                return Ok(Some(found));
            }
            let is_published = state.next > seq;
            let waiting = &mut state.waiting;
            if let Some(failed) = waiting.failed.as_ref().filter(|_| is_published) {
                return Err(StorageError::stopped(&failed.to_string()));
            }
            let replaced = match (waiting.wakers.get_mut(&self.stream), cloned.take()) {
                (Some((waits_for, known)), _) if known.will_wake(waker) => {
                    *waits_for = seq;
                    None
                }
                (_, Some(cloned)) => waiting.wakers.insert(self.stream, (seq, cloned)),
                (_, None) => {
                    drop(state);
                    cloned = Some(waker.clone());
                    continue;
                }
            };
            if is_published {
                // The frame is not durable yet. The thread may have found no task that waits for it.
                self.feed.notifier.notify(&state);
            }
            drop(state);
            drop(replaced);
            self.ensure_thread()?;
            return Ok(None);
        }
    }
}

impl Drop for StreamWaker {
    fn drop(&mut self) {
        let mut state = lock(&self.feed.published);
        let waker = state.waiting.wakers.remove(&self.stream);
        state.waiting.streams -= 1;
        if state.waiting.streams == 0 {
            self.feed.notifier.notify(&state);
        }
        drop(state);
        drop(waker);
    }
}

impl Feed {
    /// Wakes the streams whose frames are durable, until there is no stream or the store was dropped.
    fn wake_streams(&self) {
        loop {
            let is_due = |state: &Published| {
                let mut wakers = state.waiting.wakers.values();
                let due = wakers.any(|(seq, _)| *seq < state.next);
                (due || state.closed || state.waiting.streams == 0).then_some(true)
            };
            let state = lock(&self.published);
            let Some(mut state) = self.notifier.wait_until(state, Wait::Unlimited, is_due) else {
                return;
            };
            if state.waiting.streams == 0 {
                state.waiting.wakes = false;
                return;
            }
            let (next, closed) = (state.next, state.closed);
            drop(state);
            let waited = match next.checked_sub(1) {
                Some(last) => self.acknowledged.wait(last),
                None => Ok(()),
            };
            let mut state = lock(&self.published);
            let waiting = &mut state.waiting;
            waiting.failed = waited.err();
            // A store that was dropped publishes no more frames, so no stream waits for one after this.
            waiting.wakes = !closed;
            let wakers = std::mem::take(&mut waiting.wakers).into_iter();
            let (due, rest) = wakers.partition(|(_, (seq, _))| closed || *seq < next);
            waiting.wakers = rest;
            drop(state);
            let due: BTreeMap<u64, (Seq, Waker)> = due;
            due.into_values().for_each(|(_, waker)| wake(waker));
            if closed {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::store::Store;

    #[crate::model]
    #[allow(dead_code, missing_docs)]
    mod things {
        use crate::prelude::*;

        #[entity]
        pub struct Thing {
            pub name: u64,
        }

        #[event]
        #[create(thing: Thing { name })]
        pub struct Added {
            pub name: u64,
        }
    }

    #[derive(Default)]
    struct Counted(AtomicUsize);

    impl Wake for Counted {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Waits until something holds. The wait is limited, so that a failing test ends.
    fn until(holds: impl Fn() -> bool) {
        let began = Instant::now();
        while !holds() {
            assert!(began.elapsed() < Duration::from_secs(60), "it never holds");
            thread::yield_now();
        }
    }

    fn wait(stream: &StreamWaker, seq: Seq, woken: &Arc<Counted>) {
        let waker = Waker::from(Arc::clone(woken));
        let found = stream.look_or_wait(seq, &waker, |_| None::<()>);
        assert_eq!(found.expect("no sync has failed"), None);
    }

    #[test]
    fn a_stream_that_is_dropped_leaves_no_waker_and_the_last_one_no_thread() {
        let mut store = Store::<things::Model>::memory();
        let feed = Arc::clone(Feed::of(&store).expect("it has a log"));
        let woken = [(); 3].map(|()| Arc::new(Counted::default()));
        let stream = || StreamWaker::new(&feed).expect("a thread starts");
        let (first, second) = (stream(), stream());
        let next = store.seq().map_or(Seq::ZERO, |seq| seq + 1);
        wait(&first, next, &woken[0]);
        wait(&second, next, &woken[1]);
        drop(first);
        assert_eq!(Arc::strong_count(&woken[0]), 1);
        // The other stream is woken.
        store.step(things::Added { name: 1 });
        until(|| woken[1].0.load(Ordering::SeqCst) == 1);
        assert_eq!(woken[0].0.load(Ordering::SeqCst), 0);
        drop(second);
        until(|| !lock(&feed.published).waiting.wakes);
        until(|| Arc::strong_count(&feed) == 2);
        // A later stream has a thread again.
        let third = stream();
        wait(&third, next + 1, &woken[2]);
        store.step(things::Added { name: 2 });
        until(|| woken[2].0.load(Ordering::SeqCst) == 1);
    }
}

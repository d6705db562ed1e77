//! Subscriptions as async streams, for any runtime; behind the feature `stream`.
//!
//! A subscription waits in a thread of its own, since the log and its syncs do not support wakers. The stream reads from a
//! bounded queue that the thread fills.

use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;

use futures_core::Stream;

use crate::base::storage_error::{StorageError, StorageFailure};
use crate::step::model::Model;
use crate::store::record::Record;
use crate::subscribe::Subscription;

/// The maximum number of records in the queue. A subscription whose stream is read slowly waits, and later reads the log.
const WAITING_MAX: usize = 64;

/// The records of a [`Subscription`] as an async stream, in order, each once. It ends when the store was dropped and all
/// records were delivered. After an error, the next item tries the same transaction again. If user code panics when a transaction is
/// read, the panic continues in the task that polls the stream, and the stream ends.
///
/// ```
/// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
/// use futures_core::Stream;
/// use ironweave::prelude::*;
///
/// fn watch(store: &Store<lamps::Model>) -> Result<impl Stream + Send + use<>, ReadError> {
///     Ok(store.subscribe(0)?.event::<lamps::Lit>().into_stream()?)
/// }
/// # watch(&Store::memory())?;
/// # Ok::<(), ReadError>(())
/// ```
pub struct SubscriptionStream<M: Model> {
    queue: Arc<Queue<M>>,
}

impl<M: Model> fmt::Debug for SubscriptionStream<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SubscriptionStream<{}>", M::NAME)
    }
}

struct Queue<M: Model> {
    state: Mutex<State<M>>,
    /// A record was taken, or the stream was dropped.
    room: Condvar,
}

struct State<M: Model> {
    records: VecDeque<Result<Record<M>, StorageError>>,
    waker: Option<Waker>,
    /// No more records will come.
    ended: bool,
    /// The panic of user code that ended the thread.
    panic: Option<Box<dyn Any + Send>>,
    /// The stream was dropped.
    dropped: bool,
}

impl<M: Model> Queue<M> {
    // No code under the lock panics.
    fn lock(&self) -> MutexGuard<'_, State<M>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a record once there is room. Returns whether the stream still exists.
    fn push(&self, record: Result<Record<M>, StorageError>) -> bool {
        let mut state = self.lock();
        while state.records.len() >= WAITING_MAX && !state.dropped {
            state = self
                .room
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.records.push_back(record);
        let (waker, dropped) = (state.waker.take(), state.dropped);
        drop(state);
        waker.into_iter().for_each(Waker::wake);
        !dropped
    }

    /// Ends the stream, with a panic if there was one.
    fn end(&self, ended: thread::Result<()>) {
        let mut state = self.lock();
        state.ended = true;
        state.panic = ended.err();
        let waker = state.waker.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
    }
}

impl<M: Model> Subscription<M> {
    /// Returns the subscription as an async stream, for any runtime. It starts a thread, which ends when the store was dropped,
    /// or at the first transaction after the stream was dropped.
    ///
    /// # Errors
    /// If the operating system cannot start a thread.
    pub fn into_stream(self) -> Result<SubscriptionStream<M>, StorageError> {
        let queue = Arc::new(Queue {
            state: Mutex::new(State {
                records: VecDeque::new(),
                waker: None,
                ended: false,
                panic: None,
                dropped: false,
            }),
            room: Condvar::new(),
        });
        let to = Arc::clone(&queue);
        let thread = thread::Builder::new().name("subscription".to_owned());
        let started = thread.spawn(move || {
            let deliver = || {
                let mut records = self;
                records.all(|record| to.push(record));
            };
            to.end(catch_unwind(AssertUnwindSafe(deliver)));
        });
        match started {
            Ok(_) => Ok(SubscriptionStream { queue }),
            Err(e) => Err(StorageError::new(
                StorageFailure::Io,
                format!("the thread of a subscription cannot be started: {e}"),
            )
            .with_source(e)),
        }
    }
}

impl<M: Model> Stream for SubscriptionStream<M> {
    type Item = Result<Record<M>, StorageError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut state = self.queue.lock();
        match state.records.pop_front() {
            Some(record) => {
                drop(state);
                self.queue.room.notify_one();
                Poll::Ready(Some(record))
            }
            None if state.ended => {
                let panic = state.panic.take();
                // A panic under the lock would poison it.
                drop(state);
                match panic {
                    Some(panic) => resume_unwind(panic),
                    None => Poll::Ready(None),
                }
            }
            None => {
                state.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl<M: Model> Drop for SubscriptionStream<M> {
    fn drop(&mut self) {
        self.queue.lock().dropped = true;
        self.queue.room.notify_one();
    }
}

//! Subscriptions as async streams, for any executor; behind the feature `async`.
//!
//! 1. A task that polls a stream takes transactions that the feed has in memory, and decodes them itself.
//! 2. If the next transaction is not durable yet, the task is woken when it is, by the thread of the feed.
//! 3. If the stream is so far behind that it must read the log, it lends its subscription to a thread that reads a piece of the
//!    log. There is one such thread for all streams of a store, and only while there is something to read.
//!
//! So no stream has a thread of its own, and dropping it ends it at once, except for a piece of the log that is being read.

use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_core::Stream;

use crate::base::error::ReadError;
use crate::base::notifier::Wait;
use crate::base::position::FrameRef;
use crate::base::signal::Signal;
use crate::base::storage_error::StorageError;
use crate::step::model::Model;
use crate::store::feed::{Kept, StreamWaker};
use crate::store::record::Record;
use crate::subscribe::Subscription;

/// The number of records in a piece of the log at most.
const PIECE_RECORDS_MAX: usize = 64;
/// The number of transactions that are looked at for a piece, and in one poll, at most. A filter may accept none of them.
const PIECE_TRANSACTIONS_MAX: usize = 512;

/// The records of a [`Subscription`] as an async stream, in order, each once. It ends when the store was dropped and all
/// records were delivered. After an error, the next item tries the same transaction again. If user code panics when a
/// transaction is read, the panic continues in the task that polls the stream, and the stream ends.
///
/// A stream that is read slowly never blocks the writer: it later reads the log, on a thread that all streams of the store share.
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
    /// Records that were read from the log.
    records: VecDeque<Result<Record<M>, StorageError>>,
    state: State<M>,
    waker: StreamWaker,
    /// The name of its cursor.
    name: Option<String>,
}

impl<M: Model> fmt::Debug for SubscriptionStream<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SubscriptionStream<{}>", M::NAME)
    }
}

enum State<M: Model> {
    Here(Box<Subscription<M>>),
    /// A thread reads the log.
    Lent(Arc<Lent<M>>),
    /// The thread that read the log panicked, after the records that it has read.
    Panicked(Box<dyn Any + Send>),
    Ended,
}

/// A subscription while a thread reads the log with it.
struct Lent<M: Model> {
    /// The subscription before the thread begins.
    subscription: Mutex<Option<Box<Subscription<M>>>>,
    piece: Mutex<Option<Piece<M>>>,
    is_read: Signal,
    /// The stream was dropped.
    dropped: AtomicBool,
}

struct Piece<M: Model> {
    records: VecDeque<Result<Record<M>, StorageError>>,
    then: State<M>,
}

/// What one poll finds in memory.
enum Polled<M: Model> {
    Record(Record<M>),
    InLog,
    Waits,
    Ended,
    /// The filter has accepted none of many transactions.
    Filtered,
}

// No other code runs under these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<M: Model> Subscription<M> {
    /// Returns the subscription as an async stream, for any executor. The first stream of a store starts a thread, which wakes
    /// all streams of the store and ends with the last of them.
    ///
    /// # Errors
    /// If the operating system cannot start a thread.
    pub fn into_stream(self) -> Result<SubscriptionStream<M>, StorageError> {
        Ok(SubscriptionStream {
            records: VecDeque::new(),
            waker: self.reader.stream_waker()?,
            name: self.name.clone(),
            state: State::Here(Box::new(self)),
        })
    }

    /// Returns the next record if it is in memory.
    fn poll_memory(
        &mut self,
        stream: &StreamWaker,
        waker: &Waker,
    ) -> Result<Polled<M>, StorageError> {
        for _ in 0..PIECE_TRANSACTIONS_MAX {
            let transaction = match self.reader.peek_kept(stream, waker)? {
                Kept::Transaction(transaction) => transaction,
                Kept::InLog => return Ok(Polled::InLog),
                Kept::Waits => return Ok(Polled::Waits),
                Kept::Ended => return Ok(Polled::Ended),
            };
            if let Some(record) = self.deliver(transaction)? {
                return Ok(Polled::Record(record));
            }
        }
        Ok(Polled::Filtered)
    }

    /// Reads records until there are enough of them, or `ends`.
    fn read_piece(
        &mut self,
        records: &mut VecDeque<Result<Record<M>, StorageError>>,
        ends: impl Fn() -> bool,
    ) {
        for _ in 0..PIECE_TRANSACTIONS_MAX {
            if records.len() >= PIECE_RECORDS_MAX || ends() {
                return;
            }
            let record = match self.reader.peek(Wait::Never) {
                Ok(None) => return,
                Ok(Some(transaction)) => self.deliver(transaction).transpose(),
                Err(e) => Some(Err(e)),
            };
            let failed = matches!(record, Some(Err(_)));
            records.extend(record);
            if failed {
                return;
            }
        }
    }
}

fn no_thread(e: std::io::Error) -> StorageError {
    StorageError::no_thread("the thread that reads the log", e)
}

impl<M: Model> Lent<M> {
    /// Reads a piece of the log.
    fn read(&self) {
        let Some(mut subscription) = lock(&self.subscription).take() else {
            return;
        };
        let mut records = VecDeque::new();
        let dropped = || self.dropped.load(Ordering::Relaxed);
        let read = || subscription.read_piece(&mut records, dropped);
        let then = match catch_unwind(AssertUnwindSafe(read)) {
            Ok(()) => State::Here(subscription),
            Err(panic) => State::Panicked(panic),
        };
        let piece = Piece { records, then };
        if !dropped() {
            *lock(&self.piece) = Some(piece);
        }
        self.is_read.set();
    }
}

impl<M: Model> SubscriptionStream<M> {
    /// As [`Subscription::acknowledge`], without blocking the task: the syncs happen on the thread that all streams of the store
    /// share, in the order in which the futures are first polled. From then on, dropping the future cancels nothing.
    ///
    /// # Errors
    /// As [`Subscription::acknowledge`]; if the operating system cannot start a thread.
    pub fn acknowledge<F: Into<FrameRef>>(
        &self,
        frame: F,
    ) -> impl Future<Output = Result<(), ReadError>> + Send + use<M, F> {
        let frame = frame.into();
        let (name, feed) = (self.name.clone(), Arc::clone(self.waker.feed()));
        let workers = Arc::clone(self.waker.log_readers());
        async move {
            let name = name.ok_or(ReadError::Unnamed)?;
            let called = workers.call(move || feed.acknowledge(&name, frame, None));
            called.await.map_err(no_thread)?
        }
    }

    /// Lets a thread read a piece of the log.
    fn lend(&mut self, subscription: Box<Subscription<M>>) -> Result<(), StorageError> {
        let lent = Arc::new(Lent {
            subscription: Mutex::new(Some(subscription)),
            piece: Mutex::new(None),
            is_read: Signal::default(),
            dropped: AtomicBool::new(false),
        });
        let of_thread = Arc::clone(&lent);
        let started = (self.waker.log_readers()).run(move || of_thread.read());
        if let Err(e) = started {
            if let Some(subscription) = lock(&lent.subscription).take() {
                self.state = State::Here(subscription);
            }
            return Err(no_thread(e));
        }
        self.state = State::Lent(lent);
        Ok(())
    }
}

impl<M: Model> Stream for SubscriptionStream<M> {
    type Item = Result<Record<M>, StorageError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if let Some(record) = this.records.pop_front() {
                return Poll::Ready(Some(record));
            }
            // The stream has ended unless it gets another state below.
            match std::mem::replace(&mut this.state, State::Ended) {
                State::Here(mut subscription) => {
                    // A panic ends the stream, and continues in the task.
                    let polled = subscription.poll_memory(&this.waker, context.waker());
                    match polled {
                        Ok(Polled::InLog) => {
                            if let Err(e) = this.lend(subscription) {
                                return Poll::Ready(Some(Err(e)));
                            }
                            continue;
                        }
                        Ok(Polled::Ended) => return Poll::Ready(None),
                        _ => this.state = State::Here(subscription),
                    }
                    return match polled {
                        Ok(Polled::Record(record)) => Poll::Ready(Some(Ok(record))),
                        Err(e) => Poll::Ready(Some(Err(e))),
                        Ok(Polled::Filtered) => {
                            context.waker().wake_by_ref();
                            Poll::Pending
                        }
                        Ok(_) => Poll::Pending,
                    };
                }
                State::Lent(lent) => {
                    if lent.is_read.poll(context).is_pending() {
                        this.state = State::Lent(lent);
                        return Poll::Pending;
                    }
                    if let Some(piece) = lock(&lent.piece).take() {
                        (this.records, this.state) = (piece.records, piece.then);
                    }
                }
                State::Panicked(panic) => resume_unwind(panic),
                State::Ended => return Poll::Ready(None),
            }
        }
    }
}

impl<M: Model> Drop for SubscriptionStream<M> {
    fn drop(&mut self) {
        if let State::Lent(lent) = &self.state {
            lent.dropped.store(true, Ordering::Relaxed);
            drop(lock(&lent.subscription).take());
            drop(lock(&lent.piece).take());
        }
    }
}

//! The async front of a store: [`AsyncStore`], behind the feature `async`. It works under any executor, since its futures are
//! woken by a thread of the store. `writer.rs` has that thread.

mod due;
mod writer;

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use crate::asynchronous::writer::{Executed, Front};
use crate::base::error::{ReadError, StepError};
use crate::base::meta::Meta;
use crate::base::position::{FrameRef, Position, Seq};
use crate::base::storage_error::StorageError;
use crate::snapshot::{Snapshot, StoreReader};
use crate::step::event::{Event, Receipt};
use crate::step::model::Model;
use crate::store::share::queue::{Call, Slot};
use crate::store::share::{shown, stopped};
use crate::store::{AnyReceipt, Checkpoint, Committed, SharedStore, Store, Transaction};
use crate::subscribe::Subscription;

/// A handle on a store for async code, returned by [`SharedStore::into_async`]. A clone is another handle on the same store.
///
/// The methods return futures that never block the thread that polls them, under any executor. One thread of the store executes
/// what tasks submit, in the order of submission. It writes and syncs everything together that was submitted during the previous
/// sync, so that many tasks share few syncs, and no task needs a thread.
///
/// | what | how |
/// |---|---|
/// | one event | [`step`](AsyncStore::step), [`step_with`](AsyncStore::step_with), [`step_any_with`](AsyncStore::step_any_with) |
/// | several events, atomically | [`transaction`](AsyncStore::transaction), [`transaction_with`](AsyncStore::transaction_with) |
/// | the graph as it is now | [`snapshot`](AsyncStore::snapshot), [`read`](AsyncStore::read) |
/// | the graph as it would be | [`what_if`](AsyncStore::what_if) |
/// | the past | [`read_log`](AsyncStore::read_log) |
/// | transactions as they commit | [`subscribe`](AsyncStore::subscribe), [`subscribe_since`](AsyncStore::subscribe_since), [`subscribe_after`](AsyncStore::subscribe_after), [`subscribe_as`](AsyncStore::subscribe_as), with [`Subscription::into_stream`] |
/// | deadlines | [`due`](AsyncStore::due), [`next_due`](AsyncStore::next_due), [`fire_due`](AsyncStore::fire_due), [`fire_when_due`](AsyncStore::fire_when_due) |
/// | the end | [`close`](AsyncStore::close) |
///
/// - A future submits its work when it is first polled or, if the queue is full, when there is room. From then on, dropping the
///   future cancels nothing: the event fires and is durable, and only its result is lost. A caller that gives up after a timeout should repeat the request under the same
///   [idempotency key](Meta::with_idempotency_key).
/// - Events that are submitted one after the other fire in that order, each in a transaction of its own.
/// - A rejection is the result of its own event, and so is a panic of user code, which continues in the task that awaits the
///   future. Neither affects other events.
/// - A result is returned when all transactions that it depends on are durable in the sense of the store's
///   [`Durability`](crate::Durability).
/// - If 65,536 events and calls are waiting, further futures wait for room before they submit theirs.
///
/// Closures run on the thread of the store, one after the other, so they should be short. They cannot await, so a transaction is
/// never open across an `.await`. A closure that waits for another call, with the `block_on` of an executor, would wait for itself;
/// the other call panics.
///
/// When the last handle is dropped, the thread executes everything that was submitted, closes the store and ends.
/// [`close`](AsyncStore::close) also waits for that and returns the error.
///
/// ```
/// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
/// use ironweave::prelude::*;
/// use lamps::{Bought, Lamp};
///
/// # fn block_on<F: Future>(future: F) -> F::Output {
/// #     tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
/// # }
/// # fn main() -> Result<(), StepError> {
/// # block_on(async {
/// let store = Store::<lamps::Model>::memory().share().into_async()?;
/// let hall = store.step(Bought { room: "hall".into() }).await?.created.lamp;
/// let again = store.step(Bought { room: "hall".into() }).await;
/// assert!(again.is_err_and(|e| e.is_rejection()));
///
/// let (attic, _) = store
///     .transaction(|t| t.apply(Bought { room: "attic".into() }).map(|bought| bought.created.lamp))
///     .await?;
/// let now = store.snapshot().await?;
/// assert_eq!((hall.room(&now), attic.room(&now)), ("hall", "attic"));
/// store.close().await?;
/// # Ok(())
/// # })
/// # }
/// ```
pub struct AsyncStore<M: Model> {
    handle: Arc<Handle<M>>,
}

/// What all handles on an async store share. Dropping it ends the thread.
struct Handle<M: Model>(Arc<Front<M>>);

impl<M: Model> Drop for Handle<M> {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl<M: Model> Clone for AsyncStore<M> {
    fn clone(&self) -> Self {
        Self {
            handle: Arc::clone(&self.handle),
        }
    }
}

impl<M: Model> fmt::Debug for AsyncStore<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AsyncStore<{}>", M::NAME)
    }
}

impl<M: Model> SharedStore<M> {
    /// Returns the store as one for async code, and starts its thread. Threads that have other handles can go on using them.
    ///
    /// # Errors
    /// If the operating system cannot start a thread.
    pub fn into_async(self) -> Result<AsyncStore<M>, StorageError> {
        let handle = Arc::new(Handle(Front::start(self)?));
        Ok(AsyncStore { handle })
    }
}

impl<M: Model> AsyncStore<M> {
    /// Fires an event in a transaction of its own. Returns when it is durable.
    ///
    /// # Errors
    /// As [`SharedStore::try_step`]; `Storage` with [`is_closed`](StorageError::is_closed) if the store was closed before.
    pub fn step<E>(
        &self,
        event: E,
    ) -> impl Future<Output = Result<Receipt<E>, StepError>> + Send + use<M, E>
    where
        E: Event<Model = M, Bound: Send, Created: Send> + Send,
    {
        let executed = self.front().execute(Arc::new(Slot::new(event)));
        async move { step_result(executed.await?) }
    }

    /// As [`AsyncStore::step`], with metadata.
    ///
    /// # Errors
    /// As [`SharedStore::try_step_with`] and [`AsyncStore::step`].
    pub fn step_with<E>(
        &self,
        meta: Meta,
        event: E,
    ) -> impl Future<Output = Result<Receipt<E>, StepError>> + Send + use<M, E>
    where
        E: Event<Model = M, Bound: Send, Created: Send> + Send,
    {
        let executed = self.execute(|store| store.try_step_with(meta, event));
        async move { step_result(executed.await?) }
    }

    /// As [`AsyncStore::step_with`], for an event whose type is known only at runtime; see [`crate::AnyEvent`].
    ///
    /// # Errors
    /// As [`AsyncStore::step_with`].
    pub fn step_any_with(
        &self,
        meta: Meta,
        event: M::Event,
    ) -> impl Future<Output = Result<AnyReceipt, StepError>> + Send + use<M>
    where
        M::Event: Send,
    {
        let executed = self.execute(move |store| store.try_step_any_with(meta, &event));
        async move { step_result(executed.await?) }
    }

    /// As [`SharedStore::transaction`]. The closure runs on the thread of the store.
    ///
    /// # Errors
    /// As [`SharedStore::transaction`] and [`AsyncStore::step`].
    pub fn transaction<R, E, W>(
        &self,
        work: W,
    ) -> impl Future<Output = Result<(R, Committed), E>> + Send + use<M, R, E, W>
    where
        W: FnOnce(&mut Transaction<'_, M>) -> Result<R, E> + Send + 'static,
        R: Send + 'static,
        E: From<StepError> + Send + 'static,
    {
        self.transaction_with(Meta::default(), work)
    }

    /// As [`AsyncStore::transaction`], with metadata.
    ///
    /// # Errors
    /// As [`SharedStore::transaction_with`] and [`AsyncStore::step`].
    pub fn transaction_with<R, E, W>(
        &self,
        meta: Meta,
        work: W,
    ) -> impl Future<Output = Result<(R, Committed), E>> + Send + use<M, R, E, W>
    where
        W: FnOnce(&mut Transaction<'_, M>) -> Result<R, E> + Send + 'static,
        R: Send + 'static,
        E: From<StepError> + Send + 'static,
    {
        // The outer result has an error of the store, the inner one that of the closure.
        let executed = self.execute(move |store| -> Result<Result<_, E>, StepError> {
            let mut transaction = store.begin_with(meta)?;
            match work(&mut transaction) {
                Ok(result) => Ok(Ok((result, transaction.commit()?))),
                Err(e) => Ok(Err(e)),
            }
        });
        async move { step_result(executed.await.map_err(StepError::from)?)? }
    }

    /// As [`SharedStore::what_if`]. The closure runs on the thread of the store; [`Snapshot::with`] does the same in the task.
    ///
    /// # Errors
    /// As [`SharedStore::what_if`] and [`AsyncStore::step`].
    pub fn what_if<R, E, W>(
        &self,
        ask: W,
    ) -> impl Future<Output = Result<R, E>> + Send + use<M, R, E, W>
    where
        W: FnOnce(&mut Transaction<'_, M>) -> Result<R, E> + Send + 'static,
        R: Send + 'static,
        E: From<StepError> + Send + 'static,
    {
        let executed = self.execute(|store| store.what_if(ask));
        async move { read_result(executed.await).map_err(StepError::from)? }
    }

    /// As [`SharedStore::read`]. The closure runs on the thread of the store, after everything that was submitted before, which
    /// it sees. [`AsyncStore::snapshot`] returns a value that the task can read itself.
    ///
    /// # Errors
    /// As [`SharedStore::read`] and [`AsyncStore::step`].
    pub fn read<R, W>(
        &self,
        look: W,
    ) -> impl Future<Output = Result<R, StorageError>> + Send + use<M, R, W>
    where
        W: FnOnce(&Store<M>) -> R + Send + 'static,
        R: Send + 'static,
    {
        let executed = self.execute(|store| look(store));
        async move { read_result(executed.await) }
    }

    /// Returns a snapshot of the graph after the last durable transaction, which has all transactions whose futures have
    /// returned. It is taken in the task that polls, in O(facts since the last snapshot), by the [reader](AsyncStore::reader) of
    /// the store.
    ///
    /// # Errors
    /// As [`AsyncStore::reader`].
    pub fn snapshot(
        &self,
    ) -> impl Future<Output = Result<Snapshot<M>, StorageError>> + Send + use<M> {
        let reader = self.reader();
        async move { Ok(reader.await?.snapshot()) }
    }

    /// Returns the reader of the store. The first call of this method or of [`snapshot`](AsyncStore::snapshot) copies the
    /// graph, on the thread of the store. From then on, each commit queues its facts for that copy; see [`StoreReader`].
    ///
    /// Its methods [`snapshot`](StoreReader::snapshot) and [`seq`](StoreReader::seq) do not block. Those that read the log do:
    /// call them in [`read_log`](AsyncStore::read_log).
    ///
    /// # Errors
    /// As [`AsyncStore::read`]. If there was an earlier call, none, even after the store was closed.
    pub fn reader(
        &self,
    ) -> impl Future<Output = Result<StoreReader<M>, StorageError>> + Send + use<M> {
        let front = self.front();
        let created = front.reader.get().cloned();
        let executed = self.execute(|store| store.reader());
        async move {
            if let Some(reader) = created {
                return Ok(reader);
            }
            let reader = read_result(executed.await)?;
            Ok(front.reader.get_or_init(|| reader).clone())
        }
    }

    /// Runs a closure that reads the past through the [reader](AsyncStore::reader) of the store, on a thread that is started for
    /// it: [`StoreReader::as_of`], [`StoreReader::history`], [`StoreReader::since`]. At most four such threads exist at a time.
    /// They never block the writer.
    ///
    /// # Errors
    /// As [`AsyncStore::reader`]; if the operating system cannot start a thread.
    pub fn read_log<R, W>(
        &self,
        look: W,
    ) -> impl Future<Output = Result<R, StorageError>> + Send + use<M, R, W>
    where
        W: FnOnce(&StoreReader<M>) -> R + Send + 'static,
        R: Send + 'static,
    {
        let (front, reader) = (self.front(), self.reader());
        async move {
            let reader = reader.await?;
            front.run_blocking(move || look(&reader)).await
        }
    }

    /// As [`Store::position`]; returns when the frame is durable.
    ///
    /// # Errors
    /// As [`AsyncStore::read`].
    pub fn position(
        &self,
    ) -> impl Future<Output = Result<Option<Position>, StorageError>> + Send + use<M> {
        self.read(Store::position)
    }

    /// As [`SharedStore::subscribe`]. [`Subscription::into_stream`] makes an async stream of it, after its filters were set.
    ///
    /// # Errors
    /// As [`Store::subscribe`] and [`AsyncStore::read`].
    pub fn subscribe<F: Into<Seq>>(
        &self,
        from: F,
    ) -> impl Future<Output = Result<Subscription<M>, ReadError>> + Send + use<M, F> {
        let from = from.into();
        let subscribed = self.read(move |store| store.subscribe(from));
        async move { subscribed.await? }
    }

    /// As [`SharedStore::subscribe_since`]; see [`AsyncStore::subscribe`].
    ///
    /// # Errors
    /// As [`Store::subscribe_since`] and [`AsyncStore::read`].
    pub fn subscribe_since<F: Into<FrameRef>>(
        &self,
        frame: F,
    ) -> impl Future<Output = Result<Subscription<M>, ReadError>> + Send + use<M, F> {
        let frame = frame.into();
        let subscribed = self.read(move |store| store.subscribe_since(frame));
        async move { subscribed.await? }
    }

    /// As [`SharedStore::subscribe_after`]; see [`AsyncStore::subscribe`].
    ///
    /// # Errors
    /// As [`Store::subscribe_after`] and [`AsyncStore::read`].
    pub fn subscribe_after(
        &self,
        snapshot: Snapshot<M>,
    ) -> impl Future<Output = Result<Subscription<M>, ReadError>> + Send + use<M> {
        let subscribed = self.read(move |store| store.subscribe_after(snapshot));
        async move { subscribed.await? }
    }

    /// As [`SharedStore::subscribe_as`]; see [`AsyncStore::subscribe`]. The stream of the subscription has an
    /// [`acknowledge`](crate::SubscriptionStream::acknowledge) that does not block.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
    /// use std::future::poll_fn;
    /// use std::pin::pin;
    ///
    /// use futures_core::Stream;
    /// use ironweave::prelude::*;
    /// use lamps::Bought;
    ///
    /// # fn block_on<F: Future>(future: F) -> F::Output {
    /// #     tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    /// # }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # block_on(async {
    /// let store = Store::<lamps::Model>::memory().share().into_async()?;
    /// store.step(Bought { room: "hall".into() }).await?;
    /// store.step(Bought { room: "attic".into() }).await?;
    ///
    /// let mut mails = pin!(store.subscribe_as("mailer").await?.into_stream()?);
    /// let first = poll_fn(|cx| mails.as_mut().poll_next(cx)).await.expect("it is there")?;
    /// mails.acknowledge(first.seq()).await?;
    ///
    /// let again = store.subscribe_as("mailer").await?;
    /// assert_eq!(again.next_seq(), first.seq() + 1);
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Store::subscribe_as`] and [`AsyncStore::read`].
    pub fn subscribe_as<N: Into<String>>(
        &self,
        name: N,
    ) -> impl Future<Output = Result<Subscription<M>, ReadError>> + Send + use<M, N> {
        let name = name.into();
        let subscribed = self.read(move |store| store.subscribe_as(&name));
        async move { subscribed.await? }
    }

    /// Makes all committed transactions durable, independently of the store's [`Durability`](crate::Durability).
    ///
    /// # Errors
    /// As [`Store::sync`] and [`AsyncStore::step`].
    pub fn sync(&self) -> impl Future<Output = Result<(), StorageError>> + Send + use<M> {
        let executed = self.execute(Store::sync);
        async move { executed.await?.result }
    }

    /// As [`Store::checkpoint`], on the thread of the store, which executes nothing else meanwhile. The checkpoints that a store
    /// writes [by itself](crate::CheckpointPolicy) are written by another thread, and do not keep it from executing events.
    ///
    /// # Errors
    /// As [`Store::checkpoint`] and [`AsyncStore::step`].
    pub fn checkpoint(
        &self,
    ) -> impl Future<Output = Result<Checkpoint, StorageError>> + Send + use<M> {
        let executed = self.execute(Store::checkpoint);
        async move { executed.await?.result }
    }

    /// As [`Store::last_checkpoint`].
    ///
    /// # Errors
    /// As [`AsyncStore::read`].
    #[allow(clippy::type_complexity)] // the result of the store in that of the future
    pub fn last_checkpoint(
        &self,
    ) -> impl Future<Output = Result<Option<Result<Checkpoint, StorageError>>, StorageError>>
    + Send
    + use<M> {
        self.read(Store::last_checkpoint)
    }

    /// Executes everything that was submitted before, closes the store, and ends its thread. Later calls of all handles fail
    /// with [`is_closed`](StorageError::is_closed). Streams end after the last transaction. If there are other handles of the
    /// [`SharedStore`], the store stays open for them.
    ///
    /// # Errors
    /// As [`Store::close`].
    pub fn close(self) -> impl Future<Output = Result<(), StorageError>> + Send + use<M> {
        let closed = self.front().close();
        async move {
            let _store = self;
            closed.await
        }
    }

    fn front(&self) -> Arc<Front<M>> {
        Arc::clone(&self.handle.0)
    }

    /// Calls a closure with the store, on its thread.
    fn execute<R, W>(
        &self,
        call: W,
    ) -> impl Future<Output = Result<Executed<R>, StorageError>> + Send + use<M, R, W>
    where
        W: FnOnce(&mut Store<M>) -> R + Send + 'static,
        R: Send + 'static,
    {
        self.front().execute(Arc::new(Slot::new(Call(call))))
    }
}

/// Returns the result of a step once it may be shown.
fn step_result<R>(executed: Executed<Result<R, StepError>>) -> Result<R, StepError> {
    let Executed {
        result,
        wrote,
        waited,
    } = executed;
    shown(result, wrote, waited)
}

/// Returns the result of a read once it may be shown.
fn read_result<R>(executed: Result<Executed<R>, StorageError>) -> Result<R, StorageError> {
    let Executed { result, waited, .. } = executed?;
    waited.map_err(stopped)?;
    Ok(result)
}

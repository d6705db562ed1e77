//! Tasks that use an async store in ways that are mistakes, or that give up: nothing is lost that was submitted, no other
//! task waits, and no thread ends.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use futures_core::Stream;
use ironweave::AsyncStore;
use ironweave::prelude::*;
use tokio::runtime::Builder;

use crate::accounts::*;

fn run<F: Future>(future: F) -> F::Output {
    Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}

fn memory() -> AsyncStore<Model> {
    Store::memory().share().into_async().unwrap()
}

fn poll_once<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

fn numbered(number: u64) -> Opened {
    owner(number)
}

/// The message of a panic.
fn message(panic: tokio::task::JoinError) -> String {
    let panic = panic.into_panic();
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap()
}

#[test]
fn a_call_that_waits_for_another_call_panics_and_is_no_deadlock() {
    let store = memory();
    run(async {
        let inner = store.clone();
        let steps = tokio::spawn(store.read(move |_| run(inner.step(owner("Ada"))).map(drop)));
        let inner = store.clone();
        let reads = tokio::spawn(store.transaction(move |_| -> Result<_, StepError> {
            Ok(run(inner.snapshot())?.count::<Account, Any>())
        }));
        let inner = store.clone();
        let closes = tokio::spawn(store.read(move |_| run(inner.close()).map(drop)));
        for panic in [
            steps.await.map(drop),
            reads.await.map(drop),
            closes.await.map(drop),
        ] {
            let text = message(panic.unwrap_err());
            assert!(text.contains("would be a deadlock"), "{text}");
        }
        // Creating a future in a closure is no mistake.
        let inner = store.clone();
        let step = store
            .read(move |_| inner.step(owner("Grace")))
            .await
            .unwrap();
        assert_eq!(step.await.unwrap().seq, 1);
        store.close().await.unwrap();
    });
}

/// A value whose destructor panics.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("in a destructor");
    }
}

#[test]
fn what_was_submitted_fires_without_a_task_that_awaits_it() {
    let store = memory();
    run(async {
        let (release, released) = mpsc::channel::<()>();
        // The wait is limited, so that a failing test ends.
        let limit = Duration::from_secs(60);
        let mut hold = Box::pin(store.read(move |_| released.recv_timeout(limit).is_ok()));
        assert!(poll_once(hold.as_mut()).is_pending());
        for number in 0..100 {
            let mut polled = Box::pin(store.step(numbered(number)));
            assert!(poll_once(polled.as_mut()).is_pending());
            // Never polled, and so never submitted.
            drop(store.step(numbered(1_000 + number)));
        }
        let mut panics = Box::pin(store.read(|_| Bomb));
        assert!(poll_once(panics.as_mut()).is_pending());
        drop(panics);
        let after = tokio::spawn(store.step(owner("Ada")));
        tokio::task::yield_now().await;
        release.send(()).unwrap();
        assert!(hold.await.unwrap());
        assert_eq!(after.await.unwrap().unwrap().seq, 101);
        let now = store.snapshot().await.unwrap();
        assert_eq!(now.count::<Account, Any>(), 101);
        store.close().await.unwrap();
    });
}

#[test]
fn a_runtime_that_ends_takes_no_other_one_with_it() {
    let store = memory();
    let first = Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    let tasks: Vec<_> = (0..500)
        .map(|number| first.spawn(store.step(numbered(number))))
        .collect();
    let mut stream = (run(store.subscribe(0)).unwrap()).into_stream().unwrap();
    first.spawn(async move {
        while poll_fn(|cx| Pin::new(&mut stream).poll_next(cx))
            .await
            .is_some()
        {}
    });
    // One task has its result. The others are wherever they are.
    first
        .block_on(tasks.into_iter().next().unwrap())
        .unwrap()
        .unwrap();
    first.shutdown_background();
    run(async {
        let before = store.snapshot().await.unwrap();
        let mut steps = Vec::new();
        for number in 1_000..1_100 {
            steps.push(tokio::spawn(store.step(numbered(number))));
        }
        for step in steps {
            step.await.unwrap().unwrap();
        }
        let now = store.snapshot().await.unwrap();
        assert!(now.count::<Account, Any>() >= before.count::<Account, Any>() + 100);
        assert_eq!(store.read(Store::check).await.unwrap(), []);
        store.close().await.unwrap();
    });
}

/// An executor that polls a task in the thread that wakes it.
struct Inline(Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>);

impl Inline {
    fn poll(self: Arc<Self>) {
        let Some(mut task) = self.0.lock().unwrap().take() else {
            return;
        };
        let waker = Waker::from(Arc::clone(&self));
        // The store may wake the task before it is put back. Then it is polled again.
        while task
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
        {
            let mut place = self.0.lock().unwrap();
            if place.is_none() {
                *place = Some(task);
                return;
            }
        }
    }
}

impl Wake for Inline {
    fn wake(self: Arc<Self>) {
        self.poll();
    }
}

#[test]
fn an_executor_may_poll_in_the_thread_that_wakes() {
    let store = memory();
    let (ends, ended) = mpsc::channel();
    let of_task = store.clone();
    let (release, released) = mpsc::channel::<()>();
    let limit = Duration::from_secs(60);
    // While this call runs, the task is put back.
    let mut hold = Box::pin(store.read(move |_| released.recv_timeout(limit).is_ok()));
    assert!(poll_once(hold.as_mut()).is_pending());
    let task = Arc::new(Inline(Mutex::new(Some(Box::pin(async move {
        of_task.step(owner("Ada")).await.unwrap();
        ends.send(thread::current().name().map(str::to_owned))
            .unwrap();
    })))));
    Arc::clone(&task).poll();
    release.send(()).unwrap();
    let of = ended.recv_timeout(limit).unwrap();
    assert_eq!(of.as_deref(), Some("ironweave-write"));
    run(store.close()).unwrap();
}

#[test]
fn slow_and_dropped_streams_do_not_affect_others() {
    let store = memory();
    run(async {
        let mut streams = Vec::new();
        for _ in 0..50 {
            streams.push(store.subscribe(0).await.unwrap().into_stream().unwrap());
        }
        for number in 0..3_000 {
            store.step(numbered(number)).await.unwrap();
            // Some streams end at once, in the middle, and with a task that waits in them.
            if number % 500 == 0
                && let Some(mut stream) = streams.pop()
            {
                let _ = poll_fn(|cx| Poll::Ready(Pin::new(&mut stream).poll_next(cx))).await;
            }
        }
        store.close().await.unwrap();
        // Those that have read nothing so far get everything from the log of the store that is closed.
        for stream in streams {
            let mut stream = pin!(stream);
            let mut seqs = Vec::new();
            while let Some(record) = poll_fn(|cx| stream.as_mut().poll_next(cx)).await {
                seqs.push(record.unwrap().seq().get());
            }
            assert_eq!(seqs, (1..=3_000).collect::<Vec<_>>());
        }
    });
}

#[test]
fn calls_after_the_end_fail_and_the_reader_stays() {
    let store = memory();
    run(async {
        store.step(owner("Ada")).await.unwrap();
        let reader = store.reader().await.unwrap();
        let other = store.clone();
        let pending = other.step(owner("Grace"));
        store.close().await.unwrap();
        assert!(pending.await.is_err_and(|e| e.is_closed()));
        assert!(other.step(owner("Eve")).await.is_err_and(|e| e.is_closed()));
        assert!(other.sync().await.is_err_and(|e| e.is_closed()));
        assert!(other.position().await.is_err_and(|e| e.is_closed()));
        assert!(
            other
                .subscribe(0)
                .await
                .is_err_and(|e| e.storage().is_some_and(StorageError::is_closed))
        );
        // A value that was taken before is a value.
        assert_eq!(reader.snapshot().count::<Account, Any>(), 1);
        assert_eq!(other.snapshot().await.unwrap().count::<Account, Any>(), 1);
        let again = other.clone();
        other.close().await.unwrap();
        again.close().await.unwrap();
    });
}

//! Tasks that share an async store on one thread, on a disk whose syncs a test can block and fail. The task that opens the gate
//! of the disk runs on that thread too, so that a future that blocks it fails the test.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use futures_core::Stream;
use tokio::runtime::Builder;
use tokio::task::{JoinHandle, yield_now};

use super::share::{Added, Gate, Outcome, State, count, outcome, shared, things};
use super::*;
use crate::asynchronous::AsyncStore;
use crate::base::error::StepError;
use crate::base::meta::Meta;
use crate::db::Db;
use crate::store::Store;

type Tasks = AsyncStore<things::Model>;

/// Runs a task on an executor with one thread. Whenever it yields, all other tasks take their turn.
fn run(task: impl Future<Output = ()> + Send + 'static) {
    let runtime = Builder::new_current_thread().build().unwrap();
    runtime.block_on(runtime.spawn(task)).unwrap();
}

/// Returns an async store that contains thing 0, with a closed gate that has counted no calls.
fn tasks(dir: &Path) -> (Tasks, Arc<Gate>) {
    let (store, gate) = shared(dir);
    (store.into_async().unwrap(), gate)
}

fn add(store: &Tasks, name: u64) -> JoinHandle<Option<Outcome>> {
    let step = store.step(Added { name });
    tokio::spawn(async move { outcome(step.await.map(|_| ())) })
}

/// Lets the other tasks run until the disk was called so often. It takes turns with them, so it ends only if none of them blocks.
async fn until(gate: &Gate, what: impl Fn(&State) -> bool) {
    while !what(&gate.state.lock().unwrap()) {
        yield_now().await;
    }
}

async fn results(tasks: Vec<JoinHandle<Option<Outcome>>>) -> Vec<Option<Outcome>> {
    let mut all = Vec::new();
    for task in tasks {
        all.push(task.await.unwrap());
    }
    all
}

fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_thousand_tasks_on_one_thread_go_on_during_a_sync_and_share_the_next() {
    let dir = scratch();
    let (store, gate) = tasks(dir.path());
    run(async move {
        let first = add(&store, 1);
        until(&gate, |state| state.syncs == 1).await;
        let mut all: Vec<_> = (2..=1_000).map(|name| add(&store, name)).collect();
        let rejected = add(&store, 7);
        let added = tokio::spawn(store.read(count));
        let with = store.step_with(Meta::new().with_actor("Ada"), Added { name: 2_000 });
        let with = tokio::spawn(async { outcome(with.await.map(|_| ())) });
        // Every task has submitted its event, and none of them has a result.
        for _ in 0..10 {
            yield_now().await;
        }
        all.extend([first, with]);
        assert!(all.iter().all(|task| !task.is_finished()));
        assert_eq!(gate.state.lock().unwrap().syncs, 1);
        gate.set(|state| state.shut = false);
        assert!(results(all).await.iter().all(Option::is_none));
        assert_eq!(rejected.await.unwrap(), Some(Outcome::Rejected));
        let State { writes, syncs, .. } = *gate.state.lock().unwrap();
        // An event with metadata is written alone.
        assert_eq!((writes, syncs), (3, 2));
        // It sees what was submitted before it.
        assert_eq!(added.await.unwrap().unwrap(), 1_001);
        store.close().await.unwrap();
    });
}

#[test]
fn a_failed_sync_leaves_each_task_its_own_error() {
    let dir = scratch();
    let (store, gate) = tasks(dir.path());
    run(async move {
        let first = add(&store, 1);
        until(&gate, |state| state.syncs == 1).await;
        let all: Vec<_> = (2..=9).map(|name| add(&store, name)).collect();
        let rejected = add(&store, 3);
        let added = tokio::spawn(store.read(count));
        let transaction =
            tokio::spawn(store.transaction(|t| t.apply(Added { name: 10 }).map(drop)));
        let snapshot = tokio::spawn(store.snapshot());
        yield_now().await;
        gate.set(|state| (state.shut, state.fail_syncs) = (false, true));
        assert_eq!(first.await.unwrap(), Some(Outcome::Indeterminate));
        for result in results(all).await {
            // The log may have stopped before they were written.
            assert!(matches!(
                result,
                Some(Outcome::Indeterminate | Outcome::Stopped)
            ));
        }
        assert_eq!(rejected.await.unwrap(), Some(Outcome::Stopped));
        assert!(added.await.unwrap().unwrap_err().is_stopped());
        let failed: StepError = transaction.await.unwrap().unwrap_err();
        assert!(failed.is_stopped());
        assert!(snapshot.await.unwrap().unwrap_err().is_stopped());
        assert_eq!(add(&store, 11).await.unwrap(), Some(Outcome::Stopped));
        assert!(store.close().await.unwrap_err().is_stopped());
    });
    let store = Store::<things::Model>::open(dir.path()).unwrap();
    assert!((1..=11).contains(&count(&store)));
}

#[test]
fn a_future_that_is_dropped_cancels_nothing_once_it_was_polled() {
    let dir = scratch();
    let (store, gate) = tasks(dir.path());
    run(async move {
        let first = add(&store, 1);
        until(&gate, |state| state.syncs == 1).await;
        for name in 2..=5 {
            let mut step = Box::pin(store.step(Added { name }));
            assert!(poll_once(step.as_mut()).is_pending());
        }
        drop(store.step(Added { name: 6 }));
        let mut transaction = Box::pin(store.transaction(|t| t.apply(Added { name: 7 })));
        assert!(poll_once(transaction.as_mut()).is_pending());
        drop(transaction);
        gate.set(|state| state.shut = false);
        assert_eq!(first.await.unwrap(), None);
        let there = store.read(|db| {
            let there = |name: &u64| db.find::<things::Thing>(name).is_some();
            (0..=7).filter(there).collect::<Vec<_>>()
        });
        assert_eq!(there.await.unwrap(), [0, 1, 2, 3, 4, 5, 7]);
    });
}

#[test]
fn a_close_waits_for_the_sync_of_everything_that_was_submitted() {
    let dir = scratch();
    let (store, gate) = tasks(dir.path());
    run(async move {
        let first = add(&store, 1);
        until(&gate, |state| state.syncs == 1).await;
        let mut all: Vec<_> = (2..=5).map(|name| add(&store, name)).collect();
        all.push(first);
        yield_now().await;
        let other = store.clone();
        let closed = [
            tokio::spawn(store.close()),
            tokio::spawn(other.clone().close()),
        ];
        yield_now().await;
        assert!(closed.iter().all(|task| !task.is_finished()));
        let late = other.step(Added { name: 6 }).await.err().unwrap();
        assert!(
            matches!(&late, StepError::Storage(e) if e.is_closed()),
            "{late}"
        );
        gate.set(|state| state.shut = false);
        for closed in closed {
            closed.await.unwrap().unwrap();
        }
        assert!(results(all).await.iter().all(Option::is_none));
        assert!(other.read(count).await.unwrap_err().is_closed());
    });
    // The lock of the directory is released.
    let store = Store::<things::Model>::open(dir.path()).unwrap();
    assert_eq!(count(&store), 6);
}

#[test]
fn the_drop_of_the_last_handle_executes_what_was_submitted() {
    let dir = scratch();
    let (store, gate) = tasks(dir.path());
    run(async move {
        let first = add(&store, 1);
        until(&gate, |state| state.syncs == 1).await;
        let second = add(&store, 2);
        yield_now().await;
        drop(store);
        gate.set(|state| state.shut = false);
        assert_eq!(first.await.unwrap(), None);
        assert_eq!(second.await.unwrap(), None);
    });
}

#[test]
fn a_stream_returns_what_is_durable_and_its_task_does_not_block() {
    let dir = scratch();
    let (store, gate) = tasks(dir.path());
    run(async move {
        let from = store.subscribe(2);
        let streams = tokio::spawn(async {
            let subscription = from.await.unwrap();
            subscription.into_stream().unwrap()
        });
        let mut stream = Box::pin(streams.await.unwrap());
        let first = add(&store, 1);
        until(&gate, |state| state.syncs == 1).await;
        let second = add(&store, 2);
        let delivered = tokio::spawn(async move {
            let mut seqs = Vec::new();
            while let Some(record) = poll_fn(|cx| stream.as_mut().poll_next(cx)).await {
                seqs.push(record.unwrap().seq().get());
                if seqs.len() == 2 {
                    break;
                }
            }
            (seqs, stream)
        });
        for _ in 0..10 {
            yield_now().await;
        }
        assert!(!delivered.is_finished());
        gate.set(|state| state.shut = false);
        let (seqs, mut stream) = delivered.await.unwrap();
        assert_eq!(seqs, [2, 3]);
        assert_eq!((first.await.unwrap(), second.await.unwrap()), (None, None));
        // A frame that may be lost is not delivered.
        gate.set(|state| state.fail_syncs = true);
        assert_eq!(add(&store, 3).await.unwrap(), Some(Outcome::Indeterminate));
        let failed = poll_fn(|cx| stream.as_mut().poll_next(cx)).await.unwrap();
        assert!(failed.unwrap_err().is_stopped());
    });
}

#[test]
fn the_last_frames_of_a_stream_are_made_durable_by_the_thread_that_wakes_it() {
    let dir = scratch();
    let (store, gate) = shared(dir.path());
    gate.set(|state| state.shut = false);
    let stream = store.subscribe(2).unwrap().into_stream().unwrap();
    // The event fires in a call that does not wait for its sync.
    drop(store.submit(Added { name: 1 }));
    let _ = store.durable();
    assert_eq!(gate.state.lock().unwrap().syncs, 0);
    let mut stream = Box::pin(stream);
    run(async move {
        let record = poll_fn(|cx| stream.as_mut().poll_next(cx)).await.unwrap();
        assert_eq!(record.unwrap().seq(), 2);
    });
    assert_eq!(gate.state.lock().unwrap().syncs, 1);
}

#[test]
fn an_acknowledgement_waits_for_the_sync_of_its_cursor_and_its_task_does_not_block() {
    let dir = scratch();
    let (store, gate) = tasks(dir.path());
    run(async move {
        let named = store.subscribe_as("mailer").await.unwrap();
        let stream = named.into_stream().unwrap();
        let acknowledged = tokio::spawn(stream.acknowledge(1));
        until(&gate, |state| state.syncs == 1).await;
        for _ in 0..10 {
            yield_now().await;
        }
        assert!(!acknowledged.is_finished());
        let before = store.subscribe_as("mailer").await.unwrap();
        assert_eq!(before.next_seq(), 0, "the cursor is not written yet");
        gate.set(|state| state.shut = false);
        acknowledged.await.unwrap().unwrap();
        let again = store.subscribe_as("mailer").await.unwrap();
        assert_eq!(again.next_seq(), 2);
        // A cursor that cannot be written is an error of the future.
        gate.set(|state| state.fail_syncs = true);
        assert!(stream.acknowledge(1).await.is_err());
    });
}

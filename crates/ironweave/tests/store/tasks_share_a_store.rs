//! Async tasks share one store: their events fire in the order of submission, and each gets its own result. What happens while a
//! sync takes long, or fails, is in the unit tests of the log.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_core::Stream;
use ironweave::prelude::*;
use ironweave::{AsyncStore, Record, Seq, SubscriptionStream};
use tokio::runtime::Builder;

use crate::accounts::*;
use crate::harness::{assert_sound, temp_dir, unsynced};

/// Runs a future on an executor with one thread.
fn run<F: Future>(future: F) -> F::Output {
    Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}

fn memory() -> AsyncStore<Model> {
    Store::paranoid().share().into_async().unwrap()
}

fn poll_once<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// A call that occupies the thread of the store until it is released.
struct Hold(mpsc::Sender<()>);

impl Hold {
    fn begin(store: &AsyncStore<Model>) -> Self {
        let (release, released) = mpsc::channel();
        let (starts, started) = mpsc::channel();
        // The wait is limited, so that a failing test ends.
        let limit = Duration::from_secs(60);
        let mut call = Box::pin(store.read(move |_| {
            starts.send(()).unwrap();
            released.recv_timeout(limit).unwrap();
        }));
        assert!(poll_once(call.as_mut()).is_pending());
        started.recv_timeout(limit).unwrap();
        Self(release)
    }

    fn end(self) {
        self.0.send(()).unwrap();
    }
}

#[test]
fn futures_cross_threads_and_handles_are_printed() {
    fn sent<T: Send + 'static>(value: T) -> T {
        value
    }
    fn handle<T: Send + Sync + Clone + std::fmt::Debug + 'static>(_: &T) {}
    let store = memory();
    handle(&store);
    assert_eq!(format!("{store:?}"), "AsyncStore<model>");
    drop(sent(store.step(owner("Ada"))));
    drop(sent(store.transaction(|t| t.apply(owner("Ada")).map(drop))));
    drop(sent(store.snapshot()));
    drop(sent(store.read_log(|_| ())));
    drop(sent(store.subscribe(0)));
    drop(sent(store.close()));
}

#[test]
fn events_and_calls_are_executed_in_the_order_of_their_submission() {
    let dir = temp_dir();
    let store = unsynced::<Model>().open(dir.path()).unwrap().share();
    let store = store.into_async().unwrap();
    run(async {
        let account = store.step(owner("Ada")).await.unwrap().created.account;
        let hold = Hold::begin(&store);
        let mut steps = Vec::new();
        let mut reads = Vec::new();
        for balance in 1..=50u64 {
            let step = store.step(Set { account, balance });
            let with = store.step_with(Meta::new().with_actor("Ada"), Set { account, balance });
            let of_transaction =
                store.transaction(move |t| t.apply(Set { account, balance }).map(drop));
            let mut step: Pin<Box<dyn Future<Output = bool> + Send>> = match balance % 3 {
                0 => Box::pin(async { step.await.is_ok() }),
                1 => Box::pin(async { with.await.is_ok() }),
                _ => Box::pin(async { of_transaction.await.is_ok() }),
            };
            assert!(poll_once(step.as_mut()).is_pending());
            steps.push(step);
            let mut read = Box::pin(store.read(move |db| account.balance(db)));
            assert!(poll_once(read.as_mut()).is_pending());
            reads.push(read);
        }
        hold.end();
        for (read, balance) in reads.into_iter().zip(1..) {
            assert_eq!(read.await.unwrap(), balance);
        }
        for step in steps {
            assert!(step.await);
        }
    });
}

#[test]
fn each_task_gets_its_own_result_on_several_threads() {
    let dir = temp_dir();
    let store = Store::<Model>::open(dir.path()).unwrap().share();
    let store = store.into_async().unwrap();
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    let (tasks, of_each) = (64u64, 5);
    let work = |task: u64, store: AsyncStore<Model>| async move {
        let mut last = Seq::ZERO;
        for i in 0..of_each {
            let name = task * 100 + i;
            let receipt = store.step(owner(name)).await.unwrap();
            assert!(receipt.seq > last);
            last = receipt.seq;
            let account = receipt.created.account;
            // A snapshot has what the task did before.
            let now = store.snapshot().await.unwrap();
            assert_eq!(account.owner(&now), name.to_string());
            let again = store.step(owner(name)).await.err().unwrap();
            assert!(matches!(again, StepError::Duplicate { .. }), "{again}");
        }
    };
    runtime.block_on(async {
        let all: Vec<_> = (0..tasks)
            .map(|task| tokio::spawn(work(task, store.clone())))
            .collect();
        for task in all {
            task.await.unwrap();
        }
        store.close().await.unwrap();
    });
    let store = Store::<Model>::open(dir.path()).unwrap();
    assert_eq!(assert_sound(&store), tasks * of_each);
}

#[test]
fn a_panic_belongs_to_the_task_that_awaits_it() {
    let store = memory();
    run(async {
        let account = store.step(owner("Ada")).await.unwrap().created.account;
        let set = |balance| store.step(Set { account, balance });
        let hold = Hold::begin(&store);
        let before = tokio::spawn(set(1));
        let panics = tokio::spawn(set(666));
        let shut = tokio::spawn(store.step(Shut { account }));
        let call = tokio::spawn(store.read(|_| panic!("in a closure")));
        let work = |_: &mut Transaction<'_, Model>| -> Result<(), StepError> { panic!("in work") };
        let work = tokio::spawn(store.transaction(work));
        let of_log = tokio::spawn(store.read_log(|_| panic!("in a reader")));
        let after = tokio::spawn(store.step(owner("Grace")));
        tokio::task::yield_now().await;
        hold.end();
        assert_eq!(before.await.unwrap().unwrap().seq, 2);
        assert!(panics.await.err().unwrap().is_panic());
        assert!(shut.await.err().unwrap().is_panic());
        assert!(call.await.err().unwrap().is_panic());
        assert!(work.await.err().unwrap().is_panic());
        assert!(of_log.await.err().unwrap().is_panic());
        assert_eq!(after.await.unwrap().unwrap().seq, 3);
        assert_eq!(store.read(move |db| account.balance(db)).await.unwrap(), 1);
        assert_eq!(store.read(Store::check).await.unwrap(), []);
        store.close().await.unwrap();
    });
}

#[test]
fn a_step_takes_metadata_and_a_repetition_returns_the_first_receipt() {
    let store = memory();
    run(async {
        let meta = || {
            Meta::new()
                .with_actor("Ada")
                .with_idempotency_key("request")
        };
        let first = store.step_with(meta(), owner("Ada")).await.unwrap();
        let again = store.step_with(meta(), owner("Ada")).await.unwrap();
        assert_eq!((first.repeated, again.repeated), (false, true));
        assert_eq!((first.seq, again.seq), (Seq::new(1), Seq::new(1)));
        let reused = store.step_with(meta(), owner("Grace")).await.err().unwrap();
        assert!(matches!(reused, StepError::KeyReused { .. }), "{reused}");
        // Both are submitted before either is executed.
        let hold = Hold::begin(&store);
        let key = || Meta::new().with_idempotency_key("twice");
        let both = [0, 1].map(|_| tokio::spawn(store.step_with(key(), owner("Barbara"))));
        tokio::task::yield_now().await;
        hold.end();
        let [a, b] = both;
        let (a, b) = (a.await.unwrap().unwrap(), b.await.unwrap().unwrap());
        assert_eq!((a.repeated, b.repeated, a.seq), (false, true, b.seq));
        // Optimistic concurrency.
        let account = first.created.account;
        let seen = store.position().await.unwrap().unwrap();
        store
            .step(Set {
                account,
                balance: 1,
            })
            .await
            .unwrap();
        let stale = store.step_with(
            Meta::new().expect(seen),
            Set {
                account,
                balance: 2,
            },
        );
        let stale = stale.await.err().unwrap();
        assert!(matches!(stale, StepError::Changed { .. }), "{stale}");
        let any = AnyEvent::Opened(owner("Edsger"));
        let any = store.step_any_with(Meta::new(), any).await.unwrap();
        assert_eq!(any.names.len(), 1);
        let actors = store.read_log(|reader| {
            let records = reader.since(0).unwrap();
            let actors = records.map(|r| r.unwrap().meta().actor().map(str::to_owned));
            actors.collect::<Vec<_>>()
        });
        assert_eq!(actors.await.unwrap()[0].as_deref(), Some("Ada"));
    });
}

#[test]
fn a_transaction_is_atomic_and_what_if_changes_nothing() {
    #[derive(Debug, PartialEq)]
    enum Failure {
        Step,
        Own,
    }
    impl From<StepError> for Failure {
        fn from(_: StepError) -> Self {
            Self::Step
        }
    }
    let store = memory();
    run(async {
        let both = store.transaction(|t| -> Result<_, StepError> {
            t.apply(owner("Ada"))?;
            t.apply(owner("Grace"))?;
            Ok(t.count::<Account, Any>())
        });
        let (accounts, committed) = both.await.unwrap();
        assert_eq!((accounts, committed.seq()), (2, Some(Seq::new(1))));
        let own = store.transaction(|t| {
            t.apply(owner("Barbara"))?;
            Err::<(), _>(Failure::Own)
        });
        assert_eq!(own.await.err(), Some(Failure::Own));
        let twice = store.transaction(|t| {
            t.apply(owner("Barbara"))?;
            t.apply(owner("Ada"))?;
            Ok::<_, Failure>(())
        });
        assert_eq!(twice.await.err(), Some(Failure::Step));
        let asked = store.what_if(|t| -> Result<_, StepError> {
            t.apply(owner("Barbara"))?;
            Ok(t.count::<Account, Any>())
        });
        assert_eq!(asked.await.unwrap(), 3);
        let now = store.snapshot().await.unwrap();
        assert_eq!(
            (now.count::<Account, Any>(), now.seq()),
            (2, Some(Seq::new(1)))
        );
        store.sync().await.unwrap();
    });
}

#[test]
fn threads_and_tasks_use_one_store_together() {
    let dir = temp_dir();
    let threads = Store::<Model>::open(dir.path()).unwrap().share();
    let store = threads.clone().into_async().unwrap();
    run(async {
        let hold = Hold::begin(&store);
        let step = tokio::spawn(store.step(owner("Ada")));
        tokio::task::yield_now().await;
        let thread = std::thread::spawn({
            let threads = threads.clone();
            // It may fire what the task has submitted.
            move || threads.step(owner("Grace")).seq
        });
        hold.end();
        let seqs = [step.await.unwrap().unwrap().seq, thread.join().unwrap()];
        assert!(seqs.contains(&Seq::new(1)) && seqs.contains(&Seq::new(2)));
        store.close().await.unwrap();
    });
    // The other handle keeps the store open.
    assert_eq!(threads.step(owner("Barbara")).seq, 3);
    assert!(threads.close().unwrap().is_none());
    assert_eq!(
        Store::<Model>::open(dir.path()).unwrap().seq(),
        Some(Seq::new(3))
    );
}

#[test]
fn a_full_queue_makes_tasks_wait_for_room() {
    let store = Store::<Model>::memory().share().into_async().unwrap();
    run(async {
        let account = store.step(owner("Ada")).await.unwrap().created.account;
        let hold = Hold::begin(&store);
        let total = (1 << 16) + 100;
        let polled = Arc::new(AtomicU64::new(0));
        let all: Vec<_> = (0..total)
            .map(|i| {
                let step = store.step(Set {
                    account,
                    balance: i % 100,
                });
                let polled = Arc::clone(&polled);
                tokio::spawn(async move {
                    polled.fetch_add(1, Ordering::Relaxed);
                    step.await
                })
            })
            .collect();
        // Each task has submitted its event, or waits for room.
        while polled.load(Ordering::Relaxed) < total {
            tokio::task::yield_now().await;
        }
        hold.end();
        let mut seqs = Vec::new();
        for task in all {
            seqs.push(task.await.unwrap().unwrap().seq.get());
        }
        seqs.sort_unstable();
        assert_eq!(seqs, (2..2 + total).collect::<Vec<_>>());
    });
}

#[test]
fn streams_of_an_async_store_end_when_it_closes() {
    let dir = temp_dir();
    let store = unsynced::<Model>().open(dir.path()).unwrap().share();
    let store = store.into_async().unwrap();
    run(async {
        store.step(owner("Ada")).await.unwrap();
        let all = store.subscribe(0).await.unwrap();
        let follow = |mut stream: Pin<Box<dyn Stream<Item = _> + Send>>| async move {
            let mut seqs = Vec::new();
            while let Some(record) = poll_fn(|cx| stream.as_mut().poll_next(cx)).await {
                let record: Result<Record<Model>, StorageError> = record;
                seqs.push(record.unwrap().seq().get());
            }
            seqs
        };
        let streams: Vec<_> = [
            all.into_stream().unwrap(),
            (store.subscribe(0).await.unwrap())
                .event::<Set>()
                .into_stream()
                .unwrap(),
        ]
        .into_iter()
        .map(|stream| tokio::spawn(follow(Box::pin(stream))))
        .collect();
        let position = store.position().await.unwrap().unwrap();
        store.step(owner("Grace")).await.unwrap();
        let later = store.subscribe_since(position).await.unwrap();
        let later = tokio::spawn(follow(Box::pin(later.into_stream().unwrap())));
        tokio::task::yield_now().await;
        store.close().await.unwrap();
        let mut seen = Vec::new();
        for stream in streams.into_iter().chain([later]) {
            seen.push(stream.await.unwrap());
        }
        assert_eq!(seen, [vec![1, 2], vec![], vec![2]]);
    });
}

async fn next(stream: &mut SubscriptionStream<Model>) -> Option<Record<Model>> {
    let record = poll_fn(|cx| Pin::new(&mut *stream).poll_next(cx)).await;
    record.map(Result::unwrap)
}

#[test]
fn a_named_stream_continues_after_its_last_acknowledgement() {
    let dir = temp_dir();
    let open = || {
        let store = unsynced::<Model>().open(dir.path()).unwrap();
        store.share().into_async().unwrap()
    };
    run(async {
        let store = open();
        for name in 1..=4u64 {
            store.step(owner(name)).await.unwrap();
        }
        let mut stream = (store.subscribe_as("mailer").await.unwrap().into_stream()).unwrap();
        for seq in 1..=3 {
            assert_eq!(next(&mut stream).await.unwrap().seq(), seq);
        }
        // A future that was not polled has acknowledged nothing.
        drop(stream.acknowledge(3));
        let second = store.read(|db| db.locate(2)).await.unwrap().unwrap();
        stream.acknowledge(second).await.unwrap();
        assert!(stream.acknowledge(9).await.unwrap_err().is_ahead());
        let all = store.subscribe(0).await.unwrap().into_stream().unwrap();
        let unnamed = all.acknowledge(1).await.unwrap_err();
        assert!(matches!(unnamed, ReadError::Unnamed), "{unnamed}");
        assert!(store.subscribe_as("Mailer").await.is_err());
        drop((stream, all));
        store.close().await.unwrap();

        let store = open();
        let mut stream = (store.subscribe_as("mailer").await.unwrap().into_stream()).unwrap();
        assert_eq!(next(&mut stream).await.unwrap().seq(), 3);
        stream.acknowledge(3).await.unwrap();
        let again = store.subscribe_as("mailer").await.unwrap();
        assert_eq!(again.next_seq(), 4);
        // The stream goes on behind what it has acknowledged.
        assert_eq!(next(&mut stream).await.unwrap().seq(), 4);
        store.close().await.unwrap();
        assert!(next(&mut stream).await.is_none());
    });
}

#[test]
fn a_subscription_after_a_snapshot_has_the_graphs_around_each_transaction() {
    run(async {
        let store = memory();
        store.step(owner("Ada")).await.unwrap();
        let now = store.snapshot().await.unwrap();
        store.step(owner("Grace")).await.unwrap();
        let later = store.subscribe_after(now).await.unwrap();
        let mut stream = later.into_stream().unwrap();
        let record = next(&mut stream).await.unwrap();
        let (before, after) = (record.before().unwrap(), record.after().unwrap());
        let count = |snapshot: &ironweave::Snapshot<Model>| snapshot.count::<Account, Any>();
        assert_eq!((count(&before), count(&after)), (1, 2));
    });
}

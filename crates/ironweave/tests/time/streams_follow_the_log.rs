//! A subscription is an async stream.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use futures_core::Stream;
use ironweave::prelude::*;

use crate::bank::{Founded, Froze, Model};
use crate::harness::{temp_dir, unsynced};

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// A minimal async runtime.
fn next<S: Stream>(mut stream: Pin<&mut S>) -> Option<S::Item> {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        match stream.as_mut().poll_next(&mut Context::from_waker(&waker)) {
            Poll::Ready(item) => return item,
            Poll::Pending => thread::park(),
        }
    }
}

fn found(store: &mut Store<Model>, names: std::ops::Range<u32>) {
    for i in names {
        store.step(Founded {
            name: format!("bank {i}"),
        });
    }
}

#[test]
fn a_stream_reports_past_and_future_transactions_once_and_in_order_and_ends_with_the_store() {
    let mut store = Store::<Model>::memory();
    found(&mut store, 0..300);
    let stream = store.subscribe(0).expect("the subscription begins");
    let mut stream = pin!(stream.into_stream().expect("a thread"));
    for seq in 1..=300 {
        let record = next(stream.as_mut())
            .expect("there are more")
            .expect("the log can be read");
        assert_eq!(record.seq(), seq);
    }
    let writer = thread::spawn(move || {
        found(&mut store, 300..500);
        // And the store is dropped.
    });
    let mut seq = 300;
    while let Some(record) = next(stream.as_mut()) {
        seq += 1;
        assert_eq!(record.expect("the log can be read").seq(), seq);
    }
    assert_eq!(seq, 500);
    assert!(next(stream.as_mut()).is_none());
    writer.join().expect("it wrote");
}

#[test]
fn a_stream_that_is_not_read_or_is_dropped_never_blocks_the_writer() {
    let mut store = Store::<Model>::memory();
    let unread = store
        .subscribe(0)
        .expect("the subscription begins")
        .into_stream()
        .expect("a thread");
    let dropped = store
        .subscribe(0)
        .expect("the subscription begins")
        .into_stream()
        .expect("a thread");
    drop(dropped);
    found(&mut store, 0..2_000);
    drop(store);
    // The stream still has all of it.
    let mut unread = pin!(unread);
    let mut told = 0;
    while let Some(record) = next(unread.as_mut()) {
        told += 1;
        assert_eq!(record.expect("the log can be read").seq(), told);
    }
    assert_eq!(told, 2_000);
}

#[test]
fn a_stream_that_is_read_slowly_gets_all_from_the_log_and_then_from_memory() {
    let dir = temp_dir();
    let mut store = unsynced::<Model>()
        .segment_bytes_max(1 << 16)
        .open(dir.path())
        .expect("a new store");
    let mut streams: Vec<_> = (0..10)
        .map(|_| store.subscribe(0).expect("the subscription begins"))
        .map(|all| Box::pin(all.into_stream().expect("a thread")))
        .collect();
    let mut seq = 0;
    // More than the feed keeps in memory.
    for more in [10, 5_000, 1, 3_000] {
        found(&mut store, seq..seq + more);
        let from = seq + 1;
        seq += more;
        for stream in &mut streams {
            for expected in from..=seq {
                let record = next(stream.as_mut()).expect("there are more");
                assert_eq!(
                    record.expect("the log can be read").seq(),
                    u64::from(expected)
                );
            }
        }
    }
    drop(store);
    for stream in &mut streams {
        assert!(next(stream.as_mut()).is_none());
    }
}

#[test]
fn a_stream_with_a_filter_yields_between_transactions_that_it_skips() {
    let mut store = Store::<Model>::memory();
    let records = store.subscribe(1).expect("the subscription begins");
    let mut stream = pin!(records.event::<Froze>().into_stream().expect("a thread"));
    // The feed keeps all of them in memory.
    found(&mut store, 0..1_000);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut polls = 0;
    drop(store);
    while stream.as_mut().poll_next(&mut context).is_pending() {
        polls += 1;
        assert!(polls < 100, "it ends");
    }
    assert!(polls >= 1, "one poll looks at a part of them");
}

#[test]
fn streams_are_dropped_while_the_log_is_read_for_them() {
    let dir = temp_dir();
    let mut store = unsynced::<Model>().open(dir.path()).expect("a new store");
    let reader = store.reader();
    found(&mut store, 0..3_000);
    for polls in 0..30 {
        let streams = (0..3).map(|_| {
            let all = reader.subscribe(0).expect("the subscription begins");
            Box::pin(all.into_stream().expect("a thread"))
        });
        for mut stream in streams {
            let mut context = Context::from_waker(Waker::noop());
            for _ in 0..polls {
                if let Poll::Ready(Some(record)) = stream.as_mut().poll_next(&mut context) {
                    record.expect("the log can be read");
                }
            }
        }
    }
    let mut all = pin!(
        reader
            .subscribe(0)
            .expect("it begins")
            .into_stream()
            .expect("a thread")
    );
    for seq in 1..=3_000 {
        let record = next(all.as_mut()).expect("there are more");
        assert_eq!(record.expect("the log can be read").seq(), seq);
    }
}

/// Whether numbers can be read. The store reads what it writes, too.
static IS_FRAGILE: AtomicBool = AtomicBool::new(false);

/// A number that cannot be read after it was written.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct Fragile(u64);

impl<'de> serde::Deserialize<'de> for Fragile {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let number = u64::deserialize(from)?;
        let fragile = IS_FRAGILE.load(Ordering::SeqCst);
        assert!(!(fragile && number == 666), "this number panics");
        Ok(Self(number))
    }
}

#[ironweave::model]
mod fuses {
    use ironweave::prelude::*;

    #[entity]
    pub struct Fuse {
        #[key]
        pub name: String,
        #[default]
        pub number: super::Fragile,
    }

    #[event]
    #[set(fuse.number = number)]
    pub struct Numbered {
        pub fuse: Ensure<Fuse>,
        pub number: super::Fragile,
    }
}

#[test]
fn a_panic_of_user_code_continues_in_the_task_that_polls_and_ends_the_stream() {
    let mut store = Store::<fuses::Model>::memory();
    let before = store.snapshot();
    // One stream finds the frames in memory, the other one reads the log.
    let in_memory = store.subscribe_after(before.clone()).expect("it begins");
    let far_behind = store.subscribe_after(before).expect("it begins");
    let number = |store: &mut Store<fuses::Model>, number| {
        store.step(fuses::Numbered {
            fuse: "main".into(),
            number: Fragile(number),
        });
    };
    number(&mut store, 1);
    number(&mut store, 666);
    let panics = |records: ironweave::Subscription<fuses::Model>| {
        let mut stream = pin!(records.into_stream().expect("a thread"));
        let first = next(stream.as_mut()).expect("there are two");
        assert_eq!(first.expect("it can be read").seq(), 1);
        let second = catch_unwind(AssertUnwindSafe(|| next(stream.as_mut()).map(drop)));
        let words = *second
            .expect_err("it panics")
            .downcast::<&str>()
            .expect("a message");
        assert_eq!(words, "this number panics");
        assert!(next(stream.as_mut()).is_none());
    };
    IS_FRAGILE.store(true, Ordering::SeqCst);
    panics(in_memory);
    IS_FRAGILE.store(false, Ordering::SeqCst);
    for n in 0..2_000 {
        number(&mut store, n % 100);
    }
    IS_FRAGILE.store(true, Ordering::SeqCst);
    panics(far_behind);
    IS_FRAGILE.store(false, Ordering::SeqCst);
}

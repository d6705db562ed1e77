//! A subscription is an async stream.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use futures_core::Stream;
use ironweave::prelude::*;

use crate::bank::{Founded, Model};

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

/// A number that cannot be read in the thread of a subscription.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct Fragile(u64);

impl<'de> serde::Deserialize<'de> for Fragile {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let number = u64::deserialize(from)?;
        let reads = thread::current().name() == Some("subscription");
        assert!(!(reads && number == 666), "this number panics");
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
    for number in [1, 666] {
        store.step(fuses::Numbered {
            fuse: "main".into(),
            number: Fragile(number),
        });
    }
    let records = store.subscribe_after(before).expect("it begins");
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
}

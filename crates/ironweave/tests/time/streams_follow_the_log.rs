//! A subscription is an async stream.

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

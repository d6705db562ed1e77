//! Neither async streams nor the tasks that share an async store have a thread each. The test counts the threads of its process,
//! so it is the only one in this file.
#![allow(missing_docs)]
#![cfg(all(feature = "async", target_os = "linux"))]

use std::fs;
use std::future::poll_fn;
use std::task::{Context, Waker};
use std::thread;
use std::time::{Duration, Instant};

use futures_core::Stream;
use ironweave::prelude::*;
use tokio::runtime::Builder;

#[ironweave::model]
mod notes {
    use ironweave::prelude::*;

    #[entity]
    pub struct Note {
        #[key]
        pub number: u64,
    }

    #[event]
    #[create(note: Note { number })]
    pub struct Written {
        pub number: u64,
    }
}

use notes::Written;

fn threads() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("the kernel tells it");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("Threads:"));
    let count = line.expect("there is such a line").trim();
    count.parse().expect("it is a number")
}

/// Waits until the process has at most that many threads. The wait is limited, so that a failing test ends.
fn wait_until_at_most(count: usize) {
    let began = Instant::now();
    while threads() > count {
        assert!(began.elapsed() < Duration::from_secs(60), "{}", threads());
        thread::yield_now();
    }
}

#[test]
fn a_hundred_streams_and_a_thousand_tasks_have_three_threads() {
    let dir = tempfile::tempdir().expect("a directory");
    let none = threads();
    let options = Store::<notes::Model>::options().durability(Durability::Os);
    let store = options.open(dir.path()).expect("a new store").share();
    let store = store.into_async().expect("a thread");
    let runtime = Builder::new_current_thread().build().expect("an executor");
    runtime.block_on(async {
        let step = |number| store.step(Written { number });
        for number in 0..2_000 {
            step(number).await.expect("it is new");
        }
        let mut streams = Vec::new();
        for i in 0..100u64 {
            // Half of them begin far behind and read the log.
            let from = if i % 2 == 0 { 0 } else { 2_001 };
            let all = store.subscribe(from).await.expect("it begins");
            streams.push(Box::pin(all.into_stream().expect("a thread")));
        }
        let mut context = Context::from_waker(Waker::noop());
        for stream in &mut streams {
            assert!(stream.as_mut().poll_next(&mut context).is_pending());
        }
        assert!(threads() <= none + 3, "{} and {none}", threads());
        let tasks: Vec<_> = (2_000..3_000)
            .map(|number| tokio::spawn(step(number)))
            .collect();
        assert!(threads() <= none + 3, "{} and {none}", threads());
        for task in tasks {
            task.await.expect("no panic").expect("it is new");
        }
        for stream in &mut streams {
            let record = poll_fn(|context| stream.as_mut().poll_next(context)).await;
            record.expect("there are more").expect("it can be read");
        }
        assert!(threads() <= none + 3, "{} and {none}", threads());
        // The thread of the store stays. Nothing is committed after this.
        drop(streams);
        wait_until_at_most(none + 1);
        store.close().await.expect("it is closed");
    });
    wait_until_at_most(none);
}

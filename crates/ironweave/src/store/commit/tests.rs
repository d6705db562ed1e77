//! Who waits for which sync, under each durability.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use super::*;
use crate::log::disk::{Disk, Op, Probe};
use crate::log::{FileLog, FrameKind, LogOptions};

/// Segments so short that a log begins several of them.
fn small() -> LogOptions {
    LogOptions {
        segment_bytes_max: 600,
        spare_bytes_max: 200,
        ..LogOptions::default()
    }
}

fn open(dir: &Path, options: LogOptions, durability: Durability) -> CommitLog {
    let log = FileLog::open(dir, options).expect("it opens");
    CommitLog::new(Box::new(log), durability).expect("it starts")
}

fn append(log: &mut CommitLog, seq: u64) -> Result<(), AppendError> {
    let header = FrameHeader::new(Seq::new(seq), 0, FrameKind::Transaction, seq.into());
    log.append(header, b"content")
}

#[test]
fn an_append_under_always_returns_when_its_frame_is_durable() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut log = open(dir.path(), small(), Durability::Always);
    for seq in 0..40 {
        append(&mut log, seq).expect("it is written");
        assert_eq!(log.log().durable(), Some(Seq::new(seq)));
    }
    log.close().expect("it closes");
}

#[test]
fn callers_that_share_a_store_wait_after_their_append() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut log = open(dir.path(), LogOptions::default(), Durability::Always);
    // Those who look from another thread may have asked before the store was shared.
    let acknowledged = log.acknowledged();
    log.sync_by_waiters();
    for seq in 0..3 {
        append(&mut log, seq).expect("it is written");
    }
    assert_eq!(log.log().durable(), None);
    assert!(!acknowledged.has(Seq::ZERO));
    log.acknowledged().wait(Seq::new(1)).expect("it syncs");
    assert_eq!(
        log.log().durable(),
        Some(Seq::new(2)),
        "one sync is for all"
    );
    assert!(acknowledged.has(Seq::new(2)));
}

fn append_all(log: &mut CommitLog, from: u64, until: u64) -> Result<(), BatchError> {
    let mut frames = FrameBatch::default();
    for seq in from..until {
        let header = FrameHeader::new(Seq::new(seq), 0, FrameKind::Transaction, seq.into());
        frames.push(header, b"content").expect("it is short");
    }
    log.append_all(&mut frames)
}

#[test]
fn a_batch_follows_the_policy_of_an_append() {
    for options in [LogOptions::default(), small()] {
        let dir = tempfile::tempdir().expect("a directory");
        let mut log = open(dir.path(), options, Durability::Always);
        append_all(&mut log, 0, 40).expect("it is written");
        assert_eq!(log.log().durable(), Some(Seq::new(39)));
        log.sync_by_waiters();
        append_all(&mut log, 40, 42).expect("it is written");
        assert_eq!(log.log().durable(), Some(Seq::new(39)));
        log.acknowledged().wait(Seq::new(40)).expect("it syncs");
        assert_eq!(log.log().durable(), Some(Seq::new(41)));
    }
    let dir = tempfile::tempdir().expect("a directory");
    let mut log = open(dir.path(), LogOptions::default(), Durability::Os);
    append_all(&mut log, 0, 40).expect("it is written");
    assert_eq!(log.log().durable(), None);
    drop(log);
    let dir = tempfile::tempdir().expect("a directory");
    let every = Durability::Every(Duration::from_millis(2));
    let mut log = open(dir.path(), LogOptions::default(), every);
    append_all(&mut log, 0, 40).expect("it is written");
    let begun = Instant::now();
    while log.log().durable() != Some(Seq::new(39)) {
        // The wait is limited, so that a failing test ends.
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "it does not become durable"
        );
        thread::yield_now();
    }
}

#[test]
fn without_always_no_caller_waits_and_all_may_be_shown() {
    let long = Durability::Every(Duration::from_secs(3_600));
    for durability in [Durability::Os, long] {
        let dir = tempfile::tempdir().expect("a directory");
        let mut log = open(dir.path(), LogOptions::default(), durability);
        log.sync_by_waiters();
        append(&mut log, 0).expect("it is written");
        log.acknowledged()
            .wait(Seq::ZERO)
            .expect("there is nothing to wait for");
        assert!(log.acknowledged().has(Seq::ZERO));
        assert_eq!(log.log().durable(), None);
        log.sync().expect("it syncs");
        assert_eq!(log.log().durable(), Some(Seq::ZERO));
        append(&mut log, 1).expect("it is written");
        // A close does not wait for the hour, and makes all durable.
        log.close().expect("it closes");
        let log = open(dir.path(), LogOptions::default(), durability);
        assert_eq!(log.log().durable(), Some(Seq::new(1)));
    }
}

#[test]
fn what_is_written_becomes_durable_within_the_interval() {
    let dir = tempfile::tempdir().expect("a directory");
    let every = Durability::Every(Duration::from_millis(2));
    let mut log = open(dir.path(), small(), every);
    for seq in 0..40 {
        append(&mut log, seq).expect("it is written");
        if seq % 10 == 7 {
            let begun = Instant::now();
            while log.log().durable() != Some(Seq::new(seq)) {
                assert!(
                    begun.elapsed() < Duration::from_secs(60),
                    "frame {seq} does not become durable"
                );
                thread::yield_now();
            }
        }
    }
}

#[test]
fn a_failed_sync_of_the_thread_stops_the_log_and_a_close_reports_it() {
    struct BadSync;
    impl Probe for BadSync {
        fn before(&self, op: &Op<'_>) -> Result<(), (usize, io::Error)> {
            match op {
                Op::Sync(path) if path.extension().is_some_and(|e| e == "log") => {
                    Err((0, io::Error::other("bad sector")))
                }
                _ => Ok(()),
            }
        }
    }
    let dir = tempfile::tempdir().expect("a directory");
    let disk = Disk {
        probe: Some(Arc::new(BadSync)),
    };
    let log = FileLog::open_on(disk, dir.path(), LogOptions::default()).expect("it opens");
    let every = Durability::Every(Duration::from_millis(1));
    let mut log = CommitLog::new(Box::new(log), every).expect("it starts");
    let begun = Instant::now();
    for seq in 0.. {
        match append(&mut log, seq) {
            Ok(()) => assert!(begun.elapsed().as_secs() < 60, "the log did not stop"),
            Err(AppendError::Refused(error)) => {
                assert!(
                    error.is_stopped() && error.to_string().contains("bad sector"),
                    "{error}"
                );
                break;
            }
            Err(other) => panic!("{other}"),
        }
        thread::yield_now();
    }
    assert_eq!(log.log().durable(), None);
    assert!(log.close().expect_err("it reports").is_stopped());
}

#[test]
fn a_fork_does_not_wait_for_the_thread_of_the_other_process() {
    let dir = tempfile::tempdir().expect("a directory");
    let log = FileLog::open(dir.path(), LogOptions::default()).expect("it opens");
    let flusher = log.flusher().expect("a file can be flushed");
    let mut interval = IntervalSync::start(Duration::from_secs(3_600), flusher).expect("it starts");
    let shared = Arc::clone(&interval.shared);
    // As it is in a fork: the number of the process is another, and a thread that is not there may hold the lock.
    interval.process ^= 1;
    let held = shared.lock();
    drop(interval);
    drop(held);
    // End the thread, which this process does have.
    shared.lock().closing = true;
    shared.changed.notify_all();
}

#[test]
fn a_follower_that_panics_keeps_no_other_one_from_a_commit() {
    #[derive(Default)]
    struct Panics;
    impl Follower for Panics {
        fn listens(&self) -> bool {
            true
        }
        fn committed(&mut self, _: &Commit<'_>) {
            panic!("a value of the user's cannot be copied");
        }
    }
    #[derive(Default)]
    struct Counts(u32);
    impl Follower for Counts {
        fn listens(&self) -> bool {
            true
        }
        fn committed(&mut self, _: &Commit<'_>) {
            self.0 += 1;
        }
    }
    let mut followers = Followers::default();
    followers.get::<Panics>();
    followers.get::<Counts>();
    let schema = crate::schema::Schema::default();
    let plan = Arc::new(crate::step::plan::Plan::of_log(schema));
    let core = crate::step::flat::core(&plan, None);
    for commits in 1..=3 {
        let commit = Commit {
            at: At::default(),
            fingerprint: None,
            facts: &Facts::default(),
            frame: None,
            core: &core,
        };
        let told = catch_unwind(AssertUnwindSafe(|| followers.committed(&commit)));
        assert!(told.is_err(), "the caller learns of it");
        assert_eq!(followers.get::<Counts>().0, commits);
    }
}

#[test]
fn the_last_follower_gets_a_commit_after_the_others() {
    use std::sync::atomic::{AtomicU32, Ordering};
    static CALLS: AtomicU32 = AtomicU32::new(0);
    #[derive(Default)]
    struct Last(u32);
    impl Follower for Last {
        fn listens(&self) -> bool {
            true
        }
        fn is_last(&self) -> bool {
            true
        }
        fn committed(&mut self, _: &Commit<'_>) {
            self.0 = CALLS.fetch_add(1, Ordering::SeqCst);
        }
    }
    #[derive(Default)]
    struct Other(u32);
    impl Follower for Other {
        fn listens(&self) -> bool {
            true
        }
        fn committed(&mut self, _: &Commit<'_>) {
            self.0 = CALLS.fetch_add(1, Ordering::SeqCst);
        }
    }
    let mut followers = Followers::default();
    // The order of their creation does not matter.
    followers.get::<Last>();
    followers.get::<Other>();
    let schema = crate::schema::Schema::default();
    let plan = Arc::new(crate::step::plan::Plan::of_log(schema));
    let core = crate::step::flat::core(&plan, None);
    followers.committed(&Commit {
        at: At::default(),
        fingerprint: None,
        facts: &Facts::default(),
        frame: None,
        core: &core,
    });
    assert_eq!(followers.get::<Other>().0, 0);
    assert_eq!(followers.get::<Last>().0, 1);
}

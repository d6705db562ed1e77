//! The thread that writes checkpoints, on a disk that holds or fails it at each change that it makes.

use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::*;
use crate::log::disk::{Disk, Op, Probe};
use crate::log::{FileLog, LogOptions};
use crate::store::checkpoint::background::Checkpoints;
use crate::store::checkpoint::policy::CheckpointPolicy;
use crate::store::{Durability, Store};

/// Things with names.
#[crate::model]
#[allow(dead_code, missing_docs)]
mod things {
    use crate::prelude::*;

    #[entity]
    pub struct Thing {
        #[key]
        pub name: u64,
    }
    #[states(Thing)]
    pub enum ThingState {
        #[initial]
        #[terminal]
        There,
    }

    #[event]
    #[create(thing: Thing { name })]
    pub struct Added {
        pub name: u64,
    }
}

use things::Added;

type Things = Store<things::Model>;

/// A disk that holds or fails one of the changes that are made to the files of checkpoints. It counts them all.
#[derive(Default)]
struct Hold {
    state: Mutex<HoldState>,
    changed: Condvar,
}

#[derive(Default)]
struct HoldState {
    changes: usize,
    hold_at: Option<usize>,
    fail_at: Option<usize>,
    is_held: bool,
}

impl Hold {
    fn set(&self, set: impl FnOnce(&mut HoldState)) {
        set(&mut self.state.lock().expect("no panic"));
        self.changed.notify_all();
    }

    /// Waits until the thread is held. The wait is limited, so that a failing test ends.
    fn until_held(&self) {
        let state = self.state.lock().expect("no panic");
        let limit = Duration::from_secs(60);
        let is_free = |state: &mut HoldState| !state.is_held;
        let (state, _) =
            (self.changed.wait_timeout_while(state, limit, is_free)).expect("no panic");
        assert!(state.is_held);
    }

    fn release(&self) {
        self.set(|state| state.hold_at = None);
    }
}

impl Probe for Hold {
    fn before(&self, op: &Op<'_>) -> Result<(), (usize, io::Error)> {
        let path = match *op {
            Op::Create(path)
            | Op::Write { path, .. }
            | Op::SetLen { path, .. }
            | Op::Sync(path)
            | Op::Remove(path)
            | Op::Rename { to: path, .. } => path,
            Op::CreateDir | Op::SyncDir(_) => return Ok(()),
        };
        if !path.to_string_lossy().contains(".checkpoint") {
            return Ok(());
        }
        let mut state = self.state.lock().expect("no panic");
        let at = state.changes;
        state.changes += 1;
        if state.hold_at == Some(at) {
            state.is_held = true;
            self.changed.notify_all();
            let limit = Duration::from_secs(90);
            let is_held = |state: &mut HoldState| state.hold_at == Some(at);
            (state, _) =
                (self.changed.wait_timeout_while(state, limit, is_held)).expect("no panic");
            state.is_held = false;
        }
        match state.fail_at == Some(at) {
            true => Err((0, io::ErrorKind::StorageFull.into())),
            false => Ok(()),
        }
    }
}

/// As many frames as a checkpoint is written after.
const FRAMES: u64 = 8;

fn open(hold: &Arc<Hold>, dir: &Path) -> Things {
    let disk = Disk {
        probe: Some(Arc::clone(hold) as _),
    };
    let log = FileLog::open_on(disk, dir, LogOptions::default()).expect("it opens");
    let options = Things::options().durability(Durability::Os);
    let policy = CheckpointPolicy::never().frames(FRAMES);
    (options.checkpoint_every(policy).over_log(Box::new(log))).expect("it opens")
}

fn add(store: &mut Things, count: u64) {
    for _ in 0..count {
        let name = store.seq().expect("it has a schema").get();
        store.try_step(Added { name }).expect("steps never fail");
    }
}

/// Waits for the next result of the thread. The wait is limited, so that a failing test ends.
fn result(checkpoints: &Checkpoints, before: Option<&Checkpoint>) -> Result<Checkpoint, String> {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(60) {
        match checkpoints.last() {
            Some(Ok(written)) if Some(&written) != before => return Ok(written),
            Some(Err(e)) => return Err(e.to_string()),
            _ => thread::yield_now(),
        }
    }
    panic!("the thread has written no checkpoint");
}

fn names(dir: &Path, end: &str) -> usize {
    let names = std::fs::read_dir(dir).expect("it can be listed");
    let mut names = names.map(|entry| entry.expect("it can be listed").file_name());
    let count = names.by_ref();
    count
        .filter(|name| name.to_string_lossy().ends_with(end))
        .count()
}

fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

/// The changes that the thread makes to the first checkpoint: create, write the content and the header, sync, rename.
const CHANGES: usize = 5;

#[test]
fn steps_go_on_while_one_is_written_and_no_second_one_begins() {
    let dir = scratch();
    let hold = Arc::new(Hold::default());
    hold.set(|state| state.hold_at = Some(0));
    let mut store = open(&hold, dir.path());
    let checkpoints = Arc::clone(&store.checkpoints);
    add(&mut store, FRAMES - 1);
    let first = store.seq();
    hold.until_held();
    add(&mut store, 5 * FRAMES);
    assert_eq!(hold.state.lock().expect("no panic").changes, 1);
    assert!(store.last_checkpoint().is_none());
    hold.release();
    let written = result(&checkpoints, None).expect("it is written");
    assert_eq!(Some(written.seq()), first, "it was due then");
    // The next one is due already, and is written at the next commit.
    loop {
        add(&mut store, 1);
        if store
            .last_checkpoint()
            .is_some_and(|last| last.is_ok_and(|last| last != written))
        {
            break;
        }
        thread::yield_now();
    }
    let fingerprint = store.fingerprint();
    drop(store);
    let store = open(&hold, dir.path());
    assert!(store.opened_from().checkpoint() > first);
    assert_eq!(store.fingerprint(), fingerprint);
}

#[test]
fn a_failed_one_is_reported_and_fails_no_step() {
    for at in 0..CHANGES {
        let dir = scratch();
        let hold = Arc::new(Hold::default());
        hold.set(|state| state.fail_at = Some(at));
        let mut store = open(&hold, dir.path());
        let checkpoints = Arc::clone(&store.checkpoints);
        add(&mut store, FRAMES - 1);
        let error = result(&checkpoints, None).expect_err("it fails");
        assert!(error.contains("the disk is full"), "{at}: {error}");
        // The store goes on, and tries again when the next one is due.
        *checkpoints.last_result() = None;
        add(&mut store, FRAMES - 1);
        assert!(store.last_checkpoint().is_none(), "{at}");
        add(&mut store, 1);
        let written = result(&checkpoints, None).expect("it is written");
        assert_eq!(Some(written.seq()), store.seq(), "{at}");
        assert_eq!(names(dir.path(), ".tmp"), 0, "{at}");
        let fingerprint = store.fingerprint();
        drop(store);
        let store = open(&hold, dir.path());
        assert_eq!(store.opened_from().checkpoint(), Some(written.seq()));
        assert_eq!(store.fingerprint(), fingerprint);
    }
}

#[test]
fn closing_a_store_ends_its_thread() {
    for at in 0..CHANGES {
        let dir = scratch();
        let hold = Arc::new(Hold::default());
        hold.set(|state| state.hold_at = Some(at));
        let mut store = open(&hold, dir.path());
        let checkpoints = Arc::clone(&store.checkpoints);
        add(&mut store, FRAMES - 1);
        let fingerprint = store.fingerprint();
        hold.until_held();
        let closing = thread::spawn(move || store.close());
        while checkpoints.cancel.check().is_ok() {
            thread::yield_now();
        }
        hold.release();
        closing.join().expect("no panic").expect("it closes");
        // After the last check, it is completed.
        let is_complete = at >= 3;
        assert_eq!(
            names(dir.path(), ".checkpoint"),
            usize::from(is_complete),
            "{at}"
        );
        assert_eq!(names(dir.path(), ".tmp"), 0, "{at}");
        let store = open(&hold, dir.path());
        assert_eq!(
            store.opened_from().checkpoint().is_some(),
            is_complete,
            "{at}"
        );
        assert_eq!(store.fingerprint(), fingerprint, "{at}");
    }
}

#[test]
fn a_reader_of_a_closed_store_is_given_no_frame() {
    let dir = scratch();
    let mut store = open(&Arc::default(), dir.path());
    add(&mut store, 3);
    let log = store.log.log().expect("it has a log");
    assert!(log.read(Seq::ZERO).is_ok_and(|frames| frames.count() == 4));
    let Some(crate::log::LogReader::Directory(mut log)) = store.log.reader(None) else {
        panic!("a log in a directory");
    };
    log.end_at(checkpoints_cancel(&store));
    let mut frames = log.frames(Seq::ZERO).expect("it can be read");
    assert!(frames.next().is_some_and(|frame| frame.is_ok()));
    store.checkpoints.cancel.set();
    assert!(frames.next().is_some_and(|frame| frame.is_err()));
    assert!(frames.next().is_none());
}

fn checkpoints_cancel(store: &Things) -> crate::log::Cancel {
    store.checkpoints.cancel.clone()
}

#[test]
fn a_thread_that_waited_for_a_later_one_writes_none() {
    let dir = scratch();
    let mut store = open(&Arc::default(), dir.path());
    add(&mut store, 2);
    let written = store.checkpoint().expect("it is written");
    let checkpoints = &store.checkpoints;
    assert_eq!(
        checkpoints.written_since(Some(written.seq())),
        Some(written.clone())
    );
    assert_eq!(
        checkpoints.written_since(Some(Seq::new(1))),
        Some(written.clone())
    );
    assert_eq!(checkpoints.written_since(Some(written.seq() + 1)), None);
}

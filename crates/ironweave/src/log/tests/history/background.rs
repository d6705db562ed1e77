//! The thread that makes the index of each segment that a store seals: it is failed, killed and held, and loses nothing.

use std::io;
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use super::super::super::disk::{Op, Probe};
use super::super::power::{Model, Random as PowerRandom};
use super::*;
use crate::store::Options;

fn options() -> Options<club::Model> {
    let options = Club::options().durability(Durability::Os);
    options.segment_bytes_max(900)
}

fn open_over_disk(probe: Arc<dyn Probe>, dir: &Path) -> Club {
    let log_options = LogOptions {
        segment_bytes_max: 900,
        ..small()
    };
    let disk = Disk { probe: Some(probe) };
    let log = FileLog::open_on(disk, dir, log_options).unwrap();
    options().over_log_with_thread(Box::new(log)).unwrap()
}

fn fill(store: &mut Club, random: &mut Random, steps: usize) {
    for _ in 0..steps {
        step(store, random, 5);
    }
}

/// Removes the indexes of a log, and returns what they had.
fn taken(dir: &Path) -> Vec<Vec<u8>> {
    let files = indexes(dir).into_iter();
    let taken = files.map(|path| {
        let bytes = fs::read(&path).unwrap();
        fs::remove_file(path).unwrap();
        bytes
    });
    taken.collect()
}

/// Checks that each sealed segment has the index that a question would make.
fn are_whole(dir: &Path) {
    let segments = segment_files(dir).len();
    assert!(segments > 8, "{segments} segments");
    let made = taken(dir);
    assert_eq!(made.len(), segments - 1, "each sealed segment has one");
    let store = open(dir);
    assert!(indexes(dir).is_empty());
    same(&store, "without the indexes of the thread");
    drop(store);
    assert!(taken(dir) == made, "they are those that a question makes");
}

fn has_temporary_files(dir: &Path) -> bool {
    let mut names = files(dir).into_iter();
    names.any(|path| path.extension().is_some_and(|e| e == "tmp"))
}

#[test]
fn each_sealed_segment_has_its_index_when_the_store_was_closed() {
    let dir = scratch();
    let mut random = Random(21);
    let mut store = options().open(dir.path()).unwrap();
    fill(&mut store, &mut random, 40);
    assert!(store.last_index_error().is_none());
    store.close().unwrap();
    let (segments, made) = (segment_files(dir.path()), indexes(dir.path()));
    assert_eq!(made.len(), segments.len() - 1);
    // The first question reads the last segment, and no other.
    let store = Club::open_read_only(dir.path()).unwrap();
    let last = segments.last().unwrap().file_stem().unwrap();
    let last: Seq = last.to_str().unwrap().parse().unwrap();
    let (frames, _, _) = reads(|| store.history_of_key::<Person>(&u64::MAX).unwrap());
    assert_eq!(frames as u64, store.seq().unwrap() + 1 - last);
    drop(store);
    // A process was killed before the last one was complete, and the next one makes it. Several threads share the store.
    fs::remove_file(made.last().unwrap()).unwrap();
    let store = options().open(dir.path()).unwrap().share();
    store.exclusive(|store| fill(store, &mut random, 40));
    drop(store);
    are_whole(dir.path());
}

#[test]
fn segments_that_are_sealed_by_a_batch_have_their_indexes() {
    let dir = scratch();
    let mut store = options().open(dir.path()).unwrap();
    for number in 0..2 {
        store.step(Built { floor: 1, number });
    }
    let came = (0..80).map(|name| Came { name });
    assert!(store.step_all(came).iter().all(Result::is_ok));
    drop(store);
    are_whole(dir.path());
}

#[test]
fn a_store_that_is_not_to_make_them_makes_none() {
    let dir = scratch();
    let mut store = options().index_segments(false).open(dir.path()).unwrap();
    fill(&mut store, &mut Random(22), 40);
    drop(store);
    assert!(segment_files(dir.path()).len() > 8);
    assert!(indexes(dir.path()).is_empty());
}

/// A disk that holds or fails one of the changes that are made to the files of indexes.
#[derive(Default)]
struct IndexDisk {
    state: Mutex<IndexDiskState>,
    changed: Condvar,
}

#[derive(Default)]
struct IndexDiskState {
    changes: usize,
    fail_at: Option<usize>,
    is_shut: bool,
    is_held: bool,
}

impl IndexDisk {
    fn set(&self, set: impl FnOnce(&mut IndexDiskState)) {
        set(&mut self.state.lock().unwrap());
        self.changed.notify_all();
    }

    /// Waits while `is_early`. The wait is limited, so that a failing test ends.
    fn wait_while(&self, is_early: impl FnMut(&mut IndexDiskState) -> bool) {
        let (state, limit) = (self.state.lock().unwrap(), Duration::from_secs(60));
        let waited = self.changed.wait_timeout_while(state, limit, is_early);
        assert!(!waited.unwrap().1.timed_out());
    }
}

impl Probe for IndexDisk {
    fn before(&self, op: &Op<'_>) -> Result<(), (usize, io::Error)> {
        let path = match *op {
            Op::Create(path)
            | Op::Write { path, .. }
            | Op::SetLen { path, .. }
            | Op::Sync(path)
            | Op::Rename { to: path, .. } => path,
            Op::Remove(_) | Op::CreateDir | Op::SyncDir(_) => return Ok(()),
        };
        if !path.to_string_lossy().contains(".index") {
            return Ok(());
        }
        let mut state = self.state.lock().unwrap();
        let at = state.changes;
        state.changes += 1;
        let fails = state.fail_at == Some(at);
        if state.is_shut {
            state.is_held = true;
            drop(state);
            self.changed.notify_all();
            self.wait_while(|state| state.is_shut);
        }
        match fails {
            true => Err((0, io::ErrorKind::StorageFull.into())),
            false => Ok(()),
        }
    }
}

#[test]
fn steps_go_on_while_an_index_is_written() {
    let dir = scratch();
    let disk = Arc::new(IndexDisk::default());
    disk.set(|state| state.is_shut = true);
    let mut store = open_over_disk(Arc::clone(&disk) as _, dir.path());
    let mut random = Random(23);
    while segment_files(dir.path()).len() < 2 {
        step(&mut store, &mut random, 5);
    }
    disk.wait_while(|state| !state.is_held);
    fill(&mut store, &mut random, 40);
    assert!(indexes(dir.path()).is_empty());
    disk.set(|state| state.is_shut = false);
    drop(store);
    are_whole(dir.path());
}

#[test]
fn an_index_that_cannot_be_written_fails_no_step_and_is_made_later() {
    for at in 0.. {
        let dir = scratch();
        let disk = Arc::new(IndexDisk::default());
        disk.set(|state| state.fail_at = Some(at));
        let mut store = open_over_disk(Arc::clone(&disk) as _, dir.path());
        fill(&mut store, &mut Random(24), 30);
        let sealed = segment_files(dir.path()).len() - 1;
        // The thread makes four changes for each index, and the last of them is the rename.
        if at == 4 * sealed {
            assert!(at >= 4 * 6, "{sealed} segments");
            break;
        }
        let began = Instant::now();
        while store.last_index_error().is_none() {
            assert!(began.elapsed() < Duration::from_secs(60), "change {at}");
            std::thread::yield_now();
        }
        let error = store.last_index_error().unwrap();
        assert!(error.is_full(), "change {at}: {error}");
        drop(store);
        assert_eq!(indexes(dir.path()).len(), sealed - 1, "change {at}");
        assert!(!has_temporary_files(dir.path()), "change {at}");
        let store = open(dir.path());
        if at % 7 == 0 {
            same(&store, &format!("after a failure of change {at}"));
        } else {
            store.history_of_key::<Person>(&1).unwrap();
        }
        assert_eq!(indexes(dir.path()).len(), sealed, "change {at}");
    }
}

#[test]
fn a_kill_at_any_change_of_the_log_and_its_indexes_loses_nothing() {
    let mut with_half_an_index = 0;
    for after in (0..).step_by(3) {
        let dir = scratch();
        let faults = Arc::new(Faults::default());
        let mut store = open_over_disk(Arc::clone(&faults) as _, dir.path());
        for number in 0..2 {
            store.step(Built { floor: 1, number });
        }
        faults.die_after(after);
        let mut acknowledged = store.seq();
        for name in 0..40 {
            if store.try_step(Came { name }).is_err() {
                break;
            }
            acknowledged = store.seq();
        }
        drop(store);
        let is_done = !faults.failed();
        let is_half = |path: &PathBuf| path.to_string_lossy().ends_with(".index.tmp");
        with_half_an_index += usize::from(files(dir.path()).iter().any(is_half));
        let store = open(dir.path());
        assert!(!has_temporary_files(dir.path()), "change {after}");
        assert!(store.seq() >= acknowledged, "change {after}");
        assert_eq!(store.check(), []);
        same(&store, &format!("after a kill at change {after}"));
        if is_done {
            break;
        }
    }
    assert!(with_half_an_index > 3, "{with_half_an_index}");
}

#[test]
fn after_a_power_cut_each_index_is_whole_or_is_not_believed() {
    let dir = scratch();
    let faults = Arc::new(Faults::default());
    let mut random = Random(25);
    // The indexes of the first part are complete before the second begins.
    for _ in 0..2 {
        let mut store = open_over_disk(Arc::clone(&faults) as _, dir.path());
        fill(&mut store, &mut random, 10);
    }
    assert!(indexes(dir.path()).len() > 3);
    let (mut disk, mut random) = (Model::default(), PowerRandom(13));
    let mut indexed = 0;
    for (at, change) in faults.changes().iter().enumerate() {
        disk.change(change);
        let after = scratch();
        disk.cut(&mut random, dir.path(), after.path());
        let store = Club::open(after.path()).unwrap_or_else(|e| panic!("{at}: {e}"));
        indexed += usize::from(!indexes(after.path()).is_empty());
        if store.find::<Room>(&(1, 1)).is_some() {
            same(&store, &format!("after a power cut at change {at}"));
        }
    }
    assert!(indexed > 20, "{indexed}");
}

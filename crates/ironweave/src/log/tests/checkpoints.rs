//! Writing a checkpoint is interrupted at every change of the directory: the checkpoints that exist stay good, the log is as it
//! was, and the next checkpoint can be written.

use super::faults::{Change, Faults};
use super::power::{Model, Random};
use super::share::shared;
use super::share::things::{self, Added};
use super::*;
use crate::store::{CheckpointPolicy, Store};

type Things = Store<things::Model>;

fn open(faults: &Arc<Faults>, dir: &Path) -> Things {
    let disk = Disk {
        probe: Some(Arc::clone(faults) as _),
    };
    let log = FileLog::open_on(disk, dir, LogOptions::default()).unwrap();
    Store::options().over_log(Box::new(log)).unwrap()
}

fn add(store: &mut Things, names: std::ops::Range<u64>) {
    for name in names {
        store.try_step(Added { name }).unwrap();
    }
}

/// As many that the next one makes an older one superfluous.
const CHECKPOINTS: u64 = 6;

/// A store with checkpoints.
fn filled(faults: &Arc<Faults>, dir: &Path) -> Things {
    let mut store = open(faults, dir);
    for n in 0..CHECKPOINTS {
        add(&mut store, 4 * n..4 * n + 4);
        store.checkpoint().unwrap();
    }
    add(&mut store, 100..104);
    store
}

fn checkpoints(dir: &Path) -> Vec<Seq> {
    CheckpointFiles::new(dir, Disk::default()).list().unwrap()
}

#[test]
fn an_interrupted_checkpoint_leaves_the_older_ones_good() {
    for killed in [false, true] {
        for after in 0.. {
            let dir = scratch();
            let faults = Arc::new(Faults::default());
            let mut store = filled(&faults, dir.path());
            let before = checkpoints(dir.path());
            let fingerprint = store.fingerprint();
            let done = faults.changes().len();
            if killed {
                faults.die_after(after);
            } else {
                faults.fail_once_after(after, std::io::ErrorKind::StorageFull);
            }
            let written = store.checkpoint();
            let failed = faults.failed();
            assert_eq!(written.is_err(), failed, "{after}: {written:?}");
            let last = before.last().copied().unwrap();
            // The newest one was complete before any older one was removed.
            let after_names = checkpoints(dir.path());
            assert!(after_names.contains(&last), "{after}: {after_names:?}");
            drop(store);
            faults.live();
            let mut store = open(&faults, dir.path());
            assert_eq!(store.fingerprint(), fingerprint, "{after}");
            let opened = store.opened_from();
            assert!(opened.checkpoint() >= Some(last), "{after}: {opened}");
            assert!(opened.ignored().is_empty(), "{after}: {opened}");
            assert!(!leftovers(dir.path()), "{after}");
            add(&mut store, 200..202);
            let next = store.checkpoint().unwrap();
            let fingerprint = store.fingerprint();
            drop(store);
            let store = open(&faults, dir.path());
            assert_eq!(store.opened_from().checkpoint(), Some(next.seq()));
            assert_eq!(store.fingerprint(), fingerprint);
            if !failed {
                let changes = faults.changes();
                let mut of_checkpoint = changes[done..].iter();
                assert!(of_checkpoint.any(|change| matches!(change, Change::Remove(_))));
                assert!(after >= 7, "it has been interrupted at each change");
                break;
            }
        }
    }
}

fn leftovers(dir: &Path) -> bool {
    let names = fs::read_dir(dir).unwrap();
    let mut names = names.map(|entry| entry.unwrap().file_name());
    names.any(|name| name.to_string_lossy().ends_with(".tmp"))
}

/// A file is synced before it is renamed, and the directory after that, so that no power cut leaves a name without content.
#[test]
fn a_checkpoint_is_synced_before_it_has_its_name() {
    let dir = scratch();
    let faults = Arc::new(Faults::default());
    let mut store = filled(&faults, dir.path());
    let done = faults.changes().len();
    store.checkpoint().unwrap();
    let changes = faults.changes();
    let kinds: Vec<&str> = changes[done..]
        .iter()
        .map(|change| match change {
            Change::Create(_) => "create",
            Change::Write(..) => "write",
            Change::Sync(_) => "sync",
            Change::Rename(..) => "rename",
            Change::SyncDir(_) => "sync dir",
            Change::Remove(_) => "remove",
            Change::SetLen(..) | Change::CreateDir => "other",
        })
        .collect();
    // The first sync is that of the log.
    assert_eq!(
        kinds,
        [
            "create", "write", "write", "sync", "rename", "sync dir", "remove", "sync dir"
        ],
    );
}

#[test]
fn other_callers_go_on_while_a_checkpoint_is_synced() {
    let dir = scratch();
    let (store, gate) = shared(dir.path());
    let seq = store.durable();
    let written = std::thread::scope(|scope| {
        let checkpoint = scope.spawn(|| store.checkpoint());
        gate.until(|state| state.syncs == 1);
        assert!(checkpoints(dir.path()).is_empty());
        // The step would wait for its own sync if its handle did not.
        store.exclusive(|store| store.step(Added { name: 1 }));
        gate.set(|state| state.shut = false);
        checkpoint.join().unwrap().unwrap()
    });
    assert_eq!(Some(written.seq()), seq);
    let fingerprint = store.exclusive(|store| store.fingerprint());
    drop(store);
    let store = Things::open(dir.path()).unwrap();
    assert_eq!(store.opened_from().checkpoint(), seq);
    assert_eq!(store.fingerprint(), fingerprint);
}

/// The power fails after any change of a store that writes checkpoints on its thread.
#[test]
fn after_a_power_cut_each_checkpoint_is_whole_or_missing() {
    let dir = scratch();
    let faults = Arc::new(Faults::default());
    let disk = Disk {
        probe: Some(Arc::clone(&faults) as _),
    };
    let options = LogOptions {
        segment_bytes_max: 700,
        ..LogOptions::default()
    };
    let log = FileLog::open_on(disk, dir.path(), options).unwrap();
    let policy = CheckpointPolicy::never().frames(4);
    let options = Things::options().checkpoint_every(policy);
    let mut store = options.over_log(Box::new(log)).unwrap();
    // After how many changes each frame was reported as durable, and its fingerprint.
    let mut frames = vec![(faults.changes().len(), store.fingerprint())];
    for name in 0..23 {
        add(&mut store, name..name + 1);
        frames.push((faults.changes().len(), store.fingerprint()));
        // The schema is the first of four frames.
        if name % 4 == 2 {
            let began = std::time::Instant::now();
            while store.last_checkpoint().map(|last| last.unwrap().seq()) != store.seq() {
                assert!(
                    began.elapsed().as_secs() < 60,
                    "{:?}",
                    store.last_checkpoint()
                );
                std::thread::yield_now();
            }
        }
    }
    drop(store);
    let changes = faults.changes();
    let mut model = Model::default();
    let mut random = Random(11);
    let (mut from_checkpoints, mut from_logs) = (0, 0);
    for (at, change) in changes.iter().enumerate() {
        model.change(change);
        let durable = frames.iter().filter(|(then, _)| *then <= at + 1).count();
        for _ in 0..3 {
            let after = scratch();
            model.cut(&mut random, dir.path(), after.path());
            let store = Things::open(after.path()).unwrap_or_else(|e| panic!("{at}: {e}"));
            let opened = store.opened_from();
            assert!(opened.ignored().is_empty(), "{at}: {opened}");
            match opened.checkpoint() {
                Some(_) => from_checkpoints += 1,
                None => from_logs += 1,
            }
            let last = store.seq().unwrap().get() as usize;
            assert!(last + 1 >= durable, "{at}: {last} of {durable}");
            assert_eq!(store.fingerprint(), frames[last].1, "{at}");
            assert_eq!(store.verify().unwrap(), last as u64);
            assert!(!leftovers(after.path()), "{at}");
        }
    }
    assert!(
        from_checkpoints > 100 && from_logs > 20,
        "{from_checkpoints} {from_logs}"
    );
}

//! Backups and restores that are interrupted before each of their changes.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::super::copy::{NewLog, backup_on, restore_on};
use super::super::disk::{Op, Probe};
use super::*;

/// Makes every change from the n-th on fail, as if the process had been killed before it.
struct KilledAt {
    n: u64,
    done: AtomicU64,
}

impl Probe for KilledAt {
    fn before(&self, _: &Op<'_>) -> Result<(), (usize, io::Error)> {
        match self.done.fetch_add(1, Ordering::Relaxed) {
            at if at < self.n => Ok(()),
            _ => Err((0, io::Error::other("killed"))),
        }
    }
}

fn killed_at(n: u64) -> (Disk, Arc<KilledAt>) {
    let probe = Arc::new(KilledAt {
        n,
        done: AtomicU64::new(0),
    });
    let disk = Disk {
        probe: Some(Arc::clone(&probe) as Arc<dyn Probe>),
    };
    (disk, probe)
}

/// The number of frames of a log, which are checked, or `None` if there is no log.
fn frames(dir: &Path) -> Option<u64> {
    match ReadOnlyLog::open(dir) {
        Ok(log) => Some(check(log.read(Seq::ZERO).unwrap(), 0)),
        Err(e) if e.is_not_found() => None,
        Err(e) => panic!("{e}"),
    }
}

#[test]
fn an_interrupted_backup_is_a_prefix_of_the_log_and_the_next_one_completes_it() {
    let dir = scratch();
    let (source, earlier) = (dir.path().join("source"), dir.path().join("earlier"));
    let mut log = FileLog::open(&source, small()).unwrap();
    (0..7).for_each(|seq| append(&mut log, seq));
    backup(&source, &earlier, |_, _| {}).unwrap();
    (7..20).for_each(|seq| append(&mut log, seq));
    for begun in [0, 7] {
        for n in 0.. {
            let target = dir.path().join(format!("copy-{begun}-{n}"));
            if begun > 0 {
                backup(&earlier, &target, |_, _| {}).unwrap();
            }
            let (disk, probe) = killed_at(n);
            let result = backup_on(&disk, &source, &target, &mut |_, _| {});
            let kept = frames(&target).unwrap_or(0);
            assert!((begun..=20).contains(&kept), "change {n}: {kept} frames");
            backup(&source, &target, |_, _| {}).unwrap_or_else(|e| panic!("change {n}: {e}"));
            assert_eq!(frames(&target), Some(20), "change {n}");
            if result.is_ok() {
                assert!(probe.done.load(Ordering::Relaxed) > 10);
                break;
            }
        }
    }
}

#[test]
fn an_interrupted_restore_leaves_no_log_at_the_target() {
    let dir = scratch();
    let source = dir.path().join("source");
    fill(&source, small(), 12);
    for n in 0.. {
        assert!(n < 10_000, "the disk of the test fails by itself");
        let target = dir.path().join(format!("restored-{n}"));
        let (disk, probe) = killed_at(n);
        let paths = (source.as_path(), target.as_path());
        let result = restore_on(&disk, paths, Some(Seq::new(8)), &mut |_, _| {});
        match (&result, frames(&target)) {
            // The last change is the sync after the rename.
            (_, Some(found)) => assert_eq!(found, 9),
            (Err(_), None) => {}
            (Ok(_), None) => panic!("the target is absent"),
        }
        if result.is_ok() {
            assert!(probe.done.load(Ordering::Relaxed) > 10);
            break;
        }
    }
}

#[test]
fn a_restored_log_has_the_frames_and_another_timeline() {
    let dir = scratch();
    let source = dir.path().join("source");
    fill(&source, small(), 12);
    for until in 0..12 {
        let target = dir.path().join(format!("restored-{until}"));
        let copied = restore(&source, &target, Some(Seq::new(until)), |_, _| {}).unwrap();
        assert_eq!(frames(&target), Some(until + 1));
        let log = FileLog::open(&source, small()).unwrap();
        assert_eq!(copied.last, log.position_of(Seq::new(until)).unwrap());
        let mut restored = FileLog::open(&target, small()).unwrap();
        append(&mut restored, until + 1);
        let position = restored.position_of(Seq::new(until + 1)).unwrap().unwrap();
        assert_ne!(position.timeline, 0, "frame {until}");
    }
    let beyond = restore(&source, dir.path().join("x"), Some(Seq::new(12)), |_, _| {});
    assert!(matches!(beyond, Err(CopyError::NoSuchFrame { .. })));
}

/// Alters a byte of each segment before it gets its name, as a bad disk might.
struct Alters;

impl Probe for Alters {
    fn before(&self, op: &Op<'_>) -> Result<(), (usize, io::Error)> {
        if let Op::Rename { from, to } = op
            && to.extension().is_some_and(|e| e == "log")
        {
            let mut bytes = fs::read(from).unwrap();
            let last = bytes.len() - 1;
            bytes[last.min(100)] ^= 1;
            fs::write(from, bytes).unwrap();
        }
        Ok(())
    }
}

#[test]
fn a_copy_that_the_disk_altered_is_an_error() {
    let dir = scratch();
    let (source, target) = (dir.path().join("source"), dir.path().join("target"));
    fill(&source, small(), 12);
    let disk = Disk {
        probe: Some(Arc::new(Alters)),
    };
    backup_on(&disk, &source, &target, &mut |_, _| {}).unwrap_err();
    let target = dir.path().join("restored");
    restore_on(&disk, (&source, &target), None, &mut |_, _| {}).unwrap_err();
    assert!(!target.exists() && !dir.path().join("restored.unfinished").exists());
}

/// The files of a directory with their contents.
fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn a_target_that_is_not_an_earlier_copy_is_not_changed() {
    let dir = scratch();
    let path = |name: &str| dir.path().join(name);
    fill(&path("source"), small(), 12);
    fill(&path("other"), small(), 5);
    fill(&path("longer"), small(), 12);
    restore(
        path("source"),
        path("earlier"),
        Some(Seq::new(5)),
        |_, _| {},
    )
    .unwrap();
    backup(path("source"), path("copy"), |_, _| {}).unwrap();
    fs::create_dir(path("occupied")).unwrap();
    fs::write(path("occupied").join("notes"), "mine").unwrap();
    for (source, target) in [
        ("source", "other"),
        ("source", "longer"),
        ("earlier", "copy"),
        ("source", "occupied"),
        ("source", "source"),
    ] {
        let before = files(&path(target));
        backup(path(source), path(target), |_, _| {}).unwrap_err();
        // The lock file has the id of the last process that locked it.
        let unlocked = |files: &[(PathBuf, Vec<u8>)]| {
            let files = files.iter().filter(|(path, _)| !path.ends_with("LOCK"));
            files.cloned().collect::<Vec<_>>()
        };
        assert_eq!(
            unlocked(&files(&path(target))),
            unlocked(&before),
            "{source} to {target}"
        );
    }
}

#[test]
fn a_second_backup_writes_only_the_segments_that_have_changed() {
    let dir = scratch();
    let (source, target) = (dir.path().join("source"), dir.path().join("target"));
    let mut log = FileLog::open(&source, small()).unwrap();
    (0..12).for_each(|seq| append(&mut log, seq));
    let all = backup(&source, &target, |_, _| {}).unwrap();
    assert!(all.segments > 2 && all.frames == 12, "{all:?}");
    let none = backup(&source, &target, |_, _| {}).unwrap();
    assert_eq!((none.segments, none.bytes, none.frames), (0, 0, 0));
    append(&mut log, 12);
    let one = backup(&source, &target, |_, _| {}).unwrap();
    assert!(
        (1..=2).contains(&one.segments) && one.frames == 1,
        "{one:?}"
    );
}

#[test]
fn what_an_interrupted_restore_left_is_named_by_the_next_one() {
    let dir = scratch();
    let path = |name: &str| dir.path().join(name);
    fill(&path("source"), small(), 12);
    fs::create_dir(path("restored.unfinished")).unwrap();
    fs::write(path("restored.unfinished").join("LOCK"), "1").unwrap();
    let e = restore(path("source"), path("restored"), None, |_, _| {}).unwrap_err();
    assert!(matches!(e, CopyError::Unfinished { dir } if dir == path("restored.unfinished")));
    fs::remove_dir_all(path("restored.unfinished")).unwrap();
    restore(path("source"), path("restored"), None, |_, _| {}).unwrap();
    assert!(!path("restored.unfinished").exists());
}

#[test]
fn a_copy_is_never_within_the_store() {
    let dir = scratch();
    let source = dir.path().join("source");
    fill(&source, small(), 12);
    let before = files(&source);
    for name in ["", "copy", "two/levels", "../source", "../source/copy"] {
        let target = source.join(name);
        let copied = [
            backup(&source, &target, |_, _| {}),
            restore(&source, &target, None, |_, _| {}),
        ];
        for copied in copied {
            let e = copied.unwrap_err();
            let is_named = match name.ends_with("copy") || name.contains("two") {
                true => matches!(e, CopyError::InsideStore { .. }),
                false => matches!(e, CopyError::SameDirectory { .. }),
            };
            assert!(is_named, "{name}: {e}");
            assert_eq!(files(&source), before, "{name}");
        }
    }
}

#[test]
fn a_backup_of_another_store_and_one_that_is_being_written_are_named() {
    let dir = scratch();
    let path = |name: &str| dir.path().join(name);
    fill(&path("source"), small(), 12);
    fill(&path("other"), small(), 5);
    let e = backup(path("source"), path("other"), |_, _| {}).unwrap_err();
    assert!(matches!(e, CopyError::OtherStore { .. }), "{e}");
    backup(path("source"), path("copy"), |_, _| {}).unwrap();
    let lock = Lock::acquire(&path("copy")).unwrap();
    let e = backup(path("source"), path("copy"), |_, _| {}).unwrap_err();
    assert!(matches!(&e, CopyError::Storage(e) if e.is_locked()), "{e}");
    drop(lock);
    backup(path("source"), path("copy"), |_, _| {}).unwrap();
}

#[test]
fn a_restore_does_not_touch_a_target_that_has_files() {
    let dir = scratch();
    let path = |name: &str| dir.path().join(name);
    fill(&path("source"), small(), 12);
    fill(&path("log"), small(), 5);
    fs::create_dir(path("notes")).unwrap();
    fs::write(path("notes").join("notes"), "mine").unwrap();
    fs::create_dir(path("empty")).unwrap();
    for target in ["log", "notes"] {
        let before = files(&path(target));
        let e = restore(path("source"), path(target), None, |_, _| {}).unwrap_err();
        assert!(matches!(e, CopyError::Occupied { .. }), "{e}");
        assert_eq!(files(&path(target)), before);
        assert!(!path(&format!("{target}.unfinished")).exists());
    }
    restore(path("source"), path("empty"), None, |_, _| {}).unwrap();
    assert_eq!(frames(&path("empty")), Some(12));
}

#[test]
fn a_new_log_that_is_dropped_leaves_nothing() {
    let dir = scratch();
    let target = dir.path().join("imported");
    let mut new = NewLog::create(&target).unwrap();
    for seq in 0..3 {
        new.append(header(seq), &payload(seq)).unwrap();
    }
    assert!(dir.path().join("imported.unfinished").exists() && !target.exists());
    drop(new);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

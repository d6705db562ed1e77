//! Readers that run concurrently with a writer, and readers of read-only directories.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::faults::Faults;
use super::*;

/// Appends up to `frames` frames. The writer rolls and extends segments, and at times closes the log or is killed within
/// a frame.
fn write(dir: &Path, frames: u64) {
    let options = LogOptions {
        segment_bytes_max: 3_000,
        spare_bytes_max: 1_000,
        ..small()
    };
    let mut seq = 0;
    while seq < frames {
        let faults = Arc::new(Faults::default());
        let mut log = open_on(&faults, dir, options).unwrap();
        seq = log.head().map_or(0, |head| head.seq.get() + 1);
        for _ in 0..50 {
            append_unsynced(&mut log, seq);
            seq += 1;
        }
        if seq % 4 < 2 {
            faults.die_after((seq % 3) as usize);
            while log.append(header(seq), &payload(seq)).is_ok() {
                seq += 1;
            }
        }
    }
}

/// Ends the reader even if the writer panics.
struct SetAtTheEnd<'a>(&'a AtomicBool);

impl Drop for SetAtTheEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn a_reader_beside_a_writer_sees_prefixes_that_grow() {
    const FRAMES: u64 = 3_000;
    let dir = scratch();
    FileLog::open(dir.path(), small()).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let _done = SetAtTheEnd(&done);
            write(dir.path(), FRAMES);
        });
        let mut log = ReadOnlyLog::open(dir.path()).unwrap();
        let (mut next, mut growths) = (0, 0);
        loop {
            // The flag is read before the log, so that the last read of the log sees every frame.
            let last_look = done.load(Ordering::SeqCst);
            let head = log.refresh().unwrap();
            let now = head.map_or(0, |head| head.seq.get() + 1);
            assert!(now >= next);
            assert_eq!(check(log.read(Seq::new(next)).unwrap(), next), now);
            growths += u32::from(now > next);
            next = now;
            if next % 7 == 0 {
                let fresh = ReadOnlyLog::open(dir.path()).unwrap();
                assert!(check(fresh.read(Seq::ZERO).unwrap(), 0) >= next);
            }
            if last_look {
                break;
            }
        }
        assert!(
            next >= FRAMES && growths > 10,
            "{next} frames in {growths} steps"
        );
    });
}

#[test]
fn a_reader_stops_at_a_frame_that_is_being_written_and_goes_on_when_it_is_whole() {
    let dir = scratch();
    fill(dir.path(), LogOptions::default(), 3);
    let path = segment_path(dir.path(), 0);
    let whole = fs::read(&path).unwrap();
    fs::remove_file(dir.path().join("HEAD")).unwrap();
    fs::write(&path, &whole[..64]).unwrap();
    let mut log = ReadOnlyLog::open(dir.path()).unwrap();
    for len in 64..=whole.len() {
        fs::write(&path, &whole[..len]).unwrap();
        log.refresh().unwrap();
        let found = check(log.read(Seq::ZERO).unwrap(), 0);
        assert_eq!(
            found,
            check(
                ReadOnlyLog::open(dir.path())
                    .unwrap()
                    .read(Seq::ZERO)
                    .unwrap(),
                0
            )
        );
    }
    assert_eq!(log.head().unwrap().seq, 2);
    assert_eq!(log.durable(), Some(Seq::new(1)));
}

#[test]
fn a_reader_needs_no_permission_to_write_and_leaves_no_trace() {
    let dir = scratch();
    fill(dir.path(), small(), 20);
    // The reader does not change a spare tail or a torn tail either.
    let last = segment_files(dir.path()).pop().unwrap();
    let bytes = fs::read(&last).unwrap();
    fs::write(&last, [&bytes, &b"torn"[..], &[0; 100]].concat()).unwrap();
    let trace = || {
        let trace = |path: PathBuf| {
            (
                fs::metadata(&path).unwrap().modified().unwrap(),
                fs::read(&path).unwrap(),
                path,
            )
        };
        files(dir.path()).into_iter().map(trace).collect::<Vec<_>>()
    };
    let before = trace();
    let writable = fs::metadata(dir.path()).unwrap().permissions();
    let mut read_only = writable.clone();
    read_only.set_readonly(true);
    fs::set_permissions(dir.path(), read_only.clone()).unwrap();
    for path in files(dir.path()) {
        let mut permissions = fs::metadata(&path).unwrap().permissions();
        permissions.set_readonly(true);
        fs::set_permissions(path, permissions).unwrap();
    }
    let found = ReadOnlyLog::open(dir.path()).map(|mut log| {
        log.refresh().unwrap();
        check(log.read(Seq::ZERO).unwrap(), 0)
    });
    fs::set_permissions(dir.path(), writable).unwrap();
    assert_eq!(found.unwrap(), 20);
    assert!(trace() == before);
}

#[test]
fn a_reader_takes_no_lock() {
    let dir = scratch();
    let mut log = FileLog::open(dir.path(), small()).unwrap();
    let mut reader = ReadOnlyLog::open(dir.path()).unwrap();
    assert_eq!(reader.head(), None);
    append(&mut log, 0);
    assert_eq!(reader.refresh().unwrap().unwrap().seq, 0);
    drop(log);
    FileLog::open(dir.path(), small()).unwrap();
}

#[test]
fn a_directory_without_a_store_is_not_found() {
    let dir = scratch();
    for path in [dir.path().to_owned(), dir.path().join("absent")] {
        let error = ReadOnlyLog::open(&path).unwrap_err();
        assert!(error.is_not_found(), "{error}");
        assert!(
            error.to_string().contains(path.to_str().unwrap()),
            "{error}"
        );
    }
    assert!(files(dir.path()).is_empty());
    // A process that created a log was killed before it had written a readable file.
    fs::write(dir.path().join("LOCK"), "").unwrap();
    assert!(ReadOnlyLog::open(dir.path()).unwrap_err().is_not_found());
}

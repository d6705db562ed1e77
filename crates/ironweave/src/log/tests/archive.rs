//! Segments in archives: they are read in place, an interrupted call leaves the log as it was or archives a segment, and damage is
//! found and named.

use std::io;
use std::sync::Arc;

use super::super::archive::Archiving;
use super::super::archived::Archived;
use super::faults::Faults;
use super::power::{Model, Random};
use super::*;

const FRAMES: u64 = 40;

/// A directory with a log of several segments, and a path for an archive.
struct Place {
    _root: tempfile::TempDir,
    log: PathBuf,
    archive: PathBuf,
}

fn filled() -> Place {
    let root = scratch();
    let (log, archive) = (root.path().join("log"), root.path().join("archive"));
    fill(&log, small(), FRAMES);
    Place {
        _root: root,
        log,
        archive,
    }
}

fn segments(dir: &Path) -> Vec<Sealed> {
    let log = ReadOnlyLog::open(dir).unwrap();
    log.segments().unwrap().sealed().to_vec()
}

/// Archives all segments before a frame.
fn archive(disk: Disk, place: &Place, until: Seq) -> Result<usize, StorageError> {
    let mut archiving = Archiving::begin_on(disk, &place.log, None)?;
    let done = archiving.archive(&place.archive, until, &mut |_| {})?;
    Ok(done.len())
}

fn drop_before(disk: Disk, dir: &Path, kept: Seq) -> Result<(), StorageError> {
    Archiving::begin_on(disk, dir, None)?.drop_before(kept)
}

/// Archives all segments but the last three.
fn archived() -> (Place, Vec<Sealed>) {
    let place = filled();
    let sealed = segments(&place.log);
    let until = sealed[sealed.len() - 3].next;
    let done = archive(Disk::default(), &place, until).unwrap();
    assert_eq!(done, sealed.len() - 2);
    (place, sealed)
}

fn no_leftovers(place: &Place) {
    let mut all = files(&place.log);
    if place.archive.exists() {
        all.extend(files(&place.archive));
    }
    for path in all {
        assert!(path.extension().is_none_or(|e| e != "tmp"), "{path:?}");
    }
    if let Some(archived) = Archived::read(&place.log).unwrap() {
        assert!(archived.segments.iter().all(|segment| !segment.dropped));
        let listed = super::super::listing::segments(&place.log).unwrap();
        assert_eq!(listed.first(), Some(&archived.left.seq));
    }
}

#[test]
fn archived_segments_are_read_in_place() {
    let (place, sealed) = archived();
    no_leftovers(&place);
    assert_eq!(segment_files(&place.log).len(), 3);
    assert_eq!(segments(&place.log), sealed);
    let log = ReadOnlyLog::open(&place.log).unwrap();
    for from in 0..FRAMES {
        assert_eq!(check(log.read(Seq::new(from)).unwrap(), from), FRAMES);
    }
    // Single frames, as history reads them.
    let all = log.segments().unwrap();
    let mut seq = 0;
    for of in &sealed {
        let mut places = Vec::new();
        let mut mark = ReadPoint::start(of.first);
        all.scan(&mut mark, of.next, |at, _, _| {
            places.push(at);
            Ok(())
        })
        .unwrap();
        let (mut segment, mut buffer) = (all.open(of.first).unwrap(), Vec::new());
        for at in places {
            let (header, found, position) = segment.read(at, &mut buffer).unwrap();
            assert_eq!((header.seq.get(), found), (seq, &*payload(seq)));
            let expected = log.position_of(Seq::new(seq)).unwrap();
            assert_eq!(expected, Some(position));
            seq += 1;
        }
    }
    drop(log);
    assert_eq!(reopen(&place.log, small()).unwrap(), FRAMES);
}

#[test]
fn opening_reads_nothing_of_an_archive_and_a_frame_costs_one_block() {
    use super::super::compressed::BLOCKS_READ;

    let (place, sealed) = archived();
    BLOCKS_READ.set(0);
    let log = ReadOnlyLog::open(&place.log).unwrap();
    drop(FileLog::open(&place.log, small()).unwrap());
    assert_eq!(BLOCKS_READ.get(), 0);
    let last = sealed[0].next.get() - 1;
    let mut frames = log.read(Seq::new(last)).unwrap();
    assert_eq!(frames.next().unwrap().unwrap().payload, payload(last));
    assert_eq!(BLOCKS_READ.get(), 1);
}

#[test]
fn a_segment_has_several_blocks_and_other_programs_can_decompress_it() {
    let place = filled();
    let sealed = segments(&place.log);
    let before = fs::read(segment_path(&place.log, 0)).unwrap();
    archive(Disk::default(), &place, sealed[0].next).unwrap();
    let path = super::super::compressed::compressed_path(&place.archive, Seq::ZERO);
    let compressed = fs::read(&path).unwrap();
    assert!(zstd::stream::decode_all(&compressed[..]).unwrap() == before);
    let frames = compressed
        .windows(4)
        .filter(|w| *w == [0x28, 0xb5, 0x2f, 0xfd]);
    assert!(frames.count() > 1);
    // The decompressed file is used instead of the archive.
    fs::remove_file(&path).unwrap();
    fs::write(segment_path(&place.log, 0), before).unwrap();
    let log = ReadOnlyLog::open(&place.log).unwrap();
    assert_eq!(check(log.read(Seq::ZERO).unwrap(), 0), FRAMES);
}

#[test]
fn a_log_can_be_written_and_read_while_it_is_archived() {
    let place = filled();
    let sealed = segments(&place.log);
    let mut writer = FileLog::open(&place.log, small()).unwrap();
    let mut reader = ReadOnlyLog::open(&place.log).unwrap();
    let mut begun = reader.read(Seq::ZERO).unwrap();
    assert_eq!(begun.next().unwrap().unwrap().payload, payload(0));
    archive(Disk::default(), &place, sealed[2].next).unwrap();
    assert_eq!(check(begun, 1), FRAMES);
    append(&mut writer, FRAMES);
    append(&mut writer, FRAMES + 1);
    assert_eq!(check(writer.read(Seq::ZERO).unwrap(), 0), FRAMES + 2);
    reader.refresh().unwrap();
    assert_eq!(check(reader.read(Seq::ZERO).unwrap(), 0), FRAMES + 2);
    drop_before(Disk::default(), &place.log, sealed[1].first).unwrap();
    for log in [&writer as &dyn ReadLog, &reader] {
        let kept = sealed[1].first;
        let e = log.read(Seq::ZERO).err().unwrap();
        assert!(e.is_dropped() && e.seq() == Some(kept), "{e}");
        assert_eq!(check(log.read(kept).unwrap(), kept), FRAMES + 2);
    }
    append(&mut writer, FRAMES + 2);
    writer.close().unwrap();
    let log = FileLog::open(&place.log, small()).unwrap();
    let kept = sealed[1].first;
    assert_eq!(check(log.read(kept).unwrap(), kept), FRAMES + 3);
}

/// Calls `run` until it is no longer interrupted: once for each of its changes, as if the process had been killed before it or the
/// disk had failed once.
fn interrupted(
    place: impl Fn() -> Place,
    run: impl Fn(Disk, &Place) -> Result<(), StorageError>,
    check: impl Fn(&Place, usize),
) {
    for killed in [true, false] {
        for after in 0.. {
            let place = place();
            let faults = Arc::new(Faults::default());
            match killed {
                true => faults.die_after(after),
                false => faults.fail_once_after(after, io::ErrorKind::StorageFull),
            }
            let disk = Disk {
                probe: Some(faults.clone()),
            };
            let result = run(disk, &place);
            assert_eq!(
                result.is_err(),
                faults.failed(),
                "change {after}: {result:?}"
            );
            check(&place, after);
            run(Disk::default(), &place).unwrap_or_else(|e| panic!("change {after}: {e}"));
            no_leftovers(&place);
            check(&place, after);
            if result.is_ok() {
                assert!(after > 5, "it was interrupted at each change");
                break;
            }
        }
    }
}

#[test]
fn an_interrupted_archive_leaves_all_frames_and_the_next_call_completes_it() {
    interrupted(
        filled,
        |disk, place| {
            let until = segments(&place.log)[1].next;
            archive(disk, place, until).map(|_| ())
        },
        |place, after| {
            let log = ReadOnlyLog::open(&place.log).unwrap();
            let found = check(log.read(Seq::ZERO).unwrap(), 0);
            assert_eq!(found, FRAMES, "change {after}");
            FileLog::open(&place.log, small()).unwrap();
        },
    );
}

#[test]
fn an_interrupted_drop_drops_all_or_nothing_and_the_next_call_completes_it() {
    for in_archive in [true, false] {
        interrupted(
            || if in_archive { archived().0 } else { filled() },
            |disk, place| {
                let kept = segments(&place.log);
                let kept = kept.iter().find(|s| s.first > Seq::new(8)).unwrap().first;
                drop_before(disk, &place.log, kept)
            },
            |place, after| {
                let log = ReadOnlyLog::open(&place.log).unwrap();
                let kept = match log.read(Seq::ZERO) {
                    Ok(frames) => {
                        assert_eq!(check(frames, 0), FRAMES, "change {after}");
                        return;
                    }
                    Err(e) => e.seq().unwrap(),
                };
                assert!(kept > Seq::new(8), "change {after}: {kept}");
                let found = check(log.read(kept).unwrap(), kept);
                assert_eq!(found, FRAMES, "change {after}");
            },
        );
    }
}

#[test]
fn a_power_cut_during_archiving_or_dropping_loses_no_frame_that_was_kept() {
    let mut random = Random(0x51a7);
    for dropping in [false, true] {
        let place = filled();
        let until = segments(&place.log)[1].next;
        let mut model = Model::of(&place.log);
        let faults = Arc::new(Faults::default());
        let disk = Disk {
            probe: Some(faults.clone()),
        };
        match dropping {
            false => drop(archive(disk, &place, until).unwrap()),
            true => drop_before(disk, &place.log, until).unwrap(),
        }
        let root = place.log.parent().unwrap();
        for change in std::iter::once(None).chain(faults.changes().iter().map(Some)) {
            if let Some(change) = change {
                model.change(change);
            }
            for _ in 0..8 {
                let cut = scratch();
                model.cut(&mut random, root, cut.path());
                let log = cut.path().join("log");
                // The recorded path of the archive is that before the power cut.
                let moved = cut.path().join("archive");
                let log = ReadOnlyLog::open_with(&log, Some(&moved)).unwrap();
                match log.read(Seq::ZERO) {
                    Ok(frames) => assert_eq!(check(frames, 0), FRAMES),
                    Err(e) => {
                        assert!(dropping && e.seq() == Some(until), "{change:?}: {e}");
                        assert_eq!(check(log.read(until).unwrap(), until), FRAMES);
                    }
                }
            }
        }
    }
}

#[test]
fn a_missing_archive_is_named_and_one_that_was_moved_is_found() {
    let (place, sealed) = archived();
    let moved = place.archive.with_extension("moved");
    fs::rename(&place.archive, &moved).unwrap();
    let log = ReadOnlyLog::open(&place.log).unwrap();
    let e = log.read(Seq::ZERO).err().unwrap();
    assert!(e.is_archived() && !e.is_damage(), "{e}");
    assert_eq!((e.seq(), e.offset()), (Some(Seq::ZERO), Some(0)));
    let last = sealed[0].next.get() - 1;
    let missing = place.archive.join("00000000000000000000.log.zst");
    assert_eq!(e.segment(), Some(missing.as_path()));
    let text = e.to_string();
    assert!(text.contains(missing.to_str().unwrap()), "{text}");
    assert!(text.contains(&format!("frames 0 to {last}")), "{text}");
    // What is not in the archive can be read and written.
    let kept = sealed[sealed.len() - 3].next;
    assert_eq!(check(log.read(kept).unwrap(), kept), FRAMES);
    FileLog::open(&place.log, small()).unwrap();
    let log = ReadOnlyLog::open_with(&place.log, Some(&moved)).unwrap();
    assert_eq!(check(log.read(Seq::ZERO).unwrap(), 0), FRAMES);
}

#[test]
fn an_archive_inside_the_directory_of_the_log_moves_with_it() {
    let mut place = filled();
    place.archive = place.log.join("old");
    let until = segments(&place.log)[1].next;
    archive(Disk::default(), &place, until).unwrap();
    let moved = place.log.with_extension("moved");
    fs::rename(&place.log, &moved).unwrap();
    let log = ReadOnlyLog::open(&moved).unwrap();
    assert_eq!(check(log.read(Seq::ZERO).unwrap(), 0), FRAMES);
}

#[test]
fn every_altered_byte_of_an_archive_is_noticed_and_named() {
    let place = filled();
    let sealed = segments(&place.log);
    archive(Disk::default(), &place, sealed[0].next).unwrap();
    let path = place.archive.join("00000000000000000000.log.zst");
    let bytes = fs::read(&path).unwrap();
    let read = || -> Result<u64, StorageError> {
        let log = ReadOnlyLog::open(&place.log)?;
        let mut next = 0;
        for frame in log.read(Seq::ZERO)? {
            assert_eq!(frame?.payload, payload(next));
            next += 1;
        }
        Ok(next)
    };
    assert_eq!(read().unwrap(), FRAMES);
    // The first block begins with the header of the segment, which is not read again.
    let mut unnoticed = 0;
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 0x10;
        fs::write(&path, &changed).unwrap();
        match read() {
            Err(e) => {
                assert!(e.is_damage() || e.is_version(), "byte {at}: {e}");
                assert!(e.to_string().contains(".log.zst"), "byte {at}: {e}");
                assert!(e.is_version() || e.offset().is_some(), "byte {at}: {e}");
            }
            Ok(frames) => {
                assert_eq!(frames, FRAMES);
                unnoticed += 1;
            }
        }
        fs::write(&path, &bytes[..at]).unwrap();
        let e = read().unwrap_err();
        assert!(e.is_damage(), "cut at {at}: {e}");
    }
    // Only bits without a meaning, such as the reserved one in the head of a frame of zstd.
    assert!(
        unnoticed <= bytes.len() / 50,
        "{unnoticed} of {}",
        bytes.len()
    );
}

#[test]
fn an_archive_of_another_store_is_neither_used_nor_overwritten() {
    let (place, _) = archived();
    let other = filled();
    let other = Place {
        archive: place.archive.clone(),
        ..other
    };
    let before = fs::read(place.archive.join("00000000000000000000.log.zst")).unwrap();
    let until = segments(&other.log)[1].next;
    let e = archive(Disk::default(), &other, until).unwrap_err();
    assert!(e.to_string().contains("for one store only"), "{e}");
    let after = fs::read(place.archive.join("00000000000000000000.log.zst")).unwrap();
    assert!(before == after);
    let log = ReadOnlyLog::open(&other.log).unwrap();
    assert_eq!(check(log.read(Seq::ZERO).unwrap(), 0), FRAMES);
}

#[test]
fn two_calls_do_not_archive_one_log_at_the_same_time() {
    let place = filled();
    let first = Archiving::begin(&place.log, None).unwrap();
    let e = archive(Disk::default(), &place, Seq::new(9)).unwrap_err();
    assert!(e.is_locked(), "{e}");
    assert!(e.to_string().contains("is archiving or dropping"), "{e}");
    drop(first);
    archive(Disk::default(), &place, Seq::new(9)).unwrap();
}

#[test]
fn the_schemas_of_frames_that_are_gone_are_kept() {
    let (place, sealed) = archived();
    let log = ReadOnlyLog::open(&place.log).unwrap();
    let schemas = || log.segments().unwrap().archived_schemas().unwrap();
    let first = log.read(Seq::ZERO).unwrap().next().unwrap().unwrap();
    let parts = |frame: &Frame| (frame.header, frame.payload.clone(), frame.position);
    let kept: Vec<_> = schemas().iter().map(parts).collect();
    assert_eq!(kept, [parts(&first)]);
    drop_before(Disk::default(), &place.log, sealed[1].first).unwrap();
    assert_eq!(schemas()[0].header, first.header);
    assert_eq!(schemas()[0].payload, first.payload);
}

#[test]
fn a_log_without_its_first_segment_that_is_left_names_it() {
    let (place, sealed) = archived();
    let left = sealed[sealed.len() - 3].next;
    fs::remove_file(segment_path(&place.log, left)).unwrap();
    let e = ReadOnlyLog::open(&place.log).unwrap_err();
    assert!(e.is_damage() && e.seq() == Some(left), "{e}");
    let name = segment_path(Path::new(""), left);
    assert!(e.to_string().contains(name.to_str().unwrap()), "{e}");
}

/// Copies of a log whose first segments are in an archive, or whose first frames were dropped. The checkpoint of the test has no
/// content that the log reads.
fn copied_sources() -> Vec<(Place, Seq)> {
    let (in_archive, _) = archived();
    let (dropped, sealed) = archived();
    let kept = sealed[2].first;
    fs::write(
        dropped.log.join(format!("{FRAMES:020}.checkpoint")),
        "graph",
    )
    .unwrap();
    fs::write(
        dropped.log.join(format!("{:020}.checkpoint", FRAMES - 1)),
        "graph",
    )
    .unwrap();
    drop_before(Disk::default(), &dropped.log, kept).unwrap();
    vec![(in_archive, Seq::ZERO), (dropped, kept)]
}

#[test]
fn an_interrupted_copy_of_such_a_log_is_completed_by_the_next_one() {
    use super::super::copy::{backup_on, restore_on};

    for (place, kept) in copied_sources() {
        for after in 0.. {
            let target = place.log.with_extension(format!("copy-{after}"));
            let faults = Faults::dead_from(after);
            let disk = Disk {
                probe: Some(faults.clone()),
            };
            let result = backup_on(&disk, &place.log, &target, &mut |_, _| {});
            backup(&place.log, &target, |_, _| {}).unwrap_or_else(|e| panic!("{after}: {e}"));
            let copy = ReadOnlyLog::open(&target).unwrap();
            assert_eq!(check(copy.read(kept).unwrap(), kept), FRAMES);
            // A copy has no archives.
            let names = super::super::listing::segments(&target).unwrap();
            assert_eq!(names.first(), Some(&kept));
            assert_eq!(copy.segments().unwrap().left(), kept);
            if kept > Seq::ZERO {
                assert!(
                    copy.read(kept.checked_sub(1).unwrap())
                        .err()
                        .unwrap()
                        .is_dropped()
                );
                let checkpoint = format!("{:020}.checkpoint", FRAMES - 1);
                assert!(target.join(checkpoint).exists());
            }
            if result.is_ok() {
                assert!(after > 10);
                break;
            }
        }
        for after in 0.. {
            let target = place.log.with_extension(format!("restored-{after}"));
            let faults = Faults::dead_from(after);
            let disk = Disk {
                probe: Some(faults.clone()),
            };
            let paths = (place.log.as_path(), target.as_path());
            let result = restore_on(&disk, paths, None, &mut |_, _| {});
            let found = ReadOnlyLog::open(&target);
            assert!(result.is_err() || found.is_ok());
            if let Ok(copy) = found {
                assert_eq!(check(copy.read(kept).unwrap(), kept), FRAMES);
            }
            if result.is_ok() {
                assert!(after > 10);
                break;
            }
        }
    }
}

#[test]
fn a_backup_keeps_what_its_source_drops_and_one_that_misses_dropped_frames_is_not_changed() {
    let place = filled();
    let (whole, early) = (
        place.log.with_extension("whole"),
        place.log.with_extension("early"),
    );
    backup(&place.log, &whole, |_, _| {}).unwrap();
    restore(
        &place.log,
        place.log.with_extension("short"),
        Some(Seq::new(5)),
        |_, _| {},
    )
    .unwrap();
    backup(place.log.with_extension("short"), &early, |_, _| {}).unwrap();
    let sealed = segments(&place.log);
    fs::write(place.log.join(format!("{FRAMES:020}.checkpoint")), "graph").unwrap();
    drop_before(Disk::default(), &place.log, sealed[5].first).unwrap();
    assert_eq!(backup(&place.log, &whole, |_, _| {}).unwrap().segments, 0);
    let copy = ReadOnlyLog::open(&whole).unwrap();
    assert_eq!(check(copy.read(Seq::ZERO).unwrap(), 0), FRAMES);
    let mut log = FileLog::open(&place.log, small()).unwrap();
    append(&mut log, FRAMES);
    backup(&place.log, &whole, |_, _| {}).unwrap();
    let copy = ReadOnlyLog::open(&whole).unwrap();
    assert_eq!(check(copy.read(Seq::ZERO).unwrap(), 0), FRAMES + 1);
    let before = files(&early);
    let e = backup(&place.log, &early, |_, _| {}).unwrap_err();
    assert!(matches!(e, CopyError::Dropped { .. }), "{e}");
    assert_eq!(files(&early), before);
}

/// Alters a byte of a compressed segment before it is synced, as a bad disk might.
struct Alters;

impl super::super::disk::Probe for Alters {
    fn before(&self, op: &super::super::disk::Op<'_>) -> Result<(), (usize, io::Error)> {
        if let super::super::disk::Op::Sync(path) = op
            && path.to_string_lossy().ends_with(".log.zst.tmp")
        {
            let mut bytes = fs::read(path).unwrap();
            bytes[20] ^= 1;
            fs::write(path, bytes).unwrap();
        }
        Ok(())
    }
}

#[test]
fn an_archive_that_the_disk_altered_is_an_error_and_the_segment_stays() {
    let place = filled();
    let until = segments(&place.log)[1].next;
    let disk = Disk {
        probe: Some(Arc::new(Alters)),
    };
    let e = archive(disk, &place, until).unwrap_err();
    assert!(e.is_damage() && e.to_string().contains(".log.zst"), "{e}");
    assert!(segment_path(&place.log, 0).exists());
    assert_eq!(Archived::read(&place.log).unwrap(), None);
    archive(Disk::default(), &place, until).unwrap();
    let log = ReadOnlyLog::open(&place.log).unwrap();
    assert_eq!(check(log.read(Seq::ZERO).unwrap(), 0), FRAMES);
}

#[test]
fn a_segment_is_not_removed_without_its_archive() {
    let mut left = 0;
    for after in 0.. {
        let place = filled();
        let until = segments(&place.log)[1].next;
        let disk = Disk {
            probe: Some(Faults::dead_from(after)),
        };
        let result = archive(disk, &place, until);
        let archived = Archived::read(&place.log).unwrap();
        let listed = super::super::listing::segments(&place.log).unwrap();
        // Those that `ARCHIVED` has, and whose files are still there.
        let both = archived.iter().flat_map(|archived| archived.kept());
        let both: Vec<Seq> = (both.map(|segment| segment.header.seq))
            .filter(|first| listed.contains(first))
            .collect();
        if let Some(first) = both.first() {
            left += 1;
            fs::remove_file(place.archive.join(format!("{first:020}.log.zst"))).unwrap();
            let e = archive(Disk::default(), &place, until).unwrap_err();
            assert!(e.is_archived(), "{after}: {e}");
            assert!(segment_path(&place.log, *first).exists(), "{after}");
        }
        if result.is_ok() {
            break;
        }
    }
    assert!(left > 1, "it was interrupted between the two steps");
}

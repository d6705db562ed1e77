//! Damaged, missing and foreign indexes, and failures and kills while an index is written.

use super::super::super::frame::u64_at;
use super::*;

#[test]
fn whatever_becomes_of_the_indexes_nothing_is_lost() {
    let whole = scratch();
    let mut random = Random(7);
    let mut store = open(whole.path());
    for _ in 0..90 {
        step(&mut store, &mut random, 5);
    }
    same(&store, "as it was written");
    drop(store);
    let all = indexes(whole.path());
    assert!(all.len() > 8);
    type Harm = fn(&[PathBuf], &mut Random);
    let harms: [(&str, Harm); 9] = [
        ("all are gone", |all, _| {
            for path in all {
                fs::remove_file(path).unwrap();
            }
        }),
        ("some are gone", |all, random| {
            for path in all.iter().filter(|_| random.next() % 2 == 0) {
                fs::remove_file(path).unwrap();
            }
        }),
        ("some are cut", |all, random| {
            for path in all.iter().step_by(2) {
                let bytes = fs::read(path).unwrap();
                let len = random.next() as usize % bytes.len();
                fs::write(path, &bytes[..len]).unwrap();
            }
        }),
        ("bits were flipped", |all, random| {
            for path in all {
                let mut bytes = fs::read(path).unwrap();
                // The damage is in the header, which is the whole file of some indexes, or in the entries.
                let at = match random.next() as usize {
                    n if n % 3 == 0 || bytes.len() == 4_096 => n / 3 % 80,
                    n => 4_096 + n / 3 % 200,
                };
                bytes[at] ^= 1 << (random.next() % 8);
                fs::write(path, bytes).unwrap();
            }
        }),
        ("two and two are swapped", |all, _| {
            for pair in all.chunks_exact(2) {
                let (a, b) = (fs::read(&pair[0]).unwrap(), fs::read(&pair[1]).unwrap());
                fs::write(&pair[0], b).unwrap();
                fs::write(&pair[1], a).unwrap();
            }
        }),
        ("they are of another version", |all, _| {
            for path in all {
                let mut bytes = fs::read(path).unwrap();
                bytes[8] = 9;
                let sum = xxhash_rust::xxh3::xxh3_64(&bytes[..72]);
                bytes[72..80].copy_from_slice(&sum.to_le_bytes());
                fs::write(path, bytes).unwrap();
            }
        }),
        ("they lead elsewhere, with right checksums", |all, _| {
            for path in all {
                let mut bytes = fs::read(path).unwrap();
                let seed = u64_at(&bytes, 72);
                let leaves = u64_at(&bytes, 56);
                let pages = bytes.chunks_exact_mut(4_096).enumerate();
                for (n, page) in pages.skip(1).take(leaves as usize) {
                    lead_elsewhere(page);
                    let sum = xxhash_rust::xxh3::xxh3_64_with_seed(&page[8..], seed ^ n as u64);
                    page[..8].copy_from_slice(&sum.to_le_bytes());
                }
                fs::write(path, bytes).unwrap();
            }
        }),
        ("they are something else", |all, _| {
            for path in all {
                fs::write(path, b"something else").unwrap();
            }
        }),
        ("directories are in their places", |all, _| {
            for path in all {
                fs::remove_file(path).unwrap();
                fs::create_dir(path).unwrap();
            }
        }),
    ];
    for (what, harm) in harms {
        let dir = scratch();
        for file in files(whole.path()) {
            fs::copy(&file, dir.path().join(file.file_name().unwrap())).unwrap();
        }
        harm(&indexes(dir.path()), &mut random);
        let harmed: Vec<_> = files(dir.path()).iter().map(|p| fs::read(p).ok()).collect();
        // A reader that may not write answers without indexes.
        let beside = Club::open_read_only(dir.path()).unwrap();
        same(&beside, what);
        let after: Vec<_> = files(dir.path()).iter().map(|p| fs::read(p).ok()).collect();
        assert!(after == harmed, "{what}: something was written");
        let store = open(dir.path());
        same(&store, what);
        if what.starts_with("directories") {
            continue;
        }
        // The indexes exist again, with the same content.
        let mended = indexes(dir.path())
            .into_iter()
            .map(|p| fs::read(p).unwrap());
        let mended: Vec<_> = mended.collect();
        let were: Vec<_> = all.iter().map(|p| fs::read(p).unwrap()).collect();
        assert!(mended == were, "{what}: they are not made again");
        let (frames, _, _) = reads(|| store.history_of_key::<Person>(&u64::MAX).unwrap());
        assert_eq!(frames, 0, "{what}: they are not read");
    }
}

/// Changes each position in a leaf of an index.
fn lead_elsewhere(page: &mut [u8]) {
    let entries = u16::from_le_bytes([page[8], page[9]]);
    let mut at = 10;
    let pass = |page: &[u8], mut at: usize| {
        while page[at] & 0x80 != 0 {
            at += 1;
        }
        at + 1
    };
    for _ in 0..entries {
        at = pass(page, at);
        page[at] ^= 1;
        at = pass(page, at);
    }
}

#[test]
fn a_segment_that_grew_again_has_no_index_that_is_believed() {
    let dir = scratch();
    let mut store = open(dir.path());
    let mut random = Random(8);
    for _ in 0..40 {
        step(&mut store, &mut random, 5);
    }
    same(&store, "as it was written");
    drop(store);
    // An earlier backup is restored beside the indexes of later frames. Then other frames are appended.
    let segments = segment_files(dir.path());
    for path in &segments[3..] {
        fs::remove_file(path).unwrap();
    }
    fs::remove_file(dir.path().join("HEAD")).unwrap();
    let stale = indexes(dir.path()).len();
    let mut store = open(dir.path());
    for _ in 0..60 {
        step(&mut store, &mut random, 5);
    }
    assert!(segment_files(dir.path()).len() > stale);
    same(&store, "on another way");
}

#[test]
fn a_kill_while_an_index_is_written_loses_nothing() {
    let whole = scratch();
    let mut random = Random(9);
    let mut store = open(whole.path());
    for _ in 0..30 {
        step(&mut store, &mut random, 5);
    }
    let seen = look_at_all(&store).of;
    drop(store);
    let mut killed_with_a_file_half_made = 0;
    for after in 0.. {
        let dir = scratch();
        for file in files(whole.path()) {
            fs::copy(&file, dir.path().join(file.file_name().unwrap())).unwrap();
        }
        let faults = Arc::new(Faults::default());
        let store = open_over(&faults, dir.path());
        faults.die_after(after);
        for (who, expected) in &seen {
            assert_eq!(history(&store, *who), *expected, "change {after}");
        }
        let done = !faults.failed();
        drop(store);
        let temporary = |path: &PathBuf| path.extension().is_some_and(|e| e == "tmp");
        killed_with_a_file_half_made += usize::from(files(dir.path()).iter().any(temporary));
        let store = open(dir.path());
        let left: Vec<_> = files(dir.path()).into_iter().filter(temporary).collect();
        assert_eq!(left, Vec::<PathBuf>::new(), "change {after}");
        same(&store, &format!("after a kill at change {after}"));
        assert_eq!(store.check(), []);
        if done {
            break;
        }
    }
    assert!(killed_with_a_file_half_made > 5);
}

#[test]
fn a_disk_without_room_for_an_index_stops_neither_history_nor_steps() {
    let dir = scratch();
    let faults = Arc::new(Faults::default());
    let mut store = open_over(&faults, dir.path());
    let mut random = Random(10);
    for _ in 0..60 {
        step(&mut store, &mut random, 5);
    }
    faults.die_after(0);
    same(&store, "without room");
    assert_eq!(indexes(dir.path()), Vec::<PathBuf>::new());
    // Indexes that are held in memory are not made again for each query.
    let (frames, _, _) = reads(|| store.history_of_key::<Person>(&u64::MAX).unwrap());
    assert_eq!(frames, 0);
    faults.live();
    for _ in 0..60 {
        step(&mut store, &mut random, 5);
    }
    same(&store, "with room again");
    assert!(!indexes(dir.path()).is_empty());
}

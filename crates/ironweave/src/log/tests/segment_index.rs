//! The index of a segment: a lookup returns the entries that were written, or fails.

use super::super::segment_index::{self, PAGES_READ, SegmentIndex};
use super::super::segments::{Sealed, index_path};
use super::*;

const STORE: u64 = 77;
const OF: Sealed = Sealed {
    first: Seq::new(10),
    next: Seq::new(20),
    bytes: 4_096,
    content_hash: 5,
};

pub(super) struct Random(pub u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

fn write(dir: &Path, of: &Sealed, entries: &[(u64, u64)]) -> PathBuf {
    let path = index_path(dir, of.first);
    segment_index::write(&Disk::default(), &path, STORE, of, entries).unwrap();
    path
}

/// Returns the positions that are indexed under a hash.
fn indexed(entries: &[(u64, u64)], hash: u64) -> Vec<u64> {
    let from = entries.partition_point(|(h, _)| *h < hash);
    let all = entries[from..].iter().take_while(|(h, _)| *h == hash);
    all.map(|(_, place)| *place).collect()
}

/// Returns entries for `hashes` hashes with one position each, and for one hash with many positions.
fn entries(random: &mut Random, hashes: u64) -> Vec<(u64, u64)> {
    let much = random.next();
    let many = (0..hashes.min(2_000)).map(|i| (much, 64 + i * 24));
    let one = (0..hashes).map(|i| (random.next(), 64 + i * 8));
    let mut entries: Vec<(u64, u64)> = one.chain(many).collect();
    // The smallest and the largest hash, with positions that are far apart.
    if hashes > 0 {
        entries.extend([(0, 64), (0, 1 << 60), (u64::MAX, 64), (u64::MAX, 1 << 40)]);
        entries.push((much, 1 << 50));
    }
    entries.sort_unstable();
    entries
}

#[test]
fn an_index_gives_what_was_put_into_it_and_reads_few_pages() {
    let dir = scratch();
    let mut random = Random(1);
    // No leaf, one leaf, several leaves, and more leaves than one page of fences covers.
    for hashes in [0, 1, 100, 5_000, 250_000] {
        let entries = entries(&mut random, hashes);
        let path = write(dir.path(), &OF, &entries);
        let index = SegmentIndex::open(&path, STORE, OF).unwrap();
        assert_eq!(*index.of(), OF);
        let pages = fs::metadata(&path).unwrap().len() / 4_096;
        let some = entries.iter().step_by(entries.len() / 200 + 1);
        for hash in some.flat_map(|(hash, _)| [*hash, hash.wrapping_add(1)]) {
            let before = PAGES_READ.get();
            let expected = indexed(&entries, hash);
            assert_eq!(
                index.offsets(hash, usize::MAX),
                Some(expected.clone()),
                "{hash:x}"
            );
            let first = index.offsets(hash, 1).unwrap();
            assert_eq!(first, expected[..expected.len().min(1)]);
            let read = (PAGES_READ.get() - before) as u64 / 2;
            // Fences by halves, a leaf, and one more where it is the last of it.
            let bound = u64::from((pages / 511 + 1).ilog2()) + 3 + expected.len() as u64 / 500;
            assert!(read <= bound, "{read} of {pages} pages, not {bound}");
        }
    }
}

#[test]
fn an_index_that_was_changed_anywhere_is_none_or_gives_what_it_gave() {
    let dir = scratch();
    let mut random = Random(2);
    let entries = entries(&mut random, 400);
    let path = write(dir.path(), &OF, &entries);
    let whole = fs::read(&path).unwrap();
    let hashes: Vec<u64> = entries.iter().step_by(97).map(|(hash, _)| *hash).collect();
    let (mut none, mut same) = (0, 0);
    let mut look = |what: &str| {
        let index = SegmentIndex::open(&path, STORE, OF);
        for hash in &hashes {
            match index
                .as_ref()
                .and_then(|index| index.offsets(*hash, usize::MAX))
            {
                None => none += 1,
                Some(places) => {
                    assert_eq!(places, indexed(&entries, *hash), "{what}");
                    same += 1;
                }
            }
        }
    };
    for at in (0..whole.len()).step_by(11).chain(0..80) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        fs::write(&path, bytes).unwrap();
        look(&format!("a bit of byte {at}"));
    }
    for len in (0..whole.len()).step_by(61) {
        fs::write(&path, &whole[..len]).unwrap();
        assert!(
            SegmentIndex::open(&path, STORE, OF).is_none(),
            "{len} bytes"
        );
    }
    // Two pages are exchanged.
    let mut bytes = whole.clone();
    let (first, second) = bytes[4_096..].split_at_mut(4_096);
    first.swap_with_slice(&mut second[..4_096]);
    fs::write(&path, bytes).unwrap();
    look("the first two pages");
    assert!(none > 500 && same > 500, "{none} and {same}");
    fs::remove_file(&path).unwrap();
    assert!(SegmentIndex::open(&path, STORE, OF).is_none());
}

#[test]
fn threads_that_write_one_index_do_not_disturb_each_other() {
    let dir = scratch();
    let entries = entries(&mut Random(4), 3_000);
    let path = index_path(dir.path(), OF.first);
    let write = || {
        for _ in 0..100 {
            segment_index::write(&Disk::default(), &path, STORE, &OF, &entries).unwrap();
            // Each thread sees a whole one after it has written it.
            let index = SegmentIndex::open(&path, STORE, OF).unwrap();
            let (hash, _) = entries[1_500];
            let expected = indexed(&entries, hash);
            assert_eq!(index.offsets(hash, usize::MAX), Some(expected));
        }
    };
    std::thread::scope(|scope| {
        let threads = [(); 3].map(|()| scope.spawn(write));
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
    });
    assert_eq!(files(dir.path()), [path]);
}

#[test]
fn an_index_of_anything_else_is_none() {
    let dir = scratch();
    let entries = entries(&mut Random(3), 10);
    let path = write(dir.path(), &OF, &entries);
    assert!(SegmentIndex::open(&path, STORE, OF).is_some());
    assert!(SegmentIndex::open(&path, STORE + 1, OF).is_none());
    for of in [
        Sealed {
            first: Seq::new(9),
            ..OF
        },
        Sealed {
            next: Seq::new(21),
            ..OF
        },
        Sealed { bytes: 1, ..OF },
        Sealed {
            content_hash: 6,
            ..OF
        },
    ] {
        assert!(SegmentIndex::open(&path, STORE, of).is_none(), "{of:?}");
    }
    // A complete index of another version.
    let mut bytes = fs::read(&path).unwrap();
    bytes[8] += 1;
    let sum = xxhash_rust::xxh3::xxh3_64(&bytes[..72]);
    bytes[72..80].copy_from_slice(&sum.to_le_bytes());
    fs::write(&path, bytes).unwrap();
    assert!(SegmentIndex::open(&path, STORE, OF).is_none());
}

#[test]
fn a_segment_is_told_from_others_by_what_is_in_it() {
    let dir = scratch();
    let sealed = |log: &dyn Log| log.segments().unwrap().sealed().to_vec();
    let mut log = FileLog::open(dir.path(), small()).unwrap();
    for seq in 0..20 {
        append(&mut log, seq);
    }
    let written = sealed(&log);
    assert!(written.len() > 3);
    drop(log);
    // A reader computes the same hash.
    assert_eq!(
        sealed(&FileLog::open(dir.path(), small()).unwrap()),
        written
    );
    let read_only = ReadOnlyLog::open(dir.path()).unwrap();
    assert_eq!(read_only.segments().unwrap().sealed(), written);
    let mut next = 0;
    for sealed in &written {
        assert_eq!(sealed.first, next);
        next = sealed.next.get();
        let path = segment_path(dir.path(), sealed.first);
        assert_eq!(fs::metadata(path).unwrap().len(), sealed.bytes);
    }
    // Frames of the same lengths with other payloads have another content hash.
    let other = scratch();
    fs::copy(segment_path(dir.path(), 0), segment_path(other.path(), 0)).unwrap();
    let mut log = FileLog::open(other.path(), small()).unwrap();
    for seq in written[0].next.until(Seq::new(20)) {
        let mut payload = payload(seq);
        if seq == written[1].first {
            payload[0] ^= 1;
        }
        log.append(header(seq), &payload).unwrap();
        log.sync().unwrap();
    }
    let others = sealed(&log);
    assert_eq!(others[0], written[0]);
    let content_hash = others[1].content_hash;
    assert_ne!(content_hash, written[1].content_hash);
    assert_eq!(
        others[1],
        Sealed {
            content_hash,
            ..written[1]
        }
    );
    // The hash of the next segment is equal, because it does not depend on the segments before it.
    assert_eq!(others[2], written[2]);
}

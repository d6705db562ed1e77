//! The cost of histories and of past states, in frames and index pages that are read.

use super::*;
use crate::snapshot::replica::SnapshotFollower;

/// Writes a log of people until it has more than `segments` segments. Each person comes and is noted twice. Returns the store
/// and the first person.
fn crowd(dir: &Path, segment_bytes_max: u64, segments: usize) -> (Club, Person) {
    let options = (Club::options().durability(Durability::Os)).index_segments(false);
    let mut store = options
        .segment_bytes_max(segment_bytes_max)
        .open(dir)
        .unwrap();
    let mut first = None;
    for name in 0.. {
        let person = store.step(Came { name }).created.person;
        first.get_or_insert(person);
        for note in 1..3 {
            store.step(Noted { person, note });
        }
        if name % 16 == 0 && segment_files(dir).len() > segments {
            break;
        }
    }
    (store, first.unwrap())
}

#[test]
fn a_history_reads_the_frames_that_it_is_of_and_a_few_pages_of_each_index() {
    for (segment_bytes_max, segments) in [(8 << 10, 10), (64 << 10, 10), (8 << 10, 30)] {
        let dir = scratch();
        let (store, first) = crowd(dir.path(), segment_bytes_max, segments);
        // The first call makes the indexes.
        let frames_of_all = store.seq().unwrap().get() as usize;
        let (frames, _, past) = reads(|| store.history(first).unwrap());
        assert!(frames >= frames_of_all, "{frames}: the indexes are made");
        assert_eq!(past.len(), 5);
        let key = first.name(&store);
        // The second call uses the indexes, and the transactions that the first has read.
        let (frames, pages, past) = reads(|| store.history(first).unwrap());
        assert_eq!(frames, 0);
        let bound = |frames: usize, pages: usize| {
            // Three frames are of the person, and one is read to check where the history begins.
            assert!(frames <= 4, "{frames} frames of {frames_of_all}");
            assert!(pages <= segments * 2 * 3, "{pages} pages");
        };
        assert_eq!(past.len(), 5);
        bound(frames, pages);
        drop(store);
        // After the store was opened again, the last segment is indexed first.
        let store = Club::open_read_only(dir.path()).unwrap();
        let last = segment_files(dir.path()).pop().unwrap();
        let last: Seq = last.file_stem().unwrap().to_str().unwrap().parse().unwrap();
        let in_last = store.seq().unwrap() + 1 - last;
        let (frames, pages, _) = reads(|| store.history(first).unwrap());
        bound(frames - in_last as usize, pages);
        // By key the frame in which it was created is read too, and by pair none. They were read before.
        let (frames, pages, had) = reads(|| store.history_of_key::<Person>(&key).unwrap());
        assert_eq!(had.len(), 1);
        assert_eq!(frames, 0);
        bound(frames, pages - segments * 3);
        let other = store.find::<Person>(&1).unwrap();
        let (frames, pages, none) = reads(|| store.history_between(first, other).unwrap());
        assert!(none.is_empty());
        // Whether each begins where it does.
        bound(frames, pages - segments * 3 * 2);
    }
}

#[test]
fn what_was_written_since_is_all_that_is_read_of_the_last_segment() {
    let dir = scratch();
    let (mut store, first) = crowd(dir.path(), 64 << 10, 2);
    store.history(first).unwrap();
    for n in [0, 1, 10, 100] {
        for note in 0..n {
            store.step(Noted {
                person: first,
                note,
            });
        }
        let (frames, _, past) = reads(|| store.history(first).unwrap());
        let own = past.len();
        assert!(frames <= n as usize + own + 1, "{frames} for {n} and {own}");
    }
    // This holds across the end of a segment too: its indexed frames are not read again.
    let before = segment_files(dir.path()).len();
    let mut name = 1_000_000;
    let mut since = 0;
    while segment_files(dir.path()).len() == before {
        store.step(Came { name });
        name += 1;
        since += 1;
    }
    let (frames, _, past) = reads(|| store.history(first).unwrap());
    assert!(frames <= since + past.len() + 1, "{frames} for {since}");
    assert_eq!(indexes(dir.path()).len(), before);
}

#[test]
fn an_entity_with_a_long_history_does_not_make_a_short_answer_more_costly() {
    let dir = scratch();
    let options = (Club::options().durability(Durability::Os)).index_segments(false);
    let mut store = options.segment_bytes_max(1 << 20).open(dir.path()).unwrap();
    let [much, little] = [1, 2].map(|name| store.step(Came { name }).created.person);
    for note in 0..12_000 {
        let person = much;
        store.step(Noted { person, note });
    }
    let (a, b, since) = (little, much, 3);
    store.step(Met { a, b, since });
    let index = || fs::metadata(&indexes(dir.path())[0]).unwrap().len();
    assert_eq!(store.history_between(much, little).unwrap().len(), 2);
    assert!(index() > 4 * 4_096, "all of it is about one: {}", index());
    for _ in 0..2 {
        let (frames, pages, past) = reads(|| store.history_between(much, little).unwrap());
        assert_eq!(past.len(), 2);
        // The frames in which both entities begin, and the frame that links them.
        assert!(frames <= 3 && pages <= 12, "{frames} frames, {pages} pages");
    }
}

#[test]
fn a_value_of_then_reads_on_from_a_keyframe_near_it_and_holds_no_more_than_a_frame() {
    let dir = scratch();
    let options = (Club::options().durability(Durability::Os)).index_segments(false);
    let mut store = options.segment_bytes_max(8 << 10).open(dir.path()).unwrap();
    let person = store.step(Came { name: 1 }).created.person;
    for note in 1..3_000 {
        store.step(Noted { person, note });
    }
    // Frame 0 is the schema, and frame 1 has note 0. Reading begins at the keyframe of a segment, which has fewer frames than
    // this.
    let segment = 150;
    let note = |seq: u64| {
        let (frames, _, then) = reads(|| store.as_of(seq).unwrap());
        assert_eq!(person.note(&then), seq - 1);
        frames
    };
    let far = note(2_000);
    assert!(far >= 2_000, "there is no keyframe yet: {far}");
    for (seq, between) in [
        (2_000, 0),
        (2_010, 11),
        (2_001, 2),
        (1_999, 512),
        (1_100, 512),
    ] {
        let frames = note(seq);
        assert!(frames <= between + segment, "{frames} for {seq}");
    }
    for i in 0..40 {
        note(2_990 - i * 50);
    }
    let kept = store.followers.get::<SnapshotFollower>().keyframes().seqs();
    assert!(kept.len() <= 16, "{kept:?}");
    // Frames are read one by one.
    let (frames, _, _) = reads(|| store.log.log().unwrap().read(Seq::ZERO).unwrap().next());
    assert_eq!(frames, 1);
}

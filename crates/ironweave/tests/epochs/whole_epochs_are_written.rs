//! The frames with which an epoch begins are in the log as a whole or not at all.

use std::fs;
use std::path::Path;

use ironweave::dynamic::Dynamic;
use ironweave::prelude::*;
use ironweave::raw_log::{RawContent, RawLog};
use ironweave::{Options, Seq};

use crate::harness::temp_dir;
use crate::hospital::{First, continued, continued_with, v1, write_first};

#[ironweave::model]
pub mod v2 {
    use ironweave::prelude::*;

    #[entity]
    pub struct Bed {
        #[key]
        pub number: u32,
        pub weight: u32,
        pub note: String,
        #[default(3u16)]
        pub floor: u16,
        #[default("north".to_owned())]
        pub wing: String,
        #[inverse(Patient::bed)]
        pub patient: Option<Patient>,
    }
    #[states(Bed)]
    pub enum BedState {
        #[initial]
        #[to(Cleaning, Broken)]
        Free,
        #[to(Free)]
        Cleaning { by: String },
        #[to(Free)]
        Broken,
    }

    #[entity]
    pub struct Patient {
        #[key]
        pub name: String,
        pub age: u16,
        pub bed: Option<Bed>,
    }

    #[event]
    #[create(bed: Bed { number, weight, note })]
    pub struct Bought {
        pub number: u32,
        pub weight: u32,
        pub note: String,
    }
}

type Second = Store<v2::Model>;

const SEGMENT: &str = "00000000000000000000.log";

/// Writes a log with the first model and continues it with the second one. Returns the bytes of the segment before and after.
fn both(dir: &Path) -> [Vec<u8>; 2] {
    write_first(dir);
    let before = fs::read(dir.join(SEGMENT)).expect("the segment");
    let head = fs::read(dir.join("HEAD")).expect("the end of the log");
    drop(Second::open(dir).expect("the changes are taken"));
    let after = fs::read(dir.join(SEGMENT)).expect("the segment");
    // As a kill leaves it.
    fs::write(dir.join("HEAD"), head).expect("it can be written");
    [before, after]
}

#[test]
fn a_log_that_is_cut_in_a_group_is_in_the_epoch_before() {
    let dir = temp_dir();
    let (last, print) = {
        let dir = temp_dir();
        write_first(dir.path())
    };
    let [before, after] = both(dir.path());
    assert!(after.starts_with(&before));
    let full = Second::open_read_only(dir.path()).expect("the log is whole");
    let expected = (full.seq(), full.fingerprint());
    assert_eq!(expected.0, Some(last + 2));
    let head = fs::read(dir.path().join("HEAD")).expect("the end of the log");
    let cuts = (before.len()..after.len()).filter(|cut| {
        let near = (cut - before.len()).min(after.len() - cut);
        near < 80 || cut % 97 == 0
    });
    for cut in cuts {
        let segment = dir.path().join(SEGMENT);
        let restore = || {
            fs::write(&segment, &after[..cut]).expect("it can be written");
            fs::write(dir.path().join("HEAD"), &head).expect("it can be written");
        };
        restore();
        let reader = First::open_read_only(dir.path()).expect("the old epoch is whole");
        assert_eq!((reader.seq(), reader.fingerprint()), (Some(last), print));
        let dynamic = Store::<Dynamic>::open_read_only(dir.path()).expect("any log can be read");
        assert_eq!((dynamic.seq(), dynamic.fingerprint()), (Some(last), print));
        if cut > before.len() {
            let e = Options::<v1::Model>::default().open_strict(dir.path());
            let e = e.expect_err("the group is torn");
            assert!(e.is_torn() && e.seq() == Some(last + 1), "{e}");
        }
        let store = First::open(dir.path()).expect("the old epoch is whole");
        assert_eq!((store.seq(), store.fingerprint()), (Some(last), print));
        assert_eq!(store.recovered().is_some(), cut > before.len());
        drop(store);
        restore();
        let store = Second::open(dir.path()).expect("the epoch begins again");
        assert_eq!((store.seq(), store.fingerprint()), expected, "{cut}");
        drop(store);
        for file in fs::read_dir(dir.path()).expect("a directory") {
            let path = file.expect("a file").path();
            if path.extension().is_some_and(|end| end == "torn") {
                fs::remove_file(path).expect("it can be removed");
            }
        }
    }
    restore_whole(dir.path(), &after);
    drop(continued::<v2::Model>(dir.path()));
}

fn restore_whole(dir: &Path, bytes: &[u8]) {
    fs::write(dir.join(SEGMENT), bytes).expect("it can be written");
}

#[test]
fn a_migration_has_as_many_frames_as_its_facts_need() {
    let dir = temp_dir();
    let mut store = First::open(dir.path()).expect("the store opens");
    for number in 0..100 {
        let (weight, note) = (number, "n".to_owned());
        store.step(v1::Bought {
            number,
            weight,
            note,
        });
    }
    let last = store.seq().expect("frames");
    drop(store);
    let options = || Options::default().transaction_bytes_max(600);
    let store = continued_with::<v2::Model>(options(), dir.path());
    let frames = store.seq().expect("frames").get() - last.get();
    assert!(frames > 8, "{frames}");
    drop(store);
    let store = continued::<v2::Model>(dir.path());
    let bed = store.find::<v2::Bed>(&99).expect("the bed");
    assert_eq!((bed.floor(&store), bed.wing(&store)), (3, "north"));
    let log = RawLog::open(dir.path()).expect("the log can be read");
    let mut facts = 0;
    for frame in log.frames(last + 2).expect("the log can be read") {
        let frame = frame.expect("it can be read");
        let RawContent::Migration(record) = frame.content() else {
            panic!("{frame:?} is a part of the migration");
        };
        assert!(frame.payload().len() <= 600);
        facts += record.facts().len();
    }
    assert_eq!(facts, 200);
    // A graph in the middle of a migration lacks values, so it is not shown.
    for seq in last.get() + 1..store.seq().expect("frames").get() {
        let e = store.as_of(seq).expect_err("it is not whole");
        assert!(e.to_string().contains("has the schema of then"), "{e}");
    }
    store
        .as_of(store.seq().expect("frames"))
        .expect("it is whole");
}

#[test]
fn a_group_has_a_segment_to_itself_if_it_does_not_fit() {
    let dir = temp_dir();
    let mut store = Options::<v1::Model>::default()
        .segment_bytes_max(4_096)
        .open(dir.path())
        .expect("the store opens");
    for number in 0..100 {
        store.step(v1::Bought {
            number,
            weight: 0,
            note: "n".into(),
        });
    }
    let last = store.seq().expect("frames");
    drop(store);
    let options = Options::<v2::Model>::default();
    let options = options.segment_bytes_max(4_096).transaction_bytes_max(600);
    let store = continued_with(options, dir.path());
    let log = RawLog::open(dir.path()).expect("the log can be read");
    let segments = log.segments();
    let next: Seq = last + 1;
    assert!(
        segments
            .iter()
            .any(|(first, bytes)| *first == next && *bytes > 4_096)
    );
    drop(store);
}

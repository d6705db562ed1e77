//! What a reader does with logs that later versions may write: one case for each row of `docs/log-format.md`, *For later
//! versions*. `log/tests/versions.rs` has archived segments, and `time/restored_logs_are_noticed.rs` has timelines.

use std::fs;

use ironweave::prelude::*;
use ironweave::{Options, Seq};

use crate::cbor::{Array, Item, Map, Uint, parse, text};
use crate::forge::{self, Forged};
use crate::models::{first, shop};
use crate::records::{FactRecord, Records, change, id};
use crate::wrong_frames_are_refused::refused;
use crate::wrong_records_are_refused::{bank, shop};
use crate::{committed, scratch_dir};

use first::bank::{Counted, Model as Bank};

/// Asserts that a log is refused at a frame as one of a newer version, and that no file changes.
#[track_caller]
fn is_of_a_newer_version<M: ironweave::Model>(frames: Vec<Forged>, seq: usize, words: &str) {
    let dir = scratch_dir();
    forge::write(dir.path(), &frames);
    for opened in [
        Store::<M>::open(dir.path()),
        Store::<M>::open_read_only(dir.path()),
    ] {
        let e = opened.expect_err("it is refused");
        assert!(e.is_version(), "{e}");
        assert!(e.to_string().contains("with a newer version"), "{e}");
    }
    refused::<M>(frames, seq, words);
}

/// A change of the records in one frame of the bank's log.
#[track_caller]
fn records_are_newer(seq: usize, words: &str, newer: impl FnOnce(&mut Records)) {
    let mut frames = bank();
    change(&mut frames[seq], newer);
    is_of_a_newer_version::<Bank>(frames, seq, words);
}

#[test]
fn an_event_that_chose_names_itself_is_of_a_newer_version() {
    records_are_newer(2, "a firing with the flags 0x1 and 0x0", |records| {
        records.firings[0].flags = 1;
        // One name, which has one entity.
        for word in [1, id(0, 1)] {
            records.bindings.extend(word.to_le_bytes());
        }
        records.firings[0].binding_end += 16;
    });
}

#[test]
fn a_firing_that_names_the_one_that_enabled_it_is_of_a_newer_version() {
    for reserved in [1, 1 << 31] {
        let mut frames = shop();
        change(&mut frames[6], |records| {
            records.firings[1].reserved = reserved;
        });
        let words = format!("a firing with the flags 0x0 and {reserved:#x}");
        is_of_a_newer_version::<shop::Model>(frames, 6, &words);
    }
}

#[test]
fn unknown_flags_of_transactions_and_firings_are_of_a_newer_version() {
    for bit in [0, 31] {
        let words = format!("the flags {:#x}, which are for later versions", 1u32 << bit);
        records_are_newer(2, &words, |records| records.flags = 1 << bit);
    }
    for bit in [1, 15] {
        let words = format!("a firing with the flags {:#x} and 0x0", 1u32 << bit);
        records_are_newer(3, &words, |records| records.firings[0].flags = 1 << bit);
    }
}

/// A complete group of two frames, one without its last frame, and other flags.
#[test]
fn a_group_of_frames_is_of_a_newer_version() {
    for flags in [&[1, 3][..], &[1], &[2], &[1 << 15]] {
        let mut frames = bank();
        frames.truncate(2 + flags.len());
        for (frame, flags) in frames[2..].iter_mut().zip(flags) {
            frame.flags = *flags;
        }
        let words = format!("a frame with the unknown flags {:#x}", flags[0]);
        is_of_a_newer_version::<Bank>(frames, 2, &words);
    }
}

/// Version 2 reserved no flags: a reader does not look at those of its blocks and frames.
#[test]
fn flags_in_version_2_are_not_read() {
    let mut frames = forge::frames(&committed("epochs"));
    frames.truncate(4);
    for frame in &mut frames {
        frame.flags = 3;
    }
    let dir = scratch_dir();
    forge::write(dir.path(), &frames);
    let segment = dir.path().join("00000000000000000000.log");
    let mut bytes = fs::read(&segment).expect("the segment");
    bytes[10] = 1;
    let checksum = xxhash_rust::xxh3::xxh3_64(&bytes[..56]);
    bytes[56..64].copy_from_slice(&checksum.to_le_bytes());
    fs::write(&segment, bytes).expect("the segment");
    let store = Store::<Bank>::open_read_only(dir.path()).expect("the store opens");
    assert_eq!(store.verify().expect("the same facts"), 3);
}

/// A reader beside a newer writer keeps what it has read before.
#[test]
fn a_group_that_is_appended_is_not_applied() {
    let dir = scratch_dir();
    let mut frames = bank();
    forge::write(dir.path(), &frames[..2]);
    let mut store = Store::<Bank>::open_read_only(dir.path()).expect("the store opens");
    let fingerprint = store.fingerprint();
    for (seq, flags) in [(2, 1), (3, 3)] {
        frames[seq].flags = flags;
        forge::append(dir.path(), seq as u64, &frames[seq]);
        let e = store.refresh().expect_err("it is refused");
        assert!(e.is_version() && e.seq() == Some(Seq::new(2)), "{e}");
        assert_eq!(store.seq(), Some(Seq::new(1)));
        assert_eq!(store.fingerprint(), fingerprint);
    }
}

#[test]
fn unknown_keys_of_the_metadata_are_skipped() {
    let mut frames = shop();
    change(&mut frames[4], |records| {
        let mut map = parse(&mut &*records.metadata);
        let Map(entries) = &mut map else {
            panic!("it is a map");
        };
        for key in [7, 63, 64, u64::MAX] {
            entries.insert(0, (Uint(key), Array(vec![text("later")])));
        }
        records.metadata = map.bytes();
    });
    change(&mut frames[1], |records| {
        assert!(records.metadata.is_empty());
        records.metadata = Map(vec![(Uint(7), Uint(1))]).bytes();
    });
    let dir = scratch_dir();
    forge::write(dir.path(), &frames);
    let store = Store::<shop::Model>::open(dir.path()).expect("the store opens");
    assert_eq!(store.verify().expect("the same facts"), 37);
}

/// Asserts that a log of version 3 with this schema is opened for reading only, has the graph that it had, and names what is
/// unknown when it is opened for writing.
#[track_caller]
fn is_read_and_not_written(newer: impl FnOnce(&mut Item), unknown: &str) {
    let mut frames = bank();
    newer(&mut frames[0].payload);
    let dir = scratch_dir();
    forge::write(dir.path(), &frames);
    // `HEAD` may be written again, as at each open.
    let segment = || fs::read(dir.path().join("00000000000000000000.log")).expect("the segment");
    let before = segment();
    for opened in [
        Store::<Bank>::open(dir.path()),
        Options::default().open_strict(dir.path()),
        Options::default().paranoid().open(dir.path()),
    ] {
        let e = opened.expect_err("it is of a newer version");
        assert!(e.is_version() && e.seq() == Some(Seq::ZERO), "{e}");
        let words = format!(
            "the schema in frame 0 was written by a newer version of ironweave, and this one does not know {unknown}; open the \
             store with that version, or open it for reading only"
        );
        assert!(e.to_string().contains(&words), "{e}");
    }

    let mut store = Store::<Bank>::open_read_only(dir.path()).expect("the log can be read");
    assert_eq!(store.seq(), Some(Seq::new(3)));
    assert_eq!(store.verify().expect("the same facts"), 3);
    assert_eq!(store.fingerprint(), frames[3].fingerprint);
    assert_eq!(
        store.as_of(2).expect("it reads").fingerprint(),
        frames[2].fingerprint
    );
    let ada = store
        .find::<first::bank::Account>("ada")
        .expect("the account exists");
    assert_eq!(ada.balance(&store), -5);
    assert_eq!(store.history(ada).expect("it reads").len(), 4);
    let (account, balance) = ("ada".into(), 1);
    let e = store
        .try_step(Counted { account, balance })
        .expect_err("nothing is written");
    assert!(
        e.to_string().contains("the store is open for reading only"),
        "{e}"
    );
    assert_eq!(store.seq(), Some(Seq::new(3)));
    assert_eq!(ada.balance(&store), -5);
    assert!(segment() == before, "nothing was written");
}

#[test]
fn unknown_items_of_a_schema_in_version_3_are_read_and_not_written() {
    fn of<'i>(schema: &'i mut Item, list: &str) -> &'i mut Item {
        &mut schema.get(&text(list)).items()[0]
    }
    fn add(map: &mut Item, key: &str, value: Item) {
        let Map(entries) = map else {
            panic!("it is a map");
        };
        entries.push((text(key), value));
    }
    is_read_and_not_written(
        |schema| add(schema, "regions", Array(vec![Uint(1), text("x")])),
        "`regions` of model `bank`: [1,\"x\"]",
    );
    is_read_and_not_written(
        |schema| add(of(schema, "entities"), "shards", Uint(4)),
        "`shards` of entity `Account`: 4",
    );
    is_read_and_not_written(
        |schema| {
            add(
                &mut of(schema, "entities").get(&text("states")).items()[0],
                "within",
                text("1h"),
            )
        },
        "`within` of state `Account::Open`: \"1h\"",
    );
    is_read_and_not_written(
        |schema| *of(schema, "columns").get(&text("index")) = text("Fulltext"),
        "`index` of field `Account.name`: \"Fulltext\"",
    );
    is_read_and_not_written(
        |schema| add(of(schema, "events"), "after", Uint(5)),
        "`after` of event `Counted`: 5",
    );
    let sleep = || Map(vec![(text("Sleep"), Uint(5))]);
    for (list, key) in [("arcs", "arc"), ("mays", "may")] {
        is_read_and_not_written(
            |schema| of(schema, "events").get(&text(list)).items().push(sleep()),
            &format!("`{key}` of event `Counted`: {{\"Sleep\":5}}"),
        );
    }
}

/// The first of several is named.
#[test]
fn unknown_items_of_a_schema_in_version_2_are_read_and_not_written() {
    let mut frames = forge::frames(&committed("constructs"));
    let Map(schema) = &mut frames[0].payload else {
        panic!("it is a map");
    };
    schema.push((text("later"), Array(vec![Uint(1), text("x")])));
    let arcs = frames[0].payload.get(&text("events")).items()[0].get(&text("arcs"));
    arcs.items().push(Map(vec![(text("Sleep"), Uint(5))]));
    let dir = scratch_dir();
    forge::write(dir.path(), &frames);
    let e = Store::<shop::Model>::open(dir.path()).expect_err("it is of a newer version");
    assert!(e.is_version() && e.seq() == Some(Seq::ZERO), "{e}");
    let words = "this one does not know `later` of model `shop`: [1,\"x\"]; open the store with that version";
    assert!(e.to_string().contains(words), "{e}");
    let store = Store::<shop::Model>::open_read_only(dir.path()).expect("the log can be read");
    assert_eq!(store.verify().expect("the same facts"), 37);
}

/// Gives the name of an account, whose values are not words, and the field of an event that names an account by its key, an
/// encoding of a later version.
fn with_unknown_encodings(schema: &mut Item) {
    let later = Map(vec![(text("Later"), Uint(5))]);
    let column = &mut schema.get(&text("columns")).items()[0];
    assert_eq!(column.get(&text("name")), &text("name"));
    *column.get(&text("encoding")) = later.clone();
    let event = schema.get(&text("events")).items();
    let field = &mut event[0].get(&text("fields")).items()[0];
    let key = Map(vec![(text("Key"), Uint(0))]);
    assert_eq!(field.get(&text("encoding")), &key);
    *field.get(&text("encoding")) = later;
}

#[test]
fn values_of_an_unknown_encoding_are_read_as_cbor_and_not_written() {
    is_read_and_not_written(
        with_unknown_encodings,
        "`encoding` of field `Account.name`: {\"Later\":5}",
    );
    let mut frames = bank();
    with_unknown_encodings(&mut frames[0].payload);
    let dir = scratch_dir();
    forge::write(dir.path(), &frames);
    let store = Store::<Bank>::open_read_only(dir.path()).expect("the log can be read");
    let record = store.frames(1).expect("it reads").next();
    let record = record.expect("a record").expect("it reads");
    let names = record
        .facts()
        .iter()
        .filter(|fact| fact.field() == Some("name"));
    let names: Vec<_> = names.map(|fact| fact.value::<String>()).collect();
    assert_eq!(names, [Some("ada".to_owned())]);
    let field = record.firings().next().expect("it fired").fields()[0];
    assert_eq!(field.value::<String>().as_deref(), Some("ada"));
}

/// A number that is a word under a known encoding.
#[test]
fn no_unknown_encoding_has_words() {
    let mut frames = bank();
    let column = &mut frames[0].payload.get(&text("columns")).items()[1];
    assert_eq!(column.get(&text("encoding")), &text("I64"));
    *column.get(&text("encoding")) = text("I64Later");
    let words = "column 1 of the schema has no value with the word";
    refused::<Bank>(frames.clone(), 1, words);
    for frame in &mut frames[1..] {
        change(frame, |records| {
            records
                .facts
                .retain(|fact: &FactRecord| fact.kind != 3 || fact.form == 2);
            records.firings[0].facts_end = records.facts.len() as u32;
        });
    }
    refused::<Bank>(frames, 1, "Account/0.1 has no Account.balance");
}

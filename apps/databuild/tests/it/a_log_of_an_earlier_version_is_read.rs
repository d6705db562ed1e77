//! A store that an earlier databuild wrote is opened. It is among the committed logs of ironweave, with the
//! jobs that wrote it.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use databuild::model::build::state::{Failed, Live};
use databuild::model::build::{self, JobRun, Partition};
use ironweave::prelude::*;

use crate::harness::named::assert_same_without_types;
use crate::support::Place;

#[path = "../../../../crates/ironweave/tests/logs/describe.rs"]
mod describe;

fn logs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates/ironweave/tests/logs")
}

/// A copy of the store, in the place where databuild expects it.
fn copied() -> Place {
    let place = Place::new();
    describe::copy(&logs().join("databuild"), &place.path("out/store")).expect("a copy");
    place
}

fn text(store: &Store<build::Model>) -> Result<String, Box<dyn std::error::Error>> {
    let mut text = String::new();
    for p in store.place::<Partition, Any>() {
        let p = p.any();
        let state = match p.state(store) {
            build::PartitionState::Live(live) => {
                format!("live since {} by {:?}", live.at(store), live.digest(store))
            }
            build::PartitionState::Failed(failed) => format!("failed: {:?}", failed.reason(store)),
            _ => "neither".to_owned(),
        };
        writeln!(text, "{p} {:?} {state}", p.name(store))?;
        writeln!(
            text,
            "    built by {:?} read by {:?} inputs {:?} wanted by {:?}",
            p.built_by(store),
            p.read_by(store).collect::<Vec<_>>(),
            p.inputs(store).collect::<Vec<_>>(),
            p.wanted_by(store).collect::<Vec<_>>()
        )?;
    }
    describe::frames(store, &mut text)?;
    for name in ["sum", "part/one", "broken"] {
        for (who, facts) in store.history_of_key::<Partition>(name)? {
            describe::past(&format!("{name}, {who}"), &facts, &mut text);
        }
    }
    Ok(text)
}

#[test]
fn the_graph_and_the_past_are_unchanged() {
    let expected = fs::read_to_string(logs().join("databuild.txt")).unwrap_or_default();
    for read_only in [true, false] {
        let place = copied();
        let dir = place.path("out/store");
        let store = if read_only {
            Store::<build::Model>::open_read_only(&dir)
        } else {
            Store::<build::Model>::open(&dir)
        };
        let store = store.expect("it opens");
        assert_eq!(store.check(), []);
        assert_eq!(store.verify().expect("the same facts again"), 29);
        let actual = text(&store).expect("the log can be read");
        // If the format of the text changes on purpose, commit this file.
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("databuild.txt");
        fs::write(&kept, &actual).expect("a file");
        let expected = if read_only {
            expected.clone()
        } else {
            describe::with_schema_appended(&expected)
        };
        for (line, (actual, expected)) in actual.lines().zip(expected.lines()).enumerate() {
            assert_eq!(
                actual,
                expected,
                "line {}; see {}",
                line + 1,
                kept.display()
            );
        }
        assert_eq!(actual.lines().count(), expected.lines().count());

        assert_eq!(store.count::<Partition, Live>(), 2);
        assert_eq!(store.count::<Partition, Failed>(), 1);
        assert_eq!(store.count::<JobRun, Any>(), 8);
        assert_same_without_types(&dir, &store);
    }
}

#[test]
fn databuild_reads_it_and_continues() {
    let place = copied();
    assert!(place.status().contains("partitions: 3 = 2 Live + 1 Failed"));
    assert_eq!(place.log().matches("JobSucceeded {").count(), 4);
    place.write(
        "jobs.toml",
        "[[job]]\npartitions = 'broken'\ncommand = ['true']\n",
    );
    assert_eq!(place.run(&["broken"]).success().counts(), (1, 0));

    // The segment of format version 2 is as it was, and what databuild wrote is in one of version 3.
    let old = format!("{:020}.log", 0);
    let segments = segments(&place);
    let [(first, old_bytes), (second, new_bytes)] = &segments[..] else {
        panic!("{} segments", segments.len());
    };
    assert_eq!((first, second), (&old, &format!("{:020}.log", 30)));
    assert_eq!((old_bytes[8], new_bytes[8]), (2, 3));
    let committed = fs::read(logs().join("databuild").join(&old)).expect("the segment");
    assert!(committed.starts_with(old_bytes), "but for the spare bytes");

    // Both are read: the events of version 2, those of version 3 and the graph after them.
    assert_eq!(place.log().matches("JobSucceeded {").count(), 5);
    let store = Store::<build::Model>::open_read_only(place.path("out/store"));
    let store = store.expect("it opens");
    assert_eq!(store.check(), []);
    assert!(store.verify().expect("the same facts again") > 29);
    let broken = store.find::<Partition>("broken").expect("it exists");
    assert!(broken.is::<Live>(&store));
    assert_eq!(store.count::<Partition, Any>(), 3);
    let (past, schema) = (store.as_of(29), store.as_of(30));
    let (past, schema) = (past.expect("it reads"), schema.expect("it reads"));
    assert!(broken.is::<Failed>(&past));
    assert_eq!(past.fingerprint(), schema.fingerprint());
}

/// The names of the segments of a store, with their bytes.
fn segments(place: &Place) -> Vec<(String, Vec<u8>)> {
    let files = fs::read_dir(place.path("out/store")).expect("the store");
    let paths = files.map(|file| file.expect("a file").path());
    let mut segments: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|e| e == "log"))
        .map(|path| {
            let name = path.file_name().expect("a name").to_string_lossy();
            (name.into_owned(), fs::read(&path).expect("a segment"))
        })
        .collect();
    segments.sort();
    segments
}

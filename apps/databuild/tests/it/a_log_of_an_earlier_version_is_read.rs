//! Stores that earlier versions of databuild wrote are opened, by the model of then and by that of today. They are among the
//! committed logs of ironweave, with the jobs that wrote them.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use databuild::model;
use ironweave::prelude::*;

use crate::harness::named::assert_same_without_types;
use crate::model_of_then::build::state::{Failed, Live};
use crate::model_of_then::build::{self, JobRun, Partition};
use crate::support::Place;

#[path = "../../../../crates/ironweave/tests/logs/describe.rs"]
mod describe;

/// A committed log.
struct Log {
    name: &'static str,
    /// How many frames this program appends when it opens the log for writing.
    appended: bool,
    transactions: u64,
    /// Keys of partitions, of which there are histories.
    keys: &'static [&'static str],
}

const LOGS: [Log; 2] = [
    Log {
        name: "databuild",
        appended: true,
        transactions: 29,
        keys: &["sum", "part/one", "broken"],
    },
    Log {
        name: "version3/databuild",
        appended: false,
        transactions: 38,
        keys: &["copy/a", "source", "needs-broken", "waits", "z-hangs"],
    },
];

pub fn logs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates/ironweave/tests/logs")
}

/// A copy of the store, in the place where databuild expects it.
pub fn copied(name: &str) -> Place {
    let place = Place::new();
    copy_store(&logs().join(name), &place);
    place
}

/// Copies a store to the place where databuild expects it.
pub fn copy_store(from: &Path, place: &Place) {
    describe::copy(from, &place.path("out/store")).expect("a copy");
}

fn text(store: &Store<build::Model>, keys: &[&str]) -> Result<String, Box<dyn std::error::Error>> {
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
    for name in keys {
        for (who, facts) in store.history_of_key::<Partition>(*name)? {
            describe::past(&format!("{name}, {who}"), &facts, &mut text);
        }
    }
    Ok(text)
}

#[test]
fn the_graph_and_the_past_are_unchanged() {
    for log in &LOGS {
        for read_only in [true, false] {
            unchanged(log, read_only);
        }
    }
}

fn unchanged(log: &Log, read_only: bool) {
    let file = format!("{}.txt", log.name);
    let expected = fs::read_to_string(logs().join(&file)).unwrap_or_default();
    let place = copied(log.name);
    let dir = place.path("out/store");
    let store = if read_only {
        Store::<build::Model>::open_read_only(&dir)
    } else {
        Store::<build::Model>::open(&dir)
    };
    let store = store.expect("it opens");
    assert_eq!(store.check(), []);
    let verified = store.verify().expect("the same facts again");
    assert_eq!(verified, log.transactions);
    let actual = text(&store, log.keys).expect("the log can be read");
    // If the format of the text changes on purpose, commit this file.
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(&file);
    fs::create_dir_all(kept.parent().expect("a folder")).expect("a folder");
    fs::write(&kept, &actual).expect("a file");
    let expected = if read_only || !log.appended {
        expected
    } else {
        describe::with_schema_appended(&expected)
    };
    for (line, (actual, expected)) in actual.lines().zip(expected.lines()).enumerate() {
        let kept = kept.display();
        assert_eq!(actual, expected, "line {}; see {kept}", line + 1);
    }
    assert_eq!(actual.lines().count(), expected.lines().count());
    assert_eq!(store.count::<Partition, Live>(), 2);
    assert_eq!(store.count::<Partition, Failed>(), 1);
    assert!(store.count::<JobRun, Any>() >= 8);
    assert_same_without_types(&dir, &store);
}

#[test]
fn databuild_migrates_it_and_continues() {
    let place = copied("databuild");
    // Reading does not migrate.
    place
        .databuild(&["status"])
        .refused(&["another version of databuild", "`databuild run` migrates"]);
    place.write(
        "jobs.toml",
        "[[job]]\npartitions = 'broken'\ncommand = ['true']\n",
    );
    assert_eq!(place.run(&["broken"]).success().counts(), (1, 0));
    assert!(place.status().contains("partitions: 3 = 1 Live + 2 Stale"));

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
    let store = Store::<model::build::Model>::open_read_only(place.path("out/store"));
    let store = store.expect("it opens");
    assert_eq!(store.check(), []);
    store.verify_all().expect("the same facts again");
    let past = store.as_of_by_name(29).expect("it reads");
    let broken = past.by_name().find("Partition", "broken");
    let broken = broken.expect("a key").expect("it exists");
    assert_eq!(broken.state(), "Failed");
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

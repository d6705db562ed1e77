//! Each committed log of a changed model is read by the model of then, by that of after, and without either, and is continued.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use ironweave::dynamic::Dynamic;
use ironweave::prelude::*;
use ironweave::raw_log::{self, RawLog};
use ironweave::{Model, Options, Seq};

use crate::changes::{self, Change, Visitor};
use crate::harness::named::contents;
use crate::harness::{assert_consistent, temp_dir};
use crate::models::first::bank;
use crate::{committed, copied, manifest, retained};

const FOLDER: &str = "version3";

/// The lines of the manifest, by the names of the logs.
fn lines() -> BTreeMap<String, String> {
    let file = committed(Path::new(FOLDER).join("manifest.txt"));
    let text = fs::read_to_string(file).expect("the manifest");
    let lines = text.lines().map(|line| {
        let name = line.split(':').next().unwrap_or_default();
        (name.to_owned(), line.to_owned())
    });
    lines.collect()
}

fn copy(name: &str) -> tempfile::TempDir {
    copied(&Path::new(FOLDER).join(name))
}

/// Whether this program can read the log.
fn is_readable(name: &str) -> bool {
    name != "archived" || cfg!(feature = "archive")
}

#[test]
fn each_log_is_as_its_line_of_the_manifest_and_its_text() {
    let lines = lines();
    assert!(
        lines.keys().eq(manifest::names()
            .iter()
            .copied()
            .collect::<std::collections::BTreeSet<_>>())
    );
    for (name, line) in lines.iter().filter(|(name, _)| is_readable(name)) {
        let dir = copy(name);
        let said = manifest::line(name, dir.path());
        let said = said.unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(&said, line);
        let expected = committed(Path::new(FOLDER).join(format!("{name}.txt")));
        let expected = fs::read_to_string(expected).expect("its text");
        let said = manifest::text(dir.path());
        let said = said.unwrap_or_else(|e| panic!("{name}: {e}"));
        for (number, (said, expected)) in said.lines().zip(expected.lines()).enumerate() {
            assert_eq!(said, expected, "{name}.txt, line {}", number + 1);
        }
        assert_eq!(said.lines().count(), expected.lines().count(), "{name}");
    }
}

#[test]
fn each_log_is_read_by_both_models_and_without_either() {
    struct Read(usize);
    impl Visitor for Read {
        fn visit<C: Change>(&mut self) {
            with_the_model_of_after::<C>();
            with_the_model_of_before::<C>();
            self.0 += 1;
        }
    }
    let mut read = Read(0);
    changes::visit_all(&mut read);
    assert_eq!(read.0 + retained::NAMES.len(), lines().len());
}

/// The last frame of the first epoch, and the last one of the group that begins the second.
fn change(dir: &Path) -> (Seq, Seq) {
    let log = RawLog::open(dir).expect("it opens");
    let [_, (schema, _)] = log.schemas().expect("they are read")[..] else {
        panic!("it has two epochs");
    };
    let frames = log.frames(schema).expect("it is read");
    let frames = frames.map(|frame| frame.expect("a frame"));
    let of_group = frames.take_while(|f| {
        f.seq() == schema || matches!(f.content(), raw_log::RawContent::Migration(_))
    });
    let last = of_group.last().expect("the schema").seq();
    (Seq::new(schema.get() - 1), last)
}

fn with_the_model_of_after<C: Change>() {
    let dir = copy(C::NAME);
    let (before, _) = change(dir.path());
    let dynamic = Store::<Dynamic>::open_read_only(dir.path()).expect("any log is read");
    for read_only in [true, false] {
        let open = if read_only {
            Options::open_read_only
        } else {
            Options::open
        };
        // No migration is needed any more.
        let store = open(Store::<C::After>::options(), dir.path()).expect("it is read");
        assert_eq!(
            (store.seq(), store.fingerprint()),
            (dynamic.seq(), dynamic.fingerprint())
        );
        assert_consistent(&store);
        C::assert_read(&store);
        assert_eq!(contents(store.by_name()), contents(dynamic.by_name()));
        let past = store.as_of_by_name(before).expect("the past");
        let same = dynamic.as_of(before).expect("the past");
        assert_eq!(contents(past.by_name()), contents(same.by_name()));
        assert_consistent(&past);
    }
}

fn with_the_model_of_before<C: Change>() {
    let dir = copy(C::NAME);
    let (before, migrated) = change(dir.path());
    let dynamic = Store::<Dynamic>::open_read_only(dir.path()).expect("any log is read");
    let fingerprint = |seq: Seq| dynamic.as_of(seq).expect("the past").fingerprint();
    // It does not take back what the newer one has changed.
    let refused = Store::<C::Before>::open(dir.path()).map(drop);
    assert!(refused.is_err_and(|e| e.is_schema()), "{}", C::NAME);
    // The log of before: the program of then can go on with it, and that of now migrates it as it did.
    let old = temp_dir();
    let old = old.path().join("old");
    raw_log::restore(dir.path(), &old, Some(before), |_, _| {}).expect("it is restored");
    let store = Store::<C::Before>::open(&old).expect("it is read");
    assert_eq!(
        (store.seq(), store.fingerprint()),
        (Some(before), fingerprint(before))
    );
    assert_consistent(&store);
    let verified = store.verify_all().expect("the same facts");
    assert_eq!(verified.not_fired, []);
    let then = dynamic.as_of(before).expect("the past");
    assert_eq!(contents(store.by_name()), contents(then.by_name()));
    drop(store);
    let mut store = changes::migrated::<C>(&old).expect("it migrates");
    assert_eq!(
        (store.seq(), store.fingerprint()),
        (Some(migrated), fingerprint(migrated)),
        "{}",
        C::NAME
    );
    C::after(&mut store).expect("the events fire");
    assert_eq!(
        (store.seq(), store.fingerprint()),
        (dynamic.seq(), dynamic.fingerprint())
    );
    C::assert_read(&store);
}

#[test]
fn retained_logs_are_read_and_continued() {
    for name in retained::NAMES.into_iter().filter(|name| is_readable(name)) {
        let dir = copy(name);
        let mut store = Store::<bank::Model>::open(dir.path()).expect("it is read");
        assert_consistent(&store);
        let (account, balance) = ("max".into(), 1);
        store.step(bank::Counted { account, balance });
        let expected = (store.seq(), store.fingerprint());
        drop(store);
        let store = Store::<bank::Model>::open(dir.path()).expect("it is read");
        assert_eq!((store.seq(), store.fingerprint()), expected);
        assert_same_past(&store, dir.path());
    }
}

/// Asserts about each frame that the model reads the graph after it that is read without the model.
fn assert_same_past<M: Model>(store: &Store<M>, dir: &Path) {
    let dynamic = Store::<Dynamic>::open_read_only(dir).expect("any log is read");
    let first = RawLog::open(dir).expect("it opens").first();
    for record in dynamic.frames(first).expect("it is read") {
        let seq = record.expect("it is read").seq();
        match (store.as_of(seq), dynamic.as_of(seq)) {
            (Ok(a), Ok(b)) => assert_eq!(contents(a.by_name()), contents(b.by_name())),
            (Err(a), Err(_)) => assert!(first > Seq::new(0), "{a}"),
            (a, b) => panic!("{seq}: {:?} {:?}", a.err(), b.err()),
        }
    }
}

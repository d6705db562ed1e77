use std::path::{Path, PathBuf};

use ironweave::dynamic::Dynamic;
use ironweave::prelude::*;

use crate::harness::named::{assert_same_without_types, contents};
use crate::harness::{copy_dir, temp_dir};
use crate::logged::{first, shop};

fn committed(name: &Path) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/logs")
        .join(name)
}

fn same<M: ironweave::Model>(name: &Path) {
    let dir = temp_dir();
    copy_dir(&committed(name), dir.path());
    // As it was written, and after this program has begun an epoch.
    let typed = Store::<M>::open_read_only(dir.path()).expect("the log can be read");
    assert_same_without_types(dir.path(), &typed);
    drop(typed);
    let typed = Store::<M>::open(dir.path()).expect("the log can be read");
    assert_same_without_types(dir.path(), &typed);
}

#[test]
fn the_committed_logs_of_each_version() {
    for folder in ["", "version3"] {
        let folder = Path::new(folder);
        same::<shop::Model>(&folder.join("constructs"));
        for name in ["epochs", "segments", "killed", "torn"] {
            same::<first::bank::Model>(&folder.join(name));
        }
    }
}

#[test]
fn the_committed_log_of_databuild_is_opened() {
    // Its test compares the graph; this crate does not have its model.
    let store = Store::<Dynamic>::open_read_only(committed(Path::new("databuild")));
    let store = store.expect("any log can be opened");
    assert_eq!(store.check(), []);
    assert_eq!(store.verify().expect("the log can be read"), 29);
    let graph = store.by_name();
    let sum = graph
        .find("Partition", "sum")
        .expect("a key")
        .expect("it exists");
    assert_eq!(sum.state(), "Live");
    assert!(contents(graph).contains("Partition \"part/one\""));
}

#[test]
fn a_log_that_is_written_meanwhile_is_followed() {
    use first::bank::*;
    let dir = temp_dir();
    let mut typed = Store::<Model>::open(dir.path()).expect("a new store");
    let counted = |name: &str| Counted {
        account: name.into(),
        balance: -7,
    };
    typed.step(counted("ada"));
    let mut dynamic = assert_same_without_types(dir.path(), &typed);
    let reader = dynamic.reader();
    let mut all = dynamic.subscribe(0).expect("there is a log");
    typed.step(counted("bob"));
    dynamic.refresh().expect("the log can be read");
    assert_eq!(dynamic.fingerprint(), typed.fingerprint());
    for graph in [dynamic.by_name(), reader.snapshot().by_name()] {
        assert_eq!(graph.count(), 2);
        assert!(graph.find("Account", "bob").expect("a key").is_some());
    }
    for name in ["ada", "bob"] {
        let record = all
            .next()
            .expect("two transactions")
            .expect("the log can be read");
        let firing = record.firings().next().expect("an event");
        let text = firing.to_string();
        let expected = format!("Counted {{ account: {name:?}, balance: -7 }} => create Account/");
        assert!(text.starts_with(&expected), "{text}");
        let json = serde_json::to_value(&record).expect("it is JSON");
        assert_eq!(
            json["firings"][0]["event"],
            serde_json::json!({"Counted": {"account": name, "balance": -7}})
        );
        assert!(
            record.all_events().all(|event| event.is_err()),
            "it has no types"
        );
    }
}

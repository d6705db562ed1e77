use std::fs;

use ironweave::dynamic::Dynamic;
use ironweave::prelude::*;
use ironweave::{ErrorKind, OpenError};

use crate::harness::temp_dir;
use crate::logged::first::bank;

#[test]
fn it_is_not_opened_for_writing() {
    let dir = temp_dir();
    let new = dir.path().join("new");
    let error = Store::<Dynamic>::open(&new).expect_err("it cannot write");
    assert!(!new.exists(), "nothing was created");
    assert!(matches!(error, OpenError::Storage(_)), "{error:?}");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(
        error.to_string(),
        "a store without the types of its model cannot be opened for writing; use `open_read_only`, or open it with its \
         model"
    );
    assert!(
        Store::<Dynamic>::open_read_only(&new)
            .expect_err("no store")
            .is_not_found()
    );
}

#[test]
fn reading_it_changes_no_file_that_a_writer_uses() {
    let dir = temp_dir();
    let mut typed = Store::<bank::Model>::open(dir.path()).expect("a new store");
    typed.step(bank::Counted {
        account: "ada".into(),
        balance: 1,
    });
    let files = || {
        let all = fs::read_dir(dir.path()).expect("the directory");
        let all = all.map(|file| file.expect("a file").path());
        let mut all: Vec<_> = all
            .map(|path| (fs::read(&path).expect("a file"), path))
            .collect();
        all.sort();
        all
    };
    let before = files();
    let store = Store::<Dynamic>::open_read_only(dir.path()).expect("any log can be opened");
    let ada = store
        .by_name()
        .find("Account", "ada")
        .expect("a key")
        .expect("it exists");
    assert_eq!(
        store
            .history_by_name(&ada.entity_ref())
            .expect("a log")
            .len(),
        4
    );
    assert_eq!(store.verify().expect("a log"), 1);
    drop(store);
    assert!(files() == before, "a file has changed");
    typed.step(bank::Counted {
        account: "ada".into(),
        balance: 2,
    });
}

#[test]
fn a_store_in_memory_is_empty() {
    let store = Store::<Dynamic>::memory();
    assert_eq!(store.by_name().count(), 0);
    assert_eq!(store.by_name().entity_types().len(), 0);
    assert_eq!((store.check(), store.fingerprint()), (Vec::new(), 0));
}

//! A file that is no database, or that cannot be written, is refused and stays as it is.

use std::fs;
use std::path::Path;

use ironweave::Store;
use rusqlite::Connection;

use super::same;
use crate::bank::{Model, open};
use crate::harness::temp_dir;

fn refusal(store: &Store<Model>, path: &Path) -> String {
    let error = store.project_into_sqlite(path).err();
    error.expect("it is refused").to_string()
}

#[test]
fn a_file_that_is_no_database_is_refused_and_stays_as_it_is() {
    let dir = temp_dir();
    let path = dir.path().join("notes.txt");
    let store = Store::<Model>::memory();
    for len in [1, 15, 16, 99, 100, 511, 4_096, 10_000] {
        let bytes = "some notes of mine".repeat(1_000).into_bytes()[..len].to_vec();
        fs::write(&path, &bytes).expect("the file can be written");
        let error = refusal(&store, &path);
        assert!(
            error.contains("notes.txt") && error.contains("not an SQLite database"),
            "{len}: {error}"
        );
        assert_eq!(fs::read(&path).expect("the database can be read"), bytes);
        assert_eq!(
            fs::read_dir(dir.path())
                .expect("the database can be read")
                .count(),
            1
        );
    }
}

#[test]
fn a_file_that_is_empty_is_a_database_without_tables() {
    let dir = temp_dir();
    let path = dir.path().join("bank.sqlite");
    fs::write(&path, "").expect("the file can be written");
    let mut store = Store::<Model>::memory();
    open(&mut store, 5);
    let mut tables = store
        .project_into_sqlite(&path)
        .expect("the store or the database opens");
    tables.catch_up().expect("the tables catch up");
    same(&path, &store);
}

#[test]
fn a_path_that_is_no_file_is_refused_with_advice() {
    let dir = temp_dir();
    let store = Store::<Model>::memory();
    assert!(refusal(&store, dir.path()).contains("it is a directory"));
    let nowhere = dir.path().join("nowhere").join("bank.sqlite");
    assert!(refusal(&store, &nowhere).contains("its directory does not exist"));
    assert!(!nowhere.exists());
    // To SQLite this would be a database of its own, which is gone when it is closed.
    assert!(refusal(&store, Path::new("")).contains("empty"));
}

#[test]
fn names_that_are_special_to_sqlite_are_names_of_files() {
    let dir = temp_dir();
    let mut store = Store::<Model>::memory();
    open(&mut store, 5);
    for name in [":memory:", "file:bank.sqlite?mode=memory"] {
        let path = dir.path().join(name);
        let mut tables = store
            .project_into_sqlite(&path)
            .expect("the store or the database opens");
        tables.catch_up().expect("the tables catch up");
        assert!(path.exists());
        same(&path, &store);
    }
}

#[test]
fn a_database_that_can_only_be_read_is_refused() {
    let dir = temp_dir();
    let path = dir.path().join("bank.sqlite");
    let mut store = Store::<Model>::memory();
    open(&mut store, 5);
    let client = Connection::open(&path).expect("the store or the database opens");
    client
        .execute_batch("CREATE TABLE t (x)")
        .expect("the statement is valid SQL");
    let mut permissions = fs::metadata(&path).expect("the row exists").permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&path, permissions).expect("it is its own");
    // Root may write it all the same.
    let writable = fs::OpenOptions::new().append(true).open(&path).is_ok();
    match store.project_into_sqlite(&path) {
        Ok(mut tables) => {
            assert!(writable);
            tables.catch_up().expect("the tables catch up");
            same(&path, &store);
        }
        Err(error) => {
            assert!(!writable);
            assert!(error.to_string().contains("can only be read"), "{error}");
        }
    }
}

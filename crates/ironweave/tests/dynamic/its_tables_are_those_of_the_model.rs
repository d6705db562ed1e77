use std::path::Path;

use ironweave::dynamic::Dynamic;
use ironweave::prelude::*;
use rusqlite::Connection;
use rusqlite::types::Value;

use crate::epochs::TwoEpochs;
use crate::harness::{copy_dir, temp_dir};
use crate::logged::shop;

/// The statements and the rows of all tables and views of a projection.
fn dumped<M: ironweave::Model>(store: &Store<M>, path: &Path) -> Vec<String> {
    let mut tables = store
        .project_into_sqlite(path)
        .expect("the tables can be made");
    tables.catch_up().expect("the log can be read");
    let client = Connection::open(path).expect("a database");
    let all = |sql: &str| {
        let mut rows = Vec::new();
        let mut statement = client.prepare(sql).expect("a query");
        let columns = statement.column_count();
        let mut found = statement.query([]).expect("a query");
        while let Some(row) = found.next().expect("a row") {
            let row: Vec<Value> = (0..columns).map(|i| row.get(i).expect("a value")).collect();
            rows.push(row);
        }
        rows
    };
    let mut text = Vec::new();
    for row in all("SELECT name, sql FROM sqlite_schema ORDER BY name") {
        text.push(format!("{row:?}"));
        // The registry has the identity of the store.
        if let [Value::Text(name), Value::Text(sql)] = &row[..]
            && !sql.starts_with("CREATE INDEX")
            && !name.starts_with("ironweave")
        {
            text.extend(
                all(&format!("SELECT * FROM \"{name}\""))
                    .iter()
                    .map(|row| format!("{row:?}")),
            );
        }
    }
    text
}

#[test]
fn the_tables_of_a_store_without_types_are_those_of_its_model() {
    let dir = temp_dir();
    let logs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/logs");
    copy_dir(&logs.join("version3/constructs"), dir.path());
    let typed = Store::<shop::Model>::open_read_only(dir.path()).expect("the log can be read");
    let dynamic = Store::<Dynamic>::open_read_only(dir.path()).expect("the log can be read");
    let files = temp_dir();
    let expected = dumped(&typed, &files.path().join("typed.sqlite"));
    assert!(
        expected
            .iter()
            .any(|row| row.contains("2026-09-21T14:13:28Z"))
    );
    assert_eq!(
        dumped(&dynamic, &files.path().join("dynamic.sqlite")),
        expected
    );
    // And the tables of either are continued by the other.
    assert_eq!(
        dumped(&dynamic, &files.path().join("typed.sqlite")),
        expected
    );
}

#[test]
fn the_tables_of_a_log_of_two_epochs_are_those_of_the_last_one() {
    let log = TwoEpochs::new();
    let files = temp_dir();
    let (typed, path) = (
        files.path().join("typed.sqlite"),
        files.path().join("dynamic.sqlite"),
    );
    let expected = dumped(&log.second, &typed);
    // First a projection of the first epoch.
    log.write(log.schema as usize);
    let open = || Store::<Dynamic>::open_read_only(log.dir.path()).expect("any log can be opened");
    assert_eq!(
        dumped(&open(), &path),
        dumped(&log.first, &files.path().join("first.sqlite"))
    );
    log.write(log.frames.len());
    for _ in 0..2 {
        assert_eq!(dumped(&open(), &path), expected);
    }
}

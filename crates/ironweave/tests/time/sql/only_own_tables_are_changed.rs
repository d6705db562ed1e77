//! A projection changes and drops its own tables, and nothing else in the database.

use std::fs;
use std::path::Path;

use ironweave::Store;
use rusqlite::Connection;

use super::{asked, int, same, step, text};
use crate::bank::{Model, open};
use crate::harness::temp_dir;

const TABLES_OF_OTHERS: &str = "
    CREATE TABLE customers (name TEXT PRIMARY KEY, paid INTEGER) WITHOUT ROWID;
    INSERT INTO customers VALUES ('ada', 3), ('bob', 0);
    CREATE INDEX by_paid ON customers (paid);
    CREATE VIEW debtors AS SELECT name FROM customers WHERE paid = 0;
    CREATE TRIGGER no_debt AFTER UPDATE ON customers BEGIN SELECT 1; END;
    CREATE VIRTUAL TABLE words USING fts5 (word);
    INSERT INTO words VALUES ('iron'), ('weave');
    CREATE TABLE \"a \"\"b\"\" c\" (x);
";

fn sql(path: &Path, sql: &str) {
    let client = Connection::open(path).expect("the store or the database opens");
    client
        .execute_batch(sql)
        .expect("the statement is valid SQL");
}

/// All that is in a database and is not of the bank, and not of the registry.
fn of_others(path: &Path) -> Vec<Vec<String>> {
    let client = Connection::open(path).expect("the store or the database opens");
    let objects = "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE tbl_name NOT LIKE 'Account%' \
                   AND tbl_name NOT LIKE 'Bank%' AND tbl_name NOT LIKE 'Person%' AND tbl_name NOT LIKE 'ironweave%'";
    let mut all = asked(&client, objects);
    all.extend(asked(&client, "SELECT name, paid FROM customers"));
    all.extend(asked(&client, "SELECT name FROM debtors"));
    all.extend(asked(&client, "SELECT word FROM words"));
    all
}

fn opened() -> Store<Model> {
    let mut store = Store::<Model>::memory();
    open(&mut store, 5);
    store
}

fn catch_up(store: &Store<Model>, path: &Path) {
    let mut tables = store
        .project_into_sqlite(path)
        .expect("the store or the database opens");
    tables.catch_up().expect("the tables catch up");
    same(path, store);
}

/// Marks the tables as those of another shape, so that they are rebuilt.
const MADE_ANEW: &str = "UPDATE ironweave SET shape = 'earlier'";

#[test]
fn tables_of_others_stay_as_they_are() {
    let dir = temp_dir();
    let path = dir.path().join("shared.sqlite");
    sql(&path, TABLES_OF_OTHERS);
    let before = of_others(&path);
    let mut store = opened();
    for round in 0..3 {
        catch_up(&store, &path);
        (round * 50..round * 50 + 50).for_each(|i| step(&mut store, i));
        assert_eq!(of_others(&path), before);
        catch_up(&store, &path);
        assert_eq!(of_others(&path), before);
        sql(&path, MADE_ANEW);
    }
    // A database that was there keeps its mode.
    let client = Connection::open(&path).expect("the store or the database opens");
    assert_eq!(asked(&client, "PRAGMA journal_mode"), [[text("delete")]]);
}

#[test]
fn rows_of_others_that_refer_to_entities_are_not_deleted_with_them() {
    let dir = temp_dir();
    let path = dir.path().join("shared.sqlite");
    let mut store = opened();
    catch_up(&store, &path);
    sql(
        &path,
        "CREATE TABLE notes (account INTEGER REFERENCES Account (slot) ON DELETE CASCADE, note TEXT);
         CREATE TABLE pins (account INTEGER REFERENCES Account (slot) ON DELETE RESTRICT);
         INSERT INTO notes SELECT slot, 'a note' FROM Account;
         INSERT INTO pins SELECT slot FROM Account",
    );
    // Accounts are closed, and then all tables are rebuilt.
    (0..50).for_each(|i| step(&mut store, i));
    catch_up(&store, &path);
    sql(&path, MADE_ANEW);
    catch_up(&store, &path);
    let client = Connection::open(&path).expect("the store or the database opens");
    let count = "SELECT (SELECT count(*) FROM notes), (SELECT count(*) FROM pins)";
    assert_eq!(asked(&client, count), [[int(5), int(5)]]);
}

#[test]
fn indexes_and_triggers_of_others_on_tables_of_the_projection_are_put_back() {
    let dir = temp_dir();
    let path = dir.path().join("shared.sqlite");
    let mut store = opened();
    catch_up(&store, &path);
    sql(
        &path,
        "CREATE INDEX mine ON Account (balance);
         CREATE UNIQUE INDEX \"my \"\"own\"\"\" ON bank (name);
         CREATE TABLE outbox (balance);
         CREATE TRIGGER told AFTER UPDATE OF balance ON ACCOUNT BEGIN INSERT INTO outbox VALUES (new.balance); END;
         CREATE TRIGGER into_view INSTEAD OF DELETE ON Bank_view BEGIN SELECT 1; END",
    );
    let theirs = "SELECT type, name, sql FROM sqlite_schema WHERE name IN ('mine', 'my \"own\"', 'told', 'into_view')";
    let client = Connection::open(&path).expect("the store or the database opens");
    let before = asked(&client, theirs);
    assert_eq!(before.len(), 4);
    let outbox = "SELECT count(*) FROM outbox";
    (0..20).for_each(|i| step(&mut store, i));
    catch_up(&store, &path);
    let told = asked(&client, outbox);
    assert_ne!(told, [[int(0)]]);
    sql(&path, MADE_ANEW);
    catch_up(&store, &path);
    let mut after = asked(&client, theirs);
    after.sort();
    let mut sorted = before.clone();
    sorted.sort();
    assert_eq!(after, sorted);
    // The rows of the tables are unchanged.
    assert_eq!(asked(&client, outbox), told);
    (20..40).for_each(|i| step(&mut store, i));
    catch_up(&store, &path);
    assert_ne!(asked(&client, outbox), told);
    // An index that cannot be created again, because its rows are not unique, is not dropped either.
    sql(
        &path,
        "DELETE FROM Account; CREATE UNIQUE INDEX only_one ON Account (state)",
    );
    sql(&path, MADE_ANEW);
    let mut tables = store
        .project_into_sqlite(&path)
        .expect("the store or the database opens");
    let error = tables.catch_up().expect_err("it cannot be put back");
    assert!(error.to_string().contains("index `only_one`"), "{error}");
    sql(&path, "DROP INDEX only_one");
    tables.catch_up().expect("the tables catch up");
    same(&path, &store);
}

#[test]
fn a_name_that_is_taken_is_refused_and_nothing_changes() {
    let store = opened();
    for (kind, name, statement) in [
        ("table", "account", "CREATE TABLE account (x)"),
        ("view", "BANK", "CREATE VIEW BANK AS SELECT 1"),
        ("table", "Account_view", "CREATE TABLE Account_view (x)"),
        (
            "table",
            "Account_signers",
            "CREATE TABLE Account_signers (x)",
        ),
        (
            "index",
            "Account_signers_to",
            "CREATE TABLE t (x); CREATE INDEX Account_signers_to ON t (x)",
        ),
        (
            "table",
            "ironweave",
            "CREATE TABLE ironweave (model, shape, position)",
        ),
        (
            "view",
            "ironweave_objects",
            "CREATE VIEW ironweave_objects AS SELECT 1",
        ),
    ] {
        let dir = temp_dir();
        let path = dir.path().join("shared.sqlite");
        sql(&path, &format!("{TABLES_OF_OTHERS} {statement}"));
        let before = fs::read(&path).expect("the database can be read");
        let error = store.project_into_sqlite(&path).err();
        let error = error
            .unwrap_or_else(|| panic!("{name} is taken"))
            .to_string();
        for part in ["shared.sqlite", &format!("{kind} `{name}`"), "prefix"] {
            assert!(error.contains(part), "{error}");
        }
        assert_eq!(fs::read(&path).expect("the database can be read"), before);
        assert_eq!(
            fs::read_dir(dir.path())
                .expect("the database can be read")
                .count(),
            1
        );
    }
}

#[test]
fn a_name_that_is_taken_after_the_projection_was_opened_is_refused_too() {
    let dir = temp_dir();
    let path = dir.path().join("shared.sqlite");
    let store = opened();
    let mut tables = store
        .project_into_sqlite(&path)
        .expect("the store or the database opens");
    sql(&path, "CREATE TABLE Bank (x); INSERT INTO Bank VALUES (1)");
    let error = tables.catch_up().expect_err("it is taken").to_string();
    assert!(error.contains("table `Bank`"), "{error}");
    sql(&path, "ALTER TABLE Bank RENAME TO mine");
    tables.catch_up().expect("the tables catch up");
    same(&path, &store);
    let client = Connection::open(&path).expect("the store or the database opens");
    assert_eq!(asked(&client, "SELECT x FROM mine"), [[int(1)]]);
}

#[test]
fn a_table_that_another_program_altered_is_not_dropped() {
    let dir = temp_dir();
    let path = dir.path().join("bank.sqlite");
    let mut store = opened();
    catch_up(&store, &path);
    sql(
        &path,
        "ALTER TABLE Bank ADD COLUMN note; UPDATE Bank SET note = 'mine'",
    );
    // As long as the tables need not be rebuilt, it does no harm.
    (0..20).for_each(|i| step(&mut store, i));
    catch_up(&store, &path);
    sql(&path, MADE_ANEW);
    let error = store.project_into_sqlite(&path).expect_err("it is taken");
    assert!(error.to_string().contains("table `Bank`"), "{error}");
    // SQLite has renamed it in the views too, so that they are no longer what the projection made either.
    sql(&path, "ALTER TABLE Bank RENAME TO old");
    let error = store.project_into_sqlite(&path).expect_err("it is taken");
    assert!(error.to_string().contains("_view`"), "{error}");
    sql(&path, "DROP VIEW Account_bank_view");
    let error = store.project_into_sqlite(&path).expect_err("it is taken");
    assert!(error.to_string().contains("`Bank_view`"), "{error}");
    sql(&path, "DROP VIEW Bank_view");
    catch_up(&store, &path);
    let client = Connection::open(&path).expect("the store or the database opens");
    assert_eq!(asked(&client, "SELECT note FROM old"), [[text("mine")]]);
    let error = client.prepare("SELECT note FROM Bank").err();
    assert!(error.is_some(), "it was rebuilt");
}

#[test]
fn a_missing_table_is_rebuilt_with_the_others() {
    let dir = temp_dir();
    let path = dir.path().join("bank.sqlite");
    let store = opened();
    for drop in [
        "DROP TABLE Bank",
        "DROP VIEW Bank_view",
        "DROP INDEX Account_bank_to",
        "DELETE FROM ironweave",
    ] {
        catch_up(&store, &path);
        sql(&path, drop);
        catch_up(&store, &path);
    }
}

#[test]
fn rows_that_another_program_deleted_are_noticed_and_can_be_rebuilt() {
    let dir = temp_dir();
    let path = dir.path().join("bank.sqlite");
    let mut store = opened();
    let mut tables = store
        .project_into_sqlite(&path)
        .expect("the store or the database opens");
    tables.catch_up().expect("the tables catch up");
    sql(&path, "DELETE FROM Account");
    let lag = tables.lag();
    (0..20).for_each(|i| step(&mut store, i));
    let error = tables.catch_up().expect_err("they are gone").to_string();
    assert!(
        error.contains("\"Account\"") && error.contains("delete the row"),
        "{error}"
    );
    assert!(tables.lag() > lag, "nothing is taken in");
    sql(&path, "DELETE FROM ironweave");
    catch_up(&store, &path);
}

/// The registry and the tables of the version before.
const EARLIER: &str = r#"
    CREATE TABLE "Bank" (slot INTEGER PRIMARY KEY, id TEXT NOT NULL, state TEXT NOT NULL, "name", "transfers");
    CREATE TABLE "Account" (slot INTEGER PRIMARY KEY, id TEXT NOT NULL, state TEXT NOT NULL, "number", "balance", "Frozen_why");
    CREATE TABLE "Person" (slot INTEGER PRIMARY KEY, id TEXT NOT NULL, state TEXT NOT NULL, "name");
    CREATE TABLE "Account_bank" (from_slot INTEGER NOT NULL, to_slot INTEGER NOT NULL, data, PRIMARY KEY (from_slot, to_slot)) WITHOUT ROWID;
    CREATE INDEX "Account_bank_to" ON "Account_bank" (to_slot);
    CREATE TABLE "Account_signers" (from_slot INTEGER NOT NULL, to_slot INTEGER NOT NULL, data, PRIMARY KEY (from_slot, to_slot)) WITHOUT ROWID;
    CREATE INDEX "Account_signers_to" ON "Account_signers" (to_slot);
"#;

fn made_by_the_version_before(path: &Path) {
    sql(path, EARLIER);
    let lines = EARLIER
        .trim()
        .lines()
        .map(|line| line.trim().trim_end_matches(';'));
    let shape = format!("1\n{}", lines.collect::<Vec<_>>().join("\n"));
    let client = Connection::open(path).expect("the store or the database opens");
    client
        .execute_batch("CREATE TABLE ironweave (model TEXT, shape TEXT, position INTEGER)")
        .expect("the statement is valid SQL");
    client
        .execute("INSERT INTO ironweave VALUES ('model', ?1, 7)", [shape])
        .expect("the statement is valid SQL");
}

#[test]
fn tables_of_the_version_before_are_rebuilt_and_other_tables_stay() {
    let dir = temp_dir();
    let path = dir.path().join("bank.sqlite");
    made_by_the_version_before(&path);
    sql(&path, TABLES_OF_OTHERS);
    let before = of_others(&path);
    catch_up(&opened(), &path);
    assert_eq!(of_others(&path), before);
    // One of them is not as that version made it.
    let path = dir.path().join("altered.sqlite");
    made_by_the_version_before(&path);
    sql(&path, "ALTER TABLE Bank ADD COLUMN note");
    let error = opened()
        .project_into_sqlite(&path)
        .expect_err("it is taken");
    assert!(error.to_string().contains("table `Bank`"), "{error}");
}

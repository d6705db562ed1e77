//! Tables continue at the transaction where they were, and are rebuilt where the log is another one.

use std::fs;
use std::path::Path;
use std::sync::Barrier;
use std::thread;

use ironweave::{Seq, SqliteOptions, Store};
use rusqlite::Connection;

use super::{asked, int, same, step, text};
use crate::bank::{Model, open};
use crate::harness::{copy_dir, temp_dir};

fn project(store: &Store<Model>, path: &Path) -> u64 {
    let mut tables = store
        .project_into_sqlite(path)
        .expect("the store or the database opens");
    let taken = tables.catch_up().expect("the tables catch up");
    same(path, store);
    taken
}

#[test]
fn tables_of_a_log_that_was_restored_are_rebuilt() {
    let dir = temp_dir();
    let (live, backup) = (dir.path().join("live"), dir.path().join("backup"));
    let path = dir.path().join("bank.sqlite");
    let mut store = Store::<Model>::open(&live).expect("the store or the database opens");
    open(&mut store, 5);
    (0..20).for_each(|i| step(&mut store, i));
    drop(store);
    copy_dir(&live, &backup);
    let mut store = Store::<Model>::open(&live).expect("the store or the database opens");
    (20..60).for_each(|i| step(&mut store, i));
    assert!(project(&store, &path) > 0);
    assert_eq!(project(&store, &path), 0, "it goes on where it was");
    let end = store.seq();
    drop(store);

    // The tables are ahead of the log.
    fs::remove_dir_all(&live).expect("it is removed");
    copy_dir(&backup, &live);
    let mut store = Store::<Model>::open(&live).expect("the store or the database opens");
    assert!(store.seq() < end);
    assert!(project(&store, &path) > 0);
    // And of another past, when it is as long again: with frames of the same numbers, and other content.
    let mut tables = store
        .project_into_sqlite(&path)
        .expect("the store or the database opens");
    (20..30).for_each(|i| step(&mut store, i));
    tables.catch_up().expect("the tables catch up");
    drop((tables, store));
    fs::remove_dir_all(&live).expect("it is removed");
    copy_dir(&backup, &live);
    let mut store = Store::<Model>::open(&live).expect("the store or the database opens");
    (31..90).for_each(|i| step(&mut store, i));
    assert!(project(&store, &path) > 30, "from the beginning");
    assert_eq!(project(&store, &path), 0);
}

#[test]
fn tables_of_another_store_are_rebuilt() {
    let dir = temp_dir();
    let path = dir.path().join("bank.sqlite");
    for accounts in [5, 3, 7] {
        // Each has as many frames as the one before, or more, or fewer.
        let mut store = Store::<Model>::memory();
        open(&mut store, accounts);
        assert_eq!(project(&store, &path), accounts + 1);
        assert_eq!(project(&store, &path), 0);
    }
}

#[test]
fn the_snapshot_that_a_store_began_at_is_in_its_tables() {
    let dir = temp_dir();
    let path = dir.path().join("bank.sqlite");
    let mut store = Store::<Model>::memory();
    open(&mut store, 5);
    (0..30).for_each(|i| step(&mut store, i));
    let mut later = store.snapshot().into_store();
    assert_eq!(project(&later, &path), 0);
    let mut tables = later
        .project_into_sqlite(&path)
        .expect("the store or the database opens");
    (30..60).for_each(|i| step(&mut later, i));
    tables.catch_up().expect("the tables catch up");
    same(&path, &later);
    assert_eq!(project(&later, &path), 0);
    // Before anything has happened, they are those of this store and of no other.
    let other = store.snapshot().into_store();
    project(&other, &path);
    project(&store, &path);
}

#[test]
fn a_store_that_keeps_no_log_cannot_be_projected() {
    let dir = temp_dir();
    let path = dir.path().join("bank.sqlite");
    let store = Store::<Model>::unlogged();
    let error = store.project_into_sqlite(&path).expect_err("no log");
    assert!(error.to_string().contains("log"), "{error}");
    assert!(!path.exists());
}

#[test]
fn a_read_only_store_is_projected_as_far_as_it_has_read() {
    let dir = temp_dir();
    let (live, path) = (dir.path().join("live"), dir.path().join("bank.sqlite"));
    let mut store = Store::<Model>::open(&live).expect("the store or the database opens");
    open(&mut store, 5);
    let mut reader =
        Store::<Model>::open_read_only(&live).expect("the store or the database opens");
    assert_eq!(project(&reader, &path), 6);
    (0..30).for_each(|i| step(&mut store, i));
    // The writer brings them further than the reader has read, which does not take them back.
    let more = project(&store, &path);
    assert!(more > 0);
    let error = reader.project_into_sqlite(&path).expect_err("it is behind");
    assert!(error.to_string().contains("refresh"), "{error}");
    same(&path, &store);
    reader.refresh().expect("the database can be read");
    assert_eq!(project(&reader, &path), 0);
}

#[test]
fn two_projections_of_a_store_into_one_database_take_turns() {
    let dir = temp_dir();
    let path = dir.path().join("bank.sqlite");
    let mut store = Store::<Model>::memory();
    open(&mut store, 5);
    // Both are to make the tables, and one does.
    let open = || {
        store
            .project_into_sqlite(&path)
            .expect("the store or the database opens")
    };
    let mut two = [open(), open()];
    let mut all = 0;
    for round in 0..20 {
        for i in 0..round {
            step(&mut store, 50 * round + i);
        }
        for tables in &mut two {
            all += tables.catch_up().expect("the tables catch up");
            assert_eq!(tables.lag(), 0);
            same(&path, &store);
        }
        two.swap(0, (round % 2) as usize);
    }
    assert_eq!(
        store.seq().expect("it has frames"),
        all,
        "each was taken in once"
    );
}

#[test]
fn projections_that_catch_up_at_the_same_time_do_not_disturb_each_other() {
    let dir = temp_dir();
    let live = dir.path().join("live");
    let mut store = Store::<Model>::open(&live).expect("the store or the database opens");
    open(&mut store, 5);
    (0..30).for_each(|i| step(&mut store, i));
    for round in 0..20 {
        let path = dir.path().join(format!("bank{round}.sqlite"));
        let begin = Barrier::new(4);
        let taken = thread::scope(|scope| {
            let project = || {
                let reader =
                    Store::<Model>::open_read_only(&live).expect("the store or the database opens");
                begin.wait();
                let mut tables = reader
                    .project_into_sqlite(&path)
                    .expect("the store or the database opens");
                tables.catch_up().expect("the tables catch up")
            };
            let all = [(); 4].map(|()| scope.spawn(project));
            all.map(|one| one.join().expect("the thread does not panic"))
        });
        same(&path, &store);
        assert_eq!(
            store.seq(),
            Some(Seq::new(taken.iter().sum())),
            "each was taken in once"
        );
    }
    // And as transactions come.
    let path = dir.path().join("followed.sqlite");
    let follow = || {
        let mut tables = store
            .project_into_sqlite(&path)
            .expect("the store or the database opens");
        thread::spawn(move || tables.follow().map_err(|e| e.to_string()))
    };
    let following = [follow(), follow(), follow()];
    (30..100).for_each(|i| step(&mut store, i));
    let end = store.snapshot();
    drop(store);
    for one in following {
        one.join()
            .expect("the thread does not panic")
            .expect("it follows");
    }
    same(&path, &end);
}

#[test]
fn a_projection_whose_tables_were_rebuilt_by_another_ends() {
    let dir = temp_dir();
    let path = dir.path().join("bank.sqlite");
    let (mut first, mut second) = (Store::<Model>::memory(), Store::<Model>::memory());
    for store in [&mut first, &mut second] {
        open(store, 5);
        (0..20).for_each(|i| step(store, i));
    }
    let mut tables = first
        .project_into_sqlite(&path)
        .expect("the store or the database opens");
    tables.catch_up().expect("the tables catch up");
    project(&second, &path);
    // With nothing to do, it does nothing.
    assert_eq!(tables.catch_up().expect("the database can be read"), 0);
    step(&mut first, 21);
    let error = tables.catch_up().expect_err("they are of another");
    assert!(error.to_string().contains("another projection"), "{error}");
    same(&path, &second);
    // Opened again, they are those of the first.
    project(&first, &path);
}

#[test]
fn projections_with_prefixes_share_a_database() {
    let dir = temp_dir();
    let path = dir.path().join("banks.sqlite");
    let prefixes = ["", "left_", "Right"];
    let mut stores = prefixes.map(|_| Store::<Model>::memory());
    for (accounts, store) in (3..).zip(&mut stores) {
        open(store, accounts);
    }
    let with = |prefix: &str| SqliteOptions::new().prefix(prefix);
    for round in 0..3 {
        for (prefix, store) in prefixes.iter().zip(&mut stores) {
            step(store, 2);
            let opened = store.project_into_sqlite_with(&path, with(prefix));
            let taken = opened.expect("the store or the database opens").catch_up();
            assert!(taken.expect("the tables catch up") > 0);
        }
        let client = Connection::open(&path).expect("the store or the database opens");
        let sql = "SELECT (SELECT count(*) FROM Account), (SELECT count(*) FROM left_Account_view), \
                   (SELECT count(*) FROM RightAccount)";
        assert_eq!(asked(&client, sql), [[int(3), int(4), int(5)]], "{round}");
    }
    // Upper and lower case are the same.
    let again = stores[2].project_into_sqlite_with(&path, with("RIGHT"));
    again
        .expect("the store or the database opens")
        .catch_up()
        .expect("the tables catch up");
    let client = Connection::open(&path).expect("the store or the database opens");
    let sql = "SELECT prefix FROM ironweave WHERE model = 'model'";
    assert_eq!(
        asked(&client, sql),
        [[text("")], [text("RIGHT")], [text("left_")]]
    );
    // What would be the name of a table of another one is taken.
    let clash = "CREATE TABLE xBank (x)";
    client
        .execute_batch(clash)
        .expect("the statement is valid SQL");
    for (prefix, part) in [
        ("x", "table `xBank`"),
        ("7", "not a valid prefix"),
        ("a b", "not a valid prefix"),
        ("ä", "not a valid prefix"),
        ("\"", "not a valid prefix"),
        (&*"a".repeat(65), "not a valid prefix"),
    ] {
        let error = stores[0]
            .project_into_sqlite_with(&path, with(prefix))
            .err();
        let error = error.expect("it is refused").to_string();
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn a_database_with_the_tables_of_another_model_is_refused() {
    let dir = temp_dir();
    let path = dir.path().join("bank.sqlite");
    let mut store = Store::<Model>::memory();
    open(&mut store, 5);
    project(&store, &path);
    let other = Store::<super::any_name_can_be_projected::bad::Model>::memory();
    let error = other.project_into_sqlite(&path).expect_err("it is refused");
    for part in ["`model`", "`bad`", "prefix"] {
        assert!(error.to_string().contains(part), "{error}");
    }
    same(&path, &store);
    let with = SqliteOptions::new().prefix("bad_");
    let mut tables = other
        .project_into_sqlite_with(&path, with)
        .expect("the store or the database opens");
    tables.catch_up().expect("the tables catch up");
    same(&path, &store);
    // The error of a model under a new name gives advice, and the advice works.
    let client = Connection::open(&path).expect("the store or the database opens");
    let old = "DELETE FROM ironweave WHERE model = 'model'";
    client
        .execute_batch(old)
        .expect("the statement is valid SQL");
    let mut tables = other
        .project_into_sqlite(&path)
        .expect("the store or the database opens");
    tables.catch_up().expect("the tables catch up");
    let sql = "SELECT name FROM sqlite_schema WHERE name IN ('Account', 'Ironweave_2')";
    assert_eq!(asked(&client, sql), [[text("Ironweave_2")]]);
}

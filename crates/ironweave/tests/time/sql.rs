//! The tables of an SQLite database equal the graph after every transaction. One file is one behaviour.

mod any_name_can_be_projected;
mod files_without_a_database_are_refused;
mod only_own_tables_are_changed;
mod tables_follow_one_log;
mod values_can_be_read_and_sorted;

use std::path::Path;
use std::thread;
use std::time::Duration;

use ironweave::prelude::*;
use ironweave::{Durability, SqliteProjection, Store};
use rusqlite::Connection;

use crate::bank::{
    Account, Bank, Closed, Disempowered, Empowered, Froze, Model, Opened, Person, Thawed, open,
    state::*, transfer,
};
use crate::harness::{child, temp_dir};

type Row = Vec<String>;

fn asked(client: &Connection, sql: &str) -> Vec<Row> {
    let mut statement = client.prepare(sql).expect("the statement is valid SQL");
    let n = statement.column_count();
    let rows = statement.query_map([], |row| {
        let text = |i| {
            row.get::<_, rusqlite::types::Value>(i)
                .map(|v| format!("{v:?}"))
        };
        (0..n).map(text).collect::<rusqlite::Result<Row>>()
    });
    let mut rows: Vec<Row> = rows
        .expect("the database can be read")
        .map(|r| r.expect("the database can be read"))
        .collect();
    rows.sort();
    rows
}

fn text(s: &str) -> String {
    format!("{:?}", rusqlite::types::Value::Text(s.to_owned()))
}

fn int(n: impl TryInto<i64>) -> String {
    let n = n.try_into().ok().expect("it fits");
    format!("{:?}", rusqlite::types::Value::Integer(n))
}

/// Compares all tables with a graph.
fn same(path: &Path, db: &impl Db) {
    let client = Connection::open(path).expect("the store or the database opens");
    let sorted = |rows: Vec<Row>| {
        let mut rows = rows;
        rows.sort();
        rows
    };
    let head = |id: ironweave::Id| vec![int(id.slot()), text(&id.to_string())];
    let accounts = db.place::<Account, Any>().map(|a| {
        let frozen = a.in_state::<Frozen>(db);
        let why = frozen.map_or("Null".to_owned(), |f| text(f.why(db)));
        let state = text(&a.state(db).to_string());
        [
            head(a.id()),
            vec![state, int(a.number(db)), int(a.balance(db)), why],
        ]
        .concat()
    });
    let sql = "SELECT slot, id, state, number, balance, Frozen_why FROM Account";
    assert_eq!(asked(&client, sql), sorted(accounts.collect()));
    let banks = db.place::<Bank, Any>().map(|b| {
        let fields = vec![text("Exists"), text(b.name(db)), int(b.transfers(db))];
        [head(b.id()), fields].concat()
    });
    let sql = "SELECT slot, id, state, name, transfers FROM Bank";
    assert_eq!(asked(&client, sql), sorted(banks.collect()));
    let people = db
        .place::<Person, Any>()
        .map(|p| [head(p.id()), vec![text(p.name(db))]].concat());
    let sql = "SELECT slot, id, name FROM Person";
    assert_eq!(asked(&client, sql), sorted(people.collect()));
    let signers = db.place::<Account, Any>().flat_map(|a| {
        let limit = move |p: &Person| a.signers_data(db, p).expect("they are linked");
        a.signers(db)
            .map(|p| vec![int(a.id().slot()), int(p.id().slot()), int(limit(&p))])
            .collect::<Vec<_>>()
    });
    let sql = "SELECT from_slot, to_slot, data FROM Account_signers";
    assert_eq!(asked(&client, sql), sorted(signers.collect()));
    let of = db
        .place::<Account, Any>()
        .map(|a| vec![int(a.id().slot()), int(a.bank(db).id().slot())]);
    let sql = "SELECT from_slot, to_slot FROM Account_bank";
    assert_eq!(asked(&client, sql), sorted(of.collect()));
}

/// An endless sequence of steps with each kind of fact.
fn step(store: &mut Store<Model>, i: u64) {
    let bank = store.find::<Bank>("b").expect("the row exists");
    let account = store.find::<Account>(&(i % 5)).expect("the row exists");
    let why = format!("doubt \"{i}\"");
    match i % 7 {
        0 if account.is::<Open>(store) => drop(store.try_step(Froze { account, why })),
        0 | 1 if account.is::<Frozen>(store) => drop(store.try_step(Thawed { account })),
        2 => {
            store.step(Closed { account });
            let (number, balance) = (i % 5, 100);
            store.step(Opened {
                bank,
                number,
                balance,
            });
        }
        3 | 4 => {
            let (person, limit) = (format!("p{}", i % 3).into(), i as u32);
            drop(store.try_step(Empowered {
                account,
                person,
                limit,
            }));
        }
        5 => {
            let first = account.signers(store).next();
            if let Some(person) = first {
                store.step(Disempowered { account, person });
            }
        }
        _ => drop(store.try_step(transfer(store, i % 5, (i + 1) % 5, 1))),
    }
}

#[test]
fn tables_equal_the_graph_after_every_transaction() {
    let dir = temp_dir();
    let path = dir.path().join("bank.sqlite");
    let mut store = Store::<Model>::memory();
    open(&mut store, 5);
    let mut tables = store
        .project_into_sqlite(&path)
        .expect("the store or the database opens");
    for i in 0..400 {
        step(&mut store, i);
        if i % 40 == 0 {
            tables.catch_up().expect("the tables catch up");
            assert_eq!(tables.lag(), 0);
            same(&path, &store);
        }
    }
    // While another program writes, it waits for its next turn.
    let busy = Connection::open(&path).expect("the store or the database opens");
    busy.execute_batch("BEGIN IMMEDIATE").expect("it locks");
    let lag = tables.lag();
    assert!(lag > 10 && tables.catch_up().is_err());
    assert_eq!(tables.lag(), lag);
    (400..600).for_each(|i| step(&mut store, i));
    drop(busy);
    tables.catch_up().expect("the tables catch up");
    same(&path, &store);

    // On another thread, until the store is dropped.
    let following = thread::spawn(move || {
        tables.follow().expect("it follows");
    });
    (600..700).for_each(|i| step(&mut store, i));
    let end = store.snapshot();
    drop(store);
    following.join().expect("the thread does not panic");
    same(&path, &end);
}

#[test]
fn tables_of_another_shape_are_rebuilt_in_one_transaction() {
    let dir = temp_dir();
    let path = dir.path().join("bank.sqlite");
    let mut store = Store::<Model>::memory();
    open(&mut store, 5);
    let project = |store: &Store<Model>| {
        store
            .project_into_sqlite(&path)
            .expect("the store or the database opens")
    };
    project(&store).catch_up().expect("the tables catch up");
    // As an earlier version might have left them.
    let client = Connection::open(&path).expect("the store or the database opens");
    let earlier = "UPDATE ironweave SET shape = 'earlier'; ALTER TABLE Bank ADD COLUMN gone; DELETE FROM Account; \
                   UPDATE ironweave_objects SET sql = (SELECT sql FROM sqlite_schema WHERE name = 'Bank') WHERE name = 'Bank'";
    client
        .execute_batch(earlier)
        .expect("the statement is valid SQL");
    (0..50).for_each(|i| step(&mut store, i));
    let mut tables = project(&store);
    let count = || asked(&client, "SELECT count(*) FROM Account");
    assert_eq!(
        count(),
        [[int(0)]],
        "nothing has changed before it is whole"
    );
    tables.catch_up().expect("the tables catch up");
    same(&path, &store);
    // By a projection that does not know the old ones.
    let client = Connection::open(&path).expect("the store or the database opens");
    assert!(client.prepare("SELECT gone FROM Bank").is_err());
    // Tables of the same shape are not rebuilt.
    drop(tables);
    assert_eq!(
        project(&store)
            .catch_up()
            .expect("the database can be read"),
        0
    );
}

const CHILD: &str = "IRONWEAVE_SQL_CHILD";

/// The child that the test below starts and kills: it projects into tables until then.
#[test]
fn child_projects_until_killed() {
    let Ok(dir) = std::env::var(CHILD) else {
        return;
    };
    let dir = Path::new(&dir);
    let mut store =
        Store::<Model>::open_read_only(dir.join("store")).expect("the store or the database opens");
    let mut tables: SqliteProjection<Model> = store
        .project_into_sqlite(dir.join("bank.sqlite"))
        .expect("the store or the database opens");
    loop {
        tables.catch_up().expect("the tables catch up");
        store.refresh().expect("the database can be read");
    }
}

/// The sequence that the tables are at, or `None` without tables.
fn position(path: &Path) -> Option<u64> {
    let client = Connection::open(path).ok()?;
    let sql = "SELECT position FROM ironweave";
    let position: i64 = client.query_row(sql, [], |row| row.get(0)).ok()?;
    u64::try_from(position).ok()
}

#[test]
fn tables_of_a_killed_process_are_a_past_state_and_catch_up() {
    let dir = temp_dir();
    let options = Store::<Model>::options().durability(Durability::Os);
    let mut store = options
        .open(dir.path().join("store"))
        .expect("the store or the database opens");
    open(&mut store, 5);
    let path = dir.path().join("bank.sqlite");
    let mut steps = 0..;
    for round in 0..16u64 {
        let rebuilds = round % 2 == 1;
        if rebuilds {
            let client = Connection::open(&path).expect("the store or the database opens");
            let earlier = "UPDATE ironweave SET shape = 'earlier'";
            client
                .execute_batch(earlier)
                .expect("the statement is valid SQL");
        }
        let variables = [(CHILD, dir.path())];
        let child = child::start(module_path!(), "child_projects_until_killed", &variables);
        // It is killed while it projects: some steps after it has projected the first one or, where it has to rebuild the tables,
        // some steps after it was started.
        let before = position(&path);
        let all = 20 + round * 37 % 100;
        let mut more = all;
        while more > 0 {
            step(&mut store, steps.next().expect("there is no end"));
            thread::sleep(Duration::from_micros(100));
            if more < all || rebuilds || position(&path) > before {
                more -= 1;
            }
        }
        child.kill();
        // The tables are an earlier state of the store.
        let seq = position(&path).expect("it has begun");
        same(&path, &store.as_of(seq).expect("the database can be read"));
    }
    let mut tables = store
        .project_into_sqlite(&path)
        .expect("the store or the database opens");
    tables.catch_up().expect("the tables catch up");
    same(&path, &store);
}

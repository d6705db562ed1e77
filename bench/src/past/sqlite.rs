//! SQLite in memory, tuned as [`crate::yard::sqlite`], with a history table beside the live one: task, column, value, from
//! when to when. Its primary key is what it is asked by, and the rows lie in its order, so that a value of then is one
//! descent of one tree, and all that became of a task is one stretch of it.

use rusqlite::{Connection, params};

use super::{Past, Version};
use crate::work::{Op, Picture, first_worker, workers};
use crate::yard::sqlite::{in_memory, on_disk};

/// The database, and how many events it has seen.
pub struct Sqlite {
    db: Connection,
    tasks: usize,
    done: usize,
}

/// Until further notice.
const OPEN: i64 = i64::MAX;
const VALUE: i64 = 0;
const RUNNING: i64 = 1;
const WORKER: i64 = 2;

const SCHEMA: &str = "
    CREATE TABLE task (
        id INTEGER PRIMARY KEY, value INTEGER NOT NULL, running INTEGER NOT NULL, worker INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE history (
        task INTEGER NOT NULL, col INTEGER NOT NULL, from_seq INTEGER NOT NULL, to_seq INTEGER NOT NULL,
        value INTEGER NOT NULL, PRIMARY KEY (task, col, from_seq)
    ) STRICT, WITHOUT ROWID;
";
const INDEXES: &str = "CREATE INDEX task_by_worker ON task (worker, value);";

const CLOSE: &str = "UPDATE history SET to_seq = ?3 WHERE task = ?1 AND col = ?2
    AND from_seq = (SELECT max(from_seq) FROM history WHERE task = ?1 AND col = ?2)";
const BEGIN: &str = "INSERT INTO history VALUES (?1, ?2, ?3, ?4, ?5)";
const THEN: &str = "SELECT value FROM history WHERE task = ?1 AND col = ?2 AND from_seq <= ?3
    ORDER BY from_seq DESC LIMIT 1";

impl Sqlite {
    /// Tasks to whom nothing has happened.
    pub fn filled(tasks: usize) -> Self {
        Self::filled_in(in_memory(), tasks)
    }

    /// A file in a directory, with a write-ahead log, to which events have happened.
    pub fn on_disk(dir: &std::path::Path, tasks: usize, past: &[Op]) -> Self {
        let mut sqlite = Self::filled_in(on_disk(dir), tasks);
        sqlite.go_on(past);
        let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
        let copied = sqlite.db.query_row(checkpoint, [], |_| Ok(()));
        copied.expect("there is no other connection");
        sqlite
    }

    fn filled_in(mut db: Connection, tasks: usize) -> Self {
        db.execute_batch(SCHEMA).expect("tables");
        let t = db.transaction().expect("the only one");
        let fill = || -> rusqlite::Result<()> {
            let mut task = t.prepare("INSERT INTO task VALUES (?1, 0, 0, ?2)")?;
            let mut history = t.prepare(BEGIN)?;
            for id in 0..tasks {
                let worker = i64::from(first_worker(tasks, id));
                let id = id as i64;
                task.execute([id, worker])?;
                for (col, value) in [(VALUE, 0), (RUNNING, 0), (WORKER, worker)] {
                    history.execute([id, col, 0, OPEN, value])?;
                }
            }
            Ok(())
        };
        fill().expect("it fits");
        t.commit().expect("it fits");
        db.execute_batch(INDEXES).expect("indexes");
        Self { db, tasks, done: 0 }
    }

    fn execute(&self, sql: &str, params: impl rusqlite::Params) {
        let mut statement = self.db.prepare_cached(sql).expect("it is SQL");
        statement.execute(params).expect("it can happen");
    }

    /// Does an event, and notes what was until then. It is a transaction, if none is open.
    pub fn step(&mut self, op: Op) {
        self.done += 1;
        let alone = self.db.is_autocommit();
        if alone {
            self.execute("BEGIN", []);
        }
        let sql = "UPDATE task SET value = ?2, running = ?3, worker = ?4 WHERE id = ?1";
        let (task, value, done) = (i64::from(op.task), op.value as i64, self.done as i64);
        let (running, worker) = (i64::from(op.start), i64::from(op.worker));
        self.execute(sql, [task, value, running, worker]);
        for (col, value) in [(VALUE, value), (RUNNING, running), (WORKER, worker)] {
            self.execute(CLOSE, [task, col, done]);
            self.execute(BEGIN, [task, col, done, OPEN, value]);
        }
        if alone {
            self.execute("COMMIT", []);
        }
    }

    /// A task's value, whether it runs, and how many tasks its worker has.
    pub fn read(&self, task: u32) -> (u64, bool, usize) {
        let sql = "SELECT value, running, (SELECT count(*) FROM task t WHERE t.worker = s.worker)
            FROM task s WHERE id = ?1";
        let mut statement = self.db.prepare_cached(sql).expect("it is SQL");
        let row = statement.query_row([task], |row| {
            Ok((
                row.get::<_, i64>(0)? as u64,
                row.get(1)?,
                row.get::<_, i64>(2)? as usize,
            ))
        });
        row.expect("a row")
    }

    /// The sum of the values of all tasks that a task's worker has.
    pub fn walk(&self, task: u32) -> u64 {
        let sql =
            "SELECT sum(t.value) FROM task s JOIN task t ON t.worker = s.worker WHERE s.id = ?1";
        let mut statement = self.db.prepare_cached(sql).expect("it is SQL");
        let sum = statement.query_row([task], |row| row.get::<_, i64>(0));
        sum.expect("a row") as u64
    }
}

impl Past for Sqlite {
    const NAME: &'static str = "sqlite";

    fn new(tasks: usize, past: &[Op], _: &[Op]) -> Self {
        let mut sqlite = Self::filled(tasks);
        sqlite.go_on(past);
        sqlite
    }

    fn go_on(&mut self, ops: &[Op]) {
        self.execute("BEGIN", []);
        ops.iter().for_each(|op| self.step(*op));
        self.execute("COMMIT", []);
    }

    fn as_of(&mut self, done: usize, task: u32) -> u64 {
        let mut statement = self.db.prepare_cached(THEN).expect("it is SQL");
        let then = params![task, VALUE, done as i64];
        let value = statement.query_row(then, |row| row.get::<_, i64>(0));
        value.expect("a row") as u64
    }

    fn then(&mut self, done: usize) -> Picture {
        let mut picture = Picture {
            tasks: vec![(false, 0, 0); self.tasks],
            workers: vec![Vec::new(); workers(self.tasks)],
            running: Vec::new(),
        };
        let sql = "SELECT task, col, value FROM history WHERE from_seq <= ?1 AND to_seq > ?1";
        let mut statement = self.db.prepare_cached(sql).expect("it is SQL");
        let mut rows = statement.query([done as i64]).expect("rows");
        while let Some(row) = rows.next().expect("a row") {
            let get = |i| row.get::<_, i64>(i).expect("a number");
            let (task, value) = (get(0), get(2));
            match get(1) {
                VALUE => picture.tasks[task as usize].1 = value as u64,
                RUNNING => picture.tasks[task as usize].0 = value == 1,
                _ => picture.tasks[task as usize].2 = value as u32,
            }
        }
        for (task, (running, _, worker)) in picture.tasks.iter().enumerate() {
            picture.workers[*worker as usize].push(task as u32);
            if *running {
                picture.running.push(task as u32);
            }
        }
        picture
    }

    fn versions(&mut self, task: u32) -> Vec<Version> {
        let sql = "SELECT col, from_seq, value FROM history WHERE task = ?1 ORDER BY col, from_seq";
        let mut statement = self.db.prepare_cached(sql).expect("it is SQL");
        let mut rows = statement.query([task]).expect("rows");
        let mut versions: Vec<Version> = Vec::new();
        // By column, and by time within one, which is the order of the primary key; an event sets all three.
        let mut of_column = 0;
        while let Some(row) = rows.next().expect("a row") {
            let get = |i| row.get::<_, i64>(i).expect("a number");
            let (col, done, value) = (get(0), get(1) as usize, get(2));
            if done == 0 {
                of_column = 0;
            }
            if col == VALUE {
                versions.push(Version {
                    done,
                    value: value as u64,
                    running: false,
                    worker: 0,
                });
                continue;
            }
            let version = &mut versions[of_column];
            assert_eq!(version.done, done, "an event sets all three");
            if col == RUNNING {
                version.running = value == 1;
            } else {
                version.worker = value as u32;
            }
            of_column += 1;
        }
        versions
    }
}

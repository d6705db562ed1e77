//! SQLite in a file with a write-ahead log and no fsync, so that one connection can read while another one writes.

use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::{Connection, params};

use super::{READS, Read, Reader, Writer};
use crate::rows::Scratch;
use crate::work::{Op, first_worker};
use crate::yard::sqlite::keep_plans;

/// The writer's connection.
pub struct Sqlite {
    db: Connection,
    dir: Arc<Scratch>,
}

/// The reader's, and what keeps its file there.
pub struct SqliteReader(Connection, Arc<Scratch>);

const TUNED: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = OFF;
    PRAGMA temp_store = MEMORY;
    PRAGMA cache_size = -1048576;
    PRAGMA mmap_size = 17179869184;
";

fn open(file: &PathBuf) -> Connection {
    let db = Connection::open(file).expect("there is room");
    keep_plans(&db);
    db.execute_batch(TUNED).expect("it is tuned");
    db
}

impl Writer for Sqlite {
    const NAME: &'static str = "sqlite";
    const ALONE: &'static str = "sqlite_alone";
    const BATCH: usize = 10_000;
    type Event = Op;
    type Reader = SqliteReader;

    fn new(tasks: usize) -> Self {
        static NEXT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let n = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let dir = Scratch::new(&format!("writer-{n}")).expect("a directory");
        let mut db = open(&dir.0.join("db"));
        let tables = "CREATE TABLE task (
            id INTEGER PRIMARY KEY, value INTEGER NOT NULL, running INTEGER NOT NULL, worker INTEGER NOT NULL
        ) STRICT";
        db.execute_batch(tables).expect("a table");
        let t = db.transaction().expect("the only one");
        let mut insert = t
            .prepare("INSERT INTO task VALUES (?1, 0, 0, ?2)")
            .expect("SQL");
        for task in 0..tasks {
            let row = params![task as i64, first_worker(tasks, task)];
            insert.execute(row).expect("there is room");
        }
        drop(insert);
        t.commit().expect("there is room");
        db.execute_batch("CREATE INDEX task_by_worker ON task (worker)")
            .expect("an index");
        Self {
            db,
            dir: Arc::new(dir),
        }
    }

    fn reader(&mut self) -> SqliteReader {
        SqliteReader(open(&self.dir.0.join("db")), Arc::clone(&self.dir))
    }

    fn event(&self, op: Op) -> Op {
        op
    }

    fn step(&mut self, op: Op) {
        let sql = "UPDATE task SET running = ?2, value = ?3, worker = ?4 WHERE id = ?1";
        let mut statement = self.db.prepare_cached(sql).expect("it is SQL");
        let row = params![op.task, op.start, op.value as i64, op.worker];
        statement.execute(row).expect("there is room");
    }
}

impl SqliteReader {
    fn run(&self, sql: &str) {
        let mut statement = self.0.prepare_cached(sql).expect("it is SQL");
        statement.execute([]).expect("it can happen");
    }
}

impl Reader for SqliteReader {
    fn look(&mut self, tasks: &[u32]) -> [Read; READS] {
        self.run("BEGIN");
        let sql = "SELECT value, running, (SELECT count(*) FROM task t WHERE t.worker = s.worker)
            FROM task s WHERE id = ?1";
        let mut statement = self.0.prepare_cached(sql).expect("it is SQL");
        let seen = std::array::from_fn(|i| {
            let row = statement.query_row([tasks[i]], |row| {
                Ok((
                    row.get::<_, i64>(0)? as u64,
                    row.get(1)?,
                    row.get::<_, i64>(2)? as usize,
                ))
            });
            row.expect("a row")
        });
        self.run("COMMIT");
        let _ = &self.1;
        seen
    }
}

//! SQLite in memory, as its manuals say to tune it: prepared statements, no fsync, the rollback journal in memory, an
//! index for each question, one transaction for a whole batch.

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::{Picture, Watched, WatchedPicture, Yard, first_worker, name, value, workers};

/// The state.
pub struct Sqlite {
    db: Connection,
    workers: usize,
}

const TUNED: &str = "
    PRAGMA journal_mode = MEMORY;
    PRAGMA synchronous = OFF;
    PRAGMA locking_mode = EXCLUSIVE;
    PRAGMA temp_store = MEMORY;
    PRAGMA cache_size = -1048576;
";

/// Prepared statements are kept, and stay as they were prepared: otherwise this build of SQLite would plan a query again for each
/// value that is bound in a range, which takes five times as long as the query.
pub fn keep_plans(db: &Connection) {
    db.set_prepared_statement_cache_capacity(64);
    let stable = DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG;
    db.set_db_config(stable, true).expect("it knows how");
}

/// An empty database in memory, as fast as it can be where nothing need survive.
pub fn in_memory() -> Connection {
    let db = Connection::open_in_memory().expect("memory");
    keep_plans(&db);
    db.execute_batch(TUNED).expect("it is tuned");
    db
}

/// An empty database in a file, of which each transaction survives a power failure. It has one connection, so that it needs no
/// shared memory.
#[allow(dead_code)] // not in each binary that includes this file
pub fn on_disk(dir: &std::path::Path) -> Connection {
    let db = Connection::open(dir.join("database.sqlite")).expect("a file");
    keep_plans(&db);
    db.execute_batch(
        "PRAGMA locking_mode = EXCLUSIVE;
        PRAGMA journal_mode = WAL;
        PRAGMA synchronous = FULL;
        PRAGMA temp_store = MEMORY;",
    )
    .expect("it is tuned");
    db
}

const SCHEMA: &str = "
    CREATE TABLE task (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        value INTEGER NOT NULL,
        running INTEGER NOT NULL,
        worker INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE worker (id INTEGER PRIMARY KEY, full INTEGER NOT NULL) STRICT;
";

const INDEXES: &str = "
    CREATE UNIQUE INDEX task_by_name ON task (name, value);
    CREATE INDEX task_by_worker ON task (worker, running);
    CREATE INDEX task_running ON task (id, value) WHERE running = 1;
";

impl Sqlite {
    /// Runs a statement that was prepared before.
    pub fn execute(&self, sql: &str, params: impl rusqlite::Params) -> usize {
        let mut statement = self.db.prepare_cached(sql).expect("it is SQL");
        statement.execute(params).expect("it can happen")
    }

    fn begin(&self) {
        if self.db.is_autocommit() {
            self.execute("BEGIN", []);
        }
    }

    fn list(&self, sql: &str) -> Vec<u32> {
        let mut statement = self.db.prepare_cached(sql).expect("it is SQL");
        let rows = statement.query_map([], |row| row.get(0)).expect("rows");
        rows.map(|row| row.expect("a row")).collect()
    }

    /// Who has a task.
    pub fn worker(&self, task: u32) -> u32 {
        let mut statement = self
            .db
            .prepare_cached("SELECT worker FROM task WHERE id = ?1")
            .expect("it is SQL");
        statement
            .query_row([task], |row| row.get(0))
            .expect("a row")
    }
}

fn fill(t: &Transaction<'_>, tasks: usize, fan_in: usize) -> rusqlite::Result<()> {
    let mut worker = t.prepare("INSERT INTO worker VALUES (?1, 0)")?;
    for w in 0..workers(tasks, fan_in) as u32 {
        worker.execute([w])?;
    }
    let mut task = t.prepare("INSERT INTO task VALUES (?1, ?2, ?3, 0, ?4)")?;
    for i in 0..tasks as u32 {
        let with = first_worker(tasks, fan_in, i as usize);
        task.execute(params![i, name(i), value(i) as i64, with])?;
    }
    Ok(())
}

impl Yard for Sqlite {
    const NAME: &'static str = "sqlite";
    const BATCH: usize = 20_000;

    fn new(tasks: usize, fan_in: usize) -> Self {
        let mut db = in_memory();
        db.execute_batch(SCHEMA).expect("tables");
        let t = db.transaction().expect("the only one");
        fill(&t, tasks, fan_in).expect("it fits");
        t.commit().expect("it fits");
        db.execute_batch(INDEXES).expect("indexes");
        Self {
            db,
            workers: workers(tasks, fan_in),
        }
    }

    fn relink(&mut self, task: u32, worker: u32) {
        self.begin();
        self.execute("UPDATE task SET worker = ?2 WHERE id = ?1", [task, worker]);
    }

    fn run(&mut self, task: u32, running: bool) {
        self.begin();
        let sql = "UPDATE task SET running = ?2 WHERE id = ?1";
        self.execute(sql, [task, u32::from(running)]);
    }

    fn commit(&mut self) {
        if !self.db.is_autocommit() {
            self.execute("COMMIT", []);
        }
    }

    fn running(&mut self) -> (usize, u64) {
        let sql = "SELECT value FROM task WHERE running = 1";
        let mut statement = self.db.prepare_cached(sql).expect("it is SQL");
        let (mut count, mut sum) = (0, 0);
        let mut rows = statement.query([]).expect("rows");
        while let Some(row) = rows.next().expect("a row") {
            count += 1;
            sum += row.get::<_, i64>(0).expect("a value") as u64;
        }
        (count, sum)
    }

    fn find(&mut self, name: &str) -> Option<u64> {
        let sql = "SELECT value FROM task WHERE name = ?1";
        let mut statement = self.db.prepare_cached(sql).expect("it is SQL");
        let found = statement.query_row([name], |row| row.get::<_, i64>(0));
        found.optional().expect("a row").map(|value| value as u64)
    }

    fn picture(&self) -> Picture {
        let sql = "SELECT running, value, worker FROM task ORDER BY id";
        let mut statement = self.db.prepare(sql).expect("it is SQL");
        let row = |row: &rusqlite::Row<'_>| {
            let value: i64 = row.get(1)?;
            Ok((row.get(0)?, value as u64, row.get(2)?))
        };
        let rows = statement.query_map([], row).expect("rows");
        let tasks: Vec<(bool, u64, u32)> = rows.map(|row| row.expect("a row")).collect();
        let of = |w: usize| format!("SELECT id FROM task WHERE worker = {w} ORDER BY id");
        Picture {
            tasks,
            workers: (0..self.workers).map(|w| self.list(&of(w))).collect(),
            running: self.list("SELECT id FROM task WHERE running = 1 ORDER BY id"),
        }
    }
}

/// One that notices: by the index of workers and what runs, which knows it in O(log n) at any fan-in.
pub struct Watching(Sqlite);

impl Watched for Watching {
    const NAME: &'static str = "sqlite";
    const BATCH: usize = 20_000;

    fn new(tasks: usize, fan_in: usize) -> Self {
        Self(Sqlite::new(tasks, fan_in))
    }

    fn run(&mut self, task: u32, running: bool) {
        self.0.run(task, running);
        let worker = self.0.worker(task);
        if running {
            let sql = "UPDATE worker SET full = 1 WHERE id = ?1
                 AND NOT EXISTS (SELECT 1 FROM task WHERE worker = ?1 AND running = 0)";
            self.0.execute(sql, [worker]);
        } else {
            let sql = "UPDATE worker SET full = 0 WHERE id = ?1 AND full = 1";
            self.0.execute(sql, [worker]);
        }
    }

    fn commit(&mut self) {
        self.0.commit();
    }

    fn picture(&mut self) -> WatchedPicture {
        WatchedPicture {
            running: self.0.picture().running,
            full: self
                .0
                .list("SELECT id FROM worker WHERE full = 1 ORDER BY id"),
        }
    }
}

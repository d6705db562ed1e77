//! redb and fjall as keepers of the records of `fxhash_logged`: hash maps by hand, and one write of the record for each event.
//!
//! SQLite keeps records in `log_append` only, and all three append many together there, as [`Batches`].
//!
//! | | in `step_logged` | in `shared_1` and `log_append` |
//! |---|---|---|
//! | redb | a database in memory, and commits without durability | a file, and a sync before each commit returns |
//! | fjall | a journal that is buffered in the process | a journal, and a sync before each step returns |
//! | SQLite | | a file with a write-ahead log and `synchronous = FULL`, prepared statements, and no shared memory |

use fjall::{KeyspaceCreateOptions, PersistMode};
use redb::{Durability, TableDefinition, backends::InMemoryBackend};

use rusqlite::{Connection, params};

use crate::contenders::logged::Keeper;
use crate::log::callers::Batches;
use crate::rows::Scratch;
use crate::yard::sqlite::on_disk;

const RECORDS: TableDefinition<u64, &[u8]> = TableDefinition::new("records");

/// Returns a new directory.
fn scratch(name: &str) -> Scratch {
    Scratch::new(name).expect("a directory")
}

/// Records in a table of redb, by sequence number.
pub struct Redb {
    database: redb::Database,
    durability: Durability,
    record: Vec<u8>,
    /// The number of records that were appended together with others.
    appended: u64,
    /// The directory of the file. After the database, so that it is removed when that is closed.
    _dir: Option<Scratch>,
}

impl Redb {
    fn insert(&self, seq: u64) -> Result<(), redb::Error> {
        let mut t = self.database.begin_write()?;
        t.set_durability(self.durability)?;
        t.open_table(RECORDS)?.insert(seq, self.record.as_slice())?;
        t.commit()?;
        Ok(())
    }
}

impl Keeper for Redb {
    const NAME: &'static str = "redb";

    fn new(durable: bool) -> Self {
        let dir = durable.then(|| scratch("redb"));
        let database = match &dir {
            Some(dir) => redb::Database::create(dir.0.join("records.redb")),
            None => redb::Builder::new().create_with_backend(InMemoryBackend::new()),
        };
        Self {
            database: database.expect("a database"),
            durability: if durable {
                Durability::Immediate
            } else {
                Durability::None
            },
            record: Vec::new(),
            appended: 0,
            _dir: dir,
        }
    }

    fn keep(&mut self, seq: u64, encode: impl FnOnce(&mut Vec<u8>)) {
        self.record.clear();
        encode(&mut self.record);
        self.insert(seq).expect("redb keeps it");
    }
}

impl Redb {
    /// Creates one whose records survive a power failure.
    pub fn durable() -> Self {
        Self::new(true)
    }

    fn insert_all(&mut self, records: &[Vec<u8>]) -> Result<(), redb::Error> {
        let mut t = self.database.begin_write()?;
        t.set_durability(self.durability)?;
        {
            let mut table = t.open_table(RECORDS)?;
            for record in records {
                table.insert(self.appended, record.as_slice())?;
                self.appended += 1;
            }
        }
        t.commit()?;
        Ok(())
    }
}

impl Batches for Redb {
    fn append_all(&mut self, records: &[Vec<u8>]) {
        self.insert_all(records).expect("redb keeps them");
    }
}

/// Records in a keyspace of fjall, by sequence number.
pub struct Fjall {
    records: fjall::Keyspace,
    database: fjall::Database,
    durable: bool,
    record: Vec<u8>,
    /// As of [`Redb`].
    appended: u64,
    /// As of [`Redb`].
    _dir: Scratch,
}

impl Fjall {
    fn open(durable: bool, dir: Scratch) -> fjall::Result<Self> {
        // The journal is written when its buffer is full, or by `persist`.
        let database = fjall::Database::builder(&dir.0)
            .manual_journal_persist(true)
            .open()?;
        let options = || KeyspaceCreateOptions::default().manual_journal_persist(true);
        Ok(Self {
            records: database.keyspace("records", options)?,
            database,
            durable,
            record: Vec::new(),
            appended: 0,
            _dir: dir,
        })
    }

    fn insert(&self, seq: u64) -> fjall::Result<()> {
        // Keys are in lexicographic order, so that appends are at the end.
        (self.records).insert(seq.to_be_bytes(), self.record.as_slice())?;
        if self.durable {
            self.database.persist(PersistMode::SyncData)?;
        }
        Ok(())
    }
}

impl Keeper for Fjall {
    const NAME: &'static str = "fjall";

    fn new(durable: bool) -> Self {
        Self::open(durable, scratch("fjall")).expect("a database")
    }

    fn keep(&mut self, seq: u64, encode: impl FnOnce(&mut Vec<u8>)) {
        self.record.clear();
        encode(&mut self.record);
        self.insert(seq).expect("fjall keeps it");
    }
}

impl Fjall {
    /// Creates one whose records survive a power failure.
    pub fn durable() -> Self {
        Self::new(true)
    }

    /// Inserts records into the journal, and syncs it once. The records need not be atomic together.
    fn insert_all(&mut self, records: &[Vec<u8>]) -> fjall::Result<()> {
        for record in records {
            (self.records).insert(self.appended.to_be_bytes(), record.as_slice())?;
            self.appended += 1;
        }
        self.database.persist(PersistMode::SyncData)
    }
}

impl Batches for Fjall {
    fn append_all(&mut self, records: &[Vec<u8>]) {
        self.insert_all(records).expect("fjall keeps them");
    }
}

/// Records in a table of SQLite, by sequence number.
pub struct Sqlite {
    db: Connection,
    appended: i64,
    /// As of [`Redb`].
    _dir: Scratch,
}

impl Sqlite {
    /// Creates one whose records survive a power failure.
    pub fn durable() -> Self {
        let dir = scratch("sqlite");
        let db = on_disk(&dir.0);
        db.execute_batch(
            "CREATE TABLE log (seq INTEGER PRIMARY KEY, record BLOB NOT NULL) STRICT;",
        )
        .expect("a table");
        Self {
            db,
            appended: 0,
            _dir: dir,
        }
    }

    fn insert_all(&mut self, records: &[Vec<u8>]) -> rusqlite::Result<()> {
        let execute = |sql| self.db.prepare_cached(sql)?.execute([]);
        // A statement alone is a transaction.
        let together = records.len() > 1;
        if together {
            execute("BEGIN IMMEDIATE")?;
        }
        {
            let mut insert = (self.db).prepare_cached("INSERT INTO log VALUES (?1, ?2)")?;
            for record in records {
                insert.execute(params![self.appended, record.as_slice()])?;
                self.appended += 1;
            }
        }
        if together {
            execute("COMMIT")?;
        }
        Ok(())
    }
}

impl Batches for Sqlite {
    fn append_all(&mut self, records: &[Vec<u8>]) {
        self.insert_all(records).expect("SQLite keeps them");
    }
}

#[cfg(test)]
mod tests {
    use redb::{ReadableDatabase, ReadableTableMetadata};

    use super::*;

    #[test]
    fn both_keep_each_record_under_its_number() {
        for durable in [false, true] {
            let (mut redb, mut fjall) = (Redb::new(durable), Fjall::new(durable));
            for seq in 0..300 {
                let bytes = [seq as u8; 40];
                redb.keep(seq, |out| out.extend_from_slice(&bytes));
                fjall.keep(seq, |out| out.extend_from_slice(&bytes));
            }
            let read = redb.database.begin_read().expect("a transaction");
            let table = read.open_table(RECORDS).expect("the table");
            assert_eq!(table.len().expect("a length"), 300);
            assert_eq!(fjall.records.len().expect("a length"), 300);
            for seq in [0_u64, 1, 299] {
                let record = table.get(seq).expect("it reads").expect("it was kept");
                assert_eq!(record.value(), [seq as u8; 40]);
                let record = fjall.records.get(seq.to_be_bytes()).expect("it reads");
                assert_eq!(record.as_deref(), Some(&[seq as u8; 40][..]));
            }
        }
    }

    #[test]
    fn all_keep_each_record_that_was_appended_with_others() {
        let records: Vec<Vec<u8>> = (0..300).map(|n| vec![n as u8; 40]).collect();
        let (mut redb, mut fjall) = (Redb::durable(), Fjall::durable());
        let mut sqlite = Sqlite::durable();
        for some in records.chunks(7) {
            redb.append_all(some);
            fjall.append_all(some);
            sqlite.append_all(some);
        }
        let read = redb.database.begin_read().expect("a transaction");
        let table = read.open_table(RECORDS).expect("the table");
        assert_eq!(table.len().expect("a length"), 300);
        assert_eq!(fjall.records.len().expect("a length"), 300);
        let last = table.get(299).expect("it reads").expect("it was kept");
        assert_eq!(last.value(), records[299]);
        let last = fjall.records.get(299_u64.to_be_bytes()).expect("it reads");
        assert_eq!(last.as_deref(), Some(records[299].as_slice()));
        let kept = "SELECT count(*), max(record) FROM log WHERE seq BETWEEN 0 AND 299 AND length(record) = 40";
        let kept = sqlite.db.query_row(kept, [], |row| row.get(0));
        assert_eq!(kept, Ok(300));
    }
}

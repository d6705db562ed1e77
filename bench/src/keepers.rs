//! redb and fjall as keepers of the records of `fxhash_logged`: hash maps by hand, and one write of the record for each event.
//!
//! | | in `step_logged` | in `shared_1` |
//! |---|---|---|
//! | redb | a database in memory, and commits without durability | a file, and a sync before each commit returns |
//! | fjall | a journal that is buffered in the process | a journal, and a sync before each step returns |

use std::sync::atomic::{AtomicUsize, Ordering};

use fjall::{KeyspaceCreateOptions, PersistMode};
use redb::{Durability, TableDefinition, backends::InMemoryBackend};

use crate::contenders::logged::Keeper;
use crate::rows::Scratch;

const RECORDS: TableDefinition<u64, &[u8]> = TableDefinition::new("records");

/// Returns a new directory.
fn scratch(name: &str) -> Scratch {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    Scratch::new(&format!("{name}-{number}")).expect("a directory")
}

/// Records in a table of redb, by sequence number.
pub struct Redb {
    database: redb::Database,
    durability: Durability,
    record: Vec<u8>,
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
            _dir: dir,
        }
    }

    fn keep(&mut self, seq: u64, encode: impl FnOnce(&mut Vec<u8>)) {
        self.record.clear();
        encode(&mut self.record);
        self.insert(seq).expect("redb keeps it");
    }
}

/// Records in a keyspace of fjall, by sequence number.
pub struct Fjall {
    records: fjall::Keyspace,
    database: fjall::Database,
    durable: bool,
    record: Vec<u8>,
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
}

//! A table that a program folds from the transactions equals the graph, continues where it was saved, and is rebuilt for new
//! code.

use std::collections::BTreeMap;
use std::fs;

use ironweave::prelude::*;
use ironweave::{ErrorKind, Fold, FoldError, Record, Seq};
use serde::{Deserialize, Serialize};

use crate::bank::{self, Bank, Founded, Opened, Transferred};
use crate::harness::temp_dir;

/// Banks with how many transfers each had, and how many transactions were folded by this process.
#[derive(Default, Serialize, Deserialize)]
struct Transfers {
    by_bank: BTreeMap<String, u64>,
    #[serde(skip)]
    folded: u64,
}

/// The same code, of another version.
#[derive(Default, Serialize, Deserialize)]
struct Doubled(u64);

/// One that a transaction can be too much for.
#[derive(Default, Serialize, Deserialize)]
struct Delicate(u64);

impl Fold<bank::Model> for Transfers {
    const VERSION: u32 = 1;
    type Error = StorageError;

    fn fold(&mut self, record: &Record<bank::Model>) -> Result<(), StorageError> {
        self.folded += 1;
        for founded in record.events::<Founded>() {
            self.by_bank.insert(founded?.name, 0);
        }
        // There is one bank.
        for _ in record.events::<Transferred>() {
            *self.by_bank.values_mut().next().expect("a bank") += 1;
        }
        Ok(())
    }
}

impl Fold<bank::Model> for Doubled {
    const VERSION: u32 = 2;
    type Error = StorageError;

    fn fold(&mut self, record: &Record<bank::Model>) -> Result<(), StorageError> {
        self.0 += 2 * record.events::<Transferred>().count() as u64;
        Ok(())
    }
}

/// Why [`Delicate`] refuses a transaction.
#[derive(Debug, PartialEq, Eq)]
struct TooMuch {
    account: u64,
}

impl std::fmt::Display for TooMuch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "account {} is too much", self.account)
    }
}

impl std::error::Error for TooMuch {}

impl Fold<bank::Model> for Delicate {
    const VERSION: u32 = 1;
    type Error = TooMuch;

    fn fold(&mut self, record: &Record<bank::Model>) -> Result<(), TooMuch> {
        self.0 += 1;
        match record.events::<Opened>().flatten().next() {
            Some(opened) => Err(TooMuch {
                account: opened.number,
            }),
            None => Ok(()),
        }
    }
}

fn transfer(store: &mut Store<bank::Model>) {
    let bank = store.find::<Bank>("b").expect("the bank");
    let accounts: Vec<_> = bank.accounts(store).collect();
    let balances = [accounts[0].balance(store), accounts[1].balance(store)];
    store.step(Transferred {
        bank,
        from: accounts[0],
        to: accounts[1],
        from_balance: balances[0] - 1,
        to_balance: balances[1] + 1,
        transfers: bank.transfers(store) + 1,
    });
}

fn opened(dir: &std::path::Path) -> Store<bank::Model> {
    let mut store = Store::open(dir).expect("the store opens");
    if store.find::<Bank>("b").is_none() {
        let bank = store.step(Founded { name: "b".into() }).created.bank;
        for number in 0..2 {
            store.step(Opened {
                bank,
                number,
                balance: 100,
            });
        }
    }
    store
}

#[test]
fn a_table_continues_where_it_was_saved_and_equals_the_graph() {
    let dir = temp_dir();
    let path = dir.path().join("transfers.table");
    let mut store = opened(&dir.path().join("store"));
    (0..5).for_each(|_| transfer(&mut store));
    let mut table = store
        .project_into::<Transfers>(&path)
        .expect("the table is new");
    assert_eq!((table.position(), table.lag()), (None, 9));
    let mut left = vec![];
    assert_eq!(
        table
            .catch_up(|n| left.push(n))
            .expect("the table catches up"),
        8
    );
    assert_eq!(left, [7, 6, 5, 4, 3, 2, 1, 0]);
    table.save().expect("the table is saved");
    // What comes after is lost with this process, and folded again by the next.
    transfer(&mut store);
    assert_eq!(table.catch_up(|_| {}).expect("the table catches up"), 1);
    drop((table, store));

    let mut store = opened(&dir.path().join("store"));
    transfer(&mut store);
    let mut table = store.project_into::<Transfers>(&path).expect("it is read");
    assert_eq!(table.table().by_bank["b"], 5);
    assert_eq!(table.catch_up(|_| {}).expect("the table catches up"), 2);
    assert_eq!(table.table().folded, 2);
    let bank = store.find::<Bank>("b").expect("the bank");
    assert_eq!(table.table().by_bank["b"], bank.transfers(&store));
    assert_eq!(table.position(), store.position());
    // And on, as it comes, until there is no more.
    transfer(&mut store);
    assert!(table.follow().expect("the table catches up"));
    assert_eq!(table.table().by_bank["b"], bank.transfers(&store));
    drop(store);
    assert!(!table.follow().expect("it ends"));
}

#[test]
fn new_code_rebuilds_a_table_and_keeps_the_old_one_until_the_new_one_is_complete() {
    let dir = temp_dir();
    let path = dir.path().join("a.table");
    let mut store = opened(&dir.path().join("store"));
    transfer(&mut store);
    let mut old = store
        .project_into::<Transfers>(&path)
        .expect("the table is new");
    old.catch_up(|_| {}).expect("the table catches up");
    old.save().expect("the table is saved");
    let was = fs::read(&path).expect("the entity or the file exists");

    let mut new = store
        .project_into::<Doubled>(&path)
        .expect("it is of another version");
    let why = new.folded_anew().expect("it is of another version");
    assert!(why.is_version() && !why.is_other_history(), "{why}");
    assert_eq!(why.path(), Some(&*path));
    assert_eq!((new.table().0, new.position()), (0, None));
    new.catch_up(|_| {}).expect("the table catches up");
    assert_eq!(fs::read(&path).expect("the entity or the file exists"), was);
    new.save().expect("the table is saved");
    let again = store.project_into::<Doubled>(&path).expect("it is read");
    assert_eq!((again.table().0, again.lag()), (2, 0));
    // Code that changed without a new version gets an error.
    #[derive(Default, Debug, Serialize, Deserialize)]
    struct Other(String);
    impl Fold<bank::Model> for Other {
        const VERSION: u32 = 2;
        type Error = StorageError;
        fn fold(&mut self, _: &Record<bank::Model>) -> Result<(), StorageError> {
            Ok(())
        }
    }
    let e = store
        .project_into::<Other>(&path)
        .expect_err("it is a number");
    assert!(
        e.is_other_fold()
            && e.kind() == ErrorKind::Internal
            && e.to_string().contains("raise `VERSION`"),
        "{e}"
    );
}

#[test]
fn a_damaged_table_is_refused_and_one_of_another_store_is_rebuilt() {
    let dir = temp_dir();
    let path = dir.path().join("a.table");
    let store = opened(&dir.path().join("store"));
    let mut table = store
        .project_into::<Transfers>(&path)
        .expect("the table is new");
    table.catch_up(|_| {}).expect("the table catches up");
    table.save().expect("the table is saved");

    let mut other = Store::<bank::Model>::open(dir.path().join("other")).expect("the store opens");
    for name in ["x", "y", "z", "u"] {
        other.step(Founded { name: name.into() });
    }
    let mut rebuilt = other.project_into::<Transfers>(&path).expect("it begins");
    let why = rebuilt.folded_anew().expect("it is of another store");
    assert!(why.is_other_history() && !why.is_version(), "{why}");
    assert_eq!(why.kind(), ErrorKind::Conflict);
    assert_eq!(rebuilt.position(), None);
    rebuilt.catch_up(|_| {}).expect("the table catches up");
    let banks: Vec<&String> = rebuilt.table().by_bank.keys().collect();
    assert_eq!(banks, ["u", "x", "y", "z"]);
    assert_eq!(rebuilt.position(), other.position());
    // The file is what it was until the new table is saved.
    let kept = store.project_into::<Transfers>(&path).expect("it is read");
    assert!(kept.folded_anew().is_none() && kept.lag() == 0);

    let whole = fs::read(&path).expect("the entity or the file exists");
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 4;
        fs::write(&path, &bytes).expect("the file can be written");
        let e = store
            .project_into::<Transfers>(&path)
            .expect_err("it is damaged");
        assert!(e.is_removable() && !e.is_damage(), "{e}");
        fs::write(&path, &whole[..at]).expect("the file can be written");
        let e = store
            .project_into::<Transfers>(&path)
            .expect_err("it is cut");
        assert!(e.is_removable() && !e.is_damage(), "{e}");
    }
}

#[test]
fn a_table_with_half_a_transaction_is_neither_saved_nor_continued() {
    let dir = temp_dir();
    let path = dir.path().join("a.table");
    let store = opened(&dir.path().join("store"));
    let mut table = store
        .project_into::<Delicate>(&path)
        .expect("the table is new");
    // The caller gets the error of the fold as it is.
    match table.catch_up(|_| {}) {
        Err(FoldError::Fold { seq, error }) => {
            assert_eq!((seq, error), (Seq::new(2), TooMuch { account: 0 }));
        }
        other => panic!("{other:?}"),
    }
    let e = table.catch_up(|_| {}).expect_err("it is incomplete");
    assert!(matches!(e, FoldError::Incomplete), "{e}");
    assert!(e.is_incomplete() && e.kind() == ErrorKind::Conflict);
    assert!(e.to_string().contains("project it again"), "{e}");
    assert!(table.save().is_err_and(|e| e.is_incomplete()));
    assert!(!path.exists());
}

#[test]
fn a_table_ahead_of_a_reader_is_not_rebuilt() {
    let dir = temp_dir();
    let (path, dir) = (dir.path().join("a.table"), dir.path().join("store"));
    let mut store = opened(&dir);
    let mut beside = Store::<bank::Model>::open_read_only(&dir).expect("the store opens");
    transfer(&mut store);
    let mut table = store
        .project_into::<Transfers>(&path)
        .expect("the table is new");
    table.catch_up(|_| {}).expect("the table catches up");
    table.save().expect("the table is saved");
    // The table is not of another history, so that to save another one in its place would lose it.
    let e = beside.project_into::<Transfers>(&path);
    let e = e.expect_err("it has not read so far");
    assert!(
        e.is_not_refreshed() && e.to_string().contains("`Store::refresh`"),
        "{e}"
    );
    beside.refresh().expect("the log can be read");
    let table = beside.project_into::<Transfers>(&path);
    let table = table.expect("it has read so far");
    assert!(table.folded_anew().is_none());
    assert_eq!(table.position(), store.position());
}

#[test]
fn one_file_may_be_saved_from_several_threads_at_once() {
    let dir = temp_dir();
    let path = dir.path().join("a.table");
    let store = opened(&dir.path().join("store"));
    let tables = [(); 4].map(|()| {
        let mut table = store
            .project_into::<Transfers>(&path)
            .expect("the table is new");
        table.catch_up(|_| {}).expect("the table catches up");
        table
    });
    std::thread::scope(|scope| {
        for table in tables {
            scope.spawn(move || (0..50).for_each(|_| table.save().expect("the table is saved")));
        }
    });
    let kept = store.project_into::<Transfers>(&path).expect("it is whole");
    assert_eq!(kept.position(), store.position());
    let files = fs::read_dir(dir.path())
        .expect("the directory can be listed")
        .count();
    assert_eq!(files, 2, "the table and the store");
}

//! One store in the hands of many threads: each rule a test. What a disk that fails does to it is in the unit tests
//! of the log.
#![allow(missing_docs)]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use bank::*;
use ironweave::prelude::*;
use ironweave::{ErrorKind, Seq};

#[ironweave::model]
pub mod bank {
    use ironweave::prelude::*;

    #[entity]
    pub struct Account {
        #[key]
        pub owner: String,
        #[default(0u64)]
        pub balance: u64,
    }
    #[states(Account)]
    pub enum AccountState {
        #[initial]
        #[to(Closed)]
        Open,
        #[terminal]
        Closed,
    }

    #[event]
    #[create(account: Account { owner })]
    pub struct Opened {
        pub owner: String,
    }

    #[event]
    #[guard(crate::sane)]
    #[set(account.balance = balance)]
    pub struct Set {
        pub account: Account,
        pub balance: u64,
    }

    #[event]
    #[set(account.balance = 7)]
    #[may(Account: Open -> Closed)]
    pub struct Shut {
        pub account: Account,
    }
}

/// A guard that does not survive everything.
fn sane(event: &Set, _: &impl Db) -> Result<(), Reject> {
    assert_ne!(event.balance, 666, "what a balance");
    Ok(())
}

impl Apply for Shut {
    fn apply(&self, bound: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        if let Some(open) = bound.account.in_state::<state::Open>(tx) {
            open.to_closed(tx)?;
        }
        panic!("after the arcs, and a move");
    }
}

fn owner(name: impl ToString) -> Opened {
    Opened {
        owner: name.to_string(),
    }
}

fn paranoid() -> SharedStore<Model> {
    Store::paranoid().share()
}

#[test]
fn a_handle_is_sent_and_cloned_and_shared() {
    fn all<T: Send + Sync + Clone + 'static>() {}
    all::<SharedStore<Model>>();
}

#[test]
fn each_of_many_threads_gets_the_receipts_of_its_own_steps() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::<Model>::open(dir.path()).unwrap().share();
    let seqs: Vec<Seq> = thread::scope(|s| {
        let threads: Vec<_> = (0..8u64)
            .map(|t| {
                let store = store.clone();
                s.spawn(move || {
                    let step = |i: u64| {
                        let receipt = store.step(owner(t * 100 + i));
                        let account = receipt.created.account;
                        let name = store.read(|db| account.owner(db).to_owned()).unwrap();
                        assert_eq!(name, (t * 100 + i).to_string());
                        assert!(store.read(Store::durable).unwrap() >= Some(receipt.seq));
                        receipt.seq
                    };
                    (0..25).map(step).collect::<Vec<_>>()
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|t| t.join().unwrap())
            .collect()
    });
    assert_eq!(seqs.len(), 200);
    assert_eq!(BTreeSet::from_iter(seqs), (1..=200).collect());
    let print = store.read(Store::fingerprint).unwrap();
    drop(store);
    let store = Store::<Model>::options().open_strict(dir.path()).unwrap();
    assert_eq!(store.fingerprint(), print);
    assert_eq!(store.check(), Vec::<String>::new());
    assert_eq!(store.verify().unwrap(), 200);
}

#[test]
fn a_transaction_has_the_store_for_itself() {
    let store = paranoid();
    let account = store.step(owner("Ada")).created.account;
    thread::scope(|s| {
        for _ in 0..4 {
            s.spawn(|| {
                for _ in 0..50 {
                    let more = store.transaction(|t| {
                        let balance = account.balance(t) + 1;
                        t.apply(Set { account, balance })?;
                        Ok(balance)
                    });
                    assert!(more.unwrap() <= 200);
                }
            });
        }
    });
    assert_eq!(store.read(|db| account.balance(db)).unwrap(), 200);
}

#[test]
fn a_caller_that_fails_or_panics_disturbs_nobody() {
    let store = paranoid();
    let account = store.step(owner("Ada")).created.account;
    let print = store.read(Store::fingerprint).unwrap();
    thread::scope(|s| {
        for _ in 0..3 {
            // A handler, a guard, and the closures of the program.
            let shut = s.spawn(|| store.try_step(Shut { account }));
            let set = s.spawn(|| {
                store.try_step(Set {
                    account,
                    balance: 666,
                })
            });
            let read = s.spawn(|| store.read(|_| panic!("while looking")));
            let within = s.spawn(|| {
                store.transaction(|t| -> Result<(), StepError> {
                    t.apply(Set {
                        account,
                        balance: 9,
                    })?;
                    panic!("before the commit")
                })
            });
            let twice = s.spawn(|| store.try_step(owner("Ada")));
            let given_up = s.spawn(|| {
                store.transaction(|t| {
                    t.apply(Set {
                        account,
                        balance: 9,
                    })?;
                    t.apply(owner("Ada")).map(|_| ())
                })
            });
            assert!(shut.join().is_err() && set.join().is_err());
            assert!(read.join().is_err() && within.join().is_err());
            let rejected = [
                twice.join().unwrap().err().unwrap(),
                given_up.join().unwrap().err().unwrap(),
            ];
            assert!(rejected.iter().all(|e| e.kind() == ErrorKind::Rejected));
        }
    });
    assert_eq!(store.read(Store::fingerprint).unwrap(), print);
    store.step(Set {
        account,
        balance: 1,
    });
    assert_eq!(store.read(Store::check).unwrap(), Vec::<String>::new());
}

#[test]
fn a_handle_within_what_it_does_is_told_so_rather_than_to_wait_for_ever() {
    let store = paranoid();
    let other = paranoid();
    let inside = catch_unwind(AssertUnwindSafe(|| {
        store.read(|_| store.step(owner("Ada")))
    }));
    let words = *inside.err().unwrap().downcast::<&str>().unwrap();
    assert!(
        words.contains("inside of what this thread does with it"),
        "{words}"
    );
    // Another store is another matter, and so is the same one afterwards.
    store
        .transaction(|t| {
            other.step(owner("Grace"));
            t.apply(owner("Ada"))
        })
        .unwrap();
    assert_eq!(other.read(|db| db.count::<Account, Any>()).unwrap(), 1);
    assert_eq!(store.read(|db| db.count::<Account, Any>()).unwrap(), 1);
}

#[test]
fn the_same_idempotency_key_from_many_threads_is_one_transaction() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::<Model>::open(dir.path()).unwrap().share();
    let seqs: BTreeSet<Seq> = thread::scope(|s| {
        let ask = || {
            let meta = Meta::default().idempotency_key("k");
            store.try_step_with(meta, owner("Ada")).unwrap().seq
        };
        let threads: Vec<_> = (0..8).map(|_| s.spawn(ask)).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    assert_eq!(seqs.len(), 1);
    assert_eq!(store.read(Store::seq).unwrap(), seqs.first().copied());
}

#[test]
fn the_last_handle_that_is_dropped_closes_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::<Model>::options()
        .durability(Durability::Os)
        .open(dir.path())
        .unwrap()
        .share();
    let other = store.clone();
    store.step(owner("Ada"));
    drop(store);
    let locked = Store::<Model>::open(dir.path()).err().unwrap();
    assert!(locked.is_locked());
    let last = thread::spawn(move || other.step(owner("Grace")).seq);
    let seq = last.join().unwrap();
    let store = Store::<Model>::options().open_strict(dir.path()).unwrap();
    assert_eq!((store.seq(), store.durable()), (Some(seq), Some(seq)));
}

#[test]
fn a_store_that_was_opened_to_be_read_is_shared_and_refreshed() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Store::<Model>::open(dir.path()).unwrap();
    writer.step(owner("Ada"));
    let store = Store::<Model>::open_read_only(dir.path()).unwrap().share();
    assert_eq!(store.read(|db| db.count::<Account, Any>()).unwrap(), 1);
    let refused = store.try_step(owner("Grace")).err().unwrap();
    assert_eq!(refused.kind(), ErrorKind::Refused);
    writer.step(owner("Grace"));
    store.refresh().unwrap();
    assert_eq!(store.read(|db| db.count::<Account, Any>()).unwrap(), 2);
}

#[test]
fn metadata_whims_and_events_from_outside_go_through_a_handle_too() {
    let store = paranoid();
    let text = r#"{"Opened": {"owner": "Ada"}}"#;
    store
        .try_step_any(&serde_json::from_str(text).unwrap())
        .unwrap();
    let account = store.read(|db| db.find::<Account>("Ada")).unwrap().unwrap();
    let seen = store.read(Store::seq).unwrap().unwrap();
    let would = store.what_if(|t| {
        t.apply(Set {
            account,
            balance: 3,
        })?;
        Ok(account.balance(t))
    });
    assert_eq!(would.unwrap(), 3);
    store.step(Set {
        account,
        balance: 4,
    });
    // Somebody was faster than who knows of `seen`; who looks again is not.
    let mut looks = 0;
    let receipt = store.retry(3, |db| {
        looks += 1;
        let knows = if looks == 1 { seen } else { db.seq().unwrap() };
        let balance = account.balance(db) + 1;
        (Meta::default().expect(knows), Set { account, balance })
    });
    receipt.unwrap();
    assert_eq!(looks, 2);
    assert_eq!(store.read(|db| account.balance(db)).unwrap(), 5);
}

/// Not a test by itself: what the next one starts, with a directory in the environment.
#[test]
fn child_steps_in_many_threads_until_it_is_killed() {
    let Some(dir) = std::env::var_os("IRONWEAVE_SHARE_DIR") else {
        return;
    };
    let store = Store::<Model>::options()
        .segment_bytes_max(20_000)
        .open(dir)
        .unwrap()
        .share();
    let next = AtomicU64::new(store.read(Store::seq).unwrap().unwrap() * 1_000);
    thread::scope(|s| {
        for _ in 0..6 {
            s.spawn(|| {
                loop {
                    let name = next.fetch_add(1, Ordering::SeqCst);
                    let receipt = store.step(owner(name));
                    writeln!(std::io::stdout(), "receipt {} {name}.", receipt.seq)
                        .expect("a parent that reads");
                }
            });
        }
    });
}

#[test]
fn whatever_a_killed_process_of_many_threads_had_receipts_for_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let mut receipts: Vec<(Seq, String)> = Vec::new();
    for round in 0..15 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture"])
            .arg("child_steps_in_many_threads_until_it_is_killed")
            .env("IRONWEAVE_SHARE_DIR", dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut said = 0;
        for line in lines.map_while(Result::ok) {
            let Some((_, said_so)) = line.split_once("receipt ") else {
                continue;
            };
            // The last line may be cut off, and was then not said.
            if let Some((seq, name)) = said_so.split_once(' ')
                && let Some(name) = name.strip_suffix('.')
            {
                receipts.push((seq.parse().unwrap(), name.to_owned()));
            }
            said += 1;
            if said == round * 3 + 1 {
                thread::sleep(Duration::from_micros(round as u64 * 97));
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        check(dir.path(), &receipts);
    }
    assert!(receipts.len() > 300, "{} receipts", receipts.len());
}

/// Sees to it that there is a transaction for each receipt, and that all is well.
fn check(dir: &Path, receipts: &[(Seq, String)]) {
    let store = Store::<Model>::open(dir).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(store.check(), Vec::<String>::new());
    for (seq, name) in receipts {
        assert!(*seq <= store.seq().unwrap());
        let there = store.find::<Account>(name.as_str()).is_some();
        assert!(there, "there is a receipt for {name} in {seq}");
    }
}

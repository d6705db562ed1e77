//! Many threads share one store: each has it to itself for one call, and the others notice no failure of that call.
//! What happens when the disk fails is in the unit tests of the log.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use ironweave::prelude::*;
use ironweave::{Record, Records, Seq, StoreReader, Subscription};

use crate::accounts::*;
use crate::harness::{assert_sound, temp_dir, unsynced};

#[test]
fn stores_and_what_reads_them_cross_threads() {
    fn sent<T: Send>() {}
    fn shared<T: Send + Sync + 'static>() {}
    fn handle<T: Send + Sync + Clone + 'static>() {}
    handle::<SharedStore<Model>>();
    handle::<Snapshot<Model>>();
    handle::<StoreReader<Model>>();
    handle::<Record<Model>>();
    shared::<Store<Model>>();
    sent::<Subscription<Model>>();
    sent::<Records<'_, Model>>();
}

#[test]
fn the_error_of_a_closure_is_of_its_own_type() {
    #[derive(Debug, PartialEq)]
    enum Failure {
        Step(String),
        Own,
    }
    impl From<StepError> for Failure {
        fn from(e: StepError) -> Self {
            Self::Step(e.to_string())
        }
    }
    let mut store = Store::<Model>::paranoid();
    let (account, committed) = store
        .transaction(|t| Ok::<_, Failure>(t.apply(owner("Ada"))?.created.account))
        .unwrap();
    assert_eq!(account.owner(&store), "Ada");
    assert_eq!(committed.seq(), store.seq());
    assert_eq!(committed.position(), store.position());
    assert!(!committed.is_repeated());
    let own = store.transaction(|t| -> Result<(), _> {
        t.apply(owner("Grace"))?;
        Err(Failure::Own)
    });
    assert_eq!(own.err(), Some(Failure::Own));
    let twice = store.transaction(|t| {
        t.apply(owner("Grace"))?;
        t.apply(owner("Ada"))?;
        Ok::<_, Failure>(())
    });
    assert!(matches!(twice, Err(Failure::Step(_))));
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        store.transaction(|t| -> Result<(), Failure> {
            t.apply(owner("Grace"))?;
            panic!("before the commit")
        })
    }));
    assert!(panicked.is_err());
    assert_eq!(store.count::<Account, Any>(), 1);
    assert_eq!(store.seq(), committed.seq());
    // The same of a shared store, and one in which nothing fires has no place in the log.
    let store = store.share();
    let own = store.transaction(|_| Err::<(), _>(Failure::Own));
    assert_eq!(own.err(), Some(Failure::Own));
    let (_, nothing) = store.transaction(|_| Ok::<_, Failure>(())).unwrap();
    assert_eq!((nothing.seq(), nothing.position()), (None, None));
    // A repetition has the place of the transaction that it repeats.
    let meta = || Meta::new().with_idempotency_key("once");
    let grace = || store.transaction_with(meta(), |t| t.apply(owner("Grace")).map(drop));
    let (_, first) = grace().unwrap();
    store.step(owner("Barbara"));
    let (_, again) = grace().unwrap();
    assert!(!first.is_repeated() && again.is_repeated());
    assert_eq!(again.position(), first.position());
    assert_eq!(
        first.position(),
        Some(store.locate(first.seq().unwrap()).unwrap())
    );
}

#[test]
fn a_close_gives_the_directory_back_and_only_the_last_handle_closes() {
    let dir = temp_dir();
    let store = unsynced::<Model>().open(dir.path()).unwrap().share();
    store.step(owner("Ada"));
    let other = store.clone();
    let store = store.close().unwrap().expect("another handle is there");
    assert!(Store::<Model>::open(dir.path()).unwrap_err().is_locked());
    drop(other);
    assert!(store.close().unwrap().is_none());
    let mut store = Store::<Model>::open(dir.path()).unwrap();
    store.step(owner("Grace"));
    store.close().unwrap();
    let store = Store::<Model>::open_read_only(dir.path()).unwrap();
    assert_eq!(store.count::<Account, Any>(), 2);
    store.close().unwrap();
}

#[test]
fn each_of_many_threads_gets_the_receipts_of_its_own_steps() {
    let dir = temp_dir();
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
    assert_eq!(BTreeSet::from_iter(seqs), (1..=200).map(Seq::new).collect());
    let print = store.read(Store::fingerprint).unwrap();
    drop(store);
    let store = Store::<Model>::options().open_strict(dir.path()).unwrap();
    assert_eq!(store.fingerprint(), print);
    assert_eq!(assert_sound(&store), 200);
}

#[test]
fn a_transaction_excludes_all_other_callers() {
    let store = paranoid();
    let account = store.step(owner("Ada")).created.account;
    thread::scope(|s| {
        for _ in 0..4 {
            s.spawn(|| {
                for _ in 0..50 {
                    let more = store.transaction(|t| {
                        let balance = account.balance(t) + 1;
                        t.apply(Set { account, balance })?;
                        Ok::<_, StepError>(balance)
                    });
                    assert!(more.unwrap().0 <= 200);
                }
            });
        }
    });
    assert_eq!(store.read(|db| account.balance(db)).unwrap(), 200);
}

#[test]
fn a_caller_that_fails_or_panics_affects_no_other_caller() {
    let store = paranoid();
    let account = store.step(owner("Ada")).created.account;
    let print = store.read(Store::fingerprint).unwrap();
    thread::scope(|s| {
        for _ in 0..3 {
            // A handler, a guard and two closures of the program panic; two calls are rejected.
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
            assert!(rejected.iter().all(|e| e.is_rejection()));
        }
    });
    assert_eq!(store.read(Store::fingerprint).unwrap(), print);
    store.step(Set {
        account,
        balance: 1,
    });
    assert_eq!(store.read(Store::check).unwrap(), []);
}

#[test]
fn a_handle_that_is_used_within_its_own_call_panics_instead_of_deadlocking() {
    let store = paranoid();
    let other = paranoid();
    let inside = catch_unwind(AssertUnwindSafe(|| {
        store.read(|_| store.step(owner("Ada")))
    }));
    let words = *inside.err().unwrap().downcast::<&str>().unwrap();
    assert!(words.contains("while this thread holds it"), "{words}");
    // Another store can be used inside the call, and the same store after it.
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
    let dir = temp_dir();
    let store = Store::<Model>::open(dir.path()).unwrap().share();
    let seqs: BTreeSet<Seq> = thread::scope(|s| {
        let ask = || {
            let meta = Meta::default().with_idempotency_key("k");
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
    let dir = temp_dir();
    let store = unsynced::<Model>().open(dir.path()).unwrap().share();
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
    let dir = temp_dir();
    let mut writer = Store::<Model>::open(dir.path()).unwrap();
    writer.step(owner("Ada"));
    let store = Store::<Model>::open_read_only(dir.path()).unwrap().share();
    assert_eq!(store.read(|db| db.count::<Account, Any>()).unwrap(), 1);
    let refused = store.try_step(owner("Grace")).err().unwrap();
    assert!(matches!(refused, StepError::ReadOnly), "{refused}");
    writer.step(owner("Grace"));
    store.refresh().unwrap();
    assert_eq!(store.read(|db| db.count::<Account, Any>()).unwrap(), 2);
}

#[test]
fn a_handle_takes_metadata_what_ifs_retries_and_events_from_json() {
    let store = paranoid();
    let text = r#"{"Opened": {"owner": "Ada"}}"#;
    store
        .try_step_any(&serde_json::from_str(text).unwrap())
        .unwrap();
    let account = store.read(|db| db.find::<Account>("Ada")).unwrap().unwrap();
    let seen = store.read(Store::seq).unwrap().unwrap();
    let would = store.what_if(|t| -> Result<_, StepError> {
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
    // The first attempt expects `seen`, after which the account changed. The second one expects the present.
    let mut looks = 0;
    let receipt = store.retry(3, |db| {
        looks += 1;
        let knows = if looks == 1 { seen } else { db.seq().unwrap() };
        let balance = account.balance(db) + 1;
        Ok::<_, StepError>((Meta::default().expect(knows), Set { account, balance }))
    });
    receipt.unwrap();
    assert_eq!(looks, 2);
    assert_eq!(store.read(|db| account.balance(db)).unwrap(), 5);
}

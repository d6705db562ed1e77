//! A batch of events leads to the graph and the log of as many single steps, whatever happens to one of them.

use std::panic::{AssertUnwindSafe, catch_unwind};

use ironweave::prelude::*;
use ironweave::{Seq, Subscription};

use crate::accounts::*;
use crate::harness::{assert_same_state, assert_sound, temp_dir, unsynced};

#[test]
fn each_event_has_its_own_transaction_sequence_and_receipt() {
    let mut store = Store::<Model>::paranoid();
    let results = store.step_all(["Ada", "Grace", "Ada", "Barbara"].map(owner));
    let seqs: Vec<_> = results
        .iter()
        .map(|result| result.as_ref().ok().map(|r| r.seq))
        .collect();
    let seq = |seq| Some(Seq::new(seq));
    assert_eq!(seqs, [seq(1), seq(2), None, seq(3)]);
    let Err(taken) = &results[2] else {
        panic!("the name is taken")
    };
    assert!(matches!(taken, StepError::Duplicate { .. }), "{taken}");
    for (result, name) in results.iter().zip(["Ada", "Grace", "", "Barbara"]) {
        if let Ok(receipt) = result {
            assert_eq!(receipt.created.account.owner(&store), name);
        }
    }
    assert_eq!(assert_sound(&store), 3);
    // The events of one batch have the time of one clock reading.
    let times: Vec<_> = store
        .frames(0)
        .unwrap()
        .map(|frame| frame.unwrap().time())
        .collect();
    assert!(times.iter().all(|time| *time == times[0]), "{times:?}");
    assert!(store.step_all(Vec::<Opened>::new()).is_empty());
    assert_eq!(store.seq(), seq(3));
}

#[test]
fn events_of_several_types_are_one_batch() {
    let mut store = Store::<Model>::paranoid();
    let account = store.step(owner("Ada")).created.account;
    let balance = |balance| AnyEvent::from(Set { account, balance });
    let events = [
        balance(3),
        owner("Grace").into(),
        owner("Ada").into(),
        balance(5),
    ];
    let results = store.step_all_any(&events);
    let accepted: Vec<_> = results.iter().map(Result::is_ok).collect();
    assert_eq!(accepted, [true, true, false, true]);
    assert_eq!(account.balance(&store), 5);
    assert_eq!(assert_sound(&store), 4);
}

#[test]
fn a_store_without_a_log_takes_batches() {
    let mut store = Store::<Model>::unlogged();
    let results = store.step_all(["Ada", "Ada", "Grace"].map(owner));
    let accepted: Vec<_> = results.iter().map(Result::is_ok).collect();
    assert_eq!(accepted, [true, false, true]);
    assert_eq!(store.count::<Account, Any>(), 2);
    assert_eq!(store.check(), []);
}

#[test]
fn a_store_that_is_open_for_reading_only_refuses_a_batch_and_is_unchanged() {
    let dir = temp_dir();
    let mut writer = unsynced::<Model>().open(dir.path()).unwrap();
    let account = writer.step(owner("Ada")).created.account;
    let mut store = Store::<Model>::open_read_only(dir.path()).unwrap();
    let results = store.step_all([1, 2, 3].map(|balance| Set { account, balance }));
    for result in results {
        assert!(matches!(result, Err(StepError::ReadOnly)));
    }
    // The second and the third one are rejected because of the first, which the log does not have.
    let results = store.step_all(["Grace", "Grace", "Ada"].map(owner));
    for result in results {
        assert!(matches!(result, Err(StepError::ReadOnly)));
    }
    let rejected = store.step_all(["Ada", "Grace"].map(owner));
    assert!(matches!(rejected[0], Err(StepError::Duplicate { .. })));
    assert_same_state(&store, &writer);
    writer.step(owner("Grace"));
    store.refresh().unwrap();
    assert_same_state(&store, &writer);
}

/// The names of all accounts.
fn names(db: &impl Db) -> Vec<String> {
    db.place::<Account, Any>()
        .map(|a| a.owner(db).to_owned())
        .collect()
}

#[test]
fn an_event_that_panics_is_rolled_back_and_those_before_it_are_written() {
    let dir = temp_dir();
    let mut store = Store::<Model>::open(dir.path()).unwrap();
    let account = store.step(owner("Ada")).created.account;
    let balances = [1, 2, 666, 4].map(|balance| Set { account, balance });
    let panicked = catch_unwind(AssertUnwindSafe(|| store.step_all(balances).len()));
    let panic = panicked.unwrap_err();
    assert!(
        panic
            .downcast_ref::<String>()
            .unwrap()
            .contains("this balance panics")
    );
    assert_eq!(account.balance(&store), 2);
    assert_eq!(
        (store.seq(), store.durable()),
        (Some(Seq::new(3)), Some(Seq::new(3)))
    );
    // The store continues.
    assert!(
        store.step_all([Set {
            account,
            balance: 9
        }])[0]
            .is_ok()
    );
    assert_eq!(assert_sound(&store), 4);
    drop(store);
    let store = Store::<Model>::open(dir.path()).unwrap();
    assert_eq!(account.balance(&store), 9);
}

#[test]
fn an_iterator_that_panics_leaves_the_events_before_it() {
    let dir = temp_dir();
    let mut store = Store::<Model>::open(dir.path()).unwrap();
    let events = ["Ada", "Grace", "", "Barbara"].into_iter().map(|name| {
        assert!(!name.is_empty(), "an event that cannot be made");
        owner(name)
    });
    assert!(catch_unwind(AssertUnwindSafe(|| store.step_all(events).len())).is_err());
    assert_eq!(names(&store), ["Ada", "Grace"]);
    drop(store);
    let store = Store::<Model>::open(dir.path()).unwrap();
    assert_eq!(names(&store), ["Ada", "Grace"]);
}

#[test]
fn an_iterator_reads_only_what_is_written() {
    // Through a reader and a subscription, which do not use the store that the batch borrows.
    let dir = temp_dir();
    let mut store = Store::<Model>::open(dir.path()).unwrap();
    let reader = store.reader();
    let mut subscription: Subscription<Model> = store.subscribe(0).unwrap();
    let mut seen = Vec::new();
    let events = (0..9_000).map(|i| {
        if i % 1_000 == 999 {
            seen.push((
                i,
                reader.seq().unwrap().get(),
                names(&reader.snapshot()).len() as u64,
            ));
        }
        owner(i)
    });
    assert!(store.step_all(events).iter().all(Result::is_ok));
    for (i, seq, accounts) in seen {
        // The batch is written in parts.
        let written = i / 4_096 * 4_096;
        assert_eq!((seq, accounts), (written, written), "before event {i}");
    }
    let mut next = 1;
    while let Some(record) = subscription.try_next().unwrap() {
        assert_eq!(record.seq(), next);
        next += 1;
    }
    assert_eq!(next, 9_001);
}

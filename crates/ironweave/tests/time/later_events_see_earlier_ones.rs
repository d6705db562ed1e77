//! Of two changes of one entity in one transaction the second sees the first. Other databases of facts check both against the
//! state before the transaction.

use ironweave::prelude::*;

use crate::bank::{Account, Froze, Model, Thawed, look, open, state::*, transfer};

fn froze(account: Account, why: &str) -> Froze {
    Froze {
        account,
        why: why.into(),
    }
}

#[test]
fn of_two_decisions_in_one_transaction_the_second_sees_the_first() {
    // Approving and denying in one transaction: checked against the state before it, both would be valid.
    let mut store = Store::<Model>::paranoid();
    open(&mut store, 1);
    let account = store
        .find::<Account>(&0)
        .expect("the entity or the file exists");
    let mut t = store.begin();
    t.apply(froze(account, "the first"))
        .expect("the account is open");
    let second = t.apply(froze(account, "the second")).map(|_| ());
    assert!(matches!(second, Err(StepError::NotInPlace { .. })));
    // The rejected event changed nothing, and the transaction continues.
    t.commit().expect("one of the two is committed");
    let frozen = account
        .in_state::<Frozen>(&store)
        .expect("the account is frozen");
    assert_eq!(frozen.why(&store), "the first");

    // A move and its reverse are two facts in the log.
    let mut t = store.begin();
    t.apply(Thawed { account }).expect("the account is frozen");
    t.apply(froze(account, "again"))
        .expect("the account is open");
    t.commit().expect("both are committed");
    let history = store.history(account).expect("the log can be read");
    let last = history.iter().rev().take(3);
    let last: Vec<String> = last.map(|entry| entry.fact().to_string()).collect();
    let expected = [
        "set Account/0.1.why = \"again\"",
        "move Account/0.1 Open -> Frozen",
        "move Account/0.1 Frozen -> Open",
    ];
    assert_eq!(last, expected);
}

#[test]
fn of_two_compare_and_sets_in_one_transaction_the_second_compares_with_what_the_first_set() {
    let mut store = Store::<Model>::paranoid();
    open(&mut store, 2);
    // Both are computed from the same state.
    let (first, second) = (transfer(&store, 0, 1, 10), transfer(&store, 0, 1, 20));
    let stale = transfer(&store, 0, 1, 20);
    let mut t = store.begin();
    t.apply(first).expect("the guard accepts it");
    let lost = t.apply(second).map(|_| ());
    assert!(matches!(lost, Err(StepError::Guard { .. })), "{lost:?}");
    t.commit().expect("one of the two is committed");
    assert_eq!(look(&store.snapshot()).transfers, 1);
    let (a, b) = (store.find::<Account>(&0), store.find::<Account>(&1));
    let balance = |account: Option<Account>| account.map(|a| a.balance(&store));
    assert_eq!((balance(a), balance(b)), (Some(90), Some(110)));
    // A snapshot does the same.
    assert!(store.snapshot().with(stale).is_err());
}

//! What surprised those who tested other databases of facts: two changes of one thing in one transaction.

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
    // Approve and deny at once: elsewhere both are checked against the state before the transaction, and both hold.
    let mut store = Store::<Model>::paranoid();
    open(&mut store, 1);
    let account = store.find::<Account>(&0).expect("it is there");
    let mut t = store.begin();
    t.apply(froze(account, "the first")).expect("it is open");
    let second = t.apply(froze(account, "the second")).map(|_| ());
    assert!(matches!(second, Err(StepError::NotInPlace { .. })));
    // What was rejected has left nothing, and the transaction goes on.
    t.commit().expect("one of them happened");
    let frozen = account.in_state::<Frozen>(&store).expect("it is frozen");
    assert_eq!(frozen.why(&store), "the first");

    // There and back is two moves, and both are in the log.
    let mut t = store.begin();
    t.apply(Thawed { account }).expect("it is frozen");
    t.apply(froze(account, "again")).expect("it is open");
    t.commit().expect("both happened");
    let history = store.history(account).expect("it reads");
    let last: Vec<&str> = history.iter().rev().take(3).map(|p| &*p.words).collect();
    let expected = [
        "set Account/0.why = \"again\"",
        "move Account/0 Open -> Frozen",
        "move Account/0 Frozen -> Open",
    ];
    assert_eq!(last, expected);
}

#[test]
fn of_two_compare_and_sets_in_one_transaction_the_second_compares_with_what_the_first_set() {
    let mut store = Store::<Model>::paranoid();
    open(&mut store, 2);
    // Both computed from the same state: each is the transfer that follows the last one.
    let (first, second) = (transfer(&store, 0, 1, 10), transfer(&store, 0, 1, 20));
    let stale = transfer(&store, 0, 1, 20);
    let mut t = store.begin();
    t.apply(first).expect("it compares well");
    let lost = t.apply(second).map(|_| ());
    assert!(matches!(lost, Err(StepError::Guard { .. })), "{lost:?}");
    t.commit().expect("one of them happened");
    assert_eq!(look(&store.snapshot()).transfers, 1);
    let (a, b) = (store.find::<Account>(&0), store.find::<Account>(&1));
    let balance = |account: Option<Account>| account.map(|a| a.balance(&store));
    assert_eq!((balance(a), balance(b)), (Some(90), Some(110)));
    // On a snapshot it is the same.
    assert!(store.snapshot().with(stale).is_err());
}

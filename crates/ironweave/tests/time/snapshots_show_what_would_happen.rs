//! `with` shows what would happen after a snapshot, in chains too, and a store can begin at a snapshot.

use std::thread;

use ironweave::prelude::*;
use ironweave::{FactKind, Seq, Store};

use crate::bank::{
    Account, Bank, Closed, Empowered, Froze, Model, Opened, Person, Transferred, look, open,
    state::Open, transfer,
};
use crate::harness::assert_consistent;

fn store() -> Store<Model> {
    let mut store = Store::<Model>::paranoid();
    open(&mut store, 3);
    store
}

#[test]
fn a_chain_of_what_ifs_changes_no_snapshot_that_it_is_based_on() {
    let store = store();
    let mut chain = vec![store.snapshot()];
    for i in 0..100 {
        let last = &chain[chain.len() - 1];
        let next = last.with(transfer(last, i % 3, (i + 1) % 3, 7));
        chain.push(next.expect("the event fires").snapshot);
    }
    for (i, snapshot) in chain.iter().enumerate() {
        assert_eq!(look(snapshot).transfers, i as u64);
        assert_eq!(look(snapshot).total, 300);
        assert_consistent(snapshot);
    }
    assert_eq!(store.seq(), chain[0].seq());
    assert_eq!(chain[100].seq(), chain[0].seq().map(|seq| seq + 100));
}

#[test]
fn with_rejects_as_a_store_does_and_changes_nothing() {
    let mut store = store();
    let snapshot = store.snapshot();
    let lossy = || Transferred {
        to_balance: 0,
        ..transfer(&snapshot, 0, 1, 1)
    };
    let broke = || transfer(&snapshot, 0, 1, 101);
    for (event, again, kind) in [(lossy(), lossy(), "Guard"), (broke(), broke(), "Invariant")] {
        let here = snapshot.with(event).map(|_| ()).expect_err("it rejects");
        let there = store.try_step(again).map(|_| ()).expect_err("it rejects");
        assert_eq!(here.to_string(), there.to_string());
        assert!(format!("{here:?}").starts_with(kind));
    }
    assert_eq!(snapshot.fingerprint(), store.fingerprint());
    assert_consistent(&snapshot);
}

#[test]
fn with_returns_the_receipt_and_the_changes_on_any_thread() {
    let store = store();
    let snapshot = store.snapshot();
    let account = snapshot
        .find::<Account>(&0)
        .expect("the entity or the file exists");
    let froze = thread::spawn(move || {
        let why = "a doubt".to_owned();
        snapshot.with(Froze { account, why })
    });
    let froze = froze
        .join()
        .expect("the thread does not panic")
        .expect("the event fires");
    let frozen = froze.applied.bound.account;
    assert_eq!(frozen.why(&froze.snapshot), "a doubt");
    assert_eq!(froze.snapshot.seq(), store.seq().map(|seq| seq + 1));
    assert!(account.is::<Open>(&store));
    let words = [
        "move Account/0.1 Open -> Frozen",
        "set Account/0.1.why = \"a doubt\"",
    ];
    assert_eq!(froze.record.facts().to_string(), words.join("\n"));
    let kinds = froze.record.facts().iter().map(|fact| fact.kind());
    assert!(kinds.eq([FactKind::Move, FactKind::Set]));
    assert!(froze.record.facts().touches(account));
}

#[test]
fn a_store_that_begins_at_a_snapshot_leaves_the_original_unchanged() {
    let mut real = store();
    let base = real.snapshot();
    let mut trial = base.clone().into_store();
    let event = |db: &Store<Model>| Empowered {
        account: db
            .find::<Account>(&1)
            .expect("the entity or the file exists"),
        person: "ann".into(),
        limit: 50,
    };
    // The same event does the same to both, and has the same sequence.
    let (here, there) = (trial.step(event(&trial)), real.step(event(&real)));
    assert_eq!(
        (here.seq, here.bound.person),
        (there.seq, there.bound.person)
    );
    assert_eq!(trial.fingerprint(), real.fingerprint());
    trial.step(Closed {
        account: here.bound.account.any(),
    });
    assert_eq!(
        (trial.count::<Account, Any>(), real.count::<Account, Any>()),
        (2, 3)
    );
    assert_eq!(base.count::<Person, Any>(), 0);
    assert_consistent(&trial);
    assert_eq!(trial.verify().expect("it agrees"), 2);
    let from: Vec<Seq> = trial
        .frames(0)
        .expect("the log can be read")
        .map(|f| f.expect("good").seq())
        .collect();
    assert_eq!(from, [here.seq, here.seq + 1]);
    // Snapshots of it, and a store that begins at one of those.
    assert_eq!(trial.snapshot().into_store().count::<Account, Any>(), 2);
}

#[test]
fn the_diff_of_two_branches_leads_from_one_to_the_other() {
    let store = store();
    let base = store.snapshot();
    let account = |number| {
        base.find::<Account>(&number)
            .expect("the entity or the file exists")
    };
    let why = || "a doubt".to_owned();
    let froze = |number| Froze {
        account: account(number),
        why: why(),
    };
    let a = base.with(froze(0)).expect("the event fires").snapshot;
    let b = base.with(froze(2)).expect("the event fires").snapshot;
    assert_eq!(
        a.diff(&b).expect("both are of one store").to_string(),
        "move Account/0.1 Frozen -> Open\nmove Account/2.1 Open -> Frozen\nset Account/2.1.why = \"a doubt\""
    );
    assert!(
        a.diff(&a.clone())
            .expect("both are of one store")
            .is_empty()
    );
    // Links with data, and an entity that comes into the place of another.
    let bank = account(0).bank(&base);
    let gone = a
        .with(Closed {
            account: account(1),
        })
        .expect("the event fires")
        .snapshot;
    let opened = Opened {
        bank,
        number: 1,
        balance: 100,
    };
    let other = gone.with(opened).expect("the event fires").snapshot;
    let new = other
        .find::<Account>(&1)
        .expect("the entity or the file exists");
    assert_ne!(new.id(), account(1).id());
    let empowered = Empowered {
        account: new,
        person: "ann".into(),
        limit: 50,
    };
    let other = other.with(empowered).expect("the event fires").snapshot;
    assert_eq!(
        a.diff(&other).expect("both are of one store").to_string(),
        "unlink Account/1.1.bank -= Bank/0.1\n\
         delete Account/1.1 in Open\n\
         create Account/1.2 in Open\n\
         create Person/0.1 in Exists\n\
         set Account/1.2.number = 1\n\
         set Account/1.2.balance = 100\n\
         set Person/0.1.name = \"ann\"\n\
         link Account/1.2.bank += Bank/0.1\n\
         link Account/1.2.signers += Person/0.1\n\
         set Account/1.2.signers[Person/0.1] = 50"
    );
}

#[test]
fn a_handle_names_its_entity_in_each_snapshot_that_has_it_and_in_no_other() {
    let mut store = store();
    let bank = store.find::<Bank>("b").expect("it was founded");
    let opened = |number| Opened {
        bank,
        number,
        balance: 7,
    };
    // No account was deleted so far, so slots alone tell whether a handle is of an entity.
    let before = store.snapshot();
    let with_one = before.with(opened(10)).expect("the event fires");
    let (one, with_one) = (with_one.applied.created.account, with_one.snapshot);
    assert!(one.alive(&with_one) && !one.alive(&before));
    assert_eq!(one.balance(&with_one), 7);
    // The slot is used again.
    let without = with_one.with(Closed { account: one }).expect("it is open");
    let without = without.snapshot;
    let again = without.with(opened(11)).expect("the event fires");
    let (other, again) = (again.applied.created.account, again.snapshot);
    for (snapshot, alive) in [
        (&before, [false, false]),
        (&with_one, [true, false]),
        (&without, [false, false]),
        (&again, [false, true]),
    ] {
        assert_eq!([one.alive(snapshot), other.alive(snapshot)], alive);
        let last = bank.accounts(snapshot).last().expect("it has three");
        assert_eq!([last == one, last == other], alive);
        assert_consistent(snapshot);
    }
    let read = |account: Account, snapshot: &Snapshot<Model>| {
        let read = || (account.balance(snapshot), account.bank(snapshot));
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(read)).ok()
    };
    assert_eq!(read(one, &with_one), Some((7, bank)));
    assert_eq!(read(other, &again), Some((7, bank)));
    assert_eq!((read(one, &without), read(one, &again)), (None, None));
    // The same by the facts of a store that goes on.
    let one = store.step(opened(10)).created.account;
    let with_one = store.snapshot();
    store.step(Closed { account: one });
    let other = store.step(opened(11)).created.account;
    let again = store.snapshot();
    assert_eq!(read(one, &with_one), Some((7, bank)));
    assert_eq!(
        (read(one, &again), read(other, &again)),
        (None, Some((7, bank)))
    );
    assert!(one.alive(&with_one) && !one.alive(&again) && !other.alive(&with_one));
    assert_consistent(&again);
}

//! The graph after any earlier transaction, and the history of each entity, are read from the log.

use ironweave::prelude::*;
use ironweave::{AsOf, HistoryEntry, Seq};

use crate::bank::{
    Account, Bank, Closed, Disempowered, Empowered, Founded, Froze, Model, Opened, Person, Thawed,
    Transferred, look, open, transfer,
};
use crate::harness::{assert_consistent, temp_dir};

fn micros(n: i64) -> Meta {
    Meta::new().with_time(Timestamp::from_micros(n))
}

fn words(history: &[HistoryEntry<Model>]) -> Vec<String> {
    let line = |e: &HistoryEntry<Model>| format!("{} {}: {}", e.seq(), e.event(), e.fact());
    history.iter().map(line).collect()
}

#[test]
fn as_of_gives_the_graph_after_any_earlier_transaction() {
    let mut store = Store::<Model>::paranoid();
    open(&mut store, 4);
    let mut was = vec![(store.seq(), store.fingerprint())];
    for i in 0..3_000u64 {
        store.step(transfer(&store, i % 4, (i + 1) % 4, 1));
        was.push((store.seq(), store.fingerprint()));
    }
    // Backwards, forwards, and by leaps, with and without a replica that made keyframes.
    let n = was.len();
    let order = (0..40)
        .map(|i| n - 1 - i * 3)
        .chain((0..20).map(|i| i * 149));
    for (look_at, i) in order.enumerate() {
        let (seq, print) = was[i];
        let then = store
            .as_of(seq.expect("the store has a position"))
            .expect("the log can be read");
        assert_eq!((then.seq(), then.fingerprint()), (seq, print));
        if look_at == 30 {
            assert_eq!(store.snapshot().fingerprint(), store.fingerprint());
        }
    }
    let (seq, print) = was[1_234];
    let then = store
        .as_of(seq.expect("the store has a position"))
        .expect("the log can be read");
    assert_consistent(&then);
    assert_eq!(look(&then).transfers, 1_234);
    // `with` on a past snapshot gives what a store gives that stopped there.
    let event = || transfer(&then, 0, 3, 11);
    let mut stopped = then.clone().into_store();
    assert_eq!(stopped.fingerprint(), print);
    stopped.step(event());
    let asked = then.with(event()).expect("the event fires").snapshot;
    assert_eq!(asked.fingerprint(), stopped.fingerprint());
    assert_eq!(asked.seq(), stopped.seq());
    // The past of that store begins at the snapshot.
    let seq = then.seq().expect("the store has a position");
    assert_eq!(
        stopped
            .as_of(seq)
            .expect("the log can be read")
            .fingerprint(),
        print
    );
    let before = stopped
        .as_of(seq - 1)
        .map(|_| ())
        .expect_err("it is unknown");
    assert!(before.is_before_beginning(), "{before}");
}

#[test]
fn as_of_a_time_includes_every_transaction_up_to_it() {
    let mut store = Store::<Model>::paranoid();
    let bank = store.try_step_with(micros(10), crate::bank::Founded { name: "b".into() });
    let bank = bank.expect("the event fires").created.bank;
    for (at, number) in [(20, 0), (20, 1), (30, 2)] {
        let opened = Opened {
            bank,
            number,
            balance: 1,
        };
        store
            .try_step_with(micros(at), opened)
            .expect("the event fires");
    }
    for (at, banks, accounts) in [
        (9, 0, 0),
        (10, 1, 0),
        (19, 1, 0),
        (20, 1, 2),
        (29, 1, 2),
        (30, 1, 3),
        (99, 1, 3),
    ] {
        let then = store
            .as_of(Timestamp::from_micros(at))
            .expect("the log can be read");
        let found = (then.count::<Bank, Any>(), then.count::<Account, Any>());
        assert_eq!(found, (banks, accounts), "at {at}");
        assert!(then.time() <= Timestamp::from_micros(at));
    }
    assert_eq!(AsOf::from(3), AsOf::Seq(Seq::new(3)));
}

#[test]
fn a_snapshot_has_the_time_of_the_last_transaction_in_it_however_it_was_made() {
    let founded = |name: i64| Founded {
        name: name.to_string(),
    };
    let mut store = Store::<Model>::memory();
    store.try_step_with(micros(10), founded(0)).unwrap();
    // From now on a replica follows.
    assert_eq!(store.snapshot().time(), Timestamp::from_micros(10));
    let reader = store.reader();
    for (n, at) in [(1, 20), (2, 30), (3, 30), (4, 45)] {
        store.try_step_with(micros(at), founded(n)).unwrap();
        let time = Timestamp::from_micros(at);
        let (snapshot, seq) = (store.snapshot(), store.seq().unwrap());
        assert_eq!((snapshot.time(), reader.snapshot().time()), (time, time));
        assert_eq!(store.as_of(seq).unwrap().time(), time);
        assert_eq!(store.as_of(time).unwrap().seq(), Some(seq));
        // So nothing that is tried on it is before it.
        let early = snapshot.with_meta(micros(at - 1), founded(9));
        assert!(matches!(early, Err(StepError::TimeGoesBack { .. })));
    }
}

#[test]
fn the_past_of_a_store_on_disk_comes_from_its_segments() {
    let dir = temp_dir();
    let open_it = || {
        let options = Store::<Model>::options().durability(ironweave::Durability::Os);
        options
            .segment_bytes_max(4_096)
            .open(dir.path())
            .expect("the store opens")
    };
    let mut store = open_it();
    open(&mut store, 4);
    let mut was = Vec::new();
    for i in 0..300u64 {
        store.step(transfer(&store, i % 4, (i + 1) % 4, 1));
        was.push((
            store.seq().expect("the store has a position"),
            store.fingerprint(),
        ));
    }
    drop(store);
    let store = open_it();
    for (seq, print) in was.iter().rev() {
        assert_eq!(
            store
                .as_of(*seq)
                .expect("the log can be read")
                .fingerprint(),
            *print
        );
    }
    let account = store
        .find::<Account>(&0)
        .expect("the entity or the file exists");
    // Created, linked, two values; then every other transfer.
    let history = store.history(account).expect("the log can be read");
    assert_eq!(history.len(), 4 + 150);
    assert_eq!(history[4].seq(), was[0].0);
}

#[test]
fn each_complete_segment_has_an_index_once_a_history_is_read_if_no_thread_makes_them() {
    let dir = temp_dir();
    let indexes = || {
        let files = std::fs::read_dir(dir.path()).expect("the directory can be listed");
        let paths = files.map(|file| file.expect("the directory can be listed").path());
        paths
            .filter(|path| path.extension().is_some_and(|e| e == "index"))
            .collect::<Vec<_>>()
    };
    let options = Store::<Model>::options().durability(ironweave::Durability::Os);
    let mut store = options
        .segment_bytes_max(4_096)
        .index_segments(false)
        .open(dir.path())
        .expect("the store opens");
    open(&mut store, 4);
    for i in 0..200u64 {
        store.step(transfer(&store, i % 4, (i + 1) % 4, 1));
    }
    assert!(indexes().is_empty());
    // A read-only store writes no index, and works without one.
    let account = store
        .find::<Account>(&2)
        .expect("the entity or the file exists");
    let beside = Store::<Model>::open_read_only(dir.path()).expect("the store opens");
    let past = words(&beside.history(account).expect("the log can be read"));
    assert_eq!(past.len(), 4 + 100);
    assert!(indexes().is_empty());
    assert_eq!(
        words(&store.history(account).expect("the log can be read")),
        past
    );
    assert!(indexes().len() > 5);
    // The next reader uses the indexes, and works without them too.
    let beside = Store::<Model>::open_read_only(dir.path()).expect("the store opens");
    assert_eq!(
        words(&beside.history(account).expect("the log can be read")),
        past
    );
    for path in indexes() {
        std::fs::remove_file(path).expect("the directory can be removed");
    }
    for store in [&beside, &store] {
        assert_eq!(
            words(&store.history(account).expect("the log can be read")),
            past
        );
        let had = store
            .history_of_key::<Account>(&2)
            .expect("the log can be read");
        assert_eq!(words(&had[0].1), past);
    }
}

#[test]
fn the_history_of_an_entity_has_every_fact_about_it() {
    let mut store = Store::<Model>::paranoid();
    let bank = open(&mut store, 2);
    let first = store.seq().expect("there is a transaction") + 1;
    let account = store
        .find::<Account>(&1)
        .expect("the entity or the file exists");
    let by = |who: &str| Meta::new().with_actor(who);
    let frozen = store.try_step_with(
        by("ann"),
        Froze {
            account,
            why: "a doubt".into(),
        },
    );
    let account = frozen.expect("the event fires").bound.account.any();
    store
        .try_step_with(by("bob"), Thawed { account })
        .expect("the event fires");
    store.step(transfer(&store, 0, 1, 5));
    store.step(Closed { account });
    // Another account has its slot and its key.
    let again = store.step(Opened {
        bank,
        number: 1,
        balance: 7,
    });
    let again = again.created.account;
    assert_eq!(
        (again.id().slot(), again.id().generation()),
        (account.id().slot(), 2)
    );

    let history = store.history(account).expect("the log can be read");
    let expected = [
        format!("{} Opened: create Account/1.1 in Open", first - 1),
        format!("{} Opened: set Account/1.1.number = 1", first - 1),
        format!("{} Opened: set Account/1.1.balance = 100", first - 1),
        format!("{} Opened: link Account/1.1.bank += Bank/0.1", first - 1),
        format!("{first} Froze: move Account/1.1 Open -> Frozen"),
        format!("{first} Froze: set Account/1.1.why = \"a doubt\""),
        format!("{} Thawed: move Account/1.1 Frozen -> Open", first + 1),
        format!("{} Transferred: set Account/1.1.balance = 105", first + 2),
        format!("{} Closed: unlink Account/1.1.bank -= Bank/0.1", first + 3),
        format!("{} Closed: delete Account/1.1 in Open", first + 3),
    ];
    assert_eq!(words(&history), expected);
    let actors: Vec<Option<&str>> = history[4..7].iter().map(|p| p.meta().actor()).collect();
    assert_eq!(actors, [Some("ann"), Some("ann"), Some("bob")]);
    assert_eq!(history[7].fact().value::<i64>(), Some(105));
    assert_eq!(history[7].fact().encoded(), Some(&[0x18, 105][..]));
    assert_eq!(store.history(again).expect("the log can be read").len(), 4);

    // Every entity that ever had the key.
    let had = store
        .history_of_key::<Account>(&1)
        .expect("the log can be read");
    let who: Vec<Account> = had.iter().map(|(who, _)| *who).collect();
    assert_eq!(who, [account, again]);
    assert_eq!(words(&had[0].1), expected);
    assert!(
        store
            .history_of_key::<Account>(&9)
            .expect("the log can be read")
            .is_empty()
    );
    assert_eq!(
        store
            .history_of_key::<Bank>("b")
            .expect("the log can be read")
            .len(),
        1
    );
    // It has what was written since, too.
    store.step(Empowered {
        account: again,
        person: "ann".into(),
        limit: 3,
    });
    assert_eq!(store.history(again).expect("the log can be read").len(), 6);
}

#[test]
fn two_entities_in_one_slot_have_separate_histories() {
    let mut store = Store::<Model>::paranoid();
    let bank = open(&mut store, 1);
    let why = || "a doubt".to_owned();
    let first = store
        .find::<Account>(&0)
        .expect("the entity or the file exists");
    let opened = |number| Opened {
        bank,
        number,
        balance: 1,
    };
    let mut t = store.begin();
    let froze = Froze {
        account: first,
        why: why(),
    };
    t.apply(froze).expect("the event fires");
    t.apply(Closed { account: first }).expect("the event fires");
    let second = t.apply(opened(1)).expect("the event fires").created.account;
    t.apply(Closed { account: second })
        .expect("the event fires");
    let third = t.apply(opened(2)).expect("the event fires").created.account;
    t.commit().expect("the table is saved");
    let slots = [first, second, third].map(|a| a.id().slot());
    assert_eq!(slots, [0, 0, 0]);
    let facts = |account| store.history(account).expect("the log can be read").len();
    // Created with three more facts, frozen by two, closed by two; the same but never frozen; created only.
    assert_eq!([first, second, third].map(facts), [4 + 2 + 2, 4 + 2, 4]);
    let between = |account| {
        store
            .history_between(account, bank)
            .expect("the log can be read")
            .len()
    };
    assert_eq!([first, second, third].map(between), [2, 2, 1]);
}

#[test]
fn the_history_of_a_pair_is_that_of_its_links() {
    let mut store = Store::<Model>::paranoid();
    open(&mut store, 2);
    let account = store
        .find::<Account>(&1)
        .expect("the entity or the file exists");
    let empower = |store: &mut Store<Model>, who: &str, limit| {
        let person = who.into();
        let done = store.step(Empowered {
            account,
            person,
            limit,
        });
        (done.seq, done.bound.person)
    };
    let (a, ann) = empower(&mut store, "ann", 3);
    let (_, bob) = empower(&mut store, "bob", 4);
    store.step(Disempowered {
        account,
        person: ann,
    });
    empower(&mut store, "ann", 5);
    store.step(Closed { account });
    let history = store
        .history_between(account, ann)
        .expect("the log can be read");
    let expected = [
        format!("{a} Empowered: link Account/1.1.signers += Person/0.1"),
        format!("{a} Empowered: set Account/1.1.signers[Person/0.1] = 3"),
        format!(
            "{} Disempowered: unlink Account/1.1.signers -= Person/0.1",
            a + 2
        ),
        format!(
            "{} Empowered: link Account/1.1.signers += Person/0.1",
            a + 3
        ),
        format!(
            "{} Empowered: set Account/1.1.signers[Person/0.1] = 5",
            a + 3
        ),
        format!("{} Closed: unlink Account/1.1.signers -= Person/0.1", a + 4),
    ];
    assert_eq!(words(&history), expected);
    assert_eq!(
        store
            .history_between(ann, account)
            .expect("the log can be read")
            .len(),
        6
    );
    assert_eq!(
        store
            .history_between(account, bob)
            .expect("the log can be read")
            .len(),
        3
    );
    let other = store
        .find::<Account>(&0)
        .expect("the entity or the file exists");
    assert!(
        store
            .history_between(other, ann)
            .expect("the log can be read")
            .is_empty()
    );
    assert_eq!(store.count::<Person, Any>(), 2);
}

#[test]
fn transactions_are_read_back_with_their_events() {
    let mut store = Store::<Model>::paranoid();
    open(&mut store, 2);
    let mut seqs = Vec::new();
    for _ in 0..5 {
        seqs.push(store.step(transfer(&store, 0, 1, 2)).seq);
    }
    let since: Vec<_> = store
        .since(seqs[1])
        .expect("the log can be read")
        .map(|r| r.expect("good"))
        .collect();
    assert_eq!(since.iter().map(|r| r.seq()).collect::<Vec<_>>(), seqs[2..]);
    let balances = since.iter().flat_map(|r| r.events::<Transferred>());
    let balances: Vec<i64> = balances.map(|e| e.expect("good").from_balance).collect();
    assert_eq!(balances, [94, 92, 90]);
    let names: Vec<&str> = since[0].firings().map(|firing| firing.name()).collect();
    assert_eq!(names, ["Transferred"]);
    assert_eq!(since[0].facts().len(), 3);
    let n = |range| store.tx_range(range).expect("the log can be read").count();
    assert_eq!(n(seqs[1]..seqs[3]), 2);
    assert_eq!(n(Seq::ZERO..Seq::new(1)), 0);
}

//! A subscription reports past and future transactions once and in order.

use std::path::Path;
use std::thread;
use std::time::Duration;

use ironweave::prelude::*;
use ironweave::{Record, Seq, Store, Subscription};

use crate::bank::{
    Account, Closed, Disempowered, Empowered, Froze, Model, Opened, Person, Thawed, Transferred,
    look, open, state::*, transfer,
};
use crate::harness::{assert_consistent, temp_dir, unsynced};

fn seqs(records: impl Iterator<Item = Result<Record<Model>, StorageError>>) -> Vec<Seq> {
    records
        .map(|r| r.expect("the log can be read").seq())
        .collect()
}

fn listen(store: &Store<Model>, from: Seq) -> Subscription<Model> {
    store.subscribe(from).expect("the log can be read")
}

fn next(store: &Store<Model>) -> Seq {
    store.seq().map_or(Seq::ZERO, |seq| seq + 1)
}

/// The sequences that a subscription reports without waiting.
fn ready(subscription: &mut Subscription<Model>) -> Vec<Seq> {
    let next = || subscription.try_next().transpose();
    seqs(std::iter::from_fn(next))
}

fn on_disk(dir: &Path) -> Store<Model> {
    let options = unsynced::<Model>();
    options
        .segment_bytes_max(16_384)
        .open(dir)
        .expect("the store opens")
}

#[test]
fn past_and_future_transactions_are_reported_once_and_in_order() {
    let dir = temp_dir();
    for mut store in [Store::memory(), on_disk(dir.path())] {
        open(&mut store, 4);
        let first = store.seq().expect("there is a transaction");
        let all = store.subscribe(0).expect("the log can be read");
        let some = store.subscribe(first + 1).expect("the log can be read");
        let told = [all, some].map(|s| thread::spawn(move || seqs(s)));
        for i in 0..200 {
            store.step(transfer(&store, i % 4, (i + 1) % 4, 1));
        }
        let last = store.seq().expect("there is a transaction");
        drop(store);
        let [all, some] = told.map(|t| t.join().expect("the thread does not panic"));
        // Frame 0 is the schema.
        assert_eq!(all, (1..=last.get()).collect::<Vec<_>>());
        assert_eq!(some, (first.get() + 1..=last.get()).collect::<Vec<_>>());
    }
}

#[test]
fn a_slow_subscription_never_blocks_the_writer_and_misses_nothing() {
    let dir = temp_dir();
    for mut store in [Store::memory(), on_disk(dir.path())] {
        open(&mut store, 2);
        let from = store.seq().expect("there is a transaction") + 1;
        let mut slow = store.subscribe(from).expect("the log can be read");
        let mut quick = store.subscribe(from).expect("the log can be read");
        let mut heard = 0;
        // More transactions than the feed keeps, in several segments.
        for i in 0..3_000 {
            store.step(transfer(&store, i % 2, (i + 1) % 2, 1));
            heard += u64::from(quick.try_next().expect("the log can be read").is_some());
        }
        assert_eq!((heard, quick.lag(), slow.lag()), (3_000, 0, 3_000));
        let one = slow
            .try_next()
            .expect("the log can be read")
            .expect("the entity or the file exists");
        assert_eq!((one.seq(), one.behind()), (from, 2_999));
        assert_eq!(
            ready(&mut slow),
            (from.get() + 1..from.get() + 3_000).collect::<Vec<_>>()
        );
        // From there on it reads from the feed.
        let seq = store.step(transfer(&store, 0, 1, 1)).seq;
        assert_eq!(ready(&mut slow), [seq]);
        assert_eq!(ready(&mut slow), [0; 0]);
    }
}

/// Reads a log in pieces, with a subscription that is replaced now and then, beside a store that is closed now and then.
#[test]
fn lag_drops_and_restarts_lose_and_repeat_nothing() {
    let mut seed = 11u64;
    let mut random = move |n: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) % n
    };
    let dir = temp_dir();
    let mut store = on_disk(dir.path());
    open(&mut store, 4);
    let mut told = Vec::new();
    let mut subscription = store.subscribe(1).expect("the log can be read");
    for _ in 0..60 {
        match random(5) {
            0 => {
                let position = subscription.next_seq();
                subscription = store.subscribe(position).expect("the log can be read");
            }
            1 => {
                // After its store is closed, it reports what was written.
                drop(store);
                told.extend(seqs(subscription.by_ref().take(random(50) as usize)));
                store = on_disk(dir.path());
                subscription = store
                    .subscribe(subscription.next_seq())
                    .expect("the log can be read");
            }
            2 => {
                let n = random(2_500);
                for i in 0..n {
                    store.step(transfer(&store, i % 4, (i + 1) % 4, 1));
                }
            }
            _ => {
                for _ in 0..random(700) {
                    told.extend(
                        subscription
                            .try_next()
                            .expect("the log can be read")
                            .map(|r| r.seq()),
                    );
                }
            }
        }
    }
    told.extend(ready(&mut subscription));
    let last = store.seq().expect("there is a transaction");
    assert_eq!(told, (1..=last.get()).collect::<Vec<_>>());
    assert!(last > Seq::new(5_000));
}

#[test]
fn filters_select_reports_by_entity_place_edge_or_event() {
    let mut store = Store::<Model>::memory();
    let bank = open(&mut store, 2);
    let [a, b] = [0, 1].map(|n| {
        store
            .find::<Account>(&n)
            .expect("the entity or the file exists")
    });
    let from = next(&store);
    let new = || listen(&store, from);
    let mut of_b = new().entity(b);
    let mut frozen = new().place::<Account, Frozen>();
    let mut signers = new()
        .edge::<Account>("signers")
        .expect("there is a transaction");
    let mut signs = new().edge::<Person>("signs").expect("it is the same");
    let mut transfers = new().event::<Transferred>();
    let mut either = new()
        .event::<Thawed>()
        .edge::<Person>("signs")
        .expect("there is a transaction");
    let mut all = new();
    assert!(
        new()
            .edge::<Person>("friends")
            .is_err_and(|e| e.to_string() == "`Person` has no edge `friends`")
    );

    let why = || "a doubt".to_owned();
    let froze = store
        .step(Froze {
            account: a,
            why: why(),
        })
        .seq;
    let thawed = store.step(Thawed { account: a }).seq;
    let moved = store.step(transfer(&store, 0, 1, 1)).seq;
    let empower = |store: &mut Store<Model>, account| {
        let person = "ann".into();
        let done = store.step(Empowered {
            account,
            person,
            limit: 1,
        });
        (done.seq, done.bound.person)
    };
    let (linked, ann) = empower(&mut store, b);
    let person = ann;
    let unlinked = store.step(Disempowered { account: b, person }).seq;
    let closed = store.step(Closed { account: b }).seq;
    // A new account has the slot of b, and is another entity.
    let opened = store.step(Opened {
        bank,
        number: 9,
        balance: 1,
    });
    let again = store.step(Froze {
        account: opened.created.account,
        why: why(),
    });
    let (frozen_again, opened) = (again.seq, opened.seq);

    assert_eq!(ready(&mut of_b), [moved, linked, unlinked, closed]);
    assert_eq!(ready(&mut frozen), [froze, thawed, frozen_again]);
    assert_eq!(ready(&mut signers), [linked, unlinked]);
    assert_eq!(ready(&mut signs), [linked, unlinked]);
    assert_eq!(ready(&mut transfers), [moved]);
    assert_eq!(ready(&mut either), [thawed, linked, unlinked]);
    assert_eq!(
        ready(&mut all),
        (froze.get()..=frozen_again.get()).collect::<Vec<_>>()
    );
    assert!(opened < frozen_again);
}

#[test]
fn a_named_subscription_continues_after_its_last_acknowledgement() {
    let dir = temp_dir();
    let mut store = on_disk(dir.path());
    open(&mut store, 2);
    let take = |store: &Store<Model>, n: usize, acknowledged: usize| {
        let mut mailer = store.subscribe_as("mailer-1").expect("the log can be read");
        let mut told = Vec::new();
        for i in 0..n {
            let record = mailer
                .try_next()
                .expect("the log can be read")
                .expect("the entity or the file exists");
            told.push(record.seq());
            if i + 1 == acknowledged {
                mailer
                    .acknowledge(record.seq())
                    .expect("the file can be written");
            }
        }
        told
    };
    // The two transactions that were not acknowledged are reported again (at least once).
    assert_eq!(take(&store, 2, 0), [1, 2]);
    assert_eq!(take(&store, 3, 1), [1, 2, 3]);
    drop(store);
    let store = on_disk(dir.path());
    assert_eq!(take(&store, 2, 2), [2, 3]);
    assert_eq!(take(&store, 0, 0), [0; 0]);
    let mut other = store.subscribe_as("other").expect("the log can be read");
    assert_eq!((other.next_seq(), other.position()), (Seq::ZERO, None));
    assert_eq!(ready(&mut other), [1, 2, 3]);
    let rest = store.subscribe_as("mailer-1").expect("the log can be read");
    assert_eq!(rest.next_seq(), 4);

    for name in ["", "../HEAD", "Mailer", &"x".repeat(101)] {
        assert!(store.subscribe_as(name).is_err(), "{name}");
    }
    assert!(rest.acknowledge(3).is_ok());
    assert!(listen(&store, Seq::ZERO).acknowledge(1).is_err());
    drop((rest, other, store));
    let beside = Store::<Model>::open_read_only(dir.path()).expect("the store opens");
    assert!(
        beside
            .subscribe_as("mailer-1")
            .is_err_and(|e| matches!(e, ReadError::ReadOnly))
    );
    // A cursor that cannot be read is an error, and is not replaced.
    std::fs::write(dir.path().join("cursors/mailer-1"), b"3").expect("the file can be written");
    let store = on_disk(dir.path());
    let e = store.subscribe_as("mailer-1").map(|_| ());
    let e = e.expect_err("the cursor is damaged");
    let storage = e.storage().expect("a failure of storage");
    assert!(storage.is_removable() && !storage.is_damage(), "{e}");
}

#[test]
fn a_named_subscription_of_a_store_in_memory_lasts_as_long_as_the_store() {
    let mut store = Store::<Model>::memory();
    open(&mut store, 2);
    let mailer = store.subscribe_as("mailer").expect("the log can be read");
    mailer.acknowledge(2).expect("it notes");
    drop(mailer);
    // Without a subscription.
    store.step(transfer(&store, 0, 1, 1));
    let mut mailer = store.subscribe_as("mailer").expect("the log can be read");
    assert_eq!(ready(&mut mailer), [3, 4]);
}

#[test]
fn reports_have_the_graph_before_and_after_them() {
    let mut store = Store::<Model>::memory();
    open(&mut store, 2);
    let start = store.snapshot();
    let told = store
        .subscribe_after(start.clone())
        .expect("the log can be read")
        .event::<Transferred>();
    let account = store
        .find::<Account>(&0)
        .expect("the entity or the file exists");
    let why = "a doubt".to_owned();
    store.step(transfer(&store, 0, 1, 30));
    store.step(Froze { account, why });
    store.step(Thawed { account });
    store.step(transfer(&store, 0, 1, 30));
    let end = store.snapshot();
    drop(store);
    let records: Vec<_> = told.map(|r| r.expect("the log can be read")).collect();
    let graphs = |r: &Record<Model>| r.before().zip(r.after()).expect("it has them");
    let balances: Vec<_> = (records.iter().map(graphs))
        .map(|(a, b)| (account.balance(&a), account.balance(&b), look(&b).total))
        .collect();
    assert_eq!(balances, [(100, 70, 200), (70, 40, 200)]);
    let (_, after) = graphs(&records[1]);
    assert_eq!(
        (after.seq(), after.fingerprint()),
        (end.seq(), end.fingerprint())
    );
    assert_consistent(&after);
}

#[test]
fn a_subscription_waits_no_longer_than_its_timeout() {
    let mut store = Store::<Model>::memory();
    open(&mut store, 2);
    let mut told = listen(&store, next(&store));
    let short = Duration::from_millis(1);
    assert!(
        told.next_within(short)
            .expect("the log can be read")
            .is_none()
    );
    let seq = store.step(transfer(&store, 0, 1, 1)).seq;
    let long = Duration::from_secs(60);
    assert_eq!(
        told.next_within(long)
            .expect("the log can be read")
            .map(|r| r.seq()),
        Some(seq)
    );
    // A store that begins at a snapshot reports the transactions after it.
    let mut trial = store.snapshot().into_store();
    let mut told = listen(&trial, Seq::ZERO);
    let seq = trial.step(transfer(&trial, 0, 1, 1)).seq;
    assert_eq!(ready(&mut told), [seq]);
}

#[test]
fn a_subscription_of_a_reader_reports_what_a_refresh_reads() {
    let dir = temp_dir();
    let mut store = on_disk(dir.path());
    open(&mut store, 2);
    let mut beside = Store::<Model>::open_read_only(dir.path()).expect("the store opens");
    let mut told = listen(&beside, Seq::ZERO);
    assert_eq!(ready(&mut told), [1, 2, 3]);
    let seq = store.step(transfer(&store, 0, 1, 1)).seq;
    assert_eq!(ready(&mut told), [0; 0]);
    beside.refresh().expect("the log can be read");
    assert_eq!(ready(&mut told), [seq]);
}

#[test]
fn a_name_may_be_acknowledged_from_several_threads_at_once() {
    let dir = temp_dir();
    let mut store = on_disk(dir.path());
    open(&mut store, 60);
    let subscriptions =
        [(); 4].map(|()| store.subscribe_as("mailer").expect("the log can be read"));
    std::thread::scope(|scope| {
        for mailer in subscriptions {
            scope.spawn(move || {
                (0..50).for_each(|seq| mailer.acknowledge(seq).expect("the file can be written"))
            });
        }
    });
    // The last acknowledgement is valid.
    let mailer = store.subscribe_as("mailer").expect("it is whole");
    assert_eq!(mailer.next_seq(), 50);
}

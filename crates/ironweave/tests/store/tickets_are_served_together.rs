//! Events that are submitted to a shared store fire once, in order, whichever thread waits for them and whatever happens to
//! one of them. The unit tests of the log submit events on a disk that fails.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use ironweave::prelude::*;
use ironweave::{Seq, Ticket};

use crate::accounts::*;
use crate::harness::{assert_sound, temp_dir, unsynced};

fn seq(store: &SharedStore<Model>) -> u64 {
    store.seq().unwrap().map_or(0, Seq::get)
}

#[test]
fn tickets_cross_threads_and_are_printed() {
    fn shared<T: Send + Sync + std::fmt::Debug + 'static>() {}
    shared::<Ticket<Opened>>();
    let store = paranoid();
    let ticket = store.submit(owner("Ada"));
    let text = format!("{ticket:?}");
    assert!(
        text.contains("Opened") && text.contains("is_done: false"),
        "{text}"
    );
    store.sync().unwrap();
    assert!(format!("{ticket:?}").contains("is_done: true"));
}

#[test]
fn events_fire_in_the_order_of_their_submission() {
    let dir = temp_dir();
    let store = unsynced::<Model>().open(dir.path()).unwrap().share();
    let account = store.step(owner("Ada")).created.account;
    let tickets: Vec<_> = (0..100)
        .map(|balance| store.submit(Set { account, balance }))
        .collect();
    // Whichever ticket is waited for first.
    let seqs: Vec<u64> = tickets
        .into_iter()
        .rev()
        .map(|t| t.wait().unwrap().seq.get())
        .collect();
    assert_eq!(seqs, (2..102).rev().collect::<Vec<_>>());
    let mut balances = Vec::new();
    for frame in store.frames(2).unwrap() {
        balances.extend(
            frame
                .unwrap()
                .events::<Set>()
                .map(|event| event.unwrap().balance),
        );
    }
    assert_eq!(balances, (0..100).collect::<Vec<_>>());
    let count = 8 * 50;
    thread::scope(|s| {
        for t in 0..8u64 {
            let store = &store;
            s.spawn(move || {
                let tickets: Vec<_> = (0..50).map(|i| store.submit(owner(t * 100 + i))).collect();
                let seqs: Vec<_> = tickets.into_iter().map(|t| t.wait().unwrap().seq).collect();
                assert!(seqs.is_sorted());
            });
        }
    });
    assert_eq!(seq(&store), 101 + count);
    drop(store);
    let store = Store::<Model>::open(dir.path()).unwrap();
    assert_eq!(assert_sound(&store), 101 + count);
}

#[test]
fn a_thread_sees_what_it_submitted_before() {
    let dir = temp_dir();
    let store = unsynced::<Model>().open(dir.path()).unwrap().share();
    let account = store.step(owner("Ada")).created.account;
    let mut balance = 0;
    let mut submit = || {
        balance += 1;
        drop(store.submit(Set { account, balance }));
        balance
    };
    let now = submit();
    assert_eq!(store.read(|db| account.balance(db)).unwrap(), now);
    let now = submit();
    store
        .transaction(|t| -> Result<(), StepError> {
            assert_eq!(account.balance(t), now);
            Ok(())
        })
        .unwrap();
    let now = submit();
    assert_eq!(
        store
            .what_if(|t| Ok::<_, StepError>(account.balance(t)))
            .unwrap(),
        now
    );
    let now = submit();
    assert_eq!(account.balance(&store.snapshot().unwrap()), now);
    let now = submit();
    assert_eq!(store.frames(0).unwrap().count() as u64, now + 1);
    let now = submit();
    assert_eq!(seq(&store), now + 1);
    let now = submit();
    assert_eq!(store.position().unwrap().unwrap().seq(), now + 1);
    let now = submit();
    assert_eq!(
        store.durable(),
        None,
        "nothing is synced under this durability"
    );
    assert_eq!(account.balance(&store.reader().snapshot()), now);
    let now = submit();
    store.sync().unwrap();
    assert_eq!(store.durable(), Some(Seq::new(now + 1)));
    let now = submit();
    assert_eq!(store.step(owner("Grace")).seq, now + 2);
    submit();
    let all = store.step_all(["Grace", "Barbara"].map(owner));
    assert!(all[0].is_err());
    assert_eq!(all[1].as_ref().unwrap().seq, now + 4);
    assert_eq!(store.verify().unwrap(), now + 4);
}

/// Reads of the log, repetitions, conflicts and subscriptions, over several segments.
#[test]
fn whatever_reads_the_log_has_what_was_submitted_before() {
    let dir = temp_dir();
    let options = unsynced::<Model>().segment_bytes_max(4_096);
    let store = options.open(dir.path()).unwrap().share();
    let account = store.step(owner("Ada")).created.account;
    let reader = store.reader();
    let mut all = store.subscribe(0).unwrap();
    let mut last = 1;
    // Returns the last frame, which sets the balance to its sequence.
    let mut submit = || {
        for _ in 0..40 {
            last += 1;
            let balance = last;
            drop(store.submit(Set { account, balance }));
        }
        last
    };
    let now = submit();
    assert_eq!(account.balance(&store.as_of(now).unwrap()), now);
    let now = submit();
    let history = store.history(account).unwrap();
    assert_eq!(history.last().unwrap().seq(), now);
    let now = submit();
    let of_key = store.history_of_key::<Account>("Ada").unwrap();
    assert_eq!(of_key[0].1.last().unwrap().seq(), now);
    let now = submit();
    assert_eq!(store.locate(now).unwrap().seq(), now);
    let now = submit();
    assert_eq!(store.since(now - 1).unwrap().count(), 1);
    let now = submit();
    assert_eq!(store.tx_range(now..=now).unwrap().count(), 1);
    let now = submit();
    let mut next = store.subscribe(now).unwrap();
    assert_eq!(next.try_next().unwrap().unwrap().seq(), now);
    let now = submit();
    let expected = |db: &Store<Model>| {
        assert_eq!(db.seq(), Some(Seq::new(now)));
        Ok::<_, StepError>((Meta::new().expect(now), owner("Grace")))
    };
    assert_eq!(store.retry(1, expected).unwrap().seq, now + 1);
    let mut submit = || {
        let now = submit() + 1;
        store.sync().unwrap();
        now
    };
    let now = submit();
    assert_eq!((seq(&store), reader.seq()), (now, Some(Seq::new(now))));
    assert_eq!(store.frames(0).unwrap().count() as u64, now);
    // A submitted event is one that another transaction may conflict with, or that comes after the first use of a key.
    let balance = 5;
    drop(store.submit(Set { account, balance }));
    let conflict = store.try_step_with(Meta::new().expect(now), Set { account, balance });
    assert!(matches!(conflict, Err(StepError::Changed { .. })));
    let keyed = || {
        let meta = Meta::new().with_idempotency_key("a request");
        store.try_step_with(meta, Set { account, balance }).unwrap()
    };
    let first = keyed();
    drop(store.submit(Shut { account }));
    let ticket = store.submit(owner("Barbara"));
    let again = keyed();
    assert!(again.repeated && !first.repeated);
    assert_eq!((first.seq, again.seq), (Seq::new(now + 2), first.seq));
    assert_eq!(ticket.wait().unwrap().seq, now + 3);
    let mut seqs = Vec::new();
    while let Some(record) = all.try_next().unwrap() {
        seqs.push(record.seq().get());
    }
    assert_eq!(seqs, (1..=now + 3).collect::<Vec<_>>());
    assert_eq!(store.verify().unwrap(), now + 3);
}

#[test]
fn dropping_a_ticket_cancels_nothing_and_a_rejection_is_that_of_its_ticket() {
    let store = paranoid();
    drop(store.submit(owner("Ada")));
    let again = store.submit(owner("Ada"));
    let grace = store.submit(owner("Grace"));
    let rejected = again.wait().err().unwrap();
    assert!(
        matches!(rejected, StepError::Duplicate { .. }),
        "{rejected}"
    );
    let account = grace.wait().unwrap().created.account;
    let name = store.read(|db| account.owner(db).to_owned()).unwrap();
    assert_eq!((name.as_str(), seq(&store)), ("Grace", 2));
}

#[test]
fn a_close_and_the_last_drop_fire_what_was_submitted() {
    let dir = temp_dir();
    let open = || unsynced::<Model>().open(dir.path()).unwrap();
    let store = open().share();
    let ticket = store.submit(owner("Ada"));
    let other = store.clone();
    let store = store.close().unwrap().expect("another handle is there");
    assert!(!ticket.is_done());
    drop(other);
    assert!(store.close().unwrap().is_none());
    // The ticket does not keep the store open.
    let store = open();
    assert!(ticket.is_done());
    assert_eq!(ticket.wait().unwrap().seq, 1);
    let store = store.share();
    let ticket = store.submit(owner("Grace"));
    drop(store);
    let store = open();
    assert_eq!(ticket.wait().unwrap().seq, 2);
    assert_eq!(store.count::<Account, Any>(), 2);
    // Threads that wait while the last handle is dropped.
    let store = store.share();
    let tickets: Vec<_> = (0..50).map(|i| store.submit(owner(i))).collect();
    thread::scope(|s| {
        for ticket in tickets {
            s.spawn(move || ticket.wait().unwrap());
        }
        s.spawn(move || drop(store));
    });
    assert_eq!(open().count::<Account, Any>(), 52);
}

#[test]
fn a_panic_belongs_to_the_ticket_of_its_event() {
    let store = paranoid();
    let account = store.step(owner("Ada")).created.account;
    let before = store.submit(Set {
        account,
        balance: 1,
    });
    let panics = store.submit(Set {
        account,
        balance: 666,
    });
    let shut = store.submit(Shut { account });
    let after = store.submit(owner("Grace"));
    // This thread fires all four events.
    assert_eq!(after.wait().unwrap().seq, 3);
    assert_eq!(before.wait().unwrap().seq, 2);
    for wait in [
        catch_unwind(AssertUnwindSafe(|| panics.wait().map(drop))),
        catch_unwind(AssertUnwindSafe(|| shut.wait().map(drop))),
    ] {
        assert!(wait.is_err());
    }
    assert_eq!(store.read(|db| account.balance(db)).unwrap(), 1);
    assert_eq!(store.read(Store::check).unwrap(), []);
    // A panic for which no thread waits has no effect.
    drop(store.submit(Set {
        account,
        balance: 666,
    }));
    assert_eq!(seq(&store), 3);
}

#[test]
fn every_ticket_gets_a_result_although_events_panic_in_many_threads() {
    let dir = temp_dir();
    let store = Store::<Model>::open(dir.path()).unwrap().share();
    let account = store.step(owner("Ada")).created.account;
    let (results, all) = mpsc::channel();
    for t in 0..6u64 {
        let (store, results) = (store.clone(), results.clone());
        thread::spawn(move || {
            for i in 0..40 {
                let opened = store.submit(owner(t * 1_000 + i));
                let balance = if (t + i) % 5 == 0 { 666 } else { i };
                let set = store.submit(Set { account, balance });
                let twice = store.submit(owner(t * 1_000 + i));
                let panicked = catch_unwind(AssertUnwindSafe(|| set.wait().map(drop))).is_err();
                assert_eq!(panicked, balance == 666);
                assert!(twice.wait().err().unwrap().is_rejection());
                results.send(opened.wait().unwrap().seq).unwrap();
            }
        });
    }
    drop(results);
    let mut seqs = Vec::new();
    for _ in 0..240 {
        // The wait is limited, so that a failing test ends.
        seqs.push(
            all.recv_timeout(Duration::from_secs(60))
                .expect("every thread ends"),
        );
    }
    seqs.sort_unstable();
    seqs.dedup();
    assert_eq!(seqs.len(), 240);
    assert_eq!(seq(&store), 1 + 240 + 240 * 4 / 5);
}

#[test]
fn a_full_queue_is_fired_by_the_thread_that_submits() {
    let store = Store::<Model>::memory().share();
    let reader = store.reader();
    let account = store.step(owner("Ada")).created.account;
    let seq = || reader.seq().map_or(0, Seq::get);
    let first = store.submit(Set {
        account,
        balance: 0,
    });
    for i in 1..1u64 << 16 {
        let balance = i % 100;
        drop(store.submit(Set { account, balance }));
    }
    assert_eq!(seq(), 1, "no submit has fired anything");
    let last = store.submit(Set {
        account,
        balance: 7,
    });
    assert_eq!(seq(), 1 + (1 << 16));
    assert!(first.is_done() && !last.is_done());
    assert_eq!(last.wait().unwrap().seq, 2 + (1 << 16));
}

#[test]
fn a_ticket_that_is_used_while_its_thread_holds_the_store_panics_instead_of_deadlocking() {
    let store = paranoid();
    let ticket = store.submit(owner("Ada"));
    let inside = |act: &mut dyn FnMut()| {
        let result = store.read(|_| catch_unwind(AssertUnwindSafe(act)).err());
        let words = *result
            .unwrap()
            .expect("it panics")
            .downcast::<&str>()
            .unwrap();
        assert!(words.contains("while this thread holds it"), "{words}");
    };
    let mut ticket = Some(ticket);
    inside(&mut || drop(ticket.take().map(Ticket::wait)));
    inside(&mut || drop(store.submit(owner("Grace"))));
    assert_eq!(seq(&store), 1);
}

#[test]
fn tickets_of_a_store_that_is_open_for_reading_only_are_refused() {
    let dir = temp_dir();
    drop(Store::<Model>::open(dir.path()).unwrap());
    let store = Store::<Model>::open_read_only(dir.path()).unwrap().share();
    let tickets = ["Ada", "Ada"].map(|name| store.submit(owner(name)));
    for ticket in tickets {
        assert!(matches!(ticket.wait(), Err(StepError::ReadOnly)));
    }
    assert_eq!(store.read(|db| db.count::<Account, Any>()).unwrap(), 0);
}

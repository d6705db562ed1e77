//! A transaction that is leaked (`std::mem::forget`) is rolled back by whatever begins next; nothing of it is written or shown.

use super::*;

#[test]
fn a_leaked_transaction_never_joins_the_next() {
    for (dir, mut store) in stores() {
        store.step(Opened { number: 1 });
        let (print, seq) = (store.fingerprint(), store.seq());
        let meta = Meta::new().with_actor("ann").with_idempotency_key("leaked");
        let mut t = store.begin_with(meta.clone()).unwrap();
        t.apply(Opened { number: 2 }).unwrap();
        let leaked = t.savepoint();
        std::mem::forget(t);
        // Whatever begins next rolls it back first.
        let mut t = store.begin();
        stale(t.rollback_to(leaked));
        assert_eq!(t.count::<Ticket, Any>(), 1);
        t.commit().unwrap();
        assert_eq!((store.fingerprint(), store.seq()), (print, seq));
        let mut t = store.begin();
        t.apply(Opened { number: 2 }).unwrap();
        std::mem::forget(t);
        let receipt = store.step(Opened { number: 2 });
        assert_eq!(Some(receipt.seq), seq.map(|seq| seq + 1));
        // It has not consumed its idempotency key, and its metadata is not that of the next transaction.
        let frame = store.frames(receipt.seq).unwrap().next().unwrap().unwrap();
        assert_eq!((frame.meta(), frame.firings().len()), (&Meta::new(), 1));
        let again = store.try_step_with(meta, Opened { number: 3 }).unwrap();
        assert!(!again.repeated);
        std::mem::forget(store.begin());
        assert_eq!(reopened(dir.path(), store).count::<Ticket, Any>(), 3);
    }
}

#[test]
fn no_snapshot_shows_a_leaked_transaction() {
    for (_dir, mut store) in stores() {
        store.step(Opened { number: 1 });
        store.step(Labelled {
            name: "a".into(),
            note: fussy("n"),
        });
        let label = store.find::<Label>("a").unwrap();
        let ticket = store.find::<Ticket>(&1).unwrap();
        let print = store.fingerprint();
        let mut t = store.begin();
        t.apply(Opened { number: 2 }).unwrap();
        t.apply(Labelled {
            name: "b".into(),
            note: fussy("n"),
        })
        .unwrap();
        t.apply(Tried {
            what: 0,
            ticket,
            label,
        })
        .unwrap();
        t.apply(PartAdded { ticket }).unwrap();
        std::mem::forget(t);
        let snapshot = store.snapshot();
        assert_eq!((snapshot.fingerprint(), snapshot.check()), (print, vec![]));
        assert_eq!(snapshot.count::<Ticket, Any>(), 1);
        // Later snapshots show what was written since.
        store.step(Opened { number: 5 });
        let snapshot = store.snapshot();
        assert_eq!(
            (snapshot.fingerprint(), snapshot.check()),
            (store.fingerprint(), vec![])
        );
        assert_eq!(store.count::<Ticket, Any>(), 2);
    }
}

#[test]
fn a_leaked_transaction_of_a_reader_is_rolled_back_before_it_refreshes() {
    let dir = temp_dir();
    let mut store = Store::<desk::Model>::open(dir.path()).unwrap();
    store.step(Opened { number: 1 });
    let mut reader = Store::<desk::Model>::open_read_only(dir.path()).unwrap();
    let mut t = reader.begin();
    t.apply(Opened { number: 2 }).unwrap();
    std::mem::forget(t);
    store.step(Opened { number: 3 });
    reader.refresh().unwrap();
    assert_eq!(reader.fingerprint(), store.fingerprint());
    assert_consistent(&reader);
}
